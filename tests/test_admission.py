"""Who may queue: begin times, dependencies, arrays, and what becomes of jobs whose turn never comes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.metrics.recorder import Record
from simulator.policies.api import Action, ClusterView, Reject, Start
from simulator.runtime.admission import CYCLE, NEVER
from simulator.testing import replay
from simulator.testing.situations import job
from simulator.workload.jobs import BatchJob, State


def rows(record: Record, *names: str) -> dict[str, tuple[Any, ...]]:
    """Columns of the job table by job."""
    table = record.tables["jobs"]
    return dict(zip(table["id"], zip(*(table[name].tolist() for name in names), strict=True), strict=True))


def after(name: str, *others: str, submit: float = 0.0, **more: Any) -> BatchJob:
    return job(name, submit, 1.0, 1.0, after=others, **more)


# -- begin ----------------------------------------------------------------------------------------------------------


def test_a_job_is_held_until_its_begin_and_the_wait_says_so() -> None:
    jobs = [job("early", 0.0, 3.0, 1.0, begin=5.0), job("due", 7.0, 1.0, 1.0, begin=5.0)]
    record = replay(jobs)
    assert rows(record, "start", "wait", "wait_held") == {"early": (5.0, 5.0, 5.0), "due": (7.0, 0.0, 0.0)}


def test_what_is_held_is_in_no_queue_but_counts_as_waiting() -> None:
    seen: list[tuple[float, list[str]]] = []

    def watching(view: ClusterView) -> Iterator[Action]:
        seen.append((view.now, [each.id for each in view.queue]))
        yield from (Start(each) for each in view.queue)

    record = replay([job("later", 0.0, 1.0, 1.0, begin=4.0), job("now", 1.0, 1.0, 1.0)], watching)
    assert seen == [(1.0, ["now"]), (4.0, ["later"])]
    series = record.tables["series"]
    queued = dict(zip(series["time"].tolist(), series["queued"].tolist(), strict=True))
    assert (queued[0.0], queued[4.0]) == (1, 0)


def test_a_begin_after_the_horizon_is_told_at_the_end() -> None:
    late = job("late", 0.0, 1.0, 1.0, begin=100.0)
    record = replay([late], until=50.0)
    assert rows(record, "state", "wait", "wait_held")["late"] == ("UNFINISHED", 50.0, 50.0)
    assert record.facts["notes"] == [
        "1 jobs were held to the end: their begin lies after it, jobs they wait for did not end, or they can never run "
        "here."
    ]


def test_wait_after_begin_has_its_own_reason() -> None:
    jobs = [job("runs", 0.0, 10.0, 8.0), job("held", 0.0, 1.0, 8.0, begin=4.0)]
    record = replay(jobs, restart=0.0)
    assert rows(record, "wait", "wait_held", "wait_capacity")["held"] == (10.0, 4.0, 6.0)


# -- dependencies ---------------------------------------------------------------------------------------------------


def test_a_chain_runs_in_order_also_when_it_comes_backwards() -> None:
    jobs = [after("c", "b"), after("b", "a"), after("a")]
    replay(jobs)
    assert [each.start for each in jobs] == [2.0, 1.0, 0.0]
    assert [each.waits.held for each in jobs] == [2.0, 1.0, 0.0]


def test_all_of_several_must_complete_and_those_that_have_do_not_hold() -> None:
    jobs = [job("long", 0.0, 9.0, 1.0), job("short", 0.0, 2.0, 1.0), after("both", "long", "short")]
    jobs.append(after("gone", "short", submit=5.0))
    replay(jobs)
    assert (jobs[2].start, jobs[3].start) == (9.0, 5.0)


def test_dependencies_are_among_jobs_of_one_workload() -> None:
    jobs = [after("a", workload="x"), after("b", "a", workload="y"), after("c", "a", workload="x")]
    replay(jobs)
    assert [each.state for each in jobs] == [State.COMPLETED, State.UNFINISHED, State.COMPLETED]


@pytest.mark.parametrize(
    ("first", "topology"),
    [
        ({"accelerators": 9.0, "duration": 1.0}, 8),
        ({"accelerators": 1.0, "duration": 9.0, "limit": 3.0}, 8),
    ],
    ids=["rejected", "timeout"],
)
def test_who_waits_for_a_job_that_fails_is_refused_and_counted(first: dict[str, Any], topology: int) -> None:
    jobs = [BatchJob(id="first", submit=0.0, **first), after("second", "first"), after("third", "second")]
    jobs.append(after("late", "first", submit=20.0))
    record = replay(jobs, topology=topology)
    assert [each.state for each in jobs[1:]] == [State.REJECTED] * 3
    assert f"3 rejected: {NEVER}." in record.facts["notes"]
    failed = 3.0 if "limit" in first else 0.0
    assert rows(record, "wait", "wait_held")["third"] == (failed, failed)
    assert rows(record, "wait", "wait_held")["late"] == (0.0, 0.0)


def test_who_waits_for_a_job_that_the_policy_turns_away_is_refused() -> None:
    def picky(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Reject(each, "no") if each.id == "first" else Start(each)

    jobs = [after("first"), after("second", "first")]
    record = replay(jobs, picky)
    assert record.facts["notes"] == ["1 rejected: no.", f"1 rejected: {NEVER}."]
    assert math.isnan(jobs[1].start)


def test_a_long_chain_falls_with_its_first() -> None:
    jobs = [job("0", 0.0, 1.0, 99.0)] + [after(f"{i}", f"{i - 1}", submit=float(i > 5000)) for i in range(1, 10_000)]
    jobs[0].submit = 2.0
    record = replay(jobs)
    assert {each.state for each in jobs} == {State.REJECTED}
    assert f"9,999 rejected: {NEVER}." in record.facts["notes"]


def test_a_long_chain_of_jobs_of_no_length_runs_in_one_instant() -> None:
    jobs = [job(f"{i}", 0.0, 0.0, 1.0, after=(f"{i + 1}",) if i < 2000 else ()) for i in range(2001)]
    replay(jobs)
    assert {each.end for each in jobs} == {0.0}


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_every_member_of_a_cycle_is_told_so_and_others_that_it_did_not_complete(length: int) -> None:
    members = [after(f"{i}", f"{(i + 1) % length}", "free") for i in range(length)]
    jobs = [after("free"), *members, after("tail", "0"), after("end", "tail"), after("beside")]
    record = replay(jobs)
    assert record.facts["notes"] == [f"{length} rejected: {CYCLE}.", f"2 rejected: {NEVER}."]
    assert [each.state for each in jobs if each.id in ("free", "beside")] == [State.COMPLETED] * 2


def test_a_cycle_that_closes_later_is_refused_when_it_closes() -> None:
    jobs = [after("a", "b"), after("b", "c"), after("c", "a", submit=6.0)]
    record = replay(jobs)
    assert rows(record, "wait", "wait_held") == {"a": (6.0, 6.0), "b": (6.0, 6.0), "c": (0.0, 0.0)}
    assert record.facts["notes"] == [f"3 rejected: {CYCLE}."]


def test_the_second_of_two_cycles_that_share_a_job_waits_for_a_refused_one() -> None:
    jobs = [after("hub", "left", "right"), after("left", "hub"), after("right", "hub")]
    assert replay(jobs).facts["notes"] == [f"2 rejected: {CYCLE}.", f"1 rejected: {NEVER}."]


def test_ids_that_never_come_are_reported_at_the_end() -> None:
    waits = after("waits", "nobody", submit=1.0)
    record = replay([job("runs", 0.0, 5.0, 1.0), waits])
    assert rows(record, "state", "wait", "wait_held")["waits"] == ("UNFINISHED", 4.0, 4.0)
    assert record.facts["notes"] == [
        "1 jobs were held to the end: their begin lies after it, jobs they wait for did not end, or they can never run "
        "here."
    ]


# -- arrays ---------------------------------------------------------------------------------------------------------


def at_a_time(jobs: Sequence[BatchJob]) -> int:
    """Most jobs that ran at once."""
    moments = [each.start for each in jobs if each.start == each.start and each.end > each.start]
    return max((sum(other.start <= moment < other.end for other in jobs) for moment in moments), default=0)


def test_an_array_runs_so_many_at_a_time() -> None:
    jobs = [job(f"{i}", 0.0, 10.0, 1.0, array="sweep", array_limit=3) for i in range(7)]
    record = replay(jobs)
    assert [each.start for each in jobs] == [0.0] * 3 + [10.0] * 3 + [20.0]
    assert rows(record, "wait", "wait_held")["6"] == (20.0, 20.0)


def test_arrays_of_two_workloads_and_names_do_not_count_together() -> None:
    jobs = [
        job(f"{workload}{name}{i}", 0.0, 5.0, 1.0, workload=workload, array=name, array_limit=1)
        for workload, name in (("x", "a"), ("x", "b"), ("y", "a"))
        for i in range(2)
    ]
    replay(jobs)
    assert [each.start for each in jobs] == [0.0, 5.0] * 3


def test_jobs_of_an_array_that_never_had_a_place_leave_none() -> None:
    """A job that is too large, or waits for one that failed, does not let one more of its array run."""
    jobs = [
        job("first", 0.0, 10.0, 1.0, array="a", array_limit=1),
        job("second", 0.0, 10.0, 1.0, array="a", array_limit=1),
    ]
    jobs += [job("huge", 1.0, 1.0, 99.0, array="a", array_limit=1), job("fails", 0.0, 9.0, 1.0, limit=2.0)]
    jobs.append(job("waits", 0.0, 1.0, 1.0, array="a", array_limit=1, after=("fails",)))
    replay(jobs)
    assert jobs[1].start == 10.0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(0, 9), st.sampled_from([1.0, 2.0, 9.0]), st.sampled_from("ab"),
            st.integers(0, 12), st.sampled_from([math.inf, 0.0, 3.0, 5.0]), st.lists(st.integers(0, 13), max_size=2),
        ),
        max_size=14,
    )
)  # fmt: skip
def test_arrays_never_exceed_their_limit_and_dependencies_hold(drawn: list[tuple[Any, ...]]) -> None:
    limits = {"a": 2, "b": 1}
    jobs = [
        job(
            f"{i}", float(submit), float(length), size, array=array, array_limit=limits[array], begin=float(begin),
            limit=limit, after=tuple(f"{other}" for other in dict.fromkeys(wanted)),
        )
        for i, (submit, length, size, array, begin, limit, wanted) in enumerate(drawn)
    ]  # fmt: skip
    record = replay(jobs, topology=4)
    by_id = {each.id: each for each in jobs}
    for name, limit in limits.items():
        assert at_a_time([each for each in jobs if each.array == name]) <= limit
    for each in jobs:
        if each.start == each.start:
            assert each.start >= max(each.begin, each.submit)
            assert all(by_id[name].state is State.COMPLETED and by_id[name].end <= each.start for name in each.after)
        elif each.state is State.UNFINISHED:
            assert any(name not in by_id or by_id[name].state is State.UNFINISHED for name in each.after)
    waits = [values for name, values in record.tables["jobs"].items() if name.startswith("wait")]
    assert all((values >= 0).all() for values in waits)


def test_jobs_must_come_sorted() -> None:
    from simulator.cluster.builders.pool import pool
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation

    jobs = [job("b", 2.0, 1.0, 1.0), job("a", 1.0, 1.0, 1.0)]
    run = Simulation(topology=pool(1), scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(), jobs=jobs)
    with pytest.raises(InputError, match=r"^job 'a' is submitted at 1 s, before its predecessor at 2 s: sort the jobs"):
        run.run()


def test_jobs_that_can_never_run_stay_to_the_end_where_their_workload_is_kept() -> None:
    jobs = [job("huge", 1.0, 5.0, 99.0, workload="w"), job("a", 2.0, 5.0, 4.0, workload="w"), job("b", 3.0, 1.0, 99.0)]
    record = replay(jobs, topology=4, kept=["w"])
    table = record.tables["jobs"]
    found = {
        name: (state, held) for name, state, held in zip(table["id"], table["state"], table["wait_held"], strict=True)
    }
    assert found == {"huge": ("UNFINISHED", 6.0), "a": ("COMPLETED", 0.0), "b": ("REJECTED", 0.0)}
    assert "1 rejected: larger than the cluster." in record.facts["notes"]
