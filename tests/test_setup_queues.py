"""Queues with set-up: against Erlang, against a chain cut off far away, and against servers event by event."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.experiment.validation.theory import erlang_c
from simulator.metrics.setup_queues import SetupQueue, setup_queue, single_server
from simulator.metrics.statistics import replicated
from tests.reference.elasticity_instances import simulate
from tests.reference.elasticity_queue import Farm


def draws(seed: int, mean: float) -> Callable[[], float]:
    generator = random.Random(seed)
    return lambda: generator.expovariate(1.0 / mean)


def cut_off(
    servers: int, arrival: float, service: float, setup: float, delay: float, staggered: bool, most: int
) -> SetupQueue:
    """The same chain written down state by state, without the jobs beyond ``most``, and solved as one dense system."""
    states = [(on, jobs) for jobs in range(most + 1) for on in range(servers + 1) if delay > 0 or on <= jobs]
    place = {state: index for index, state in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    setups = np.zeros(len(states))
    for (on, jobs), row in place.items():
        setups[row] = max(0, min(jobs - on, servers - on, 1 if staggered else servers))
        moves = {(on + 1, jobs): setups[row] / setup, (on, jobs + 1): arrival if jobs < most else 0.0}
        rate = min(on, jobs) / service
        moves[(on, jobs - 1) if delay > 0 or on < jobs else (on - 1, jobs - 1)] = rate
        if delay > 0:
            moves[(on - 1, jobs)] = max(0, on - jobs) / delay
        for state, speed in moves.items():
            if speed > 0:
                generator[row, place[state]] += speed
                generator[row, row] -= speed
    system = generator.T.copy()
    system[-1] = 1.0
    wanted = np.zeros(len(states))
    wanted[-1] = 1.0
    law = np.linalg.solve(system, wanted)
    on, jobs = np.array(states, dtype=float).T
    waiting = float(np.clip(jobs - on, 0, None) @ law)
    return SetupQueue(
        wait=waiting / arrival, response=waiting / arrival + service, waits=float(law[jobs >= on].sum()),
        queue=waiting, busy=float(np.minimum(on, jobs) @ law), idle=float(np.clip(on - jobs, 0, None) @ law),
        setup=float(setups @ law),
    )  # fmt: skip


def same(one: SetupQueue, other: SetupQueue, rel: float) -> None:
    for name in ("wait", "response", "waits", "queue", "busy", "idle", "setup"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=rel, abs=1e-7), name


@pytest.mark.parametrize(
    ("servers", "arrival", "setup", "delay", "staggered"),
    [
        (1, 0.5, 4.0, 0.0, False), (1, 0.5, 4.0, 3.0, False), (2, 1.0, 0.5, 0.0, False), (3, 1.5, 2.0, 0.0, True),
        (3, 1.5, 2.0, 5.0, True), (4, 2.0, 3.0, 0.0, False), (4, 2.0, 3.0, 1.0, False), (5, 0.2, 8.0, 8.0, False),
    ],
)  # fmt: skip
def test_the_solution_is_that_of_the_chain_cut_off_far_away(
    servers: int, arrival: float, setup: float, delay: float, staggered: bool
) -> None:
    exact = setup_queue(servers, arrival, 1.0, setup, delay, staggered)
    same(exact, cut_off(servers, arrival, 1.0, setup, delay, staggered, most=200), rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    servers=st.integers(1, 12), load=st.floats(0.05, 0.95), service=st.floats(0.1, 10.0), setup=st.floats(0.01, 100.0),
    delay=st.one_of(st.just(0.0), st.floats(0.01, 100.0)), staggered=st.booleans(),
)  # fmt: skip
def test_laws_of_every_queue_with_set_up(
    servers: int, load: float, service: float, setup: float, delay: float, staggered: bool
) -> None:
    arrival = servers * load / service
    found = setup_queue(servers, arrival, service, setup, delay, staggered)
    plain = erlang_c(servers, servers * load) / (servers * (1 - load)) * service
    assert found.busy == pytest.approx(servers * load)
    assert 0.0 <= found.idle <= servers
    assert found.powered <= servers * (1 + 1e-9)
    assert found.queue == pytest.approx(arrival * found.wait)  # Little's law
    assert found.wait >= plain * (1 - 1e-9)
    assert found.waits <= 1.0 + 1e-9
    if delay > 0:  # as many servers go off as come on
        assert found.idle / delay == pytest.approx(found.setup / setup, rel=1e-6, abs=1e-12)
    else:
        assert (found.idle, found.waits) == (0.0, pytest.approx(1.0))
    if not staggered:
        assert setup_queue(servers, arrival, service, setup, delay, True).wait >= found.wait * (1 - 1e-9)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 0.8), (10, 0.7), (50, 0.9)])
def test_one_set_up_at_a_time_adds_exactly_one_set_up_to_the_wait(servers: int, load: float) -> None:
    """Gandhi, Harchol-Balter and Adan, "Server farms with setup costs", Performance Evaluation 67, 2010."""
    plain = erlang_c(servers, servers * load) / (servers * (1 - load))
    for setup in (0.5, 10.0, 300.0):
        found = setup_queue(servers, servers * load, 1.0, setup, staggered=True)
        assert found.wait == pytest.approx(plain + setup, rel=1e-8)


def test_one_server_is_welchs() -> None:
    for arrival, service, setup in itertools.product((0.1, 0.4), (0.5, 2.0), (0.1, 30.0)):
        assert setup_queue(1, arrival, service, setup).response == pytest.approx(
            single_server(arrival, service, setup), rel=1e-12
        )


@pytest.mark.parametrize(("delay", "constant"), [(0.0, True), (3.0, False), (3.0, True), (20.0, False)])
def test_one_server_that_stays_on_for_a_fixed_time_is_welchs_too(delay: float, constant: bool) -> None:
    jobs, warmup = 12_000, 1000
    waits = []
    for seed in range(8):
        gap, setup = draws(seed, 2.0), (lambda: 10.0) if constant else draws(seed + 20, 10.0)
        farm = Farm(1, draws(seed + 10, 1.0), setup, (lambda: delay) if delay else None)
        waits.append(sum(farm.run([gap() for _ in range(jobs)]).waits[warmup:]) / (jobs - warmup))
    interval, exact = replicated(waits), single_server(0.5, 1.0, 10.0, delay, 0.0 if constant else 1.0) - 1.0
    assert abs(interval.mean - exact) <= 1.5 * interval.half_width
    assert interval.half_width <= 0.12 * exact


def test_without_set_up_and_without_going_off_it_is_erlangs() -> None:
    plain = erlang_c(5, 4.0) / (5 - 4.0)
    assert setup_queue(5, 4.0, 1.0, 1e-9).wait == pytest.approx(plain, rel=1e-6)
    always = setup_queue(5, 4.0, 1.0, 10.0, delay=1e10)
    assert always.wait == pytest.approx(plain, rel=1e-6)
    assert always.waits == pytest.approx(erlang_c(5, 4.0), rel=1e-6)
    assert always.on == pytest.approx(5.0, rel=1e-6)


def test_leaving_servers_on_for_a_while_saves_waits_and_power() -> None:
    """Ten servers at half load whose set-up takes ten services: published as 1.66 -> 0.26 s and 8.6 -> 7.5 servers."""
    off, delayed = setup_queue(10, 5.0, 1.0, 10.0), setup_queue(10, 5.0, 1.0, 10.0, delay=20.0)
    assert (round(off.wait, 2), round(delayed.wait, 2)) == (1.66, 0.26)
    assert (round(off.powered, 1), round(delayed.powered, 1)) == (8.6, 7.5)


@pytest.mark.parametrize(
    ("servers", "arrival", "setup", "delay", "staggered"),
    [(1, 0.5, 10.0, 0.0, False), (10, 5.0, 10.0, 0.0, False), (10, 5.0, 10.0, 20.0, False), (4, 2.4, 3.0, 0.0, True)],
)
def test_servers_event_by_event_have_the_same_means(
    servers: int, arrival: float, setup: float, delay: float, staggered: bool
) -> None:
    jobs, warmup = 12_000, 1000
    waits, idle, coming = [], [], []
    for seed in range(8):
        gap = draws(seed, 1.0 / arrival)
        farm = Farm(
            servers, draws(seed + 10, 1.0), draws(seed + 20, setup), draws(seed + 30, delay) if delay else None,
            staggered=staggered,
        )  # fmt: skip
        found = farm.run([gap() for _ in range(jobs)], warmup)
        waits.append(sum(found.waits[warmup:]) / (jobs - warmup))
        idle.append(found.idle)
        coming.append(found.setup)
    exact = setup_queue(servers, arrival, 1.0, setup, delay, staggered)
    for values, expected in ((waits, exact.wait), (idle, exact.idle), (coming, exact.setup)):
        interval = replicated(values)
        assert abs(interval.mean - expected) <= 1.5 * interval.half_width
        assert interval.half_width <= 0.12 * expected


def test_which_idle_server_serves_matters_only_for_delays_with_memory() -> None:
    """With delays of one length the newest idle server first lets the others go off; the oldest first keeps all on."""
    powered = {}
    for newest in (True, False):
        gap = draws(1, 0.2)
        farm = Farm(10, draws(2, 1.0), draws(3, 10.0), lambda: 20.0, newest=newest)
        found = farm.run([gap() for _ in range(20_000)], 2000)
        powered[newest] = found.busy + found.idle + found.setup
    assert powered[True] < powered[False] - 0.5


def test_a_farm_by_hand() -> None:
    """Two servers, set-up 3 s, service 2 s, off at once: a set-up is given up when the other server is free."""
    farm = Farm(2, lambda: 2.0, lambda: 3.0)
    found = farm.run([0.0, 2.5, 5.5])
    # job 0 at 0: set-up to 3, served 3-5; job 1 at 2.5: set-up of its own to 5.5, given up at 5 for the free server;
    # job 2 at 8: both off, set-up to 11
    assert found.waits == [3.0, 2.5, 3.0]
    assert (found.begun, found.given_up) == (3, 1)


def test_the_twin_of_instances_is_the_example_of_simfaas() -> None:
    """pacslab/simfaas README: 1213 cold starts of 898,469 requests, 7.6612 instances, 1.7879 of them running."""
    runs = [
        simulate(draws(seed, 1 / 0.9), draws(seed + 10, 1.991), draws(seed + 20, 2.244), 600.0, 1.3e5, 1e4)
        for seed in range(8)
    ]
    for values, published in (
        ([run.cold for run in runs], 1213 / 898_469),
        ([run.instances for run in runs], 7.6612),
        ([run.running for run in runs], 1.7879),
    ):
        interval = replicated(values)
        assert abs(interval.mean - published) < 1.5 * interval.half_width
        assert interval.half_width < 0.06 * published


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: setup_queue(0, 1.0, 1.0, 1.0), "0 servers: between 1 and 400 can be worked out"),
        (lambda: setup_queue(401, 1.0, 1.0, 1.0), "401 servers: between 1 and 400 can be worked out"),
        (lambda: setup_queue(2, 2.0, 1.0, 1.0), "a load of 1 never settles: it must be below 1"),
        (lambda: setup_queue(2, 0.0, 1.0, 1.0), "the arrival rate is 0: it must be above 0"),
        (lambda: setup_queue(2, 1.0, 1.0, 0.0), "the set-up time is 0: it must be above 0"),
        (lambda: setup_queue(2, 1.0, 1.0, 1.0, -1.0), "the delay before a server goes off is -1 s"),
        (lambda: single_server(0.5, 1.0, 1.0, 0.0, -1.0), "the squared coefficient of variation is -1"),
        (lambda: single_server(1.5, 1.0, 1.0), "a load of 1.5 never settles"),
    ],
)
def test_what_cannot_be_says_so(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
