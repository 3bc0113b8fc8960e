"""Bounds that hold from times of day on."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.core.units import parse

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Entry:
    """From ``at`` (s after the beginning of each period) on: at least ``replicas``, at most ``maximum``."""

    at: float
    replicas: int
    maximum: float = math.inf


class Schedule:
    """Entries of one period, which repeats; before its first entry the last one of the period before holds.

    ``entries`` are mappings ``{at, replicas}``, with ``max`` if there is an upper bound: ``at`` is a number of seconds,
    a time such as "8 h", or a time of day such as "08:30". Raises ``ValueError`` for what makes no sense.

    >>> day = Schedule([{"at": "08:00", "replicas": 6}, {"at": "20 h", "replicas": 1}], period=86400.0)
    >>> [day.entry(hour * 3600.0).replicas for hour in (0, 8, 19, 20, 33)]
    [1, 6, 6, 1, 6]
    """

    def __init__(self, entries: Sequence[Mapping[str, Any]], period: float) -> None:
        if not 0 < period < math.inf:
            raise ValueError(f"period is {period:g} s; it must be above 0")
        if not entries:
            raise ValueError("schedule is empty; it must have an entry, as {at: 8 h, replicas: 4}")
        read = [_entry(each, f"schedule[{index}]", period) for index, each in enumerate(entries)]
        self._entries = sorted(read, key=lambda entry: entry.at)
        for one, other in zip(self._entries, self._entries[1:], strict=False):
            if one.at == other.at:
                raise ValueError(f"schedule has two entries at {one.at:g} s")
        self._period = period

    def entry(self, now: float) -> Entry:
        """The entry that holds at a time; one holds from its very moment on."""
        place = bisect_right([entry.at for entry in self._entries], now % self._period + 1e-9)
        return self._entries[place - 1]


def _entry(given: Mapping[str, Any], name: str, period: float) -> Entry:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {given!r}; it must be like {{at: 8 h, replicas: 4}}")
    unknown = [key for key in given if key not in ("at", "replicas", "max")]
    missing = [key for key in ("at", "replicas") if key not in given]
    if unknown or missing:
        wrong = f"has no key {unknown[0]!r}" if unknown else f"has no {missing[0]}"
        raise ValueError(f"{name} {wrong}; an entry has at and replicas, and may have max")
    at = _time(given["at"])
    if not 0 <= at < period:
        raise ValueError(f"{name}.at is {at:g} s; it must be within the period of {period:g} s")
    least, most = given["replicas"], given.get("max", math.inf)
    for key, number in (("replicas", least), ("max", most)):
        if isinstance(number, bool) or (not isinstance(number, int) and number != math.inf) or number < 0:
            raise ValueError(f"{name}.{key} is {number!r}; it must be a whole number, 0 or more")
    if most < least:
        raise ValueError(f"{name}.max is {most}; it must be at least replicas, {least}")
    return Entry(at, least, most)


def _time(value: Any) -> float:
    clock = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if clock:
        return 3600.0 * int(clock[1]) + 60.0 * int(clock[2])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return parse(value, "time")
