"""What a scheduler believes of run times: the truth, what it is told, or what the user's last jobs took."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import Any, Protocol

from simulator.policies.api import ClusterView
from simulator.policies.history import LastOnes
from simulator.policies.order import soonest
from simulator.policies.usage import finished, group
from simulator.workload.jobs import Job
from simulator.workload.options import one_of


class Estimates(Protocol):
    """Run times as a scheduler believes them. ``on_submit``, ``on_finish`` and ``reset`` are optional."""

    def of(self, job: Job) -> float:
        """Seconds that a waiting job will run from its start on; does not change while it waits."""
        ...

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds that a running job will go on for; 0 for one that is overdue."""
        ...

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs, those that are expected to end first in front."""
        ...


class Told:
    """What the job says; where that is nothing, the truth, which the engine fills in."""

    def of(self, job: Job) -> float:
        """Seconds that the job is said to need in all, also when it has run before."""
        return job.estimate

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds left by that; 0 for a job that has overrun: it is expected to end now."""
        return view.remaining(job)

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs by expected end."""
        return soonest(view)


class Exact:
    """The truth, alone on the cluster: what no scheduler knows."""

    def of(self, job: Job) -> float:
        """Seconds that the job has left to run."""
        return truth(job) - job.done

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds that the job has left, its restart included."""
        restart = max(0.0, job.since + job.restarting - view.now)
        worked = max(0.0, view.now - job.since - job.restarting) * job.speed
        return max(0.0, truth(job) - job.done - worked) + restart

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs by their true ends, as far as nothing slows them."""
        if not view.topology.has_network:
            return view.running.by(_true_end)
        return sorted(view.running, key=lambda job: self.remaining(view, job))


class Predicted:
    """The mean of the run times of the user's last two jobs, corrected upward when it is exceeded.

    Source: Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user runtime
    estimates" (IEEE TPDS 2007). A prediction is made when a job comes. Until the user has finished two jobs it is what
    the job's limit says, or without one its estimate. It never exceeds the limit. A running job that reaches its
    prediction is given 1 min more, then 5, 15, 30 min, 1, 2, 5, 10, 20, 50, 100 h, and that again and again.
    """

    def __init__(self) -> None:
        self._history = LastOnes(group, 2)
        self._total: dict[Job, float] = {}
        self._steps: dict[Job, int] = {}

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._history.clear()
        self._total.clear()
        self._steps.clear()

    def on_submit(self, job: Job) -> None:
        """Predict; a job that comes back keeps its prediction."""
        if job not in self._total:
            found = self._history.predict(job)
            self._total[job] = min(job.limit, job.limit if found is None else found)
            if self._total[job] == math.inf:
                self._total[job] = job.estimate

    def on_finish(self, job: Job) -> None:
        """Learn how long the job took."""
        self._total.pop(job, None)
        self._steps.pop(job, None)
        if finished(job):
            self._history.learn(job, job.ran)

    def of(self, job: Job) -> float:
        """Seconds that the job will run from its start on."""
        return max(0.0, self._total[job] - job.ran)

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds that the job will go on for."""
        return max(0.0, self._end(job) - view.now)

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs by predicted end, those that are overdue corrected first."""
        now, running = view.now, view.running
        while late := list(takewhile(lambda job: self._end(job) <= now, running.by(self._end))):
            late = [job for job in late if self._correct(job, now)]
            for job in late:
                running.again(job)
            if not late:
                break
        return running.by(self._end)

    def _end(self, job: Job) -> float:
        return job.since - job.ran + self._total[job]

    def _correct(self, job: Job, now: float) -> bool:
        """Give an overdue job more time; False when its limit allows no more."""
        if self._total[job] >= job.limit:
            return False
        while self._end(job) <= now and self._total[job] < job.limit:
            step = self._steps.get(job, 0)
            self._steps[job] = step + 1
            self._total[job] = min(job.limit, self._total[job] + _CORRECTIONS[min(step, len(_CORRECTIONS) - 1)])
        return True


_CORRECTIONS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 18e3, 36e3, 72e3, 18e4, 36e4)
"""Seconds by which predictions are moved on, one after the other."""

ESTIMATES: Mapping[str, Callable[[], Estimates]] = {"exact": Exact, "user": Told, "predicted": Predicted}


def make_estimates(value: str | Estimates) -> Estimates:
    """Return estimates by name, or an object of the kind as it is; raise ``InputError`` for another name."""
    if isinstance(value, str):
        return ESTIMATES[one_of("estimates", value, tuple(ESTIMATES))]()
    return value


def truth(job: Job) -> float:
    """Seconds that a job takes alone; of a job that is not a plain gang, what its estimate says."""
    return float(getattr(job, "duration", job.estimate))


def _true_end(job: Job) -> float:
    return job.since + job.restarting + truth(job) - job.done


class Believing:
    """What backfilling with estimates has in common: their hooks, and a note on how good they were."""

    name = ""

    def __init__(self, depth: int, estimates: str | Estimates) -> None:
        if depth < 0:
            raise ValueError(f"depth is {depth}; it must be 0 (no limit) or more")
        self.depth = depth
        self.estimates = make_estimates(estimates)
        self._submit = getattr(self.estimates, "on_submit", None)
        self._finish = getattr(self.estimates, "on_finish", None)
        self._length = self.estimates.of
        self._jobs = self._known = 0

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._jobs = self._known = 0
        hook = getattr(self.estimates, "reset", None)
        if hook is not None:
            hook(rng)

    def on_submit(self, job: Job) -> None:
        """Count how many estimates are the truth."""
        if not job.preemptions:
            self._jobs += 1
            if job.estimate == truth(job):
                self._known += 1
        if self._submit is not None:
            self._submit(job)

    def on_finish(self, job: Job) -> None:
        """Pass the end of a job on to the estimates."""
        if self._finish is not None:
            self._finish(job)

    def notes(self) -> list[str]:
        """Say when the scheduler knew what none knows."""
        if isinstance(self.estimates, Exact):
            return [f"Backfilling ({self.name}) was told how long every job would run: estimates are exact."]
        if isinstance(self.estimates, Told) and self._known:
            told = f"{self._known:,} of {self._jobs:,} jobs"
            return [
                f"Backfilling ({self.name}) knew how long {told} would run: they have no estimates of their own, or "
                "exact ones. With estimates as users make them waits are others."
            ]
        return []
