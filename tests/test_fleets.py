"""Fleets of any work: eviction and budgets, starts that are lost, decisions, and what a controller may answer."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import pytest

from simulator.core.clock import Phase
from simulator.core.errors import PolicyError
from simulator.metrics.recorder import Record
from simulator.policies.decision import Decision
from simulator.policies.scheduling.fifo import Fifo
from simulator.runtime.fleets.area import Area
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Seat
from simulator.runtime.fleets.spec import FleetSpec, Step
from simulator.runtime.parts import Part
from simulator.runtime.simulation import Simulation
from simulator.runtime.windows import Maintenance
from simulator.workload.jobs import BatchJob
from tests.serving_world import rows


class Worker:
    """Does nothing, and has as much left as it is told."""

    def __init__(self, number: int, left: float = 0.0) -> None:
        self.number, self.taking, self.outstanding, self.busy = number, False, left, 0.0

    def busy_until(self, now: float) -> float:
        return self.busy

    def stop(self) -> list[str]:
        return ["work"] if self.outstanding else []


class Script:
    """Wants what a table says from each time on."""

    def __init__(self, *wanted: tuple[float, Any], interval: float = 10.0) -> None:
        self.interval, self._wanted = interval, wanted
        self.seen: list[Any] = []

    def step(self, now: float, observation: Any) -> Any:
        self.seen.append(observation)
        return next((value for time, value in reversed(self._wanted) if now >= time), 0)


class Crew(Part):
    """A fleet as a part of a run; ``left`` is what each of its replicas has to do."""

    def __init__(self, scaler: Any, until: float = 1000.0, left: float = 0.0, at: Any = (), **spec: Any) -> None:
        self.left, self.until, self.at = left, until, at
        self.spec = FleetSpec(name="crew", workload="crew", scaler=scaler, accelerators=4, **spec)
        self.lost: list[tuple[int, Any]] = []

    def attach(self, simulation: Simulation) -> None:
        self.simulation = simulation
        area = Area(simulation.clock)
        self.fleet: Fleet[Worker] = Fleet(
            self.spec, simulation, self.make, lambda: Gauges(0, 0, 0, 0, 0, area.until_now()), count(),
            lost=lambda worker, work: self.lost.append((worker.number, work)),
        )  # fmt: skip

    def make(self, seat: Seat[Worker]) -> Worker:
        return Worker(seat.number, self.left)

    def begin(self) -> None:
        self.fleet.begin()
        self.simulation.clock.at(self.until, self.end, phase=Phase.ENDS)
        for time, what in self.at:
            self.simulation.clock.at(time, what, self, phase=Phase.FAILURES)

    def end(self) -> None:
        for seat in self.fleet.seats.values():
            if seat.worker is not None:
                seat.worker.outstanding = 0.0
        self.fleet.close()

    def busy(self) -> bool:
        return self.simulation.clock.now < self.until

    def seat(self, number: int) -> Seat[Worker]:
        return self.fleet.seats[number]


def run(crew: Crew, servers: int = 2, **more: Any) -> Record:
    from simulator.cluster.builders import builders
    from simulator.policies.placement.pack import Pack

    topology = builders.get("servers")(nodes=servers, node="dgx-h100")
    return Simulation(topology=topology, scheduler=Fifo(), placer=Pack(), parts=[crew], **more).run()


def told(record: Record, *kinds: str) -> list[tuple[float, str, str]]:
    table = record.tables["events"]
    chosen = zip(table["time"], table["event"], table["subject"], strict=True)
    return [(float(time), str(event), str(subject)) for time, event, subject in chosen if event in kinds]


def decided(record: Record) -> list[tuple[float, float, float, float, str]]:
    table = record.tables["decisions"]
    names = ("time", "before", "wanted", "applied", "rule")
    return [tuple(row) for row in zip(*(table[name].tolist() for name in names), strict=True)]  # type: ignore[misc]


# -- decisions --------------------------------------------------------------------------------------------------------


def test_decisions_are_written_when_they_change_something_or_have_another_reason() -> None:
    script = Script(
        (0.0, Decision(1, "ratio")),
        (20.0, Decision(1, "tolerance")),
        (40.0, Decision(9, "ratio", {"x": 2.0}, 3)),
        (60.0, 2),
    )
    record = run(Crew(script, until=85.0, maximum=4))
    assert decided(record) == [
        (0.0, 0.0, 1.0, 1.0, "ratio"), (20.0, 1.0, 1.0, 1.0, "tolerance"), (40.0, 1.0, 9.0, 4.0, "ratio"),
        (60.0, 4.0, 2.0, 2.0, ""),
    ]  # fmt: skip
    table = record.tables["decisions"]
    assert (table["controller"][0], table["subject"][0], table["action"][0]) == ("Script", "crew", "scale")
    assert (table["runner_up"][2], table["inputs"][2]) == ("3", '{"x": 2.0}')
    assert len(script.seen) == 9


@pytest.mark.parametrize(
    ("answer", "said"), [(-1, "-1"), (True, "True"), (1.5, "1.5"), ("two", "'two'"), (None, "None")]
)
def test_an_answer_that_is_no_number_of_replicas_ends_the_run(answer: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=f"autoscaler Script at 0 s: step returned {said}, not a number of replicas"):
        run(Crew(Script((0.0, answer))))


def test_an_initial_number_goes_before_the_first_answer() -> None:
    script = Script((0.0, 1))
    record = run(Crew(script, until=25.0, initial=3))
    assert [(time, event) for time, event, _ in told(record, "submit", "replica-drain")] == [
        (0.0, "submit"), (0.0, "submit"), (0.0, "submit"), (10.0, "replica-drain"), (10.0, "replica-drain"),
    ]  # fmt: skip
    assert [seen.ready for seen in script.seen] == [3, 1]


def test_bounds_are_told_to_those_who_want_to_know() -> None:
    class Knowing(Script):
        def bounds(self, minimum: int, maximum: int) -> None:
            self.known = (minimum, maximum)

    script = Knowing((0.0, 1))
    run(Crew(script, until=5.0, minimum=1, maximum=3))
    assert script.known == (1, 3)


# -- starts ---------------------------------------------------------------------------------------------------------


def test_a_start_that_is_cut_short_begins_anew_elsewhere() -> None:
    crew = Crew(Script((0.0, 1), interval=0.0), until=100.0, steps=(Step("image", 20.0), Step("engine", 10.0)))
    record = run(crew, maintenance=[Maintenance(25.0, 50.0, (0,))])
    assert told(record, "cold-start", "replica-ready") == [
        (20.0, "cold-start", "crew/0: image"), (45.0, "cold-start", "crew/0: image"),
        (55.0, "cold-start", "crew/0: engine"), (55.0, "replica-ready", "crew/0"),
    ]  # fmt: skip
    assert crew.lost == []


# -- eviction -------------------------------------------------------------------------------------------------------


def test_an_evicted_replica_is_replaced_at_once_and_leaves_when_it_has_nothing_left() -> None:
    crew = Crew(
        Script((0.0, 2), interval=0.0),
        until=100.0,
        steps=(Step("start", 5.0),),
        at=[(20.0, lambda c: c.seat(0).leave(60.0))],
    )
    record = run(crew)
    assert told(record, "replica-drain", "replica-ready", "submit")[-3:] == [
        (20.0, "replica-drain", "crew/0"), (20.0, "submit", "crew/2"), (25.0, "replica-ready", "crew/2"),
    ]  # fmt: skip
    assert {name: row["end"] for name, row in rows(record, "jobs").items()} == {
        "crew/0": 20.0,
        "crew/1": 100.0,
        "crew/2": 100.0,
    }


@pytest.mark.parametrize(("grace", "gone"), [(60.0, 50.0), (10.0, 30.0)])
def test_what_has_work_left_has_the_shorter_of_its_own_grace_and_the_nodes(grace: float, gone: float) -> None:
    crew = Crew(
        Script((0.0, 1), interval=0.0), until=100.0, left=1.0, grace=30.0, at=[(20.0, lambda c: c.seat(0).leave(grace))]
    )
    record = run(crew)
    assert rows(record, "jobs")["crew/0"]["end"] == gone
    assert crew.lost == [(0, ["work"])]


def test_a_budget_allows_so_many_to_be_missing() -> None:
    said: dict[float, str] = {}

    def ask(crew: Crew, number: int) -> None:
        said[crew.simulation.clock.now] = crew.seat(number).may_leave()

    crew = Crew(
        Script((0.0, 3), interval=0.0), until=100.0, steps=(Step("start", 10.0),), unavailable=1,
        at=[
            (5.0, lambda c: ask(c, 0)), (20.0, lambda c: ask(c, 0)), (20.0, lambda c: c.seat(0).leave(0.0)),
            (21.0, lambda c: ask(c, 1)), (31.0, lambda c: ask(c, 1)),
        ],
    )  # fmt: skip
    run(crew)
    assert said == {
        5.0: "the disruption budget of crew allows 1 replicas to be missing, 3 are",
        20.0: "",
        21.0: "the disruption budget of crew allows 1 replicas to be missing, 1 are",
        31.0: "",
    }


def test_without_a_budget_any_may_leave() -> None:
    said: list[str] = []
    run(Crew(Script((0.0, 2), interval=0.0), until=30.0, at=[(10.0, lambda c: said.append(c.seat(1).may_leave()))]))
    assert said == [""]


def test_an_evicted_replica_that_waits_for_accelerators_just_goes() -> None:
    hog = BatchJob(id="hog", submit=0.0, duration=50.0, accelerators=8)
    crew = Crew(Script((0.0, 1), interval=0.0), until=100.0, at=[(10.0, lambda c: c.seat(0).leave(5.0))])
    record = run(crew, servers=1, jobs=[hog])
    jobs = rows(record, "jobs")
    assert (jobs["crew/0"]["state"], jobs["crew/1"]["start"]) == ("REJECTED", 50.0)
    assert math.isnan(jobs["crew/0"]["start"])
