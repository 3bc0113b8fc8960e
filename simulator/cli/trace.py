"""``simulator trace``: what a trace of jobs or a log of requests is like, and either in another format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, table, write_json

if TYPE_CHECKING:
    from simulator.workload.requestlog import RequestLog
    from simulator.workload.trace import Trace

_SHOWN = 10
"""Names of a list that are shown: tenants, states, models."""
_HOURS = 4
"""Hours of the day that one figure of the profile stands for."""

format_option = click.option("--format", "reader", metavar="NAME", help="Format of FILE; guessed unless said.")
options_option = click.option(
    "--option", "options", metavar="KEY=VALUE", multiple=True, help="An option of the format; may be repeated."
)


class _Files(click.Group):
    """A group whose command is ``show`` where the first word is none of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Files, subcommand_metavar="[FILE | COMMAND] [ARGS]...")
def trace() -> None:
    """Describe a trace of jobs or a log of requests, or convert it.

    \b
    simulator trace jobs.swf --topology superpod-h100-4su
    simulator trace requests.csv --format azure-llm
    simulator trace convert jobs.swf jobs.csv --to generic
    """  # noqa: D301 (click reads the backspace)


@trace.command()
@click.argument("file", metavar="FILE")
@format_option
@options_option
@click.option("--topology", metavar="FILE", help="Also say what load it is to this topology, or shipped one.")
@click.option("--accelerators", type=click.IntRange(min=1), help="Or to so many accelerators.")
@json_option
@debug_option
def show(
    file: str,
    reader: str | None,
    options: tuple[str, ...],
    topology: str | None,
    accelerators: int | None,
    as_json: bool,
) -> None:
    """Describe FILE: its jobs, the load that they make, and which rows were set aside and why.

    FILE may be a log of requests to a service too.

    The same as: simulator trace FILE
    """
    from simulator.workload.requestlog import RequestLog
    from simulator.workload.summary import load, summary

    count = _accelerators(topology, accelerators)
    reader = reader or guess(file)
    found = read_any(file, reader, options)
    if isinstance(found, RequestLog):
        _show_requests(found, reader, count, as_json)
        return
    facts = summary(found)
    offered = None if count is None else load(found, count)
    if as_json:
        write_json({"format": reader, **facts} | ({} if offered is None else {"cluster": offered}))
        return
    click.echo(f"{found.report()}\n\n{_text(reader, facts, offered)}")


