"""Figures of elasticity and failures: replicas, nodes, cold starts, money by group, waste, what failures took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simulator.experiment.results import Results
from simulator.metrics import scaling, waste
from simulator.metrics.display import scale
from simulator.metrics.window import Window, number
from simulator.report import elasticlevels as levels
from simulator.report import panels, style
from simulator.report.curves import Plot, bars, has
from simulator.report.panels import Levels

STATE_COLORS = {
    levels.HELD: "#2f6f9f", levels.FREE: "#a9b4bf", levels.DRAINING: "#cc79a7", levels.BOOTING: "#e69f00",
    levels.FAILED: "#b5483a",
}  # fmt: skip
LOST_COLORS = {levels.UNNOTICED: "#3f3f46", levels.REPAIRED: "#b5483a", levels.SLOW: "#e69f00"}
WASTE = {
    "booting": "booting", "idle": "idle nodes", "headroom": "free beside work", "draining": "draining",
    "warm": "warm", "failed": "failed", "replicas": "replicas beyond need",
}  # fmt: skip
"""Causes of waste, and what a figure calls them."""
WASTE_COLORS = {
    "booting": "#e69f00", "idle nodes": "#a9b4bf", "free beside work": "#7fb3b0", "draining": "#cc79a7",
    "warm": "#d55e00", "failed": "#b5483a", "replicas beyond need": "#2f6f9f",
}  # fmt: skip
MARKED = 60
"""Failures that get a mark each that points at them; more become a row of strokes."""
_WANTED: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (2, 1.4))}
OTHERS = "others"
"""What parts are called together for which there is no colour left."""


def replicas_wanted(results: Results) -> Figure:
    """Replicas that autoscalers want and that are ready, over time: a row a fleet, a colour an alternative."""
    title, found = "Replicas wanted and ready", _fleets(results)
    if not found:
        return style.empty(title, "No autoscaler decided on replicas.")
    names, shown = found[: panels.ROWS], results.alternatives[: len(style.PALETTE)]
    windows = {name: panels.first(results, name) for name in shown}
    end = max(window.end for window in windows.values())
    with style.styled():
        told = panels.titled(results, title, len(names), len(found), "fleets")
        figure, axes, unit = panels.rows(told, names, end)
        for each, fleet in zip(axes, names, strict=True):
            for color, window in zip(style.PALETTE, windows.values(), strict=False):
                grid, (want, have) = panels.sampled(
                    [levels.wanted(window, fleet), levels.ready(window, fleet)], window.end
                )
                each.plot(grid / unit, have, drawstyle="steps-post", color=color)
                if len(levels.wanted(window, fleet).times):
                    mark = color if len(shown) > 1 else style.PALETTE[1]
                    each.plot(grid / unit, want, drawstyle="steps-post", color=mark, **_WANTED)
        panels.level_with(axes)
        axes[len(axes) // 2].set_ylabel("Replicas")
        colors = dict(zip(shown, style.PALETTE, strict=False)) if len(shown) > 1 else {}
        handles = [Line2D([], [], color=color, label=style.label(name)) for name, color in colors.items()]
        solid, dashed = ("#4d4d4d", "#4d4d4d") if colors else style.PALETTE[:2]
        handles += [Line2D([], [], color=solid, label="ready")]
        handles += [Line2D([], [], color=dashed, **_WANTED, label="wanted")]
        for handle in handles:
            axes[0].add_line(handle)
        style.legend(axes[0], len(handles))
        return style.settle(figure)


def nodes_states(results: Results) -> Figure:
    """Accelerators that are paid for by what they do, over time: a row an alternative."""
    return _stacks(results, "What is paid for", "Accelerators", levels.paid, STATE_COLORS)


def nodes_groups(results: Results) -> Figure:
    """Nodes that are up by group, over time: a row an alternative."""
    names = dict.fromkeys(name for window in _firsts(results) for name in levels.by_group(window))
    return _stacks(results, "Nodes by group", "Nodes that are up", levels.by_group, _colors(names))


def accelerators_failed(results: Results) -> Figure:
    """Accelerators that failures took, over time, a mark where hardware failed: a row an alternative."""
    return _stacks(
        results, "What failures took", "Accelerators", levels.outages, LOST_COLORS, marks=levels.failures
    )  # fmt: skip


def cost_groups(results: Results) -> Figure:
    """Dollars paid for each group of nodes, mean over replications, one bar an alternative."""
    found = [_mean([_paid(window) for window in results.windows(name).values()]) for name in results]
    names = list(dict.fromkeys(name for each in found for name in each))
    parts, colors = _parts(found, names)
    return bars(results, "What groups cost", "Cost of the run ($)", parts, "money", 1.0, colors=colors)


def waste_causes(results: Results) -> Figure:
    """Dollars for what was not used, by cause, mean over replications, one bar an alternative."""
    found = [_mean([waste.dollars(window) for window in results.windows(name).values()]) for name in results]
    parts = {text: [each.get(cause, np.nan) for each in found] for cause, text in WASTE.items()}
    title = "What was paid for and not used"
    if not any(np.nansum(values) > 0 for values in parts.values()):
        return style.empty(title, "Nothing was wasted, or no cost is known.")
    return bars(results, title, "Cost of the run ($)", parts, "money", 1.0, colors=WASTE_COLORS)


def cold_start_phases(results: Results) -> Figure:
    """Mean cold start of a replica by phase, replications averaged, one bar an alternative."""
    found = [_mean([levels.cold_phases(window) for window in results.windows(name).values()]) for name in results]
    names = list(dict.fromkeys(name for each in found for name in each))
    if not names:
        return style.empty("Where a cold start goes", "No replica had a cold start.")
    parts, colors = _parts(found, names)
    unit = scale([max(sum(each.values()) for each in found)], "time")
    name = f"Mean cold start ({unit.unit})"
    return bars(results, "Where a cold start goes", name, parts, "time", unit.factor, colors=colors)


def _stacks(
    results: Results,
    title: str,
    label: str,
    parts: Callable[[Window], dict[str, Levels]],
    colors: Mapping[str, str],
    marks: Callable[[Window], np.ndarray] | None = None,
) -> Figure:
    names = [name for name in results if _seen(parts(panels.first(results, name)))]
    shown = names[: panels.ROWS]
    if not shown:
        return style.empty(title, "There is nothing to see.")
    windows = [panels.first(results, name) for name in shown]
    found = [parts(window) for window in windows]
    kept = [name for name in colors if any(np.any(each[name].values > 0) for each in found if name in each)]
    end = max(window.end for window in windows)
    with style.styled():
        told = panels.titled(results, title, len(shown), len(names), "alternatives")
        figure, axes, unit = panels.rows(told, shown, end, named=len(results) > 1)
        for each, window, own in zip(axes, windows, found, strict=True):
            there = {name: own.get(name, Levels(np.empty(0), np.empty(0))) for name in kept}
            panels.stack(each, there, colors, window.end, unit)
            when = np.empty(0) if marks is None else marks(window)
            if len(when):
                few = len(when) <= MARKED
                height = np.full(len(when), 0.965 if few else 0.98)
                each.plot(
                    when / unit, height, transform=each.get_xaxis_transform(), linestyle="none", color="#1f2933",
                    marker="v" if few else "|", markersize=5 if few else 4, label="a failure", clip_on=False,
                )  # fmt: skip
        panels.level_with(axes, same=True)
        axes[len(axes) // 2].set_ylabel(label)
        style.legend(axes[0], max(2, len(axes[0].get_legend_handles_labels()[1])))
        return style.settle(figure)


def _seen(parts: Mapping[str, Levels]) -> bool:
    return any(bool(np.any(each.values > 0)) for each in parts.values())


def _firsts(results: Results) -> list[Window]:
    return [panels.first(results, name) for name in results]


def _fleets(results: Results) -> list[str]:
    return list(dict.fromkeys(name for window in _firsts(results) for name in levels.scaled(window)))


def _colors(names: Iterable[str]) -> dict[str, str]:
    return {name: style.PALETTE[index % len(style.PALETTE)] for index, name in enumerate(names)}


def _paid(window: Window) -> dict[str, float]:
    return {name: number(group.get("paid"), 0.0) for name, group in scaling.groups(window).items()}


def _mean(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over runs of what they tell, a part that a run does not tell counting as 0."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: float(np.mean([run.get(name, 0.0) for run in runs])) for name in names}


def _parts(found: Sequence[Mapping[str, float]], names: Sequence[str]) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Values of each part in each alternative, and colours; what is too much for the palette is put together."""
    most = len(style.PALETTE)
    kept = list(names) if len(names) <= most else list(names)[: most - 1]
    parts = {name: [each.get(name, np.nan) for each in found] for name in kept}
    colors = _colors(kept)
    if len(names) > most:
        rest = [sum(each.get(name, 0.0) for name in names if name not in parts) for each in found]
        parts, colors = parts | {OTHERS: rest}, colors | {OTHERS: style.PALETTE[-1]}
    return parts, colors


