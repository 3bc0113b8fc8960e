"""Runs of small clusters, for tests."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from simulator.cluster.builders.pool import pool
from simulator.cluster.topology import Topology
from simulator.core.errors import SimulatorError
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.policies.api import Action, ClusterView, Scheduler, placers, schedulers
from simulator.policies.order import as_scheduler
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import Job

T = TypeVar("T")

_LIKELY = {
    "are free": "it starts jobs without counting what earlier starts of the same pass took; view.free is live, so "
    "compare job.accelerators with it just before each Start",
    "is running, not queued": "it starts one job twice, or remembers jobs from an earlier pass; take them from "
    "view.queue each time",
    "is completed, not": "it remembers jobs from an earlier pass; take them from view.queue and view.running each time",
    "is unfinished, not": "it keeps jobs of an earlier run; forget them in reset(rng), or keep none at all",
    "no job of this run": "it keeps jobs of an earlier run; forget them in reset(rng), or keep none at all",
    "preempted in this pass": "it starts a job that it has just stopped; that one is in view.queue at the next pass",
    "of a run that is over": "it keeps the view of an earlier run; use the one that schedule is given, and keep none",
    "may not be stopped": "it stops or moves whatever runs; leave a job alone whose preemptible is False",
    "the job is not elastic": "it resizes every job; one may be resized whose minimum or maximum is above 0",
    "accelerators; it runs on": "it does not keep to job.minimum and job.maximum",
    "makes no progress on": "it places a job on a type, or over servers, where its speedup says it stands still; "
    "leave the placement to view.place",
    "is not an action": "schedule must yield Start(job), Preempt(job) or another action, not jobs or names",
    "starts in one pass": "it loops until a job has started; one that has no place now stays queued, so go on",
}


def replay(
    jobs: Iterable[Job],
    scheduler: Any = "fifo",
    *,
    topology: Topology | int = 8,
    placer: Any = "pack",
    **options: Any,
) -> Record:
    """Run ``jobs`` through a policy on a small cluster; return the record, its invariants checked.

    ``scheduler`` is a name, a function of the view, an object or a class; ``placer`` a name, an object or a class;
    ``topology`` a number of accelerators for a plain pool. ``options`` go to ``Simulation``: ``until``, ``seed``,
    ``restart``, ``pool``, ``capacity_events``. Jobs may come in any order. Raises ``PolicyError`` for what a policy may
    not do.

    >>> from simulator.workload.jobs import BatchJob
    >>> jobs = [
    ...     BatchJob(id="first", submit=0.0, duration=9.0, accelerators=8),
    ...     BatchJob(id="second", submit=1.0, duration=1.0, accelerators=2),
    ... ]
    >>> replay(jobs, "fifo").tables["jobs"]["wait"].tolist()
    [0.0, 8.0]
    """
    return run(jobs, scheduler, topology, placer, **options)[1]


def prepared(
    jobs: Iterable[Job], scheduler: Any, topology: Topology | int = 8, placer: Any = "pack", **options: Any
) -> Simulation:
    """Make a run of a policy that has yet to begin; arguments as of ``replay``."""
    return Simulation(
        topology=pool(topology) if isinstance(topology, int) else topology,
        scheduler=made_scheduler(scheduler),
        placer=made(placer, placers),
        jobs=sorted(jobs, key=lambda job: job.submit),
        **options,
    )


def run(
    jobs: Iterable[Job], scheduler: Any, topology: Topology | int = 8, placer: Any = "pack", **options: Any
) -> tuple[Simulation, Record]:
    """Do as ``replay``, and return the simulation too."""
    simulation = prepared(jobs, scheduler, topology, placer, **options)
    record = simulation.run()
    record.facts["invariants"] = check(record)
    return simulation, record


def made_scheduler(policy: Any) -> Scheduler:
    """Make a scheduler of a name, a function, a class, or an object."""
    return schedulers.get(policy)() if isinstance(policy, str) else as_scheduler(policy)


def made(thing: Any, registry: Any) -> Any:
    """Make an object of a name or a class; an object is copied, so that nothing leaks from one test to the next."""
    if isinstance(thing, str):
        thing = registry.get(thing)
    return thing() if isinstance(thing, type) else copy.deepcopy(thing)


def made_scaler(thing: Any, registry: Any) -> Any:
    """Make an autoscaler of a name, a class or an object; say what it lacks, or why it cannot be made."""
    try:
        scaler = made(thing, registry)
    except TypeError as error:
        raise AssertionError(f"{thing!r} cannot be made without arguments: {error}; give an object") from error
    kind, noun = type(scaler).__name__, registry.kind
    assert callable(getattr(scaler, "step", None)), f"{kind} is no {noun}: it has no method step(now, observation)"
    assert hasattr(scaler, "interval"), f"{kind} is no {noun}: it has no 'interval', the seconds between two steps"
    return scaler


def asked(scaler: Any, now: float, observation: Any) -> Any:
    """Ask an autoscaler once; when it fails, say with what, and where in it."""
    try:
        return scaler.step(now, observation)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"step of {type(scaler).__name__} fails with {type(error).__name__}: {error}"
        where = f" ({Path(last.filename).name}, line {last.lineno})"
        raise AssertionError(f"{text}{where}; it was told {type(observation).__name__} at {now:g} s") from error


def told(action: Callable[[], T]) -> T:
    """Do something with a policy; when that fails, say what it did wrong."""
    try:
        return action()
    except SimulatorError as error:
        text = str(error)
        likely = next((f". Most likely {advice}" for sign, advice in _LIKELY.items() if sign in text), "")
        raise AssertionError(text + likely) from error


_MOST_PASSES = 20_000
"""Times that the scheduler may be asked in one of these small runs."""


class Counted:
    """A scheduler that must not be asked without end."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._passes = 0
        self.name = str(getattr(scheduler, "name", "") or type(scheduler).__name__)

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Ask the scheduler."""
        self._passes += 1
        if self._passes > _MOST_PASSES:
            raise AssertionError(
                f"it was asked {self._passes:,} times for a few dozen jobs. Most likely wake is a moment after now "
                "while a job has no place; nothing changes until something happens, so name a later time or infinity"
            )
        return self._scheduler.schedule(view)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)


def run_all(contract: object) -> None:
    """Run every test of a contract, in the order in which they are written."""
    for kind in type(contract).__mro__:
        for name in vars(kind):
            if name.startswith("test_"):
                getattr(contract, name)()
