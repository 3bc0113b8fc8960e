"""Loads as a fluid: the queue between two changes, replicas that come and go, what autoscalers are told."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders.fleet import fleet
from simulator.core.clock import Phase
from simulator.core.errors import InvariantError
from simulator.experiment.validation.theory import erlang_c as reference
from simulator.metrics.invariants import check
from simulator.metrics.measures import measure
from simulator.policies.serving import replica_scalers
from simulator.runtime.fleets.spec import Monitoring
from simulator.runtime.loads.line import Line
from simulator.runtime.loads.randomly import erlang_c, waits
from simulator.runtime.parts import Part
from simulator.workload.load import Demand
from tests.load_world import Change, column, drained, load, ran, simulation, stairs, stepped
from tests.serving_world import Steps

RATES = st.sampled_from([0.0, 1.0, 2.5, 3.0, 8.0])


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Changes on a grid of tenths of seconds."""
    gaps = draw(st.lists(st.integers(0, 40), min_size=1, max_size=12))
    times = np.cumsum([0, *gaps[:-1]]) / 10
    return [(float(time), draw(RATES), draw(RATES)) for time in times]


# -- the line ---------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(changes(), st.sampled_from([math.inf, 2.0, 0.7]))
def test_a_line_is_what_small_steps_come_to(told: list[Change], patience: float) -> None:
    until = told[-1][0] + 2.0
    line, rows = drained(told, until, patience)
    twin = stepped(told, until, patience, 2e-3)
    waited = sum(amount * (first + last) / 2 for _, _, amount, first, last, fate in rows if fate == "served")
    slack = 0.05 + 0.005 * twin["arrived"]
    assert line.arrived == pytest.approx(twin["arrived"], abs=1e-9 + 1e-9 * twin["arrived"])
    for found, wanted in ((line.served, "served"), (line.dropped, "dropped"), (line.backlog, "backlog")):
        assert found == pytest.approx(twin[wanted], abs=slack), wanted
    assert waited == pytest.approx(twin["waited"], abs=slack * (1 + min(patience, until)))


@settings(max_examples=200, deadline=None)
@given(changes(), st.sampled_from([math.inf, 2.0, 0.7]))
def test_nothing_is_lost_on_the_way_and_nobody_overtakes(told: list[Change], patience: float) -> None:
    until = told[-1][0] + 2.0
    line, rows = drained(told, until, patience)
    scale = max(1.0, line.arrived)
    assert line.arrived == pytest.approx(line.served + line.dropped + line.backlog, abs=1e-9 * scale)
    for fate, total in (("served", line.served), ("dropped", line.dropped), ("waiting", line.backlog)):
        assert sum(row[2] for row in rows if row[5] == fate) == pytest.approx(total, abs=1e-9 * scale)
    served = [row for row in rows if row[5] == "served"]
    for since, end, amount, first, last, _ in rows:
        assert 0 <= since <= end <= until + 1e-9
        assert amount > 0
        assert min(first, last) >= 0
        assert max(first, last) <= patience + 1e-9
        assert end + last >= since + first - 1e-9
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(served))
    assert all(b[1] + b[4] <= a[0] + a[3] + 1e-9 for b, a in pairwise(served))


@settings(max_examples=100, deadline=None)
@given(changes(), st.lists(st.integers(1, 400), max_size=8))
def test_looking_at_a_line_does_not_change_it(told: list[Change], looks: list[int]) -> None:
    until = told[-1][0] + 2.0
    once, rows = drained(told, until, 2.0)
    moments = {look / 100 * until / 4 for look in looks}
    seen: list[Change] = list(told)
    for moment in sorted(moments):
        before = [change for change in told if change[0] <= moment]
        if before and moment < until:
            seen.append((moment, *before[-1][1:]))
    again, others = drained(sorted(seen, key=lambda change: change[0]), until, 2.0)
    for name in ("arrived", "served", "dropped", "area"):
        assert getattr(again, name) == pytest.approx(getattr(once, name), abs=1e-6), name
    total = [sum(row[2] * (row[3] + row[4]) for row in each) for each in (rows, others)]
    assert total[0] == pytest.approx(total[1], abs=1e-6)


def test_a_constant_overload_grows_without_end() -> None:
    line, rows = drained([(0.0, 15.0, 10.0)], 100.0)
    assert (line.arrived, line.served, line.backlog, line.wait) == pytest.approx((1500.0, 1000.0, 500.0, 50.0))
    (served, waiting) = rows
    assert served[:5] == pytest.approx((0.0, 200 / 3, 1000.0, 0.0, 100 / 3))
    assert waiting[:5] == pytest.approx((200 / 3, 100.0, 500.0, 100 / 3, 0.0))
    assert (served[5], waiting[5]) == ("served", "waiting")


