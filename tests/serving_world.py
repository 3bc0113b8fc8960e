"""A small world for tests of services: requests in memory, iterations that take exact times, and what is left over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from simulator.metrics.recorder import Record
from simulator.models.serving.api import Batch, Decoding
from simulator.policies.replicas.fixed import Fixed
from simulator.policies.routing import as_router
from simulator.policies.serving import ServiceObservation, batchings, lineups
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import Engine, ReplicaPool, ServiceSpec
from simulator.runtime.simulation import Simulation
from simulator.testing.running import prepared, run
from simulator.workload.requests import Request


@dataclass(frozen=True)
class Linear:
    """An iteration takes ``base`` and so much for each prompt token, sequence and token of context (s).

    With ``leaps`` off the replica is told after every iteration that the next one may be different.
    """

    base: float = 0.5
    token: float = 0.0
    sequence: float = 0.0
    context: float = 0.0
    leaps: bool = True
    window: float = math.inf

    def seconds(self, ranks: Sequence[Batch]) -> float:
        chunks = max(sum(chunk.new for chunk in batch.chunks) for batch in ranks)
        decoding = self.decoding([b.sequences for b in ranks], [])
        return decoding.base + self.token * chunks + self.context * max(batch.context for batch in ranks)

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        until = math.inf if self.leaps else 0.0
        return Decoding(self.base + self.sequence * max(sequences), self.context, until=until)


def ask(name: str, arrival: float = 0.0, input: int = 4, output: int = 4, **more: Any) -> dict[str, Any]:
    """A request to come; ``after`` names the one that it waits for."""
    return {"id": name, "arrival": arrival, "input": input, "output": output, **more}


class Asks:
    """Requests in memory, made afresh whenever they are asked for."""

    def __init__(self, asks: Sequence[dict[str, Any]]) -> None:
        self.asks = asks

    def __repr__(self) -> str:
        return f"Asks({self.asks})"

    def fresh(self, parent: str | None) -> list[Request]:
        chosen = [each for each in self.asks if each.get("after") == parent]
        return [Request(**{key: value for key, value in each.items() if key != "after"}) for each in chosen]

    def __iter__(self) -> Iterator[Request]:
        return iter(self.fresh(None))

    def __len__(self) -> int:
        return len(self.asks)

    def followers(self, request: Request) -> list[Request]:
        return self.fresh(request.id)


def lowest(request: Any, view: Any) -> Any:
    """Send everything to the first replica."""
    return view.replicas[0]


class Steps:
    """An autoscaler that wants these numbers of replicas, one after the other, and stays with the last."""

    def __init__(self, *wanted: Any, interval: float = 1.0) -> None:
        self.wanted, self.interval = wanted, interval
        self.asked: list[ServiceObservation] = []

    def __repr__(self) -> str:
        return f"Steps{self.wanted}"

    def reset(self) -> None:
        self.asked.clear()

    def step(self, now: float, observation: ServiceObservation) -> Any:
        self.asked.append(observation)
        return self.wanted[min(len(self.asked), len(self.wanted)) - 1]


def replicas(count: Any = 1, blocks: int = 1000, time: Any = None, **more: Any) -> ReplicaPool:
    """So many replicas, or those of a scaler, of one accelerator each."""
    made = {key: more.pop(key) for key in ("load", "swap") if key in more}
    engine = Engine(time or Linear(), blocks, **made)
    scaler = Fixed(count) if isinstance(count, int) else count
    return ReplicaPool(**{"accelerators": 1, "engine": lambda kind: engine, "scaler": scaler} | more)


def service(asks: Sequence[dict[str, Any]], pool: ReplicaPool | None = None, **more: Any) -> ServiceSpec:
    """A service of one replica, 4 tokens a block, prompts cut to 64 tokens an iteration."""
    batching, options = more.pop("batching", ("sarathi", {"chunk": 64}))
    made: dict[str, Any] = {
        "name": "chat", "requests": Asks(asks), "router": as_router(more.pop("router", lowest)), "block": 4,
        "replicas": pool or replicas(), "batching": partial(batchings.get(batching), **options),
        "lineup": lineups.get(more.pop("lineup", "fcfs")),
    }  # fmt: skip
    return ServiceSpec(**made | more)


def serve(*specs: ServiceSpec, jobs: Sequence[Any] = (), scheduler: Any = "fifo", **options: Any) -> Record:
    """Run services, and jobs beside them; the record's invariants are checked, and that nothing is left over."""
    with Replicas() as replicas:
        _, record = run(jobs, scheduler, options.pop("topology", 8), services=specs, **options)
    if "UNFINISHED" not in record.tables["requests"]["state"]:
        replicas.check()
    return record


def waiting(*specs: ServiceSpec, jobs: Sequence[Any] = (), scheduler: Any = "fifo", **options: Any) -> Simulation:
    """A simulation that has yet to begin."""
    return prepared(jobs, scheduler, options.pop("topology", 8), services=specs, **options)


def rows(record: Record, table: str = "requests", key: str = "id") -> dict[str, dict[str, Any]]:
    """The rows of a table by name."""
    columns = record.tables[table]
    names = list(columns)
    return {
        str(row[names.index(key)]): dict(zip(names, row, strict=True))
        for row in zip(*(columns[name].tolist() for name in names), strict=True)
    }


def states(record: Record) -> dict[str, str]:
    """How each request ended, with the reason where there is one."""
    return {name: f"{row['state']} {row['reason']}".strip() for name, row in rows(record).items()}


def events(record: Record, *wanted: str) -> list[tuple[float, str, str]]:
    """Time, event and subject of the rows of the events table whose event is wanted."""
    table = record.tables["events"]
    every = zip(table["time"].tolist(), table["event"].tolist(), table["subject"].tolist(), strict=True)
    return [each for each in every if each[1] in wanted]


@dataclass
class Replicas:
    """Watches replicas go."""

    gone: list[Replica] = field(default_factory=list)

    def __enter__(self) -> Replicas:
        original, gone = Replica.stop, self.gone

        def stop(replica: Replica) -> list[Request]:
            gone.append(replica)
            done, lost = replica.outstanding == 0, original(replica)
            if done:
                check_empty(replica)
            return lost

        self._patch = mock.patch.object(Replica, "stop", stop)
        self._patch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._patch.stop()

    def check(self) -> None:
        """Nobody is on a replica that is gone."""
        assert [replica.outstanding for replica in self.gone] == [0] * len(self.gone)


def check_empty(replica: Replica) -> None:
    """A replica that nobody is on holds nothing, once those who have given up have left its batch."""
    for rank in replica.ranks:
        leaving = list(rank.leaving)
        assert sorted(request.id for request in rank.running) == sorted(request.id for request in leaving)
        for request in leaving:
            rank.release(request)
        pool = rank.pool
        decoders = rank.decoders
        left = {
            "blocks": pool.held, "waiting": list(rank.lineup), "landed": list(rank.landed), "pending": rank.pending,
            "decoding": len(decoders), "context": decoders.context, "windowed": decoders.windowed,
            "swapped": list(rank._swapped),
        }  # fmt: skip
        assert not any(left.values()), f"replica {replica.number} is let go with {left}"
