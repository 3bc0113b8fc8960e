"""The kinds of work: what a job asks for, and where it stands in its life."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from simulator.workload.saving import Saving
from simulator.workload.speedup import Given, Speedup


class State(IntEnum):
    """Where a job is in its life.

    ``HELD`` waits for its time, its dependencies or its array, and is in no queue; from ``COMPLETED`` to ``TIMEOUT``
    all are final.
    """

    PENDING = 0
    QUEUED = 1
    RUNNING = 2
    COMPLETED = 3
    REJECTED = 4
    UNFINISHED = 5
    FAILED = 6
    TIMEOUT = 7
    HELD = 8


class Waits(NamedTuple):
    """Seconds in the queue by reason; what they mean stands in ``metrics.recorder``."""

    capacity: float = 0.0
    fragmentation: float = 0.0
    order: float = 0.0
    policy: float = 0.0
    held: float = 0.0

    def plus(
        self, capacity: float = 0.0, fragmentation: float = 0.0, order: float = 0.0, policy: float = 0.0,
        held: float = 0.0,
    ) -> Waits:  # fmt: skip
        """Return the account with more seconds on it."""
        return Waits(
            self.capacity + capacity, self.fragmentation + fragmentation, self.order + order, self.policy + policy,
            self.held + held,
        )  # fmt: skip


NO_WAITS = Waits()

Placement = tuple[tuple[int, float], ...]
"""Where a job runs: (server index, accelerators taken there) for each server."""


class Life(Protocol):
    """Who wants to know when a job gets and loses its accelerators."""

    def began(self) -> None:
        """The job has its accelerators."""

    def halted(self) -> None:
        """It is about to lose them."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """What every kind of job has in common.

    The first block is what the user says. The second is kept by the engine while the job lives and is read-only for
    policies. Times in seconds, memory in bytes.
    """

    id: str
    submit: float
    accelerators: float
    """Whole accelerators of a gang, or a share below 1 of a single one; 0 for a job that needs none."""
    cores: float = 0.0
    memory: float = 0.0
    accelerator_types: tuple[str, ...] = ()
    """Catalog ids that will do; empty means any."""
    max_servers: int = 0
    """Most servers that the job can be split over; 0 for any number, 1 for a pod."""
    tenant: str = ""
    priority: float = 0.0
    estimate: float = -1.0
    """Seconds of run that the scheduler is told; negative means exactly what the job will take alone."""
    workload: str = ""
    row: int = -1
    """Row of the trace file, counted from 1 after the header; -1 when there is none."""
    user: str = ""
    partition: str = ""
    """Only servers of this partition will do; empty for any."""
    begin: float = 0.0
    """Seconds since the start of the run before which it may not start (``sbatch --begin``, an advance booking)."""
    deadline: float = math.inf
    """Seconds since the start of the run by which it should have ended; what follows is the policy's affair."""
    limit: float = math.inf
    """Seconds of running, restarts included, after which it is killed (walltime)."""
    after: tuple[str, ...] = ()
    """Ids of jobs of the same workload that must have completed before (``sbatch --dependency=afterok``)."""
    array: str = ""
    """Name of the job array that it belongs to."""
    array_limit: int = 0
    """Most jobs of its array that may run at a time (``sbatch --array=0-99%4``); 0 for any number."""
    preemptible: bool = True
    """Whether a policy may stop it; to stop one that is not is illegal."""
    restart: float = -1.0
    """Seconds lost each time it comes back after a stop or a move; negative means what the run says."""
    checkpoint: float = 0.0
    """Seconds of running between two checkpoints; a stop loses the work since the last. 0: nothing is ever lost."""
    saving: Saving | None = None
    """How it writes checkpoints that cost something; they stand in for ``checkpoint``."""
    minimum: float = 0.0
    """Fewest accelerators that an elastic job can run on; 0 means exactly ``accelerators``."""
    maximum: float = 0.0
    """Most accelerators that an elastic job can use; 0 means exactly ``accelerators``."""
    model: str = ""
    """What it trains, as tables of throughputs and interference call it."""
    speedup: Speedup | None = None
    """How its pace depends on the accelerators it is given; None: it does not, and its size is fixed."""
    selector: tuple[tuple[str, str], ...] = ()
    """Labels that a server must have, as (name, value) (Kubernetes ``nodeSelector``)."""
    tolerations: tuple[str, ...] = ()
    """Taints of servers that it bears (Kubernetes ``NoSchedule`` taints, by key)."""

    state: State = field(default=State.PENDING, init=False)
    sequence: int = field(default=-1, init=False)
    """Order of submission over all workloads."""
    start: float = field(default=float("nan"), init=False)
    """First start."""
    end: float = field(default=float("nan"), init=False)
    since: float = field(default=0.0, init=False)
    """When the present stay in the queue, or the present stretch of running, began."""
    waited: float = field(default=0.0, init=False)
    """Seconds in the queue before ``since``."""
    ran: float = field(default=0.0, init=False)
    """Seconds of running before ``since`` (attained service)."""
    done: float = field(default=0.0, init=False)
    """Seconds of work (as if alone) finished before ``since``."""
    speed: float = field(default=1.0, init=False)
    """Work per second while running: 1 alone, less under contention."""
    restarting: float = field(default=0.0, init=False)
    """Seconds of restart still to pay before work goes on, as of ``since``."""
    overhead: float = field(default=0.0, init=False)
    """Seconds of running that were spent on restarts."""
    work: float = field(default=0.0, init=False)
    """Seconds the job takes alone on what it was given; known for good when it starts."""
    preemptions: int = field(default=0, init=False)
    moves: int = field(default=0, init=False)
    """Times that it was moved or resized while it ran."""
    lost: float = field(default=0.0, init=False)
    """Seconds of running whose work was lost at stops."""
    checkpointing: float = field(default=0.0, init=False)
    """Seconds of running in which it stood still to write checkpoints."""
    hung: float = field(default=0.0, init=False)
    """Seconds of running in which it stood still after a failure that nobody had noticed yet."""
    dragged: float = field(default=0.0, init=False)
    """Seconds of running by which slow machines drew out the computing of a job that communicates."""
    failures: int = field(default=0, init=False)
    """Times that a failure stopped it; each is counted in ``preemptions`` too."""
    held: float = field(default=0.0, init=False)
    """Accelerators that it holds now; 0 when it does not run."""
    held_last: float = field(default=0.0, init=False)
    """Accelerators that it gave back last."""
    service: float = field(default=0.0, init=False)
    """Accelerator-seconds that it held before the present ``held``, kept for jobs that are not always held whole."""
    service_since: float = field(default=-1.0, init=False)
    """Seconds of running (``ran``) at which the present ``held`` began; negative while it is always held whole."""
    given: Given | None = field(default=None, init=False)
    """What ``work`` and ``done`` are seconds of, where a ``speedup`` tells."""
    pace: float = field(default=1.0, init=False)
    """What those who share its accelerator leave of its pace."""
    waits: Waits = field(default=NO_WAITS, init=False)
    """Its time in the queue by reason."""
    placement: Placement = field(default=(), init=False)
    devices: tuple[int, ...] = field(default=(), init=False)
    """For each server of ``placement``, the accelerator that a share lives on, or -1 for whole ones."""
    life: Life | None = field(default=None, init=False)
    """What goes on inside of it, where the engine does not know."""

    @property
    def size(self) -> float:
        """Accelerator-seconds that the scheduler expects: accelerators x estimate."""
        return self.accelerators * self.estimate


