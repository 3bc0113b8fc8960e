"""The replicas of a load as a fleet that is counted, not looked through, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from simulator.policies.serving import PodReading
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Cluster, Seat
from simulator.runtime.fleets.spec import FleetSpec
from simulator.runtime.loads.pod import Pod


class Served(Protocol):
    """What a fleet must know of its load."""

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds up to now: taking work, and working."""


class PodFleet(Fleet[Pod]):
    """Alike replicas of a load.

    Autoscalers are told the mean over replicas that take work, and of no replica by itself: all of them are equally
    busy. Those that are starting are in no mean, as a metrics pipeline does not count them (Kubernetes 1.33 sets
    samples of pods that start aside).
    """

    def __init__(
        self,
        spec: FleetSpec,
        cluster: Cluster,
        make: Callable[[Seat[Pod]], Pod],
        read: Callable[[], Gauges],
        numbers: Iterator[int],
        load: Served,
        opened: Callable[[], None],
    ) -> None:
        super().__init__(spec, cluster, make, read, numbers, opened=opened)
        self._load = load
        self._leaving = 0

    @property
    def coming(self) -> int:
        """Replicas that wait for a place or are starting."""
        return len(self.seats) - self._leaving - len(self.ready)

    @property
    def draining(self) -> int:
        """Replicas that are about to go."""
        return self._leaving

    def pods(self) -> list[PodReading]:
        """None of them by itself."""
        return []

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds up to now: taking work, and working."""
        return self._load.seconds()

    def close(self) -> None:
        """The work is over: let all replicas go."""
        super().close()
        self._leaving = len(self.seats)

    def _drain(self, seat: Seat[Pod]) -> None:
        self._leaving += 1
        super()._drain(seat)

    def _let_go(self) -> None:
        super()._let_go()
        self._leaving = 0
