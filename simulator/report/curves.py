"""How distributions, curves over time and bars are drawn; replications are pooled or averaged, and titles say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from simulator.experiment.results import Results
from simulator.metrics.display import scale
from simulator.metrics.window import Window
from simulator.report import style

POINTS = 500
"""Points of a curve; more would not be seen, but would make pages heavy."""
BINS = 150
HEAVY = 1e3
"""Ratio of largest to smallest value from which on an axis is logarithmic."""
BOUNDS = 3
"""Bounds that a distribution has room for."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure of the page: how to draw it, whether there is something to draw, and the sentence below it."""

    draw: Callable[[Results], Figure]
    has_data: Callable[[Results], bool]
    title: str
    caption: str
    broad: bool = False
    """Whether it takes the whole width of the page."""


class Steps(NamedTuple):
    """A step function of time: from each of ``times`` on it is ``top``, or ``top / bottom`` where there is a bottom."""

    times: np.ndarray
    top: np.ndarray
    bottom: np.ndarray | None = None


def series(column: str, over: str | None = None) -> Callable[[Window], Steps]:
    """A column of the table of series, or its share of another one."""

    def steps(window: Window) -> Steps:
        bottom = window.column("series", over) if over else None
        return Steps(window.column("series", "time"), window.column("series", column).astype(float), bottom)

    return steps


def titled(results: Results, title: str) -> str:
    """The title, saying so when not every alternative fits."""
    if len(results) <= style.SHOWN:
        return title
    return f"{title} (first {style.SHOWN} of {len(results)} alternatives)"


def has(results: Results, test: Callable[[Window], Any]) -> bool:
    """Whether any run passes a test."""
    return any(test(window) for alternative in results for window in results.windows(alternative).values())


def mean_of(results: Results, alternative: str, measure: str) -> float:
    """The mean of a measure of an alternative."""
    return results.estimate(alternative, measure).interval.mean


def pooled(results: Results, select: Callable[[Window], np.ndarray]) -> dict[str, np.ndarray]:
    """Values of all runs of each alternative that is shown, sorted, without missing ones."""
    found = {}
    for alternative in results.alternatives[: style.SHOWN]:
        values = np.concatenate([select(window) for window in results.windows(alternative).values()])
        found[alternative] = np.sort(values[~np.isnan(values)])
    return found


def cdf(
    values: dict[str, np.ndarray], title: str, name: str, noun: str, bounds: Mapping[str, float] | None = None
) -> Figure:
    """Shares of values (s) up to each one, a curve an alternative; ``bounds`` (text -> s) are drawn as lines."""
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
        drawn = dict(list((bounds or {}).items())[:BOUNDS])
        high = max(high, *drawn.values()) if drawn else high
        for text, bound in drawn.items():
            _bound(axes, bound / unit, text)
        axes.set_xlim((low, high * 1.05) if log else (0.0, high / unit * 1.02 or 1.0))
        axes.set_ylim(0.0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel(f"Share of {noun}")
        style.legend(axes, len(values))
        return style.settle(figure)


def _bound(axes: Axes, place: float, text: str) -> None:
    """A line at a bound, its name along it."""
    axes.axvline(place, color="#4d4d4d", linewidth=1.0, linestyle=(0, (2, 2)))
    axes.annotate(
        style.label(text), (place, 0.03), (-3, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        rotation=90, ha="right", va="bottom", fontsize=8, parse_math=False,
    )  # fmt: skip


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


def timeline(results: Results, title: str, steps: Callable[[Window], Steps]) -> tuple[Figure, Axes]:
    """A step function over time, a curve an alternative, the warm-up marked."""
    shown = results.alternatives[: style.SHOWN]
    replications = len(results.replications)
    about = f"{title} (mean of {replications} replications)" if replications > 1 else title
    figure, axes = style.new(titled(results, about))
    windows = {name: list(results.windows(name).values()) for name in shown}
    end = max(window.end for group in windows.values() for window in group)
    unit = style.time_axis(axes.xaxis, "Time", 0.0, end)
    for index, (name, group) in enumerate(windows.items()):
        x, y, how = _curve([window.end for window in group], list(map(steps, group)))
        axes.plot(x / unit, y, drawstyle=how, label=style.label(name), **_line(index, False))
    warmup = min(end, max(window.warmup for group in windows.values() for window in group))
    if warmup > 0:
        axes.axvspan(0.0, warmup / unit, color="#8a949e", alpha=0.15, linewidth=0)
        place = axes.get_xaxis_transform()
        late = warmup > 0.7 * end
        told, side = ("warm-up ", "right") if late else (" \N{LEFTWARDS ARROW} warm-up", "left")
        axes.text(warmup / unit, 0.98, told, transform=place, va="top", ha=side, fontsize=8)
    axes.set_xlim(0.0, end / unit or 1.0)
    style.legend(axes, len(shown))
    return figure, axes


def _curve(ends: Sequence[float], group: Sequence[Steps]) -> tuple[np.ndarray, np.ndarray, str]:
    """A step function of time exactly where it is short; else its means over equal spans, averaged over replications.

    With several replications it stops at the end of the shortest.
    """
    first = group[0]
    if len(group) == 1 and first.times.size <= POINTS:
        y = first.top.astype(float) if first.bottom is None else _share(first.top, first.bottom)
        return np.append(first.times, [ends[0]] * bool(first.times.size)), np.append(y, y[-1:]), "steps-post"
    edges = np.linspace(0.0, min(ends), BINS + 1)
    means = []
    for end, steps in zip(ends, group, strict=True):
        top = _binned(steps.times, steps.top, end, edges)
        means.append(top if steps.bottom is None else _share(top, _binned(steps.times, steps.bottom, end, edges)))
    average = np.mean(means, axis=0)
    return edges, np.append(average, average[-1]), "steps-post"


def _share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return share


def _binned(times: np.ndarray, values: np.ndarray, end: float, edges: np.ndarray) -> np.ndarray:
    if not times.size:
        return np.full(edges.size - 1, np.nan)
    knots = np.append(times, max(end, float(times[-1])))
    area = np.append(0.0, np.cumsum(values.astype(float) * np.diff(knots)))
    return np.asarray(np.diff(np.interp(edges, knots, area)) / np.diff(edges))


def bars(
    results: Results,
    title: str,
    name: str,
    parts: dict[str, list[float]],
    dimension: str,
    unit: float,
    whole: bool = True,
    colors: Mapping[str, str] = style.PART_COLORS,
) -> Figure:
    """A bar an alternative, put together of ``parts`` (name -> value of each alternative); ``unit`` is one of its axis.

    With ``whole`` the sum is written behind it.
    """
    shown = results.alternatives[: style.SHOWN]
    with style.styled():
        figure, axes = style.new(titled(results, title), 1.5 + 0.36 * len(shown))
        left = np.zeros(len(shown))
        used = {
            part: np.nan_to_num(values[: len(shown)]) for part, values in parts.items() if np.any(np.nan_to_num(values))
        }
        for part, widths in used.items():
            color = colors[part]
            axes.barh(
                range(len(shown)), widths / unit, left=left / unit, height=0.62, label=style.label(part), color=color
            )
            left += widths
        chosen = scale(left.tolist(), dimension)
        for row, total in enumerate(left if whole else ()):
            axes.annotate(chosen.text(total), (total / unit, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(shown)), [style.label(a, 28) for a in shown])
        for text in axes.get_yticklabels():
            text.set_parse_math(False)
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set_xlim(0.0, float(left.max()) / unit * (1.14 if whole else 1.0) or 1.0)
        axes.set_xlabel(name)
        style.legend(axes, len(used))
        return style.settle(figure)
