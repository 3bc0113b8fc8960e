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

    def ttft_cdf(self) -> Figure:
        """Share of finished requests by time to first token, with the bounds of their classes."""
        return self._of_services("ttft_cdf")

    def tpot_cdf(self) -> Figure:
        """Share of finished requests by time per output token after the first, with the bounds of their classes."""
        return self._of_services("tpot_cdf")

    def requests_waiting(self) -> Figure:
        """Requests that wait for their first start, over time."""
        return self._of_services("requests_waiting")

    def requests_running(self) -> Figure:
        """Requests that have started and not ended, over time."""
        return self._of_services("requests_running")

    def kv_cache(self) -> Figure:
        """Share of the KV blocks of replicas that requests hold, over time."""
        return self._of_services("kv_cache")

    def replicas_ready(self) -> Figure:
        """Replicas that are ready for requests, over time."""
        return self._of_services("replicas_ready")

    def request_outcomes(self) -> Figure:
        """What became of requests: within bounds, late, rejected, given up, unfinished."""
        return self._of_services("request_outcomes")

    def request_phases(self) -> Figure:
        """Where the mean latency of requests goes: queue, prefill, decode, and what else takes time."""
        return self._of_services("request_phases")

    def replicas_wanted(self) -> Figure:
        """Replicas that autoscalers want and that are ready, over time, a row a fleet."""
        return self._drawn("elasticplots", "replicas_wanted")

    def cold_start_phases(self) -> Figure:
        """Where the mean cold start of a replica goes, phase by phase."""
        return self._drawn("elasticplots", "cold_start_phases")

    def nodes_states(self) -> Figure:
        """Accelerators that are paid for by what they do, over time: held, free, draining, booting, failed."""
        return self._drawn("elasticplots", "nodes_states")

    def nodes_groups(self) -> Figure:
        """Nodes that are up by group, over time."""
        return self._drawn("elasticplots", "nodes_groups")

    def cost_groups(self) -> Figure:
        """Dollars paid for each group of nodes."""
        return self._drawn("elasticplots", "cost_groups")

    def waste_causes(self) -> Figure:
        """Dollars for what was not used, by cause."""
        return self._drawn("elasticplots", "waste_causes")

    def accelerators_failed(self) -> Figure:
        """Accelerators that failures took, over time, a mark a failure."""
        return self._drawn("elasticplots", "accelerators_failed")

    def load_capacity(self) -> Figure:
        """Demand of loads, and what their ready replicas can serve, over time, a row a load."""
        return self._drawn("loadplots", "load_capacity")

    def load_backlog(self) -> Figure:
        """Requests of loads that wait, over time, a row a load."""
        return self._drawn("loadplots", "load_backlog")

    def link_heatmap(self, rows: int = 60) -> Figure:
        """Load over capacity of each link, over time; at most ``rows`` links, the busiest of each tier."""
        return self._drawn("linkplots", "link_heatmap", rows)

    def link_map(self) -> Figure:
        """The network drawn, each link in the colour of its mean load; for small topologies."""
        return self._drawn("linkmap", "link_map")

    def _of_services(self, figure: str) -> Figure:
        return self._drawn("serviceplots", figure)

    def _draw(self, figure: str) -> Figure:
        return self._drawn("plots", figure)

    def _drawn(self, module: str, figure: str, *arguments: Any) -> Figure:
        drawn: Figure = getattr(report(module), figure)(self._results, *arguments)
        return drawn
