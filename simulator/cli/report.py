"""``simulator report``: write the page of saved results again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from simulator.cli.common import debug_option


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page here, instead of into DIR."
)
@debug_option
def report(directory: Path, out: Path | None) -> None:
    """Write the page of the results in DIR again."""
    from simulator.experiment.results import Results
    from simulator.experiment.store import PAGE

    page = out or directory / PAGE
    text = Results.load(directory).to_html()
    partial = page.with_name(f".{page.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, page)
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"Page: {page}")
