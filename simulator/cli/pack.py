"""``simulator pack``: how full servers become before jobs no longer fit, by placement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, progress, table, write_json
from simulator.cli.trace import format_option, options_option

if TYPE_CHECKING:
    from simulator.cluster.topology import Topology
    from simulator.experiment.packing import Comparison
    from simulator.workload.trace import Trace

_KEEP = "pending=keep"
"""What of an openb list is to be packed too: pods that were never scheduled."""


@click.command()
@click.argument("pods", metavar="PODS")
@click.option("--nodes", metavar="NODES", required=True, help="Node list (CSV), topology file, or shipped topology.")
@click.option(
    "--placement", "placements", metavar="NAME", multiple=True, help="May be repeated; else the six of the paper."
)
@click.option(
    "--ratio",
    type=click.FloatRange(min=0, min_open=True, max=100),
    default=1.3,
    show_default=True,
    help="Accelerators that are asked for in all, over those there are.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs, each in another order.")
@click.option("--seed", type=int, default=42, show_default=True, help="Of the first run; the next one has the next.")
@format_option
@options_option
@json_option
@debug_option
def pack(
    pods: str,
    nodes: str,
    placements: tuple[str, ...],
    ratio: float,
    seeds: int,
    seed: int,
    reader: str | None,
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fill servers with jobs that stay, by each placement.

    NODES are the servers, PODS the jobs, without time; the table shows what each placement gets in.

    Jobs come in random order, with copies of random ones until so many accelerators are asked for, or less some where
    they ask for more; none leaves, and those that do not fit are passed over.

    \b
    simulator pack pods.csv --nodes nodes.csv --placement best-fit --placement fgd
    """  # noqa: D301 (click reads the backspace)
    from simulator.experiment.packing import PUBLISHED, compare

    trace = _jobs(pods, reader, options)
    topology = _servers(nodes)
    names = list(dict.fromkeys(placements)) or list(PUBLISHED)
    with progress() as show:
        found = compare(list(trace.jobs("pod")), topology.servers, names, ratio, range(seed, seed + seeds), show)
    if as_json:
        write_json(_facts(trace, topology, ratio, found))
        return
    click.echo(
        f"{len(trace):,} jobs of {trace.name} on {len(topology.servers):,} servers with "
        f"{topology.accelerators:,g} accelerators, {100 * ratio:g} % of them asked for, "
        f"{seeds} run{'s' * (seeds > 1)}\n"
    )
    click.echo(_table(found))


def _jobs(file: str, reader: str | None, options: tuple[str, ...]) -> Trace:
    from simulator.cli.trace import guess, read

    name = reader or guess(file)
    said = any(text.partition("=")[0] == "pending" for text in options)
    return read(file, name, options if said or name != "openb" else (*options, _KEEP))


def _servers(nodes: str) -> Topology:
    from pathlib import Path

    from simulator.core.errors import InputError, Problem
    from simulator.experiment.topologies import topology_of

    if Path(nodes).suffix == ".csv":
        from simulator.cluster.builders.node_list import node_list
        from simulator.workload.files import check_file

        check_file(Path(nodes))
        topology = node_list(Path(nodes))
    else:
        topology = topology_of(nodes)
    if not topology.accelerators:
        raise InputError(Problem("none of these servers has an accelerator", file=nodes))
    return topology


def _table(found: Comparison) -> str:
    rows = [
        (
            name,
            f"{100 * result.mean:.2f}",
            f"{100 * result.deviation:.2f}" if len(result.runs) > 1 else "",
            f"{result.passed_over:,.0f}",
        )
        for name, result in found.items()
    ]
    return table(rows, ("placement", "allocated, %", "sd", "passed over"), numbers=(1, 2, 3))


def _facts(trace: Trace, topology: Topology, ratio: float, found: Comparison) -> dict[str, Any]:
    return {
        "pods": trace.name,
        "jobs": len(trace),
        "servers": len(topology.servers),
        "accelerators": topology.accelerators,
        "ratio": ratio,
        "placements": [
            {
                "placement": name,
                "allocated": result.mean,
                "sd": result.deviation,
                "passed_over": result.passed_over,
                "runs": [run.final for run in result.runs],
                "curve": [{"asked": percent / 100, "allocated": held} for percent, held in result.curve().items()],
            }
            for name, result in found.items()
        ],
    }
