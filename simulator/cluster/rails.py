"""Rails: accelerator r of every server meets accelerator r of the others on a leaf switch of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.cluster import catalog
from simulator.cluster.parts import Plan, room, within
from simulator.cluster.topology import LEAF_SPINE, SPINE_CORE
from simulator.core.errors import InputError

_PORTS = 64


@dataclass(frozen=True, slots=True)
class Rails:
    """A rail-optimised network of leaf, spine and core switches.

    Each unit of ``unit`` servers has one leaf for each of ``rails`` rails; accelerator number a is on rail a modulo
    ``rails``. The uplinks of a leaf carry what its accelerators' cards carry over ``oversubscription``. Without
    ``cores`` all leaves meet on all ``spines``. With cores ``spines`` is those of one pod of ``pod`` units, whose
    leaves meet on them; the spines of all pods carry on to the cores what comes up to them.
    """

    unit: int
    rails: int
    spines: int
    oversubscription: float = 1.0
    cores: int = 0
    pod: int = 0

    def build(self, plan: Plan, nodes: int) -> None:
        """Add the network and ``nodes`` servers to ``plan``; the last unit may have empty places."""
        port, cards = plan.wired(), plan.cards
        units = math.ceil(nodes / self.unit)
        per_pod = self.pod if self.cores else units
        pods = math.ceil(units / per_pod)
        room(2 * (units * self.rails * self.spines + self._core_links(pods) + 2 * nodes * plan.node.accelerators))
        down = self.unit * plan.node.accelerators // self.rails * cards
        up = down * port.link.goodput / self.oversubscription / self.spines
        cables = bundle(down / self.oversubscription / self.spines)
        self._add_upper(plan, pods, per_pod, up, cables)
        for unit in range(units):
            members = range(unit * self.unit, min((unit + 1) * self.unit, nodes))
            ports = len(members) * plan.node.accelerators // self.rails * cards
            for rail in range(self.rails):
                plan.add_switch(f"leaf-{unit}-{rail}", 1, ports + self.spines * cables)
                for spine in range(self.spines):
                    plan.join(f"leaf-{unit}-{rail}", self._spine(unit // per_pod, spine), up, cables, LEAF_SPINE)
            for node in members:
                plan.add_server(f"node-{node}", unit=f"unit-{unit}")
                for number in range(plan.node.accelerators):
                    plan.plug_accelerator(f"node-{node}/{number}", f"leaf-{unit}-{number % self.rails}", cards)

    def _add_upper(self, plan: Plan, pods: int, units: int, up: float, cables: int) -> None:
        leaves = units * self.rails
        met = [self._met(spine) for spine in range(self.spines)]
        onward = bundle(leaves * cables / len(met[0])) if self.cores else 0
        for core in range(self.cores):
            plan.add_switch(f"core-{core}", 3, pods * onward * sum(core in cores for cores in met))
        for pod in range(pods):
            for spine in range(self.spines):
                plan.add_switch(self._spine(pod, spine), 2, leaves * cables + onward * len(met[spine]))
                for core in met[spine]:
                    capacity = leaves * up / len(met[spine])
                    plan.join(self._spine(pod, spine), f"core-{core}", capacity, onward, SPINE_CORE)

    def _spine(self, pod: int, spine: int) -> str:
        return f"spine-{pod}-{spine}" if self.cores else f"spine-{spine}"

    def _met(self, spine: int) -> range:
        """The cores that a spine of each pod is joined to: a share of its own, or one that several spines share."""
        if not self.cores:
            return range(0)
        share = max(1, self.cores // self.spines)
        first = spine * share % self.cores
        return range(first, first + share)

    def _core_links(self, pods: int) -> int:
        return pods * self.spines * max(1, self.cores // self.spines) if self.cores else 0

    def check(self, plan: Plan) -> None:
        """Raise ``InputError`` when the numbers do not make a network of the servers of ``plan``."""
        accelerators = plan.cards and plan.node.accelerators
        within("nodes_per_unit", self.unit, 1)
        within("rails", self.rails, 1, accelerators)
        within("spines", self.spines, 1, 10_000)
        within("oversubscription", self.oversubscription, 0.01, 1e6)
        within("cores", self.cores, 0, 10_000)
        if accelerators % self.rails:
            fitting = [rails for rails in range(1, accelerators + 1) if accelerators % rails == 0]
            nearest = min(fitting, key=lambda rails: abs(rails - self.rails))
            what = f"{self.rails} rails do not divide the {accelerators} accelerators of a server"
            raise InputError(f"{what}; nearest: {nearest}")
        if self.cores and self.cores % self.spines and self.spines % self.cores:
            nearest = max(1, round(self.cores / self.spines)) * self.spines
            raise InputError(
                f"{self.cores} cores and {self.spines} spines a pod: one must be a multiple of the other; "
                f"nearest: {nearest} cores"
            )
        if self.cores:
            within("units_per_pod", self.pod, 1)


def spines_for(plan: Plan, leaves: int, downlinks: float, oversubscription: float, upward: bool = False) -> int:
    """Fewest spines that have the ports for all uplinks of ``leaves`` and share those of each leaf in equal bundles.

    A leaf has ``downlinks`` over ``oversubscription`` uplinks; a spine the ports of the link's usual switch (64 where
    there is none), half of them for leaves where it also leads ``upward``. So 3 units of a SuperPOD have 16 spines and
    not 12. Where no number will do, because there are more leaves than ports, it is one spine for each uplink.
    """
    uplinks = bundle(downlinks / max(oversubscription, 0.01))
    switch = plan.wired().link.switch
    ports = (catalog.switch(switch).ports if switch else _PORTS) / (2 if upward else 1)
    needed = leaves * uplinks / ports
    return next((spines for spines in range(1, uplinks) if uplinks % spines == 0 and spines >= needed), uplinks)


def bundle(cables: float) -> int:
    """Whole cables that carry what so many would: at least one."""
    return max(1, math.ceil(cables - 1e-9))
