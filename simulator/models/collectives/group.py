"""A group of ranks: scale-up domains with a fast fabric inside, and a network between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Link, Protocol, Server
from simulator.core.errors import InputError

MOST_RANKS = 1_000_000
_LARGEST_SERVER = 16
"""No server of the catalog holds more accelerators; a wider scale-up fabric joins several."""


@dataclass(frozen=True, slots=True)
class Level:
    """What joins ranks: the fabric inside a domain, or the network between domains. Bandwidth in bytes/s, one way."""

    bandwidth: float
    """Goodput of one rank."""
    latency: float
    """Wires and switches of one hop (s), beyond what the protocol's steps hold."""
    protocol: Protocol
    total: float = math.inf
    """Goodput of all ranks of one domain together."""
    reduction: float = 0.0
    """What one rank moves in all-reduce in the switch; 0 where switches do not reduce."""
    pair: float = math.inf
    """Goodput between two ranks, below ``bandwidth`` on meshes and tori."""
    exits: int | None = None
    """Inside: most network cards of a domain that a collective over several domains keeps busy."""
    torus: tuple[int, ...] = ()
    """Inside: ranks along each dimension of a torus; empty where a switch or mesh joins them."""

    def step(self, kind: str, mode: str) -> float:
        """Seconds of one step of a ``ring`` or ``tree`` in an NCCL mode."""
        table = self.protocol.ring_step if kind == "ring" else self.protocol.tree_step
        return table[mode] + self.protocol.latency + self.latency


@dataclass(frozen=True, slots=True)
class Group:
    """Ranks in the order of their domains; ``shape`` is the number of ranks of each domain, as (8, 8).

    Raises ``InputError`` for an empty shape, a domain without ranks, or several domains without a network.
    """

    shape: tuple[int, ...]
    inside: Level
    outside: Level | None = None

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise InputError(f"a group of shape {self.shape} has no ranks; every domain needs 1 or more")
        if self.ranks > MOST_RANKS:
            raise InputError(f"a group of {self.ranks:,} ranks is too large; at most {MOST_RANKS:,}")
        if len(self.shape) > 1 and self.outside is None:
            raise InputError(f"{self.ranks} ranks in {len(self.shape)} domains need a link between them: name one")

    @property
    def ranks(self) -> int:
        """Ranks of all domains."""
        return sum(self.shape)

    @property
    def domains(self) -> int:
        """Scale-up domains."""
        return len(self.shape)

    @property
    def width(self) -> int:
        """Ranks of the widest domain."""
        return max(self.shape)

    @property
    def starts(self) -> tuple[int, ...]:
        """First rank of each domain."""
        return tuple(accumulate(self.shape[:-1], initial=0))

    @property
    def channels(self) -> int:
        """Channels that cross the network side by side: one for each rank of the narrowest domain, up to ``exits``."""
        narrowest = min(self.shape)
        return narrowest if self.inside.exits is None else min(narrowest, self.inside.exits)

    @property
    def network(self) -> Level:
        """The network between domains; raise ``InputError`` where there is none."""
        if self.outside is None:
            raise InputError("the group has one domain and no network")
        return self.outside

    @property
    def fabric(self) -> float:
        """Bytes/s that one rank moves inside a domain: its ports, or its pairs on a mesh of few ranks or on a torus."""
        pairs = 2 if self.inside.torus else max(1, self.width - 1)
        return min(self.inside.bandwidth, pairs * self.inside.pair)

    @property
    def exit(self) -> float:
        """Bytes/s, one way, out of one domain over the channels of a collective."""
        return min(self.channels * self.network.bandwidth, self.network.total)

    @classmethod
    def of(
        cls,
        device: Server | Accelerator | str,
        link: Link | str | None,
        ranks: int,
        ranks_per_node: int | None = None,
        nics: int | None = None,
        protocol: Protocol | str | None = None,
    ) -> Group:
        """Make the group of ``ranks`` accelerators of catalog records, ``ranks_per_node`` on each server.

        A scale-up fabric wider than a server (NVL72, ICI) joins the ranks of several servers. Without a server
        record, each accelerator has a network card of its own unless ``nics`` counts those of a server. ``protocol``
        replaces that of the link.
        """
        node, accelerator = _device(device)
        most = most_on_a_server(device)
        per_node = ranks_per_node or min(ranks, most)
        if ranks < 1 or per_node < 1:
            raise InputError(f"{ranks} ranks with {per_node} on each server: both must be 1 or more")
        wide = accelerator.scale_up_domain > (node.accelerators if node else _LARGEST_SERVER)
        if per_node > most and not wide:
            raise InputError(f"{per_node} ranks do not fit a server of {most} x {accelerator.short}")
        domain = accelerator.scale_up_domain // per_node * per_node if wide else per_node
        shape = _split(ranks, max(1, domain))
        outside = None
        if len(shape) > 1 and link is not None:
            kind = catalog.link(link) if isinstance(link, str) else link
            cards = nics or (node.nics if node and node.nics else per_node)
            outside = network_level(kind, cards, node.accelerators if node else per_node, per_node, protocol)
            outside = replace(outside, total=outside.total * max(1, shape[0] / per_node))
        return cls(shape, scale_up_level(accelerator, shape[0]), outside)