@settings(max_examples=100, deadline=None)
@given(st.floats(0.1, 50.0), st.floats(0.1, 40.0), st.floats(0.1, 90.0))
def test_the_end_of_a_backlog_is_noticed_in_its_very_instant(demand: float, capacity: float, seconds: float) -> None:
    line = Line(lambda *row: None)
    line.change(demand + capacity, capacity)
    line.advance(seconds)
    line.change(0.0, capacity)
    end = seconds + line.wait
    line.advance(end)
    assert line.emptied == pytest.approx(end, rel=1e-12)
    assert line.backlog == 0.0


def test_a_sawtooth_has_the_waits_of_its_triangle() -> None:
    """30 s of 20 /s and 30 s of 0 /s at a capacity of 10 /s: the backlog climbs to 300 and is gone at 60 s."""
    line, rows = drained([(0.0, 20.0, 10.0), (30.0, 0.0, 10.0)], 60.0)
    assert line.backlog == 0.0
    assert line.area == pytest.approx(300 * 60 / 2)
    assert sum(amount * (first + last) / 2 for _, _, amount, first, last, _ in rows) == pytest.approx(line.area)
    assert max(last for *_, last, _ in rows) == pytest.approx(30.0)


def test_work_that_gives_up_has_waited_just_so_long() -> None:
    line, rows = drained([(0.0, 20.0, 10.0), (30.0, 0.0, 10.0)], 60.0, patience=5.0)
    assert line.dropped == pytest.approx(250.0)  # 10 /s from 10 s, when the head is 5 s old, until 35 s
    assert {round(row[3], 9) for row in rows if row[5] == "dropped"} == {5.0}
    assert line.served == pytest.approx(350.0)


def test_without_capacity_nothing_is_served() -> None:
    line, rows = drained([(0.0, 2.0, 0.0)], 10.0)
    assert (line.served, line.backlog, line.wait) == (0.0, 20.0, math.inf)
    assert rows == [(0.0, 10.0, 20.0, 10.0, 0.0, "waiting")]


