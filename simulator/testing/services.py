"""Situations for policies of a service: requests, and replicas as a router sees them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from simulator.core.rng import stream
from simulator.policies.serving import ServiceObservation
from simulator.workload.requests import Request

_SAID = tuple(each.name for each in fields(Request) if each.init)


@dataclass(slots=True)
class SeenReplica:
    """A replica as a router sees it, made up: what it has is what you say.

    ``hashes`` are the blocks of its prefix cache, ``adapters`` the LoRA adapters in its memory.
    """

    number: int
    outstanding: int = 0
    queued: int = 0
    running: int = 0
    kv: float = 0.0
    pending: int = 0
    hashes: Sequence[int] = ()
    adapters: Sequence[str] = ()

    def prefix(self, request: Request) -> int:
        """Leading blocks of the request's ``hashes`` that it has."""
        for count, name in enumerate(request.hashes):
            if name not in self.hashes:
                return count
        return len(request.hashes)

    def adapted(self, adapter: str) -> bool:
        """Whether it has a LoRA adapter in memory; it always has none."""
        return not adapter or adapter in self.adapters


@dataclass(slots=True)
class SeenService:
    """A service as its router sees it, made up; ``now`` in seconds.

    >>> from simulator.policies.routing import least_loaded
    >>> view = SeenService([SeenReplica(0, outstanding=3), SeenReplica(1, outstanding=1)])
    >>> least_loaded(view.replicas).number
    1
    """

    replicas: list[SeenReplica] = field(default_factory=lambda: [SeenReplica(0)])
    now: float = 0.0


def requests(count: int, seed: int = 1, renamed: bool = False) -> list[Request]:
    """Requests of all kinds, in order of arrival: sessions, tenants, priorities, adapters, shared beginnings, and none.

    ``row`` counts them from 1; ``renamed`` gives the same ones other names, which sort otherwise.
    """
    draw = stream(seed, "testing services")
    made = []
    now = 0.0
    for index in range(count):
        now += float(draw.exponential()) * float(draw.random() < 0.8)
        length = int(draw.integers(1, 2000))
        blocks = length // 64 if draw.random() < 0.5 else 0
        family = int(draw.integers(4))
        made.append(
            Request(
                id=f"other-{count - index:05}" if renamed else f"request-{index:05}",
                row=index + 1,
                arrival=now,
                input=length,
                output=int(draw.integers(1, 500)),
                limit=int(draw.integers(500, 1000)) if draw.random() < 0.5 else 0,
                tenant=("", "red", "green", "blue")[int(draw.integers(4))],
                category=("", "interactive", "batch")[int(draw.integers(3))],
                priority=float(draw.integers(-1, 3)),
                session=f"session-{int(draw.integers(12))}" if draw.random() < 0.7 else "",
                adapter=("", "law", "medicine")[int(draw.integers(3))],
                hashes=tuple(1000 * family + block for block in range(blocks)),
                hash_block=64 if blocks else 0,
            )
        )
    return made


def alike(count: int) -> list[Request]:
    """Requests that differ in nothing but name and arrival."""
    return [Request(id=f"alike-{index}", arrival=float(index), input=100, output=10) for index in range(count)]


def said(request: Request) -> tuple[object, ...]:
    """All that the client said of a request."""
    return tuple(getattr(request, name) for name in _SAID)


def unlike(request: Request, output: int) -> Request:
    """Return a copy of a request that generates another number of tokens."""
    other = copy.copy(request)
    other.output = output
    return other


def views(count: int, seed: int = 1) -> Iterator[SeenService]:
    """Views of a service whose replicas come and go, one alone at times, with any load; fresh objects each time."""
    draw = stream(seed, "testing views")
    here, made = [0], 1
    for step in range(count):
        if draw.random() < 0.3:
            here.append(made)
            made += 1
        if draw.random() < 0.3 and len(here) > 1:
            del here[int(draw.integers(len(here)))]
        yield SeenService([_replica(number, draw) for number in here], float(step))


def _replica(number: int, draw: np.random.Generator) -> SeenReplica:
    queued, running = int(draw.integers(0, 4)) * int(draw.integers(0, 30)), int(draw.integers(0, 30))
    family = int(draw.integers(4))
    return SeenReplica(
        number=number,
        outstanding=queued + running,
        queued=queued,
        running=running,
        kv=float(draw.random()) if running else 0.0,
        pending=queued * int(draw.integers(1, 1000)),
        hashes=tuple(1000 * family + block for block in range(int(draw.integers(0, 20)))),
        adapters=("law", "medicine")[: int(draw.integers(3))],
    )


def observations(count: int, seed: int = 1) -> Iterator[ServiceObservation]:
    """What an autoscaler of replicas may be told, with nothing there at times."""
    draw = stream(seed, "testing observations")
    for _ in range(count):
        ready, coming = int(draw.integers(0, 9)), int(draw.integers(0, 4))
        waiting = int(draw.integers(0, 400)) * int(draw.integers(0, 2))
        running = int(draw.integers(0, 64)) * ready
        yield ServiceObservation(
            ready=ready,
            coming=coming,
            draining=int(draw.integers(0, 3)),
            outstanding=waiting + running,
            queued=waiting,
            running=running,
            kv=float(draw.random()) if ready else 0.0,
            busy=float(draw.random()) if ready else 0.0,
            arrivals=float(draw.exponential(20.0)) * int(draw.integers(0, 2)),
        )
