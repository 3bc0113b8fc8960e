"""Whether a service ran so near to its limit that the time to first token tells of its queue rather than of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.metrics import queueing
from simulator.metrics.display import scale
from simulator.metrics.measure import ratio
from simulator.metrics.serving import blocks, seconds
from simulator.metrics.statistics import mean
from simulator.metrics.window import Requests, Window, number

QUEUED = 0.5
"""Share of TTFT spent in the queue from which on TTFT is a matter of the queue."""
WAITING = 0.7
"""Share of the computing time in which requests waited from which on a service is near saturation: of one server that
takes one at a time it is the utilization (M/M/1), and a queue at 0.7 grows by a half with 10 % more load."""
GROWTH = 2.0
"""Queue time of the last third of the requests over that of the first from which on the queue grows over the run."""
OFTEN = 0.3
"""Share of the computing time in which requests waited from which on a queue that grows is more than chance."""
FEWEST = 60
"""Requests below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Load:
    """How loaded a service was: shares of 1, and mean queue times in seconds of the first and last third to arrive."""

    queued: float
    """Queue time over TTFT, of finished requests."""
    waiting: float
    """Share of its computing time in which requests waited at the replica."""
    busy: float
    """Share of the time that its replicas held accelerators in which they computed."""
    full: float
    """Highest share of a replica's KV blocks that was held."""
    early: float
    late: float
    held_up: bool = False
    """Whether other requests, which are left out here, had waited until the first replicas were ready."""

    @property
    def grows(self) -> bool:
        """Whether the queue grew over the run."""
        return self.late > GROWTH * self.early

    @property
    def saturated(self) -> bool:
        """Whether TTFT is a property of the queue, and the queue one of the last few percent of the load.

        A queue that was left from before replicas were ready, and shrinks, is neither.
        """
        if self.held_up and self.early > GROWTH * self.late:
            return False
        waiting = self.waiting >= WAITING or (self.grows and self.waiting >= OFTEN)
        return self.queued >= QUEUED and waiting


def load(windows: Sequence[Window], service: str) -> Load | None:
    """Find how loaded a service was in these runs, pooled; None when too few requests came.

    Requests that waited while no replica was ready do not count, nor does what was computed before the first other.
    """
    came = [w.requests.where(np.asarray(w.requests["workload"] == service, dtype=bool)) for w in windows]
    asked = [_met_replicas(window, service, each) for window, each in zip(windows, came, strict=True)]
    if sum(map(len, asked)) < FEWEST:
        return None
    computing = waited = full = 0.0
    for window, each in zip(windows, asked, strict=True):
        since = max(window.warmup, float(each["arrival"][0]) if len(each) else math.inf)
        rows = window.column("iterations", "time") >= window.warmup
        own = np.asarray(window.column("iterations", "workload")[rows] == service, dtype=bool)
        lasted = seconds(window)[own] * (window.column("iterations", "time")[rows][own] >= since)
        computing += float(lasted.sum())
        waited += float(lasted[window.column("iterations", "waiting")[rows][own] > 0].sum())
        share = (window.column("iterations", "held")[rows] / blocks(window))[own]
        full = max(full, float(np.max(share, initial=0.0, where=~np.isnan(share))))
    facts = [window.services[service] for window in windows]
    held_for, computed = (
        math.fsum(number(fact.get(name)) for fact in facts)
        for name in ("accelerator_seconds", "busy_accelerator_seconds")
    )
    thirds = [_thirds(requests) for requests in asked if len(requests) >= 3]
    return Load(
        queued=ratio(_sum(asked, "queue"), _sum(asked, "ttft")),
        waiting=ratio(waited, computing),
        busy=ratio(computed, held_for),
        full=full,
        early=mean([early for early, _ in thirds]),
        late=mean([late for _, late in thirds]),
        held_up=sum(map(len, asked)) < sum(map(len, came)),
    )


def _met_replicas(window: Window, service: str, requests: Requests) -> Requests:
    """The requests that never waited while no replica of the service was ready."""
    found = queueing.unready(window, service, *queueing.queued(requests))
    return requests.where(found[queueing.NOWHERE] + found[queueing.STARTING] <= 0.0)


def _sum(asked: Sequence[Requests], column: str) -> float:
    return math.fsum(float(np.nansum(requests[column][requests["finished"]])) for requests in asked)


def _thirds(requests: Requests) -> tuple[float, float]:
    """Mean queue time of the first and the last third to arrive; whoever never started waited as long as it was there.

    Rejected requests do not count.
    """
    there = requests.where(~requests["rejected"])
    last = np.where(np.isnan(there["end"]), there["arrival"] + there["age"], there["end"])
    queue = np.where(np.isnan(there["start"]), last, there["start"]) - there["arrival"]
    third = len(queue) // 3
    return mean(queue[:third]), mean(queue[-third:] if third else queue[:0])


def sentence(service: str, found: Load) -> str:
    """What a reader of the TTFT of a saturated service must know."""
    since = " after replicas were ready" if found.held_up else ""
    early, late = (scale([value], "time").text(value) for value in (found.early, found.late))
    grew = f"mean queue time went from {early} in the first third of the arrivals{since} to {late} in the last"
    return (
        f"{service} ran near saturation or beyond it: "
        f"{found.queued:.0%} of TTFT is queue time, requests waited during {found.waiting:.0%} of the computing time, "
        f"{grew}. Replicas computed {found.busy:.0%} of their time, the KV cache was up to {found.full:.0%} full. "
        "TTFT here is a property of the queue and not predictable: a few percent of load or speed change it manyfold."
    ).replace("%", " %")
