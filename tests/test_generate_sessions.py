"""Sessions, users and the times that users ask for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from simulator.core.errors import InputError
from simulator.workload.sampling import Draws
from simulator.workload.sessions import Sessions, Users, copula
from simulator.workload.walltimes import OVERESTIMATION, ROUND, requested, rounded

ROW = {"length": {"p": [0, 0.5, 1], "v": [1, 4, 40]}, "gap": {"exponential": {"mean": 5.0}}, "alike": 0.8}
SESSIONS = Sessions.of(ROW)


def ks_uniform(values: np.ndarray) -> float:
    """Distance from the uniform law."""
    return float(np.abs(np.sort(values) - (np.arange(len(values)) + 0.5) / len(values)).max())


@given(st.integers(1, 500), st.integers(0, 50), st.floats(0.0, 3.0))
def test_sessions_divide_all_jobs_in_order(jobs: int, seed: int, burstiness: float) -> None:
    session = SESSIONS.split(Draws(seed), jobs, burstiness)
    assert len(session) == jobs
    assert session[0] == 0
    assert set(np.diff(session).tolist()) <= {0, 1}
    longer = SESSIONS.split(Draws(seed), jobs + 50, burstiness)
    assert longer[:jobs].tolist() == session.tolist()
    if burstiness == 0:
        assert session.tolist() == list(range(jobs))


def test_lengths_follow_their_law_times_burstiness() -> None:
    for burstiness in (0.5, 1.0, 2.0):
        lengths = np.bincount(SESSIONS.split(Draws(1), 200_000, burstiness))[:-1]
        drawn = np.rint(SESSIONS.length((np.arange(100_000) + 0.5) / 100_000))
        assert lengths.mean() == pytest.approx(1 + (drawn.mean() - 1) * burstiness, rel=0.03)


def test_offsets_begin_anew_in_each_session() -> None:
    session = SESSIONS.split(Draws(2), 50_000, 1.0)
    offsets = SESSIONS.offsets(Draws(2), session)
    first = np.append(True, np.diff(session) > 0)
    assert np.all(offsets[first] == 0)
    gaps = np.diff(offsets)[~first[1:]]
    assert np.all(gaps >= 0)
    assert gaps.mean() == pytest.approx(5.0, rel=0.03)


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.88, 1.0])
def test_the_copula_keeps_the_law_and_has_the_correlation(alike: float) -> None:
    generator = np.random.default_rng(3)
    common, one, two = generator.random((3, 100_000))
    a, b = copula(common, one, alike), copula(common, two, alike)
    assert ks_uniform(a) < 0.006
    assert np.corrcoef(ndtri(a), ndtri(b))[0, 1] == pytest.approx(alike, abs=0.01)


def test_users_are_as_busy_as_zipf_says_and_keep_the_law() -> None:
    users = Users(10, zipf=1.0, habit=0.6)
    user = users.draw(Draws(4), 200_000)
    shares = np.bincount(user, minlength=10) / 200_000
    assert shares == pytest.approx(1 / np.arange(1, 11) / sum(1 / np.arange(1, 11)), abs=0.005)
    moved = users.habits(Draws(4), user, np.random.default_rng(5).random(200_000))
    assert ks_uniform(moved) < 0.006
    between = sum(shares[k] * (moved[user == k].mean() - 0.5) ** 2 for k in range(10))
    assert between > 0.1 * moved.var()
    plain = Users(10, habit=0.0).habits(Draws(4), user, moved)
    assert plain.tolist() == moved.tolist()


def test_a_correlation_has_bounds() -> None:
    with pytest.raises(InputError, match=r"^alike: 1.5 is not a correlation from 0 to 1$"):
        Sessions.of(ROW | {"alike": 1.5})


# --- what users ask for -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60), st.integers(0, 20))
def test_requests_are_round_and_never_too_short(durations: list[float], seed: int) -> None:
    values = np.array(durations)
    session = np.arange(len(values)) // 3
    asked = requested("user", Draws(seed), values, session)
    assert np.all(asked >= values)
    months = 30 * 86400.0
    assert all(each in ROUND or each % months == 0 for each in asked.tolist())
    for number in range(int(session[-1]) + 1):
        assert len(set(asked[session == number].tolist())) == 1


def test_short_jobs_ask_for_more_of_what_they_take() -> None:
    medians = []
    for seconds in (30.0, 300.0, 3000.0, 18_000.0, 80_000.0):
        values = np.full(20_000, seconds)
        medians.append(float(np.median(requested("user", Draws(6), values, np.arange(20_000)) / values)))
    assert medians[0] > medians[1] > max(medians[2:])
    assert medians[0] > 400
    assert medians[-1] < 1.5


def test_overestimation_is_the_logs(shared: object) -> None:
    """Medians of requested over actual time in the excerpt of HPC2N's log, by actual time."""
    lines = (shared / "traces/swf_hpc2n_excerpt/hpc2n.swf").read_text().splitlines()  # type: ignore[operator]
    jobs = np.array([[float(cell) for cell in line.split()[:18]] for line in lines if line.strip() and line[0] != ";"])
    ran, asked = jobs[:, 3], jobs[:, 8]
    low = 0.0
    for high, ratios in OVERESTIMATION:
        among = (ran > low) & (ran <= high) & (asked > 0)
        assert ratios[4] == pytest.approx(max(1.0, float(np.median(asked[among] / ran[among]))), rel=0.01)
        low = high


def test_factors_and_the_truth() -> None:
    values = np.array([10.0, 20.0])
    assert requested("exact", Draws(), values, np.arange(2)).tolist() == [-1.0, -1.0]
    assert requested(1.5, Draws(), values, np.arange(2)).tolist() == [15.0, 30.0]
    for wrong in ("truth", 0, -1.0, float("nan"), True):
        with pytest.raises(InputError, match=r"^requested: .* is neither 'exact' nor 'user' nor a factor above 0$"):
            requested(wrong, Draws(), values, np.arange(2))


@given(st.floats(0.1, 1e8))
def test_rounding_goes_up_to_the_nearest(seconds: float) -> None:
    up = float(rounded(np.array([seconds]))[0])
    assert up >= seconds
    assert float(rounded(np.array([up]))[0]) == up
