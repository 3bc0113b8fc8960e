"""Queueing policies on jobs whose times are known to the second: textbooks, and cases worked out by hand.

Where a simulator is named as the source, the case follows its code and was worked out from it; the pages on queues say
what came of running the program itself beside ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from simulator.cluster.topology import Topology
from simulator.experiment.validate import Row, areas, row
from simulator.policies.api import placers, schedulers
from simulator.policies.composed import Composed
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob

_AREA = "schedulers"
_TEXTBOOK = "Silberschatz, Galvin, Gagne, Operating System Concepts, 10th ed., sec. 5.3"
_LIFKA = "Lifka, The ANL/IBM SP scheduling system (1995), by hand"
_MUALEM = "Mu'alem, Feitelson, IEEE TPDS 12(6), 2001, by hand"
_TIRESIAS = "SymbioticLab/Tiresias, simulator/run_sim.py, commit 959f9b0, by hand"
_HELIOS = "HeliosArtifact, framework/QSSF Service, commit bdaae10, by hand"
Drawn = Sequence[tuple[float, float, float]]
"""Jobs: submitted (s), seconds of run, accelerators."""


@dataclass(frozen=True)
class Case:
    """Jobs on ``servers`` accelerators each, and when each of them should start, or end, in seconds."""

    name: str
    source: str
    policy: Any
    jobs: Drawn
    starts: tuple[float, ...] = ()
    ends: tuple[float, ...] = ()
    servers: tuple[int, ...] = (1,)
    consolidated: bool = False
    restart: float = 0.0


def _preemptive(order: str | Mapping[str, Any]) -> Composed:
    return Composed(order, "fill", preempt=True)


_GAP = ((0, 10, 3), (1, 10, 3), (2, 10, 4), (3, 30, 1))
"""On 4: the last may pass the second without delaying it, but not the third."""

_WHOLE = ((0, 10, 3), (1, 10, 4), (2, 30, 1))
"""On 4: the last may not pass the second without delaying it."""


def cases() -> list[Case]:
    """Return the cases, each with a policy that has seen no run."""
    tiresias = schedulers.get("tiresias")
    return [
        Case("EASY: the narrow one passes", _LIFKA, Composed("fifo", "easy"), _GAP, (0, 10, 33, 3), servers=(4,)),
        Case("EASY: not ahead of the head", _LIFKA, Composed("fifo", "easy"), _WHOLE, (0, 10, 20), servers=(4,)),
        Case("conservative: nobody is delayed", _MUALEM, Composed("fifo", "conservative"), _GAP, (0, 10, 20, 30),
             servers=(4,)),
        Case("fill: whoever fits", "by hand", Composed("fifo", "fill"), _WHOLE, (0, 32, 2), servers=(4,)),
        Case("LAS, quantum 4 s", "by hand", _preemptive({"kind": "las", "quantum": 4.0}), ((0, 8, 1), (0, 4, 1)),
             ends=(12, 8)),
        Case("Tiresias, 60 accelerator-seconds", "Gu et al., Tiresias (NSDI 2019), by hand", tiresias([60.0]),
             ((0, 100, 2), (0, 100, 1), (10, 30, 1)), starts=(0, 0, 30), ends=(130, 100, 60), servers=(3,)),
        Case("dlas-gpu: comes down behind who waits", _TIRESIAS, tiresias([10.0]),
             ((0, 100, 1), (5, 100, 1)), starts=(0, 10), ends=(110, 200)),
        Case("dlas: seconds alone", _TIRESIAS, tiresias([10.0], dimensions=1),
             ((0, 20, 2), (5, 20, 2)), starts=(0, 10), ends=(30, 40), servers=(2,)),
        Case("shortest-gpu: area left", _TIRESIAS, _preemptive("srsf"), ((0, 10, 4), (0, 30, 1)), starts=(30, 0),
             servers=(4,)),
        Case("shortest: time left", _TIRESIAS, _preemptive("srtf"), ((0, 10, 4), (0, 30, 1)), starts=(0, 10),
             servers=(4,)),
        Case("FIFO on whole nodes: 4 free, 2 + 2", _HELIOS, Composed("fifo"), ((0, 50, 6), (0, 60, 6), (1, 10, 4)),
             starts=(0, 0, 50), servers=(8, 8), consolidated=True),
        Case("FIFO on whole nodes: 16 wait for two", _HELIOS, Composed("fifo"), ((0, 50, 1), (1, 10, 16), (2, 10, 1)),
             starts=(0, 50, 60), servers=(8, 8), consolidated=True),
        Case("SRTF, 7 s lost at each stop", _HELIOS, schedulers.get("srtf")(), ((0, 100, 1), (10, 20, 1)),
             ends=(127, 30), restart=7.0),
    ]  # fmt: skip


@areas.register(_AREA)
def known() -> Iterator[Row]:
    """Times of jobs under queueing policies that are known exactly."""
    yield from _textbook()
    for case in cases():
        jobs = run(case)
        for measure, expected, of in _expected(case):
            for index, time in enumerate(expected, 1):
                what = f"{measure}, job {index}"
                yield row(_AREA, case.name, what, "s", float(time), case.source, of(jobs[index - 1]), 0.0)


def _expected(case: Case) -> Iterator[tuple[str, tuple[float, ...], Callable[[BatchJob], float]]]:
    yield "start", case.starts, lambda job: job.start
    yield "end", case.ends, lambda job: job.end


def _textbook() -> Iterator[Row]:
    """Mean waits on one processor."""
    together = ((0, 24, 1), (0, 3, 1), (0, 3, 1))
    later = ((0, 8, 1), (1, 4, 1), (2, 9, 1), (3, 5, 1))
    given: list[tuple[str, Any, Drawn, float]] = [
        ("FCFS, bursts 24, 3, 3", Composed(lambda job: job.sequence), together, 17.0),
        ("FCFS, bursts 3, 3, 24", Composed(lambda job: -job.sequence), together, 3.0),
        ("SJF, bursts 6, 8, 7, 3", Composed("sjf"), ((0, 6, 1), (0, 8, 1), (0, 7, 1), (0, 3, 1)), 7.0),
        ("SRTF, bursts 8, 4, 9, 5 a second apart", schedulers.get("srtf")(), later, 6.5),
        ("SJF, the same", Composed("sjf"), later, 7.75),
    ]
    for name, policy, drawn, mean in given:
        found = fmean(job.waited for job in run(Case(name, _TEXTBOOK, policy, drawn)))
        yield row(_AREA, name, "wait.mean", "s", mean, _TEXTBOOK, found, 1e-12)


def run(case: Case) -> list[BatchJob]:
    """Run the jobs of a case and return them."""
    jobs = [
        BatchJob(id=str(index), submit=float(submit), duration=float(seconds), accelerators=float(width))
        for index, (submit, seconds, width) in enumerate(case.jobs, 1)
    ]
    nodes = {f"node-{index}": {"accelerators": count} for index, count in enumerate(case.servers, 1)}
    Simulation(
        topology=Topology.from_links([], nodes, case.name),
        jobs=jobs,
        scheduler=case.policy,
        placer=placers.get("pack")(consolidate=case.consolidated),
        restart=case.restart,
    ).run()
    return jobs
