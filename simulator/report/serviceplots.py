"""Figures of services: latencies with their bounds, queue, batch and KV cache over time, what became of requests."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from simulator.experiment.results import Results
from simulator.metrics import queueing
from simulator.metrics.display import scale
from simulator.metrics.requests import bounded, kept, latency
from simulator.metrics.serving import blocks_of
from simulator.metrics.window import Requests, Window
from simulator.report import style
from simulator.report.curves import Plot, Steps, bars, cdf, has, pooled, timeline, titled

PHASES = {
    "queue": "queue", "prefill": "prefill", "transfer": "KV transfer", "stalled": "preempted", "decode": "decode",
}  # fmt: skip
"""Columns that the latency of a finished request is the sum of, and what a figure calls them."""
LARGE = 0.5
"""Share of the KV cache from which on its axis goes up to all of it."""
_OUTCOMES = ("within bounds", "finished", "late", "rejected", "given up", "unfinished")


def ttft_cdf(results: Results) -> Figure:
    """Share of finished requests by time to first token, replications pooled, with the bounds of the classes."""
    return _latency(results, "ttft", "Time to first token")


def tpot_cdf(results: Results) -> Figure:
    """Share of finished requests by time per output token after the first, with the bounds of the classes."""
    return _latency(results, "tpot", "Time per output token")


def requests_waiting(results: Results) -> Figure:
    """Requests that wait for their first start, over time."""
    return _counted(results, "Requests waiting over time", "Requests waiting", _waiting)


def requests_running(results: Results) -> Figure:
    """Requests that have started and not ended, over time."""
    return _counted(results, "Requests running over time", "Requests running", _running)


def kv_cache(results: Results) -> Figure:
    """KV blocks held as a share of those of the replicas that are there, over time."""
    with style.styled():
        figure, axes = timeline(results, "KV cache over time", _cache)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("KV blocks held")
        highest = max((np.nanmax(line.get_ydata(), initial=0.0) for line in axes.lines), default=0.0)
        axes.set_ylim(0.0, 1.04 if highest >= LARGE or not highest else 1.15 * highest)
        return style.settle(figure)


def replicas_ready(results: Results) -> Figure:
    """Replicas that take requests, over time; where prompts are computed apart, those that compute prompts."""
    return _counted(results, "Replicas over time", "Replicas ready", _ready)


def request_outcomes(results: Results) -> Figure:
    """What became of the requests, shares of all, one bar an alternative; replications pooled."""
    shares = [_outcomes([window.requests for window in results.windows(name).values()]) for name in results]
    if not any(shares):
        return style.empty("What became of requests", "There are no requests.")
    found = {part: [each.get(part, np.nan) * 100.0 for each in shares] for part in _OUTCOMES}
    return bars(results, "What became of requests", "Share of requests (%)", found, "count", 1.0, whole=False)


def request_phases(results: Results) -> Figure:
    """Where the mean latency of finished requests goes, one bar an alternative; replications pooled."""
    seconds = [_phases([window.requests for window in results.windows(name).values()]) for name in results]
    if not any(seconds):
        return style.empty("Where the time of a request goes", "No request finished.")
    unit = scale([max(sum(parts.values()) for parts in seconds)], "time")
    found = {text: [parts.get(part, np.nan) for parts in seconds] for part, text in PHASES.items()}
    name = f"Mean end-to-end latency ({unit.unit})"
    return bars(results, "Where the time of a request goes", name, found, "time", unit.factor)


def _latency(results: Results, name: str, label: str) -> Figure:
    values = pooled(results, lambda window: latency(window.requests, name))
    return cdf(values, titled(results, label), label, "finished requests", _bounds(results, name))


def _bounds(results: Results, name: str) -> dict[str, float]:
    """Finite bounds that classes set, by what a line says of them, the smallest first."""
    classes: dict[float, list[str]] = {}
    for alternative in results:
        for window in results.windows(alternative).values():
            bounds, kinds = window.requests[f"slo_{name}"], window.requests["class"]
            for bound in np.unique(bounds[np.isfinite(bounds)]).tolist():
                seen = classes.setdefault(bound, [])
                seen += [kind for kind in dict.fromkeys(kinds[bounds == bound].tolist()) if kind not in seen]
    return {" ".join(["bound", ", ".join(filter(None, classes[bound]))]).strip(): bound for bound in sorted(classes)}


def _counted(results: Results, title: str, label: str, steps: Callable[[Window], Steps]) -> Figure:
    with style.styled():
        figure, axes = timeline(results, title, steps)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_ylim(bottom=0.0)
        return style.settle(figure)


def _waiting(window: Window) -> Steps:
    asked = window.asked
    return Steps(*_stays(asked["arrival"], np.fmin(_last(window), _or(asked["start"], math.inf)), 1.0))


def _running(window: Window) -> Steps:
    started = window.asked.where(~np.isnan(window.asked["start"]))
    return Steps(*_stays(started["start"], np.fmin(_or(started["end"], window.end), window.end), 1.0))


def _ready(window: Window) -> Steps:
    found = [each for each in (queueing.replicas(window, name) for name in window.services) if each is not None]
    if not found:
        return Steps(np.empty(0), np.empty(0))
    times = np.unique(np.concatenate([each.times for each in found]))
    levels: np.ndarray = np.sum([_at(times, each.times, each.ready) for each in found], axis=0)
    return Steps(times, levels)


def _changes(window: Window) -> bool:
    """Whether the number of replicas that are ready changes while requests are served."""
    ready, span = _ready(window), window.served_from_to()
    if span is None or not len(ready.times):
        return False
    inside = (ready.times > span[0]) & (ready.times < span[1])
    return len({*_at(np.array([span[0]]), ready.times, ready.top).tolist(), *ready.top[inside].tolist()}) > 1


def _last(window: Window) -> np.ndarray:
    return _or(window.asked["end"], window.end)


def _or(values: np.ndarray, other: float) -> np.ndarray:
    return np.where(np.isnan(values), other, values)


def _stays(come: np.ndarray, go: np.ndarray, weight: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Instants, and the sum of weights of what has come and not gone from each of them on."""
    weights = np.broadcast_to(np.asarray(weight, dtype=float), come.shape)
    moments = np.concatenate([[0.0], come, go])
    changes = np.concatenate([[0.0], weights, -weights])
    times, index = np.unique(moments, return_inverse=True)
    return times, np.maximum(0.0, np.round(np.cumsum(np.bincount(index, changes)), 6))


