"""One replica as a job: its place in the cluster, and what runs there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.runtime.decisions import Decisions
from simulator.runtime.fleets.startup import Fetching, Start
from simulator.runtime.slots import Member
from simulator.workload.jobs import ReplicaJob

if TYPE_CHECKING:
    from simulator.runtime.fleets.fleet import Fleet


class Cluster(Protocol):
    """What a fleet needs of the cluster around it."""

    topology: Topology
    clock: Clock
    decisions: Decisions

    @property
    def pulls(self) -> Fetching:
        """Who brings bytes from stores to servers."""

    def submit(self, job: ReplicaJob) -> str:
        """Let a job queue; return why it can never run, or nothing."""

    def finish(self, job: ReplicaJob) -> None:
        """End a running job, or take a waiting one out of the queue."""

    def members(self, job: ReplicaJob) -> tuple[Member, ...]:
        """The accelerators of a running job, by rank."""

    def note_event(self, event: str, subject: str, amount: float) -> None:
        """Write a row of the events table."""


class Worker(Protocol):
    """What runs on the accelerators of a replica."""

    taking: bool
    """Whether work is sent here; kept by the fleet."""
    number: int
    busy: float
    """Seconds of work that is over."""

    @property
    def outstanding(self) -> float:
        """Work that was sent here and has not ended: without any, a replica that is draining may go."""

    def busy_until(self, now: float) -> float:
        """Seconds that it has worked until ``now``."""

    def stop(self) -> Sequence[Any]:
        """It loses its accelerators: return the work that is left."""


W = TypeVar("W", bound=Worker)


class Seat(Generic[W]):
    """One replica as a job: the job, and what runs on its accelerators while it has some."""

    def __init__(self, fleet: Fleet[W], job: ReplicaJob, number: int) -> None:
        self._fleet, self.job, self.number = fleet, job, number
        self.worker: W | None = None
        self.start: Start | None = None
        self.draining = False
        self.since = self.ready_since = job.submit
        """When it got its accelerators, and when it began or ceased to take work (s)."""
        self.read = (job.submit, 0.0)
        """When it was last looked at by itself (s), and how long it had worked until then (s)."""

    def began(self) -> None:
        """The job has its accelerators."""
        self._fleet.began(self)

    def halted(self) -> None:
        """It is about to lose them."""
        self._fleet.halted(self)

    def may_leave(self) -> str:
        """Say why it may not be evicted now; empty when it may."""
        return self._fleet.may_leave(self)

    def leave(self, grace: float) -> None:
        """Leave the node: another takes its place, and what it does ends within ``grace`` seconds, or is lost."""
        self._fleet.leave(self, grace)
