"""Links on the clock: capacities that change, links that go down and come up again, and when routing has noticed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from simulator.core.clock import Clock, Phase
from simulator.core.errors import InputError
from simulator.runtime.crowd import Crowd
from simulator.runtime.router import Router

CapacityEvent = tuple[float, int, float]
"""(time in s, link index, bytes/s): from then on the link has this capacity."""
LinkEvent = tuple[float, int, bool]
"""(time in s, link index, whether it is up): a link that is down carries nothing."""
Note = Callable[[str, str, float], None]
"""Writes down an event: what happened, to which link, and its capacity (bytes/s) from now on."""


class Links:
    """Applies the changes of links to the network, and lets routing know ``reroute`` seconds later.

    Until then traffic on a dead link stands still; then it takes another way, if there is one. A link that comes back
    carries at once what still waits for it, and is chosen again after the same delay.
    """

    def __init__(self, clock: Clock, crowd: Crowd, router: Router, reroute: float, note: Note) -> None:
        self._clock, self._crowd, self._router = clock, crowd, router
        self._reroute, self._note = reroute, note
        self._capacity = [float(value) for value in router.topology.capacity]
        self._down: dict[int, None] = {}
        self._planned: dict[int, None] = {}
        self._times: list[float] = []

    def plan(self, capacities: Sequence[CapacityEvent], ups: Sequence[LinkEvent]) -> None:
        """Put all changes on the clock; raise ``InputError`` for a link that is not there or a number that is none."""
        for time, link, capacity in capacities:
            self._check(f"capacity event at {time:g} s", link)
            if not (0 <= time < math.inf and 0 <= capacity < math.inf):
                raise InputError(
                    f"capacity event ({time!r} s, link {link}, {capacity!r} B/s): numbers must be 0 or more"
                )
            self._planned[int(link)] = None
            self._clock.at(time, self._set_capacity, link, capacity, phase=Phase.FAILURES)
        for time, link, up in ups:
            self._check(f"link event at {time:g} s", link)
            if not 0 <= time < math.inf:
                raise InputError(f"link event ({time!r} s, link {link}): the time must be 0 or more")
            self._planned[int(link)] = None
            self._clock.at(time, self._set_up, link, up, phase=Phase.FAILURES)
        self._times = [time for time, *_ in (*capacities, *ups)]

    def remarks(self, end: float, used: Mapping[int, None]) -> list[str]:
        """Sentences on changes that changed nothing: later than ``end`` (s), when all was over, or of unused links."""
        found = []
        late = sum(time > end for time in self._times)
        if late:
            found.append(f"{late:,} changes of links came after the end of the run and changed nothing.")
        idle = [link for link in self._planned if link not in used]
        if idle:
            src, dst = self._router.topology.ends[idle[0]]
            what = "1 link" if len(idle) == 1 else f"{len(idle):,} links"
            where = f"the first is {src} -> {dst}"
            found.append(f"What happened to {what} changed nothing: nothing was ever sent there ({where}).")
        return found

    def set_capacity(self, link: int, capacity: float) -> None:
        """Change the capacity (bytes/s) of a link now; one that is down has it when it comes up."""
        if capacity != self._capacity[link]:
            self._set_capacity(link, capacity)

    def set_up(self, link: int, up: bool) -> None:
        """Take a link down or up now; one that is so already stays as it is."""
        self._set_up(link, up)

    def _check(self, what: str, link: int) -> None:
        count = len(self._capacity)
        if isinstance(link, bool) or not isinstance(link, int | np.integer) or not 0 <= link < count:
            raise InputError(f"{what}: there is no link {link}; links are 0 to {count - 1}")

    def _set_capacity(self, link: int, capacity: float) -> None:
        self._capacity[link] = capacity
        if link not in self._down:
            self._note("capacity", str(link), capacity)
            self._crowd.set_capacity(link, capacity)

    def _set_up(self, link: int, up: bool) -> None:
        if up != (link in self._down):
            return
        if up:
            del self._down[link]
        else:
            self._down[link] = None
        self._note("link-up" if up else "link-down", str(link), self._capacity[link] if up else 0.0)
        self._crowd.set_capacity(link, self._capacity[link] if up else 0.0)
        self._clock.after(self._reroute, self._converge, link, phase=Phase.FAILURES)

    def _converge(self, link: int) -> None:
        self._router.set_up(link, link not in self._down)
