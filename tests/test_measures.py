from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.metrics import measures
from simulator.metrics.caveats import caveats
from simulator.metrics.elasticity import ELASTICITY
from simulator.metrics.loads import LOADS
from simulator.metrics.measures import measure
from simulator.metrics.recorder import Record
from simulator.metrics.reliability import RELIABILITY
from simulator.metrics.requests import REQUESTS
from simulator.metrics.serving import SERVING
from simulator.metrics.window import Window
from tests.synthetic import record, table

NAN = math.nan


def job(name, submit, start, end, state="COMPLETED", accelerators=1.0, wait=None, network=0.0, **more):
    wait = (start - submit if start == start else 100.0 - submit) if wait is None else wait
    ran = (end if end == end else 100.0) - start if start == start else 0.0
    jct = end - submit if state == "COMPLETED" else NAN
    values = {
        "id": name, "workload": "w", "tenant": "", "row": 1, "submit": submit, "start": start, "end": end, "wait": wait,
        "jct": jct, "slowdown": jct / ran if state == "COMPLETED" else NAN, "accelerators": accelerators, "servers": 1,
        "state": state, "preemptions": 0, "work": ran, "compute": ran - network, "network": network, "overhead": 0.0,
        "rework": 0.0, "checkpointing": 0.0, "hung": 0.0, "service": accelerators * ran, "moves": 0,
        "wait_capacity": wait, "wait_fragmentation": 0.0,
        "wait_order": 0.0, "wait_policy": 0.0, "wait_held": 0.0, "user": "", "deadline": math.inf, "failures": 0,
    }  # fmt: skip
    return tuple((values | more).values())


def by_hand(**facts) -> Record:
    """Four accelerators for 100 s: three jobs complete, one is rejected, one still waits, one still runs."""
    jobs = [
        job("a", 0.0, 0.0, 10.0, accelerators=2.0, network=4.0, tenant="x"),
        job("b", 10.0, 20.0, 60.0, accelerators=4.0, preemptions=2, tenant="y", compute=28.0, overhead=4.0, rework=8.0,
            deadline=60.0),
        job("c", 20.0, 60.0, 80.0, accelerators=1.0, tenant="y", deadline=70.0),
        job("too big", 30.0, NAN, NAN, "REJECTED", accelerators=9.0, wait=0.0),
        job("waits", 70.0, NAN, NAN, "UNFINISHED", accelerators=4.0, deadline=90.0),
        job("runs", 75.0, 80.0, NAN, "UNFINISHED", accelerators=2.0),
    ]  # fmt: skip
    series = [
        (0.0, 0, 1, 2.0, 4.0, 4.0), (10.0, 1, 0, 0.0, 4.0, 4.0), (20.0, 1, 1, 4.0, 4.0, 4.0),
        (60.0, 0, 1, 1.0, 4.0, 4.0), (70.0, 1, 1, 1.0, 2.0, 4.0), (75.0, 2, 1, 1.0, 2.0, 4.0),
        (80.0, 1, 1, 2.0, 2.0, 4.0),
    ]  # fmt: skip
    flows = [
        ("f", "w", "x", "y", 8.0, 0.0, 2.0), ("g", "w", "x", "y", 8.0, 30.0, 34.0),
        ("h", "w", "x", "y", 8.0, 95.0, NAN),
    ]  # fmt: skip
    known = {"end": 100.0, "warmup": 0.0, "cost": {"capex": 30.0, "electricity": 6.0}, "energy": 7.2e6}
    known["stranded"] = 34.0
    known |= facts
    return Record(
        {"jobs": table("jobs", jobs), "series": table("series", series), "flows": table("flows", flows)}, known
    )


HELD = 20.0 + 160.0 + 10.0 + 5.0 + 5.0 + 40.0
UP = 280.0 + 60.0


