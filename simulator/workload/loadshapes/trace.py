"""A demand that was measured."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from simulator.core.errors import did_you_mean
from simulator.core.units import Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.measured import Measured
from simulator.workload.sampling import Draws


@load_shapes.register("trace")
class Trace:
    """A CSV file with a time in each row, and the rate from then on or the requests until the next row.

    ``time``, ``rate`` and ``count`` are the names of the columns; without any of the latter two, ``rate`` or ``count``
    is taken, whichever the file has. Times are seconds of any clock, and the first row is the beginning; the last row
    lasts as long as the one before it. ``scale`` multiplies the demand. With ``resample`` each replication is put
    together at random from blocks of that length of it (block bootstrap).
    """

    def __init__(
        self,
        file: Path,
        time: str = "time",
        rate: str | None = None,
        count: str | None = None,
        scale: float = 1.0,
        resample: Seconds | None = None,
    ) -> None:
        if rate is not None and count is not None:
            raise ValueError("count says what rate says, too; leave one of them out")
        columns = _columns(Path(file))
        value = rate or count or ("count" if "count" in columns and "rate" not in columns else "rate")
        for name in (time, value):
            if name not in columns:
                raise ValueError(f"file has no column {name!r}. {did_you_mean(name, columns)}")
        times, values = columns[time], columns[value]
        if len(times) < 2:
            raise ValueError(f"file has {len(times)} rows; it takes two to say how long they last")
        gaps = np.diff(times)
        if not (gaps > 0).all():
            row = int(np.flatnonzero(~(gaps > 0))[0]) + 3
            raise ValueError(f"file, line {row}: the time {times[row - 2]:g} is not after {times[row - 3]:g}")
        lengths = np.append(gaps, gaps[-1])
        counts = value == count or (rate is None and value == "count")
        rates = values / lengths if counts else values
        self._measured = Measured(times - times[0], rates, float(lengths[-1]), scale, resample)

    @property
    def length(self) -> float:
        """Seconds from the first row to the end of the last one."""
        return self._measured.length

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return self._measured.area(times, draws)


def _columns(file: Path) -> dict[str, np.ndarray]:
    """Columns of numbers by name; ``ValueError`` with the line of what is none."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines)
        names = [name.strip() for name in next(reader, [])]
        rows = []
        for row in reader:
            if not row:
                continue
            if len(row) < len(names):
                raise ValueError(f"file, line {reader.line_num}: {len(row)} of {len(names)} columns")
            rows.append([_number(cell, reader.line_num) for cell in row[: len(names)]])
    if not names:
        raise ValueError("file is empty; it takes a line of names such as time,rate")
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return {name: table[:, index] for index, name in enumerate(names)}


def _number(cell: str, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"file, line {line}: {cell!r} is not a number") from None
