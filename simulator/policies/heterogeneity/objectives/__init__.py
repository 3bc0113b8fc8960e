"""Objectives of allocations over types of accelerators: one file each, found by name.

An objective is a function from a ``Problem`` to an allocation: shares of time of shape (jobs, types).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from simulator.core.registry import Registry
from simulator.policies.heterogeneity.problem import Problem

Objective = Callable[[Problem], np.ndarray]

objectives: Registry[Objective] = Registry("objective", "simulator.policies.heterogeneity.objectives")
F = TypeVar("F", bound=Objective)


def traits(conserving: bool = True, looks_back: bool = False) -> Callable[[F], F]:
    """Mark an objective that differs from most.

    Not ``conserving``: it leaves accelerators idle rather than give them to jobs whose share is 0. ``looks_back``: what
    a job had on an equal part of the cluster since it came counts, and must be kept.
    """

    def mark(objective: F) -> F:
        vars(objective).update(conserving=conserving, looks_back=looks_back)
        return objective

    return mark
