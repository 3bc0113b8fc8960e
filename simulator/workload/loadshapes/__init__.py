"""Shapes of a demand over time: what a load of requests per second looks like.

A shape is a class in a file of this folder, under ``@load_shapes.register(name)``, whose parameters are its keys in a
scenario. It tells the integral of its rate, so that means over any interval are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from simulator.core.registry import Registry
from simulator.workload.sampling import Draws


class LoadShape(Protocol):
    """A rate of requests over time, never negative.

    One that ends by itself, as a trace does, has a ``length`` (s); one that jumps at a few instants may have ``jumps``
    (s), so that the demand changes just then and not at the next interval.
    """

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests from 0 s until each of ``times`` (s, rising, from 0 on); both of shape (n,).

        What is random in it comes from ``draws``, and is the same each time.
        """
        ...


load_shapes: Registry[Callable[..., LoadShape]] = Registry("load shape", "simulator.workload.loadshapes")
