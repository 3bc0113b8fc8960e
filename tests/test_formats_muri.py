"""Muri's job list, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.workload.formats import looks_like, read_trace
from tests.tracefiles import refused, written

HEADER = (
    "job_id,num_gpu,submit_time,iterations,model_name,batch_size,duration,interval,iteration_time,"
    "resource_time_0,resource_time_1,resource_time_2,priority"
)


def test_milliseconds_become_seconds(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER, "0,1,1000,10,dqn,128,4900,0,490,446,8,0.5,1", "1,8,61000,4,vgg16,16,9000,0,214,82,75,66,0"
    )
    trace = read_trace(path, "muri")
    assert trace.columns["submit"].tolist() == [0.0, 60.0]
    assert trace.columns["duration"].tolist() == [4.9, 9.0]
    assert trace.columns["iteration_time"].tolist() == [0.49, 0.214]
    assert trace.columns["resource_time_0"].tolist() == [0.446, 0.082]
    assert trace.columns["resource_time_2"].tolist() == [0.0005, 0.066]
    assert trace.columns["batch_size"].tolist() == [128.0, 16.0]
    assert trace.columns["priority"].tolist() == [-1.0, 0.0]
    assert trace.columns["model"].tolist() == ["dqn", "vgg16"]
    assert trace.notes == (
        "rows whose duration is not iterations x iteration_time to within an iteration, duration is taken: 1",
        "opportunistic jobs (priority 1 in the file), given priority -1 where others have 0: 1",
        "submit 0 is 1 s in the file",
    )


def test_columns_that_may_be_missing(tmp_path: Path) -> None:
    header = "job_id,num_gpu,submit_time,iterations,model_name,duration,interval,iteration_time"
    trace = read_trace(written(tmp_path, header, "0,1,0,10,dqn,4900,0,490"), "muri")
    assert "priority" not in trace.columns
    assert trace.notes == ()


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "0,1,1000,10,dqn,128,4900,0,490,446,8,x,2")
    assert refused(path, "muri").splitlines() == [
        "FILE:2 resource_time_2: 'x' is not a number",
        "FILE:2 priority: 2 is neither 0 (with a guarantee) nor 1 (opportunistic)",
    ]


def test_it_is_not_taken_for_tiresias(tmp_path: Path) -> None:
    assert looks_like(HEADER) == "muri"
    path = written(tmp_path, HEADER, "0,1,1000,10,dqn,128,4900,0,490,446,8,1,0")
    assert refused(path, "tiresias") == (
        "FILE:1: this looks like a trace of format 'muri', not 'tiresias'\n    Use 'muri'."
    )


@pytest.mark.parametrize(
    ("name", "jobs", "mean", "single", "longest"),
    [("trace1", 1494, 2.5045e5, 0.3588, 4628237.0), ("trace3", 992, 46865, 0.1351, 927480.0)],
)
def test_the_real_traces(shared: Path, name: str, jobs: int, mean: float, single: float, longest: float) -> None:
    trace = read_trace(shared / f"traces/muri_stage_times/{name}.csv", "muri")
    assert (len(trace), trace.rows_read) == (jobs, jobs)
    assert trace.describe()["duration.mean"] == pytest.approx(mean, rel=1e-4)
    assert (trace.columns["accelerators"] == 1).mean() == pytest.approx(single, abs=5e-5)
    assert trace.columns["duration"].max() == pytest.approx(longest, rel=1e-4)
    stages = sum(trace.columns[f"resource_time_{number}"].sum() for number in range(3))
    assert stages < trace.columns["iteration_time"].sum()
