"""What policies of a service see and decide: routers, batching, the order of a replica's queue, numbers of replicas.

A router is a function ``(request, view) -> replica`` or a class with ``route(request, view)`` and, if it likes,
``reset(rng)`` (before each run), ``on_end(request)`` (finished, rejected or out of time):

    def shortest_queue(request, view):
        return min(view.replicas, key=lambda replica: replica.queued)

What it sees of replicas may be as old as the service's ``staleness`` says, and is never from the future. A policy never
changes a request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from simulator.core.registry import Registry
from simulator.workload.requests import Request


class ReplicaView(Protocol):
    """A replica as a router sees it."""

    @property
    def number(self) -> int:
        """Number of the replica in its service, from 0 in order of creation; never used twice."""
        ...

    @property
    def outstanding(self) -> int:
        """Requests that were sent there and have not ended."""
        ...

    @property
    def queued(self) -> int:
        """Requests that wait there."""
        ...

    @property
    def running(self) -> int:
        """Requests in its batch."""
        ...

    @property
    def kv(self) -> float:
        """Share of its KV blocks that are held by requests, 0 to 1."""
        ...

    @property
    def pending(self) -> int:
        """Prompt tokens that were sent there and are not computed."""
        ...

    def prefix(self, request: Request) -> int:
        """Leading blocks of the request's ``hashes`` that its prefix cache holds; 0 without hashes."""
        ...

    def adapted(self, adapter: str) -> bool:
        """Whether it has a LoRA adapter in memory."""
        ...


class RoutingView(Protocol):
    """A service as its router sees it."""

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        ...

    @property
    def replicas(self) -> Sequence[ReplicaView]:
        """Replicas that take requests, by number; at least one."""
        ...


class Router(Protocol):
    """Decides which replica a request is sent to."""

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return one of ``view.replicas``."""
        ...


class Batching(Protocol):
    """How a replica puts its iterations together, as rules that hold while its batch does not change.

    Registered classes name the product they imitate and its version in ``imitates``. With an attribute ``ahead`` that
    is true an iteration is made up when the one before it begins: who comes meanwhile waits for one more.
    """

    imitates: str
    mixed: bool
    """Whether prompts are computed in the iterations in which others decode; else these stand still meanwhile."""
    chunked: bool
    """Whether a prompt may be cut to fit into an iteration."""
    reserve: str
    """KV blocks taken when a request is let in: ``chunk`` (what is computed now), ``checked`` (the same, but its whole
    prompt must fit), ``prompt``, or ``all`` (prompt and output)."""

    def budget(self, decoding: int) -> int:
        """Prompt tokens that the next iteration may compute beside ``decoding`` sequences; 0 or less: none."""
        ...

    def admits(self, running: int) -> bool:
        """Whether waiting requests may be let in beside ``running`` ones; asked once an iteration, before any is."""
        ...


class Lineup(Protocol):
    """The queue of one replica: who is let in next, and who has to go first when the KV cache is full."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Request]: ...

    def add(self, request: Request) -> None:
        """Take a request that came."""
        ...

    def put_back(self, request: Request) -> None:
        """Take a request that was preempted: ahead of those of its rank that came after it."""
        ...

    def head(self) -> Request:
        """Return who is next; only called when somebody waits."""
        ...

    def remove(self, request: Request) -> None:
        """Take a request out, because it is let in or has left."""
        ...

    def victim(self, running: Sequence[Request]) -> Request:
        """Return who is preempted of ``running``, which stand in the order in which they were let in."""
        ...


class Counting(Protocol):
    """What a lineup has besides, if it goes by service received."""

    def charge(self, request: Request, prompt: int, output: int) -> None:
        """A request has had so many tokens of its prompt computed and so many generated since the last call."""
        ...


@dataclass(frozen=True, slots=True)
class PodReading:
    """One replica as a metrics pipeline and the control plane see it. Times in seconds on the clock of the run."""

    values: Mapping[str, float] = field(default_factory=dict)
    """Latest sample of each metric by name; one that is not there is missing."""
    ready: bool = True
    started: float = -math.inf
    """When it was started."""
    ready_since: float = -math.inf
    """When it last became ready, or stopped being so."""
    sampled: float = math.inf
    """When its samples were taken."""
    window: float = 0.0
    """Time over which they are means."""
    request: float = 1.0
    """What it requests of a resource, which a utilization is a share of."""
    phase: Literal["running", "pending", "failed"] = "running"
    deleted: bool = False
    """Whether it is being taken away."""


@dataclass(frozen=True, slots=True)
class ServiceObservation:
    """What an autoscaler of replicas is told at each step. Sums are over the replicas that take requests.

    Numbers of requests and the like come through the service's metric pipeline, if it has one, so they may be means and
    may be late; numbers of replicas are those of the control plane, and are of now.
    """

    ready: int
    """Replicas that take requests."""
    coming: int
    """Replicas that wait for accelerators or are starting."""
    draining: int
    outstanding: float
    """Requests that came and have not ended, wherever they are; tasks that are not done of a data job."""
    queued: float
    """Of them: in the queue of a replica, or waiting for one to be there."""
    running: float
    kv: float
    """Mean share of KV blocks that requests hold."""
    busy: float
    """Share of the time since the last step (or of the pipeline's window) that replicas worked, mean over them."""
    arrivals: float
    """Requests per second since the last step (or over the pipeline's window)."""
    pods: Sequence[PodReading] = ()
    """Each replica by itself. Empty: those that are ready all report, and ``coming`` ones are not ready."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Metrics that cannot be had now, and why."""
    window: Mapping[float, float] = field(default_factory=dict)
    """``outstanding``, mean over the last so many seconds, for each span that the scaler lists in ``windows``."""

    @property
    def replicas(self) -> int:
        """Replicas that there are or will be, short of those that are draining."""
        return self.ready + self.coming


class ReplicaScaler(Protocol):
    """A clock-free state machine that sizes a service.

    One that keeps something has a method ``reset()`` too, which is called before each run. Built-in ones say in
    ``version`` which product and version they follow. With an attribute ``windows`` (seconds, shortest first) it is
    told means over these spans; with ``per_pod = True`` it is told of each replica by itself at every step. One with a
    method ``bounds(minimum, maximum)`` is told the fewest and the most replicas (None: any number) before each run, and
    raises ``ValueError`` if they do not go with what it is set to.
    """

    interval: float
    """Seconds between two steps; 0: only the first one, at the start."""

    def step(self, now: float, observation: ServiceObservation) -> int:
        """Return the number of replicas wanted (ready and coming together), best as a ``Decision`` that says why."""
        ...


routers: Registry[Callable[..., Router]] = Registry("router", "simulator.policies.routing")
batchings: Registry[Callable[..., Batching]] = Registry("batching", "simulator.policies.batching")
lineups: Registry[Callable[..., Lineup]] = Registry("lineup", "simulator.policies.lineups")
replica_scalers: Registry[Callable[..., ReplicaScaler]] = Registry("replica autoscaler", "simulator.policies.replicas")
