"""Runs of one service whose iteration times are given, for validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.cluster.builders import builders
from simulator.metrics.recorder import Record
from simulator.models.serving.api import Batch, Decoding, IterationTime
from simulator.policies.api import placers, schedulers
from simulator.policies.serving import batchings, lineups, replica_scalers, routers
from simulator.runtime.serving.spec import Engine, ReplicaPool, ServiceSpec
from simulator.runtime.simulation import Simulation
from simulator.workload.requesthashes import Hashes
from simulator.workload.requestlog import RequestLog

PLENTY = 1 << 40
"""KV blocks, sequences or tokens of an iteration that never run out."""


class Given:
    """Iteration times that are linear in what is computed, seconds: ``base + token * T + context * S``.

    T counts tokens of prompts and of sequences that decode, S the tokens of context that the latter have.
    """

    window = math.inf

    def __init__(self, base: float, token: float = 0.0, context: float = 0.0) -> None:
        self.base, self.token, self.context = base, token, context

    def seconds(self, ranks: Sequence[Batch]) -> float:
        """Seconds of one iteration of the one rank."""
        (rank,) = ranks
        tokens = sum(chunk.new for chunk in rank.chunks) + rank.sequences
        return self.base + self.token * tokens + self.context * rank.context

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        """Seconds of iterations in which the one rank decodes so many sequences."""
        return Decoding(self.base + self.token * sequences[0], self.context)


def log_of(arrival: np.ndarray, input: np.ndarray, output: np.ndarray, hashes: Hashes | None = None) -> RequestLog:
    """Make a log of arrivals (s) and lengths (tokens), sorted by arrival."""
    return RequestLog.sorted("given", {"arrival": arrival, "input": input, "output": output}, hashes)


def served(
    log: RequestLog,
    time: IterationTime,
    *,
    replicas: int = 1,
    prefill: int = 0,
    router: Any = None,
    batching: tuple[str, dict[str, Any]] = ("vllm", {"max_tokens": PLENTY, "async_scheduling": False}),
    blocks: int = PLENTY,
    max_batch: int = PLENTY,
    **keys: Any,
) -> Record:
    """Run requests on replicas of one accelerator each, all there from the start; return the record.

    ``router`` is a live one, round-robin unless given; with ``prefill`` replicas prompts are computed there.
    ``keys`` are those of ``ServiceSpec``.
    """

    def pool(count: int) -> ReplicaPool:
        scaler = replica_scalers.get("fixed")(count)
        return ReplicaPool(accelerators=1, engine=lambda kind: Engine(time, blocks), scaler=scaler)

    name, parameters = batching
    spec = ServiceSpec(
        name="served",
        requests=log.requests("request"),
        router=router or routers.get("round-robin")(),
        replicas=pool(replicas),
        prefill=pool(prefill) if prefill else None,
        batching=lambda: batchings.get(name)(**parameters),
        lineup=lineups.get("fcfs"),
        max_batch=max_batch,
        **keys,
    )
    servers = -(-(replicas + prefill) // 8)
    return Simulation(
        topology=builders.get("single-switch")(nodes=max(2, servers), node="dgx-h100", link="infiniband-ndr"),
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
        services=[spec],
    ).run()
