"""Topology files: the shipped ones load, and what is wrong with a file is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.scenario.schema import read_topology

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "topologies").glob("*.yaml"))
SIZES = {
    "cloud-p5": (16, 128, 1),
    "cloud-p5-groups": (64, 512, 5),
    "cpu-pool": (40, 80, 4),
    "dgx-h100-fat-tree": (128, 1024, 80),
    "dgx-h100-leaf-spine-4to1": (32, 256, 12),
    "dgx-h100-rails-2to1": (64, 512, 20),
    "dgx-h100-roce": (32, 256, 12),
    "dragonfly-72": (72, 576, 36),
    "explicit-links": (4, 16, 2),
    "gb200-nvl72": (8, 576, 34),
    "hpn-7-dual-tor": (64, 512, 62),
    "hpn-7-single-tor": (64, 512, 47),
    "l40s-pcie-100g": (16, 128, 4),
    "l40s-pcie-25g": (8, 32, 3),
    "superpod-b200-4su": (128, 1024, 48),
    "superpod-h100-4su": (127, 1016, 48),
    "tpu-v4-cubes": (32, 128, 0),
    "tpu-v5e-pod": (32, 256, 1),
    "two-servers": (2, 16, 1),
}
"""Servers, accelerators, switches."""
UNSOLD = ("cloud-p5", "cloud-p5-groups", "explicit-links", "superpod-h100-4su", "tpu-v4-cubes", "tpu-v5e-pod")
"""Those of which some part has no price: rented, or unpublished."""


def message(tmp_path: Path, text: str) -> str:
    """What loading ``text`` says, with ``F`` for the name of the file."""
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Topology.load(file)
    return str(caught.value).replace(str(file), "F")


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_sizes_of_shipped_topologies(name: str, size: tuple[int, int, int]) -> None:
    summary = Topology.load(ROOT / "topologies" / f"{name}.yaml").summary()
    assert (summary["servers"], summary["accelerators"], summary["switches"]) == size


WITHOUT_NETWORK = ("openb-fleet",)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_topologies_load(path: Path) -> None:
    made = Topology.load(path)
    written = yaml.safe_load(path.read_text("utf-8"))
    assert made.name == written["name"]
    assert len(written["description"]) > 40
    last = len(made.servers) - 1
    assert made.bill()
    if path.stem in WITHOUT_NETWORK:
        assert not made.has_network
        return
    assert made.path(made.endpoint(0, 0), made.endpoint(last, 0))
    made.check_connected()
    assert made.bisection() > 0


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_scenarios_read_shipped_topologies_alike(path: Path) -> None:
    source = read_topology(path)
    assert source.build is not None
    made, again = source.build.make(), Topology.load(path)
    assert (made.ends, made.capacity.tolist(), made.servers) == (again.ends, again.capacity.tolist(), again.servers)


@pytest.mark.parametrize("name", [name for name in SIZES if name not in UNSOLD])
def test_what_can_be_bought_has_a_price_and_a_power(name: str) -> None:
    lines = Topology.load(ROOT / "topologies" / f"{name}.yaml").bill()
    assert all(line.unit_price and line.power for line in lines if line.kind in ("server", "switch"))
    assert all(line.unit_price is not None for line in lines)


def test_the_uplink_of_the_explicit_example_is_shared() -> None:
    made = Topology.load(ROOT / "topologies" / "explicit-links.yaml")
    assert made.path("a1", "b2") == (0, 8, 7)
    assert made.bisection() == 12.5e9


def test_links_need_no_builder(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("links: [{src: a, dst: b, capacity: 8 Gb/s}]\n", encoding="utf-8")
    assert Topology.load(file).capacity.tolist() == [1e9]
    assert Topology.load(str(file)).name == "links"


def test_a_node_list_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\nn-0,64000,1024,2,P100\n", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("build: node-list\nnodes: nodes.csv\n", encoding="utf-8")
    assert Topology.load(tmp_path / "mine.yaml").accelerators == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2]", "F: a topology file is a mapping with a key build, or links"),
        ("k: 4", "F: a topology file is a mapping with a key build, or links; this one has k"),
        ("build: [fat-tree]", "F: build is ['fat-tree']; it must be the name of a builder. "
         + did_you_mean("", builders.names())),
        ("", "F: a topology file is a mapping with a key build, or links"),
        ("build: fat-tree\nk: 4\nk: 8\n", "F:3: cannot read the topology: key 'k' stands twice"),
        ("build: fat-tree\n? [k]\n: 4\n", "F:2: cannot read the topology: a key must be plain text"),
        ("build: {\n", "F:2: cannot read the topology: did not find expected node content"),
        ("[" * 100_000, "F: cannot read the topology: nested deeper than 50 levels"),
        ("build: !!python/name:os.system x", "F:1: cannot read the topology: could not determine a constructor for the "
         "tag 'tag:yaml.org,2002:python/name:os.system'"),
        ("build: fat-tre\nk: 4", "F: unknown builder 'fat-tre'. "
         + did_you_mean("fat-tre", builders.names())),
        ("build: fat-tree", "F k: builder 'fat-tree' needs 'k'"),
        ("build: fat-tree\nk: '8'", "F k: '8' is not a whole number"),
        ("build: fat-tree\nk: yes", "F k: True is not a whole number"),
        ("build: fat-tree\nk: 4\noversubscription: 2 to 1", "F oversubscription: '2 to 1' is not a number"),
        ("build: fat-tree\nk: 4\nnode: 5", "F node: 5 is not text"),
        ("build: fat-tree\nk: 4\nnodes: 2.5", "F nodes: 2.5 is not a whole number"),
        ("build: links\nlinks: {a: b}", "F links: {'a': 'b'} is not a list"),
        ("build: fat-tree\nk: 5", "F: k is 5; a fat-tree needs an even number of ports, as 6"),
        ("build: fat-tree\nk: 4\nlinks: infiniband-ndr", "F links: unknown key 'links'. Did you mean 'link'? Known: k, "
         "link, node, nodes, oversubscription."),
        (
            "build: leaf-spine\nnode_per_leaf: 2\nspine: 1",
            "F node_per_leaf: unknown key 'node_per_leaf'. Did you mean 'nodes_per_leaf'? Known: link, node, nodes, "
            "nodes_per_leaf, oversubscription, spines.\n"
            "F spine: unknown key 'spine'. Did you mean 'spines'? Known: link, node, nodes, nodes_per_leaf, "
            "oversubscription, spines.\n"
            "F nodes: builder 'leaf-spine' needs 'nodes'",
        ),
        (
            "links: [{src: a, dst: b}, {src: a, dst: b, capacity: fast}]",
            "F: link 0: has no 'capacity'\n    a link has src, dst, capacity and latency\n"
            "F: link 1: capacity: 'fast' is not a bandwidth; write for example '400 Gb/s'\n"
            "    a link has src, dst, capacity and latency",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, expected: str) -> None:
    assert message(tmp_path, text) == expected


def test_flags_are_true_or_false(tmp_path: Path) -> None:
    assert message(tmp_path, "build: hpn\nsegments: 1\ndual_tor: 1") == "F dual_tor: 1 is not true or false"
    assert message(tmp_path, "build: superpod\nsu: 8\nufm: maybe") == "F ufm: 'maybe' is not true or false"


def test_servers_that_are_cut_off_are_said(tmp_path: Path) -> None:
    text = "servers: {a: {accelerators: 1}, b: {accelerators: 1}}\nlinks: [{src: a, dst: b, capacity: 8 Gb/s}]\n"
    assert message(tmp_path, text).startswith("F: 'b' has no way both from and to 'a'")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot read the topology: No such file or directory$"):
        Topology.load(tmp_path / "none.yaml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"build: \xff")
    with pytest.raises(InputError, match=r"mine\.yaml: cannot read the topology: not UTF-8 text \(byte 7\)$"):
        Topology.load(tmp_path / "mine.yaml")
