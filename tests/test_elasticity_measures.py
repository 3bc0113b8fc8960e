from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.metrics import measures
from simulator.metrics.elasticity import ELASTICITY
from simulator.metrics.measures import measure
from simulator.metrics.recorder import Record
from simulator.metrics.reliability import RELIABILITY, down_seconds
from tests.synthetic import table
from tests.synthetic_elastic import END, decision, elastic_record, job

NAN = math.nan
USED, LEAST = 3 * END + (END - 11015.0) + (13330.0 - 11015.0), 2.5 * END
UP = 4 * 11015.0 + 6 * (12600.0 - 11015.0) + 4 * 600.0 + 6 * 200.0 + 4 * (END - 13400.0)
PAID = 4 * 10810.0 + 6 * (13400.0 - 10810.0) + 4 * (END - 13400.0)
REPLICAS = [(0.0, END)] * 3 + [(10800.0, 10800.0 + END - 11015.0), (10800.0, 10800.0 + 2315.0)]
WORKED = 12100.0
"""Seconds of the training job without what was lost."""


def least_nodes() -> float:
    spans = [*((start, end, 1.0) for start, end in REPLICAS), (600.0, 600.0 + WORKED, 13530.0 / 13530.0)]
    instants = np.arange(0.5, END, 1.0)
    level = sum(((start <= instants) & (instants < end)) * amount for start, end, amount in spans)
    return float(np.ceil(level / 2.0 - 1e-9).sum() * 2.0)


BY_HAND = {
    "scale.events_per_h": (2 + 2) / 4.0,
    "scale.undo_ratio": 0.0,
    "replica.hours": USED / 3600.0,
    "cold_start.mean": 70.0,
    "cold_start.p99": 70.0,
    "nodes.mean": 31390.0 / END,
    "nodes.churn_per_h": 2 / 4.0,
    "overprovision": USED / LEAST,
    "nodes.overprovision": PAID / least_nodes(),
    "waste.dollars": 0.205 + 0.585 + 0.6 + (USED - LEAST) * 0.0005,
    "carbon.kg": 12.5,
    "failures": 1.0,
    "mtbf": END,
    "availability": (UP - 2 * 30.0) / (UP + 2 * 570.0),
    "ettr": 12000.0 / (END - 600.0),
    "checkpoint.share": 100.0 / 13530.0,
    "hung.share": 30.0 / 13530.0,
    "interruptions.per_job": 1.0,
}


@pytest.mark.parametrize(("name", "expected"), BY_HAND.items())
def test_each_measure_equals_arithmetic_by_hand(name, expected):
    assert measure(elastic_record(carbon=12.5), name) == pytest.approx(expected)


def test_every_measure_of_elasticity_and_failures_is_tested_by_hand_and_registered():
    assert set(BY_HAND) == {row.name for row in (*ELASTICITY, *RELIABILITY)}
    assert set(BY_HAND) <= set(measures.names())


@pytest.mark.parametrize("name", BY_HAND)
def test_a_record_with_nothing_to_measure_has_no_value(name):
    assert math.isnan(measure(Record({}, {"end": 100.0, "warmup": 0.0}), name))


def test_the_warm_up_is_cut_from_events_but_not_from_money():
    late = elastic_record(warmup=11000.0)
    hours = (END - 11000.0) / 3600.0
    assert measure(late, "scale.events_per_h") == pytest.approx(2 / hours)
    assert measure(late, "nodes.churn_per_h") == pytest.approx(1 / hours)
    assert measure(late, "waste.dollars") == pytest.approx(BY_HAND["waste.dollars"])
    assert measure(late, "mtbf") == pytest.approx(END - 11000.0)
    assert measure(elastic_record(warmup=13000.0), "failures") == 0.0
    assert math.isnan(measure(late, "ettr"))


def test_a_model_of_failures_that_brought_none_has_none():
    assert measure(Record({}, {"end": 100.0, "warmup": 0.0, "failures": {}}), "failures") == 0.0


