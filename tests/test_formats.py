"""Readers of trace files: what becomes a job, what is set aside, what is refused, and with which words."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import (
    format_options,
    formats,
    generic,
    guess_format,
    looks_like,
    openb,
    philly,
    read_trace,
    slurm,
)
from simulator.workload.rows import as_objects
from simulator.workload.trace import ServerRow, SetAside, Trace

PHILLY = "timestamp,duration,num_gpus,gpu_time,cluster"
OPENB = ",".join(openb.COLUMNS)
SACCT = "JobID|User|Account|Partition|State|Submit|Start|End|ElapsedRaw|Timelimit|AllocTRES"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines to a file of a temporary folder."""

    def writer(*lines: str, name: str = "t.csv") -> Path:
        path = tmp_path / name
        data = "".join(line + "\n" for line in lines).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return writer


def refused(path: Path, format: str, **options: Any) -> str:
    """The text of the error, the file being called FILE."""
    with pytest.raises(InputError) as wrong:
        read_trace(path, format, **options)
    return str(wrong.value).replace(str(path), "FILE")


# --- what all readers share -------------------------------------------------------------------------------------


def test_the_formats() -> None:
    assert set(formats.names()) >= {"generic", "openb", "philly", "slurm"}
    assert format_options("openb") == ["nodes", "pending", "run"]
    assert formats.summary("philly") == "Microsoft Philly job extract: timestamp,duration,num_gpus,gpu_time,cluster."


def test_unknown_format_and_option(write: Write) -> None:
    path = write(PHILLY)
    assert refused(path, "phily").startswith("unknown format 'phily'. Did you mean 'philly'? Known: ")
    assert refused(path, "openb", node="x") == (
        "format 'openb' has no option 'node'. Did you mean 'nodes'? Known: nodes, pending, run."
    )


