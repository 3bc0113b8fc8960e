"""Forecasts and the autoscaler that goes by them: tables by hand, closed forms, and laws."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator as sim
from simulator.core.errors import PolicyError
from simulator.policies.decision import Decision
from simulator.policies.forecasts import Fresh, HoltWinters
from simulator.policies.recent import Average, Highest
from simulator.policies.replicas.predictive import Predictive
from simulator.policies.serving import PodReading, ServiceObservation
from simulator.testing import check_replica_scaler


def seen(ready: int, outstanding: float, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "queued": 0.0, "running": 0.0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    return ServiceObservation(ready=ready, coming=coming, outstanding=outstanding, **(values | more))


def fed(values: Sequence[float], **more: Any) -> HoltWinters:
    model = HoltWinters(**({"season": 4.0, "interval": 1.0} | more))
    for now, value in enumerate(values):
        model.update(float(now), value)
    return model


# -- Holt-Winters ----------------------------------------------------------------------------------------------------


def test_before_a_season_it_cannot_tell() -> None:
    model = fed([10, 20, 30])
    assert not model.ready
    assert model.forecast(3.0, 1.0) is None
    model.update(3.0, 20)
    assert model.ready


def test_after_one_season_it_repeats_it() -> None:
    model = fed([10, 20, 30, 20])
    assert [model.mean(steps) for steps in range(1, 9)] == [10, 20, 30, 20, 10, 20, 30, 20]
    assert model.deviation(3) == 0.0


def test_one_step_by_hand() -> None:
    """Level 20, trend 0, seasons -10, 0, 10, 0; then a value of 14 with alpha 0.5, beta 0.2, gamma 0.1.

    level = 0.5 (14 + 10) + 0.5 x 20 = 22; trend = 0.2 x 2 = 0.4; season = 0.1 (14 - 20) + 0.9 x -10 = -9.6.
    """
    model = fed([10, 20, 30, 20, 14], alpha=0.5, beta=0.2, gamma=0.1)
    assert [model.mean(steps) for steps in (1, 2, 3, 4, 5)] == pytest.approx([22.4, 32.8, 23.2, 14.0, 24.0])
    assert model.deviation(1) == pytest.approx(4.0)


def test_two_steps_by_hand() -> None:
    """On from there with 22: level = 0.5 (22 - 0) + 0.5 x 22.4 = 22.2; trend = 0.2 x 0.2 + 0.8 x 0.4 = 0.36;
    season = 0.1 (22 - 22.4) + 0.9 x 0 = -0.04; errors 4 and -0.4."""
    model = fed([10, 20, 30, 20, 14, 22], alpha=0.5, beta=0.2, gamma=0.1)
    assert [model.mean(steps) for steps in (1, 2, 3, 4)] == pytest.approx([32.56, 22.92, 13.68, 23.6])
    assert model.deviation(1) == pytest.approx(math.sqrt((16 + 0.16) / 2))


def test_after_two_seasons_trend_and_season_are_those_of_both() -> None:
    """Means 20 and 24, so the trend is 1; the line is 18.5, 19.5, ...; what is left is averaged over both seasons."""
    model = fed([10, 20, 30, 20, 15, 23, 34, 24])
    left = [(10 - 18.5 + 15 - 22.5) / 2, (20 - 19.5 + 23 - 23.5) / 2, (30 - 20.5 + 34 - 24.5) / 2, -1.5]
    assert [model.mean(steps) for steps in (1, 2, 3, 4)] == pytest.approx([26.5 + at + left[at] for at in range(4)])
    assert model.deviation(1) == pytest.approx(math.sqrt(4 * 0.25 / 3))


@given(
    season=st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=12),
    base=st.floats(0.0, 100.0),
    slope=st.floats(-2.0, 2.0),
    seasons=st.integers(2, 5),
    smoothing=st.tuples(*[st.floats(0.0, 1.0)] * 3),
)
def test_a_line_plus_a_season_is_told_without_error_after_two_seasons(
    season: list[float], base: float, slope: float, seasons: int, smoothing: tuple[float, float, float]
) -> None:
    size = len(season)

    def load(at: int) -> float:
        return base + slope * at + season[at % size]

    alpha, beta, gamma = smoothing
    model = HoltWinters(float(size), 1.0, alpha, beta, gamma)
    for at in range(size * seasons + size // 2):
        if at >= 2 * size:
            assert model.mean(1) == pytest.approx(load(at), abs=1e-6)
        model.update(float(at), load(at))
    last = size * seasons + size // 2 - 1
    for steps in range(1, 2 * size + 2):
        assert model.mean(steps) == pytest.approx(load(last + steps), abs=1e-6)
        assert model.deviation(steps) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 9, 13, 40])
def test_the_deviation_is_that_of_its_own_errors_added_up(steps: int) -> None:
    """Each error of one value moves level, trend and season: c(j) = alpha + j alpha beta + gamma each whole season."""
    alpha, beta, gamma, size = 0.3, 0.1, 0.2, 4
    model = fed([10, 20, 30, 20, 14, 22, 33, 19], alpha=alpha, beta=beta, gamma=gamma)
    moves = [alpha + j * alpha * beta + gamma * (j % size == 0) for j in range(1, steps)]
    expected = model.deviation(1) * math.sqrt(1 + sum(each * each for each in moves))
    assert model.deviation(steps) == pytest.approx(expected)


def test_the_bound_holds_as_often_as_it_says() -> None:
    draw = np.random.Generator(np.random.PCG64(5))
    noise = draw.normal(0.0, 3.0, 4000)
    model = HoltWinters(24.0, 1.0, alpha=0.1, beta=0.01, gamma=0.05, confidence=0.9)
    below = total = 0
    for at, each in enumerate(noise):
        load = 100.0 + 20.0 * math.sin(2 * math.pi * at / 24) + float(each)
        bound = model.forecast(float(at), 1.0) if at > 480 else None
        if bound is not None:
            below, total = below + (load <= bound), total + 1
        model.update(float(at), load)
    assert below / total == pytest.approx(0.9, abs=0.02)


def test_lead_is_counted_in_whole_intervals() -> None:
    model = fed([10, 20, 30, 20])
    assert [model.forecast(4.0, lead) for lead in (0.0, 1.0, 1.1, 2.0, 3.0)] == [10, 10, 20, 20, 30]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"alpha": 1.5}, "alpha is 1.5; it must be 0 to 1"),
        ({"gamma": math.nan}, "gamma is nan; it must be 0 to 1"),
        ({"confidence": 1.0}, "confidence is 1; it must be above 0 and below 1"),
        ({"season": 90.0}, "season is 90 s; it must be at least two intervals, 120 s"),
    ],
)
def test_parameters_of_holt_winters(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        HoltWinters(**arguments)
    assert str(caught.value) == text


# -- windows of late -------------------------------------------------------------------------------------------------


@given(
    steps=st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(0, 30)), min_size=1, max_size=40),
    window=st.sampled_from([0.0, 30.0, 60.0]),
)
def test_highest_and_average_of_the_whole_history(steps: list[tuple[float, int]], window: float) -> None:
    highest, average, now, history = Highest(window), Average(window), 0.0, []
    for wait, number in steps:
        now += wait
        history.append((now, number))
        recent = [value for at, value in history[:-1] if at > now - window] + [number]
        assert highest.of(now, number) == max(recent)
        assert average.of(now, float(number)) == pytest.approx(sum(recent) / len(recent))


# -- the autoscaler --------------------------------------------------------------------------------------------------


class Told:
    """A forecaster that was told what will be."""

    def __init__(self, values: dict[float, float]) -> None:
        self.values = values

    def update(self, now: float, value: float) -> None:
        self.seen = (now, value)

    def forecast(self, now: float, lead: float) -> float | None:
        return self.values.get(now + lead)


class Unruly(Told):
    """One that keeps what it has seen, and says it."""

    def __init__(self) -> None:
        self.count = 0

    def update(self, now: float, value: float) -> None:
        self.count += 1

    def forecast(self, now: float, lead: float) -> float | None:
        return float(self.count)


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("predictive")
    check_replica_scaler(Predictive(season=600.0, lead=120.0))
    check_replica_scaler(Predictive(forecaster=Unruly))
    check_replica_scaler(Predictive(forecaster=Unruly()))
    check_replica_scaler(Predictive(forecaster=lambda times, values, lead: max(values[-5:])))


@pytest.mark.parametrize(
    ("ready", "coming", "load", "ahead", "wanted", "rule"),
    [
        (2, 0, 20.0, None, 2, "present load"),
        (2, 0, 21.0, None, 3, "present load"),
        (2, 0, 20.0, 40.0, 4, "forecast"),
        (2, 0, 20.0, 40.001, 5, "forecast"),
        (2, 0, 20.0, 20.0, 2, "present load"),
        (2, 0, 45.0, 20.0, 5, "present load"),  # never below what the present load needs
        (2, 3, 20.0, 50.0, 5, "forecast"),
        (5, 0, 20.0, 30.0, 3, "forecast"),
        (5, 0, 0.0, 0.0, 0, "present load"),
        (0, 0, 0.0, 15.0, 2, "forecast"),
        (0, 0, 3.0, None, 1, "present load"),
        (4, 1, 0.0, 1e-12, 0, "present load"),
    ],
)
def test_one_decision(ready: int, coming: int, load: float, ahead: Any, wanted: int, rule: str) -> None:
    values = {} if ahead is None else {90.0: ahead}
    got = Predictive(target=10.0, lead=90.0, forecaster=Told(values)).step(0.0, seen(ready, load, coming))
    assert isinstance(got, Decision)
    assert (int(got), got.rule) == (wanted, rule)


def test_what_was_foreseen_for_a_moment_is_kept_until_then() -> None:
    scaler = Predictive(target=10.0, lead=240.0, scale_in_window=0.0, forecaster=Told({240.0: 80.0, 300.0: 10.0}))
    rows = [
        (0.0, 1, 8, "forecast"),
        (60.0, 8, 8, "scale-in window"),
        (239.0, 8, 8, "scale-in window"),
        (240.0, 8, 1, "present load"),
    ]
    for now, ready, wanted, rule in rows:
        got = scaler.step(now, seen(ready, 10.0))
        assert (int(got), got.rule) == (wanted, rule), now


def test_before_a_season_it_goes_by_the_present_load_and_then_ahead_of_it() -> None:
    """A season of ten minutes, known after one: 40 requests in minutes 5 to 9, 10 else; a replica bears 10."""

    def load(minute: int) -> float:
        return 40.0 if minute % 10 >= 5 else 10.0

    scaler = Predictive(target=10.0, season=600.0, lead=120.0, scale_in_window=0.0)
    got = []
    have = 1
    for minute in range(40):
        have = int(scaler.step(60.0 * minute, seen(have, load(minute))))
        got.append(have)
    assert got[:9] == [1] * 5 + [4] * 4, "late: it sees the load when it is there"
    assert got[30:] == [4, 1, 1, 4, 4, 4, 4, 4, 4, 4], "two minutes early; what was wanted a minute ago is kept"


def test_lead_is_measured_where_replicas_start() -> None:
    scaler = Predictive(target=10.0, forecaster=Told({}))
    assert scaler.per_pod
    assert scaler.lead == 300.0
    pods = [
        PodReading(ready=True, started=0.0, ready_since=90.0),
        PodReading(ready=True, started=30.0, ready_since=140.0),
        PodReading(ready=False, started=100.0, ready_since=-math.inf),
        PodReading(ready=True, started=-math.inf, ready_since=-math.inf),
    ]
    scaler.step(200.0, seen(3, 5.0, pods=pods))
    assert scaler.lead == 100.0
    scaler.reset()
    assert scaler.lead == 300.0
    assert not Predictive(lead=60.0).per_pod


def test_a_function_sees_everything_so_far() -> None:
    calls = []

    def last(times: Sequence[float], values: Sequence[float], lead: float) -> float:
        calls.append((list(times), list(values), lead))
        return values[-1] + 30.0

    scaler = Predictive(target=10.0, lead=60.0, forecaster=last)
    assert [int(scaler.step(60.0 * at, seen(1, 10.0 * at))) for at in range(3)] == [3, 4, 5]
    assert calls[-1] == ([0.0, 60.0, 120.0], [0.0, 10.0, 20.0], 60.0)
    scaler.reset()
    scaler.step(0.0, seen(1, 7.0))
    assert calls[-1] == ([0.0], [7.0], 60.0)


def test_a_forecaster_of_ones_own_begins_anew_in_each_run() -> None:
    given_ = Unruly()
    fresh = Fresh(given_)
    for _ in range(2):
        fresh.now.update(0.0, 1.0)
        assert fresh.now.forecast(0.0, 1.0) == 1.0
        fresh.reset()
    assert given_.count == 0, "what the user passed is left alone"


@given(loads=st.lists(st.floats(0.0, 500.0), min_size=1, max_size=60), lead=st.sampled_from([0.0, 60.0, 300.0]))
def test_it_is_never_below_what_the_present_load_needs(loads: list[float], lead: float) -> None:
    scaler, have = Predictive(target=10.0, season=300.0, lead=lead), 1
    for at, load in enumerate(loads):
        have = int(scaler.step(60.0 * at, seen(have, load)))
        assert have >= math.ceil(load / 10.0 - 1e-9)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"lead": -1.0}, "lead is -1 s; it must be 0 or more"),
        ({"scale_in_window": math.inf}, "scale_in_window is inf s; it must be 0 or more"),
        ({"target": 0.0}, "target is 0; it must be above 0"),
        ({"forecaster": 3}, r"forecaster is 3; it must be a function \(times, values, lead\), or have update"),
        ({"season": 60.0}, "season is 60 s; it must be at least two intervals"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Predictive(**arguments)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -100, "x", True])
def test_a_forecast_that_is_no_load_is_told_with_its_value(wrong: Any) -> None:
    scaler = Predictive(5.0, lead=90.0, forecaster=lambda times, values, lead: wrong)
    text = f"the forecaster returned {wrong!r} for 90 s ahead; it must be a finite load, 0 or more"
    with pytest.raises(ValueError, match=re.escape(text)):
        scaler.step(0.0, seen(2, 20.0))


def test_a_run_ends_with_the_value_of_such_a_forecast() -> None:
    scenario = {
        "name": "forecast",
        "topology": {"build": "fleet", "groups": [{"name": "node", "count": 2, "accelerators": 8}]},
        "workload": {
            "shop": {
                "load": "10 /s",
                "duration": "10 min",
                "replica": {"rate": "10 /s", "accelerators": 1},
                "replicas": {"kind": "predictive", "target": 6, "forecaster": lambda times, values, lead: math.nan},
            }
        },
    }
    with pytest.raises(PolicyError, match=r"autoscaler Predictive at 0 s: .*the forecaster returned nan for"):
        sim.run(scenario)
