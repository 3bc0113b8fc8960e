"""Data jobs in a scenario: what may be said, what is refused and how."""

from __future__ import annotations

import pytest

import simulator as sim
from simulator.cli.fleetfacts import fleet_facts
from simulator.core.errors import InputError
from simulator.scenario.build import build, plan
from simulator.scenario.spec import Scenario
from simulator.scenario.taskbuild import PlannedTasks

GOOD = {
    "stages": "[{name: map, tasks: 8, seconds: 3 s}, {name: reduce, tasks: 2, seconds: 1 s, after: map}]",
    "executor": "{cores: 4, slots: 2}",
    "executors": "{kind: spark-dynamic-allocation, max: 4}",
}


def text(rest: str = "", **more: str | None) -> str:
    given = ", ".join(f"{key}: {value}" for key, value in {**GOOD, **more}.items() if value is not None)
    topology = "{build: fleet, groups: [{count: 2, accelerators: 0, cores: 16}]}"
    return f"name: x\ntopology: {topology}\nworkload:\n  etl: {{{given}}}\n{rest}"


def made(**more: str | None) -> PlannedTasks:
    (planned,) = plan(Scenario.load(text(**more))).fleets
    assert isinstance(planned, PlannedTasks)
    return planned


def said(**more: str | None) -> str:
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text(**more)))
    (problem,) = caught.value.problems
    place = ".".join(str(caught.value).partition(" ")[2].partition(": ")[0].split(".")[2:])
    return f"{place}: {problem.text}" + (f" [{problem.hint}]" if problem.hint else "")


def test_what_a_run_is_told() -> None:
    planned = made(arrivals="[0 s, 1 min]")
    one, two = planned.specs
    assert (one.name, two.name, one.submit, two.submit, one.slots) == ("etl-1", "etl-2", 0.0, 60.0, 2)
    assert (one.fleet.cores, one.fleet.minimum, one.fleet.maximum, one.fleet.workload) == (4.0, 1, 4, "etl")
    assert [each.tolist() for each in one.durations] == [[3.0] * 8, [1.0] * 2]
    assert one.followers == [[1], []]
    assert planned.notes == ()


def test_an_autoscaler_that_counts_slots_is_told_those_of_an_executor() -> None:
    keys = Scenario.load(text()).workload["etl"].keys  # type: ignore[union-attr]
    assert keys.sized().scaler.arguments == {"slots": 2}
    own = Scenario.load(text(executors="{kind: dask-adaptive, slots: 7}")).workload["etl"].keys  # type: ignore[union-attr]
    assert own.sized().scaler.arguments == {"slots": 7}
    assert made(executors="3").specs[0].fleet.maximum == 3


def test_stages_without_names_are_called_by_their_position() -> None:
    (spec,) = made(stages="[{tasks: 1, seconds: 1 s}, {tasks: 2, seconds: 1 s, after: 1}]").specs
    assert spec.followers == [[1], []]


def test_laws_may_be_written_either_way() -> None:
    laws = ("{kind: lognormal, mean: 3 s, cv: 0.5}", "{lognormal: {mean: 3 s, cv: 0.5}}")
    one, two = (made(stages=f"[{{tasks: 50, seconds: {law}}}]").specs[0].durations[0].tolist() for law in laws)
    assert one == two
    assert len(dict.fromkeys(one)) == 50


def test_too_many_executors_are_told() -> None:
    assert made(executors="{kind: dask-adaptive, max: 50}").notes == (
        "Data job etl: up to 50 executors are allowed, and the cluster has room for 8 while nothing else runs: no more "
        "are asked for.",
    )


LINES: dict[str, tuple[dict[str, str | None], str]] = {
    "no stages": ({"stages": "[]"}, "stages: must not be empty"),
    "no tasks": ({"stages": "[{tasks: 0, seconds: 3 s}]"}, "stages.0.tasks: 0 is not allowed: it must be at least 1"),
    "no seconds": ({"stages": "[{tasks: 1}]"}, "stages.0.seconds: 'seconds' is missing"),
    "no law": (
        {"stages": "[{tasks: 1, seconds: {kind: lognorml, mean: 3 s}}]"},
        "stages.0.seconds: seconds: unknown law 'lognorml'. Did you mean 'lognormal'?",
    ),
    "a circle": (
        {"stages": "[{name: a, tasks: 1, seconds: 3 s, after: b}, {name: b, tasks: 1, seconds: 3 s, after: [a]}]"},
        "stages: stages wait for each other in a circle: a, b",
    ),
    "after nothing": (
        {"stages": "[{name: map, tasks: 1, seconds: 3 s}, {tasks: 1, seconds: 3 s, after: mop}]"},
        "stages: stage '2' waits for 'mop', which is no stage [Did you mean 'map'? Known: map.]",
    ),
    "a name twice": (
        {"stages": "[{name: a, tasks: 1, seconds: 3 s}, {name: a, tasks: 1, seconds: 3 s}]"},
        "stages: the name 'a' is taken: stage 1 has it already",
    ),
    "no slots": ({"executor": "{cores: 4}"}, "executor.slots: 'slots' is missing"),
    "slots of nothing": ({"executor": "{slots: 0}"}, "executor.slots: 0 is not allowed: it must be at least 1"),
    "no executor": ({"executor": None}, "executor: 'executor' is missing"),
    "no server": (
        {"executor": "{cores: 64, slots: 1}"},
        "executor: an executor of 64 cores fits no server: one with 0 accelerators has 16 cores",
    ),
    "metric": (
        {"executors": "{kind: hpa, metric: kv, target: 0.5}"},
        "executors.metric: a data job has no 'kv' [its metrics are outstanding, queued, arrivals, busy]",
    ),
    "bounds": (
        {"executors": "{kind: spark-dynamic-allocation, min: 3, max: 2}"},
        "executors.max: max (2) is below min (3)",
    ),
    "autoscaler": (
        {"executors": "{kind: spark}"},
        "executors.kind: unknown replica autoscaler 'spark'",
    ),
    "no arrivals": ({"arrivals": "[]"}, "arrivals: must not be empty"),
    "arrivals": ({"arrivals": "5"}, "arrivals: 5 has no unit for a time; write for example '5 min'"),
}


@pytest.mark.parametrize("name", LINES)
def test_what_is_refused(name: str) -> None:
    more, expected = LINES[name]
    assert said(**more).startswith(expected)


def test_a_run_from_a_file() -> None:
    results = sim.run(text())
    row = results.table("applications").iloc[0]
    assert (row["name"], row["tasks"], row["done"], row["reruns"]) == ("etl-1", 10, 10, 0)
    assert row["jct"] == results.summary(["app.jct.mean"]).iloc[0, 0]


def test_the_schema_knows_data_jobs() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(Scenario.json_schema())
    good = Scenario.load(text(arrivals="[0 s, 5 s]", cold_start="{jvm: 5 s}")).data
    assert list(validator.iter_errors(good)) == []
    for key, value in (("stages", []), ("executor", {"cores": 4}), ("colour", "red")):
        data = Scenario.load(text()).data
        data["workload"]["etl"][key] = value
        assert not validator.is_valid(data), key


def test_check_tells_of_tasks_and_room() -> None:
    assert fleet_facts(made(arrivals="[0 s, 1 min]")) == {
        "tasks etl": "2 data jobs of 2 stages and 10 tasks, 26 s of work each",
        "etl executors": "2 tasks at a time each, at most 4 there are: 3.25 s of work in each slot at the least",
    }