def test_a_file_that_is_not_there(write: Write) -> None:
    path = write(PHILLY, name="jobs.csv")
    assert refused(path.with_name("job.csv"), "philly") == "there is no file FILE. Did you mean 'jobs.csv'?"
    assert "is a folder, not a trace file" in refused(path.parent, "philly")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "FILE: the file is empty"),
        (b"\n\n", "FILE: the file is empty"),
        (PHILLY.encode() + b"\n", "FILE: there is a header, but no row below it"),
        (b"PK\x03\x04abc", "FILE: this is a zip or Excel file, not a table of text"),
        (b"PAR1abc", "FILE: this is a Parquet file, not a table of text"),
        (b'[{"status": "Pass"}]', "FILE: this is JSON, not a table of text"),
        (PHILLY.encode() + b"\na\nb\xff\n", "FILE:3: this is not UTF-8 text (byte 0xff)"),
    ],
)
def test_files_that_hold_no_trace(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert refused(path, "philly").splitlines()[0] == text


def test_a_truncated_gzip_file(write: Write) -> None:
    rows = [f"2017-10-01 00:{n // 60:02}:{n % 60:02},{n + 1},1,{n + 1},vc" for n in range(3000)]
    path = write(PHILLY, *rows, name="t.csv.gz")
    path.write_bytes(path.read_bytes()[:-4000])
    first, hint = refused(path, "philly").splitlines()
    assert first.startswith("FILE: the gzip data break off after line ")
    assert first.endswith(": the file is truncated or damaged")
    assert hint == "    Copy or download it again."


def test_gzip_is_known_by_its_content(write: Write) -> None:
    path = write(PHILLY, "2017-10-01 00:00:00,5,1,5,vc", name="t.csv.gz")
    plain = path.rename(path.with_name("t.csv"))
    assert len(read_trace(plain, "philly")) == 1


def test_a_row_that_breaks_off(write: Write) -> None:
    path = write(PHILLY, "2017-10-01 00:00:00,5,1,5,vc", "2017-10-01 00:00:00,5")
    assert refused(path, "philly") == (
        "FILE:3: 2 cells, but the header has 5\n    The row breaks off: is the file cut short?"
    )


def test_ten_problems_are_shown_and_all_are_counted(write: Write) -> None:
    path = write(PHILLY, *["2017-10-01 00:00:00,x,1,5,vc"] * 25)
    lines = refused(path, "philly").splitlines()
    assert lines[:2] == ["FILE:2 duration: 'x' is not a number", "FILE:3 duration: 'x' is not a number"]
    assert lines[10:] == ["FILE: ... and 15 more problems"]


def test_all_kinds_of_bad_cells_at_once(write: Write) -> None:
    path = write(
        PHILLY,
        "2017-10-01 00:00:00,-5,1,5,vc",
        "2017-10-01 00:00:00,nan,1,5,vc",
        "2017-10-01 00:00:00,inf,1,5,vc",
        "2017-10-01 00:00:00,,1,5,vc",
        "2017-10-01 00:00:00,5,2.5,5,vc",
        "yesterday,5,1,5,vc",
        "2017-10-01T00:00:00Z,5,1,5,vc",
    )
    assert refused(path, "philly").splitlines() == [
        "FILE:2 duration: '-5' is negative",
        "FILE:3 duration: 'nan' is not a number",
        "FILE:4 duration: 'inf' is not a finite number",
        "FILE:5 duration: the cell is empty",
        "FILE:6 num_gpus: 2.5 accelerators: a job takes whole accelerators, or a share below 1 of a single one",
        "FILE:7 timestamp: 'yesterday' is not a time such as 2017-10-01 09:30:00",
        "FILE:8 timestamp: '2017-10-01T00:00:00Z': some times have a zone and some have none",
    ]


def test_blank_lines_byte_order_marks_and_blanks_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + PHILLY.encode() + b"\r\n\r\n2017-10-01 00:00:00, 5 ,1,5,vc\r\n\r\n")
    trace = read_trace(path, "philly")
    assert trace.columns["duration"].tolist() == [5.0]
    assert trace.columns["row"].tolist() == [1]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (
            "timestamp,duration,num_gpu,gpu_time,cluster",
            "FILE:1: there is no column 'num_gpus'\n"
            "    Did you mean 'num_gpu'? Known: cluster, duration, gpu_time, num_gpu, timestamp.\n"
            "FILE:1: unknown column 'num_gpu'\n"
            "    Did you mean 'num_gpus'? Known: cluster, duration, gpu_time, num_gpus, timestamp.",
        ),
        (
            PHILLY + ",cluster",
            "FILE:1: column 'cluster' stands there twice",
        ),
        (
            "a,b,c",
            "FILE:1: these are not the columns of format 'philly'\n"
            "    missing: timestamp, duration, num_gpus, gpu_time, cluster; unknown: a, b, c; "
            "known: cluster, duration, gpu_time, num_gpus, timestamp",
        ),
        (
            PHILLY.replace(",", ";"),
            f"FILE:1: cut at a comma, the header is a single column: '{PHILLY.replace(',', ';')}'\n"
            "    The delimiter of this file looks like a semicolon.",
        ),
        (
            "a;b;c",
            "FILE:1: cut at a comma, the header is a single column: 'a;b;c'\n"
            "    The delimiter of this file looks like a semicolon.",
        ),
        (SACCT, "FILE:1: this looks like a trace of format 'slurm', not 'philly'\n    Use 'slurm'."),
        (OPENB, "FILE:1: this looks like a trace of format 'openb', not 'philly'\n    Use 'openb'."),
    ],
)
def test_wrong_columns(write: Write, header: str, text: str) -> None:
    assert refused(write(header, "1"), "philly") == text


def test_a_philly_file_given_to_every_other_reader(write: Write) -> None:
    path = write(PHILLY, "2017-10-01 00:00:00,5,1,5,vc")
    told = "FILE:1: this looks like a trace of format 'philly', not '{}'\n    Use 'philly'."
    for format in ("openb", "slurm", "generic"):
        assert refused(path, format) == told.format(format)


def test_looks_like() -> None:
    assert looks_like(SACCT) == "slurm"
    assert looks_like("a,b") is None


def test_rows_that_ran_for_nothing_are_set_aside(write: Write) -> None:
    path = write(PHILLY, "2017-10-01 00:00:00,0,1,0,vc", "2017-10-01 00:00:09,5,1,5,vc")
    trace = read_trace(path, "philly")
    assert trace.set_aside == (SetAside("ran for 0 s: there is nothing to replay", 1, (1,)),)
    assert trace.origin == datetime(2017, 10, 1, 0, 0, 9)


def test_a_file_of_which_no_job_is_left(write: Write) -> None:
    path = write(PHILLY, "2017-10-01 00:00:00,0,1,0,vc")
    assert refused(path, "philly") == (
        "FILE: no row is a job that can be replayed\n    set aside 1: ran for 0 s: there is nothing to replay"
    )


# --- philly -----------------------------------------------------------------------------------------------------


