"""All loads of a run: their changes in one event an instant, their rows, their facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.core.clock import Clock, Phase, Soon
from simulator.runtime.loads.load import Load
from simulator.runtime.loads.log import LoadLog
from simulator.runtime.loads.spec import LoadSpec
from simulator.runtime.parts import Part

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Loads(Part):
    """The loads of one run; ``fleets`` takes what the record shall say of each, beside other fleets."""

    def __init__(self, specs: Sequence[LoadSpec], fleets: dict[str, dict[str, Any]] | None = None) -> None:
        self._specs = specs
        self._fleets: dict[str, dict[str, Any]] = {} if fleets is None else fleets
        self._loads: list[Load] = []
        self._log = LoadLog()
        self._due: dict[float, list[Load]] = {}
        self._dirty: dict[Load, None] = {}

    def attach(self, simulation: Simulation) -> None:
        """Join the simulation."""
        self._clock: Clock = simulation.clock
        self._until, self._warmup = simulation.until, simulation.warmup
        self._rows = Soon(self._clock, self._write, Phase.SOLVE)
        self._loads = [Load(spec, simulation, self._log, self._changed) for spec in self._specs]

    def begin(self) -> None:
        """Ask for replicas, and wait for the demand."""
        if 0 < self._warmup <= self._until and self._warmup < math.inf:
            self._clock.at(self._warmup, self._settle, phase=Phase.ENDS)
        for load in self._loads:
            load.begin()
            self._expect(load)

    def _settle(self) -> None:
        for load in self._loads:
            load.settle()

    def _expect(self, load: Load) -> None:
        time = load.next_change()
        if time is None or time > self._until:
            return
        due = self._due.get(time)
        if due is None:
            self._due[time] = [load]
            self._clock.at(time, self._change, phase=Phase.ARRIVALS)
        else:
            due.append(load)

    def _change(self) -> None:
        for load in self._due.pop(self._clock.now):
            load.change()
            self._expect(load)

    def _changed(self, load: Load) -> None:
        self._dirty[load] = None
        self._rows()

    def _write(self) -> None:
        for load in self._dirty:
            load.write()
        self._dirty.clear()

    def busy(self) -> bool:
        """Whether any demand or backlog is left."""
        return any(load.busy for load in self._loads)

    def last_end(self) -> float:
        """When the last load was through (s)."""
        return max([load.last_end for load in self._loads], default=0.0)

    def close(self, now: float) -> dict[str, Any]:
        """Settle what is unfinished; return the facts."""
        self._fleets |= {load.name: load.close(now) for load in self._loads}
        return {"fleets": self._fleets} if self._fleets else {}

    def idle_seconds(self) -> float:
        """Accelerator-seconds that replicas held without working."""
        own = [self._fleets[load.name] for load in self._loads]
        return float(sum(fleet["accelerator_seconds"] - fleet["busy_accelerator_seconds"] for fleet in own))

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """The tables ``loads`` and ``waits``."""
        return self._log.tables() if self._loads else {}

    def notes(self) -> list[str]:
        """What a reader must know of the loads."""
        said = []
        for load in self._loads:
            fleet = load.fleet
            if fleet.refused:
                said.append(f"Load {load.name}: a replica can never be placed: {fleet.refused}.")
            if not load.over and self._until == math.inf:
                why = "its replicas wait for a place that is never free" if fleet.seats else "it has no replicas"
                why = "its replicas do not get through it" if fleet.ready else why
                said.append(f"Load {load.name}: a part of its demand is never served: {why}.")
        return said
