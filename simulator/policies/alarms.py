"""Alarms of a metric that are on after so many datapoints beyond a threshold, as Amazon CloudWatch has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Alarm:
    """Is on while at least ``datapoints`` of the last ``periods`` datapoints are beyond a threshold.

    ``beyond(value, threshold)`` compares, as ``operator.gt`` does; ``datapoints`` is ``periods`` unless given. One
    datapoint is seen a period; both sides are rounded to nine decimals, so that 0.72 is not below 0.9 x 0.8. An alarm
    that stays on asks for its action again in every period, as alarms with Auto Scaling actions do (Amazon CloudWatch
    user guide, 2025, "Alarm actions"). A period without a datapoint is passed over, and the alarm is off in it. Raises
    ``ValueError`` for periods below 1 and for more datapoints than periods.

    >>> import operator
    >>> alarm = Alarm(operator.gt, threshold=50.0, periods=3)
    >>> [alarm.see(value) for value in (60.0, 51.0, 50.0, 51.0, 52.0, 53.0, None, 54.0)]
    [False, False, False, False, False, True, False, True]
    """

    def __init__(
        self,
        beyond: Callable[[float, float], bool],
        threshold: float,
        periods: int,
        datapoints: int | None = None,
        name: str = "periods",
    ) -> None:
        if periods < 1:
            raise ValueError(f"{name} is {periods}; it must be 1 or more")
        needed = periods if datapoints is None else datapoints
        if not 1 <= needed <= periods:
            raise ValueError(f"{needed} datapoints of {periods} can never be; it must be 1 to {periods}")
        self.threshold = round(threshold, 9)
        self._beyond, self._needed = beyond, needed
        self._seen: deque[bool] = deque(maxlen=periods)

    def reset(self) -> None:
        """Forget what was seen: a new run begins."""
        self._seen.clear()

    def see(self, value: float | None) -> bool:
        """Take the datapoint of a period, None for one that is missing; return whether the alarm is on."""
        if value is None:
            return False
        self._seen.append(self._beyond(round(value, 9), self.threshold))
        return sum(self._seen) >= self._needed
