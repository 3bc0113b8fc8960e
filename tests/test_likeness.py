"""Measures of how alike two workloads are: known laws, other implementations, what moves them and what does not."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.workload.generate import generate
from simulator.workload.likeness import (
    describe,
    dispersion,
    gap_cv,
    hour_profile,
    ks_distance,
    likeness,
    size_shares,
    spearman,
    weekday_profile,
)
from simulator.workload.rows import as_objects
from simulator.workload.trace import Trace

VALUES = st.lists(st.integers(0, 20).map(float), min_size=2, max_size=40)


def trace(submit: list[float], accelerators: list[float] | None = None, duration: list[float] | None = None) -> Trace:
    ones = [1.0] * len(submit)
    columns = {"submit": submit, "accelerators": accelerators or ones, "duration": duration or ones}
    return Trace("t", {name: np.array(values, dtype=float) for name, values in columns.items()})


@given(VALUES, VALUES)
def test_ks_is_scipys(a: list[float], b: list[float]) -> None:
    assert ks_distance(np.array(a), np.array(b)) == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic)


@given(VALUES, st.randoms(use_true_random=False))
def test_spearman_is_scipys(a: list[float], random: object) -> None:
    b = list(a)
    random.shuffle(b)  # type: ignore[attr-defined]
    found = spearman(np.array(a), np.array(b))
    if len(set(a)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)


@given(st.lists(st.floats(0.0, 1000.0), min_size=2, max_size=200), st.floats(0.5, 100.0))
def test_dispersion_is_variance_over_mean_of_all_whole_windows(times: list[float], window: float) -> None:
    submit = np.sort(times)
    places = ((submit - submit[0]) // window).astype(int)
    counts = np.bincount(places)[: places[-1]]
    found = dispersion(submit, window)
    if len(counts) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(counts.var() / counts.mean())


def test_dispersion_of_known_processes() -> None:
    generator = np.random.default_rng(1)
    poisson = np.cumsum(generator.standard_exponential(200_000))
    assert dispersion(poisson, 10.0) == pytest.approx(1.0, abs=0.03)
    pairs = np.repeat(poisson[:100_000], 2)
    assert dispersion(pairs, 10.0) == pytest.approx(2.0, abs=0.06)
    assert dispersion(np.arange(1000.0), 10.0) == 0.0
    assert gap_cv(poisson) == pytest.approx(1.0, abs=0.02)
    assert gap_cv(np.arange(10.0)) == 0.0


def test_too_little_to_tell_is_nan() -> None:
    assert math.isnan(dispersion(np.zeros(1), 1.0))
    assert math.isnan(gap_cv(np.zeros(5)))
    assert math.isnan(ks_distance(np.zeros(0), np.zeros(3)))
    assert math.isnan(describe(trace([0.0]))["dispersion.1 h"])


def test_profiles_count_an_hour_by_how_often_it_was_seen() -> None:
    hours = [h * 3600.0 for day in range(7) for h in range(24 * day, 24 * day + 24) for _ in range(1 + (h % 24 == 5))]
    made = trace(hours)
    profile = hour_profile(made)
    assert profile.mean() == pytest.approx(1.0)
    assert profile[5] == pytest.approx(2 * profile[6])
    started = Trace("t", made.columns, origin=datetime(2024, 1, 3, 20))
    assert hour_profile(started)[1] == pytest.approx(2 * hour_profile(started)[2])
    busy = trace([d * 86400.0 for d in range(14) for _ in range(1 + 2 * (d % 7 == 0))])
    dated = Trace("t", busy.columns, origin=datetime(2024, 1, 3))  # a Wednesday
    assert weekday_profile(dated).argmax() == 2
    assert weekday_profile(busy).argmax() == 0


def test_shares_of_the_time_by_size() -> None:
    made = trace([0, 1, 2, 3, 4, 5], [0, 0.5, 1, 3, 4, 9], [5.0, 10.0, 5.0, 5.0, 5.0, 10.0])
    assert size_shares(made) == pytest.approx({"below 1": 5 / 135, "1": 5 / 135, "3-4": 35 / 135, "9-16": 90 / 135})
    assert sum(share for name, share in describe(made).items() if name.startswith("share.")) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["philly-vc-like", "poisson"])
def test_a_workload_is_like_itself(name: str) -> None:
    made = generate(name, jobs=500, seed=1, rate=0.01)
    assert all(row.distance == 0 or math.isnan(row.distance) for row in likeness(made, made))


def test_what_differs_shows_and_nothing_else() -> None:
    made = generate("philly-vc-like", jobs=5000, seed=1)
    longer = Trace("l", made.columns | {"duration": 2 * made.columns["duration"]}, origin=made.origin)
    rows = {(row.measure, row.part): row for row in likeness(made, longer)}
    assert rows["duration.mean", "all"].distance == pytest.approx(math.log(2))
    assert rows["KS of durations", "vc1"].distance > 0.05
    for measure in ("KS of sizes", "dispersion.1 h", "gap.cv", "hour profile", "weekday profile"):
        assert rows[measure, "all"].distance == 0


def test_tenants_are_paired_by_name_or_rank_or_as_told() -> None:
    def of(*tenants: str) -> Trace:
        made = trace([float(i) for i in range(len(tenants))])
        return Trace("t", made.columns | {"tenant": as_objects(tenants)})

    def parts(*arguments: object) -> list[str]:
        return [row.part for row in likeness(*arguments) if row.measure == "KS of sizes"]  # type: ignore[arg-type]

    one, two = of("a", "b", "b"), of("x", "x", "y")
    assert parts(one, one) == ["all", "b", "a"]
    assert parts(one, two) == ["all", "b", "a"]
    assert parts(one, two, {"a": "x"}) == ["all", "a"]
    assert parts(one, trace([0.0, 1.0])) == ["all"]
