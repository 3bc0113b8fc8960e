"""Dynamic allocation of executors by Spark."""

from __future__ import annotations

import math

from simulator.core.units import Ratio, Seconds
from simulator.policies.decision import Decision
from simulator.policies.executors import check_bounds, idle
from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("spark-dynamic-allocation")
class SparkDynamicAllocation:
    """Executors of a data job: 1, 2, 4, ... more while tasks wait; one that was idle for a minute goes.

    Apache Spark 4.0, ``ExecutorAllocationManager`` and ``ExecutorMonitor``; parameters are those of
    spark.dynamicAllocation with its defaults. When tasks have waited for ``scheduler_backlog_timeout``, and again every
    ``sustained_scheduler_backlog_timeout``, more executors are asked for: 1, then twice as many each time; 1 again when
    the queue was empty, or when less could be added than that. Never more than needed, ceil(tasks x
    ``executor_allocation_ratio`` / ``slots``), where ``slots`` is spark.executor.cores / spark.task.cpus; what was
    asked for beyond the need is taken back at once. An executor without a task for ``executor_idle_timeout`` is
    removed, down to what is asked for and to ``minimum``; with ``cached`` it holds cached blocks and stays for
    ``cached_executor_idle_timeout``. Until tasks come, or an executor has timed out, there are ``initial`` ones.

    Tasks are ``queued`` + ``running`` of the observation. Ours: ``interval`` is 1 s, where Spark looks ten times as
    often; executors that fell idle last take new tasks first. Not modelled: resource profiles, speculation, shuffle
    tracking.
    """

    version = "Apache Spark 4.0 dynamic allocation"

    def __init__(
        self,
        minimum: int = 0,
        maximum: int | None = None,
        initial: int | None = None,
        slots: int = 1,
        executor_allocation_ratio: Ratio = 1.0,
        scheduler_backlog_timeout: Seconds = 1.0,
        sustained_scheduler_backlog_timeout: Seconds | None = None,
        executor_idle_timeout: Seconds = 60.0,
        cached: bool = False,
        cached_executor_idle_timeout: Seconds = math.inf,
        interval: Seconds = 1.0,
    ) -> None:
        check_bounds(minimum, maximum, slots)
        sustained = sustained_scheduler_backlog_timeout
        sustained = scheduler_backlog_timeout if sustained is None else sustained
        times = {"scheduler_backlog_timeout": scheduler_backlog_timeout, "interval": interval}
        for name, time in (times | {"sustained_scheduler_backlog_timeout": sustained}).items():
            if not 0 < time < math.inf:
                raise ValueError(f"{name} is {time:g} s; it must be above 0")
        for name, time in (("executor", executor_idle_timeout), ("cached_executor", cached_executor_idle_timeout)):
            if not time >= 0:
                raise ValueError(f"{name}_idle_timeout is {time:g} s; it must be 0 or more")
        if not 0 < executor_allocation_ratio <= 1:
            given = f"{executor_allocation_ratio:g}"
            raise ValueError(f"executor_allocation_ratio is {given}; it must be above 0 and at most 1")
        self.interval = interval
        self._minimum, self._maximum = minimum, math.inf if maximum is None else maximum
        self._initial = max(minimum, initial or 0)
        if self._initial > self._maximum:
            raise ValueError(f"initial is {self._initial}; it must be at most maximum, {self._maximum:g}")
        self._slots, self._ratio = slots, executor_allocation_ratio
        self._backlog, self._sustained = scheduler_backlog_timeout, sustained
        self._patience = cached_executor_idle_timeout if cached else executor_idle_timeout
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._target = self._initial
        self._more = 1
        self._due: float | None = None
        self._initializing = True
        self._idle: list[float] = []
        """Since when executors are idle, the longest first."""

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of executors wanted."""
        ready, queued = observation.ready, observation.queued
        needed = math.ceil((queued + observation.running) * self._ratio / self._slots - 1e-9)
        self._listen(now, observation)
        timed_out = sum(now - since >= self._patience for since in self._idle)
        if timed_out:
            self._initializing = False
        inputs: dict[str, float] = {
            "needed": needed, "ready": ready, "add": self._more, "idle": len(self._idle), "timed out": timed_out,
        }  # fmt: skip
        before, rule = self._target, self._retarget(now, needed, ready)
        removed = max(0, min(timed_out, ready - max(self._minimum, self._target)))
        if removed:
            rule = "executor idle timeout"
            del self._idle[:removed]
        inputs["target"] = self._target
        staying = ready - removed
        if staying > self._target and not removed:
            rule = "not idle for long enough"
        return Decision(max(self._target, staying), rule, inputs, runner_up=max(before, ready) if removed else needed)

    def _listen(self, now: float, observation: ServiceObservation) -> None:
        """Take what the scheduler would tell: a backlog, an empty queue, executors that fall idle or get tasks."""
        if observation.queued + observation.running > 0:
            self._initializing = False
        if observation.queued > 0:
            self._due = now + self._backlog if self._due is None else self._due
        else:
            self._due, self._more = None, 1
        count = idle(observation, self._slots)
        del self._idle[count:]
        self._idle += [now] * (count - len(self._idle))

    def _retarget(self, now: float, needed: int, ready: int) -> str:
        """Update the number of executors asked for; return the rule."""
        if self._initializing:
            return "initializing"
        if needed < self._target:
            rule = "not needed" if self._target > self._minimum else "minimum"
            self._target, self._more = max(needed, self._minimum), 1
            return rule
        if self._due is None or now < self._due:
            return "no backlog" if self._due is None else "backlog timeout"
        if self._target >= self._maximum:
            self._more = 1
            return "maximum"
        before = self._target
        wanted = min(max(self._target, ready) + self._more, needed)
        self._target = int(max(min(wanted, self._maximum), self._minimum))
        added = self._target - before
        if added > 0:
            self._due = now + self._sustained
        self._more = 2 * self._more if added == self._more else 1
        return "backlog" if added > 0 else "enough"
