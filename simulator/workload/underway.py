"""Sessions as a window of time shows them: some have begun before it, some are not over when it ends.

Sessions that begin in a window of T seconds and go on behind it are wrapped round: what would come k windows later
comes in this one, at the same time of the window, as a session that began k windows before. So as many requests come
per second at its beginning as at its end, and all requests of the sessions that begin in T come in T. It is the
stationary process of clusters (Daley and Vere-Jones, "An Introduction to the Theory of Point Processes", 2nd ed.,
section 6.3), made periodic.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import format_quantity
from simulator.workload.requestarrivals import Arrivals, arrival_times, rate_note
from simulator.workload.sampling import Draws

TOKEN = 0.02
"""Seconds that a token of an answer is taken to need, unless said: 50 tokens/s, a round number."""


def token_time(answer: float) -> float:
    """Return the seconds that a token of an answer is taken to need; ``InputError`` for what is no time."""
    if not isinstance(answer, int | float) or isinstance(answer, bool) or not 0 <= answer < math.inf:
        raise InputError(f"answer: {answer!r} is not the time that a token of an answer needs, such as '20 ms'")
    return float(answer)


class Starts(NamedTuple):
    """When sessions begin (s, from 0 on), and how many seconds the window has in which they do."""

    times: np.ndarray
    window: float


def session_starts(draws: Draws, count: int, requests: int, rate: float, arrivals: Arrivals | None) -> Starts:
    """Return when ``count`` sessions begin that have ``requests`` requests together, at ``rate`` (requests/s).

    The window ends where one more session would begin. Without ``arrivals`` it has exactly ``requests`` / ``rate``
    seconds: a Poisson process, given how many come in it, is so many uniform times (Ross, "Introduction to Probability
    Models", section 5.3). With ``arrivals`` it is as long as bursts and day curves make it, as for requests without
    sessions.
    """
    times = arrival_times(draws, count + 1, rate * count / requests, arrivals)
    if arrivals:
        return Starts(times[:count], float(times[count]))
    window = requests / rate
    return Starts(times[:count] * (window / times[count]), window)


class Seen(NamedTuple):
    """Requests of sessions as a window shows them, in the order given."""

    arrival: np.ndarray
    """Seconds from the begin of the window, less than its length."""
    piece: np.ndarray
    """The number of the session, or of the part of one, that a request belongs to."""
    before: np.ndarray
    """Whether the session has begun before the window."""


def seen(times: np.ndarray, sessions: np.ndarray, window: float) -> Seen:
    """Return requests of ``sessions`` (numbers, in order) as a window of ``window`` seconds shows them.

    ``times`` (s) are those of requests, from the begin of the window, rising within each session. The parts that a
    session falls into know nothing of each other: they stand for different sessions.
    """
    laps = np.floor(times / window)
    arrival = np.clip(times - laps * window, 0.0, np.nextafter(window, 0.0))
    first = np.append(True, (laps[1:] != laps[:-1]) | (sessions[1:] != sessions[:-1]))[: len(times)]
    return Seen(arrival, np.cumsum(first) - 1, laps > 0)


def numbered(*keys: np.ndarray) -> np.ndarray:
    """Return numbers from 0 on that change wherever one of ``keys`` does from one request to the next."""
    change = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in keys:
        change |= key[1:] != key[:-1]
    found: np.ndarray = np.cumsum(np.append(0, change)) if len(keys[0]) else np.zeros(0, dtype=np.int64)
    return found


def notes(shown: Seen, answer: float) -> tuple[str, ...]:
    """Say how often requests come, how many sessions were under way at time 0, and what was assumed of the service."""
    begun = len(np.unique(shown.piece[shown.before]))
    told = f"later requests of a session come as if answers took {format_quantity(answer, 'time')} a token"
    return (
        rate_note(shown.arrival),
        *([f"sessions that began before time 0, of which only the later requests come: {begun:,}"] if begun else []),
        f"{told}, and later where they take longer",
    )
