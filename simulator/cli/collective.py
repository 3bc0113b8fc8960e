"""``simulator collective``: how long an all-reduce takes, as nccl-tests prints it, before there is a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.common import debug_option, json_option, table, write_json

if TYPE_CHECKING:
    from simulator.experiment.collectives import Bench, Row


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--bytes", "size", metavar="SIZE", help="Largest message, such as 1GiB (all-gather: the whole array).")
@click.option("--sweep", "span", metavar="LO:HI", help="Sizes from LO to HI, doubling; 1KiB:1GiB unless said.")
@click.option("--topology", metavar="FILE", help="Topology file, or the name of a shipped one.")
@click.option("--ranks", type=int, help="Ranks; all accelerators unless said.")
@click.option("--placement", metavar="A,B,...", help="Servers of the topology that ranks fill, in this order.")
@click.option("--accelerator", metavar="ID", help="Without a topology: an accelerator or server of the catalog.")
@click.option("--nodes", type=int, default=1, show_default=True, help="Servers of it.")
@click.option("--per-node", type=int, help="Ranks on each server.")
@click.option("--link", metavar="ID", help="Kind of link between servers.")
@click.option("--nics", type=int, help="Network cards of a server; one for each rank unless said.")
@click.option("--protocol", metavar="ID", help="Protocol over the network, instead of the link's own.")
@click.option("--algorithm", metavar="NAME", default="auto", show_default=True, help="Force one; see --all.")
@click.option("--all", "every", is_flag=True, help="The time of every algorithm, side by side.")
@click.option("--plot", metavar="FILE.svg", help="Also draw bus bandwidth over size.")
@json_option
@debug_option
def collective(
    name: str,
    size: str | None,
    span: str | None,
    topology: str | None,
    ranks: int | None,
    placement: str | None,
    accelerator: str | None,
    nodes: int,
    per_node: int | None,
    link: str | None,
    nics: int | None,
    protocol: str | None,
    algorithm: str,
    every: bool,
    plot: str | None,
    as_json: bool,
) -> None:
    """Show what a collective takes, over a range of sizes.

    NAME is all-reduce, all-gather, reduce-scatter, all-to-all, broadcast, reduce or send-recv. It runs alone, on a
    topology or on servers of the catalog:

    \b
    simulator collective all-reduce --bytes 1GiB --topology superpod-h100-4su --ranks 1024
    simulator collective all-reduce --accelerator h100-sxm --nodes 2 --per-node 8 --link infiniband-ndr
    """  # noqa: D301 (click reads the backspace)
    from simulator.experiment.collectives import prepare
    from simulator.models.collectives.api import collective_name

    what = collective_name(name)
    sizes = _sizes(size, span)
    bench = prepare(
        topology=topology,
        ranks=ranks,
        servers=[each.strip() for each in placement.split(",")] if placement else None,
        accelerator=accelerator,
        nodes=nodes,
        per_node=per_node,
        link=link,
        nics=nics,
        protocol=protocol,
    )
    curves = _curves(bench, what, sizes, algorithm, every)
    if plot is not None:
        _draw(Path(plot), curves, f"{what} on {bench.group.ranks:,} ranks")
    notes = [*bench.notes, *_nothing(bench, what)]
    if as_json:
        _json(bench, what, curves, every, notes)
        return
    click.echo(f"{what}: {bench.describe()}\n")
    click.echo(_side_by_side(curves, bench, what) if every else _nccl(next(iter(curves.values()))))
    for note in notes:
        click.echo(f"note: {note}")


def _sizes(size: str | None, span: str | None) -> list[float]:
    from simulator.core.errors import InputError
    from simulator.experiment.collectives import SMALLEST, in_bytes, sweep

    if span is None:
        largest = None if size is None else in_bytes(size)
        return sweep() if largest is None else sweep(min(SMALLEST, largest), largest)
    if size is not None:
        raise InputError("--bytes is the end of a sweep and --sweep is both ends: give one of them")
    low, colon, high = span.partition(":")
    if not colon:
        raise InputError(f"--sweep {span!r} has no colon; write for example 1KiB:1GiB")
    return sweep(in_bytes(low), in_bytes(high))


def _curves(bench: Bench, what: str, sizes: list[float], algorithm: str, every: bool) -> dict[str, list[Row]]:
    if not every:
        return {algorithm: bench.rows(what, sizes, algorithm)}
    able, _ = bench.able(what)
    return {name: bench.rows(what, sizes, name) for name in able} or {"auto": bench.rows(what, sizes)}


def _nothing(bench: Bench, what: str) -> list[str]:
    note = bench.estimate(what, 1.0).note
    return [note] if note else []


def _nccl(rows: list[Row]) -> str:
    head = ("size (B)", "time (us)", "algbw (GB/s)", "busbw (GB/s)", "algorithm", "protocol")
    cells = [
        (
            f"{r.size:.0f}",
            f"{r.time * 1e6:.2f}",
            f"{r.algbw / 1e9:.2f}",
            f"{r.busbw / 1e9:.2f}",
            r.algorithm,
            r.protocol,
        )
        for r in rows
    ]
    return table(cells, head, numbers=(0, 1, 2, 3))


def _side_by_side(curves: dict[str, list[Row]], bench: Bench, what: str) -> str:
    """Times of all algorithms (us), the best one of each size named; below, why the others cannot run here."""
    names = list(curves)
    lines: list[tuple[object, ...]] = []
    for rows in zip(*curves.values(), strict=True):
        best = min(range(len(rows)), key=lambda index: rows[index].time)
        lines.append((f"{rows[0].size:.0f}", *(f"{row.time * 1e6:.2f}" for row in rows), names[best]))
    text = table(lines, ("size (B)", *(f"{name} (us)" for name in names), "best"), numbers=range(len(names) + 1))
    _, unable = bench.able(what)
    return text + "".join(f"\n{name}: {why}" for name, why in unable.items())


def _json(bench: Bench, what: str, curves: dict[str, list[Row]], every: bool, notes: list[str]) -> None:
    group = bench.group
    facts = {
        "collective": what,
        "ranks": group.ranks,
        "domains": group.domains,
        "inside": group.inside.protocol.id,
        "between": group.outside.protocol.id if group.outside is not None and group.domains > 1 else None,
        "notes": notes,
        "rows": [row._asdict() for rows in curves.values() for row in rows],
    }
    write_json(facts | ({"unable": bench.able(what)[1]} if every else {}))


def _draw(path: Path, curves: dict[str, list[Row]], title: str) -> None:
    from simulator.core.errors import InputError
    from simulator.report import style
    from simulator.report.collective import bus_bandwidth

    if path.suffix.lower() != ".svg":
        raise InputError(f"--plot {str(path)!r}: the figure is an SVG file; call it {path.with_suffix('.svg').name!r}")
    path.write_text(style.svg(bus_bandwidth(curves, title)), encoding="utf-8")
