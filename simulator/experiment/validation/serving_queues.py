"""Services as textbook queues: iteration times that know nothing of the batch make a replica a server of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from simulator.core.rng import stream
from simulator.experiment.validate import Row, row
from simulator.experiment.validation.served import Given, log_of, served
from simulator.experiment.validation.theory import erlang_c
from simulator.metrics.statistics import replicated

_REQUESTS, _WARMUP, _REPLICATIONS = 12_000, 1_200, 6
_LOAD = 0.8
_KLEINROCK = "Kleinrock, Queueing Systems I (1975)"
_FINE = 1000
"""Iterations of a mean output: many, so that service is nearly continuous; a wait ends half an iteration late."""


def erlang_wait(stages: int, load: float) -> float:
    """Mean wait in E_k/M/1, in mean services: s/(1 - s), where s = (k load / (k load + 1 - s))^k.

    Source: G/M/1 with Erlang arrivals, Kleinrock, Queueing Systems I, ch. 6; found by iterating from below.

    >>> round(erlang_wait(1, 0.8), 9)
    4.0
    """
    share, before = 0.0, -1.0
    while share - before > 1e-15:
        before, share = share, (stages * load / (stages * load + 1 - share)) ** stages
    return share / (1 - share)


def queues() -> Iterator[Row]:
    """Mean waits of services that are queues with Poisson arrivals and mean service time 1 s.

    Prompts of exponential length that are all a request computes; outputs of one length, token by token; outputs of
    geometric length in a batch of four; and two replicas that take turns, so that each has Erlang arrivals.
    """
    yield _waits("M/M/1: prompts alone, one at a time", 1, _LOAD / (1 - _LOAD), "ch. 3", _prompts, max_batch=1)
    yield _waits("M/D/1: outputs of 100 tokens", 1, _LOAD / (2 * (1 - _LOAD)), "ch. 5", _even, max_batch=1)
    four = erlang_c(4, 4 * _LOAD) / (4 * (1 - _LOAD))
    yield _waits("M/M/4: a batch of 4, output by output", 4, four, "ch. 3", _outputs, max_batch=4)
    turns = erlang_wait(2, _LOAD)
    yield _waits("E2/M/1: two replicas in turn", 2, turns, "ch. 6", _prompts, max_batch=1, replicas=2)


Kind = tuple[Given, np.ndarray, np.ndarray]
"""Iteration times, and tokens of prompts and outputs."""


def _prompts(generator: np.random.Generator) -> Kind:
    lengths = np.ceil(generator.exponential(1e6, _REQUESTS)).astype(np.int64)
    return Given(0.0, 1e-6), lengths, np.ones(_REQUESTS, np.int64)


def _even(generator: np.random.Generator) -> Kind:
    return Given(0.01), np.ones(_REQUESTS, np.int64), np.full(_REQUESTS, 100)


def _outputs(generator: np.random.Generator) -> Kind:
    return Given(1 / _FINE), np.ones(_REQUESTS, np.int64), generator.geometric(1 / _FINE, _REQUESTS)


def _waits(
    case: str,
    servers: int,
    reference: float,
    chapter: str,
    kind: Callable[[np.random.Generator], Kind],
    replicas: int = 1,
    max_batch: int = 1,
) -> Row:
    means = []
    for replication in range(_REPLICATIONS):
        gaps = stream(1, "validate.requests", replication).exponential(1 / (servers * _LOAD), _REQUESTS)
        time, prompts, outputs = kind(stream(1, "validate.tokens", replication))
        record = served(log_of(np.cumsum(gaps), prompts, outputs), time, replicas=replicas, max_batch=max_batch)
        table = record.tables["requests"]
        order = np.argsort(table["arrival"], kind="stable")
        means.append(float(table["queue"][order][_WARMUP:].mean()))
    found = replicated(means)
    source = f"{_KLEINROCK}, {chapter}"
    return row("serving", case, "queue.mean", "s", reference, source, found.mean, found.half_width / reference)