BY_HAND = {
    "jct.mean": (10.0 + 50.0 + 60.0) / 3,
    "jct.p50": 50.0,
    "jct.p95": 59.0,
    "jct.p99": 59.8,
    "wait.mean": (0.0 + 10.0 + 40.0 + 30.0 + 5.0) / 5,
    "wait.p50": 10.0,
    "slowdown.mean": (1.0 + 1.25 + 3.0) / 3,
    "slowdown.p50": 1.25,
    "bounded_slowdown.mean": (1.0 + 1.25 + 3.0) / 3,
    "bounded_slowdown.p95": 1.25 + 0.9 * 1.75,
    "wait.capacity": (0.0 + 10.0 + 40.0 + 30.0 + 5.0) / 5,
    "wait.fragmentation": 0.0,
    "wait.order": 0.0,
    "wait.policy": 0.0,
    "wait.held": 0.0,
    "wait.max": 40.0,
    "starved": 0.0,
    "deadlines.met": 1 / 3,
    "rework.share": 160.0 * 8.0 / 40.0 / HELD,
    "restart.share": 160.0 * 4.0 / 40.0 / HELD,
    "utilization.busy": (HELD - 16.0) / UP,
    "utilization.useful": (HELD - 16.0 - 32.0) / UP,
    "fragmentation": 34.0 / UP,
    "fairness.jain": (1.0 + 2.125) ** 2 / (2 * (1.0 + 2.125**2)),
    "fairness.rho.mean": (1.0 + 50.0 / (40.0 * 1.8) + 3.0) / 3,
    "fairness.rho.p99": 1.0 + 0.98 * 2.0,
    "fairness.rho.unfair": 1 / 3,
    "jobs.timeout": 0.0,
    "queue.mean": (10.0 + 40.0 + 5.0 + 10.0 + 20.0) / 100.0,
    "utilization": HELD / UP,
    "allocated.mean": HELD / 100.0,
    "makespan": NAN,
    "jobs.completed": 3.0,
    "jobs.rejected": 1.0,
    "jobs.unfinished": 2.0,
    "jobs.failed": 0.0,
    "throughput": 0.03,
    "preemptions": 2.0,
    "network.share": 4.0 / (10.0 + 40.0 + 20.0 + 20.0),
    "flows.mean": 3.0,
    "flows.p50": 3.0,
    "flows.p99": 3.98,
    "cost.total": 36.0,
    "cost.capex": 30.0,
    "cost.electricity": 6.0,
    "cost.cloud": NAN,
    "cost.per_accelerator_hour": 36.0 / (HELD / 3600.0),
    "cost.per_job": 12.0,
    "energy.kwh": 2.0,
}


@pytest.mark.parametrize(("name", "expected"), BY_HAND.items())
def test_each_measure_equals_arithmetic_by_hand(name, expected):
    assert measure(by_hand(), name) == pytest.approx(expected, nan_ok=True)


def test_every_measure_is_tested_by_hand():
    others = {row.name for row in (*REQUESTS, *SERVING, *ELASTICITY, *RELIABILITY, *LOADS)}
    untested = set(measures.names()) - set(BY_HAND) - others
    assert untested == {"wait.p95", "wait.p99", "slowdown.p95", "slowdown.p99"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jct.mean", 60.0),
        ("wait.mean", (40.0 + 30.0 + 5.0) / 3),
        ("jobs.completed", 1.0),
        ("jobs.rejected", 1.0),
        ("queue.mean", (5.0 + 40.0 + 5.0 + 10.0 + 20.0) / 85.0),
        ("utilization", (HELD - 20.0) / (UP - 60.0)),
        ("throughput", 2.0 / 85.0),
        ("flows.mean", 4.0),
        ("cost.total", 36.0),
        ("cost.per_job", 12.0),
        ("cost.per_accelerator_hour", 36.0 / (HELD / 3600.0)),
    ],
)
def test_the_warm_up_is_cut_from_jobs_and_integrals_but_not_from_money(name, expected):
    assert measure(by_hand(warmup=15.0), name) == pytest.approx(expected)


def test_makespan_runs_from_the_first_submission_to_the_last_completion():
    done = record(jobs=50)
    jobs = done.tables["jobs"]
    assert measure(done, "makespan") == jobs["end"].max() - jobs["submit"].min()


