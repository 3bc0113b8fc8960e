"""The generic table: every column of a job goes out and comes back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import generic, read_trace
from simulator.workload.rows import as_objects
from simulator.workload.speedup import ByCount
from simulator.workload.trace import DEFAULTS, Trace
from tests.tracefiles import refused, written

name = st.text("abcXYZ0189-_./,;\"'= é", min_size=1, max_size=8).map(str.strip).filter(bool)
key = name.filter(lambda text: "=" not in text)
time = st.one_of(st.integers(0, 10**6).map(float), st.floats(1e-6, 1e9))
COLUMNS = {
    "accelerators": st.sampled_from([0.0, 0.25, 0.47, 1.0, 2.0, 64.0]),
    "estimate": st.one_of(st.just(-1.0), time),
    "cores": time,
    "memory": time,
    "priority": st.floats(-1e6, 1e6),
    "communication": st.floats(0, 0.99),
    "tenant": st.one_of(st.just(""), name),
    "accelerator_types": st.lists(name, max_size=2).map(tuple),
    "max_servers": st.integers(0, 64),
    "user": st.one_of(st.just(""), name),
    "partition": st.one_of(st.just(""), name),
    "begin": time,
    "deadline": st.one_of(st.just(math.inf), time),
    "limit": st.one_of(st.just(math.inf), time),
    "after": st.booleans(),
    "array": st.one_of(st.just(""), name),
    "array_limit": st.integers(0, 9),
    "preemptible": st.booleans(),
    "restart": st.one_of(st.just(-1.0), time),
    "checkpoint": time,
    "minimum": time,
    "maximum": time,
    "model": st.one_of(st.just(""), name),
    "selector": st.lists(st.tuples(key, st.one_of(st.just(""), key)), max_size=2).map(tuple),
    "tolerations": st.lists(name, max_size=2).map(tuple),
    "state": st.one_of(st.just(""), name),
}
once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def column(values: list[object]) -> np.ndarray:
    return np.array(values) if isinstance(values[0], bool | int | float) else as_objects(values)


def made(data: st.DataObject) -> Trace:
    """A trace with every column that a job of a trace may have."""
    jobs = data.draw(st.integers(1, 6))
    columns = {kind: [data.draw(law) for _ in range(jobs)] for kind, law in COLUMNS.items()}
    columns["after"] = [(f"j{place - 1}", "j0")[: 1 + (place > 1)] if yes and place else () for place, yes in
                        enumerate(columns["after"])]  # fmt: skip
    arrays = {kind: column(values) for kind, values in columns.items()}
    arrays["submit"] = np.array(sorted(data.draw(time) for _ in range(jobs)))
    arrays["submit"] -= arrays["submit"][0]
    arrays["duration"] = np.array([data.draw(st.floats(1e-3, 1e9)) for _ in range(jobs)])
    arrays["id"] = as_objects(f"j{place}" for place in range(jobs))
    return Trace("made", arrays)


def test_every_column_of_a_job_is_drawn() -> None:
    assert set(DEFAULTS) - set(COLUMNS) == {"speedup"}
    assert set(COLUMNS) - set(DEFAULTS) == {"accelerators", "state"}


@once
@given(st.data())
def test_round_trip(tmp_path: Path, data: st.DataObject) -> None:
    trace = made(data)
    generic.write(trace, tmp_path / "t.csv")
    again = read_trace(tmp_path / "t.csv", "generic")
    for kind in trace.columns:
        nothing = [()] * len(trace) if kind == "after" else None
        found = again.columns[kind].tolist() if kind in again.columns else nothing
        assert found == trace.columns[kind].tolist(), kind


def test_what_an_empty_cell_means(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "id,submit,duration,accelerators,begin,deadline,limit,restart,checkpoint,minimum,maximum,array_limit,"
        "max_servers,preemptible,selector,tolerations,after,user",
        "a,10,5,1,,,,,,,,,,,,,,",
        "b,12,5,8,20,30,40,1,2,4,16,3,2,no,zone=a|disk=ssd,gpu|spot,a,ann",
    )
    trace = read_trace(path, "generic")
    first, second = trace.jobs()
    assert (first.begin, first.deadline, first.limit, first.restart) == (0.0, math.inf, math.inf, -1.0)
    assert (first.preemptible, first.selector, first.after, first.max_servers) == (True, (), (), 0)
    assert (second.begin, second.deadline, second.limit, second.restart) == (10.0, 20.0, 40.0, 1.0)
    assert (second.checkpoint, second.minimum, second.maximum) == (2.0, 4.0, 16.0)
    assert (second.array_limit, second.max_servers, second.preemptible) == (3, 2, False)
    assert (second.selector, second.tolerations) == ((("zone", "a"), ("disk", "ssd")), ("gpu", "spot"))
    assert (second.after, second.user) == (("a",), "ann")
    assert isinstance(second.max_servers, int)
    assert isinstance(second.array_limit, int)


def test_dates_of_deadlines(tmp_path: Path) -> None:
    path = written(
        tmp_path, "at,run,due,gpus", "2024-05-01 10:00,60,2024-05-01 10:05,1", "2024-05-01 10:01,60,,1", name="t.csv"
    )
    columns = {"submit": "at", "duration": "run", "deadline": "due", "accelerators": "gpus"}
    trace = read_trace(path, "generic", columns=columns, units={"submit": "iso", "deadline": "iso"})
    assert trace.columns["deadline"].tolist() == [300.0, math.inf]
    assert refused(path, "generic", columns=columns, units={"submit": "iso"}) == (
        "units: submit is iso but deadline is not; dates or numbers for all"
    )


def test_dependencies_that_cannot_be_kept(tmp_path: Path) -> None:
    path = written(
        tmp_path, "id,submit,duration,accelerators,after", "a,0,5,1,b", "b,1,0,1,", "c,2,5,1,a|b|d", "d,3,5,1,e"
    )
    trace = read_trace(path, "generic")
    assert trace.columns["after"].tolist() == [(), ("a", "d"), ()]
    assert trace.notes == ("dependencies on jobs that are not in the trace, left out: 3",)
    nameless = written(tmp_path, "submit,duration,accelerators,after", "0,5,1,b")
    assert refused(nameless, "generic") == "FILE:1: no column is mapped to 'id', by which 'after' names jobs"


def test_refusals(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "submit,duration,accelerators,max_servers,selector,preemptible,restart",
        "0,5,1,1.5,zone,maybe,-2",
    )
    assert refused(path, "generic").splitlines() == [
        "FILE:2 restart: '-2' is negative",
        "FILE:2 max_servers: 1.5 is not a whole number",
        "FILE:2 selector: 'zone' is not a list of labels such as zone=a|disk=ssd",
        "FILE:2 preemptible: 'maybe' is neither yes nor no",
    ]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("tolerations", ("a|b",), "tolerations: 'a|b' cannot be written, as names are joined by '|'"),
        ("accelerator_types", ("",), "accelerator_types: '' cannot be written, as names are joined by '|'"),
        ("selector", (("a=b", "c"),), "selector: 'a=b' cannot be written, as '=' joins a label and its value"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, column: str, value: object, text: str) -> None:
    plain = {"submit": np.zeros(1), "duration": np.ones(1), "accelerators": np.ones(1)}
    with pytest.raises(InputError) as wrong:
        generic.write(Trace("t", plain | {column: as_objects([value])}), tmp_path / "t.csv")
    assert str(wrong.value) == text
    assert list(tmp_path.iterdir()) == []


def test_a_speedup_is_left_out(tmp_path: Path) -> None:
    plain = {"submit": np.zeros(1), "duration": np.ones(1), "accelerators": np.ones(1)}
    generic.write(Trace("t", plain | {"speedup": as_objects([ByCount(1.0, {1: 1.0})])}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "submit,duration,accelerators\n0.0,1.0,1.0\n"
