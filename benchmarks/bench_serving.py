"""Services that answer requests, with full recording.

``python benchmarks/bench_serving.py [--million] [--repeats N]``: CPU time (median over fresh processes), its ratio to
one bare SimPy timeout measured in the same process, and the peak of Python's memory a request beyond the log itself.
Llama 3.1 8B on H100s, vLLM 0.19. The requests are the Azure conversation log of 2023 where it lies in
``../shared/traces``, else the project's likeness of it; ``x 10`` has outputs ten times as long at a tenth of the rate.
Targets: 20,000 requests a CPU second on one replica, 15,000 on 16, a million in 90 s and under 2 KiB a request, and a
cost that does not grow with the length of outputs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

TRACES = Path(__file__).parents[2] / "shared" / "traces"
AZURE = TRACES / "azure_llm_2023" / "AzureLLMInferenceTrace_conv.first40min.csv"
RATE = 5.9
"""Requests per second of one replica: that of the log."""
CASES: dict[str, tuple[int, int, int]] = {
    "1 replica": (14_000, 1, 1),
    "16 replicas": (14_000, 16, 1),
    "1 replica, outputs x 10": (14_000, 1, 10),
    "1 replica, outputs x 100": (14_000, 1, 100),
}
MILLION = {"16 replicas, a million": (1_000_000, 16, 1)}
"""Requests, replicas, factor of output lengths."""


def log_of(requests: int, replicas: int, longer: int) -> Any:
    """The log, repeated up to so many requests, at the rate of one replica for each."""
    from simulator.workload.requestformats import request_formats
    from simulator.workload.requestgenerators import generate_requests
    from simulator.workload.requestlog import RequestLog

    if AZURE.is_file():
        log = request_formats.get("azure-llm")(AZURE).limit(14_000)
    else:
        log = generate_requests("chat-like", requests=14_000, seed=1, rate=RATE)
    times = -(-requests // len(log))
    span = log.span + 1 / RATE
    columns = {name: np.tile(log.columns[name], times)[:requests] for name in ("arrival", "input", "output")}
    columns["arrival"] = columns["arrival"] + span * (np.arange(requests) // len(log))
    columns["arrival"] = columns["arrival"] * (longer / replicas)
    columns["output"] = columns["output"] * longer
    return RequestLog("repeated", columns)


def work(requests: int, replicas: int, longer: int) -> Any:
    """The run that is measured, ready to start."""
    from simulator.cluster import catalog
    from simulator.cluster.builders import builders
    from simulator.models.serving import ReplicaShape, replica
    from simulator.policies.api import placers, schedulers
    from simulator.policies.serving import batchings, lineups, replica_scalers, routers
    from simulator.runtime.serving.spec import Engine, ReplicaPool, ServiceSpec
    from simulator.runtime.simulation import Simulation

    made = replica(
        catalog.model("llama-3.1-8b"),
        catalog.accelerator("nvidia/h100-sxm"),
        ReplicaShape(),
        catalog.engine("vllm-0.19"),
    )
    # outputs of 20,000 tokens would fill the memory, and what is measured then is preemption
    engine = Engine(made.time, made.blocks if longer == 1 else 1 << 40)
    service = ServiceSpec(
        name="chat",
        requests=log_of(requests, replicas, longer).requests("chat"),
        router=routers.get("least-outstanding")(),
        replicas=ReplicaPool(accelerators=1, engine=lambda kind: engine, scaler=replica_scalers.get("fixed")(replicas)),
        batching=batchings.get("vllm"),
        lineup=lineups.get("fcfs"),
    )
    return Simulation(
        topology=builders.get("pool")(accelerators=replicas),
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
        services=[service],
    )


def one(case: str) -> dict[str, float]:
    """Measure one run; memory in a second, shorter one, because tracing costs time."""
    requests, replicas, longer = (CASES | MILLION)[case]
    simulation = work(requests, replicas, longer)

    def run() -> dict[str, Any]:
        tables = simulation.run().tables
        iterations = tables["iterations"]
        return {
            "ended": float(len(tables["requests"]["id"])),
            "rows": float(len(iterations["count"])),
            "iterations": float(iterations["count"].sum()),
            "batch": float((iterations["count"] * iterations["sequences"]).sum() / iterations["count"].sum()),
        }

    facts = timed(run)
    traced = work(min(requests, 100_000), replicas, longer)
    tracemalloc.start()
    record = traced.run()
    peak = tracemalloc.get_traced_memory()[1]
    return facts | {"bytes": peak / len(record.tables["requests"]["id"])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million requests too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    rows = []
    for case in CASES | (MILLION if options.million else {}):
        found = in_fresh_processes(__file__, [case], options.repeats)
        each = found["seconds"] / found["ended"]
        rows.append(
            (
                case,
                f"{found['ended']:,.0f}",
                f"{found['batch']:.1f}",
                f"{found['iterations'] / found['ended']:.0f}",
                f"{found['rows'] / found['ended']:.2f}",
                f"{found['seconds']:.2f}",
                f"{1 / each:,.0f}",
                f"{each / found['bare']:.1f}",
                f"{found['bytes']:.0f}",
            )
        )
    head = (
        "case", "requests", "mean batch", "iterations each", "events each", "CPU s", "requests a CPU s",
        "ratio each", "bytes each",
    )  # fmt: skip
    print("the Azure log" if AZURE.is_file() else "its likeness", f"median of {options.repeats}", sep=", ")
    print(table(head, rows))


if __name__ == "__main__":
    main()