# -- requests that come at random -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("servers", "offered"), [(1, 0.8), (2, 1.0), (10, 9.0), (200, 180.0), (5, 0.001)])
def test_the_chance_to_wait_is_erlangs(servers: int, offered: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(reference(servers, offered), rel=1e-9)


def test_waits_at_random_are_those_of_m_m_c() -> None:
    spec = load(stairs((0.0, 16.0), end=1e5), 2, rate=10.0, random=True, slo=0.2)
    record = ran(spec)
    share = reference(2, 1.6)
    assert measure(record, "load.wait.mean") == pytest.approx(share / (20 - 16))
    assert measure(record, "load.attainment") == pytest.approx(1 - share * math.exp(-(20 - 16) * 0.2))
    assert measure(record, "load.wait.p99") == pytest.approx(math.log(share / 0.01) / (20 - 16), rel=1e-6)
    assert waits(3, 30.0, 30.0) == (0.0, 0.0)


# -- on the clock -----------------------------------------------------------------------------------------------------


def test_one_replica_and_one_step() -> None:
    """20 /s for 10 s at 10 /s: what came at t waits t, the last one 10 s; all is through at 20 s."""
    record = ran(load(stairs((0.0, 20.0), end=10.0), 1, slo=5.0))
    facts = record.facts["fleets"]["shop"]
    assert (facts["demand"], facts["served"], facts["waiting"]) == pytest.approx((200.0, 200.0, 0.0))
    assert record.facts["end"] == pytest.approx(20.0)
    assert measure(record, "load.wait.mean") == pytest.approx(5.0)
    assert measure(record, "load.attainment") == pytest.approx(0.5)
    assert measure(record, "load.wait.p99") == pytest.approx(9.9)
    assert measure(record, "load.utilization") == pytest.approx(1.0)
    assert measure(record, "load.unserved") == 0.0
    assert facts["optimum"] == 20.0  # two replicas for 10 s
    assert column(record, "loads", "time") == [0.0, 10.0, 20.0]
    assert column(record, "loads", "backlog") == pytest.approx([0.0, 100.0, 0.0])


def test_a_cold_start_lets_demand_wait() -> None:
    """10 /s, and a replica that is ready after 6 s and serves 20 /s: 60 wait then, and are through at 12 s."""
    record = ran(load(stairs((0.0, 10.0), end=30.0), 1, rate=20.0, cold=6.0))
    assert measure(record, "load.wait.mean") == pytest.approx(6 * 12 / 2 * 10 / 300)
    left = zip(column(record, "loads", "time"), column(record, "loads", "backlog"), strict=True)
    emptied = [time for time, backlog in left if backlog == 0 and 0 < time < 30]
    assert emptied == pytest.approx([12.0])
    waited = record.tables["waits"]
    assert float(waited["first"].max()) == pytest.approx(6.0)


def test_capacity_that_comes_while_work_waits_shortens_its_wait() -> None:
    """Two replicas from 10 s on: the backlog of 100 is gone at 20 s; what came at 5 s waits 5 s, not more."""
    record = ran(load(stairs((0.0, 20.0), (10.0, 10.0), end=100.0), Steps(1, 2, interval=10.0)))
    waited = record.tables["waits"]
    at = dict(zip(waited["until"].tolist(), waited["last"].tolist(), strict=True))
    assert at[5.0] == pytest.approx(5.0)
    times, backlog = column(record, "loads", "time"), column(record, "loads", "backlog")
    assert dict(zip(times, backlog, strict=True))[10.0] == pytest.approx(100.0)
    assert [time for time, left in zip(times, backlog, strict=True) if left == 0] == pytest.approx([0.0, 20.0, 100.0])


def test_autoscalers_are_told_what_is_so() -> None:
    scaler = Steps(2, interval=5.0)
    ran(load(stairs((0.0, 15.0), (20.0, 40.0), end=40.0), scaler))
    told = {index * 5.0: each for index, each in enumerate(scaler.asked)}
    first = told[5.0]
    assert (first.ready, first.coming, first.draining, first.kv) == (2, 0, 0, 0.0)
    assert (first.busy, first.arrivals) == pytest.approx((0.75, 15.0))
    assert (first.queued, first.running, first.outstanding) == pytest.approx((0.0, 1.5, 1.5))
    later = told[30.0]
    assert (later.busy, later.arrivals, later.queued, later.running) == pytest.approx((1.0, 40.0, 200.0, 2.0))
    assert later.pods == ()


def test_busy_is_the_mean_over_those_that_take_work() -> None:
    scaler = Steps(1, 4, interval=10.0)
    ran(load(stairs((0.0, 10.0), end=60.0), scaler, rate=20.0, cold=15.0))
    told = [each for each in scaler.asked if each.coming == 3]
    assert told
    assert all(each.busy in (pytest.approx(0.5), pytest.approx(1.0)) for each in told)


def test_samples_go_through_the_pipeline() -> None:
    scaler = Steps(1, interval=10.0)
    ran(load(stairs((0.0, 5.0), (30.0, 8.0), end=100.0), scaler, monitoring=Monitoring(scrape=5.0, window=20.0)))
    told = [each.arrivals for each in scaler.asked]
    assert told[3:6] == pytest.approx([5.0, 6.5, 8.0])  # at 30, 40 and 50 s, means over the 20 s before


def test_a_replica_that_is_let_go_goes_at_once_and_loses_nothing() -> None:
    record = ran(load(stairs((0.0, 10.0), end=100.0), Steps(4, 1, interval=20.0)))
    facts = record.facts["fleets"]["shop"]
    assert facts["served"] == pytest.approx(1000.0)
    assert facts["replica_seconds"] == pytest.approx(4 * 20 + 80)
    assert facts["busy_seconds"] == pytest.approx(100.0)
    assert column(record, "jobs", "service") == [0.0] * 4
    assert sorted(column(record, "jobs", "end")) == [20.0, 20.0, 20.0, 100.0]


class Stop(Part):
    """Stops the replicas that run at a given time, as a server that breaks would."""

    def __init__(self, time: float) -> None:
        self.time = time

    def attach(self, simulation: Any) -> None:
        self.simulation = simulation

    def begin(self) -> None:
        self.simulation.clock.at(self.time, self._stop, phase=Phase.FAILURES)

    def _stop(self) -> None:
        for job in list(self.simulation.view.running):
            self.simulation.stop(job)


def test_replicas_that_are_stopped_start_again() -> None:
    record = ran(load(stairs((0.0, 10.0), end=100.0), 2, rate=10.0, cold=5.0), parts=[Stop(50.0)])
    assert column(record, "jobs", "preemptions") == [1, 1]
    rows = dict(zip(column(record, "loads", "time"), column(record, "loads", "ready"), strict=True))
    assert (rows[5.0], rows[50.0], rows[55.0]) == (2, 0, 2)
    assert record.facts["fleets"]["shop"]["served"] == pytest.approx(1000.0)


def test_rates_by_type_add_up() -> None:
    rates = {"slow": 5.0, "fast": 20.0}
    topology = fleet([{"count": 1, "accelerators": 2, "accelerator": name} for name in rates])
    spec = load(stairs((0.0, 40.0), end=10.0), 4, cores=0.0, accelerators=1.0)
    record = ran(replace(spec, rate=rates.__getitem__, best=20.0), topology=topology)
    assert column(record, "loads", "capacity")[0] == 50.0
    assert record.facts["fleets"]["shop"]["optimum"] == 20.0


def test_replicas_that_fit_nowhere_are_told_and_the_run_ends() -> None:
    record = ran(load(stairs((0.0, 10.0), end=50.0), 1, cores=100.0))
    assert record.facts["fleets"]["shop"]["waiting"] == pytest.approx(500.0)
    assert measure(record, "load.unserved") == 1.0
    (note,) = [note for note in record.facts["notes"] if note.startswith("Load shop: a replica can never be placed")]
    assert "no server could ever hold it" in note


def test_demand_that_nobody_serves_is_told() -> None:
    record = ran(load(stairs((0.0, 10.0), end=50.0), 0))
    assert "Load shop: a part of its demand is never served: it has no replicas." in record.facts["notes"]


def test_the_end_of_a_run_leaves_what_waits() -> None:
    record = ran(load(stairs((0.0, 20.0), end=1000.0), 1), until=10.0)
    assert column(record, "waits", "fate") == ["served", "waiting"]
    assert measure(record, "load.unserved") == pytest.approx(0.5)
    assert record.facts["fleets"]["shop"]["optimum"] == 20.0


def test_the_warm_up_is_left_out() -> None:
    record = ran(load(stairs((0.0, 20.0), (10.0, 0.0), (30.0, 5.0), end=50.0), 1), warmup=5.0)
    assert measure(record, "load.wait.mean") == pytest.approx((100 * 7.5) / 200)  # half of the burst came after 5 s


def test_changes_of_all_loads_are_one_event_an_instant() -> None:
    many = [load(stairs((0.0, 5.0), (15.0, 6.0), (30.0, 7.0), end=45.0), 1, name=f"s{i}") for i in range(8)]
    made = simulation(*many)
    at: list[float] = []
    original = made.clock.at

    def noted(time: float, function: Any, *arguments: Any, phase: int = Phase.ENDS) -> None:
        if getattr(function, "__name__", "") == "_change":
            at.append(time)
        original(time, function, *arguments, phase=phase)

    made.clock.at = noted  # type: ignore[method-assign]
    made.run()
    assert at == [0.0, 15.0, 30.0, 45.0]


def test_rows_may_be_thinned() -> None:
    demand = Demand(np.arange(100.0), 5.0 + np.arange(100.0) % 3, 100.0)
    whole, thin = (ran(load(demand, 1, record_interval=gap)) for gap in (0.0, 30.0))
    assert len(column(whole, "loads", "time")) == 101
    assert column(thin, "loads", "time") == [0.0, 30.0, 60.0, 90.0, 100.0]
    assert whole.facts["fleets"]["shop"]["served"] == thin.facts["fleets"]["shop"]["served"]
    assert measure(whole, "load.utilization") == measure(thin, "load.utilization")


# -- every autoscaler, twice ------------------------------------------------------------------------------------------


def _wild(seed: int) -> Demand:
    rng = np.random.default_rng(seed)
    return Demand(np.arange(60) * 15.0, np.maximum(0.0, rng.normal(60.0, 50.0, 60)), 900.0)


@pytest.mark.parametrize("kind", replica_scalers.names())
def test_every_autoscaler_keeps_its_bounds(kind: str) -> None:
    record = ran(load(_wild(3), replica_scalers.get(kind)(), minimum=1, maximum=12, initial=2, cold=10.0))
    wanted = column(record, "loads", "wanted")
    assert all(1 <= each <= 12 for each in wanted[:-1])
    assert max(column(record, "loads", "ready")) <= 12


@pytest.mark.parametrize("kind", ["hpa", "target-tracking", "queue-length"])
def test_the_same_run_is_the_same(kind: str) -> None:
    one, two = (
        ran(load(_wild(7), replica_scalers.get(kind)(), minimum=1, maximum=12, cold=10.0)).tables for _ in range(2)
    )
    for table in ("loads", "waits", "jobs", "events", "decisions"):
        for name, values in one[table].items():
            assert values.tolist() == two[table][name].tolist() or np.isnan(values.astype(float)).any(), (table, name)


# -- invariants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "name", "row", "value", "message"),
    [
        ("waits", "amount", 0, 1.0, "broken invariant: demand of a load = served + dropped + waiting"),
        ("loads", "served", 1, 150.0, "broken invariant: a load is never served faster than its replicas can"),
        ("waits", "last", 0, -9.0, "broken invariant: what came to a load earlier was not served later"),
    ],
)
def test_broken_records_are_told(table: str, name: str, row: int, value: float, message: str) -> None:
    record = ran(load(stairs((0.0, 20.0), end=10.0), 1))
    record.tables[table][name][row] = value
    with pytest.raises(InvariantError, match="broken") as caught:
        check(record)
    assert str(caught.value).startswith(message)
