"""What a run is told about a data job: plain numbers, checked by whoever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.runtime.fleets.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """One data job: its executors, and its tasks stage by stage.

    ``durations[i]`` are the seconds of the tasks of stage i (arrays), ``followers[i]`` the stages that wait for it.
    """

    fleet: FleetSpec
    submit: float
    """When it comes (s)."""
    durations: Sequence[np.ndarray]
    followers: Sequence[Sequence[int]]
    slots: int = 1
    """Tasks that an executor runs at a time."""

    @property
    def name(self) -> str:
        """Name of the application."""
        return self.fleet.name
