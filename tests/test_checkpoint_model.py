"""How often to write checkpoints, against the definition of the optimum and a job that fails event by event."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from simulator.core.errors import InputError
from simulator.metrics.statistics import replicated
from simulator.models import checkpoint as model
from tests.reference.elasticity_job import HUNG, RESTARTING, WAITING, WRITING, Life, Trainer

HOUR = 3600.0


def draws(seed: int, mean: float) -> Callable[[], float]:
    generator = random.Random(seed)
    return lambda: generator.expovariate(1.0 / mean)


def never() -> float:
    return 0.0


@given(part=st.floats(1e-9, 5.0), mtbf=st.floats(1e2, 1e7))
def test_the_optimum_is_where_the_efficiency_is_highest(part: float, mtbf: float) -> None:
    cost = part * mtbf
    best = model.optimum(mtbf, cost)
    top = model.efficiency(best, mtbf, cost)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        assert model.efficiency(factor * best, mtbf, cost) <= top * (1 + 1e-12)
    share = best / mtbf
    assert (1 - share) * math.exp(share + cost / mtbf) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("cost", [1.0, 60.0, 600.0, 3600.0, 30_000.0])
def test_the_optimum_is_what_a_general_minimizer_finds(cost: float) -> None:
    found = minimize_scalar(
        lambda interval: -model.efficiency(interval, 11_160.0, cost, 300.0, 60.0),
        bounds=(1.0, 11_160.0),
        method="bounded",
        options={"xatol": 1e-6},
    )
    assert model.optimum(11_160.0, cost) == pytest.approx(found.x, rel=1e-5)


@given(part=st.floats(1e-12, 1.0 / 3.0))
def test_dalys_interval_is_within_what_it_claims(part: float) -> None:
    assert model.daly(1.0, part) == pytest.approx(model.optimum(1.0, part), rel=3e-3)


def test_youngs_interval_is_the_first_order_of_dalys_and_too_long() -> None:
    for cost in (1e-6, 1e-3, 1.0, 100.0):
        first, better = model.young(10_000.0, cost), model.daly(10_000.0, cost)
        assert better < first
        # Daly's second term: sqrt(2CM) sqrt(C/2M)/3 - C = -2C/3
        assert better - first == pytest.approx(-2.0 * cost / 3.0, rel=0.02)


def test_a_checkpoint_that_costs_twice_the_mtbf_is_written_once_in_it() -> None:
    assert model.daly(100.0, 200.0) == 100.0
    assert model.daly(100.0, 199.999) < 100.0
    assert model.optimum(100.0, 1e5) == 100.0


@given(cost=st.floats(0.01, 1.0), mtbf=st.floats(1e5, 1e7), restart=st.floats(0, 10), down=st.floats(0, 10))
def test_the_first_order_of_the_waste_is_near_the_exact_one(
    cost: float, mtbf: float, restart: float, down: float
) -> None:
    interval = model.young(mtbf, cost)
    approximate = model.waste(interval, mtbf, cost, restart, down)
    exact = 1.0 - model.efficiency(interval, mtbf, cost, restart, down)
    assert exact == pytest.approx(approximate, rel=0.03)
    # and by enumeration of the terms: writing, half an interval lost, and the stop
    assert approximate == pytest.approx(cost / interval + (interval / 2 + restart + down) / mtbf, rel=1e-12)


def test_llama_3_stays_above_nine_tenths_with_a_checkpoint_of_a_minute_each_19_minutes() -> None:
    mtbf = model.job_mtbf(16_384 * 54 * 24 / 419 * HOUR, 16_384)
    assert mtbf / HOUR == pytest.approx(3.09, abs=0.01)
    interval = model.young(mtbf, 60.0)
    assert interval / 60.0 == pytest.approx(19.3, abs=0.1)
    assert model.waste(interval, mtbf, 60.0) == pytest.approx(0.104, abs=0.001)


def test_a_job_without_failures_takes_its_work_and_its_checkpoints() -> None:
    assert model.duration(3600.0, 1000.0, math.inf, 10.0) == 3630.0
    assert model.duration(3600.0, 1200.0, math.inf, 10.0) == 3620.0
    assert model.duration(3600.0, 1200.0, math.inf, 10.0, last=True) == 3630.0
    assert model.duration(3600.0, math.inf, math.inf, 10.0) == 3600.0
    assert model.duration(1.2, 0.4, math.inf, 1.0) == pytest.approx(3.2)


def test_without_checkpoints_a_long_job_never_ends() -> None:
    assert model.duration(1e6, math.inf, 1000.0, 0.0) == math.inf
    assert model.efficiency(1e6, 1000.0, 0.0) == 0.0
    hour = model.duration(3600.0, math.inf, 3600.0, 0.0)
    assert hour == pytest.approx(3600.0 * (math.e - 1.0))


@pytest.mark.parametrize("interval", [300.0, 1117.6, 3000.0])
def test_a_job_that_fails_event_by_event_takes_the_time_of_the_renewal_form(interval: float) -> None:
    mtbf, cost, restart, work = 11_160.0, 60.0, 120.0, 3e5
    lives = [Trainer(work, interval, cost, restart, draws(seed, mtbf), never).run() for seed in range(30)]
    for life in lives:
        assert life.kept == pytest.approx(work)
        assert life.kept + life.lost + math.fsum(life.spent.values()) == pytest.approx(life.end)
        assert life.spent[WRITING] >= cost * life.checkpoints * (1 - 1e-9)
    ends = replicated([life.end for life in lives])
    expected = model.duration(work, interval, mtbf, cost, restart)
    assert abs(ends.mean - expected) < 1.5 * ends.half_width
    assert ends.half_width < 0.02 * expected


def test_the_detection_and_the_spare_are_the_time_down_of_the_formula() -> None:
    """Eight machines of thirty, so that there is always a spare; a failure is seen after 50 s."""
    lives = [
        Trainer(
            3e5, 600.0, 30.0, 100.0, draws(seed, 50_000.0), draws(seed + 99, HOUR), machines=30, needed=8,
            detect=50.0, always=False,
        ).run()
        for seed in range(20)
    ]  # fmt: skip
    ends = replicated([life.end for life in lives])
    expected = model.duration(3e5, 600.0, model.job_mtbf(50_000.0, 8), 30.0, 100.0, 50.0)
    assert abs(ends.mean - expected) < 1.5 * ends.half_width
    assert sum(life.spent[WAITING] for life in lives) == 0.0
    for life in lives:
        assert life.spent[HUNG] == pytest.approx(50.0 * life.failures)


def test_the_twin_by_hand() -> None:
    """Fails at 25 s: kept 10 s, lost 5 s of work after a checkpoint of 2 s; then a restart of 3 s and the rest."""
    times = iter((19.0, 1e9))
    life = Trainer(30.0, 10.0, 2.0, 3.0, lambda: next(times), lambda: 4.0, detect=1.0).run()
    # 0-10 work, 10-12 writes, 12-19 work (7 s lost), 19-20 unseen, 20-24 repaired, 24-27 restarts,
    # 27-37 work, 37-39 writes, 39-49 work
    assert life == Life(
        kept=30.0, lost=7.0, spent={WAITING: 4.0, RESTARTING: 3.0, WRITING: 4.0, HUNG: 1.0}, end=49.0, failures=1,
        checkpoints=2, up=pytest.approx(44.0 / 49.0),
    )  # fmt: skip


@settings(max_examples=30)
@given(interval=st.floats(60, 5000), cost=st.floats(1, 100), restart=st.floats(0, 600), queue=st.floats(0, 600))
def test_the_ettr_is_a_share_and_falls_with_each_cost(
    interval: float, cost: float, restart: float, queue: float
) -> None:
    mtbf = 20_000.0
    ratio = model.effective_training_time_ratio(interval, mtbf, cost, restart, queue)
    assert 0.0 < ratio < 1.0
    assert model.effective_training_time_ratio(interval, mtbf, 1.1 * cost, restart, queue) < ratio
    assert model.effective_training_time_ratio(interval, mtbf, cost, restart + 1.0, queue) < ratio
    assert model.effective_training_time_ratio(interval, mtbf, cost, restart, queue + 1.0) < ratio
    # without a queue and for a long job it is the paper's formula
    plain = (1 - (restart + interval / 2) / mtbf) / (1 + cost / interval)
    assert model.effective_training_time_ratio(interval, mtbf, cost, restart) == pytest.approx(plain)


def test_the_ettr_by_its_balance_of_times() -> None:
    """With n failures: scheduled time P (1 + C/W) + u0 (1 + n) + n W/2 = n M, and a wait before each start."""
    interval, mtbf, cost, restart, queue, runtime = 600.0, 10_000.0, 20.0, 200.0, 300.0, 1e5
    failures = 0.0
    for _ in range(200):
        scheduled = runtime * (1 + cost / interval) + restart * (1 + failures) + failures * interval / 2
        failures = scheduled / mtbf
    expected = runtime / (scheduled + queue * (1 + failures))
    found = model.effective_training_time_ratio(interval, mtbf, cost, restart, queue, runtime)
    assert found == pytest.approx(expected, rel=1e-9)
    assert model.effective_training_time_ratio(600.0, 500.0, 20.0, 300.0) == 0.0


def test_the_ettr_is_near_the_efficiency_while_little_is_lost() -> None:
    """The paper's formula lets no failure hit a checkpoint or a restart, and the exact form does."""
    for interval in (600.0, 1200.0):
        ratio = model.effective_training_time_ratio(interval, 40_000.0, 20.0, 120.0)
        assert ratio == pytest.approx(model.efficiency(interval, 40_000.0, 20.0, 120.0), abs=5e-4)


