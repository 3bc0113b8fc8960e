"""What sentences say of services: where the time of requests goes, which bounds they miss, and what holds them back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.metrics import saturation
from simulator.metrics.measure import ratio
from simulator.metrics.requests import BOUNDS, LATENCIES, kept
from simulator.metrics.window import Window

PHASES = {
    "queue": "in the queue", "prefill": "computing prompts", "transfer": "moving keys and values",
    "stalled": "preempted", "decode": "generating tokens",
}  # fmt: skip
"""Columns that the latency of a finished request is the sum of, and what a sentence calls them."""
NOTABLE = 0.1
"""Share of the latency, or of requests, from which on something is said to hold requests back."""
FULL = 0.9
"""Share of the KV cache from which on it is called full."""


def limits(name: str, windows: Sequence[Window]) -> list[str]:
    """What holds back the requests of one alternative; empty without finished requests."""
    shares = phases(windows)
    if not shares:
        return []
    told = ", ".join(f"{_percent(share)} {PHASES[part]}" for part, share in shares.items() if share >= 0.005)
    return [
        f"Where the mean end-to-end latency of {name} goes: {told}.",
        *_missed(windows),
        *(_diagnosis(shares, windows) or ["Nothing holds requests back but the computing itself."]),
    ]


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
    names = dict.fromkeys(name for window in windows for name in window.services)
    loads = {name: saturation.load(windows, name) for name in names}
    for name, load in loads.items():
        if load is not None and load.saturated:
            said.append(f"{name} is saturated: more replicas, or fewer requests, are what would shorten its queue.")
    asked = sum(len(window.requests) for window in windows)
    preempted = sum(int((window.requests["preemptions"] > 0).sum()) for window in windows)
    full = max((load.full for load in loads.values() if load is not None), default=0.0)
    if ratio(preempted, asked) >= NOTABLE:
        said.append(
            f"The KV cache is a limit: {_percent(preempted / asked)} of requests were preempted, and it was up to "
            f"{_percent(full)} full."
        )
    elif full >= FULL and shares["queue"] >= NOTABLE:
        said.append(f"The KV cache is a limit: it was up to {_percent(full)} full while requests waited.")
    if shares["transfer"] >= NOTABLE:
        said.append("The network is a limit: requests spend that share of their time until keys and values arrive.")
    return said


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 or not share else f"{share * 100:.2g} %"
