"""``simulator explain``: why something happened in a run that was saved."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.common import debug_option, json_option, write_json

if TYPE_CHECKING:
    from simulator.experiment.results import Results

WIDTH = 100


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--service", metavar="NAME", help="A service, its replicas and what made room for them.")
@click.option("--job", metavar="ID", help="A job: its whole life, or what is around a time.")
@click.option("--group", metavar="NAME", help="A group of nodes.")
@click.option("--node", metavar="NAME", help="One node.")
@click.option("--at", metavar="TIME", help="When, such as '3h' from the start of the run.")
@click.option("--window", metavar="TIME", default="10 min", help="How long before and after. [10 min]")
@click.option("--alternative", metavar="NAME", help="Which one of a comparison. [the first]")
@click.option("--replication", metavar="N", type=int, help="Which one of several. [the first]")
@click.option("--findings", is_flag=True, help="Only what is wrong with the scaling of each alternative.")
@json_option
@debug_option
def explain(
    directory: Path,
    service: str | None,
    job: str | None,
    group: str | None,
    node: str | None,
    at: str | None,
    window: str,
    alternative: str | None,
    replication: int | None,
    findings: bool,
    as_json: bool,
) -> None:
    """Say why something happened in a saved run.

    Who decided, by which rule and numbers, what would have been done otherwise, and what came of it. DIR is a folder of
    results that run or Results.save wrote. Without further options: what can be asked about, and when most happened.
    """
    from simulator.experiment.results import Results

    results = Results.load(directory)
    if findings:
        _findings(results, alternative, replication, as_json)
        return
    story = results.explain(
        service=service, job=job, group=group, node=node, at=at, window=window, alternative=alternative,
        replication=replication,
    )  # fmt: skip
    if as_json:
        write_json(story.to_dict())
        return
    click.echo(story.text())


def _findings(results: Results, alternative: str | None, replication: int | None, as_json: bool) -> None:
    found = results.findings(alternative=alternative, replication=replication)
    if as_json:
        write_json([
            {"alternative": f.alternative, "replication": f.replication, "kind": f.kind, "subject": f.subject,
             "text": f.text, "numbers": f.numbers}
            for f in found
        ])  # fmt: skip
        return
    for finding in found:
        text = f"{finding.alternative}: {finding.text}" if len(results) > 1 and alternative is None else finding.text
        click.echo(textwrap.fill(text, WIDTH, subsequent_indent="  "))
    if not found:
        click.echo("Nothing is wrong with the scaling, as far as it was recorded.")
