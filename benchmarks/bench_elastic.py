"""Mean completion times of Pollux, Tiresias, Optimus and others by load, and CPU seconds of a run.

``python benchmarks/bench_elastic.py [--seeds 8]`` draws workloads; with the path of the folder ``simulator`` of
petuum/adaptdl, branch osdi21-artifact, it replays the 8 workloads that the artifact has for each load, and shows its
own results beside. ``--mixed`` compares on Sia's cluster of three types of accelerators instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

from simulator.cluster.topology import Topology
from simulator.experiment.validation.elastic import PUBLISHED, cluster, scheduler
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.workload.generate import generate
from simulator.workload.goodput import Goodput, model
from simulator.workload.jobs import BatchJob, Job
from simulator.workload.speedup import Given

POLICIES = ("pollux", "tiresias", "optimus", "sia", "elastic-max-min")
ADAPTIVE = ("pollux", "sia", "elastic-max-min")
SIA = (("nvidia/t4", 4, 6), ("nvidia/rtx-2080-ti", 8, 3), ("nvidia/a100-sxm-40", 8, 2))
"""Types, accelerators of a server and servers of Sia's cluster (siasosp23/artifacts, simulator_config.py)."""


def published(folder: Path, load: float, number: int, adaptive: bool) -> Iterator[Job]:
    """Yield the jobs of one workload of the artifact."""
    path = folder / ("workloads" if load == 1 else f"workloads-{load}") / f"workload-{number}.csv"
    with path.open(encoding="utf-8") as file:
        for each in csv.DictReader(file):
            kind, gang, batch = model(each["application"]), int(each["num_replicas"]), int(each["batch_size"])
            alone = kind.name == "ncf"
            pace = Goodput(kind, 0 if adaptive and not alone else batch)
            yield BatchJob(
                id=each["name"], submit=float(each["time"]), accelerators=gang, minimum=1, model=kind.name,
                maximum=1 if alone else min(64, kind.usable("", pace.batch)), speedup=pace, restart=30.0,
                duration=pace.seconds(Given(gang, -(-gang // 4))),
            )  # fmt: skip


def mean_jct(policy: str, jobs: Iterator[Job], topology: Topology) -> float:
    """Run one workload; return the mean completion time (s)."""
    chosen = scheduler(policy) if policy in PUBLISHED[1.0] else schedulers.get(policy)()
    table = Simulation(topology=topology, jobs=jobs, scheduler=chosen, placer=placers.get("pack")()).run().tables
    return float((table["jobs"]["end"] - table["jobs"]["submit"]).mean())


def artifact(folder: Path, policy: str, load: float) -> str:
    """Return the mean completion time that the artifact reports, in words; nothing where it has none."""
    path = folder / "results-jobload" / f"{policy}-{load}" / "summary.json"
    return f"{json.loads(path.read_text('utf-8'))['mean']:6.0f} s published" if path.is_file() else ""


def mixed() -> Topology:
    """Sia's cluster."""
    each = {
        f"{kind}-{index}": {"accelerators": size, "accelerator": kind} for kind, size, n in SIA for index in range(n)
    }
    return Topology.from_links([], each, "Sia's cluster")


def main() -> None:
    """Print one line for each policy and load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--mixed", action="store_true")
    told = parser.parse_args()
    topology: Callable[[], Topology] = mixed if told.mixed else cluster
    policies = ADAPTIVE if told.mixed else POLICIES
    for load in PUBLISHED:
        for policy in policies:
            adaptive, begin = policy in ADAPTIVE, time.process_time()
            if told.artifact:
                runs = [published(told.artifact, load, number, adaptive) for number in range(1, 9)]
            else:
                batch = "adaptive" if adaptive else "tuned"
                count = round(160 * load)
                runs = [
                    generate("pollux-like", jobs=count, seed=seed, load=load, batch=batch).jobs()
                    for seed in range(told.seeds)
                ]
            found = [mean_jct(policy, jobs, topology()) for jobs in runs]
            cpu = (time.process_time() - begin) / len(found)
            reference = artifact(told.artifact, policy, load) if told.artifact else ""
            spread = f"{min(found):6.0f} to {max(found):6.0f}"
            print(
                f"load {load:3}  {policy:16} {fmean(found):6.0f} s ({spread})  {cpu:4.1f} CPU s  {reference}",
                flush=True,
            )


if __name__ == "__main__":
    main()
