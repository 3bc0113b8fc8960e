"""Cells: accelerators of a neighbourhood in a row, cut in halves again and again; the tree of buddy allocation."""

from __future__ import annotations

import numpy as np

from simulator.policies.neighbourhoods import Neighbourhoods

Spot = tuple[int, int]
"""A row (neighbourhood), and a place in it."""


def power(count: int) -> int:
    """The least power of two that is not below ``count``."""
    return 1 << max(0, count - 1).bit_length()


class Cells:
    """Which accelerators are held, in rows of one neighbourhood each.

    A server begins at a multiple of ``server``, the power of two that holds the largest one, and a row is as long as a
    power of two; places that no accelerator fills are absent. A cell is ``size`` places (a power of two) from a
    multiple of it. ``held`` and ``absent`` are boolean arrays of shape (rows, places).
    """

    def __init__(self, totals: np.ndarray, hoods: Neighbourhoods) -> None:
        self.server = power(int(totals.max(initial=1)))
        members = [np.flatnonzero(hoods.of == hood) for hood in range(len(hoods))]
        self.row = power(max((len(each) for each in members), default=1)) * self.server
        self.held = np.zeros((len(members), self.row), dtype=bool)
        self.absent = np.ones((len(members), self.row), dtype=bool)
        self.who = np.full((len(members), self.row // self.server), -1, dtype=np.int64)
        self.spot: dict[int, Spot] = {}
        """Where each server begins."""
        for row, servers in enumerate(members):
            for position, server in enumerate(servers.tolist()):
                start = position * self.server
                self.spot[server] = (row, start)
                self.who[row, position] = server
                self.absent[row, start : start + int(totals[server])] = False

    def free(self, size: int, barred: np.ndarray) -> np.ndarray:
        """Accelerators of each cell of ``size`` if none of it is held or ``barred``, else 0; shape (rows, cells)."""
        shape = (len(self.held), self.row // size, size)
        used = (self.held | barred).reshape(shape).any(axis=2)
        return np.where(used, 0, (~self.absent).reshape(shape).sum(axis=2))

    def tightest(self, size: int, least: int, barred: np.ndarray) -> Spot | None:
        """The free cell of ``size``, with ``least`` accelerators, whose taking breaks up the smallest free cell.

        Ties go to the first row and place: the buddy allocation of Knowlton (1965).
        """
        fitting = self.free(size, barred) >= least
        if not fitting.any():
            return None
        whole = np.full(fitting.shape, size)
        larger = 2 * size
        while larger <= self.row:
            free = self.free(larger, barred) > 0
            whole[np.repeat(free, larger // size, axis=1)] = larger
            larger *= 2
        row, cell = np.unravel_index(np.argmin(np.where(fitting, whole, 2 * self.row)), fitting.shape)
        return int(row), int(cell) * size

    def places(self, server: int, count: int, barred: np.ndarray) -> np.ndarray:
        """``count`` free places of a server, in its row: of the cell that they break up least, else the first ones."""
        row, start = self.spot[server]
        usable = ~(self.held[row] | self.absent[row] | barred[row])[start : start + self.server]
        size = power(max(1, count))
        while size <= self.server:
            cells = usable.reshape(-1, size)
            holding = np.flatnonzero(cells.sum(axis=1) >= count)
            if len(holding):
                cell = int(holding[np.argmin([_around(usable, int(each) * size, size) for each in holding])])
                return start + cell * size + np.flatnonzero(cells[cell])[:count]
            size *= 2
        return start + np.flatnonzero(usable)[:count]

    def counts(self, mask: np.ndarray) -> np.ndarray:
        """How many places of each server ``mask`` has; int array of shape (servers,)."""
        sums = mask.reshape(len(mask), -1, self.server).sum(axis=2)
        known = self.who >= 0
        counts = np.zeros(len(self.spot), dtype=np.int64)
        counts[self.who[known]] = sums[known]
        return counts


def _around(usable: np.ndarray, start: int, size: int) -> int:
    """Size of the largest cell around a place that is free altogether."""
    while size < len(usable):
        begin = start // (2 * size) * (2 * size)
        if not usable[begin : begin + 2 * size].all():
            break
        start, size = begin, 2 * size
    return size
