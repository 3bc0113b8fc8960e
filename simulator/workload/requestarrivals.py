"""When requests come: Poisson, renewals, on and off, day curves and slow random swings, at a given mean rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, format_quantity, parse
from simulator.workload.presets import MONDAY
from simulator.workload.sampling import Draws, Rhythm, Swing, modulated_times, poisson_times

Arrivals = Mapping[str, Any]
"""How requests come, as a user writes it; empty for a Poisson process."""
KNOWN = ("cv", "on", "off", "idle", "hours", "weekdays", "swings", "step", "clumps")
_RHYTHM = {"hours", "weekdays", "swings"}
_HOURS, _DAYS = 24, 7
_STEP = 60.0
_PHASES = 1024


def checked_rate(rate: float | None) -> float:
    """Return a rate (1/s); ``InputError`` for none, and for what is no number above 0."""
    if rate is None:
        raise InputError("how often do requests come? Give rate, such as '5 /s'")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise InputError(f"rate: {rate!r} is not a number above 0")
    return float(rate)


def rate_note(arrival: np.ndarray) -> str:
    """Say how many requests were generated, and how often they come in the log itself; ``arrival`` in s."""
    count, span = len(arrival), float(np.ptp(arrival)) if len(arrival) else 0.0
    told = f"generated: {count:,} request{'s' * (count != 1)}"
    return f"{told} in {format_quantity(span, 'time')}, {count / span:.4g} requests/s" if span > 0 else told


def arrival_times(draws: Draws, count: int, rate: float, arrivals: Arrivals | None = None) -> np.ndarray:
    """Return ``count`` sorted times (s) of arrivals at ``rate`` (1/s) on average.

    ``arrivals`` is empty for a Poisson process; ``{cv: 3}`` for gaps that are independent gamma variables of that
    coefficient of variation; ``{on: 10 s, off: 50 s, idle: 0.1}`` for a process that switches between two rates after
    exponential times, ``idle`` being the lower over the higher one (0 unless given). Any of ``hours`` (24 multipliers),
    ``weekdays`` (7, Monday first, which is when it begins) and ``swings`` (a list of ``{share, cv, memory}``, gamma
    multipliers of mean 1, see ``sampling.Swing``; ``step`` seconds apart) make a doubly stochastic Poisson process.
    ``clumps: {mean: 2, gap: 5 ms}`` beside any of these lets each arrival be a clump of a geometric number of requests,
    exponential gaps apart. Raises ``InputError`` for what makes no sense.
    """
    given = dict(arrivals or {})
    for name in given:
        if name not in KNOWN:
            raise InputError(f"arrivals: unknown key {name!r}. {did_you_mean(str(name), KNOWN)}")
    clumps = given.pop("clumps", None)
    if clumps is None:
        return _times(draws, count, rate, given)
    mean, gap = _clumps(clumps)
    sizes = draws.stream("clumps").geometric(1 / mean, count)
    starts = np.append(0, np.cumsum(sizes))
    needed = int(np.searchsorted(starts, count))
    times = _times(draws, needed, rate / mean, given)
    gaps = draws.stream("clump-gaps").standard_exponential(int(starts[needed])) * gap
    gaps[starts[:needed]] = 0.0
    since = np.cumsum(gaps)
    within = since - np.repeat(since[starts[:needed]], sizes[:needed])
    all_times: np.ndarray = np.sort((np.repeat(times, sizes[:needed]) + within)[:count])
    return all_times


def _times(draws: Draws, count: int, rate: float, given: Mapping[str, Any]) -> np.ndarray:
    kinds = [bool(given.keys() & keys) for keys in ({"cv"}, {"on", "off", "idle"}, _RHYTHM | {"step"})]
    if sum(kinds) > 1:
        raise InputError(f"arrivals: {', '.join(given)} contradict each other: gaps (cv), phases (on, off) or a rhythm")
    if kinds[0]:
        cv = _number("cv", given["cv"])
        gaps = draws.stream("arrivals").standard_gamma(cv**-2, count) * cv**2
        times: np.ndarray = np.cumsum(gaps) / rate
        return times
    if kinds[1]:
        return _switching(draws, count, rate, given)
    if kinds[2]:
        return modulated_times(draws, count, rate, MONDAY, rhythm(given))
    return poisson_times(draws, count, rate)


def rhythm(given: Mapping[str, Any]) -> Rhythm:
    """Return the rhythm that ``hours``, ``weekdays``, ``swings`` and ``step`` describe."""
    profiles = {
        field: _profile(name, given[name], length)
        for field, name, length in (("hour_of_day", "hours", _HOURS), ("day_of_week", "weekdays", _DAYS))
        if name in given
    }
    swings = tuple(_swing(row) for row in given.get("swings", ()))
    if swings and not math.isclose(sum(each.share for each in swings), 1.0, abs_tol=1e-6):
        raise InputError(f"arrivals, swings: the shares add up to {sum(each.share for each in swings):g}, not to 1")
    return Rhythm(swings=swings, step=_seconds("step", given.get("step", _STEP)), **profiles)


def _switching(draws: Draws, count: int, rate: float, given: Mapping[str, Any]) -> np.ndarray:
    """Times of a Markov-modulated Poisson process of two rates (Fischer and Meier-Hellstern 1993), on first."""
    if "on" not in given or "off" not in given:
        raise InputError("arrivals: 'on' and 'off' go together, as in {on: 10 s, off: 50 s}")
    on, off = _seconds("on", given["on"]), _seconds("off", given["off"])
    idle = given.get("idle", 0.0)
    if not isinstance(idle, int | float) or isinstance(idle, bool) or not 0 <= idle <= 1:
        raise InputError(f"arrivals, idle: {idle!r} is not a share from 0 to 1 of the rate while it is on")
    high = rate * (on + off) / (on + idle * off)
    phases = draws.stream("phases")
    edges, integral = np.zeros(1), np.zeros(1)
    needed = np.cumsum(draws.stream("arrivals").standard_exponential(count))
    while integral[-1] < needed[-1]:
        lengths = phases.standard_exponential((_PHASES, 2)) * (on, off)
        amounts = lengths * (high, high * idle)
        edges = np.append(edges, edges[-1] + np.cumsum(lengths))
        integral = np.append(integral, integral[-1] + np.cumsum(amounts))
    times: np.ndarray = np.interp(needed, integral, edges)
    return times


def _clumps(given: Any) -> tuple[float, float]:
    if not isinstance(given, Mapping) or set(given) != {"mean", "gap"}:
        raise InputError(f"arrivals, clumps: {given!r} is not as {{mean: 2, gap: 5 ms}}")
    mean = _number("clumps, mean", given["mean"])
    if mean < 1:
        raise InputError(f"arrivals, clumps, mean: {mean:g} requests in a clump; 1 or more")
    return mean, _seconds("clumps, gap", given["gap"])


def _swing(row: Any) -> Swing:
    if not isinstance(row, Mapping) or set(row) != {"share", "cv", "memory"}:
        raise InputError(f"arrivals, swings: {row!r} is not as {{share: 1, cv: 0.5, memory: 10 min}}")
    share, cv = (_number(f"swings, {name}", row[name]) for name in ("share", "cv"))
    return Swing(share, cv, _seconds("swings, memory", row["memory"]))


def _profile(name: str, values: Any, length: int) -> tuple[float, ...]:
    numbers = isinstance(values, list | tuple) and all(isinstance(each, int | float) for each in values)
    if not numbers or len(values) != length or min(values) < 0 or not sum(values):
        raise InputError(f"arrivals, {name}: {values!r} is not a list of {length} numbers of 0 or more, not all 0")
    return tuple(float(each) for each in values)


def _seconds(name: str, value: Any) -> float:
    try:
        seconds = parse(value, "time") if isinstance(value, str) else value
    except UnitError as error:
        raise InputError(f"arrivals, {name}: {error}") from None
    return _number(name, seconds)


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError(f"arrivals, {name}: {value!r} is not a number above 0")
    return float(value)
