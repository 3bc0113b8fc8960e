"""``simulator report``: write the page of saved results again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.common import debug_option, table

if TYPE_CHECKING:
    from simulator.experiment.results import Results


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page here, instead of into DIR."
)
@click.option(
    "--by",
    metavar="GROUP",
    help="Print a table by tenant, user, size, state, class, replica, ... or a period as '1 d'.",
)
@click.option("--measure", "measures", multiple=True, metavar="NAME", help="Measure of that table; may be repeated.")
@debug_option
def report(directory: Path, out: Path | None, by: str | None, measures: tuple[str, ...]) -> None:
    """Write the page of results again, or print them by tenant.

    DIR is a folder of results that run or Results.save wrote.
    """
    from simulator.experiment.results import Results
    from simulator.experiment.store import PAGE

    if by is None and measures:
        raise click.UsageError("--measure is of the table of --by: say --by tenant, for example.")
    if by is not None and out is not None:
        raise click.UsageError("--by prints a table, --out writes the page: say one of them.")
    if by is not None:
        click.echo(_groups(Results.load(directory), by, measures))
        return

    page = out or directory / PAGE
    text = Results.load(directory).to_html()
    partial = page.with_name(f".{page.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, page)
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"Page: {page}")


def _groups(results: Results, by: str, measures: Sequence[str]) -> str:
    """Return the table of ``Results.by``, each value in the unit in which it reads best."""
    from simulator.metrics.measures import get

    frame = results.by(by, measures)
    subject, *shown = frame.columns[2:]
    columns = [map(get(name).text, frame[name]) for name in shown]
    names = (frame["alternative"].tolist(), frame[by].tolist(), [f"{count:,.0f}" for count in frame[subject]])
    head = ("alternative", by, subject, *shown)
    return table(list(zip(*names, *columns, strict=True)), head, numbers=range(2, len(head)))
