"""The batch tasks of 2018: graphs in names, and what is done where a name leads nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, looks_like, read_trace
from simulator.workload.formats.alibaba2018 import COLUMNS, numbers_in
from tests.tracefiles import refused, written

JOB_A = ("M1", "M2_1", "M3_1", "R4_2", "M5_3_4")
"""The job that the page of the trace draws."""


def task(
    name: str, job: str = "j_1", start: Any = 100, end: Any = 160, count: Any = 2, cpu: Any = 50, **over: Any
) -> str:
    status, kind, memory = over.get("status", "Terminated"), over.get("kind", 1), over.get("memory", 0.3)
    return f"{name},{count},{job},{kind},{status},{start},{end},{cpu},{memory}"


def waits(trace: Any) -> dict[str, tuple[str, ...]]:
    return {job.id.removeprefix("j_1/"): tuple(name.removeprefix("j_1/") for name in job.after) for job in trace.jobs()}


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("M1", (1, ())),
        ("M2_1", (2, (1,))),
        ("M5_3_4", (5, (3, 4))),
        ("J12_11_10_9", (12, (11, 10, 9))),
        ("R3_2_Stg1", (3, (2,))),
        ("task_Nzg3ODAwNDgzMTAwNTc2NTQ2Mw==", None),
        ("MergeTask", None),
        ("17", None),
        ("", None),
    ],
)
def test_names(name: str, numbers: tuple[int, tuple[int, ...]] | None) -> None:
    assert numbers_in(name) == numbers


def test_the_graph_of_its_page(tmp_path: Path) -> None:
    rows = [task(name, start=100 + 10 * n, end=200 + 10 * n) for n, name in enumerate(JOB_A)]
    trace = read_trace(written(tmp_path, *rows), "alibaba-2018", server_memory=1000.0)
    assert waits(trace) == {
        "M1": (), "M2_1": ("M1",), "M3_1": ("M1",), "R4_2": ("M2_1",), "M5_3_4": ("M3_1", "R4_2"),
    }  # fmt: skip
    first = next(trace.jobs())
    assert (first.id, first.accelerators, first.cores, first.duration) == ("j_1/M1", 0.0, 1.0, 100.0)
    assert first.memory == pytest.approx(6.0)
    assert trace.columns["submit"].tolist() == [0.0] * 5
    assert trace.notes == ("jobs that ask for no accelerator, kept: 5", "submit 0 is 100 s in the file")


def test_a_header_line_does_no_harm(tmp_path: Path) -> None:
    header = ",".join(COLUMNS)
    assert len(read_trace(written(tmp_path, header, task("M1")), "alibaba-2018")) == 1
    assert looks_like(header) == "alibaba-2018"
    assert format_options("alibaba-2018") == ["cpus", "server_memory"]


def test_cores_may_be_taken_for_accelerators(tmp_path: Path) -> None:
    path = written(tmp_path, task("M1", count=5, cpu=50), task("M2", count=3, cpu=100), task("M3", count="", cpu=50))
    trace = read_trace(path, "alibaba-2018", cpus="accelerators")
    assert trace.columns["accelerators"].tolist() == [3.0, 3.0, 0.5]
    assert trace.columns["cores"].tolist() == [0.0] * 3
    assert trace.notes[:2] == (
        "tasks that ask for memory, of which only the share of a server is known (option server_memory): 3",
        "jobs of instances with a part of an accelerator each, packed together: 1",
    )
    assert refused(path, "alibaba-2018", cpus="gpus").startswith("cpus: 'gpus' is not a choice.")
    told = read_trace(path, "alibaba-2018", server_memory="100 GB")
    assert told.columns["memory"].tolist() == pytest.approx([1.5e9, 0.9e9, 0.3e9])


def test_jobs_do_not_wait_for_tasks_of_others(tmp_path: Path) -> None:
    path = written(tmp_path, task("M1", "a"), task("M2_1", "b"), task("M1", "b", start=50, end=70), task("task_x", "b"))
    trace = read_trace(path, "alibaba-2018")
    assert {job.id: job.after for job in trace.jobs()} == {
        "b/M2_1": ("b/M1",), "b/M1": (), "b/task_x": (), "a/M1": (),
    }  # fmt: skip
    assert trace.columns["submit"].tolist() == [0.0, 0.0, 0.0, 50.0]


def test_for_a_task_that_was_set_aside_its_own_predecessors_are_waited_for(tmp_path: Path) -> None:
    rows = [task("M1"), task("M2"), task("R3_1_2", end=100), task("R4_3", start=0), task("J5_4_2")]
    trace = read_trace(written(tmp_path, *rows), "alibaba-2018")
    assert waits(trace) == {"M1": (), "M2": (), "J5_4_2": ("M1", "M2")}
    assert trace.notes[1] == "predecessors that were set aside, in place of which theirs are waited for: 2"
    assert {part.reason: part.rows for part in trace.set_aside} == {
        "no start_time, or 0: it started outside of the 8 days or never": (4,),
        "ran for 0 s: there is nothing to replay": (3,),
    }


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    rows = [task("M1"), task("R2_9_1"), task("R3_4"), task("R4_3"), task("R5_5"), task("R6_4_1"), task("M1_2")]
    trace = read_trace(written(tmp_path, *rows), "alibaba-2018")
    assert waits(trace) == {
        "M1": (), "R2_9_1": ("M1",), "R3_4": (), "R4_3": (), "R5_5": (), "R6_4_1": ("M1",), "M1_2": ("R2_9_1",),
    }  # fmt: skip
    assert set(trace.notes) > {
        "predecessors that the file does not have, for which nobody waits: 1",
        "tasks in a circle of waiting or behind one, which do not wait for what is in it: 4",
        "tasks with a number that another task of the job has, for which nobody waits: 1",
    }


def test_rows_without_times_and_refusals(tmp_path: Path) -> None:
    rows = [task("M1", end=""), task("M2", end=0), task("M3", end=50), task("M4", status="Failed", cpu="", memory="")]
    trace = read_trace(written(tmp_path, *rows), "alibaba-2018")
    assert trace.columns["state"].tolist() == ["Failed"]
    assert [part.count for part in trace.set_aside] == [2, 1]
    path = written(tmp_path, task("M1", status="Done", count=0.5), task("M1", cpu="x"))
    assert refused(path, "alibaba-2018").splitlines() == [
        "FILE:1 instance_num: 0.5 is not a whole number of 1 or more",
        "FILE:1 status: 'Done' is not a status of a batch task",
        "    Known: Cancelled, Failed, Interrupted, Ready, Running, Terminated, Waiting.",
        "FILE:2 plan_cpu: 'x' is not a number",
    ]
    assert (
        refused(written(tmp_path, "M1,2,j"), "alibaba-2018").splitlines()[0] == "FILE:1: 3 cells, but the header has 9"
    )


NAMES = st.tuples(st.integers(1, 6), st.lists(st.integers(1, 7), max_size=3))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=14))
def test_whatever_the_names_every_job_can_start_at_last(tmp_path: Path, drawn: list[Any]) -> None:
    """Nobody waits for a job that is not there, and some order of the jobs lets each start after those it waits for."""
    rows = [
        task("_".join([f"M{number}", *map(str, before)]), job, end=160 if runs else 100)
        for (number, before), job, runs in drawn
    ]
    path = written(tmp_path, *rows)
    if not any(runs for *_, runs in drawn):
        assert "no row is a job" in refused(path, "alibaba-2018")
        return
    trace = read_trace(path, "alibaba-2018")
    assert trace.rows_read == len(drawn)
    left = {job.id: set(job.after) for job in trace.jobs()}
    assert all(before <= left.keys() for before in left.values())
    assert all(other.split("/")[0] == name.split("/")[0] for name, before in left.items() for other in before)
    while left:
        ready = [name for name, before in left.items() if not before & left.keys()]
        assert ready
        left = {name: before for name, before in left.items() if name not in ready}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "alibaba-2018")
