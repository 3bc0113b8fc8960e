"""Parts that builders put together: servers with their accelerators, switches, cables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import networkx as nx

from simulator.cluster import catalog, records
from simulator.cluster.topology import ACCELERATOR, HOST, SCALE_UP, SERVER, SWITCH
from simulator.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Port:
    """How a server meets the network: ``nics`` cards side by side, of one kind of link."""

    link: records.Link
    nics: int

    @property
    def trunk(self) -> float:
        """Goodput of all cards of one server together, bytes/s, one direction."""
        return self.nics * self.link.goodput


class Plan:
    """A graph under construction; links are numbered as they are laid.

    A server is plugged in by one trunk of all its cards (``plug``), or each of its accelerators by cards of its own
    (``plug_accelerators``). ``nics`` is the number of cards of a server where it is not that of its record.
    """

    def __init__(self, node: str, link: str = "", nics: int = 0) -> None:
        self.graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._links = 0
        self.node = catalog.server(node)
        self.port = Port(catalog.link(link), nics or max(1, self.node.nics)) if link else None
        accelerator = catalog.accelerator(self.node.accelerator) if self.node.accelerator else None
        self.accelerator = accelerator
        self._inside = accelerator.scale_up if accelerator else ""
        self._server: dict[str, Any] = {
            "kind": SERVER,
            "accelerators": self.node.accelerators,
            "accelerator": self.node.accelerator or "",
            "cores": float(self.node.cores),
            "memory": self.node.memory,
            "record": self.node.id,
            "scale_up": _inside(accelerator),
            "scale_up_latency": _inside_latency(accelerator),
            "nic": _per_accelerator(self.node, self.port, accelerator) if self.port else math.inf,
        }

    def add_server(self, name: str, accelerators: bool = True, **more: Any) -> None:
        """Add a server, and an accelerator vertex for each of its accelerators; ``more`` are attributes of its own."""
        server = self._server
        self.graph.add_node(name, **server | more)
        if not accelerators or server["scale_up"] == math.inf:
            return
        for index in range(self.node.accelerators):
            self.add_accelerator(f"{name}/{index}")
            self.lay(
                f"{name}/{index}",
                name,
                server["scale_up"],
                server["scale_up_latency"] / 2,
                self._inside,
                tier=SCALE_UP,
            )

    def add_accelerator(self, name: str, **more: Any) -> None:
        """Add the vertex of one accelerator, ``SERVER/NUMBER``, without any link."""
        self.graph.add_node(name, kind=ACCELERATOR, item=self.node.accelerator or "", **more)

    def add_switch(self, name: str, tier: int, ports: int, **more: Any) -> None:
        """Add a switch with ``ports`` physical ports in use, the usual one of the link unless ``more`` names another.

        ``more`` are attributes of its own: ``item`` (catalog id), ``rented`` (someone else owns it).
        """
        link = self.wired().link
        facts = {"kind": SWITCH, "tier": tier, "ports": ports, "item": link.switch or "", "link": link.id}
        self.graph.add_node(name, **facts | more)

    def plug(self, server: str, switch: str, cables: int | None = None) -> None:
        """Connect all network cards of a server to a switch, by a cable each unless ``cables`` says how many to buy."""
        nics = self.wired().nics
        self._plug(server, switch, nics, nics if cables is None else cables)

    @property
    def cards(self) -> int:
        """Network cards of one accelerator that has its own.

        Raises ``InputError`` for servers whose accelerators share their cards.
        """
        port, count = self.wired(), self.node.accelerators
        if not count or port.nics % count:
            raise InputError(
                f"servers {self.node.id!r} have {port.nics} network cards for {count} accelerators; "
                "here each accelerator has cards of its own: use leaf-spine, or servers such as 'nvidia/dgx-h100'"
            )
        return port.nics // count

    def plug_accelerator(self, accelerator: str, switch: str, cards: int) -> None:
        """Connect ``cards`` network cards of one accelerator to a switch."""
        self._plug(accelerator, switch, cards, cards)

    def _plug(self, end: str, switch: str, cards: int, cables: int) -> None:
        link = self.wired().link
        self.lay(
            end,
            switch,
            cards * link.goodput,
            link.end_latency / 2,
            link.id,
            cables,
            into_switch=link.latency,
            tier=HOST,
        )

    def join(
        self, lower: str, upper: str, capacity: float, cables: int, tier: str, link: records.Link | None = None
    ) -> None:
        """Connect two switches by ``cables`` parallel cables of ``capacity`` bytes/s together, of the plan's link."""
        link = link or self.wired().link
        self.lay(lower, upper, capacity, link.latency, link.id, cables, tier=tier)

    def lay(
        self,
        a: str,
        b: str,
        capacity: float,
        latency: float,
        item: str = "",
        cables: int = 0,
        into_switch: float = 0.0,
        tier: str = "",
    ) -> None:
        """Lay a cable: one link each way. ``into_switch`` is added on the way up, where ``b`` forwards."""
        for src, dst, extra in ((a, b, into_switch), (b, a, 0.0)):
            self.graph.add_edge(
                src,
                dst,
                index=self._links,
                capacity=capacity,
                latency=latency + extra,
                item=item,
                cables=cables if src == a else 0,
                tier=tier,
            )
            self._links += 1

    def wired(self) -> Port:
        """How servers meet the network; raise ``InputError`` when no link was named."""
        if self.port is None:
            raise InputError(f"servers {self.node.id!r} without a link cannot be connected: name one")
        return self.port


def _inside(accelerator: records.Accelerator | None) -> float:
    """Bandwidth of one accelerator to the others of its server: scale-up fabric, else the host's PCIe."""
    if accelerator is None:
        return math.inf
    return accelerator.scale_up_bandwidth or accelerator.host_bandwidth or math.inf


def _inside_latency(accelerator: records.Accelerator | None) -> float:
    """Latency between two accelerators of a server, from the catalog's link of that name."""
    if accelerator is None:
        return 0.0
    known = {link.short: link for link in catalog.records("link") if isinstance(link, records.Link)}
    link = known.get(accelerator.scale_up.lower().partition(" ")[0]) or known.get("pcie4-x16")
    return link.end_latency if link else 0.0


def _per_accelerator(node: records.Server, port: Port | None, accelerator: records.Accelerator | None) -> float:
    """Bytes/s that one accelerator can push out of its server: its share of a card, or its host link if that is less.

    Where there are fewer cards than accelerators, one accelerator alone can fill one card.
    """
    assert port is not None
    host = accelerator.host_bandwidth if accelerator and accelerator.host_bandwidth else math.inf
    cards = max(1, port.nics // max(1, node.accelerators))
    return min(cards * port.link.goodput, host)


MOST_SERVERS = 100_000
"""Servers of one topology: more than any cluster has, and what memory still holds."""
MOST_LINKS = 1_000_000
"""Directed links of one topology: what memory still holds (about 1 KiB each)."""


def within(name: str, value: float, least: float, most: float = MOST_SERVERS) -> None:
    """Raise ``InputError`` when a parameter is not between its least and its most."""
    if not value >= least:
        raise InputError(f"{name} is {value:g}; it must be at least {least:g}")
    if value > most:
        raise InputError(f"{name} is {value:,}; it must be at most {most:,}")


def room(links: int) -> None:
    """Raise ``InputError`` when a network would have more directed links than memory holds."""
    if links > MOST_LINKS:
        raise InputError(
            f"this network would have {links:,} links; it may have at most {MOST_LINKS:,}: make it smaller"
        )
