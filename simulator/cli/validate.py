"""``simulator validate``: how far every model is from theory and measurement."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.common import debug_option, json_option, table, write_json

HEAD = ("area", "case", "measure", "reference", "simulated", "error", "bound", "ok")
FALSE = 3


@click.command()
@click.argument("area", required=False)
@json_option
@debug_option
def validate(area: str | None, as_json: bool) -> None:
    """Show the error of the models against theory.

    AREA limits it to one area, such as theory. Exit code 3 when an error is beyond its bound.
    """
    from simulator.experiment.validate import rows

    found: list[dict[str, Any]] = [row if isinstance(row, dict) else row._asdict() for row in rows(area)]
    if as_json:
        write_json(found)
    else:
        click.echo(table([_cells(row) for row in found], HEAD, numbers=(3, 4, 5, 6)))
    wrong = sum(not row["ok"] for row in found)
    if wrong:
        click.echo(f"{wrong} of {len(found)} rows are beyond their bound.", err=True)
        raise click.exceptions.Exit(FALSE)


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    unit = f" {row['unit']}" if row["unit"] else ""
    numbers = (
        f"{row['reference']:.6g}{unit}",
        f"{row['simulated']:.6g}{unit}",
        f"{row['error']:.2g}",
        f"{row['bound']:.2g}",
    )
    return (row["area"], row["case"], row["measure"], *numbers, "yes" if row["ok"] else "NO")
