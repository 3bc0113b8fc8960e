"""Target tracking of AWS, for anything that is counted: two alarms, an adjustment in proportion, a wait."""

from __future__ import annotations

import math
import operator

from simulator.policies.alarms import Alarm
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision


class Tracking:
    """Keeps the mean of a metric over members near ``target``: grows in proportion, shrinks late.

    Two alarms watch the metric: it is above the target in ``out_periods`` periods in a row, or below ``in_share`` of it
    in ``in_periods``. Wanted are then ceil(members x metric / target), so that the metric comes to the target or below
    (Application Auto Scaling user guide, 2025, "How target tracking scaling works": it rounds so as to add enough and
    not to remove too much). Without a datapoint nothing happens. Raises ``ValueError`` for what makes no sense.
    """

    def __init__(
        self,
        target: float,
        capacity: Capacity,
        out_periods: int,
        in_periods: int,
        in_share: float,
        scale_in: bool = True,
    ) -> None:
        if not 0 < in_share <= 1:
            raise ValueError(f"in_share is {in_share:g}; it must be above 0 and at most 1")
        self._target, self._capacity, self._scale_in = target, capacity, scale_in
        self._high = Alarm(operator.gt, target, out_periods, name="out_periods")
        self._low = Alarm(operator.lt, target * in_share, in_periods, name="in_periods")

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._high.reset()
        self._low.reset()
        self._capacity.reset()

    def step(self, now: float, ready: int, coming: int, mean: float | None) -> Decision:
        """Return how many are wanted of a thing of which so many take work and so many are coming.

        ``mean`` is the metric over those that take work; None where it cannot be had.
        """
        have = ready + coming
        current = self._capacity.warm(now, ready)
        high, low = self._high.see(mean), self._low.see(mean)
        if mean is None:
            return Decision(have, "no data", {"ready": ready, "coming": coming})
        inputs = {"metric": mean, "target": self._target, "ready": ready, "coming": coming, "counted": current}
        if high:
            more = self._fitting(current, mean) - current
            wanted = self._capacity.base(now, current) + more
            number, rule = self._capacity.grow(now, have, wanted)
            return Decision(number, rule or "alarm high", inputs, runner_up=current + more if rule else have)
        wanted = self._fitting(ready, mean)
        if low and self._scale_in:
            number, rule = self._capacity.shrink(now, have, coming, wanted)
            return Decision(number, rule or "alarm low", inputs, runner_up=wanted if rule else have)
        return Decision(have, "scale-in disabled" if low else "no alarm", inputs, runner_up=wanted)

    def _fitting(self, members: int, mean: float) -> int:
        return math.ceil(members * mean / self._target - 1e-9)
