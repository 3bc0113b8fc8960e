"""Adaptive deployments of Dask."""

from __future__ import annotations

import math

from simulator.core.units import Seconds
from simulator.policies.decision import Decision
from simulator.policies.executors import check_bounds, idle
from simulator.policies.serving import ServiceObservation, replica_scalers

MEMORY = 0.6
"""Share of the workers' memory above which there shall be twice as many (``Scheduler.adaptive_target``)."""
SPARE = 2.0
"""How many times what is stored the memory of the workers that stay must hold (``workers_to_close``)."""


@replica_scalers.register("dask-adaptive")
class DaskAdaptive:
    """Workers of a data job, so that what is there to compute takes a given time; they go after three asks in a row.

    dask/distributed 2026.7.1, ``Adaptive`` with ``Scheduler.adaptive_target``, defaults of distributed.yaml. Every
    second: cores = ceil(tasks x ``task_seconds`` / ``target_duration``), not more than there are tasks; workers =
    ceil(cores / ``slots``), which are the threads of a worker; at least 1 when something waits and there is none; twice
    as many as there are when over 60 % of their memory is used. Where that is fewer than there are, only idle workers
    are closed, as long as the others hold twice what is stored. A worker goes when ``wait_count`` asks in a row named
    it, those that have not arrived first; with 0 it goes at the first, as with 1.

    Tasks are ``queued`` + ``running`` of the observation, the memory used is its ``kv``. ``task_seconds`` is what Dask
    knows of the tasks, 0.5 s for kinds that it has not seen run.
    """

    version = "dask/distributed 2026.7.1 Adaptive"

    def __init__(
        self,
        target_duration: Seconds = 5.0,
        task_seconds: Seconds = 0.5,
        slots: int = 1,
        minimum: int = 0,
        maximum: int | None = None,
        wait_count: int = 3,
        interval: Seconds = 1.0,
    ) -> None:
        check_bounds(minimum, maximum, slots)
        for name, time in (
            ("target_duration", target_duration),
            ("task_seconds", task_seconds),
            ("interval", interval),
        ):
            if not 0 < time < math.inf:
                raise ValueError(f"{name} is {time:g} s; it must be above 0")
        if wait_count < 0:
            raise ValueError(f"wait_count is {wait_count}; it must be 0 or more")
        self.interval = interval
        self._duration, self._task, self._slots = target_duration, task_seconds, slots
        self._minimum, self._maximum, self._wait = minimum, maximum, wait_count
        self._asked: list[int] = []
        """How often in a row each worker was named, in the order in which they are closed."""

    def reset(self) -> None:
        """Forget earlier asks: a new run begins."""
        self._asked.clear()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of workers wanted."""
        have = observation.replicas
        target, rule, inputs = self._target(observation)
        bounded = max(target if self._maximum is None else min(target, self._maximum), self._minimum)
        if bounded != target:
            rule = "minimum" if bounded > target else "maximum"
        if bounded >= have:
            self._asked.clear()
            return Decision(bounded, rule, inputs, runner_up=target if bounded != target else have)
        count = have - bounded
        self._asked = [times + 1 for times in self._asked[:count]] + [1] * (count - len(self._asked))
        closed = sum(times >= self._wait for times in self._asked)
        self._asked = [times for times in self._asked if times < self._wait]
        if not closed:
            return Decision(have, "wait count", inputs, runner_up=bounded)
        return Decision(have - closed, rule, inputs, runner_up=have)

    def _target(self, observation: ServiceObservation) -> tuple[int, str, dict[str, float]]:
        """Workers that there should be, before bounds and waiting."""
        ready, queued = observation.ready, observation.queued
        tasks = math.ceil(queued + observation.running - 1e-9)
        cores = min(math.ceil(tasks * self._task / self._duration - 1e-9), tasks)
        wanted, rule = cores, "target duration"
        if ready:
            wanted = math.ceil(cores / self._slots - 1e-9)
        elif queued > 0:
            wanted = max(1, cores)
        inputs = {"tasks": float(tasks), "memory": observation.kv, "cores": float(cores)}
        if observation.kv > MEMORY and 2 * ready > wanted:
            wanted, rule = 2 * ready, "memory"
        if wanted >= ready:
            return wanted, rule, inputs
        spare = idle(observation, self._slots)
        room = min(math.floor(ready * (1.0 - SPARE * observation.kv) + 1e-9), ready - (observation.kv > 0))
        inputs |= {"idle": float(spare), "can be spared": float(max(0, room))}
        return ready - max(0, min(spare, room)), "idle workers", inputs
