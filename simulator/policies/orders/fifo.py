"""First in, first out."""

from __future__ import annotations

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders


@orders.register("fifo")
class Fifo(Keyed):
    """In the order of submission; of the same instant the shorter first, then the smaller, by estimate."""

    def __init__(self) -> None:
        super().__init__(turn, "fifo")
