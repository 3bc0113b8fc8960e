"""Tori of chips: TPU v5e pods, v4 cubes, and what does not fit."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import ACCELERATOR, Topology
from simulator.core.errors import InputError

V5E, V4 = catalog.link("tpu-v5e-ici"), catalog.link("tpu-v4-ici")


def torus(**parameters: Any) -> Topology:
    return builders.get("torus")(**parameters)


def message(**parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        torus(**parameters)
    return str(caught.value)


def chips(made: Topology) -> nx.DiGraph:
    """The chips and their links alone, by their place."""
    place = {
        vertex: tuple(map(int, data["position"].split(",")))
        for vertex, data in made.graph.nodes(data=True)
        if data["kind"] == ACCELERATOR
    }
    return nx.relabel_nodes(nx.MultiDiGraph(made.graph.subgraph(place)), place)


def test_a_v5e_pod() -> None:
    """16 x 16 chips with 4 links each, hosts of 8 with 2 x 100 Gb/s to the data centre, 1.6 TB/s across the middle.

    docs.cloud.google.com TPU v5e gives 1.6 TB/s of bisection at 400 Gb/s a link: 32 links cross the middle. The
    catalog's link is 45 GB/s (jax-ml/scaling-book) with its assumed efficiency.
    """
    made = torus(sides=[16, 16])
    assert (len(made.servers), made.accelerators) == (32, 256)
    graph = chips(made)
    assert {graph.out_degree(chip) for chip in graph} == {4}
    assert made.bisection() == pytest.approx(32 * V5E.goodput, rel=1e-12)
    assert 32 * 50e9 == 1.6e12
    assert made.tiers.count("ici") == 4 * 256
    host = made.graph["node-0"]["dcn"][0]
    assert host["capacity"] == 2 * catalog.link("ethernet-100g-tcp").goodput


def test_a_v4_pod_of_64_cubes() -> None:
    made = torus(sides=[16, 16, 16], node="tpu-v4-host")
    assert (len(made.servers), made.accelerators) == (1024, 4096)
    assert made.tiers == ("ici",) * (6 * 4096)
    assert made.bisection() == pytest.approx(2 * 16 * 16 * V4.goodput, rel=1e-12)
    cubes = Counter(made.neighbourhood(server.name) for server in made.servers)
    assert set(cubes.values()) == {16}
    assert len(cubes) == 64


@pytest.mark.parametrize(
    ("sides", "node", "wrapped"),
    [
        ([16, 16], "tpu-v5e-host", 2 * 16),
        ([4, 16], "tpu-v5e-host", 4),
        ([8, 8], "tpu-v5e-host", 0),
        ([4, 4, 4], "tpu-v4-host", 3 * 16),
        ([4, 4, 8], "tpu-v4-host", 2 * 32 + 16),
        ([2, 2, 4], "tpu-v4-host", 4),
        ([2, 2, 1], "tpu-v4-host", 0),
    ],
)
def test_which_sides_wrap(sides: list[int], node: str, wrapped: int) -> None:
    """In two dimensions a full side of 16, in three multiples of 4: one cable for each line of chips."""
    graph = chips(torus(sides=sides, node=node))
    mesh = sum(math.prod(sides) // side * (side - 1) for side in sides)
    assert graph.number_of_edges() == 2 * (mesh + wrapped)


@settings(max_examples=40, deadline=None)
@given(
    sides=st.lists(st.sampled_from([2, 4, 6, 8]), min_size=3, max_size=3),
    wrap=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_neighbours_are_one_step_apart_and_joined_once(sides: list[int], wrap: list[bool]) -> None:
    graph = chips(torus(sides=sides, node="tpu-v4-host", wrap=wrap))
    assert len(graph) == math.prod(sides)
    for a, b, key in graph.edges(keys=True):
        assert key == 0  # a side of 2 has no second link
        steps = [(y - x) % side for x, y, side in zip(a, b, sides, strict=True)]
        assert sorted(min(step, side - step) for step, side in zip(steps, sides, strict=True)) == [0, 0, 1]
        crossing = [abs(y - x) == side - 1 > 1 for x, y, side in zip(a, b, sides, strict=True)]
        assert not any(cross and not joined for cross, joined in zip(crossing, wrap, strict=True))


@pytest.mark.parametrize(
    ("sides", "links"), [([4, 4, 8], 2 * 16), ([8, 4, 4], 2 * 16), ([4, 8, 4], 2 * 16), ([4, 4, 4], 2 * 16)]
)
def test_the_middle_is_that_of_the_longest_side(sides: list[int], links: int) -> None:
    made = torus(sides=sides, node="tpu-v4-host")
    assert made.bisection() == pytest.approx(links * V4.goodput, rel=1e-12)


def test_an_open_side_has_half_the_bisection() -> None:
    closed, *opened = (
        torus(sides=[16, 16], wrap=wrap).bisection() for wrap in ([True] * 2, [True, False], [False, True])
    )
    assert [closed, closed] == pytest.approx([2 * each for each in opened])


def test_no_route_between_chips_leads_through_a_host() -> None:
    made = torus(sides=[16, 16])
    assert made.wired
    for src, dst in (("node-0/0", "node-0/7"), ("node-0/0", "node-17/3"), ("node-3/1", "node-31/6")):
        route = made.path(src, dst)
        assert {made.tiers[link] for link in route} == {"ici"}
    assert [made.tiers[link] for link in made.path("node-0", "node-9")] == ["host", "host"]


def test_hops_between_chips_are_steps_on_the_torus() -> None:
    made = torus(sides=[16, 16])
    place = {v: tuple(map(int, d["position"].split(","))) for v, d in made.graph.nodes(data=True) if "position" in d}
    for src, dst in (("node-0/0", "node-5/3"), ("node-1/2", "node-30/7")):
        steps = [min((a - b) % 16, (b - a) % 16) for a, b in zip(place[src], place[dst], strict=True)]
        assert len(made.path(src, dst)) == sum(steps)
    assert made.hops(0, 0) == 0


def test_a_chip_pushes_out_what_its_links_carry() -> None:
    assert torus(sides=[16, 16]).servers[0].nic == pytest.approx(4 * V5E.goodput)
    assert torus(sides=[4, 4, 4], node="tpu-v4-host").servers[0].nic == pytest.approx(6 * V4.goodput)


def test_every_chip_is_the_endpoint_of_its_number_even_inside_a_host() -> None:
    made = torus(sides=[4, 8])
    assert [made.endpoint(1, device) for device in range(8)] == [f"node-1/{device}" for device in range(8)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"sides": [0, 4]}, "sides[0] is 0; it must be at least 1"),
        ({"sides": [4, -4]}, "sides[1] is -4; it must be at least 1"),
        ({"sides": ["a", 4]}, "sides[0] is 'a'; it must be a whole number"),
        ({"sides": [True, 4]}, "sides[0] is True; it must be a whole number"),
        ({"sides": []}, "sides are none; google/tpu-v5e is wired in 2 dimensions: give 2 sides"),
        ({"sides": [4, 4, 4]}, "sides are 4 x 4 x 4; google/tpu-v5e is wired in 2 dimensions: give 2 sides"),
        ({"sides": [32, 16]}, "sides 32 x 16 are 512 chips; at most 256 google/tpu-v5e are joined"),
        (
            {"sides": [3, 5]},
            "sides 3 x 5 are 15 chips, which hosts 'google/tpu-v5e-host' with a block of 8 (4 x 2) do not fill; "
            "nearest: 4 x 4",
        ),
        (
            {"sides": [3, 3, 3], "node": "tpu-v4-host"},
            "sides 3 x 3 x 3 are 27 chips, which hosts 'google/tpu-v4-host' with a block of 4 (2 x 2 x 1) do not fill; "
            "nearest: 3 x 4 x 4",
        ),
        (
            {"sides": [4, 4], "node": "dgx-h100"},
            "servers 'nvidia/dgx-h100' have accelerators with NVLink4: a torus is made of hosts such as "
            "'google/tpu-v5e-host' (2 sides) or 'google/tpu-v4-host' (3 sides)",
        ),
        ({"sides": [16, 16], "wrap": [True]}, "wrap is [True]; it must be true or false for each of the 2 sides"),
        ({"sides": [16, 16], "wrap": [1, 0]}, "wrap is [1, 0]; it must be true or false for each of the 2 sides"),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message(**parameters) == expected
