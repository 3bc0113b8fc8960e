"""Objectives of allocations over types of accelerators: one file each, found by name.

An objective is a function from a ``Problem`` to an allocation: shares of time of shape (jobs, types). One that has an
attribute ``conserving = False`` leaves accelerators idle rather than give them to jobs whose share is 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.core.registry import Registry
from simulator.policies.heterogeneity.problem import Problem

Objective = Callable[[Problem], np.ndarray]

objectives: Registry[Objective] = Registry("objective", "simulator.policies.heterogeneity.objectives")