def test_philly(write: Write) -> None:
    path = write(
        PHILLY,
        "2017-10-01 00:10:00,60.0,8,480.0,vc1",
        "2017-10-01 00:00:00,30,1,31,vc2",
        "2017-10-01 00:10:00,5,0,0,vc1",
        "2017-10-01 00:10:00,60.0,8,480.0,vc1",
    )
    trace = read_trace(path, "philly")
    assert trace.columns["row"].tolist() == [2, 1, 3, 4]
    assert trace.columns["submit"].tolist() == [0.0, 600.0, 600.0, 600.0]
    assert trace.columns["accelerators"].tolist() == [1.0, 8.0, 0.0, 8.0]
    assert trace.columns["tenant"].tolist() == ["vc2", "vc1", "vc1", "vc1"]
    assert trace.notes == (
        "rows with a gpu_time other than duration x num_gpus, duration is taken: 1",
        "jobs that ask for no accelerator, kept: 1",
        "rows that repeat another row exactly, kept: 1",
    )


def test_the_real_philly_extract(shared: Path) -> None:
    trace = read_trace(shared / "traces/philly/philly.shared_vcs.csv.gz", "philly")
    assert (len(trace), trace.rows_read) == (69_850, 69_850)
    assert trace.origin == datetime(2017, 9, 4, 10, 30, 41)
    assert trace.notes == ("rows that repeat another row exactly, kept: 61",)
    assert trace.describe()["duration.mean"] == pytest.approx(10961, abs=1)
    assert np.all(trace.columns["submit"] == np.floor(trace.columns["submit"]))


# --- openb ------------------------------------------------------------------------------------------------------


def test_openb(write: Write) -> None:
    write("sn,cpu_milli,memory_mib,gpu,model", "n-0,96000,393216,8,G2", "n-1,32000,1024,0,", name="nodes.csv")
    path = write(
        OPENB,
        "p0,12000,16384,1,1000,,LS,Running,100,500,110",
        "p1,6000,12288,1,460,T4|P100,BE,Failed,50,90,60",
        "p2,6000,12288,1,460,,BE,Pending,70,75,",
        "p3,88000,327680,8,1000,G2,LS,Succeeded,50,150,50",
        "p4,1500,0,0,0,,LS,Succeeded,50,150,50",
    )
    trace = read_trace(path, "openb", nodes="nodes.csv")
    assert trace.columns["id"].tolist() == ["p1", "p3", "p4", "p0"]
    assert trace.columns["submit"].tolist() == [0.0, 0.0, 0.0, 50.0]
    assert trace.columns["duration"].tolist() == [30.0, 100.0, 100.0, 390.0]
    assert trace.columns["accelerators"].tolist() == [0.46, 8.0, 0.0, 1.0]
    assert trace.columns["cores"].tolist() == [6.0, 88.0, 1.5, 12.0]
    assert trace.columns["memory"].tolist() == [12288 * 2.0**20, 327680 * 2.0**20, 0.0, 2.0**34]
    assert trace.columns["accelerator_types"].tolist() == [("T4", "P100"), ("G2",), (), ()]
    assert trace.set_aside[0].count == 1
    assert trace.set_aside[0].rows == (3,)
    assert trace.notes == (
        "pods still running at the end of the trace (pod_phase Running), so their run is a lower bound: 1",
        "jobs that ask for no accelerator, kept: 1",
        "submit 0 is 50 s in the file",
    )
    assert trace.servers == (ServerRow("n-0", 8, "G2", 96, 393216 * 2.0**20), ServerRow("n-1", 0, "", 32, 2.0**30))
    assert len(trace.where(qos="LS")) == 3


def test_openb_pending_pods_can_be_kept(write: Write) -> None:
    path = write(OPENB, "p2,6000,12288,1,460,,BE,Pending,70,75,", "p3,1,1,2,1000,,BE,Failed,71,75,72")
    kept = read_trace(path, "openb", pending="keep")
    assert kept.columns["duration"].tolist() == [5.0, 3.0]
    assert kept.notes[0] == "pods that were never scheduled, kept as if they ran from creation to deletion: 1"
    assert refused(path, "openb", pending="kept") == (
        "pending: 'kept' is not a choice. Did you mean 'keep'? Known: keep, set aside."
    )


