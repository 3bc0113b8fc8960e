"""One service and its requests, run by the twin and by the engine, and what they say of them compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from reference.serving_blocks import Ask
from reference.serving_rank import Setup
from reference.serving_twin import simulate
from simulator.metrics.recorder import Record
from simulator.metrics.tokens import token_times
from simulator.models.serving.api import Batch, Decoding, IterationTime
from simulator.policies.replicas.fixed import Fixed
from simulator.policies.routing import as_router
from simulator.policies.serving import batchings, lineups
from simulator.runtime.serving.spec import Engine, ReplicaPool, ServiceSpec
from simulator.testing import replay
from simulator.workload.requests import Request

COUNTS = ("replica", "generated", "cached", "recomputed", "preemptions")
TIMES = ("arrival", "start", "first_token", "end")


# -- how long iterations take -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Straight:
    """Linear in everything; a window of the model if it has one."""

    base: float = 0.0101
    token: float = 0.00103
    attention: float = 1.7e-6
    sequence: float = 0.00037
    context: float = 1.9e-5
    windowed: float = 0.0
    window: float = math.inf

    def prompts(self, ranks: Sequence[Batch]) -> float:
        def cost(batch: Batch) -> float:
            return sum(c.new * (self.token + self.attention * (c.before + c.new / 2)) for c in batch.chunks)

        return max(cost(batch) for batch in ranks) + self.base + self.sequence * max(b.sequences for b in ranks)

    def seconds(self, ranks: Sequence[Batch]) -> float:
        return self.prompts(ranks) + max(self.context * b.context + self.windowed * b.windowed for b in ranks)

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        return Decoding(self.base + self.sequence * max(sequences), self.context, self.windowed)


@dataclass(frozen=True)
class Broken(Straight):
    """Straight pieces, one after the other and not joined, as of a table that is rounded."""

    pieces: tuple[tuple[float, float, float], ...] = ((40.0, 0.0, 3e-5), (97.0, 0.0021, 0.0), (math.inf, 0.0007, 4e-5))
    """Contexts up to this take so many seconds and so many for each token."""

    def piece(self, context: float) -> tuple[float, float, float]:
        return next(piece for piece in self.pieces if context <= piece[0])

    def seconds(self, ranks: Sequence[Batch]) -> float:
        context = max(batch.context for batch in ranks)
        _, base, slope = self.piece(context)
        return self.prompts(ranks) + base + slope * context

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        until, base, slope = self.piece(max(context))
        return Decoding(self.base + self.sequence * max(sequences) + base, slope, 0.0, until)


@dataclass(frozen=True)
class Curved(Straight):
    """Any function: what it says holds for the next iteration only."""

    def seconds(self, ranks: Sequence[Batch]) -> float:
        return self.prompts(ranks) + 0.0013 * math.sqrt(max(batch.context for batch in ranks))

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        base = self.base + self.sequence * max(sequences) + 0.0013 * math.sqrt(max(context))
        return Decoding(base, until=max(context))


EVEN = Straight(base=1.0, token=0.0, attention=0.0, sequence=0.0, context=0.0)
"""A second for every iteration."""


# -- a service, for both ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    """Requests, and the service that they are sent to."""

    asks: tuple[dict[str, Any], ...]
    time: IterationTime = field(default_factory=Straight)
    batching: tuple[str, dict[str, Any]] = ("vllm", {"max_tokens": 64})
    lineup: str = "fcfs"
    rule: Callable[[Any, Any], Any] = lambda request, view: view.replicas[0]
    replicas: int = 1
    ranks: int = 1
    blocks: int = 16
    block: int = 4
    max_batch: int = 8
    context: int = 1 << 60
    prefix_cache: bool = False
    swap: float = 0.0
    kv_bytes: float = 0.0
    advance: float = 1.0
    timeout: float = math.inf
    first_token_timeout: float = math.inf

    def made(self) -> Any:
        name, options = self.batching
        return batchings.get(name)(**options)


@dataclass
class View:
    """What the router of the twin sees."""

    replicas: Sequence[Any]


def by_twin(case: Case) -> tuple[list[Ask], list[Any]]:
    setup = Setup(
        seconds=case.time.seconds,
        batching=case.made(),
        lineup=lineups.get(case.lineup),
        window=case.time.window,
        **{
            name: getattr(case, name)
            for name in (
                "blocks", "block", "max_batch", "ranks", "context", "prefix_cache", "swap", "kv_bytes", "advance",
                "timeout", "first_token_timeout",
            )
        },
    )  # fmt: skip
    asks: dict[str, Ask] = {}
    for number, each in enumerate(case.asks):
        parent = each.get("after")
        asks[str(number)] = Ask(id=str(number), **each | {"after": None if parent is None else asks[str(parent)]})
    service = simulate(setup, list(asks.values()), lambda ask, view: case.rule(ask, View(view)), case.replicas)
    return list(asks.values()), service


class Plain:
    """Requests in memory."""

    def __init__(self, asks: Sequence[dict[str, Any]]) -> None:
        self.asks = asks

    def fresh(self, parent: int | None) -> list[Request]:
        return [
            Request(id=str(number), **{key: value for key, value in each.items() if key != "after"})
            for number, each in enumerate(self.asks)
            if each.get("after") == parent
        ]

    def __iter__(self) -> Iterator[Request]:
        return iter(sorted(self.fresh(None), key=lambda request: request.arrival))

    def __len__(self) -> int:
        return len(self.asks)

    def followers(self, request: Request) -> list[Request]:
        return self.fresh(int(request.id))


def by_engine(case: Case) -> Record:
    engine = Engine(case.time, case.blocks, swap=case.swap)
    spec = ServiceSpec(
        name="chat",
        requests=Plain(case.asks),
        router=as_router(case.rule),
        replicas=ReplicaPool(accelerators=1, engine=lambda kind: engine, scaler=Fixed(case.replicas), ranks=case.ranks),
        batching=case.made,
        lineup=lineups.get(case.lineup),
        block=case.block,
        max_batch=case.max_batch,
        context=case.context,
        prefix_cache=case.prefix_cache,
        swap=bool(case.swap),
        kv_bytes=case.kv_bytes,
        advance=case.advance,
        timeout=case.timeout,
        first_token_timeout=case.first_token_timeout,
    )
    return replay([], topology=case.replicas, services=[spec])


def ask(arrival: float, input: int, output: int, **more: Any) -> dict[str, Any]:
    return {"arrival": arrival, "input": input, "output": output, **more}


# -- both, compared --------------------------------------------------------------------------------------------------


def compared(case: Case) -> tuple[list[Ask], list[Any], Record]:
    """Run both; what they say of each request must agree: times to 1e-9 of them, the rest exactly."""
    asks, service = by_twin(case)
    record = by_engine(case)
    table = record.tables["requests"]
    rows = {name: row for row, name in enumerate(table["id"])}
    assert len(rows) == len(asks)
    for each in asks:
        row = rows[each.id]
        state = {"ROUTED": "UNFINISHED"}.get(each.state, each.state)
        assert table["state"][row] == state, each
        if state == "REJECTED":
            continue
        said = {name: int(table[name][row]) for name in COUNTS}
        want = {name: getattr(each, name) for name in COUNTS if name != "generated"} | {"generated": len(each.tokens)}
        assert said == want, each
        times = [float(table[name][row]) for name in TIMES]
        assert times == pytest.approx([getattr(each, name) for name in TIMES], rel=1e-9, nan_ok=True), each
    return asks, service, record


def iterations(record: Record, replica: int) -> Iterator[tuple[float, float, int, int]]:
    """Start, duration, sequences that decoded and prompt tokens of each iteration of a replica, one by one."""
    table = record.tables["iterations"]
    for row in np.flatnonzero(table["replica"] == replica):
        now = float(table["time"][row])
        for turn in range(int(table["count"][row])):
            seconds = float(table["first"][row] + turn * table["growth"][row])
            yield now, seconds, int(table["sequences"][row]), int(table["prompt"][row])
            now += seconds


def compared_iterations(service: Sequence[Any], record: Record) -> None:
    """Every iteration that was over before the run was, and what the engine noted of each row of them."""
    table = record.tables["iterations"]
    for replica in service:
        steps = [step for step in replica.steps if step.start + step.seconds <= record.facts["end"] * (1 + 1e-12)]
        said = list(iterations(record, replica.number))
        assert [each[2:] for each in said] == [(step.sequences, step.prompt) for step in steps]
        for place in (0, 1):
            want = [(step.start, step.seconds)[place] for step in steps]
            assert [each[place] for each in said] == pytest.approx(want, rel=1e-9)
        first = 0
        for row in np.flatnonzero(table["replica"] == replica.number):
            run = steps[first : first + int(table["count"][row])]
            assert table["tokens"][row] == sum(step.tokens for step in run)
            assert (table["waiting"][row], table["held"][row]) == (run[0].waiting, run[0].held)
            first += len(run)


def compared_tokens(asks: Sequence[Ask], record: Record) -> None:
    """When each token was there, as it is worked out from the iterations of replicas with one rank."""
    for each in asks:
        if each.state != "REJECTED":
            assert token_times(record, "chat", each.id).tolist() == pytest.approx(each.tokens, rel=1e-9), each
