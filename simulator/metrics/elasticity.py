"""Measures of how a cluster follows its load: scaling, cold starts, nodes, over-provisioning, waste, carbon."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.metrics import churn, optimum, scaling, waste
from simulator.metrics.measure import Measure, ratio
from simulator.metrics.statistics import mean, quantile
from simulator.metrics.window import Window, number


def _events_per_hour(window: Window) -> float:
    found = scaling.found(window)
    return ratio(float(sum(each.changes for each in found)), _hours(window)) if found else math.nan


def _undo_ratio(window: Window) -> float:
    found = scaling.found(window)
    return ratio(float(sum(each.undone for each in found)), float(sum(each.ups for each in found)))


def _hours(window: Window) -> float:
    return (window.end - window.warmup) / 3600.0


def _cold(estimate: Callable[[np.ndarray], float]) -> Callable[[Window], float]:
    return lambda window: estimate(scaling.cold_starts(window))


def _nodes(window: Window) -> float:
    """Nodes that were paid for, warm ones left out: of groups over the run, else accelerators over those of a node."""
    told = [number(group.get("nodes_mean")) for group in scaling.groups(window).values()]
    known = [value for value in told if not math.isnan(value)]
    if known:
        return math.fsum(known)
    size = optimum.node_size(window)
    return ratio(window.integral("provisioned"), window.span() * size) if size > 0 else math.nan


def _churn(window: Window) -> float:
    return math.nan if math.isnan(optimum.node_size(window)) else churn.found(window).per_hour


def _overprovision(window: Window) -> float:
    pairs = [optimum.service_seconds(window, name) for name in optimum.scaled(window)]
    known = [pair for pair in pairs if not math.isnan(pair[0])]
    return ratio(math.fsum(used for used, _ in known), math.fsum(least for _, least in known))


def _waste(window: Window) -> float:
    found = waste.dollars(window)
    return math.fsum(found.values()) if found else math.nan


ELASTICITY: list[Measure] = [
    Measure(
        "scale.events_per_h", "scale events per hour", "count", "lower",
        "times per hour that an autoscaler changed a number of replicas or nodes", of_run=_events_per_hour,
    ),
    Measure(
        "scale.undo_ratio", "undone scale-ups", "ratio", "lower",
        "share of scale-ups after which the number was back within 5 min, or within the time that starting takes if "
        "that is longer", of_run=_undo_ratio,
    ),
    Measure(
        "replica.hours", "replica-hours", "count", "lower", "hours that replicas had their places, summed",
        of_run=scaling.replica_hours,
    ),
    Measure(
        "cold_start.mean", "mean cold start", "time", "lower",
        "mean time from when a replica has its accelerators until it takes requests", of_run=_cold(mean),
    ),
    Measure(
        "cold_start.p99", "p99 cold start", "time", "lower",
        "99th percentile of the time from when a replica has its accelerators until it takes requests",
        of_run=_cold(lambda seconds: quantile(seconds, 0.99)),
    ),
    Measure(
        "nodes.mean", "mean nodes", "count", "",
        "nodes of groups that were paid for, warm ones left out, mean over time",
        of_run=_nodes,
    ),
    Measure(
        "nodes.churn_per_h", "churn of nodes", "count", "lower",
        "nodes that autoscalers asked for or let go, per hour", of_run=_churn,
    ),
    Measure(
        "overprovision", "over-provisioned replicas", "factor", "lower",
        "replica-seconds of scaled services and loads over the least that would do with instant scaling, whole run; 1 "
        "is a bound that nobody reaches", of_run=_overprovision,
    ),
    Measure(
        "nodes.overprovision", "over-provisioned nodes", "factor", "lower",
        "accelerator-seconds paid for over those of whole nodes that follow the jobs at once, each started when it "
        "may, whole run; 1 is a bound that nobody reaches", of_run=lambda window: ratio(*optimum.node_seconds(window)),
    ),
    Measure(
        "waste.dollars", "waste", "money", "lower",
        "cost of what was not used: booting, idle, free beside work, draining, warm, failed, replicas beyond need; "
        "whole run", of_run=_waste,
    ),
    Measure(
        "carbon.kg", "carbon", "count", "lower", "kilograms of CO2e of the energy that was used, whole run",
        of_run=lambda window: window.fact("carbon"),
    ),
]  # fmt: skip
"""Measures of elasticity, in the order in which tables show them."""
