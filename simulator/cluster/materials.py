"""The bill of materials of a topology, priced from the catalog."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from simulator.cluster import catalog

if TYPE_CHECKING:
    from simulator.cluster.topology import BillLine, Topology


def bill_of_materials(topology: Topology) -> list[BillLine]:
    """Servers by record, switches by record (as many boxes as the ports in use need), cables by link.

    Accelerators and network cards are part of their server. A vertex without a catalog record is one line without
    price, so that a sum can say what it leaves out. Links inside servers are not cables; switches and cables that
    someone else owns (``rented``, as in a cloud) are not bought. What a builder knows besides, ``topology.extras``,
    comes last.
    """
    return [*_servers(topology), *_switches(topology), *_cables(topology), *topology.extras]


def _servers(topology: Topology) -> list[BillLine]:
    from simulator.cluster.topology import BillLine

    lines = []
    kinds = Counter((server.record, server.price, server.power) for server in topology.servers)
    for (item, price, power), count in kinds.items():
        record = catalog.server(item) if item else None
        source = record.source if record else ""
        if record is not None:
            price, power = (record.price if price is None else price), (record.power if power is None else power)
        lines.append(BillLine("server", item, count, price, power, source))
    return lines


def _switches(topology: Topology) -> list[BillLine]:
    from simulator.cluster.topology import SWITCH, BillLine

    boxes: Counter[tuple[str, str]] = Counter()
    for _, data in topology.graph.nodes(data=True):
        if data.get("kind", SWITCH) == SWITCH and not data.get("rented"):
            item = data.get("item", "")
            ports = catalog.switch(item).ports if item else 0
            boxes[item, data.get("link", "")] += max(1, math.ceil(data.get("ports", 0) / ports)) if ports else 1
    return [BillLine("switch", item, count, *_switch_facts(item, link)) for (item, link), count in boxes.items()]


def _switch_facts(item: str, link: str) -> tuple[float | None, float | None, str]:
    """Price, power and source of a switch; where its own row is silent, what the row of its link says."""
    if not item:
        return None, None, ""
    switch = catalog.switch(item)
    price, power, source = switch.price, switch.power, switch.source
    if link and (price is None or power is None):
        wire = catalog.link(link)
        source = f"{source}; for want of more, the row of {wire.id}: {wire.source}"
        price = wire.switch_price if price is None else price
        if power is None and wire.switch_port_power is not None:
            power = wire.switch_port_power * switch.ports
    return price, power, source


def _cables(topology: Topology) -> list[BillLine]:
    from simulator.cluster.topology import BillLine

    cables: Counter[str] = Counter()
    for _, _, data in topology.graph.edges(data=True):
        if data.get("cables"):
            cables[data.get("item", "")] += data["cables"]
    lines = []
    for item, count in cables.items():
        record = catalog.link(item) if item else None
        price, source = (record.cable_price, record.source) if record else (None, "")
        lines.append(BillLine("cable", item, count, price, 0.0, source))
    return lines
