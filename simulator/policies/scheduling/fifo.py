"""First in, first out."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed


@schedulers.register("fifo")
class Fifo(Composed):
    """First in, first out; the head of the queue blocks the rest."""

    def __init__(self) -> None:
        super().__init__("fifo", name="fifo")
