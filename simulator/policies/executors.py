"""Executors of a data job as an autoscaler sees them: those that are idle."""

from __future__ import annotations

import math

from simulator.policies.serving import ServiceObservation


def idle(observation: ServiceObservation, slots: int) -> int:
    """Executors that run no task.

    Where each reports how many tasks it runs (``running``), those that say 0; else as if tasks filled one executor
    after the other, ``slots`` to each.
    """
    told = [pod.values["running"] for pod in observation.pods if pod.ready and "running" in pod.values]
    if told:
        return sum(value <= 0 for value in told)
    return max(0, observation.ready - math.ceil(observation.running / slots - 1e-9))


def check_bounds(minimum: int, maximum: int | None, slots: int) -> None:
    """Raise ``ValueError`` for bounds that nothing can keep."""
    if minimum < 0:
        raise ValueError(f"minimum is {minimum}; it must be 0 or more")
    if maximum is not None and maximum < max(minimum, 1):
        raise ValueError(f"maximum is {maximum}; it must be at least {max(minimum, 1)}")
    if slots < 1:
        raise ValueError(f"slots is {slots}; it must be 1 or more")
