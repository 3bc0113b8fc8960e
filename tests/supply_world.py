"""Small worlds of nodes that come and go, and controllers that follow a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.cluster.topology import Topology
from simulator.metrics.recorder import Record
from simulator.policies.supply import SupplyObservation
from simulator.runtime.simulation import Simulation
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.supply import Supply
from simulator.testing.running import run as run_checked
from simulator.workload.jobs import BatchJob


def job(name: str, submit: float, duration: float, accelerators: float = 4.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def nodes(count: int, accelerators: int = 4, **fields: Any) -> Topology:
    return Topology.from_links([], {f"n{i}": {"accelerators": accelerators, **fields} for i in range(count)})


class Script:
    """Answers from a table of times (s), each answer once, at the first step at or after its time; nothing else.

    An answer may be a function of the observation.
    """

    interval = 10.0
    detailed = True
    kind = "script"

    def __init__(self, answers: Mapping[float, Any], prompt: bool = False) -> None:
        self._answers = dict(answers)
        self.prompt = prompt
        self.told: list[tuple[float, SupplyObservation]] = []

    def reset(self) -> None:
        self._left = sorted(self._answers)
        self.told.clear()

    def step(self, now: float, observation: SupplyObservation) -> Any:
        self.told.append((now, observation))
        if self._left and now >= self._left[0]:
            answer = self._answers[self._left.pop(0)]
            return answer(observation) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        return ()


def run(
    jobs: Sequence[BatchJob], scaler: Any, groups: Sequence[Group], topology: Topology | None = None, **options: Any
) -> tuple[Simulation, Record]:
    """Run jobs on groups; the record's invariants are checked."""
    count = 1 + max(server for group in groups for server in group.servers)
    scheduler = options.pop("scheduler", "fifo")
    return run_checked(jobs, scheduler, topology or nodes(count), pool=Supply(scaler, groups), **options)


def events(record: Record, *kinds: str) -> list[tuple[float, str, str, float]]:
    table = record.tables["events"]
    rows = zip(*(table[name].tolist() for name in ("time", "event", "subject", "amount")), strict=True)
    return [row for row in rows if row[1] in kinds]


def decisions(record: Record, *columns: str) -> list[tuple[Any, ...]]:
    table = record.tables.get("decisions")
    return [] if table is None else list(zip(*(table[name].tolist() for name in columns), strict=True))
