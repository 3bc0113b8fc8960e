"""What a routing mode is, and what it answers: a ``Way`` through the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from simulator.core.registry import Registry

if TYPE_CHECKING:
    from simulator.cluster.routing.paths import Paths

Load = Callable[[int, float], float]
"""How loaded a link, given its index, would be now with so many flows more: any number that grows with what queues
there, and is only compared."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a message crosses the network.

    ``links`` are indices without repetition, ``usage`` how many bytes cross each of them for one byte of the message
    (1 on a single path, less where the message is split, more where a route crosses a link again), ``latency`` the
    seconds until the first byte is there by the slowest of its paths. ``flows`` is the number of flows (queue pairs)
    that the message is split into; a packet-sprayed message is one flow.
    """

    links: tuple[int, ...]
    usage: tuple[float, ...]
    latency: float
    flows: int = 1


class Mode(Protocol):
    """Chooses the way of a message. Made with the keyword arguments ``paths``, ``flows`` and ``load``."""

    lasting: bool
    """Whether the same question gets the same answer until a link goes down or up, so that answers may be kept."""

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way from vertex ``src`` to another, ``dst``; None when no link leads there now."""
        ...


class MakeMode(Protocol):
    """A ``Mode`` class."""

    def __call__(self, paths: Paths, flows: int, load: Load) -> Mode:
        """Make the mode over ``paths``; ``load`` may only be asked when a way is chosen."""
        ...


modes: Registry[MakeMode] = Registry("routing", "simulator.cluster.routing")


def way_of(routes: Sequence[Sequence[int]], latency: Sequence[float]) -> Way:
    """Return the way of a message that is split evenly over ``routes``, one for each of its flows.

    ``latency`` is that of each link (s).
    """
    crossings: dict[int, int] = {}
    for route in routes:
        for link in route:
            crossings[link] = crossings.get(link, 0) + 1
    slowest = max(sum([latency[link] for link in route]) for route in routes)
    return Way(tuple(crossings), tuple(n / len(routes) for n in crossings.values()), slowest, len(routes))
