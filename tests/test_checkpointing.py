"""Checkpoints that cost something: against a plain loop over the same failures, by hand, and under any mix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders.leaf_spine import leaf_spine
from simulator.cluster.stores import Attachment, attached
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.models.checkpoint import daly, young
from simulator.policies.api import Action, ClusterView, Migrate, Start
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, LoggedFailure, LoggedSource, Repair, Source
from simulator.runtime.parts import Part
from simulator.runtime.pulls import Store
from simulator.runtime.simulation import Simulation
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, Job, TrainingJob
from simulator.workload.saving import Saving

PARTS = ("wait", "compute", "network", "overhead", "rework", "checkpointing", "hung")


class Call(Part):
    """Does something at given times."""

    def __init__(self, *calls: tuple[float, Callable[[Simulation], object]]) -> None:
        self.calls = calls

    def attach(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def begin(self) -> None:
        for time, call in self.calls:
            self.simulation.clock.at(time, call, self.simulation)


def stop(*times: float) -> Call:
    """Stop the first running job at each of these times."""
    return Call(*((time, lambda simulation: simulation.stop(next(iter(simulation.view.running)))) for time in times))


def saved(work: float, saving: Saving, *times: float, **more: Any) -> tuple[BatchJob, Record]:
    """Run one job that is stopped at these times, and starts again at once."""
    one = job("one", 0.0, work, 1.0, saving=saving)
    return one, replay([one], topology=2, parts=[stop(*times), Checkpoints()], **more)


def account(one: Job) -> tuple[float, ...]:
    return (one.lost, one.overhead, one.checkpointing, one.hung)


# -- by hand --------------------------------------------------------------------------------------------------------


def test_synchronous_checkpoints_hold_the_job_up() -> None:
    one, record = saved(100.0, Saving(every=30.0, write=4.0))
    assert one.end == 100.0 + 3 * 4.0
    assert account(one) == (0.0, 0.0, 12.0, 0.0)
    assert record.facts["checkpoints"] == {"written": 3, "given_up": 0}


def test_none_is_written_at_the_very_end() -> None:
    one, _ = saved(60.0, Saving(every=30.0, write=4.0))
    assert (one.end, one.checkpointing) == (64.0, 4.0)


def test_a_stop_goes_back_to_the_last_that_was_written() -> None:
    one, _ = saved(100.0, Saving(every=30.0, write=4.0, load=2.0), 50.0, restart=5.0)
    # 0-30 works, 30-34 writes, 34-50 works; loses 16 s, restarts for 7 s, works 30-60, writes, 60-90, writes, 90-100
    assert account(one) == (16.0, 7.0, 12.0, 0.0)
    assert one.end == 50.0 + 7.0 + 70.0 + 8.0


def test_a_stop_during_the_write_finds_the_one_before() -> None:
    one, record = saved(100.0, Saving(every=30.0, write=4.0, load=2.0), 32.0)
    # there is nothing to load: it begins anew
    assert account(one) == (30.0, 0.0, 2.0 + 12.0, 0.0)
    assert one.end == 32.0 + 112.0
    assert record.facts["checkpoints"] == {"written": 3, "given_up": 1}


def test_asynchronous_checkpoints_count_when_they_are_written() -> None:
    saving = Saving(every=30.0, write=10.0, snapshot=1.0, mode="asynchronous")
    one, _ = saved(100.0, saving, 40.5)
    # 0-30 works, 30-31 snapshot, written at 41: one instant too late
    assert (one.lost, one.checkpointing) == (39.5, 1.0 + 3.0)
    one, _ = saved(100.0, saving, 41.5)
    assert (one.lost, one.checkpointing) == (10.5, 1.0 + 2.0)


def test_the_next_waits_for_the_last() -> None:
    saving = Saving(every=10.0, write=25.0, mode="asynchronous")
    one, record = saved(100.0, saving, 80.0)
    # written at 35, 60, 85 (given up): work as of 10 and 35 is kept
    assert one.lost == 80.0 - 35.0
    assert one.end == 80.0 + 65.0
    assert record.facts["checkpoints"]["given_up"] == 2  # the one at 80, and the one at the end


def test_checkpoints_that_cost_nothing_change_nothing() -> None:
    one, _ = saved(100.0, Saving(every=30.0), 70.0)
    free = job("one", 0.0, 100.0, 1.0, checkpoint=30.0)
    replay([free], topology=2, parts=[stop(70.0)])
    assert (one.end, account(one)) == (free.end, account(free)) == (110.0, (10.0, 0.0, 0.0, 0.0))


def test_a_move_keeps_the_work_and_writes_when_it_is_due() -> None:
    class Moves:
        wake = 20.0

        def schedule(self, view: ClusterView) -> Iterator[Action]:
            self.wake = 20.0 if view.now < 20.0 else math.inf
            if view.now == 20.0:
                yield from (Migrate(each, ((1, 1),)) for each in view.running)
            else:
                yield from (Start(each, ((0, 1),)) for each in view.queue)

        always = True

    one = job("one", 0.0, 100.0, 1.0, saving=Saving(every=30.0, write=4.0))
    replay([one], Moves(), topology=servers(2, 1), parts=[stop(50.0), Checkpoints()])
    assert (one.moves, one.lost, one.checkpointing) == (1, 50.0 - 34.0, 12.0)


def test_rules_follow_the_failures() -> None:
    mtbf = 4 * 3600.0
    for rule, expected in (("young", young(mtbf, 60.0)), ("daly", daly(mtbf, 60.0))):
        one = job("one", 0.0, 10.5 * expected, 1.0, saving=Saving(every=rule, write=60.0))
        record = replay([one], topology=2, parts=[Checkpoints(lambda job, seen: mtbf)])
        assert one.checkpointing == pytest.approx(10 * 60.0)
        assert record.facts["checkpoints"]["written"] == 10


def test_a_rule_without_failures_writes_nothing() -> None:
    one, record = saved(1e6, Saving(every="young", write=60.0))
    assert (one.end, record.facts["checkpoints"]["written"]) == (1e6, 0)


def test_adaptive_intervals_learn_from_what_is_seen() -> None:
    """Young machines fail far more often than in the mean: the intervals shrink."""

    def written(rule: str) -> tuple[float, int]:
        source = Source(name="infant", component="accelerator", rate=1 / 40_000.0, repair=Repair(0.0), shape=0.3)
        failures = Failures([source])
        one = job("one", 0.0, 20_000.0, 8.0, saving=Saving(every=rule, write=5.0))
        record = replay([one], topology=servers(1, 8), parts=[failures, Checkpoints(failures.mtbf)])
        return one.failures / one.end * 40_000.0 / 8, int(record.facts["checkpoints"]["written"])

    (often, daly_s), (_, adaptive) = written("daly"), written("adaptive")
    assert often > 2.0
    assert adaptive > 1.3 * daly_s


def test_what_makes_no_sense_is_refused() -> None:
    for wrong, told in (
        ({"every": 0.0, "write": 1.0}, "every is 0 s; it must be above 0"),
        ({"every": -5.0}, "every is -5 s"),
        ({"every": "often", "write": 1.0}, "every is 'often'; it must be a time, or one of young, daly, adaptive"),
        ({"every": 1.0, "write": -1.0}, "write is -1"),
        ({"every": 1.0, "write": math.inf}, "write is inf"),
        ({"every": 1.0, "snapshot": 1.0}, "only asynchronous checkpoints have one"),
        ({"every": "young"}, "give a write above 0 s"),
        ({"every": "daly", "write": 9.0, "mode": "asynchronous"}, "give a snapshot above 0 s"),
        ({"every": 1.0, "size": 5.0}, "no store takes them"),
        ({"every": 1.0, "store": "s3"}, "nothing would go to store 's3'"),
        ({"every": 1.0, "store": "s3", "size": 1.0, "write": 3.0}, "write is 3 s, but the bytes go to store 's3'"),
        ({"every": 1.0, "mode": "lazy"}, "mode is 'lazy'"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            Saving(**wrong)  # type: ignore[arg-type]


def test_a_run_without_the_part_says_so() -> None:
    with pytest.raises(InputError, match="job 'one' writes checkpoints that cost something"):
        replay([job("one", 0.0, 9.0, 1.0, saving=Saving(every=1.0, write=1.0))])


# -- to a store -----------------------------------------------------------------------------------------------------


def stored(saving: Saving, *parts: Part, work: float = 100.0, jobs: int = 1) -> list[BatchJob]:
    """Jobs of 2 accelerators on 2 servers each, whose 10 bytes/s each lead to a store that takes 10 bytes/s."""
    topology = attached(servers(2 * jobs, 1), {"s3": Attachment(10.0, (), 10.0)})
    made = [job(f"job-{index}", 0.0, work, 2.0, saving=saving) for index in range(jobs)]
    replay(made, topology=topology, stores={"s3": Store("s3")}, parts=[*parts, Checkpoints()])
    return made


def test_bytes_flow_to_the_store() -> None:
    (one,) = stored(Saving(every=40.0, store="s3", size=50.0))
    assert one.checkpointing == pytest.approx(2 * 5.0)


def test_jobs_share_the_way_to_the_store() -> None:
    for one in stored(Saving(every=40.0, store="s3", size=50.0), jobs=2):
        assert one.checkpointing == pytest.approx(2 * 10.0)


def test_a_stop_reads_the_bytes_back() -> None:
    (one,) = stored(Saving(every=40.0, store="s3", size=50.0, load=3.0), stop(60.0))
    # 40-45 writes, 45-60 is lost, reads for 5 s, then 3 s
    assert one.lost == pytest.approx(15.0)
    assert one.overhead == pytest.approx(5.0 + 3.0)
    assert one.end == pytest.approx(60.0 + 8.0 + 60.0 + 5.0)


def test_a_stop_while_it_reads_reads_again() -> None:
    (one,) = stored(Saving(every=40.0, store="s3", size=50.0), stop(60.0, 62.0))
    # what is on the links goes on: the bytes that nobody waits for any more share them for 3 s
    assert one.overhead == pytest.approx(2.0 + 3.0 * 2 + 2.0)
    assert one.end == pytest.approx(62.0 + 8.0 + 60.0 + 5.0)


# -- at once --------------------------------------------------------------------------------------------------------


def test_a_checkpoint_at_once_tells_how_long_it_takes() -> None:
    told: list[float] = []
    checkpoints = Checkpoints()

    def save(simulation: Simulation) -> None:
        one = next(iter(simulation.view.running))
        told.append(checkpoints.save_now(one, lambda: told.append(simulation.clock.now)))

    for saving, at, expected, kept in (
        (Saving(every=30.0, write=4.0), 20.0, [4.0, 24.0], 20.0),
        (Saving(every=30.0, write=4.0), 31.0, [3.0, 34.0], 30.0),
        (Saving(every=30.0, write=4.0, snapshot=1.0, mode="asynchronous"), 20.0, [5.0, 25.0], 20.0),
        (Saving(every=30.0, write=4.0, mode="asynchronous"), 32.0, [6.0, 38.0], 34.0),
    ):
        told.clear()
        checkpoints = Checkpoints()
        one = job("one", 0.0, 100.0, 1.0, saving=saving)
        replay([one], topology=2, parts=[Call((at, save)), stop(39.0), checkpoints])
        assert told == expected, saving
        stalled = 4.0 if saving.mode == "synchronous" else saving.snapshot
        assert one.lost == pytest.approx(39.0 - stalled - kept)


def test_free_and_lossless_jobs_save_at_once() -> None:
    seen: list[float] = []
    for checkpoint, lost in ((0.0, 0.0), (30.0, 5.0), (math.inf, 5.0)):
        checkpoints = Checkpoints()

        def save(simulation: Simulation, checkpoints: Checkpoints = checkpoints) -> None:
            seen.append(checkpoints.save_now(next(iter(simulation.view.running)), lambda: seen.append(-1.0)))

        one = job("one", 0.0, 100.0, 1.0, checkpoint=checkpoint)
        replay([one], topology=2, parts=[Call((40.0, save)), stop(45.0), checkpoints])
        assert one.lost == pytest.approx(lost)
    assert seen == [-1.0, 0.0] * 3


# -- against a plain loop -------------------------------------------------------------------------------------------


class Life(NamedTuple):
    """A job, what its checkpoints and stops cost, and when its server fails."""

    work: float
    every: float
    write: float
    snapshot: float
    synchronous: bool
    load: float
    restart: float
    detection: float
    repair: float
    failures: tuple[float, ...]


def loop(life: Life) -> dict[str, float]:
    """Follow a job from failure to failure with nothing but a clock and sums."""
    sums = dict.fromkeys(("wait", "overhead", "rework", "checkpointing", "hung"), 0.0)
    now, kept, first = 0.0, 0.0, True
    while True:
        failure = next((time for time in life.failures if time >= now), math.inf)
        spare = 0.0 if first else life.restart + (life.load if kept > 0 else 0.0)
        first = False
        sums["overhead"] += min(spare, failure - now)
        now, done = now + spare, kept
        begun, writing = done, None  # work at the beginning of the last checkpoint; (content, end) of one under way
        while now < failure:
            due = max(begun + life.every, done)
            if not life.synchronous and writing is not None:
                due = max(due, done + writing[1] - now)
            if writing is not None and not life.synchronous and writing[1] <= now:
                kept, writing = writing[0], None
                continue
            step = min(life.work, due) - done
            if writing is not None and not life.synchronous:
                step = min(step, writing[1] - now)
            if now + step > failure:
                done += failure - now
                break
            now, done = now + step, done + step
            if done >= life.work * (1 - 1e-12):
                return sums | {"end": now}
            if writing is not None and writing[1] <= now + 1e-12:
                kept, writing = writing[0], None
            if done < due - 1e-12 or writing is not None:
                continue
            stall = life.write if life.synchronous else life.snapshot
            begun = done
            sums["checkpointing"] += min(stall, failure - now)
            now += stall
            if life.synchronous:
                kept = done if now <= failure else kept
            else:
                writing = (done, now + life.write)
        if writing is not None and writing[1] <= failure:
            kept = writing[0]
        sums["rework"] += done - kept
        sums["hung"] += life.detection
        sums["wait"] += life.repair
        now = failure + life.detection + life.repair


@st.composite
def lives(draw: Any) -> Life:
    number = st.floats(0.5, 40.0)
    gaps = draw(st.lists(st.floats(3.0, 150.0), max_size=12))
    return Life(
        work=draw(st.floats(20.0, 400.0)),
        every=draw(st.floats(5.0, 60.0)),
        write=draw(number),
        snapshot=draw(st.floats(0.1, 5.0)),
        synchronous=draw(st.booleans()),
        load=draw(number),
        restart=draw(number),
        detection=draw(st.sampled_from([0.0, 7.25])),
        repair=draw(number),
        failures=tuple(np.cumsum(gaps).tolist()),
    )


@settings(max_examples=150, deadline=None)
@given(lives())
def test_a_plain_loop_agrees(life: Life) -> None:
    mode = "synchronous" if life.synchronous else "asynchronous"
    saving = Saving(
        every=life.every, write=life.write, load=life.load, mode=mode,
        snapshot=0.0 if life.synchronous else life.snapshot,
    )  # fmt: skip
    events = tuple(LoggedFailure(time, "node", "node-0", life.repair) for time in life.failures)
    parts: list[Part] = [Checkpoints()]
    if events:
        parts.insert(0, Failures([LoggedSource("log", events)], detection=life.detection))
    one = job("one", 0.0, life.work, 4.0, saving=saving)
    record = replay([one], topology=servers(1, 4), parts=parts, restart=life.restart)
    expected = loop(life)
    row = {name: float(record.tables["jobs"][name][0]) for name in (*PARTS, "end")}
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-7 * 1e-2), name
    assert row["compute"] == pytest.approx(life.work, rel=1e-9)


# -- under any mix --------------------------------------------------------------------------------------------------


def mixed(seed: int) -> list[Job]:
    """Batch and training jobs that contend for links, with checkpoints of all kinds."""
    rng = stream(seed, "mixed")
    savings = [
        None,
        Saving(every=11.0, write=3.0, load=1.0),
        Saving(every=9.0, write=5.0, snapshot=0.5, mode="asynchronous"),
        Saving(every="daly", write=2.0),
    ]
    jobs: list[Job] = []
    for number in range(int(rng.integers(3, 9))):
        common: dict[str, Any] = {
            "id": f"job-{number}", "submit": float(rng.integers(0, 60)), "restart": float(rng.integers(0, 4)),
            "accelerators": float(rng.integers(1, 13)), "saving": savings[int(rng.integers(4))],
            "checkpoint": float(rng.choice([0.0, 6.0, math.inf])),
        }  # fmt: skip
        if rng.random() < 0.5:
            jobs.append(
                BatchJob(**common, duration=float(rng.uniform(5, 60)), communication=float(rng.choice([0, 0.4])))
            )
        else:
            gradient = float(rng.uniform(1e9, 2e10))
            jobs.append(TrainingJob(**common, iterations=int(rng.integers(5, 60)), compute=0.5, gradient=gradient))
    return jobs


@pytest.mark.parametrize("fidelity", ["fluid", "flow"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_all_time_is_accounted_for(fidelity: str, seed: int) -> None:
    topology = leaf_spine(4, "l40s-4-pcie", "roce-100g", nodes_per_leaf=2, spines=1, oversubscription=8.0)
    sources: list[Source | LoggedSource] = [
        Source(name="gpu", component="accelerator", rate=1 / 900.0, repair=Repair(15.0, "exponential"), detection=2.5),
        Source(name="rack", component="rack", rate=1 / 600.0, repair=Repair(10.0)),
        Source(name="nic", component="nic", rate=1 / 500.0, repair=Repair(3.0), detection=5.0),
        Source(name="switch", component="switch", rate=1 / 800.0, repair=Repair(4.0), detection=1.0),
    ]
    if fidelity == "fluid":
        sources.append(Source(
            name="slow", component="node", rate=1 / 60.0, repair=Repair(20.0), effect="slow", pace=0.6,
        ))  # fmt: skip
    failures = Failures(sources, health_check=4.0)
    jobs = mixed(seed)
    record = replay(
        jobs, "las", topology=topology, parts=[failures, Checkpoints(failures.mtbf)], until=400.0, seed=seed,
        fidelity=fidelity,
    )  # fmt: skip
    table = record.tables["jobs"]
    for row, state in enumerate(table["state"]):
        total = sum(float(table[name][row]) for name in PARTS)
        end = float(table["end"][row]) if state == "COMPLETED" else record.facts["end"]
        if state in ("COMPLETED", "UNFINISHED"):
            assert total == pytest.approx(end - float(table["submit"][row]), rel=1e-9, abs=1e-9)
        for name in PARTS:
            assert float(table[name][row]) >= -1e-9
