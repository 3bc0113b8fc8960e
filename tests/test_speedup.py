"""Paces by type and by number of accelerators: ``fraction`` is the inverse of ``seconds``."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.workload.speedup import ByCount, ByType, Given, Speedup

SPEEDUPS: list[Speedup] = [
    ByType(120.0, {"fast": 2.0, "slow": 0.5}, {"fast": 1.0, "slow": 0.25}),
    ByCount(120.0, {1.0: 1.0, 2.0: 1.5, 4.0: 3.0}),
]


def test_paces_by_type_and_over_servers() -> None:
    job = SPEEDUPS[0]
    assert [job.seconds(Given(4, servers, kind)) for kind in ("fast", "slow") for servers in (1, 2)] == [
        60,
        120,
        240,
        480,
    ]
    assert job.seconds(Given(4, 1, "fast"), 0.25) == 15.0


def test_a_type_that_is_not_there_is_no_place_to_run() -> None:
    for job, what in ((SPEEDUPS[0], Given(1, 1, "tpu")), (ByType(9.0, {"a": 1.0}, {}), Given(2, 2, "a"))):
        assert job.seconds(what) == math.inf
        assert job.seconds(what, 0.0) == 0.0
        assert job.fraction(what, 100.0) == 0.0


def test_counts_between_two_entries_run_at_the_lower_pace() -> None:
    job = SPEEDUPS[1]
    assert [job.seconds(Given(count)) for count in (1, 2, 3, 4, 9)] == [120.0, 80.0, 80.0, 40.0, 40.0]
    assert job.seconds(Given(0.5)) == math.inf


@pytest.mark.parametrize("job", [ByType(0.0, {"": 1.0}), ByCount(0.0, {1.0: 1.0})])
def test_a_job_of_no_length_is_done_at_once(job: Speedup) -> None:
    assert job.seconds(Given(1)) == 0.0
    assert job.fraction(Given(1), 0.0) == 1.0


@given(
    st.sampled_from(SPEEDUPS), st.sampled_from([1.0, 2.0, 3.0, 8.0]), st.integers(1, 3),
    st.sampled_from(["fast", "slow"]), st.floats(0, 1),
)  # fmt: skip
def test_fraction_is_the_inverse_of_seconds(job: Speedup, count: float, servers: int, kind: str, part: float) -> None:
    given_ = Given(count, servers, kind)
    seconds = job.seconds(given_, part)
    assert job.fraction(given_, seconds) == pytest.approx(part)
    assert job.fraction(given_, 2 * job.seconds(given_)) == 1.0
    assert seconds <= job.seconds(given_)
