"""The dragonfly: every pair of groups is joined, every router has its ports (Kim et al., ISCA 2008)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.topology import SWITCH, Topology
from simulator.core.errors import InputError


def dragonfly(**parameters: Any) -> Topology:
    return builders.get("dragonfly")(**parameters)


def message(**parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        dragonfly(**parameters)
    return str(caught.value)


def global_links(made: Topology) -> Counter[tuple[int, int]]:
    """Directed global links between each two groups."""
    joined = [ends for ends, tier in zip(made.ends, made.tiers, strict=True) if tier == "global"]
    return Counter((int(src.split("-")[1]), int(dst.split("-")[1])) for src, dst in joined)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_balanced_and_full(p: int) -> None:
    """N = a p (a h + 1) terminals, one global link between each two groups, k = p + a + h - 1 ports a router."""
    made = dragonfly(terminals=p, node="cpu-2s-8480", link="roce-100g")
    a, h = 2 * p, p
    groups = a * h + 1
    assert len(made.servers) == groups * a * p
    routers = {vertex: data for vertex, data in made.graph.nodes(data=True) if data["kind"] == SWITCH}
    assert len(routers) == groups * a
    assert {data["ports"] for data in routers.values()} == {2 * (p + a - 1 + h)}  # two cards, two networks side by side
    assert global_links(made) == {(i, j): 1 for i in range(groups) for j in range(groups) if i != j}
    assert made.tiers.count("local") == groups * a * (a - 1)


@settings(max_examples=40, deadline=None)
@given(a=st.integers(1, 5), h=st.integers(1, 4), data=st.data())
def test_fewer_groups_share_all_global_ports(a: int, h: int, data: st.DataObject) -> None:
    groups = data.draw(st.integers(2, a * h + 1))
    made = dragonfly(terminals=1, groups=groups, routers=a, global_links=h, node="cpu-2s-8480", link="roce-100g")
    found = global_links(made)
    assert all(found[i, j] >= 1 for i in range(groups) for j in range(groups) if i != j)
    assert max(found.values()) - min(found.values()) <= 1
    assert all(found[i, j] == found[j, i] for i, j in found)
    sent = Counter(src for (src, _), tier in zip(made.ends, made.tiers, strict=True) if tier == "global")
    assert max(sent.values()) <= h
    used = sum(sent.values())
    assert groups * a * h - used <= (groups if (a * h) % 2 and groups % 2 else 0) + groups * (groups > 2)


def test_no_route_is_longer_than_local_global_local() -> None:
    made = dragonfly(terminals=2)
    routes = [[made.tiers[link] for link in made.path("node-0", f"node-{other}")] for other in range(1, 72)]
    assert {len(tiers) for tiers in routes} == {2, 3, 4, 5}
    assert ["host", "local", "global", "local", "host"] in routes


def test_neighbours_share_a_router() -> None:
    made = dragonfly(terminals=2)
    assert [made.neighbourhood(f"node-{n}") for n in (0, 1, 2, 8)] == [
        "router-0-0", "router-0-0", "router-0-1", "router-1-0"
    ]  # fmt: skip


def test_one_group_is_all_to_all() -> None:
    made = dragonfly(terminals=1, groups=1, routers=4, global_links=0)
    assert made.tiers.count("local") == 12
    assert "global" not in made.tiers


def test_places_may_stay_empty() -> None:
    assert len(dragonfly(terminals=2, nodes=50).servers) == 50


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"terminals": 0}, "terminals is 0; it must be at least 1"),
        ({"terminals": 2, "routers": 0}, "routers is 0; it must be at least 1"),
        ({"terminals": 2, "global_links": -1}, "global_links is -1; it must be at least 0"),
        (
            {"terminals": 2, "groups": 10},
            "groups is 10; 4 routers with 2 global links reach 8 other groups: 1 to 9",
        ),
        (
            {"terminals": 2, "groups": 0},
            "groups is 0; 4 routers with 2 global links reach 8 other groups: 1 to 9",
        ),
        ({"terminals": 2, "nodes": 73}, "nodes is 73; this dragonfly has places for 1 to 72 servers"),
        ({"terminals": 100}, "nodes is 400,020,000; it must be at most 100,000"),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message(**parameters) == expected
