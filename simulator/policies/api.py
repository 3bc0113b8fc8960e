"""What a policy sees and what it may ask for. Read this first when you write one.

Three tiers, no registration needed:

1. a key: ``by(lambda job: job.size)`` runs jobs in that order, head first, strictly;
2. a function ``(view) -> Iterable[Action]``, usually a generator;
3. a class with ``schedule(view)`` and, if it likes, ``on_submit(job)`` (also when a preempted job is back in the
   queue), ``on_finish(job)`` (one that has come to its end: completed, out of time, or taken out of the queue
   because its service does not want it any more), ``on_tick(now)``,
   ``reset(rng)`` (before each run), an ``interval`` in seconds at which it wants to be called while jobs wait, and a
   ``wake``, the time (s) at which it wants to be asked next, read after each pass (infinite: not before something
   happens). With ``always = True`` it is asked, and ticked, while jobs run too, though none waits.

The view is live: an action takes effect when it is yielded, before the generator goes on, so ``view.free`` already
counts it. A preempted job joins the queue after the pass. A policy never changes a job. An illegal action ends the run
with a ``PolicyError`` that names policy, time, job and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.registry import Registry
from simulator.workload.jobs import Job, Placement


@dataclass(slots=True)
class Start:
    """Start a queued job; without ``placement`` the placement policy decides where.

    An elastic job may get any number of accelerators from its ``minimum`` to its ``maximum``, as the placement says;
    without one it gets the ``accelerators`` it asked for.

    If the job cannot be placed now, because what is free lies scattered or is of another type, it stays queued. To
    start a job that wants more accelerators than are free at all is illegal.
    """

    job: Job
    placement: Placement | None = None


@dataclass(slots=True)
class Preempt:
    """Stop a running job and put it back into the queue.

    Its work is kept up to its last checkpoint, which is all of it for a job that says nothing about checkpoints.
    """

    job: Job


@dataclass(slots=True)
class Migrate:
    """Move a running job elsewhere in one instant, on as many accelerators; it pays its restart.

    Without ``placement`` the placement policy decides, its own accelerators counted as free; where it would stay as it
    is, or fits nowhere else, nothing happens.
    """

    job: Job
    placement: Placement | None = None


@dataclass(slots=True)
class Resize:
    """Give a running elastic job another number of accelerators in one instant; it pays its restart.

    ``accelerators`` lies between the job's ``minimum`` and ``maximum``; without ``placement`` the placement policy
    decides where, the job's own accelerators counted as free. To the same number and place: nothing happens.
    """

    job: Job
    accelerators: float
    placement: Placement | None = None


@dataclass(slots=True)
class Share:
    """Let a job have shares of the time of accelerators, as a fluid: an ideal that no real cluster reaches.

    ``shares`` maps types of accelerators to the share of time (0 to 1, together at most 1) for which its whole gang
    runs on them; it progresses at the mean of its paces, and holds shares x gang. An empty mapping puts it back into
    the queue. All of a type's shares x gangs must fit into the accelerators of that type that are up: a pass may give
    them in any order, and is judged at its end. A job that shares costs no restart, and has no placement.
    """

    job: Job
    shares: Mapping[str, float]


@dataclass(slots=True)
class Hold:
    """Leave a queued job waiting and say why, for the account of its time in the queue; changes nothing else."""

    job: Job
    reason: str


@dataclass(slots=True)
class Reject:
    """Turn a queued job away for good."""

    job: Job
    reason: str = ""


Action = Start | Preempt | Migrate | Resize | Share | Hold | Reject


class JobSet(Protocol):
    """Jobs in the order they came in; safe to loop over while actions take jobs out."""

    def __iter__(self) -> Iterator[Job]: ...

    def __len__(self) -> int: ...

    @property
    def accelerators(self) -> float:
        """Accelerators that the jobs ask for, all together."""
        ...

    def by(self, key: Callable[[Job], Any], backwards: bool = False) -> Iterator[Job]:
        """Loop in the order of ``key``, ties in the order of submission; ``backwards`` from the end of it.

        The order is kept up to date as jobs come and go, so looking at the first few costs nothing like a sort; ``key``
        must therefore be the same function at each call and must not change for a job while it is in the set.
        """
        ...

    def split(self, group: Callable[[Job], Any]) -> Mapping[Any, JobSet]:
        """Return the jobs by ``group(job)``, each group a set like this one; one that is empty may be there.

        ``group`` must be one function, and its value for a job must not change while that is here.
        """
        ...

    def again(self, job: Job | None = None) -> None:
        """Say that a key of a job has changed (None: of all): it is sorted in anew. One that is not here is ignored."""
        ...

    def fitting(
        self,
        key: Callable[[Job], Any],
        limit: Callable[[float], float],
        after: Job | None = None,
        length: Callable[[Job], float] | None = None,
    ) -> Iterator[Job]:
        """Loop in the order of ``key`` over the jobs with ``length(job) <= limit(job.accelerators)``.

        Jobs that do not fit are not looked at, so one who does is found fast among thousands who do not. A limit of
        minus infinity leaves all jobs of that size out; without ``length`` any other limit lets them in. ``limit`` may
        fall while the loop goes on, and must not rise. ``after`` begins behind a job. What is said of ``key`` at ``by``
        holds for ``length`` too.
        """
        ...


class ClusterView(Protocol):
    """The cluster as a policy sees it: cheap and read-only."""

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        ...

    @property
    def queue(self) -> JobSet:
        """Jobs that wait."""
        ...

    @property
    def running(self) -> JobSet:
        """Jobs that run."""
        ...

    @property
    def free(self) -> float:
        """Accelerators that are free, over all servers."""
        ...

    @property
    def gangs_only(self) -> bool:
        """Whether every job so far asked for whole accelerators, so that none fits when none is free."""
        ...

    @property
    def nodes(self) -> Allocator:
        """Free accelerators, cores and memory by server, as numpy arrays."""
        ...

    @property
    def topology(self) -> Topology:
        """Servers, switches and links."""
        ...

    def estimate(self, job: Job) -> float:
        """Seconds of running that the job is expected to need in all."""
        ...

    def remaining(self, job: Job) -> float:
        """Seconds of running that the job is expected to need from now on."""
        ...

    def attained(self, job: Job) -> float:
        """Seconds that the job has run so far."""
        ...

    def fraction(self, job: Job) -> float:
        """Share of the job's work that is done, 0 to 1: what a ``Speedup`` counts in."""
        ...

    def place(self, job: Job, accelerators: float | None = None) -> Placement | None:
        """Where the placement policy would put the job now; None when it does not fit.

        ``accelerators`` asks for another number than the job's own.
        """
        ...


@runtime_checkable
class Scheduler(Protocol):
    """Decides which jobs run."""

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Say what to do now. Called once in each instant in which something happened while jobs wait."""
        ...


class Placer(Protocol):
    """Decides where a job runs."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Return servers for all of the job, or None when it does not fit now. Changes nothing."""
        ...


class Interference(Protocol):
    """How jobs that share an accelerator slow each other."""

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job (1: as fast as its share allows) beside neighbours, each with its share of the accelerator."""
        ...


interferences: Registry[Callable[..., Interference]] = Registry("interference", "simulator.policies.sharing")
schedulers: Registry[Callable[..., Scheduler]] = Registry("scheduler", "simulator.policies.scheduling")
placers: Registry[Callable[..., Placer]] = Registry("placement", "simulator.policies.placement")
