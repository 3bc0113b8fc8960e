"""What is told of a time in a run: sentences in order, what led to what, and how to show them."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.metrics.display import scale

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
"""Characters of a line of text."""
SHOWN = 40
"""Rows that the text shows; all are in ``rows``."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when (s), what kind, to whom, in a sentence, with its numbers."""

    time: float
    kind: str
    """Name of the event, or ``decision``."""
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """What happened around a time, and why. Times in seconds.

    ``state`` says in sentences how things stood, ``chains`` hold what led to what, each a list of lines, ``lines``
    everything that happened between ``since`` and ``until`` in order, ``notes`` what a reader must know.
    """

    title: str
    alternative: str
    replication: int
    at: float
    since: float
    until: float
    state: tuple[str, ...] = ()
    chains: tuple[tuple[Line, ...], ...] = ()
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The lines as plain data: ``time`` (s), ``kind``, ``subject``, ``text``, and the numbers under ``facts``."""
        return [_plain(line) for line in self.lines]

    @property
    def frame(self) -> pd.DataFrame:
        """The lines as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(
            [(line.time, line.kind, line.subject, line.text) for line in self.lines],
            columns=["time", "kind", "subject", "text"],
        )

    def text(self, width: int = WIDTH, rows: int = SHOWN) -> str:
        """Everything as plain text of at most ``width`` characters a line and ``rows`` rows of what happened."""
        parts = [self.title, *(_wrapped(sentence, width) for sentence in self.state)]
        for number, chain in enumerate(self.chains):
            parts += ["", "What led to what:" if number == 0 else "And:", *_listed(chain, width)]
        if self.lines:
            shown = nearest(self.lines, self.at, rows)
            parts += ["", "What happened:" if not self.chains else "Everything in order:", *_listed(shown, width)]
            if len(shown) < len(self.lines):
                parts.append(f"... the {len(shown)} nearest of {len(self.lines):,} rows; JSON has them all.")
        parts += ["", *(_wrapped(f"note: {note}", width) for note in self.notes)] if self.notes else []
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; a missing number is None."""
        return {
            "title": self.title, "alternative": self.alternative, "replication": self.replication,
            "at": _number(self.at), "since": self.since, "until": self.until, "state": list(self.state),
            "numbers": {name: _number(value) for name, value in self.numbers.items()},
            "chains": [[_plain(line) for line in chain] for chain in self.chains],
            "rows": self.rows, "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        said = [f"<p><b>{html.escape(self.title)}</b><br>{'<br>'.join(map(html.escape, self.state))}</p>"]
        for chain in self.chains:
            said.append(f"<p>What led to what:</p>{_table(chain)}")
        said.append(_table(nearest(self.lines, self.at, SHOWN)) if self.lines else "")
        return "".join(said) + "".join(f"<p>note: {html.escape(note)}</p>" for note in self.notes)


def clock(seconds: float) -> str:
    """A time of the run as hours, minutes and seconds, with days from the second day on; fractions where it has some.

    >>> clock(10800.0), clock(90061.5), clock(7.25)
    ('3:00:00', '1 d 1:01:01.5', '0:00:07.25')
    """
    if not math.isfinite(seconds):
        return "–"
    whole, part = divmod(round(seconds, 3), 1.0)
    minutes, left = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = f"{part:.3f}".strip("0").rstrip(".") if part >= 0.0005 else ""
    return f"{f'{days} d ' if days else ''}{hours}:{minutes:02d}:{left:02d}{fraction}"


def duration(seconds: float) -> str:
    """A length of time as people say it: in seconds up to ten minutes, so that parts add up before one's eyes.

    >>> duration(205.0), duration(0.0), duration(5400.0), duration(0.00315)
    ('205 s', '0 s', '1.5 h', '3.15 ms')
    """
    if 1.0 <= abs(seconds) < 600.0:
        return f"{seconds:.4g} s"
    return scale([seconds], "time").text(seconds)


def plain(value: float) -> str:
    """A number of about four digits without an exponent.

    >>> plain(58620.4), plain(0.123456), plain(12.0)
    ('58,620', '0.1235', '12')
    """
    return f"{value:,.0f}" if 1000.0 <= abs(value) < math.inf else f"{value:,.4g}"


def many(count: float, noun: str) -> str:
    """A number with its noun.

    >>> many(1, "replica"), many(2, "replica"), many(0, "batch")
    ('1 replica', '2 replicas', '0 batches')
    """
    plural = noun + ("es" if noun.endswith(("ch", "s", "x")) else "s")
    return f"{count:,g} {noun if count == 1 else plural}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence, a few of them when there are many.

    >>> listed(["a"]), listed(["a", "b"]), listed(list("abcdef"), most=3)
    ('a', 'a and b', 'a, b and 4 more')
    """
    if len(names) == 1:
        return names[0]
    if len(names) <= most:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def nearest(lines: Sequence[Line], at: float, count: int) -> tuple[Line, ...]:
    """The ``count`` lines nearest to a time, in order."""
    if len(lines) <= count:
        return tuple(lines)
    order = sorted(range(len(lines)), key=lambda row: (abs(lines[row].time - at), row))[:count]
    return tuple(lines[row] for row in sorted(order))


def _listed(lines: Sequence[Line], width: int) -> list[str]:
    stamps = [clock(line.time) for line in lines]
    column = max(map(len, stamps))
    shown = []
    for line, stamp in zip(lines, stamps, strict=True):
        head = f"  {stamp:>{column}}  "
        shown.append(textwrap.fill(_clean(line.text), width, initial_indent=head, subsequent_indent=" " * len(head)))
    return shown


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(_clean(text), width, subsequent_indent="  ")


def _clean(text: str) -> str:
    """A name that somebody wrote into a file must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _table(lines: Sequence[Line]) -> str:
    rows = "".join(f"<tr><td>{clock(line.time)}</td><td>{html.escape(line.text)}</td></tr>" for line in lines)
    return f"<table>{rows}</table>"


def _plain(line: Line) -> dict[str, Any]:
    facts = {name: _number(value) for name, value in line.facts.items()}
    return {"time": line.time, "kind": line.kind, "subject": line.subject, "text": line.text, "facts": facts}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
