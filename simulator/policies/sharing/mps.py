"""Multi-Process Service: jobs on one accelerator at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.core.errors import InputError
from simulator.policies.api import interferences
from simulator.workload.jobs import Job


@interferences.register("mps")
class Mps:
    """Jobs side by side on one accelerator (NVIDIA MPS): no loss until they need more than there is.

    ``compute`` and ``bandwidth`` map models to the part of the accelerator's threads and of its memory bandwidth that a
    job needs to run at full pace (0 to 1); ``usual_compute`` and ``usual_bandwidth`` are for the rest. If ``limited``,
    a job has no more threads than its share (``CUDA_MPS_ACTIVE_THREAD_PERCENTAGE``). What is short is divided in
    proportion to what each needs. Memory bandwidth is never limited, as under MPS.

    Source: NVIDIA Multi-Process Service (r580), "Volta MPS Execution Resource Provisioning"; the rule for what is short
    is ours: a roofline of two resources.
    """

    def __init__(
        self,
        compute: Mapping[str, float] | None = None,
        bandwidth: Mapping[str, float] | None = None,
        usual_compute: float = 1.0,
        usual_bandwidth: float = 0.0,
        limited: bool = False,
    ) -> None:
        self._compute, self._bandwidth = dict(compute or {}), dict(bandwidth or {})
        self._usual = (usual_compute, usual_bandwidth)
        self._limited = bool(limited)
        tables = (("compute", self._compute), ("bandwidth", self._bandwidth))
        found = [(f"{name} of {model!r}", value) for name, table in tables for model, value in table.items()]
        for what, value in (*found, ("usual_compute", usual_compute), ("usual_bandwidth", usual_bandwidth)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise InputError(f"{what} is {value!r}; it must be a part of the accelerator, 0 to 1")

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job beside its neighbours."""
        residents = ((job, share), *neighbours)
        threads = [self._threads(other, part) for other, part in residents]
        needed = self._compute.get(job.model, self._usual[0]) * min(1.0, job.accelerators)
        pace = 1.0 if needed <= threads[0] else threads[0] / needed
        asked = sum(self._bandwidth.get(other.model, self._usual[1]) * pace_of(other) for other, _ in residents)
        return pace / max(1.0, sum(threads), asked)

    def _threads(self, job: Job, share: float) -> float:
        """Part of the threads that a job would use if it were alone."""
        needed = self._compute.get(job.model, self._usual[0]) * pace_of(job)
        return min(needed, share) if self._limited else needed


def pace_of(job: Job) -> float:
    """What a job that asked for a share of an accelerator uses, in parts of one that asked for all of it."""
    return min(1.0, job.accelerators)
