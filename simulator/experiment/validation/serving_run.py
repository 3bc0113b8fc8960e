"""A run of vLLM whose requests are replayed: scheduler and iteration times together."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from simulator.cluster import catalog
from simulator.experiment.validate import Row, row
from simulator.experiment.validation.served import log_of, served
from simulator.metrics.statistics import mean, quantile
from simulator.models.serving import ReplicaShape, replica
from simulator.workload.requesthashes import Hashes

SOURCE = "casys-kaist/LLMServingSim@5daddb2, bench/examples/RTXPRO6000/Llama-3.1-8B/vllm (MIT licence, KAIST CASYS Lab)"
"""300 ShareGPT prompts at about 10 a second through vLLM 0.19.0, one RTX PRO 6000 Blackwell, 25 April 2026.

``data/vllm_run.csv`` has the lengths and times of the requests: ``arrival`` (s) on the client's clock, the others on
the engine's, both from the first request on. ``shared`` are the leading blocks of 16 tokens that another prompt begins
with too, counted in the order in which they appear; the prompts are in ``workloads`` there. 7.6 % of their tokens were
in an earlier one, and vLLM keeps prefixes unless told otherwise."""
MODEL, ACCELERATOR, ENGINE = "llama-3.1-8b", "nvidia/rtx-pro-6000-server", "vllm-0.19"
SEQUENCES, TOKENS, BLOCK = 128, 2048, 16
"""``max_num_seqs`` and ``max_num_batched_tokens`` of the run, and tokens of a KV block."""
BOUNDS = {"ttft": 0.10, "tpot": 0.05, "e2e": 0.05}
"""What is claimed of each latency, as a share: of the mean, the median, and the 90th and 99th percentile."""


@cache
def _rows() -> list[dict[str, str]]:
    with (Path(__file__).parent / "data" / "vllm_run.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def requests() -> dict[str, np.ndarray]:
    """Columns of the run, by order of arrival: seconds, and ``input`` and ``output`` in tokens."""
    rows = _rows()
    kinds = {name: np.int64 if name in ("input", "output") else np.float64 for name in rows[0] if name != "shared"}
    return {name: np.array([kind(line[name]) for line in rows]) for name, kind in kinds.items()}


def prefixes() -> Hashes:
    """Names of the blocks of all prompts: what several begin with, and names of their own from there on."""
    names: list[int] = []
    counts = []
    own = -1
    for line in _rows():
        spans = [part.split("-") for part in line["shared"].split()]
        shared = [name for first, last in spans for name in range(int(first), int(last) + 1)]
        counts.append(-(-int(line["input"]) // BLOCK))
        rest = counts[-1] - len(shared)
        names += shared + list(range(own, own - rest, -1))
        own -= rest
    return Hashes.of_counts(BLOCK, np.array(names), np.array(counts))


def measured() -> dict[str, np.ndarray]:
    """Latencies of the run as its client saw them, s."""
    run = requests()
    return {
        "ttft": run["first_token"] - run["arrival"],
        "tpot": (run["end"] - run["first_token"]) / (run["output"] - 1),
        "e2e": run["end"] - run["arrival"],
    }


def replayed(engine: str = ENGINE) -> dict[str, np.ndarray]:
    """Latencies of the same requests here, s, in the same order, on an engine of the catalog; ``cached`` is in tokens.

    The run does not say how many KV blocks it had; as many as fit are far more than it ever used, here and there.
    """
    run = requests()
    made = replica(
        catalog.model(MODEL), catalog.accelerator(ACCELERATOR), ReplicaShape(), catalog.engine(engine),
        sequences=SEQUENCES,
    )  # fmt: skip
    log = log_of(run["arrival"], run["input"], run["output"], prefixes())
    table = served(
        log, made.time, batching=("vllm", {"max_tokens": TOKENS}), blocks=made.blocks, max_batch=SEQUENCES,
        prefix_cache=True,
    ).tables["requests"]  # fmt: skip
    order = np.argsort([int(name.rpartition("-")[2]) for name in table["id"]])
    return {name: table[name][order] for name in (*BOUNDS, "cached")}


def run() -> Iterator[Row]:
    """TTFT, TPOT and E2E of the run, and of its replay."""
    theirs, ours = measured(), replayed()
    for name, bound in BOUNDS.items():
        for measure in ("mean", "p50", "p90", "p99"):
            there, here = (_of(measure, latencies[name]) for latencies in (theirs, ours))
            yield row("serving", "vLLM 0.19, 300 requests", f"{name}.{measure}", "s", there, SOURCE, here, bound)


def _of(measure: str, values: np.ndarray) -> float:
    return mean(values) if measure == "mean" else quantile(values, int(measure[1:]) / 100)