def _costs(window: Window) -> bool:
    """Whether there is more than one group that costs something."""
    return sum(paid > 0 for paid in _paid(window).values()) > 1


def _fails(window: Window) -> bool:
    """Whether failures took accelerators, or made them slow."""
    return _seen(levels.outages(window))


def _varies(window: Window) -> bool:
    """Whether what is paid for, or what of it is up, changes: else all is told by the utilization."""
    time = window.column("series", "time")
    return bool(len(time)) and any(
        len(np.unique(window.column("series", name))) > 1 for name in ("provisioned", "capacity")
    )


FIGURES: dict[str, Plot] = {
    "replicas_wanted": Plot(
        replicas_wanted, lambda r: bool(_fleets(r)), "Replicas wanted and ready",
        "Dashed: replicas that the autoscaler asked for, within its bounds. Solid: those that take work. The gap is "
        "waiting for accelerators and cold starts. Where changes are many, means over short spans are drawn.",
    ),
    "cold_start_phases": Plot(
        cold_start_phases, lambda r: has(r, levels.cold_phases), "Where a cold start goes",
        "Mean time from having accelerators to taking requests, by phase.",
    ),
    "nodes_states": Plot(
        nodes_states, lambda r: any(map(_varies, _firsts(r))), "What is paid for",
        "Accelerators that are paid for by what they do. What no job or replica holds is room for more, or waste.",
    ),
    "nodes_groups": Plot(
        nodes_groups, lambda r: any(map(levels.by_group, _firsts(r))), "Nodes by group",
        "Nodes that are up, by their group.",
    ),
    "cost_groups": Plot(
        cost_groups, lambda r: has(r, _costs), "What groups cost", "Dollars paid for the nodes of each group.",
    ),
    "waste_causes": Plot(
        waste_causes, lambda r: has(r, lambda w: any(value > 0 for value in waste.dollars(w).values())),
        "What was paid for and not used",
        "Dollars for what booted, was free, drained, was kept warm or had failed, and for replicas beyond what the "
        "computing of their service kept busy. The parts do not overlap. Work that was lost or done again is not in "
        "them.",
    ),
    "accelerators_failed": Plot(
        accelerators_failed, lambda r: any(map(_fails, _firsts(r))),
        "What failures took",
        "Accelerators that were down: before anybody noticed, jobs hang on them; then they are being repaired. Each "
        "mark is a failure.",
    ),
}  # fmt: skip
"""Figures of elasticity and failures, in order."""
OF_REPLICAS = ("replicas_wanted", "cold_start_phases")
"""Those of services, loads and data jobs, which stand with the other figures of these."""
