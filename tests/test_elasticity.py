"""A pool of nodes that comes and goes: delays, limits, what is paid for, and pools that cannot help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders.pool import pool
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, PolicyError
from simulator.metrics.recorder import Record
from simulator.policies.scaling.target_tracking import TargetTracking
from simulator.policies.supply import SupplyObservation
from simulator.runtime.accounting import Costs
from simulator.runtime.supply import patience
from simulator.runtime.supply.nodepool import NodePool
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, State


def job(name: str, submit: float, duration: float, accelerators: float = 4.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def nodes(count: int, accelerators: int = 4) -> Topology:
    return Topology.from_links([], {f"n{i}": {"accelerators": accelerators} for i in range(count)})


class Script:
    """Wants so many nodes at each step, the last number for ever; remembers what it was told."""

    interval = 10.0

    def __init__(self, wanted: Sequence[Any]) -> None:
        self.wanted = list(wanted)
        self.told: list[tuple[float, SupplyObservation]] = []

    def step(self, now: float, observation: SupplyObservation) -> Any:
        self.told.append((now, observation))
        return self.wanted[min(len(self.told), len(self.wanted)) - 1]


def series(record: Record, *names: str) -> list[tuple[float, ...]]:
    table = record.tables["series"]
    return list(zip(*(table[name].tolist() for name in ("time", *names)), strict=True))


def events(record: Record, *kinds: str) -> list[tuple[float, str, str, float]]:
    table = record.tables["events"]
    rows = zip(*(table[name].tolist() for name in ("time", "event", "subject", "amount")), strict=True)
    return [row for row in rows if row[1] in kinds]


def run(
    jobs: list[BatchJob],
    autoscaler: Any,
    minimum: int = 0,
    maximum: int | None = None,
    provision: float = 30.0,
    **options: Any,
) -> Record:
    initial = options.pop("initial", None)
    topology = options.pop("topology", nodes(4))
    return replay(jobs, topology=topology, pool=NodePool(autoscaler, minimum, maximum, provision, initial), **options)


def test_nodes_come_after_the_delay_and_are_paid_for_from_the_request() -> None:
    a = job("a", 5.0, 100.0)
    record = run([a], Script([1]), costs=Costs(cloud=0.5))
    assert a.start == 5.0 + 10.0 + 30.0
    assert series(record, "capacity", "provisioned", "queued") == [
        (0.0, 0.0, 0.0, 0), (5.0, 0.0, 0.0, 1), (15.0, 0.0, 4.0, 1), (45.0, 4.0, 4.0, 0), (145.0, 4.0, 4.0, 0),
    ]  # fmt: skip
    assert record.facts["provisioned_seconds"] == 4 * (145.0 - 15.0)
    assert record.facts["cost"] == {"cloud": 4 * 130.0 * 0.5}
    assert events(record, "scale-up", "node-up") == [(15.0, "scale-up", "pool", 1.0), (45.0, "node-up", "n0", 4.0)]


def test_observations_count_what_is_there() -> None:
    script = Script([3, 3, 3, 3, 2])
    run([job("a", 0.0, 60.0), job("b", 0.0, 60.0, 2.0), job("c", 0.0, 60.0, 8.0)], script, minimum=1)
    told = dict(script.told)
    # b goes first, being smaller, and leaves no room for the others on the one node
    assert told[10.0] == SupplyObservation(
        up=1, booting=0, busy=1, allocated=2.0, queued=12.0, accelerators_per_node=4.0, waiting=2
    )
    assert (told[20.0].up, told[20.0].booting) == (1, 2)
    assert (told[40.0].up, told[40.0].booting) == (3, 0)


def test_a_request_is_held_within_minimum_and_maximum() -> None:
    jobs = [job(f"{i}", 0.0, 95.0) for i in range(6)]
    record = run(jobs, Script([99] * 12 + [0]), minimum=1, maximum=3, provision=0.0)
    capacity = [row[1] for row in series(record, "capacity")]
    assert max(capacity) == 12.0
    assert min(capacity) == 4.0
    assert all(each.state is State.COMPLETED for each in jobs)


def test_busy_nodes_are_never_taken_away() -> None:
    a, b = job("a", 0.0, 500.0), job("b", 1.0, 50.0)
    record = run([a, b], Script([2, 0]), initial=2)
    assert (a.end, a.preemptions, b.end) == (500.0, 0, 51.0)
    assert events(record, "scale-down", "node-down") == [
        (60.0, "scale-down", "pool", 1.0),
        (60.0, "node-down", "n1", 4.0),
    ]
    assert series(record, "capacity")[-1][1] == 4.0


def test_nodes_that_are_down_take_no_jobs() -> None:
    jobs = [job("a", 0.0, 10.0), job("none", 0.0, 10.0, 0.0), job("share", 0.0, 10.0, 0.5)]
    run(jobs, Script([1]))
    assert [each.start for each in jobs] == [50.0, 40.0, 40.0]


@pytest.mark.parametrize("accelerators", [0.0, 0.5, 1.0])
def test_a_pool_of_one_server_that_is_down_takes_no_jobs(accelerators: float) -> None:
    a = job("a", 0.0, 10.0, accelerators)
    run([a], Script([1]), topology=pool(4))
    assert a.start == 40.0


def test_nodes_leave_after_the_work_until_the_horizon() -> None:
    record = run([job("a", 0.0, 50.0)], Script([2, 2, 2, 2, 2, 2, 0]), initial=2, until=1000.0)
    assert events(record, "scale-down") == [(70.0, "scale-down", "pool", 2.0)]
    assert record.facts["provisioned_seconds"] == 8 * 70.0


def test_a_node_that_boots_when_all_work_is_done_does_not_prolong_the_run() -> None:
    record = run([job("a", 0.0, 25.0)], Script([1, 2]), initial=1, provision=1000.0)
    assert record.facts["end"] == 25.0
    assert record.facts["provisioned_seconds"] == 4 * 25.0 + 4 * 5.0
    assert events(record, "node-up") == []


def test_it_goes_on_over_idle_gaps() -> None:
    script = Script([1] * 20 + [0] * 100 + [1])
    late = job("late", 5000.0, 10.0)
    record = run([job("early", 0.0, 10.0), late], script)
    # gone at step 21, asked for again at step 121, up 30 s later, long before the late job
    assert late.start == 5000.0
    assert (1210.0, "scale-up", "pool", 1.0) in events(record, "scale-up")
    assert (210.0, "scale-down", "pool", 1.0) in events(record, "scale-down")


# -- pools that cannot help -----------------------------------------------------------------------------------------


def test_a_job_larger_than_the_largest_pool_is_rejected() -> None:
    huge, small = job("huge", 0.0, 10.0, 9.0), job("small", 0.0, 10.0)
    record = run([huge, small], Script([2]), maximum=2)
    assert (huge.state, small.state) == (State.REJECTED, State.COMPLETED)
    assert record.facts["notes"] == ["1 rejected: larger than the cluster."]


@pytest.mark.parametrize("wanted", [0, 4])
def test_a_queue_that_is_never_served_ends_the_run(wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STEPS", 50)
    script = Script([wanted])
    record = run([job("a", 0.0, 10.0)], script, scheduler=lambda view: ())
    assert record.tables["jobs"]["state"].tolist() == ["UNFINISHED"]
    assert 50 <= len(script.told) <= 60


def test_it_steps_again_when_a_job_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STEPS", 50)
    script = Script([0] * 60 + [1])
    jobs = [job("a", 0.0, 10.0), job("b", 1e6, 10.0)]
    run(jobs, script, scheduler="fifo", minimum=0)
    assert all(each.state is State.COMPLETED for each in jobs)


def test_jobs_that_stand_still_for_ever_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STEPS", 50)
    links = [{"src": a, "dst": b, "capacity": 1.0} for a, b in (("n0", "n1"), ("n1", "n0"))]
    pair = Topology.from_links(links, {f"n{i}": {"accelerators": 4} for i in range(2)})
    stuck = job("stuck", 0.0, 100.0, 8.0, communication=0.5)
    record = run([stuck], Script([2]), minimum=2, topology=pair, capacity_events=[(50.0, 0, 0.0)])
    assert record.tables["jobs"]["state"].tolist() == ["UNFINISHED"]


# -- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"minimum": 3, "maximum": 2}, "0 <= min (3) <= initial (3) <= max (2) <= servers of the topology (4)"),
        ({"minimum": -1}, "0 <= min (-1) <= initial (-1) <= max (4) <= servers of the topology (4)"),
        ({"maximum": 5}, "0 <= min (0) <= initial (0) <= max (5) <= servers of the topology (4)"),
        ({"minimum": 1, "initial": 0}, "0 <= min (1) <= initial (0) <= max (4) <= servers of the topology (4)"),
    ],
    ids=["min", "negative", "max", "initial"],
)
def test_limits_that_do_not_hold(limits: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        run([], Script([1]), **limits)
    assert str(caught.value) == f"autoscaler: {text} does not hold"


@pytest.mark.parametrize("provision", [-1.0, math.nan, math.inf])
def test_a_delay_that_is_none(provision: float) -> None:
    with pytest.raises(InputError, match=r"^autoscaler: provision is .* s; it must be a finite number, 0 or more$"):
        run([], Script([1]), provision=provision)


@pytest.mark.parametrize("interval", [0.0, -1.0, math.nan, math.inf, None])
def test_an_interval_that_is_none(interval: Any) -> None:
    script = Script([1])
    script.interval = interval
    with pytest.raises(InputError, match=r"^autoscaler Script: interval is .* s; it must be a finite number above 0$"):
        run([], script)


def test_servers_without_accelerators() -> None:
    with pytest.raises(InputError, match=r"^autoscaler: the servers of the topology have no accelerators to scale by$"):
        run([], Script([1]), topology=nodes(2, 0))


@pytest.mark.parametrize("wanted", [None, 1.5, "2", [1]])
def test_an_answer_that_is_no_number_of_nodes(wanted: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        run([job("a", 0.0, 1.0)], Script([wanted]))
    told = f"step returned {wanted!r}, not a number of nodes, nor any of Grow, Remove and Replace"
    assert str(caught.value) == f"autoscaler Script at 10 s: {told}"


def test_an_autoscaler_that_fails() -> None:
    class Failing(Script):
        def step(self, now: float, observation: SupplyObservation) -> Any:
            raise ValueError("no idea")

    with pytest.raises(PolicyError, match=r"^autoscaler Failing at 10 s: ValueError: no idea$"):
        run([job("a", 0.0, 1.0)], Failing([1]))


def test_numpy_numbers_are_numbers() -> None:
    a = job("a", 0.0, 1.0)
    run([a], Script([np.int64(1)]))
    assert a.start == 40.0


# -- again ----------------------------------------------------------------------------------------------------------


def test_a_pool_can_be_used_for_another_run() -> None:
    def ends(used: NodePool) -> list[float]:
        jobs = [job(f"{i}", 3000.0 * i, 1000.0) for i in range(3)]
        replay(jobs, topology=nodes(4), pool=used, until=7500.0)
        return [each.start for each in jobs]

    used = NodePool(TargetTracking(), 0, None, 200.0)
    first = ends(used)
    assert ends(used) == pytest.approx(first, nan_ok=True)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 80), st.sampled_from([0.0, 0.5, 1.0, 3.0, 4.0, 7.0])), max_size=15
    ),
    st.lists(st.integers(0, 6), min_size=1, max_size=30),
    st.sampled_from([0.0, 25.0]),
    st.sampled_from(["fifo", "srtf", "las", "easy-backfill"]),
)
def test_whatever_the_pool_does_every_account_balances(
    drawn: list[tuple[Any, ...]], wanted: list[int], provision: float, policy: str
) -> None:
    """Nodes that come and go at random: invariants hold (see ``replay``), and all jobs end once the pool stays up."""
    jobs = [job(f"{i}", float(a), float(b), c) for i, (a, b, c) in enumerate(sorted(drawn, key=lambda row: row[0]))]
    record = run(jobs, Script([*wanted, 4]), provision=provision, scheduler=policy)
    assert all(each.state is State.COMPLETED for each in jobs)
    came, went = (sum(row[3] for row in events(record, kind)) for kind in ("node-up", "node-down"))
    assert series(record, "capacity")[-1][1] == came - went