@trace.command()
@click.argument("file", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path(dir_okay=False))
@click.option("--from", "reader", metavar="NAME", help="Format of IN; guessed unless said.")
@click.option("--to", "writer", metavar="NAME", required=True, help="Format of OUT.")
@options_option
@click.option("--force", is_flag=True, help="Replace OUT if it is there.")
@json_option
@debug_option
def convert(
    file: str, out: str, reader: str | None, writer: str, options: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Write the trace IN to OUT in another format, and say what that format cannot hold.

    OUT is written whole or not at all, gzip-compressed if it ends in .gz.
    """
    from simulator.core.errors import InputError, Problem
    from simulator.workload.conversion import convert as converted
    from simulator.workload.requestlog import RequestLog

    _check_writer(writer)
    if Path(out).exists() and Path(file).exists() and Path(out).samefile(file):
        raise InputError(Problem("is the trace itself", file=out, hint="name another file"))
    if Path(out).exists() and not force:
        raise InputError(Problem("is there already", file=out, hint="name another file, or say --force to replace it"))
    found = read_any(file, reader or guess(file), options)
    noun = "requests" if isinstance(found, RequestLog) else "jobs"
    losses = converted(found, out, writer)
    if as_json:
        lost = [{"what": loss.what, "values": loss.values, "how": loss.how} for loss in losses]
        write_json({"file": out, "format": writer, noun: len(found), "lost": lost})
        return
    click.echo(f"Wrote {out}: {len(found):,} {noun} of {found.name}, format {writer}")
    if losses:
        rows = [(loss.what, f"{loss.values:,}", loss.how) for loss in losses]
        click.echo("\n" + table(rows, ("not as in the trace", "values", ""), numbers=[1]))


def _check_writer(writer: str) -> None:
    from simulator.core.errors import InputError, did_you_mean
    from simulator.workload.formats import formats, writers
    from simulator.workload.requestformats import request_formats, request_writers

    for names, known in ((formats.names(), writers()), (request_formats.names(), request_writers())):
        if writer in known:
            return
        if writer in names:
            raise InputError(f"--to: format {writer!r} can only be read. {did_you_mean(writer, known)}")
    raise InputError(f"unknown format {writer!r}. {did_you_mean(writer, [*writers(), *request_writers()])}")


def _show_requests(log: RequestLog, reader: str, accelerators: float | None, as_json: bool) -> None:
    from simulator.cli.requestlog import text
    from simulator.core.errors import InputError
    from simulator.workload.requestsummary import summary

    if accelerators is not None:
        raise InputError("--topology and --accelerators: what load requests are depends on the model and its engine")
    facts = summary(log)
    if as_json:
        write_json({"format": reader, **facts})
        return
    click.echo(f"{log.report()}\n\n{text(reader, facts)}")


def read(file: str, reader: str, options: Sequence[str] = ()) -> Trace:
    """Read a trace of jobs; ``options`` are texts ``key=value``, or ``key.name=value`` for one entry of a mapping."""
    from simulator.core.errors import InputError, Problem
    from simulator.workload.formats import read_trace
    from simulator.workload.requestformats import request_formats

    if reader in request_formats.names():
        raise InputError(Problem(f"this is a log of requests (format {reader!r}), not a trace of jobs", file=file))
    return read_trace(file, reader, **_options(options))


def read_any(file: str, reader: str, options: Sequence[str] = ()) -> Trace | RequestLog:
    """Read a trace of jobs or a log of requests, as the format says; ``options`` as those of ``read``."""
    from simulator.core.errors import InputError, did_you_mean
    from simulator.workload.formats import formats, read_trace
    from simulator.workload.requestformats import read_requests, request_formats

    if reader in request_formats.names():
        return read_requests(file, reader, **_options(options))
    if reader not in formats.names():
        known = [*formats.names(), *request_formats.names()]
        raise InputError(f"unknown format {reader!r}. {did_you_mean(reader, known)}")
    return read_trace(file, reader, **_options(options))


def guess(file: str) -> str:
    """Return the format that a file looks to be of; ``InputError`` if it looks like none."""
    from simulator.core.errors import InputError, Problem
    from simulator.workload.formats import formats, guess_format
    from simulator.workload.requestformats import guess_request_format, request_formats

    found = guess_format(Path(file)) or guess_request_format(Path(file))
    if found is None:
        hint = f"Say it: --format NAME, one of {', '.join([*formats.names(), *request_formats.names()])}."
        raise InputError(Problem("no format is known by how this file begins", file=file, hint=hint))
    return found


def _options(texts: Iterable[str]) -> dict[str, Any]:
    from simulator.core.errors import InputError

    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        name, dot, part = key.partition(".")
        if not equals or not name or bool(dot) != bool(part):
            raise InputError(f"--option {text!r}: write KEY=VALUE, or KEY.NAME=VALUE for one entry of several")
        if dot:
            entries = given.setdefault(name, {})
            if not isinstance(entries, dict):
                raise InputError(f"--option {text!r}: {name!r} has a value already")
            entries[part] = _value(value)
        else:
            given[name] = _value(value)
    return given


def _value(text: str) -> Any:
    """A number, a list or mapping in YAML, or the text itself."""
    if text.lstrip().startswith(("{", "[")):
        import yaml

        from simulator.core.errors import InputError

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--option: {text!r} is not a list or mapping as YAML has them") from None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _accelerators(topology: str | None, count: int | None) -> float | None:
    from simulator.core.errors import InputError

    if topology is not None and count is not None:
        raise InputError("--topology and --accelerators both say how large the cluster is; give one")
    if topology is None:
        return None if count is None else float(count)
    from simulator.experiment.topologies import topology_of

    return float(topology_of(topology).accelerators)


def _text(reader: str, facts: Mapping[str, Any], offered: Mapping[str, Any] | None) -> str:
    parts = [table(_headline(reader, facts)), _sizes(facts)]
    if facts["tenants"]:
        parts.append(_tenants(facts))
    parts.append(table(_arrivals(facts)))
    if offered is not None:
        parts.append(table(_load(offered)))
    return "\n\n".join(parts)


def _headline(reader: str, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    from simulator.core.units import format_quantity as write

    runs = ", ".join(
        f"{key} {write(facts['durations'][key], 'time', 3)}" for key in ("mean", "p50", "p90", "p99", "max")
    )
    rows = [
        ("format", reader),
        ("jobs", f"{facts['jobs']:,.0f} over {write(facts['span'], 'time')}" + _since(facts["origin"])),
        ("run time", runs),
        ("accelerators a job", f"mean {facts['accelerators.mean']:.3g}, most {facts['accelerators.max']:g}"),
        ("work", f"{facts['accelerator_seconds'] / 3600:,.0f} accelerator-hours"),
        ("demand", f"{facts['demand']:,.4g} accelerators busy on average, if nothing waited"),
    ]
    for what, key in (("states", "states"), ("models", "models")):
        if facts[key]:
            rows.append((what, _listed({name: f"{count:,}" for name, count in facts[key].items()})))
    if facts["users"]:
        rows.append(("users", f"{facts['users']:,}"))
    if facts["holds"]:
        rows.append(("says of jobs", _listed({name: f"{count:,}" for name, count in facts["holds"].items()}, most=20)))
    return rows


def _since(origin: str | None) -> str:
    return "" if origin is None else f", from {origin}"


def _listed(values: Mapping[str, str], most: int = _SHOWN) -> str:
    shown = [f"{name} {value}" for name, value in list(values.items())[:most]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f", and {more:,} more" if more else "")


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _sizes(facts: Mapping[str, Any]) -> str:
    return _share_table("accelerators", facts["sizes"], facts)


def _tenants(facts: Mapping[str, Any]) -> str:
    tenants = facts["tenants"]
    text = _share_table("tenant", dict(list(tenants.items())[:_SHOWN]), facts)
    more = len(tenants) - _SHOWN
    return text + (f"\nand {more:,} more tenants" if more > 0 else "")


def _share_table(head: str, parts: Mapping[str, Mapping[str, float]], facts: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{part['jobs']:,}",
            _percent(part["jobs"], facts["jobs"]),
            _percent(part["accelerator_seconds"], facts["accelerator_seconds"]),
        )
        for name, part in parts.items()
    ]
    return table(rows, (head, "jobs", "of jobs", "of work"), numbers=(1, 2, 3))


def _arrivals(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How unevenly jobs come: dispersion (1 for Poisson arrivals), and the profiles of day and week, 1 on average."""
    swings = ", ".join(f"{value:.3g} in {name}" for name, value in facts["dispersion"].items() if value == value)
    from simulator.workload.summary import WEEK

    rows = [("dispersion of arrivals", swings or "too few to tell")]
    if facts["hours"] is not None:
        lows = range(0, 24, _HOURS)
        means = [sum(facts["hours"][low : low + _HOURS]) / _HOURS for low in lows]
        rows.append(("by hour", _profile([f"{low:02}-{low + _HOURS:02}" for low in lows], means)))
    if facts["weekdays"] is not None:
        rows.append(("by weekday", _profile(WEEK, facts["weekdays"])))
    return rows


def _profile(names: Sequence[str], values: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(names, values, strict=True))


def _load(offered: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("cluster", f"{offered['accelerators']:,.0f} accelerators"),
        ("load", f"{offered['load']:.3g} from the first submission to the last"),
        ("busiest hour", f"{offered['hourly_peak']:.3g} times what the cluster can do in an hour"),
        ("too large for it", f"{offered['oversize']:,} jobs"),
    ]
