from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InvariantError
from simulator.metrics.invariants import INVARIANTS, check
from simulator.metrics.recorder import Record
from tests.synthetic import record

STATEMENTS = [statement for statement, _ in INVARIANTS]


@settings(max_examples=60, deadline=None)
@given(
    jobs=st.integers(0, 60),
    accelerators=st.integers(1, 8),
    order=st.sampled_from(["fifo", "sjf"]),
    replication=st.integers(0, 50),
    until=st.sampled_from([math.inf, 2000.0, 0.0]),
    largest=st.integers(1, 12),
)
def test_a_consistent_run_passes(jobs, accelerators, order, replication, until, largest):
    run = record(jobs, accelerators, order, replication=replication, until=until if jobs else 10.0, largest=largest)
    assert check(run) == STATEMENTS


def test_an_empty_record_passes():
    assert check(Record()) == STATEMENTS


def broken(table: str, column: str, row: int, value, **more) -> Record:
    run = record(jobs=100, largest=10, **more)
    run.tables[table][column][row] = value
    return run


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "message"),
    [
        ("jobs", "state", 7, "LOST", "job 'job-7' ended as 'LOST', not as one of COMPLETED"),
        ("jobs", "state", 3, "REJECTED", "reject events, but"),
        ("jobs", "preemptions", 7, 3, "0 preempt events, but 3 preemptions in the job table"),
        ("events", "event", 0, "end", "99 submit events, but 100 jobs in the table"),
        ("jobs", "submit", 3, math.nan, "job 'job-3': submit nan"),
        ("jobs", "start", 3, -1.0, "submit <= start <= end"),
        ("jobs", "start", 3, math.nan, "submit <= start <= end"),
        ("jobs", "end", 3, 1e9, "the run ended at"),
        ("jobs", "end", 3, math.nan, "submit <= start <= end"),
        ("jobs", "jct", 3, 1.0, "sum to"),
        ("jobs", "network", 3, -5.0, "wait + compute + network + overhead + rework + checkpointing + hung = jct"),
        ("series", "allocated", 4, -1.0, "accelerators allocated"),
        ("series", "allocated", 4, 9.0, "9.0 accelerators allocated, 8.0 up, 8.0 paid for (1 of"),
        ("series", "provisioned", 4, 7.0, "8.0 up, 7.0 paid for"),
        ("series", "queued", 4, -1, "-1 jobs queued"),
        ("series", "time", 4, 1e9, "comes after 1000000000.0 s"),
        ("events", "time", 4, 1e9, "events: "),
        ("flows", "end", 1, 0.5, "transfer 't-1': start 1.0, end 0.5 s"),
        ("flows", "bytes", 1, -8.0, "-8.0 bytes"),
    ],
)
def test_each_contradiction_is_found_and_told_with_its_numbers(table, column, row, value, message):
    with pytest.raises(InvariantError) as error:
        check(broken(table, column, row, value))
    assert message in str(error.value)
    assert str(error.value).startswith("broken invariant: ")


def test_accelerator_seconds_that_nobody_held_are_found():
    run = record(jobs=100)
    run.tables["series"]["allocated"][50:60] += 1.0
    run.tables["series"]["capacity"] += 1.0
    run.tables["series"]["provisioned"] += 1.0
    with pytest.raises(InvariantError, match=r"the series hold .* accelerator-seconds, the jobs held"):
        check(run)


def test_a_column_too_few_or_too_short_is_found():
    run = record(jobs=10)
    del run.tables["flows"]["bytes"]
    with pytest.raises(InvariantError, match="table 'flows' has columns"):
        check(run)
    run = record(jobs=10)
    run.tables["flows"]["bytes"] = np.zeros(5)
    with pytest.raises(InvariantError, match="columns of table 'flows' differ in length"):
        check(run)


def test_rounding_of_a_late_clock_is_no_contradiction():
    run = record(jobs=200)
    jobs, late = run.tables["jobs"], 3e8
    for name in ("submit", "start", "end"):
        jobs[name] = jobs[name] + late
    run.tables["series"]["time"] += late
    run.tables["events"]["time"] += late
    run.facts["end"] += late
    assert check(run) == STATEMENTS
    jobs["compute"][3] += 1e-2
    with pytest.raises(InvariantError, match="sum to"):
        check(run)
