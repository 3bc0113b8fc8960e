"""A pool of accelerators second by second: plain lists, whole numbers, no events, nothing of the engine.

What the built-in schedulers must do is written down here once more, as naively as it goes, so that the engine can be
checked against it job by job.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Job:
    """A gang with whole-second times; what happens to it is kept in the second block."""

    submit: int
    duration: int
    accelerators: int
    estimate: int
    number: int = 0

    state: str = "pending"
    start: int = -1
    end: int = -1
    waited: int = 0
    ran: int = 0
    done: int = 0
    restarting: int = 0
    overhead: int = 0
    preemptions: int = 0

    @property
    def due(self) -> int:
        """Seconds from now to its expected end; below 0 when that has passed."""
        return self.estimate - self.done + self.restarting

    @property
    def left(self) -> int:
        """Seconds that it is expected to run from now on."""
        return max(0, self.estimate - self.done) + self.restarting


class Pool:
    """``accelerators`` and the jobs on them."""

    def __init__(
        self,
        accelerators: int,
        jobs: list[Job],
        policy: str,
        quantum: int = 0,
        restart: int = 0,
        thresholds: tuple[int, ...] = (),
    ) -> None:
        self.accelerators, self.jobs, self.policy = accelerators, jobs, policy
        self.thresholds = thresholds
        self.quantum, self.restart = quantum, restart
        self.now = 0
        self.tick_at: int | None = None
        for number, job in enumerate(jobs):
            job.number = number

    @property
    def queue(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "queued"]

    @property
    def running(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "running"]

    @property
    def free(self) -> int:
        return self.accelerators - sum(job.accelerators for job in self.running)

    def run(self) -> None:
        """Step second by second until every job has ended or can never start."""
        while any(job.state in ("pending", "queued", "running") for job in self.jobs):
            self.instant()
            self.second()

    def instant(self) -> None:
        """What happens at this very moment: ends, arrivals, the tick, then a pass; again while jobs of 0 s end."""
        happened = self.ends()
        for job in self.jobs:
            if job.submit == self.now and job.state == "pending":
                job.state = "queued" if job.accelerators <= self.accelerators else "rejected"
                happened = True
        if self.tick_at == self.now:
            self.tick_at, happened = None, True
        if any(job.ran and job.ran * job.accelerators in self.thresholds for job in self.running):
            happened = True
        while happened:
            if self.queue:
                getattr(self, self.policy)()
                if self.quantum and self.queue and self.tick_at is None:
                    self.tick_at = self.now + self.quantum
            happened = self.ends()

    def ends(self) -> bool:
        over = [job for job in self.running if job.done >= job.duration and not job.restarting]
        for job in over:
            job.state, job.end = "completed", self.now
        return bool(over)

    def second(self) -> None:
        """Let one second pass."""
        self.now += 1
        for job in self.queue:
            job.waited += 1
        for job in self.running:
            job.ran += 1
            if job.restarting:
                job.restarting -= 1
                job.overhead += 1
            else:
                job.done += 1

    def begin(self, job: Job) -> None:
        if job.start < 0:
            job.start = self.now
        else:
            job.restarting = self.restart
        job.state = "running"

    def stop(self, job: Job) -> None:
        job.state, job.restarting = "queued", 0
        job.preemptions += 1

    # -- the policies -------------------------------------------------------------------------------------------

    def in_order(self, order: list[Job]) -> list[Job]:
        """Start the first ones while they fit; return the rest."""
        while order and order[0].accelerators <= self.free:
            self.begin(order.pop(0))
        return order

    def by_turn(self) -> list[Job]:
        return sorted(self.queue, key=lambda job: (job.submit, job.estimate, job.accelerators, job.number))

    def fifo(self) -> None:
        self.in_order(self.by_turn())

    def sjf(self) -> None:
        self.in_order(sorted(self.queue, key=lambda job: (job.estimate, job.submit, job.accelerators, job.number)))

    def easy(self) -> None:
        rest = self.in_order(self.by_turn())
        if not rest:
            return
        head, others = rest[0], rest[1:]
        at, free = self.now, self.free
        for job in sorted(self.running, key=lambda job: (job.due, job.number)):
            if free >= head.accelerators and self.now + job.left > at:
                break
            at, free = self.now + job.left, free + job.accelerators
        spare = free - head.accelerators
        for job in others:
            if job.accelerators > self.free:
                continue
            if self.now + job.estimate <= at:
                self.begin(job)
            elif job.accelerators <= spare:
                spare -= job.accelerators
                self.begin(job)

    def srtf(self) -> None:
        self.preferring(lambda job: (job.left, job.state == "queued", job.due, job.number))

    def las(self) -> None:
        self.preferring(lambda job: (job.ran // self.quantum, job.state == "queued", job.number))

    def tiresias(self) -> None:
        def rank(job: Job) -> tuple[float, ...]:
            level = sum(job.ran * job.accelerators >= each for each in self.thresholds)
            return (level, job.state == "queued", job.start if job.start >= 0 else 10**9, job.number)

        self.preferring(rank)

    def preferring(self, rank: object) -> None:
        """Start all if all fit; else the best-ranked that fit together, stopping the worst-ranked others as needed."""
        if sum(job.accelerators for job in self.queue) <= self.free:
            for job in self.queue:
                self.begin(job)
            return
        room = self.accelerators
        chosen, others = [], []
        for job in sorted(self.queue + self.running, key=rank):  # type: ignore[call-overload]
            if job.accelerators <= room:
                room -= job.accelerators
                chosen.append(job)
            elif job.state == "running":
                others.append(job)
        fresh = [job for job in chosen if job.state == "queued"]
        while others and sum(job.accelerators for job in fresh) > self.free:
            self.stop(others.pop())
        for job in fresh:
            self.begin(job)


def simulate(
    accelerators: int,
    jobs: list[Job],
    policy: str,
    quantum: int = 0,
    restart: int = 0,
    thresholds: tuple[int, ...] = (),
) -> list[Job]:
    """Return the jobs as they ended."""
    Pool(accelerators, jobs, policy, quantum, restart, thresholds).run()
    return jobs


def conservative(accelerators: int, jobs: list[tuple[int, int, int]]) -> list[int]:
    """Starts of (submit, duration, accelerators) when each in turn takes the first gap that the ones before leave.

    All durations are known and at least a second, jobs come in their order, and the gaps are found second by second.
    """
    used: dict[int, int] = {}
    starts = []
    for submit, duration, size in jobs:
        begin = submit
        while any(used.get(second, 0) + size > accelerators for second in range(begin, begin + duration)):
            begin += 1
        for second in range(begin, begin + duration):
            used[second] = used.get(second, 0) + size
        starts.append(begin)
    return starts
