"""What nodes cost: hours in each state, dollars, and carbon, by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from simulator.runtime.supply.groups import Group

BOOT, IDLE, BUSY, DRAIN, FAILED, WARM = "boot", "idle", "busy", "drain", "failed", "warm"
STATES = (BOOT, IDLE, BUSY, DRAIN, FAILED, WARM)
"""What a node is paid for: booting (also to be warm later), ready without and with jobs, draining, broken, warm."""


class Spending:
    """The accounts of the groups of one run.

    ``owner`` is the group of each server (-1 for none), ``accelerators`` what each has. A node is paid for from the
    moment in which it is ``moved`` into a state until it is moved to None. ``watts`` are those of one accelerator with
    its share of the server, idle and busy; NaN where they are not known. Carbon is kgCO2e, before PUE.
    """

    def __init__(
        self, groups: Sequence[Group], owner: Sequence[int], accelerators: Sequence[int], names: Sequence[str]
    ) -> None:
        count = len(owner)
        self._names = names
        self._groups, self._owner, self._accelerators = groups, owner, accelerators
        self.watts = (math.nan, math.nan)
        self._located = any(group.carbon is not None for group in groups)
        self._state: list[str | None] = [None] * count
        self._since, self._used = [0.0] * count, [0.0] * count
        self._seconds = [dict.fromkeys(STATES, 0.0) for _ in groups]
        self._paid, self._carbon, self.joules = ([0.0] * len(groups) for _ in range(3))
        self.interrupted, self.missing = [0] * len(groups), [0] * len(groups)
        """Nodes that were interrupted, and that could not be had."""

    def move(self, server: int, state: str | None, now: float) -> None:
        """From ``now`` on a server is in a state, or (None) nobody pays for it."""
        if state != self._state[server]:
            self._settle(server, now)
            self._state[server] = state

    def use(self, server: int, change: float, now: float) -> None:
        """From ``now`` on jobs hold so many accelerators more of a server."""
        self._settle(server, now)
        self._used[server] = max(0.0, self._used[server] + change)

    def powered(self, server: int) -> bool:
        """Whether a server is switched on."""
        state = self._state[server]
        return state is not None and not (state == WARM and self._stopped(server))

    def _stopped(self, server: int) -> bool:
        warm = self._groups[self._owner[server]].warm
        return warm is not None and warm.state == "stopped"

    def _settle(self, server: int, now: float) -> None:
        state, since = self._state[server], self._since[server]
        self._since[server] = now
        if state is None or now <= since:
            return
        number = self._owner[server]
        group = self._groups[number]
        self._seconds[number][state] += now - since
        if group.price is not None:
            share = group.warm.price if state == WARM and group.warm is not None else 1.0
            self._paid[number] += share * group.price.integral(since, now)
        if self._located and self.powered(server):
            idle, busy = self.watts
            used = self._used[server]
            power = idle * (self._accelerators[server] - used) + busy * used
            self.joules[number] += power * (now - since)
            if group.carbon is not None:
                self._carbon[number] += power * group.carbon.integral(since, now)

    @property
    def priced(self) -> bool:
        """Whether any group has a price."""
        return any(group.price is not None for group in self._groups)

    @property
    def located(self) -> bool:
        """Whether the carbon intensity of any group is known; without one ``joules`` by group are not counted."""
        return self._located

    def close(self, now: float) -> None:
        """Bring all accounts up to ``now``, the end of the run."""
        for server, number in enumerate(self._owner):
            if number >= 0:
                self._settle(server, now)

    def dollars(self) -> float:
        """All that the nodes have cost."""
        return math.fsum(self._paid)

    def carbon(self) -> float:
        """Kilograms of CO2e of all groups whose intensity is known."""
        return math.fsum(self._carbon)

    def facts(self, now: float) -> dict[str, Any]:
        """By group: price ($/s, mean), accelerators of a node, dollars, hours by state, mean of nodes, their names.

        Where they are known also the region and its carbon (kgCO2e, before PUE).
        """
        return {group.name: self._facts(number, now) for number, group in enumerate(self._groups)}

    def _facts(self, number: int, now: float) -> dict[str, Any]:
        group, seconds = self._groups[number], self._seconds[number]
        price = 0.0 if group.price is None else group.price.at(0.0)
        if group.price is not None and now > 0:
            price = group.price.integral(0.0, now) / now
        up = math.fsum(value for state, value in seconds.items() if state != WARM)
        told: dict[str, Any] = {
            "price": price,
            "accelerators": self._accelerators[group.servers[0]],
            "paid": self._paid[number],
            "hours": {state: value / 3600.0 for state, value in seconds.items()},
            "nodes_mean": up / now if now > 0 else 0.0,
            "interrupted": self.interrupted[number],
            "missing": self.missing[number],
            "servers": [self._names[server] for server in group.servers],
        }
        if group.carbon is None or math.isnan(self._carbon[number]):
            return told
        return told | {"carbon": self._carbon[number], "region": group.region}
