"""Failures, spares and repair against known tables, brute force and machines that fail event by event."""

from __future__ import annotations

import csv
import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.core.errors import InputError
from simulator.metrics.statistics import replicated
from simulator.models import reliability as model
from tests.reference.elasticity_repair import shares

CATALOG = Path(__file__).parents[2] / "shared" / "catalog" / "failure_rates.csv"


def draws(seed: int, mean: float) -> Callable[[], float]:
    generator = random.Random(seed)
    return lambda: generator.expovariate(1.0 / mean)


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.39)])
def test_the_interval_of_a_count_is_garwoods(events: int, low: float, high: float) -> None:
    """95 % limits of a Poisson mean as tabled, e.g. by Johnson, Kotz and Kemp, Univariate Discrete Distributions."""
    found = model.rate(events, 1.0)
    assert found.mean == events
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=5e-3)


@given(events=st.integers(1, 500), confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_limits_leave_half_of_the_rest_on_each_side(events: int, confidence: float) -> None:
    found = model.rate(events, 10.0, confidence)
    tail = (1 - confidence) / 2
    assert float(stats.poisson.sf(events - 1, found.low * 10.0)) == pytest.approx(tail, rel=1e-6)
    assert float(stats.poisson.cdf(events, found.high * 10.0)) == pytest.approx(tail, rel=1e-6)
    assert found.mtbf == pytest.approx(10.0 / events)


def test_no_failure_has_an_infinite_mtbf() -> None:
    assert math.isinf(model.rate(0, 5.0).mtbf)


@pytest.mark.skipif(not CATALOG.exists(), reason="the reference material is not beside the checkout")
def test_the_rates_of_the_catalog_are_their_counts_over_their_exposure() -> None:
    with CATALOG.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"].startswith("llama3-")]
    assert len(rows) > 15
    for row in rows:
        found = model.rate(int(row["events"]), float(row["exposure"]) * 3600.0)
        assert found.mtbf / 3600.0 == pytest.approx(float(row["mtbf_unit_hours"]), rel=1e-4)
        assert model.failures_a_year(found.mtbf) == pytest.approx(float(row["afr"]), abs=6e-4)
    parts = [row for row in rows if row["id"] not in ("llama3-all-unplanned", "llama3-gpu-all")]
    whole = model.series([float(row["mtbf_unit_hours"]) for row in parts])
    unplanned = next(float(row["mtbf_unit_hours"]) for row in rows if row["id"] == "llama3-all-unplanned")
    assert whole == pytest.approx(unplanned, rel=1e-3)


def test_a_node_of_meta_in_series_gives_the_job_of_16384() -> None:
    """Kokolis et al., HPCA 2025: 6.50 failures in 1000 node-days, projected 1.8 h at 16,384 accelerators."""
    node = 1000 * 86_400.0 / 6.50
    assert model.series([node], [16_384 / 8]) / 3600.0 == pytest.approx(1.8, abs=0.01)
    assert model.series([node], [131_072 / 8]) / 3600.0 == pytest.approx(0.23, abs=0.01)


@given(failures=st.floats(1e-4, 50.0))
def test_yearly_failures_and_mtbf_are_inverse(failures: float) -> None:
    mtbf = model.mtbf_of_yearly(failures)
    assert model.failures_a_year(mtbf) == pytest.approx(failures)
    assert model.fails_within(mtbf) == pytest.approx(1 - math.exp(-failures))
    assert model.fails_within(mtbf) < failures


@given(parts=st.lists(st.floats(1.0, 1e9), min_size=1, max_size=8), data=st.data())
def test_a_series_is_weaker_than_its_weakest_part(parts: list[float], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 100), min_size=len(parts), max_size=len(parts)))
    whole = model.series(parts, counts)
    assert whole <= min(parts) * (1 + 1e-12)
    assert whole == pytest.approx(model.series([p for p, c in zip(parts, counts, strict=True) for _ in range(c)]))


def test_nothing_in_series_never_fails() -> None:
    assert math.isinf(model.series([]))


@pytest.mark.parametrize("shape", [0.5, 0.7, 1.0, 2.0, 3.6])
def test_the_mean_of_weibull_is_that_of_its_density(shape: float) -> None:
    scale = model.weibull_scale(100.0, shape)
    assert float(stats.weibull_min(shape, scale=scale).mean()) == pytest.approx(100.0)
    assert model.weibull_mean(scale, shape) == pytest.approx(100.0)


@pytest.mark.parametrize(("machines", "up"), [(1, 0.9), (4, 0.5), (5, 0.97), (6, 0.0), (6, 1.0)])
def test_k_of_n_by_counting_every_case(machines: int, up: float) -> None:
    for needed in range(machines + 1):
        exact = math.fsum(
            math.prod(up if each else 1 - up for each in case)
            for case in itertools.product((True, False), repeat=machines)
            if sum(case) >= needed
        )
        assert model.at_least(needed, machines, up) == pytest.approx(exact, abs=1e-12)