@pytest.mark.parametrize("name", measures.names())
def test_an_empty_record_has_no_value_and_no_warning(name):
    for empty in (Record(), Record({}, {"end": 0.0, "energy": None, "cost": None})):
        expected = 0.0 if name.startswith("jobs.") or name == "preemptions" else NAN
        assert measure(empty, name) == pytest.approx(expected, nan_ok=True)


def test_every_measure_says_what_it_is():
    for name in measures.names():
        declared = measures.get(name)
        assert declared.name == name
        assert declared.better in ("lower", "higher", "")
        ways = (declared.of_jobs, declared.of_requests, declared.per_second, declared.of_run)
        assert sum(way is not None for way in ways) == 1
        assert declared.meaning
        assert declared.label
        assert declared.text(1.0) != "–"
    assert set(measures.HEADLINE) <= set(measures.names())


def test_an_unknown_measure_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown measure 'jct.p90'. Did you mean 'jct.p9"):
        measures.get("jct.p90")


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([0.0, 5000.0]))
def test_the_order_of_rows_changes_nothing(random, warmup):
    original = record(jobs=300, warmup=warmup, until=28000.0)
    rows = list(range(len(original.tables["jobs"]["id"])))
    random.shuffle(rows)
    jobs = {name: values[rows] for name, values in original.tables["jobs"].items()}
    shuffled = Record(original.tables | {"jobs": jobs}, original.facts)
    for name in measures.names():
        measured = measures.get(name)
        ours, theirs = Window(original), Window(shuffled)
        assert measured.value(ours) == pytest.approx(measured.value(theirs), nan_ok=True)
        assert measured.batches(ours) == pytest.approx(measured.batches(theirs), nan_ok=True)


def test_ties_in_submission_are_ordered_by_row_then_workload_then_name():
    same = [
        job(name, 0.0, 0.0, end, row=-1, workload=work)
        for name, work, end in [("b", "w", 2.0), ("a", "w", 1.0), ("z", "a", 3.0)]
    ]
    window = Window(Record({"jobs": table("jobs", same)}, {"end": 3.0}))
    assert window.jobs["end"].tolist() == [3.0, 1.0, 2.0]


def test_batches_are_the_measure_on_consecutive_jobs():
    run = record(jobs=1000)
    window, measured = Window(run), measures.get("wait.mean")
    waits = run.tables["jobs"]["wait"][np.argsort(run.tables["jobs"]["submit"])]
    assert measured.batches(window) == pytest.approx(waits.reshape(10, 100).mean(axis=1).tolist())
    assert measures.get("jct.p99").batches(Window(record(jobs=999))) == []
    assert measures.get("utilization").batches(window) == []


def test_what_is_left_out_is_said():
    said = " ".join(caveats([Window(by_hand(warmup=15.0))]))
    assert "2 jobs were submitted during the warm-up" in said
    assert "2 of 4 jobs were unfinished" in said
    assert "1 of 4 jobs were rejected" in said
    assert "1 transfers did not end" in said
    assert caveats([Window(record(jobs=20))]) == []
    assert "Over 2 replications, 4 of 12 jobs were unfinished" in " ".join(caveats([Window(by_hand())] * 2))


@given(st.floats(0.0, 100.0))
def test_integrals_before_and_after_any_instant_add_up(instant):
    window = Window(by_hand(warmup=instant))
    whole = window.integral("allocated", since=0.0)
    before = whole - window.integral("allocated") if instant < 100.0 else whole
    early = Window(by_hand(end=instant)).integral("allocated") if instant > 0 else 0.0
    late_rows = window.column("series", "time") < instant
    assert whole == pytest.approx(HELD)
    assert before == pytest.approx(early if late_rows.all() else _held_before(instant))


def _held_before(instant: float) -> float:
    series = by_hand().tables["series"]
    ends = np.append(series["time"][1:], 100.0)
    return float(
        sum(
            a * max(0.0, min(e, instant) - t) for t, e, a in zip(series["time"], ends, series["allocated"], strict=True)
        )
    )
