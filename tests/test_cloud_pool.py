"""Rented instances: a hose each, the provider's switches, no bill for them."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import BillLine, Topology
from simulator.core.errors import InputError

EFA = catalog.link("efa-v2")


def pool(**parameters: Any) -> Topology:
    return builders.get("cloud-pool")(**parameters)


def test_an_instance_sends_what_its_cards_carry() -> None:
    """32 cards of 100 Gb/s are 3,200 Gb/s (AWS P5); no more than the 3,108 of them that raw RDMA reached, 97 %."""
    made = pool(nodes=4)
    link = made.path("node-0", "node-3")[0]
    assert made.capacity[link] == 32 * EFA.goodput
    assert 32 * EFA.bandwidth * 8 == pytest.approx(3_200e9)
    assert 3_000e9 < made.capacity[link] * 8 <= 3_108e9
    assert made.bisection() == pytest.approx(2 * 32 * EFA.goodput, rel=1e-12)


def test_groups_are_oversubscribed() -> None:
    made = pool(nodes=8, nodes_per_group=2, oversubscription=4.0)
    assert made.bisection() == pytest.approx(4 * 32 * EFA.goodput / 4, rel=1e-12)
    assert [made.neighbourhood(f"node-{n}") for n in (0, 1, 2)] == ["group-0", "group-0", "group-1"]
    assert (made.hops(0, 1), made.hops(0, 7)) == (2, 4)


def test_the_bill_is_the_instances() -> None:
    source = catalog.server("aws/p5").source
    assert pool(nodes=8, nodes_per_group=2).bill() == [BillLine("server", "aws/p5", 8, None, None, source)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"nodes": 0}, "nodes is 0; it must be at least 1"),
        ({"nodes": 4, "nodes_per_group": 0}, "nodes_per_group is 0; it must be at least 1"),
        ({"nodes": 4, "oversubscription": 0.0}, "oversubscription is 0; it must be at least 0.01"),
        (
            {"nodes": 4, "oversubscription": 2.0},
            "oversubscription is 2 between groups: say how large with nodes_per_group",
        ),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        pool(**parameters)
    assert str(caught.value) == expected