def test_openb_lists_without_times_are_packing_lists(write: Write) -> None:
    path = write(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli", "a,12000,16384,1,460", "b,8000,1024,0,0", "c,1,1,8,1000"
    )
    assert guess_format(path) == "openb"
    trace = read_trace(path, "openb", run="2 h")
    assert [(job.id, job.submit, job.duration, job.accelerators) for job in trace.jobs()] == [
        ("a", 0.0, 7200.0, 0.46), ("b", 0.0, 7200.0, 0.0), ("c", 0.0, 7200.0, 8.0),
    ]  # fmt: skip
    assert "pods of a list without times, taken to come at once and to run 2 h: 3" in trace.notes
    assert [job.accelerator_types for job in trace.jobs()] == [(), (), ()]
    assert refused(path, "openb", run=0) == "run: 0 is not a time above 0"
    half = write("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase", "a,1,1,1,460,,LS,Running")
    assert refused(half, "openb") == (
        "FILE:1: no column 'creation_time'; a list has all eleven columns, or the five that say what pods ask for"
    )


def test_openb_gpu_specs_are_the_types_that_will_do(write: Write) -> None:
    rows = ("a,1,1,1,460,V100M16|V100M32|V100M32,LS,Running,0,9,0", "b,1,1,1,460,T4,LS,Running,0,9,0")
    jobs = read_trace(write(OPENB, *rows), "openb").jobs()
    assert [job.accelerator_types for job in jobs] == [("V100M16", "V100M32"), ("T4",)]


def test_openb_refuses_what_makes_no_sense(write: Write) -> None:
    path = write(
        OPENB, "p0,1,1,8,500,,LS,Running,1,9,2", "p1,1,1,1,0,,LS,Running,1,9,2", "p2,1,1,1,1000,,LS,Failed,1,2,9"
    )
    assert refused(path, "openb").splitlines() == [
        "FILE:2 gpu_milli: 500 with num_gpu 8: it is 1 to 1000, and below 1000 for one GPU only",
        "FILE:3 gpu_milli: 0 with num_gpu 1: it is 1 to 1000, and below 1000 for one GPU only",
        "FILE:4 deletion_time: deleted at 2 s, before it was scheduled at 9 s",
    ]
    nodes = write("sn,cpu_milli,memory_mib,gpu,model", "n,1,1,1,G2", "n,1,1,1,G2", name="n.csv")
    assert refused(path, "openb", nodes="n.csv").replace(str(nodes), "NODES") == "NODES: node 'n' stands there twice"


def test_the_real_openb_trace(shared: Path) -> None:
    folder = shared / "traces/alibaba_gpu_2023"
    trace = read_trace(folder / "openb_pod_list_default.csv", "openb", nodes="openb_node_list_all_node.csv")
    assert (trace.rows_read, len(trace), trace.set_aside[0].count) == (8_152, 7_255, 897)
    assert len(trace.servers) == 1_523
    assert sum(server.accelerators for server in trace.servers) == 6_212
    assert float(np.mean(trace.columns["duration"])) == pytest.approx(28950, abs=1)
    assert int(np.sum(trace.columns["state"] == "Running")) == 5_193


# --- slurm ------------------------------------------------------------------------------------------------------

H100 = "billing=64,cpu=64,gres/gpu:h100=8,gres/gpu=8"
T = "2024-05-01T"


def sacct(id: str, state: str, submit: str, start: str, ran: str, limit: str, tres: str, account: str = "nlp") -> str:
    at = [submit if submit in slurm._NO_TIME else T + submit, start if start in slurm._NO_TIME else T + start]
    return f"{id}|ann|{account}|gpu|{state}|{at[0]}|{at[1]}|{T}23:00:00|{ran}|{limit}|{tres}"


