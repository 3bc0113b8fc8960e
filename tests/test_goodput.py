"""The goodput model: its formula against numbers worked out by hand, its speedup against integration step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.generate import generate
from simulator.workload.goodput import Choice, Goodput, Model, Timing, model, models
from simulator.workload.speedup import Given, Speedup

PLAIN = Timing(local=(1, 8), alpha_c=1.0, beta_c=0.5, alpha_n=4.0, beta_n=0.25, alpha_r=2.0, beta_r=0.125, gamma=2.0)
TOY = Model(
    "toy", initial=8, largest=64, iterations=100, ends=(0.25, 1.0), batches=(8, 64), noise=((8.0, 8.0), (56.0, 56.0)),
    timing={"slow": PLAIN, "fast": Timing((1, 16), 0.5, 0.25, 4.0, 0.25, 2.0, 0.125, 2.0)},
)  # fmt: skip
NAMES = st.sampled_from(list(models()))
GIVENS = st.builds(
    Given, st.integers(1, 64), st.integers(1, 16), st.sampled_from(["", "nvidia/t4", "nvidia/a100-sxm-40"])
)


def test_an_iteration_is_the_gamma_norm_of_computing_and_synchronising() -> None:
    assert PLAIN.gradient(4) == 3.0
    assert (PLAIN.synchronisation(1, 1), PLAIN.synchronisation(2, 1), PLAIN.synchronisation(6, 2)) == (0.0, 2.0, 5.0)
    assert PLAIN.iteration(1, 1, 4, 0) == 3.0
    assert PLAIN.iteration(6, 2, 4, 2) == pytest.approx(2 * 3.0 + math.hypot(3.0, 5.0))


def test_two_servers_may_synchronise_at_a_rate_of_their_own() -> None:
    paired = Timing((1, 8), 1.0, 0.5, 4.0, 0.25, 2.0, 0.125, 2.0, pair=1.5)
    assert [paired.synchronisation(6, servers) for servers in (1, 2, 3)] == [2.5, 7.5, 5.0]


def test_efficiency_is_one_at_the_initial_batch_and_falls_with_the_batch() -> None:
    assert TOY.efficiency(8, 0) == 1.0
    assert TOY.efficiency(64, 0) == pytest.approx((8 + 8) / (8 + 64))
    assert TOY.efficiency(64, 1) == pytest.approx((56 + 8) / (56 + 64))


def test_noise_between_two_batches_is_geometric() -> None:
    uneven = Model("u", 4, 64, 1, (1.0,), (4, 64), ((10.0, 1000.0),), {"": PLAIN})
    assert uneven.efficiency(16, 0) == pytest.approx((100 + 4) / (100 + 16))


def test_a_fixed_batch_is_accumulated_as_memory_demands() -> None:
    assert TOY.choice(8, "slow", 64) == Choice(8, 0, 64)
    assert TOY.choice(4, "slow", 64) == Choice(8, 1, 64)
    # above the initial batch a single accelerator takes two passes at least
    assert TOY.choice(1, "fast", 16) == Choice(8, 1, 16)
    assert TOY.choice(1, "slow", 8) == Choice(8, 0, 8)


def test_the_batch_of_an_adaptive_job_grows_with_the_noise_and_beats_every_fixed_one() -> None:
    for count in (1, 2, 4, 8):
        on = Given(count, 1, "slow")
        assert TOY.best(on, 0).batch <= TOY.best(on, 1).batch
        best = TOY.goodput(on, 1)
        # the search is over a grid of batches: nothing in between is better by more than its step
        assert best >= 0.99 * max(TOY.goodput(on, 1, batch) for batch in range(8, 65))


@given(NAMES, GIVENS, st.sampled_from([0, 512]))
def test_seconds_are_the_integral_of_the_paces_of_the_phases(name: str, on: Given, batch: int) -> None:
    job = model(name)
    batch = min(batch, job.largest)
    pace = Goodput(job, batch)
    lengths = np.diff((0.0, *job.ends))
    count = min(on.accelerators, job.usable(on.type, batch))
    rates = [job.goodput(Given(count, on.servers, on.type), phase, batch) for phase in range(len(lengths))]
    assert pace.seconds(on) == pytest.approx(float(np.sum(lengths * job.examples / np.array(rates))))


@given(NAMES, GIVENS, st.floats(0, 1))
@settings(max_examples=200)
def test_fraction_is_the_inverse_of_seconds(name: str, on: Given, fraction: float) -> None:
    pace: Speedup = Goodput(model(name))
    assert pace.fraction(on, pace.seconds(on, fraction)) == pytest.approx(fraction, abs=1e-12)
    assert pace.seconds(on, 0.0) == 0.0
    assert pace.fraction(on, 0.0) == 0.0
    assert pace.fraction(on, 1e12) == 1.0


@given(NAMES, st.integers(1, 63))
def test_more_seconds_never_do_less(name: str, count: int) -> None:
    pace, on = Goodput(model(name)), Given(count, -(-count // 4), "")
    whole = pace.seconds(on)
    found = [pace.fraction(on, whole * part / 50) for part in range(51)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1.0)


def test_a_share_of_an_accelerator_runs_at_that_share() -> None:
    pace = Goodput(TOY)
    assert pace.seconds(Given(0.25, 1, "slow")) == pytest.approx(4 * pace.seconds(Given(1, 1, "slow")))


def test_accelerators_beyond_the_batch_do_nothing() -> None:
    pace = Goodput(TOY, batch=8)
    assert TOY.usable("slow", 8) == 8
    assert pace.seconds(Given(32, 1, "slow")) == pace.seconds(Given(8, 1, "slow"))


def test_a_type_without_timings_is_no_place_to_run() -> None:
    pace = Goodput(TOY)
    assert pace.seconds(Given(1, 1, "other")) == math.inf
    assert pace.fraction(Given(1, 1, "other"), 100.0) == 0.0
    assert pace.seconds(Given(1, 1, "")) == pace.seconds(Given(1, 1, "slow"))


def test_tuned_sizes_are_those_of_the_published_workloads() -> None:
    # sizes and batches in the workloads of petuum/adaptdl, osdi21-artifact, simulator/workloads
    published = {
        "ncf": {(1, 32768)},
        "cifar10": {(6, 2048), (8, 2048), (12, 4096), (16, 4096)},
        "deepspeech2": {(6, 320), (8, 320), (12, 640)},
        "bert": {(6, 384), (8, 384), (12, 384), (16, 384)},
        "yolov3": {(4, 64)},
        "imagenet": {(24, 3200), (32, 6400), (48, 6400)},
    }
    ours = {name: set(each.tuned()) for name, each in models().items()}
    both = sum(len(ours[name] & published[name]) for name in published)
    assert both >= 0.7 * sum(map(len, published.values()))
    assert sum(map(len, ours.values())) <= 1.3 * sum(map(len, published.values()))


def test_an_unknown_model_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match=r"there is no goodput model 'cifar'. Did you mean 'cifar10'"):
        model("cifar")


def test_generated_jobs_are_160_in_8_hours_at_load_1_and_ask_for_what_users_tuned() -> None:
    trace = generate("pollux-like", jobs=160, seed=3)
    assert trace.columns["submit"][-1] == 8 * 3600
    for job in trace.jobs():
        assert (job.minimum, job.restart) == (1.0, 30.0)
        assert job.minimum <= job.accelerators <= job.maximum <= 64
        assert isinstance(job.speedup, Goodput)
        assert (job.speedup.batch == 0) == (job.model != "ncf")
        assert int(job.accelerators) in {size for size, _ in models()[job.model].tuned()}


def test_batch_and_elasticity_change_no_draw() -> None:
    free, fixed = (generate("pollux-like", jobs=50, seed=4, load=2.0, batch=batch) for batch in ("adaptive", "tuned"))
    rigid = generate("pollux-like", jobs=50, seed=4, load=2.0, elastic=False, restart=None)
    for name in ("submit", "accelerators", "model"):
        assert free.columns[name].tolist() == fixed.columns[name].tolist() == rigid.columns[name].tolist()
    assert all(pace.batch for pace in fixed.columns["speedup"])
    assert "minimum" not in rigid.columns
    assert set(rigid.columns["restart"]) <= {each.restart for each in models().values()}


def test_more_load_brings_the_same_jobs_sooner() -> None:
    once, twice = (generate("pollux-like", jobs=320, seed=5, load=load) for load in (1.0, 2.0))
    assert (once.columns["submit"][-1], twice.columns["submit"][-1]) == (16 * 3600, 8 * 3600)
    assert once.columns["model"].tolist() == twice.columns["model"].tolist()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"load": 1.0, "rate": 0.1}, "load 1.0 and rate 0.1 contradict each other: give one of them"),
        ({"load": -1.0}, "load: -1.0 is not a number above 0"),
        ({"load": 1.0, "accelerators": None}, "load: 1.0 of how many accelerators? Give accelerators too"),
        ({"batch": "tune"}, "batch: 'tune' is not a choice. Did you mean 'tuned'"),
        ({"type": "nvidia/x"}, "type: 'nvidia/x' has no timings of 'ncf'; there are nvidia/t4, "),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as error:
        generate("pollux-like", jobs=3, **options)
    assert str(error.value).startswith(text)
