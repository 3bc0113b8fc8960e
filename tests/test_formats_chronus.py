"""Chronus's jobs with deadlines."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from simulator.workload.formats import read_trace
from tests.tracefiles import refused, written

HEADER = (
    "job_id,user,num_gpu,submit_time,iterations,model_name,duration,interval,expect_time_list,expect_value_list,"
    "best_effort,job_type"
)
ROWS = (
    "0,vc_a,1,20,5530,mobilenet_v2,96,5,159-189-229,10-8-5,0,soft",
    "1,vc_b,2,10,760,alexnet,106,6,100,10,0,strict",
    "2,vc_b,0,30,760,alexnet,106,6,30,10,1,best",
)


def test_deadlines_are_counted_from_the_first_job(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEADER, *ROWS), "chronus")
    assert trace.columns["id"].tolist() == ["1", "0", "2"]
    assert trace.columns["submit"].tolist() == [0.0, 600.0, 1200.0]
    assert trace.columns["duration"].tolist() == [6360.0, 5760.0, 6360.0]
    assert trace.columns["deadline"].tolist() == [6000.0, 600.0 + 159 * 60, math.inf]
    assert trace.columns["job_type"].tolist() == ["strict", "soft", "best"]
    assert trace.columns["expect_times"].tolist() == [(6000.0,), (9540.0, 11340.0, 13740.0), (1800.0,)]
    assert trace.columns["expect_values"].tolist() == [(10.0,), (10.0, 8.0, 5.0), (10.0,)]
    assert trace.columns["tenant"].tolist() == ["vc_b", "vc_a", "vc_b"]
    assert len(trace.where(job_type="strict")) == 1
    assert [job.deadline for job in trace.jobs()] == [6000.0, 10140.0, math.inf]
    assert trace.notes == (
        "the unit of the times is not documented, min is taken (option unit)",
        "jobs whose deadline is nearer than their run is long, so that nothing can meet it: 1",
        "jobs that ask for no accelerator, kept: 1",
        "submit 0 is 600 s in the file",
    )


def test_unit(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, *ROWS)
    trace = read_trace(path, "chronus", unit="s")
    assert trace.columns["duration"].tolist() == [106.0, 96.0, 106.0]
    assert trace.notes[0] == "the unit of the times is not documented, s is taken (option unit)"
    assert refused(path, "chronus", unit="GiB") == "unit: 'GiB' is not a unit of time; write s, min or h"


def test_refusals(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        "0,vc_a,1,20,5530,mobilenet_v2,96,5,159-189,10,0,soft",
        "1,vc_a,1,20,5530,mobilenet_v2,96,5,159-late,10-8,0,softly",
        "2,vc_a,1,20,5530,mobilenet_v2,96,5,,10,0,strict",
    )
    assert refused(path, "chronus").splitlines() == [
        "FILE:2 expect_value_list: 1 values, but expect_time_list has 2 times",
        "FILE:3 job_type: 'softly' is none of strict, soft, best",
        "FILE:3 expect_time_list: '159-late' is not a list of numbers such as 159-189-229",
        "FILE:3 expect_value_list: 2 values, but expect_time_list has 0 times",
        "FILE:4 expect_time_list: '' is not a list of numbers such as 159-189-229",
        "FILE:4 expect_value_list: 1 values, but expect_time_list has 0 times",
    ]


def test_a_row_that_contradicts_itself_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, ROWS[0], ROWS[1].replace("10,0,strict", "10,1,strict"))
    told = "rows whose best_effort disagrees with their job_type, job_type is taken: 1"
    assert told in read_trace(path, "chronus").notes


def test_the_real_trace(shared: Path) -> None:
    path = shared / "traces/chronus_deadlines/trace_job_Philly_MIX2.days_0_to_9.3.csv.gz"
    trace = read_trace(path, "chronus", unit="s")
    assert (len(trace), trace.rows_read) == (21_465, 21_465)
    assert "jobs that ask for no accelerator, kept: 140" in trace.notes
    kinds = trace.columns["job_type"].tolist()
    assert [kinds.count(kind) for kind in ("soft", "strict", "best")] == [12_859, 6_430, 2_176]
    assert trace.describe()["duration.mean"] == pytest.approx(278.17, abs=5e-3)
    assert trace.describe()["accelerators.mean"] == pytest.approx(1.3333, abs=5e-5)
    assert np.isinf(trace.columns["deadline"]).sum() == 2_176
    slack = np.array([times[0] for times in trace.columns["expect_times"]]) / trace.columns["duration"]
    assert float(np.median(slack)) == pytest.approx(1.9788, abs=5e-5)
