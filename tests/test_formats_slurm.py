"""What Slurm's accounting says beyond runs and resources: limits, arrays, dependencies, requeues."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from simulator.workload.formats import read_trace
from simulator.workload.submitline import Dependencies, array_limit, dependencies, has_begin, pending_limit, task
from tests.tracefiles import written

HEADER = "JobID|User|Partition|State|Submit|Eligible|Start|ElapsedRaw|Timelimit|AllocTRES|Restarts|SubmitLine"


def row(
    id: str, minute: int, line: str = "sbatch a.sh", eligible: str = "Unknown", limit: str = "01:00:00",
    restarts: int = 0, state: str = "COMPLETED", ran: int = 60,
) -> str:  # fmt: skip
    at = f"2024-05-01T10:{minute:02}:00"
    start = "Unknown" if state == "PENDING" else at
    return f"{id}|ann|gpu|{state}|{at}|{eligible}|{start}|{ran}|{limit}|gres/gpu=1|{restarts}|{line}"


def test_limits(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        row("1", 0),
        row("2", 1, limit="UNLIMITED"),
        row("3", 2, limit="00:01:00", ran=75, state="TIMEOUT"),
        row("4", 3, restarts=2),
    )
    trace = read_trace(path, "slurm")
    assert trace.columns["limit"].tolist() == [3600.0, math.inf, 75.0, 3600.0]
    assert trace.columns["estimate"].tolist() == [3600.0, 365 * 86400.0, 60.0, 3600.0]
    assert trace.columns["user"].tolist() == ["ann"] * 4
    assert trace.columns["partition"].tolist() == ["gpu"] * 4
    assert "array" not in trace.columns
    assert trace.notes == (
        "jobs that were requeued, of which the row has the last stretch only (sacct -D lists them all): 1",
        "jobs without a time limit, the scheduler is told 365 d as Slurm's sched/backfill takes it: 1",
        "jobs that ran longer than their time limit, which may run that long again: 1",
    )


def test_arrays(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        row("7_0", 0, "sbatch --array=0-3%2 a.sh"),
        row("7_1", 0, "sbatch --array=0-3%2 a.sh"),
        row("8_5", 1),
        row("9", 2),
        row("8_[6-9%3]", 1, state="PENDING"),
    )
    trace = read_trace(path, "slurm")
    assert trace.columns["array"].tolist() == ["7", "7", "8", ""]
    assert trace.columns["array_limit"].tolist() == [2, 2, 3, 0]
    assert trace.rows_read == 5
    jobs = list(trace.jobs())
    assert (jobs[0].array, jobs[0].array_limit) == ("7", 2)


def test_dependencies(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        row("1", 0),
        row("2_0", 1),
        row("2_1", 1),
        row("3+0", 2),
        row("3+1", 2),
        row("4", 3, "sbatch --dependency=afterok:1:2,afterany:3 b.sh -d 1"),
        row("5_1", 4, "sbatch -d aftercorr:2 --array=0-1 b.sh"),
        row("6", 5, "sbatch -dafterok:99,singleton b.sh"),
        row("7", 6, "sbatch --dependency afterok:1?afterok:2_0 b.sh"),
        row("8", 7, "sbatch --dependency=afternotok:1,after:2_0+5 b.sh"),
        row("9", 8, "sbatch b.sh --depend afterok:1 -d out"),
    )
    trace = read_trace(path, "slurm")
    after = dict(zip(trace.columns["id"].tolist(), trace.columns["after"].tolist(), strict=True))
    assert after["4"] == ("1", "2_0", "2_1", "3+0", "3+1")
    assert after["5_1"] == ("2_1",)
    assert [after[name] for name in ("1", "6", "7", "8", "9")] == [()] * 5
    assert trace.notes == (
        "components of heterogeneous jobs (JobID with +), each a job of its own: 2",
        "dependencies of kind singleton, which are not modelled: 1",
        "dependencies of kind one of several (?), which are not modelled: 1",
        "dependencies of kind afternotok, which are not modelled: 1",
        "dependencies of kind after, which are not modelled: 1",
        "dependencies on jobs that are not in the trace, left out: 1",
    )


def test_jobs_submitted_for_later(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        row("1", 0, "sbatch --begin=now+1hour a.sh", eligible="2024-05-01T11:00:00"),
        row("2", 1, "sbatch a.sh", eligible="2024-05-01T11:00:00"),
        row("3", 2, "sbatch -b 10:00 a.sh", eligible="2024-05-01T10:02:00"),
    )
    assert read_trace(path, "slurm").columns["begin"].tolist() == [3600.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sbatch a.sh", Dependencies()),
        ("sbatch --dependency=afterany:5_3 a.sh", Dependencies(("5_3",))),
        ("sbatch --dependency=afterok:5+10 a.sh", Dependencies(("5",))),
        ("sbatch --dependency=afterok a.sh", Dependencies(other=("afterok",))),
        ("srun --dependency-file=x a.sh", Dependencies()),
    ],
)
def test_command_lines(line: str, found: Dependencies) -> None:
    assert dependencies(line) == found


def test_small_parts() -> None:
    assert [array_limit(line) for line in ("sbatch -a1,3%7 x", "sbatch --array 0-9:2%1 x", "sbatch x -a 3")] == [
        7,
        1,
        0,
    ]
    assert [has_begin(line) for line in ("sbatch -b 16:00 x", "sbatch -b now x", "sbatch -b", "sbatch x")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [task(job) for job in ("1_2", "1_2#2", "1", "1_[3]")] == [("1", "2"), ("1", "2"), ("", ""), ("", "")]
    assert [pending_limit(job) for job in ("1_[0-9%4]", "1_[0,2]", "1_[0-900%4...")] == [("1", 4), ("", 0), ("", 0)]
