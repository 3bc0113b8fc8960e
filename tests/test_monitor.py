"""What autoscalers are told: samples, windows and lag against what is true, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.core.clock import Clock
from simulator.policies.serving import PodReading, ServiceObservation
from simulator.runtime.fleets.area import Area
from simulator.runtime.fleets.monitor import METRICS, Gauges, Monitor
from simulator.runtime.fleets.spec import Monitoring


class World:
    """A fleet of two replicas whose work is a script: (time, outstanding) steps, one request a second comes."""

    def __init__(self, how: Monitoring, steps: dict[float, float], **more: Any) -> None:
        self.clock = Clock()
        self.area = Area(self.clock)
        self.count, self.coming, self.draining = 2, 1, 0
        self.monitor = Monitor(self.clock, how, self, self.read, **more)
        self.told: dict[float, ServiceObservation] = {}
        for time, value in steps.items():
            self.clock.at(time, self.set, value, phase=0)

    def set(self, value: float) -> None:
        self.area.move(value - self.area.value)

    def read(self) -> Gauges:
        return Gauges(self.area.value, self.area.value / 2, 1.0, 0.5, self.clock.now, self.area.until_now())

    def seconds(self) -> tuple[float, float]:
        return 2 * self.clock.now, 1.5 * self.clock.now  # two replicas, three quarters busy

    def pods(self) -> list[PodReading]:
        return [PodReading({"busy": 0.75}), PodReading(ready=False, phase="pending")]

    def ask(self, *times: float) -> dict[float, ServiceObservation]:
        for time in times:
            self.clock.at(time, lambda: self.told.update({self.clock.now: self.monitor.observe()}), phase=3)
        self.monitor.watch(lambda: self.clock.now < 1000.0)
        self.clock.run(max(times))
        return self.told


def test_without_a_pipeline_it_is_told_what_is_true_now_and_rates_since_it_last_asked() -> None:
    told = World(Monitoring(), {0.0: 4.0, 15.0: 10.0}).ask(10.0, 20.0)
    assert (told[10.0].outstanding, told[20.0].outstanding) == (4.0, 10.0)
    assert told[20.0].busy == pytest.approx(0.75)
    assert told[20.0].arrivals == pytest.approx(1.0)
    assert (told[20.0].ready, told[20.0].coming, told[20.0].replicas, told[20.0].missing) == (2, 1, 3, {})


def test_samples_are_as_old_as_the_last_scrape_and_the_lag_make_them() -> None:
    told = World(Monitoring(scrape=10.0, lag=5.0), {0.0: 1.0, 9.0: 2.0, 19.0: 3.0, 29.0: 4.0}).ask(
        4.0, 16.0, 24.0, 25.0, 36.0
    )
    assert told[4.0].missing == dict.fromkeys(METRICS, "no sample yet")  # the one of 0 s comes at 5 s
    assert (told[4.0].outstanding, told[4.0].ready) == (0.0, 2)
    assert [told[at].outstanding for at in (16.0, 24.0, 25.0, 36.0)] == [2.0, 2.0, 3.0, 4.0]
    assert told[16.0].missing == {}


def test_a_lag_longer_than_the_scrape_takes_no_sample_too_early() -> None:
    told = World(Monitoring(scrape=5.0, lag=7.0), {0.0: 1.0}).ask(*[15.0 * step for step in range(1, 8)])
    assert [told[15.0 * step].arrivals for step in range(2, 8)] == pytest.approx([1.0] * 6)
    assert [told[15.0 * step].busy for step in range(2, 8)] == pytest.approx([0.75] * 6)


def test_a_window_is_the_mean_of_its_samples() -> None:
    told = World(Monitoring(scrape=10.0, window=30.0), {0.0: 1.0, 15.0: 4.0, 25.0: 7.0}).ask(30.0, 60.0)
    assert told[30.0].outstanding == pytest.approx((1.0 + 4.0 + 7.0) / 3)  # samples of 10, 20 and 30 s
    assert told[30.0].queued == pytest.approx(2.0)
    assert told[60.0].outstanding == 7.0
    assert told[60.0].busy == pytest.approx(0.75)
    assert told[60.0].arrivals == pytest.approx(1.0)


def test_means_over_spans_are_exact_integrals_not_samples() -> None:
    steps = {0.0: 0.0, 1.0: 60.0, 2.0: 0.0, 57.0: 12.0}  # a burst of one second between two looks
    told = World(Monitoring(), steps, spans=(6.0, 60.0)).ask(*[2.0 * step for step in range(1, 31)])
    assert told[60.0].window == pytest.approx({6.0: 3 * 12.0 / 6, 60.0: (60.0 + 3 * 12.0) / 60})
    assert told[6.0].window[6.0] == pytest.approx(10.0)
    assert told[2.0].window[60.0] == pytest.approx(30.0)  # there are two seconds so far


def test_replicas_one_by_one_only_for_those_who_ask() -> None:
    assert World(Monitoring(), {}).ask(1.0)[1.0].pods == ()
    pods = World(Monitoring(), {}, per_pod=True).ask(1.0)[1.0].pods
    assert [(pod.ready, dict(pod.values)) for pod in pods] == [(True, {"busy": 0.75}), (False, {})]


def test_an_area_is_the_integral_of_its_number() -> None:
    clock, seen = Clock(), []
    area = Area(clock)
    clock.at(1.0, area.move, 2.0)
    clock.at(4.0, area.move, -1.0)
    clock.at(5.0, lambda: seen.append((area.value, area.until_now())))
    clock.run(10.0)
    assert seen == [(1.0, 7.0)]
    assert area.until_now() == 12.0
