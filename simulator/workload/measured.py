"""A rate that was measured: rows one after the other, and blocks of them for replications that differ."""

from __future__ import annotations

import math

import numpy as np

from simulator.workload.piecewise import stepwise
from simulator.workload.sampling import Draws


class Measured:
    """Rates (1/s) that hold from ``edges`` (s, from 0 on) until the next, the last one for ``last`` seconds.

    ``scale`` multiplies them. With ``resample`` (s) each replication is put together from blocks of that length, drawn
    with replacement: the block bootstrap. Nothing comes after the end. Raises ``ValueError`` for rates below 0.
    """

    def __init__(
        self, edges: np.ndarray, rates: np.ndarray, last: float, scale: float = 1.0, resample: float | None = None
    ) -> None:
        if not 0 < scale < math.inf:
            raise ValueError(f"scale is {scale:g}; it must be above 0")
        bad = np.flatnonzero(~((rates >= 0) & (rates < math.inf)))
        if len(bad):
            raise ValueError(
                f"file: the rate from {edges[bad[0]]:g} s on is {rates[bad[0]]:g} /s; it must be 0 or more"
            )
        self.length = float(edges[-1] + last)
        """Seconds from the first row to the end of the last one."""
        if resample is not None and not 0 < resample <= self.length:
            text = f"it must be above 0 and at most the {self.length:g} s of the file"
            raise ValueError(f"resample is {resample:g} s; {text}")
        self._edges, self._rates = np.append(edges, self.length), np.append(rates * scale, 0.0)
        self._block = resample

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time (s)."""
        if self._block is None:
            return stepwise(times, self._edges, self._rates)
        count = math.ceil(self.length / self._block)
        begins = draws.stream("blocks").random(count) * (self.length - self._block)
        whole = stepwise(np.append(begins, begins + self._block), self._edges, self._rates)
        sums = np.append(0.0, np.cumsum(whole[count:] - whole[:count]))
        inside = np.minimum(times, self.length)
        block = np.minimum((inside // self._block).astype(np.int64), count - 1)
        since = begins[block]
        within = stepwise(since + (inside - block * self._block), self._edges, self._rates)
        return np.asarray(sums[block] + within - stepwise(since, self._edges, self._rates))
