"""Transfers from end to end: against two slow references, closed forms, and laws that need no reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.experiment.transfers import simulate_transfers
from simulator.workload.jobs import Transfer
from tests.reference import transfers as reference
from tests.reference.rates import by_levels, by_linear_programs

Change = tuple[float, int, float]


@dataclass(frozen=True)
class Case:
    """A network, what moves over it, and how its links change."""

    links: list[dict[str, Any]]
    transfers: list[Transfer]
    changes: list[Change]

    @property
    def topology(self) -> Topology:
        return Topology.from_links(self.links)


def ends(topology: Topology, transfers: Sequence[Transfer], changes: Sequence[Change] = ()) -> list[float]:
    return simulate_transfers(topology, transfers, changes)["end"].tolist()


def expected(case: Case, **how: Any) -> list[float]:
    topology = case.topology
    moves = [(t.bytes, t.start, topology.path(t.src, t.dst) if t.route is None else t.route) for t in case.transfers]
    found = reference.ends(moves, topology.capacity.tolist(), topology.latency.tolist(), case.changes, **how)
    return [math.nan if end is None else end for end in found]


@st.composite
def cases(
    draw: st.DrawFn, most: int = 8, changes: int = 4, capacities: Sequence[float] = (1.0, 2.5, 10.0, 1e4)
) -> Case:
    """A ring of vertices, so that all pairs are connected, and chords; some transfers name a walk."""
    count = draw(st.integers(2, 5))
    vertex = st.integers(0, count - 1)
    chords = draw(st.lists(st.tuples(vertex, vertex).filter(lambda pair: pair[0] != pair[1]), max_size=6))
    capacity, latency = st.sampled_from(capacities), st.sampled_from([0.0, 0.0, 0.25, 3e-6])
    links = [
        {"src": f"v{a}", "dst": f"v{b}", "capacity": draw(capacity), "latency": draw(latency)}
        for a, b in [(i, (i + 1) % count) for i in range(count)] + chords
    ]
    size, start = st.sampled_from([0.0, 1.0, 3.0, 10.0, 77.7]), st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0])
    transfers = []
    for _ in range(draw(st.integers(1, most))):
        at, route = draw(vertex), None
        if draw(st.booleans()):
            src, route = at, []
            for _ in range(draw(st.integers(0, 5))):
                onward = [i for i, link in enumerate(links) if link["src"] == f"v{at}"]
                route.append(draw(st.sampled_from(onward)))
                at = int(links[route[-1]]["dst"][1:])
        else:
            src, at = at, draw(vertex)
        transfers.append(
            Transfer(src=f"v{src}", dst=f"v{at}", bytes=draw(size), start=draw(start),
                     route=None if route is None else tuple(route))
        )  # fmt: skip
    change = st.tuples(
        st.sampled_from([0.0, 0.5, 1.5, 4.0, 9.0]),
        st.integers(0, len(links) - 1),
        st.sampled_from([0.0, 0.0, *capacities]),
    )
    made = draw(st.lists(change, max_size=changes, unique_by=lambda c: (c[0], c[1])))
    return Case(links, transfers, sorted(made))


LINE = [{"src": "a", "dst": "b", "capacity": 10.0}]


@given(cases())
@example(Case(LINE, [Transfer(src="a", dst="b", bytes=10.0)] * 2, [(0.5, 0, 0.0), (4.0, 0, 10.0)]))
@example(Case([*LINE, {"src": "b", "dst": "a", "capacity": 1.0}], [Transfer(bytes=4.0, route=(0, 1, 0))] * 2, []))
def test_ends_are_the_exact_ones(case: Case) -> None:
    assert ends(case.topology, case.transfers, case.changes) == pytest.approx(expected(case), rel=1e-9, nan_ok=True)


@settings(max_examples=40)
@given(cases(most=4, changes=2, capacities=(1.0, 2.5, 10.0)))
def test_ends_follow_from_linear_programs(case: Case) -> None:
    slow = expected(case, rates=by_linear_programs, number=float)
    assert ends(case.topology, case.transfers, case.changes) == pytest.approx(slow, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("crowd", [12, 40])
def test_crowds_on_a_fat_tree_end_when_they_should(crowd: int) -> None:
    """Enough distinct routes that repairs of a few streams, of all, by heap and by numpy, take turns."""
    tree = builders.get("fat-tree")(k=4, oversubscription=2.0)
    draw = stream(crowd, "crowd")
    moves = []
    for _ in range(crowd):
        src, dst = draw.choice(len(tree.servers), 2, replace=False)
        moves.append(
            Transfer(
                src=f"node-{src}",
                dst=f"node-{dst}",
                bytes=float(draw.integers(1, 9)) * 2.0**36,
                start=float(draw.integers(0, 4)),
            )
        )
    link = tree.path("node-0", "node-8")[1]
    changes = [(1.0, link, 0.0), (3.0, link, float(tree.capacity[link])), (4.5, 0, 1e9)]
    routes = [tree.path(t.src, t.dst) for t in moves]
    slow = reference.ends(
        [(t.bytes, t.start, route) for t, route in zip(moves, routes, strict=True)],
        tree.capacity.tolist(), tree.latency.tolist(), changes, rates=by_levels, number=float,
    )  # fmt: skip
    assert ends(tree, moves, changes) == pytest.approx(slow, rel=1e-9)


def test_two_transfers_on_one_link() -> None:
    one = Topology.from_links([{"src": "a", "dst": "b", "capacity": 100.0, "latency": 0.5}])
    table = simulate_transfers(
        one, [Transfer(src="a", dst="b", bytes=100), Transfer(src="a", dst="b", bytes=300, id="x")]
    )
    assert table.columns.tolist() == ["id", "start", "end"]
    assert table.to_numpy().tolist() == [["0", 0.0, 2.5], ["x", 0.0, 4.5]]


def test_parking_lot() -> None:
    lot = Topology.from_links([{"src": str(i), "dst": str(i + 1), "capacity": 10.0} for i in range(4)])
    short = [Transfer(src=str(i), dst=str(i + 1), bytes=50) for i in range(4)]
    assert ends(lot, [Transfer(src="0", dst="4", bytes=100), *short]) == [15.0, 10.0, 10.0, 10.0, 10.0]


def test_without_bytes_or_links_only_latency_counts() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1.0, "latency": 2.0}])
    moves = [Transfer(src="a", dst="b", bytes=0, start=1.0), Transfer(src="a", dst="a", bytes=5, start=1.5)]
    assert ends(line, moves) == [3.0, 1.5]


def test_bytes_on_a_dead_link_wait_until_it_is_back() -> None:
    line = Topology.from_links(LINE)
    moves = [Transfer(src="a", dst="b", bytes=20), Transfer(src="a", dst="b", bytes=20, start=1.5)]
    assert ends(line, moves, [(1.0, 0, 0.0), (5.0, 0, 20.0)]) == pytest.approx([6.0, 6.5], rel=1e-12)
    assert ends(line, moves[:1], [(1.0, 0, 0.0)]) == pytest.approx([math.nan], nan_ok=True)


def test_an_end_that_nothing_else_shares_an_instant_with_stays_exact() -> None:
    """Ends come at absolute times: a thousand transfers one after the other do not add up their rounding."""
    line = Topology.from_links(LINE)
    moves = [Transfer(src="a", dst="b", bytes=1.0, start=0.1 * index) for index in range(1000)]
    assert ends(line, moves) == pytest.approx([0.1 * index + 0.1 for index in range(1000)], rel=1e-12)


@given(cases(changes=0), st.sampled_from([2.0**-10, 8.0, 2.0**40]))
def test_scaling_bytes_and_capacity_changes_nothing(case: Case, factor: float) -> None:
    links = [link | {"capacity": link["capacity"] * factor} for link in case.links]
    moves = [replace(t, bytes=t.bytes * factor) for t in case.transfers]
    assert ends(Topology.from_links(links), moves) == ends(case.topology, case.transfers)


@given(cases(), st.sampled_from([2.0**-10, 4.0]))
def test_scaling_time_scales_the_ends(case: Case, factor: float) -> None:
    links = [link | {"capacity": link["capacity"] / factor, "latency": link["latency"] * factor} for link in case.links]
    moves = [replace(t, start=t.start * factor) for t in case.transfers]
    changes = [(time * factor, link, capacity / factor) for time, link, capacity in case.changes]
    before = ends(case.topology, case.transfers, case.changes)
    after = ends(Topology.from_links(links), moves, changes)
    assert after == pytest.approx([end * factor for end in before], rel=1e-12, nan_ok=True)


@given(cases())
def test_renaming_vertices_changes_nothing(case: Case) -> None:
    """Routes are named here: a hash of the vertices' names picks among equal ones."""
    topology = case.topology
    moves = [replace(t, route=topology.path(t.src, t.dst) if t.route is None else t.route) for t in case.transfers]
    links = [link | {"src": "new " + link["dst"][::-1], "dst": "new " + link["src"][::-1]} for link in case.links]
    turned = [
        replace(t, src="", dst="", route=t.route[::-1]) for t in moves
    ]  # every link and route the other way round
    before, after = ends(topology, moves, case.changes), ends(Topology.from_links(links), turned, case.changes)
    assert after == pytest.approx(before, rel=1e-12, nan_ok=True)


