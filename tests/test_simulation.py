"""The life of jobs under a policy: order of events, attribution, illegal actions, and runs that must come to an end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders.pool import pool
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, PolicyError
from simulator.metrics.recorder import TABLES, Record
from simulator.policies.api import Action, ClusterView, Preempt, Reject, Start, placers, schedulers
from simulator.policies.scheduling.fifo import Fifo
from simulator.runtime import ticks
from simulator.runtime.simulation import Simulation
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, Job, State, TrainingJob, Transfer

INFINITE, NAN = math.inf, math.nan


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def rows(record: Record, *names: str) -> dict[str, tuple[Any, ...]]:
    """Columns of the job table by job."""
    table = record.tables["jobs"]
    return dict(zip(table["id"], zip(*(table[name].tolist() for name in names), strict=True), strict=True))


def events(record: Record) -> list[tuple[float, str, str]]:
    table = record.tables["events"]
    return list(zip(table["time"].tolist(), table["event"].tolist(), table["subject"].tolist(), strict=True))


def series(record: Record) -> list[tuple[float, ...]]:
    return list(zip(*(values.tolist() for values in record.tables["series"].values()), strict=True))


def servers(**accelerators: int) -> Topology:
    return Topology.from_links([], {name: {"accelerators": count} for name, count in accelerators.items()})


# -- what a run records ---------------------------------------------------------------------------------------------


def test_two_jobs_in_a_row() -> None:
    record = replay([job("a", 1.0, 10.0, 3.0, tenant="x", workload="w", row=7), job("b", 2.0, 4.0, 2.0)], topology=4)
    assert {name: set(columns) for name, columns in record.tables.items()} == {
        name: {column.name for column in declared} for name, declared in TABLES.items()
    }
    a, b = (
        dict(zip(record.tables["jobs"], row, strict=True)) for row in zip(*record.tables["jobs"].values(), strict=True)
    )
    assert a == {
        "id": "a", "workload": "w", "tenant": "x", "row": 7, "submit": 1.0, "start": 1.0, "end": 11.0, "wait": 0.0,
        "jct": 10.0, "slowdown": 1.0, "accelerators": 3.0, "servers": 1, "state": "COMPLETED", "preemptions": 0,
        "checkpointing": 0.0, "hung": 0.0, "failures": 0,
        "work": 10.0, "compute": 10.0, "network": 0.0, "overhead": 0.0, "rework": 0.0, "service": 30.0, "moves": 0,
        "wait_capacity": 0.0, "wait_fragmentation": 0.0, "wait_order": 0.0, "wait_policy": 0.0, "wait_held": 0.0,
        "user": "", "deadline": math.inf,
    }  # fmt: skip
    assert (b["start"], b["end"], b["wait"], b["jct"], b["slowdown"]) == (11.0, 15.0, 9.0, 13.0, 13.0 / 4.0)
    assert events(record) == [
        (1.0, "submit", "a"), (1.0, "start", "a"), (2.0, "submit", "b"),
        (11.0, "end", "a"), (11.0, "start", "b"), (15.0, "end", "b"),
    ]  # fmt: skip
    assert series(record) == [
        (0.0, 0, 0, 0.0, 4.0, 4.0), (1.0, 0, 1, 3.0, 4.0, 4.0), (2.0, 1, 1, 3.0, 4.0, 4.0),
        (11.0, 0, 1, 2.0, 4.0, 4.0), (15.0, 0, 0, 0.0, 4.0, 4.0),
    ]  # fmt: skip
    assert record.facts["end"] == 15.0
    assert record.facts["allocated_seconds"] == 3 * 10 + 2 * 4
    assert record.facts["provisioned_seconds"] == 4 * 15
    assert (record.facts["scheduler"], record.facts["topology"], record.facts["notes"]) == ("fifo", "pool of 4", [])


def test_no_jobs_at_all() -> None:
    record = replay([])
    assert record.facts["end"] == 0.0
    assert [len(table[next(iter(table))]) for table in record.tables.values()] == [0, 0, 1, 0]


def test_dtypes_are_the_declared_ones() -> None:
    record = replay([job("a", 0.0, 1.0)])
    for name, declared in TABLES.items():
        for column in declared:
            wanted = np.dtype(object if column.dtype == "str" else column.dtype)
            assert record.tables[name][column.name].dtype == wanted, (name, column.name)


def test_progress_is_told_while_jobs_end() -> None:
    told: list[tuple[float, int]] = []
    replay([job(f"{i}", float(i), 0.5) for i in range(5000)], progress=lambda now, ended: told.append((now, ended)))
    assert [ended for _, ended in told] == [2048, 4096]
    assert told[0][0] == 2047.5


gangs = st.tuples(
    st.integers(0, 400).map(lambda x: x / 4),
    st.integers(0, 120).map(lambda x: x / 4),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0]),
    st.integers(0, 60).map(lambda x: x / 2),
)
POLICIES = ["fifo", "sjf", "srtf", "las", "easy-backfill"]


@given(
    st.lists(gangs, max_size=25),
    st.sampled_from(POLICIES),
    st.sampled_from([0.0, 1.5]),
    st.sampled_from([INFINITE, 50.0]),
)
def test_time_is_attributed_in_full(drawn: list[tuple[float, ...]], policy: str, restart: float, until: float) -> None:
    """wait + compute + network + overhead = end - submit to 1e-9, completed or not; replay checks invariants too."""
    jobs = [job(f"{i}", a, b, c, estimate=d) for i, (a, b, c, d) in enumerate(drawn)]
    scheduler = schedulers.get(policy)(**({"quantum": 7.0} if policy == "las" else {}))
    record = replay(jobs, scheduler, topology=servers(a=4, b=1, c=2), restart=restart, until=until)
    assert len(record.tables["jobs"]["id"]) == sum(submit <= until for submit, *_ in drawn)
    for submit, end, state, *parts in rows(
        record, "submit", "end", "state", "wait", "compute", "network", "overhead"
    ).values():
        over = {"COMPLETED": end, "UNFINISHED": record.facts["end"], "REJECTED": submit}[state]
        assert sum(parts) == pytest.approx(over - submit, abs=1e-9)
        assert min(parts) >= 0.0


@given(st.lists(gangs, min_size=1, max_size=20), st.sampled_from(POLICIES))
def test_scaling_all_times_scales_the_result(drawn: list[tuple[float, ...]], policy: str) -> None:
    def run(factor: float) -> dict[str, tuple[Any, ...]]:
        jobs = [job(f"{i}", factor * a, factor * b, c, estimate=factor * d) for i, (a, b, c, d) in enumerate(drawn)]
        options = {"quantum": factor * 8.0} if policy == "las" else {}
        record = replay(jobs, schedulers.get(policy)(**options), topology=4, restart=factor)
        return rows(record, "submit", "start", "end", "wait", "compute", "overhead")

    once, twice = run(1.0), run(2.0)
    assert list(once) == list(twice)
    for name, values in once.items():
        assert np.array_equal(2.0 * np.array(values), np.array(twice[name]), equal_nan=True)


@given(st.lists(gangs, min_size=1, max_size=20), st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_renaming_jobs_changes_nothing(drawn: list[tuple[float, ...]], policy: str, random: Any) -> None:
    names = [f"{i}" for i in range(len(drawn))]
    random.shuffle(names)

    def run(names: list[str]) -> list[tuple[Any, ...]]:
        jobs = [job(name, a, b, c, estimate=d) for name, (a, b, c, d) in zip(names, drawn, strict=True)]
        replay(jobs, policy, topology=servers(a=4, b=4), placer="spread")
        return [(each.start, each.end, each.placement, each.preemptions) for each in jobs]

    assert repr(run([f"{i}" for i in range(len(drawn))])) == repr(run(names))


# -- order within an instant ----------------------------------------------------------------------------------------


class Diary:
    """FIFO that writes down when it is called and told what."""

    def __init__(self, interval: float = 0.0) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.interval = interval
        self.clock: Callable[[], float] = lambda: NAN

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.lines.append(("pass", view.now, [each.id for each in view.queue], [each.id for each in view.running]))
        yield from Fifo().schedule(view)

    def on_submit(self, each: Job) -> None:
        self.lines.append(("submit", each.id))

    def on_finish(self, each: Job) -> None:
        self.lines.append(("finish", each.id))

    def on_tick(self, now: float) -> None:
        self.lines.append(("tick", now))

    def reset(self, rng: np.random.Generator) -> None:
        self.lines.append(("reset", int(rng.integers(1000))))


def test_ends_come_before_arrivals_before_ticks_before_one_pass() -> None:
    diary = Diary(interval=10.0)
    jobs = [job("a", 0.0, 20.0, 2.0), job("b", 0.0, 20.0, 2.0), job("c", 0.0, 25.0, 4.0), job("d", 20.0, 1.0, 4.0)]
    replay(jobs, diary, topology=4, seed=5)
    assert diary.lines[1:] == [
        ("submit", "a"), ("submit", "b"), ("submit", "c"), ("pass", 0.0, ["a", "b", "c"], []),
        ("tick", 10.0), ("pass", 10.0, ["c"], ["a", "b"]),
        ("finish", "a"), ("finish", "b"), ("submit", "d"), ("tick", 20.0), ("pass", 20.0, ["c", "d"], []),
        ("tick", 30.0), ("pass", 30.0, ["d"], ["c"]), ("tick", 40.0), ("pass", 40.0, ["d"], ["c"]),
        ("finish", "c"), ("pass", 45.0, ["d"], []),
        ("finish", "d"),
    ]  # fmt: skip


def test_reset_gets_a_generator_of_seed_and_replication() -> None:
    def draw(seed: int, replication: int) -> Any:
        diary = Diary()
        replay([], diary, seed=seed, replication=replication)
        return diary.lines[0]

    assert draw(1, 0) == draw(1, 0)
    assert len({draw(1, 0), draw(2, 0), draw(1, 1)}) == 3


def test_a_pass_is_only_for_jobs_that_wait() -> None:
    diary = Diary(interval=1.0)
    replay([job("a", 3.0, 5.0), job("b", 100.0, 5.0)], diary)
    assert [line for line in diary.lines if line[0] in ("pass", "tick")] == [
        ("pass", 3.0, ["a"], []),
        ("pass", 100.0, ["b"], []),
    ]


def test_job_of_no_length_ends_at_once_and_frees_its_place_in_the_same_instant() -> None:
    jobs = [job("none", 1.0, 0.0, 4.0), job("also", 1.0, 0.0, 4.0), job("some", 1.0, 2.0, 4.0)]
    record = replay(jobs, topology=4)
    assert rows(record, "start", "end", "wait") == {
        "none": (1.0, 1.0, 0.0), "also": (1.0, 1.0, 0.0), "some": (1.0, 3.0, 0.0),
    }  # fmt: skip
    assert math.isnan(rows(record, "slowdown")["none"][0])
    assert series(record) == [(0.0, 0, 0, 0.0, 4.0, 4.0), (1.0, 0, 1, 4.0, 4.0, 4.0), (3.0, 0, 0, 0.0, 4.0, 4.0)]


def test_many_jobs_at_one_instant_keep_their_order() -> None:
    jobs = [job(f"{i}", 5.0, 1.0) for i in range(50)]
    record = replay(jobs, topology=10)
    assert [each.start for each in jobs] == [5.0 + i // 10 for i in range(50)]
    assert [line[2] for line in events(record) if line[1] == "submit"] == [f"{i}" for i in range(50)]


# -- sizes ----------------------------------------------------------------------------------------------------------


def test_jobs_without_accelerators_always_run() -> None:
    jobs = [job("gang", 0.0, 10.0, 4.0), job("none", 1.0, 5.0, 0.0), job("also", 1.0, 5.0, 0.0)]
    record = replay(jobs, topology=4)
    assert rows(record, "start", "wait") == {"gang": (0.0, 0.0), "none": (1.0, 0.0), "also": (1.0, 0.0)}
    assert max(row[3] for row in series(record)) == 4.0


def test_shares_live_side_by_side_on_one_accelerator() -> None:
    jobs = [job("a", 0.0, 10.0, 0.5), job("b", 0.0, 11.0, 0.3), job("c", 0.0, 12.0, 0.3), job("d", 0.0, 13.0, 1.0)]
    replay(jobs, topology=servers(one=2))
    assert [each.start for each in jobs] == [0.0, 0.0, 0.0, 11.0]
    assert jobs[0].devices == jobs[1].devices
    assert jobs[0].devices != jobs[2].devices


@pytest.mark.parametrize(
    ("wanted", "topology"),
    [
        ({"accelerators": 9.0}, servers(a=4, b=4)),
        ({"accelerators": 5.0, "max_servers": 1}, servers(a=4, b=4)),
        ({"accelerators": 1.0, "accelerator_types": ("h100",)}, servers(a=4)),
        ({"accelerators": 1.0, "cores": 9.0}, Topology.from_links([], {"a": {"accelerators": 4, "cores": 8.0}})),
        ({"accelerators": 2.0, "memory": 9.0}, Topology.from_links([], {"a": {"accelerators": 4, "memory": 8.0}})),
    ],
    ids=["accelerators", "servers", "type", "cores", "memory"],
)
def test_job_that_can_never_fit_is_rejected_with_a_note(wanted: dict[str, Any], topology: Topology) -> None:
    jobs = [job("huge", 1.0, 5.0, **wanted), job("small", 1.0, 5.0)]
    record = replay(jobs, topology=topology)
    assert rows(record, "state", "start") == {
        "huge": ("REJECTED", pytest.approx(NAN, nan_ok=True)),
        "small": ("COMPLETED", 1.0),
    }
    (note,) = record.facts["notes"]
    assert note.startswith("1 rejected: " + ("larger than" if jobs[0].accelerators == 9.0 else "no server could ever"))
    assert (1.0, "reject", "huge") in events(record)


# -- horizon --------------------------------------------------------------------------------------------------------


def test_horizon_includes_its_instant() -> None:
    jobs = [job("ends", 0.0, 10.0), job("comes", 10.0, 0.0), job("later", 10.5, 1.0)]
    record = replay(jobs, until=10.0)
    assert rows(record, "end", "state") == {"ends": (10.0, "COMPLETED"), "comes": (10.0, "COMPLETED")}
    assert record.facts["end"] == 10.0
    assert jobs[2].state is State.PENDING


def test_horizon_later_than_the_work_is_the_end() -> None:
    record = replay([job("a", 0.0, 10.0)], until=100.0, topology=2)
    assert record.facts["end"] == 100.0
    assert record.facts["provisioned_seconds"] == 200.0


def test_unfinished_jobs_are_recorded_and_noted() -> None:
    record = replay([job("runs", 0.0, 100.0, 4.0), job("waits", 5.0, 1.0, 4.0)], topology=4, until=20.0)
    assert rows(record, "state", "wait", "compute") == {
        "runs": ("UNFINISHED", 0.0, 20.0),
        "waits": ("UNFINISHED", 15.0, 0.0),
    }
    assert np.isnan(record.tables["jobs"]["end"]).all()
    assert np.isnan(record.tables["jobs"]["jct"]).all()
    assert record.facts["notes"] == ["1 jobs were still running and 1 still waiting at the end of the run."]


def test_a_late_capacity_event_does_not_prolong_the_run() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1.0}], {"a": {"accelerators": 1}})
    record = replay([job("a", 0.0, 10.0)], topology=line, capacity_events=[(5.0, 0, 2.0), (1e6, 0, 3.0)])
    assert record.facts["end"] == 10.0
    assert record.facts["provisioned_seconds"] == 10.0


def test_a_transfer_prolongs_the_run() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 10.0}], {"a": {"accelerators": 1}})
    record = replay([job("a", 0.0, 10.0)], topology=line, transfers=[Transfer(src="a", dst="b", bytes=500.0)])
    assert record.facts["end"] == 50.0


# -- bad input ------------------------------------------------------------------------------------------------------


def simulate(jobs: list[Job], **options: Any) -> Record:
    """Without the sorting of ``replay``."""
    return Simulation(
        topology=pool(4), scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(), jobs=jobs, **options
    ).run()


def test_unsorted_jobs_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        simulate([job("a", 5.0, 1.0), job("b", 7.0, 1.0), job("c", 6.0, 1.0)])
    assert str(caught.value) == ("job 'c' is submitted at 6 s, before its predecessor at 7 s: sort the jobs by submit")


@pytest.mark.parametrize("submit", [NAN, INFINITE, -1.0])
@pytest.mark.parametrize("position", [0, 1])
def test_times_that_are_none_are_refused(submit: float, position: int) -> None:
    jobs = [job("good", 1.0, 1.0), job("good too", 1.0, 1.0)]
    jobs.insert(position, job("bad", submit, 1.0))
    with pytest.raises(InputError) as caught:
        simulate(jobs)
    assert str(caught.value) == f"job 'bad': submit is {submit!r} s; it must be a finite number, 0 or more"


NUMBER = "a finite number, 0 or more"
GANG = "a whole number, or a share below 1"
SHARE = "a share from 0 to below 1"


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("duration", -5.0, NUMBER),
        ("duration", NAN, NUMBER),
        ("duration", INFINITE, NUMBER),
        ("duration", "5 min", NUMBER),
        ("accelerators", -1.0, GANG),
        ("accelerators", NAN, GANG),
        ("accelerators", 1.5, GANG),
        ("accelerators", INFINITE, GANG),
        ("communication", 1.0, SHARE),
        ("communication", -0.1, SHARE),
        ("estimate", NAN, NUMBER),
        ("cores", -1.0, NUMBER),
        ("memory", NAN, NUMBER),
        ("max_servers", -1, NUMBER),
    ],
)
def test_numbers_that_make_no_job_are_refused(field: str, value: Any, wanted: str) -> None:
    fields: dict[str, Any] = {"duration": 1.0, "accelerators": 1.0, field: value}
    with pytest.raises(InputError) as caught:
        simulate([BatchJob(id="bad", submit=0.0, **fields)])
    assert str(caught.value) == f"job 'bad': {field} is {value!r}; it must be {wanted}"


def test_training_jobs_are_checked_too() -> None:
    with pytest.raises(InputError, match=r"^job 't': overlap is 2\.0; it must be a share from 0 to 1$"):
        simulate(
            [TrainingJob(id="t", submit=0.0, accelerators=1.0, iterations=1, compute=1.0, gradient=1.0, overlap=2.0)]
        )


def test_job_of_no_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"^job 'x': Job is none of BatchJob, TrainingJob, ReplicaJob$"):
        simulate([Job(id="x", submit=0.0, accelerators=1.0)])


def test_used_jobs_are_refused() -> None:
    used = [job("a", 0.0, 1.0)]
    simulate(list(used))
    with pytest.raises(InputError, match=r"^job 'a': it is completed already: a run needs fresh jobs$"):
        simulate(list(used))


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((1.0, 2, 5.0), "capacity event at 1 s: there is no link 2; links are 0 to 1"),
        ((NAN, 0, 5.0), "capacity event (nan s, link 0, 5.0 B/s): numbers must be 0 or more"),
        ((1.0, 0, -5.0), "capacity event (1.0 s, link 0, -5.0 B/s): numbers must be 0 or more"),
    ],
)
def test_capacity_events_are_checked(event: tuple[float, int, float], message: str) -> None:
    cable = Topology.from_links([{"src": a, "dst": b, "capacity": 1.0} for a, b in ("ab", "ba")])
    with pytest.raises(InputError) as caught:
        replay([], topology=cable, capacity_events=[event])
    assert str(caught.value) == message


# -- actions --------------------------------------------------------------------------------------------------------


def test_preempted_work_is_kept() -> None:
    def swap(view: ClusterView) -> Iterator[Action]:
        for each in view.running:
            if view.now == 4.0:
                yield Preempt(each)
        for each in sorted(view.queue, key=lambda each: each.preemptions):
            if each.accelerators <= view.free:
                yield Start(each)

    first, second = job("first", 0.0, 10.0, 4.0), job("second", 4.0, 3.0, 4.0)
    record = replay([first, second], swap, topology=4, restart=2.0)
    assert rows(record, "start", "end", "wait", "compute", "overhead", "preemptions", "jct") == {
        "second": (4.0, 7.0, 0.0, 3.0, 0.0, 0, 3.0),
        "first": (0.0, 15.0, 3.0, 10.0, 2.0, 1, 15.0),
    }
    assert (4.0, "preempt", "first") in events(record)
    assert series(record) == [
        (0.0, 0, 1, 4.0, 4.0, 4.0), (4.0, 1, 1, 4.0, 4.0, 4.0), (7.0, 0, 1, 4.0, 4.0, 4.0), (15.0, 0, 0, 0.0, 4.0, 4.0),
    ]  # fmt: skip


def test_preempting_during_the_restart_loses_only_what_was_spent() -> None:
    def turns(view: ClusterView) -> Iterator[Action]:
        if view.now in (2.0, 5.0):
            yield from (Preempt(each) for each in view.running if each.id == "long")
        for each in sorted(view.queue, key=lambda each: each.id != "long" or each.since == view.now):
            if each.accelerators <= view.free:
                yield Start(each)

    long, a, b = job("long", 0.0, 10.0), job("a", 2.0, 1.0), job("b", 5.0, 1.0)
    record = replay([long, a, b], turns, topology=1, restart=4.0)
    # 0-2 works, 3-5 restarts in vain, 6-10 restarts, 10-18 works
    assert rows(record, "end", "wait", "compute", "overhead")["long"] == (18.0, 2.0, 10.0, 6.0)


def test_reject_ends_a_job_with_its_wait_and_reason() -> None:
    def impatient(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            if view.now - each.submit >= 5.0:
                yield Reject(each, "waited too long")
            elif each.accelerators <= view.free:
                yield Start(each)

    record = replay([job("a", 0.0, 7.0, 4.0), job("b", 1.0, 7.0, 4.0)], impatient, topology=4)
    assert rows(record, "state", "wait")["b"] == ("REJECTED", 6.0)
    assert math.isnan(rows(record, "end")["b"][0])
    assert record.facts["notes"] == ["1 rejected: waited too long."]


def test_start_without_a_place_leaves_the_job_queued_when_accelerators_lie_scattered() -> None:
    def all_of_them(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            if each.accelerators <= view.free:
                yield Start(each)

    jobs = [job("x", 0.0, 5.0, 3.0), job("y", 0.0, 9.0, 3.0), job("pod", 1.0, 1.0, 2.0, max_servers=1)]
    replay(jobs, all_of_them, topology=servers(a=4, b=4))
    assert [each.start for each in jobs] == [0.0, 0.0, 5.0]


def test_start_takes_a_placement_of_its_own() -> None:
    def at_the_back(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Start(each, [(1, 1), (np.int64(2), 3)])  # type: ignore[arg-type]  # lists and numpy numbers will do

    each = job("a", 0.0, 1.0, 4.0)
    record = replay([each], at_the_back, topology=servers(a=4, b=4, c=4))
    assert each.placement == ((1, 1.0), (2, 3.0))
    assert rows(record, "servers")["a"] == (2,)


Policy = Callable[[ClusterView], Any]


def every(action: Callable[[Job], Any]) -> Policy:
    """Do the same with every waiting job."""

    def policy(view: ClusterView) -> Any:
        return [action(each) for each in view.queue]

    return policy


def twice(view: ClusterView) -> Any:
    for each in view.queue:
        yield Start(each)
        yield Start(each)


def restarted(view: ClusterView) -> Any:
    for each in view.running:
        yield Preempt(each)
        yield Start(each)
    for each in view.queue:
        yield Start(each)


def remembered() -> Policy:
    known: list[Job] = []

    def policy(view: ClusterView) -> Any:
        known.extend(view.queue)
        return [Start(each) for each in known]

    return policy


def stopped(view: ClusterView) -> Any:
    return [Preempt(each) for each in view.queue]


def copied(view: ClusterView) -> Any:
    import copy

    return [Start(copy.copy(each)) for each in view.queue]


def placed(*parts: Any) -> Policy:
    return every(lambda each: Start(each, parts))


def divide(view: ClusterView) -> Any:
    return 1 / 0


def broken(view: ClusterView) -> Any:
    for each in view.queue:
        yield Start(each)
        raise KeyError("best")


AT_1, AT_2 = "policy policy at 1 s: ", "policy policy at 2 s: "
YIELD = " is not an action; yield Start(job), Preempt(job), Migrate, Resize, Share, Hold or Reject"
SPLIT = " splits the gang into other than whole accelerators"
ILLEGAL: dict[str, tuple[Policy, str]] = {
    "one job twice": (twice, "policy twice at 1 s: illegal Start of job 'a': the job is running, not queued"),
    "too many": (every(Start), AT_1 + "illegal Start of job 'c': it wants 2 accelerators, 1 are free"),
    "stopped and started": (
        restarted,
        "policy restarted at 2 s: illegal Start of job 'a': it was preempted in this pass and can start from the next "
        "one on",
    ),
    "remembered": (remembered(), AT_2 + "illegal Start of job 'a': the job is running, not queued"),
    "stop what waits": (stopped, "policy stopped at 1 s: illegal Preempt of job 'a': the job is queued, not running"),
    "a copy": (
        copied,
        "policy copied at 1 s: illegal Start of job 'a': it is no job of this run, perhaps a copy of one: give "
        "the very object that the view shows",
    ),
    "a job": (every(lambda each: each), AT_1 + "job 'a'" + YIELD),
    "a name": (every(lambda each: Start(each.id)), AT_1 + "Start(job='a', placement=None)" + YIELD),  # type: ignore[arg-type]
    "None": (every(lambda each: None), AT_1 + "None" + YIELD),
    "fails at once": (divide, "policy divide at 1 s: ZeroDivisionError: division by zero"),
    "fails on the way": (broken, "policy broken at 1 s: KeyError: 'best'"),
    "no actions": (lambda view: 5, "policy <lambda> at 1 s: TypeError: 'int' object is not iterable"),
    "too large a place": (placed((0, 2)), AT_1 + "illegal Start of job 'a': placed on 2 accelerators, it wants 1"),
    "no such server": (placed((7, 1)), AT_1 + "illegal Start of job 'a': placed on server 7, servers are 0 to 1"),
    "negative server": (placed((-1, 1)), AT_1 + "illegal Start of job 'a': placed on server -1, servers are 0 to 1"),
    "halves": (
        placed((0, 0.5), (1, 0.5)),
        AT_1 + "illegal Start of job 'a': placement ((0, 0.5), (1, 0.5))" + SPLIT,
    ),
    "a negative part": (
        placed((0, 2), (1, -1)),
        AT_1 + "illegal Start of job 'a': placement ((0, 2.0), (1, -1.0))" + SPLIT,
    ),
    "a server twice": (
        placed((0, 1), (0, 1)),
        AT_1 + "illegal Start of job 'a': placement ((0, 1.0), (0, 1.0)) names a server twice",
    ),
    "a name for a place": (
        placed("node"),
        AT_1 + "illegal Start of job 'a': placement ('node',) is not ((server index, accelerators), ...)",
    ),
    "a fraction for a server": (
        placed((0.0, 1)),
        AT_1 + "illegal Start of job 'a': placement ((0.0, 1),) is not ((server index, accelerators), ...)",
    ),
    "nowhere": (placed(), AT_1 + "illegal Start of job 'a': placed on 0 accelerators, it wants 1"),
    "a number for a place": (
        every(lambda each: Start(each, 3)),  # type: ignore[arg-type]
        AT_1 + "illegal Start of job 'a': placement 3 is not ((server index, accelerators), ...)",
    ),
    "a full server": (
        every(lambda each: Start(each, ((0, each.accelerators),))),
        AT_1 + "illegal Start of job 'c': 2 accelerators wanted on server 'x', 1 free",
    ),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_illegal_actions_are_named(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, message = ILLEGAL[case]
    monkeypatch.setattr(BatchJob, "__repr__", lambda each: f"<{each.id}>")
    jobs = [job("a", 1.0, 10.0), job("d", 2.0, 10.0)]
    if " at 1 s" in message:
        jobs[1:1] = [job("b", 1.0, 10.0), job("c", 1.0, 10.0, 2.0)]
    with pytest.raises(PolicyError) as caught:
        replay(jobs, policy, topology=servers(x=3, y=0))
    assert str(caught.value) == message


def test_placement_on_a_wrong_type_is_illegal() -> None:
    two = Topology.from_links(
        [], {"x": {"accelerators": 1, "accelerator": "a100"}, "y": {"accelerators": 1, "accelerator": "h100"}}
    )
    with pytest.raises(PolicyError) as caught:
        replay([job("a", 0.0, 1.0, accelerator_types=("h100",))], placed((0, 1)), topology=two)
    assert str(caught.value) == (
        "policy policy at 0 s: illegal Start of job 'a': server 'x' has accelerators 'a100', it wants 'h100'"
    )


def test_placement_over_too_many_servers_is_illegal() -> None:
    with pytest.raises(PolicyError, match=r"placed on 2 servers, it takes at most 1$"):
        replay([job("a", 0.0, 1.0, 2.0, max_servers=1)], placed((0, 1), (1, 1)), topology=servers(x=2, y=2))


def test_starting_in_a_loop_what_has_no_place_is_noticed() -> None:
    def stubborn(view: ClusterView) -> Iterator[Action]:
        while len(view.queue):
            yield Start(next(iter(view.queue)))

    jobs = [job("x", 0.0, 5.0, 3.0), job("y", 0.0, 9.0, 3.0), job("pod", 1.0, 1.0, 2.0, max_servers=1)]
    with pytest.raises(
        PolicyError, match="illegal Start of job 'pod': 1011 starts in one pass of jobs that cannot be placed"
    ):
        replay(jobs, stubborn, topology=servers(a=4, b=4))


@pytest.mark.parametrize("hook", ["on_submit", "on_finish", "on_tick", "reset"])
def test_a_hook_that_fails_is_the_policys_fault(hook: str) -> None:
    def fail(self: Any, argument: Any) -> None:
        raise RuntimeError("no luck")

    policy = type("Mine", (Diary,), {hook: fail, "name": "mine"})(interval=1.0)
    with pytest.raises(PolicyError) as caught:
        replay([job("a", 3.0, 2.0, 8.0), job("b", 3.0, 2.0, 8.0)], policy)
    when = {"on_submit": 3, "on_finish": 5, "on_tick": 4, "reset": 0}[hook]
    assert str(caught.value) == f"policy mine at {when} s in {hook}: RuntimeError: no luck"


def test_a_key_that_fails_is_the_policys_fault() -> None:
    from simulator.policies.order import by

    with pytest.raises(PolicyError, match=r"^policy per-gpu at 1 s: ZeroDivisionError: .*division by zero$"):
        replay([job("a", 1.0, 2.0), job("b", 1.0, 2.0, 0.0)], by(lambda each: 1 / each.accelerators, "per-gpu"))


@pytest.mark.parametrize("nothing", [None, [], iter(())], ids=["None", "list", "iterator"])
def test_a_policy_may_do_nothing(nothing: Any) -> None:
    record = replay([job("a", 0.0, 1.0), job("b", 4.0, 1.0)], lambda view: nothing)
    assert rows(record, "state", "wait") == {"a": ("UNFINISHED", 4.0), "b": ("UNFINISHED", 0.0)}
    assert record.facts["end"] == 4.0


def test_a_list_of_actions_will_do() -> None:
    record = replay([job("a", 0.0, 1.0), job("b", 0.0, 1.0)], lambda view: [Start(each) for each in view.queue])
    assert rows(record, "end") == {"a": (1.0,), "b": (1.0,)}


def test_the_view_is_live_between_two_actions() -> None:
    seen: list[tuple[float, int, int]] = []

    def watching(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Start(each)
            seen.append((view.free, len(view.queue), len(view.running)))

    replay([job(f"{i}", 0.0, 1.0) for i in range(3)], watching, topology=4)
    assert seen == [(3, 2, 1), (2, 1, 2), (1, 0, 3)]


# -- runs that must end ---------------------------------------------------------------------------------------------


class Idle:
    """Wants to be called every second and never starts anything."""

    interval = 1.0

    def __init__(self) -> None:
        self.passes = 0

    def schedule(self, view: ClusterView) -> tuple[Action, ...]:
        self.passes += 1
        return ()


def test_ticks_that_bring_nothing_forward_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_PATIENCE", 100)
    idle = Idle()
    record = replay([job("a", 0.0, 1.0)], idle)
    assert rows(record, "state") == {"a": ("UNFINISHED",)}
    assert idle.passes <= 201
    assert record.facts["end"] == 0.0


def test_ticks_go_on_when_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_PATIENCE", 100)
    idle = Idle()
    replay([job("a", 0.0, 1.0), job("b", 5000.0, 1.0)], idle)
    assert 202 <= idle.passes <= 402


def test_ticks_go_on_while_a_long_job_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_PATIENCE", 100)
    diary = Diary(interval=1.0)
    replay([job("long", 0.0, 5000.5, 8.0, estimate=1.0), job("next", 0.0, 1.0, 8.0)], diary)
    assert sum(line[0] == "tick" for line in diary.lines) == 5000


def test_turns_too_short_for_the_restart_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_PATIENCE", 100)
    jobs = [job("a", 0.0, 100.0), job("b", 0.0, 100.0)]
    replay(jobs, schedulers.get("las")(quantum=10.0), topology=1, restart=20.0)
    assert all(each.state is State.COMPLETED for each in jobs)


def test_an_interval_that_is_no_number_is_refused() -> None:
    with pytest.raises(PolicyError, match="interval is '5 min'; it must be a number of seconds"):
        replay([job("a", 0.0, 1.0)], Diary(interval="5 min"))  # type: ignore[arg-type]


def test_an_interval_that_is_none_is_no_interval() -> None:
    for interval in (0.0, None, NAN, -1.0):
        diary = Diary()
        diary.interval = interval  # type: ignore[assignment]
        replay([job("a", 0.0, 2.0, 8.0), job("b", 0.0, 2.0, 8.0)], diary)
        assert not [line for line in diary.lines if line[0] == "tick"]


@settings(max_examples=30)
@given(st.lists(gangs, min_size=1, max_size=15), st.integers(0, 10_000))
def test_random_legal_actions_keep_all_accounts(drawn: list[tuple[float, ...]], seed: int) -> None:
    """A policy that starts and stops at random leaves every account balanced."""
    rng = np.random.default_rng(seed)
    stops = iter(range(200))

    class Random:
        interval = 3.0

        def schedule(self, view: ClusterView) -> Iterator[Action]:
            for each in view.running:
                if rng.random() < 0.3 and next(stops, None) is not None:
                    yield Preempt(each)
            for each in sorted(view.queue, key=lambda each: rng.random()):
                if view.place(each) is not None:
                    yield Start(each)

    jobs = [job(f"{i}", a, b, c) for i, (a, b, c, _) in enumerate(drawn)]
    record = replay(jobs, Random(), topology=servers(a=4, b=3, c=2), restart=0.5, placer="spread")
    assert all(each.state in (State.COMPLETED, State.REJECTED) for each in jobs)
    assert record.tables["series"]["allocated"][-1] == 0.0
