"""Iteration times from a table of measurements."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.models.serving.api import Batch, Decoding

AXES = ("prefill_tokens", "decode_sequences", "context_tokens")
COLUMNS = (*AXES, "seconds")
SHOWN = 8
"""Missing grid points that an error names one by one."""


class _Line(NamedTuple):
    """Seconds along the context between two grid points: ``base + slope * S`` for S below ``end``."""

    base: float
    slope: float
    end: float


class TableTime:
    """Interpolates multilinearly on a full grid of prompt tokens, decoding sequences and tokens of context.

    ``context_tokens`` are those whose keys and values are there before the iteration: of the sequences that decode, all
    together, and before the chunks of prompts. Below the smallest grid point of an axis that point holds; above the
    largest one the last interval goes on in a straight line; no iteration is shorter than the shortest of the table.
    Several ranks take what the slowest does.
    """

    window = math.inf

    def __init__(self, axes: Sequence[Sequence[float]], seconds: dict[tuple[float, ...], float]) -> None:
        self._axes = tuple(tuple(axis) for axis in axes)
        self._seconds = seconds
        self._least = min(seconds.values())

    def seconds(self, ranks: Sequence[Batch]) -> float:
        """Seconds of one iteration."""
        return max(
            self._at(
                sum(chunk.new for chunk in rank.chunks),
                rank.sequences,
                rank.context + sum(chunk.before for chunk in rank.chunks),
            )
            for rank in ranks
        )

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        """Seconds of iterations that only decode, up to the next grid point of the context."""
        lines = [self._line(0, count, tokens) for count, tokens in zip(sequences, context, strict=True)]
        if len(set(lines)) == 1:
            ((base, slope, end),) = set(lines)
            # a line that falls is longest on the rank with the least context, which the closed form cannot say
            if slope >= 0 or len(lines) == 1:
                return Decoding(base, slope, until=end)
        longest = max(line.base + line.slope * tokens for line, tokens in zip(lines, context, strict=True))
        return Decoding(longest, until=min(t for count, t in zip(sequences, context, strict=True) if count))

    def _at(self, prefill: float, sequences: float, context: float) -> float:
        base, slope, _ = self._line(prefill, sequences, context)
        return base + slope * context

    def _line(self, prefill: float, sequences: float, context: float) -> _Line:
        axis = self._axes[2]
        place = bisect_right(axis, context)
        if place == 0 or len(axis) == 1:
            return _Line(
                self._floored(self._mean(prefill, sequences, axis[0])), 0.0, axis[0] if not place else math.inf
            )
        low = min(place, len(axis) - 1) - 1
        end = axis[low + 1] if place < len(axis) else math.inf
        left, right = (self._mean(prefill, sequences, axis[each]) for each in (low, low + 1))
        slope = (right - left) / (axis[low + 1] - axis[low])
        base = left - slope * axis[low]
        if base + slope * context < self._least:
            return _Line(self._least, 0.0, min(end, (self._least - base) / slope) if slope > 0 else end)
        return _Line(base, slope, min(end, (self._least - base) / slope) if slope < 0 else end)

    def _floored(self, value: float) -> float:
        return max(value, self._least)

    def _mean(self, prefill: float, sequences: float, context: float) -> float:
        first, second = (_weights(axis, value) for axis, value in zip(self._axes, (prefill, sequences), strict=False))
        return sum(u * v * self._seconds[x, y, context] for x, u in first for y, v in second)


def _weights(axis: Sequence[float], value: float) -> list[tuple[float, float]]:
    """Grid points around a value and their weights, which add up to 1."""
    if value <= axis[0] or len(axis) == 1:
        return [(axis[0], 1.0)]
    low = min(bisect_right(axis, value), len(axis) - 1) - 1
    share = (value - axis[low]) / (axis[low + 1] - axis[low])
    return [(axis[low], 1 - share), (axis[low + 1], share)] if share else [(axis[low], 1.0)]


def read_table(path: str | Path) -> TableTime:
    """Read a CSV file with the columns ``COLUMNS``, one row for each point of a full grid, in any order.

    A byte order mark, which Excel writes, is taken as nothing.

    Points with neither prompt tokens nor sequences may be absent: nothing runs there; they count as the shortest of the
    table. Raises ``InputError`` with every bad row and its line, and with the points that are missing.
    """
    file = str(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream))
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", file)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(f"is not CSV in UTF-8: {error}", file)) from None
    if not rows:
        raise InputError(Problem("is empty", file, hint=f"its columns are {', '.join(COLUMNS)}"))
    order = _order(rows[0], file)
    found: dict[tuple[float, ...], float] = {}
    lines: dict[tuple[float, ...], int] = {}
    problems = []
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            *point, seconds = _numbers(row, order)
        except ValueError as error:
            problems.append(Problem(str(error), file, line))
            continue
        key = tuple(point)
        if key in lines:
            problems.append(Problem(f"repeats the point {_point(key)} of line {lines[key]}", file, line))
            continue
        found[key], lines[key] = seconds, line
    if problems:
        raise InputError(*problems)
    return _whole(found, file)


def _order(head: Sequence[str], file: str) -> list[int]:
    names = [name.strip() for name in head]
    problems = [
        Problem(f"has no column {name!r}", file, 1, hint=did_you_mean(name, names))
        for name in COLUMNS
        if name not in names
    ]
    problems += [
        Problem(f"unknown column {name!r}", file, 1, hint=did_you_mean(name, COLUMNS))
        for name in names
        if name not in COLUMNS
    ]
    problems += [Problem(f"repeats column {name!r}", file, 1) for name in COLUMNS if names.count(name) > 1]
    if problems:
        raise InputError(*problems)
    return [names.index(name) for name in COLUMNS]


def _numbers(row: Sequence[str], order: Sequence[int]) -> list[float]:
    if len(row) != len(order):
        raise ValueError(f"has {len(row)} cells, not {len(order)}")
    values = []
    for name, place in zip(COLUMNS, order, strict=True):
        try:
            value = float(row[place])
        except ValueError:
            raise ValueError(f"{name} {row[place]!r} is not a number") from None
        if not math.isfinite(value) or value < 0 or (name == "seconds" and value == 0):
            least = "above 0" if name == "seconds" else "0 or more"
            raise ValueError(f"{name} {row[place]!r} is not a finite number {least}")
        values.append(value)
    return values


def _whole(found: dict[tuple[float, ...], float], file: str) -> TableTime:
    if not found:
        raise InputError(Problem("has no rows", file))
    axes = [sorted({point[each] for point in found}) for each in range(3)]
    least = min(found.values())
    missing = []
    for point in product(*axes):
        if point not in found and point[:2] == (0, 0):
            found[point] = least
        elif point not in found:
            missing.append(point)
    if missing:
        shown = "; ".join(_point(point) for point in missing[:SHOWN])
        more = f"; and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        grid = " x ".join(str(len(axis)) for axis in axes)
        raise InputError(
            Problem(
                f"{len(missing)} of {math.prod(map(len, axes))} points of the grid ({grid}) are missing: {shown}{more}",
                file,
                hint="every combination of the values of the three columns needs a row",
            )
        )
    return TableTime(axes, found)


def _point(point: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(AXES, point, strict=True))
