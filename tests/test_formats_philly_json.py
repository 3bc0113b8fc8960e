"""Philly's log of jobs in JSON: attempts, times that are missing, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, philly, read_trace
from tests.tracefiles import dumped, refused, written

STILL = "still running at the end of the log (the last attempt has no end)"
DAY = "2017-10-07"


def clock(time: str | None) -> str | None:
    return time and (time if " " in time or ":" not in time else f"{DAY} {time}")


def attempt(start: str | None, end: str | None, *gpus: int) -> dict[str, Any]:
    """An attempt on as many servers as there are numbers of GPUs."""
    detail = [{"ip": f"m{place}", "gpus": [f"gpu{gpu}" for gpu in range(number)]} for place, number in enumerate(gpus)]
    return {"start_time": clock(start), "end_time": clock(end), "detail": detail}


def job(id: str, submit: str | None, *attempts: dict[str, Any], **over: Any) -> dict[str, Any]:
    told = {"status": "Pass", "vc": "ee9e8c", "jobid": id, "attempts": list(attempts), "user": "ce2f4c"}
    return told | {"submitted_time": clock(submit)} | over


EXAMPLE = job(
    "application_1506638472020_14199",
    "01:11:39",
    attempt("01:12:09", "01:13:23", 8),
    attempt("01:13:30", "2017-10-09 06:53:12", 8),
)
"""The example of the page of the trace."""


def test_the_example_of_its_page(tmp_path: Path) -> None:
    trace = read_trace(dumped(tmp_path, [EXAMPLE]), "philly-json")
    (read,) = trace.jobs()
    ran = (74, 2 * 86400 + 5 * 3600 + 39 * 60 + 42)
    assert (read.duration, read.accelerators, read.submit, read.row) == (sum(ran), 8.0, 0.0, 1)
    assert (read.id, read.tenant, read.user) == ("application_1506638472020_14199", "ee9e8c", "ce2f4c")
    assert trace.origin == datetime(2017, 10, 7, 1, 11, 39)
    assert trace.columns["attempts"].tolist() == [2]
    assert trace.columns["state"].tolist() == ["Pass"]
    assert trace.notes == ("jobs of several attempts, which run for the sum of them and on the GPUs of the last: 1",)
    for rule, seconds in zip(("first", "last"), ran, strict=True):
        alone = read_trace(dumped(tmp_path, [EXAMPLE]), "philly-json", attempts=rule)
        assert alone.columns["duration"].tolist() == [seconds]
        assert alone.notes == (f"jobs of several attempts, of which the {rule} is taken: 1",)


def test_the_gpus_are_those_of_all_servers_of_the_attempt_that_counts(tmp_path: Path) -> None:
    path = dumped(
        tmp_path, [job("a", "01:00:00", attempt("01:01:00", "01:02:00", 8, 8), attempt("01:03:00", "01:05:00", 4))]
    )
    trace = read_trace(path, "philly-json")
    assert trace.columns["accelerators"].tolist() == [4.0]
    assert trace.notes[1] == "jobs whose attempts had different numbers of GPUs: 1"
    assert read_trace(path, "philly-json", attempts="first").columns["accelerators"].tolist() == [16.0]


@pytest.mark.parametrize("no", [None, "", "None", "NA"], ids=["null", "empty", "None", "NA"])
def test_what_is_set_aside(tmp_path: Path, no: str | None) -> None:
    path = dumped(
        tmp_path,
        [
            job("kept", "01:00:00", attempt("01:01:00", "01:02:00", 1)),
            job("none", "01:00:00"),
            job("no times", "01:00:00", attempt(no, no, 1)),
            job("no start", "01:00:00", attempt(no, "01:02:00", 1)),
            job("running", "01:00:00", attempt("01:01:00", "01:01:10", 1), attempt("01:02:00", no, 1)),
            job("never", no, attempt("01:01:00", "01:02:00", 1)),
            job("nothing", "01:00:00", attempt("01:01:00", "01:01:00", 1)),
        ],
    )
    trace = read_trace(path, "philly-json")
    assert trace.columns["id"].tolist() == ["kept"]
    assert {part.reason: part.rows for part in trace.set_aside} == {
        "no attempt to run it was recorded": (2,),
        "no attempt has both a start and an end after it": (3, 4),
        f"{STILL}: how long it would have run is not known": (5,),
        "no time of submission": (6,),
        "ran for 0 s: there is nothing to replay": (7,),
    }  # fmt: skip
    assert trace.notes == ("attempts without a start, or without an end though others follow, left out: 2",)


def test_jobs_that_still_run_may_be_kept_until_the_last_time_of_the_log(tmp_path: Path) -> None:
    path = dumped(
        tmp_path,
        [
            job("running", "01:00:00", attempt("01:01:00", "01:01:10", 1), attempt("01:02:00", None, 2)),
            job("last", "01:00:00", attempt("01:01:00", "01:05:00", 1)),
        ],
    )
    kept = read_trace(path, "philly-json", running="keep")
    assert kept.columns["duration"].tolist() == [190.0, 240.0]
    assert (
        "jobs still running at the end of the log, kept with the seconds they had run until its last time: 1"
        in kept.notes
    )
    first = read_trace(path, "philly-json", attempts="first")
    assert first.columns["duration"].tolist() == [10.0, 240.0]
    assert not first.set_aside
    last = read_trace(path, "philly-json", attempts="last", running="keep")
    assert last.columns["duration"].tolist() == [180.0, 240.0]


def test_an_attempt_in_the_middle_without_an_end_is_a_gap_in_the_log(tmp_path: Path) -> None:
    attempts = (attempt("01:01:00", None, 1), attempt("01:05:00", "01:06:00", 1))
    trace = read_trace(dumped(tmp_path, [job("a", "01:00:00", *attempts)]), "philly-json")
    assert trace.columns["duration"].tolist() == [60.0]
    assert trace.notes == ("attempts without a start, or without an end though others follow, left out: 1",)


def test_the_night_on_which_the_clocks_went_back(tmp_path: Path) -> None:
    over = job("over", "2017-11-05 00:30:00", attempt("2017-11-05 00:40:00", "2017-11-05 03:00:00", 1))
    back = job("back", "2017-11-05 00:30:00", attempt("2017-11-05 01:50:00", "2017-11-05 01:10:00", 1))
    path = dumped(tmp_path, [over, back])
    naive = read_trace(path, "philly-json")
    assert naive.columns["duration"].tolist() == [8400.0]
    assert naive.notes == ("attempts that end before they start, left out (clocks went back an hour on 2017-11-05): 1",)
    real = read_trace(path, "philly-json", timezone="America/Los_Angeles")
    assert real.columns["duration"].tolist() == [8400.0 + 3600.0]
    assert real.origin == datetime(2017, 11, 5, 7, 30, tzinfo=UTC)
    assert refused(path, "philly-json", timezone="Mars/Olympus") == (
        "timezone: 'Mars/Olympus' is not a time zone known here, such as America/Los_Angeles"
    )


def test_rows_that_fail_and_jobs_without_gpus_are_kept_in_order_of_submission(tmp_path: Path) -> None:
    path = dumped(
        tmp_path,
        [
            job("late", "02:00:00", attempt("02:00:00", "02:01:00", 1), status="Failed"),
            job("a", "01:00:00", attempt("01:00:00", "01:01:00"), status="Killed"),
            job("b", "01:00:00", attempt("01:00:00", "01:01:00", 1)),
        ],
    )
    trace = read_trace(path, "philly-json")
    assert trace.columns["id"].tolist() == ["a", "b", "late"]
    assert trace.columns["row"].tolist() == [2, 3, 1]
    assert trace.where(state="Failed").columns["submit"].tolist() == [3600.0]
    assert trace.notes == ("jobs that ask for no accelerator, kept: 1",)


def test_all_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    good = '{"status": "Pass", "vc": "v", "jobid": "j", "user": "u", "submitted_time": null, "attempts": []}'
    path = written(
        tmp_path,
        "[",
        good.replace("Pass", "Passed") + ",",
        good.replace('"user": "u"', '"usr": "u"') + ",",
        good.replace('"j"', "7") + ",",
        good.replace("[]", "{}") + ",",
        good.replace("[]", '[{"start_time": 5, "end_time": "soon", "detail": [{"ip": "m", "gpus": 4}]}]') + ",",
        good.replace("[]", '[7, {"start_time": null, "end_time": "2017-10-07 01:00:00Z", "detail": []}]'),
        "]",
        name="t.json",
    )
    assert refused(path, "philly-json").splitlines() == [
        "FILE:2 status: 'Passed' is not what became of a Philly job",
        "    Did you mean 'Pass'? Known: Failed, Killed, Pass.",
        "FILE:3: there is no 'user'",
        "FILE:3: unknown key 'usr'",
        "    Did you mean 'user'? Known: attempts, jobid, status, submitted_time, user, vc.",
        "FILE:4 jobid: 7 is not a text",
        "FILE:5 attempts: {} is not a list",
        "FILE:6 attempts[0].detail[0].gpus: 4 is not a list",
        "FILE:6 attempts[0].start_time: 5 is not a time such as 2017-10-07 01:12:09",
        "FILE:6 attempts[0].end_time: 'soon' is not a time such as 2017-10-07 01:12:09",
        "FILE:7 attempts[0]: 7 is not an object with start_time, end_time, detail",
        "FILE:7 attempts[1].end_time: '2017-10-07 01:00:00Z' has a zone; the times of this log have none",
    ]


def test_nothing_that_could_be_replayed(tmp_path: Path) -> None:
    assert refused(dumped(tmp_path, [job("a", "01:00:00")]), "philly-json") == (
        "FILE: no row is a job that can be replayed\n    set aside 1: no attempt to run it was recorded"
    )


def test_options(tmp_path: Path) -> None:
    path = dumped(tmp_path, [EXAMPLE])
    assert format_options("philly-json") == ["attempts", "running", "timezone"]
    assert refused(path, "philly-json", attempts="all").startswith("attempts: 'all' is not a choice.")
    assert refused(path, "philly-json", running="no").startswith("running: 'no' is not a choice.")
    assert refused(path, "philly").splitlines()[0] == "FILE: this is JSON, not a table of text"


def test_the_same_jobs_as_in_the_extract(tmp_path: Path) -> None:
    """One attempt each: then the log says what the table of ``philly`` says."""
    log = [job(f"j{n}", f"01:{n:02}:00", attempt(f"02:{n:02}:00", f"02:{n:02}:30", n % 3 + 1)) for n in range(20)]
    trace = read_trace(dumped(tmp_path, log), "philly-json")
    philly.write(trace, tmp_path / "t.csv")
    table = read_trace(tmp_path / "t.csv", "philly")
    for name in ("submit", "duration", "accelerators", "tenant"):
        assert table.columns[name].tolist() == trace.columns[name].tolist()


MOMENT = st.sampled_from([None, "NA", *(f"0{hour}:30:00" for hour in range(1, 6))])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(MOMENT, st.lists(st.tuples(MOMENT, MOMENT, st.integers(0, 8)), max_size=4)), min_size=1, max_size=6
    ),
    st.sampled_from(["sum", "first", "last"]),
    st.sampled_from(["keep", "set aside"]),
)
def test_every_job_is_kept_or_counted(tmp_path: Path, drawn: list[Any], attempts: str, running: str) -> None:
    log = [job(f"j{n}", submit, *(attempt(*one) for one in ran)) for n, (submit, ran) in enumerate(drawn)]
    path = dumped(tmp_path, log)
    try:
        trace = read_trace(path, "philly-json", attempts=attempts, running=running)
    except InputError:
        assert "no row is a job" in refused(path, "philly-json", attempts=attempts, running=running)
        return
    assert trace.rows_read == len(log)
    for read in trace.jobs():
        known = [
            (int(b[:2]) - int(a[:2])) * 3600.0
            for a, b, _ in drawn[read.row - 1][1]
            if a not in (None, "NA") and b not in (None, "NA")
        ]
        whole = [seconds for seconds in known if seconds >= 0]
        if running == "set aside":
            assert read.duration == {"sum": sum(whole), "first": whole[0], "last": whole[-1]}[attempts]
        else:
            assert read.duration >= (sum(whole) if attempts == "sum" else 0)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "philly-json")
