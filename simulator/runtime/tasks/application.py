"""A data job on the clock: stages are released, tasks fill slots in order, lost ones are run again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import count

from simulator.core.clock import Phase
from simulator.runtime.fleets.area import Area
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Cluster, Seat
from simulator.runtime.tasks.executor import Executor, Task
from simulator.runtime.tasks.spec import ApplicationSpec


class Application:
    """One data job. Tasks of stages whose predecessors are done wait in order, and go to the executor that came first.

    A task whose executor is lost is run again, ahead of those that wait; what ended is kept, as by an external shuffle
    service.
    """

    def __init__(self, spec: ApplicationSpec, cluster: Cluster) -> None:
        self.spec, self.name = spec, spec.name
        self._clock = cluster.clock
        self._left = [len(each) for each in spec.durations]
        self._before = [0] * len(spec.durations)
        for followers in spec.followers:
            for place in followers:
                self._before[place] += 1
        self.tasks = sum(self._left)
        self._queue: deque[Task] = deque()
        self._ends: dict[float, list[tuple[Executor, Task]]] = {}
        self._undone = Area(self._clock)
        self._came = self._running = 0
        self._begun = False
        self.done = self.reruns = 0
        self.task_seconds = 0.0
        self.start = self.end = math.nan
        self.fleet: Fleet[Executor] = Fleet(
            spec.fleet, cluster, self._make, self._read, count(),
            opened=self._assign, lost=self._lost, pod=lambda executor: {"running": executor.outstanding},
        )  # fmt: skip
        self.fleet.progress = lambda: (self.done, self._came, self.reruns)

    @property
    def over(self) -> bool:
        """Whether all tasks are done, or never will be."""
        return self.end == self.end or self.fleet.hopeless

    @property
    def busy(self) -> bool:
        """Whether it is yet to come, or may yet end."""
        return not (self.over or (self._begun and self.fleet.given_up))

    def begin(self) -> None:
        """It is submitted: release what waits for nothing, and ask for executors."""
        self._begun = True
        self._undone.move(self.tasks)
        for stage, before in enumerate(self._before):
            if not before:
                self._release(stage)
        self.fleet.begin()

    def _release(self, stage: int) -> None:
        """Let the tasks of a stage wait for slots; a stage without tasks is done at once."""
        tasks = self._left[stage]
        self._came += tasks
        self._queue.extend([Task(stage, number) for number in range(tasks)])
        if not tasks:
            self._finished(stage)

    def _finished(self, stage: int) -> None:
        for place in self.spec.followers[stage]:
            self._before[place] -= 1
            if not self._before[place]:
                self._release(place)

    def _make(self, seat: Seat[Executor]) -> Executor:
        return Executor(self._clock, seat.number, self.spec.slots)

    def _assign(self) -> None:
        """Give tasks that wait to free slots: of the executor of the lowest number first."""
        for executor in self.fleet.ready:
            if not self._queue:
                break
            self._fill(executor)

    def _fill(self, executor: Executor) -> None:
        now = self._clock.now
        while self._queue and executor.free > 0:
            task = self._queue.popleft()
            if self.start != self.start:
                self.start = now
            executor.begin(task)
            self._running += 1
            self._expect(now + float(self.spec.durations[task.stage][task.number]), executor, task)

    def _expect(self, time: float, executor: Executor, task: Task) -> None:
        """Wait for the end of a task, in one event with all that end then."""
        ends = self._ends.get(time)
        if ends is None:
            self._ends[time] = [(executor, task)]
            self._clock.at(time, self._ended, phase=Phase.ENDS)
        else:
            ends.append((executor, task))

    def _ended(self) -> None:
        others_full = bool(self._queue)
        freed: dict[Executor, None] = {}
        for executor, task in self._ends.pop(self._clock.now):
            if task in executor.running:
                executor.end(task)
                freed[executor] = None
                self._running -= 1
                self._through(task)
        if self.done == self.tasks:
            self._close()
            return
        self.fleet.watch()
        if others_full:
            for executor in sorted(freed, key=lambda each: each.number):
                self._fill(executor)
        else:
            self._assign()
        if not all(executor.taking for executor in freed):
            self.fleet.idle()

    def _through(self, task: Task) -> None:
        self.done += 1
        self._undone.move(-1)
        self.task_seconds += float(self.spec.durations[task.stage][task.number])
        self._left[task.stage] -= 1
        if not self._left[task.stage]:
            self._finished(task.stage)

    def _close(self) -> None:
        self.end = self._clock.now
        self.fleet.close()

    def _lost(self, executor: Executor, tasks: Sequence[Task]) -> None:
        """An executor is gone: its tasks are run again, before others."""
        self.reruns += len(tasks)
        self._running -= len(tasks)
        self._queue.extendleft(reversed(tasks))
        self.fleet.watch()
        self._assign()

    def _read(self) -> Gauges:
        """What is true of the tasks now."""
        waiting = len(self._queue)
        return Gauges(self._undone.value, waiting, self._running, 0.0, self._came, self._undone.until_now())
