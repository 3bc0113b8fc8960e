"""What cuts of jobs and of requests share: windows on a clock, blocks drawn at random, and the account of rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import UnitError, format_quantity, parse

if TYPE_CHECKING:
    from simulator.workload.trace import SetAside

Bound = datetime | date | str | float | None
"""One end of a window of time: a moment, seconds after the origin, a quantity, or None for no bound."""
_MOST_BLOCKS = 1_000_000


def seconds_of(bound: datetime | date | str | float, origin: datetime | None, what: str) -> float:
    """Return a bound as seconds after ``origin``; ``InputError`` for one that says nothing to ``what``.

    It is a date or time of the clock of ``origin`` (``datetime``, ``date`` or ISO text), seconds, or a quantity such
    as ``"2 d"``.
    """
    if isinstance(bound, int | float):
        if not math.isfinite(bound):
            raise InputError(f"{bound!r} is not a bound of a window; write seconds, a time or a quantity")
        return float(bound)
    moment = _as_datetime(bound)
    if moment is None:
        try:
            return parse(str(bound), "time")
        except UnitError:
            raise InputError(
                f"{bound!r} is not a bound of a window; write a time such as '2017-10-01 00:00:00', or '2 d'"
            ) from None
    if origin is None:
        raise InputError(f"{what} has no dates, so {bound!r} says nothing; write seconds or '2 d'")
    if (moment.tzinfo is None) != (origin.tzinfo is None):
        moment = moment.replace(tzinfo=origin.tzinfo)
    return (moment - origin).total_seconds()


def moment_of(seconds: float, origin: datetime | None, unbounded: str) -> str:
    """Say when so many seconds after ``origin`` is; ``unbounded`` stands for infinity."""
    if math.isinf(seconds):
        return unbounded
    return f"{seconds:.15g} s" if origin is None else str(origin + timedelta(seconds=seconds))


def _as_datetime(bound: datetime | date | str | None) -> datetime | None:
    if isinstance(bound, datetime):
        return bound
    if isinstance(bound, date):
        return datetime(bound.year, bound.month, bound.day)
    try:
        return datetime.fromisoformat(str(bound).strip())
    except ValueError:
        return None


class Drawn(NamedTuple):
    """Blocks of a trace drawn at random and laid end to end: for each row that there is now, three numbers."""

    rows: np.ndarray
    """The row that it was before."""
    copies: np.ndarray
    """The number of its block among those drawn."""
    times: np.ndarray
    """When it comes now, seconds from the start of the first block."""


def drawn_blocks(times: np.ndarray, block: float, generator: np.random.Generator) -> Drawn:
    """Cut time into blocks of ``block`` seconds, and draw as many of them with replacement.

    ``times`` (s) is sorted and not empty; the first block begins at the first of them. Raises ``InputError`` for a
    length that is no time above 0, or that gives more than a million blocks.
    """
    check(block, 0 < block < math.inf, "resample", "a time above 0")
    since = times - times[0]
    blocks = since[-1] / block
    check(block, blocks <= _MOST_BLOCKS, "resample", f"long enough: {blocks:.3g} blocks, at most {_MOST_BLOCKS:,}")
    borders = np.searchsorted(since, block * np.arange(math.floor(since[-1] / block) + 2))
    drawn = generator.integers(len(borders) - 1, size=len(borders) - 1)
    rows = np.concatenate([np.arange(borders[index], borders[index + 1]) for index in drawn])
    copies = np.repeat(np.arange(len(drawn)), np.diff(borders)[drawn])
    moved = since[rows] - block * drawn[copies] + block * copies
    return Drawn(rows, copies, np.maximum.accumulate(moved))


def resampled_note(block: float) -> str:
    """Say that a trace was put together from blocks."""
    return f"put together at random from blocks of {format_quantity(block, 'time')} of the trace"


def account(name: str, kept: int, set_aside: Iterable[SetAside], notes: Iterable[str]) -> str:
    """Say how many rows were read, kept, and set aside for which reason, one line each."""
    aside = sum(part.count for part in set_aside)
    rows = kept + aside
    lines = [f"{name}: {rows:,} row{'s' * (rows != 1)}: {kept:,} kept, {aside:,} set aside"]
    for part in set_aside:
        more = ", ..." if part.count > len(part.rows) else ""
        which = f" (row{'s' * (part.count > 1)} {', '.join(map(str, part.rows))}{more})" if part.rows else ""
        lines.append(f"  set aside {part.count:,}: {part.reason}{which}")
    return "\n".join(lines + [f"  note: {note}" for note in notes])


def check(value: float, good: bool, what: str, wanted: str) -> None:
    """Raise ``InputError`` unless ``good``: "``what``: ``value`` is not ``wanted``"."""
    if not good:
        raise InputError(f"{what}: {value!r} is not {wanted}")
