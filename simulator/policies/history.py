"""How long jobs like this one took before: estimates from jobs that have finished, and from nothing else."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence

from simulator.workload.jobs import Job

Likeness = Callable[[Job], Hashable]


class Rolling:
    """Means of run times, the newest counting most: each older one counts ``decay`` times as much as the next.

    A job is held against those that agree with it in the first of ``likenesses`` for which any have finished.
    """

    def __init__(self, likenesses: Sequence[Likeness], decay: float) -> None:
        self._likenesses, self._decay = tuple(likenesses), decay
        self._sums: dict[tuple[int, Hashable], tuple[float, float]] = {}

    def clear(self) -> None:
        """Forget the run before."""
        self._sums.clear()

    def learn(self, job: Job, seconds: float) -> None:
        """Note that a job took so many seconds."""
        for level, likeness in enumerate(self._likenesses):
            key = (level, likeness(job))
            total, count = self._sums.get(key, (0.0, 0.0))
            self._sums[key] = (total * self._decay + seconds, count * self._decay + 1.0)

    def predict(self, job: Job) -> float | None:
        """Seconds that the job will take, or None when nothing like it has finished."""
        for level, likeness in enumerate(self._likenesses):
            found = self._sums.get((level, likeness(job)))
            if found is not None:
                return found[0] / found[1]
        return None


class LastOnes:
    """Mean of the run times of a user's last ``count`` jobs (Tsafrir, Etsion, Feitelson 2007, with two)."""

    def __init__(self, likeness: Likeness, count: int = 2) -> None:
        self._likeness, self._count = likeness, count
        self._last: dict[Hashable, deque[float]] = {}

    def clear(self) -> None:
        """Forget the run before."""
        self._last.clear()

    def learn(self, job: Job, seconds: float) -> None:
        """Note that a job took so many seconds."""
        self._last.setdefault(self._likeness(job), deque(maxlen=self._count)).append(seconds)

    def predict(self, job: Job) -> float | None:
        """Seconds that the job will take, or None when the user has not finished as many yet."""
        last = self._last.get(self._likeness(job), ())
        return math.fsum(last) / len(last) if len(last) == self._count else None
