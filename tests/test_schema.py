"""What a scenario may say, what is refused and how, and what a checked scenario can do."""

from __future__ import annotations

import contextlib
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.core.units import BytesPerSecond, Ratio, Seconds
from simulator.policies.api import Start, schedulers
from simulator.policies.order import by
from simulator.scenario import shipped
from simulator.scenario.arguments import arguments
from simulator.scenario.checking import REPLACED
from simulator.scenario.groupkeys import CarbonFile, InterruptionKeys, LawKeys, NodeGroupKeys, RegionKeys, WarmKeys
from simulator.scenario.jobs import BatchKeys, LayoutKeys, TrainingKeys
from simulator.scenario.loads import LoadKeys, LoadReplicaKeys, LoadSloKeys
from simulator.scenario.network import Flap, NetworkEvent, NetworkKeys
from simulator.scenario.requestkeys import RequestGenerateKeys, RequestKeys, RequestTraceKeys
from simulator.scenario.schema import CloudKeys, CostKeys, RunKeys, ScenarioKeys, _PoolKeys
from simulator.scenario.serviceparts import ScalerKeys
from simulator.scenario.services import (
    AdapterKeys,
    EngineKeys,
    PrefillKeys,
    ReplicaKeys,
    ServiceKeys,
    SloKeys,
    SpeculativeKeys,
)
from simulator.scenario.spec import Scenario
from simulator.scenario.taskjobs import ExecutorKeys, StageKeys, TaskKeys
from simulator.scenario.validation import keys
from simulator.scenario.workloads import (
    GeneratedWork,
    GenerateKeys,
    JobsWork,
    TraceKeys,
    TraceWork,
    TransferKeys,
    TransfersWork,
)
from simulator.scenario.yamltext import parse

DOCS = Path(__file__).parents[1] / "docs" / "scenario.md"

GOOD = """\
name: a test
topology: {build: fat-tree, k: 4, link: infiniband-ndr}
workload:
  batch: {jobs: [{accelerators: 8, duration: 1 h}]}
"""


