"""All services of a run, and what they leave behind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.runtime.serving.log import ServingLog
from simulator.runtime.serving.service import Service
from simulator.runtime.serving.spec import ServiceSpec
from simulator.runtime.serving.wires import Wires

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Services:
    """The services of one run; with none of them, nothing at all."""

    def __init__(self, specs: Sequence[ServiceSpec], simulation: Simulation, contention: bool = True) -> None:
        self._log = ServingLog(simulation.journal.progress)
        self._wires: Wires | None = None
        self._services: list[Service] = []
        self._until = math.inf
        self.idle_seconds = 0.0
        """Accelerator-seconds that replicas held without computing, once the run is over."""
        if specs:
            net = simulation.network
            self._wires = wires = Wires(
                simulation.clock, simulation.topology, net.fabric, net.crowd, net.router,
                simulation.journal.recorder.flows, alone=not contention,
            )  # fmt: skip
            until, draw = simulation.until, simulation.stream
            self._until = until
            self._services = [Service(spec, simulation, wires, self._log, until, draw) for spec in specs]

    def begin(self) -> None:
        """Ask for replicas, and wait for requests."""
        for service in self._services:
            service.begin()

    def busy(self) -> bool:
        """Whether any has requests that are yet to come, or to end."""
        return any(service.busy for service in self._services)

    @property
    def used(self) -> dict[int, None]:
        """Links over which keys and values went."""
        return {} if self._wires is None else self._wires.used

    @property
    def last_end(self) -> float:
        """When the last request or transfer ended (s)."""
        return max([0.0 if self._wires is None else self._wires.last_end, *(each.last_end for each in self._services)])

    def close(self, now: float) -> dict[str, Any]:
        """Settle what is unfinished; return the facts of the record."""
        if not self._services:
            return {}
        facts = {service.spec.name: service.close(now) for service in self._services}
        self.idle_seconds = sum(
            fact["accelerator_seconds"] - fact["busy_accelerator_seconds"] for fact in facts.values()
        )
        return {"services": facts}

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Tables of requests and iterations."""
        return self._log.tables() if self._services else {}

    def notes(self) -> list[str]:
        """What a reader must know of the services."""
        said: list[str] = []
        for service in self._services:
            for why, count in Counter(fleet.refused for fleet in service.fleets if fleet.refused).items():
                replicas = "1 replica" if count == 1 else f"{count:,} replicas"
                said.append(f"Service {service.spec.name}: {replicas} can never be placed: {why}.")
            said += _stuck(service) if self._until == math.inf and service.ended < service.came else []
        return said


def _stuck(service: Service) -> list[str]:
    """What to say of requests that had not ended when nothing was left to happen."""
    left = f"Service {service.spec.name}: {service.came - service.ended:,} requests can never end"
    for fleet in service.fleets:
        seats = list(fleet.seats.values())
        if seats and not any(seat.worker for seat in seats):
            return [f"{left}: the replicas of {fleet.name} wait for accelerators that are never free."]
        if not seats:
            return [f"{left}: {fleet.name} has no replicas, and its autoscaler asks for none."]
    return [f"{left}: its batching lets nobody in any more, or links that keys and values need carry nothing."]
