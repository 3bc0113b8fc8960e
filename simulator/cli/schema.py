"""``simulator schema``: the JSON schema of scenario files."""

from __future__ import annotations

import click

from simulator.cli.common import debug_option, write_json


@click.command()
@debug_option
def schema() -> None:
    """Print the JSON schema of scenario files, for editors."""
    from simulator.scenario.spec import Scenario

    write_json(Scenario.json_schema())
