"""How full a link is, as a colour: what the figures of links share."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure

from simulator.experiment.results import Results
from simulator.report import style

FULL = 0.995
"""Share of its capacity from which on a link is called full."""
LEVELS = 20
"""Colours between idle and full."""
DOWN, IDLE, BUSIEST = "#b9bdc1", "#f3f5f7", "#D55E00"
PANELS, BESIDE = 6, 2
"""Alternatives that one figure shows, and how many of them side by side."""
_BAR = 0.1
"""Inches of the colour bar."""


def codes(shares: np.ndarray) -> np.ndarray:
    """Loads over capacity as keys of ``palette``; those below 0 are no loads and get a key that is not in it."""
    level = np.minimum(np.floor(shares * LEVELS), LEVELS - 1)
    level = np.where(shares >= FULL, LEVELS, np.where(shares == 0, -1, np.where(shares < 0, -2, level)))
    return np.where(np.isnan(shares), LEVELS + 1, level).astype(int)


def palette() -> dict[int, str]:
    """Colour of each code."""
    return {-1: IDLE, LEVELS: BUSIEST, LEVELS + 1: DOWN} | dict(enumerate(colours()))


def colours() -> list[str]:
    """Colours of the levels, from pale to dark: one hue, and full is another.

    Blue against vermilion is told apart by colour-blind readers (Okabe & Ito 2008), dark against pale by all.
    """
    ramp = LinearSegmentedColormap.from_list("load", ["#dcebf5", "#8fc1e3", "#2b83ba", "#0b3c6f"])
    return [to_hex(colour) for colour in ramp(np.linspace(0.0, 1.0, LEVELS))]


def titled(results: Results, title: str) -> str:
    """The title, and what replications and alternatives the figure shows."""
    count = len(results.replications)
    parts = [f"mean of {count} replications"] if count > 1 else []
    if len(results) > PANELS:
        parts.append(f"first {PANELS} of {len(results)} alternatives")
    return f"{title} ({', '.join(parts)})" if parts else title


def panels(count: int, columns: int, inches: float) -> tuple[Figure, list[Axes], Axes]:
    """A figure with ``count`` panels, each ``inches`` high, and a place for the colour bar below them."""
    levels = -(-count // columns)
    size = (2 * style.WIDTH, levels * (inches + 0.75) + _BAR + 0.75)
    figure = style.Chart(figsize=size, layout="constrained")
    grid = figure.add_gridspec(levels + 1, columns, height_ratios=[inches] * levels + [_BAR])
    places = [figure.add_subplot(grid[place // columns, place % columns]) for place in range(count)]
    return figure, places, figure.add_subplot(grid[levels, 0] if columns > 1 else grid[levels, :])


def colour_bar(figure: Figure, place: Axes, name: str, about: str) -> None:
    """The colour bar, with words for what is full, down, or not shown."""
    bounds = np.concatenate([np.linspace(0.0, 0.95, LEVELS), [FULL, 1.0]])
    shades = ListedColormap([*colours(), BUSIEST])
    ticks = [0.0, 0.25, 0.5, 0.75, (FULL + 1.0) / 2]
    bar = figure.colorbar(
        ScalarMappable(BoundaryNorm(bounds, LEVELS + 1), shades), cax=place, orientation="horizontal", ticks=ticks
    )
    bar.ax.minorticks_off()
    bar.ax.set_xticklabels(["0", "25 %", "50 %", "75 %", "full"])
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    bar.set_label("\n".join(filter(None, [f"{name}; grey: down", about])), fontsize=8)
