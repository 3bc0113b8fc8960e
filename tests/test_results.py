from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.experiment import estimates, store
from simulator.experiment.results import DIFFERENCE, Results
from simulator.metrics import measures
from simulator.metrics.recorder import DECLARED, ON_REQUEST, TABLES, Record
from simulator.metrics.statistics import Interval, paired, replicated
from tests.synthetic import manifest, record, results

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def several() -> Results:
    return results(replications=8, jobs=300)


@pytest.fixture(scope="module")
def single() -> Results:
    return results(jobs=1500)


WRITTEN = set(store.FILES) - {f"{name}.csv" for name in ON_REQUEST}
"""Files of results without loads of links and without services."""


# -- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_tables_have_the_declared_columns_after_alternative_and_replication(several, table):
    frame = getattr(several, table)
    assert list(frame.columns) == ["alternative", "replication", *(column.name for column in TABLES[table])]
    assert frame is getattr(several, table)
    lengths = {key: len(run.tables[table][TABLES[table][0].name]) for key, run in several.records.items()}
    assert frame.groupby(["alternative", "replication"], observed=True).size().to_dict() == lengths


def test_tables_hold_the_records_values(several):
    jobs = several.jobs
    chosen = jobs[(jobs.alternative == "sjf") & (jobs.replication == 2)]
    assert np.array_equal(chosen.jct, several.records["sjf", 2].tables["jobs"]["jct"])


def test_a_table_that_no_run_recorded_is_empty():
    bare = Results({("run", 0): Record({}, {"end": 1.0})})
    assert len(bare.events) == 0
    assert list(bare.events.columns[:3]) == ["alternative", "replication", "time"]


def test_one_alternative_can_be_taken_out(several):
    fifo = several["fifo"]
    assert fifo.alternatives == ("fifo",)
    assert fifo.replications == several.replications == tuple(range(8))
    assert list(several) == ["fifo", "sjf"]
    assert (len(several), "sjf" in several, "las" in several) == (2, True, False)
    assert set(fifo.jobs.alternative) == {"fifo"}
    assert fifo.name == several.name


def test_alternatives_keep_their_order_and_replications_are_sorted():
    runs = {("b", 1): record(20), ("a", 0): record(20), ("b", 0): record(20)}
    made = Results(runs)
    assert (made.alternatives, made.replications, list(made.records)) == (
        ("b", "a"), (0, 1), [("b", 0), ("b", 1), ("a", 0)],
    )  # fmt: skip


def test_wrong_names_are_refused_with_the_nearest(several):
    with pytest.raises(InputError, match=r"unknown alternative 'fifi'. Did you mean 'fifo'\?"):
        several["fifi"]
    with pytest.raises(InputError, match="unknown alternative 'x'"):
        several.diff("x")
    with pytest.raises(InputError, match="unknown measure 'jct'"):
        several.summary("jct")
    with pytest.raises(InputError, match="not a single run"):
        Results({})


# -- summary --------------------------------------------------------------------------------------------------------


def test_a_summary_has_means_over_replications(several):
    summary = several.summary(["jct.mean", "utilization"])
    values = [measures.measure(several.records["sjf", r], "jct.mean") for r in range(8)]
    assert summary.index.name == "alternative"
    assert list(summary.columns) == ["jct.mean", "utilization"]
    assert summary.loc["sjf", "jct.mean"] == pytest.approx(np.mean(values))


def test_intervals_come_beside_the_means(several):
    frame = several.summary("wait.mean", intervals=True)
    values = [measures.measure(several.records["fifo", r], "wait.mean") for r in range(8)]
    expected = replicated(values)
    assert frame["wait.mean"].loc["fifo"].to_dict() == pytest.approx(
        {"mean": expected.mean, "half_width": expected.half_width}
    )


def test_one_run_has_intervals_for_jobs_only(single):
    frame = single.summary(["jct.mean", "utilization"], intervals=True)
    assert (frame["jct.mean"]["half_width"] > 0).all()
    assert frame["utilization"]["half_width"].isna().all()
    assert single.estimate("fifo", "jct.mean").basis.startswith("10 batches of 150 jobs")
    assert single.estimate("fifo", "utilization").basis == "one run"
    assert results(jobs=50).estimate("fifo", "jct.mean").basis == "one run of 50 jobs, too few for batches (200 needed)"