def message(text: str, *overrides: Any, allow_code: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        Scenario.load(text, overrides, allow_code=allow_code)
    return str(caught.value)


def complaint(line: str) -> str:
    """What is said about a scenario that is right but for ``line``, which becomes line 5."""
    return message(f"{GOOD}{line}\n")


def test_defaults() -> None:
    scenario = Scenario.load(GOOD)
    assert (scenario.name, scenario.seed, scenario.measure, scenario.expect) == ("a test", 0, (), ())
    assert (scenario.keys.scheduler.kind, scenario.keys.placement.kind) == ("fifo", "pack")
    assert (scenario.pool, scenario.cost) == (None, None)
    assert (scenario.network.contention, scenario.network.routing) == ("max-min", "ecmp")
    run = scenario.run
    assert (run.until, run.warmup, run.replications, run.workers, run.restart) == (None, 0.0, 1, None, 0.0)


def test_quantities_become_si() -> None:
    scenario = Scenario.load(
        GOOD + "run: {until: 30 d, warmup: 6 h, restart: 30 s}\n"
        "cost: {capex: $2.5 M, life: 4 y, electricity: $0.11/kWh, pue: 125 %}\n"
        "scheduler: {kind: las, quantum: 5 min}\n"
        "network: {capacity_events: [{time: 1 h, link: 0, capacity: 100 Gb/s}]}\n"
        "autoscaler: {kind: target-tracking, target: 80 %, min: 1, max: 4, provision: 3 min}\n"
    )
    assert (scenario.run.until, scenario.run.warmup, scenario.run.restart) == (2592000.0, 21600.0, 30.0)
    cost = scenario.cost
    assert cost is not None
    assert (cost.capex, cost.life, cost.pue) == (2.5e6, 4 * 31557600.0, 1.25)
    assert cost.electricity == pytest.approx(0.11 / 3.6e6)
    assert scenario.keys.scheduler.arguments == {"quantum": 300.0}
    event = scenario.network.capacity_events[0]
    assert (event.time, event.link, event.capacity) == (3600.0, 0, 12.5e9)
    pool = scenario.pool
    assert pool is not None
    assert (pool.minimum, pool.maximum, pool.initial, pool.provision) == (1, 4, None, 180.0)
    assert pool.autoscaler.arguments == {"target": 0.8}


def test_numbers_with_exponents_are_numbers_where_numbers_are_wanted_and_names_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("timestamp,duration,num_gpus,gpu_time,cluster\n")
    (tmp_path / "s.yaml").write_text(
        "name: x\nseed: 1e3\ntopology: {build: pool, accelerators: 1e2}\nrun: {until: 1e3 s}\nworkload:\n"
        "  a: {trace: jobs.csv, format: philly, tenant: [6214e9, 007], scale_arrivals: 1e-1, limit: 1e5}\n"
        "  b: {jobs: [{accelerators: 1e1, duration: 1e3 s, priority: 1e3}]}\n"
    )
    scenario = Scenario.load(tmp_path / "s.yaml")
    a, b = scenario.workload.values()
    assert isinstance(a, TraceWork)
    assert isinstance(b, JobsWork)
    assert (scenario.seed, scenario.run.until, scenario.data["seed"]) == (1000, 1000.0, "1e3")
    assert (a.keys.tenant, a.keys.scale_arrivals, a.keys.limit) == (["6214e9", "007"], 0.1, 100_000)
    assert (b.jobs[0].accelerators, b.jobs[0].priority) == (10.0, 1000.0)
    assert "seed: '1e-3' is not a whole number" in complaint("seed: 1e-3")
    assert "seed: '007' is not a whole number" in complaint("seed: 007")


def test_the_kinds_of_work(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("submit,duration,accelerators\n0,10,1\n")
    (tmp_path / "s.yaml").write_text(
        "name: x\ntopology: {build: pool, accelerators: 8}\nworkload:\n"
        "  a: {trace: jobs.csv, format: generic, tenant: 7, from: 1 h, until: 2017-10-09, limit: 5,\n"
        "      scale_arrivals: 1.2, communication: 10 %, estimates: exact, oversize: error, delimiter: ','}\n"
        "  b: {generate: poisson, jobs: 10, rate: 3 /h, size: {1: 0.5, 8: 0.5}}\n"
        "  c: {jobs: [{id: 7, accelerators: 0.5, duration: 1 h}, {kind: training, accelerators: 2, iterations: 5,\n"
        "      compute: 1 s, gradient: 1 GB, overlap: 50 %, tenant: me}]}\n"
        "  d: {transfers: [{src: 0, dst: 1, bytes: 1 GB}, {route: [0, 1], bytes: 1 GB, start: 1 s}]}\n"
    )
    work = Scenario.load(tmp_path / "s.yaml").workload
    a, b, c, d = work.values()
    assert isinstance(a, TraceWork)
    assert (a.path, a.options, a.keys.tenant) == (tmp_path / "jobs.csv", {"delimiter": ","}, ["7"])
    assert (a.keys.from_, a.keys.until, a.keys.communication) == ("1 h", "2017-10-09", 0.1)
    assert isinstance(b, GeneratedWork)
    assert b.options == {"jobs": 10, "rate": 3 / 3600, "size": {1.0: 0.5, 8.0: 0.5}}
    assert isinstance(c, JobsWork)
    assert [(job.kind, job.id, job.tenant) for job in c.jobs] == [("batch", "7", ""), ("training", None, "me")]
    assert isinstance(d, TransfersWork)
    assert [(t.src, t.dst, t.bytes, t.start, t.route) for t in d.transfers] == [
        ("0", "1", 1e9, 0.0, None),
        (None, None, 1e9, 1.0, [0, 1]),
    ]


SECTIONS = ", ".join(sorted(ScenarioKeys.model_fields)[:20]) + f", ... ({len(ScenarioKeys.model_fields)} in all)"
OPEN = ("\n", "NAME one of: ", "Known: ", "Did you mean 'fifo", "Did you mean 'jct.p")
"""What the beginning of a message ends with where the rest depends on what is installed."""
LINES = {
    "unknown key": (
        "schedular: fifo",
        "<text>:5:1 schedular: unknown key 'schedular'\n    schedular: fifo\n    ^\n"
        f"    Did you mean 'scheduler'? Known: {SECTIONS}.",
    ),
    "nested unknown key": (
        "run: {untill: 3 d}",
        "<text>:5:7 run.untill: unknown key 'untill'\n    run: {untill: 3 d}\n          ^\n"
        "    Did you mean 'until'? Known: explain, replications, restart, until, warmup, workers.",
    ),
    "no unit": (
        "run: {until: 30}",
        "<text>:5:14 run.until: 30 has no unit for a time; write for example '5 min'\n"
        "    run: {until: 30}\n                 ^",
    ),
    "wrong unit": (
        "cost: {electricity: $0.11/h}",
        "<text>:5:21 cost.electricity: '$0.11/h' has unknown unit '$/h' (did you mean '$/kWh'?) for an energy price; "
        "write for example '$0.11/kWh'\n    cost: {electricity: $0.11/h}\n                        ^",
    ),
    "negative": (
        "run: {warmup: -1 h}",
        "<text>:5:15 run.warmup: '-1 h' is negative; a time must be 0 or more\n"
        "    run: {warmup: -1 h}\n                  ^",
    ),
    "not a number": (
        "cost: {pue: .nan}",
        "<text>:5:13 cost.pue: nan is not finite; write for example '0.7 or 70 %'\n"
        "    cost: {pue: .nan}\n                ^",
    ),
    "text for a number": (
        "seed: yes",
        "<text>:5:7 seed: 'yes' is not a whole number\n    seed: yes\n          ^",
    ),
    "true for a number": (
        "seed: true",
        "<text>:5:7 seed: True is not a whole number\n    seed: true\n          ^",
    ),
    "number for text": (
        "description: 3",
        "<text>:5:14 description: 3 is not text\n    description: 3\n                 ^",
    ),
    "list for a mapping": (
        "run: [1, 2]",
        "<text>:5:1 run: a list is not a mapping (key: value)\n    run: [1, 2]\n    ^",
    ),
    "too few replications": (
        "run: {replications: 0}",
        "<text>:5:21 run.replications: 0 is not allowed: it must be at least 1\n"
        "    run: {replications: 0}\n                        ^",
    ),
    "half a replication": (
        "run: {replications: 1.5}",
        "<text>:5:21 run.replications: 1.5 is not a whole number\n"
        "    run: {replications: 1.5}\n                        ^",
    ),
    "warm-up too long": (
        "run: {until: 1 h, warmup: 2 h}",
        "<text>:5:27 run.warmup: a warm-up of 7200 s leaves nothing to measure: the run ends at 3600 s\n"
        "    run: {until: 1 h, warmup: 2 h}\n                              ^\n    make warmup shorter than until",
    ),
    "unknown choice": (
        "network: {contention: maxmin}",
        "<text>:5:23 network.contention: 'maxmin' is not one of 'max-min' or 'none'\n"
        "    network: {contention: maxmin}\n                          ^\n    Did you mean 'max-min'?",
    ),
    "unknown scheduler": (
        "scheduler: {kind: fifoo}",
        "<text>:5:19 scheduler.kind: unknown scheduler 'fifoo'\n"
        "    scheduler: {kind: fifoo}\n                      ^\n    Did you mean 'fifo'? Known: ",
    ),
    "unknown scheduler, short": (
        "scheduler: fifoo",
        "<text>:5:12 scheduler: unknown scheduler 'fifoo'\n"
        "    scheduler: fifoo\n               ^\n    Did you mean 'fifo",
    ),
    "scheduler without a kind": (
        "scheduler: {quantum: 5 min}",
        "<text>:5:1 scheduler.kind: 'kind' is missing\n    scheduler: {quantum: 5 min}\n    ^\n"
        "    write scheduler: {kind: NAME}, NAME one of: ",
    ),
    "scheduler that is a number": (
        "scheduler: 3",
        "<text>:5:12 scheduler: 3 is not a scheduler\n    scheduler: 3\n               ^\n"
        "    write scheduler: {kind: NAME}, NAME one of: ",
    ),
    "parameter of another scheduler": (
        "scheduler: {kind: fifo, quantum: 5 min}",
        "<text>:5:25 scheduler.quantum: unknown key 'quantum'\n"
        "    scheduler: {kind: fifo, quantum: 5 min}\n                            ^\n    Known: none.",
    ),
    "wrong parameter": (
        "scheduler: {kind: las, quantum: 5}",
        "<text>:5:33 scheduler.quantum: 5 has no unit for a time; write for example '5 min'\n"
        "    scheduler: {kind: las, quantum: 5}\n                                    ^",
    ),
    "refused by the policy itself": (
        "autoscaler: {kind: target-tracking, target: 150 %}",
        "<text>:5:45 autoscaler.target: 'target-tracking' cannot be made: target is 1.5; it must be above 0 and at "
        "most 1\n    autoscaler: {kind: target-tracking, target: 150 %}\n" + " " * 48 + "^",
    ),
    "pool out of order": (
        "autoscaler: {kind: target-tracking, min: 3, max: 2}",
        "<text>:5:50 autoscaler.max: max (2) is below min (3)\n"
        "    autoscaler: {kind: target-tracking, min: 3, max: 2}\n" + " " * 53 + "^",
    ),
    "pool that starts outside": (
        "autoscaler: {kind: target-tracking, min: 3, initial: 2}",
        "<text>:5:54 autoscaler.initial: initial (2) is not between min (3) and max (None)\n",
    ),
    "code without leave": (
        "scheduler: policies/mine.py:Ageing",
        "<text>:5:12 scheduler: 'policies/mine.py:Ageing' is code, and a scenario file may not run code by itself\n"
        "    scheduler: policies/mine.py:Ageing\n               ^\n"
        "    read that file first; then pass --allow-code, or allow_code=True from Python",
    ),
    "unknown measure": (
        "measure: [jct.mean, jct.p51]",
        "<text>:5:21 measure.1: unknown measure 'jct.p51'\n"
        "    measure: [jct.mean, jct.p51]\n                        ^\n    Did you mean 'jct.p",
    ),
    "expectation of an unknown alternative": (
        "expect: [las.jct.mean <= 3 h]",
        "<text>:5:10 expect.0: expectation 'las.jct.mean <= 3 h' names an unknown alternative 'las'\n"
        "    expect: [las.jct.mean <= 3 h]\n             ^\n    Known: a test.",
    ),
    "capex": (
        "cost: {capex: catalogue}",
        "<text>:5:15 cost.capex: 'catalogue' is not a capex\n    cost: {capex: catalogue}\n                  ^\n"
        "    write catalog, none, or an amount such as $2.5 M",
    ),
    "bought and rented": (
        "cost: {electricity: $0.1/kWh, cloud: $2/h}",
        "<text>:5:38 cost.cloud: 'cloud' and 'electricity' count the same accelerators twice\n"
        "    cost: {electricity: $0.1/kWh, cloud: $2/h}\n                                         ^\n"
        "    a cluster is rented (cloud) or bought (capex, electricity)",
    ),
    "commas in braces": (
        "cost: {capex: $2,500}",
        "<text>:5:18 cost.500: unknown key '500'\n    cost: {capex: $2,500}\n                     ^\n"
        "    inside { } a comma ends a value: put a number that has commas in quotes",
    ),
    "kind of cloud price": (
        "cost: {cloud: {provider: AWS, kind: spotty}}",
        "<text>:5:37 cost.cloud.kind: 'spotty' is not one of 'on-demand', 'spot', '1y' or '3y'\n"
        "    cost: {cloud: {provider: AWS, kind: spotty}}\n                                        ^\n"
        "    Did you mean 'spot'?",
    ),
    "axis without alternatives": (
        "compare: {scheduler: {}}",
        "<text>:5:11 compare.scheduler: there is not a single alternative\n",
    ),
    "axis of nonsense": (
        "compare: {designs: {a: 3}}",
        "<text>:5:24 compare.designs.a: the alternative 'a' is not a mapping of overrides\n"
        "    compare: {designs: {a: 3}}\n                           ^\n"
        f"    an axis is a section ({', '.join(REPLACED)}), a key path, or holds {{key.path: value}} sets",
    ),
    "name of an alternative": (
        "compare: {scheduler: {a/b: fifo}}",
        "<text>:5:23 compare.scheduler.a/b: 'a/b' is not a name for an alternative\n"
        "    compare: {scheduler: {a/b: fifo}}\n                          ^\n    1 to 60 characters, no slash",
    ),
    "wrong alternative": (
        "compare: {scheduler: {a: fifo, b: {kind: las, quantm: 1 s}}}",
        "<text>:5:47 scheduler.quantm: unknown key 'quantm'\n"
        "    compare: {scheduler: {a: fifo, b: {kind: las, quantm: 1 s}}}\n" + " " * 50 + "^\n"
        "    Did you mean 'quantum'? Known: quantum.",
    ),
    "override of nothing": (
        "compare: {designs: {a: {topology.lnk: x}}}",
        "<text>:5:25 topology.lnk: unknown key 'lnk'\n    compare: {designs: {a: {topology.lnk: x}}}\n"
        "                            ^\n    Did you mean 'link'? Known: k, link, node, nodes, oversubscription.",
    ),
    "too many alternatives": (
        "compare: {a: {"
        + ", ".join(f"x{i}: {{}}" for i in range(101))
        + "}, b: {"
        + ", ".join(f"y{i}: {{}}" for i in range(101))
        + "}}",
        "<text>:5:1 compare: the axes make 10,201 alternatives; at most 10,000 are allowed\n",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_wrong_lines(name: str) -> None:
    line, expected = LINES[name]
    said = complaint(line)
    assert said.startswith(expected) if expected.endswith(OPEN) else said == expected


WORK = {
    "no kind": (
        "{}",
        "workload.w: a workload has exactly one of trace, generate, jobs, transfers, service, load, stages; this "
        "one has neither of them",
    ),
    "no kind, nearly": ("{trac: x.csv}", "this one has neither of them"),
    "two kinds": (
        "{trace: x.csv, jobs: [{}]}",
        "a workload has exactly one of trace, generate, jobs, transfers, service, load, stages; this one has both "
        "'trace' and 'jobs'",
    ),
    "not a mapping": ("3", "workload.w: 3 is not a workload"),
    "no format": ("{trace: x.csv}", "workload.w.format: 'format' is missing"),
    "unknown format": ("{trace: x.csv, format: phily}", "workload.w.format: unknown format 'phily'"),
    "no file": ("{trace: x.csv, format: philly}", "workload.w.trace: there is no file 'x.csv'"),
    "option of another format": (
        "{trace: x.csv, format: philly, delimiter: ','}",
        "workload.w.delimiter: unknown key 'delimiter'",
    ),
    "not a moment": (
        "{trace: x.csv, format: philly, from: later}",
        "workload.w.from: 'later' is neither a time since the start of the trace nor a date",
    ),
    "all communication": (
        "{trace: x.csv, format: philly, communication: 1}",
        "workload.w.communication: a share of 1 is not allowed: it must be at least 0 and less than 1",
    ),
    "no arrivals": (
        "{trace: x.csv, format: philly, scale_arrivals: 0}",
        "workload.w.scale_arrivals: 0 is not allowed: it must be greater than 0",
    ),
    "unknown generator": ("{generate: poison, jobs: 3}", "workload.w.generate: unknown generator 'poison'"),
    "generator without jobs": ("{generate: poisson}", "workload.w.jobs: 'jobs' is missing"),
    "wrong mean": (
        "{generate: poisson, jobs: 3, mean: 5}",
        "workload.w.mean: 5 has no unit for a time; write for example '5 min'",
    ),
    "no jobs": ("{jobs: []}", "workload.w.jobs: must not be empty"),
    "jobs that are none": ("{jobs: [3]}", "workload.w.jobs.0: 3 is not a job"),
    "unknown kind of job": (
        "{jobs: [{kind: traning, accelerators: 1}]}",
        "workload.w.jobs.0.kind: unknown kind of job 'traning'",
    ),
    "job without duration": ("{jobs: [{accelerators: 1}]}", "workload.w.jobs.0.duration: 'duration' is missing"),
    "job of a part of some": (
        "{jobs: [{accelerators: 1.5, duration: 1 h}]}",
        "workload.w.jobs.0.accelerators: 1.5 accelerators are not allowed: a whole number, or a part of one below 1",
    ),
    "job of less than nothing": (
        "{jobs: [{accelerators: -1, duration: 1 h}]}",
        "workload.w.jobs.0.accelerators: -1 accelerators are not allowed",
    ),
    "training with half an iteration": (
        "{jobs: [{accelerators: 1, iterations: 0.5, compute: 1 s, gradient: 1 GB}]}",
        "workload.w.jobs.0.iterations: 0.5 is not a whole number",
    ),
    "two jobs of one name": (
        "{jobs: [{id: a, accelerators: 1, duration: 1 h}, {id: a, accelerators: 1, duration: 1 h}]}",
        "workload.w.jobs.1: the id 'a' is taken: item 0 has it already",
    ),
    "transfer without an end": (
        "{transfers: [{src: a, bytes: 1 GB}]}",
        "workload.w.transfers.0: 'dst' is missing",
    ),
    "transfer of bare bytes": (
        "{transfers: [{src: a, dst: b, bytes: 100}]}",
        "workload.w.transfers.0.bytes: 100 has no unit for an amount of data; write for example '80 GiB'",
    ),
}


@pytest.mark.parametrize("name", WORK)
def test_wrong_workloads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, expected = WORK[name]
    said = message(f"name: x\ntopology: {{build: pool, accelerators: 8}}\nworkload:\n  w: {text}\n")
    assert expected in said
    assert said.startswith("<text>:4:")
    assert f"\n      w: {text}\n" in said


def test_names_of_workloads() -> None:
    said = message(GOOD + "  a.b: {jobs: [{accelerators: 1, duration: 1 h}]}\n")
    assert said.startswith("<text>:5:3 workload.a.b: 'a.b' is not a name for a workload\n")
    assert "no spaces, dots or slashes" in said


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    said = message(
        "nam: x\n"
        "topology: {build: fat-tre, k: 3}\n"
        "workload:\n"
        "  a: {jobs: [{accelerators: 1.5, duration: 1}]}\n"
        "  a: 3\n"
        "scheduler: {kind: fif0}\n"
        "run: {until: 1 h, replications: 0}\n"
        "compare: {scheduler: [fifo, sjff]}\n",
        "cost.pue=0.5",
    )
    places = re.findall(r"^(?:<text>:(\d+):\d+ ?)?([\w.]*): ", said, re.MULTILINE)
    assert places == [
        ("", "cost.pue"),
        ("1", "name"),
        ("1", "nam"),
        ("2", "topology.build"),
        ("4", "workload.a.jobs.0.accelerators"),
        ("4", "workload.a.jobs.0.duration"),
        ("5", ""),
        ("6", "scheduler.kind"),
        ("7", "run.replications"),
        ("8", "scheduler"),
    ]


def test_a_scenario_is_a_mapping() -> None:
    assert message("- a\n- b\n").startswith("<text>:1:1: a scenario is a mapping of keys\n")


def test_problems_of_included_files_name_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("run:\n  untill: 3 d\n")
    Path("top.yaml").write_text("include: base.yaml\n" + GOOD)
    assert message("top.yaml").startswith("base.yaml:2:3 run.untill: unknown key 'untill'\n      untill: 3 d\n")


def test_topology_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pod.yaml").write_text("name: a pod\nbuild: pool\naccelerators: 8\n")
    Path("bad.yaml").write_text("build: pool\nacelerators: 8\naccelerators: x\n")
    text = GOOD.replace("{build: fat-tree, k: 4, link: infiniband-ndr}", "pod.yaml")
    scenario = Scenario.load(text)
    assert scenario.topology.file == tmp_path / "pod.yaml"
    assert scenario.topology.build is not None
    assert scenario.topology.build.arguments == {"accelerators": 8}
    assert Scenario.load(text, "topology={file: pod.yaml}").topology == scenario.topology
    assert message(text.replace("pod", "bad")) == (
        "bad.yaml:2:1 acelerators: unknown key 'acelerators'\n    acelerators: 8\n    ^\n"
        "    Did you mean 'accelerators'? Known: accelerator, accelerators, description, name.\n"
        "bad.yaml:3:15 accelerators: 'x' is not a whole number\n    accelerators: x\n                  ^"
    )
    assert message(text.replace("pod", "pdo")).startswith(
        "<text>:2:11 topology: there is no topology file or shipped topology 'pdo.yaml'\n"
    )
    assert message(text, "topology.link=x").startswith("topology.link: 'link' means nothing beside 'file'\n")


@dataclass
class Thing:
    """A plug-in with every kind of parameter."""

    count: int
    period: Seconds
    speed: BytesPerSecond | None = None
    share: Ratio = 1.0
    mode: Literal["slow", "fast"] = "slow"
    steps: list[Seconds] = field(default_factory=list)
    pair: tuple[int, ...] = ()
    weights: dict[float, Seconds] | None = None
    flag: bool = False
    label: str | int = ""


def test_arguments_follow_the_signature() -> None:
    given_text = (
        "{count: 3, period: 5 min, speed: 400 Gb/s, share: 70 %, mode: fast, steps: [1 s, 2 min], pair: [1, 2], "
        "weights: {1: 1 s, 0.5: 2 s}, flag: true, label: 7}"
    )
    found = arguments(Thing, parse(given_text).plain())
    assert Thing(**found) == Thing(3, 300.0, 50e9, 0.7, "fast", [1.0, 120.0], (1, 2), {1.0: 1.0, 0.5: 2.0}, True, 7)
    assert arguments(Thing, {"count": 3, "period": 0}) == {"count": 3, "period": 0.0}


def test_arguments_that_do_not_fit() -> None:
    text = "thing:\n  count: 3.5\n  perod: 1 s\n  steps: [1 s, 2]\n  mode: fats\n  flag: 1\n  label: []\n  pair: [x]\n"
    tree = parse(text, "f.yaml")
    with pytest.raises(InputError) as caught:
        arguments(Thing, tree.plain()["thing"], (tree, ("thing",)))
    said = [(p.line, p.path, p.text) for p in caught.value.problems]
    assert sorted(said, key=lambda item: (item[0] or 0, item[1] or "")) == [
        (1, "thing.period", "'period' is missing"),
        (2, "thing.count", "3.5 is not a whole number"),
        (3, "thing.perod", "unknown key 'perod'"),
        (4, "thing.steps.1", "2 has no unit for a time; write for example '5 min'"),
        (5, "thing.mode", "'fats' is not one of 'slow' or 'fast'"),
        (6, "thing.flag", "1 is not true or false"),
        (7, "thing.label", "a list is not text; or a list is not a whole number"),
        (8, "thing.pair.0", "'x' is not a whole number"),
    ]


def test_arguments_of_functions() -> None:
    def make(draws: object, size: Seconds, *rest: int, json: float = 1.0) -> None: ...

    def anything(size: Seconds, **more: Any) -> None: ...

    assert arguments(make, {"size": "1 h", "json": 2}, skip=("draws",)) == {"size": 3600.0, "json": 2.0}
    assert arguments(anything, {"size": "1 h", "other": [1]}) == {"size": 3600.0, "other": [1]}
    with pytest.raises(InputError, match="unknown key 'sise'"):
        arguments(make, {"sise": "1 h"}, skip=("draws",))


def smallest_first(view: Any, weight: float = 1.0) -> Iterator[Start]:
    for job in sorted(view.queue, key=lambda job: weight * job.size):
        yield Start(job)


class Ageing:
    """A policy with a parameter and a state."""

    def __init__(self, rate: Seconds = 1.0) -> None:
        if rate > 100:
            raise ValueError("rate is too much")
        self.rate = rate
        self.seen: list[int] = []

    def schedule(self, view: Any) -> Iterator[Start]:
        return smallest_first(view)


def from_dict(scheduler: Any, **more: Any) -> Scenario:
    return Scenario.from_dict({**parse(GOOD).plain(), "scheduler": scheduler, **more})


def test_policies_from_python() -> None:
    assert from_dict(smallest_first).keys.scheduler.make().name == "smallest_first"
    assert from_dict({"kind": smallest_first, "weight": 2}).keys.scheduler.make().schedule.keywords == {"weight": 2.0}
    assert from_dict(Ageing).keys.scheduler.make().rate == 1.0
    assert from_dict({"kind": Ageing, "rate": "10 s"}).keys.scheduler.make().rate == 10.0
    assert hasattr(from_dict(by(lambda job: job.size, "size")).keys.scheduler.make(), "schedule")
    with pytest.raises(InputError, match=r"'Ageing' cannot be made: rate is too much"):
        from_dict({"kind": Ageing, "rate": "1 h"})
    with pytest.raises(InputError, match=r"scheduler.speed: unknown key 'speed'"):
        from_dict({"kind": Ageing(), "speed": 3})
    with pytest.raises(InputError, match=r"scheduler.count: 'count' is missing"):
        from_dict(Thing)


def test_an_object_is_copied_for_each_run() -> None:
    policy = Ageing()
    scenario = from_dict(policy)
    scenario.keys.scheduler.make().seen.append(1)
    assert policy.seen == []
    assert scenario.keys.scheduler.make().seen == []


def test_policies_from_python_travel_to_workers() -> None:
    scenario = from_dict(by(lambda job: job.size), compare={"scheduler": {"mine": smallest_first, "fifo": "fifo"}})
    copy = pickle.loads(cloudpickle.dumps(scenario))
    assert copy.digest == scenario.digest
    assert list(copy.alternatives()) == ["mine", "fifo"]
    assert copy.alternatives()["mine"].keys.scheduler.make().name == "smallest_first"


def test_code_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.py").write_text(
        "from simulator.core.units import Seconds\n"
        "class Ageing:\n"
        "    def __init__(self, rate: Seconds = 1.0): self.rate = rate\n"
        "    def schedule(self, view): return ()\n"
        "def tier_two(view, weight: float = 1.0): return ()\n"
        "class NoPolicy: pass\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(GOOD + "scheduler: {kind: 'policies/mine.py:Ageing', rate: 3 min}\n")
    scenario = Scenario.load(path, allow_code=True)
    assert scenario.keys.scheduler.make().rate == 180.0
    assert pickle.loads(cloudpickle.dumps(scenario)).keys.scheduler.make().rate == 180.0
    other = scenario.with_({"scheduler": None}).with_({"seed": 3})
    assert other.keys.scheduler.kind == "fifo"
    path.write_text(GOOD + "scheduler: {kind: 'policies/mine.py:tier_two', weight: 3}\n")
    assert Scenario.load(path, allow_code=True).keys.scheduler.make().schedule("view") == ()
    for name, said in {
        "policies/mine.py:Agein": "mine.py has no 'Agein'\n",
        "policies/mien.py:Ageing": "there is no file ",
        "policies/mine.py:NoPolicy": "is not a scheduler: it has no method 'schedule'",
    }.items():
        path.write_text(GOOD + f"scheduler: {{kind: '{name}'}}\n")
        assert said in message(str(path), allow_code=True)
        assert "is code" in message(str(path))
    path.write_text(GOOD + "scheduler: {kind: 'policies/mine.py:Ageing', rte: 3 min}\n")
    assert f"{path}:5:46 scheduler.rte: unknown key 'rte'" in message(str(path), allow_code=True)


COMPARED = (
    GOOD
    + """\
compare:
  scheduler: {fifo: fifo, short: {kind: sjf}}
  designs: {base: {}, ethernet: {topology.link: ethernet-100g-tcp, run.until: 3 d}}
expect: ["short/base.jct.mean <= fifo/base.jct.mean"]
"""
)


def test_alternatives_are_the_product_of_the_axes() -> None:
    made = Scenario.load(COMPARED).alternatives()
    assert list(made) == ["fifo/base", "fifo/ethernet", "short/base", "short/ethernet"]
    assert [s.keys.scheduler.kind for s in made.values()] == ["fifo", "fifo", "sjf", "sjf"]
    ethernet = made["short/ethernet"].data
    assert (ethernet["topology"]["link"], ethernet["run"]) == ("ethernet-100g-tcp", {"until": "3 d"})
    assert "compare" not in ethernet
    assert "expect" not in ethernet
    assert made["short/base"].data["topology"]["link"] == "infiniband-ndr"


def test_without_compare_there_is_one_alternative() -> None:
    scenario = Scenario.load(GOOD)
    assert scenario.alternatives() == {"a test": scenario}


def test_an_axis_may_be_a_list_of_names() -> None:
    assert list(Scenario.load(GOOD + "compare: {scheduler: [fifo, sjf]}\n").alternatives()) == ["fifo", "sjf"]


def test_an_axis_may_give_what_the_scenario_leaves_out() -> None:
    text = (
        "name: x\nworkload: {a: {jobs: [{accelerators: 1, duration: 1 h}]}}\n"
        "compare: {topology: {small: {build: pool, accelerators: 1}, large: {build: pool, accelerators: 2}}}\n"
    )
    made = Scenario.load(text).alternatives()
    assert [s.data["topology"]["accelerators"] for s in made.values()] == [1, 2]
    assert "2:1 workload" not in message(text.replace("accelerators: 2", "accelerators: x"))
    assert message("name: x\n").startswith("<text>:1:1 topology: 'topology' is missing")


def test_no_autoscaler_is_an_alternative() -> None:
    text = GOOD + "compare: {autoscaler: {fixed: none, elastic: {kind: target-tracking}, also: null}}\n"
    pools = [scenario.pool for scenario in Scenario.load(text).alternatives().values()]
    assert [pool is None for pool in pools] == [True, False, True]


def test_copies() -> None:
    scenario = Scenario.load(GOOD)
    assert scenario.with_(seed=3).seed == 3
    assert scenario.with_(run__until="3 d", run__replications=2).run.until == 259200.0
    assert scenario.with_({"topology.k": 8}).data["topology"]["k"] == 8
    assert scenario.with_({"scheduler": {"kind": "sjf"}}).with_(scheduler=None).keys.scheduler.kind == "fifo"
    assert (scenario.seed, scenario.data["topology"]["k"]) == (0, 4)
    assert scenario.with_(seed=3).with_({"run.until": "1 d"}).changes == ("seed = 3", "run.until = '1 d'")
    with pytest.raises(InputError) as caught:
        scenario.with_({"topology.lnk": "x"})
    assert str(caught.value) == (
        "topology.lnk: unknown key 'lnk'\n    topology.lnk = 'x'\n"
        "    Did you mean 'link'? Known: k, link, node, nodes, oversubscription."
    )
    with pytest.raises(AttributeError):
        scenario.seed = 4  # type: ignore[misc]


def test_variants_share_a_baseline() -> None:
    made = Scenario.load(GOOD).variants({"small": {}, "large": {"topology.k": 8}})
    assert made["large"].baseline is made["small"].root


def test_data_is_a_copy() -> None:
    scenario = Scenario.load(GOOD)
    scenario.data["topology"]["k"] = 99
    assert scenario.data["topology"]["k"] == 4


def test_the_digest_knows_content_only(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text(GOOD)
    b.write_text("# comment\n" + GOOD.replace("{build: fat-tree, k: 4, link", "{k: 4, build: fat-tree, link"))
    assert Scenario.load(a).digest == Scenario.load(b).digest == Scenario.load(GOOD).digest
    assert Scenario.load(GOOD).digest != Scenario.load(GOOD, "seed=1").digest
    assert Scenario.load(Scenario.load(GOOD, "seed=1").resolved).digest == Scenario.load(GOOD, "seed=1").digest
    assert from_dict(smallest_first).digest == from_dict(smallest_first).digest
    assert "0x" not in from_dict(by(lambda job: 1)).resolved


def test_text_path_and_overrides_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(GOOD)
    scenario = Scenario.load(path, ["seed=3", {"run.until": "1 d"}])
    assert (scenario.text, scenario.path, scenario.changes) == (GOOD, str(path), ("seed=3", "run.until = '1 d'"))
    assert repr(scenario) == f"<Scenario 'a test' from {path}>"
    assert repr(Scenario.load(COMPARED)) == "<Scenario 'a test' from text, comparing 2 scheduler x 2 designs>"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("3 d")
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner), max_leaves=6
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield prefix
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*prefix, key))


FULL = Scenario.load(
    COMPARED
    + "measure: [jct.mean]\nrun: {until: 3 d, warmup: 1 h}\nplacement: {kind: pack}\nseed: 3\n"
    + "cost: {capex: catalog, life: 4 y, electricity: $0.11/kWh, pue: 1.25}\n"
    + "network: {contention: none, capacity_events: [{time: 1 s, link: 0, capacity: 1 Gb/s}]}\n"
    + "autoscaler: {kind: target-tracking, target: 0.5, min: 1}\n"
).data
FULL["workload"] |= {
    "t": {"transfers": [{"src": "a", "dst": "b", "bytes": "1 GB"}]},
    "g": {"generate": "poisson", "jobs": 3, "rate": "3 /h"},
}


@settings(max_examples=300)
@given(st.sampled_from(list(paths(FULL))[1:]), values)
def test_any_value_anywhere_is_taken_or_refused(path: tuple[Any, ...], value: Any) -> None:
    def put(here: Any, rest: tuple[Any, ...]) -> Any:
        if not rest:
            return value
        copy = dict(here) if isinstance(here, dict) else list(here)
        copy[rest[0]] = put(here[rest[0]], rest[1:])
        return copy

    with contextlib.suppress(InputError):
        Scenario.from_dict(put(FULL, path)).alternatives()


def test_every_scheduler_can_be_named() -> None:
    for name in schedulers.names():
        assert Scenario.load(GOOD, f"scheduler={name}").keys.scheduler.kind == name


def test_the_json_schema_agrees_with_the_shipped_scenarios() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(Scenario.json_schema())
    validator.check_schema(Scenario.json_schema())
    for name in shipped.names("scenarios"):
        assert [error.message for error in validator.iter_errors(Scenario.load(name).data)] == []
    assert list(validator.iter_errors({**Scenario.load("quickstart").data, "schedular": "fifo"}))
    assert list(validator.iter_errors({**Scenario.load("quickstart").data, "scheduler": {"kind": "lass"}}))


def yaml_blocks(page: Path) -> list[str]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if re.search(r"^name:", block, re.MULTILINE)]


@pytest.mark.parametrize("block", yaml_blocks(DOCS), ids=lambda block: block.split("\n")[0])
def test_examples_of_the_reference(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parents[1])
    Scenario.load(block, allow_code=False).alternatives()


MODELS = (
    NodeGroupKeys, WarmKeys, LawKeys, RegionKeys, CarbonFile, InterruptionKeys,
    ScenarioKeys, NetworkKeys, NetworkEvent, Flap, LayoutKeys, CostKeys, CloudKeys, RunKeys, _PoolKeys,
    TraceKeys, GenerateKeys, BatchKeys, TrainingKeys, TransferKeys,
    ServiceKeys, ReplicaKeys, EngineKeys, SpeculativeKeys, PrefillKeys, AdapterKeys, SloKeys, ScalerKeys,
    RequestTraceKeys, RequestGenerateKeys, RequestKeys,
    LoadKeys, LoadReplicaKeys, LoadSloKeys, TaskKeys, StageKeys, ExecutorKeys,
)  # fmt: skip


def test_the_reference_names_every_key() -> None:
    text = DOCS.read_text("utf-8")
    documented = re.findall(r"`([a-z_0-9]+)`", text) + re.findall(r"[{ ]([a-z_]+)[,}]", text)
    missing = [f"{model.__name__}.{key}" for model in MODELS for key in keys(model) if key not in documented]
    assert missing == []


def test_an_axis_may_be_a_key_path() -> None:
    made = Scenario.load(
        GOOD + "compare:\n  workload.batch.jobs.0.accelerators: [8, 1e1]\n"
        "  topology: {small: {build: fat-tree, k: 4, link: infiniband-ndr}, none: {build: pool, accelerators: 16}}\n"
        "  scheduler.preempt: [true, false]\n  run.restart: {short: 1 s, long: 1 min}\nscheduler: {order: las}\n"
    ).alternatives()
    assert len(made) == 16
    assert list(made)[:2] == [f"accelerators 8/small/preempt true/{each}" for each in ("short", "long")]
    last = made["1e1/none/preempt false/long"]
    work = last.workload["batch"]
    assert isinstance(work, JobsWork)
    assert (work.jobs[0].accelerators, last.run.restart) == (10.0, 60.0)
    assert last.keys.scheduler.arguments["preempt"] is False


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ("workload.batch.jobs.0.accelerators: [1, 1]", "the alternative 'accelerators 1' is repeated"),
        ("workload.batch.jobs.0.accelerators: 3", "3 is not a mapping of alternatives"),
        ("workload.batch.jobs.0.accelerators: [-1, 3]", "jobs.0.accelerators: -1 accelerators are not allowed"),
        ("workload.batsh.limit: [1, 2]", "'workload.batsh.limit' cannot be set: workload has no 'batsh'"),
        ("workload..limit: [1, 2]", "'workload..limit' is not a key path"),
    ],
)
def test_wrong_axes_that_are_key_paths(axis: str, told: str) -> None:
    assert told in complaint(f"compare: {{{axis}}}")


