"""Quasi-shortest service first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.core.units import Ratio, Seconds
from simulator.policies.api import ClusterView
from simulator.policies.history import Rolling
from simulator.policies.order import Keyed
from simulator.policies.orders import orders
from simulator.policies.usage import finished
from simulator.workload.jobs import Job


@orders.register("qssf")
class Qssf(Keyed):
    """The least predicted service first: accelerators x the time that such jobs took before; needs no estimates.

    Source: Hu et al., "Characterization and prediction of deep learning workloads in large-scale GPU datacenters"
    (Helios, SC 2021). The prediction is their rolling estimate: of finished jobs of the same user, model and size, or
    else of the same user and size, of the user, of the size, of all; each counts ``decay`` times as much as the next
    newer one. It is made when a job comes and then stays; jobs that came before any had finished are predicted
    ``unknown`` seconds until one has. Their learned model beside it, and names compared by spelling, are not modelled.
    """

    def __init__(self, decay: Ratio = 0.8, unknown: Seconds = 3600.0) -> None:
        if not 0 < decay <= 1:
            raise ValueError(f"decay is {decay:g}; it must be above 0 and at most 1")
        if not unknown >= 0:
            raise ValueError(f"unknown is {unknown:g} s; it must be 0 or more")
        super().__init__(self._service, "qssf")
        self._unknown = unknown
        self._history = Rolling((_user_model_size, _user_size, _user, _size, _all), decay)
        self._predicted: dict[Job, float] = {}
        self._guessed: dict[Job, None] = {}
        self._stale = False

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._history.clear()
        self._predicted.clear()
        self._guessed.clear()
        self._stale = False

    def on_submit(self, job: Job) -> None:
        """Predict how long the job will take; one that comes back keeps its prediction."""
        if job not in self._predicted:
            found = self._history.predict(job)
            self._predicted[job] = self._unknown if found is None else found
            if found is None:
                self._guessed[job] = None

    def on_finish(self, job: Job) -> None:
        """Learn how long the job took."""
        self._predicted.pop(job, None)
        self._guessed.pop(job, None)
        if finished(job):
            self._history.learn(job, job.ran)
            self._stale = bool(self._guessed)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, the least predicted service in front."""
        if self._stale:
            self._stale = False
            for job in self._guessed:
                found = self._history.predict(job)
                self._predicted[job] = self._unknown if found is None else found
                view.queue.again(job)
            self._guessed.clear()
        return super().waiting(view)

    def _service(self, job: Job) -> Any:
        return (job.accelerators * self._predicted.get(job, self._unknown), job.submit, job.accelerators)


def _user_model_size(job: Job) -> tuple[str, str, str, float]:
    return (job.tenant, job.user, job.model, job.accelerators)


def _user_size(job: Job) -> tuple[str, str, float]:
    return (job.tenant, job.user, job.accelerators)


def _user(job: Job) -> tuple[str, str]:
    return (job.tenant, job.user)


def _size(job: Job) -> float:
    return job.accelerators


def _all(job: Job) -> None:
    return None
