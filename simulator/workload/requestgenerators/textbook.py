"""Requests of queueing theory and of benchmarks: independent of each other, lengths of known laws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.core.errors import InputError
from simulator.core.units import PerSecond
from simulator.workload.lengths import Length, drawn_lengths
from simulator.workload.presets import MONDAY
from simulator.workload.requestarrivals import arrival_times, checked_rate, rate_note
from simulator.workload.requestgenerators import generator
from simulator.workload.requestlog import RequestLog
from simulator.workload.sampling import Draws

_INPUT: Length = {"lognormal": {"mean": 1000, "cv": 1.0}}
_OUTPUT: Length = {"lognormal": {"mean": 200, "cv": 0.8}}
"""Round numbers near those of Azure's conversations of 2023: 1,195 and 202 tokens, variation 0.97 and 0.80."""


@generator("poisson")
def poisson(
    draws: Draws, requests: int, rate: PerSecond | None = None, input: Length = _INPUT, output: Length = _OUTPUT
) -> RequestLog:
    """Poisson arrivals, independent lengths of a given law; for queueing theory.

    ``rate`` in requests/s. ``input`` and ``output`` in tokens: a number, ``{uniform: [low, high]}``, ``{lognormal:
    {mean: 1000, cv: 1}}`` or another law of ``simulator.workload.lengths``.
    """
    rate = checked_rate(rate)
    columns = {"arrival": arrival_times(draws, requests, rate)} | drawn_lengths(draws, requests, input, output)
    return RequestLog(f"poisson-{draws.seed}", columns, notes=(rate_note(columns["arrival"]),))


@generator("profile")
def profile(
    draws: Draws,
    requests: int,
    rate: PerSecond | None = None,
    arrivals: Mapping[str, Any] | None = None,
    input: Length = _INPUT,
    output: Length = _OUTPUT,
) -> RequestLog:
    """Arrivals with bursts, a day curve or slow random swings; independent lengths of a given law.

    ``rate`` in requests/s, on average. ``arrivals``: ``{on: 10 s, off: 50 s, idle: 0.1}``, ``{hours: [24 numbers],
    weekdays: [7 numbers]}``, ``{swings: [{share: 1, cv: 0.5, memory: 10 min}], step: 10 s}`` or ``{cv: 3}``, with
    ``clumps: {mean: 2, gap: 5 ms}`` beside any of them, as ``simulator.workload.requestarrivals`` says. A day curve
    begins on a Monday at 0:00. ``input`` and ``output`` as those of ``poisson``.
    """
    rate = checked_rate(rate)
    if not arrivals:
        raise InputError("arrivals: say how requests come, such as {on: 10 s, off: 50 s}, or take 'poisson'")
    columns = {"arrival": arrival_times(draws, requests, rate, arrivals)} | drawn_lengths(
        draws, requests, input, output
    )
    origin = MONDAY if {*arrivals} & {"hours", "weekdays"} else None
    return RequestLog(f"profile-{draws.seed}", columns, origin=origin, notes=(rate_note(columns["arrival"]),))
