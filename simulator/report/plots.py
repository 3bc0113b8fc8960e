"""The figures of an experiment, each a function of ``Results``. Replications are pooled or averaged, and it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from simulator.experiment.results import Results
from simulator.metrics.display import scale
from simulator.metrics.window import Window
from simulator.report import linkplots, style
from simulator.report.linkplots import link_heatmap
from simulator.report.verdict import breakdown as parts_of_jct

POINTS = 500
"""Points of a curve; more would not be seen, but would make pages heavy."""
BINS = 150
_PARTS = {"wait": "waiting", "compute": "computing", "network": "network", "overhead": "restarts"}
HEAVY = 1e3
"""Ratio of largest to smallest value from which on an axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure of the page: how to draw it, whether there is something to draw, and the sentence below it."""

    draw: Callable[[Results], Figure]
    has_data: Callable[[Results], bool]
    title: str
    caption: str
    broad: bool = False
    """Whether it takes the whole width of the page."""


def jct_cdf(results: Results) -> Figure:
    """Share of completed jobs by job completion time, replications pooled."""
    values = _pooled(results, lambda w: w.jobs["jct"][w.jobs["completed"]])
    return _cdf(values, _titled(results, "How long jobs take"), "Job completion time", "completed jobs")


def wait_cdf(results: Results) -> Figure:
    """Share of jobs (all but rejected ones) by time in the queue, replications pooled."""
    values = _pooled(results, lambda w: w.jobs["wait"][~w.jobs["rejected"]])
    return _cdf(values, _titled(results, "How long jobs wait"), "Time in the queue", "jobs")


def flows_cdf(results: Results) -> Figure:
    """Share of transfers by duration, replications pooled."""
    values = _pooled(results, lambda w: w.column("flows", "end") - w.column("flows", "start"))
    return _cdf(values, _titled(results, "How long transfers take"), "Transfer time", "transfers that ended")


def utilization(results: Results) -> Figure:
    """Accelerators allocated as a share of those that are up, over time."""
    with style.styled():
        figure, axes = _timeline(results, "Utilization over time", ("allocated", "capacity"))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("Allocated accelerators")
        axes.set_ylim(0.0, 1.04)
        return style.settle(figure)


def queue(results: Results) -> Figure:
    """Jobs in the queue, over time."""
    with style.styled():
        figure, axes = _timeline(results, "Queue over time", ("queued", None))
        axes.set_ylabel("Jobs in the queue")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_ylim(bottom=0.0)
        return style.settle(figure)


def cost(results: Results) -> Figure:
    """Cost of the run by part, mean over replications, one bar an alternative."""
    parts = {name: f"cost.{name}" for name in ("capex", "electricity", "cloud")}
    bars = {p: [_mean(results, a, measure) for a in results] for p, measure in parts.items()}
    if np.isnan(list(bars.values())).all():
        return style.empty("What it costs", "No cost was asked for.")
    return _bars(results, "What it costs", "Cost of the run ($)", bars, "money", 1.0)


def breakdown(results: Results) -> Figure:
    """Where the mean JCT of completed jobs goes, mean over replications, one bar an alternative."""
    seconds = [parts_of_jct(list(results.windows(a).values()), seconds=True) for a in results]
    if not any(seconds):
        return style.empty("Where the time goes", "No job completed.")
    bars = {name: [parts.get(part, np.nan) for parts in seconds] for part, name in _PARTS.items()}
    total = [sum(parts.values()) for parts in seconds]
    unit = scale([max(total)], "time")
    return _bars(results, "Where the time goes", f"Mean job completion time ({unit.unit})", bars, "time", unit.factor)


FIGURES: dict[str, Plot] = {
    "jct_cdf": Plot(
        jct_cdf,
        lambda r: _has(r, lambda w: w.jobs["completed"].any()),
        "How long jobs take",
        "Share of completed jobs that took at most so long. Further left is better.",
    ),
    "wait_cdf": Plot(
        wait_cdf,
        lambda r: _has(r, lambda w: len(w.jobs) > 0),
        "How long jobs wait",
        "Share of jobs that waited at most so long. On a logarithmic axis jobs that never waited are at the left edge.",
    ),
    "utilization": Plot(
        utilization,
        lambda r: _has(r, lambda w: len(w.jobs) > 0 and w.column("series", "time").size > 0),
        "Utilization over time",
        "Accelerators held by jobs as a share of those that were up.",
    ),
    "queue": Plot(
        queue,
        lambda r: _has(r, lambda w: len(w.jobs) > 0 and w.column("series", "time").size > 0),
        "Queue over time",
        "Jobs waiting for accelerators.",
    ),
    "breakdown": Plot(
        breakdown,
        lambda r: _has(r, lambda w: w.jobs["completed"].any()),
        "Where the time goes",
        "The mean job completion time, cut into what the job was doing; the parts add up to the whole.",
    ),
    "cost": Plot(
        cost,
        lambda r: any(not np.isnan(_mean(r, a, "cost.total")) for a in r),
        "What it costs",
        "Cost of the whole run by part.",
    ),
    "flows_cdf": Plot(
        flows_cdf,
        lambda r: _has(r, lambda w: w.column("flows", "end").size > 0),
        "How long transfers take",
        "Share of transfers that took at most so long.",
    ),
    "link_heatmap": Plot(
        link_heatmap,
        linkplots.recorded,
        "How full the links are",
        "Load over capacity of each directed link. Dark is busy, orange is full: there, traffic waits for traffic.",
        broad=True,
    ),
}
"""The figures of a page, in order."""


def _titled(results: Results, title: str) -> str:
    """The title, saying so when not every alternative fits."""
    if len(results) <= style.SHOWN:
        return title
    return f"{title} (first {style.SHOWN} of {len(results)} alternatives)"


def _has(results: Results, test: Callable[[Window], Any]) -> bool:
    return any(test(window) for alternative in results for window in results.windows(alternative).values())


def _mean(results: Results, alternative: str, measure: str) -> float:
    return results.estimate(alternative, measure).interval.mean


def _pooled(results: Results, select: Callable[[Window], np.ndarray]) -> dict[str, np.ndarray]:
    pooled = {}
    for alternative in results.alternatives[: style.SHOWN]:
        values = np.concatenate([select(window) for window in results.windows(alternative).values()])
        pooled[alternative] = np.sort(values[~np.isnan(values)])
    return pooled


def _cdf(values: dict[str, np.ndarray], title: str, name: str, noun: str) -> Figure:
    known = [array for array in values.values() if array.size]
    if not known:
        return style.empty(title, f"There are no {noun}.")
    with style.styled():
        figure, axes = style.new(title)
        low, high, log = _range(known)
        unit = style.time_axis(axes.xaxis, name, low, high, log)
        if log:
            axes.set_xscale("log")
            style.time_axis(axes.xaxis, name, low, high, log)
        for index, (alternative, array) in enumerate(values.items()):
            if array.size:
                x, y = _steps(np.maximum(array, low) if log else array)
                axes.plot(x / unit, y, drawstyle="steps-post", label=style.label(alternative), **_line(index, True))
        axes.set_xlim((low, high * 1.05) if log else (0.0, high / unit * 1.02 or 1.0))
        axes.set_ylim(0.0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel(f"Share of {noun}")
        style.legend(axes, len(values))
        return style.settle(figure)


def _range(known: list[np.ndarray]) -> tuple[float, float, bool]:
    high = max(float(array[-1]) for array in known)
    positive = [float(array[array > 0][0]) for array in known if array[-1] > 0]
    low = max(min(positive), high / 1e6) if positive else 0.0
    log = bool(positive) and high / min(positive) > HEAVY
    return low, high, log


def _steps(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the empirical distribution: even in rank, denser towards the tail, from 0 on."""
    count = ordered.size
    even = np.linspace(0, count - 1, min(count, POINTS - 200)).round()
    tail = count - np.geomspace(1, count, min(count, 200)).round()
    kept = np.unique(np.concatenate([even, tail])).astype(int)
    return np.append(ordered[0], ordered[kept]), np.append(0.0, (kept + 1) / count)


