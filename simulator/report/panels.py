"""Several small axes below each other under one title: a row a service, a load or an alternative, time along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulator.experiment.results import Results
from simulator.metrics.window import Window
from simulator.report import style

ROWS = 4
"""Rows that one figure has room for."""
POINTS = 300
"""Points of a curve; of more its means over as many equal spans are drawn."""
_FIRST_ROW, _MORE = 2.6, 1.25
"""Inches of the first row with title, legend and time axis, and of each further one."""


class Levels(NamedTuple):
    """A step function of time: from each of ``times`` (s, in order) on it is ``values``."""

    times: np.ndarray
    values: np.ndarray


def moves(times: Sequence[float], changes: Sequence[float]) -> Levels:
    """The level from 0 s on that goes by ``changes`` at ``times`` (s, in order); changes of one instant are one.

    >>> moves([0.0, 5.0, 5.0], [1.0, 2.0, -1.0])
    Levels(times=array([0., 5.]), values=array([1., 2.]))
    """
    moments, index = np.unique(np.append(0.0, times), return_inverse=True)
    return Levels(moments, np.cumsum(np.bincount(index, np.append(0.0, changes))))


def on(grid: np.ndarray, levels: Levels) -> np.ndarray:
    """Values of a step function at the instants of ``grid`` (s); 0 before it begins."""
    place = np.searchsorted(levels.times, grid, "right") - 1
    if not len(levels.times):
        return np.zeros(len(grid))
    return np.where(place < 0, 0.0, levels.values[np.clip(place, 0, None)])


def sampled(parts: Sequence[Levels], end: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Instants, and the values of each step function from each of them on, the last one repeated at ``end`` (s).

    Exact where few instants do; else means over equal spans.
    """
    times = np.unique(np.concatenate([np.zeros(1), *(part.times for part in parts)]))
    times = times[(times >= 0) & (times < end)] if end > 0 else np.zeros(1)
    if len(times) <= POINTS:
        grid = np.append(times, end)
        return grid, [np.append(values := on(times, part), values[-1]) for part in parts]
    grid = np.linspace(0.0, end, POINTS + 1)
    knots = np.append(times, end)
    found = []
    for part in parts:
        area = np.append(0.0, np.cumsum(on(times, part) * np.diff(knots)))
        means = np.diff(np.interp(grid, knots, area)) / np.diff(grid)
        found.append(np.append(means, means[-1]))
    return grid, found


def first(results: Results, alternative: str) -> Window:
    """The first replication of an alternative, which is what figures of single runs show."""
    window: Window = next(iter(results.windows(alternative).values()))
    return window


def titled(results: Results, title: str, shown: int, of: int, noun: str) -> str:
    """The title, saying so when it shows one replication of several, or some rows of more."""
    parts = [f"first {shown} of {of} {noun}"] if of > shown else []
    parts += [f"first of {len(results.replications)} replications"] if len(results.replications) > 1 else []
    return f"{title} ({', '.join(parts)})" if parts else title


def rows(title: str, names: Sequence[str], end: float, named: bool | None = None) -> tuple[Figure, list[Axes], float]:
    """A figure with axes for each name, the name in them where there are several; and the seconds of a unit of time."""
    figure = style.Chart(figsize=(style.WIDTH, _FIRST_ROW + _MORE * (len(names) - 1)), layout="constrained")
    axes = [figure.add_subplot(len(names), 1, row + 1) for row in range(len(names))]
    axes[0].set_title(title, pad=8)
    unit = 1.0
    for row, (each, name) in enumerate(zip(axes, names, strict=True)):
        unit = style.time_axis(each.xaxis, "Time", 0.0, end)
        each.set_xlim(0.0, end / unit or 1.0)
        each.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if row + 1 < len(names):
            each.set_xlabel("")
            each.tick_params(labelbottom=False)
        if len(names) > 1 if named is None else named:
            each.text(
                0.012, 0.95, style.label(name), transform=each.transAxes, va="top", fontsize=9, fontweight="bold",
                parse_math=False, bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0}, zorder=5,
            )  # fmt: skip
    return figure, axes, unit


def stack(axes: Axes, parts: Mapping[str, Levels], colors: Mapping[str, str], end: float, unit: float) -> None:
    """Step functions (name -> levels) on top of each other up to ``end`` (s)."""
    grid, values = sampled(list(parts.values()), end)
    top = np.zeros(len(grid))
    for name, value in zip(parts, values, strict=True):
        axes.fill_between(
            grid / unit, top, top + value, step="post", color=colors[name], linewidth=0, label=style.label(name)
        )
        top = top + value
    axes.set_ylim(0.0, float(top.max(initial=0.0)) or 1.0)


def level_with(axes: Sequence[Axes], same: bool = False) -> None:
    """Let axes begin at 0, with room at the top for what stands there; ``same``: all with one scale."""
    room = 1.1 if len(axes) == 1 else 1.35
    tops = [each.dataLim.y1 if np.isfinite(each.dataLim.y1) else 0.0 for each in axes]
    for each, top in zip(axes, [max(tops)] * len(tops) if same else tops, strict=True):
        each.set_ylim(0.0, room * top or 1.0)
