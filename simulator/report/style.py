"""How figures look: one palette, one font, the same bytes every time, and nothing left behind in matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from simulator.metrics.display import scale

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
"""Colours that colour-blind readers can tell apart (Okabe & Ito 2008, "Color universal design"), yellow left out."""
PART_COLORS = {
    "waiting": "#a9b4bf", "computing": "#2f6f9f", "network": "#e69f00", "restarts": "#7b3f61",
    "lost work": "#b5483a", "checkpoints": "#5b8c5a", "hung": "#3f3f46",
    "capex": "#2f6f9f", "electricity": "#e69f00", "cloud": "#7fb3b0",
    "queue": "#a9b4bf", "prefill": "#e69f00", "KV transfer": "#7fb3b0", "preempted": "#7b3f61", "decode": "#2f6f9f",
    "within bounds": "#009e73", "finished": "#2f6f9f", "late": "#e69f00", "rejected": "#d55e00", "given up": "#7b3f61",
    "unfinished": "#a9b4bf",
}  # fmt: skip
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
WIDTH = 5.8
"""Inches. Two figures stand side by side on a page and stay legible."""
SHOWN = 12
"""Alternatives that one figure can show."""
_INK, _FAINT = "#1f2933", "#d9dee3"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ai-cluster-simulator",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#8a949e",
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_TICKS = {
    1e-6: "1 us", 1e-5: "10 us", 1e-4: "100 us", 1e-3: "1 ms", 1e-2: "10 ms", 0.1: "100 ms", 1.0: "1 s", 10.0: "10 s",
    60.0: "1 min", 600.0: "10 min", 3600.0: "1 h", 86400.0: "1 d", 864000.0: "10 d", 8640000.0: "100 d",
    8.64e7: "1000 d",
}  # fmt: skip


class Chart(Figure):
    """A matplotlib figure that shows itself in a notebook, with or without pyplot."""

    def _repr_svg_(self) -> str:
        return svg(self)


@contextmanager
def styled() -> Iterator[None]:
    """Our style on top of matplotlib's defaults, whatever the user has set; all is put back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def new(title: str, height: float = 3.1) -> tuple[Chart, Axes]:
    """An empty figure with one pair of axes; sizes in inches."""
    figure = Chart(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, pad=8)
    return figure, axes


@contextmanager
def any_alphabet() -> Iterator[None]:
    """Draw names in alphabets that the font lacks without a word about it: a browser has a font for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def settle(figure: Figure) -> Figure:
    """Fix the layout where it is, so that drawing again, at whatever resolution, gives the same picture."""
    with any_alphabet():
        for _ in range(2):
            figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def empty(title: str, why: str) -> Figure:
    """A figure that says why there is nothing to see."""
    with styled():
        figure, axes = new(title, 1.4)
        axes.set_axis_off()
        axes.text(0.0, 0.5, why, transform=axes.transAxes, parse_math=False)
        return settle(figure)


def label(name: str, longest: int = 36) -> str:
    """A name for a legend: shortened, and never mistaken for one that matplotlib hides (a leading underscore)."""
    short = name if len(name) <= longest else name[: longest - 1] + "…"
    return f"\N{ZERO WIDTH SPACE}{short}" if short.startswith("_") else short


def legend(axes: Axes, count: int) -> None:
    """A legend above the axes, names taken as they are."""
    if count > 1:
        handles, labels = axes.get_legend_handles_labels()
        columns = _columns([len(text) + 6 for text in labels])
        box = axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=columns,
            borderaxespad=0.1,
            handlelength=2.4,
        )
        for text in box.get_texts():
            text.set_parse_math(False)
        axes.set_title(axes.get_title(loc="left"), pad=10 + 16 * -(-count // columns))


def _columns(lengths: list[int], fit: int = 54) -> int:
    """The most columns of a legend that stay within ``fit`` characters, filled evenly as matplotlib fills them."""
    for columns in range(len(lengths), 1, -1):
        if sum(part.max() for part in np.array_split(np.array(lengths), columns)) <= fit:
            return columns
    return 1


def time_axis(axis: Axis, name: str, low: float, high: float, log: bool = False) -> float:
    """Label ``axis`` with ``name`` and a unit for seconds; return the seconds that one unit of the axis stands for.

    A logarithmic axis stays in seconds, with ticks at round seconds, minutes, hours and days.
    """
    if log:
        axis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: _TICKS.get(value, "")))
        axis.set_label_text(f"{name} (logarithmic)")
        return 1.0
    unit = scale([high / 2.0], "time")
    axis.set_label_text(f"{name} ({unit.unit})")
    return unit.factor


def svg(figure: Figure) -> str:
    """The figure as an SVG document; equal figures give equal bytes."""
    buffer = io.StringIO()
    with styled(), any_alphabet():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """The figure for the middle of an HTML page: no XML head, no outside names, ids of its own, a text for the blind.

    ``name`` and ``title`` must be ours: they are not escaped.
    """
    text = svg(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text, count=2)
    text = re.sub(r'<svg([^>]*?)\swidth="[^"]*"', r"<svg\1", text, count=1)
    text = re.sub(r'<svg([^>]*?)\sheight="[^"]*"', r"<svg\1", text, count=1)
    text = text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return re.sub(r"<[^>]*>", lambda tag: _own_ids(tag[0], name), text)


def _own_ids(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    return tag.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
