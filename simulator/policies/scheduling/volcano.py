"""Queues with weights, as Volcano shares a Kubernetes cluster."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.api import Action, ClusterView, Hold, Preempt, Reject, Start, schedulers
from simulator.policies.quota.lines import Line
from simulator.policies.quota.reading import keys, limit, table
from simulator.policies.quota.records import choice
from simulator.policies.quota.water import Demand, deserved
from simulator.policies.room import room_without
from simulator.workload.jobs import Job, State

ACTIONS = ("enqueue", "allocate", "backfill", "preempt", "reclaim")
_KEYS = ("weight", "capability", "guarantee", "deserved", "reclaimable", "priority")
_SLACK = 1e-9


class _Queue:
    """A queue of one tenant: its settings, its jobs that wait, those let in, and what runs."""

    def __init__(self, name: str, given: Mapping[str, Any], plugin: str) -> None:
        where = f"queues: {name!r}"
        fields = keys(where, given, _KEYS)
        self.name = name
        self.weight = limit(f"{where}: weight", fields.get("weight", 1))
        if not 0 < self.weight < math.inf:
            raise InputError(f"{where}: weight is {self.weight:g}; it must be a finite number above 0")
        self.capability = limit(f"{where}: capability", fields.get("capability", math.inf))
        self.guarantee = limit(f"{where}: guarantee", fields.get("guarantee", 0))
        if self.guarantee > self.capability:
            raise InputError(
                f"{where}: guarantee is {self.guarantee:g}, more than its capability of {self.capability:g}"
            )
        if ("deserved" in fields) != (plugin == "capacity"):
            word = "needs" if plugin == "capacity" else "has no"
            raise InputError(f"{where}: a queue of the {plugin} plugin {word} deserved")
        self.fixed = limit(f"{where}: deserved", fields.get("deserved", 0))
        self.reclaimable = bool(fields.get("reclaimable", True))
        self.priority = limit(f"{where}: priority", fields.get("priority", 0))
        self.clear()

    def clear(self) -> None:
        self.pending, self.inqueue = Line(self.name), Line(self.name)
        self.running: dict[Job, float] = {}
        self.let_in: dict[Job, None] = {}
        self.allocated = self.asked = self.deserved = 0.0

    @property
    def share(self) -> float:
        """What it has over what it deserves."""
        if self.deserved > _SLACK:
            return self.allocated / self.deserved
        return math.inf if self.allocated > _SLACK else 0.0


@schedulers.register("volcano")
class Volcano:
    """Queues of tenants that share by weight, as far as they deserve it; gangs start whole (Volcano).

    ``queues`` maps tenants to ``weight``, ``capability`` (most accelerators), ``guarantee`` (kept for it),
    ``reclaimable`` and ``priority``. ``plugin`` says what a queue deserves: by ``proportion``, its weight's part of
    what is asked for, beyond which it starts nothing; by ``capacity``, its own key ``deserved``, beyond which it may go
    as far as its capability. ``actions`` in the order in which a pass runs them: ``enqueue`` lets jobs in up to
    ``overcommit`` times the cluster, ``allocate`` starts them, ``backfill`` those that need no accelerator, ``preempt``
    stops jobs of lower priority of the same queue, ``reclaim`` jobs of queues that have more than they deserve.
    Tenants that are not named are as ``unknown`` says: in a queue ``default`` of weight 1 (``default``), turned away
    (``reject``), or an ``error``.

    Source: Volcano v1.16 (volcano-sh/volcano ed72c7c).
    """

    name = "volcano"

    def __init__(
        self,
        queues: Mapping[str, Any] | None = None,
        plugin: str = "proportion",
        actions: Sequence[str] = ("enqueue", "allocate", "backfill"),
        overcommit: float = 1.2,
        unknown: str = "default",
    ) -> None:
        self.plugin = choice("plugin", plugin, ("proportion", "capacity"))
        self.actions = tuple(choice("actions name one that", action, ACTIONS) for action in actions)
        if not 1 <= overcommit < math.inf:
            raise InputError(f"overcommit is {overcommit!r}; it must be a finite number, 1 or more")
        self.overcommit = overcommit
        self.unknown = choice("unknown", unknown, ("default", "reject", "error"))
        self._queues = {
            name: _Queue(name, {} if value is None else value, plugin)
            for name, value in table("queues", queues).items()
        }
        if unknown == "default" and "default" not in self._queues:
            self._queues["default"] = _Queue("default", {"deserved": 0} if plugin == "capacity" else {}, plugin)
        self._of: dict[Job, _Queue] = {}
        self._refused: list[Job] = []

    # -- hooks --------------------------------------------------------------------------------------------------

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the run before."""
        for queue in self._queues.values():
            queue.clear()
        self._of.clear()
        self._refused.clear()

    def on_submit(self, job: Job) -> None:
        """Put a job into its queue, where it waits to be let in."""
        self._release(job)
        queue = self._queues.get(job.tenant) or (self._queues["default"] if self.unknown == "default" else None)
        if queue is not None:
            queue.pending.push(job)
        elif self.unknown == "reject":
            self._refused.append(job)
        else:
            hint = did_you_mean(job.tenant, self._queues)
            raise InputError(f"unknown: job {job.id!r} is of tenant {job.tenant!r}, which has no queue. {hint}")

    def on_finish(self, job: Job) -> None:
        """Take back what an ended job had."""
        self._release(job)

    def _release(self, job: Job) -> None:
        queue = self._of.pop(job, None)
        if queue is not None:
            held = queue.running.pop(job)
            queue.allocated = queue.allocated - held if queue.running else 0.0

    # -- the pass -----------------------------------------------------------------------------------------------

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Run the actions of one session."""
        for job in self._refused:
            yield Reject(job, "its tenant has no queue")
        self._refused.clear()
        if "enqueue" not in self.actions:
            self._enqueue(math.inf, view)
        for action in self.actions:
            if action == "enqueue":
                self._enqueue(self.overcommit * view.nodes.capacity - self._allocated(), view)
            elif action == "allocate":
                yield from self._allocate(view)
            elif action == "backfill":
                yield from self._backfill(view)
            else:
                yield from self._evict(view, reclaim=action == "reclaim")
        yield from self._tell()

    def _allocated(self) -> float:
        return sum(queue.allocated for queue in self._queues.values())

    def _ranked(self, queues: list[_Queue]) -> list[_Queue]:
        return sorted(queues, key=lambda queue: (-queue.priority, queue.share))

    def _enqueue(self, budget: float, view: ClusterView) -> None:
        """Let jobs in as long as what waits inside fits into what is left of the overcommitted cluster."""
        self._settle(view)
        left = budget - sum(queue.asked for queue in self._queues.values())
        most = dict.fromkeys(self._queues, math.inf) if math.isinf(budget) else self._most(view)
        for queue in self._ranked(list(self._queues.values())):
            queue.pending.blocked.clear()
            while (job := queue.pending.head()) is not None:
                inside = queue.allocated + queue.asked + job.accelerators
                if job.accelerators > left + _SLACK or inside > most[queue.name] + _SLACK:
                    queue.pending.block(job, "enqueue")
                    if left <= _SLACK and view.gangs_only:
                        break
                    continue
                queue.pending.take(job)
                queue.inqueue.push(job)
                queue.let_in[job] = None
                queue.asked += job.accelerators
                left -= job.accelerators

    def _most(self, view: ClusterView) -> dict[str, float]:
        """What each queue may have at all: its capability, and what is not guaranteed to others."""
        guaranteed = sum(queue.guarantee for queue in self._queues.values())
        common = max(0.0, view.nodes.capacity - guaranteed)
        return {name: min(queue.capability, common + queue.guarantee) for name, queue in self._queues.items()}

    def _settle(self, view: ClusterView) -> None:
        """Bring up to date what each queue asks for and deserves."""
        for queue in self._queues.values():
            gone = [job for job in queue.let_in if job.state is not State.QUEUED]
            for job in gone:
                del queue.let_in[job]
            queue.asked = sum(job.accelerators for job in queue.let_in)
        if self.plugin == "capacity":
            for queue in self._queues.values():
                queue.deserved = queue.fixed
            return
        demands = {
            name: Demand(queue.allocated + queue.asked, queue.weight, queue.capability, queue.guarantee)
            for name, queue in self._queues.items()
        }
        for name, amount in deserved(float(view.nodes.capacity), demands).items():
            self._queues[name].deserved = amount

    def _allowance(self, queue: _Queue, most: Mapping[str, float]) -> float:
        """What a queue may still start."""
        bound = queue.deserved if self.plugin == "proportion" else most[queue.name]
        return bound - queue.allocated

    def _allocate(self, view: ClusterView) -> Iterator[Action]:
        """Start jobs, one of the queue with the smallest share after the other."""
        self._settle(view)
        most = self._most(view)
        going = [queue for queue in self._queues.values() if queue.let_in]
        for queue in going:
            queue.inqueue.blocked.clear()
        while going:
            queue = self._ranked(going)[0]
            job = queue.inqueue.head()
            if job is None or (self.plugin == "proportion" and queue.allocated >= queue.deserved - _SLACK):
                going.remove(queue)
            elif job.accelerators > self._allowance(queue, most) + _SLACK:
                queue.inqueue.block(job, "quota")
            elif (placement := view.place(job)) is None:
                queue.inqueue.block(job, "room")
            else:
                yield Start(job, placement)
                self._count(queue, job)

    def _backfill(self, view: ClusterView) -> Iterator[Action]:
        """Start jobs that ask for no accelerator."""
        for queue in self._queues.values():
            for job in [job for job in queue.let_in if job.accelerators == 0]:
                if (placement := view.place(job)) is not None:
                    yield Start(job, placement)
                    self._count(queue, job)

    def _evict(self, view: ClusterView, reclaim: bool) -> Iterator[Action]:
        """Stop jobs for those that deserve to run: of other queues beyond what they deserve, or of lower priority."""
        self._settle(view)
        most = self._most(view)
        for queue in self._ranked([queue for queue in self._queues.values() if queue.let_in]):
            queue.inqueue.blocked.clear()
            while (job := queue.inqueue.head()) is not None:
                victims = self._victims(view, queue, job, reclaim, most)
                for owner, victim in victims:
                    self._release(victim)
                    owner.let_in.pop(victim, None)
                    yield Preempt(victim)
                placement = view.place(job) if victims else None
                if placement is None:
                    queue.inqueue.block(job, "victims")
                    continue
                yield Start(job, placement)
                self._count(queue, job)

    def _victims(
        self, view: ClusterView, queue: _Queue, job: Job, reclaim: bool, most: Mapping[str, float]
    ) -> list[tuple[_Queue, Job]]:
        """Whole jobs to stop, lowest priority and latest start first; none if that does not make room."""
        bound = queue.deserved if reclaim or self.plugin == "proportion" else most[queue.name]
        found: list[tuple[_Queue, Job]] = []
        spare = {name: other.allocated - other.deserved for name, other in self._queues.items()}
        freed = 0.0
        for owner, victim in self._candidates(queue, job, reclaim):
            if reclaim and spare[owner.name] <= _SLACK:
                continue
            spare[owner.name] -= owner.running[victim]
            freed += 0.0 if reclaim else owner.running[victim]
            found.append((owner, victim))
            within = queue.allocated - freed + job.accelerators <= bound + _SLACK
            if within and room_without(job, view.nodes, [each for _, each in found]):
                return found
        return []

    def _candidates(self, queue: _Queue, job: Job, reclaim: bool) -> list[tuple[_Queue, Job]]:
        owners = (
            [other for other in self._queues.values() if other is not queue and other.reclaimable]
            if reclaim
            else [queue]
        )
        found = [
            (owner, other)
            for owner in owners
            for other in owner.running
            if other.preemptible and other.accelerators > 0 and (reclaim or other.priority < job.priority)
        ]
        return sorted(found, key=lambda pair: (pair[1].priority, -pair[1].since, -pair[1].sequence))

    def _count(self, queue: _Queue, job: Job) -> None:
        """A job that was let in has started."""
        if queue.inqueue.holds(job):
            queue.inqueue.drop(job)
        queue.let_in.pop(job, None)
        queue.asked -= job.accelerators
        queue.running[job] = job.accelerators
        queue.allocated += job.accelerators
        self._of[job] = queue

    def _tell(self) -> Iterator[Action]:
        """Say of jobs that were let in that what their queue deserves is in their way."""
        for queue in self._queues.values():
            yield from (Hold(job, "quota") for job in queue.inqueue.untold("quota"))
