"""The samples of GAIA, in hours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, gaia, looks_like, read_trace
from simulator.workload.trace import Trace
from tests.tracefiles import refused, written

HEADER = "arrival_time,length,cpus"


def test_hours_become_seconds_and_cpus_cores(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "0.5,0.25,4", "0.5,2,1.5", "1.5,0,1")
    trace = read_trace(path, "gaia")
    assert trace.columns["submit"].tolist() == [0.0, 0.0]
    assert trace.columns["duration"].tolist() == [900.0, 7200.0]
    assert trace.columns["cores"].tolist() == [4.0, 1.5]
    assert trace.columns["accelerators"].tolist() == [0.0, 0.0]
    assert trace.columns["row"].tolist() == [1, 2]
    assert trace.set_aside[0].reason == "ran for 0 s: there is nothing to replay"
    assert trace.notes == ("jobs that ask for no accelerator, kept: 2", "submit 0 is 1800 s in the file")
    assert looks_like(HEADER) == "gaia"


def test_cpus_may_be_taken_for_accelerators(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "0,0.25,4", "1,2,0.5")
    trace = read_trace(path, "gaia", cpus="accelerators")
    assert trace.columns["accelerators"].tolist() == [4.0, 0.5]
    assert "cores" not in trace.columns
    assert trace.notes == ()
    assert format_options("gaia") == ["cpus"]
    assert refused(path, "gaia", cpus="gpus").startswith("cpus: 'gpus' is not a choice.")
    assert refused(written(tmp_path, HEADER, "0,1,1.5"), "gaia", cpus="accelerators") == (
        "FILE:2 cpus: 1.5 accelerators: a job takes whole accelerators, or a share below 1 of a single one"
    )


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "-1,x,", "0,1,1")
    assert refused(path, "gaia").splitlines() == [
        "FILE:2 cpus: the cell is empty",
        "FILE:2 arrival_time: '-1' is negative",
        "FILE:2 length: 'x' is not a number",
    ]
    assert refused(written(tmp_path, HEADER + ",gpus", "1"), "gaia").startswith("FILE:1: unknown column 'gpus'")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(1e-3, 1e6), st.integers(1, 512)), min_size=1, max_size=20),
    st.sampled_from(["cores", "accelerators"]),
)
def test_what_was_written_is_read(tmp_path: Path, drawn: list[tuple[float, float, int]], cpus: str) -> None:
    submit, duration, counts = np.array(drawn, dtype=float).T
    columns = {
        "submit": submit - submit.min(),
        "duration": duration,
        "accelerators": np.zeros(len(drawn)),
        cpus: counts,
    }
    trace = Trace.sorted("t", columns)
    gaia.write(trace, tmp_path / "t.csv.gz")
    again = read_trace(tmp_path / "t.csv.gz", "gaia", cpus=cpus)
    for name, column in trace.columns.items():
        np.testing.assert_allclose(again.columns[name], column, rtol=1e-12)


@pytest.mark.parametrize(
    ("file", "jobs", "hours", "cpus"),
    [
        ("alibaba_pai_gaia/pai-100k.h1.csv.gz", 49_752, 2.258, 3.4167),
        ("azure_vm_gaia/azure-100k.h1.csv.gz", 50_000, 3.8416, 3.9724),
        ("mustang_gaia/mustang-trace-2015-100k.h1.csv.gz", 67_477, 2.0211, 9.2308),
    ],
)
def test_the_samples_have_the_means_that_were_counted(
    shared: Path, file: str, jobs: int, hours: float, cpus: float
) -> None:
    trace = read_trace(shared / "traces" / file, "gaia")
    assert (len(trace), trace.rows_read) == (jobs, jobs)
    assert trace.columns["duration"].mean() / 3600 == pytest.approx(hours, rel=5e-5)
    assert trace.columns["cores"].mean() == pytest.approx(cpus, rel=5e-5)
    assert 0.9 * 4380 < trace.span / 3600 <= 4380


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "gaia")