def test_slurm(write: Write) -> None:
    path = write(
        SACCT,
        sacct(
            "100", "COMPLETED", "10:00:00", "10:00:10", "3600", "02:00:00", "cpu=64,gres/gpu:h100=8,gres/gpu=8,mem=500G"
        ),
        sacct("100.batch", "COMPLETED", "10:00:10", "10:00:10", "3600", "", "cpu=64"),
        sacct("101", "CANCELLED by 1000", "09:00:00", "None", "0", "UNLIMITED", ""),
        sacct("102_4", "FAILED", "09:30:00", "09:31:00", "600", "UNLIMITED", "cpu=4,mem=16000M,gres/gpu=1", "cv"),
        sacct("103", "RUNNING", "09:30:00", "09:31:00", "600", "1-00:00:00", "cpu=4"),
        sacct("104", "TIMEOUT", "09:29:00", "09:31:00", "660", "00:10:00", "cpu=4"),
        sacct("104", "TIMEOUT", "09:29:00", "09:31:00", "660", "00:10:00", "cpu=4"),
        sacct("105_[1-9%2]", "PENDING", "09:30:00", "Unknown", "0", "1-00:00:00", ""),
        sacct("106", "CANCELLED", "09:35:00", "09:36:00", "60", "Partition_Limit", "gres/gpu:a100=2,gres/gpu:h100=2"),
        sacct("107", "CANCELLED by 0", "09:35:00", "09:36:00", "0", "05:00", "gres/gpu=2"),
        sacct("108+1", "PREEMPTED", "09:36:00", "09:36:00", "5", "90:00", "gres/gpu=2,gres/gpumem=40G,license/x=1"),
        sacct("109", "FAILED", "09:37:00", "09:38:00", "0", "90:00", "gres/gpu=2"),
        name="sacct.txt",
    )
    trace = read_trace(path, "slurm")
    assert trace.columns["id"].tolist() == ["104", "102_4", "106", "108+1", "100"]
    assert trace.columns["submit"].tolist() == [0.0, 60.0, 360.0, 420.0, 1860.0]
    assert trace.columns["duration"].tolist() == [660.0, 600.0, 60.0, 5.0, 3600.0]
    assert trace.columns["accelerators"].tolist() == [0.0, 1.0, 4.0, 2.0, 8.0]
    year = 365 * 86400.0
    assert trace.columns["estimate"].tolist() == [600.0, year, year, 5400.0, 7200.0]
    assert trace.columns["cores"].tolist() == [4.0, 4.0, 0.0, 0.0, 64.0]
    assert trace.columns["memory"].tolist() == [0.0, 16000 * 2.0**20, 0.0, 0.0, 500 * 2.0**30]
    assert trace.columns["tenant"].tolist() == ["nlp", "cv", "nlp", "nlp", "nlp"]
    assert trace.columns["state"].tolist() == ["TIMEOUT", "FAILED", "CANCELLED", "PREEMPTED", "COMPLETED"]
    assert len(trace.where(partition="gpu")) == 5
    assert trace.origin == datetime(2024, 5, 1, 9, 29)
    assert trace.report() == (
        "sacct.txt: 12 rows: 5 kept, 7 set aside\n"
        "  set aside 1: a step of a job (JobID with a dot); sacct -X leaves these out (row 2)\n"
        "  set aside 3: never started (rows 3, 8, 10)\n"
        "  set aside 1: repeats an earlier row (same JobID, Submit and Start) (row 7)\n"
        "  set aside 1: still running when sacct was called: how long it would have run is not known (row 5)\n"
        "  set aside 1: ran for 0 s: there is nothing to replay (row 12)\n"
        "  note: components of heterogeneous jobs (JobID with +), each a job of its own: 1\n"
        "  note: jobs on GPUs of type h100, which is not enforced (option types): 1\n"
        "  note: jobs without a time limit, the scheduler is told 365 d as Slurm's sched/backfill takes it: 2\n"
        "  note: jobs that ran longer than their time limit, which may run that long again: 1\n"
        "  note: jobs that ask for no accelerator, kept: 1"
    )


def test_slurm_options(write: Write) -> None:
    path = write(
        SACCT,
        sacct("1", "RUNNING", "09:30:00", "09:31:00", "600", "1-00:00:00", "gres/gpu:h100=4"),
        sacct("2", "COMPLETED", "09:30:00", "09:31:00", "600", "1-00:00:00", "gres/gpu:a100=4"),
    )
    trace = read_trace(path, "slurm", running="keep", tenant_column="User", types={"h100": "nvidia/h100-sxm"})
    assert trace.columns["tenant"].tolist() == ["ann", "ann"]
    assert trace.columns["accelerator_types"].tolist() == [("nvidia/h100-sxm",), ()]
    assert trace.notes == (
        "jobs still running when sacct was called, kept with the seconds they had run so far: 1",
        "jobs on GPUs of type a100, which is not enforced (option types): 1",
    )
    assert (
        refused(path, "slurm", types={"a10": "x"}) == "types: no job asks for 'a10'. Did you mean 'a100'? Known: a100."
    )
    assert refused(path, "slurm", tenant_column="Acount").startswith(
        "FILE:1: tenant_column: there is no column 'Acount'\n    Did you mean 'Account'?"
    )


