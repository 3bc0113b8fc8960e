"""Sessions as a window shows them: nothing is lost, and every part of the window is like every other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.sampling import Draws
from simulator.workload.underway import numbered, seen, session_starts, token_time

SESSIONS = st.lists(st.lists(st.floats(0, 50), min_size=1, max_size=6), min_size=1, max_size=8)


@given(SESSIONS, st.floats(1.0, 60.0))
def test_a_window_shows_every_request_at_its_time_modulo_the_window(steps: list[list[float]], window: float) -> None:
    begins = [min(each[0], window * 0.99) for each in steps]
    times = [begin + np.cumsum([0.0, *each[1:]]) for begin, each in zip(begins, steps, strict=True)]
    flat, numbers = np.concatenate(times), np.repeat(np.arange(len(steps)), [len(each) for each in steps])
    shown = seen(flat, numbers, window)
    last = None
    for row, (time, number) in enumerate(zip(flat.tolist(), numbers.tolist(), strict=True)):
        lap = int(np.floor(time / window))
        assert shown.arrival[row] == pytest.approx(time - lap * window, abs=1e-9)
        assert shown.arrival[row] < window
        assert shown.before[row] == (lap > 0)
        if last is not None:
            assert (shown.piece[row] == shown.piece[row - 1]) == ((number, lap) == last)
        last = (number, lap)
    assert {*np.diff(shown.piece).tolist()} <= {0, 1}
    for piece in range(int(shown.piece[-1]) + 1):
        assert np.all(np.diff(shown.arrival[shown.piece == piece]) >= 0)


def test_poisson_sessions_begin_uniformly_in_a_window_of_the_length_asked_for() -> None:
    starts = session_starts(Draws(1), 50_000, 200_000, 40.0, None)
    assert starts.window == 5000.0
    assert starts.times.max() < 5000.0
    ranks = np.sort(starts.times) / 5000.0
    assert abs(ranks - (np.arange(50_000) + 0.5) / 50_000).max() < 1.63 / np.sqrt(50_000)  # Kolmogorov, 1 %


def test_bursty_sessions_have_the_window_that_their_bursts_give() -> None:
    starts = session_starts(Draws(1), 5000, 20_000, 40.0, {"cv": 3.0})
    assert len(starts.times) == 5000
    assert starts.times.max() < starts.window == pytest.approx(500.0, rel=0.15)


def test_numbers_change_with_any_key() -> None:
    keys = (np.array([0, 0, 1, 1, 1]), np.array([5, 5, 5, 2, 2]))
    assert numbered(*keys).tolist() == [0, 0, 1, 2, 2]
    assert numbered(np.array([], dtype=int)).tolist() == []


def test_the_time_of_a_token_is_a_time() -> None:
    assert token_time(0) == 0.0
    with pytest.raises(InputError, match=r"^answer: inf is not the time that a token of an answer needs, such as"):
        token_time(float("inf"))
