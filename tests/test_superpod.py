"""DGX SuperPOD: every published count of the H100 and B200 reference architectures, and the H100 pod's bill."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import SWITCH, Topology
from simulator.core.errors import InputError

NDR = catalog.link("infiniband-ndr")

# NVIDIA DGX SuperPOD H100 reference architecture RA-11333-001 V11: SU, nodes, GPUs, leaf, spine, cables of compute and
# fabric manager, cables from spine to leaf
H100_UP_TO_FOUR = [
    (1, 31, 248, 8, 4, 252, 256),
    (2, 63, 504, 16, 8, 508, 512),
    (3, 95, 760, 24, 16, 764, 768),
    (4, 127, 1016, 32, 16, 1020, 1024),
]
# the same, larger ones, without the fabric manager: SU, nodes, GPUs, leaf, spine, core; cables of each tier as GPUs
H100_LARGER = [
    (4, 128, 1024, 32, 16, 0),
    (8, 256, 2048, 64, 32, 0),
    (16, 512, 4096, 128, 128, 64),
    (32, 1024, 8192, 256, 256, 128),
    (64, 2048, 16384, 512, 512, 256),
]
# docs.nvidia.com, DGX SuperPOD B200, architecture: SU, nodes, GPUs, leaf, spine, core, and cables from node to leaf,
# leaf to spine, spine to core
B200 = [
    (2, 64, 512, 16, 8, 0, 512, 512, 0),
    (4, 128, 1024, 32, 16, 0, 1024, 1024, 0),
    (8, 256, 2048, 64, 32, 0, 2048, 2048, 0),
    (16, 512, 4096, 128, 128, 64, 4096, 4096, 4096),
    (32, 1024, 8192, 256, 256, 128, 8192, 8192, 8192),
    (64, 2048, 16384, 512, 512, 256, 16384, 16384, 16384),
]
# docs.nvidia.com, DGX SuperPOD B300, XDR variant: SU, nodes, GPUs, leaf, spine, cables of each tier
B300 = [
    (1, 72, 576, 8, 4, 576),
    (2, 144, 1152, 16, 8, 1152),
    (4, 288, 2304, 32, 18, 2304),
    (8, 576, 4608, 64, 36, 4608),
]
# RA-11333-001 V11, the 4 SU pod: compute, storage, in-band and out-of-band networks, management, racks
H100_BILL = {
    ("server", "nvidia/dgx-h100"): 127,
    ("switch", "nvidia/qm9700"): 48,
    ("cable", "infiniband-ndr"): 2040,
    ("switch transceiver", "twin-port OSFP"): 1536,
    ("system transceiver", "twin-port OSFP"): 508,
    ("storage switch", "nvidia/qm9700"): 16,
    ("storage cable", "infiniband-ndr"): 494,
    ("storage switch transceiver", "twin-port OSFP"): 369,
    ("storage system transceiver", "twin-port OSFP"): 254,
    ("in-band switch", "nvidia/sn4600c"): 8,
    ("out-of-band switch", "nvidia/sn2201"): 8,
    ("fabric manager", "UFM appliance"): 4,
    ("management server", ""): 4,
    ("rack", ""): 38,
}


def pod(**parameters: Any) -> Topology:
    return builders.get("superpod")(**parameters)


def counts(made: Topology) -> dict[str, int]:
    """Nodes, GPUs, switches and cables of each tier."""
    tiers = Counter(data["tier"] for _, data in made.graph.nodes(data=True) if data["kind"] == SWITCH)
    cables: Counter[str] = Counter()
    for _, _, data in made.graph.edges(data=True):
        cables[data["tier"]] += data["cables"]
    return {
        "nodes": len(made.servers), "gpus": made.accelerators, "leaf": tiers[1], "spine": tiers[2], "core": tiers[3],
        "node-leaf": cables["host"], "leaf-spine": cables["leaf-spine"], "spine-core": cables["spine-core"],
    }  # fmt: skip


def bill(made: Topology) -> dict[tuple[str, str], int]:
    return {(line.kind, line.item): line.count for line in made.bill()}


def message(**parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        pod(**parameters)
    return str(caught.value)


@pytest.mark.parametrize("row", H100_UP_TO_FOUR, ids=lambda row: f"{row[0]} SU")
def test_h100_up_to_four_units(row: tuple[int, ...]) -> None:
    su, nodes, gpus, leaf, spine, compute_and_manager, spine_leaf = row
    made = pod(su=su)
    found = counts(made)
    assert (found["nodes"], found["gpus"], found["leaf"], found["spine"], found["core"]) == (
        nodes,
        gpus,
        leaf,
        spine,
        0,
    )
    assert found["node-leaf"] + bill(made)["management cable", "infiniband-ndr"] == compute_and_manager
    assert found["leaf-spine"] == spine_leaf


@pytest.mark.parametrize("row", H100_LARGER, ids=lambda row: f"{row[0]} SU")
def test_larger_h100(row: tuple[int, ...]) -> None:
    su, nodes, gpus, leaf, spine, core = row
    assert counts(pod(su=su, ufm=False)) == {
        "nodes": nodes, "gpus": gpus, "leaf": leaf, "spine": spine, "core": core,
        "node-leaf": gpus, "leaf-spine": gpus, "spine-core": gpus if core else 0,
    }  # fmt: skip


@pytest.mark.parametrize("row", B200, ids=lambda row: f"{row[0]} SU")
def test_b200(row: tuple[int, ...]) -> None:
    made = pod(su=row[0], generation="b200")
    assert tuple(counts(made).values()) == row[1:]
    assert made.servers[0].accelerator == "nvidia/b200-sxm"


@pytest.mark.parametrize("row", B300, ids=lambda row: f"{row[0]} SU")
def test_b300(row: tuple[int, ...]) -> None:
    su, nodes, gpus, leaf, spine, cables = row
    made = pod(su=su, generation="b300")
    assert counts(made) == {
        "nodes": nodes, "gpus": gpus, "leaf": leaf, "spine": spine, "core": 0,
        "node-leaf": cables, "leaf-spine": cables, "spine-core": 0,
    }  # fmt: skip
    assert [line.kind for line in made.bill()] == ["server", "switch", "cable"]


def test_the_bill_of_the_four_unit_pod() -> None:
    found = bill(pod(su=4))
    assert found.pop(("management cable", "infiniband-ndr")) == 4
    assert found == H100_BILL


def test_what_has_a_price_is_priced_and_optics_are_in_the_cable() -> None:
    lines = {(line.kind, line.item): line for line in pod(su=4).bill()}
    assert lines["storage switch", "nvidia/qm9700"].unit_price == catalog.switch("qm9700").price
    assert lines["storage cable", "infiniband-ndr"].unit_price == NDR.cable_price
    assert lines["switch transceiver", "twin-port OSFP"].unit_price == 0.0
    assert lines["in-band switch", "nvidia/sn4600c"].unit_price is None
    assert all(line.source for key, line in lines.items())


def test_what_is_published_for_four_units_only_is_left_out_elsewhere() -> None:
    compute = {"server", "switch", "cable", "switch transceiver", "system transceiver"}
    for parameters in ({"su": 2}, {"su": 4, "ufm": False}, {"su": 4, "generation": "b200"}, {"su": 8}):
        kinds = {kind for kind, _ in bill(pod(**parameters))} - {"management cable"}
        assert kinds == compute


@pytest.mark.parametrize(
    ("su", "switch", "system"), [(1, 256 + 128, 124), (4, 1536, 508), (16, 32 * (128 + 128 + 64), 2048)]
)
def test_two_ports_share_a_transceiver(su: int, switch: int, system: int) -> None:
    """32 for each leaf, and one for each two cables above it, at each of their switch ends."""
    found = bill(pod(su=su))
    assert found["switch transceiver", "twin-port OSFP"] == switch
    assert found["system transceiver", "twin-port OSFP"] == system


@pytest.mark.parametrize("su", [1, 2, 3, 4, 8, 16])
def test_half_of_the_cards_cross_the_middle(su: int) -> None:
    made = pod(su=su)
    assert made.bisection() == pytest.approx(len(made.servers) // 2 * 8 * NDR.goodput, rel=1e-12)


def test_no_switch_has_more_ports_than_it_has() -> None:
    for su in (1, 2, 3, 4, 8, 16, 32):
        ports = [data["ports"] for _, data in pod(su=su, ufm=False).graph.nodes(data=True) if data["kind"] == SWITCH]
        assert max(ports) == 64
        assert min(ports) == (48 if su == 3 else 64)


def test_a_rail_is_one_hop_and_the_spine_joins_units() -> None:
    made = pod(su=2)
    ends = [made.ends[link] for link in made.path(made.endpoint(0, 3), made.endpoint(1, 3))]
    assert ends == [("node-0/3", "leaf-0-3"), ("leaf-0-3", "node-1/3")]
    across = [made.tiers[link] for link in made.path(made.endpoint(0, 3), made.endpoint(40, 3))]
    assert across == ["host", "leaf-spine", "leaf-spine", "host"]
    assert [made.neighbourhood(name) for name in ("node-0", "node-31", "node-32")] == ["unit-0", "unit-0", "unit-1"]


def test_pods_of_four_units_meet_on_the_core() -> None:
    made = pod(su=16)
    far = [made.tiers[link] for link in made.path(made.endpoint(0, 0), made.endpoint(500, 0))]
    assert far == ["host", "leaf-spine", "spine-core", "spine-core", "leaf-spine", "host"]
    assert made.hops(0, 100) == 4


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"su": 5}, "su is 5; h100 is published for 1, 2, 3, 4, 8, 16, 32, 64 scalable units, nearest: 4"),
        ({"su": 0}, "su is 0; h100 is published for 1, 2, 3, 4, 8, 16, 32, 64 scalable units, nearest: 1"),
        (
            {"su": 1, "generation": "b200"},
            "su is 1; b200 is published for 2, 4, 8, 16, 32, 64 scalable units, nearest: 2",
        ),
        ({"su": 4, "generation": "h200"}, "unknown generation 'h200'. Did you mean 'h100'? Known: b200, b300, h100."),
        (
            {"su": 8, "ufm": True},
            "ufm is true; the fabric manager takes the place of a server for h100 up to 4 su, not for h100 of 8",
        ),
    ],
)
def test_what_is_not_published_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message(**parameters) == expected
