"""A demand that was measured."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from simulator.core.errors import did_you_mean
from simulator.core.units import Seconds
from simulator.workload.instants import FAR, MIXED, instant, mixed
from simulator.workload.loadshapes import load_shapes
from simulator.workload.measured import Measured
from simulator.workload.sampling import Draws


@load_shapes.register("trace")
class Trace:
    """A CSV file with a time in each row, and the rate from then on or the requests until the next row.

    ``time``, ``rate`` and ``count`` are the names of the columns; without any of the latter two, ``rate`` or ``count``
    is taken, whichever the file has. Times are seconds of any clock, text with a unit, or dates; the first row is the
    beginning, and the last row lasts as long as the one before it. ``scale`` multiplies the demand. With ``resample``
    each replication is put together at random from blocks of that length of it (block bootstrap).
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
        table = _Table(Path(file))
        value = rate or count or ("count" if "count" in table.names and "rate" not in table.names else "rate")
        for key in (time, value):
            if key not in table.names:
                raise ValueError(f"{table.name} has no column {key!r}. {did_you_mean(key, table.names)}")
        times, values = table.times(time), table.amounts(value)
        if len(times) < 2:
            raise ValueError(f"{table.name} has {len(times)} rows; it takes two to say how long they last")
        gaps = np.diff(times)
        back = np.flatnonzero(~(gaps > 0))
        if len(back):
            cells = [table.cell(row, time) for row in (back[0], back[0] + 1)]
            raise ValueError(f"{table.place(back[0] + 1)}: the time {cells[1]} is not after {cells[0]}")
        if times[-1] - times[0] > FAR:
            raise ValueError(f"{table.place(-1)}: the time {table.cell(-1, time)} is too far from the first one")
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


class _Table:
    """The cells of a file, and the line of each row; ``ValueError`` with file and line for what is wrong."""

    def __init__(self, file: Path) -> None:
        self.name = file.name
        self._rows: list[list[str]] = []
        self._lines: list[int] = []
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            self.names = [name.strip() for name in next(reader, [])]
            for row in reader:
                if row:
                    self._rows.append(row)
                    self._lines.append(reader.line_num)
                    if len(row) < len(self.names):
                        raise ValueError(f"{self.place(-1)}: {len(row)} of {len(self.names)} columns")
        if not self.names:
            raise ValueError(f"{self.name} is empty; it takes a line of names such as time,rate")

    def place(self, row: int) -> str:
        return f"{self.name}, line {self._lines[row]}"

    def cell(self, row: int, name: str) -> str:
        return self._rows[row][self.names.index(name)].strip()

    def times(self, name: str) -> np.ndarray:
        """Seconds of any clock."""
        found, dates = np.empty(len(self._rows)), []
        for row in range(len(found)):
            try:
                found[row], date = instant(self.cell(row, name))
            except ValueError as error:
                raise ValueError(f"{self.place(row)}: {error}") from None
            dates.append(date)
        odd = mixed(dates)
        if odd is not None:
            raise ValueError(f"{self.place(odd)}: {MIXED}")
        return found

    def amounts(self, name: str) -> np.ndarray:
        """Numbers, 0 or more."""
        found = np.empty(len(self._rows))
        for row in range(len(found)):
            cell = self.cell(row, name)
            try:
                found[row] = float(cell)
            except ValueError:
                raise ValueError(f"{self.place(row)}: {cell!r} is not a number") from None
            if not 0 <= found[row] < math.inf:
                raise ValueError(f"{self.place(row)}: the {name} is {cell}; it must be 0 or more, and finite")
        return found
