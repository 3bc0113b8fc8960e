"""Services against what other simulators say of the same requests at the same iteration times.

The programs themselves were run on ``REQUESTS``, with iteration times of 5 ms + 30 us a token (of prompts and of
sequences that decode) + 50 ns a token of context that these have; splitwise-sim, whose times are constant while a batch
stays the same, without the last part. What they said of each request stands in ``reference/serving_simulators.csv``, by
run; docs/serving-validation.md says more, and what they do otherwise when their memory runs out.

LLMServingSim: casys-kaist/LLMServingSim, commit 5daddb2, ``serving/core/scheduler.py`` (its port of vLLM 0.19), 8
sequences, 128 tokens an iteration; with 60 blocks of 16 tokens, ``reserve_full_isl`` on, and off ("first chunk");
prefix cache off, but for "prefixes", where prompts begin as ``prefixes`` says. Vidur: microsoft/vidur, commit 7d47513,
its schedulers sarathi (chunks of 128) and vllm (any number of prompt tokens), 8 sequences, no watermark, memory for
all. simdistserve: LLMServe/DistServe, commit 82831f1, without the overhead of Ray that it adds; its outputs count from
the second token. splitwise-sim: Mutinifni/splitwise-sim, commit 8f99e7d, start states orca (6 sequences) and splitwise
(one prompt and one token machine, transfers that take no time).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.experiment.validation.served import PLENTY, Given, log_of, served
from simulator.workload.requesthashes import Hashes

FACTS = Path(__file__).parent / "reference" / "serving_simulators.csv"
REQUESTS = (
    (0.000, 144, 35), (0.022, 316, 61), (0.067, 105, 90), (0.068, 270, 54), (0.073, 187, 108), (0.225, 208, 40),
    (0.228, 376, 102), (0.235, 328, 65), (0.247, 336, 79), (0.275, 223, 27), (0.289, 393, 65), (0.321, 392, 88),
    (0.362, 60, 97), (0.367, 88, 95),
)  # fmt: skip
"""Arrival (s), tokens of the prompt, tokens of the output."""
CHUNKED: dict[str, Any] = {"max_batch": 8, "batching": ("vllm", {"max_tokens": 128, "async_scheduling": False})}
FIRST_CHUNK: dict[str, Any] = {
    "max_batch": 8,
    "batching": ("vllm", {"max_tokens": 128, "whole_prompt": False, "async_scheduling": False}),
}
SARATHI: dict[str, Any] = {"max_batch": 8, "batching": ("sarathi", {"chunk": 128})}
PROMPTS_FIRST: dict[str, Any] = {"batching": ("prefill-first", {"max_tokens": PLENTY})}
TOGETHER: dict[str, Any] = {"batching": ("no-evict", {"max_tokens": PLENTY})}
RUNS: dict[str, dict[str, Any]] = {
    "llmservingsim": CHUNKED,
    "llmservingsim, 60 blocks": CHUNKED | {"blocks": 60},
    "llmservingsim, 60 blocks, first chunk": FIRST_CHUNK | {"blocks": 60},
    "llmservingsim, prefixes": CHUNKED | {"prefix_cache": True},
    "vidur sarathi": SARATHI,
    "vidur sarathi, 2 replicas": SARATHI | {"replicas": 2},
    "vidur vllm": PROMPTS_FIRST | {"max_batch": 8},
    "simdistserve vllm": PROMPTS_FIRST,
    "simdistserve disaggregated": PROMPTS_FIRST | {"prefill": 1},
    "splitwise-sim orca": TOGETHER | {"max_batch": 6},
    "splitwise-sim disaggregated": TOGETHER | {"prefill": 1},
}


FIGURES = ("start", "first_token", "end", "preemptions", "cached")


def prefixes(prompts: np.ndarray) -> Hashes:
    """Every third prompt begins with the same 12 blocks of 16 tokens, or as many as fit in front of its last token."""
    counts = -(-prompts // 16)
    shared = np.minimum(12, (prompts - 1) // 16)
    names = [
        100 * (request % 3) + block if block < shared[request] else 1000 * (request + 1) + block
        for request, count in enumerate(counts)
        for block in range(count)
    ]
    return Hashes.of_counts(16, np.array(names), counts)


def facts() -> dict[str, np.ndarray]:
    """Per run: start, first token and end (s) of each request, how often it was preempted, its tokens found cached."""
    found = defaultdict(list)
    with FACTS.open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            found[line["run"]].append([float(line[key]) for key in FIGURES])
    return {name: np.array(rows) for name, rows in found.items()}


def test_every_run_is_told_of() -> None:
    assert sorted(facts()) == sorted(RUNS)
    assert facts()["llmservingsim, 60 blocks"][:, 3].sum() == 4
    assert facts()["llmservingsim, 60 blocks, first chunk"][:, 3].sum() == 89
    assert facts()["llmservingsim, prefixes"][:, 4].sum() == 1680


@pytest.mark.parametrize("run", RUNS)
def test_requests_start_and_end_when_the_other_simulator_says(run: str) -> None:
    arrival, prompts, outputs = (np.array(column) for column in zip(*REQUESTS, strict=True))
    time = Given(5e-3, 30e-6, 0.0 if "splitwise" in run else 50e-9)
    hashes = prefixes(prompts) if "prefixes" in run else None
    table = served(log_of(arrival, prompts, outputs, hashes), time, **RUNS[run]).tables["requests"]
    order = [int(name.rpartition("-")[2]) - 1 for name in table["id"]]
    ours = np.empty((len(order), len(FIGURES)))
    ours[order] = np.transpose([table[key] for key in FIGURES])
    theirs = facts()[run]
    # a handoff over InfiniBand takes 600 ns here even when there is nothing to move
    assert ours[:, :3] == pytest.approx(theirs[:, :3], rel=0, abs=1e-6 if "prefill" in RUNS[run] else 2e-9)
    assert ours[:, 3:].tolist() == theirs[:, 3:].tolist()
