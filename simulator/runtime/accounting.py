"""What a run used: accelerator-seconds, joules, dollars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.models.cost import capex, cloud, electricity
from simulator.models.energy import energy


@dataclass(frozen=True, slots=True)
class Costs:
    """What the cluster costs. Dollars, seconds, watts, joules.

    ``capex`` is the price of the whole cluster, spread evenly over ``life``; ``electricity`` ($/J) is paid for the
    energy times ``pue``; ``cloud`` ($ per accelerator-second) is paid for every accelerator that is up or booting, busy
    or not. ``idle_power`` and ``busy_power`` are those of all servers together with every accelerator idle or busy,
    ``network_power`` that of all switches. None for what is not known or not paid.
    """

    capex: float | None = None
    life: float = 4 * 31557600.0
    electricity: float | None = None
    pue: float = 1.0
    cloud: float | None = None
    idle_power: float | None = None
    busy_power: float | None = None
    network_power: float = 0.0


class Meter:
    """Integrates what is held and what is paid for, over the whole run."""

    def __init__(self, accelerators: int, costs: Costs | None) -> None:
        self._accelerators, self._costs = accelerators, costs
        self._time = 0.0
        self._allocated = self._provisioned = 0.0
        self._held = self._paid = 0.0

    def advance(self, now: float, allocated: float, provisioned: float) -> None:
        """From ``now`` on, ``allocated`` accelerators are held and ``provisioned`` are paid for."""
        elapsed = now - self._time
        self._held += self._allocated * elapsed
        self._paid += self._provisioned * elapsed
        self._time, self._allocated, self._provisioned = now, allocated, provisioned

    def follow(self, time: np.ndarray, allocated: np.ndarray, provisioned: np.ndarray) -> None:
        """Do as ``advance`` does at each of many instants in order; arrays of one length."""
        if len(time):
            self.advance(float(time[0]), float(allocated[0]), float(provisioned[0]))
            steps = np.diff(time)
            self._held += float(np.sum(allocated[:-1] * steps))
            self._paid += float(np.sum(provisioned[:-1] * steps))
            self._time = float(time[-1])
            self._allocated, self._provisioned = float(allocated[-1]), float(provisioned[-1])

    def facts(self, end: float, idle: float = 0.0) -> dict[str, Any]:
        """Accelerator-seconds, energy (J, of the IT equipment) and cost (US dollars by part) up to ``end``.

        ``idle`` are accelerator-seconds that were held without computing, and draw as little as if nobody held them.
        """
        self.advance(max(end, self._time), self._allocated, self._provisioned)
        facts: dict[str, Any] = {"allocated_seconds": self._held, "provisioned_seconds": self._paid}
        costs = self._costs
        if costs is None:
            return facts
        joules = self._energy(costs, end, idle)
        parts: dict[str, float] = {}
        if costs.capex is not None:
            parts["capex"] = capex(costs.capex, end, costs.life)
        if costs.electricity is not None and not math.isnan(joules):
            parts["electricity"] = electricity(joules, costs.electricity, costs.pue)
        if costs.cloud is not None:
            parts["cloud"] = cloud(self._paid, costs.cloud)
        idle_power, busy_power = self._power(costs)
        power = {"idle": idle_power, "busy": busy_power}
        return facts | {"energy": joules, "pue": costs.pue, "cost": parts, "power": power}

    def _power(self, costs: Costs) -> tuple[float, float]:
        """Watts of one accelerator with its share of the servers, idle and busy; NaN where it is not known."""
        if costs.idle_power is None or costs.busy_power is None or not self._accelerators:
            return math.nan, math.nan
        return costs.idle_power / self._accelerators, costs.busy_power / self._accelerators

    def _energy(self, costs: Costs, end: float, unused: float) -> float:
        idle, busy = self._power(costs)
        if math.isnan(idle):
            return math.nan
        return (
            energy(idle, busy, self._paid, min(max(0.0, self._held - unused), self._paid)) + costs.network_power * end
        )
