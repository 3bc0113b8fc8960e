"""What several commands share: options, tables as text, and the progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.meta["debug"] = value
    return value


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show the traceback when something fails.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout instead of a table.")
settings_option = click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change one key; may be repeated."
)
_OVERRIDES = (
    click.option("--seed", type=int, help="Root of all random numbers, instead of the file's."),
    click.option("--until", metavar="TIME", help="Stop the simulated time here, such as '30 d'."),
    click.option("--replications", type=click.IntRange(min=1), help="Repetitions with independent random numbers."),
    settings_option,
)


def override_options(command: F) -> F:
    """Add the options that change keys of the scenario; ``overrides`` reads them back."""
    for option in reversed(_OVERRIDES):
        command = option(command)
    return command


def overrides(
    settings: Sequence[str], seed: int | None = None, until: str | None = None, replications: int | None = None
) -> tuple[str, ...]:
    """Return ``key=value`` texts, the special options last so that they win over ``--set``."""
    special = {"seed": seed, "run.until": until, "run.replications": replications}
    return (*settings, *(f"{key}={value}" for key, value in special.items() if value is not None))


def table(rows: Sequence[Sequence[object]], head: Sequence[str] = (), numbers: Sequence[int] = ()) -> str:
    """Align ``rows`` under ``head``; the columns in ``numbers`` to the right.

    >>> print(table([("pack", 3), ("spread", 12)], ("placement", "runs"), numbers=[1]))
    placement  runs
    pack          3
    spread       12
    """
    texts = [[str(cell) for cell in row] for row in ([head] if head else []) + list(rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row in texts:
        cells = [
            text.rjust(width) if index in numbers else text.ljust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def write_json(value: Any) -> None:
    """Write ``value`` to stdout as JSON; what JSON cannot hold (NaN, infinity) becomes null."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, str | int | bool) or value is None:
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[int, int, str], None] | None]:
    """Draw a bar on stderr while the block runs, if stderr is a terminal; the value is what ``run`` calls."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        MofNCompleteColumn(),
        TextColumn("runs"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(done: int, total: int, text: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(text))

        yield show