def test_writes_are_bounded_by_the_nodes_or_by_the_file_system() -> None:
    size = model.state_bytes(405.85e9)
    assert size == pytest.approx(5.68e12, rel=0.001)
    assert model.transfer_seconds(size, 2, 1e9) == size / 2e9
    assert model.transfer_seconds(size, 2048, 2e9, 2e12) == size / 2e12
    assert model.transfer_seconds(0.0, 1, 1e9) == 0.0
    # MLPerf Storage 2.0, Submission_guidelines.md, table 2: GB of 2^30 bytes
    for parameters, listed in ((8.03e9, 105), (70.55e9, 912), (405.85e9, 5290)):
        assert model.state_bytes(parameters) / 2**30 == pytest.approx(listed, rel=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: model.young(0.0, 1.0), "the mean time between failures is 0: it must be above 0"),
        (lambda: model.optimum(10.0, -1.0), "the cost of a checkpoint is -1: it must be above 0"),
        (lambda: model.waste(0.0, 1.0, 1.0), "the interval between checkpoints is 0: it must be above 0"),
        (lambda: model.efficiency(math.inf, 1.0, 1.0), "the interval between checkpoints is inf: it must be a finite"),
        (lambda: model.segment(1.0, 1.0, math.nan), "the cost of a checkpoint is nan: it must be a finite number"),
        (lambda: model.duration(-1.0, 1.0, 1.0, 1.0), "the work is -1: it must be above 0"),
        (lambda: model.state_bytes(0), "the number of parameters is 0"),
        (lambda: model.transfer_seconds(1.0, 0, 1.0), "the number of nodes is 0"),
        (lambda: model.job_mtbf(10.0, 0), "the number of machines is 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_says_so(call: Callable[[], float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_more_spares_shorten_the_wait_of_the_twin() -> None:
    def waiting(machines: int) -> float:
        return fmean(
            Trainer(1e5, 600.0, 30.0, 100.0, draws(seed, 50_000.0), draws(seed + 7, HOUR), machines=machines, needed=8)
            .run()
            .spent[WAITING]
            for seed in range(8)
        )

    assert waiting(8) > 2.0 * waiting(9) > 0.0
