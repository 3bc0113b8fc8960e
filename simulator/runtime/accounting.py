"""What a run used: accelerator-seconds, joules, dollars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.models.cost import capex, cloud, electricity
from simulator.models.energy import energy
from simulator.runtime.supply.spending import Spending


@dataclass(frozen=True, slots=True)
class Costs:
    """What the cluster costs. Dollars, seconds, watts, joules.

    ``capex`` is the price of the whole cluster, spread evenly over ``life``; ``electricity`` ($/J) is paid for the
    energy times ``pue``; ``cloud`` ($ per accelerator-second) is paid for every accelerator that is up or booting, busy
    or not. ``idle_power`` and ``busy_power`` are those of all servers together with every accelerator idle or busy,
    ``network_power`` that of all switches. ``carbon`` is kgCO2e per joule. None for what is not known or not paid.
    """

    capex: float | None = None
    life: float = 4 * 31557600.0
    electricity: float | None = None
    pue: float = 1.0
    cloud: float | None = None
    idle_power: float | None = None
    busy_power: float | None = None
    network_power: float = 0.0
    carbon: float | None = None


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

    @property
    def watts(self) -> tuple[float, float]:
        """Watts of one accelerator with its share of the servers, idle and busy; NaN where it is not known."""
        return self._power(Costs() if self._costs is None else self._costs)

    def facts(self, end: float, idle: float = 0.0, groups: Spending | None = None) -> dict[str, Any]:
        """Accelerator-seconds, energy (J, of the IT equipment), carbon (kgCO2e) and cost (US dollars by part).

        ``idle`` are accelerator-seconds that were held without computing, and draw as little as if nobody held them.
        ``groups`` are the accounts of the node groups.
        """
        facts = self._facts(end, idle, groups)
        if groups is not None:
            facts["groups"] = groups.facts(end)
        if groups is not None and groups.priced:
            facts["cost"] = {**facts.get("cost", {}), "cloud": groups.dollars()}
        return facts

    def _facts(self, end: float, idle: float, groups: Spending | None) -> dict[str, Any]:
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
        facts |= {"energy": joules, "pue": costs.pue, "cost": parts, "power": power}
        carbon = self._carbon(costs, end, joules, groups)
        return facts if carbon is None or math.isnan(carbon) else facts | {"carbon": carbon}

    def _carbon(self, costs: Costs, end: float, joules: float, groups: Spending | None) -> float | None:
        """Kilograms of CO2e of all energy, PUE included; None where no intensity is known.

        What has no intensity of its own counts with that of ``costs``, or not at all. What replicas hold without
        computing is taken from all servers alike.
        """
        if groups is None or not groups.located:
            return None if costs.carbon is None else joules * costs.pue * costs.carbon
        network = costs.network_power * end
        whole = self._energy(costs, end, 0.0) - network
        share = (joules - network) / whole if whole > 0 else 1.0
        rest = max(0.0, whole - math.fsum(groups.joules)) * share + network
        return costs.pue * (groups.carbon() * share + rest * (costs.carbon or 0.0))

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
