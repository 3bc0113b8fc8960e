"""Sessions: users submit jobs in runs of near-identical ones, seconds apart, as sweeps and job arrays are.

Most jobs of the public traces come so: in the largest tenant of the Philly extract 92 % of the jobs follow the one
before within a minute, on as many accelerators, with durations whose normal scores correlate by 0.88. A process of
sessions is a Poisson cluster process (Bartlett 1963, J. R. Statist. Soc. B 25, 264-296; Lewis 1964, ibid. 26, 398-456).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.laws import Law, law
from simulator.workload.sampling import Draws, choose


@dataclass(frozen=True, slots=True)
class Sessions:
    """The law of sessions.

    ``length`` is the law of their number of jobs, ``gap`` that of the seconds between two jobs of one, and ``alike``
    the correlation of the normal scores of the durations of two jobs of one (a Gaussian copula: it leaves the law of
    the durations as it is).
    """

    length: Law
    gap: Law
    alike: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Sessions:
        """Read a row of data: ``{length: law, gap: law, alike: 0 to 1}``."""
        if not 0 <= row["alike"] <= 1:
            raise InputError(f"alike: {row['alike']!r} is not a correlation from 0 to 1")
        return cls(law(row["length"]), law(row["gap"]), float(row["alike"]))

    def split(self, draws: Draws, jobs: int, burstiness: float) -> np.ndarray:
        """Return for each job the number of its session, from 0, in order.

        Of each session all jobs but the first are ``burstiness`` times as many: at 0 every job is a session of its own.
        """
        drawn = np.maximum(np.rint(self.length(draws.stream("sessions").random(jobs))), 1.0)
        lengths = np.rint(np.minimum(1 + (drawn - 1) * burstiness, jobs)).astype(np.int64)
        ends = np.cumsum(lengths)
        needed = int(np.searchsorted(ends, jobs)) + 1
        session: np.ndarray = np.repeat(np.arange(needed), lengths[:needed])[:jobs]
        return session

    def offsets(self, draws: Draws, session: np.ndarray) -> np.ndarray:
        """Return the seconds from the beginning of its session to each job."""
        gaps = self.gap(draws.stream("gaps").random(len(session)))
        first = np.append(True, session[1:] != session[:-1])
        passed = np.cumsum(np.where(first, 0.0, gaps))
        offsets: np.ndarray = passed - passed[first][session]
        return offsets

    def scores(self, draws: Draws, session: np.ndarray, common: np.ndarray) -> np.ndarray:
        """Return a uniform number for each job, correlated within sessions; ``common`` has one for each session."""
        return copula(common[session], draws.stream("durations").random(len(session)), self.alike)


def copula(common: np.ndarray, own: np.ndarray, alike: float) -> np.ndarray:
    """Mix two uniform numbers into one whose normal score correlates by sqrt(``alike``) with that of ``common``."""
    from scipy.special import ndtr, ndtri

    if alike in (0.0, 1.0):
        return common if alike else own
    score = np.sqrt(alike) * ndtri(_inside(common)) + np.sqrt(1 - alike) * ndtri(_inside(own))
    return np.asarray(ndtr(score))


def _inside(uniform: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(uniform, 1e-12, 1 - 1e-12))


@dataclass(frozen=True, slots=True)
class Users:
    """Users of a tenant: ``count`` of them, the k-th as busy as 1 / k**``zipf``, with a ``habit``.

    The habit is the probability with which a session draws its durations from the user's own stretch of the law, as
    wide as the user's share of the sessions, and not from all of it: the law of all users together stays what it is.
    """

    count: int
    zipf: float = 1.0
    habit: float = 0.5

    def draw(self, draws: Draws, sessions: int) -> np.ndarray:
        """Return for each session the number of its user, 0 the busiest."""
        return choose(draws.stream("users").random(sessions), self._shares().tolist())

    def habits(self, draws: Draws, user: np.ndarray, common: np.ndarray) -> np.ndarray:
        """Return the uniform numbers ``common`` of sessions, those with a habit moved into their users' stretches."""
        order = draws.stream("stretches").permutation(self.count)
        shares = self._shares()
        lower = np.empty(self.count)
        lower[order] = np.cumsum(shares[order]) - shares[order]
        own = draws.stream("habits").random(len(user)) < self.habit
        return np.asarray(np.where(own, lower[user] + common * shares[user], common))

    def _shares(self) -> np.ndarray:
        shares: np.ndarray = 1.0 / np.arange(1, self.count + 1) ** self.zipf
        return np.asarray(shares / shares.sum())
