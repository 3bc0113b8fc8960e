"""Who may wait in the queue: jobs as they arrive, and those that are held until they may start at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator

from simulator.core.clock import Clock, Phase
from simulator.core.errors import InputError
from simulator.runtime.checks import expected, fault, in_thousandths
from simulator.runtime.journal import Journal
from simulator.workload.jobs import Job, State

NEVER = "a job that it waits for did not complete"
CYCLE = "its dependencies form a cycle"
_GOOD, _QUEUED = State.COMPLETED, State.QUEUED
_ARRIVALS = int(Phase.ARRIVALS)

Key = tuple[str, str]
"""Workload and id of a job, or workload and name of an array."""


class Admission:
    """Takes jobs from their stream as they arrive, and lets them queue when nothing holds them any more.

    A job is held until its ``begin``, until all jobs it names in ``after`` have completed, and while as many of its
    array as may run are in the queue or running. ``judge`` returns why a job can never run, or nothing; ``queue`` and
    ``refuse`` take what comes of it.
    """

    def __init__(
        self,
        clock: Clock,
        jobs: Iterator[Job],
        until: float,
        journal: Journal,
        judge: Callable[[Job], str],
        queue: Callable[[Job], None],
        refuse: Callable[[Job, str], None],
        arrived: Callable[[], None],
        released: Callable[[], None],
    ) -> None:
        self._clock, self._jobs, self._until, self._journal = clock, jobs, until, journal
        self._event = journal.event
        self._judge, self._queue, self._refuse = judge, queue, refuse
        self._arrived, self._released = arrived, released
        self._next: Job | None = None
        self.count = 0
        """Jobs that came so far."""
        self.kept: Collection[str] = ()
        """Workloads whose jobs are held to the end when they can never run, instead of being refused."""
        self.held: dict[Job, dict[str, None]] = {}
        """Held jobs, and the ids of jobs that each still waits for."""
        self._followers: dict[Key, dict[Job, None]] = {}
        self._outcomes: dict[Key, State] | None = None
        self._places: dict[Key, dict[Job, None]] = {}
        """Jobs of each array that are in the queue or running."""
        self._in_line: dict[Key, dict[Job, None]] = {}
        self._lost: list[tuple[Job, str]] = []
        self._giving_up = False

    def begin(self) -> None:
        """Wait for the first job."""
        self._expect(next(self._jobs, None))

    @property
    def more(self) -> bool:
        """Whether more jobs arrive."""
        return self._next is not None

    def _expect(self, job: Job | None) -> None:
        self._next = job
        if job is None or job.submit > self._until:
            return
        if not self._clock.now <= job.submit < math.inf:
            raise InputError(self._mistimed(job))
        self._clock.at(job.submit, self._arrive, phase=_ARRIVALS)

    def _mistimed(self, job: Job) -> str:
        if not 0 <= job.submit < math.inf:
            return f"job {job.id!r}: submit is {job.submit!r} s; it must be a finite number, 0 or more"
        return (
            f"job {job.id!r} is submitted at {job.submit:g} s, before its predecessor at {self._clock.now:g} s: "
            "sort the jobs by submit"
        )

    def _arrive(self) -> None:
        now = self._clock.now
        job = self._next
        while job is not None and job.submit == now:
            self._submit(job, now)
            job = next(self._jobs, None)
        self._expect(job)
        self._arrived()

    def submit(self, job: Job) -> str:
        """Take a job that comes by itself, now; return why it can never run, or nothing."""
        self._submit(job, self._clock.now)
        return self._judge(job) if job.state is State.REJECTED else ""

    def _submit(self, job: Job, now: float) -> None:
        if job.estimate < 0:
            job.estimate = expected(job)
        wrong = fault(job)
        if wrong:
            raise InputError(f"job {job.id!r}: {wrong}")
        job.sequence = self.count
        self.count += 1
        job.since = now
        if job.accelerators < 1:
            job.accelerators = in_thousandths(job.accelerators)
        self._event((now, "submit", job.id, job.accelerators))
        never = self._judge(job)
        if never:
            self._unfit(job, never)
        elif job.begin > now or job.after or job.array_limit:
            self._hold(job)
        else:
            job.state = _QUEUED
            self._queue(job)

    def _unfit(self, job: Job, reason: str) -> None:
        """Refuse a job that can never run, or hold it to the end where its workload is kept."""
        if job.workload in self.kept:
            job.state = State.HELD
            self.held[job] = {reason: None}
        else:
            self._refuse(job, reason)

    # -- held jobs ----------------------------------------------------------------------------------------------

    def _hold(self, job: Job) -> None:
        job.state = State.HELD
        wanted = self.held[job] = dict.fromkeys(job.after)
        for name in job.after:
            outcome = self._outcome((job.workload, name))
            if outcome is _GOOD:
                del wanted[name]
            elif outcome is not None:
                self._give_up(job, reason=NEVER)
                return
            else:
                self._followers.setdefault((job.workload, name), {})[job] = None
        members = self._cycle(job) if job.after else ()
        if members:
            self._give_up(*members, reason=CYCLE)
            return
        if job.begin > self._clock.now:
            self._clock.at(job.begin, self._due, job, phase=Phase.ARRIVALS)
        self._try(job)

    def _outcome(self, key: Key) -> State | None:
        """How a job ended; None while it has not. Kept from the first job on that asks, read back until then."""
        if self._outcomes is None:
            self._outcomes = dict(self._journal.outcomes())
        return self._outcomes.get(key)

    def _cycle(self, job: Job) -> list[Job]:
        """Return the held jobs that wait, by way of others, for ``job`` while it waits for them: itself among them."""
        waiting = _reach(job, self._follow)
        if job not in waiting:
            return []
        wanted: dict[Job, list[Job]] = {}
        for each in waiting:
            for follower in self._follow(each):
                wanted.setdefault(follower, []).append(each)
        return list(_reach(job, lambda each: wanted.get(each, ())))

    def _follow(self, job: Job) -> Iterable[Job]:
        """The jobs that wait for one."""
        return self._followers.get((job.workload, job.id), ())

    def _due(self, job: Job) -> None:
        if job in self.held:
            self._try(job)
            self._released()

    def _try(self, job: Job) -> None:
        """Let a held job queue if nothing is in its way any more."""
        if self.held[job] or job.begin > self._clock.now:
            return
        if job.array_limit:
            key = (job.workload, job.array)
            places = self._places.setdefault(key, {})
            if len(places) >= job.array_limit:
                self._in_line.setdefault(key, {})[job] = None
                return
            places[job] = None
        del self.held[job]
        now = self._clock.now
        job.waits = job.waits.plus(held=now - job.since)
        job.state = State.QUEUED
        self._queue(job)

    def ended(self, job: Job) -> None:
        """A job has come to its end, of whatever kind: others may have waited for it."""
        if self._outcomes is not None:
            self._outcomes[job.workload, job.id] = job.state
        if job.array_limit:
            self._leave_array(job)
        if self._followers:
            self._tell_followers(job)

    def _leave_array(self, job: Job) -> None:
        """Let the next of an array take the place of a job that had one."""
        key = (job.workload, job.array)
        places = self._places.get(key)
        if places is None or job not in places:
            return
        del places[job]
        line = self._in_line.get(key)
        if line:
            following = next(iter(line))
            del line[following]
            self._try(following)
            self._released()

    def _tell_followers(self, job: Job) -> None:
        for follower in self._followers.pop((job.workload, job.id), ()):
            if follower not in self.held:
                continue
            if job.state is _GOOD:
                self.held[follower].pop(job.id, None)
                self._try(follower)
                self._released()
            else:
                self._give_up(follower, reason=NEVER)

    def _give_up(self, *jobs: Job, reason: str) -> None:
        """Refuse held jobs, and then those who wait for them, however long the chain: not one inside the other."""
        for job in jobs:
            del self.held[job]
            self._lost.append((job, reason))
        if self._giving_up:
            return
        self._giving_up = True
        for job, why in self._lost:  # which grows meanwhile
            waited = self._clock.now - job.since
            job.waited += waited
            job.waits = job.waits.plus(held=waited)
            self._refuse(job, why)
        self._lost.clear()
        self._giving_up = False

    def close(self, now: float) -> Iterator[Job]:
        """Yield the jobs that are still held, their accounts brought up to ``now``."""
        for job in self.held:
            job.waited += now - job.since
            job.waits = job.waits.plus(held=now - job.since)
            yield job


def _reach(job: Job, following: Callable[[Job], Iterable[Job]]) -> dict[Job, None]:
    """Jobs that can be reached from one, itself only if a way leads back to it."""
    seen: dict[Job, None] = {}
    front = [job]
    while front:
        for other in following(front.pop()):
            if other not in seen:
                seen[other] = None
                front.append(other)
    return seen