def test_a_summary_shows_what_the_scenario_asks_for():
    asked = results(jobs=30, measures=["makespan", "jct.p50"])
    assert list(asked.summary().columns) == ["makespan", "jct.p50"]
    assert list(asked.summary("all").columns) == list(measures.names())
    assert "energy.kwh" in results(jobs=30).summary().columns
    assert "energy.kwh" not in results(jobs=30, energy=math.nan).summary().columns


# -- differences ----------------------------------------------------------------------------------------------------


def test_differences_are_paired_over_replications(several):
    row = several.diff(measures=["jct.mean"]).iloc[0]
    ours, theirs = ([measures.measure(several.records[a, r], "jct.mean") for r in range(8)] for a in ("sjf", "fifo"))
    expected = paired(ours, theirs)
    assert (row.alternative, row.measure, row.basis) == ("sjf", "jct.mean", "8 paired replications")
    assert (row.difference, row.half_width) == pytest.approx((expected.mean, expected.half_width))
    assert row.difference == pytest.approx(row.value - row.baseline)
    assert row.relative == pytest.approx(row.difference / row.baseline)
    assert row.verdict == "better"
    assert several.diff("sjf", "jct.mean").iloc[0].verdict == "worse"


def test_a_difference_has_its_declared_columns(several):
    assert tuple(several.diff().columns) == DIFFERENCE
    assert len(several["fifo"].diff()) == 0


def test_the_direction_that_is_better_depends_on_the_measure():
    more = results(16, {"eight": {}, "twelve": {"accelerators": 12}}, jobs=300, until=20000.0)
    verdicts = more.diff(measures=["jct.mean", "throughput", "cost.total"]).set_index("measure").verdict
    assert verdicts.to_dict() == {"jct.mean": "better", "throughput": "better", "cost.total": "worse"}


@pytest.mark.parametrize(
    ("measure", "interval", "expected"),
    [
        ("jct.mean", (-2.0, 1.0), "better"),
        ("jct.mean", (2.0, 1.0), "worse"),
        ("throughput", (2.0, 1.0), "better"),
        ("throughput", (-2.0, 1.0), "worse"),
        ("allocated.mean", (2.0, 1.0), "higher"),
        ("allocated.mean", (-2.0, 1.0), "lower"),
        ("jct.mean", (-2.0, 2.0), "no difference shown"),
        ("jct.mean", (0.0, 0.0), "no difference shown"),
        ("jct.mean", (0.0, math.nan), "no difference shown"),
        ("jct.mean", (-2.0, math.nan), "no interval"),
        ("jct.mean", (math.nan, math.nan), "no value"),
    ],
)
def test_a_verdict_says_what_the_interval_shows(measure, interval, expected):
    assert estimates.verdict(measures.get(measure), Interval(*interval, 5)) == expected


def test_equal_alternatives_show_no_difference():
    same = results(3, {"one": {}, "other": {}}, jobs=100)
    rows = same.diff(measures=["jct.mean", "utilization", "cost.total"])
    assert set(rows.verdict) == {"no difference shown"}
    assert (rows.difference == 0).all()


def test_a_difference_that_never_varies_is_shown():
    dearer = results(3, {"cheap": {"until": 20000.0}, "dear": {"price": 3.0, "until": 20000.0}}, jobs=300)
    row = dearer.diff(measures="cost.total").iloc[0]
    assert (row.half_width, row.verdict) == (pytest.approx(0.0, abs=1e-9), "worse")


def test_one_run_each_is_paired_job_by_job(single):
    rows = single.diff(measures=["wait.mean", "utilization"]).set_index("measure")
    assert rows.loc["wait.mean", "basis"].startswith("10 batches of 150 paired jobs")
    assert rows.loc["wait.mean", "half_width"] > 0
    assert rows.loc["utilization", "verdict"] == "no interval"
    assert rows.loc["utilization", "basis"] == "one run"


def test_runs_of_other_jobs_are_not_paired():
    other = results(1, {"some": {}, "others": {"seed": 8}}, jobs=400)
    row = other.diff(measures="wait.mean").iloc[0]
    assert (row.verdict, row.basis) == ("no interval", "one run of other jobs: not paired")


def test_a_missing_value_has_no_verdict():
    cut = results(2, jobs=100, until=5000.0)
    row = cut.diff(measures="makespan").iloc[0]
    assert math.isnan(row.difference)
    assert row.verdict == "no value"


