"""Why things happened: the story of a service, a job, a node group or a node around a time, from what was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.experiment import jobstory, moments, nodestory, servicestory
from simulator.experiment.log import Log
from simulator.experiment.story import Line, Story, clock, many
from simulator.metrics.window import Window

if TYPE_CHECKING:
    from simulator.experiment.results import Results

WINDOW = 600.0
"""Seconds before and after the time that are told of, unless said otherwise (ours): the pace at which services and
nodes are resized, started and let go."""


def explain(
    results: Results,
    *,
    service: str | None = None,
    job: str | None = None,
    group: str | None = None,
    node: str | None = None,
    at: float | str | None = None,
    window: float | str = WINDOW,
    alternative: str | None = None,
    replication: int | None = None,
) -> Story:
    """Tell what happened around a time, and why.

    At most one of ``service``, ``job``, ``group`` and ``node`` says about what; without any, all that happened around
    ``at`` is told, or, without that, what can be asked about. ``at`` is seconds or a text such as "3 h"; without it the
    story of a job is its whole life, and that of anything else the time in which most happened to it. ``window`` is
    how long before and after is told of. Raises ``InputError`` for a name that is not there, with the nearest one, and
    for a time outside of the run.
    """
    which, number = chosen(results, alternative, replication)
    log = Log(results.windows(which)[number])
    asked = {"service": service, "job": job, "group": group, "node": node}
    named = {kind: name for kind, name in asked.items() if name is not None}
    if len(named) > 1:
        raise InputError(f"a story is about one thing: say {' or '.join(named)}, not all of them")
    around = _seconds(window, "window")
    if around <= 0:
        raise InputError(f"window is {around:g} s; it must be above 0, for example '10 min'")
    moment = None if at is None else _inside(log, _seconds(at, "at"))
    kind, name = next(iter(named.items()), ("", ""))
    if kind:
        _known(log, kind, name)
    where = (which, number, _notes(results, which, number))
    if kind == "job" and moment is None:
        return _life(log, name, where)
    if not kind and moment is None:
        return _index(log, around, where)
    return _around(log, kind, name, moment, around, where)


_Where = tuple[str, int, tuple[str, ...]]
"""Alternative, replication, and what a reader must know of them."""


def chosen(results: Results, alternative: str | None, replication: int | None) -> tuple[str, int]:
    """The alternative and the replication that are asked for, or the first ones; ``InputError`` for unknown ones."""
    which = results.alternatives[0] if alternative is None else alternative
    runs = results.windows(which)
    number = next(iter(runs)) if replication is None else replication
    if number not in runs:
        known = ", ".join(map(str, runs))
        raise InputError(f"there is no replication {number} of {which}. Known: {known}.")
    return which, number


def _notes(results: Results, which: str, number: int) -> tuple[str, ...]:
    others = [name for name in results.alternatives if name != which]
    more = [str(each) for each in results.windows(which) if each != number]
    said = []
    if others:
        said.append(f"This is {which}; there are also {', '.join(others)}. Choose with alternative (--alternative).")
    if more:
        said.append(
            f"This is replication {number}; there are also {', '.join(more)}. Choose with replication (--replication)."
        )
    return tuple(said)


def _seconds(value: float | str, what: str) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return parse(value, "time")
    except UnitError as error:
        raise InputError(f"{what}: {error}") from None


def _inside(log: Log, at: float) -> float:
    if not 0.0 <= at <= log.end:
        raise InputError(
            f"at: {clock(at)} ({at:g} s) lies outside of the run, which goes from 0:00:00 to {clock(log.end)} "
            f"({log.end:g} s)"
        )
    return at


def _known(log: Log, kind: str, name: str) -> None:
    if kind == "job":
        if jobstory.row_of(log, name) < 0:
            raise InputError(f"unknown job {name!r}. {did_you_mean(name, _texts(log.window, 'jobs', 'id'))}")
        return
    names: Iterable[str] = {"service": moments.services(log), "group": log.groups, "node": log.nodes}[kind]
    if name in names:
        return
    what = {"service": "service", "group": "node group", "node": "node"}[kind]
    if not names:
        why = {
            "service": "the run has no services",
            "group": "the run recorded no group of nodes that comes and goes",
            "node": "the run recorded no node that came, went or failed",
        }
        raise InputError(f"unknown {what} {name!r}: {why[kind]}.")
    raise InputError(f"unknown {what} {name!r}. {did_you_mean(name, names)}")


def _texts(window: Window, table: str, column: str) -> list[str]:
    return list(map(str, window.column(table, column).tolist()))


def _run(where: _Where) -> str:
    return f"{where[0]}, replication {where[1]}"


def _life(log: Log, name: str, where: _Where) -> Story:
    said, facts = jobstory.life(log, name)
    since, until = facts["submit"], log.end if facts["end"] != facts["end"] else facts["end"]
    lines = jobstory.lines(log, name, 0.0, log.end)
    title = f"Job {name} ({_run(where)})"
    return Story(title, *where[:2], since, since, until, tuple(said), (), lines, where[2], facts)


def _index(log: Log, around: float, where: _Where) -> Story:
    names = moments.subjects(log)
    state = [f"The run went from 0:00:00 to {clock(log.end)}.", *(["Ask about:"] if names else []), *names]
    found = moments.moments(log, around)
    lines = [
        Line(each.since, "moment", "", each.text.partition(": ")[2].capitalize(), {"until": each.until, **each.counts})
        for each in sorted(found)
    ]
    notes = () if found else ("Nothing that controllers do, and no failure, was recorded in this run.",)
    title = f"What can be explained ({_run(where)})"
    return Story(title, *where[:2], 0.0, 0.0, log.end, tuple(state), (), tuple(lines), (*where[2], *notes))


def _around(log: Log, kind: str, name: str, at: float | None, around: float, where: _Where) -> Story:
    notes = list(where[2])
    if at is None:
        busiest = moments.moments(log, around, 1, name)
        at = min((busiest[0].since + busiest[0].until) / 2.0, log.end) if busiest else log.end
        what = f"the time in which most happened to {name}" if busiest else "the end of the run, as nothing happened"
        notes.append(f"Nobody named a time: this is {what}. Choose with at (--at).")
    since, until = max(0.0, at - around), min(log.end, at + around)
    said, numbers = _standing(log, kind, name, at)
    chains = servicestory.chains(log, name, at, since, until) if kind == "service" else ()
    lines = _lines(log, kind, name, since, until)
    if not lines:
        notes.append("Nothing was recorded in this time.")
    subject = f"{kind.capitalize()} {name}" if kind else "The cluster"
    title = f"{subject} at {clock(at)} ({_run(where)}; told from {clock(since)} to {clock(until)})"
    return Story(
        title, *where[:2], at, since, until, (*said, *_cluster(log.window, at)), chains, lines, tuple(notes), numbers
    )


def _standing(log: Log, kind: str, name: str, at: float) -> tuple[list[str], dict[str, Any]]:
    if kind == "service":
        return servicestory.standing(log, name, at)
    if kind == "job":
        return jobstory.life(log, name)
    if kind == "group":
        return nodestory.group_standing(log, name, at)
    if kind == "node":
        return nodestory.node_standing(log, name, at)
    return [], {}


def _lines(log: Log, kind: str, name: str, since: float, until: float) -> tuple[Line, ...]:
    if kind == "service":
        return servicestory.lines(log, name, since, until)
    if kind == "job":
        return jobstory.lines(log, name, since, until)
    if kind == "group":
        return nodestory.group_lines(log, name, since, until)
    if kind == "node":
        return nodestory.node_lines(log, name, since, until)
    return log.lines(since, until, lambda row: True, lambda row: True)


def _cluster(window: Window, at: float) -> list[str]:
    """How the cluster stood at a time (s), in a sentence."""
    times = window.column("series", "time")
    row = int(times.searchsorted(at, "right")) - 1
    if row < 0:
        return []
    up, held, paid = (float(window.column("series", name)[row]) for name in ("capacity", "allocated", "provisioned"))
    queued, running = (int(window.column("series", name)[row]) for name in ("queued", "running"))
    coming = f", {paid - up:,g} more paid for" if paid > up else ""
    return [
        f"In the cluster {held:,g} of {up:,g} accelerators were held{coming}; {many(running, 'job')} ran, "
        f"{queued:,} waited."
    ]
