"""What runs on the accelerators and cores of a replica of a load: a rate at which work is served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Owner(Protocol):
    """What a replica must know of its load."""

    @property
    def share(self) -> float:
        """Seconds that a replica which takes work all the time has worked, up to now."""

    def turned(self, rate: float) -> None:
        """A replica takes work now, at so much a second, or takes no more (below 0)."""

    def gone(self) -> None:
        """A replica has lost its place."""


class Pod:
    """One replica. Work is that of the load as a whole, so none is lost with a replica, and it may go at once."""

    __slots__ = ("_owner", "_since", "_taking", "busy", "number", "rate")

    def __init__(self, owner: Owner, number: int, rate: float) -> None:
        self._owner, self.number, self.rate = owner, number, rate
        self._taking, self._since = False, 0.0
        self.busy = 0.0
        """Seconds that it has worked, as of when it last ceased to take work."""

    @property
    def taking(self) -> bool:
        """Whether it takes work."""
        return self._taking

    @taking.setter
    def taking(self, value: bool) -> None:
        if value == self._taking:
            return
        self._taking = value
        self._owner.turned(self.rate if value else -self.rate)
        if value:
            self._since = self._owner.share
        else:
            self.busy += self._owner.share - self._since

    @property
    def outstanding(self) -> float:
        """Nothing: its load keeps the work."""
        return 0.0

    def busy_until(self, now: float) -> float:
        """Seconds that it has worked until ``now``."""
        return self.busy + (self._owner.share - self._since if self._taking else 0.0)

    def stop(self) -> Sequence[Any]:
        """It loses its place, and no work with it."""
        self.taking = False
        self._owner.gone()
        return ()
