"""Loads in a scenario: what may be said, what is refused and how, and that the same seed gives the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import simulator as sim
from simulator.cli.fleetfacts import fleet_facts
from simulator.core.errors import InputError
from simulator.scenario.build import build, plan
from simulator.scenario.loads import LoadWork
from simulator.scenario.spec import Scenario

CPU = "{build: fleet, groups: [{count: 2, accelerators: 0, cores: 16, memory: 64 GiB}]}"
MIXED = (
    "{build: fleet, groups: [{count: 2, accelerators: 4, accelerator: a100, cores: 16, memory: 64 GiB}, "
    "{count: 1, accelerators: 8, accelerator: h100, cores: 64, partition: big}, {count: 3, accelerators: 0, cores: 8}]}"
)
GOOD = {
    "load": "100 /s",
    "replica": "{rate: 50 /s, cores: 2}",
    "replicas": "{kind: hpa, metric: busy, target: 0.6, max: 10}",
    "duration": "1 h",
}


def text(topology: str = CPU, rest: str = "", **more: str | None) -> str:
    given = ", ".join(f"{key}: {value}" for key, value in {**GOOD, **more}.items() if value is not None)
    return f"name: x\ntopology: {topology}\nworkload:\n  shop: {{{given}}}\n{rest}"


def made(topology: str = CPU, rest: str = "", **more: str | None) -> Any:
    (planned,) = plan(Scenario.load(text(topology, rest, **more))).fleets
    return planned


def said(topology: str = CPU, rest: str = "", **more: str | None) -> str:
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text(topology, rest, **more)))
    (problem,) = caught.value.problems
    place = ".".join(str(caught.value).partition(" ")[2].partition(": ")[0].split(".")[2:])
    return f"{place}: {problem.text}" + (f" [{problem.hint}]" if problem.hint else "")


def test_defaults() -> None:
    work = Scenario.load(text(replicas=None)).workload["shop"]
    assert isinstance(work, LoadWork)
    keys = work.keys
    assert (keys.interval, keys.noise, keys.randomness, keys.timeout, keys.slo) == (15.0, "none", "none", None, None)
    assert (keys.replicas.fixed, keys.record_interval, keys.preemptible) == (1, 0.0, True)
    spec = made().spec
    assert (spec.fleet.accelerators, spec.fleet.cores, spec.fleet.types, spec.fleet.maximum) == (0.0, 2.0, (), 10)
    assert (spec.demand.times.tolist(), spec.demand.rates.tolist(), spec.demand.end) == ([0.0], [100.0], 3600.0)
    assert (spec.best, spec.patience, spec.slo, spec.random) == (50.0, float("inf"), float("inf"), False)


def test_a_load_ends_with_its_trace_or_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("time,rate\n0,5\n10,6\n", "utf-8")
    shape = f"{{kind: trace, file: {tmp_path / 'd.csv'}}}"
    assert made(duration=None, load=shape).spec.demand.end == 20.0
    assert made(duration=None, rest="run: {until: 2 h}\n").spec.demand.end == 7200.0
    assert made(duration=None, load=shape, rest="run: {until: 5 s}\n").spec.demand.end == 5.0
    assert made(duration="1 min", load=shape).spec.demand.end == 60.0


def test_a_file_is_found_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("time,rate\n0,5\n10,6\n", "utf-8")
    (tmp_path / "s.yaml").write_text(text(load="[{kind: trace, file: d.csv}, 2 /s]", duration="20 s"), "utf-8")
    (planned,) = plan(Scenario.load(tmp_path / "s.yaml")).fleets
    assert planned.spec.demand.total() == pytest.approx(150.0)


def test_rates_by_type_choose_the_servers() -> None:
    spec = made(MIXED, replica="{rate: {a100: 50 /s, h100: 120 /s}}").spec
    assert (spec.fleet.accelerators, spec.fleet.types, spec.best) == (1.0, ("a100", "h100"), 120.0)
    assert (spec.rate("a100"), spec.rate("h100"), spec.fleet.maximum) == (50.0, 120.0, 10)
    shares = made(MIXED, replica="{rate: {a100: 5 /s}, accelerators: 0.5}", replicas="{kind: hpa, max: 99}").spec
    assert shares.fleet.maximum == 16
    assert made(MIXED, replica="{rate: 5 /s, accelerator: h100, accelerators: 0}").spec.fleet.types == ("h100",)


def test_notes_tell_what_cannot_be() -> None:
    (crowded,) = made(replicas="{kind: hpa, max: 99}").notes
    rest = "and the cluster has room for 16 while nothing else runs: no more are asked for."
    assert crowded == f"Load shop: up to 99 replicas are allowed, {rest}"
    (short,) = made(load="{kind: ramp, low: 0 /s, high: 1000 /s, length: 1 h}").notes
    text = "at its peak 997.9 requests/s come, and 10 replicas serve 500; so it is for 30 min of 1 h."
    assert short == f"Load shop: {text}"


LINES: dict[str, tuple[dict[str, str | None], str]] = {
    "negative rate": ({"load": "-5 /s"}, "load: '-5 /s' is negative; a frequency must be 0 or more"),
    "no unit": ({"load": "5"}, "load: 5 has no unit for a frequency; write for example '3 /h'"),
    "no shape": ({"load": "[]"}, "load: there is not a single shape"),
    "unknown shape": (
        {"load": "{kind: diurnl, mean: 5 /s}"},
        "load.kind: unknown load shape 'diurnl' [Did you mean 'diurnal'? Known: azure-functions, bursty, constant,",
    ),
    "shape in a list": (
        {"load": "[5 /s, {kind: ramp, low: 1 /s, high: -1 /s, length: 3 s}]"},
        "load.1.high: '-1 /s' is negative; a frequency must be 0 or more",
    ),
    "no kind": ({"load": "{mean: 5 /s}"}, "load.kind: 'kind' is missing [write load: {kind: NAME}, NAME one of: azure"),
    "unknown key of a shape": (
        {"load": "{kind: constant, rate: 5 /s, colour: 3}"},
        "load.colour: unknown key 'colour' [Known: rate.]",
    ),
    "too large a swing": (
        {"load": "{kind: sine, mean: 5 /s, amplitude: 2}"},
        "load.amplitude: 'sine' cannot be made: amplitude is 2; it is a share of the mean, at most 1",
    ),
    "empty steps": (
        {"load": "{kind: steps, steps: []}"},
        "load.steps: 'steps' cannot be made: steps is empty; write [[0 s, 10 /s], [1 h, 50 /s]]",
    ),
    "no file": ({"load": "{kind: trace, file: nowhere.csv}"}, "load.file: there is no file 'nowhere.csv'"),
    "never ends": (
        {"duration": None},
        "load: it never ends, and neither does the run [write duration: 1 d beside load, or until: 1 d in run]",
    ),
    "too many intervals": (
        {"interval": "1 us"},
        "interval: interval is 1e-06 s: 3,600,000,000 intervals are more than 50,000,000",
    ),
    "bounds": ({"replicas": "{kind: hpa, min: 5, max: 3}"}, "replicas.max: max (3) is below min (5)"),
    "target": (
        {"replicas": "{kind: hpa, metric: busy, target: 0}"},
        "replicas.target: 'hpa' cannot be made: target is 0; it must be above 0",
    ),
    "metric": (
        {"replicas": "{kind: hpa, metric: kv, target: 0.5}"},
        "replicas.metric: a load has no 'kv' [its metrics are outstanding, queued, arrivals, busy]",
    ),
    "metric of several": (
        {"replicas": "{kind: hpa, metrics: [{metric: kv, target: {averageValue: 0.5}}]}"},
        "replicas: a load has no 'kv' [its metrics are outstanding, queued, arrivals, busy]",
    ),
    "no rate": ({"replica": "{cores: 3}"}, "replica.rate: 'rate' is missing"),
    "rate of nothing": (
        {"replica": "{rate: 0 /s}"},
        "replica.rate: a replica that serves '0 /s' serves nothing: it must be above 0",
    ),
    "no types": (
        {"replica": "{rate: {}}"},
        "replica.rate: there is not a single type [write {a100: 50 /s, h100: 100 /s}]",
    ),
    "a part above one": (
        {"replica": "{rate: 5 /s, accelerators: 1.5}"},
        "replica.accelerators: 1.5 accelerators are not allowed: a whole number, or a share of one below 1",
    ),
    "bound of nothing": ({"slo": "{wait: 0 s}"}, "slo.wait: '0 s' is not allowed: it must be greater than 0"),
    "noise": ({"noise": "gauss"}, "noise: 'gauss' is not one of 'none' or 'poisson'"),
    "store": (
        {"cold_start": "{image: {from: reg, size: 5 GB}}"},
        "cold_start: the phase 'image' fetches from 'reg', which is no store",
    ),
    "unknown key": ({"slos": "{wait: 1 s}"}, "slos: unknown key 'slos' [Did you mean 'slo'?"),
}


@pytest.mark.parametrize("name", LINES)
def test_what_is_refused(name: str) -> None:
    more, expected = LINES[name]
    assert said(**more).startswith(expected)


PLACES: dict[str, tuple[str, str]] = {
    "no server": (
        "{rate: 5 /s, cores: 99, memory: 100 GiB}",
        "replica: a replica of 99 cores and 100 GiB of memory fits no server: one with 4 a100 has 16 cores and 64 GiB "
        "of memory; one with 8 h100 has 64 cores; one with 0 accelerators has 8 cores [ask for less, or take larger",
    ),
    "too many accelerators": (
        "{rate: {a100: 5 /s}, accelerators: 8}",
        "replica: a replica of 8 accelerators fits no server: one with 4 a100 has too few of them",
    ),
    "unknown type": (
        "{rate: {a10: 5 /s}}",
        "replica: the cluster has no accelerators 'a10' [Did you mean 'a100'? Known: a100, h100.]",
    ),
    "type without a rate": (
        "{rate: {a100: 5 /s}, accelerator: h100}",
        "replica.accelerator: rate does not say what a replica serves on 'h100'",
    ),
    "partition": (
        "{rate: 5 /s, partition: bag}",
        "replica.partition: no server is in partition 'bag' [Did you mean 'big'?",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_replicas_that_fit_nowhere(name: str) -> None:
    replica, expected = PLACES[name]
    assert said(MIXED, replica=replica).startswith(expected)


def test_alternatives_are_checked_before_the_first_runs() -> None:
    with pytest.raises(InputError, match=r"a replica of 99 cores fits no server.*\(alternative cores 99\)"):
        sim.run(text(rest="compare: {workload.shop.replica.cores: [2, 99]}\n"))


def test_the_same_seed_gives_the_same_bytes() -> None:
    shapes = "[{kind: bursty, base: 10 /s, burst: 300 /s, mean_burst: 5 min, mean_gap: 10 min}, 20 /s]"
    runs = [sim.run(text(load=shapes, noise="poisson", rest=f"seed: {seed}\n")) for seed in (1, 1, 2)]
    one, two, other = (each.table("loads").to_csv() for each in runs)
    assert one == two != other


def test_alternatives_get_the_same_demand() -> None:
    axis = "{few: {kind: fixed, n: 2}, many: {kind: fixed, n: 9}}"
    loads = sim.run(text(noise="poisson", rest=f"compare: {{workload.shop.replicas: {axis}}}\n")).table("loads")
    few, many = (loads[loads.alternative == name] for name in ("few", "many"))
    told = dict(zip(few.time, few.demand, strict=True))
    assert all(told[time] == demand for time, demand in zip(many.time, many.demand, strict=True))


def test_the_schema_knows_loads() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(Scenario.json_schema())
    full = {
        "load": "[{kind: diurnal, mean: 5 /s}, 7 /s]", "noise": "poisson", "slo": "{wait: 1 s}",
        "cold_start": "{image: 20 s}", "monitoring": "{scrape: 15 s}", "timeout": "1 min",
    }  # fmt: skip
    assert list(validator.iter_errors(Scenario.load(text(**full)).data)) == []
    for key, value in (("load", "{kind: saw}"), ("noise", "gauss"), ("replica", "{rate: 5}"), ("colour", "red")):
        data = Scenario.load(text()).data
        data["workload"]["shop"][key] = yaml.safe_load(value)
        assert not validator.is_valid(data), key


def test_check_tells_of_demand_and_room() -> None:
    assert fleet_facts(made(load="{kind: ramp, low: 0 /s, high: 200 /s, length: 1 h}")) == {
        "load shop": "100 requests/s over 1 h, 199.6 at the peak",
        "shop replicas": "50 requests/s each: 4 at the peak, at most 10 there are",
    }
