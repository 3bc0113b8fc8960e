"""Traces: jobs in columns, cuts of them, and the account of what was left out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import read_trace
from simulator.workload.rows import as_objects
from simulator.workload.trace import ServerRow, SetAside, Trace

START = datetime(2017, 10, 1)


def trace(submit: list[float] | None = None, **more: object) -> Trace:
    times = np.array([0.0, 10.0, 10.0, 3600.0] if submit is None else submit)
    count = len(times)
    columns = {
        "row": np.arange(1, count + 1),
        "submit": times,
        "duration": np.arange(1.0, count + 1),
        "accelerators": np.array(([1.0, 8.0, 0.0, 0.5] * count)[:count]),
        "tenant": as_objects((["red", "blue", "red", "green"] * count)[:count]),
    }
    return Trace("mine.csv", columns, **{"origin": START, **more})  # type: ignore[arg-type]


def test_jobs_carry_every_column() -> None:
    columns = trace().columns | {
        "id": as_objects(["a", "b", "c", "d"]),
        "estimate": np.array([5.0, -1.0, 7.0, 8.0]),
        "cores": np.array([1.0, 2.0, 3.0, 4.0]),
        "memory": np.array([2.0**30] * 4),
        "priority": np.array([0.0, 1.0, 2.0, 3.0]),
        "communication": np.array([0.0, 0.2, 0.0, 0.0]),
        "accelerator_types": as_objects([(), ("nvidia/h100-sxm",), (), ()]),
        "state": as_objects(["FAILED"] * 4),
    }
    job = list(Trace("x", columns).jobs("research"))[1]
    assert (job.id, job.row, job.submit, job.duration, job.accelerators) == ("b", 2, 10.0, 2.0, 8.0)
    assert (job.estimate, job.cores, job.memory, job.priority) == (-1.0, 2.0, 2.0**30, 1.0)
    assert (job.communication, job.accelerator_types) == (0.2, ("nvidia/h100-sxm",))
    assert (job.tenant, job.workload) == ("blue", "research")
    assert type(job.submit) is float
    assert type(job.row) is int


def test_jobs_without_ids_are_called_by_workload_and_row() -> None:
    assert [job.id for job in trace().jobs("research")] == ["research-1", "research-2", "research-3", "research-4"]
    assert next(trace().where(tenant="blue").jobs()).id == "job-2"


def test_jobs_are_fresh_each_time() -> None:
    mine = trace()
    first, second = list(mine.jobs()), list(mine.jobs())
    assert all(a is not b for a, b in zip(first, second, strict=True))


def test_jobs_can_be_overridden() -> None:
    assert [job.estimate for job in trace().jobs(estimate=60.0, cores=0.0)] == [60.0] * 4
    with pytest.raises(InputError, match=r"a job of a trace has no 'estimat'\. Did you mean 'estimate'\?"):
        trace().jobs(estimat=3.0)


def test_chunks_do_not_show() -> None:
    count = 20_000
    rows = [job.row for job in trace(list(range(count))).jobs()]
    assert rows == list(range(1, count + 1))


def test_where_keeps_one_value_or_several() -> None:
    red = trace().where(tenant="red")
    assert red.columns["row"].tolist() == [1, 3]
    assert red.set_aside == (SetAside("tenant is not red", 2, (2, 4)),)
    assert len(trace().where(tenant=("red", "green"))) == 3


def test_where_names_the_nearest_value_and_column() -> None:
    with pytest.raises(InputError) as wrong:
        trace().where(tenant="gren")
    assert str(wrong.value) == ("trace 'mine.csv' has no tenant 'gren'. Did you mean 'green'? Known: blue, green, red.")
    with pytest.raises(InputError, match=r"has no 'tenent' to choose by\. Did you mean 'tenant'\?"):
        trace().where(tenent="red")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2017, 10, 1, 0, 0, 10), datetime(2017, 10, 1, 1)),
        ("2017-10-01 00:00:10", "2017-10-01T01:00:00"),
        (10, 3600),
        ("10 s", "1 h"),
        (datetime(2017, 10, 1, 0, 0, 10, tzinfo=UTC), "1 h"),
    ],
)
def test_between_includes_the_start_and_not_the_end(start: object, end: object) -> None:
    cut = trace().between(start, end)  # type: ignore[arg-type]
    assert cut.columns["row"].tolist() == [2, 3]
    assert cut.columns["submit"].tolist() == [0.0, 0.0]
    assert cut.origin == datetime(2017, 10, 1, 0, 0, 10)


def test_between_with_one_bound() -> None:
    assert trace().between(end=10).columns["submit"].tolist() == [0.0]
    late = trace().between(start=5)
    assert late.columns["submit"].tolist() == [5.0, 5.0, 3595.0]
    assert trace().between(date(2017, 10, 1)).columns["submit"].tolist() == [0.0, 10.0, 10.0, 3600.0]


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("2 GiB", "'2 GiB' is not a bound of a window; write a time such as '2017-10-01 00:00:00', or '2 d'"),
        ("later", "'later' is not a bound of a window; write a time such as '2017-10-01 00:00:00', or '2 d'"),
        (float("nan"), "nan is not a bound of a window; write seconds, a time or a quantity"),
        (
            "2018-01-01",
            "trace 'mine.csv' has no job in the window 2018-01-01 00:00:00 to the end; "
            "it runs from 2017-10-01 00:00:00 to 2017-10-01 01:00:00",
        ),
    ],
)
def test_between_says_what_is_wrong(bound: str, message: str) -> None:
    with pytest.raises(InputError) as wrong:
        trace().between(bound)
    assert str(wrong.value) == message


def test_a_trace_without_dates_has_no_windows_by_date() -> None:
    with pytest.raises(InputError, match="has no dates, so '2017-10-01' says nothing; write seconds or '2 d'"):
        trace(origin=None).between("2017-10-01")
    with pytest.raises(InputError, match="no job in the window 9000 s to the end; it runs from 0 s to 3600 s"):
        trace(origin=None).between(9000)


def test_scale_arrivals_brings_jobs_closer_and_forgets_dates() -> None:
    scaled = trace().scale_arrivals(2)
    assert scaled.columns["submit"].tolist() == [0.0, 5.0, 5.0, 1800.0]
    assert scaled.columns["duration"].tolist() == trace().columns["duration"].tolist()
    assert scaled.origin is None
    assert scaled.notes == ("arrivals scaled by 2: submission times divided by it",)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_scale_arrivals_refuses(factor: float) -> None:
    with pytest.raises(InputError, match=f"scale_arrivals: {factor!r} is not a number above 0"):
        trace().scale_arrivals(factor)


def test_limit() -> None:
    assert trace().limit(2).set_aside == (SetAside("after the first 2 jobs", 2, (3, 4)),)
    assert trace().limit(9).set_aside == ()
    with pytest.raises(InputError, match="limit: 0 is not a whole number of jobs, 1 or more"):
        trace().limit(0)


def test_communication_goes_to_gangs_only() -> None:
    assert trace().with_communication(0.25).columns["communication"].tolist() == [0.0, 0.25, 0.0, 0.0]
    with pytest.raises(InputError, match="communication: 1 is not a share from 0 to below 1"):
        trace().with_communication(1)


def test_report() -> None:
    aside = (SetAside("never started", 7, (2, 3, 5, 7, 11)), SetAside("a step of a job", 1, (4,)))
    text = trace(set_aside=aside, notes=("times are local",)).limit(1).report()
    assert text == (
        "mine.csv: 12 rows: 1 kept, 11 set aside\n"
        "  set aside 7: never started (rows 2, 3, 5, 7, 11, ...)\n"
        "  set aside 1: a step of a job (row 4)\n"
        "  set aside 3: after the first 1 jobs (rows 2, 3, 4)\n"
        "  note: times are local"
    )


def test_describe() -> None:
    figures = trace().describe()
    assert figures["jobs"] == 4
    assert figures["span"] == 3600
    assert figures["accelerator_seconds"] == 1 + 16 + 0 + 2
    assert figures["demand"] == pytest.approx(19 / 3600)
    assert figures["accelerators.max"] == 8
    assert figures["duration.p50"] == 2.5
    assert np.isnan(trace([5.0]).describe()["rate"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"duration": np.zeros(1), "accelerators": np.zeros(1)}, "trace 'x' has no column 'submit'"),
        (
            {"submit": np.zeros(2), "duration": np.zeros(1), "accelerators": np.zeros(2)},
            "the columns of trace 'x' differ in length",
        ),
        (
            {"submit": np.array([2.0, 1.0]), "duration": np.ones(2), "accelerators": np.ones(2)},
            "trace 'x' is not in order of submission",
        ),
    ],
)
def test_a_trace_checks_its_columns(columns: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Trace("x", columns)


def test_repr_tells_what_is_there() -> None:
    assert repr(trace()) == "<Trace mine.csv: 4 jobs over 1 h, 0 rows set aside>"
    assert ServerRow("a", 8).cores == 0.0


times = st.lists(st.integers(0, 50), min_size=1, max_size=40)


@given(times)
def test_sorting_is_stable(submit: list[int]) -> None:
    columns = {
        "submit": np.array(submit, dtype=float),
        "duration": np.ones(len(submit)),
        "accelerators": np.ones(len(submit)),
        "row": np.arange(len(submit)),
    }
    made = Trace.sorted("x", columns)
    pairs = list(zip(made.columns["submit"].tolist(), made.columns["row"].tolist(), strict=True))
    assert pairs == sorted(pairs)


@given(times, st.integers(0, 50), st.integers(1, 60), st.integers(1, 20))
def test_every_row_is_kept_or_set_aside(submit: list[int], start: int, length: int, limit: int) -> None:
    whole = trace(sorted(map(float, submit)))
    try:
        cut = whole.between(start, start + length).limit(limit).scale_arrivals(3)
    except InputError:
        assert not any(start <= time < start + length for time in submit)
        return
    assert cut.rows_read == len(whole)
    assert len(cut) == min(limit, sum(start <= time < start + length for time in submit))


@given(times, st.floats(0.01, 100))
def test_scaling_keeps_order_and_work(submit: list[int], factor: float) -> None:
    whole = trace(sorted(map(float, submit)))
    scaled = whole.scale_arrivals(factor)
    assert scaled.accelerator_seconds == whole.accelerator_seconds
    assert scaled.span == pytest.approx(whole.span / factor)


def test_the_windows_of_the_philly_reference(shared: Path) -> None:
    """Jobs and offered load by virtual cluster, as reference_pool_results.csv has them."""
    philly = read_trace(shared / "traces/philly/philly.shared_vcs.csv.gz", "philly")
    lines = (shared / "traces/philly/reference_pool_results.csv").read_text().splitlines()[1:]
    seen = 0
    for line in lines:
        tenant, jobs, gpus, load, *_ = line.split(",")
        cut = philly.where(tenant=tenant).between("2017-10-01", "2017-12-01")
        assert len(cut) == int(jobs)
        assert cut.origin == START
        assert cut.accelerator_seconds / (int(gpus) * 61 * 86400) == pytest.approx(float(load), abs=5e-5)
        seen += 1
    assert seen == 24


def test_resample_keeps_the_place_within_a_block() -> None:
    submit = [0.0, 5.0, 12.0, 25.0, 27.0]
    made = trace(submit).resample(10.0, np.random.default_rng(1))
    drawn = {
        (row, at % 10.0) for row, at in zip(made.columns["row"].tolist(), made.columns["submit"].tolist(), strict=True)
    }
    assert drawn <= {(1, 0.0), (2, 5.0), (3, 2.0), (4, 5.0), (5, 7.0)}
    assert made.columns["submit"].max() < 30.0
    assert np.all(np.diff(made.columns["submit"]) >= 0)
    assert made.origin is None
    assert made.notes == ("put together at random from blocks of 10 s of the trace",)


def test_resample_keeps_what_a_row_belongs_together() -> None:
    made = trace().resample(600.0, np.random.default_rng(3))
    source = trace().columns
    for name in ("duration", "accelerators", "tenant"):
        assert made.columns[name].tolist() == source[name][made.columns["row"] - 1].tolist()


def test_resample_in_one_block_is_the_trace() -> None:
    made = trace().resample(1e6, np.random.default_rng(0))
    assert made.columns["submit"].tolist() == trace().columns["submit"].tolist()


def test_resample_draws_what_the_generator_says() -> None:
    one, same, other = (
        trace([float(i) for i in range(100)]).resample(7.0, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert one.columns["row"].tolist() == same.columns["row"].tolist() != other.columns["row"].tolist()


@pytest.mark.parametrize("block", [0.0, -1.0, float("nan"), float("inf")])
def test_resample_refuses(block: float) -> None:
    with pytest.raises(InputError, match=r"^resample: .* is not a time above 0"):
        trace().resample(block, np.random.default_rng(0))


def test_deadlines_move_with_the_jobs() -> None:
    columns = {
        "submit": np.array([0.0, 100.0, 200.0]),
        "duration": np.ones(3),
        "accelerators": np.ones(3),
        "begin": np.array([0.0, 150.0, 0.0]),
        "deadline": np.array([50.0, 180.0, np.inf]),
    }
    trace = Trace("t", columns)
    cut = trace.between(60.0).columns
    assert (cut["begin"].tolist(), cut["deadline"].tolist()) == ([90.0, 0.0], [120.0, np.inf])
    dense = trace.scale_arrivals(2.0).columns
    assert (dense["begin"].tolist(), dense["deadline"].tolist()) == ([0.0, 100.0, 0.0], [50.0, 130.0, np.inf])
    drawn = trace.resample(100.0, np.random.default_rng(3)).columns
    slack = (columns["deadline"] - columns["submit"])[drawn["row"] - 1]
    assert (drawn["deadline"] - drawn["submit"]).tolist() == slack.tolist()
    assert drawn["row"].tolist() != [1, 2, 3]


def test_a_cut_leaves_no_dependency_on_what_it_left_out() -> None:
    columns = {
        "submit": np.array([0.0, 10.0, 20.0, 30.0]),
        "duration": np.ones(4),
        "accelerators": np.ones(4),
        "id": as_objects(["a", "b", "c", "d"]),
        "tenant": as_objects(["x", "x", "y", "y"]),
        "after": as_objects([(), ("a",), ("b",), ("c", "a")]),
    }
    trace = Trace("t", columns)
    cut = trace.where(tenant="y")
    assert cut.columns["after"].tolist() == [(), ("c",)]
    assert cut.notes == ("dependencies on jobs that are not in the trace, left out: 2",)
    assert trace.limit(4) is trace
    drawn = trace.resample(10.0, np.random.default_rng(1))
    there = drawn.columns["id"].tolist()
    assert any(drawn.columns["after"])
    assert all(name in there for names in drawn.columns["after"].tolist() for name in names)
    assert len(set(there)) < 4
