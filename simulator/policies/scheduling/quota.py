"""Limits by user and tenant around any scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Hold, JobSet, Preempt, Reject, Start, schedulers
from simulator.policies.quota.admitting import QuotaAdmission
from simulator.policies.quota.limits import Limits, group_of
from simulator.policies.quota.records import choice
from simulator.policies.wrapping import Parted, Shown, Wrapper, made_inner
from simulator.workload.jobs import Job, State


@schedulers.register("quota")
class LimitedByQuota(Wrapper):
    """Limits on what a user, a tenant, or all may run at a time, around any scheduler (Slurm limits).

    ``limits`` are those of ``policies.quota.limits.Limits``. ``scheduler`` is the one that decides among the jobs that
    are within them: a name, or a mapping with ``kind`` and parameters. Jobs beyond a limit wait and let others pass;
    ``oversized`` says what becomes of those that could never run within it: ``reject`` (Slurm's ``DenyOnLimit``) or
    ``hold``, its default.

    Source: Slurm 24.11, "Resource Limits". A start that the inner scheduler had planned before an earlier one of the
    same pass used up the limit is left out.
    """

    name = "quota"

    def __init__(
        self, limits: Mapping[str, Any] | None = None, scheduler: Any = "fifo", oversized: str = "hold"
    ) -> None:
        super().__init__(made_inner(scheduler))
        if isinstance(self.inner, QuotaAdmission | LimitedByQuota):
            inner = getattr(self.inner, "name", "it")
            raise InputError(f"scheduler: {inner!r} has quotas of its own and cannot be inside 'quota'")
        self.limits = Limits(limits)
        self.oversized = choice("oversized", oversized, ("hold", "reject"))
        self._new: list[Job] = []
        self._told: dict[Job, None] = {}

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the run before."""
        self.limits.clear()
        self._new.clear()
        self._told.clear()
        super().reset(rng)

    def on_submit(self, job: Job) -> None:
        """A job waits, or does so again."""
        self.limits.stop(job)
        self._new.append(job)
        super().on_submit(job)

    def on_finish(self, job: Job) -> None:
        """A job has ended."""
        self.limits.stop(job)
        super().on_finish(job)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Let the inner scheduler choose among the jobs that are within their limits."""
        new, self._new = self._new, []
        for job in new:
            if not self.limits.ever_admits(group_of(job)):
                yield Reject(job, "larger than its limit") if self.oversized == "reject" else Hold(job, "quota")
        stopped: dict[Job, None] = {}
        for action in self.inner.schedule(_Within(view, self.limits)) or ():
            if isinstance(action, Start):
                group = group_of(action.job)
                if not self.limits.admits(group):
                    continue
            yield action
            if isinstance(action, Start) and action.job.state is State.RUNNING:
                self.limits.start(action.job)
                self._told.pop(action.job, None)
            elif isinstance(action, Preempt):
                stopped[action.job] = None
                self.limits.stop(action.job)
        yield from self._tell(view, new, stopped)

    def _tell(self, view: ClusterView, new: list[Job], stopped: Mapping[Job, None]) -> Iterator[Action]:
        """Say of new jobs, and of the first of each group, whether a limit is in their way."""
        first = [next(iter(jobs)) for jobs in view.queue.split(group_of).values() if len(jobs)]
        waiting = {job: None for job in (*new, *first) if job.state is State.QUEUED and job not in stopped}
        for job in waiting:
            blocked = not self.limits.admits(group_of(job))
            if blocked and job not in self._told:
                self._told[job] = None
                yield Hold(job, "quota")
            elif not blocked and job in self._told:
                del self._told[job]
                yield Hold(job, "")


class _Within(Shown):
    """A view of the jobs that are within their limits."""

    def __init__(self, view: ClusterView, limits: Limits) -> None:
        super().__init__(view)
        self._queue = Parted(view.queue, group_of, limits.admits)

    @property
    def queue(self) -> JobSet:
        """Jobs that wait and are within their limits."""
        return self._queue
