"""The built-in schedulers: against a naive second-by-second twin, their rules of order, and a real trace."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.stepped_pool import Job as Twin
from reference.stepped_pool import simulate

from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.backfill.easy import Easy
from simulator.policies.composed import Composed
from simulator.policies.order import Order
from simulator.policies.scheduling.easy_backfill import EasyBackfill
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, Job

TWINS = {"fifo": "fifo", "sjf": "sjf", "easy-backfill": "easy", "srtf": "srtf", "las": "las"}
PHILLY = Path(__file__).parents[2] / "shared" / "traces" / "philly"


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def starts(jobs: list[BatchJob], policy: Any, accelerators: int, **options: Any) -> list[float]:
    replay(jobs, policy, topology=accelerators, **options)
    return [each.start for each in jobs]


# -- the twin -------------------------------------------------------------------------------------------------------


def begun(time: float) -> float:
    """-1 for what never happened, as the twin has it."""
    return -1.0 if math.isnan(time) else time


rows = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 9), st.integers(0, 5), st.integers(-3, 6)), min_size=1, max_size=12
)


@settings(max_examples=400)
@given(rows, st.integers(1, 4), st.sampled_from(sorted(TWINS)), st.integers(0, 2), st.integers(3, 5))
def test_engine_and_naive_twin_agree_on_every_job(
    drawn: list[tuple[int, ...]], accelerators: int, policy: str, restart: int, quantum: int
) -> None:
    """Same starts, ends, waits, preemptions and restarts; estimates are off by -3 to +6 s; too large jobs included."""
    told = [(a, b, c, max(0, b + off)) for a, b, c, off in sorted(drawn, key=lambda row: row[0])]
    quantum = quantum if policy == "las" else 0
    twins = simulate(accelerators, [Twin(*row) for row in told], TWINS[policy], quantum, restart)
    jobs = [job(f"{i}", float(a), float(b), float(c), estimate=float(d)) for i, (a, b, c, d) in enumerate(told)]
    scheduler = schedulers.get(policy)(**({"quantum": float(quantum)} if quantum else {}))
    replay(jobs, scheduler, topology=accelerators, restart=float(restart))
    lived = [
        (
            begun(each.start),
            begun(each.end),
            each.waited,
            each.ran,
            each.overhead,
            each.preemptions,
            each.state.name.lower(),
        )
        for each in jobs
    ]
    assert lived == [
        (twin.start, twin.end, twin.waited, twin.ran, twin.overhead, twin.preemptions, twin.state) for twin in twins
    ]


# -- order and ties -------------------------------------------------------------------------------------------------


def sequence(policy: str, waiting: list[BatchJob]) -> list[str]:
    """The order in which jobs that all wait are started, one after the other, on a cluster that they fill."""
    blocker = job("blocker", 0.0, 50.0, 4.0)
    record = replay([blocker, *waiting], policy, topology=4)
    started = sorted(waiting, key=lambda each: (each.start, each.sequence))
    assert len(record.tables["jobs"]["id"]) == len(waiting) + 1
    return [each.id for each in started]


def test_fifo_goes_by_submission_then_estimate_then_size_then_sequence() -> None:
    waiting = [
        job("later", 2.0, 1.0, 4.0),
        job("longer", 1.0, 9.0, 4.0),
        job("wider", 1.0, 3.0, 4.0),
        job("narrower", 1.0, 3.0, 3.0),
        job("same", 1.0, 3.0, 3.0),
    ]
    assert sequence("fifo", waiting) == ["narrower", "same", "wider", "longer", "later"]


def test_sjf_goes_by_estimate_then_submission_then_size_then_sequence() -> None:
    waiting = [
        job("long", 1.0, 9.0, 4.0),
        job("late", 2.0, 3.0, 3.0),
        job("wide", 1.0, 3.0, 4.0),
        job("narrow", 1.0, 3.0, 3.0),
        job("same", 1.0, 3.0, 3.0),
        job("told short", 3.0, 99.0, 4.0, estimate=1.0),
    ]
    assert sequence("sjf", waiting) == ["told short", "narrow", "same", "wide", "late", "long"]


@pytest.mark.parametrize("policy", ["fifo", "sjf"])
def test_the_head_blocks_the_rest(policy: str) -> None:
    jobs = [job("runs", 0.0, 10.0, 3.0), job("head", 1.0, 4.0, 2.0), job("would fit", 2.0, 5.0, 1.0)]
    assert starts(jobs, policy, 4) == [0.0, 10.0, 10.0]


def test_sjf_never_stops_a_job_and_srtf_does() -> None:
    def jobs() -> list[BatchJob]:
        return [job("long", 0.0, 10.0), job("short", 4.0, 2.0)]

    assert starts(jobs(), "sjf", 1) == [0.0, 10.0]
    stopped = jobs()
    assert starts(stopped, "srtf", 1) == [0.0, 4.0]
    assert [each.end for each in stopped] == [12.0, 6.0]
    assert stopped[0].preemptions == 1


def test_srtf_leaves_a_running_job_alone_when_the_other_is_no_shorter() -> None:
    jobs = [job("runs", 0.0, 10.0), job("equal", 4.0, 6.0)]
    assert starts(jobs, "srtf", 1) == [0.0, 10.0]
    assert jobs[0].preemptions == 0


def test_srtf_stops_only_as_many_as_it_needs_the_longest_first() -> None:
    jobs = [job("a", 0.0, 50.0, 2.0), job("b", 0.0, 40.0, 2.0), job("c", 1.0, 5.0, 1.0)]
    starts(jobs, "srtf", 4)
    assert [each.preemptions for each in jobs] == [1, 0, 0]


def test_las_lets_equal_jobs_take_turns_by_the_quantum() -> None:
    jobs = [job("a", 0.0, 25.0), job("b", 0.0, 25.0)]
    starts(jobs, schedulers.get("las")(quantum=10.0), 1)
    # a 0-10, b 10-30 (at 20 s they are level, and who runs stays), a 30-45, b 45-50
    assert [(each.end, each.preemptions) for each in jobs] == [(45.0, 1), (50.0, 1)]


@given(st.floats(0.0, 1e6), st.floats(0.1, 1e4))
def test_las_takes_turns_at_any_time_of_day(begin: float, quantum: float) -> None:
    """Rounding on the clock does not make a full quantum look short."""
    jobs = [job("a", begin, 2.5 * quantum), job("b", begin, 2.5 * quantum)]
    starts(jobs, schedulers.get("las")(quantum=quantum), 1)
    assert jobs[1].start == pytest.approx(begin + quantum)
    assert [each.end for each in jobs] == pytest.approx([begin + 4.5 * quantum, begin + 5 * quantum])


def test_las_puts_newcomers_first() -> None:
    jobs = [job("old", 0.0, 100.0), job("new", 50.0, 5.0)]
    starts(jobs, schedulers.get("las")(quantum=10.0), 1)
    assert (jobs[1].start, jobs[1].end, jobs[0].end) == (50.0, 55.0, 105.0)


@pytest.mark.parametrize("quantum", [0.0, -1.0, math.nan, math.inf])
def test_las_wants_a_quantum(quantum: float) -> None:
    with pytest.raises(ValueError, match=r"^quantum is .* s; it must be a finite number of at least 0.001 s$"):
        schedulers.get("las")(quantum=quantum)


# -- EASY -----------------------------------------------------------------------------------------------------------


def test_easy_fills_the_gap_before_the_reservation_and_beside_the_head() -> None:
    jobs = [
        job("runs", 0.0, 10.0, 6.0),
        job("head", 1.0, 5.0, 8.0),  # reserved for 10 s, when all 10 are free: 2 are left over
        job("in time", 2.0, 8.0, 2.0),  # ends at 10 s
        job("too long", 3.0, 8.0, 2.0),  # would end at 11 s, but on what the head leaves over
        job("much too long", 3.0, 9.0, 1.0),  # nothing is left over for it
    ]
    assert starts(jobs, "easy-backfill", 10) == [0.0, 10.0, 2.0, 3.0, 15.0 - 4.0]


def test_easy_counts_jobs_that_were_started_in_the_same_pass() -> None:
    jobs = [
        job("first", 0.0, 10.0, 4.0),
        job("b", 1.0, 100.0, 3.0),  # starts at 10 s
        job("head", 2.0, 10.0, 4.0),  # blocked in that pass, reserved for 110 s
        job("long", 3.0, 1000.0, 1.0),  # must not start before it
    ]
    assert starts(jobs, "easy-backfill", 4) == [0.0, 10.0, 110.0, 120.0]


def test_easy_lets_small_jobs_pass_a_full_cluster() -> None:
    jobs = [job("all", 0.0, 10.0, 4.0), job("head", 1.0, 10.0, 4.0), job("none", 2.0, 3.0, 0.0)]
    assert starts(jobs, "easy-backfill", 4) == [0.0, 10.0, 2.0]


def test_easy_looks_only_so_deep_into_the_queue() -> None:
    def jobs() -> list[BatchJob]:
        blocked = [job(f"wide-{i}", 2.0 + i, 5.0, 4.0) for i in range(3)]
        return [job("runs", 0.0, 10.0, 3.0), job("head", 1.0, 5.0, 4.0), *blocked, job("fits", 9.0, 1.0, 1.0)]

    assert starts(jobs(), EasyBackfill(depth=3), 4)[-1] > 10.0
    assert starts(jobs(), EasyBackfill(depth=4), 4)[-1] == 9.0
    assert starts(jobs(), EasyBackfill(), 4)[-1] == 9.0
    with pytest.raises(ValueError, match=r"^depth is -1; it must be 0"):
        EasyBackfill(depth=-1)


def test_easy_during_a_restart_expects_the_end_after_it() -> None:
    class PreemptOnce(EasyBackfill):
        """Stops the first job once, at 2 s, so that it pays for its return."""

        def schedule(self, view: ClusterView) -> Iterator[Action]:
            from simulator.policies.api import Preempt

            if view.now == 2.0:
                yield from (Preempt(each) for each in view.running)
            else:
                yield from super().schedule(view)

    jobs = [
        job("stopped", 0.0, 10.0, 4.0),
        job("signal", 2.0, 0.0, 0.0),
        job("short", 3.0, 0.0, 0.0),  # at 3 s the first one is back: 4 s of restart, 8 s of work, until 15 s
        job("head", 4.0, 1.0, 5.0),
        job("in time", 5.0, 10.0, 1.0),
        job("too long", 5.0, 10.5, 1.0),
    ]
    assert starts(jobs, PreemptOnce(), 5, restart=4.0) == [0.0, 3.0, 3.0, 15.0, 5.0, 16.0]


class Promised(Easy):
    """EASY that notes, for every head, the instant at which it could start if nothing else ever did: by brute force."""

    def __init__(self) -> None:
        super().__init__()
        self.promises: dict[str, float] = {}

    def behind(self, view: ClusterView, order: Order, head: Job, waiting: Iterator[Job]) -> Iterator[Action]:
        ends = [(each.since + each.estimate, each.accelerators) for each in view.running]
        free = {at: view.free + sum(size for end, size in ends if end <= at) for at, _ in ends}
        self.promises.setdefault(head.id, min(at for at, count in free.items() if count >= head.accelerators))
        yield from super().behind(view, order, head, waiting)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 6)), min_size=3, max_size=25),
    st.integers(2, 6),
)
def test_easy_never_delays_the_head_beyond_its_reservation(drawn: list[tuple[int, ...]], accelerators: int) -> None:
    jobs = [job(f"{i}", float(a), float(b), float(min(c, accelerators))) for i, (a, b, c) in enumerate(drawn)]
    policy = Promised()
    replay(jobs, Composed("fifo", policy), topology=accelerators)
    late = {each.id: (each.start, policy.promises[each.id]) for each in jobs if each.id in policy.promises}
    assert {name: pair for name, pair in late.items() if pair[0] > pair[1]} == {}


# -- a real trace ---------------------------------------------------------------------------------------------------


def reference() -> list[dict[str, str]]:
    path = PHILLY / "reference_pool_results.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines())) if path.is_file() else []


@pytest.fixture(scope="module")
def philly() -> dict[str, list[tuple[float, float, float]]]:
    """Jobs of October and November 2017 by virtual cluster: seconds from 2017-10-01, duration, GPUs."""
    if not PHILLY.is_dir():
        pytest.skip("needs the Philly extract in ../shared")
    begin, end = datetime(2017, 10, 1), datetime(2017, 12, 1)
    jobs: dict[str, list[tuple[float, float, float]]] = {}
    with gzip.open(PHILLY / "philly.shared_vcs.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"])
            if begin <= at < end:
                numbers = (at - begin).total_seconds(), float(row["duration"]), float(row["num_gpus"])
                jobs.setdefault(row["cluster"], []).append(numbers)
    return jobs


@pytest.mark.skipif(not PHILLY.is_dir(), reason="needs the Philly extract in ../shared")
@pytest.mark.parametrize("row", reference(), ids=lambda row: f"{row['vc']}-{row['pool_gpus']}-{row['policy']}")
def test_philly_waits_come_out_exactly(
    row: dict[str, str], philly: dict[str, list[tuple[float, float, float]]]
) -> None:
    """Mean, median and 90th percentile of the wait on a pool, to the two decimals of the reference."""
    jobs = [job(f"{i}", *numbers) for i, numbers in enumerate(philly[row["vc"]])]
    table = replay(jobs, row["policy"], topology=int(row["pool_gpus"])).tables["jobs"]
    wait, jct = table["wait"], table["jct"]
    assert len(wait) == int(row["jobs"])
    assert round(float(wait.mean()), 2) == float(row["mean_wait_s"])
    assert round(float(jct.mean()), 2) == float(row["mean_jct_s"])
    assert round(float(np.median(wait)), 2) == float(row["median_wait_s"])
    assert round(float(np.percentile(wait, 90)), 2) == float(row["p90_wait_s"])
    assert round(float((wait > 0).mean()), 4) == float(row["share_waiting"])