@given(needed=st.integers(1, 3000), up=st.floats(0.8, 0.9999), target=st.floats(0.5, 0.9999))
def test_the_spares_are_as_many_as_it_takes_and_no_more(needed: int, up: float, target: float) -> None:
    extra = model.spares(needed, up, target)
    assert model.at_least(needed, needed + extra, up) >= target
    assert extra == 0 or model.at_least(needed, needed + extra - 1, up) < target


@given(
    machines=st.integers(1, 12), crews=st.integers(1, 12), working=st.integers(1, 12), mtbf=st.floats(1, 1e4),
    mttr=st.floats(0.1, 1e4),
)  # fmt: skip
def test_the_distribution_balances_the_chain(machines: int, crews: int, working: int, mtbf: float, mttr: float) -> None:
    """The stationary law of the birth-death chain, from its generator."""
    generator = np.zeros((machines + 1, machines + 1))
    for up in range(machines + 1):
        if up:
            generator[up, up - 1] = min(up, working) / mtbf
        if up < machines:
            generator[up, up + 1] = min(machines - up, crews) / mttr
        generator[up, up] = -generator[up].sum()
    found = model.machine_repair(machines, mtbf, mttr, crews, working)
    assert found.sum() == pytest.approx(1.0)
    assert np.abs(found @ generator).max() <= 1e-9 * np.abs(generator).max()


@given(machines=st.integers(0, 200), mtbf=st.floats(1, 1e4), mttr=st.floats(0.1, 1e4))
def test_with_a_crew_for_each_the_machines_are_independent(machines: int, mtbf: float, mttr: float) -> None:
    up = model.availability(mtbf, mttr)
    found = model.machine_repair(machines, mtbf, mttr)
    expected = stats.binom.pmf(np.arange(machines + 1), machines, up)
    assert found == pytest.approx(expected, abs=1e-9)
    assert model.mean_up(found) == pytest.approx(machines * up)
    assert model.mean_up(found, most=0) == 0.0


def test_the_mean_is_counted_up_to_what_is_needed() -> None:
    found = model.machine_repair(3, 9.0, 1.0)
    assert model.mean_up(found, most=2) == pytest.approx(2 * model.at_least(2, 3, 0.9) + 3 * 0.9 * 0.01)
    assert len(model.machine_repair(100_000, 9.0, 1.0, crews=50)) == 100_001


@pytest.mark.parametrize(("machines", "crews", "working"), [(5, 5, None), (5, 1, None), (6, 2, 3)])
def test_machines_that_fail_event_by_event_have_the_same_shares(machines: int, crews: int, working: int | None) -> None:
    runs = np.array(
        [shares(machines, crews, draws(seed, 9.0), draws(seed + 50, 3.0), 2e4, working) for seed in range(12)]
    )
    expected = model.machine_repair(machines, 9.0, 3.0, crews, working)
    for up, probability in enumerate(expected.tolist()):
        interval = replicated(runs[:, up])
        assert abs(interval.mean - probability) < 2.0 * interval.half_width + 1e-12
    assert runs.mean(axis=0) == pytest.approx(expected, abs=0.006)


def test_repairs_of_any_law_leave_the_same_share_up_while_nobody_waits_for_a_crew() -> None:
    found = shares(4, 4, draws(1, 9.0), lambda: 3.0, 1e5)
    assert found == pytest.approx(model.machine_repair(4, 9.0, 3.0).tolist(), abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: model.rate(-1, 1.0), "-1 events in 1 s of exposure: events must be at least 0 and exposure above 0"),
        (lambda: model.rate(1, 1.0, 1.0), "a confidence of 1 is not between 0 and 1"),
        (lambda: model.mtbf_of_yearly(0.0), "the number of failures a year is 0: it must be above 0"),
        (lambda: model.series([1.0], [1.0, 2.0]), "1 parts and 2 counts: one count for each part is needed"),
        (lambda: model.series([0.0]), "the mean time between failures is 0: it must be above 0"),
        (lambda: model.availability(1.0, -1.0), "the mean time to repair is -1 s: it must be at least 0"),
        (lambda: model.at_least(4, 3, 0.5), "4 of 3 machines: they must be whole numbers of 0 to 1000000, in order"),
        (lambda: model.at_least(1, 3, 1.5), "a probability of 1.5 is not within 0 to 1"),
        (lambda: model.spares(3, 0.0, 0.9), "no number of spares gives 0.9 with machines that are up for 0 of"),
        (lambda: model.spares(3, 0.5, 1.0), "no number of spares gives 1 with machines"),
        (lambda: model.machine_repair(3, 1.0, 1.0, crews=0), "0 repair crews and 3 machines at work"),
        (lambda: model.weibull_mean(1.0, 0.0), "the shape is 0: it must be above 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_says_so(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_simple_availability() -> None:
    assert model.availability(math.inf, 10.0) == 1.0
    assert model.availability(10.0, 0.0) == 1.0
    assert model.spares(0, 0.5, 0.9) == 0