def _line(index: int, dashed: bool) -> dict[str, Any]:
    turn = index if dashed else index // len(style.PALETTE)
    return {
        "color": style.PALETTE[index % len(style.PALETTE)],
        "linestyle": style.DASHES[turn % len(style.DASHES)],
    }


def _timeline(results: Results, title: str, ratio: tuple[str, str | None]) -> tuple[Figure, Axes]:
    shown = results.alternatives[: style.SHOWN]
    replications = len(results.replications)
    about = f"{title} (mean of {replications} replications)" if replications > 1 else title
    figure, axes = style.new(_titled(results, about))
    windows = {name: list(results.windows(name).values()) for name in shown}
    end = max(window.end for group in windows.values() for window in group)
    unit = style.time_axis(axes.xaxis, "Time", 0.0, end)
    for index, (name, group) in enumerate(windows.items()):
        x, y, how = _curve(group, *ratio)
        axes.plot(x / unit, y, drawstyle=how, label=style.label(name), **_line(index, False))
    warmup = max(window.warmup for group in windows.values() for window in group)
    if warmup > 0:
        axes.axvspan(0.0, warmup / unit, color="#8a949e", alpha=0.15, linewidth=0)
        place = axes.get_xaxis_transform()
        late = warmup > 0.7 * end
        told, side = ("warm-up ", "right") if late else (" \N{LEFTWARDS ARROW} warm-up", "left")
        axes.text(warmup / unit, 0.98, told, transform=place, va="top", ha=side, fontsize=8)
    axes.set_xlim(0.0, end / unit or 1.0)
    style.legend(axes, len(shown))
    return figure, axes


