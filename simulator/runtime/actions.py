"""What a scheduler asks for, checked and carried out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

from simulator.cluster.allocation import Allocator
from simulator.core.clock import Clock
from simulator.policies.api import Hold, Migrate, Preempt, Reject, Resize, Share, Start
from simulator.runtime.checks import checked
from simulator.runtime.gangs import Gangs
from simulator.runtime.host import Host
from simulator.runtime.journal import Journal
from simulator.runtime.placements import Placements
from simulator.runtime.reasons import Reasons
from simulator.runtime.shares import Shares
from simulator.runtime.view import View
from simulator.workload.jobs import Job, Placement, State


class Actions:
    """Carries out the actions of one pass after the other; an illegal one is a ``PolicyError`` with the numbers.

    ``reject`` takes a job that the policy turns away; ``came``, ``placed`` and ``lifted`` are what a placement policy
    follows the jobs by.
    """

    def __init__(
        self,
        clock: Clock,
        view: View,
        gangs: Gangs,
        nodes: Allocator,
        journal: Journal,
        reasons: Reasons,
        shares: Shares,
        policy: Host,
        reject: Callable[[Job, str], None],
    ) -> None:
        self._clock, self._view, self._gangs, self._nodes = clock, view, gangs, nodes
        self._event, self._reasons, self._shares = journal.event, reasons, shares
        self._policy, self._reject = policy, reject
        self._requeued: list[Job] = []
        self._unplaced = 0
        self.came: Callable[[Job], None] | None = None
        """Told of every job that comes into the queue for the first time."""
        self.placed: Callable[[Job], None] | None = None
        """Told of every job that has begun to run somewhere."""
        self.lifted: Callable[[Job], None] | None = None
        """Told of every job before it gives its accelerators back."""
        self.explained: Placements | None = None
        """Writes down why jobs run where they do, if anybody wants to know."""
        self._others: dict[type, Callable[..., None]] = {
            Preempt: lambda action: self._preempt(action.job),
            Migrate: self._migrate,
            Resize: self._resize,
            Share: self._share,
            Hold: self._hold,
            Reject: self._turn_away,
        }

    def carry_out(self) -> None:
        """Ask the scheduler once for this instant, and do what it wants."""
        self._unplaced = 0
        others = self._others
        for action in self._policy.ask(self._view):
            if type(action) is Start and isinstance(action.job, Job):
                self._start(action.job, action.placement)
            elif type(action) in others and isinstance(action.job, Job):
                others[type(action)](action)
            else:
                self._refuse(action)
        if self._requeued:
            self.requeue()
        if self._shares.changed:
            too_much = self._shares.settle()
            if too_much:
                raise self._policy.error(f"illegal Share: {too_much}")
        self._reasons.passed(self._view.free)

    def _refuse(self, action: object) -> NoReturn:
        wanted = "yield Start(job), Preempt(job), Migrate, Resize, Share, Hold or Reject"
        what = f"job {action.id!r}" if isinstance(action, Job) else repr(action)
        raise self._policy.error(f"{what} is not an action; {wanted}")

    def _start(self, job: Job, placement: Placement | None) -> None:
        view = self._view
        if job not in view.queue.members:
            self._illegal("Start", job, self._absence(job, "queued"))
        if self._shares.given:
            self._illegal("Start", job, "other jobs have shares of the time of accelerators; give it a Share too")
        if placement is None:
            placement = view.place(job)
            if placement is None:
                self._stay(job)
                return
        if self.explained is not None:
            self.explained.placing(job, placement)
        try:
            self._gangs.start(job, checked(job, placement, self._nodes))
        except ValueError as error:
            self._illegal("Start", job, str(error))
        view.queue.remove(job)
        self._reasons.leave(job)
        view.running.add(job)
        self._event((job.since, "start", job.id, job.held))
        if self.placed is not None:
            self.placed(job)

    def _stay(self, job: Job) -> None:
        """Leave a job in the queue that has no place now; a policy that did not count, or does not stop, is told."""
        free = self._nodes.capacity - self._nodes.used
        if job.accelerators > free:
            self._illegal("Start", job, f"it wants {job.accelerators:g} accelerators, {free:g} are free")
        self._unplaced += 1
        if self._unplaced > 1000 + 10 * len(self._view.queue):
            self._illegal("Start", job, f"{self._unplaced} starts in one pass of jobs that cannot be placed now")

    def _preempt(self, job: Job) -> None:
        self._must_run("Preempt", job)
        if not job.preemptible:
            self._illegal("Preempt", job, "it may not be stopped (preemptible: false)")
        if self.explained is not None:
            self.explained.preempting(job)
        self.stop(job)

    def stop(self, job: Job) -> None:
        """Stop a running job, which joins the queue after the pass."""
        held = job.held
        if self.lifted is not None:
            self.lifted(job)
        self._gangs.stop(job)
        self._view.running.remove(job)
        self._requeued.append(job)
        self._event((self._clock.now, "preempt", job.id, held))

    def requeue(self) -> None:
        """Let the jobs that were stopped wait again."""
        for job in self._requeued:
            self.queue(job)
        self._requeued.clear()

    def queue(self, job: Job) -> None:
        """Let a job wait, and tell the scheduler."""
        if job.accelerators < 1:
            self._view.gangs_only = False
        self._view.queue.add(job)
        self._reasons.enter(job)
        if self.came is not None and not job.preemptions:
            self.came(job)
        if self._policy.on_submit is not None:
            self._policy.on_submit(job)

    def _migrate(self, action: Migrate) -> None:
        self._must_run("Migrate", action.job)
        self._move("Migrate", action.job, action.job.held, action.placement)

    def _resize(self, action: Resize) -> None:
        job, wanted = action.job, action.accelerators
        self._must_run("Resize", job)
        low, high = job.minimum or job.accelerators, job.maximum or job.accelerators
        if not low <= wanted <= high:
            elastic = "" if job.minimum or job.maximum else " (the job is not elastic)"
            self._illegal("Resize", job, f"to {wanted:g} accelerators; it runs on {low:g} to {high:g}{elastic}")
        self._move("Resize", job, wanted, action.placement)

    def _move(self, action: str, job: Job, wanted: float, placement: Placement | None) -> None:
        if not job.preemptible:
            self._illegal(action, job, "it may not be stopped (preemptible: false)")
        if not job.placement:
            self._illegal(action, job, "it has shares of the time of accelerators, and no place")
        held = job.held
        if placement is not None and _same(placement, job.placement):
            return
        if self.lifted is not None:
            self.lifted(job)
        before = self._gangs.lift(job)
        after = self._view.place(job, wanted) if placement is None else placement
        try:
            if after is None or _same(after, before):
                self._gangs.put(job, before, moved=False)
            else:
                self._gangs.put(job, checked(job, after, self._nodes, wanted), moved=True)
        except ValueError as error:
            self._illegal(action, job, str(error))
        if job.held != held:
            self._event((self._clock.now, "resize", job.id, job.held - held))
        if self.placed is not None:
            self.placed(job)

    def _share(self, action: Share) -> None:
        job = action.job
        waits = job in self._view.queue.members
        if not waits and job not in self._view.running.members:
            self._illegal("Share", job, self._absence(job, "queued or running"))
        if (job.placement and not waits) or self._nodes.used:
            self._illegal("Share", job, "jobs run on accelerators of their own; a run is of one kind or the other")
        wrong = self._shares.fault(job, action.shares)
        if wrong:
            self._illegal("Share", job, wrong)
        before = job.held
        if not waits and not job.preemptible and not any(share > 0 for share in action.shares.values()):
            self._illegal("Share", job, "it may not be stopped (preemptible: false)")
        seconds, held = self._shares.give(job, action.shares)
        runs = seconds < math.inf
        if waits and not runs:
            return
        self._gangs.share(job, seconds, held)
        now = self._clock.now
        if waits:
            self._view.queue.remove(job)
            self._reasons.leave(job)
            self._view.running.add(job)
            self._event((now, "start", job.id, held))
        elif runs:
            if held != before:
                self._event((now, "resize", job.id, held - before))
        else:
            job.preemptions += 1
            self._view.running.remove(job)
            self._requeued.append(job)
            self._event((now, "preempt", job.id, before))

    def _hold(self, action: Hold) -> None:
        if action.job not in self._view.queue.members:
            self._illegal("Hold", action.job, self._absence(action.job, "queued"))
        self._reasons.hold(action.job, action.reason)

    def _turn_away(self, action: Reject) -> None:
        job = action.job
        if job not in self._view.queue.members:
            self._illegal("Reject", job, self._absence(job, "queued"))
        self._view.queue.remove(job)
        self._reasons.leave(job)
        job.waited += self._clock.now - job.since
        self._reject(job, action.reason or "turned away by the policy")

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the queue that its owner does not want any more; False if it is not there."""
        if job not in self._view.queue.members:
            return False
        self._view.queue.remove(job)
        self._reasons.leave(job)
        job.waited += self._clock.now - job.since
        return True

    def _must_run(self, action: str, job: Job) -> None:
        if job not in self._view.running.members:
            self._illegal(action, job, self._absence(job, "running"))

    def _absence(self, job: Job, wanted: str) -> str:
        """Say why a job is not where an action wants it."""
        view = self._view
        if job in self._requeued:
            return "it was preempted in this pass and can start from the next one on"
        if job in view.queue or job in view.running or job.state not in (State.QUEUED, State.RUNNING):
            return f"the job is {job.state.name.lower()}, not {wanted}"
        return "it is no job of this run, perhaps a copy of one: give the very object that the view shows"

    def _illegal(self, action: str, job: Job, why: str) -> NoReturn:
        raise self._policy.error(f"illegal {action} of job {job.id!r}: {why}")


def _same(one: Placement, other: Placement) -> bool:
    """Whether two placements are the same accelerators, as far as placements tell."""
    return sorted(one) == sorted(other)
