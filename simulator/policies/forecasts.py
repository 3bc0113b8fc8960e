"""Forecasts of a load: Holt-Winters, and what a user passes."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, Protocol

Forecast = Callable[[Sequence[float], Sequence[float], float], float]
"""A function of the times and values seen so far, and of the seconds ahead."""


class Forecaster(Protocol):
    """Takes values as they come and says what will be. With ``reset()`` it forgets; it is called before each run."""

    def update(self, now: float, value: float) -> None:
        """Take the value of a moment (s)."""
        ...

    def forecast(self, now: float, lead: float) -> float | None:
        """Return the value ``lead`` seconds from now, 0 or more; None when it cannot tell."""
        ...


class HoltWinters:
    """Additive Holt-Winters: level, trend and a season, each smoothed; values come once an ``interval``.

    Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 8.3, in component form:
    level = alpha (y - season) + (1 - alpha)(level + trend), trend = beta (level - level before) + (1 - beta) trend,
    season = gamma (y - level before - trend before) + (1 - gamma) season. Its first values come from whole seasons:
    after one, its mean, no trend, and what is left; after two, the trend between their means, and what is left, mean
    over both. So a series that is a line plus a season is told without error from then on.

    ``deviation`` is the standard deviation of an error so many values ahead, section 8.7 (ETS(A,A,A)), with the
    variance of the errors made so far one value ahead. ``forecast`` is the mean plus as many deviations as make the
    true value stay below it with probability ``confidence``. The smoothing parameters are ours.

    Raises ``ValueError`` for a season that is shorter than two intervals and for parameters outside 0 to 1.

    >>> model = HoltWinters(season=4.0, interval=1.0)
    >>> for now, value in enumerate((10, 20, 30, 20, 14, 24, 34, 24)):
    ...     model.update(now, value)
    >>> [round(model.mean(steps), 9) for steps in (1, 2, 3, 4, 5)]
    [18.0, 28.0, 38.0, 28.0, 22.0]
    """

    def __init__(
        self,
        season: float = 86400.0,
        interval: float = 60.0,
        alpha: float = 0.3,
        beta: float = 0.01,
        gamma: float = 0.3,
        confidence: float = 0.9,
    ) -> None:
        for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value:g}; it must be 0 to 1")
        if not 0 < confidence < 1:
            raise ValueError(f"confidence is {confidence:g}; it must be above 0 and below 1")
        if not 2 * interval <= season < math.inf:
            raise ValueError(f"season is {season:g} s; it must be at least two intervals, {2 * interval:g} s")
        self.length = round(season / interval)
        """Values in a season."""
        self._interval, self._alpha, self._beta, self._gamma = interval, alpha, beta, gamma
        self._quantile = NormalDist().inv_cdf(confidence)
        self.reset()

    def reset(self) -> None:
        """Forget all values: a new run begins."""
        self._first: list[float] = []
        self._count = 0
        self._level = self._trend = self._squares = self._errors = 0.0
        self._season: list[float] = []

    @property
    def ready(self) -> bool:
        """Whether it has seen a whole season."""
        return self._count >= self.length

    def update(self, now: float, value: float) -> None:
        """Take the next value; ``now`` is not looked at."""
        if self.ready:
            self._smooth(value)
        self._count += 1
        if self._count <= 2 * self.length:
            self._first.append(value)
        if self._count in (self.length, 2 * self.length):
            self._begin()

    def _smooth(self, value: float) -> None:
        place = self._count % self.length
        before, season = self._level + self._trend, self._season[place]
        error = value - before - season
        self._squares, self._errors = self._squares + error * error, self._errors + 1
        level = self._alpha * (value - season) + (1 - self._alpha) * before
        self._trend = self._beta * (level - self._level) + (1 - self._beta) * self._trend
        self._season[place] = self._gamma * (value - before) + (1 - self._gamma) * season
        self._level = level

    def _begin(self) -> None:
        """Level, trend and season of the one or two seasons seen, and the errors that they leave."""
        size, seen = self.length, self._first
        seasons = len(seen) // size
        means = [sum(seen[size * k : size * (k + 1)]) / size for k in range(seasons)]
        self._trend = (means[-1] - means[0]) / size if seasons > 1 else 0.0
        line = [means[0] + self._trend * (at - (size - 1) / 2) for at in range(len(seen))]
        left = [value - on for value, on in zip(seen, line, strict=True)]
        self._season = [sum(left[at::size]) / seasons for at in range(size)]
        self._level = line[-1]
        self._squares = sum((each - self._season[at % size]) ** 2 for at, each in enumerate(left))
        self._errors = float(max(1, size - 1)) if seasons > 1 else 0.0

    def mean(self, steps: int) -> float:
        """The value so many values ahead, 1 or more; only once it is ``ready``."""
        return self._level + steps * self._trend + self._season[(self._count - 1 + steps) % self.length]

    def deviation(self, steps: int) -> float:
        """Standard deviation of the error so many values ahead; 0 before any error was made."""
        if not self._errors:
            return 0.0
        a, b, g, m, h = self._alpha, self._alpha * self._beta, self._gamma, self.length, steps
        k = (h - 1) // m
        grown = (h - 1) * (a * a + a * b * h + b * b * h * (2 * h - 1) / 6)
        return math.sqrt(self._squares / self._errors * (1 + grown + g * k * (2 * a + g + b * m * (k + 1))))

    def forecast(self, now: float, lead: float) -> float | None:
        """Upper bound of the value ``lead`` seconds ahead, in whole intervals; None before a season was seen."""
        if not self.ready:
            return None
        steps = max(1, math.ceil(lead / self._interval - 1e-9))
        return self.mean(steps) + self._quantile * self.deviation(steps)


class _Called:
    """A function dressed as a forecaster: it is told all that was seen."""

    def __init__(self, function: Forecast) -> None:
        self._function = function
        self.reset()

    def reset(self) -> None:
        self._times: list[float] = []
        self._values: list[float] = []

    def update(self, now: float, value: float) -> None:
        self._times.append(now)
        self._values.append(value)

    def forecast(self, now: float, lead: float) -> float | None:
        return self._function(self._times, self._values, lead)


class Fresh:
    """A forecaster as its user passed it, fresh for each run: a class, an object, or a function.

    An object without ``reset()`` is copied before it is used. Raises ``ValueError`` for what is none of them.
    """

    def __init__(self, given: Any) -> None:
        made: Any = given() if inspect.isclass(given) else given
        if not callable(getattr(made, "forecast", None)) or not callable(getattr(made, "update", None)):
            if not callable(made):
                raise ValueError(
                    f"forecaster is {given!r}; it must be a function (times, values, lead), or have update(now, value) "
                    "and forecast(now, lead)"
                )
            made = _Called(made)
        self._pristine: Any = made
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        again = getattr(self._pristine, "reset", None)
        if callable(again):
            again()
            self.now: Forecaster = self._pristine
        else:
            self.now = copy.deepcopy(self._pristine)

    def forecast(self, now: float, lead: float) -> float | None:
        """Return the value ``lead`` seconds from now, or None.

        Raises ``ValueError`` for what is no load. Holt-Winters, which adds a trend, may fall below 0.
        """
        ahead = self.now.forecast(now, lead)
        if ahead is None or isinstance(self.now, HoltWinters):
            return ahead
        if isinstance(ahead, str | bool) or not hasattr(ahead, "__float__") or not 0 <= float(ahead) < math.inf:
            text = f"the forecaster returned {ahead!r} for {lead:g} s ahead"
            raise ValueError(f"{text}; it must be a finite load, 0 or more, or None when it cannot tell")
        return float(ahead)