@given(cases(changes=0))
def test_nothing_ends_before_its_bytes_can_be_there(case: Case) -> None:
    topology = case.topology
    for end, t in zip(ends(topology, case.transfers), case.transfers, strict=True):
        route = topology.path(t.src, t.dst) if t.route is None else t.route
        latency = sum(topology.latency[link] for link in route)
        alone = max((t.bytes * route.count(link) / topology.capacity[link] for link in route), default=0.0)
        assert end >= (t.start + latency + alone) * (1 - 1e-12)


def test_the_same_transfers_end_at_the_same_bits() -> None:
    tree = builders.get("leaf-spine")(nodes=8, nodes_per_leaf=2, spines=2, oversubscription=4)
    moves = [Transfer(src=f"node-{i % 8}", dst=f"node-{(3 * i + 1) % 8}", bytes=1e9 * (i % 5 + 1)) for i in range(60)]
    assert ends(tree, moves) == ends(tree, moves)


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        (Transfer(src="a", dst="z", bytes=1), "transfer 0: unknown vertex 'z'. Known: a, b."),
        (Transfer(src="b", dst="a", bytes=1), "transfer 0: there is no route from 'b' to 'a'"),
        (Transfer(src="a", dst="b", bytes=-1.0), "transfer 0: bytes is -1.0; it must be a finite number, 0 or more"),
        (Transfer(src="a", dst="b", bytes=math.nan), "transfer 0: bytes is nan; it must be a finite number, 0 or more"),
        (
            Transfer(src="a", dst="b", bytes=1, start=-1.0, id="copy"),
            "transfer copy: start is -1.0; it must be a finite number, 0 or more",
        ),
        (
            Transfer(src="a", dst="b", bytes=1, route=(1,)),
            "transfer 0: route [1]: there is no link 1; links are 0 to 0",
        ),
        (Transfer(src="a", dst="b", bytes=1, route=()), "transfer 0: route [] does not lead from 'a' to 'b'"),
        (Transfer(src="b", dst="b", bytes=1, route=(0,)), "transfer 0: route [0] starts at 'a', not at 'b'"),
    ],
)
def test_what_is_wrong_with_a_transfer_is_said(transfer: Transfer, message: str) -> None:
    with pytest.raises(InputError) as caught:
        simulate_transfers(Topology.from_links(LINE), [transfer])
    assert str(caught.value) == message


def test_no_transfers_no_rows() -> None:
    table = simulate_transfers(Topology.from_links(LINE), [])
    assert table.columns.tolist() == ["id", "start", "end"]
    assert len(table) == 0