def test_only_replications_of_both_sides_are_paired():
    runs = {("a", r): record(100, replication=r) for r in range(4)} | {
        ("b", r): record(100, order="sjf", replication=r) for r in (1, 2, 7)
    }
    row = Results(runs).diff(measures="jct.mean").iloc[0]
    assert row.basis == "2 paired replications"
    assert row.baseline == pytest.approx(np.mean([measures.measure(runs["a", r], "jct.mean") for r in (1, 2)]))
    apart = Results({("a", 0): record(100), ("b", 1): record(100)}).diff(measures="jct.mean").iloc[0]
    assert (apart.verdict, apart.basis) == ("no value", "no replication in common")


# -- expectations, notes, plain data --------------------------------------------------------------------------------


def test_expectations_compare_means(several):
    assert several.evaluate("sjf.jct.p50 <= fifo.jct.p50")
    assert not several.evaluate("sjf.jct.p50 <= 1 s")
    with pytest.raises(InputError, match="unknown alternative 'las'"):
        several.evaluate("las.jct.p50 <= 1 s")


def test_expectations_of_the_scenario_are_judged_unless_others_are_given():
    wanting = results(jobs=50, expect=["fifo.utilization <= 100 %", "sjf.jct.mean <= 1 s"])
    assert [outcome.ok for outcome in wanting.expectations()] == [True, False]
    assert wanting.expectations([]) == []


def test_notes_are_told_once_and_name_the_alternative_they_are_of():
    noted = results(
        3,
        {"fifo": {"notes": ["7 jobs were turned away."]}, "sjf": {"order": "sjf"}},
        jobs=60,
        until=4000.0,
        set_aside={"duration is negative": 12},
    )
    noted.records["fifo", 1].facts["notes"] = ["9 jobs were turned away."]
    assert "12 rows of the trace were set aside: duration is negative." in noted.notes
    assert "fifo: In replication 0 of 3: 7 jobs were turned away." in noted.notes
    assert not any("9 jobs" in note for note in noted.notes)
    assert sum("unfinished" in note for note in noted.notes) in (1, 2)
    assert results(jobs=20).notes == []


def test_plain_data_is_json_and_holds_the_summary(several):
    plain = json.loads(json.dumps(several.to_dict(["jct.mean", "makespan"]), allow_nan=False))
    assert [(row["alternative"], row["measure"]) for row in plain["summary"]] == [
        ("fifo", "jct.mean"), ("fifo", "makespan"), ("sjf", "jct.mean"), ("sjf", "makespan"),
    ]  # fmt: skip
    assert plain["differences"][0]["verdict"] == "better"
    assert plain["measures"]["jct.mean"]["unit"] == "s"
    assert (plain["baseline"], plain["replications"]) == ("fifo", 8)


# -- on disk --------------------------------------------------------------------------------------------------------


def same(ours: Results, theirs: Results) -> None:
    assert list(ours.records) == list(theirs.records)
    assert ours.manifest == theirs.manifest
    for key, record_ in ours.records.items():
        other = theirs.records[key]
        assert list(record_.tables) == list(other.tables)
        for table, columns in record_.tables.items():
            for name, values in columns.items():
                read = other.tables[table][name]
                assert read.dtype == values.dtype
                assert np.array_equal(read, values, equal_nan=values.dtype.kind == "f")
        assert json.dumps(store._jsonable(record_.facts)) == json.dumps(other.facts)


def test_results_come_back_exactly(several, tmp_path):
    folder = several.save(tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == sorted(WRITTEN)
    again = Results.load(folder)
    same(several, again)
    pd.testing.assert_frame_equal(several.summary("all"), again.summary("all"))
    assert again.to_html() == (folder / "report.html").read_text("utf-8")


floats = st.floats(allow_nan=True, allow_infinity=False, width=64)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(words, words, floats, floats, floats), max_size=8), name=words)
def test_any_text_and_any_float_survive(tmp_path_factory, rows, name):
    ids, workloads, *numbers = list(zip(*rows, strict=True)) or [()] * 5
    made = record(jobs=0, until=1.0)
    flows = made.tables["flows"]
    made.tables["flows"] = {
        column: np.array(values, dtype=flows[column].dtype) if column in ("bytes", "start", "end") else _texts(values)
        for column, values in zip(flows, (ids, workloads, ids, ids, *numbers), strict=True)
    }
    original = Results({(name, 0): made}, manifest(name=name, measures=["jobs.completed"]))
    folder = original.save(tmp_path_factory.mktemp("words") / "out", report=False)
    same(original, Results.load(folder))


