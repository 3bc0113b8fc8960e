"""What builders build: counts, capacities and latencies worked out by hand."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan
from simulator.cluster.topology import ACCELERATOR, SERVER, SWITCH, Topology
from simulator.core.errors import InputError

NDR = catalog.link("infiniband-ndr")
TRUNK = 8 * NDR.goodput


def build(name: str, **parameters: Any) -> Topology:
    return builders.get(name)(**parameters)


def kinds(built: Topology) -> Counter[str]:
    return Counter(data["kind"] for _, data in built.graph.nodes(data=True))


def capacity(built: Topology, src: str, dst: str) -> float:
    return sum(data["capacity"] for data in built.graph[src][dst].values())


def latency(built: Topology, src: str, dst: str) -> float:
    return float(sum(built.latency[link] for link in built.path(src, dst)))


def message(name: str, **parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        build(name, **parameters)
    return str(caught.value)


@pytest.mark.parametrize("k", [2, 4, 6, 8])
def test_counts_of_a_fat_tree(k: int) -> None:
    """k^3/4 hosts, 5k^2/4 switches, and as many cables between switches as hosts, twice (Al-Fares et al. 2008)."""
    tree = build("fat-tree", k=k)
    hosts = k**3 // 4
    assert kinds(tree) == {SERVER: hosts, SWITCH: 5 * k * k // 4, ACCELERATOR: 8 * hosts}
    tiers = Counter(data["tier"] for _, data in tree.graph.nodes(data=True) if data["kind"] == SWITCH)
    assert tiers == {1: k * k // 2, 2: k * k // 2, 3: k * k // 4}
    # one link each way: 8 NVLink ports and a trunk for each host, and twice as many cables as hosts between the tiers
    assert len(tree.ends) == 2 * (8 * hosts + hosts + 2 * hosts)
    assert tree.accelerators == 8 * hosts


def test_every_switch_of_a_fat_tree_has_k_neighbours() -> None:
    tree = build("fat-tree", k=6)
    for vertex, data in tree.graph.nodes(data=True):
        if data["kind"] == SWITCH:
            assert tree.graph.out_degree(vertex) == tree.graph.in_degree(vertex) == 6


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.0])
def test_capacities_of_a_fat_tree(ratio: float) -> None:
    tree = build("fat-tree", k=4, oversubscription=ratio)
    assert capacity(tree, "node-0", "edge-0-0") == TRUNK
    assert capacity(tree, "edge-0-0", "aggregation-0-1") == capacity(tree, "aggregation-0-1", "core-3") == TRUNK / ratio


def test_a_fat_tree_may_leave_places_empty() -> None:
    tree = build("fat-tree", k=4, nodes=5)
    assert [server.name for server in tree.servers] == [f"node-{i}" for i in range(5)]
    assert kinds(tree)[SWITCH] == 20
    assert tree.name == "fat-tree k=4, 5 x dgx-h100, infiniband-ndr"


def test_latency_counts_both_ends_and_every_switch() -> None:
    tree = build("fat-tree", k=4)
    for other, switches in (("node-1", 1), ("node-2", 3), ("node-4", 5)):
        assert latency(tree, "node-0", other) == pytest.approx(NDR.end_latency + switches * NDR.latency, rel=1e-12)
    inside = catalog.link("nvlink4").end_latency
    assert latency(tree, "node-0/0", "node-0/7") == pytest.approx(inside, rel=1e-12)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"k": 3}, "k is 3; a fat-tree needs an even number of ports, as 4"),
        ({"k": 0}, "k is 0; a fat-tree needs an even number of ports, as 2"),
        ({"k": 4, "nodes": 17}, "nodes is 17; a fat-tree of k = 4 has places for 1 to 16 servers"),
        ({"k": 4, "nodes": 0}, "nodes is 0; a fat-tree of k = 4 has places for 1 to 16 servers"),
        ({"k": 4, "oversubscription": 0.0}, "oversubscription is 0; it must be at least 0.01"),
        ({"k": 4, "oversubscription": math.nan}, "oversubscription is nan; it must be at least 0.01"),
        ({"k": 4, "link": ""}, "servers 'nvidia/dgx-h100' without a link cannot be connected: name one"),
    ],
)
def test_what_is_wrong_with_a_fat_tree_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message("fat-tree", **parameters) == expected


def test_counts_of_a_leaf_spine() -> None:
    built = build("leaf-spine", nodes=10, nodes_per_leaf=4, spines=3)
    assert kinds(built) == {SERVER: 10, SWITCH: 3 + 3, ACCELERATOR: 80}
    assert len(built.ends) == 2 * (80 + 10 + 3 * 3)
    assert built.neighbourhood("node-7") == "leaf-1"
    assert built.neighbourhood("node-8") == "leaf-2"


@pytest.mark.parametrize(("ratio", "spines"), [(1.0, 4), (2.0, 4), (4.0, 3)])
def test_uplinks_of_a_leaf_carry_its_servers_over_the_ratio(ratio: float, spines: int) -> None:
    built = build("leaf-spine", nodes=8, nodes_per_leaf=4, spines=spines, oversubscription=ratio)
    uplinks = [capacity(built, "leaf-0", f"spine-{i}") for i in range(spines)]
    assert sum(uplinks) == pytest.approx(4 * TRUNK / ratio, rel=1e-12)
    assert len(set(uplinks)) == 1


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("nodes", 0, "nodes is 0; it must be at least 1"),
        ("nodes_per_leaf", 0, "nodes_per_leaf is 0; it must be at least 1"),
        ("spines", -1, "spines is -1; it must be at least 1"),
        ("oversubscription", -4.0, "oversubscription is -4; it must be at least 0.01"),
    ],
)
def test_what_is_wrong_with_a_leaf_spine_is_said(key: str, value: float, expected: str) -> None:
    assert message("leaf-spine", **({"nodes": 4} | {key: value})) == expected


def test_a_single_switch_joins_all() -> None:
    built = build("single-switch", nodes=3)
    assert kinds(built) == {SERVER: 3, SWITCH: 1, ACCELERATOR: 24}
    assert built.hops(0, 2) == 2
    assert message("single-switch", nodes=0) == "nodes is 0; it must be at least 1"


def test_servers_without_a_network() -> None:
    built = build("servers", nodes=3, node="dgx-h100")
    assert (kinds(built), built.has_network, len(built.ends)) == ({SERVER: 3}, False, 0)
    assert built.servers[0].scale_up == catalog.accelerator("h100-sxm").scale_up_bandwidth
    assert message("servers", nodes=0, node="dgx-h100") == "nodes is 0; it must be at least 1"


def test_a_pool_is_one_place() -> None:
    built = build("pool", accelerators=100, accelerator="h100-sxm")
    assert (len(built.servers), built.accelerators, built.has_network) == (1, 100, False)
    assert message("pool", accelerators=0) == "accelerators is 0; it must be at least 1"


def test_explicit_links_through_the_registry() -> None:
    built = build("links", links=[{"src": "a", "dst": "b", "capacity": "1 GB/s"}], servers={"a": {"accelerators": 2}})
    assert (built.capacity.tolist(), built.accelerators) == ([1e9], 2)


def test_a_node_list(tmp_path: Path) -> None:
    file = tmp_path / "nodes.csv"
    file.write_text("sn,cpu_milli,memory_mib,gpu,model\nn-0,64000,1024,2,P100\nn-1,96000,2048,0,\n")
    built = build("node-list", nodes=file)
    first, second = built.servers
    assert (first.name, first.accelerators, first.accelerator, first.cores, first.memory) == (
        "n-0",
        2,
        "P100",
        64,
        2**30,
    )
    assert (second.accelerators, second.accelerator) == (0, "")
    assert built.name == "2 servers of nodes.csv"


def test_unknown_hardware_is_named_with_the_nearest() -> None:
    assert message("fat-tree", k=4, node="dgx-h10").startswith(
        "unknown server 'dgx-h10'. Did you mean 'nvidia/dgx-h100'?"
    )
    assert message("fat-tree", k=4, link="infiniband-nd").startswith(
        "unknown link 'infiniband-nd'. Did you mean 'infiniband-ndr'?"
    )


@pytest.mark.parametrize(
    ("node", "link", "trunk", "nic"),
    [
        ("dgx-h100", "infiniband-ndr", 8, 1),  # a card for each accelerator
        ("l40s-8-pcie", "roce-100g", 2, 1),  # two cards for eight: one accelerator alone can fill one card
        ("aws/p5", "efa-v2", 32, 4),  # four cards for each accelerator
    ],
)
def test_cards_of_a_server_are_one_trunk_and_each_accelerator_has_its_share(
    node: str, link: str, trunk: int, nic: int
) -> None:
    built = build("single-switch", nodes=2, node=node, link=link)
    card = catalog.link(link).goodput
    assert capacity(built, "node-0", "switch") == trunk * card
    assert built.servers[0].nic == nic * card


def test_an_accelerator_pushes_no_more_than_its_host_link() -> None:
    """An A100 has 32 GB/s to its host (PCIe 4), however fast the card beside it is."""
    built = build("single-switch", nodes=2, node="dgx-a100-80", link="infiniband-xdr")
    assert built.servers[0].nic == catalog.accelerator("a100-sxm-80").host_bandwidth


def test_a_server_without_cards_gets_one() -> None:
    built = build("single-switch", nodes=2, node="google/tpu-v4-host", link="ethernet-100g-tcp")
    assert capacity(built, "node-0", "switch") == catalog.link("ethernet-100g-tcp").goodput


def test_the_inside_of_a_server_is_its_scale_up_fabric() -> None:
    built = build("single-switch", nodes=1)
    assert capacity(built, "node-0/3", "node-0") == catalog.accelerator("h100-sxm").scale_up_bandwidth
    pcie = build("single-switch", nodes=1, node="l40s-8-pcie", link="roce-100g")
    assert capacity(pcie, "node-0/3", "node-0") == catalog.accelerator("l40s").scale_up_bandwidth


def test_servers_carry_what_the_catalog_says() -> None:
    record, server = catalog.server("dgx-h100"), build("single-switch", nodes=1).servers[0]
    assert (server.accelerators, server.cores, server.memory) == (record.accelerators, record.cores, record.memory)
    assert (server.record, server.accelerator) == (record.id, "nvidia/h100-sxm")


def test_every_server_and_link_of_the_catalog_can_be_built() -> None:
    for node in catalog.names("server"):
        assert build("single-switch", nodes=2, node=node, link="roce-100g").capacity.min() > 0
    for link in catalog.names("link"):
        assert build("single-switch", nodes=2, link=link).capacity.min() > 0


def test_a_plan_without_a_link_cannot_connect() -> None:
    plan = Plan("dgx-h100")
    plan.add_server("a")
    with pytest.raises(InputError, match="servers 'nvidia/dgx-h100' without a link cannot be connected: name one"):
        plan.add_switch("switch", 1, 8)


def test_builders_say_in_one_line_what_they_build() -> None:
    for name in builders.names():
        assert builders.summary(name).endswith((".", ","))
    assert builders.names() == sorted(builders.names())
