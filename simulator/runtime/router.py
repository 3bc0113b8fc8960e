"""Live routing: the ways that messages take over the links that are up now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.cluster.routing import Load, Paths, Way, modes
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean

_KEPT = 2**17
"""Ways that are remembered before all are forgotten and found again when needed."""
_MOST_FLOWS = 1024


class Router:
    """Chooses the ways of messages by a routing mode, and knows which links are down.

    ``mode`` is ``ecmp``, ``spray``, ``adaptive``, ``explicit`` or a mode of your own; ``flows`` the number of flows
    (queue pairs) that a message is split into, each hashed by itself; ``load(link, flows)`` how loaded a link is now
    with so many flows more (``Fabric.crowd``), which only ``adaptive`` asks. Further ``options`` go to the mode. Ways
    are shortest paths in hops over the links that are up, so traffic fails over to longer ones when no equal one is
    left.

    >>> line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1.0, "latency": 2.0}] * 2)
    >>> router = Router(line)
    >>> router.way("a", "b")
    Way(links=(1,), usage=(1.0,), latency=2.0, flows=1)
    >>> router.set_up(1, False)
    >>> router.way("a", "b").links
    (0,)
    """

    def __init__(
        self, topology: Topology, mode: str = "ecmp", flows: int = 1, load: Load | None = None, **options: Any
    ) -> None:
        if isinstance(flows, bool) or not isinstance(flows, int) or not 1 <= flows <= _MOST_FLOWS:
            raise InputError(f"flows is {flows!r}; it must be a whole number from 1 to {_MOST_FLOWS}")
        self.topology = topology
        self._how: dict[str, Any] = {"mode": mode, "flows": flows, "load": load, **options}
        self._paths = Paths(topology.routes.mesh)
        self._load = load or _idle
        self._planned: dict[int, float] = {}
        try:
            self._mode = modes.get(mode)(paths=self._paths, flows=flows, load=self._with_plans, **options)
        except TypeError as error:
            raise InputError(f"routing {mode!r} cannot be set up: {error}") from None
        self._ways: dict[tuple[str, str, int], Way | None] = {}
        self._watchers: list[Callable[[], None]] = []
        self.changes = 0
        """Times that links have gone down or come up so far."""
        self.lasting = self._mode.lasting
        """Whether the same question gets the same answer until the next change."""

    def way(self, src: str, dst: str, label: int = 0) -> Way | None:
        """Return the way of a message from ``src`` to ``dst`` now; None when links that are down leave none.

        ``label`` stands for the ports: messages between the same ends that shall be hashed apart have different ones.
        Raises ``InputError`` for an unknown vertex, and when no route exists though all links are up.
        """
        key = (src, dst, label)
        if key in self._ways:
            return self._ways[key]
        for vertex in (src, dst):
            if vertex not in self.topology.graph:
                raise InputError(f"unknown vertex {vertex!r}. {did_you_mean(vertex, map(str, self.topology.graph))}")
        way = Way((), (), 0.0) if src == dst else self._mode.way(src, dst, label)
        if way is None and not self._paths.down:
            raise InputError(f"there is no route from {src!r} to {dst!r}")
        if self._mode.lasting:
            if len(self._ways) >= _KEPT:
                self._ways.clear()
            self._ways[key] = way
        return way

    def count(self, way: Way) -> None:
        """Count the flows of a message that will be sent, but is not on the network yet, until ``forget``."""
        for link, usage in zip(way.links, way.usage, strict=True):
            self._planned[link] = self._planned.get(link, 0.0) + usage * way.flows

    def forget(self) -> None:
        """Count no messages that are not on the network."""
        self._planned.clear()

    def _with_plans(self, link: int, flows: float) -> float:
        return self._load(link, flows + self._planned.get(link, 0.0))

    def set_up(self, link: int, up: bool) -> None:
        """Take a link down, or up again, and tell those who watch."""
        if not 0 <= link < len(self.topology.ends):
            raise InputError(f"there is no link {link}; links are 0 to {len(self.topology.ends) - 1}")
        if self.is_up(link) == up:
            return
        self._paths.set_up(link, up)
        self._ways.clear()
        self.changes += 1
        for watcher in self._watchers:
            watcher()

    @property
    def down(self) -> tuple[int, ...]:
        """The links that are down, in the order in which they went."""
        return tuple(self._paths.down)

    def is_up(self, link: int) -> bool:
        """Whether a link is up."""
        return link not in self._paths.down

    def pristine(self) -> Router:
        """Return a router of the same mode for which all links are up."""
        return Router(self.topology, **self._how)

    def watch(self, callback: Callable[[], None]) -> None:
        """Call ``callback()`` after each change of the links that are up; in the order of watching."""
        self._watchers.append(callback)


def _idle(link: int, flows: float) -> float:
    return flows
