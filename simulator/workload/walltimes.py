"""What users say that their jobs will take: round times, mostly far too long.

The table is that of requested over actual time in an excerpt of HPC2N's log (3,145 jobs, Parallel Workloads Archive,
HPC2N-2002), by how long the jobs ran: short jobs ask for hundreds of times what they take, day-long ones for hardly
more. That a few round values make up nearly all requests is Tsafrir, Etsion and Feitelson, "Modeling user runtime
estimates", JSSPP 2005; in the excerpt the 20 most frequent ones make up 74 %.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.sampling import Draws, from_quantiles

_P = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
OVERESTIMATION: tuple[tuple[float, tuple[float, ...]], ...] = (
    (60.0, (1.0, 11.564, 22.5, 63.158, 514.286, 4000.0, 13668.0, 25611.0, 60000.0)),
    (600.0, (1.0, 1.683, 1.927, 3.435, 14.516, 97.738, 440.76, 696.778, 2575.0)),
    (3600.0, (1.0, 1.0, 1.0, 1.053, 1.594, 2.913, 8.221, 15.776, 48.221)),
    (21600.0, (1.0, 1.0, 1.004, 1.047, 1.86, 3.226, 6.482, 8.34, 28.602)),
    (86400.0, (1.0, 1.0, 1.0, 1.0, 1.058, 1.234, 1.677, 2.67, 3.883)),
    (math.inf, (1.0, 1.0, 1.0, 1.0, 1.0, 1.13, 1.616, 2.568, 3.486)),
)
"""Requested over actual time at the probabilities 0, 5, 10, 25, 50, 75, 90, 95 and 100 %, by actual time up to (s)."""
ROUND = (
    *(minutes * 60.0 for minutes in (1, 2, 5, 10, 15, 20, 30, 45)),
    *(hours * 3600.0 for hours in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)),
    *(days * 86400.0 for days in (1, 1.5, 2, 3, 4, 5, 7, 10, 14, 21, 30)),
)
"""Times (s) that people write; beyond the last, whole months of 30 days."""


def requested(kind: str | float, draws: Draws, durations: np.ndarray, session: np.ndarray) -> np.ndarray:
    """Return what the users of jobs with these ``durations`` (s) ask for, in seconds.

    ``exact``: what the jobs take (-1, which says so). ``user``: one request for all jobs of a ``session``, the longest
    of them times a factor from the table, and then the next round time. A number: so many times the duration. Raises
    ``InputError`` for anything else, and a factor of 0 or less.
    """
    if kind == "exact":
        return np.full(len(durations), -1.0)
    if kind == "user":
        return _requests(draws, durations, session)
    if isinstance(kind, bool) or not isinstance(kind, int | float) or not 0 < kind < math.inf:
        raise InputError(f"requested: {kind!r} is neither 'exact' nor 'user' nor a factor above 0")
    return durations * float(kind)


def _requests(draws: Draws, durations: np.ndarray, session: np.ndarray) -> np.ndarray:
    longest = np.zeros(int(session[-1]) + 1 if len(session) else 0)
    np.maximum.at(longest, session, durations)
    uniform = draws.stream("walltimes").random(len(longest))
    factor = np.ones(len(longest))
    low = -math.inf
    for high, ratios in OVERESTIMATION:
        among = (longest > low) & (longest <= high)
        factor[among] = from_quantiles(uniform[among], _P, ratios)
        low = high
    asked: np.ndarray = rounded(longest * factor)[session]
    return asked


def rounded(seconds: np.ndarray) -> np.ndarray:
    """Return the next round times, not below ``seconds``.

    >>> import numpy as np
    >>> rounded(np.array([61.0, 3600.0, 3601.0, 31 * 86400.0])).tolist()
    [120.0, 3600.0, 5400.0, 5184000.0]
    """
    table = np.array(ROUND)
    place = np.searchsorted(table, seconds)
    within = table[np.minimum(place, len(table) - 1)]
    return np.where(place < len(table), within, np.ceil(seconds / table[-1]) * table[-1])
