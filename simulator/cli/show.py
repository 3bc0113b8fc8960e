"""``simulator show``: the cluster and the work that a file describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, overrides, settings_option, table, write_json
from simulator.cli.plans import plans

if TYPE_CHECKING:
    from simulator.cluster.topology import BillLine, Topology
    from simulator.workload.trace import Trace


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--format", "reader", metavar="NAME", help="FILE is a trace of this format; see: simulator list formats.")
@settings_option
@json_option
@debug_option
def show(file: str, reader: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Show the cluster and the work of FILE.

    FILE is a scenario, a topology file, or with --format a trace. For a cluster: servers, switches, links, bisection
    bandwidth and the bill of materials. For a workload: its jobs, and which rows of its trace were set aside and why.
    """
    topologies: dict[str, Topology] = {}
    works: dict[str, Trace | int] = {}
    if reader is not None:
        works[Path(file).name] = _trace(Path(file), reader)
    elif (alone := _topology_alone(file)) is not None:
        topologies[file] = alone
    else:
        topologies, works = _of_scenario(file, settings)
    if as_json:
        write_json(
            {
                "topologies": {name: _topology_facts(topology) for name, topology in topologies.items()},
                "workloads": {name: _work_facts(work) for name, work in works.items()},
            }
        )
        return
    parts = [_topology_text(name, topology) for name, topology in topologies.items()]
    parts += [_work_text(name, work) for name, work in works.items()]
    click.echo("\n\n".join(parts))


def _trace(path: Path, reader: str) -> Trace:
    from simulator.core.errors import InputError, Problem
    from simulator.scenario.loader import in_the_way, is_file
    from simulator.workload.formats import formats

    read = formats.get(reader)
    if not is_file(path):
        what = in_the_way(path)
        raise InputError(Problem(f"is {what}, not a file" if what else "there is no such file", file=str(path)))
    return read(path)


def _topology_alone(file: str) -> Topology | None:
    """The topology of a topology file, or of a shipped one; None when ``file`` is a scenario."""
    from simulator.cluster.graphs import READERS, read_graph
    from simulator.scenario.loader import is_file, read_text
    from simulator.scenario.schema import read_topology
    from simulator.scenario.shipped import names, shipped
    from simulator.scenario.yamltext import parse

    path = Path(file)
    if is_file(path) and path.suffix.lower() in READERS:
        return read_graph(path)
    if is_file(path):
        keys = parse(read_text(path), str(path), problems=[]).value
        if not isinstance(keys, dict) or "build" not in keys or "workload" in keys:
            return None
    elif file.removesuffix(".yaml") in names("topologies"):
        path = shipped("topologies", file)
    else:
        return None
    source = read_topology(path).build
    topology: Topology | None = None if source is None else source.make()
    return topology


def _of_scenario(file: str, settings: Sequence[str]) -> tuple[dict[str, Topology], dict[str, Trace | int]]:
    """The topologies that the alternatives of a scenario use, each once, and the work of the first alternative."""
    from simulator.scenario.spec import Scenario

    made = plans(Scenario.load(file, overrides(settings)))
    users: dict[int, list[str]] = {}
    for name, (_, plan) in made.items():
        users.setdefault(id(plan.topology), []).append(name)
    topologies = {
        ", ".join(names) if len(users) > 1 else "cluster": made[names[0]][1].topology for names in users.values()
    }
    streams = next(iter(made.values()))[1].streams
    return topologies, {stream.name: len(stream) if stream.trace is None else stream.trace for stream in streams}


def _topology_facts(topology: Topology) -> dict[str, Any]:
    """Counts, bisection in bytes/s, and the bill with prices in US dollars and power in watts apiece."""
    return {
        **topology.summary(),
        "bisection": topology.bisection(),
        "bill": [asdict(line) for line in topology.bill()],
    }


def _topology_text(name: str, topology: Topology) -> str:
    from simulator.core.units import format_quantity

    counts = {key: f"{value:,}" for key, value in topology.summary().items() if isinstance(value, int)}
    kinds = list(dict.fromkeys(server.accelerator for server in topology.servers if server.accelerator))
    counts["accelerators"] += f" ({', '.join(kinds)})" if kinds else ""
    counts["links"] += ", each one way"
    if topology.has_network:
        counts["bisection"] = f"{format_quantity(topology.bisection(), 'bandwidth')}, one way"
    return f"{name}: {topology.name}\n" + table(list(counts.items())) + "\n\n" + _bill_text(topology.bill())


def _bill_text(bill: Sequence[BillLine]) -> str:
    head = ("bill of materials", "", "count", "each", "together", "power")
    rows: list[tuple[object, ...]] = [
        (
            line.kind,
            line.item or "unnamed",
            f"{line.count:,}",
            _dollars(line.unit_price),
            _dollars(line.unit_price, line.count),
            _watts(line.power, line.count),
        )
        for line in bill
    ]
    prices = [line.count * line.unit_price for line in bill if line.unit_price is not None]
    watts = [line.count * line.power for line in bill if line.power is not None]
    rows.append(("total", "", "", "", _dollars(sum(prices) if prices else None), _watts(sum(watts) if watts else None)))
    text = table(rows, head, numbers=(2, 3, 4, 5))
    unknown = [line.item or f"unnamed {line.kind}" for line in bill if line.unit_price is None]
    return text + (f"\nnot priced, so not in the total: {', '.join(unknown)}" if unknown else "")


def _dollars(price: float | None, count: int = 1) -> str:
    return "-" if price is None else f"${count * price:,.0f}"


def _watts(power: float | None, count: int = 1) -> str:
    from simulator.core.units import format_quantity

    return "-" if power is None else format_quantity(count * power, "power", 3)


def _work_facts(work: Trace | int) -> dict[str, Any]:
    """Jobs, seconds, jobs/s, accelerator-seconds; rows set aside by reason."""
    if isinstance(work, int):
        return {"jobs": work}
    aside = {part.reason: part.count for part in work.set_aside}
    return {**work.describe(), "rows_read": work.rows_read, "set_aside": aside, "notes": work.notes}


def _work_text(name: str, work: Trace | int) -> str:
    from simulator.core.units import format_quantity as write

    if isinstance(work, int):
        return f"workload {name}: {work:,} jobs, listed in the file"
    about = work.describe()
    rows = [
        ("submitted over", write(about["span"], "time")),
        (
            "run time",
            ", ".join(f"{key} {write(about[f'duration.{key}'], 'time', 3)}" for key in ("mean", "p50", "p99")),
        ),
        ("accelerators a job", f"mean {about['accelerators.mean']:.3g}, most {about['accelerators.max']:g}"),
        ("work", f"{about['accelerator_seconds'] / 3600:,.0f} accelerator-hours"),
        ("demand", f"{about['demand']:,.4g} accelerators busy on average, if nothing waited"),
    ]
    head = "trace" if name == work.name else f"workload {name}:"
    return f"{head} {work.report()}\n" + table(rows)
