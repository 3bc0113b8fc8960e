"""Helios: Slurm jobs by virtual cluster, and the sizes of these by day."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, helios, looks_like, read_trace
from simulator.workload.rows import as_objects
from simulator.workload.trace import Trace
from tests.tracefiles import refused, written

HEADER = "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue"
EXAMPLE = (
    "1425511,uXBbc,vcJkd,1,1,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-10 04:55:09,36848,0",
    "1425512,uVMrF,vchbv,4,16,1,FAILED,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0",
    "1425513,uzqls,vcpDC,1,1,1,CANCELLED,2020-06-09 18:41:28,2020-06-09 18:41:28,2020-06-17 14:15:21,675233,0",
)
"""The example of the page of the trace."""


def line(id: int, gpus: int, state: str, start: str = "2020-06-09 18:41:01", duration: int = 60) -> str:
    end = "2020-06-09 18:42:01" if start else ""
    return f"{id},u,vc,{gpus},4,1,{state},2020-06-09 18:41:01,{start},{end},{duration},0"


def test_the_example_of_its_page(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEADER, *EXAMPLE), "helios")
    first, second, third = trace.jobs()
    assert (first.id, first.user, first.tenant, first.partition) == ("1425511", "uXBbc", "vcJkd", "")
    assert [job.submit for job in (first, second, third)] == [0.0, 26.0, 27.0]
    assert [job.duration for job in (first, second, third)] == [36848.0, 249.0, 675233.0]
    assert (second.accelerators, second.cores) == (4.0, 16.0)
    assert trace.columns["state"].tolist() == ["COMPLETED", "FAILED", "CANCELLED"]
    assert trace.origin == datetime(2020, 6, 9, 18, 41, 1)
    assert trace.notes == ()
    assert looks_like(HEADER) == "helios"


def test_virtual_clusters_are_partitions_where_one_asks(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEADER, *EXAMPLE), "helios", partitions=True)
    assert [(job.partition, job.tenant) for job in trace.jobs()] == [(vc, vc) for vc in ("vcJkd", "vchbv", "vcpDC")]


def test_jobs_without_gpus_are_kept_or_set_aside(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, line(1, 0, "COMPLETED"), line(2, 1, "TIMEOUT"), line(3, 0, "NODE_FAIL"))
    kept = read_trace(path, "helios")
    assert kept.columns["id"].tolist() == ["1", "2", "3"]
    assert kept.notes == ("jobs that ask for no accelerator, kept: 2",)
    cut = read_trace(path, "helios", cpu_jobs="set aside")
    assert cut.columns["id"].tolist() == ["2"]
    assert cut.report() == "t.csv: 3 rows: 1 kept, 2 set aside\n  set aside 2: asks for no GPU (rows 1, 3)"
    assert refused(path, "helios", cpu_jobs="drop").startswith("cpu_jobs: 'drop' is not a choice.")
    assert format_options("helios") == ["cpu_jobs", "partitions"]


def test_every_state_of_its_page_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, *(line(n, 1, state) for n, state in enumerate(helios.STATES)))
    assert read_trace(path, "helios").columns["state"].tolist() == list(helios.STATES)
    assert refused(written(tmp_path, HEADER, line(1, 1, "COMPLETE"), line(2, 1, "FAILED")), "helios").splitlines() == [
        "FILE:2 state: 'COMPLETE' is not a state of a Helios job",
        "    Did you mean 'COMPLETED'? Known: CANCELLED, COMPLETED, FAILED, NODE_FAIL, SUSPENDED, TIMEOUT.",
    ]


def test_rows_that_never_started_or_contradict_themselves(tmp_path: Path) -> None:
    never = line(1, 1, "CANCELLED", start="")
    none = line(2, 1, "CANCELLED", start="None")
    path = written(tmp_path, HEADER, never, none, line(3, 1, "COMPLETED", duration=600), line(4, 1, "COMPLETED"))
    trace = read_trace(path, "helios")
    assert trace.columns["duration"].tolist() == [600.0, 60.0]
    assert [(part.reason, part.rows) for part in trace.set_aside] == [("never started: there is no start_time", (1, 2))]
    assert trace.notes == ("rows with a duration other than end_time - start_time, duration is taken: 1",)


def test_columns_are_all_there_and_no_others(tmp_path: Path) -> None:
    assert refused(written(tmp_path, HEADER + ",name", "1"), "helios").startswith("FILE:1: unknown column 'name'")
    short = HEADER.removesuffix(",queue")
    assert refused(written(tmp_path, short, "1"), "helios").startswith("FILE:1: there is no column 'queue'")


# --- sizes of virtual clusters ----------------------------------------------------------------------------------


def test_sizes_of_virtual_clusters_day_by_day(tmp_path: Path) -> None:
    path = written(tmp_path, "date,vcA,vcB,total", "2020-04-01,8,0,8", "2020-04-03,8,16,24")
    sizes = helios.read_sizes(path)
    assert list(sizes) == ["vcA", "vcB", "total"]
    assert sizes["vcB"].dates == (date(2020, 4, 1), date(2020, 4, 3))
    assert sizes["vcB"].gpus.tolist() == [0.0, 16.0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["soon,1"], "FILE:2 date: 'soon' is not a date such as 2020-09-01"),
        (["2020-04-01,x"], "FILE:2 vcA: 'x' is not a number"),
        (
            ["2020-04-02,1", "2020-04-01,1"],
            "FILE: 2020-04-01 stands after 2020-04-02; the days are in order, each once",
        ),
    ],
)
def test_sizes_that_make_no_sense(tmp_path: Path, rows: list[str], told: str) -> None:
    path = written(tmp_path, "date,vcA", *rows)
    with pytest.raises(InputError) as error:
        helios.read_sizes(path)
    assert str(error.value).replace(str(path), "FILE") == told


def test_the_sizes_of_earth(shared: Path) -> None:
    sizes = helios.read_sizes(shared / "traces/helios_earth/Earth_gpu_number.csv")
    total = sizes["total"]
    assert (len(sizes), len(total.dates), total.dates[0], total.dates[-1]) == (
        26,
        181,
        date(2020, 4, 1),
        date(2020, 9, 28),
    )
    assert (
        total.gpus.tolist() == np.sum([part.gpus for name, part in sizes.items() if name != "total"], axis=0).tolist()
    )
    assert set(sizes["vc6YE"].gpus.tolist()) > {128.0, 216.0}


# --- writing ----------------------------------------------------------------------------------------------------

JOBS = st.lists(
    st.tuples(
        st.integers(0, 10**7),
        st.integers(1, 10**6),
        st.integers(0, 512),
        st.integers(0, 999),
        st.sampled_from(["vcA", "vc B", 'v"c', "a,b"]),
        st.sampled_from(helios.STATES),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JOBS)
def test_what_was_written_is_read(tmp_path: Path, drawn: list[tuple[int, int, int, int, str, str]]) -> None:
    numbers = np.array([row[:4] for row in drawn], dtype=float)
    columns = {name: numbers[:, at] for at, name in enumerate(("submit", "duration", "accelerators", "cores"))}
    columns["submit"] -= columns["submit"].min()
    columns |= {name: as_objects(row[at] for row in drawn) for at, name in ((4, "tenant"), (5, "state"))}
    columns["id"] = as_objects(f"j{n}" for n in range(len(drawn)))
    trace = Trace.sorted("t", columns, origin=datetime(2020, 4, 1))
    helios.write(trace, tmp_path / "t.csv")
    again = read_trace(tmp_path / "t.csv", "helios")
    assert again.origin == trace.origin
    assert not [note for note in again.notes if "duration" in note]
    for name, column in trace.columns.items():
        assert again.columns[name].tolist() == column.tolist()


def test_a_trace_without_dates_is_not_written(tmp_path: Path) -> None:
    trace = Trace("x", {name: np.ones(1) for name in ("submit", "duration", "accelerators")})
    with pytest.raises(InputError, match="trace 'x' has no dates, and the helios format needs them: give it an origin"):
        helios.write(trace, tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "helios")
