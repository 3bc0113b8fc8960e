"""Rail-optimised networks: counts, capacities, and the published ones as a special case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan
from simulator.cluster.rails import bundle, spines_for
from simulator.cluster.topology import SWITCH, Topology
from simulator.core.errors import InputError

NDR = catalog.link("infiniband-ndr")


def rails(**parameters: Any) -> Topology:
    return builders.get("rail-optimised")(**parameters)


def message(**parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        rails(**parameters)
    return str(caught.value)


def capacity(made: Topology, src: str, dst: str) -> float:
    return sum(data["capacity"] for data in made.graph[src][dst].values())


def switches(made: Topology) -> int:
    return sum(data["kind"] == SWITCH for _, data in made.graph.nodes(data=True))


@pytest.mark.parametrize("su", [1, 2, 3, 4, 8])
def test_defaults_are_a_superpod(su: int) -> None:
    made, published = rails(nodes=32 * su), builders.get("superpod")(su=su, ufm=False)
    assert made.ends == published.ends
    assert made.capacity.tolist() == published.capacity.tolist()


@pytest.mark.parametrize("su", [1, 2, 4, 8])
def test_the_rule_for_spines_gives_those_of_a_b300_pod(su: int) -> None:
    """18 and 36 spines, not 16 and 32, because they share 72 uplinks equally."""
    made = rails(nodes=72 * su, nodes_per_unit=72, node="dgx-b300", link="infiniband-xdr")
    assert made.ends == builders.get("superpod")(su=su, generation="b300").ends


def test_a_core_makes_the_larger_superpod() -> None:
    made, published = rails(nodes=512, cores=64), builders.get("superpod")(su=16)
    assert (made.ends, made.capacity.tolist()) == (published.ends, published.capacity.tolist())


@settings(max_examples=30, deadline=None)
@given(
    nodes=st.integers(1, 12),
    unit=st.integers(1, 6),
    count=st.sampled_from([1, 2, 4, 8]),
    spines=st.integers(1, 5),
    ratio=st.sampled_from([0.5, 1.0, 2.0, 3.0]),
)
def test_uplinks_carry_what_comes_from_below_over_the_ratio(
    nodes: int, unit: int, count: int, spines: int, ratio: float
) -> None:
    made = rails(nodes=nodes, nodes_per_unit=unit, rails=count, spines=spines, oversubscription=ratio)
    units = -(-nodes // unit)
    assert switches(made) == units * count + spines
    up = sum(capacity(made, "leaf-0-0", f"spine-{spine}") for spine in range(spines))
    assert up == pytest.approx(unit * 8 / count * NDR.goodput / ratio)
    assert made.wired
    assert all(made.endpoint(0, device) == f"node-0/{device}" for device in range(8))


def test_bisection_at_two_to_one() -> None:
    made = rails(nodes=64, oversubscription=2.0)
    assert made.bisection() == pytest.approx(32 * 8 * NDR.goodput / 2, rel=1e-12)


def test_fewer_rails_than_accelerators_share_a_leaf() -> None:
    made = rails(nodes=4, nodes_per_unit=4, rails=2)
    assert [made.ends[link][1] for link in made.path("node-0/1", "node-3/5")] == ["leaf-0-1", "node-3/5"]


def test_several_cards_of_one_accelerator_are_one_link() -> None:
    made = rails(nodes=4, nodes_per_unit=4, node="aws/p5", link="efa-v2")
    assert capacity(made, "node-0/0", "leaf-0-0") == 4 * catalog.link("efa-v2").goodput
    assert {line.kind: line.count for line in made.bill()}["cable"] == 4 * 32 + 4 * 32


def test_latency_of_one_hop_is_both_ends_and_one_switch() -> None:
    made = rails(nodes=2)
    route = list(made.path("node-0/0", "node-1/0"))
    assert made.latency[route].sum() == pytest.approx(NDR.end_latency + NDR.latency, rel=1e-12)


@pytest.mark.parametrize(
    ("leaves", "down", "ratio", "spines"),
    [(8, 32, 1.0, 4), (24, 32, 1.0, 16), (32, 32, 1.0, 16), (128, 32, 1.0, 32), (16, 32, 2.0, 4), (2, 1, 1.0, 1)],
)
def test_spines_have_the_ports_and_equal_bundles(leaves: int, down: int, ratio: float, spines: int) -> None:
    assert spines_for(Plan("dgx-h100", "infiniband-ndr"), leaves, down, ratio) == spines


def test_a_bundle_is_whole_cables() -> None:
    assert [bundle(cables) for cables in (0.2, 1.0, 2.0000000000001, 2.1)] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"nodes": 0}, "nodes is 0; it must be at least 1"),
        ({"nodes": 8, "nodes_per_unit": 0}, "nodes_per_unit is 0; it must be at least 1"),
        ({"nodes": 8, "rails": 3}, "3 rails do not divide the 8 accelerators of a server; nearest: 2"),
        ({"nodes": 8, "rails": 0}, "rails is 0; it must be at least 1"),
        ({"nodes": 8, "rails": 9}, "rails is 9; it must be at most 8"),
        ({"nodes": 8, "spines": 0}, "spines is 0; it must be at least 1"),
        ({"nodes": 8, "oversubscription": 0.0}, "oversubscription is 0; it must be at least 0.01"),
        ({"nodes": 8, "cores": -1}, "cores is -1; it must be at least 0"),
        ({"nodes": 8, "cores": 4, "units_per_pod": 0}, "units_per_pod is 0; it must be at least 1"),
        (
            {"nodes": 8, "cores": 3, "spines": 4},
            "3 cores and 4 spines a pod: one must be a multiple of the other; nearest: 4 cores",
        ),
        (
            {"nodes": 8, "node": "l40s-8-pcie", "link": "roce-100g"},
            "servers 'generic/l40s-8-pcie' have 2 network cards for 8 accelerators; here each accelerator has cards of "
            "its own: use leaf-spine, or servers such as 'nvidia/dgx-h100'",
        ),
        (
            {"nodes": 100_000, "spines": 10_000},
            "this network would have 503,200,000 links; it may have at most 1,000,000: make it smaller",
        ),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message(**parameters) == expected
