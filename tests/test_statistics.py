from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.rng import stream
from simulator.metrics import statistics

numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.7062), (4, 2.7764), (9, 2.2622), (19, 2.0930), (99, 1.9842)])
def test_t_quantiles_are_those_of_the_printed_table(freedom, expected):
    assert statistics.t_quantile(freedom) == pytest.approx(expected, abs=5e-5)


def test_replications_give_the_textbook_interval():
    # Law, Simulation Modeling and Analysis, ch. 4: the 90 % interval of these ten observations is 1.34 +- 0.24
    values = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
    interval = statistics.replicated(values, confidence=0.9)
    assert (round(interval.mean, 2), round(interval.half_width, 2), interval.samples) == (1.34, 0.24, 10)
    assert (interval.low, interval.high) == (interval.mean - interval.half_width, interval.mean + interval.half_width)
    assert statistics.replicated(values).half_width > interval.half_width


@pytest.mark.parametrize("values", [[], [3.0]])
def test_fewer_than_two_replications_have_no_half_width(values):
    interval = statistics.replicated(values)
    assert math.isnan(interval.half_width)
    assert interval.samples == len(values)
    assert not interval.covers_zero


def test_a_missing_value_is_not_averaged_away():
    assert math.isnan(statistics.replicated([1.0, math.nan, 3.0]).mean)


def test_pairing_removes_what_both_share():
    rng = stream(1, "pairing")
    shared = rng.normal(100.0, 30.0, 10)
    ours, theirs = shared + 5.0 + rng.normal(0, 0.1, 10), shared
    assert statistics.paired(ours, theirs).half_width < statistics.replicated(ours).half_width / 100
    assert not statistics.paired(ours, theirs).covers_zero


def test_pairs_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equal lengths, got 2 and 3"):
        statistics.paired([1.0, 2.0], [1.0, 2.0, 3.0])


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_batches_cover_everything_and_differ_by_one_at_most(count, batches):
    borders = statistics.edges(count, batches)
    sizes = np.diff(borders)
    assert (borders[0], borders[-1], len(sizes)) == (0, count, batches)
    assert sizes.max() - sizes.min() <= 1


@given(st.lists(numbers, min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_interpolate_between_order_statistics(values, probability):
    ordered = sorted(values)
    position = (len(values) - 1) * probability
    low = math.floor(position)
    high = min(low + 1, len(values) - 1)
    expected = ordered[low] + (position - low) * (ordered[high] - ordered[low])
    assert statistics.quantile(values, probability) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_nothing_has_no_mean_and_no_quantile():
    assert math.isnan(statistics.mean([]))
    assert math.isnan(statistics.quantile([], 0.5))


def test_batch_means_of_a_mean_are_plain_batch_means():
    values = stream(2, "batches").normal(10.0, 2.0, 1000)
    means = values.reshape(10, 100).mean(axis=1)
    plain = statistics.t_quantile(9) * means.std(ddof=1) / math.sqrt(10)
    found = statistics.batch_means(values)
    r = max(found.correlation, 0.0)
    assert found.mean == pytest.approx(values.mean())
    assert found.half_width == pytest.approx(plain * math.sqrt((1 + r) / (1 - r)))


def test_too_few_values_give_no_half_width():
    assert math.isnan(statistics.batch_means(np.arange(199.0)).half_width)
    assert statistics.batch_means(np.arange(200.0)).half_width > 0


def test_a_batch_without_value_gives_no_half_width():
    assert math.isnan(statistics.sectioned(1.0, [1.0, math.nan, 1.0]).half_width)
    assert math.isnan(statistics.sectioned(math.nan, [1.0, 2.0, 1.0]).half_width)


def test_correlated_batches_widen_the_interval():
    trend, shuffled = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 6.0, 2.0, 5.0, 3.0, 4.0]
    wide, narrow = (statistics.sectioned(3.5, parts) for parts in (trend, shuffled))
    assert wide.correlation == pytest.approx(0.5)
    assert wide.half_width == pytest.approx(narrow.half_width * math.sqrt(3.0))
    assert narrow.correlation < 0


def test_bias_of_batch_quantiles_widens_instead_of_shifting():
    centred, biased = statistics.sectioned(5.0, [4.0, 6.0, 4.0, 6.0]), statistics.sectioned(5.0, [6.0, 8.0, 6.0, 8.0])
    assert biased.mean == centred.mean == 5.0
    assert biased.half_width > centred.half_width


@given(st.lists(numbers, min_size=2, max_size=30), st.floats(0.01, 100), numbers)
def test_intervals_follow_a_change_of_units(values, factor, offset):
    plain = statistics.replicated(values)
    changed = statistics.replicated(np.array(values) * factor + offset)
    assert changed.mean == pytest.approx(plain.mean * factor + offset, rel=1e-6, abs=1e-4)
    assert changed.half_width == pytest.approx(plain.half_width * factor, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    ("load", "count", "estimate", "truth", "least"),
    [
        (0.5, 5000, statistics.mean, 1.0, 0.88),
        (0.5, 5000, lambda x: statistics.quantile(x, 0.95), math.log(0.5 / 0.05) / 0.5, 0.86),
        (0.8, 20000, statistics.mean, 4.0, 0.88),
    ],
    ids=["mean at load 0.5", "p95 at load 0.5", "mean at load 0.8"],
)
def test_batch_intervals_cover_the_true_mm1_wait(load, count, estimate, truth, least):
    covered = 0
    for run in range(150):
        waits = _mm1_waits(load, count, run)
        interval = statistics.batch_means(waits, estimate)
        covered += abs(interval.mean - truth) <= interval.half_width
    assert covered / 150 >= least


def _mm1_waits(load: float, count: int, run: int) -> np.ndarray:
    """Waits of an M/M/1 queue with mean service 1, by Lindley's recursion, after 2,000 customers of warm-up."""
    rng = stream(11, f"mm1 {load}", run)
    steps = rng.exponential(1.0, count + 1999) - rng.exponential(1.0 / load, count + 1999)
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    return (walk - np.minimum.accumulate(walk))[2000:]
