"""Shares of accelerators, by server and accelerator, in thousandths."""

from __future__ import annotations

import numpy as np

MILLI = 1000
"""Shares of an accelerator and cores are counted in thousandths, as Kubernetes counts milli-CPU, and memory in whole
bytes, so that sums stay exact however often something is taken and given back."""


def milli(share: float) -> int:
    """Thousandths of an accelerator that a share takes: at least one."""
    return max(1, round(share * MILLI))


class Shares:
    """What shares leave of the accelerators that they live on.

    Whole gangs are counted by the allocator, not numbered: a fresh accelerator is any that no share lives on.
    """

    def __init__(self, totals: np.ndarray) -> None:
        self._totals = totals
        self._rooms: dict[int, list[int]] = {}
        self.largest = np.zeros(len(totals))
        """Largest free part of an accelerator that is shared already, by server."""
        self.beside = np.zeros(len(totals), dtype=np.int64)
        """Thousandths that are free beside shares, by server."""

    def room(self, server: int, device: int) -> int:
        """What is free of an accelerator; ``MILLI`` where no share lives."""
        rooms = self._rooms.get(server)
        return rooms[device] if rooms else MILLI

    def take(self, server: int, wanted: int, device: int = -1) -> tuple[int, bool]:
        """Take a share; return its accelerator and whether no share lived there before.

        It lands on ``device``, or if that is -1 on the shared accelerator that it fills up most, else on a fresh one.
        """
        rooms = self._rooms.setdefault(server, [MILLI] * int(self._totals[server]))
        if device < 0:
            fitting = [(room, number) for number, room in enumerate(rooms) if wanted <= room < MILLI]
            device = min(fitting)[1] if fitting else rooms.index(MILLI)
        fresh = rooms[device] == MILLI
        rooms[device] -= wanted
        self._note(server, rooms)
        return device, fresh

    def give(self, server: int, device: int, given: int) -> bool:
        """Give a share back; return whether no share lives there any more. ``ValueError``: more than was taken."""
        rooms = self._rooms[server]
        rooms[device] += given
        if rooms[device] > MILLI:
            raise ValueError("more of a share than it gave")
        self._note(server, rooms)
        return rooms[device] == MILLI

    def row(self, server: int, free: int) -> list[int]:
        """What is free of each accelerator of a server of which ``free`` are free altogether.

        Those that whole gangs hold are shown as the last ones that no share lives on.
        """
        rooms = list(self._rooms.get(server) or (MILLI,) * int(self._totals[server]))
        for device, room in enumerate(rooms):
            if room == MILLI:
                rooms[device] = MILLI if free > 0 else 0
                free -= 1
        return rooms

    def _note(self, server: int, rooms: list[int]) -> None:
        partial = [room for room in rooms if room < MILLI]
        self.largest[server] = max(partial, default=0) / MILLI
        self.beside[server] = sum(partial)
