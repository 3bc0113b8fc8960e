"""Whole runs of services: queues with known waits, prefixes of a real log, and a run of vLLM replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.core.rng import stream
from simulator.experiment.validation.served import Given, log_of, served
from simulator.experiment.validation.serving_queues import erlang_wait
from simulator.experiment.validation.serving_run import BOUNDS, measured, replayed, requests
from simulator.experiment.validation.theory import erlang_c
from simulator.policies.serving import routers
from simulator.workload.requestformats import request_formats
from simulator.workload.requestlog import RequestLog

LOAD = 0.8


def waits(replicas: int, router: str = "round-robin", runs: int = 6, **keys: Any) -> np.ndarray:
    """Mean waits of runs of 8,000 Poisson arrivals at load 0.8, each prompt an exponential service of mean 1 s."""
    found = []
    for run in range(runs):
        gaps = stream(2, "gaps", run).exponential(1 / (replicas * LOAD), 8_000)
        prompts = np.ceil(stream(2, "prompts", run).exponential(1e6, 8_000)).astype(np.int64)
        log = log_of(np.cumsum(gaps), prompts, np.ones(8_000, np.int64))
        policy = routers.get(router)()
        table = served(log, Given(0.0, 1e-6), replicas=replicas, router=policy, max_batch=1, **keys).tables["requests"]
        found.append(float(table["queue"][table["arrival"] > 500].mean()))
    return np.array(found)


def test_replicas_chosen_at_random_are_queues_of_their_own() -> None:
    """Poisson arrivals split at random are Poisson (Kleinrock, Queueing Systems I, sec. 2.4): each is an M/M/1."""
    found = waits(2, "random")
    assert abs(found.mean() - 4.0) < 2.571 * found.std(ddof=1) / 6**0.5


def test_the_shortest_of_two_queues_is_between_one_queue_for_both_and_turns() -> None:
    """Pointwise, as all see the same requests; one queue for both waits least of all, whoever serves (M/M/2)."""
    random, turns, shortest = (waits(2, name) for name in ("random", "round-robin", "least-outstanding"))
    central = erlang_c(2, 2 * LOAD) / (2 * (1 - LOAD))
    assert (shortest < turns).all()
    assert (turns < random).all()
    assert central < shortest.mean() < erlang_wait(2, LOAD) < 4.0


def test_a_wait_with_erlang_arrivals_shrinks_to_that_of_regular_ones() -> None:
    assert erlang_wait(1, 0.5) == pytest.approx(1.0)
    # D/M/1 at load 0.8: the share that waits solves s = exp(-(1 - s) / 0.8), s = 0.6286 (Kleinrock, ch. 6)
    share = 0.6286
    assert share == pytest.approx(np.exp(-(1 - share) / 0.8), abs=1e-4)
    assert erlang_wait(100_000, 0.8) == pytest.approx(share / (1 - share), rel=1e-3)


def one_by_one(log: RequestLog) -> np.ndarray:
    """Tokens of each prompt that an unbounded cache has, when requests come one after the other."""
    assert log.hashes is not None
    seen: set[int] = set()
    cached = []
    for index, length in enumerate(log.columns["input"].tolist()):
        names = log.hashes.of(index)
        hits = next((count for count, name in enumerate(names) if name not in seen), len(names))
        seen.update(names)
        cached.append(min(length - 1, log.hashes.block * hits))
    return np.array(cached)


def test_a_replica_finds_every_block_of_mooncake_that_came_before(shared: Path) -> None:
    """105,710 of 288,500 blocks, as counted without an engine; turns lose half of them, affinity 2 %."""
    log = request_formats.get("mooncake")(shared / "traces" / "mooncake_fast25" / "conversation_trace.jsonl.gz")
    alone = one_by_one(log)
    found = {}
    for replicas, router in ((1, "round-robin"), (4, "round-robin"), (4, "prefix-affinity")):
        policy, batching = routers.get(router)(), ("vllm", {"max_tokens": 8192})
        record = served(
            log, Given(5e-3, 3e-5), replicas=replicas, router=policy, batching=batching, max_batch=256,
            prefix_cache=True,
        )  # fmt: skip
        table = record.tables["requests"]
        order = np.argsort([int(name.rpartition("-")[2]) for name in table["id"]])
        found[replicas, router] = table["cached"][order]
    blocks = {key: int(np.ceil(cached / 512).sum()) for key, cached in found.items()}
    assert found[1, "round-robin"].tolist() == alone.tolist()
    assert blocks[1, "round-robin"] == 105_710
    assert blocks[4, "round-robin"] < 0.55 * 105_710
    assert 0.98 * 105_710 < blocks[4, "prefix-affinity"] < 105_710


def test_the_replay_of_vllm_is_within_its_claim_request_by_request() -> None:
    theirs, ours = measured(), replayed()
    assert len(requests()["arrival"]) == 300
    # the prompts' tokens in whole blocks of 16 that an earlier prompt began with, counted apart from any engine
    assert ours["cached"].sum() == 19_520
    assert all(abs(ours[name].mean() / theirs[name].mean() - 1) < bound for name, bound in BOUNDS.items())
    # each request by itself, as its place in the queue is known
    assert np.median(abs(ours["e2e"] / theirs["e2e"] - 1)) < BOUNDS["e2e"]
    # without the host's part of an iteration nothing is fitted to this run; a little less than the engine is too fast
    kernels = replayed("kernels-only")
    assert 0.90 < kernels["tpot"].mean() / theirs["tpot"].mean() < 1.0
