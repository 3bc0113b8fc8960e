"""Gangs on the network: what contention, broken links, moves and restarts do to a job, by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.policies.api import Action, ClusterView, Preempt, Start
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, Job, State, TrainingJob

UPLINK = 10.0
UP, DOWN = 8, 9
"""Positions of the two directions of the uplink among the links."""


def two_leaves(capacity: float = UPLINK, accelerators: int = 2) -> Topology:
    """Servers a, b on one switch and c, d on another, joined by one cable of ``capacity`` bytes/s each way."""
    cables = [("a", "left"), ("b", "left"), ("c", "right"), ("d", "right"), ("left", "right")]
    links = [
        {"src": src, "dst": dst, "capacity": capacity if "left" in pair and "right" in pair else 100.0}
        for pair in cables
        for src, dst in (pair, pair[::-1])
    ]
    return Topology.from_links(links, {name: {"accelerators": accelerators} for name in "abcd"})


A, B, C, D = range(4)


class Placed:
    """Starts each job at once where the table says; stops and moves jobs by a plan (time, job, new place)."""

    def __init__(
        self, places: dict[str, Sequence[int]], moves: Sequence[tuple[float, str, Sequence[int]]] = ()
    ) -> None:
        self.places, self.moves = dict(places), {(at, name): place for at, name, place in moves}

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        for each in view.running:
            place = self.moves.get((view.now, each.id))
            if place is not None:
                self.places[each.id] = place
                yield Preempt(each)
        for each in view.queue:
            servers = self.places.get(each.id, (A,))
            part = each.accelerators / len(servers)
            if all(view.nodes.free[server] >= part for server in servers):
                yield Start(each, tuple((server, part) for server in servers))


def batch(name: str, submit: float, duration: float, communication: float = 0.0, size: float = 2.0) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=size, communication=communication)


def training(name: str, submit: float, size: float = 2.0, overlap: float = 0.0) -> TrainingJob:
    """Ten iterations of 1 s of compute and 10 bytes of gradient: 1 s more on an uplink of its own."""
    return TrainingJob(
        id=name, submit=submit, accelerators=size, iterations=10, compute=1.0, gradient=10.0, overlap=overlap
    )


def parts(each: Job, record: Any) -> tuple[float, ...]:
    table = record.tables["jobs"]
    row = table["id"].tolist().index(each.id)
    return tuple(float(table[name][row]) for name in ("wait", "compute", "network", "overhead"))


CROSSING = {"x": (A, C), "y": (B, D)}


def test_two_jobs_on_one_uplink_slow_each_other() -> None:
    """Half of 100 s is network. Alone until 50 s; then at half the rate the speed is 1 / (0.5 + 0.5 x 2) = 2/3."""
    x, y = batch("x", 0.0, 100.0, 0.5), batch("y", 50.0, 100.0, 0.5)
    record = replay([x, y], Placed(CROSSING), topology=two_leaves(), fidelity="steady")
    assert x.end == pytest.approx(50.0 + 50.0 / (2 / 3))
    assert y.end == pytest.approx(125.0 + 50.0)
    assert parts(x, record) == pytest.approx((0.0, 50.0, 75.0, 0.0))
    assert parts(y, record) == pytest.approx((0.0, 50.0, 75.0, 0.0))


def test_jobs_that_share_no_link_do_not_slow_each_other() -> None:
    x, y = batch("x", 0.0, 100.0, 0.5), batch("y", 0.0, 100.0, 0.5)
    replay([x, y], Placed({"x": (A, B), "y": (C, D)}), topology=two_leaves())
    assert (x.end, y.end) == (100.0, 100.0)


def test_without_contention_traffic_takes_its_time_but_shares_nothing() -> None:
    x, y = batch("x", 0.0, 100.0, 0.5), training("y", 50.0)
    record = replay([x, y], Placed(CROSSING), topology=two_leaves(), contention=False)
    assert (x.end, y.end) == (100.0, 70.0)
    assert parts(y, record) == pytest.approx((0.0, 10.0, 10.0, 0.0))


def test_jobs_without_communication_are_not_slowed() -> None:
    x, y = batch("x", 0.0, 100.0, 0.5), batch("y", 0.0, 100.0, 0.0)
    replay([x, y], Placed(CROSSING), topology=two_leaves())
    assert (x.end, y.end) == (100.0, 100.0)


@pytest.mark.parametrize("fidelity", ["flow", "steady"])
@pytest.mark.parametrize(("overlap", "alone", "together"), [(0.0, 2.0, 3.0), (0.5, 1.5, 2.5), (1.0, 1.0, 2.0)])
def test_iterations_get_longer_with_company(overlap: float, alone: float, together: float, fidelity: str) -> None:
    """2 (n - 1) / n x 10 bytes a rank at 10 bytes/s alone and at 5 together, what ``overlap`` hides taken off."""
    x, y = training("x", 0.0, overlap=overlap), training("y", 0.0, overlap=overlap)
    record = replay([x, y], Placed(CROSSING), topology=two_leaves(), fidelity=fidelity)
    assert (x.end, y.end) == pytest.approx((10 * together, 10 * together))
    assert x.work == pytest.approx(10 * alone)
    assert parts(x, record) == pytest.approx((0.0, 10.0, 10 * together - 10, 0.0))
    assert record.tables["jobs"]["slowdown"][0] == pytest.approx(together / alone)


def test_a_gang_on_one_server_uses_no_link() -> None:
    x, y = training("x", 0.0), batch("y", 0.0, 100.0, 0.5)
    replay([x, y], Placed({"x": (A,), "y": (B, D)}), topology=two_leaves())
    assert (x.end, y.end) == (10.0, 100.0)


def test_channels_of_one_gang_share_its_links() -> None:
    """Two accelerators on each server: ring volume 2 x 3/4 x 10, in two channels of 7.5 at 5 bytes/s: 1.5 s more.

    A double tree over two servers sends 10 instead of 15 bytes each way, so it is what is chosen.
    """
    for algorithm, seconds in (("ring", 2.5), ("auto", 2.0)):
        x = training("x", 0.0, size=4.0)
        replay([x], Placed({"x": (A, C)}), topology=two_leaves(), collectives=algorithm)
        assert x.end == pytest.approx(10 * seconds)


def test_a_link_that_loses_capacity_slows_the_jobs_on_it() -> None:
    x = batch("x", 0.0, 100.0, 0.5)
    replay([x], Placed(CROSSING), topology=two_leaves(), capacity_events=[(50.0, UP, 5.0), (80.0, UP, 10.0)])
    # 50 alone, 30 s at 2/3 are 20, then 30
    assert x.end == pytest.approx(50.0 + 30.0 + 30.0)


def test_a_job_that_starts_on_a_weak_link_is_slowed_too() -> None:
    """What a job takes alone is told by the links as built, not as they happen to be when it starts."""
    x, y = batch("x", 10.0, 100.0, 0.5), training("y", 1000.0)
    record = replay([x, y], Placed(CROSSING), topology=two_leaves(), capacity_events=[(5.0, UP, 5.0)])
    assert x.end == pytest.approx(10.0 + 150.0)
    assert (y.end, y.work) == pytest.approx((1030.0, 20.0))
    assert parts(y, record) == pytest.approx((0.0, 10.0, 20.0, 0.0))


def test_a_stronger_link_makes_jobs_faster() -> None:
    x = batch("x", 10.0, 100.0, 0.5)
    events = [(5.0, UP, 20.0), (5.0, DOWN, 20.0)]
    replay([x], Placed(CROSSING), topology=two_leaves(), capacity_events=events)
    assert x.end == pytest.approx(10.0 + 75.0)


@pytest.mark.parametrize(
    "make", [lambda: batch("x", 10.0, 20.0, 0.5), lambda: training("x", 10.0)], ids=["batch", "training"]
)
@pytest.mark.parametrize("down", [5.0, 10.0, 15.0])
def test_a_dead_link_holds_a_job_until_it_is_back(make: Any, down: float) -> None:
    x = make()
    events = [(down, UP, 0.0), (100.0, UP, 10.0)]
    record = replay([x], Placed(CROSSING), topology=two_leaves(), capacity_events=events)
    assert x.end == pytest.approx(100.0 + 20.0 - max(0.0, down - 10.0))
    assert x.work == pytest.approx(20.0)
    assert parts(x, record)[1] == pytest.approx(10.0)


def test_a_job_held_for_ever_is_unfinished() -> None:
    x, y = batch("x", 10.0, 20.0, 0.5), batch("y", 10.0, 20.0)
    record = replay([x, y], Placed(CROSSING), topology=two_leaves(), capacity_events=[(20.0, UP, 0.0)])
    assert (x.state, y.end) == (State.UNFINISHED, 30.0)
    assert math.isnan(x.end)
    assert record.facts["notes"] == ["1 jobs were still running and 0 still waiting at the end of the run."]


def test_moving_a_training_job_keeps_its_iterations() -> None:
    """Five iterations of 1 s on one server, then five of 2 s over the uplink."""
    x, signal = training("x", 0.0), batch("signal", 5.0, 0.0, size=0.0)
    policy = Placed({"x": (A,), "signal": (B,)}, moves=[(5.0, "x", (A, C))])
    again = batch("again", 6.0, 0.0, size=0.0)
    record = replay([x, signal, again], policy, topology=two_leaves())
    assert x.preemptions == 1
    assert x.end == pytest.approx(5.0 + 5 * 2.0, abs=1.01)
    assert parts(x, record)[1:] == pytest.approx((10.0, 5.0, 0.0))


def test_a_restart_is_paid_before_work_goes_on() -> None:
    x, signal = batch("x", 0.0, 100.0, 0.5), batch("signal", 30.0, 0.0, size=0.0)
    policy = Placed({"x": (A, C), "signal": (B,)}, moves=[(30.0, "x", (B, D))])
    record = replay([x, signal], policy, topology=two_leaves(), restart=7.0)
    assert x.end == pytest.approx(30.0 + 7.0 + 70.0)
    assert parts(x, record) == pytest.approx((0.0, 50.0, 50.0, 7.0))


@pytest.mark.parametrize("fidelity", ["flow", "steady"])
def test_equal_jobs_on_a_busy_link_end_together_and_leave_no_load_behind(fidelity: str) -> None:
    jobs = [batch(f"{i}", 0.0, 10.0, 0.9, size=4.0) for i in range(4)]
    topology = two_leaves(accelerators=8)
    places = Placed({f"{i}": (A, B, C, D) for i in range(4)})
    record = replay(jobs, places, topology=topology, fidelity=fidelity)
    assert len({each.end for each in jobs}) == 1
    assert jobs[0].end == pytest.approx(10.0 * (0.1 + 0.9 * 4))
    late = batch("late", 0.0, 10.0, 0.9, size=4.0)
    replay([late], Placed({"late": (A, B, C, D)}), topology=topology)
    assert late.end == 10.0
    assert record.facts["end"] == jobs[0].end


mixes = st.lists(
    st.tuples(
        st.integers(0, 30), st.integers(0, 30), st.integers(1, 8), st.sampled_from([0.0, 0.25, 0.8]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150)
@given(
    mixes,
    st.sampled_from(["fifo", "srtf", "las", "easy-backfill"]),
    st.sampled_from([0.0, 2.0]),
    st.booleans(),
    st.sampled_from(["fluid", "flow", "steady"]),
)
def test_nothing_is_lost_under_contention(
    drawn: list[tuple[Any, ...]], policy: str, restart: float, broken: bool, fidelity: str
) -> None:
    """Every job ends, never sooner than alone, and every second is accounted for; ``replay`` checks the invariants."""
    jobs: list[Any] = []
    for i, (submit, length, size, share, trains) in enumerate(drawn):
        if trains:
            made: Job = TrainingJob(
                id=f"{i}", submit=float(submit), accelerators=float(size), iterations=length, compute=0.5, gradient=3.0
            )
        else:
            made = batch(f"{i}", float(submit), float(length), share, float(size))
        jobs.append(made)
    events = [(5.0, UP, 1.0), (9.0, DOWN, 0.0), (40.0, DOWN, 10.0), (60.0, UP, 10.0)] if broken else []
    more = {"capacity_events": events, "fidelity": fidelity}
    replay(jobs, policy, topology=two_leaves(), restart=restart, placer="spread", **more)
    for each in jobs:
        assert each.state is State.COMPLETED
        assert each.ran - each.overhead >= (each.work if not each.preemptions else 0.0) * (1 - 1e-9)
