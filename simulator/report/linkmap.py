"""A network drawn: servers below, switches above, each link in the colour of its load."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from simulator.cluster.topology import SCALE_UP
from simulator.experiment.linkuse import link_use, natural, over
from simulator.experiment.results import Results
from simulator.metrics.window import Window
from simulator.report import loadscale, style

MOST = 80
"""Vertices that a map has room for."""
_TITLE = "How full the links are, on average"
_HEIGHT, _APART = 3.2, 0.035
"""Inches of a panel, and of a link from the middle between the two directions."""

Pair = tuple[str, str]
Point = tuple[float, float]


def link_map(results: Results) -> Figure:
    """The network, each directed link in the colour of its mean load over capacity; one panel an alternative.

    Links inside servers are left out; parallel links are one. A pair of links keeps to the right, as cars do. For
    networks of at most ``MOST`` vertices; of a larger one the figure says so.
    """
    runs = {name: list(results.windows(name).values()) for name in results.alternatives[: loadscale.PANELS]}
    loads = {name: _loads(group) for name, group in runs.items()}
    vertices = sorted({vertex for pairs in loads.values() for pair in pairs for vertex in pair}, key=natural)
    if not vertices:
        return style.empty(_TITLE, "No link loads were recorded: network: {record: links} does it.")
    if len(vertices) > MOST:
        why = f"The network has {len(vertices):,} vertices, a map has room for {MOST}: see link_heatmap."
        return style.empty(_TITLE, why)
    columns = min(loadscale.BESIDE, len(runs))
    width = style.WIDTH * (2.0 / columns) - 0.5
    points = positions(vertices, {pair for pairs in loads.values() for pair in pairs}, width, _HEIGHT)
    with style.styled():
        figure, panels, bar = loadscale.panels(len(runs), columns, _HEIGHT)
        for axes, (name, pairs) in zip(panels, loads.items(), strict=True):
            _draw(axes, points, pairs, (width, _HEIGHT))
            if len(results) > 1:
                axes.set_title(style.label(name), fontsize=9.5, fontweight="normal", pad=4).set_parse_math(False)
        figure.suptitle(loadscale.titled(results, _TITLE), x=0.005, ha="left", fontsize=11, fontweight="bold")
        loadscale.colour_bar(figure, bar, "Mean load over mean capacity", "")
        return style.settle(figure)


def _loads(group: list[Window]) -> dict[Pair, float]:
    """Mean load over capacity between each two neighbours; NaN when it was down all the time."""
    sums: dict[Pair, np.ndarray] = {}
    for window in group:
        use = link_use(window)
        for link in range(len(use)):
            if use.tier[link] != SCALE_UP:
                pair = (use.src[link], use.dst[link])
                sums[pair] = sums.get(pair, 0.0) + np.array([use.carried[link], use.possible[link]])
    return {pair: float(over(top, bottom)) for pair, (top, bottom) in sums.items()}


def positions(vertices: list[str], pairs: Iterable[Pair], width: float, height: float) -> dict[str, Point]:
    """Where to draw each vertex: in layers by hops from those with the fewest neighbours, else in a circle."""
    near: dict[str, dict[str, None]] = {vertex: {} for vertex in vertices}
    for src, dst in sorted(pairs):
        near[src][dst] = near[dst][src] = None
    fewest = min(map(len, near.values()))
    layers = [[vertex for vertex in vertices if len(near[vertex]) == fewest]]
    seen = dict.fromkeys(layers[0])
    while True:
        above = [v for v in vertices if v not in seen and any(other in layers[-1] for other in near[v])]
        if not above:
            break
        seen.update(dict.fromkeys(above))
        layers.append(above)
    if len(seen) < len(vertices) or not 2 <= len(layers) <= 4:
        turns = [2 * math.pi * place / len(vertices) for place in range(len(vertices))]
        middle, radius = (width / 2, height / 2), (0.44 * width, 0.42 * height)
        spots = [(middle[0] - radius[0] * math.cos(turn), middle[1] + radius[1] * math.sin(turn)) for turn in turns]
        return dict(zip(vertices, spots, strict=True))
    return _layered(layers, near, width, height)


def _layered(
    layers: list[list[str]], near: dict[str, dict[str, None]], width: float, height: float
) -> dict[str, Point]:
    """Each layer evenly from left to right, a vertex near the middle of its neighbours below."""
    points: dict[str, Point] = {}
    for level, layer in enumerate(layers):
        if level:
            below = {v: [points[other][0] for other in near[v] if other in points] for v in layer}
            layer = sorted(layer, key=lambda v: (round(sum(below[v]) / len(below[v]), 6), natural(v)))
        y = height * (0.12 + 0.76 * level / (len(layers) - 1))
        points |= {v: (width * (place + 0.5) / len(layer), y) for place, v in enumerate(layer)}
    return points


def _draw(axes: Axes, points: dict[str, Point], pairs: dict[Pair, float], size: Point) -> None:
    palette = loadscale.palette()
    codes = loadscale.codes(np.array(list(pairs.values())))
    order = np.argsort(codes, kind="stable").tolist()  # the busiest on top
    shades = [palette[int(codes[place])] for place in order]
    ends = list(pairs)
    lines = [_beside(points[ends[place][0]], points[ends[place][1]]) for place in order]
    edge: dict[str, Any] = {"capstyle": "butt", "zorder": 1}
    axes.add_collection(
        LineCollection(lines, colors="#8a949e", linewidths=3.6, **edge)
    )  # an outline, for the pale ones
    axes.add_collection(LineCollection(lines, colors=shades, linewidths=2.8, **edge))
    crowd = len(points) > 24
    for vertex, (x, y) in points.items():
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "#8a949e", "linewidth": 0.6}
        axes.text(x, y, style.label(vertex, 16), fontsize=5.5 if crowd else 7, ha="center", va="center", bbox=box,
                  rotation=90 if crowd else 0, parse_math=False, zorder=3)  # fmt: skip
    axes.set_xlim(0.0, size[0])
    axes.set_ylim(0.0, size[1])
    axes.set_axis_off()


def _beside(start: Point, end: Point) -> tuple[Point, Point]:
    """The line moved to the right of its direction."""
    (x, y), (u, v) = start, end
    length = math.hypot(u - x, v - y) or 1.0
    right, down = _APART * (v - y) / length, -_APART * (u - x) / length
    return (x + right, y + down), (u + right, v + down)
