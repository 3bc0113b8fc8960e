"""Invocations of functions by the minute, as Azure published them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from simulator.core.units import Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.measured import Measured
from simulator.workload.sampling import Draws

_MINUTE = 60.0
_NAMES = ("HashOwner", "HashApp", "HashFunction", "Trigger")


@load_shapes.register("azure-functions")
class AzureFunctions:
    """A day of invocations: a row for each function, and a column for each minute, called 1 to 1440.

    The format of the Azure Functions trace of 2019 (M. Shahrad et al., "Serverless in the Wild", USENIX ATC 2020;
    Azure/AzurePublicDataset, AzureFunctionsDataset2019). The demand is the sum over the ``functions`` whose hashes
    begin so, and of ``apps`` and ``triggers``; over all without either. ``scale`` multiplies it. With ``resample``
    each replication is put together at random from blocks of that length (block bootstrap).
    """

    def __init__(
        self,
        file: Path,
        functions: Sequence[str] = (),
        apps: Sequence[str] = (),
        triggers: Sequence[str] = (),
        scale: float = 1.0,
        resample: Seconds | None = None,
    ) -> None:
        counts = _counts(Path(file), {"HashFunction": functions, "HashApp": apps, "Trigger": triggers})
        self._measured = Measured(np.arange(len(counts)) * _MINUTE, counts / _MINUTE, _MINUTE, scale, resample)

    @property
    def length(self) -> float:
        """Seconds of the trace."""
        return self._measured.length

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return self._measured.area(times, draws)


def _counts(file: Path, wanted: dict[str, Sequence[str]]) -> np.ndarray:
    """Sum of the rows that begin as wanted, by minute; ``ValueError`` where there is none, or a cell is no number."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines)
        names = next(reader, [])
        minutes = [index for index, name in enumerate(names) if name.isdecimal()]
        if not minutes or "HashFunction" not in names:
            raise ValueError(f"file has no columns {', '.join(_NAMES)} and 1, 2, 3, ...: it is not of this format")
        places = {names.index(name): tuple(starts) for name, starts in wanted.items() if starts and name in names}
        total, count = np.zeros(len(minutes)), 0
        for row in reader:
            if row and all(row[place].startswith(starts) for place, starts in places.items()):
                total += _minutes(row, minutes, reader.line_num)
                count += 1
    if not count:
        said = ", ".join(f"{name} {' or '.join(starts)}" for name, starts in wanted.items() if starts)
        raise ValueError(f"file has no function with {said}" if said else "file has no rows")
    return total


def _minutes(row: Sequence[str], minutes: Sequence[int], line: int) -> np.ndarray:
    try:
        return np.array([float(row[index] or 0) for index in minutes])
    except (ValueError, IndexError):
        raise ValueError(f"file, line {line}: a minute is not a number") from None