def test_slurm_with_few_columns(write: Write) -> None:
    path = write(
        "JobID|State|Submit|Start|End|ReqTRES|",
        "1|COMPLETED|2024-05-01T09:00:00|2024-05-01T09:00:00|2024-05-02T10:00:01|gres/gpu=2|",
    )
    trace = read_trace(path, "slurm")
    assert trace.columns["duration"].tolist() == [90001.0]
    assert "estimate" not in trace.columns
    clock = write(
        "JobID,State,Submit,Elapsed,AllocTRES",
        "1,COMPLETED,2024-05-01T09:00:00,1-01:00:01,cpu=2",
        "2,PENDING,2024-05-01T09:00:00,00:00:00,",
    )
    again = read_trace(clock, "slurm", delimiter=",")
    assert (again.columns["duration"].tolist(), again.set_aside[0].reason) == ([90001.0], "never started")


def test_slurm_refusals(write: Write) -> None:
    path = write(
        SACCT,
        sacct("1", "RUNING", "09:30:00", "09:31:00", "60", "1-00:00:00", "gres/gpu=4"),
        sacct("2", "FAILED", "09:30:00", "09:31:00", "-60", "1-00:00:00", "gres/gpu=4"),
        sacct("3", "FAILED", "09:30:00", "09:31:00", "60", "long", "gres/gpu=4"),
        sacct("4", "FAILED", "09:30:00", "09:31:00", "60", "05:00", "gres/gpu=four"),
        sacct("5", "FAILED", "09:30", "09:31:00", "60", "05:00", "gres/gpu=4").replace(T + "09:30", "1714555800"),
    )
    assert refused(path, "slurm").splitlines() == [
        "FILE:2 State: 'RUNING' is not a state of a Slurm job",
        "    Did you mean 'RUNNING'? Known: BOOT_FAIL, CANCELLED, COMPLETED, COMPLETING, CONFIGURING, DEADLINE, "
        "FAILED, NODE_FAIL, OUT_OF_MEMORY, PENDING, PREEMPTED, REQUEUED, ... (20 in all).",
        "FILE:3 ElapsedRaw: '-60' is negative",
        "FILE:4 Timelimit: 'long' is not a time limit",
        "FILE:5 AllocTRES: 'gres/gpu=four' is not a list such as cpu=64,gres/gpu=8,mem=500G",
        "FILE:6 Submit: '1714555800' is not a time such as 2017-10-01 09:30:00",
        "    Unset SLURM_TIME_FORMAT before sacct.",
    ]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ("JobID|State|Submit|Usr|ElapsedRaw|AllocTRES", "1|x|x|x|x|x"),
            "FILE:1: unknown column 'Usr'\n    Did you mean 'User'? Known: ",
        ),
        (
            ("JobID|State|Submit", "1|COMPLETED|x"),
            "FILE:1: no column says how long a job ran\n    Add ElapsedRaw to the -o list of sacct.\n"
            "FILE:1: no column says how many GPUs a job had\n    Add AllocTRES to the -o list of sacct.",
        ),
        (
            ("JobID|State|Submit|JobName|ElapsedRaw|AllocTRES", "1|COMPLETED|2024-05-01T09:00:00|a|b|1|cpu=1"),
            "FILE:2: 7 cells, but the header has 6\n    A text such as JobName may hold '|' itself: leave that column "
            "out, or choose another delimiter.",
        ),
        (
            ("JobID|State|Submit|ElapsedRaw|AllocTRES", "1.0|COMPLETED|2024-05-01T09:00:00|1|cpu=1"),
            "FILE: no row is a job that can be replayed\n    set aside 1: a step of a job",
        ),
    ],
)
def test_slurm_files_that_do_not_do(write: Write, lines: tuple[str, ...], text: str) -> None:
    assert refused(write(*lines), "slurm").startswith(text)


