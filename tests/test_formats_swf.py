"""The Standard Workload Format, read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.workload.formats import read_trace, swf
from simulator.workload.rows import as_objects
from simulator.workload.trace import Trace
from tests.tracefiles import refused, written

#       job submit wait run alloc cpu  mem req  time mem status user group exe queue part prev think
PLAIN = "1   100    5    60  4     59.5 -1  4    120  -1  1      7    2     3   1     2    -1   -1"


def row(**fields: object) -> str:
    """A row like ``PLAIN`` but for the fields given."""
    cells = dict(zip(swf.FIELDS, PLAIN.split(), strict=True))
    return " ".join(str(cell) for cell in (cells | fields).values())


def test_the_size_is_what_was_given_or_what_was_asked_for(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(job=1, processors=12, requested_processors=8),
        row(job=2, processors=6, requested_processors=-1),
        row(job=3, processors=-1, requested_processors=3),
    )
    assert read_trace(path, "swf").columns["accelerators"].tolist() == [12.0, 6.0, 3.0]
    assert read_trace(path, "swf", size="requested").columns["accelerators"].tolist() == [8.0, 6.0, 3.0]
    assert refused(path, "swf", size="asked").startswith("size: 'asked' is not a choice.")


def test_fields(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "; Version: 2.2",
        ";UnixStartTime: 1027839845",
        "; TimeZoneString: Europe/Stockholm",
        ";",
        PLAIN,
        row(job=4, submit=130, run=90.5, processors=-1, requested_processors=8, requested_memory=2048, preceding=1),
        row(job=9, submit=120, requested_time=-1, user=-1, group=-1, queue=-1, status=5),
    )
    trace = read_trace(path, "swf")
    assert trace.columns["id"].tolist() == ["1", "9", "4"]
    assert trace.columns["submit"].tolist() == [0.0, 20.0, 30.0]
    assert trace.columns["duration"].tolist() == [60.0, 60.0, 90.5]
    assert trace.columns["accelerators"].tolist() == [4.0, 4.0, 8.0]
    assert trace.columns["cores"].tolist() == [0.0, 0.0, 0.0]
    assert trace.columns["memory"].tolist() == [0.0, 0.0, 8 * 2.0**21]
    assert trace.columns["estimate"].tolist() == [120.0, -1.0, 120.0]
    assert trace.columns["limit"].tolist() == [120.0, np.inf, 120.0]
    assert trace.columns["state"].tolist() == ["COMPLETED", "CANCELLED", "COMPLETED"]
    assert trace.columns["user"].tolist() == ["7", "", "7"]
    assert trace.columns["tenant"].tolist() == ["2", "", "2"]
    assert trace.columns["queue"].tolist() == ["1", "", "1"]
    assert trace.columns["partition"].tolist() == ["2", "2", "2"]
    assert trace.columns["after"].tolist() == [(), (), ("1",)]
    assert trace.origin == datetime(2002, 7, 28, 7, 5, 45, tzinfo=UTC)
    assert str(trace.origin) == "2002-07-28 09:05:45+02:00"
    assert len(trace.where(queue="1")) == 2


def test_processors_may_be_cores_and_the_user_the_tenant(tmp_path: Path) -> None:
    path = written(tmp_path, PLAIN)
    trace = read_trace(path, "swf", processors="cores", tenant="user")
    assert trace.columns["accelerators"].tolist() == [0.0]
    assert trace.columns["cores"].tolist() == [4.0]
    assert trace.columns["tenant"].tolist() == ["7"]
    assert refused(path, "swf", processors="gpus") == "processors: 'gpus' is not a choice. Known: accelerators, cores."
    assert refused(path, "swf", tenant="que") == (
        "tenant: 'que' is not a choice. Did you mean 'queue'? Known: group, partition, queue, user."
    )


def test_what_is_set_aside(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        PLAIN,
        row(job=2, run=-1, status=-1),
        row(job=3, processors=-1, requested_processors=-1),
        row(job=4, run=0),
        row(job=5, submit=-1),
        row(job=6, status=2, submit=-1),
        row(job=6, status=4),
        row(job=7, run=130, think_time=9, preceding=2),
        row(job=8, preceding=12),
        row(job=9, preceding=8) + " 3 node-1 node-2",
    )
    trace = read_trace(path, "swf")
    assert trace.report().splitlines() == [
        "t.csv: 10 rows: 4 kept, 6 set aside",
        "  set aside 2: a partial run of a job (status 2, 3 or 4), which another line sums up (rows 6, 7)",
        "  set aside 1: no time of submission (-1) (row 5)",
        "  set aside 1: no run time (-1): it never started, or nobody knows how long it ran (row 2)",
        "  set aside 1: neither allocated nor requested processors (-1) (row 3)",
        "  set aside 1: ran for 0 s: there is nothing to replay (row 4)",
        "  note: jobs that ran longer than they asked for, which may run that long again: 1",
        "  note: jobs with a think time after the job that they follow, which is not modelled: 1",
        "  note: rows of more than 18 fields, of which the first 18 are read: 1",
        "  note: submit 0 is 100 s in the file",
        "  note: dependencies on jobs that are not in the trace, left out: 2",
    ]
    assert trace.columns["limit"].tolist() == [120.0, 130.0, 120.0, 120.0]
    assert trace.columns["after"].tolist() == [(), (), (), ("8",)]


def test_submissions_at_unix_time_are_dates(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "; UnixStartTime: 0", row(submit=1356994806)), "swf")
    assert trace.origin == datetime(2012, 12, 31, 23, 0, 6, tzinfo=UTC)
    assert read_trace(written(tmp_path, "; UnixStartTime: 0", PLAIN), "swf").origin is None


def test_a_zone_that_nobody_knows(tmp_path: Path) -> None:
    path = written(tmp_path, "; UnixStartTime: 1027839845", "; TimeZoneString: Mars/Olympus", PLAIN)
    trace = read_trace(path, "swf")
    assert trace.origin == datetime(2002, 7, 28, 7, 5, 45, tzinfo=UTC)
    assert trace.notes[0] == "the time zone 'Mars/Olympus' of the header is not known here, dates are UTC"


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, "; x", PLAIN, row(run="long"), row(status=9), row(processors=2.5), "1 2 3", row(submit=-2))
    assert refused(path, "swf").splitlines() == [
        "FILE:3 run: 'long' is not a number",
        "FILE:4 status: 9 is not a status: -1 to 5",
        "FILE:5 processors: 2.5 accelerators: a job takes whole accelerators, or a share below 1 of a single one",
        "FILE:6: 3 cells, but the header has 18",
        "    The row breaks off: is the file cut short?",
        "FILE:7 submit: '-2' is negative",
    ]
    assert refused(written(tmp_path, "; nothing"), "swf") == "FILE: the file is empty"


def test_the_real_log(shared: Path, tmp_path: Path) -> None:
    trace = read_trace(shared / "traces/swf_hpc2n_excerpt/hpc2n.swf", "swf")
    assert (trace.rows_read, len(trace), [part.count for part in trace.set_aside]) == (3_170, 3_145, [25])
    assert trace.describe()["duration.mean"] == pytest.approx(10128, abs=0.5)
    assert trace.describe()["duration.p50"] == 943.0
    assert trace.span == pytest.approx(57.3 * 86400, rel=1e-3)
    ratio = trace.columns["estimate"] / trace.columns["duration"]
    assert float(np.median(ratio)) == pytest.approx(2.2444, abs=5e-5)
    assert trace.origin == datetime(2002, 7, 28, 9, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    swf.write(trace, tmp_path / "again.swf")
    again = read_trace(tmp_path / "again.swf", "swf")
    assert again.origin == trace.origin
    for name in trace.columns.keys() - {"row"}:
        assert again.columns[name].tolist() == trace.columns[name].tolist(), name


# --- written and read back ---------------------------------------------------------------------------------------

jobs = st.lists(
    st.fixed_dictionaries({
        "submit": st.integers(0, 10**6),
        "duration": st.integers(1, 10**6),
        "accelerators": st.integers(0, 512),
        "estimate": st.sampled_from([-1, 1, 60, 7200]),
        "user": st.sampled_from(["", "1", "7"]),
        "tenant": st.sampled_from(["", "3"]),
        "queue": st.sampled_from(["", "1"]),
        "partition": st.sampled_from(["", "2"]),
        "state": st.sampled_from(["COMPLETED", "FAILED", "CANCELLED", "UNKNOWN"]),
        "kib": st.integers(0, 10**6),
        "after": st.booleans(),
    }),
    min_size=1,
    max_size=20,
)  # fmt: skip
once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def made(rows: list[dict[str, object]]) -> Trace:
    """A trace that the format can hold."""
    rows = sorted(rows, key=lambda each: each["submit"])  # type: ignore[arg-type, return-value]
    floats = {
        name: np.array([each[name] for each in rows], dtype=float)
        for name in ("submit", "duration", "accelerators", "estimate", "kib")
    }
    texts = {
        name: as_objects(each[name] for each in rows) for name in ("user", "tenant", "queue", "partition", "state")
    }
    floats["submit"] -= floats["submit"][0]
    asked = floats["estimate"]
    more = {
        "memory": floats.pop("kib") * 1024.0 * floats["accelerators"],
        "limit": np.where(asked < 0, np.inf, np.maximum(asked, floats["duration"])),
        "id": as_objects(str(2 * number + 1) for number in range(len(rows))),
        "after": as_objects(("1",) if each["after"] and number else () for number, each in enumerate(rows)),
    }
    return Trace("made", floats | texts | more, origin=datetime(2020, 2, 29, tzinfo=UTC))


@once
@given(jobs)
def test_round_trip(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    trace = made(rows)
    swf.write(trace, tmp_path / "t.swf.gz")
    again = read_trace(tmp_path / "t.swf.gz", "swf")
    assert again.origin == trace.origin
    for name in trace.columns:
        default = [()] * len(trace) if name == "after" else None
        found = again.columns[name].tolist() if name in again.columns else default
        assert found == trace.columns[name].tolist(), name


def test_names_become_numbers(tmp_path: Path) -> None:
    columns = {
        "submit": np.array([0.0, 1.4]),
        "duration": np.array([0.2, 10.0]),
        "accelerators": np.array([0.25, 2.0]),
        "tenant": as_objects(["nlp", "vision"]),
        "id": as_objects(["a", "b"]),
        "after": as_objects([(), ("a",)]),
        "limit": np.array([np.inf, 3600.0]),
    }
    swf.write(Trace("made", columns), tmp_path / "t.swf")
    assert (tmp_path / "t.swf").read_text().splitlines() == [
        "; Version: 2.2",
        "; MaxJobs: 2",
        "; MaxRecords: 2",
        "; Group: 1 nlp, 2 vision",
        "1 0 -1 1 1 -1 -1 1 -1 -1 -1 -1 1 -1 -1 -1 -1 -1",
        "2 1 -1 10 2 -1 -1 2 3600 -1 -1 -1 2 -1 -1 -1 1 -1",
    ]
    swf.write(Trace("made", columns | {"cores": np.array([3.0, 6.0])}), tmp_path / "t.swf", processors="cores")
    assert read_trace(tmp_path / "t.swf", "swf").columns["accelerators"].tolist() == [3.0, 6.0]
