"""Servers from a list."""

from __future__ import annotations

import csv
from pathlib import Path

import networkx as nx

from simulator.cluster.builders import builders
from simulator.cluster.labels import as_labels
from simulator.cluster.topology import SERVER, Topology
from simulator.core.errors import InputError, Problem, did_you_mean

_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
_MORE = ("labels", "taints", "partition")
_MIB = 2.0**20


@builders.register("node-list")
def node_list(nodes: Path) -> Topology:
    """Servers of a CSV file as the openb trace has it (sn, cpu_milli, memory_mib, gpu, model); no network.

    Source of the format: Alibaba cluster trace 2023 (cluster-trace-gpu-v2023), ``openb_node_list_*.csv``. A row is one
    server; its ``model`` is what jobs that ask for an accelerator type are matched against. Columns of ours that may be
    there too: ``labels`` ("zone=b, disk=ssd"), ``taints`` and ``partition`` (names with commas between).
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    problems: list[Problem] = []
    try:
        with nodes.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            _check_header(rows.fieldnames, nodes)
            for row in rows:
                problem = _add(graph, row)
                if problem:
                    problems.append(Problem(problem, file=str(nodes), line=rows.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(f"cannot read the node list: {error}", file=str(nodes))) from None
    if not graph and not problems:
        problems.append(Problem("the node list is empty", file=str(nodes)))
    if problems:
        raise InputError(*problems)
    return Topology(graph, f"{len(graph)} servers of {nodes.name}")


def _check_header(found: object, file: Path) -> None:
    names = list(found) if isinstance(found, list) else []
    problems = [
        Problem(f"unknown column {name!r}. {did_you_mean(name, _COLUMNS + _MORE)}", file=str(file), line=1)
        for name in names
        if name not in _COLUMNS + _MORE
    ]
    problems += [Problem(f"no column {name!r}", file=str(file), line=1) for name in _COLUMNS if name not in names]
    if problems:
        raise InputError(*problems)


def _add(graph: nx.MultiDiGraph[str], row: dict[str, str]) -> str | None:
    """Add one server; return what is wrong with its row, if anything."""
    name = row["sn"]
    if not name or name in graph:
        return f"sn {name!r} is empty or was there before"
    try:
        cpu, memory, accelerators = (int(row[key] or "") for key in ("cpu_milli", "memory_mib", "gpu"))
    except (TypeError, ValueError):
        return f"server {name}: cpu_milli, memory_mib and gpu must be whole numbers"
    if min(cpu, memory, accelerators) < 0:
        return f"server {name}: cpu_milli, memory_mib and gpu must be 0 or more"
    try:
        as_labels(row.get("labels") or "")
    except ValueError as error:
        return f"server {name}: {error}"
    fields = {"accelerators": accelerators, "accelerator": row["model"] or "", "cores": cpu / 1000}
    more = {key: row[key] for key in _MORE if row.get(key)}
    graph.add_node(name, kind=SERVER, memory=memory * _MIB, **fields, **more)
    return None
