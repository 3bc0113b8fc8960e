"""Acme: Seren and Kalos, their zones, and a duration that counts the queue in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, looks_like, read_trace
from tests.tracefiles import refused, written

SEREN = "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time"
KALOS = (
    "job_id,user,node_num,gpu_num,cpu_num,mem_per_pod_GB,shared_mem_per_pod,type,state,submit_time,start_time,end_time,"
    "fail_time,stop_time,duration,queue,gpu_time"
)
SEREN_ROWS = (
    "5778432,u5907,1,8,128,Other,FAILED,2023-03-01 00:18:22+08:00,2023-03-01 00:18:54+08:00,2023-03-01 00:20:51+08:00,"
    "117,32,936.0",
    "5778469,u5907,1,8,128,Other,COMPLETED,2023-03-01 00:23:58+08:00,2023-03-01 00:24:11+08:00,"
    "2023-03-01 01:09:04+08:00,2693,13,21544.0",
)
KALOS_ROWS = (
    "dlctk696s0jbvitv,uf794,8,64,960,1000,100.0,Other,FAILED,2023-05-17 11:00:58+00:00,2023-05-17 11:01:08+00:00,"
    "2023-05-17 11:01:16+00:00,2023-05-17 11:01:16+00:00,,18,10.0,1152.0",
    "dlc1t2ypl09b8qtp,uf794,8,64,960,1000,100.0,Other,CANCELLED,2023-05-17 11:28:42+00:00,2023-05-17 11:28:54+00:00,"
    "2023-05-17 11:30:04+00:00,,2023-05-17 11:30:04+00:00,82,12.0,5248.0",
)
"""The examples of the page of the trace."""


def seren(start: str, end: str, duration: str, state: str = "COMPLETED") -> str:
    start, end = (time and f"2023-03-01 {time}+08:00" for time in (start, end))
    return f"1,u,1,8,128,SFT,{state},2023-03-01 00:00:00+08:00,{start},{end},{duration},0,1"


def test_the_example_of_seren(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, SEREN, *SEREN_ROWS), "acme")
    assert trace.columns["duration"].tolist() == [117.0, 2693.0]
    assert trace.columns["submit"].tolist() == [0.0, 336.0]
    assert trace.origin == datetime(2023, 3, 1, 0, 18, 22, tzinfo=timezone(timedelta(hours=8)))
    assert trace.notes == ()
    first = next(trace.jobs())
    assert (first.id, first.user, first.tenant, first.accelerators, first.cores) == (
        "5778432",
        "u5907",
        "u5907",
        8.0,
        128.0,
    )
    assert trace.columns["nodes"].tolist() == [1.0, 1.0]
    assert len(trace.where(state="FAILED", type="Other")) == 1
    assert "memory" not in trace.columns


def test_the_example_of_kalos_whose_duration_counts_the_queue_in(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, KALOS, *KALOS_ROWS), "acme")
    assert trace.columns["duration"].tolist() == [8.0, 70.0]
    assert trace.notes == ("rows whose duration is not end_time - start_time, which is taken: 2",)
    assert trace.origin == datetime(2023, 5, 17, 11, 0, 58, tzinfo=UTC)
    assert trace.columns["memory"].tolist() == [8e12, 8e12]
    assert looks_like(KALOS) == "acme"
    assert format_options("acme") == []


def test_without_an_end_the_run_is_what_duration_says(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, SEREN, seren("00:01:00", "", "90"), seren("00:01:00", "00:02:00", "")), "acme")
    assert trace.columns["duration"].tolist() == [90.0, 60.0]
    assert trace.notes[0] == "rows without an end_time, which run for what duration says: 1"
    first = KALOS_ROWS[0].replace("2023-05-17 11:01:16+00:00", "")
    trace = read_trace(written(tmp_path, KALOS, first), "acme")
    assert trace.columns["duration"].tolist() == [8.0]
    assert trace.notes == ("rows without an end_time, which run for what duration says less the queue: 1",)


def test_what_is_set_aside(tmp_path: Path) -> None:
    rows = (
        seren("", "", "0", "CANCELLED"),
        seren("00:01:00", "", ""),
        seren("00:01:00", "00:00:59", "1"),
        seren("00:01:00", "00:01:00", "0"),
        seren("00:01:00", "00:02:00", "60"),
    )
    trace = read_trace(written(tmp_path, SEREN, *rows), "acme")
    assert trace.columns["row"].tolist() == [5]
    assert {part.reason: part.rows for part in trace.set_aside} == {
        "never started: there is no start_time": (1,),
        "neither an end_time nor a duration: how long it ran is not known": (2,),
        "ends before it starts": (3,),
        "ran for 0 s: there is nothing to replay": (4,),
    }


def test_zones_are_minded(tmp_path: Path) -> None:
    early = SEREN_ROWS[0]
    same = early.replace("2023-03-01 00:1", "2023-02-28 16:1").replace("2023-03-01 00:2", "2023-02-28 16:2")
    trace = read_trace(written(tmp_path, SEREN, early, same.replace("+08:00", "+00:00")), "acme")
    assert trace.columns["submit"].tolist() == [0.0, 0.0]
    assert trace.columns["duration"].tolist() == [117.0, 117.0]
    mixed = written(tmp_path, SEREN, early, early.replace("+08:00", ""))
    assert refused(mixed, "acme").splitlines()[0] == (
        "FILE:3 start_time: '2023-03-01 00:18:54': some times have a zone and some have none"
    )


def test_columns_of_kalos_come_together(tmp_path: Path) -> None:
    header = KALOS.replace("stop_time,", "")
    assert refused(written(tmp_path, header, "1"), "acme").startswith("FILE:1: there is no column 'stop_time'")
    assert refused(written(tmp_path, SEREN + ",x", "1"), "acme").startswith("FILE:1: unknown column 'x'")


def test_bad_cells(tmp_path: Path) -> None:
    path = written(tmp_path, SEREN, seren("noon", "00:02:00", "-1", "OK"), seren("00:01:00", "00:02:00", "60"))
    assert refused(path, "acme").splitlines() == [
        "FILE:2 start_time: '2023-03-01 noon+08:00' is not a time such as 2017-10-01 09:30:00",
        "FILE:2 duration: '-1' is negative",
        "FILE:2 state: 'OK' is not a state of an Acme job",
        "    Known: BOOT_FAIL, CANCELLED, COMPLETED, DEADLINE, FAILED, NODE_FAIL, OUT_OF_MEMORY, PREEMPTED, REQUEUED, "
        "REVOKED, SUSPENDED, TIMEOUT.",
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "acme")
