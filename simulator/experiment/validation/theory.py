"""Queueing and network textbook cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np

from simulator.cluster.builders import builders
from simulator.cluster.topology import SERVER, Topology
from simulator.core.rng import stream
from simulator.experiment.transfers import simulate_transfers
from simulator.experiment.validate import Row, areas, row
from simulator.metrics.statistics import quantile, replicated
from simulator.models.training import iteration_time, ring_volume
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob, TrainingJob, Transfer

_JOBS = 20_000
_WARMUP = 2_000
_REPLICATIONS = 10
_EXACT = 1e-9
Draw = Callable[[np.random.Generator, int], np.ndarray]


@areas.register("theory")
def theory() -> Iterator[Row]:
    """Queues with known waits, and networks with known rates."""
    yield from _queues()
    yield from _networks()
    yield from _training()


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival waits in M/M/c: Erlang's C formula; ``offered`` is arrival over service rate.

    Source: Erlang (1917), in the numerically stable recursion over Erlang B.

    >>> round(erlang_c(1, 0.8), 12), round(erlang_c(2, 1.0), 12)
    (0.8, 0.333333333333)
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def _exponential(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.exponential(1.0, count)


def _constant(generator: np.random.Generator, count: int) -> np.ndarray:
    return np.ones(count)


def _queues() -> Iterator[Row]:
    """Waits of queues with Poisson arrivals and mean service time 1 s; the bound is the reported 95 % half width."""
    for servers, load in ((1, 0.8), (4, 0.8), (16, 0.9)):
        name = f"M/M/{servers} at load {load:g}"
        source = "Erlang C; Kleinrock, Queueing Systems I (1975), ch. 3"
        waits, fast = erlang_c(servers, servers * load), servers * (1 - load)
        p95 = max(0.0, math.log(waits / 0.05) / fast)
        found = [_waits(servers, load, _exponential, r) for r in range(_REPLICATIONS)]
        yield _interval(name, "wait.mean", waits / fast, source, [float(w.mean()) for w in found])
        yield _interval(name, "wait.p95", p95, source, [quantile(w, 0.95) for w in found])
    for load in (0.8,):
        found = [_waits(1, load, _constant, r) for r in range(_REPLICATIONS)]
        mean = load / (2 * (1 - load))
        source = "Pollaczek-Khinchine; Kleinrock, Queueing Systems I (1975), ch. 5"
        yield _interval(f"M/D/1 at load {load:g}", "wait.mean", mean, source, [float(w.mean()) for w in found])


def _waits(servers: int, load: float, service: Draw, replication: int) -> np.ndarray:
    submit = np.cumsum(stream(1, "validate.arrivals", replication).exponential(1 / (servers * load), _JOBS)).tolist()
    duration = service(stream(1, "validate.service", replication), _JOBS).tolist()
    simulation = Simulation(
        topology=builders.get("pool")(accelerators=servers),
        jobs=(
            BatchJob(id=str(i), submit=at, duration=length, accelerators=1.0)
            for i, (at, length) in enumerate(zip(submit, duration, strict=True))
        ),
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
    )
    jobs = simulation.run().tables["jobs"]
    return np.asarray(jobs["wait"][np.argsort(jobs["submit"], kind="stable")][_WARMUP:])


def _interval(case: str, measure: str, reference: float, source: str, values: list[float]) -> Row:
    found = replicated(values)
    return row("theory", case, measure, "s", reference, source, found.mean, found.half_width / reference)


def _networks() -> Iterator[Row]:
    maxmin = "max-min fairness; Bertsekas and Gallager, Data Networks (1992), sec. 6.5.2"
    one = Topology.from_links([{"src": "a", "dst": "b", "capacity": 100.0, "latency": 0.5}])
    ends = simulate_transfers(one, [Transfer(src="a", dst="b", bytes=100), Transfer(src="a", dst="b", bytes=300)])[
        "end"
    ]
    for index, end in enumerate((2.5, 4.5)):
        yield row(
            "theory", "two flows on one link", f"end of flow {index}", "s", end, maxmin, float(ends[index]), _EXACT
        )
    hops = 5
    lot = Topology.from_links([{"src": str(i), "dst": str(i + 1), "capacity": 10.0} for i in range(hops)])
    cross = [Transfer(src=str(i), dst=str(i + 1), bytes=50, route=(i,)) for i in range(hops)]
    table = simulate_transfers(lot, [Transfer(src="0", dst=str(hops), bytes=100, route=tuple(range(hops))), *cross])
    yield row(
        "theory", "parking lot of 5 links", "end of short flows", "s", 10.0, maxmin, float(table["end"][1]), _EXACT
    )
    yield row("theory", "parking lot of 5 links", "end of long flow", "s", 15.0, maxmin, float(table["end"][0]), _EXACT)
    yield _bisection()


def _bisection() -> Row:
    tree = builders.get("fat-tree")(k=4, node="dgx-h100", link="infiniband-ndr")
    trunk = float(tree.capacity[tree.path("node-0", "node-1")[0]])
    source = "full bisection: half of the servers at full rate; Al-Fares et al., SIGCOMM 2008"
    return row("theory", "fat-tree k=4", "bisection", "B/s", 8 * trunk, source, tree.bisection(), _EXACT)


def _training() -> Iterator[Row]:
    """Two training jobs across one uplink: alone, and each with half of it."""
    source = "ring all-reduce moves 2 (n - 1) / n x S per rank (Patarasuk and Yuan 2009)"
    compute, gradient, iterations, capacity = 0.1, 1e9, 100, 5e9
    for jobs, case in ((1, "one job alone"), (2, "two jobs on one uplink")):
        iteration = iteration_time(compute, ring_volume(gradient, 2), capacity / jobs, 0.0, 0.0)
        end = _run_training(jobs, compute, gradient, iterations, capacity)
        yield row("theory", f"training, {case}", "jct", "s", iterations * iteration, source, end, _EXACT)


def _run_training(jobs: int, compute: float, gradient: float, iterations: int, capacity: float) -> float:
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for index in range(2 * jobs):
        graph.add_node(f"server-{index}", kind=SERVER, accelerators=1)
    cables = [(f"server-{i}", "left" if i % 2 == 0 else "right", 100 * capacity) for i in range(2 * jobs)]
    for a, b, rate in [*cables, ("left", "right", capacity)]:
        for src, dst in ((a, b), (b, a)):
            graph.add_edge(src, dst, index=graph.number_of_edges(), capacity=rate, latency=0.0)
    work = [
        TrainingJob(id=str(i), submit=0.0, accelerators=2.0, iterations=iterations, compute=compute, gradient=gradient)
        for i in range(jobs)
    ]
    simulation = Simulation(
        topology=Topology(graph),
        jobs=work,
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
        fidelity="flow",
    )
    return float(simulation.run().tables["jobs"]["end"].max())
