"""Backfilling: who may pass the head of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from simulator.core.registry import Registry
from simulator.policies.api import Action, ClusterView
from simulator.policies.order import Order


class Backfill(Protocol):
    """Starts waiting jobs in an order, and says which of them may pass those that do not fit.

    ``greedy`` says that any job that fits may pass, which a preemptive order then heeds too. The hooks and times of a
    scheduler (``on_submit``, ``on_finish``, ``reset``, ``wake``, ``notes`` ...) are optional, and so is ``upset()``,
    called when jobs were started or stopped by somebody else in the same pass.
    """

    name: str
    greedy: bool

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start the jobs that may start now."""
        ...


backfills: Registry[Callable[..., Backfill]] = Registry("backfill", "simulator.policies.backfill")
