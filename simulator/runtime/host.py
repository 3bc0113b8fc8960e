"""The scheduler of a run, kept at arm's length: what goes wrong inside it is reported as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from simulator.core.clock import Clock
from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.api import Action, ClusterView, Scheduler

_SHORTEST = 1e-3
"""Seconds between two ticks: with less a run would never end."""


class Host:
    """Calls a scheduler and its optional hooks, which are None where it has none.

    ``interval`` is the time (s) between two ticks, 0 for none; ``always`` whether it is asked though no job waits;
    ``wakes`` whether it names times at which it wants to be asked.
    """

    def __init__(self, scheduler: Scheduler, clock: Clock) -> None:
        self._scheduler, self._clock = scheduler, clock
        self.name = str(getattr(scheduler, "name", "") or type(scheduler).__name__)
        self.on_submit = self._hook("on_submit")
        self.on_finish = self._hook("on_finish")
        self.on_tick = self._hook("on_tick")
        self.interval: float = self._interval(getattr(scheduler, "interval", None))
        self.always = bool(getattr(scheduler, "always", False))
        self.wakes = hasattr(scheduler, "wake")

    def _interval(self, given: object) -> float:
        """Seconds between two ticks; 0 for none."""
        if given is None:
            return 0.0
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise self.error(f"interval is {given!r}; it must be a number of seconds")
        if 0 < given < _SHORTEST:
            raise self.error(f"interval is {given:g} s; it must be at least {_SHORTEST:g} s, or 0 for none")
        return float(given) if given > 0 else 0.0

    def reset(self, rng: np.random.Generator) -> None:
        """Say that a run begins, and give the random numbers that are the scheduler's own."""
        hook = self._hook("reset")
        if hook is not None:
            hook(rng)

    def ask(self, view: ClusterView) -> Iterator[Action]:
        """Yield what the scheduler wants."""
        try:
            yield from self._scheduler.schedule(view) or ()
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed("", error) from error

    def wake(self) -> float:
        """The time (s) at which the scheduler wants to be asked next."""
        at = self._scheduler.wake  # type: ignore[attr-defined]
        if not isinstance(at, int | float) or at != at:
            raise self.error(f"wake is {at!r}; it must be a time in seconds, or infinite")
        return at

    def notes(self) -> list[str]:
        """What a reader of the results must know of the scheduler."""
        tell = getattr(self._scheduler, "notes", None)
        return [str(note) for note in tell()] if callable(tell) else []

    def error(self, text: str) -> PolicyError:
        """Make the error for something that the scheduler may not do now."""
        return PolicyError(f"policy {self.name} at {self._clock.now:g} s: {text}")

    def _hook(self, name: str) -> Callable[[Any], None] | None:
        hook = getattr(self._scheduler, name, None)
        if hook is None:
            return None

        def call(argument: Any) -> None:
            try:
                hook(argument)
            except SimulatorError:
                raise
            except (Exception, SystemExit) as error:
                raise self._failed(f" in {name}", error) from error

        return call

    def _failed(self, where: str, error: BaseException) -> PolicyError:
        return PolicyError(f"policy {self.name} at {self._clock.now:g} s{where}: {type(error).__name__}: {error}")
