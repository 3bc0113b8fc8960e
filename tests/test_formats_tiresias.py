"""Tiresias's job list."""

from __future__ import annotations

from pathlib import Path

from simulator.workload.formats import read_trace
from tests.tracefiles import refused, written

HEADER = "job_id,num_gpu,submit_time,iterations,model_name,duration,interval"


def test_columns(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "7,8,30,133,vgg11,147,23", "3,1,10,606,vgg19,164,30", "4,0,30,1,vgg19,2,0")
    trace = read_trace(path, "tiresias")
    assert trace.columns["id"].tolist() == ["3", "7", "4"]
    assert trace.columns["submit"].tolist() == [0.0, 20.0, 20.0]
    assert trace.columns["duration"].tolist() == [164.0, 147.0, 2.0]
    assert trace.columns["accelerators"].tolist() == [1.0, 8.0, 0.0]
    assert trace.columns["model"].tolist() == ["vgg19", "vgg11", "vgg19"]
    assert trace.columns["iterations"].tolist() == [606.0, 133.0, 1.0]
    assert trace.notes == ("jobs that ask for no accelerator, kept: 1", "submit 0 is 10 s in the file")
    assert next(trace.jobs()).model == "vgg19"


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "0,1.5,0,606,vgg19,164,30", "1,1,-1,1,vgg19,x,30")
    assert refused(path, "tiresias").splitlines() == [
        "FILE:2 num_gpu: 1.5 accelerators: a job takes whole accelerators, or a share below 1 of a single one",
        "FILE:3 submit_time: '-1' is negative",
        "FILE:3 duration: 'x' is not a number",
    ]


def test_the_real_trace(shared: Path) -> None:
    trace = read_trace(shared / "traces/tiresias_60/60_job.csv", "tiresias")
    assert (len(trace), trace.rows_read, trace.span, trace.notes) == (60, 60, 1779.0, ())
    assert trace.columns["duration"].sum() == 10_705.0
    sizes = trace.columns["accelerators"].tolist()
    assert [sizes.count(size) for size in (1.0, 2.0, 4.0, 8.0)] == [30, 10, 10, 10]
    assert trace.columns["duration"].max() == 1800.0
