"""The keys of failures and checkpoints: what they mean, and what is refused, with place and number."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import simulator as sim
from simulator.cluster import catalog
from simulator.cluster.records import Failure
from simulator.core.errors import InputError
from simulator.runtime.failures import Repair
from simulator.scenario.build import build
from simulator.scenario.failurekeys import YEAR, FailureKeys, LemonKeys, LogKeys, RepairKeys, SourceKeys
from simulator.scenario.failurelog import read_log
from simulator.scenario.savingkeys import SavingKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.validation import keys
from simulator.workload.jobs import BatchJob

DOCS = Path(__file__).parents[1] / "docs" / "scenario.md"
HEAD = """\
name: a test
topology: {build: servers, nodes: 4, node: dgx-h100}
"""
WORK = "workload: {batch: {jobs: [{accelerators: 8, duration: 1 h}]}}\n"


def scenario(failures: str = "", workload: str = WORK, more: str = "") -> Scenario:
    text = HEAD + workload + more
    return Scenario.load(text + (f"failures: {failures}\n" if failures else ""))


def refused(failures: str = "", workload: str = WORK, more: str = "") -> str:
    with pytest.raises(InputError) as error:
        build(scenario(failures, workload, more))
    return str(error.value)


def source(text: str) -> SourceKeys:
    made = scenario(f"{{it: {{component: node, repair: 1 h, {text}}}}}").keys.failures.sources["it"]
    assert isinstance(made, SourceKeys)
    return made


# -- what they mean -------------------------------------------------------------------------------------------------


def test_rates() -> None:
    assert source("mtbf: 100 h").rate == 1 / 360_000.0
    assert source("afr: 9 %").rate == pytest.approx(-math.log(0.91) / YEAR)
    assert source("catalog: meta-rsc1-node").rate == pytest.approx(6.5e-3 / 86_400.0, rel=1e-3)


def test_rows_of_the_catalog_are_counts_over_exposure() -> None:
    row = catalog.failure("llama3-all-unplanned")
    assert row.rate == 419 / (16_384 * 54 * 86_400.0)
    assert (row.component, row.confidence) == ("accelerator", "secondary")
    assert all(isinstance(each, Failure) and each.source for each in catalog.records("failure"))


def test_repairs() -> None:
    assert source("mtbf: 1 d").repair == Repair(3600.0)
    made = scenario("{it: {component: node, mtbf: 1 d, repair: {kind: lognormal, mean: 4 h, spread: 0.5}}}")
    assert made.keys.failures.sources["it"].repair == Repair(14_400.0, "lognormal", 0.5)
    made = scenario("{it: {component: node, mtbf: 1 d, repair: {mean: 4 h}}}")
    assert made.keys.failures.sources["it"].repair == Repair(14_400.0, "exponential")


def test_none_is_as_if_the_key_were_not_there() -> None:
    plain, none = (sim.run(scenario(text)) for text in ("", "none"))
    for table in ("jobs", "events", "series"):
        assert getattr(plain, table).to_csv() == getattr(none, table).to_csv()


def test_checkpoints_of_all_workloads() -> None:
    mapping = "{every: 10 min, write: 1 min, load: 30 s}"
    listed = f"workload: {{batch: {{jobs: [{{accelerators: 8, duration: 1 h, checkpoint: {mapping}}}]}}}}\n"
    made = (
        f"workload: {{batch: {{generate: poisson, jobs: 3, load: 0.2, mean: 1 h, size: 8, checkpoint: {mapping}}}}}\n"
    )
    for workload in (listed, made):
        results = sim.run(scenario(workload=workload))
        assert (results.jobs["checkpointing"] > 0).any()
        assert (results.jobs["checkpointing"] % 60.0).abs().max() < 1e-6


def test_a_model_knows_the_size_of_its_state() -> None:
    job = (
        "{accelerators: 8, model: llama-3.1-8b, iterations: 3, layout: {tp: 8, global_batch: 8}, "
        "checkpoint: {every: 1 h, to: disk}}"
    )
    made = scenario(workload=f"workload: {{train: {{jobs: [{job}]}}}}\n", more="stores: {disk: {bandwidth: 1 GB/s}}\n")
    simulation = build(made)
    found = next(iter(simulation._admission._jobs))
    assert found.saving is not None
    assert found.saving.size == pytest.approx(14 * 8.03e9, rel=0.01)


def test_lists_of_failures(tmp_path: Path) -> None:
    (tmp_path / "failures.csv").write_text("time,component,name,repair\n10 min,node,node-0,1 h\n700,node,node-1,60\n")
    (tmp_path / "s.yaml").write_text(HEAD + WORK + "failures: {log: {file: failures.csv}, spares: 1}\n")
    results = sim.run(tmp_path / "s.yaml")
    assert results.jobs["failures"].tolist() == [2]
    events = results.events
    assert events[events["event"] == "failure"]["time"].tolist() == [600.0, 700.0]


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ("5", "5 is not a mapping of sources of failures"),
        ("{}", "there is not a single source of failures"),
        ("{spares: 1}", "there is not a single source of failures"),
        ("{it: 3}", "failures.it: 'it' is no source of failures: 3 is not a mapping"),
        ("{detecton: 3 s}", "Did you mean 'detection'?"),
        ("{it: {mtbf: 1 d, repair: 1 h}}", "'component' is missing"),
        ("{it: {component: node, mtbf: 1 d}}", "'repair' is missing"),
        ("{it: {component: gpu, mtbf: 1 d, repair: 1 h}}", "unknown component 'gpu'"),
        ("{it: {component: nod, mtbf: 1 d, repair: 1 h}}", "Did you mean 'node'?"),
        ("{it: {component: node, repair: 1 h}}", "a source has one of mtbf, afr and catalog; this one has none"),
        ("{it: {component: node, mtbf: 1 d, catalog: meta-rsc1-node, repair: 1 h}}", "has both 'mtbf' and 'catalog'"),
        ("{it: {component: node, mtbf: 0, repair: 1 h}}", "mtbf: an mtbf of 0 s is not allowed: it must be above 0"),
        ("{it: {component: node, mtbf: -3 d, repair: 1 h}}", "mtbf: '-3 d' is negative"),
        ("{it: {component: node, afr: 100 %, repair: 1 h}}", "afr: an afr of 100 % is not allowed"),
        ("{it: {component: node, afr: 2, repair: 1 h}}", "the rate, -ln(1 - afr) a year, is infinite there"),
        ("{it: {component: node, afr: 0 %, repair: 1 h}}", "an afr of 0 % is not allowed"),
        ("{it: {component: node, catalog: meta-rsc1-nodes, repair: 1 h}}", "Did you mean 'meta-rsc1-node'?"),
        (
            "{it: {component: node, catalog: llama3-gpu-all, repair: 1 h}}",
            "'llama3-gpu-all' counts failures per accelerator, and component is 'node'",
        ),
        ("{it: {component: node, mtbf: 1 d, repair: -1 h}}", "repair: '-1 h' is negative"),
        ("{it: {component: node, mtbf: 1 d, repair: {kind: odd, mean: 1 h}}}", "unknown law 'odd'"),
        (
            "{it: {component: node, mtbf: 1 d, repair: {kind: fixed, mean: 1 h, spread: 1}}}",
            "a fixed law has no spread",
        ),
        ("{it: {component: node, mtbf: 1 d, repair: {kind: weibull, mean: 1 h, spread: 0}}}", "spread is 0"),
        ("{it: {component: node, mtbf: 1 d, repair: {kind: fixed}}}", "'mean' is missing"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, shape: 0}}", "a shape of 0 is not allowed"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, effect: slow}}", "'pace' is missing"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, pace: 0.5}}", "'pace' means nothing for what is down"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, effect: slow, pace: 1}}", "a pace of 1 is not allowed"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, effect: slow, pace: 0}}", "a pace of 0 is not allowed"),
        ("{it: {component: link, mtbf: 1 d, repair: 1 h, effect: slow, pace: 0.5}}", "a link cannot be slow"),
        ("{it: {component: switch, mtbf: 1 d, repair: 1 h}}", "component 'switch': the topology has none"),
        ("{it: {component: store, mtbf: 1 d, repair: 1 h}}", "component 'store': the topology has none"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h, only: nobody-*}}", "there is no server 'nobody-*'"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, spares: 4}", "spares is 4; the topology has 4 servers"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, spares: -1}", "-1 is not allowed: it must be at least 0"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, health_check: 0}", "it must be greater than 0"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, lemon: {share: 0 %}}", "a share of 0 % is not allowed"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, lemon: {share: 1 %, times: 1}}", "lemons need more than 1"),
        ("{it: {component: node, mtbf: 1 d, repair: 1 h}, lemon: {times: 9}}", "'share' is missing"),
        ("{log: {file: nowhere.csv}}", "there is no file 'nowhere.csv'"),
        ("{'a b': {component: node, mtbf: 1 d, repair: 1 h}}", "'a b' is not a name for a source"),
    ],
)
def test_failures_that_make_no_sense(failures: str, told: str) -> None:
    text = refused(failures)
    assert told in text
    assert "failures" in text


@pytest.mark.parametrize(
    ("checkpoint", "told"),
    [
        ("{every: 0, write: 1 s}", "every: checkpoints every 0 s are not allowed"),
        ("{every: often, write: 1 s}", "every: 'often' is neither a time nor one of young, daly, adaptive"),
        ("{write: 1 s}", "'every' is missing"),
        ("{every: 1 h}", "a checkpoint has write, as a time, or a store that it goes to; this one has neither"),
        ("{every: 1 h, write: 1 s, to: disk}", "this one has both"),
        ("{every: 1 h, write: 1 s, size: 3 GB}", "'size' means nothing without a store"),
        ("{every: 1 h, write: 1 s, snapshot: 1 s}", "only asynchronous checkpoints have one"),
        ("{every: daly, write: 0 s}", "give a write above 0 s"),
        ("{every: 1 h, write: 1 s, mode: lazy}", "'lazy' is not one of"),
        ("{every: 1 h, to: disk, size: 0 B}", "a checkpoint of 0 bytes is not allowed"),
        ("{every: 1 h, to: disk, size: 1 GB}", "to: there is no store 'disk'"),
        (
            "{every: young, write: 9 s}",
            "every: 'young' goes by how often failures stop the job, and nothing fails here",
        ),
        ("-3 s", "'-3 s' is negative"),
    ],
)
def test_checkpoints_that_make_no_sense(checkpoint: str, told: str) -> None:
    listed = f"workload: {{batch: {{jobs: [{{accelerators: 8, duration: 1 h, checkpoint: {checkpoint}}}]}}}}\n"
    text = refused(workload=listed)
    assert told in text
    assert "workload.batch" in text
    made = f"workload: {{batch: {{generate: poisson, jobs: 3, load: 0.2, mean: 1 h, checkpoint: {checkpoint}}}}}\n"
    assert told in refused(workload=made)


def test_a_store_with_another_name_is_near() -> None:
    checkpoint = "{every: 1 h, to: dsk, size: 1 GB}"
    listed = f"workload: {{batch: {{jobs: [{{accelerators: 8, duration: 1 h, checkpoint: {checkpoint}}}]}}}}\n"
    assert "Did you mean 'disk'?" in refused(workload=listed, more="stores: {disk: {bandwidth: 1 GB/s}}\n")


def test_what_goes_to_a_store_has_a_size() -> None:
    disk = "stores: {disk: {bandwidth: 1 GB/s}}\n"
    for jobs in (
        "jobs: [{accelerators: 8, duration: 1 h, checkpoint: {every: 1 h, to: disk}}]",
        "generate: poisson, jobs: 3, load: 0.2, mean: 1 h, checkpoint: {every: 1 h, to: disk}",
    ):
        text = refused(workload=f"workload: {{batch: {{{jobs}}}}}\n", more=disk)
        assert "size is 0 bytes: nothing would go to store 'disk'" in text
        assert "checkpoint" in text.partition(" size")[0]


@pytest.mark.parametrize("more", ["network: {fidelity: flow}\n", "interference: {kind: linear}\n"])
def test_slow_servers_need_jobs_that_can_be_slowed(more: str) -> None:
    failures = "{it: {component: node, mtbf: 1 d, repair: 1 h, effect: slow, pace: 0.5}}"
    if "interference" in more:
        from simulator.policies.api import interferences

        more = f"interference: {interferences.names()[0]}\n"
    assert "effect: servers that are slow" in refused(failures, more=more)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,component,repair\n1,node,1\n", ":1: there is no column 'name'"),
        ("time,component,name,repair\n", ":1: the list of failures is empty"),
        ("", "the file is empty; a list of failures begins with time,component,name,repair"),
        ("time,component,name,repair\n1,node,node-0,1\n2024-01-01,node,node-0,1\n", ":3: time: some times are dates"),
        ("time,component,name,repair\nfoo,node,node-0,1\n", ":2: time: 'foo' is no time: seconds, a time with a unit"),
        ("time,component,name,repair\n1,nod,node-0,1\n", ":2: unknown component 'nod'"),
        ("time,component,name,repair\n1,node,node-0,1\n-1,node,node-0,1\n", ":3: time is '-1'"),
        ("time,component,name,repair\n1,node,node-0,soon\n", ":2: repair: 'soon'"),
        ("time,component,name,repair\n1,node,,1\n", ":2: the node that fails has no name"),
        ("time,component,name,repair\n1,node,node-7,1\n", "failures.csv:2: there is no node 'node-7' that could fail"),
    ],
)
def test_lists_that_make_no_sense(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "failures.csv").write_text(text)
    (tmp_path / "s.yaml").write_text(HEAD + WORK + "failures: {log: {file: failures.csv}}\n")
    with pytest.raises(InputError) as error:
        build(Scenario.load(tmp_path / "s.yaml"))
    assert told in str(error.value)


@pytest.mark.parametrize("times", [("0", "5400"), ("0 s", "1.5 h"), ("2024-01-01 00:10:00", "2024-01-01T01:40:00Z")])
def test_times_of_lists(tmp_path: Path, times: tuple[str, str]) -> None:
    lines = [f"{time},node,node-0,60" for time in times]
    (tmp_path / "failures.csv").write_text("\n".join(["time,component,name,repair", *lines]))
    found = read_log(tmp_path / "failures.csv", "failures.csv")
    assert [each.time for each in found] == [0.0, 5400.0]


def test_lists_from_python() -> None:
    rows = [
        {"time": 3600, "component": "node", "name": "node-0", "repair": "1 h"},
        {"time": "2 h", "component": "node", "name": "node-1", "repair": 60},
    ]
    frame = pd.DataFrame(rows)
    head = {"topology": {"build": "fleet", "groups": [{"name": "node", "count": 4, "accelerators": 8}]}}
    work = {"workload": {"batch": {"jobs": [{"accelerators": 8, "duration": "1 d"}]}}}

    def failures(log: Any) -> list[float]:
        events = sim.run({"name": "list", **head, **work, "failures": {"log": log}}).events
        return [float(time) for time in events.time[events.event == "failure"]]

    assert all(failures(each) == [3600.0, 7200.0] for each in (rows, frame, {"rows": rows}, {"rows": frame}))
    with pytest.raises(InputError, match=r"failures\.log: row 1: .* is not a mapping \{time, component"):
        failures([(3600, "node", "node-0", 60)])
    with pytest.raises(InputError, match="row 2: there is no node 'node-9' that could fail"):
        failures([rows[0], {**rows[1], "name": "node-9"}])
    with pytest.raises(InputError, match="'rows' says what 'file' says, too"):
        failures({"rows": rows, "file": "x.csv"})


def test_the_reference_names_every_key() -> None:
    text = DOCS.read_text("utf-8")
    documented = re.findall(r"`([a-z_0-9]+)`", text) + re.findall(r"[{ ]([a-z_]+)[,}:]", text)
    models: tuple[Any, ...] = (FailureKeys, LemonKeys, LogKeys, RepairKeys, SourceKeys, SavingKeys)
    missing = [f"{model.__name__}.{key}" for model in models for key in keys(model) if key not in documented]
    assert missing == []


def test_jobs_made_in_python_may_save() -> None:
    assert BatchJob(id="one", submit=0.0, duration=1.0, accelerators=1.0).saving is None
