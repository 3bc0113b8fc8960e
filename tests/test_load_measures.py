"""Measures of loads and data jobs, of rows that are written by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.metrics.loads import Waited, waited
from simulator.metrics.measures import measure
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from tests.load_world import load, ran, stairs
from tests.synthetic import table

FACTS = {"end": 100.0, "warmup": 0.0}


def record(*waits: tuple[Any, ...], applications: tuple[tuple[Any, ...], ...] = (), **facts: Any) -> Record:
    """A record of one load with these rows of waits."""
    fleets = {"shop": {"kind": "load", "slo": 2.0, "busy_seconds": 30.0, "ready_seconds": 40.0} | facts.pop("shop", {})}
    tables = {"waits": table("waits", list(waits)), "applications": table("applications", list(applications))}
    return Record(tables, FACTS | {"fleets": fleets} | facts)


def row(amount: float, first: float, last: float, fate: str = "served", **more: Any) -> tuple[Any, ...]:
    given = {"workload": "shop", "since": 0.0, "until": 10.0, "chance": 0.0, "delay": 0.0} | more
    return given["workload"], given["since"], given["until"], amount, first, last, given["chance"], given["delay"], fate


def test_waits_are_linear_within_a_row() -> None:
    made = record(row(10.0, 0.0, 0.0), row(20.0, 1.0, 5.0), row(10.0, 3.0, 1.0))
    assert measure(made, "load.wait.mean") == pytest.approx((20 * 3 + 10 * 2) / 40)
    assert measure(made, "load.attainment") == pytest.approx((10 + 20 / 4 + 10 / 2) / 40)
    assert measure(made, "load.wait.p99") == pytest.approx(5 - 4 * 0.4 / 20)
    assert measure(made, "load.utilization") == 0.75
    assert measure(made, "load.unserved") == 0.0


def test_what_gave_up_or_still_waits_is_in_no_wait_and_keeps_no_bound() -> None:
    made = record(row(10.0, 1.0, 1.0), row(6.0, 1.0, 1.0, "dropped"), row(4.0, 0.5, 0.0, "waiting"))
    assert measure(made, "load.wait.mean") == 1.0
    assert measure(made, "load.unserved") == 0.5
    assert measure(made, "load.attainment") == 0.5


def test_loads_without_a_bound_are_in_no_attainment() -> None:
    assert math.isnan(measure(record(row(10.0, 1.0, 1.0), shop={"slo": math.inf}), "load.attainment"))
    two = record(row(10.0, 1.0, 1.0), row(90.0, 9.0, 9.0, workload="free"))
    assert measure(two, "load.attainment") == 1.0


def test_rows_are_cut_at_the_warm_up() -> None:
    made = record(row(10.0, 0.0, 8.0), row(7.0, 9.0, 9.0, since=0.0, until=2.0), warmup=5.0)
    found = waited(Window(made))
    assert (found.amount.tolist(), found.first.tolist(), found.last.tolist()) == ([5.0], [4.0], [8.0])
    assert measure(made, "load.wait.mean") == 6.0


def test_random_waits_add_to_none() -> None:
    made = record(row(10.0, 0.0, 0.0, chance=0.5, delay=2.0))
    assert measure(made, "load.wait.mean") == 1.0
    assert measure(made, "load.attainment") == pytest.approx(1 - 0.5 * math.exp(-1))
    assert measure(made, "load.wait.p99") == pytest.approx(2 * math.log(50))


def test_nothing_is_no_number() -> None:
    empty = Record({}, dict(FACTS))
    for name in ("attainment", "wait.mean", "wait.p99", "utilization", "unserved"):
        assert math.isnan(measure(empty, f"load.{name}"))
    assert math.isnan(measure(empty, "app.jct.mean"))
    assert math.isnan(measure(empty, "app.executor_hours"))


def test_data_jobs_that_ended_after_the_warm_up() -> None:
    def app(submit: float, end: float, seconds: float) -> tuple[Any, ...]:
        return "a", "etl", submit, submit, end, end - submit, 1, 1, 0, 1.0, seconds

    made = record(
        applications=(app(0.0, 50.0, 1800.0), app(20.0, 30.0, 3600.0), app(20.0, math.nan, 1800.0)), warmup=5.0
    )
    assert measure(made, "app.jct.mean") == 10.0
    assert measure(made, "app.executor_hours") == 2.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 9.0), st.floats(0.0, 9.0), st.floats(0.0, 9.0)), min_size=1, max_size=8),
    st.floats(0.01, 0.999),
)
def test_quantiles_are_those_of_many_points(rows: list[tuple[float, float, float]], probability: float) -> None:
    amount, first, last = (np.array(column) for column in zip(*rows, strict=True))
    none = np.zeros(len(rows))
    made = Waited(amount, first, last, none, none, none + 1.0, none == 0)
    points = np.concatenate([low + (high - low) * (np.arange(4000) + 0.5) / 4000 for _, low, high in rows])
    weights = np.repeat(amount / 4000, 4000)
    order = np.argsort(points)
    place = int(np.searchsorted(np.cumsum(weights[order]), probability * amount.sum()))
    near = points[order][max(0, place - 2) : place + 3]
    found = made.quantile(probability)
    assert near.min() - 1e-2 <= found <= near.max() + 1e-2
    below = float(amount @ made.within(found - 1e-9)), float(amount @ made.within(found + 1e-9))
    assert below[0] <= probability * made.total + 1e-6
    assert below[1] >= probability * made.total - 1e-6


def test_overprovision_is_replica_seconds_over_the_least() -> None:
    """Four replicas for 100 s where 15 /s need two: twice as many."""
    made = ran(load(stairs((0.0, 15.0), end=100.0), 4))
    assert measure(made, "overprovision") == pytest.approx(2.0)
