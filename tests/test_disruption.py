"""Who may be evicted, and how: replicas by their rules, jobs after a save, nobody twice."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.policies.supply import Remove
from simulator.runtime.disruption import RETRY, Disruption
from simulator.runtime.savers import NoSaver
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.supply import Supply
from simulator.testing.running import prepared
from simulator.workload.jobs import ReplicaJob, State
from tests.supply_world import Script, job, nodes


class Life:
    """A replica's side: a budget that lets it go from some time on."""

    def __init__(self, simulation: Any, free: float = 0.0) -> None:
        self.simulation, self.free = simulation, free
        self.left: list[tuple[float, float]] = []
        self.job: Any = None

    def began(self) -> None:
        pass

    def halted(self) -> None:
        pass

    def may_leave(self) -> str:
        return "" if self.simulation.clock.now >= self.free else "the budget allows 0 replicas to be missing"

    def leave(self, grace: float) -> None:
        self.left.append((self.simulation.clock.now, grace))
        self.simulation.clock.after(min(grace, 8.0), self.simulation.finish, self.job)


def with_replica(free: float, answers: Any, **group: Any) -> tuple[Any, Life, Any]:
    made = Group("g", (0, 1), initial=1, **group)
    simulation = prepared(
        [job("late", 300.0, 1.0, 0.0)], "fifo", nodes(2), pool=Supply(Script(answers), [made]), until=400.0
    )
    life = Life(simulation, free)
    replica = ReplicaJob(id="r", submit=0.0, accelerators=4.0)
    replica.life, life.job = life, replica
    simulation.clock.at(0.0, simulation.submit, replica)
    return simulation, life, replica


def test_a_replica_leaves_by_the_rules_of_its_service() -> None:
    simulation, life, replica = with_replica(0.0, {20.0: [Remove((0,), rule="underutilized")]}, grace=90.0)
    record = simulation.run()
    assert (life.left, replica.end) == ([(20.0, 90.0)], 28.0)
    events = record.tables["events"]
    assert float(events["time"][events["event"] == "node-down"][0]) == 28.0


def test_a_budget_is_asked_again_until_it_lets_the_replica_go() -> None:
    simulation, life, _ = with_replica(43.0, {20.0: [Remove((0,))]})
    simulation.run()
    assert life.left == [(20.0 + 5 * RETRY, 600.0)]


def test_a_replica_is_warned_of_an_interruption_whatever_its_budget() -> None:
    simulation, life, _ = with_replica(1e9, {}, interruptions=[(50.0, 1)], notice=30.0)
    simulation.run()
    assert life.left == [(50.0, 30.0)]


class Saver(NoSaver):
    """Saves a job in some time."""

    def __init__(self, simulation: Any, seconds: float) -> None:
        self.simulation, self.seconds, self.asked = simulation, seconds, 0

    def save_now(self, job: Any, done: Any) -> float:
        self.asked += 1
        self.simulation.clock.after(self.seconds, done)
        return self.seconds


@pytest.mark.parametrize(("seconds", "stopped"), [(12.0, 32.0), (80.0, 60.0)], ids=["in time", "too slow"])
def test_a_job_is_saved_before_it_is_evicted_as_far_as_the_grace_allows(seconds: float, stopped: float) -> None:
    a = job("a", 0.0, 200.0)
    group = Group("g", (0, 1), initial=2, grace=40.0)
    scaler = Script({20.0: [Remove((0,))]})
    simulation = prepared([a], "fifo", nodes(2), pool=Supply(scaler, [group]))
    simulation.gangs.saver = saver = Saver(simulation, seconds)
    record = simulation.run()
    events = record.tables["events"]
    assert events["time"][events["event"] == "preempt"].tolist() == [stopped]
    assert (saver.asked, a.preemptions, a.state) == (1, 1, State.COMPLETED)


def test_a_gang_over_two_nodes_is_evicted_once_and_frees_both() -> None:
    a = job("a", 0.0, 100.0, 8.0)
    scaler = Script({20.0: [Remove((0, 1))]})
    simulation = prepared([a], "fifo", nodes(4), pool=Supply(scaler, [Group("g", (0, 1, 2, 3), initial=2)]), until=90.0)
    record = simulation.run()
    assert a.preemptions == 1
    assert record.tables["series"]["capacity"].tolist()[-1] == 0.0


def test_who_may_not_be_evicted() -> None:
    simulation, life, replica = with_replica(10.0, {})
    disruption = Disruption(simulation)
    assert disruption.forbids(job("a", 0.0, 1.0)) == ""
    assert disruption.forbids(job("a", 0.0, 1.0, preemptible=False)) == "it may not be stopped (preemptible: false)"
    assert disruption.forbids(replica) == "the budget allows 0 replicas to be missing"
    life.free = 0.0
    assert disruption.forbids(replica) == ""
