"""Checkpoints on the clock: jobs that stand still or write beside their work, and what a stop leaves of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.cluster.topology import SCALE_UP
from simulator.core.clock import Phase
from simulator.core.timer import Deadlines
from simulator.models.checkpoint import daly, young
from simulator.runtime.parts import Part
from simulator.runtime.progress import busy
from simulator.workload.jobs import Job, State
from simulator.workload.saving import Saving
from simulator.workload.speedup import Given

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

Mtbf = Callable[[Job, bool], float]
"""Mean seconds between failures of a running job: as declared, or (True) corrected by what the run has seen."""


class _Kept(NamedTuple):
    """Work of a job as of an instant: seconds done of how many, on what, and the seconds of running that took."""

    done: float
    work: float
    given: Given | None
    busy: float

    def on(self, job: Job) -> float:
        """Seconds of the same work as the job counts them now."""
        if job.speedup is not None and job.given is not None and self.given is not None:
            if self.given == job.given:
                return self.done
            return job.speedup.seconds(job.given, job.speedup.fraction(self.given, self.done))
        if self.work != job.work and 0 < self.work < math.inf and 0 < job.work < math.inf:
            return self.done * job.work / self.work
        return self.done


@dataclass(slots=True)
class _Book:
    """The checkpoints of one job; ``stage`` is empty, load, snapshot, or write."""

    kept: _Kept
    stage: str = ""
    coming: _Kept | None = None
    """What the checkpoint that is being written will hold."""
    due: float = math.inf
    """Seconds of work that counts at which the next begins."""
    ends: float = math.inf
    """When the stage that stands on the clock ends (s)."""
    late: bool = False
    """Whether the next one is due, and waits for the last."""
    reload: bool = False
    wrote: float = -1.0
    """Seconds that the last write took; negative before the first."""
    asked: list[Callable[[], None]] = field(default_factory=list)
    """Who wants to know when the next one is there, and when the one that is being written is."""
    told: list[Callable[[], None]] = field(default_factory=list)
    writes: int = 0
    """Number of the last write: one that is given up is not listened to any more."""


class Checkpoints(Part):
    """Writes the checkpoints of jobs that have a ``Saving``; a stop takes them back to the last that was written.

    ``mtbf`` is asked by jobs whose interval follows a rule; interruptions of nodes are added to it. Where neither takes
    any work they write none. A checkpoint that is on its way
    when its job stops, moves or hangs is given up; bytes that are on the links go on.
    """

    def __init__(self, mtbf: Mtbf | None = None) -> None:
        self._mtbf = mtbf
        self._books: dict[Job, _Book] = {}
        self._written = 0
        self._given_up = 0
        self._by_rule = False

    def attach(self, simulation: Simulation) -> None:
        """Join a simulation that is being put together."""
        self._simulation, self._clock, self._gangs = simulation, simulation.clock, simulation.gangs
        self._next: Deadlines[Job] = Deadlines(self._clock, self._due, Phase.FAILURES)
        self._stages: Deadlines[Job] = Deadlines(self._clock, self._stage_over, Phase.FAILURES)
        simulation.gangs.saver = self

    def close(self, now: float) -> dict[str, Any]:
        """Return how many checkpoints were written, and how many were given up."""
        return {"checkpoints": {"written": self._written, "given_up": self._given_up}}

    def notes(self) -> list[str]:
        """Say which interruptions are in no rate that intervals went by."""
        pool = self._simulation.pool
        names = pool.losses.by_file if pool is not None and self._by_rule else ()
        groups = f"node group{'s' * (len(names) > 1)} {', '.join(names)}"
        text = f"Intervals between checkpoints leave out interruptions that a file brings, those of {groups}"
        return [f"{text}; adaptive ones learn from them as they come."] if names else []

    # -- what gangs say -----------------------------------------------------------------------------------------

    def load(self, job: Job) -> float:
        """Return the seconds that pass before a job that comes back can go on, besides its restart."""
        book = self._books.get(job)
        return job.saving.load if book is not None and book.reload and job.saving is not None else 0.0

    def began(self, job: Job) -> None:
        """A job has begun to move, or moves again after it was held up by others."""
        assert job.saving is not None
        book = self._book(job)
        if book.reload:
            book.reload = False
            if job.saving.store:
                self._gangs.pause(job, "overhead")
                book.writes += 1
                book.stage = "load"
                servers = [server for server, _ in job.placement]
                came = partial(self._loaded, job, book.writes)
                pulls = self._simulation.pulls
                pulls.fetch(
                    servers, job.saving.store, job.saving.size / len(servers), came, name=(job.id, job.workload)
                )
                return
        self._expect(job, book)

    def halted(self, job: Job) -> None:
        """It is held up by others, or is about to lose its accelerators."""
        book = self._books.get(job)
        if book is None:
            return
        self._next.clear(job)
        self._stages.clear(job)
        book.writes += 1
        if book.coming is not None:
            self._given_up += 1
            book.coming, book.stage, book.ends = None, "", math.inf
            book.told.clear()
        elif book.stage == "load":
            book.reload, book.stage = True, ""
        book.late = False
        book.asked.clear()

    def lose(self, job: Job) -> bool:
        """Take from a job that was stopped what no checkpoint holds; False for one that has none that cost."""
        book = self._books.get(job)
        if book is None or (job.saving is None and not job.checkpoint):
            return False
        kept = book.kept.on(job)
        if job.saving is None and job.checkpoint < math.inf and kept < job.done // job.checkpoint * job.checkpoint:
            return False
        job.lost += max(0.0, busy(job) - book.kept.busy)
        job.done = min(job.done, kept)
        if job.saving is not None:
            book.reload = kept > 0
            book.due = math.inf
        return True

    def forget(self, job: Job) -> None:
        """It is over."""
        self._books.pop(job, None)

    # -- the life of a checkpoint -------------------------------------------------------------------------------

    def save_now(self, job: Job, done: Callable[[], None]) -> float:
        """Begin a checkpoint of a running job at once and call ``done()`` when it is written.

        Returns the seconds that this takes, as far as can be told now: what the links give is an estimate. 0 for a job
        that loses nothing at a stop or whose checkpoints are free, for which ``done()`` is called before the return;
        infinity for one that hangs, which can save nothing. A job that stops before it is written calls nobody.
        """
        if job.state is not State.RUNNING or self._hangs(job):
            return math.inf
        if job.saving is None:
            if job.checkpoint:
                self._gangs.settle(job)
                self._book(job).kept = _now(job)
            done()
            return 0.0
        book, saving = self._book(job), job.saving
        write = self.estimate(job)
        left = max(0.0, (book.ends if book.ends < math.inf else self._clock.now + write) - self._clock.now)
        if book.coming is not None and saving.mode == "synchronous":
            book.told.append(done)  # it stands still, so that what is being written is all there is
            return left
        book.asked.append(done)
        if book.coming is not None:
            book.late = True
            snapshot = write if book.stage == "snapshot" else 0.0
            return left + snapshot + saving.snapshot + write
        self._begin(job, book)
        return (saving.snapshot if saving.mode == "asynchronous" else 0.0) + write

    def estimate(self, job: Job) -> float:
        """Seconds that the bytes of a checkpoint take: as stated, as the last took, or as the narrowest links allow."""
        book, saving = self._books.get(job), job.saving
        if saving is None or not saving.store:
            return 0.0 if saving is None else saving.write
        if book is not None and book.wrote >= 0:
            return book.wrote
        return self._alone(job, saving)

    def _book(self, job: Job) -> _Book:
        book = self._books.get(job)
        if book is None:
            book = self._books[job] = _Book(_Kept(job.done, job.work, job.given, busy(job)))
        return book

    def _hangs(self, job: Job) -> bool:
        book = self._books.get(job)
        return self._gangs.stands(job) and (book is None or book.coming is None)

    def _expect(self, job: Job, book: _Book) -> None:
        """Put the next checkpoint of a moving job on the clock."""
        spent = busy(job)
        if book.due == math.inf:
            book.due = spent + self._interval(job)
        at = job.since + job.restarting + max(0.0, book.due - spent)
        self._next.set(job, max(at, self._clock.now))

    def _due(self, job: Job) -> None:
        book = self._books[job]
        if book.coming is not None:
            book.late = True
        else:
            self._begin(job, book)

    def _begin(self, job: Job, book: _Book) -> None:
        self._gangs.settle(job)
        if job.done >= job.work * (1 - _ROUNDING) and not book.asked:
            return  # it ends at this instant
        saving = job.saving
        assert saving is not None
        self._next.clear(job)
        book.coming, book.late = _now(job), False
        book.told, book.asked = book.asked, []
        if saving.mode == "asynchronous":
            book.due = book.coming.busy + self._interval(job)
            if saving.snapshot > 0:
                self._gangs.pause(job, "checkpointing")
                self._stage(job, book, "snapshot", saving.snapshot)
            else:
                self._write(job, book)
                self._expect(job, book)
            return
        self._gangs.pause(job, "checkpointing")
        self._write(job, book)

    def _stage(self, job: Job, book: _Book, stage: str, seconds: float) -> None:
        book.stage, book.ends = stage, self._clock.now + seconds
        self._stages.set(job, book.ends)

    def _write(self, job: Job, book: _Book) -> None:
        saving = job.saving
        assert saving is not None
        if not saving.store:
            self._stage(job, book, "write", saving.write)
            return
        book.stage, book.ends = "write", math.inf
        book.writes += 1
        servers = [server for server, _ in job.placement]
        there = partial(self._pushed, job, book.writes, self._clock.now)
        self._simulation.pulls.push(servers, saving.store, saving.size, there, name=(job.id, job.workload))

    def _stage_over(self, job: Job) -> None:
        book = self._books[job]
        if book.stage == "snapshot":
            self._gangs.resume(job)
            self._write(job, book)
            self._expect(job, book)
        else:
            self._there(job, book)

    def _pushed(self, job: Job, write: int, since: float) -> None:
        book = self._books.get(job)
        if book is not None and book.writes == write and book.coming is not None:
            book.wrote = self._clock.now - since
            self._there(job, book)

    def _loaded(self, job: Job, write: int) -> None:
        book = self._books.get(job)
        if book is not None and book.writes == write:
            book.stage = ""
            self._gangs.resume(job)
            self._expect(job, book)

    def _there(self, job: Job, book: _Book) -> None:
        """A checkpoint is written: it counts from now on."""
        assert book.coming is not None
        assert job.saving is not None
        book.kept, book.coming, book.stage, book.ends = book.coming, None, "", math.inf
        self._written += 1
        if job.saving.mode == "synchronous":
            self._gangs.resume(job)
            book.due = math.inf
            self._expect(job, book)
        told, book.told = book.told, []
        for done in told:
            done()
        if (book.late or book.asked) and book.coming is None and job.state is State.RUNNING:
            self._begin(job, book)

    # -- how often ----------------------------------------------------------------------------------------------

    def _interval(self, job: Job) -> float:
        """Seconds of work from the beginning of one checkpoint to that of the next."""
        saving = job.saving
        assert saving is not None
        if not isinstance(saving.every, str):
            return saving.every
        self._by_rule = True
        write = self.estimate(job)
        mtbf = self._between(job, saving.snapshot + write, saving.every == "adaptive")
        cost = saving.stall(write)
        if mtbf == math.inf or cost <= 0:
            return math.inf if mtbf == math.inf else max(write, _LEAST)
        found = young(mtbf, cost) if saving.every == "young" else daly(mtbf, cost)
        return max(found, write if saving.mode == "asynchronous" else 0.0)

    def _between(self, job: Job, needs: float, seen: bool) -> float:
        """Seconds between losses of work: failures, and interruptions whose notice is shorter than ``needs``."""
        mtbf = math.inf if self._mtbf is None else self._mtbf(job, seen)
        pool = self._simulation.pool
        if pool is None:
            return mtbf
        places = (server for server, _ in job.placement)
        rate = pool.losses.seen(job, needs) if seen else pool.losses.of(places, needs)
        rate += 1.0 / mtbf
        return 1.0 / rate if rate > 0 else math.inf

    def _alone(self, job: Job, saving: Saving) -> float:
        """Seconds of a write that meets nobody: by what leaves the servers of a job, and what enters the store."""
        topology, pulls = self._simulation.topology, self._simulation.pulls
        store = pulls.store(saving.store)
        rate = store.stream * len(job.placement)
        ports: dict[str, None] = {}
        for server, _ in job.placement:
            count = topology.servers[server].accelerators
            ports |= {topology.endpoint(server, device): None for device in range(max(1, count))}
        out = into = 0.0
        for (src, dst), tier, capacity in zip(topology.ends, topology.tiers, topology.capacity.tolist(), strict=True):
            into += capacity if dst == store.vertex else 0.0
            out += capacity if src in ports and tier != SCALE_UP else 0.0
        return saving.size / min([rate, *(each for each in (out, into) if each > 0)])


_ROUNDING = 1e-9
"""Relative: work that is as near to done is done."""
_LEAST = 1.0
"""Seconds between two checkpoints that cost nothing and take no time; ours."""


def _now(job: Job) -> _Kept:
    return _Kept(job.done, job.work, job.given, busy(job))
