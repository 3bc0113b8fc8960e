"""Every number that a run is judged by, declared once: name, unit, meaning, which way is better, and how it is made.

Rules that hold for all of them. *Warm-up*: jobs, requests and flows that came before it are left out; integrals over
time run from it to the end of the run. *States*: ``jct`` and ``slowdown`` are of completed jobs; ``wait`` is of all
jobs but rejected ones, an unfinished job counting with its time in the queue so far, because leaving it out would
flatter a policy that starves jobs. Latencies are of finished requests; those rejected, given up or unfinished are
counted. Replicas of services are in no measure of jobs, but hold their accelerators in ``utilization``. *Missing*: a
measure with nothing to measure is NaN, never 0. *Costs* are those of the whole run, warm-up included, since money is
spent on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.metrics.elasticity import ELASTICITY
from simulator.metrics.fairness import FAIRNESS
from simulator.metrics.loads import LOADS
from simulator.metrics.measure import Measure, ratio
from simulator.metrics.recorder import Record
from simulator.metrics.reliability import RELIABILITY
from simulator.metrics.requests import REQUESTS
from simulator.metrics.service import SERVICE
from simulator.metrics.serving import SERVING
from simulator.metrics.statistics import SMALLEST_BATCH, Interval, mean, quantile, sectioned
from simulator.metrics.window import RUNNING, Jobs, Window, number

JOB_HEADLINE = (
    "jct.mean", "jct.p99", "wait.mean", "flows.mean", "flows.p99", "utilization", "cost.total", "energy.kwh",
)  # fmt: skip
SERVICE_HEADLINE = (
    "slo.attainment", "goodput", "ttft.mean", "ttft.p99", "tpot.mean", "tpot.p99", "itl.p99", "e2e.mean",
    "tokens.per_s", "cost.per_million_tokens", "joules.per_token",
)  # fmt: skip
LOAD_HEADLINE = (
    "load.attainment", "load.wait.mean", "load.wait.p99", "load.unserved", "replica.hours", "overprovision",
)  # fmt: skip
HEADLINE = (*SERVICE_HEADLINE, *LOAD_HEADLINE, *JOB_HEADLINE)
"""What a summary shows of the measures that have a value when nobody says otherwise."""


def names() -> tuple[str, ...]:
    """All measures, in the order in which tables show them."""
    return tuple(MEASURES)


def get(name: str) -> Measure:
    """Return the measure called ``name``; ``InputError`` with the nearest name when there is none."""
    if name not in MEASURES:
        raise InputError(f"unknown measure {name!r}. {did_you_mean(name, MEASURES, limit=99)}")
    return MEASURES[name]


def measure(record: Record, name: str) -> float:
    """The value of measure ``name`` over one run, in the unit that the measure declares; NaN when there is none."""
    return get(name).value(Window(record))


def batched(measured: Measure, window: Window) -> Interval:
    """The measure over one run, its half width from batches of jobs; NaN where it cannot be batched."""
    return sectioned(measured.value(window), measured.batches(window))


def _known(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[~np.isnan(values)])


def _jct(jobs: Jobs) -> np.ndarray:
    return _known(jobs["jct"][jobs["completed"]])


def _wait(jobs: Jobs) -> np.ndarray:
    return _known(jobs["wait"][~jobs["rejected"]])


def _slowdown(jobs: Jobs) -> np.ndarray:
    return _known(jobs["slowdown"][jobs["completed"]])


def _flow_seconds(window: Window) -> np.ndarray:
    start = window.column("flows", "start")
    return _known((window.column("flows", "end") - start)[start >= window.warmup])


def _network_share(jobs: Jobs) -> float:
    return ratio(float(np.nansum(jobs["network"])), sum(float(np.nansum(jobs[part])) for part in RUNNING))


def _makespan(window: Window) -> float:
    jobs = window.jobs
    if not jobs["completed"].any() or jobs["unfinished"].any():
        return math.nan
    return float(jobs["end"][jobs["completed"]].max() - jobs["submit"].min())


def _throughput(window: Window) -> float:
    end = window.submitted["end"][window.submitted["completed"]]
    return ratio(float(np.count_nonzero(end >= window.warmup)), window.end - window.warmup)


def _cost(part: str) -> Callable[[Window], float]:
    return lambda window: number((window.record.facts.get("cost") or {}).get(part))


def _total_cost(window: Window) -> float:
    parts = [number(value) for value in (window.record.facts.get("cost") or {}).values()]
    return math.fsum(value for value in parts if not math.isnan(value)) if parts else math.nan


def _cost_per_hour(window: Window) -> float:
    return ratio(_total_cost(window), window.integral("allocated", since=0.0) / 3600.0)


def _cost_per_job(window: Window) -> float:
    return ratio(_total_cost(window), float(window.submitted["completed"].sum()))


def _counted(state: str, better: str, meaning: str) -> Measure:
    def count(window: Window) -> float:
        return float(window.jobs[state].sum())

    return Measure(f"jobs.{state}", f"{state} jobs", "count", better, meaning, of_run=count)


def _at(select: Callable[[Jobs], np.ndarray], probability: float) -> Callable[[Jobs], float]:
    return lambda jobs: quantile(select(jobs), probability)


def _spread(name: str, dimension: str, select: Callable[[Jobs], np.ndarray], meaning: str) -> list[Measure]:
    short = {"jct": "JCT"}.get(name, name)
    rows = [
        Measure(f"{name}.mean", f"mean {short}", dimension, "lower", f"mean {meaning}", lambda jobs: mean(select(jobs)))
    ]
    for percent in (50, 95, 99):
        label, text = f"p{percent} {short}", f"{percent}th percentile of {meaning}"
        if percent == 50:
            label, text = f"median {short}", f"median {meaning}"
        smallest = max(SMALLEST_BATCH, 100 // (100 - percent))
        estimate = _at(select, percent / 100)
        rows.append(Measure(f"{name}.p{percent}", label, dimension, "lower", text, estimate, smallest=smallest))
    return rows


def _flows() -> list[Measure]:
    text = "seconds from asking for a transfer to its last byte, of those that ended"

    def row(name: str, label: str, estimate: Callable[[np.ndarray], float]) -> Measure:
        meaning = f"{label.split()[0]} of {text}"
        return Measure(name, label, "time", "lower", meaning, of_run=lambda window: estimate(_flow_seconds(window)))

    return [
        row("flows.mean", "mean transfer time", mean),
        row("flows.p50", "median transfer time", lambda seconds: quantile(seconds, 0.50)),
        row("flows.p99", "p99 transfer time", lambda seconds: quantile(seconds, 0.99)),
    ]


def _over_time() -> list[Measure]:
    return [
        Measure(
            "queue.mean", "mean queue", "count", "lower", "jobs in the queue, mean over time",
            of_run=lambda w: ratio(w.integral("queued"), w.span()),
        ),
        Measure(
            "utilization", "utilization", "ratio", "",
            "accelerator-seconds held by jobs over accelerator-seconds that were up; jobs that a slow network keeps "
            "longer raise it too, so neither way is called better",
            of_run=lambda w: ratio(w.integral("allocated"), w.integral("capacity")),
        ),
        Measure(
            "allocated.mean", "mean allocation", "count", "", "accelerators held by jobs, mean over time",
            of_run=lambda w: ratio(w.integral("allocated"), w.span()),
        ),
    ]  # fmt: skip


def _outcomes() -> list[Measure]:
    return [
        Measure(
            "makespan", "makespan", "time", "lower",
            "first submission to last completion; not defined while jobs are unfinished", of_run=_makespan,
        ),
        _counted("completed", "higher", "jobs that ran to their end"),
        _counted("rejected", "lower", "jobs turned away"),
        _counted("unfinished", "lower", "jobs still waiting or running at the end of the run"),
        _counted("failed", "lower", "jobs that failed for good"),
        _counted("timeout", "lower", "jobs killed at their limit"),
        Measure(
            "throughput", "throughput", "frequency", "higher", "jobs completed per second after the warm-up",
            of_run=_throughput,
        ),
        Measure(
            "preemptions", "preemptions", "count", "lower", "times that jobs were stopped to make room",
            of_run=lambda w: float(w.jobs["preemptions"].sum()),
        ),
        Measure(
            "network.share", "network share", "ratio", "lower",
            "seconds of exposed communication over seconds of running", _network_share,
        ),
    ]  # fmt: skip


def _money_and_energy() -> list[Measure]:
    return [
        Measure("cost.total", "total cost", "money", "lower", "all costs of the whole run", of_run=_total_cost),
        Measure(
            "cost.capex", "capital cost", "money", "lower", "share of the purchase that falls on the run",
            of_run=_cost("capex"),
        ),
        Measure(
            "cost.electricity", "electricity cost", "money", "lower", "electricity, PUE included",
            of_run=_cost("electricity"),
        ),
        Measure("cost.cloud", "cloud cost", "money", "lower", "rented accelerator hours", of_run=_cost("cloud")),
        Measure(
            "cost.per_accelerator_hour", "cost per accelerator-hour", "price", "lower",
            "all costs per hour that a job held an accelerator", of_run=_cost_per_hour, si=1 / 3600.0,
        ),
        Measure(
            "cost.per_job", "cost per job", "money", "lower", "all costs per completed job", of_run=_cost_per_job,
        ),
        Measure(
            "energy.kwh", "energy", "energy", "lower", "energy of servers and switches over the whole run, without PUE",
            of_run=lambda w: w.fact("energy") / 3.6e6, si=3.6e6,
        ),
    ]  # fmt: skip


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in [
        *_spread("jct", "time", _jct, "job completion time (end - submit) of completed jobs"),
        *_spread("wait", "time", _wait, "time in the queue, over all stays, of all jobs but rejected ones"),
        *_spread("slowdown", "factor", _slowdown, "completion time over time alone, of completed jobs"),
        *SERVICE,
        *FAIRNESS,
        *_over_time(),
        *_outcomes(),
        *_flows(),
        *_money_and_energy(),
        *REQUESTS,
        *SERVING,
        *ELASTICITY,
        *LOADS,
        *RELIABILITY,
    ]
}
"""All measures by name."""
