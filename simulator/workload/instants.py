"""Times in files about what goes on in a cluster: seconds, text with a unit, or dates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from simulator.core.units import UnitError, parse

FAR = 1e12
"""Seconds (30,000 years) between two times of a file, at most, as for all times of a scenario."""


def instant(text: str) -> tuple[float, bool]:
    """Return a time in seconds, and whether it is a date; those count from 1970, without a zone in UTC.

    Raises ``ValueError`` for what is no time.

    >>> instant("7200"), instant("2 h"), instant("1970-01-01 02:00")
    ((7200.0, False), (7200.0, False), (7200.0, True))
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds, False
        raise ValueError(f"{text!r} is not a finite time")
    try:
        return parse(text, "time"), False
    except UnitError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wanted = "seconds, a time with a unit such as 2 h, or a date such as 2022-01-31 17:00"
        raise ValueError(f"{text!r} is no time: {wanted}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), True


def mixed(dates: Sequence[bool]) -> int | None:
    """Return the first place that is a date where others are not, or the other way round; None where all are alike."""
    return next((place for place, date in enumerate(dates) if date != dates[0]), None)


MIXED = "some times are dates, and some are not"
"""What is said of such a file."""
