"""Whether what runs on a node could run elsewhere: the what-if before a node is taken away."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.policies.nodes.demand import kind_of
from simulator.policies.nodes.room import Room
from simulator.policies.supply import Resident


class Drain:
    """Nodes whose residents are moved in thought, one node after the other, each move seen by the next.

    ``rows`` are the rows of ``Nodes`` that ``room`` holds, in its order. Residents of a priority below ``expendable``
    need no place and nobody's leave (kubernetes/autoscaler, ``--expendable-pods-priority-cutoff``).
    """

    def __init__(self, room: Room, rows: Sequence[int], expendable: float = -math.inf) -> None:
        self.room, self._expendable = room, expendable
        self._place = {row: place for place, row in enumerate(rows)}
        self._moved: dict[int, list[Resident]] = {}

    def blocker(self, residents: Sequence[Resident]) -> str:
        """Return why residents may not be evicted, empty if they may."""
        for one in residents:
            if not one.movable and one.priority >= self._expendable:
                return f"{one.id} may not be evicted" + (f": {one.why}" if one.why else "")
        return ""

    def empty(self, row: int, residents: Sequence[Resident]) -> str:
        """Move the residents of a node elsewhere and close it; return why that cannot be, empty if it is done."""
        why = self.blocker(residents)
        if why:
            return why
        place = self._place.get(row, -1)
        mark = self.room.begin()
        if place >= 0:
            self.room.open[place] = False
        targets: list[tuple[int, Resident]] = []
        for one in [*residents, *self._moved.get(place, ())]:
            if one.priority < self._expendable:
                continue
            kind = kind_of(one)
            at = self.room.first(kind)
            if at < 0:
                self.room.undo(mark)
                if place >= 0:
                    self.room.open[place] = True
                return f"{one.id} fits nowhere else"
            self.room.take(at, kind)
            targets.append((at, one))
        for at, one in targets:
            self._moved.setdefault(at, []).append(one)
        return ""

    def make_way(self, residents: Sequence[Resident]) -> None:
        """Keep room for the residents of a node that is on its way out, where there is any."""
        for one in residents:
            kind = kind_of(one)
            at = self.room.first(kind)
            if at >= 0:
                self.room.take(at, kind)
                self._moved.setdefault(at, []).append(one)
