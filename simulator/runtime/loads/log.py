"""The tables that loads leave behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.metrics.recorder import LOADS, WAITS, Table

_PACK_EVERY = 4096


class LoadLog:
    """The tables ``loads`` and ``waits`` while they grow."""

    def __init__(self) -> None:
        self._loads, self._waits = Table(LOADS), Table(WAITS)
        self._rows = 0

    def load(self, row: tuple[Any, ...]) -> None:
        """Write a row of ``loads``."""
        self._loads.add(row)
        self._count()

    def wait(self, row: tuple[Any, ...]) -> None:
        """Write a row of ``waits``."""
        self._waits.add(row)
        self._count()

    def _count(self) -> None:
        self._rows += 1
        if self._rows % _PACK_EVERY == 0:
            self._loads.pack()
            self._waits.pack()

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Both tables, ``loads`` in order of time."""
        loads = self._loads.arrays()
        order = np.argsort(loads["time"], kind="stable")
        return {"loads": {name: values[order] for name, values in loads.items()}, "waits": self._waits.arrays()}
