"""Shapes of a demand: what each is, that sums are kept, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.testing import check_load_shape
from simulator.workload.load import Demand, demand, own_length
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import linear, stepwise
from simulator.workload.sampling import Draws

TRACES = Path(__file__).parents[2] / "shared" / "traces" / "azure_functions"
DRAWS = Draws(seed=5, prefix="load:x")
EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {"rate": 7.0},
    "steps": {"steps": [["0 s", "10 /s"], ["100 s", "50 /s"], ["1000 s", "0 /s"]]},
    "sine": {"mean": 100.0, "amplitude": 0.4, "period": 700.0},
    "diurnal": {"mean": 100.0},
    "ramp": {"low": 2.0, "high": 9.0, "begin": 50.0, "length": 333.0},
    "flash-crowd": {"base": 1.0, "peak": 20.0, "at": 100.0, "rise": 30.0, "hold": 50.0, "fall": 200.0},
    "bursty": {"base": 2.0, "burst": 30.0, "mean_burst": 40.0, "mean_gap": 160.0},
}
RATES: dict[str, Callable[[float], float]] = {
    "constant": lambda t: 7.0,
    "steps": lambda t: 10.0 if t < 100 else 50.0 if t < 1000 else 0.0,
    "sine": lambda t: 100 * (1 + 0.4 * math.cos(2 * math.pi * (t - 700 * 14 / 24) / 700)),
    "diurnal": lambda t: 100 * (1 + 0.5 * math.cos(2 * math.pi * (t - 86400 * 14 / 24) / 86400)),
    "ramp": lambda t: 2 + 7 * min(1.0, max(0.0, (t - 50) / 333)),
    "flash-crowd": lambda t: float(np.interp(t, [100, 130, 180, 380], [1, 20, 20, 1])),
}


def shape(name: str, **more: Any) -> Any:
    return load_shapes.get(name)(**EXAMPLES.get(name, {}) | more)


def written(folder: Path, text: str) -> Path:
    path = folder / "demand.csv"
    path.write_text(text, "utf-8")
    return path


def test_every_shape_has_a_first_line_and_an_example() -> None:
    assert load_shapes.names() == sorted([*EXAMPLES, "trace", "azure-functions"])
    assert all(len(load_shapes.summary(name)) > 20 for name in load_shapes.names())


@pytest.mark.parametrize("name", EXAMPLES)
def test_shapes_do_what_all_must(name: str) -> None:
    check_load_shape(name, **EXAMPLES[name])


class Falling:
    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        return 10.0 - times / 1000.0


class Restless:
    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        return times * len(times)


class Late:
    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        return np.sin(times / 1000.0)


@pytest.mark.parametrize(
    ("shape", "message"),
    [(Falling, "10 requests came until 0 s"), (Restless, "depends on what other times"), (Late, "the rate is below 0")],
)
def test_broken_shapes_are_told_what_is_wrong(shape: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_load_shape(shape)


@pytest.mark.parametrize("name", RATES)
def test_areas_are_integrals_of_rates(name: str) -> None:
    times = np.linspace(0.0, 1500.0, 30_001)
    rates = np.array([RATES[name](float(time)) for time in (times[1:] + times[:-1]) / 2])
    sums = np.append(0.0, np.cumsum(rates * np.diff(times)))
    assert shape(name).area(times, DRAWS) == pytest.approx(sums, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("name", EXAMPLES)
@settings(max_examples=20, deadline=None)
@given(interval=st.floats(0.5, 200.0), duration=st.floats(1.0, 3000.0))
def test_a_demand_has_the_area_of_its_shape(name: str, interval: float, duration: float) -> None:
    made = demand([shape(name)], duration, DRAWS, interval)
    seconds = np.array([0.0, duration])
    wanted = float(np.diff(shape(name).area(seconds, Draws(5, 0, "load:x:0:")))[0])
    assert (made.rates >= 0).all()
    assert (np.diff(made.times) > 0).all()
    assert made.times[0] == 0.0
    assert made.total() == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_shapes_are_added_up() -> None:
    parts = [demand([shape(name)], 600.0, DRAWS).total() for name in ("constant", "ramp")]
    assert demand([shape("constant"), shape("ramp")], 600.0, DRAWS).total() == pytest.approx(sum(parts))


def test_equal_neighbours_are_joined_and_jumps_are_exact() -> None:
    assert demand([shape("constant")], 3600.0, DRAWS).times.tolist() == [0.0]
    made = demand([shape("steps")], 2000.0, DRAWS, interval=15.0)
    assert (made.times.tolist(), made.rates.tolist()) == ([0.0, 100.0, 1000.0], pytest.approx([10.0, 50.0, 0.0]))


def test_noise_is_poisson_and_the_same_again() -> None:
    one, two = (demand([shape("constant")], 150_000.0, DRAWS, noise=True) for _ in range(2))
    assert one.rates.tolist() == two.rates.tolist()
    counts = np.repeat(one.rates * 15.0, np.round(one.lengths() / 15.0).astype(int))
    assert counts == pytest.approx(np.round(counts))
    assert counts.mean() == pytest.approx(105.0, rel=0.01)
    assert counts.var() == pytest.approx(105.0, rel=0.05)
    other = demand([shape("constant")], 150_000.0, Draws(seed=5, replication=1, prefix="load:x"), noise=True)
    assert other.rates.tolist() != one.rates.tolist()


def test_bursts_have_the_share_of_time_that_their_means_say() -> None:
    made = demand([shape("bursty")], 2e6, DRAWS, interval=1.0)
    assert made.total() / 2e6 == pytest.approx(2 * 0.8 + 30 * 0.2, rel=0.03)
    assert {0.0 <= rate <= 30.0 for rate in made.rates.tolist()} == {True}


def test_a_trace_of_rates_and_one_of_counts(tmp_path: Path) -> None:
    rates = shape("trace", file=written(tmp_path, "time,rate\n100,5\n110,7\n130,1\n"))
    assert rates.length == 50.0
    made = demand([rates], 60.0, DRAWS, interval=10.0)
    assert (made.times.tolist(), made.rates.tolist()) == ([0.0, 10.0, 30.0, 50.0], pytest.approx([5.0, 7.0, 1.0, 0.0]))
    counts = shape("trace", file=written(tmp_path, "time,count\n0,50\n10,140\n30,20\n"), scale=2.0)
    assert demand([counts], 50.0, DRAWS, interval=10.0).total() == pytest.approx(420.0)
    named = shape("trace", file=written(tmp_path, "t,a,b\n0,5,9\n10,7,3\n"), time="t", count="b")
    assert demand([named], 20.0, DRAWS).total() == pytest.approx(12.0)


def test_blocks_of_a_trace_keep_its_rates(tmp_path: Path) -> None:
    rows = "".join(f"{second},{second % 7}\n" for second in range(1000))
    path = written(tmp_path, f"time,rate\n{rows}")
    totals = [
        demand([shape("trace", file=path, resample=100.0)], 1000.0, Draws(seed, prefix="x"), interval=1.0).total()
        for seed in range(20)
    ]
    assert len(dict.fromkeys(totals)) == 20
    assert np.mean(totals) == pytest.approx(3000.0, rel=0.01)


@pytest.mark.skipif(not TRACES.is_dir(), reason="reference material beside the checkout is missing")
def test_invocations_of_functions() -> None:
    whole = shape("azure-functions", file=TRACES / "invocations.csv")
    parts = [shape("azure-functions", file=TRACES / "invocations.csv", triggers=[name]) for name in ("queue", "timer")]
    ends = np.array([whole.length])
    sums = [float(each.area(ends, DRAWS)[0]) for each in (whole, *parts)]
    assert sums[0] == pytest.approx(sums[1] + sums[2])
    first = shape("azure-functions", file=TRACES / "invocations.csv", functions=["c13acdc7"])
    assert float(first.area(np.array([60.0]), DRAWS)[0]) == pytest.approx(5.0)
    assert own_length([whole, shape("constant")]) == math.inf
    with pytest.raises(ValueError, match="file has no function with HashFunction zzz"):
        shape("azure-functions", file=TRACES / "invocations.csv", functions=["zzz"])


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("constant", {"rate": -1.0}, "rate is -1 /s; it must be 0 or more"),
        ("steps", {"steps": []}, "steps is empty; write [[0 s, 10 /s], [1 h, 50 /s]]"),
        (
            "steps", {"steps": [["0 s", "1 /s"], ["0 s", "2 /s"]]},
            "steps do not rise: step 2 begins at 0 s, the one before at 0 s",
        ),
        ("steps", {"steps": [["0 s"]]}, "steps: step 1 is ['0 s'], not a time and a rate such as [1 h, 50 /s]"),
        ("steps", {"steps": [["0 s", "-1 /s"]]}, "steps: step 1: '-1 /s' is negative; a frequency must be 0 or more"),
        ("sine", {"amplitude": 1.2}, "amplitude is 1.2; it is a share of the mean, at most 1: no rate is below 0"),
        ("sine", {"period": 0.0}, "period is 0 s; it must be above 0"),
        ("ramp", {"high": math.nan}, "high is nan /s; it must be 0 or more"),
        ("ramp", {"length": 0.0}, "length is 0 s; it must be above 0"),
        ("flash-crowd", {"hold": 0.0}, "hold is 0 s; it must be above 0"),
        ("bursty", {"mean_gap": -3.0}, "mean_gap is -3 s; it must be above 0"),
    ],
)  # fmt: skip
def test_what_makes_no_shape(name: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        shape(name, **more)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", {}, "demand.csv is empty; it takes a line of names such as time,rate"),
        ("time,rate\n0,5\n", {}, "demand.csv has 1 rows; it takes two to say how long they last"),
        ("time,rates\n0,5\n1,5\n", {}, "demand.csv has no column 'rate'. Did you mean 'rates'?"),
        ("time,rate\n0,5\n0,6\n", {}, "demand.csv, line 3: the time 0 is not after 0"),
        ("time,rate\n0,5\n1,x\n", {}, "demand.csv, line 3: 'x' is not a number"),
        ("time,rate\n0,5\n1\n", {}, "demand.csv, line 3: 1 of 2 columns"),
        ("time,rate\n0,5\n9,-6\n", {}, "demand.csv, line 3: the rate is -6; it must be 0 or more, and finite"),
        (
            "time,rate\n0,5\n9,6\n", {"rate": "rate", "count": "rate"},
            "count says what rate says, too; leave one of them out",
        ),
        ("time,rate\n0,5\n9,6\n", {"scale": 0.0}, "scale is 0; it must be above 0"),
        (
            "time,rate\n0,5\n9,6\n", {"resample": 99.0},
            "resample is 99 s; it must be above 0 and at most the 18 s of the file",
        ),
    ],
)  # fmt: skip
def test_what_is_no_trace(tmp_path: Path, text: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        shape("trace", file=written(tmp_path, text), **more)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "times",
    [
        ("60", "120", "180"),
        ("1 min", "2 min", "3 min"),
        ("2024-05-01T00:00:00Z", "2024-05-01 00:01", "2024-05-01 00:02:00"),
    ],
)
def test_times_of_traces(tmp_path: Path, times: tuple[str, ...]) -> None:
    rows = "".join(f"{time},{rate},eu\n" for time, rate in zip(times, (1, 2, 3), strict=True))
    found = shape("trace", file=written(tmp_path, "when,rate,region\n" + rows), time="when")
    assert found.area(np.array([60.0, 120.0, 180.0]), DRAWS).tolist() == [60.0, 180.0, 360.0]


def test_times_of_one_trace_are_all_of_one_kind(tmp_path: Path) -> None:
    path = written(tmp_path, "time,rate\n0,1\n2024-05-01,2\n")
    with pytest.raises(ValueError, match=r"demand\.csv, line 3: some times are dates, and some are not"):
        shape("trace", file=path)


def test_too_many_intervals_are_refused() -> None:
    with pytest.raises(ValueError, match="60,000,000 intervals are more than 50,000,000"):
        demand([shape("constant")], 60.0, DRAWS, interval=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), min_size=1, max_size=8), st.floats(0.0, 300.0))
def test_servers_that_follow_at_once_are_the_least(pieces: list[tuple[int, int]], until: float) -> None:
    lengths = np.array([length for length, _ in pieces], dtype=float)
    made = Demand(
        np.append(0.0, np.cumsum(lengths)[:-1]), np.array([float(r) for _, r in pieces]), float(lengths.sum())
    )
    least = sum(
        max(1, math.ceil(rate / 4)) * max(0.0, min(until, since + length) - since)
        for (length, rate), since in zip(pieces, made.times.tolist(), strict=True)
    )
    assert made.servers(4.0, 1, until) == pytest.approx(least)
    assert made.servers(4.0, 0, until) * 4.0 >= made.total(until) - 1e-6


def test_integrals_begin_where_their_pieces_do() -> None:
    assert stepwise(np.array([0.0, 4.0, 6.0]), np.array([5.0]), np.array([2.0])).tolist() == [0.0, 0.0, 2.0]
    assert linear(np.array([5.0, 15.0, 30.0]), [10.0, 20.0], [1.0, 3.0]).tolist() == [5.0, 17.5, 60.0]
