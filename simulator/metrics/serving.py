"""Measures of services as wholes: times between tokens, batches, KV cache, replicas, and what a token costs.

What a service has of the cluster's costs is its share of the accelerator-seconds that were paid for: those that its
replicas held over all. So a cluster that stands idle beside it is not charged to it, and its own replicas are, busy or
not. Tokens are those of the whole run, as money is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.metrics.measure import Measure, ratio
from simulator.metrics.window import Window, number


def _column(name: str) -> Callable[[Window], np.ndarray]:
    return lambda window: window.column("iterations", name)[window.column("iterations", "time") >= window.warmup]


_count, _sequences, _held = _column("count"), _column("sequences"), _column("held")


def seconds(window: Window) -> np.ndarray:
    """Seconds that each row of iterations after the warm-up lasts, without the stall before it."""
    count, first, growth = _count(window), _column("first")(window), _column("growth")(window)
    return np.asarray(count * first + growth * (count * (count - 1) / 2.0))


def blocks_of(window: Window, services: np.ndarray, replicas: np.ndarray) -> np.ndarray:
    """KV blocks of replicas, by service and number; NaN where the record does not say."""
    found = np.full(len(services), np.nan)
    for name, facts in window.services.items():
        rows = np.flatnonzero(services == name)
        known = np.append(np.asarray(facts.get("blocks") or (), dtype=float), np.nan)
        found[rows] = known[np.minimum(replicas[rows], len(known) - 1)]
    return found


def blocks(window: Window) -> np.ndarray:
    """KV blocks of the replica of each row of iterations after the warm-up."""
    return blocks_of(window, _column("workload")(window), _column("replica")(window))


def occupied(window: Window) -> np.ndarray:
    """KV blocks held in each row of iterations, mean over its time: blocks are filled one token after the other."""
    services = _column("workload")(window)
    block = np.ones(len(services))
    for name, facts in window.services.items():
        block[np.asarray(services == name, dtype=bool)] = number(facts.get("block"), 1.0)
    filled = _held(window) + _column("tokens")(window) / block / 2.0
    return np.asarray(np.minimum(filled, blocks(window)))


def _occupancy(window: Window) -> float:
    replicas = window.replicas
    there = blocks_of(window, replicas["workload"], replicas["number"]) * replica_seconds(window)
    return ratio(float(occupied(window) @ seconds(window)), float(np.nansum(there)))


def replica_seconds(window: Window, since: float | None = None, until: float | None = None) -> np.ndarray:
    """Seconds that each of ``window.replicas`` held accelerators from ``since`` (the warm-up) to ``until`` (the end).

    What it held is taken to be even from its start to its end.
    """
    replicas = window.replicas
    start = replicas["start"]
    low, high = window.warmup if since is None else since, window.end if until is None else until
    last = np.where(np.isnan(replicas["end"]), window.end, replicas["end"])
    span, inside = last - start, np.minimum(last, high) - np.maximum(start, low)
    share = np.divide(np.maximum(inside, 0.0), span, out=np.zeros(len(span)), where=span > 0)
    held = np.divide(
        replicas["service"], replicas["accelerators"], out=np.zeros(len(span)), where=replicas["accelerators"] > 0
    )
    return np.asarray(np.nan_to_num(held * share))


def mean_replicas(window: Window, service: str | None = None) -> float:
    """Replicas that held accelerators, mean over the time in which requests were served; NaN without requests.

    Of one ``service`` alone, over the time in which that one had requests.
    """
    span = window.served_from_to(service)
    if span is None:
        return math.nan
    seconds = replica_seconds(window, *span)
    if service is not None:
        seconds = seconds[np.asarray(window.replicas["workload"] == service, dtype=bool)]
    return ratio(float(seconds.sum()), span[1] - span[0])


def _peak(window: Window) -> float:
    share = _held(window) / blocks(window)
    share = share[~np.isnan(share)]
    return float(share.max()) if share.size else math.nan


def _batch(window: Window) -> float:
    decoding = _sequences(window) > 0
    count = _count(window)[decoding]
    return ratio(float((count * _sequences(window)[decoding]).sum()), float(count.sum()))


def _sum(window: Window, fact: str) -> float:
    return math.fsum(number(facts.get(fact)) for facts in window.services.values()) if window.services else math.nan


def busy(window: Window) -> float:
    """Share of the time that replicas held accelerators in which they computed; whole run."""
    return ratio(_sum(window, "busy_accelerator_seconds"), _sum(window, "accelerator_seconds"))


def dollars(window: Window) -> float:
    """What services have of all costs of the run: their share of the accelerator-seconds that were paid for."""
    parts = [number(value) for value in (window.record.facts.get("cost") or {}).values()]
    known = [value for value in parts if not math.isnan(value)]
    share = ratio(_sum(window, "accelerator_seconds"), window.fact("provisioned_seconds"))
    return math.fsum(known) * share if known else math.nan


def joules(window: Window) -> float:
    """Energy of services over the run: idle power of what their replicas held, busy power while they computed.

    Reads ``power`` of the facts, watts of one accelerator with its share of the server: ``idle`` and ``busy``.
    """
    power = window.record.facts.get("power") or {}
    held, computed = _sum(window, "accelerator_seconds"), _sum(window, "busy_accelerator_seconds")
    idle, busy_power = number(power.get("idle")), number(power.get("busy"))
    return held * idle + computed * (busy_power - idle)


def _generated(window: Window) -> float:
    return float(window.column("requests", "generated").sum())


def _processed(window: Window) -> float:
    answered = ~np.isnan(window.column("requests", "first_token"))
    return _generated(window) + float(window.column("requests", "input")[answered].sum())


def _gap(name: str, label: str, meaning: str, estimate: Callable[[Window], float]) -> Measure:
    text = f"{meaning} time between two tokens of a sequence, without those in which it was preempted or moved"
    return Measure(f"itl.{name}", f"{label} ITL", "time", "lower", text, of_run=estimate)


def _itl() -> list[Measure]:
    return [
        _gap("mean", "mean", "mean", lambda window: window.gaps.mean()),
        _gap("p50", "median", "median", lambda window: window.gaps.quantile(0.50)),
        _gap("p90", "p90", "90th percentile of the", lambda window: window.gaps.quantile(0.90)),
        _gap("p95", "p95", "95th percentile of the", lambda window: window.gaps.quantile(0.95)),
        _gap("p99", "p99", "99th percentile of the", lambda window: window.gaps.quantile(0.99)),
        _gap("max", "longest", "longest", lambda window: window.gaps.largest()),
    ]


SERVING: list[Measure] = [
    *_itl(),
    Measure(
        "batch.mean", "mean batch", "count", "",
        "sequences that get a token in an iteration, mean over iterations in which any does", of_run=_batch,
    ),
    Measure(
        "kv.occupancy", "KV occupancy", "ratio", "",
        "KV blocks held by requests over those of the replicas, mean over the time that these held accelerators",
        of_run=_occupancy,
    ),
    Measure(
        "kv.peak", "peak KV occupancy", "ratio", "",
        "highest share of a replica's KV blocks held by requests when its batch changed", of_run=_peak,
    ),
    Measure(
        "replicas.mean", "mean replicas", "count", "",
        "replicas that held accelerators, mean over the time in which requests were served", of_run=mean_replicas,
    ),
    Measure(
        "replicas.busy", "busy replicas", "ratio", "",
        "share of the time that replicas held accelerators in which they computed, whole run", of_run=busy,
    ),
    Measure(
        "cost.per_million_tokens", "cost per million output tokens", "money", "lower",
        "cost of the accelerator-seconds that replicas held, over millions of output tokens, whole run",
        of_run=lambda window: ratio(dollars(window), _generated(window) / 1e6),
    ),
    Measure(
        "cost.per_million_total_tokens", "cost per million tokens", "money", "lower",
        "cost of the accelerator-seconds that replicas held, over millions of input and output tokens, whole run",
        of_run=lambda window: ratio(dollars(window), _processed(window) / 1e6),
    ),
    Measure(
        "joules.per_token", "energy per output token", "token energy", "lower",
        "energy of replicas, idle power while they held accelerators and busy power while they computed, over output "
        "tokens, whole run, without PUE", of_run=lambda window: ratio(joules(window), _generated(window)),
    ),
]  # fmt: skip
"""Measures of services, in the order in which tables show them."""
