"""What sentences say of services: where the time of requests goes, which bounds they miss, and what holds them back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.metrics import queueing, saturation
from simulator.metrics.display import scale
from simulator.metrics.measure import ratio
from simulator.metrics.queueing import Waits
from simulator.metrics.requests import BOUNDS, LATENCIES, kept
from simulator.metrics.serving import blocks
from simulator.metrics.window import Window

PHASES = {
    "queue": "in the queue", "prefill": "computing prompts", "transfer": "moving keys and values",
    "stalled": "preempted", "decode": "generating tokens",
}  # fmt: skip
"""Columns that the latency of a finished request is the sum of, and what a sentence calls them."""
NOTABLE = 0.1
"""Share of the latency, or of requests, from which on something is said to hold requests back."""
CAUSE = 0.3
"""Share of the time in the queue from which on something is said to be a cause of it."""
SPARE = 0.3
"""Share of the replicas' time without computing, while requests wait, from which on the router is called a limit."""
_CACHE = "The KV cache is a limit"
_REASONS = {
    "wait_capacity": "too few were free", "wait_fragmentation": "those that were free lay scattered or were of another "
    "kind", "wait_order": "the policy let others go first", "wait_policy": "the policy held them back",
}  # fmt: skip
"""Columns that the wait of a replica for accelerators is the sum of, and what a sentence says of them."""


def limits(name: str, windows: Sequence[Window]) -> list[str]:
    """What holds back the requests of one alternative; empty without any that started or waited."""
    shares = phases(windows)
    told = ", ".join(f"{_percent(share)} {PHASES[part]}" for part, share in shares.items() if share >= 0.005)
    where = [f"Where the mean end-to-end latency of {name} goes: {told}."] if shares else []
    found = _diagnosis(shares, windows)
    if shares and not found:
        found = ["Nothing holds requests back but the computing itself."]
    return [*where, *_missed(windows), *found]


def phases(windows: Sequence[Window]) -> dict[str, float]:
    """Shares of the latency of finished requests that fall on each of ``PHASES``; empty when none finished."""
    totals = dict.fromkeys(PHASES, 0.0)
    for window in windows:
        done = window.requests["finished"]
        for part in PHASES:
            totals[part] += float(np.nansum(window.requests[part][done]))
    whole = math.fsum(totals.values())
    return {part: total / whole for part, total in totals.items()} if whole > 0 else {}


def _missed(windows: Sequence[Window]) -> list[str]:
    """Which bounds the requests missed that missed any."""
    lost = missed = 0
    by = dict.fromkeys(BOUNDS, 0)
    for window in windows:
        requests = window.requests
        out = kept(requests)[1]
        away = requests["rejected"] | requests["timeout"]
        missed += int(out.sum())
        lost += int((out & away).sum())
        for name in BOUNDS:
            by[name] += int((kept(requests, (name,))[1] & ~away).sum())
    if not missed:
        return []
    parts = [f"{_percent(by[name] / missed)} over that on {LATENCIES[name][0]}" for name in BOUNDS if by[name]]
    parts += [f"{_percent(lost / missed)} rejected or given up"] if lost else []
    return [f"Requests that missed a bound: {missed:,}, {', '.join(parts)}."]


def _diagnosis(shares: dict[str, float], windows: Sequence[Window]) -> list[str]:
    said = []
    for service in dict.fromkeys(name for window in windows for name in window.services):
        waits = queueing.waits(windows, service)
        if ratio(waits.total, waits.alive) >= NOTABLE or ratio(waits.never, waits.asked) >= NOTABLE:
            said += _queue(service, waits, windows)
    asked = sum(len(window.requests) for window in windows)
    preempted = sum(int((window.requests["preemptions"] > 0).sum()) for window in windows)
    if ratio(preempted, asked) >= NOTABLE:
        lost = f"{_percent(preempted / asked)} of requests were preempted"
        known = any(sentence.startswith(_CACHE) for sentence in said)
        said.append(f"{lost}." if known else f"{_CACHE}: {lost}, and it was up to {_percent(_fullest(windows))} full.")
    if shares.get("transfer", 0.0) >= NOTABLE:
        said.append("The network is a limit: requests spend that share of their time until keys and values arrive.")
    return said


