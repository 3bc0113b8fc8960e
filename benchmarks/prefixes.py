"""What routers leave of a log's common prefixes: ``python benchmarks/prefixes.py LOG [--format mooncake]``.

Blocks of the log (by its hashes) that the prefix caches of several replicas find, with KV blocks without end and, for
prefix affinity, with as many as a replica has. Makes the table of docs/serving-validation.md from the conversation log
of Mooncake (FAST 2025).
"""

from __future__ import annotations

import argparse

import numpy as np
from common import table

from simulator.experiment.validation.served import Given, served
from simulator.policies.serving import routers
from simulator.workload.requestformats import read_requests
from simulator.workload.requestlog import RequestLog

RUNS = (
    (1, "round-robin"), (4, "round-robin"), (4, "least-outstanding"), (4, "prefix-affinity"), (16, "round-robin"),
    (16, "prefix-affinity"),
)  # fmt: skip
ROOM = (200_000, 50_000, 10_000)
"""KV blocks of 16 tokens of a replica."""


def found(log: RequestLog, replicas: int, router: str, **more: int) -> int:
    """Blocks of the log that were in the prefix cache of the replica that each request was sent to."""
    batching = ("vllm", {"max_tokens": 8192, "async_scheduling": False})
    record = served(
        log, Given(5e-3, 3e-5), replicas=replicas, router=routers.get(router)(), batching=batching, max_batch=256,
        prefix_cache=True, **more,
    )  # fmt: skip
    assert log.hashes is not None
    return int(np.ceil(record.tables["requests"]["cached"] / log.hashes.block).sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log")
    parser.add_argument("--format", default="mooncake")
    given = parser.parse_args()
    log = read_requests(given.log, given.format)
    counts = [(replicas, router, "without end", found(log, replicas, router)) for replicas, router in RUNS]
    counts += [(4, "prefix-affinity", f"{room:,}", found(log, 4, "prefix-affinity", blocks=room)) for room in ROOM]
    most = counts[0][3]
    rows = [(*row[:3], f"{row[3]:,}", f"{row[3] / most:.1%}") for row in counts]
    print(table(("replicas", "router", "KV blocks", "blocks found", "of those of one replica"), rows))


if __name__ == "__main__":
    main()
