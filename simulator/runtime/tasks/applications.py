"""All data jobs of a run, and what they leave behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.core.clock import Phase
from simulator.metrics.recorder import APPLICATIONS, Table
from simulator.runtime.parts import Part
from simulator.runtime.tasks.application import Application
from simulator.runtime.tasks.spec import ApplicationSpec

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Applications(Part):
    """The data jobs of one run; ``fleets`` takes what the record shall say of each workload, beside other fleets."""

    def __init__(self, specs: Sequence[ApplicationSpec], fleets: dict[str, dict[str, Any]] | None = None) -> None:
        self._specs = specs
        self._fleets: dict[str, dict[str, Any]] = {} if fleets is None else fleets
        self._applications: list[Application] = []
        self._table = Table(APPLICATIONS)

    def attach(self, simulation: Simulation) -> None:
        """Join the simulation."""
        self._clock, self._until = simulation.clock, simulation.until
        self._applications = [Application(spec, simulation) for spec in self._specs]

    def begin(self) -> None:
        """Wait for the data jobs to be submitted."""
        for application in self._applications:
            if application.spec.submit <= self._until:
                self._clock.at(application.spec.submit, application.begin, phase=Phase.ARRIVALS)

    def busy(self) -> bool:
        """Whether any is yet to come, or to end."""
        return any(application.busy for application in self._applications)

    def last_end(self) -> float:
        """When the last of them ended (s)."""
        return max([each.end for each in self._applications if each.end == each.end], default=0.0)

    def close(self, now: float) -> dict[str, Any]:
        """Write the rows; return the facts of each workload."""
        for application in self._applications:
            spec, fleet = application.spec, application.fleet
            held, busy = fleet.seconds()
            size, workload = spec.fleet.accelerators, spec.fleet.workload
            if spec.submit <= now:
                self._row(application, held)
            facts = self._fleets.setdefault(workload, {"kind": "tasks", "accelerators": size})
            for name, amount in (
                ("replica_seconds", held), ("busy_seconds", busy), ("accelerator_seconds", size * held),
                ("busy_accelerator_seconds", size * busy), ("optimum", busy),
            ):  # fmt: skip
                facts[name] = facts.get(name, 0.0) + amount
            fleet.stop()
        return {"fleets": self._fleets} if self._fleets else {}

    def idle_seconds(self) -> float:
        """Accelerator-seconds that executors held without working."""
        own = [self._fleets[name] for name in dict.fromkeys(spec.fleet.workload for spec in self._specs)]
        return float(sum(fleet["accelerator_seconds"] - fleet["busy_accelerator_seconds"] for fleet in own))

    def _row(self, application: Application, held: float) -> None:
        spec = application.spec
        end = application.end
        self._table.add(
            (application.name, spec.fleet.workload, spec.submit, application.start, end, end - spec.submit,
             application.tasks, application.done, application.reruns, application.task_seconds, held)
        )  # fmt: skip

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """The table ``applications``."""
        return {"applications": self._table.arrays()} if self._applications else {}

    def notes(self) -> list[str]:
        """What a reader must know of the data jobs."""
        said = []
        for application in self._applications:
            fleet = application.fleet
            if fleet.refused:
                said.append(f"Data job {application.name}: an executor can never be placed: {fleet.refused}.")
            elif self._until == math.inf and not application.over:
                why = "its executors wait for a place that is never free" if fleet.seats else "it has no executors"
                left = application.tasks - application.done
                said.append(f"Data job {application.name}: {left:,} task{'s' * (left != 1)} left: {why}.")
        return said
