"""Failures: when they come, what they do to jobs, who notices, what stands in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator.cluster.builders.fleet import fleet
from simulator.cluster.builders.leaf_spine import leaf_spine
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.policies.api import ClusterView, Start
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, Lemons, LoggedFailure, LoggedSource, Repair, Source
from simulator.runtime.failures.processes import Ageing, Steady
from simulator.runtime.simulation import Simulation
from simulator.testing import replay
from simulator.testing.running import run
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, ReplicaJob, TrainingJob

Row = tuple[float, str, str, float]


def log(*events: tuple[float, str, str, float], detection: float | None = None) -> LoggedSource:
    """A list of failures: (time, component, name, repair)."""
    return LoggedSource("log", tuple(LoggedFailure(*event) for event in events), detection)


def rows(record: Record, *kinds: str) -> list[Row]:
    table = record.tables["events"]
    columns = [table[name].tolist() for name in ("time", "event", "subject", "amount")]
    return [row for row in zip(*columns, strict=True) if row[1] in kinds]


def source(**keys: Any) -> Source:
    return Source(**{"name": "it", "component": "node", "rate": 1 / 1000.0, "repair": Repair(10.0), **keys})


# -- one failure ----------------------------------------------------------------------------------------------------


def test_a_failure_takes_the_server_and_its_job() -> None:
    one = job("one", 0.0, 10.0, 4.0, checkpoint=3.0)
    record = replay([one], topology=servers(1, 4), parts=[Failures([log((4.0, "node", "node-0", 5.0))])], restart=2.0)
    assert (one.end, one.lost, one.overhead, one.waited, one.failures, one.preemptions) == (18.0, 1.0, 2.0, 5.0, 1, 1)
    assert rows(record, "failure", "detect", "repair") == [
        (4.0, "failure", "log node-0", 4.0), (9.0, "repair", "log node-0", 4.0),
    ]  # fmt: skip
    series = record.tables["series"]
    assert dict(zip(series["time"].tolist(), series["capacity"].tolist(), strict=True))[4.0] == 0.0
    assert record.tables["jobs"]["failures"].tolist() == [1]
    facts = record.facts["failures"]
    assert (facts["by_source"], facts["stopped"], facts["down_accelerator_seconds"]) == ({"log": 1}, 1, 20.0)
    assert "Failures: 1 of log; they stopped running jobs 1 times." in record.facts["notes"]


def test_jobs_hang_until_somebody_notices() -> None:
    one = job("one", 0.0, 10.0, 4.0, checkpoint=math.inf)
    failures = Failures([log((4.0, "node", "node-0", 5.0))], detection=3.0)
    record = replay([one], topology=servers(1, 4), parts=[failures])
    assert (one.lost, one.hung, one.waited, one.end) == (4.0, 3.0, 5.0, 22.0)
    assert rows(record, "failure", "detect", "repair", "preempt") == [
        (4.0, "failure", "log node-0", 4.0), (7.0, "detect", "log node-0", 4.0), (7.0, "preempt", "one", 4.0),
        (12.0, "repair", "log node-0", 4.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "common", "check", "noticed"),
    [(None, None, 0.0, 4.0), (None, 3.0, 0.0, 7.0), (None, None, 10.0, 10.0), (None, 30.0, 10.0, 10.0),
     (None, 1.0, 10.0, 5.0), (2.0, 9.0, 10.0, 6.0), (0.0, 9.0, 10.0, 4.0), (None, None, 4.0, 8.0)],
)  # fmt: skip
def test_the_earliest_of_the_ways_to_notice_counts(
    own: float | None, common: float | None, check: float, noticed: float
) -> None:
    failures = Failures([log((4.0, "node", "node-0", 5.0), detection=own)], detection=common, health_check=check)
    record = replay([job("one", 0.0, 10.0, 4.0)], topology=servers(1, 4), parts=[failures])
    assert rows(record, "preempt")[0][0] == noticed


def test_who_starts_on_what_is_broken_unseen_hangs_too() -> None:
    jobs = [job("late", 5.0, 10.0, 4.0)]
    failures = Failures([log((4.0, "node", "node-0", 5.0))], detection=3.0)
    replay(jobs, topology=servers(1, 4), parts=[failures])
    assert (jobs[0].start, jobs[0].hung, jobs[0].failures, jobs[0].end) == (5.0, 2.0, 1, 7.0 + 5.0 + 10.0)


def test_a_gang_is_stopped_as_a_whole_and_others_are_not() -> None:
    places = {"gang": ((0, 2), (1, 2)), "here": ((0, 2),), "there": ((1, 2),)}

    def fixed(view: ClusterView) -> Any:
        return [Start(each, places[each.id]) for each in view.queue if view.nodes.up[0]]

    jobs = [job("gang", 0.0, 10.0, 4.0), job("here", 0.0, 10.0, 2.0), job("there", 0.0, 10.0, 2.0)]
    replay(jobs, fixed, topology=servers(2, 4), parts=[Failures([log((4.0, "node", "node-0", 1.0))])])
    assert [each.failures for each in jobs] == [1, 1, 0]


def test_what_is_down_does_not_fail_again() -> None:
    events = [(4.0, "node", "node-0", 5.0), (6.0, "accelerator", "node-0", 5.0), (9.5, "node", "node-0", 1.0)]
    one = job("one", 0.0, 10.0, 4.0)
    record = replay([one], topology=servers(1, 4), parts=[Failures([log(*events)])])
    assert [time for time, *_ in rows(record, "failure")] == [4.0, 9.5]
    assert (one.failures, one.end) == (2, 10.0 + 5.0 + 1.0)


def test_a_server_in_maintenance_does_not_fail() -> None:
    from simulator.runtime.windows import Maintenance

    record = replay(
        [job("one", 0.0, 10.0, 4.0)], topology=servers(1, 4), maintenance=[Maintenance(3.0, 6.0, (0,))],
        parts=[Failures([log((4.0, "node", "node-0", 5.0))])],
    )  # fmt: skip
    assert rows(record, "failure") == []
    assert "No failure of log fell into the run." in record.facts["notes"]


def test_maintenance_during_a_repair_keeps_the_server_down() -> None:
    from simulator.runtime.windows import Maintenance

    one = job("one", 0.0, 10.0, 4.0)
    replay(
        [one], topology=servers(1, 4), maintenance=[Maintenance(5.0, 20.0, (0,))],
        parts=[Failures([log((4.0, "node", "node-0", 3.0))])],
    )  # fmt: skip
    assert one.end == 20.0 + 6.0


def test_failures_do_not_prolong_a_run() -> None:
    failures = Failures([source(rate=1 / 10.0, repair=Repair(1e6)), log((1e9, "node", "node-1", 1.0))])
    record = replay([job("one", 0.0, 1.0, 1.0)], topology=servers(2, 4), parts=[failures], seed=3)
    assert record.facts["end"] == 1.0


def test_replicas_are_lost_at_the_failure_itself() -> None:
    class Life:
        def began(self) -> None: ...
        def halted(self) -> None: ...

    replica = ReplicaJob(id="replica", submit=0.0, accelerators=4.0)
    replica.life = Life()
    failures = Failures([log((4.0, "node", "node-0", 5.0))], detection=100.0)
    simulation, record = run([replica], "fifo", servers(2, 4), parts=[failures], until=20.0)
    assert isinstance(simulation, Simulation)
    assert (replica.hung, replica.failures, replica.preemptions) == (0.0, 1, 1)
    assert rows(record, "repair")[0][0] == 9.0


# -- spares ---------------------------------------------------------------------------------------------------------


def test_a_spare_stands_in_and_comes_home_when_it_is_empty() -> None:
    jobs = [job("one", 0.0, 10.0, 8.0), job("two", 11.0, 10.0, 4.0), job("three", 11.0, 10.0, 4.0)]
    failures = Failures([log((4.0, "node", "node-0", 2.0))], spares=1)
    record = replay(jobs, topology=servers(3, 4), parts=[failures])
    assert (jobs[0].end, jobs[0].waited) == (10.0, 0.0)  # it keeps all its work, and goes on at once
    assert record.facts["failures"]["spares_used"] == 1
    assert (jobs[1].start, jobs[2].start) == (11.0, 11.0)


def test_spares_take_no_work_while_nothing_has_failed() -> None:
    jobs = [job("one", 0.0, 10.0, 8.0), job("two", 1.0, 10.0, 4.0)]
    replay(jobs, topology=servers(3, 4), parts=[Failures([source(rate=1e-9)], spares=1)])
    assert jobs[1].start == 10.0


def test_a_spare_that_fails_is_stood_in_for() -> None:
    events = [(4.0, "node", "node-0", 100.0), (6.0, "node", "node-2", 100.0)]
    one = job("one", 0.0, 10.0, 8.0)
    record = replay([one], topology=servers(4, 4), parts=[Failures([log(*events)], spares=2)])
    assert (one.end, one.failures, record.facts["failures"]["spares_used"]) == (10.0, 2, 2)


def test_a_kept_spare_that_fails_needs_nobody() -> None:
    one = job("one", 0.0, 10.0, 8.0)
    record = replay([one], topology=servers(4, 4), parts=[Failures([log((4.0, "node", "node-3", 3.0))], spares=2)])
    assert (one.failures, record.facts["failures"]["spares_used"]) == (0, 0)


@pytest.mark.parametrize("spares", [2, 5, -1])
def test_spares_leave_servers_to_work(spares: int) -> None:
    with pytest.raises(InputError, match=f"spares is {spares}; the cluster has 2 servers"):
        replay([], topology=servers(2, 4), parts=[Failures([source()], spares=spares)])


# -- laws -----------------------------------------------------------------------------------------------------------


def horizon(failures: Failures, scheduler: str = "fifo", topology: Topology | None = None, **more: Any) -> list[Row]:
    """Failures of 10,000 s with some work on 8 servers."""
    jobs = [job(f"job-{index}", 20.0 * index, 400.0, float(1 + index % 7)) for index in range(60)]
    record = replay(jobs, scheduler, topology=topology or servers(8, 4), parts=[failures], until=10_000.0, **more)
    return rows(record, "failure", "repair")


def test_the_same_seed_gives_the_same_failures_whatever_runs() -> None:
    def made() -> Failures:
        return Failures([source(), source(name="other", component="accelerator", rate=1e-4, shape=2.0)])

    first = horizon(made(), "fifo", seed=4)
    assert first == horizon(made(), "sjf", seed=4) == horizon(made(), "srtf", seed=4, placer="spread")
    assert first != horizon(made(), "fifo", seed=5)
    assert len(first) > 50


def test_sources_do_not_disturb_each_other() -> None:
    alone = horizon(Failures([source(name="b", repair=Repair(0.0))]))
    other = source(name="a", component="accelerator", rate=1e-4, repair=Repair(0.0))
    more = horizon(Failures([other, source(name="b", repair=Repair(0.0))]))
    assert [row for row in more if row[2].startswith("b ")] == alone
    assert len(alone) < len(more)


def _wired() -> Topology:
    return leaf_spine(8, "l40s-4-pcie", "roce-100g", nodes_per_leaf=4, spines=1)


def test_twice_the_mtbf_is_half_the_failures() -> None:
    """Without repairs of length the same stream comes at half the pace, failure by failure."""
    fast = [row[0] for row in horizon(Failures([source(repair=Repair(0.0), rate=2e-3)])) if row[1] == "failure"]
    slow = [row[0] for row in horizon(Failures([source(repair=Repair(0.0), rate=1e-3)])) if row[1] == "failure"]
    assert len(slow) < len(fast)
    assert [2 * time for time in fast[: len(slow)]] == pytest.approx(slow)


def test_counts_follow_the_rate() -> None:
    topology = fleet([{"count": 500, "accelerators": 8, "accelerator": "h100-sxm"}])
    failures = Failures([source(component="accelerator", rate=1 / 4e6, repair=Repair(1.0))])
    record = replay([job("one", 0.0, 1e6, 1.0)], topology=topology, parts=[failures])
    expected = 4000 * 1e6 / 4e6
    assert abs(record.facts["failures"]["by_source"]["it"] - expected) < 4 * math.sqrt(expected)


def test_availability_is_mtbf_over_mtbf_plus_mttr() -> None:
    topology = servers(200, 1)
    failures = Failures([source(rate=1 / 300.0, repair=Repair(100.0, "lognormal", 0.5))])
    record = replay([job("one", 0.0, 1e4, 0.0)], topology=topology, parts=[failures], until=20_000.0)
    down = record.facts["failures"]["down_accelerator_seconds"] / (200 * 20_000.0)
    assert down == pytest.approx(100.0 / 400.0, rel=0.03)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_lives_have_the_mean_that_was_asked_for(shape: float) -> None:
    rng = stream(1, "lives")
    rates = [1 / 50.0] * 40
    process = Steady(rates, Repair(0.0), rng) if shape == 1 else Ageing(rates, shape, Repair(0.0), rng)
    count = 0
    while process.time < 20_000.0:
        process.take()
        count += 1
    assert count == pytest.approx(40 * 20_000.0 / 50.0, rel=0.05)


def test_young_machines_fail_early_and_old_ones_late() -> None:
    def early(shape: float) -> int:
        process = Ageing([1 / 1000.0] * 1000, shape, Repair(0.0), stream(1, "lives"))
        count = 0
        while process.time < 100.0:
            process.take()
            count += 1
        return count

    assert early(0.5) > 250 > 130 > early(1.0001) > 70 > 10 > early(3.0)


def test_steady_failures_choose_by_weight() -> None:
    process = Steady([1.0, 3.0], Repair(0.0), stream(1, "weights"))
    chosen = [process.take()[0] for _ in range(4000)]
    assert np.mean(chosen) == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize(("kind", "spread"), [("exponential", 1.0), ("lognormal", 0.8), ("weibull", 2.0), ("fixed", 1)])
def test_repairs_have_the_mean_that_was_asked_for(kind: str, spread: float) -> None:
    rng = stream(2, "repairs")
    law = Repair(60.0, kind, spread)
    assert np.mean([law.draw(rng) for _ in range(20_000)]) == pytest.approx(60.0, rel=0.03)


def test_lemons_have_their_share_and_the_mean_stays() -> None:
    def counted(lemons: Lemons | None) -> dict[str, int]:
        failures = Failures([source(rate=1 / 5000.0, repair=Repair(0.0))], lemons=lemons)
        record = replay([job("one", 0.0, 1.0, 1.0)], topology=servers(200, 1), parts=[failures], until=100_000.0)
        found: dict[str, int] = {}
        for _, _, subject, _ in rows(record, "failure"):
            found[subject] = found.get(subject, 0) + 1
        return found

    plain, sour = counted(None), counted(Lemons(0.02))
    assert sum(sour.values()) == pytest.approx(sum(plain.values()), rel=0.06)
    worst = sorted(sour.values())[-4:]
    assert sum(worst) / sum(sour.values()) == pytest.approx(4 * 12.3 / (196 + 4 * 12.3), rel=0.1)


def test_rates_of_jobs_add_up() -> None:
    seen: list[float] = []
    failures = Failures([
        source(name="node", rate=1e-3),
        source(name="gpu", component="accelerator", rate=1e-4),
        source(name="switch", component="switch", rate=1e-5),
        source(name="nic", component="nic", rate=1e-6),
        source(name="slow", effect="slow", pace=0.5),
    ])  # fmt: skip

    class Asks(Checkpoints):
        def began(self, job: Any) -> None:
            seen.append(failures.mtbf(job))

    from simulator.workload.saving import Saving

    one = job("one", 0.0, 1.0, 12.0, saving=Saving(every=9.0))
    replay(
        [one], topology=leaf_spine(4, "l40s-4-pcie", "roce-100g", nodes_per_leaf=2, spines=1), parts=[failures, Asks()]
    )
    # 3 servers, 12 accelerators, 2 leaves each of which takes its servers; one of two cards takes nobody
    assert seen == [pytest.approx(1 / (3e-3 + 12e-4 + 2e-5))]


# -- slow servers ---------------------------------------------------------------------------------------------------


def slow(pace: float = 0.5, **keys: Any) -> Failures:
    """Every server is slow nearly all the time, from nearly the start."""
    return Failures([source(rate=200.0, repair=Repair(1e9), effect="slow", pace=pace, **keys)])


def test_a_gang_goes_at_the_pace_of_its_slowest_server() -> None:
    jobs = [job("gang", 0.0, 10.0, 8.0), job("later", 11.0, 10.0, 4.0)]
    record = replay(jobs, topology=servers(2, 4), parts=[slow(servers=(1,))])
    assert jobs[0].end == pytest.approx(20.0, rel=2e-3)
    assert jobs[1].end == pytest.approx(jobs[1].start + 10.0, rel=2e-3)
    assert [kind for _, kind, _, _ in rows(record, "straggle", "failure")] == ["straggle"]


def test_a_server_that_recovers_is_as_fast_as_before() -> None:
    one = job("one", 0.0, 10.0, 4.0)
    failures = Failures([Source(
        name="it", component="node", rate=1 / 2.0, repair=Repair(4.0), effect="slow", pace=0.5,
    )])  # fmt: skip
    record = replay([one], topology=servers(1, 4), parts=[failures], seed=1)
    spans = rows(record, "straggle", "repair")
    slowed = sum(min(row[0] + 4.0, one.end) - row[0] for row in spans if row[1] == "straggle")
    assert slowed > 0
    assert one.end - 0.5 * slowed == pytest.approx(10.0)


def test_slow_computing_is_not_taken_for_the_network() -> None:
    def made(parts: list[Any]) -> tuple[TrainingJob, Record]:
        one = TrainingJob(id="one", submit=0.0, accelerators=8.0, iterations=20, compute=1.0, gradient=1e10)
        return one, replay([one], topology=_wired(), parts=parts)

    (plain, before), (dragged, after) = made([]), made([slow()])
    network = [float(record.tables["jobs"]["network"][0]) for record in (before, after)]
    assert network[0] > 5.0
    assert network[1] == pytest.approx(network[0], rel=2e-3)
    assert dragged.end - plain.end == pytest.approx(20.0, rel=2e-3)
    assert (plain.done, plain.work) == pytest.approx((dragged.done, dragged.work))


# -- runs that get nowhere ------------------------------------------------------------------------------------------


def test_a_run_that_gets_nowhere_says_why() -> None:
    one = BatchJob(id="one", submit=0.0, duration=1e4, accelerators=4.0, checkpoint=120.0)
    failures = Failures([source(rate=1 / 5.0, repair=Repair(1.0))])
    with pytest.raises(InputError) as error:
        replay([one], topology=servers(1, 4), parts=[failures], restart=60.0)
    text = str(error.value)
    assert text.startswith("10,000 failures in a row, one every ")
    assert "job 'one' is stopped after " in text
    assert "needs 2 min between checkpoints" in text
    assert "checkpoint more often" in text
    assert "run: {until: 30 d}" in text


def test_a_job_that_never_finds_its_servers_says_so() -> None:
    one = job("one", 5000.0, 10.0, 128.0)
    failures = Failures([source(rate=1 / 1000.0, repair=Repair(1000.0))])
    with pytest.raises(InputError, match=r"no job has got any further: .* for 128 accelerators, and \d+ of 128 are up"):
        replay([one], topology=servers(32, 4), parts=[failures], seed=2)


def test_with_a_horizon_it_may_get_nowhere() -> None:
    one = BatchJob(id="one", submit=0.0, duration=1e4, accelerators=4.0, checkpoint=120.0)
    failures = Failures([source(rate=1 / 5.0, repair=Repair(1.0))])
    record = replay([one], topology=servers(1, 4), parts=[failures], until=100_000.0)
    assert record.tables["jobs"]["state"].tolist() == ["UNFINISHED"]
    assert one.failures > 10_000


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rate": 0.0}, "rate is 0"),
        ({"rate": math.inf}, "rate is inf"),
        ({"shape": 0.0}, "shape is 0; it must be at least 0.1"),
        ({"detection": -1.0}, "detection is -1 s"),
        ({"effect": "odd"}, "effect is 'odd'"),
        ({"effect": "slow"}, "pace is 1; a slow server"),
        ({"effect": "slow", "pace": 0.0}, "pace is 0"),
        ({"pace": 0.5}, "only what is slow has a pace"),
    ],
)
def test_sources_that_make_no_sense(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        source(**wrong)


def test_names_and_components_are_checked() -> None:
    with pytest.raises(InputError, match="two sources of failures are called 'it'"):
        Failures([source(), source()])
    with pytest.raises(InputError, match="health_check is -1 s"):
        Failures([source()], health_check=-1.0)
    for what, told in (
        (source(component="gpu"), "component 'gpu' is unknown"),
        (source(component="switch"), r"component 'switch': the topology has none"),
        (log((1.0, "node", "node-9", 1.0)), "there is no node 'node-9' that could fail. Did you mean 'node-"),
    ):
        with pytest.raises(InputError, match=told):
            replay([], topology=servers(2, 4), parts=[Failures([what])])
    for wrong in ({"kind": "odd"}, {"mean": -1.0}, {"spread": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Repair(**{"mean": 1.0, **wrong})
    for share, times in ((0.0, 2.0), (1.0, 2.0), (0.1, 1.0)):
        with pytest.raises(ValueError, match="it must be above"):
            Lemons(share, times)
