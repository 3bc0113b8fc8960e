from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics import churn, optimum, waste
from simulator.metrics.recorder import Record
from simulator.metrics.scaling import Life
from simulator.metrics.window import Window
from tests.synthetic import table
from tests.synthetic_elastic import END, elastic_record, job


def record(series=(), jobs=(), events=(), **facts) -> Record:
    tables = {
        "series": table("series", list(series)), "jobs": table("jobs", list(jobs)),
        "events": table("events", list(events)),
    }  # fmt: skip
    return Record(tables, {"end": END, "warmup": 0.0} | facts)


# -- bounds ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.1, 50.0), st.integers(1, 5)), min_size=1, max_size=12),
    st.sampled_from([1.0, 2.0, 4.0]),
)
def test_the_bound_of_nodes_equals_a_sweep_over_fine_instants(jobs, size):
    start, length, amount = (np.round(np.array(column), 1) for column in zip(*jobs, strict=True))
    levels, seconds = optimum.demand(start, start + length, amount)
    instants = np.arange(0.05, 101.0, 0.1)
    level = np.array([amount[(start <= t) & (t < start + length)].sum() for t in instants])
    assert optimum.least(levels, seconds, size) == pytest.approx(np.ceil(level / size).sum() * 0.1, abs=1e-6)
    assert optimum.least(levels, seconds, size) * size >= float(amount @ length) - 1e-6


def test_computing_is_cut_at_the_edges():
    edges = np.array([0.0, 10.0, 20.0, 30.0])
    found = optimum.computing(np.array([5.0, 0.0, 25.0]), np.array([20.0, 2.0, 5.0]), edges)
    assert found.tolist() == [7.0, 10.0, 10.0]


def test_jobs_that_waited_count_from_when_they_came():
    jobs = [job("a", 0.0, 0.0, 100.0, accelerators=2.0), job("b", 0.0, 100.0, 200.0, accelerators=2.0)]
    events = [(0.0, "scale-up", "g", 1.0), (50.0, "node-up", "n", 4.0)]
    window = Window(record([(0.0, 0, 1, 2.0, 4.0, 4.0), (200.0, 0, 0, 0.0, 0.0, 0.0)], jobs, events))
    assert optimum.node_seconds(window) == (800.0, 400.0)


def test_time_that_was_lost_is_no_demand_and_held_jobs_come_later():
    lost = job("a", 0.0, 10.0, 110.0, accelerators=1.0, compute=60.0, rework=30.0, hung=10.0, wait_held=10.0)
    events = [(0.0, "scale-up", "g", 1.0), (0.0, "node-up", "n", 4.0)]
    used, least = optimum.node_seconds(Window(record([(0.0, 0, 0, 0.0, 4.0, 4.0)], [lost], events)))
    assert (used, least) == (4.0 * END, 4.0 * 60.0)


def test_nodes_of_several_sizes_are_bounded_by_what_was_asked_for():
    events = [(0.0, "scale-up", "g", 2.0), (0.0, "node-up", "n", 4.0), (0.0, "node-up", "m", 8.0)]
    window = Window(record([(0.0, 0, 0, 0.0, 4.0, 4.0)], [job("a", 0.0, 0.0, 100.0, accelerators=3.0)], events))
    assert optimum.node_size(window) == 0.0
    assert optimum.node_seconds(window)[1] == 300.0


def test_a_cluster_that_nobody_scales_has_no_optimum():
    assert np.isnan(optimum.node_seconds(Window(record([(0.0, 0, 0, 0.0, 4.0, 4.0)])))).all()
    assert np.isnan(optimum.service_seconds(Window(record()), "chat")).all()
    assert optimum.scaled(Window(record(services={"chat": {}}))) == []


def test_the_bound_of_a_service_by_hand():
    window = Window(elastic_record())
    used, least = optimum.service_seconds(window, "chat")
    assert used == 3 * END + (END - 11015.0) + (13330.0 - 11015.0)
    assert least == 2 * END + END / 2
    assert optimum.regret(used, least) == pytest.approx(used / least - 1.0)
    assert optimum.scaled(window) == ["chat"]


# -- waste ----------------------------------------------------------------------------------------------------------


def test_waste_of_groups_by_hand():
    window = Window(elastic_record())
    found = waste.dollars(window)
    assert list(found) == [cause for cause in waste.CAUSES if cause in found]
    used, least = optimum.service_seconds(window, "chat")
    expected = {
        "booting": 0.205, "idle": 0.585, "failed": 0.6, "draining": 0.0, "warm": 0.0,
        "headroom": max(0.0, 60000.0 - window.integral("allocated")) * 0.0005, "replicas": (used - least) * 0.0005,
    }  # fmt: skip
    assert found == pytest.approx({cause: expected[cause] for cause in found})
    assert {"booting", "idle", "failed", "headroom", "replicas"} <= set(found)