def _texts(values) -> np.ndarray:
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    return texts


def test_equal_results_give_equal_bytes_whatever_the_hash_seed(tmp_path):
    code = (
        "import sys; sys.path.insert(0, '.'); from tests.synthetic import results;"
        "results(replications=2, jobs=80).save(sys.argv[1])"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, cwd=ROOT, env=environment)
    for name in WRITTEN:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_results_are_not_overwritten_without_force(single, tmp_path):
    folder = results(jobs=20).save(tmp_path / "out", report=False)
    (folder / "my notes.txt").write_text("keep me")
    (folder / "mine").mkdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(InputError, match=r"out: already holds results\n    name another directory, or say --force"):
        single.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    single.save(folder, force=True, report=False)
    assert (folder / "my notes.txt").read_text() == "keep me"
    assert (folder / "mine").is_dir()
    same(single, Results.load(folder))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_folder_of_other_things_is_never_taken(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(InputError, match="is not empty and holds no results"):
            results(jobs=5).save(tmp_path, force=force)
    with pytest.raises(InputError, match="is a file, not a directory"):
        results(jobs=5).save(tmp_path / "thesis.tex")
    (tmp_path / "empty").mkdir()
    results(jobs=5).save(tmp_path / "empty", report=False)


def test_a_save_that_dies_leaves_nothing(several, tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_write_json", die)
    with pytest.raises(KeyboardInterrupt):
        several.save(tmp_path / "out", report=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def saved(tmp_path) -> Path:
    return results(jobs=30).save(tmp_path / "out", report=False)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "jobs.csv").unlink(),
            r"jobs.csv: is missing\n    manifest.json lists it with 60 rows",
        ),
        (lambda folder: _truncate(folder / "jobs.csv"), "jobs.csv: is truncated or was changed after it was saved"),
        (
            lambda folder: (folder / "manifest.json").unlink(),
            "holds no manifest.json, so it is no directory of results",
        ),
        (lambda folder: _truncate(folder / "manifest.json"), "manifest.json: is not JSON, or truncated"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"), "manifest.json: is not JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[1]"), "is not a manifest of results"),
        (lambda folder: (folder / "manifest.json").write_text('{"name": "mine"}'), "lacks format, files or runs"),
        (lambda folder: _change(folder, format=99), "has format 99, this version reads format 1"),
        (lambda folder: _change(folder, files={}), "does not list jobs.csv"),
        (lambda folder: _change(folder, runs=[{"alternative": "x"}]), "is damaged: runs.0 has no .replication."),
        (lambda folder: _change(folder, runs=[]), "is damaged: ValueError: jobs.csv has 60 rows, the runs have 0"),
        (lambda folder: _replace(folder, "flows.csv", "a,b\n1,2\n"), r"flows.csv:1: columns are a, b"),
    ],
)
def test_damaged_results_are_told_apart(saved, damage, message):
    damage(saved)
    with pytest.raises(InputError, match=message):
        Results.load(saved)


def _change(folder: Path, **keys) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | keys))


def _replace(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    files = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    files[name]["sha256"] = store._digest(folder / name)
    _change(folder, files=files)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no such directory"):
        Results.load(tmp_path / "nowhere")


def test_older_pandas_is_told_to_read_floats_exactly():
    assert store._exact_floats("2.1.4") == store._exact_floats("3.0.2") == {"float_precision": "round_trip"}
    assert store._exact_floats("3.1.1") == store._exact_floats("4.0.0") == {}


# -- the page that describes it all ---------------------------------------------------------------------------------


def test_the_docs_list_every_column_and_every_measure():
    page = (ROOT / "docs" / "results.md").read_text("utf-8")
    for table, columns in DECLARED.items():
        section = page.partition(f"### `{table}`")[2].partition("\n#")[0]
        rows = [f"| `{c.name}` | {c.unit or '–'} | {c.meaning} |" for c in columns]
        assert [line for line in section.splitlines() if line.startswith("| `")] == rows
    section = page.partition("## Measures")[2].partition("\n#")[0]
    declared = [measures.get(name) for name in measures.names()]
    rows = [f"| `{m.name}` | {m.unit or '–'} | {m.better or 'neither'} | {m.meaning} |" for m in declared]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows
