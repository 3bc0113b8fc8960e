"""``simulator run``: run what a scenario file says, its comparison included."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.common import debug_option, json_option, override_options, overrides, progress, write_json

if TYPE_CHECKING:
    from simulator.experiment.results import Results

FALSE = 3
OUT = Path("out")
"""Where results go when nobody says otherwise: a folder in it, named after the scenario."""


@click.command()
@click.argument("file", metavar="FILE")
@override_options
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Folder for the results [out/NAME, out/NAME-2, ...]."
)
@click.option("--force", is_flag=True, help="Replace results that the folder holds.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; never changes a result.")
@click.option("--allow-code", is_flag=True, help="Run Python files that the scenario names. Read them first.")
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
def run(
    file: str,
    seed: int | None,
    until: str | None,
    replications: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    force: bool,
    workers: int | None,
    allow_code: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run FILE, its comparison included; a table and a page.

    FILE is a scenario file, or the name of one that comes with the project, such as quickstart. Exit code 3 when an
    expect: line of the file does not hold.
    """
    from simulator.experiment import store
    from simulator.experiment.run import run as execute
    from simulator.scenario.spec import Scenario

    scenario = Scenario.load(file, overrides(settings, seed, until, replications), allow_code=allow_code)
    folder = out or _default_folder(scenario.path or scenario.name, force)
    store.refuse(folder, force)
    with progress(quiet) as show:
        results = execute(scenario, workers=workers, allow_code=allow_code, progress=show)
    results.save(folder, force=force)
    if not quiet:
        _print(results, folder / store.PAGE, as_json)
    if not all(outcome.ok for outcome in results.expectations()):
        raise click.exceptions.Exit(FALSE)


def _default_folder(name: str, force: bool) -> Path:
    """``out/NAME``, or the first of ``out/NAME-2`` ... that is free, so that no run replaces another by accident."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name.removesuffix(".yaml").removesuffix(".yml")).strip("-.")
    first = OUT / (plain or "results")
    if force or not first.exists():
        return first
    numbered = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(folder for folder in numbered if not folder.exists())


def _print(results: Results, page: Path, as_json: bool) -> None:
    from simulator.report import text

    if as_json:
        write_json({**results.to_dict(), "page": str(page)})
        return
    text.show(results)
    click.echo(f"\nPage: {page}")
