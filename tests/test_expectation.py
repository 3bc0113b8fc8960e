from __future__ import annotations

import math

import pytest

from simulator.core.errors import InputError
from simulator.metrics.expectation import parse

VALUES = {
    ("fifo", "jct.p50"): 3600.0, ("las", "jct.p50"): 1800.0, ("fifo", "wait.mean"): 7200.0,
    ("fifo", "utilization"): 0.7,
    ("fifo", "cost.total"): 1500.0, ("fifo", "cost.per_accelerator_hour"): 2.0, ("fifo", "energy.kwh"): 300.0,
    ("fifo", "jobs.completed"): 69850.0, ("fifo", "slowdown.mean"): 2.5, ("fifo", "throughput"): 0.01,
    ("two words", "jct.p50"): 60.0, ("v1.5", "jct.p50"): 60.0, ("las", "makespan"): math.nan,
}  # fmt: skip
NAMES = ["fifo", "las", "two words", "v1.5"]


def judge(line: str):
    return parse(line, NAMES).judge(lambda alternative, measure: VALUES[alternative, measure])


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ("las.jct.p50 <= fifo.jct.p50", True),
        ("las.jct.p50 > fifo.jct.p50", False),
        ("las.jct.p50 == 0.5 * fifo.jct.p50", True),
        ("las.jct.p50 != .5*fifo.jct.p50", False),
        ("fifo.wait.mean <= 2 h", True),
        ("fifo.wait.mean < 2 h", False),
        ("2 h >= fifo.wait.mean", True),
        ("fifo.utilization >= 70 %", True),
        ("fifo.utilization >= 0.71", False),
        ("fifo.cost.total <= $1,500", True),
        ("fifo.cost.per_accelerator_hour <= $2.01/h", True),
        ("fifo.energy.kwh <= 0.3 MWh", True),
        ("fifo.energy.kwh < 299 kWh", False),
        ("fifo.jobs.completed == 69_850", True),
        ("fifo.slowdown.mean < 2.6", True),
        ("fifo.throughput >= 35 /h", True),
        ("two words.jct.p50 <= 1 min", True),
        ("v1.5.jct.p50 <= 1 min", True),
        ("las.makespan <= 1 y", False),
        ("las.makespan != 1 y", False),
    ],
)
def test_a_line_is_true_or_false(line, ok):
    outcome = judge(line)
    assert outcome.ok is ok
    assert outcome.expression == line
    assert outcome.text.startswith(f"{line}: ")
    assert outcome.text.endswith(f"is {str(ok).lower()}")


def test_the_outcome_tells_the_numbers_exactly_enough_to_see_why():
    assert judge("fifo.wait.mean <= 7199.9 s").text == "fifo.wait.mean <= 7199.9 s: 2 h <= 1.99997 h is false"


def test_one_alternative_needs_no_name():
    assert parse("wait.mean <= 2 h", ["run"]).judge(lambda *key: 60.0 if key == ("run", "wait.mean") else math.nan).ok


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fifo.jct.p50", "has 0 comparisons, one is needed"),
        ("1 <= fifo.jct.p50 <= 2", "has 2 comparisons, one is needed"),
        ("fifo.jct.p50 <=", "lacks a side"),
        ("", "has 0 comparisons"),
        ("1 h <= 2 h", "names no measure"),
        ("fifo.jct.p50 <= fifo.utilization", "compares a time with a ratio"),
        ("fifo.jct.p90 <= 2 h", "unknown measure 'jct.p90'. Did you mean 'jct.p9"),
        ("fif.jct.p50 <= 2 h", "names an unknown alternative 'fif'\n    Did you mean 'fifo'?"),
        (
            "jct.p50 <= 2 h",
            "does not say which alternative 'jct.p50' is of\n    write one of fifo.jct.p50, las.jct.p50",
        ),
        ("fifo.jct.p50 <= 2", "does not fit jct.p50: '2' has no unit"),
        ("fifo.jct.p50 <= 2 kg", "does not fit jct.p50: '2 kg' has unknown unit 'kg'"),
        ("fifo.jct.p50 <= nan s", "does not fit jct.p50"),
        ("fifo.jobs.completed <= many", "does not fit jobs.completed: 'many' is not a number"),
        (
            "__import__('os').system('true') <= fifo.jct.p50",
            "does not fit jct.p50: \"__import__('os').system('true')\" is not a time",
        ),
        ("3 * 2 h <= fifo.jct.p50", "names an unknown alternative '2 h'"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_what_to_write(line, message):
    with pytest.raises(InputError) as error:
        parse(line, NAMES)
    assert message in str(error.value)
    assert repr(line) in str(error.value)