@given(st.integers(0, 400), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_slurm_times(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert slurm.clock_seconds(f"{days}-{hours:02}:{minutes:02}:{seconds:02}") == total
    assert slurm.clock_seconds(f"{days * 24 + hours:02}:{minutes:02}:{seconds:02}") == total


# --- generic ----------------------------------------------------------------------------------------------------


def test_generic_with_a_mapping(write: Write) -> None:
    path = write(
        "Job,Submit Time,begin,finish,GPUs,RAM,who,mood",
        "a,2024-05-01 10:00:00,2024-05-01 10:05:00,2024-05-01 11:05:00,4,16,ann,good",
        "b,2024-05-01 09:00:00,,,2,8,bob,bad",
        "c,2024-05-01 09:30:00,2024-05-01 09:30:00,2024-05-01 09:30:30,,8,bob,bad",
    )
    trace = read_trace(
        path,
        "generic",
        columns={
            "id": "Job", "submit": "Submit Time", "start": "begin", "end": "finish", "accelerators": "GPUs",
            "memory": "RAM", "tenant": "who", "cores": 4,
        },
        units={"submit": "iso", "start": "iso", "end": "iso", "memory": "GiB"},
    )  # fmt: skip
    assert trace.columns["id"].tolist() == ["c", "a"]
    assert trace.columns["submit"].tolist() == [0.0, 1800.0]
    assert trace.columns["duration"].tolist() == [30.0, 3600.0]
    assert trace.columns["accelerators"].tolist() == [0.0, 4.0]
    assert trace.columns["memory"].tolist() == [8 * 2.0**30, 16 * 2.0**30]
    assert trace.columns["cores"].tolist() == [4.0, 4.0]
    assert trace.set_aside == (SetAside("no start: the cell of 'begin' is empty", 1, (2,)),)
    assert trace.origin == datetime(2024, 5, 1, 9, 30)


def test_generic_units(write: Write) -> None:
    path = write("t\td\tg\tp", "1000\t2\t50\t-3", "4000\t0.5\t80\t", name="t.tsv")
    trace = read_trace(
        path,
        "generic",
        columns={"submit": "t", "duration": "d", "accelerators": "g", "priority": "p"},
        units={"submit": "ms", "duration": "h", "accelerators": "%"},
        delimiter="tab",
    )
    assert trace.columns["submit"].tolist() == [0.0, 3.0]
    assert trace.columns["duration"].tolist() == [7200.0, 1800.0]
    assert trace.columns["accelerators"].tolist() == [0.5, 0.8]
    assert trace.columns["priority"].tolist() == [-3.0, 0.0]
    assert trace.notes == ("submit 0 is 1 s in the file",)


def test_generic_without_a_mapping_knows_our_names(write: Write) -> None:
    path = write("id,submit,duration,accelerators", "a,5,10,1", "a,5,10,1", ",6,10,1")
    trace = read_trace(path, "generic")
    assert trace.columns["id"].tolist() == ["a", "a#2", "row-3"]
    assert trace.notes == (
        "jobs that repeat an id, each a job of its own called id#2, id#3, ...: 1",
        "submit 0 is 5 s in the file",
    )
    wrong = write("submit,duration,accelerators,estimte", "5,10,1,3")
    assert refused(wrong, "generic").startswith("FILE:1: unknown column 'estimte'\n    Did you mean 'estimate'?")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"columns": {"submit": "Sumbit", "duration": "run", "accelerators": 1}},
            "FILE:1: there is no column 'Sumbit'\n    Did you mean 'Submit'? Known: Submit, gpus, run.",
        ),
        (
            {"columns": {"submt": "Submit"}},
            "columns: a job has no 'submt'. Did you mean 'submit'? Known: accelerator_types, accelerators, ",
        ),
        (
            {"columns": {"submit": "Submit", "accelerators": -1, "duration": "run"}},
            "columns: -1 for 'accelerators' is not the name of a column",
        ),
        (
            {"columns": {"submit": "Submit"}},
            "FILE:1: no column is mapped to 'accelerators'\n    Add it to columns.\n"
            "FILE:1: no column is mapped to 'duration' (nor to 'start' and 'end')\n    Add it to columns.",
        ),
        (
            {"columns": {"submit": "Submit", "duration": "run", "accelerators": "gpus"}, "units": {"duration": "GiB"}},
            "units: duration cannot be in 'GiB'; write s, ms, min, h or d",
        ),
        (
            {
                "columns": {"submit": "Submit", "duration": "run", "accelerators": "gpus"},
                "units": {"accelerators": "k"},
            },
            "units: accelerators cannot be in 'k'. Known: %, milli.",
        ),
        (
            {"columns": {"submit": "Submit", "duration": "run", "accelerators": "gpus"}},
            "FILE:2 Submit: '2024-05-01' is not a number\n    If these are dates, write units: {submit: iso}.",
        ),
        (
            {
                "columns": {"submit": "run", "start": "Submit", "end": "Submit", "accelerators": "gpus"},
                "units": {"start": "iso", "end": "iso"},
            },
            "units: start, end is iso but submit is not; dates or numbers for all",
        ),
        ({"delimiter": "::"}, "delimiter: '::' is not one character"),
    ],
)
def test_generic_refusals(write: Write, options: dict[str, Any], text: str) -> None:
    assert refused(write("Submit,run,gpus", "2024-05-01,5,1"), "generic", **options).startswith(text)


