"""Transfers on built networks, with capacities that change and links that die, against a stepped reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.experiment.transfers import simulate_transfers
from simulator.models.fairshare import kernel
from simulator.runtime.router import Router
from simulator.workload.jobs import Transfer
from tests.reference import transfers as reference
from tests.reference.rates import by_levels

NETWORKS = {
    "fat-tree": {"k": 4, "oversubscription": 2.0},
    "torus": {"sides": [4, 4]},
    "dragonfly": {"terminals": 2, "groups": 4, "routers": 2, "global_links": 2},
    "rail-optimised": {"nodes": 4, "nodes_per_unit": 2},
}
BUILT = {name: builders.get(name)(**parameters) for name, parameters in NETWORKS.items()}


def places(topology: Topology) -> list[str]:
    """What sends and receives: accelerators with links of their own, else servers."""
    wired = (
        [v for v, data in topology.graph.nodes(data=True) if data["kind"] == "accelerator"] if topology.wired else []
    )
    return wired or [server.name for server in topology.servers]


def case(name: str, seed: int, count: int) -> tuple[Topology, list[Transfer]]:
    topology, draw = BUILT[name], stream(seed, name)
    ends, scale = places(topology), float(topology.capacity[topology.capacity > 0].min())
    moves = []
    for _ in range(count):
        src, dst = draw.choice(ends, 2, replace=False).tolist()
        size = float(draw.integers(1, 9)) * scale
        moves.append(Transfer(src=src, dst=dst, bytes=size, start=float(draw.integers(0, 4)) / 2))
    return topology, moves


def stepped(
    topology: Topology,
    moves: Sequence[Transfer],
    routes: Sequence[Sequence[int]],
    changes: Sequence[tuple[float, int, float]],
    turns: Sequence[tuple[float, int, Sequence[int]]] = (),
) -> list[float]:
    found = reference.ends(
        [(t.bytes, t.start, route) for t, route in zip(moves, routes, strict=True)],
        topology.capacity.tolist(),
        [0.0] * len(topology.ends),
        changes,
        turns,
        rates=by_levels,
        number=float,
    )
    return [math.nan if end is None else end for end in found]


def without_latency(topology: Topology, moves: Sequence[Transfer], **more) -> list[float]:
    """Ends when the first byte is there at once: the reference does not follow latencies of ways that change."""
    graph = topology.graph.copy()
    for *_, data in graph.edges(data=True):
        data["latency"] = 0.0
    return simulate_transfers(Topology(graph), moves, **more)["end"].tolist()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 10_000), st.integers(2, 40))
def test_ends_with_capacities_that_change(name: str, seed: int, count: int) -> None:
    topology, moves = case(name, seed, count)
    draw = stream(seed, "changes")
    routes = [topology.path(t.src, t.dst) for t in moves]
    used = sorted({link for route in routes for link in route})
    changes = []
    for _ in range(6):
        link = int(draw.choice(used))
        part = float(draw.choice([0.0, 0.25, 1.0, 3.0]))
        changes.append((float(draw.integers(1, 20)) / 4, link, part * float(topology.capacity[link])))
    changes += [(30.0, link, float(topology.capacity[link])) for link in used]
    changes = list({(time, link): (time, link, capacity) for time, link, capacity in changes}.values())
    expected = stepped(topology, moves, routes, changes)
    assert without_latency(topology, moves, capacity_events=changes) == pytest.approx(expected, rel=1e-9, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(NETWORKS)), st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([0.0, 0.3]),
)  # fmt: skip
def test_ends_with_links_that_die_and_come_back(name: str, seed: int, count: int, reroute: float) -> None:
    """The reference is told when each transfer turns to which route: off a dead link, and back after it."""
    topology, moves = case(name, seed, count)
    draw = stream(seed, "deaths")
    routes = [topology.path(t.src, t.dst) for t in moves]
    used = sorted({link for route in routes for link in route})
    dead = draw.choice(used, min(2, len(used)), replace=False).tolist()
    events = [(1.05, link, False) for link in dead] + [(5.15, link, True) for link in dead]
    changes = [(time, link, float(topology.capacity[link]) if up else 0.0) for time, link, up in events]
    router = Router(topology)
    for link in dead:
        router.set_up(link, False)
    turns: list[tuple[float, int, Sequence[int]]] = []
    late: dict[int, Transfer] = {}
    for index, (move, route) in enumerate(zip(moves, routes, strict=True)):
        hit = any(link in dead for link in route)
        way = router.way(move.src, move.dst)
        starts_late = move.start > 1.05 + reroute
        if way is None and starts_late:
            late[index] = move
        elif way is not None and (hit or starts_late):
            turns += [(1.05 + reroute, index, way.links), (5.15 + reroute, index, route)]
    waiting = [Transfer(t.src, t.dst, t.bytes, 5.15 + reroute) if index in late else t for index, t in enumerate(moves)]
    expected = stepped(topology, waiting, routes, changes, turns)
    found = without_latency(topology, moves, link_events=events, reroute=reroute)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("switch", ["0", "1"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_crowd_ends_when_it_should(name: str, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without compiled code."""
    if switch == "1" and kernel.compiled() is None:
        pytest.skip("numba is not installed")
    monkeypatch.setenv(kernel.SWITCH, switch)
    topology, moves = case(name, 5, 150)
    routes = [topology.path(t.src, t.dst) for t in moves]
    assert without_latency(topology, moves) == pytest.approx(stepped(topology, moves, routes, []), rel=1e-9)