@dataclass(slots=True, kw_only=True, eq=False)
class BatchJob(Job):
    """A gang of accelerators held for ``duration`` seconds, as traces have it.

    ``communication`` is the share of the duration, run alone, that is exposed network time (0 to below 1): with it a
    replayed job slows down when others take its bandwidth.
    """

    duration: float
    communication: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingJob(Job):
    """Synchronous training: ``iterations`` optimizer steps of computing and communicating.

    Either plain data parallelism: ``compute`` is seconds per iteration on one accelerator, ``gradient`` bytes to
    all-reduce per iteration, ``overlap`` the share of ``compute`` that the communication can hide behind. Or a
    ``recipe`` (``runtime.recipe.Recipe``: model, layout, framework), from which all that follows at the placement.
    """

    iterations: int
    compute: float = 0.0
    gradient: float = 0.0
    overlap: float = 0.0
    recipe: object | None = None


FOREVER = 1e12
"""Seconds of running that schedulers are told of what runs until it is stopped (30,000 years)."""


@dataclass(slots=True, kw_only=True, eq=False)
class ReplicaJob(Job):
    """A replica of a service: it runs until the service lets it go."""

    duration: float = math.inf


@dataclass(slots=True)
class Transfer:
    """``bytes`` from ``src`` to ``dst``, asked for at ``start`` seconds.

    ``src`` and ``dst`` are vertices of the topology. ``route`` names the links by index; without it the topology's
    routing picks one. The transfer becomes active after the sum of its route's latencies.
    """

    src: str = ""
    dst: str = ""
    bytes: float = math.nan
    start: float = 0.0
    route: Sequence[int] | None = None
    id: str = ""
    workload: str = ""
