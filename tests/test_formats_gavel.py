"""Gavel's jobs, which are steps of a model."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from simulator.workload.formats import read_trace
from simulator.workload.speedup import ByType, Given
from simulator.workload.throughputs import table
from tests.tracefiles import refused, written

MODEL, OTHER = "ResNet-18 (batch size 64)", "LM (batch size 5)"
PACES = {
    "k80": {f"('{MODEL}', 1)": 2.0, f"('{MODEL}', 2)": 3.0, f"('{OTHER}', 1)": 0.0},
    "v100": {f"('{MODEL}', 1)": 10.0, f"('{MODEL}', 2)": {"null": 16.0}, f"('{OTHER}', 1)": 5.0},
    "v100_unconsolidated": {f"('{MODEL}', 1)": 10.0, f"('{MODEL}', 2)": 8.0, f"('{OTHER}', 1)": 5.0},
}


def line(model: str, steps: int, gpus: int = 1, weight: str = "1", slo: str = "-1.000000", at: str = "0.000000") -> str:
    cells = (model, "python3 main.py; rm -rf %s", "cifar10", "--num_steps", "1", str(steps), str(gpus), weight, slo, at)
    return "\t".join(cells)


def paced(folder: Path, paces: object = PACES) -> str:
    (folder / "paces.json").write_text(json.dumps(paces))
    return "paces.json"


def test_steps_become_paces(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        line(MODEL, 1000, 2, "5", at="100.5"),
        line(MODEL, 300, slo="1.2", at="90.5"),
        line(OTHER, 50, at="110.5"),
        name="t.trace.gz",
    )
    trace = read_trace(path, "gavel", throughputs=paced(tmp_path))
    assert trace.columns["submit"].tolist() == [0.0, 10.0, 20.0]
    assert trace.columns["duration"].tolist() == [30.0, 62.5, 10.0]
    assert trace.columns["accelerators"].tolist() == [1.0, 2.0, 1.0]
    assert trace.columns["priority"].tolist() == [1.0, 5.0, 1.0]
    assert trace.columns["deadline"].tolist() == [36.0, math.inf, math.inf]
    assert trace.columns["steps"].tolist() == [300.0, 1000.0, 50.0]
    assert trace.columns["model"].tolist() == [MODEL, MODEL, OTHER]
    one, two, lm = trace.columns["speedup"]
    assert one == ByType(30.0, {"k80": 0.2, "v100": 1.0})
    assert two == ByType(62.5, {"k80": 3 / 16, "v100": 1.0}, {"k80": 3 / 16, "v100": 0.5})
    assert two.seconds(Given(2, 2, "v100")) == 125.0
    assert lm.seconds(Given(1, 1, "k80")) == math.inf
    assert trace.notes == (
        "work is in steps: durations are seconds on v100, packed, by the throughputs 'paces.json'",
        "submit 0 is 90.5 s in the file",
    )


def test_another_reference_and_other_names(tmp_path: Path) -> None:
    path = written(tmp_path, line(MODEL, 300), line(OTHER, 50))
    trace = read_trace(
        path, "gavel", throughputs=paced(tmp_path), reference="k80", types={"v100": "nvidia/v100-sxm2-32"}
    )
    assert trace.columns["duration"].tolist() == [150.0]
    assert trace.columns["speedup"][0].pace == {"k80": 1.0, "nvidia/v100-sxm2-32": 5.0}
    assert trace.report().splitlines()[1] == (
        "  set aside 1: a model and number of GPUs of which no pace was measured on the reference type k80 (row 2)"
    )


def test_paces_that_do_not_depend_on_the_type(tmp_path: Path) -> None:
    path = written(tmp_path, line(MODEL, 300))
    trace = read_trace(path, "gavel", throughputs=paced(tmp_path), paces="reference")
    assert trace.columns["duration"].tolist() == [30.0]
    assert "speedup" not in trace.columns
    assert refused(path, "gavel", paces="all") == "paces: 'all' is not a choice. Known: by type, reference."


def test_the_table_that_comes_with_the_project(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, line(MODEL, 1000)), "gavel")
    assert trace.columns["duration"][0] == pytest.approx(1000 / table("gavel").rate(MODEL, 1, "v100"))


def test_the_older_layout(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"{MODEL}\tcd %s && python3 main.py \t--num_steps\t1\t300\t6.000000\t1",
        "Recommendation (batch size 10)\tpython3 train.py\t-n\t0\t10000\t7.000000\t1",
    )
    trace = read_trace(path, "gavel", throughputs=paced(tmp_path))
    assert trace.columns["duration"].tolist() == [30.0]
    assert "deadline" not in trace.columns
    assert trace.rows_read == 2


def test_the_first_job_is_written_twice(tmp_path: Path) -> None:
    path = written(
        tmp_path, line(MODEL, 300, at="0"), line(MODEL, 300), line(OTHER, 50), line(OTHER, 50), line(MODEL, 300)
    )
    trace = read_trace(path, "gavel", throughputs=paced(tmp_path))
    assert trace.columns["row"].tolist() == [1, 3, 4, 5]
    assert trace.report().splitlines()[:2] == [
        "t.csv: 5 rows: 4 kept, 1 set aside",
        "  set aside 1: the first job, written a second time (the generator of Gavel does so) (row 2)",
    ]


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, line(MODEL, 300), line(MODEL, -1), line(MODEL, 300, 0), line(MODEL, 1, slo="-2"))
    assert refused(path, "gavel").splitlines() == [
        "FILE:2 total_steps: '-1' is negative",
        "FILE:3 scale_factor: 0 is not a whole number of GPUs, 1 or more",
        "FILE:4 slo: '-2' is negative",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"reference": "a100"}, "reference: there is no type 'a100'. Did you mean 'v100'? Known: k80, p100, v100."),
        ({"types": {"a100": "x"}}, "types: there is no type 'a100'. Did you mean 'v100'? Known: k80, p100, v100."),
        ({"throughputs": "pace.json"}, "there is no file FOLDER/pace.json. Did you mean 'paces.json'?"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, object], text: str) -> None:
    paced(tmp_path)
    path = written(tmp_path, line(MODEL, 300))
    assert refused(path, "gavel", **options).replace(str(tmp_path), "FOLDER") == text


@pytest.mark.parametrize(
    ("paces", "text"),
    [
        ([], "PACES: this is not an object of type -> (model, GPUs) -> steps/s"),
        ({"v100": {"LM": 1}}, "PACES: 'LM' is not a key such as \"('LM (batch size 5)', 2)\""),
        ({"v100": {"('LM', 1)": "fast"}}, "PACES: 'fast' for ('LM', 1) is not a number of steps/s"),
        ({"v100": {"('LM', 1)": -1}}, "PACES: -1 for ('LM', 1) is not a number of steps/s"),
    ],
)
def test_wrong_throughputs(tmp_path: Path, paces: object, text: str) -> None:
    path = written(tmp_path, line(MODEL, 300))
    name = paced(tmp_path, paces)
    assert refused(path, "gavel", throughputs=name).replace(str(tmp_path / name), "PACES") == text


def test_a_damaged_table_of_throughputs(tmp_path: Path) -> None:
    (tmp_path / "paces.json").write_text('{"v100": ')
    text = refused(written(tmp_path, line(MODEL, 300)), "gavel", throughputs="paces.json")
    assert text.startswith(f"{tmp_path / 'paces.json'}: this is not JSON: ")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("gavel_static100_seed0", 101),
        ("gavel_cont_l900_seed0_36x3_jobs250", 895),
        ("gavel_cont_l900_seed0_36x3_jobs500", 1_095),
        ("gavel_cont_l900_seed0_36x3_jobs1000", 1_729),
    ],
)
def test_the_real_traces(shared: Path, name: str, rows: int) -> None:
    path = shared / f"traces/gavel_generated/{name}.trace.gz"
    trace = read_trace(path, "gavel")
    given = read_trace(path, "gavel", throughputs="isolated_throughputs_steps_per_s.json.gz")
    assert (trace.rows_read, len(trace)) == (rows, rows - 1)
    assert trace.columns["speedup"].tolist() == given.columns["speedup"].tolist()
    assert [part.rows for part in trace.set_aside] == [(2,)]
