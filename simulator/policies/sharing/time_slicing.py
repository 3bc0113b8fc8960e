"""Time slicing: jobs take turns on one accelerator."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.core.errors import InputError
from simulator.core.units import Ratio
from simulator.policies.api import interferences
from simulator.workload.jobs import Job


@interferences.register("time-slicing")
class TimeSlicing:
    """Equal turns on the accelerator: a job that asked for a share of it uses no more, and leaves the rest to others.

    ``overhead`` is the part of the time that switching takes wherever there are several (0 to below 1).

    Source: the time slicing of the NVIDIA device plugin for Kubernetes, which gives each process an equal turn;
    max-min fair where a job needs less. The overhead has no measured default.
    """

    def __init__(self, overhead: Ratio = 0.0) -> None:
        if not 0 <= overhead < 1:
            raise InputError(f"overhead is {overhead!r}; it must be 0 to below 1")
        self._overhead = overhead

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job beside its neighbours."""
        if not neighbours:
            return 1.0
        own = min(1.0, job.accelerators)
        needs = sorted([own, *(min(1.0, other.accelerators) for other, _ in neighbours)])
        left = 1.0 - self._overhead
        for place, need in enumerate(needs):
            turn = left / (len(needs) - place)
            if need > turn:
                return 1.0 if own <= turn else turn / own
            left -= need
        return 1.0