def test_free_accelerators_beside_work_are_headroom():
    hours = {"busy": END / 3600.0}
    group = {"g": {"price": 0.002, "accelerators": 4, "paid": 0.002 * END, "hours": hours}}
    found = waste.dollars(
        Window(record([(0.0, 0, 1, 3.0, 4.0, 4.0)], groups=group, provisioned_seconds=4.0 * END, cost={"cloud": 1.0}))
    )
    assert found["headroom"] == pytest.approx(0.25 * 0.002 * END)


def test_groups_without_a_price_have_their_share_of_all_costs():
    hours = {"boot": 1.0, "idle": 1.0, "busy": 2.0}
    group = {"g": {"price": 0.0, "accelerators": 4, "paid": 0.0, "hours": hours}}
    series = [(0.0, 0, 1, 2.0, 4.0, 4.0)]
    facts = {"groups": group, "provisioned_seconds": 4.0 * END, "cost": {"capex": 8.0}}
    found = waste.dollars(Window(record(series, **facts)))
    assert (found["booting"], found["idle"], found["headroom"]) == pytest.approx((2.0, 2.0, 0.0))
    beside = facts | {"provisioned_seconds": 8.0 * END}
    assert set(waste.dollars(Window(record(series, **beside)))) == {"booting", "idle"}


def test_warm_nodes_cost_what_is_left_of_what_was_paid():
    group = {"g": {"price": 0.001, "accelerators": 1, "paid": 3.6 + 0.36, "hours": {"busy": 1.0, "warm": 1.0}}}
    found = waste.dollars(Window(record([(0.0, 0, 1, 1.0, 1.0, 1.0)], groups=group, provisioned_seconds=3600.0)))
    assert found["warm"] == pytest.approx(0.36)


def test_without_groups_what_nobody_held_is_idle_at_its_share_of_the_costs():
    series = [(0.0, 0, 0, 0.0, 2.0, 4.0), (END / 2, 0, 1, 3.0, 4.0, 4.0)]
    found = waste.dollars(Window(record(series, cost={"cloud": 8.0}, provisioned_seconds=4.0 * END)))
    assert found == pytest.approx({"booting": 2.0, "idle": 2.0 + 1.0})


def test_without_costs_no_waste_is_told():
    assert waste.dollars(Window(record([(0.0, 0, 0, 0.0, 4.0, 4.0)]))) == {}


# -- churn ----------------------------------------------------------------------------------------------------------


def test_nodes_that_worked_less_than_they_booted_cost_money_for_nothing():
    events = [
        (100.0, "scale-up", "od", 2.0), (300.0, "node-boot", "od-1: boot", 200.0), (300.0, "node-up", "od-1", 1.0),
        (300.0, "node-boot", "od-2: boot", 200.0), (300.0, "node-up", "od-2", 1.0), (400.0, "node-down", "od-1", 1.0),
        (400.0, "scale-down", "od", 1.0), (2000.0, "node-down", "od-2", 1.0), (2000.0, "scale-down", "od", 1.0),
    ]  # fmt: skip
    groups = {"od": {"price": 0.01, "accelerators": 1}}
    found = churn.found(Window(record(events=events, groups=groups)))
    assert (found.added, found.removed, found.short, found.wasted) == (2.0, 2.0, 1, 300.0)
    assert found.dollars == pytest.approx(3.0)
    assert found.per_hour == 1.0
    assert math.isnan(churn.found(Window(record(events=events))).dollars)


def test_stops_of_the_same_job_are_counted():
    events = [(float(t), "preempt", name, 1.0) for t, name in [(0, "a"), (60, "b"), (120, "a"), (4000, "a")]]
    found = churn.found(Window(record(events=events)))
    assert (found.stops, found.again, found.worst, found.most) == (4, 1, "a", 3)
    calm = churn.found(Window(record(events=events[:2])))
    assert (calm.worst, calm.again) == ("", 0)


def test_a_node_that_stays_is_not_short_lived():
    assert churn.short_lived([Life("n", 10.0, 0.0, math.inf), Life("m", 10.0, 0.0, 10.0)]) == []


def test_nodes_find_their_group():
    assert churn.group_of("x", {"od": {"servers": ["x"]}, "spot": {}}) == "od"
    assert churn.group_of("x", {"od": {}}) == "od"
    assert churn.group_of("x", {"od": {}, "spot": {}}) == ""
