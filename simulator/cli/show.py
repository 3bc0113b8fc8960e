"""``simulator check``: is a scenario file right, and what would it run?"""

from __future__ import annotations

import click

from simulator.cli.common import debug_option


@click.command()
@click.argument("file", metavar="FILE")
@debug_option
def show(file: str) -> None:
    """x"""
