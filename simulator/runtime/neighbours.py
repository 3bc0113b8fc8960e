"""Jobs that share an accelerator, and how they slow each other."""

from __future__ import annotations

from collections.abc import Callable

from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.api import Interference
from simulator.workload.jobs import Job

Place = tuple[int, int]
"""A server and one of its accelerators, by index."""


_WHOLE = 1 + 1e-9
"""All of an accelerator, and what rounding may add."""


class Neighbours:
    """Who lives on which accelerator; ``set_pace`` tells the motion when that changes how fast somebody is."""

    def __init__(self, interference: Interference) -> None:
        self._interference = interference
        self._residents: dict[Place, dict[Job, float]] = {}
        self.set_pace: Callable[[Job, float], None] = _nobody

    def came(self, job: Job) -> None:
        """A job has begun to run; what has a whole accelerator has no neighbours."""
        place = _place(job)
        if place is not None:
            self._residents.setdefault(place, {})[job] = job.placement[0][1]
            self._settle(place)

    def went(self, job: Job) -> None:
        """A job is about to give its accelerators back."""
        place = _place(job)
        if place is not None and self._residents.get(place, {}).pop(job, None) is not None:
            job.pace = 1.0
            self._settle(place)

    def _settle(self, place: Place) -> None:
        residents = self._residents[place]
        if not residents:
            del self._residents[place]
        for job, share in residents.items():
            others = [(other, part) for other, part in residents.items() if other is not job]
            pace = self._pace(job, share, others)
            if pace != job.pace:
                self.set_pace(job, pace)

    def _pace(self, job: Job, share: float, others: list[tuple[Job, float]]) -> float:
        """Ask the model; what goes wrong there, or makes no sense, is reported as its own."""
        name = type(self._interference).__name__
        try:
            pace = self._interference.pace(job, share, others)
            good = 0 <= pace <= _WHOLE / share
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            raise PolicyError(f"interference {name} of job {job.id!r}: {type(error).__name__}: {error}") from error
        if not good:
            raise PolicyError(
                f"interference {name} of job {job.id!r}: pace is {pace!r}; on {share:g} of an accelerator it must be 0 "
                f"to {1 / share:g}, which is as fast as on a whole one"
            )
        return pace


def _place(job: Job) -> Place | None:
    """The accelerator that a share lives on; None for whole ones."""
    if len(job.placement) == 1 and job.devices and job.devices[0] >= 0:
        return job.placement[0][0], job.devices[0]
    return None


def _nobody(job: Job, pace: float) -> None:
    """Nobody wants to know yet."""
