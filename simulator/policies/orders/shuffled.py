"""Random order."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.policies.order import Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


@orders.register("random")
class Random(Keyed):
    """In random order, drawn when a job comes: what any order that knows something should beat."""

    def __init__(self) -> None:
        super().__init__(self._draw, "random")
        self._rng = np.random.default_rng(0)
        self._drawn: dict[Job, float] = {}

    def reset(self, rng: np.random.Generator) -> None:
        """Draw from the run's own numbers."""
        self._rng = rng
        self._drawn.clear()

    def on_submit(self, job: Job) -> None:
        """Draw the job's place; a job that comes back keeps it."""
        if job not in self._drawn:
            self._drawn[job] = self._rng.random()

    def on_finish(self, job: Job) -> None:
        """Forget the job."""
        self._drawn.pop(job, None)

    def _draw(self, job: Job) -> Any:
        return self._drawn.get(job, 0.0)
