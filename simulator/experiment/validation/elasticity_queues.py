"""Nodes that come and go with the jobs, as the queues with set-up times that have been solved."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.clock import Phase
from simulator.core.rng import stream
from simulator.experiment.validate import Row, row
from simulator.metrics.recorder import Record
from simulator.metrics.setup_queues import setup_queue, single_server
from simulator.metrics.statistics import replicated
from simulator.policies.api import placers, schedulers
from simulator.policies.supply import (
    Autoscaler,
    NodeState,
    Remove,
    SupplyAction,
    SupplyObservation,
    autoscalers,
)
from simulator.runtime.parts import Part
from simulator.runtime.simulation import Simulation
from simulator.runtime.supply.boots import Kind
from simulator.runtime.supply.boots import Phase as BootPhase
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.supply import Supply
from simulator.workload.jobs import BatchJob

AREA = "elasticity"
_JOBS, _WARMUP, _REPLICATIONS = 2_000, 200, 8
_SERVICE = 1.0
_SETUP = 10.0
_DELAY, _SHORT = 20.0, 2.0
"""Mean time, s, that idle nodes stay in M/M/10/delayed-off, and the fixed one of a single node."""
_REST = 1e3
"""Seconds between two steps of a controller besides those at each arrival, each end and each time that it asks for."""
_WELCH = "Welch, Operations Research 12(5), 1964"
_GANDHI = "M/M/k/setup; Gandhi et al., SIGMETRICS 2013; Phung-Duc, arXiv 1406.3084"
_DATA = Path(__file__).parent / "data"


def queues() -> Iterator[Row]:
    """One node for each waiting job, with exponential set-ups: waits and powered nodes; and an instance per request."""
    one = single_server(0.5, _SERVICE, _SETUP) - _SERVICE
    yield from _row("M/M/1/setup", 1, 0.5, _at_once, _WELCH, {"wait": one})
    stays = single_server(0.5, _SERVICE, _SETUP, delay=_SHORT) - _SERVICE
    yield from _row(f"M/M/1, off after {_SHORT:g} s", 1, 0.5, _after, _WELCH, {"wait": stays})
    off = setup_queue(10, 5.0, _SERVICE, _SETUP)
    yield from _row("M/M/10/setup", 10, 5.0, _at_once, _GANDHI, {"wait": off.wait, "powered": off.powered})
    delayed = setup_queue(10, 5.0, _SERVICE, _SETUP, delay=_DELAY)
    known = {"wait": delayed.wait, "waited": delayed.waits, "powered": delayed.powered}
    yield from _row("M/M/10/delayed-off", 10, 5.0, _leaving, _GANDHI, known)
    yield from _instances()


def _at_once(replication: int) -> Autoscaler:
    return autoscalers.get("queue-length")(idle=0.0, cancel=True)


def _after(replication: int) -> Autoscaler:
    return autoscalers.get("queue-length")(idle=_SHORT, cancel=True)


def _leaving(replication: int) -> Autoscaler:
    return Leaving(_DELAY, stream(1, "validate.delays", replication))


class Leaving:
    """``queue-length`` with nodes that stay for exponential times of mean ``delay`` after their last job (s).

    ``due`` is when the next of those that are idle goes.
    """

    interval = _REST
    due = math.inf
    prompt = True
    detailed = True

    def __init__(self, delay: float, draws: np.random.Generator) -> None:
        self._delay, self._draws = delay, draws
        self._asks = autoscalers.get("queue-length")(idle=math.inf, cancel=True, interval=_REST)
        self._goes: dict[int, tuple[float, float]] = {}
        """Since when each node is idle, and when it goes."""

    def step(self, now: float, observation: SupplyObservation) -> list[SupplyAction]:
        """Return what ``queue-length`` wants, and the nodes whose time is over."""
        nodes = observation.nodes
        assert nodes is not None
        wanted = self._asks.step(now, observation)
        assert not isinstance(wanted, int)
        gone, self.due = [], math.inf
        for node in np.flatnonzero((nodes.state == NodeState.READY) & ~np.isnan(nodes.idle)).tolist():
            server, since = nodes.server.item(node), nodes.idle.item(node)
            if self._goes.get(server, (math.nan,))[0] != since:
                self._goes[server] = since, since + self._draws.exponential(self._delay)
            if self._goes[server][1] <= now:
                gone.append(server)
            else:
                self.due = min(self.due, self._goes[server][1])
        return [*wanted, *([Remove(servers=tuple(gone))] if gone else [])]


class Wakes(Part):
    """Lets a controller be asked at its ``due`` too: a step later would spare nodes that a job takes before it."""

    def __init__(self, scaler: Leaving) -> None:
        self._scaler = scaler
        self._armed = math.inf

    def attach(self, simulation: Simulation) -> None:
        """Join a simulation that is being put together."""
        self._clock, self._pass_soon = simulation.clock, simulation.pass_soon

    def passed(self) -> None:
        """A scheduling pass is over, and the controller was asked."""
        if self._clock.now < self._scaler.due < self._armed:
            self._armed = self._scaler.due
            self._clock.at(self._armed, self._wake, phase=Phase.TICKS)

    def _wake(self) -> None:
        self._armed = math.inf
        self._pass_soon()


class Ran(NamedTuple):
    """Mean wait of jobs, s; mean numbers of nodes; share of jobs that waited."""

    wait: float
    powered: float
    waited: float


_MEASURES = {"wait": "wait.mean", "powered": "nodes on or in set-up", "waited": "jobs that wait, share"}


def run(
    nodes: int, rate: float, scaler: Autoscaler, replication: int, service: float = _SERVICE, setup: float = _SETUP,
    jobs: int = _JOBS, warmup: int = _WARMUP, law: Kind = "exponential",
) -> Ran:  # fmt: skip
    """Run Poisson arrivals of jobs of one node each, first come first served, on nodes that are off at first."""
    submit = np.cumsum(stream(1, "validate.arrivals", replication).exponential(1 / rate, jobs)).tolist()
    duration = stream(1, "validate.service", replication).exponential(service, jobs).tolist()
    boot = (BootPhase("setup", setup, law),)
    record = Simulation(
        topology=Topology.from_links([], {f"node-{index}": {"accelerators": 1} for index in range(nodes)}),
        jobs=(
            BatchJob(id=str(index), submit=at, duration=length, accelerators=1.0)
            for index, (at, length) in enumerate(zip(submit, duration, strict=True))
        ),
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
        pool=Supply(scaler, (Group("nodes", tuple(range(nodes)), boot=boot),)),
        parts=[Wakes(scaler)] if isinstance(scaler, Leaving) else [],
        warmup=submit[warmup],
        replication=replication,
    ).run()
    table = record.tables["jobs"]
    wait = table["wait"][table["submit"] >= submit[warmup]]
    return Ran(float(wait.mean()), _mean(record, "provisioned", submit[warmup], submit[-1]), float((wait > 0).mean()))


def _mean(record: Record, column: str, since: float, until: float) -> float:
    """Mean over time of a column of the series."""
    series = record.tables["series"]
    times = np.clip(np.append(series["time"], until), since, until)
    return float(series[column] @ np.diff(times) / (until - since))


def _row(
    case: str, nodes: int, rate: float, scaler: Callable[[int], Autoscaler], source: str, known: Mapping[str, float]
) -> Iterator[Row]:
    """Compare what is known of a queue, by the names of ``Ran``, with what runs show."""
    found = [run(nodes, rate, scaler(replication), replication) for replication in range(_REPLICATIONS)]
    case = f"{case}, load {rate * _SERVICE / nodes:g}, set-up of {_SETUP / _SERVICE:g} services"
    for name, exact in known.items():
        mean, unit = replicated([getattr(each, name) for each in found]), "s" if name == "wait" else ""
        yield row(AREA, case, _MEASURES[name], unit, exact, source, mean.mean, mean.half_width / exact)


# -- an instance for each request -------------------------------------------------------------------------------------

_REQUESTS, _FIRST = 4_000, 1_200
"""Requests of a run, and those of the time in which instances become as many as they are in the long run."""
_RATE, _WARM, _COLD, _EXPIRY, _MOST = 0.9, 1.991, 2.244, 600.0, 40
"""The example of SimFaaS: requests/s, mean seconds of a warm and of a cold request, seconds until an idle instance
goes; and more instances than it ever has."""


def _instances() -> Iterator[Row]:
    """The example of SimFaaS, with the cold start as a set-up of what a cold request takes longer than a warm one.

    An instance that was begun comes, as there; but here its request takes another one that is free before it is there.
    """
    with (_DATA / "elasticity.csv").open(encoding="utf-8", newline="") as file:
        published = {line["id"]: line for line in csv.DictReader(file)}
    found = [
        run(
            _MOST, _RATE, autoscalers.get("queue-length")(idle=_EXPIRY), replication, _WARM,
            _COLD - _WARM, jobs=_REQUESTS, warmup=_FIRST,
        )
        for replication in range(_REPLICATIONS)
    ]  # fmt: skip
    for key, measure, values in (
        ("simfaas-readme-servers", "instances, mean", [each.powered for each in found]),
        ("simfaas-readme-cold", "cold starts, share", [each.waited for each in found]),
    ):
        known = published[key]
        reference, mean = float(known["value"]), replicated(values)
        yield row(AREA, known["system"], measure, "", reference, known["source"], mean.mean,
                  mean.half_width / reference)  # fmt: skip
