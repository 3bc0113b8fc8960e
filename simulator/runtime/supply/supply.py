"""Groups of nodes that come and go, and the controller that sizes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any

from simulator.core.clock import Phase
from simulator.core.errors import InputError, PolicyError
from simulator.policies.supply import Autoscaler, Grow, Remove, Replace, SupplyAction, SupplyObservation
from simulator.runtime.disruption import Disruption
from simulator.runtime.supply.actions import Actions
from simulator.runtime.supply.drains import Drains
from simulator.runtime.supply.groups import Group, check, largest, numbers
from simulator.runtime.supply.losses import Losses
from simulator.runtime.supply.market import Market
from simulator.runtime.supply.never import never
from simulator.runtime.supply.patience import Patience
from simulator.runtime.supply.pool import Pool
from simulator.runtime.supply.rest import Rest
from simulator.runtime.supply.sight import Sight
from simulator.runtime.supply.spending import Spending
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

PROMPT = 100
"""Most times that a prompt controller is asked within one instant (ours), so that it cannot hold up the clock."""
KEEP = 10.0
"""Seconds between two looks at groups without a controller that have lost nodes (scan interval of the Kubernetes
cluster autoscaler 1.33)."""


class Supply:
    """The nodes of a run, in groups that share no server; servers in no group are always up.

    Without an ``autoscaler`` every group keeps its maximum. An autoscaler with a method ``reset()`` is reset at the
    beginning of each run. A group that falls below its minimum asks for nodes by itself at each step, as managed
    instance groups do.
    """

    def __init__(self, autoscaler: Autoscaler | None, groups: Sequence[Group]) -> None:
        self.autoscaler = autoscaler
        self.groups = tuple(groups)

    def attach(self, simulation: Simulation) -> None:
        """Take over the servers of a simulation that is about to run."""
        self._simulation = simulation
        self._check(simulation)
        scaler = self.autoscaler
        reset = getattr(scaler, "reset", None)
        if reset is not None:
            reset()
        self._prompt, self._detailed = bool(getattr(scaler, "prompt", False)), bool(getattr(scaler, "detailed", False))
        groups = self.groups if scaler is not None else tuple(_full(group) for group in self.groups)
        pool = self._pool = Pool(groups, simulation)
        disruption = Disruption(simulation)
        self.losses = Losses(groups, len(simulation.nodes))
        self._drains = Drains(pool, simulation, disruption, self.losses)
        self._market = Market(pool, simulation, self._drains)
        self._sight = Sight(pool, simulation, disruption)
        self._actions = Actions(pool, simulation, self._drains, self.kind, bool(getattr(scaler, "cancels", False)))
        pool.asked = self._market.asked
        self.spending = pool.spending
        self.spending.watts = simulation.meter.watts
        self._patience = Patience(simulation, self.kind)
        self._rest = Rest(scaler, pool, simulation)
        self._ticking = self._asking = False
        self._due = math.inf
        """When the next step is (s)."""
        self._instant, self._times = -1.0, 0
        self.largest = largest(groups, simulation.nodes.total)
        """Accelerators that may ever be up at once."""
        pool.begin()
        self._market.begin()

    def _check(self, simulation: Simulation) -> None:
        count = len(simulation.nodes)
        check(self.groups, count)
        for group in self.groups:
            wrong = numbers(group)
            if wrong:
                raise InputError(f"node group {group.name}: {wrong}")
        if not any(simulation.nodes.total[list(group.servers)].any() for group in self.groups):
            raise InputError("autoscaler: the servers of the topology have no accelerators to scale by")
        interval = getattr(self.autoscaler, "interval", KEEP if self.autoscaler is None else None)
        if not (isinstance(interval, int | float) and 0 < interval < math.inf):
            name = type(self.autoscaler).__name__
            raise InputError(f"autoscaler {name}: interval is {interval!r} s; it must be a finite number above 0")
        self._interval = float(interval)

    @property
    def kind(self) -> str:
        """What the controller is called."""
        if self.autoscaler is None:
            return "none"
        return str(getattr(self.autoscaler, "kind", "") or type(self.autoscaler).__name__)

    @property
    def provisioned(self) -> float:
        """Accelerators that are switched on and paid for, those that are always up included."""
        self._pool.look()
        return self._pool.paid

    def unfit(self, job: Job) -> str:
        """Say why a job can never run on the nodes that there may be; empty when it may."""
        return self._sight.unfit(job)

    def chain(self, placed: Callable[[Job], None] | None, lifted: Callable[[Job], None] | None) -> tuple[Any, Any]:
        """Return whom to tell that a job has got its accelerators, and that it loses them: us, and these."""
        pool = self._pool
        return _both(placed, pool.placed), _both(lifted, pool.lifted)

    # -- steps ------------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """A scheduling pass is over: let emptied nodes go, and keep the steps going while they can matter."""
        simulation = self._simulation
        self._drains.settle()
        if simulation.over() or self._patience.over or (self.autoscaler is None and not self._market.moves):
            return
        still = self._prompt and self._rest.still()
        if not self._ticking:
            self._tick_at(simulation.clock.now + self._pause())
        if self._prompt and not still:
            self._ask_at_once()
            sooner = simulation.clock.now + self._pause()
            if sooner < self._due:
                self._tick_at(sooner)

    def _tick_at(self, time: float) -> None:
        """Step at ``time`` (s), and not at the time that was set before."""
        self._ticking, self._due = True, time
        self._rest.expect()
        self._simulation.clock.at(time, self._tick, time, phase=Phase.TICKS)

    def _pause(self) -> float:
        """Seconds until the next step, which a controller may change from step to step."""
        interval = getattr(self.autoscaler, "interval", self._interval)
        if not 0 < interval < math.inf:
            now, name = self._simulation.clock.now, type(self.autoscaler).__name__
            raise PolicyError(
                f"autoscaler {name} at {now:g} s: interval is {interval!r}; it must be finite and above 0"
            )
        return float(interval)

    def _tick(self, due: float) -> None:
        if due != self._due:
            return
        self._ticking, self._due = False, math.inf
        if self._simulation.over():
            return
        booting, still = self._pool.roster.coming() > 0, self._rest.still()
        self._patience.rest(self._rest.wake(), booting)
        if self._patience.over:
            return
        if still and self._simulation.idle():
            self._tick_at(self._rest.leave_out(self._pause()))
            return
        changed = self._actions.keep_minimum()
        if still and not changed:
            self._rest.left.append(self._simulation.clock.now)
        else:
            changed = self._ask() or changed
            self._patience.note(changed, self._pool.roster.coming() > 0)
        self._rest.expect()
        self._simulation.pass_soon()

    def _ask_at_once(self) -> None:
        now = self._simulation.clock.now
        if now != self._instant:
            self._instant, self._times = now, 0
        if self._times < PROMPT:
            self._times += 1
            changed = self._ask()
            if changed:
                self._patience.note(changed, self._pool.roster.coming() > 0)

    def _ask(self) -> bool:
        """Ask the controller once, and do what it wants; return whether that changed anything."""
        if self.autoscaler is None:
            return False
        answer = self._answer(self.autoscaler, self._sight.all() if self._detailed else self._sight.sums())
        if isinstance(answer, int):
            return self._actions.number(answer)
        self._rest.stepped(bool(answer))
        changed = False
        for action in answer:
            changed = self._actions.do(action) or changed
        if self._detailed and not changed:
            self._actions.helpless(self._sight.pending())
        return changed

    def _answer(self, scaler: Autoscaler, seen: SupplyObservation) -> int | list[SupplyAction]:
        now, name = self._simulation.clock.now, type(scaler).__name__
        try:
            wanted: Any = scaler.step(now, seen)
            several = isinstance(wanted, Iterable) and not isinstance(wanted, str) and not hasattr(wanted, "__index__")
            listed = list(wanted) if several else None
        except (Exception, SystemExit) as error:
            raise PolicyError(f"autoscaler {name} at {now:g} s: {type(error).__name__}: {error}") from error
        if listed is None:
            return self._whole(wanted)
        if not all(isinstance(action, Grow | Remove | Replace) for action in listed):
            raise self._strange(listed)
        return listed

    def _whole(self, wanted: Any) -> int:
        try:
            number: int = index(wanted)
        except TypeError:
            raise self._strange(wanted) from None
        if number < 0:
            now, name = self._simulation.clock.now, type(self.autoscaler).__name__
            raise PolicyError(f"autoscaler {name} at {now:g} s: step returned {number} nodes; it must be 0 or more")
        return wanted if isinstance(wanted, int) else number

    def _strange(self, wanted: object) -> PolicyError:
        now, name = self._simulation.clock.now, type(self.autoscaler).__name__
        return PolicyError(
            f"autoscaler {name} at {now:g} s: step returned {wanted!r}, not a number of nodes, nor any of Grow, Remove "
            "and Replace"
        )

    # -- the end ----------------------------------------------------------------------------------------------------

    def notes(self) -> list[str]:
        """Return sentences on a controller that was not asked to the end, and on jobs that never got their nodes."""
        return [*self._patience.notes(), *never(self._simulation, self._pool, self._sight)]

    def close(self, now: float) -> Spending:
        """Settle and return the accounts of the groups."""
        self.spending.close(now)
        return self.spending


def _full(group: Group) -> Group:
    """Return a group that always has all the nodes that it may have."""
    limits = [len(group.servers), group.maximum, group.quota]
    most = min(limit for limit in limits if limit is not None)
    return replace(group, minimum=most, initial=most)


def _both(first: Callable[[Job], None] | None, then: Callable[[Job], None]) -> Callable[[Job], None]:
    if first is None:
        return then
    other = first

    def tell(job: Job) -> None:
        other(job)
        then(job)

    return tell
