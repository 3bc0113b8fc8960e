"""Links and servers written out one by one, checked, as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import networkx as nx

from simulator.cluster.labels import as_labels, as_names
from simulator.cluster.topology import SERVER, SWITCH
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse

_LINK = {"src": "", "dst": "", "capacity": "bandwidth", "latency": "time"}
SERVER_FIELDS = {
    "accelerators": "count",
    "accelerator": "",
    "cores": "count",
    "memory": "bytes",
    "record": "",
    "scale_up": "bandwidth",
    "scale_up_latency": "time",
    "nic": "bandwidth",
    "labels": "labels",
    "taints": "names",
    "partition": "",
}
"""Keys, and the dimension of each; none for a name."""
_WHOLE = ("accelerators", "cables", "ports", "tier", "device")
_HUGE = 10**30


def explicit_graph(
    links: Iterable[Mapping[str, Any]], servers: Mapping[str, Mapping[str, Any]] | None = None, bare: bool = True
) -> nx.MultiDiGraph[str]:
    """Return the graph of ``links`` and ``servers``; raise ``InputError`` with everything that is wrong with them.

    With ``bare`` a plain number is a quantity in SI, as in Python; without it a quantity needs a unit, as in a file.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    problems: list[Problem] = []
    for vertex, given in (servers or {}).items():
        try:
            graph.add_node(str(vertex), kind=SERVER, **_fields(given, SERVER_FIELDS, ("accelerators",), bare))
        except ValueError as error:
            problems.append(Problem(f"server {vertex!r}: {error}"))
    for index, given in enumerate(links):
        try:
            link = _fields(given, _LINK, ("src", "dst", "capacity"), bare)
        except ValueError as error:
            problems.append(Problem(f"link {index}: {error}", hint="a link has src, dst, capacity and latency"))
            continue
        for vertex in (link["src"], link["dst"]):
            if vertex not in graph:
                graph.add_node(vertex, kind=SWITCH)
        graph.add_edge(
            link["src"], link["dst"], index=index, capacity=link["capacity"], latency=link.get("latency", 0.0)
        )
    if problems:
        raise InputError(*problems)
    return graph


def _fields(given: Any, known: Mapping[str, str], needed: tuple[str, ...], bare: bool) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{given!r} is not a mapping of {', '.join(known)}")
    for key in given:
        if key not in known:
            raise ValueError(f"unknown key {key!r}. {did_you_mean(str(key), known)}")
    for key in needed:
        if key not in given:
            raise ValueError(f"has no {key!r}")
    return {key: value_of(key, value, known[key], bare) for key, value in given.items()}


def value_of(key: str, value: Any, dimension: str, bare: bool = True) -> Any:
    """Return an attribute in SI, as a name (no ``dimension``) or as a count; ``ValueError`` says what is wrong."""
    if not dimension:
        if not isinstance(value, str | int) or isinstance(value, bool) or (value == "" and key in _LINK):
            raise ValueError(f"{key} {value!r} is not a name")
        return str(value)
    if dimension == "labels":
        return ",".join(f"{name}={label}" for name, label in as_labels(value))
    if dimension == "names":
        return ",".join(as_names(value))
    if dimension != "count" and (isinstance(value, str) or not bare):
        try:
            return parse(value, dimension)
        except UnitError as error:
            raise ValueError(f"{key}: {error}") from None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{key} {value!r} is not a number")
    if isinstance(value, Integral) and abs(int(value)) > _HUGE:
        raise ValueError(f"{key} is larger than {_HUGE:g}")
    if key not in _LINK and not float(value) >= 0:
        raise ValueError(f"{key} is {value!r}; it must be 0 or more")
    if key in _WHOLE and not float(value).is_integer():
        raise ValueError(f"{key} is {value!r}; it must be a whole number")
    return int(float(value)) if key in _WHOLE else float(value)