def _curve(group: list[Window], upper: str, lower: str | None) -> tuple[np.ndarray, np.ndarray, str]:
    """A step function of time exactly where it is short; else its means over equal spans, averaged over replications.

    With several replications it stops at the end of the shortest.
    """
    first = group[0]
    times = first.column("series", "time")
    if len(group) == 1 and times.size <= POINTS:
        top = first.column("series", upper).astype(float)
        y = _share(top, first.column("series", lower)) if lower else top
        return np.append(times, [first.end] * bool(times.size)), np.append(y, y[-1:]), "steps-post"
    edges = np.linspace(0.0, min(window.end for window in group), BINS + 1)
    means = [_binned(window, upper, edges) for window in group]
    if lower:
        means = [_share(top, _binned(w, lower, edges)) for top, w in zip(means, group, strict=True)]
    average = np.mean(means, axis=0)
    return edges, np.append(average, average[-1]), "steps-post"


def _share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return share


def _binned(window: Window, column: str, edges: np.ndarray) -> np.ndarray:
    times, values = window.column("series", "time"), window.column("series", column).astype(float)
    if not times.size:
        return np.full(edges.size - 1, np.nan)
    knots = np.append(times, max(window.end, float(times[-1])))
    area = np.append(0.0, np.cumsum(values * np.diff(knots)))
    return np.asarray(np.diff(np.interp(edges, knots, area)) / np.diff(edges))


def _bars(results: Results, title: str, name: str, bars: dict[str, list[float]], dimension: str, unit: float) -> Figure:
    shown = results.alternatives[: style.SHOWN]
    with style.styled():
        figure, axes = style.new(_titled(results, title), 1.5 + 0.36 * len(shown))
        left = np.zeros(len(shown))
        used = {
            part: np.nan_to_num(values[: len(shown)]) for part, values in bars.items() if np.any(np.nan_to_num(values))
        }
        for part, widths in used.items():
            color = style.PART_COLORS[part]
            axes.barh(range(len(shown)), widths / unit, left=left / unit, height=0.62, label=part, color=color)
            left += widths
        chosen = scale(left.tolist(), dimension)
        for row, total in enumerate(left):
            axes.annotate(chosen.text(total), (total / unit, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(shown)), [style.label(a, 28) for a in shown])
        for text in axes.get_yticklabels():
            text.set_parse_math(False)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set_xlim(0.0, float(left.max()) / unit * 1.14 or 1.0)
        axes.set_xlabel(name)
        style.legend(axes, len(used))
        return style.settle(figure)


def draw_all(results: Results) -> dict[str, Figure]:
    """Every figure that has something to show, by name, in the order of ``FIGURES``."""
    return {name: plot.draw(results) for name, plot in FIGURES.items() if plot.has_data(results)}
