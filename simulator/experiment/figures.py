"""The doors from results to the report layer, which is opened by name: results offer pages, but do not rest on them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.experiment.results import Results


def report(module: str) -> Any:
    """The module ``simulator.report.<module>``, loaded when it is first needed."""
    return importlib.import_module(f"simulator.report.{module}")


class Plots:
    """The figures of results, each a new ``matplotlib.figure.Figure`` that belongs to nobody else."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def jct_cdf(self) -> Figure:
        """Share of completed jobs by job completion time."""
        return self._draw("jct_cdf")

    def wait_cdf(self) -> Figure:
        """Share of jobs by time in the queue."""
        return self._draw("wait_cdf")

    def utilization(self) -> Figure:
        """Share of the accelerators that is allocated, over time."""
        return self._draw("utilization")

    def queue(self) -> Figure:
        """Jobs in the queue, over time."""
        return self._draw("queue")

    def cost(self) -> Figure:
        """Cost of each alternative by part."""
        return self._draw("cost")

    def breakdown(self) -> Figure:
        """Where the mean job completion time goes: waiting, computing, network, restarts."""
        return self._draw("breakdown")

    def link_heatmap(self, rows: int = 60) -> Figure:
        """Load over capacity of each link, over time; at most ``rows`` links, the busiest of each tier."""
        return report("linkplots").link_heatmap(self._results, rows)  # type: ignore[no-any-return]

    def link_map(self) -> Figure:
        """The network drawn, each link in the colour of its mean load; for small topologies."""
        return report("linkmap").link_map(self._results)  # type: ignore[no-any-return]

    def _draw(self, figure: str) -> Figure:
        return getattr(report("plots"), figure)(self._results)  # type: ignore[no-any-return]
