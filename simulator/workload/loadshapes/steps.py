"""A demand that is told step by step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.core.units import UnitError, parse
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import stepwise
from simulator.workload.sampling import Draws


@load_shapes.register("steps")
class Steps:
    """``steps`` are pairs of a time and the rate from then on, as [[0 s, 10 /s], [1 h, 50 /s]]; before: none."""

    def __init__(self, steps: Sequence[Any]) -> None:
        if not steps:
            raise ValueError("steps is empty; write [[0 s, 10 /s], [1 h, 50 /s]]")
        pairs = [_pair(number, step) for number, step in enumerate(steps, 1)]
        for number, (before, after) in enumerate(pairwise(pairs), 2):
            if after[0] <= before[0]:
                text = f"step {number} begins at {after[0]:g} s, the one before at {before[0]:g} s"
                raise ValueError(f"steps do not rise: {text}")
        self._edges, self._rates = np.array(pairs).T

    @property
    def jumps(self) -> list[float]:
        """When the rate changes (s)."""
        return [float(edge) for edge in self._edges]

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return stepwise(times, self._edges, self._rates)


def _pair(number: int, step: Any) -> tuple[float, float]:
    if not isinstance(step, list | tuple) or len(step) != 2:
        raise ValueError(f"steps: step {number} is {step!r}, not a time and a rate such as [1 h, 50 /s]")
    try:
        return parse(step[0], "time"), parse(step[1], "frequency")
    except UnitError as error:
        raise ValueError(f"steps: step {number}: {error}") from None
