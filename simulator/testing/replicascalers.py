"""What every autoscaler of replicas must do."""

from __future__ import annotations

import math
from typing import Any

from simulator.policies.serving import ReplicaScaler, ServiceObservation, replica_scalers
from simulator.testing.running import asked, made_scaler, run_all
from simulator.testing.services import observations


def check_replica_scaler(scaler: Any) -> None:
    """Put an autoscaler of replicas (a name, an object or a class) through what ``ReplicaScalerContract`` promises.

    >>> check_replica_scaler("target-tracking")
    """

    class Given(ReplicaScalerContract):
        def make(self) -> Any:
            return scaler

    run_all(Given())


class ReplicaScalerContract:
    """What every autoscaler of replicas must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the autoscaler: a name, an object or a class."""
        raise NotImplementedError("return your autoscaler from make()")

    def test_has_an_interval(self) -> None:
        """``interval`` is the time between two steps, 0 when there is only the first one."""
        interval = getattr(self._scaler(), "interval", None)
        good = isinstance(interval, int | float) and not isinstance(interval, bool) and 0 <= interval < math.inf
        assert good, f"interval is {interval!r}; it must be a finite number of seconds, 0 for the first step only"

    def test_answers_with_a_number_of_replicas(self) -> None:
        """Whatever it is told, ``step`` returns a whole number, 0 or more."""
        for wanted, seen in _answers(self._scaler()):
            whole = hasattr(wanted, "__index__") and not isinstance(wanted, bool)
            assert whole, f"step returned {wanted!r} for {seen}; it must be a whole number of replicas"
            assert wanted >= 0, f"step returned {wanted!r} for {seen}; there are no negative replicas"

    def test_gives_the_same_answers_again(self) -> None:
        """It reads no clock and keeps nothing from one run to the next."""
        used = self._scaler()
        first, again = ([wanted for wanted, _ in _answers(used)] for _ in range(2))
        assert first == again, (
            "the same observations lead to other answers the second time. Most likely it keeps state (the times of its "
            "last changes, averages) without a method reset() that clears it, or reads the clock of the machine"
        )

    def _scaler(self) -> ReplicaScaler:
        scaler: ReplicaScaler = made_scaler(self.make(), replica_scalers)
        return scaler


def _answers(scaler: ReplicaScaler) -> list[tuple[int, ServiceObservation]]:
    """What it wants after each of many observations in a row, one interval apart."""
    reset = getattr(scaler, "reset", None)
    if reset is not None:
        reset()
    seen = list(observations(300))
    return [(asked(scaler, step * (float(scaler.interval) or 60.0), each), each) for step, each in enumerate(seen)]
