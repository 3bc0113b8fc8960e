"""The command line: ``simulator COMMAND``. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

import click

from simulator.cli.check import check
from simulator.cli.collective import collective
from simulator.cli.explain import explain
from simulator.cli.listing import list_
from simulator.cli.new import new
from simulator.cli.pack import pack
from simulator.cli.report import report
from simulator.cli.run import run
from simulator.cli.schema import schema
from simulator.cli.show import show
from simulator.cli.trace import trace
from simulator.cli.train_step import train_step
from simulator.cli.validate import validate

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes besides 0 (fine) and 3 (an ``expect:`` line, or a row of ``validate``, is false)."""


class _Doors(click.Group):
    """A command group that turns errors into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that cannot show a sign gets a question mark
        try:
            result = super().invoke(ctx)
            if sys.stdout:
                sys.stdout.flush()
            return result
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            status, message = _explain(error)
            click.echo(traceback.format_exc().rstrip() if ctx.meta.get("debug") else message, err=True)
            sys.exit(status)


def _explain(error: BaseException) -> tuple[int, str]:
    from simulator.core.errors import InputError, SimulatorError

    if isinstance(error, InputError):
        return BAD_INPUT, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "Interrupted."
    if isinstance(error, SimulatorError):
        return FAILED, str(error)
    if isinstance(error, OSError) and error.strerror:
        return FAILED, f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    what = f"{type(error).__name__}: {error}".partition("\n")[0]
    return FAILED, f"The simulator failed: {what}\nRun again with --debug for the traceback."


@click.group(cls=_Doors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ai-cluster-simulator", message="%(prog)s %(version)s")
def main() -> None:
    """Try the cluster before you buy it, try the policy before you ship it.

    Start with: simulator run quickstart
    """


for _command in (check, run, show, list_, trace, report, explain, collective, train_step, pack, validate, schema, new):
    main.add_command(_command)
