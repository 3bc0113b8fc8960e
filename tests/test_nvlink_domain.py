"""NVLink domains, alone and joined."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import SWITCH, Topology
from simulator.core.errors import InputError


def domains(**parameters: Any) -> Topology:
    return builders.get("nvlink-domain")(**parameters)


@pytest.mark.parametrize(("node", "size", "fabric"), [("dgx-h100", 8, 450e9), ("gb200-nvl72", 72, 900e9)])
def test_one_domain_has_no_network(node: str, size: int, fabric: float) -> None:
    made = domains(domains=1, node=node)
    assert (len(made.servers), made.accelerators, made.has_network, made.wired) == (1, size, False, False)
    assert made.capacity[made.path("node-0/0", "node-0/5")[0]] == fabric


def test_a_scalable_unit_of_nvl72() -> None:
    """Eight racks are 576 accelerators (docs.nvidia.com), whose cards fill 18 leaves of 32 ports down."""
    made = domains(domains=8)
    assert made.accelerators == 576
    tiers = [data["tier"] for _, data in made.graph.nodes(data=True) if data["kind"] == SWITCH]
    assert tiers.count(1) == 18
    ports = [data["ports"] for _, data in made.graph.nodes(data=True) if data.get("tier") == 1]
    assert set(ports) == {64}
    assert made.bisection() == pytest.approx(4 * 72 * catalog.link("infiniband-ndr").goodput, rel=1e-12)


def test_a_domain_of_eight_is_a_rail_optimised_server() -> None:
    assert domains(domains=64, node="dgx-h100").ends == builders.get("rail-optimised")(nodes=64).ends


def test_inside_is_faster_than_outside() -> None:
    made = domains(domains=2)
    inside, outside = made.path("node-0/0", "node-0/71"), made.path("node-0/0", "node-1/0")
    assert made.capacity[list(inside)].min() > 18 * made.capacity[list(outside)].min()
    assert {made.tiers[link] for link in inside} == {"scale-up"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"domains": 0}, "domains is 0; it must be at least 1"),
        (
            {"domains": 2, "node": "gb200-compute-tray"},
            "servers 'nvidia/gb200-compute-tray' have 4 of the 72 accelerators of their NVLink domain; a domain is one "
            "server here, as 'nvidia/gb200-nvl72' or 'nvidia/dgx-h100'",
        ),
        ({"domains": 2, "rails": 5}, "5 rails do not divide the 72 accelerators of a server; nearest: 4"),
        ({"domains": 2, "rails": 73}, "rails is 73; it must be at most 72"),
        ({"domains": 2, "domains_per_unit": 0}, "domains_per_unit is 0; it must be at least 1"),
        ({"domains": 2, "oversubscription": 0.0}, "oversubscription is 0; it must be at least 0.01"),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        domains(**parameters)
    assert str(caught.value) == expected


def test_accelerators_of_one_domain_talk_over_nvlink_not_over_the_leaf_that_they_share() -> None:
    built = builders.get("nvlink-domain")(domains=2, node="gb200-nvl72")
    for label in range(8):
        route = built.path("node-0/0", "node-0/18", label)
        assert [built.tiers[link] for link in route] == ["scale-up", "scale-up"]
