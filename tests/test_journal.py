"""The series of a run is the running sum of its events."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.runtime.journal import series
from simulator.testing import replay
from simulator.workload.jobs import BatchJob


def table(*rows: tuple[float, str, float]) -> dict[str, np.ndarray]:
    time, event, amount = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        "time": np.array(time, dtype=float),
        "event": np.array(event, dtype=object),
        "amount": np.array(amount, dtype=float),
    }


def rows(events: dict[str, np.ndarray], levels: list[tuple[float, float, float]]) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in series(events, levels).values()), strict=True))


def test_nothing_happens() -> None:
    assert rows(table(), [(0.0, 8.0, 8.0)]) == [(0.0, 0, 0, 0.0, 8.0, 8.0)]


def test_an_instant_leaves_one_row_and_no_change_leaves_none() -> None:
    events = table(
        (0.0, "submit", 2.0), (0.0, "start", 2.0), (5.0, "submit", 0.0), (5.0, "reject", 0.0), (7.0, "capacity", 1e9),
        (9.0, "submit", 3.0), (9.0, "preempt", 2.0), (9.0, "start", 3.0), (12.0, "end", 3.0),
    )  # fmt: skip
    assert rows(events, [(0.0, 4.0, 4.0)]) == [
        (0.0, 0, 1, 2.0, 4.0, 4.0), (9.0, 1, 1, 3.0, 4.0, 4.0), (12.0, 1, 0, 0.0, 4.0, 4.0),
    ]  # fmt: skip


def test_levels_change_between_events_and_with_them() -> None:
    events = table((4.0, "submit", 1.0), (6.0, "start", 1.0))
    levels = [(0.0, 0.0, 0.0), (2.0, 0.0, 4.0), (4.0, 0.0, 8.0), (4.0, 4.0, 8.0), (6.0, 4.0, 8.0)]
    assert rows(events, levels) == [
        (0.0, 0, 0, 0.0, 0.0, 0.0), (2.0, 0, 0, 0.0, 0.0, 4.0), (4.0, 1, 0, 0.0, 4.0, 8.0), (6.0, 0, 1, 1.0, 4.0, 8.0),
    ]  # fmt: skip


def test_shares_add_up_exactly() -> None:
    jobs = [BatchJob(id=f"{i}", submit=0.0, duration=1.0 + i, accelerators=0.1) for i in range(10)]
    jobs.append(BatchJob(id="crumb", submit=0.0, duration=20.0, accelerators=1e-5))
    jobs.append(BatchJob(id="third", submit=30.0, duration=1.0, accelerators=1 / 3))
    allocated = replay(jobs, topology=2).tables["series"]["allocated"].tolist()
    assert allocated == [1.001, 0.901, 0.801, 0.701, 0.601, 0.501, 0.401, 0.301, 0.201, 0.101, 0.001, 0.0, 0.333, 0.0]
    assert (jobs[-2].accelerators, jobs[-1].accelerators) == (0.001, 0.333)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15), st.sampled_from([0.0, 0.3, 1.0, 2.0, 4.0])), max_size=20)
)
def test_series_agree_with_counting_jobs_at_every_instant(drawn: list[tuple[Any, ...]]) -> None:
    jobs = [
        BatchJob(id=f"{i}", submit=float(a), duration=float(b), accelerators=c) for i, (a, b, c) in enumerate(drawn)
    ]
    found = replay(jobs, "sjf", topology=4).tables["series"]
    for at, queued, running, allocated in zip(
        *(found[name].tolist() for name in ("time", "queued", "running", "allocated")), strict=True
    ):
        active = [each for each in jobs if each.start <= at < each.end]
        assert queued == sum(each.submit <= at < each.start for each in jobs)
        assert running == len(active)
        assert allocated == sum(round(1000 * each.accelerators) for each in active) / 1000
