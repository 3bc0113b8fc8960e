"""The figures of an experiment, each a function of ``Results``. Replications are pooled or averaged, and it says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from simulator.experiment.results import Results
from simulator.metrics.display import scale
from simulator.report import elasticplots, linkplots, loadplots, serviceplots, style
from simulator.report.curves import Plot, bars, cdf, has, mean_of, pooled, series, timeline, titled
from simulator.report.linkplots import link_heatmap
from simulator.report.verdict import breakdown as parts_of_jct

_PARTS = {
    "wait": "waiting", "compute": "computing", "network": "network", "overhead": "restarts", "rework": "lost work",
    "checkpointing": "checkpoints", "hung": "hung",
}  # fmt: skip
_ALWAYS = ("wait", "compute", "network", "overhead")


def jct_cdf(results: Results) -> Figure:
    """Share of completed jobs by job completion time, replications pooled."""
    values = pooled(results, lambda w: w.jobs["jct"][w.jobs["completed"]])
    return cdf(values, titled(results, "How long jobs take"), "Job completion time", "completed jobs")


def wait_cdf(results: Results) -> Figure:
    """Share of jobs (all but rejected ones) by time in the queue, replications pooled."""
    values = pooled(results, lambda w: w.jobs["wait"][~w.jobs["rejected"]])
    return cdf(values, titled(results, "How long jobs wait"), "Time in the queue", "jobs")


def flows_cdf(results: Results) -> Figure:
    """Share of transfers by duration, replications pooled."""
    values = pooled(results, lambda w: w.column("flows", "end") - w.column("flows", "start"))
    return cdf(values, titled(results, "How long transfers take"), "Transfer time", "transfers that ended")


def utilization(results: Results) -> Figure:
    """Accelerators allocated as a share of those that are up, over time."""
    with style.styled():
        figure, axes = timeline(results, "Utilization over time", series("allocated", "capacity"))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylabel("Allocated accelerators")
        axes.set_ylim(0.0, 1.04)
        return style.settle(figure)


def queue(results: Results) -> Figure:
    """Jobs in the queue, over time."""
    with style.styled():
        figure, axes = timeline(results, "Queue over time", series("queued"))
        axes.set_ylabel("Jobs in the queue")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.set_ylim(bottom=0.0)
        return style.settle(figure)


def cost(results: Results) -> Figure:
    """Cost of the run by part, mean over replications, one bar an alternative."""
    names = {name: f"cost.{name}" for name in ("capex", "electricity", "cloud")}
    parts = {p: [mean_of(results, a, measure) for a in results] for p, measure in names.items()}
    if np.isnan(list(parts.values())).all():
        return style.empty("What it costs", "No cost was asked for.")
    return bars(results, "What it costs", "Cost of the run ($)", parts, "money", 1.0)


def breakdown(results: Results) -> Figure:
    """Where the mean JCT of completed jobs goes, mean over replications, one bar an alternative."""
    seconds = [parts_of_jct(list(results.windows(a).values()), seconds=True) for a in results]
    if not any(seconds):
        return style.empty("Where the time goes", "No job completed.")
    there = [part for part in _PARTS if part in _ALWAYS or any(parts.get(part, 0.0) > 0 for parts in seconds)]
    found = {_PARTS[part]: [parts.get(part, np.nan) for parts in seconds] for part in there}
    total = [sum(parts.values()) for parts in seconds]
    unit = scale([max(total)], "time")
    return bars(results, "Where the time goes", f"Mean job completion time ({unit.unit})", found, "time", unit.factor)


def _ready_alone(results: Results) -> bool:
    """Whether replicas that are ready have a figure of their own: not where those that are wanted stand beside them."""
    return not elasticplots.FIGURES["replicas_wanted"].has_data(results) and _READY.has_data(results)


_READY = serviceplots.FIGURES["replicas_ready"]
FIGURES: dict[str, Plot] = serviceplots.FIGURES | {
    "replicas_ready": replace(_READY, has_data=_ready_alone),
    **{name: elasticplots.FIGURES[name] for name in elasticplots.OF_REPLICAS},
    **loadplots.FIGURES,
    "jct_cdf": Plot(
        jct_cdf,
        lambda r: has(r, lambda w: w.jobs["completed"].any()),
        "How long jobs take",
        "Share of completed jobs that took at most so long. Further left is better.",
    ),
    "wait_cdf": Plot(
        wait_cdf,
        lambda r: has(r, lambda w: len(w.jobs) > 0),
        "How long jobs wait",
        "Share of jobs that waited at most so long. On a logarithmic axis jobs that never waited are at the left edge.",
    ),
    "utilization": Plot(
        utilization,
        lambda r: has(r, lambda w: bool(len(w.jobs) or w.services) and w.column("series", "time").size > 0),
        "Utilization over time",
        "Accelerators held by jobs as a share of those that were up.",
    ),
    "queue": Plot(
        queue,
        lambda r: has(r, lambda w: len(w.jobs) > 0 and w.column("series", "time").size > 0),
        "Queue over time",
        "Jobs waiting for accelerators.",
    ),
    "breakdown": Plot(
        breakdown,
        lambda r: has(r, lambda w: w.jobs["completed"].any()),
        "Where the time goes",
        "The mean job completion time, cut into what the job was doing; the parts add up to the whole.",
    ),
    "cost": Plot(
        cost,
        lambda r: any(not np.isnan(mean_of(r, a, "cost.total")) for a in r),
        "What it costs",
        "Cost of the whole run by part.",
    ),
    **{name: plot for name, plot in elasticplots.FIGURES.items() if name not in elasticplots.OF_REPLICAS},
    "flows_cdf": Plot(
        flows_cdf,
        lambda r: has(r, lambda w: w.column("flows", "end").size > 0),
        "How long transfers take",
        "Share of transfers that took at most so long.",
    ),
    "link_heatmap": Plot(
        link_heatmap,
        linkplots.recorded,
        "How full the links are",
        "Load over capacity of each directed link. Dark is busy, orange is full: there, traffic waits for traffic.",
        broad=True,
    ),
}
"""The figures of a page, in order."""


def draw_all(results: Results) -> dict[str, Figure]:
    """Every figure that has something to show, by name, in the order of ``FIGURES``."""
    return {name: plot.draw(results) for name, plot in FIGURES.items() if plot.has_data(results)}