# --- write and read back ----------------------------------------------------------------------------------------

jobs = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([0.0, 0.25, 0.47, 0.999, 1.0, 2.0, 64.0]),
        st.text("abcXYZ0189-_, \"'", min_size=0, max_size=8).map(str.strip),
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


def made(rows: list[tuple[int, int, float, str]]) -> Trace:
    submit, duration, accelerators, tenant = zip(*rows, strict=True)
    first = min(submit)
    columns = {
        "submit": np.array(submit, dtype=float) - first,
        "duration": np.array(duration, dtype=float),
        "accelerators": np.array(accelerators),
        "tenant": as_objects(tenant),
    }
    return Trace.sorted("made", columns, origin=datetime(2020, 2, 28) + timedelta(seconds=first))


def same(a: Trace, b: Trace, *names: str) -> None:
    for name in ("submit", "duration", "accelerators", *names):
        assert a.columns[name].tolist() == b.columns[name].tolist()


once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@once
@given(jobs)
def test_philly_round_trip(tmp_path: Path, rows: list[tuple[int, int, float, str]]) -> None:
    trace = made(rows)
    philly.write(trace, tmp_path / "t.csv.gz")
    again = read_trace(tmp_path / "t.csv.gz", "philly")
    same(trace, again, "tenant")
    assert again.origin == trace.origin


@once
@given(jobs, st.data())
def test_generic_round_trip(tmp_path: Path, rows: list[tuple[int, int, float, str]], data: st.DataObject) -> None:
    plain = made(rows)
    numbers = st.floats(0, 1e12).filter(lambda x: x == 0 or x > 1e-6)
    draw = [data.draw(st.tuples(numbers, numbers, st.floats(-5, 5))) for _ in rows]
    more = {
        "estimate": np.array([d[0] if d[0] else -1.0 for d in draw]),
        "memory": np.array([d[1] for d in draw]),
        "priority": np.array([d[2] for d in draw]),
        "id": as_objects(f"j{n}" for n in range(len(rows))),
        "accelerator_types": as_objects(("a", "b") if n % 2 else () for n in range(len(rows))),
    }
    trace = Trace("made", plain.columns | more)
    generic.write(trace, tmp_path / "t.csv")
    same(trace, read_trace(tmp_path / "t.csv", "generic"), "tenant", *more)


@once
@given(jobs)
def test_openb_round_trip(tmp_path: Path, rows: list[tuple[int, int, float, str]]) -> None:
    plain = made(rows)
    servers = (ServerRow("n0", 8, "G2", 96, 2.0**38), ServerRow("n1", 0, "", 4.5, 2.0**30))
    trace = Trace("made", plain.columns | {"cores": np.full(len(plain), 3.152)}, servers=servers)
    openb.write(trace, tmp_path / "pods.csv", tmp_path / "nodes.csv")
    again = read_trace(tmp_path / "pods.csv", "openb", nodes="nodes.csv")
    same(trace, again, "cores")
    assert again.servers == servers


def test_philly_needs_dates(tmp_path: Path) -> None:
    trace = Trace("x", made([(0, 1, 1.0, "a")]).columns)
    with pytest.raises(InputError, match="trace 'x' has no dates, and the philly format needs them"):
        philly.write(trace, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    trace = made([(0, 1, 1.0, "a")])
    trace.columns["duration"] = as_objects(["x"])
    with pytest.raises((TypeError, ValueError)):
        philly.write(trace, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(formats.names()))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes, format: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, format)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_cells_never_leave_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    good = sacct("100", "COMPLETED", "10:00:00", "10:00:10", "3600", "02:00:00", "cpu=64,gres/gpu:h100=8,mem=500G")
    cells = good.split("|")
    index = data.draw(st.integers(0, len(cells) - 1))
    cells[index] = data.draw(st.text(max_size=12).filter(lambda text: not set(text) & set("|\r\n")))
    path = tmp_path / "t.txt"
    path.write_text(SACCT + "\n" + good + "\n" + "|".join(cells) + "\n", "utf-8")
    try:
        rows = read_trace(path, "slurm").rows_read
    except InputError:
        return
    assert rows == 2
