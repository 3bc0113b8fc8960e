"""Multi-Instance GPU: slices that do not feel each other."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.policies.api import interferences
from simulator.policies.slices import ROUNDING, geometry
from simulator.workload.jobs import Job


@interferences.register("mig")
class Mig:
    """Isolated slices (NVIDIA MIG): neighbours do not matter, and a slice has its part of the compute slices.

    A job that asked for a share was measured on it and runs at pace 1. One that asked for a whole accelerator and is
    given a share runs at the pace of the largest instance within it: compute slices over those of the whole, unless it
    says by itself how its pace depends on what it is given. ``device`` names the geometry.

    Source: NVIDIA MIG User Guide (r580). What instances share after all (PCIe, power) is left out.
    """

    def __init__(self, device: str = "h100-80gb") -> None:
        self.geometry = geometry(device)

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job on its slice, whoever is beside it."""
        if job.accelerators < 1 or job.speedup is not None or share >= 1:
            return 1.0
        whole = self.geometry.compute
        within = [each.compute for each in self.geometry.profiles if each.compute <= (share + ROUNDING) * whole]
        return max(within, default=0) / whole
