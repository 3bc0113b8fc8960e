"""Rounds with leases: how an allocation becomes who runs where for the next few minutes.

Source: Gavel (OSDI 2020), section 5 and ``scheduler.py``. Each round gives each type to the jobs that have had least of
the share of it that they should have. The mechanism is pure arithmetic here; ``execution`` applies it to a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def choose(
    shares: Array,
    received: Array,
    deficit: Array,
    pace: Array,
    gang: Array,
    capacity: Array,
    order: Sequence[int],
    conserving: bool = True,
) -> Array:
    """Type that each job runs on in the next round, or -1; int array of shape (jobs,).

    The priority of a job on a type is its share over the seconds ``received`` there, ties by ``deficit`` (seconds that
    it should have had and did not), then by share, then by row. Types are filled in ``order``, each with the jobs of
    the highest priority that fit, one type to a job. What differs by rounding only, or by the
    moments that jobs need to change places, is equal. A ``conserving`` choice gives what is left to jobs whose share of
    the type is 0 too. All arrays but ``gang`` (jobs,) and ``capacity`` (types,) have shape (jobs, types).
    """
    found = np.full(len(gang), -1, dtype=np.int64)
    if not len(gang):
        return found
    shares, received, deficit = np.round(shares, 9), np.round(received, 1), np.round(deficit)
    priority = np.where(pace > 0, shares / received, -1.0)
    single = bool((gang == 1).all())
    for kind in order:
        can = (found < 0) & (pace[:, kind] > 0)
        if not conserving:
            can &= shares[:, kind] > 0
        rows = np.flatnonzero(can)
        if len(rows) * single > capacity[kind] or not single:
            best = np.lexsort((-shares[rows, kind], -deficit[rows, kind], -priority[rows, kind]))
            rows = rows[best]
        if single:
            found[rows[: int(capacity[kind])]] = kind
        else:
            _fill(found, rows, gang, float(capacity[kind]), kind)
    return found


def _fill(found: Array, rows: Array, gang: Array, left: float, kind: int) -> None:
    """Give a type to gangs in order, passing over those that do not fit."""
    for row, wanted in zip(rows.tolist(), gang[rows].tolist(), strict=True):
        if wanted <= left + 1e-9:
            found[row] = kind
            left -= wanted
            if left <= 0:
                return
