"""The profile of free accelerators, against a dictionary of seconds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.profile import Profile

SPAN = 60


class Seconds:
    """Free accelerators second by second; the last second stands for ever."""

    def __init__(self, free: float, ends: list[tuple[int, int]]) -> None:
        self.free = [free + sum(size for end, size in ends if end <= second) for second in range(SPAN + 1)]

    def add(self, begin: int, end: float, amount: float) -> None:
        for second in range(begin, SPAN + 1 if end == math.inf else int(end)):
            self.free[second] += amount

    def earliest(self, accelerators: float, seconds: int, begin: int) -> float:
        for start in range(begin, SPAN + 1):
            needed = [min(start + step, SPAN) for step in range(max(seconds, 1))]
            if all(self.free[second] >= accelerators for second in needed):
                return float(start)
        return math.inf


ENDS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 4)), max_size=12)
ASKED = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 12)), max_size=40)


@given(st.integers(0, 8), ENDS, ASKED)
def test_reservations_in_the_first_gap_are_those_of_a_search_by_seconds(
    free: int, ends: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    profile = Profile(0.0, free, [end for end, _ in ends], [size for _, size in ends])
    naive = Seconds(free, ends)
    for accelerators, seconds in asked:
        found = profile.earliest(accelerators, seconds, 0.0)
        wanted = naive.earliest(accelerators, seconds, 0)
        if wanted > SPAN - 15 and wanted < math.inf:
            return  # beyond what seconds are kept for
        assert found == wanted
        if found < math.inf:
            profile.take(found, found + seconds, accelerators)
            naive.add(int(found), found + seconds, -accelerators)
    for second in range(SPAN - 15):
        assert profile.free_at(second) == naive.free[second]


@given(st.integers(4, 8), ASKED)
def test_what_is_given_back_leaves_nothing_behind(free: int, asked: list[tuple[int, int]]) -> None:
    profile = Profile(0.0, free)
    slots = []
    for accelerators, seconds in asked:
        begin = profile.earliest(min(accelerators, free), seconds, 0.0)
        slots.append((begin, begin + seconds, min(accelerators, free)))
        profile.take(*slots[-1])
    for slot in slots:
        profile.give(*slot)
    assert len(profile) == 1
    assert profile.free_at(0.0) == profile.free_at(1e9) == free


def test_time_that_has_passed_is_forgotten() -> None:
    profile = Profile(0.0, 2.0, [10.0, 20.0], [1.0, 1.0])
    profile.take(5.0, 15.0, 1.0)
    profile.forget(12.0)
    assert [profile.free_at(time) for time in (12.0, 15.0, 20.0)] == [2.0, 3.0, 4.0]
    assert len(profile) == 3


def test_what_never_fits_has_no_instant() -> None:
    assert Profile(0.0, 2.0, [10.0], [1.0]).earliest(4.0, 1.0, 0.0) == math.inf


def test_no_length_still_needs_its_accelerators() -> None:
    profile = Profile(0.0, 0.0, [10.0], [4.0])
    assert profile.earliest(4.0, 0.0, 0.0) == pytest.approx(10.0)
