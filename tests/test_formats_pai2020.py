"""PAI 2020: tables without headers, percent, gangs, and the tables beside the tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, looks_like, pai2020, read_trace
from simulator.workload.trace import ServerRow
from tests.tracefiles import refused, written

EXAMPLE = "4f057009a5d481acec67b088,tensorflow,1.0,Terminated,1739162.0,1739200.0,600.0,29.296875,50.0,MISC"
"""The example of the page of the trace."""
ONE_JOB = (
    "job_0,ps,1.0,Terminated,1000.0,2000.0,600.0,10.0,0.0,",
    "job_0,worker,2.0,Terminated,1010.0,2000.0,400.0,20.0,50.0,T4",
)
"""The job of two tasks that the page of the trace draws, 14 cores and one GPU."""


def put(folder: Path, *lines: str) -> Path:
    return written(folder, *lines, name="pai_task_table.csv")


def task(**over: Any) -> str:
    told = {
        "job": "j", "task": "worker", "inst_num": 1.0, "status": "Terminated", "start": 100.0, "end": 160.0,
        "cpu": 100.0, "mem": 1.0, "gpu": 100.0, "type": "T4",
    }  # fmt: skip
    return ",".join(str(value) for value in (told | over).values())


def test_the_example_of_its_page(tmp_path: Path) -> None:
    trace = read_trace(put(tmp_path, EXAMPLE), "pai-2020")
    (job,) = trace.jobs()
    assert (job.id, job.duration, job.cores, job.accelerators) == (
        "4f057009a5d481acec67b088/tensorflow",
        38.0,
        6.0,
        0.5,
    )
    assert job.memory == 30_000 * 2**20
    assert job.row == 1
    assert trace.notes == (
        "jobs on GPUs of model MISC, which is not enforced (option types): 1",
        "submit 0 is 1739162 s in the file",
    )
    assert trace.where(state="Terminated", gpu_type="MISC").columns["instances"].tolist() == [1.0]


def test_a_header_line_does_no_harm(tmp_path: Path) -> None:
    header = ",".join(pai2020.TASK)
    trace = read_trace(put(tmp_path, header, EXAMPLE), "pai-2020")
    assert trace.columns["row"].tolist() == [1]
    assert looks_like(header) == "pai-2020"
    assert refused(put(tmp_path, header), "pai-2020") == "FILE: there is a header, but no row below it"


def test_a_job_of_two_tasks_is_two_gangs(tmp_path: Path) -> None:
    trace = read_trace(put(tmp_path, *ONE_JOB), "pai-2020")
    assert trace.columns["id"].tolist() == ["job_0/ps", "job_0/worker"]
    assert trace.columns["accelerators"].tolist() == [0.0, 1.0]
    assert trace.columns["cores"].tolist() == [6.0, 8.0]
    assert trace.columns["memory"].tolist() == [10 * 2.0**30, 40 * 2.0**30]
    assert "tasks of jobs of several tasks (ps, worker, ...), each a job of its own: 2" in trace.notes
    assert "jobs of instances with a part of an accelerator each, packed together: 1" in trace.notes
    split = read_trace(put(tmp_path, *ONE_JOB), "pai-2020", fractions="split")
    assert split.columns["id"].tolist() == ["job_0/ps", "job_0/worker", "job_0/worker#2"]
    assert split.columns["accelerators"].tolist() == [0.0, 0.5, 0.5]
    assert split.columns["cores"].tolist() == [6.0, 4.0, 4.0]
    assert "tasks of jobs of several tasks (ps, worker, ...), each a job of its own: 2" in split.notes
    up = read_trace(put(tmp_path, *ONE_JOB), "pai-2020", fractions="round-up")
    assert up.columns["accelerators"].tolist() == [0.0, 2.0]


def test_users_and_arrivals_come_from_the_table_of_jobs(tmp_path: Path) -> None:
    jobs = ("job_0,8cb3,58540f191766,Terminated,900.0,2000.0", "unknown,8cb4,u2,Waiting,0.0,")
    written(tmp_path, *jobs, name="pai_job_table.csv")
    rows = (*ONE_JOB, task(job="unknown", start=3000.0, end=3001.0), task(job="lost", start=3000.0, end=3001.0))
    trace = read_trace(put(tmp_path, *rows), "pai-2020", jobs="pai_job_table.csv")
    assert trace.columns["submit"].tolist() == [0.0, 0.0, 2100.0, 2100.0]
    assert trace.columns["user"].tolist() == ["58540f191766", "58540f191766", "u2", ""]
    assert trace.columns["tenant"].tolist() == trace.columns["user"].tolist()
    assert trace.columns["duration"].tolist() == [1000.0, 990.0, 1.0, 1.0]
    assert "tasks whose job is not in the table of jobs, submitted when they start: 1" in trace.notes


def test_runs_come_from_the_table_of_instances(tmp_path: Path) -> None:
    instance = "job_0,{},i,w,id,Terminated,{},{},m"
    rows = [
        ("ps", 1200.0, 1900.0),
        ("worker", 1300.0, 1700.0),
        ("worker", 1250.0, ""),
        ("worker", 1400.0, 1800.0),
        ("worker", 0, 5),
    ]
    written(tmp_path, *(instance.format(*row) for row in rows), name="pai_instance_table.csv")
    path = put(
        tmp_path, *ONE_JOB, task(job="other", start=1500.0, end=1560.0), task(job="job_0", task="ps2", start="", end="")
    )
    trace = read_trace(path, "pai-2020", instances="pai_instance_table.csv")
    assert trace.columns["duration"].tolist() == [700.0, 500.0, 60.0]
    assert trace.columns["submit"].tolist() == [0.0, 10.0, 500.0]
    assert (
        "tasks without an instance that started and ended, which run from their own start to their end: 1"
        in trace.notes
    )


def test_machines_make_the_models_binding(tmp_path: Path) -> None:
    written(tmp_path, "82e5af3cd5c4af3f56c62c54,T4,96,512,2", "m2,,64,256,0", name="pai_machine_spec.csv")
    rows = (task(), task(job="k", type="V100"), task(job="c", gpu=0, type=""))
    trace = read_trace(put(tmp_path, *rows), "pai-2020", machines="pai_machine_spec.csv", types={"T4": "nvidia/t4"})
    assert trace.servers == (
        ServerRow("82e5af3cd5c4af3f56c62c54", 2.0, "nvidia/t4", 96.0, 512 * 2.0**30),
        ServerRow("m2", 0.0, "", 64.0, 256 * 2.0**30),
    )
    assert [job.accelerator_types for job in trace.jobs()] == [("nvidia/t4",), ("V100",), ()]
    written(tmp_path, "m,T4,96,512,2", "m,T4,96,512,2", name="pai_machine_spec.csv")
    with pytest.raises(InputError, match="server 'm' stands there twice"):
        read_trace(put(tmp_path, *rows), "pai-2020", machines="pai_machine_spec.csv")
    told = refused(put(tmp_path, *rows), "pai-2020", types={"P100": "nvidia/p100"})
    assert told == "types: no job asks for 'P100'. Did you mean 'V100'? Known: T4, V100."
    assert format_options("pai-2020") == ["jobs", "instances", "machines", "types", "fractions"]


def test_what_is_set_aside_and_what_is_kept(tmp_path: Path) -> None:
    rows = (
        task(job="waiting", status="Waiting", start="", end=""),
        task(job="zero", status="Waiting", start=0.0, end=0.0),
        task(job="running", status="Running", end=""),
        task(job="no end", status="Running", end=0.0),
        task(job="back", start=200.0, end=100.0),
        task(job="nothing", end=100.0),
        task(job="failed", status="Failed"),
        task(job="plain", inst_num="", cpu="", mem="", gpu="", type=""),
    )
    trace = read_trace(put(tmp_path, *rows), "pai-2020")
    assert trace.columns["job"].tolist() == ["failed", "plain"]
    assert trace.columns["state"].tolist() == ["Failed", "Terminated"]
    assert {part.reason: part.rows for part in trace.set_aside} == {
        "never started: no start_time, or 0, which stands for none": (1, 2),
        "no end_time, or 0: how long it would have run is not known": (3, 4),
        "ends before it starts": (5,),
        "ran for 0 s: there is nothing to replay": (6,),
    }
    assert "tasks that do not say how many instances they have, taken for one: 1" in trace.notes
    assert "jobs that ask for no accelerator, kept: 1" in trace.notes


def test_refusals(tmp_path: Path) -> None:
    path = put(tmp_path, task(inst_num=0, status="Done"), task(gpu="x", cpu=-1))
    assert refused(path, "pai-2020").splitlines() == [
        "FILE:1 inst_num: 0 is not a whole number of 1 or more",
        "FILE:1 status: 'Done' is not a status of a PAI task",
        "    Known: Failed, Running, Terminated, Waiting.",
        "FILE:2 plan_gpu: 'x' is not a number",
        "FILE:2 plan_cpu: '-1' is negative",
    ]
    assert refused(put(tmp_path, task() + ",1", task()), "pai-2020").splitlines()[0] == (
        "FILE:1: 11 cells, but the header has 10"
    )
    philly = "timestamp,duration,num_gpus,gpu_time,cluster"
    assert refused(put(tmp_path, philly, "a,b,c,d,e"), "pai-2020") == (
        "FILE:1: this looks like a trace of format 'philly', not 'pai-2020'\n    Use 'philly'."
    )
    assert refused(put(tmp_path), "pai-2020") == "FILE: the file is empty"
    tar = put(tmp_path, "x").rename(tmp_path / "pai_task_table.tar.gz")
    assert refused(tar, "pai-2020") == "FILE: this is a tar archive\n    Unpack it and name the file inside."
    assert "there is no file" in refused(put(tmp_path, task()), "pai-2020", jobs="jobs.csv")


TASKS = st.tuples(
    st.sampled_from(["j1", "j2"]), st.sampled_from(["ps", "worker"]), st.integers(1, 30),
    st.sampled_from(["", "0", "100", "160"]), st.sampled_from(["", "0", "150", "160"]), st.integers(0, 800),
)  # fmt: skip


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TASKS, min_size=1, max_size=12), st.sampled_from(["pack", "round-up"]))
def test_every_task_is_kept_or_counted_and_its_demand_is_met(tmp_path: Path, drawn: list[Any], rule: str) -> None:
    rows = [task(job=j, task=t, inst_num=n, start=a, end=b, gpu=gpu) for j, t, n, a, b, gpu in drawn]
    path = put(tmp_path, *rows)
    good = [n for n, (_, _, _, a, b, _) in enumerate(drawn) if a not in ("", "0") and b not in ("", "0") and a < b]
    if not good:
        assert "no row is a job that can be replayed" in refused(path, "pai-2020")
        return
    trace = read_trace(path, "pai-2020", fractions=rule)
    assert trace.rows_read == len(drawn)
    assert sorted(trace.columns["row"].tolist()) == [n + 1 for n in good]
    for job in trace.jobs():
        asked = drawn[job.row - 1][2] * drawn[job.row - 1][5] / 100
        assert job.accelerators >= asked - 1e-6
        assert rule != "pack" or job.accelerators < asked + 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "pai-2020")
