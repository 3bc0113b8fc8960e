"""Figures of links: what each carries over time, and where in the network it is tight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from simulator.experiment.linkuse import LinkUse, changes, link_spans, link_use, natural, over, tier_order
from simulator.experiment.results import Results
from simulator.metrics.window import Window
from simulator.report import loadscale, style

SPANS = 120
"""Spans of time that a heat map has room for; shorter records are drawn change by change."""
_TITLE = "How full the links are"
_NOTHING = "No link loads were recorded: network: {record: links} does it."
_ROW, _HEAD = 0.145, 0.21
"""Inches of a row, and of the name of a tier above its rows."""


def recorded(results: Results) -> bool:
    """Whether any run has the loads of its links."""
    return any(record.tables.get("links", {}).get("link", np.empty(0)).size for record in results.records.values())


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the heat map: a link, or the name of a tier above its links."""

    text: str
    link: int = -1


def link_heatmap(results: Results, rows: int = 60) -> Figure:
    """Load over capacity of each link, over time: one panel an alternative, links by tier and name.

    Links that never carried anything are left out; of the others at most ``rows`` are shown over all panels, the
    busiest of each tier. With several replications shares are means over them.
    """
    if not recorded(results):
        return style.empty(_TITLE, _NOTHING)
    runs = {name: list(results.windows(name).values()) for name in results.alternatives[: loadscale.PANELS]}
    columns = min(loadscale.BESIDE, len(runs))
    levels = -(-len(runs) // columns)
    lines, about = _lines(runs, max(8, rows // levels))
    if not lines:
        return style.empty(_TITLE, "No link carried anything.")
    links = [row.link for row in lines if row.link >= 0]
    with style.styled():
        figure, panels, bar = loadscale.panels(
            len(runs), columns, sum(_ROW if row.link >= 0 else _HEAD for row in lines)
        )
        edges = _edges([window for group in runs.values() for window in group], links)
        for place, (axes, (name, group)) in enumerate(zip(panels, runs.items(), strict=True)):
            unit = style.time_axis(axes.xaxis, "Time", 0.0, float(edges[-1]))
            _panel(axes, lines, _shares(group, links, edges), edges / unit)
            axes.tick_params(axis="y", labelleft=place % columns == 0)
            if len(results) > 1:
                axes.set_title(style.label(name), fontsize=9.5, fontweight="normal", pad=4).set_parse_math(False)
        figure.suptitle(loadscale.titled(results, _TITLE), x=0.005, ha="left", fontsize=11, fontweight="bold")
        loadscale.colour_bar(figure, bar, "Load over capacity", about)
        return style.settle(figure)


def _lines(runs: dict[str, list[Window]], room: int) -> tuple[list[_Row], str]:
    """The lines of every panel, and a sentence on the links that are not among them."""
    uses = [link_use(window) for group in runs.values() for window in group]
    one = max(uses, key=len)
    busy = _busiest(uses, len(one))
    chosen = [link for link in range(len(one)) if busy[link] > 0]
    tiers = {
        tier: sorted(links, key=lambda link: (-busy[link], link))
        for tier, links in groupby(sorted(chosen, key=lambda n: (tier_order(one.tier[n]), n)), lambda n: one.tier[n])
    }
    quota = _quotas({tier: len(links) for tier, links in tiers.items()}, room)
    lines: list[_Row] = []
    for tier, links in tiers.items():
        shown = sorted(links[: quota[tier]], key=lambda n: (natural(one.src[n]), natural(one.dst[n]), n))
        of = f" ({len(shown)} busiest of {len(links)})" if len(shown) < len(links) else ""
        lines.append(_Row((tier or "links") + of))
        lines += [_Row(_name(one, link), link) for link in shown]
    idle = len(one) - len(chosen)
    return lines, f"Not shown: {idle:,} links that carried nothing." if idle else ""


def _busiest(uses: list[LinkUse], count: int) -> np.ndarray:
    """The highest utilization of each link in any run."""
    busy = np.zeros(count)
    for use in uses:
        busy[: len(use)] = np.fmax(busy[: len(use)], np.nan_to_num(use.utilization))
    return busy


def _quotas(sizes: dict[str, int], room: int) -> dict[str, int]:
    """Share ``room`` rows among tiers: small ones get all they want, the others equal parts."""
    quotas: dict[str, int] = {}
    for place, (tier, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        quotas[tier] = min(size, max(1, (room - sum(quotas.values())) // (len(sizes) - place)))
    return quotas


def _name(use: LinkUse, link: int) -> str:
    return f"{style.label(use.src[link], 16)} \N{RIGHTWARDS ARROW} {style.label(use.dst[link], 16)}"


def _edges(windows: list[Window], links: list[int]) -> np.ndarray:
    """Where spans of time begin and end (s): at every change if there are few, else evenly."""
    ends = [window.end for window in windows]
    times = np.unique(np.concatenate([[0.0, *ends], *(changes(window, links) for window in windows)]))
    end = max(ends)
    return times[times <= end] if times.size <= SPANS else np.linspace(0.0, end, SPANS + 1)


def _shares(group: list[Window], links: list[int], edges: np.ndarray) -> np.ndarray:
    """Load over capacity, links x spans, mean over runs; NaN where all are down, -1 from the end of the last run on."""
    total, runs = np.zeros((2, len(links), edges.size - 1))
    for window in group:
        shares = link_spans(window, links, edges)
        total += np.nan_to_num(shares)
        runs += ~np.isnan(shares)
    means = over(total, runs)
    means[:, edges[:-1] >= max(window.end for window in group)] = -1.0
    return means


def _panel(axes: Axes, lines: list[_Row], shares: np.ndarray, edges: np.ndarray) -> None:
    heights = [1.0 if row.link >= 0 else _HEAD / _ROW for row in lines]
    tops = np.concatenate([[0.0], np.cumsum(heights)])
    places = [place for place, row in enumerate(lines) if row.link >= 0]
    _cells(axes, shares, edges, tops[places])
    for place, row in enumerate(lines):
        if row.link < 0:
            axes.text(
                0.0, tops[place + 1] - 0.25, row.text, fontsize=8, fontweight="bold", va="bottom", parse_math=False
            )
    axes.set_xlim(float(edges[0]), float(edges[-1]))
    axes.set_ylim(float(tops[-1]), 0.0)
    axes.set_yticks([tops[place] + 0.5 for place in places], [lines[place].text for place in places], fontsize=6.5)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _cells(axes: Axes, shares: np.ndarray, edges: np.ndarray, tops: np.ndarray) -> None:
    """One path for each colour: neighbours of equal colour are one rectangle, so that pages stay light."""
    codes = loadscale.codes(shares)
    boxes: dict[int, list[Path]] = {}
    for top, row in zip(tops, codes, strict=True):
        cuts = np.flatnonzero(np.diff(row, prepend=-9, append=-9))
        for first, last in pairwise(cuts):
            corners = [(edges[x], top + y) for x, y in ((first, 0.06), (last, 0.06), (last, 0.94), (first, 0.94))]
            boxes.setdefault(int(row[first]), []).append(Path([*corners, corners[0]], _BOX))
    palette = loadscale.palette()
    for code, paths in sorted(boxes.items()):
        if code in palette:
            whole = Path.make_compound_path(*paths)
            axes.add_patch(PathPatch(whole, facecolor=palette[code], edgecolor="none", linewidth=0, antialiased=False))


_BOX = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