def _cache(window: Window) -> Steps:
    columns = ("time", "count", "first", "growth", "held")
    time, count, first, growth, held = (window.column("iterations", name) for name in columns)
    lasts = count * first + growth * (count * (count - 1) / 2.0)
    used, level = _stays(time, time + lasts, held)
    replicas = window.replicas
    size = np.nan_to_num(blocks_of(window, replicas["workload"], replicas["number"]))
    there = ~np.isnan(replicas["start"])
    since, room = _stays(replicas["start"][there], _or(replicas["end"], window.end)[there], size[there])
    times = np.union1d(used, since)
    times = times[times < window.end]
    return Steps(times, _at(times, used, level), _at(times, since, room))


def _at(times: np.ndarray, changes: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return levels[np.clip(np.searchsorted(changes, times, "right") - 1, 0, None)]


def _outcomes(runs: list[Requests]) -> dict[str, float]:
    counts = dict.fromkeys(_OUTCOMES, 0.0)
    for asked in runs:
        met, done, bound = kept(asked)[0], asked["finished"], bounded(asked)
        parts = (met, done & ~bound, done & bound & ~met, asked["rejected"], asked["timeout"], asked["unfinished"])
        for name, mask in zip(_OUTCOMES, parts, strict=True):
            counts[name] += float(mask.sum())
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _phases(runs: list[Requests]) -> dict[str, float]:
    count = sum(int(asked["finished"].sum()) for asked in runs)
    return {
        part: math.fsum(float(np.nansum(asked[part][asked["finished"]])) for asked in runs) / count for part in PHASES
    } if count else {}  # fmt: skip


def _finished(results: Results) -> bool:
    return has(results, lambda window: window.requests["finished"].any())


def _asked(results: Results) -> bool:
    return has(results, lambda window: len(window.requests) > 0)


FIGURES: dict[str, Plot] = {
    "ttft_cdf": Plot(
        ttft_cdf, _finished, "Time to first token",
        "Share of finished requests that had their first token after at most so long; bounds of classes are dashed. "
        "Further left is better.",
    ),
    "tpot_cdf": Plot(
        tpot_cdf, lambda r: has(r, lambda w: latency(w.requests, "tpot").size > 0), "Time per output token",
        "Share of finished requests whose tokens after the first took at most so long each; bounds of classes are "
        "dashed.",
    ),
    "requests_waiting": Plot(
        requests_waiting, _asked, "Requests waiting over time",
        "Requests that no replica has started on. Where this grows, TTFT is a matter of the queue.",
    ),
    "requests_running": Plot(
        requests_running, lambda r: has(r, lambda w: (~np.isnan(w.requests["start"])).any()),
        "Requests running over time", "Requests that were started and have not ended, preempted ones included.",
    ),
    "kv_cache": Plot(
        kv_cache, lambda r: has(r, lambda w: w.column("iterations", "time").size > 0), "KV cache over time",
        "KV blocks held by requests as a share of those of the replicas that are there, as of changes of the batches.",
    ),
    "replicas_ready": Plot(
        replicas_ready, lambda r: has(r, _changes), "Replicas over time",
        "Replicas that are ready for requests; those that wait for accelerators, start or drain are not.",
    ),
    "request_outcomes": Plot(
        request_outcomes, _asked, "What became of requests",
        "Shares of all requests after the warm-up; finished ones of classes with bounds are within them or late.",
    ),
    "request_phases": Plot(
        request_phases, _finished, "Where the time of a request goes",
        "The mean end-to-end latency of finished requests, cut into phases; the parts add up to the whole.",
    ),
}  # fmt: skip
"""Figures of services, in order."""
