"""No backfilling."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.policies.api import Action, ClusterView
from simulator.policies.backfill import backfills
from simulator.policies.order import Order, in_order


@backfills.register("none")
class NoBackfill:
    """Nobody passes: the head of the queue blocks the rest."""

    name = "none"
    greedy = False

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start jobs in order while they fit."""
        return in_order(view, order.waiting(view))
