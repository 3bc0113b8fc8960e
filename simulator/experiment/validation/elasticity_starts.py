"""Starts of machines and of replicas, phase by phase, against what was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from simulator.experiment.run import run
from simulator.experiment.validate import Row, row

AREA = "elasticity"
_DATA = Path(__file__).parent / "data"
BOUND = 0.20
"""What is claimed of a start, as a share: most are single measurements, of machines that are alike by name only."""
ENGINE = 19.0
"""Seconds from weights that are there to requests that are taken: the middle of 18 to 20 s by which vLLM 0.5.5's total
exceeds its load (run-ai/runai-model-streamer, docs/src/benchmarks.md)."""


class Source(NamedTuple):
    """Where weights come from: bytes/s of it in all, and of one stream."""

    limit: float
    stream: float


SOURCES = {
    "gp3": Source(1000 * 2**20, 343e6),
    "io2": Source(2e9, 343e6),
    "s3": Source(5e9, 115e6),
    "nvme": Source(0.75 * 29.4e9, 3.4e9),
}
"""The volume's 1000 MiB/s; the 16 Gbit/s to block storage and the 40 Gbit/s to the network of a g5.12xlarge (AWS EC2
user guide, from memory); three quarters of what ServerlessLLM's machine reads.

A stream of block storage is the row of one thread on IO2. Those of S3 and of a safetensors file on NVMe, and the three
quarters, lie between the two rows of each that there are (ours)."""


class Loading(NamedTuple):
    """How the weights of a measured row were loaded: from where, in how many streams, how many bytes."""

    source: str
    streams: int
    size: float
    engine: float = 0.0


LOADS = {
    "load-gp3-st": Loading("gp3", 1, 15e9),
    "load-gp3-rs4": Loading("gp3", 4, 15e9),
    "load-gp3-tz16": Loading("gp3", 16, 15e9),
    "load-io2-rs1": Loading("io2", 1, 15e9),
    "load-io2-rs8": Loading("io2", 8, 15e9),
    "load-s3-rs4": Loading("s3", 4, 15e9),
    "load-s3-rs32": Loading("s3", 32, 15e9),
    "vllm-ready-gp3-rs": Loading("gp3", 4, 15e9, ENGINE),
    "vllm-ready-io2-st": Loading("io2", 1, 15e9, ENGINE),
    "vllm-ready-io2-tz": Loading("io2", 16, 15e9, ENGINE),
    "sllm-qwen3-32b-sllm-random": Loading("nvme", 32, 65.5e9),
    "sllm-qwen3-32b-safetensors-random": Loading("nvme", 1, 65.5e9),
    "sllm-llama-3.1-8b-instruct-sllm-random": Loading("nvme", 32, 16.1e9),
    "sllm-llama-3.1-8b-instruct-safetensors-random": Loading("nvme", 1, 16.1e9),
}
"""Rows of ``data/elasticity.csv`` that are a matter of bytes and streams.

Tensorizer from S3 is none: vLLM was ready 65 s later, more than twice what its 16 streams would take."""

NODES: dict[str, tuple[str, str]] = {
    "ec2-cold-m7i.large-total": ("ec2", ""),
    "ec2-type-t3.medium": ("ec2", ""),
    "ec2-type-m6i.large": ("ec2", ""),
    "ec2-type-c7i.large": ("ec2", ""),
    "ec2-region-us-east-2": ("ec2", ""),
    "ec2-region-us-east-1": ("ec2", ""),
    "ec2-region-eu-west-1": ("ec2", ""),
    "ec2-start-of-a-stopped-m7i.large-total": ("ec2", "stopped"),
    "ec2-running-warm-pool,-key-injection-total": ("ec2", "running"),
    "gce-node": ("gce", ""),
}
"""Rows of machines, and the boot and the state of the warm pool that they are compared with."""


@cache
def measured() -> dict[str, dict[str, str]]:
    """Return the rows of the calibration that come with the project, by id."""
    with (_DATA / "elasticity.csv").open(encoding="utf-8", newline="") as file:
        return {line["id"]: line for line in csv.DictReader(file)}


def starts() -> Iterator[Row]:
    """Machines from the request until they take work; replicas from their accelerators until they have weights."""
    for name, (boot, warm) in NODES.items():
        yield _row(name, "until it takes work", machine(boot, warm))
    found = replicas()
    for name, load in LOADS.items():
        what = "until ready" if load.engine else "weights"
        yield _row(name, what, found[name], f", {load.size / 1e9:g} GB from {load.source.upper()}")


def _row(name: str, measure: str, seconds: float, more: str = "") -> Row:
    known = measured()[name]
    return row(AREA, known["system"] + more, measure, "s", float(known["value"]), known["source"], seconds, BOUND)


_ASKED = 600.0
"""When the job comes that needs a machine (s): a warm one is there by then."""


@cache
def machine(boot: str, warm: str = "") -> float:
    """Return the seconds from the moment that a node is asked for until it takes work."""
    group: dict[str, Any] = {"servers": {"first": 0}, "initial": 0, "boot": boot}
    if warm:
        group["warm"] = {"nodes": 1, "state": warm}
    job = {"id": "one", "submit": f"{_ASKED:g} s", "duration": "1 min", "accelerators": 1}
    results = run(
        {
            "name": "machine",
            "topology": {"build": "fleet", "groups": [{"count": 2, "accelerators": 1}]},
            "workload": {"jobs": {"jobs": [job]}},
            "autoscaler": {"kind": "queue-length"},
            "node_groups": {"nodes": group},
        }
    )
    events = results.events
    (start,) = events.loc[events["event"] == "start", "time"]
    return float(start) - _ASKED


def replicas() -> dict[str, float]:
    """Return, for each row of ``LOADS``, the seconds of a start; each has a store of its own."""
    stores, workload = {}, {}
    for index, load in enumerate(LOADS.values()):
        source = SOURCES[load.source]
        stores[f"store-{index}"] = {"bandwidth": f"{source.limit:.0f} B/s", "server": "1 TB/s"}
        fetch = {
            "size": f"{load.size:.0f} B", "from": f"store-{index}", "threads": load.streams,
            "per_thread": f"{source.stream:.0f} B/s",
        }  # fmt: skip
        workload[f"w{index}"] = {
            "load": {"kind": "constant", "rate": "1 /s"}, "duration": "3 min",
            "replica": {"rate": "10 /s", "accelerators": 1}, "replicas": {"kind": "fixed", "n": 1},
            "cold_start": {"weights": fetch, "engine": f"{load.engine} s"},
        }  # fmt: skip
    results = run(
        {
            "name": "replicas",
            "topology": {"build": "fleet", "groups": [{"count": 1, "accelerators": len(LOADS)}]},
            "stores": stores,
            "workload": workload,
        }
    )
    events = results.events
    ready = events[events["event"] == "replica-ready"]
    times = dict(zip(ready["subject"], ready["time"], strict=True))
    return {name: float(times[f"w{index}/0"]) for index, name in enumerate(LOADS)}