def test_training_time_is_weighted_by_accelerators_and_leaves_out_the_first_stay_in_the_queue():
    jobs = [
        job("big", 0.0, 1000.0, 2000.0, accelerators=8.0, compute=700.0, network=100.0, rework=200.0),
        job("small", 0.0, 0.0, 1000.0, accelerators=2.0, compute=500.0, wait=500.0),
        job("queued", 0.0, NAN, NAN, state="UNFINISHED"),
    ]
    record = Record({"jobs": table("jobs", jobs)}, {"end": 5000.0, "warmup": 0.0})
    assert measure(record, "ettr") == pytest.approx((8 * 800.0 + 2 * 500.0) / (8 * 1000.0 + 2 * 1000.0))
    assert measure(record, "interruptions.per_job") == 0.0


def test_accelerators_that_failures_took_are_counted_inside_of_the_span():
    rows = [
        ("failure", "n1", 10.0, 4.0), ("failure", "n2", 20.0, 2.0), ("repair", "n1", 40.0, 30.0),
        ("repair", "n9", 50.0, 1.0), ("failure", "n1", 60.0, 4.0),
    ]  # fmt: skip
    event, subject, time, amount = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    time, amount = time.astype(float), amount.astype(float)
    assert down_seconds(event, subject, time, amount, 0.0, 100.0) == (0.0, 4 * 30.0 + 2 * 80.0 + 4 * 40.0)
    assert down_seconds(event, subject, time, amount, 30.0, 70.0) == (0.0, 4 * 10.0 + 2 * 40.0 + 4 * 10.0)


def test_what_nobody_has_noticed_is_told_apart():
    rows = [("failure", "n1", 10.0, 4.0), ("detect", "n1", 25.0, 4.0), ("repair", "n1", 45.0, 4.0)]
    event, subject, time, amount = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    time, amount = time.astype(float), amount.astype(float)
    assert down_seconds(event, subject, time, amount, 0.0, 100.0) == (4 * 15.0, 4 * 20.0)
    assert down_seconds(event[:2], subject[:2], time[:2], amount[:2], 20.0, 50.0) == (4 * 5.0, 4 * 25.0)


def test_a_load_tells_its_optimum_itself():
    fleets = {"web": {"kind": "load", "replica_seconds": 300.0, "optimum": 200.0, "accelerators": 1}}
    rows = [decision(0.0, "hpa", "web", "scale", 1, 2, 2)]
    jobs = [job("web/0", 0.0, 0.0, NAN, workload="web"), job("web/1", 0.0, 0.0, 100.0, workload="web")]
    tables = {"decisions": table("decisions", rows), "jobs": table("jobs", jobs)}
    record = Record(tables, {"end": END, "warmup": 0.0, "fleets": fleets})
    assert measure(record, "overprovision") == 1.5
    assert measure(record, "replica.hours") == pytest.approx((END + 100.0) / 3600.0)
    assert math.isnan(measure(record, "ettr"))


def test_nodes_without_groups_are_told_by_their_size():
    events = [(0.0, "scale-up", "pool", 1.0), (0.0, "node-up", "n", 4.0)]
    series = [(0.0, 0, 0, 0.0, 8.0, 8.0), (50.0, 0, 0, 0.0, 4.0, 4.0)]
    record = Record(
        {"events": table("events", events), "series": table("series", series)}, {"end": 100.0, "warmup": 0.0}
    )
    assert measure(record, "nodes.mean") == 1.5


def test_replicas_of_services_are_in_no_measure_of_failures_of_jobs():
    assert measure(elastic_record(), "ettr") == measure(elastic_record(services={"chat": {}}), "ettr")
    jobs = [job("chat/0", 0.0, 0.0, NAN, workload="chat", preemptions=3)]
    record = Record({"jobs": table("jobs", jobs)}, {"end": END, "warmup": 0.0, "services": {"chat": {}}})
    assert math.isnan(measure(record, "interruptions.per_job"))