def _queue(service: str, waits: Waits, windows: Sequence[Window]) -> list[str]:
    """What requests of a service waited for, the largest part first."""
    if not waits.total > 0:
        return []
    large = sorted((part for part in queueing.PARTS if waits.share(part) >= CAUSE), key=lambda part: -waits.parts[part])
    said = []
    at_replicas = {queueing.CACHE, queueing.BATCH, queueing.COMPUTING}
    spare = queueing.idle(windows, service)
    if math.fsum(waits.share(part) for part in at_replicas) >= CAUSE and spare >= SPARE:
        said.append(
            f"The router is a limit: while requests waited at some replicas of {service}, {_percent(spare)} of the "
            "time of those that were ready went by without computing."
        )
        large = [part for part in large if part not in at_replicas]
    for part in large:
        head = f"{_percent(waits.share(part))} of the time in the queue of {service}"
        said += _cause(part, head, service, windows, part == large[0])
    if said:
        return said
    return [f"What requests waited for in the queue of {service} cannot be told from the tables."]


def _cause(part: str, head: str, service: str, windows: Sequence[Window], largest: bool) -> list[str]:
    """The sentences on one of ``queueing.PARTS``, maybe the ``largest``; none where nothing is known."""
    if part == queueing.NOWHERE:
        return [_without_accelerators(head, service, windows)]
    if part == queueing.STARTING:
        return [f"{head} passed while no replica was ready and some were starting: the cold start is the limit."]
    if part == queueing.COMING:
        return [
            f"{head} passed while more replicas were on their way, waiting for accelerators or starting: the limit is "
            "how soon they are asked for, placed and ready."
        ]
    if part == queueing.ADAPTER:
        return [
            f"{head} is the loading of adapters: more slots, faster loads, or a router that keeps the requests of an "
            "adapter together would shorten it."
        ]
    if part == queueing.CACHE:
        return [
            f"{_CACHE}: {head} passed while its free blocks were too few for a prompt; it was up to "
            f"{_percent(_fullest(windows, service))} full."
        ]
    if part == queueing.BATCH:
        return [
            f"The batch is a limit: {head} passed though the KV cache had room (it was up to "
            f"{_percent(_fullest(windows, service))} full) and few or no prompts were computed. No more than "
            f"{_widest(windows, service):,} got a token at once: a larger `max_batch`, or a batching that lets in "
            "more, is what to try first."
        ]
    if part == queueing.BOUNDARY:
        return [f"{head} is the iterations under way as requests came: they join at its end, or that of the next."]
    if part == queueing.COMPUTING:
        load = saturation.load(windows, service)
        if largest and load is not None and load.saturated:
            return [f"{service} is saturated: more replicas, or fewer requests, are what would shorten its queue."]
        return [f"{head} passed while its replicas were computing the prompts of others."]
    return []


def _without_accelerators(head: str, service: str, windows: Sequence[Window]) -> str:
    """What is known of replicas that were waiting while requests did."""
    waited = dict.fromkeys(_REASONS, 0.0)
    placed = count = 0
    longest = 0.0
    for window in windows:
        own = window.replicas.where(np.asarray(window.replicas["workload"] == service, dtype=bool))
        count += len(own)
        placed += int((~np.isnan(own["start"])).sum())
        longest = max(longest, float(np.nanmax(own["wait"], initial=0.0)))
        for reason in waited:
            waited[reason] += float(np.nansum(own[reason]))
    time = scale([longest], "time").text(longest)
    largest = max(waited, key=lambda reason: waited[reason])
    why = f", mostly because {_REASONS[largest]}" if waited[largest] > 0 else ""
    if not placed:
        noun = "the one that was asked for" if count == 1 else f"the {count:,} that were asked for"
        none = f"waited up to {time}{why}" if count else "were ever asked for"
        return f"No replica of {service} ever got accelerators: {noun if count else 'none'} {none}."
    return (
        f"{head} passed while no replica had accelerators; {placed:,} of {count:,} that were asked for got them, after "
        f"up to {time}{why}."
    )


def _fullest(windows: Sequence[Window], service: str | None = None) -> float:
    """Highest share of a replica's KV blocks that was held, of one service or of all."""
    found = 0.0
    for window in windows:
        after = window.column("iterations", "time") >= window.warmup
        own = np.asarray(window.column("iterations", "workload")[after] == service, dtype=bool) | (service is None)
        share = (window.column("iterations", "held")[after] / blocks(window))[own]
        found = max(found, float(np.max(share, initial=0.0, where=~np.isnan(share))))
    return found


def _widest(windows: Sequence[Window], service: str) -> int:
    """Most sequences that got a token in one iteration of a replica."""
    return max(
        int(window.column("iterations", "sequences")[window.column("iterations", "workload") == service].max(initial=0))
        for window in windows
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 or not share else f"{share * 100:.2g} %"