def test_the_json_schema_knows_schedulers_put_together() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(Scenario.json_schema())
    good = {"order": {"kind": "las", "quantum": "5 min"}, "backfill": "easy", "preempt": True, "placement": "fgd"}
    data = Scenario.load("quickstart").data
    assert list(validator.iter_errors({**data, "scheduler": good})) == []
    for bad in ({"order": "lass"}, {"order": "las", "preempt": "yes"}, {"order": "las", "fill": "easy"}, {}):
        assert list(validator.iter_errors({**data, "scheduler": bad}))


def test_parts_beside_a_kind_that_takes_none_are_told() -> None:
    with pytest.raises(
        InputError, match=r"scheduler.order: 'fifo' takes no 'order'\n.*\n *a scheduler that is put tog"
    ):
        Scenario.load(GOOD, "scheduler={kind: fifo, order: las}")
    for fine in ("{kind: virtual-clusters, order: shortest}", "{kind: composed, order: las}"):
        assert Scenario.load(GOOD, f"scheduler={fine}")


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        ("{order: lass, backfill: eazy}", ["scheduler.order: unknown order 'lass'", "scheduler.backfill: unknown"]),
        ("{order: {kind: lass}}", ["scheduler.order.kind: unknown order 'lass'", "Did you mean 'las'?"]),
        ("{order: {kind: las, quantm: 5 min}}", ["scheduler.order.quantm: unknown key 'quantm'"]),
        ("{order: {kind: las, quantum: 5}}", ["scheduler.order.quantum: 5 has no unit for a time"]),
        ("{kind: quota, scheduler: {kind: las, quantum: 5}}", ["scheduler.scheduler.quantum: 5 has no unit"]),
        ("{kind: defragment, scheduler: fiffo}", ["scheduler.scheduler: unknown scheduler 'fiffo'"]),
    ],
)  # fmt: skip
def test_parts_are_checked_as_schedulers_are(scheduler: str, told: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        Scenario.load(GOOD, f"scheduler={scheduler}")
    assert [text for text in told if text not in str(caught.value)] == []


def test_parts_with_parameters_are_made_with_seconds() -> None:
    made = Scenario.load(GOOD, "scheduler={order: {kind: las, quantum: 5 min}, backfill: {kind: easy, depth: 3}}")
    assert made.keys.scheduler.arguments["order"] == {"kind": "las", "quantum": 300.0}
    assert made.keys.scheduler.make().order.quantum == 300.0
