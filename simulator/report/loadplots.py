"""Figures of loads: the demand against what the replicas that are ready can serve, and what waits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simulator.experiment.results import Results
from simulator.metrics.window import Window
from simulator.report import panels, style
from simulator.report.curves import Plot, has
from simulator.report.panels import Levels

_DEMAND = "#8a949e"


def load_capacity(results: Results) -> Figure:
    """Requests per second that come, and that the ready replicas can serve, over time: a row a load."""
    return _rows(results, "Demand and capacity of loads", "Requests per second", "capacity", _shade)


def load_backlog(results: Results) -> Figure:
    """Requests that wait, over time: a row a load, a colour an alternative."""
    return _rows(results, "Backlog of loads", "Requests waiting", "backlog", None)


def _rows(
    results: Results, title: str, label: str, column: str, below: Callable[[Axes, Window, str, float], None] | None
) -> Figure:
    found = _loads(results)
    if not found:
        return style.empty(title, "There are no loads.")
    names, shown = found[: panels.ROWS], results.alternatives[: len(style.PALETTE)]
    windows = {name: panels.first(results, name) for name in shown}
    end = max(window.end for window in windows.values())
    with style.styled():
        figure, axes, unit = panels.rows(panels.titled(results, title, len(names), len(found), "loads"), names, end)
        for each, load in zip(axes, names, strict=True):
            each.yaxis.set_major_locator(MaxNLocator(nbins=5))
            if below is not None:
                below(each, next(iter(windows.values())), load, unit)
            for index, window in enumerate(windows.values()):
                grid, (values,) = panels.sampled([_levels(window, load, column)], window.end)
                each.plot(grid / unit, values, drawstyle="steps-post", color=style.PALETTE[index])
        panels.level_with(axes)
        axes[len(axes) // 2].set_ylabel(label)
        called = shown if len(shown) > 1 else (column,) if below is not None else ()
        handles = [
            Line2D([], [], color=style.PALETTE[index], label=style.label(name)) for index, name in enumerate(called)
        ]
        for handle in handles:
            axes[0].add_line(handle)
        style.legend(axes[0], len(axes[0].get_legend_handles_labels()[1]))
        return style.settle(figure)


def _shade(axes: Axes, window: Window, load: str, unit: float) -> None:
    """The demand, as an area: it is the same in all alternatives."""
    grid, (values,) = panels.sampled([_levels(window, load, "demand")], window.end)
    axes.fill_between(grid / unit, values, step="post", color=_DEMAND, alpha=0.35, linewidth=0, label="demand")


def _levels(window: Window, load: str, column: str) -> Levels:
    rows = np.asarray(window.column("loads", "workload") == load, dtype=bool)
    return Levels(window.column("loads", "time")[rows], window.column("loads", column)[rows].astype(float))


def _loads(results: Results) -> list[str]:
    windows = [panels.first(results, name) for name in results]
    return list(dict.fromkeys(str(name) for window in windows for name in window.column("loads", "workload").tolist()))


FIGURES: dict[str, Plot] = {
    "load_capacity": Plot(
        load_capacity, lambda r: bool(_loads(r)), "Demand and capacity of loads",
        "Grey: requests that come. Lines: what the replicas that are ready can serve. Where grey shows above a line, "
        "requests wait.",
    ),
    "load_backlog": Plot(
        load_backlog, lambda r: has(r, lambda w: (w.column("loads", "backlog") > 0).any()), "Backlog of loads",
        "Requests that wait for a replica.",
    ),
}  # fmt: skip
"""Figures of loads, in order."""
