"""A fleet of several kinds of servers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.parts import MOST_SERVERS, within
from simulator.cluster.topology import SERVER, Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse

_KEYS = (
    "name", "count", "node", "accelerators", "accelerator", "cores", "memory", "labels", "taints", "partition",
    "price", "power",
)  # fmt: skip


@builders.register("fleet")
def fleet(groups: Sequence[Mapping[str, Any]], mixed: bool = False) -> Topology:
    """Groups of equal servers, of several kinds, without a network.

    A group is ``{count: 9, accelerators: 4, accelerator: v100}``, or names a server of the catalog (``node:
    dgx-h100``), and may say ``name``, ``cores``, ``memory`` (bytes, or text such as 512 GiB), ``labels`` (a mapping),
    ``taints`` (a list of keys), ``partition``, ``price`` (dollars of a server, or text such as $250k) and ``power``
    (watts at most, or text such as 10 kW). ``accelerator`` is a catalog id or any other name that jobs ask for.
    Servers stand group by group, or ``mixed``, each group spread evenly over the list: policies that break ties by the
    order of servers then meet all kinds, as they do where that order is random.
    """
    if not groups:
        raise InputError("groups: name at least one group of servers, as {count: 4, node: dgx-h100}")
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    problems: list[Problem] = []
    for number, group in enumerate(groups, 1):
        try:
            _add(graph, f"group-{number}", group)
        except InputError as error:
            problems.extend(Problem(f"groups, number {number}: {p.text}", hint=p.hint) for p in error.problems)
    if problems:
        raise InputError(*problems)
    if mixed:
        graph = _mixed(graph, [_whole(group, "count", 1) for group in groups])
    kinds = {data["accelerator"]: None for _, data in graph.nodes(data=True) if data["accelerators"]}
    return Topology(graph, f"fleet of {len(graph)} servers, {len(kinds)} kinds of accelerators")


def _mixed(graph: nx.MultiDiGraph[str], counts: Sequence[int]) -> nx.MultiDiGraph[str]:
    """Return the servers in the order of their relative place in their group, ties by group."""
    places = [((index + 0.5) / count, number) for number, count in enumerate(counts) for index in range(count)]
    names = list(graph)
    other: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for position in sorted(range(len(places)), key=places.__getitem__):
        other.add_node(names[position], **graph.nodes[names[position]])
    return other


def _add(graph: nx.MultiDiGraph[str], default: str, group: Mapping[str, Any]) -> None:
    if not isinstance(group, Mapping):
        raise InputError(f"{group!r} is not a mapping such as {{count: 4, node: dgx-h100}}")
    unknown = [key for key in group if key not in _KEYS]
    if unknown:
        raise InputError(*(f"unknown key {key!r}. {did_you_mean(key, _KEYS)}" for key in unknown))
    count = _whole(group, "count", 1)
    within("count", count, 1)
    if len(graph) + count > MOST_SERVERS:
        raise InputError(f"more than {MOST_SERVERS:,} servers in all")
    name = str(group.get("name", default))
    fields = _server(group)
    for index in range(count):
        server = f"{name}-{index}"
        if server in graph:
            raise InputError(f"there is a server {server!r} already: give the group another name")
        graph.add_node(server, kind=SERVER, **fields)


def _server(group: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "node" in group:
        record = catalog.server(str(group["node"]))
        fields = {
            "accelerators": record.accelerators,
            "accelerator": record.accelerator or "",
            "cores": float(record.cores),
            "memory": record.memory,
            "record": record.id,
        }
    elif "accelerators" not in group:
        raise InputError("say how many accelerators a server has, or which node it is")
    if "accelerators" in group:
        fields["accelerators"] = _whole(group, "accelerators", 0)
    fields.setdefault("accelerator", "")
    for key in ("accelerator", "partition"):
        if key in group:
            fields[key] = str(group[key])
    if "cores" in group:
        fields["cores"] = float(_whole(group, "cores", 0))
    if "memory" in group:
        fields["memory"] = _quantity("memory", group["memory"], "bytes")
    for key, dimension in (("price", "money"), ("power", "power")):
        if key in group:
            fields[key] = _quantity(key, group[key], dimension)
    for key in ("labels", "taints"):
        if key in group:
            fields[key] = group[key]
    return fields


def _whole(group: Mapping[str, Any], key: str, least: int) -> int:
    value = group.get(key, least)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{key} is {value!r}; it must be a whole number, {least} or more")
    return value


def _quantity(key: str, value: Any, dimension: str) -> float:
    try:
        amount = float(value) if isinstance(value, int | float) else parse(str(value), dimension)
    except UnitError as error:
        raise InputError(f"{key}: {error}") from None
    if not 0 <= amount < math.inf:
        raise InputError(f"{key} is {value!r}; it must be 0 or more, and finite")
    return amount
