"""The figure of a collective: bus bandwidth by message size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from simulator.core.units import format_quantity
from simulator.experiment.collectives import Row
from simulator.report import style


def bus_bandwidth(curves: Mapping[str, Sequence[Row]], title: str) -> Figure:
    """Bus bandwidth (GB/s) over message size, both logarithmic; one curve for each algorithm."""
    shown = {name: [row for row in rows if row.busbw > 0] for name, rows in curves.items()}
    if not any(shown.values()):
        return style.empty(title, "Nothing is sent: there is no bandwidth to show.")
    with style.styled():
        figure, axes = style.new(title)
        for index, (name, rows) in enumerate(list(shown.items())[: style.SHOWN]):
            axes.plot(
                [row.size for row in rows],
                [row.busbw / 1e9 for row in rows],
                label=style.label(name),
                color=style.PALETTE[index % len(style.PALETTE)],
                linestyle=style.DASHES[index // len(style.PALETTE) % len(style.DASHES)],
                marker="o",
                markersize=2.5,
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_quantity(value, "bytes")))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Message size (logarithmic)")
        axes.set_ylabel("Bus bandwidth (GB/s)")
        style.legend(axes, len(shown))
        return style.settle(figure)
