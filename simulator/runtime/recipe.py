"""What a training job trains, and how."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Framework, Model
from simulator.models.training import Layout


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model, its layout over the accelerators of the job, and the framework that runs it."""

    model: Model
    layout: Layout
    framework: Framework