def most_on_a_server(device: Server | Accelerator | str) -> int:
    """Return the accelerators of a server, or of the usual one: as many as a fabric of up to 16 joins."""
    node, accelerator = _device(device)
    return node.accelerators if node else min(accelerator.scale_up_domain, _LARGEST_SERVER)


def scale_up_level(accelerator: Accelerator, ranks: int) -> Level:
    """Return the fabric inside a domain of ``ranks`` accelerators: its scale-up fabric, else PCIe of the host."""
    link = scale_up_link(accelerator)
    rate = accelerator.scale_up_bandwidth or accelerator.host_bandwidth or link.bandwidth
    pair = accelerator.pair_bandwidth or rate
    carrier = catalog.protocol(link.protocol or "pcie-p2p")
    return Level(
        bandwidth=rate * link.efficiency,
        latency=0.0,
        protocol=carrier,
        reduction=rate * link.in_switch,
        pair=pair * link.efficiency if pair < rate else math.inf,
        exits=link.exits,
        torus=torus(ranks, accelerator.scale_up),
    )


@cache
def scale_up_link(accelerator: Accelerator) -> Link:
    """Return the catalog's link for the scale-up fabric of an accelerator; PCIe 4 where it has none."""
    text = accelerator.scale_up.lower()
    words = text.replace("(", "").replace(")", "").split() or [""]
    known = {
        name: link for link in catalog.records("link") if isinstance(link, Link) for name in (link.short, *link.aliases)
    }
    names = ("-".join(words), words[0], f"{accelerator.short}-ici", f"{words[0]}-x16")
    return next((known[name] for name in names if name in known), known["pcie4-x16"])


def network_level(
    link: Link, cards: int, accelerators: int, used: int, protocol: Protocol | str | None = None
) -> Level:
    """Return the network as ``used`` of the ``accelerators`` of a server meet it over its ``cards`` of a link.

    Where there are fewer cards than accelerators, one accelerator alone can fill one card. Data that cards cannot
    read from accelerators goes through host memory (``host_copy``).
    """
    name = protocol or link.protocol or "tcp"
    carrier = catalog.protocol(name) if isinstance(name, str) else name
    rate = max(1, cards // max(1, accelerators)) * link.goodput
    if carrier.host_copy is not None:
        rate = min(rate, carrier.host_copy)
    total = min(cards * link.goodput, used * rate)
    reduction = rate * link.in_switch / link.efficiency
    return Level(rate, link.end_latency + link.latency, carrier, total=total, reduction=reduction)


def torus(ranks: int, fabric: str) -> tuple[int, ...]:
    """Return the sides of the squarest torus of ``ranks`` chips, for fabrics that call themselves 2D or 3D torus.

    >>> torus(64, "ICI 3D torus"), torus(8, "ICI 2D torus"), torus(8, "NVLink4")
    ((4, 4, 4), (4, 2), ())
    """
    if "torus" not in fabric.lower() or ranks < 2:
        return ()
    sides: list[int] = []
    left = ranks
    for dimension in range(3 if "3d" in fabric.lower() else 2, 0, -1):
        ideal = left ** (1 / dimension)
        side = min((d for d in range(1, left + 1) if left % d == 0), key=lambda d: (abs(math.log(d / ideal)), d))
        sides.append(side)
        left //= side
    return tuple(side for side in sorted(sides, reverse=True) if side > 1)


def _split(ranks: int, domain: int) -> tuple[int, ...]:
    full, rest = divmod(ranks, domain)
    return (domain,) * full + ((rest,) if rest else ())


def _device(device: Server | Accelerator | str) -> tuple[Server | None, Accelerator]:
    record = catalog.get(device) if isinstance(device, str) else device
    if isinstance(record, Server):
        if record.accelerator is None:
            raise InputError(f"server {record.id!r} has no accelerators")
        return record, catalog.accelerator(record.accelerator)
    if not isinstance(record, Accelerator):
        raise InputError(f"{record.id!r} is neither a server nor an accelerator")
    return None, record
