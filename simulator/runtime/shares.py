"""Shares of the time of accelerators: an ideal fluid in which jobs run on several types at once."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.cluster.allocation import Allocator
from simulator.core.errors import did_you_mean
from simulator.workload.jobs import BatchJob, Job
from simulator.workload.speedup import Given

_MILLI = 1000
_SLACK = 1e-6
"""Relative: what rounding in a linear program may take beyond what there is."""


class Shares:
    """Who has which share of the time of which type, and whether it all fits."""

    def __init__(self, nodes: Allocator) -> None:
        self._nodes = nodes
        self.given: dict[Job, Mapping[str, float]] = {}
        """Who runs on shares."""
        self.changed = False
        """Whether the shares are to be judged at the end of the pass."""

    def fault(self, job: Job, shares: Mapping[str, float]) -> str:
        """Say what is wrong with the shares of one job; empty when nothing is."""
        known = dict.fromkeys(self._nodes.types.tolist())
        for kind, share in shares.items():
            if kind not in known:
                return f"there are no accelerators {kind!r}. {did_you_mean(kind, [str(name) for name in known])}"
            if not -_SLACK <= share <= 1 + _SLACK:
                return f"a share of {share:g} of the time on {kind!r}; it must be 0 to 1"
            if job.accelerator_types and share > _SLACK and kind not in job.accelerator_types:
                return f"it does not run on {kind!r}"
        total = sum(shares.values())
        if total > 1 + _SLACK:
            return f"shares of time that add up to {total:g}: at most 1"
        if not isinstance(job, BatchJob) or job.communication:
            return "only batch jobs without communication can have shares of time"
        return ""

    def give(self, job: Job, shares: Mapping[str, float]) -> tuple[float, float]:
        """Return the seconds that all of a job takes at these shares, and the accelerators that it holds in the mean.

        The seconds are infinite for a job that does not run. What is held is counted in thousandths, rounded down, so
        that sums of it are exact.
        """
        assert isinstance(job, BatchJob)
        rate = 0.0
        for kind, share in shares.items():
            alone = job.duration if job.speedup is None else job.speedup.seconds(Given(job.accelerators, 1, kind))
            if share > 0 and alone < math.inf:
                rate += share / alone if alone > 0 else math.inf
        self.changed = True
        if not rate:
            self.given.pop(job, None)
            return math.inf, 0.0
        self.given[job] = dict(shares)
        return 1.0 / rate, math.floor(job.accelerators * min(1.0, sum(shares.values())) * _MILLI) / _MILLI

    def forget(self, job: Job) -> None:
        """A job has ended."""
        self.given.pop(job, None)

    def recount(self) -> None:
        """What is up has changed: judge at the end of the next pass."""
        self.changed = bool(self.given)

    def settle(self) -> str:
        """At the end of a pass: say which type is given away more than once over; empty when none is."""
        self.changed = False
        used: dict[str, float] = {}
        for job, shares in self.given.items():
            for kind, share in shares.items():
                used[kind] = used.get(kind, 0.0) + share * job.accelerators
        for kind, amount in used.items():
            there = float(self._nodes.total[(self._nodes.types == kind) & self._nodes.up].sum())
            if amount > there * (1 + _SLACK) + _SLACK:
                return f"{amount:g} accelerators {kind!r} are given away, {there:g} are up"
        return ""
