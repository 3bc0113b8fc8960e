"""Which algorithm runs a collective, and what it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.core.errors import InputError
from simulator.models.collectives.api import Cost, Edge, algorithms, bus_factor, collective_name
from simulator.models.collectives.group import Group

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A collective of ``size`` bytes alone on its fabrics: seconds, and bytes/s."""

    collective: str
    size: float
    ranks: int
    time: float
    algorithm: str
    protocol: str
    """NCCL's mode: LL, LL128 or Simple."""
    latency: float
    """The part of ``time`` that does not scale with any rate."""
    rate: float
    """Bytes of the collective per second that scale-up fabric, network cards and ramp allow."""
    note: str = ""

    @property
    def algbw(self) -> float:
        """Bytes of the collective per second, latency included; 0 where it takes no time."""
        return self.size / self.time if self.time > 0 else 0.0

    @property
    def busbw(self) -> float:
        """Bus bandwidth as nccl-tests defines it, bytes/s."""
        return self.algbw * bus_factor(self.collective, self.ranks)


def estimate(collective: str, size: float, group: Group, algorithm: str = AUTO) -> Estimate:
    """Return what a collective of ``size`` bytes takes on ``group``.

    ``size`` is that of nccl-tests: the whole array, and for all-to-all the send buffer of one rank. With ``auto`` the
    cheapest algorithm and mode is taken, as NCCL's tuning model does; another name forces one. Raises ``InputError``
    for a size that is not a finite number of 0 or more, and for an algorithm that is unknown or cannot run this.
    """
    collective = collective_name(collective)
    if not 0 <= size < math.inf:
        raise InputError(f"a collective of {size} bytes: the size must be finite and 0 or more")
    if group.ranks == 1:
        note = f"one rank: {collective} has nothing to exchange, and no input changes its time"
        return Estimate(collective, size, 1, 0.0, "none", "none", 0.0, math.inf, note)
    found = [_best(name, collective, size, group) for name in _candidates(collective, group, algorithm)]
    return min(found, key=lambda each: each.time)


def alternatives(collective: str, size: float, group: Group) -> dict[str, Estimate | str]:
    """Return the estimate of every algorithm by name, or why it cannot run this."""
    collective = collective_name(collective)
    faults = {name: algorithms.get(name)().fault(collective, group) for name in algorithms.names()}
    return {name: fault or estimate(collective, size, group, name) for name, fault in faults.items()}


def traffic(collective: str, group: Group, algorithm: str) -> list[Edge]:
    """Return what ``algorithm`` sends between domains: (rank, rank, bytes per byte of the collective).

    Channel c enters and leaves a domain at its local rank c, so a hop between two domains is one edge a channel.
    """
    collective = collective_name(collective)
    if group.domains == 1:
        return []
    (name,) = _candidates(collective, group, algorithm)
    return algorithms.get(name)().edges(collective, group)


def _candidates(collective: str, group: Group, algorithm: str) -> list[str]:
    able = [name for name in algorithms.names() if algorithms.get(name)().fault(collective, group) is None]
    if algorithm != AUTO:
        fault = algorithms.get(algorithm)().fault(collective, group)
        if fault is None:
            return [algorithm]
        raise InputError(
            f"algorithm {algorithm!r} cannot run {collective} on {group.ranks} ranks ({_shape(group)}): {fault}. "
            f"These can: {', '.join(able)}."
        )
    return [name for name in able if algorithms.get(name).auto]


def _shape(group: Group) -> str:
    first = group.shape[0]
    if all(ranks == first for ranks in group.shape):
        return f"{group.domains} x {first}"
    return " + ".join(map(str, group.shape[:4])) + (" + ..." if group.domains > 4 else "")


def _best(name: str, collective: str, size: float, group: Group) -> Estimate:
    costs = algorithms.get(name)().costs(collective, group)
    best: Cost = min(costs, key=lambda cost: cost.time(size))
    time = best.time(size)
    slope = 2 * best.slope if best.fill else best.slope
    rate = size / (time - best.latency) if time > best.latency else 1 / slope if slope > 0 else math.inf
    return Estimate(collective, size, group.ranks, time, name, best.protocol, best.latency, rate)
