"""A scheduler of parts: an order of the queue, who may pass, and whether running jobs are stopped for better ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from simulator.policies.api import Action, ClusterView, Preempt
from simulator.policies.backfill import Backfill, backfills
from simulator.policies.order import Keyed, Order
from simulator.policies.orders import orders
from simulator.policies.parts import make_part
from simulator.policies.preemption import take_over
from simulator.workload.jobs import Job

_HOOKS = ("on_submit", "on_finish", "on_tick", "reset")


class Composed:
    """An order of the queue, a way of backfilling, and preemption or not: every queueing policy is one of these.

    ``order`` and ``backfill`` are a name, a mapping of ``kind`` and parameters, an object, or a function: of an order
    ``(job) -> value``, the smallest goes first; of backfilling ``(view, waiting) -> actions``. With ``preempt`` the
    jobs that the order ranks first have the cluster, and running ones are stopped for them, the worst first; who may
    pass a job that does not fit even so, ``backfill`` says.
    """

    def __init__(
        self,
        order: str | Mapping[str, Any] | Callable[..., Any] | Order = "fifo",
        backfill: str | Mapping[str, Any] | Callable[..., Any] | Backfill = "none",
        preempt: bool = False,
        name: str = "",
    ) -> None:
        self.order = make_order(order)
        self.backfill = make_backfill(backfill)
        self.preempt = preempt
        self.name = name or _named(self.order, self.backfill, preempt)
        parts = (self.order, self.backfill)
        self.interval = min((each for part in parts if (each := getattr(part, "interval", 0.0)) > 0), default=0.0)
        self.always = any(getattr(part, "always", False) for part in parts)
        for hook in _HOOKS:
            calls = [getattr(part, hook) for part in parts if hasattr(part, hook)]
            if calls:
                setattr(self, hook, calls[0] if len(calls) == 1 else _Both(*calls))
        self._after = [part.after_pass for part in parts if hasattr(part, "after_pass")]
        self._wakes = [part for part in parts if hasattr(part, "wake")]

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Let jobs take over if they may, then start what the backfilling lets start."""
        actions = self._with_preemption(view) if self.preempt else self.backfill.fill(view, self.order)
        return self._and_after(view, actions) if self._after else actions

    def _and_after(self, view: ClusterView, actions: Iterable[Action]) -> Iterator[Action]:
        stopped = False
        for action in actions:
            stopped = stopped or type(action) is Preempt
            yield action
        for hook in self._after:
            hook(view, stopped or len(view.queue) > 0)

    def _with_preemption(self, view: ClusterView) -> Iterator[Action]:
        acted = False
        for action in take_over(view, self.order, passing=self.backfill.greedy):
            acted = True
            yield action
        if acted and hasattr(self.backfill, "upset"):
            self.backfill.upset()
        if not self.backfill.greedy and len(view.queue):
            yield from self.backfill.fill(view, self.order)

    @property
    def wake(self) -> float:
        """The time (s) at which a part wants to be asked next; there is none where no part ever does."""
        if not self._wakes:
            raise AttributeError("no part of this scheduler wakes it")
        return min((part.wake for part in self._wakes), default=math.inf)

    def notes(self) -> list[str]:
        """What a reader of the results must know of the parts."""
        return [note for part in (self.order, self.backfill) if hasattr(part, "notes") for note in part.notes()]


class _Both:
    """A hook of two parts, called in turn."""

    def __init__(self, first: Callable[[Any], None], second: Callable[[Any], None]) -> None:
        self._first, self._second = first, second

    def __call__(self, argument: Any) -> None:
        self._first(argument)
        self._second(argument)


class _Function:
    """Backfilling by a function ``(view, waiting) -> actions``."""

    greedy = False

    def __init__(self, function: Callable[[ClusterView, Iterator[Job]], Iterable[Action]]) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function = function

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Ask the function."""
        return iter(self._function(view, order.waiting(view)) or ())


def make_order(value: Any) -> Order:
    """Return an order of the queue by name, mapping, class, object, or key function ``(job) -> value``."""
    return make_part(orders, value, "waiting", Keyed, "(job) -> value")


def make_backfill(value: Any) -> Backfill:
    """Return a way of backfilling by name, mapping, class, object, or function ``(view, waiting) -> actions``."""
    return make_part(backfills, value, "fill", _Function, "(view, waiting) -> actions")


def _named(order: Order, backfill: Backfill, preempt: bool) -> str:
    name = str(getattr(order, "name", type(order).__name__))
    name += f" + {getattr(backfill, 'name', type(backfill).__name__)}" if backfill.name != "none" else ""
    return name + " (preemptive)" * preempt
