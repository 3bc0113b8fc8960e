"""Lengths of prompts and answers in tokens, and times between requests, as a user writes their laws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.workload.laws import FAMILIES, Law, law
from simulator.workload.sampling import Draws
from simulator.workload.trace import Columns

Length = float | Mapping[str, Any]
"""A number of tokens, or a law of it."""
_MEANS = {"mean", "cv"}
_KNOWN = ("fixed", "uniform", *FAMILIES, "p", "v")
_TOP = 1 - 1e-9
_LOGARITHMS = ("mu",)
"""Parameters of families that may be below 0."""
_LIMITS = ("at_least", "at_most")
LONGEST = 10_000_000
"""Most tokens of one prompt or answer that is drawn."""


def length_law(what: str, given: Length) -> Law:
    """Return a law of whole numbers of tokens, 1 or more, from uniform numbers.

    ``given`` is a number; ``{fixed: 512}``; ``{uniform: [low, high]}``, both ends included; ``{lognormal: {mean: 512,
    cv: 0.8}}``, ``cv`` being the coefficient of variation; ``{p: [...], v: [...]}``, a table of quantiles; or what
    else ``workload.laws`` knows. ``at_least`` and ``at_most`` beside it cut the values. ``what`` is the name of the
    option. Raises ``InputError`` for what is no such law.

    >>> length_law("output", {"uniform": [1, 4]})(np.array([0.0, 0.3, 0.99])).tolist()
    [1, 2, 4]
    """
    if isinstance(given, int | float) and not isinstance(given, bool):
        value = _length(what, given)
        return lambda uniform: np.full(len(uniform), max(round(value), 1), dtype=np.int64)
    if not isinstance(given, Mapping) or not given:
        raise InputError(f"{what}: {given!r} is neither a number of tokens nor a law such as {{lognormal: ...}}")
    for name in given:
        if name not in (*_KNOWN, *_LIMITS):
            raise InputError(f"{what}: unknown law {name!r}. {did_you_mean(str(name), _KNOWN)}")
    low, high = _limits(what, given)
    drawn = _tried(what, _law(what, {name: value for name, value in given.items() if name not in _LIMITS}), given)
    if drawn(np.array([_TOP]))[0] == 0:
        raise InputError(f"{what}: {dict(given)!r} gives no tokens at all")

    def whole(uniform: np.ndarray) -> np.ndarray:
        values: np.ndarray = np.clip(np.round(drawn(uniform)), low, high).astype(np.int64)
        return values

    return whole


def _tried(what: str, drawn: Law, given: Mapping[str, Any]) -> Law:
    """Return a law that gives numbers of 0 or more; ``InputError`` for parameters with which it does not."""
    try:
        with np.errstate(all="ignore"):
            samples = drawn(np.array([0.0, 0.5, _TOP]))
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{what}: {dict(given)!r} is no law: {error}") from None
    if not np.all(samples >= 0):
        raise InputError(f"{what}: {dict(given)!r} gives values below 0, or no numbers")
    return drawn


def _limits(what: str, given: Mapping[str, Any]) -> tuple[float, float]:
    low, high = given.get("at_least", 1), given.get("at_most", LONGEST)
    for name, value in (("at_least", low), ("at_most", high)):
        if not isinstance(value, int | float) or not 1 <= value <= LONGEST:
            raise InputError(f"{what}, {name}: {value!r} is not a number of tokens from 1 to {LONGEST:,}")
    if low > high:
        raise InputError(f"{what}: at_least {low:g} is more than at_most {high:g}")
    return float(low), float(high)


def _law(what: str, given: Mapping[str, Any]) -> Law:
    if set(given) == {"fixed"}:
        value = _length(f"{what}, fixed", given["fixed"])
        return lambda uniform: np.full(len(uniform), value)
    if set(given) == {"uniform"}:
        return _uniform(what, given["uniform"])
    if set(given) == {"p", "v"}:
        return _table(what, given["p"], given["v"])
    if set(given) == {"lognormal"} and isinstance(given["lognormal"], Mapping) and set(given["lognormal"]) == _MEANS:
        mean, cv = (_above_zero(f"{what}, {name}", given["lognormal"][name]) for name in ("mean", "cv"))
        sigma = math.sqrt(math.log1p(cv * cv))
        return law({"lognormal": {"mu": math.log(mean) - sigma * sigma / 2, "sigma": sigma}})
    for name, parameters in given.items():
        if name in FAMILIES and not isinstance(parameters, Mapping):
            raise InputError(f"{what}: {name} takes parameters by name, not {parameters!r}")
        if name in FAMILIES:
            _check_signs(f"{what}, {name}", parameters)
    try:
        return law(given)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None


def _check_signs(what: str, parameters: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a parameter of a family that is no number, or below 0; only logarithms may be that."""
    for name, given in parameters.items():
        for value in given if isinstance(given, list | tuple) else (given,):
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise InputError(f"{what}, {name}: {value!r} is not a number")
            if name not in _LOGARITHMS and not value >= 0:
                raise InputError(f"{what}, {name}: {value:g} is not a number of 0 or more")


def _uniform(what: str, ends: Any) -> Law:
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise InputError(f"{what}: uniform takes [low, high], not {ends!r}")
    low, high = (_above_zero(f"{what}, uniform", end) for end in ends)
    if low > high or low != int(low) or high != int(high):
        raise InputError(f"{what}: uniform takes two whole numbers, the lower first, not {ends!r}")
    return lambda uniform: np.minimum(np.floor(low + uniform * (high - low + 1)), high)


def _table(what: str, p: Any, v: Any) -> Law:
    good = all(isinstance(each, list | tuple) and len(each) > 1 for each in (p, v)) and len(p) == len(v)
    numbers = good and all(isinstance(each, int | float) for each in (*p, *v))
    if not numbers or sorted(p) != list(p) or sorted(v) != list(v) or (p[0], p[-1]) != (0, 1) or v[0] <= 0:
        raise InputError(f"{what}: p and v are equally long rising lists, p from 0 to 1 and v above 0")
    return law({"p": p, "v": v})


def _length(what: str, given: Any) -> float:
    value = _above_zero(what, given)
    if value > LONGEST:
        raise InputError(f"{what}: {value:g} is more than {LONGEST:,} tokens")
    return value


def _above_zero(what: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InputError(f"{what}: {value!r} is not a number above 0")
    if not 0 < value < math.inf:
        raise InputError(f"{what}: {value:g} is not a number above 0")
    return float(value)


def seconds_law(what: str, given: Any) -> Law:
    """Return a law of seconds: of a number, of a text such as ``"30 s"``, or of a law whose values are such.

    ``{exponential: {mean: 30 s}}``, ``{lognormal: {mean: 30 s, cv: 2}}``, ``{uniform: [10 s, 1 min]}`` and what else
    ``workload.laws`` knows. Raises ``InputError`` for what is no law of times of 0 or more.

    >>> seconds_law("think", {"uniform": ["10 s", "1 min"]})(np.array([0.5])).tolist()
    [35.0]
    """
    if not isinstance(given, Mapping):
        value = _seconds(what, given)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise InputError(f"{what}: {given!r} is neither a time such as '30 s' nor a law of times")
        return lambda uniform: np.full(len(uniform), float(value))
    plain = {
        name: {key: _seconds(what, value) for key, value in row.items()} if isinstance(row, Mapping) else row
        for name, row in given.items()
    }
    if set(plain) == {"uniform"}:
        ends = [_seconds(what, end) for end in plain["uniform"]] if isinstance(plain["uniform"], list | tuple) else []
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends) or not 0 <= ends[0] <= ends[1]:
            raise InputError(f"{what}: uniform takes [low, high], the lower first, not {given['uniform']!r}")
        return lambda uniform: ends[0] + uniform * (ends[1] - ends[0])
    for name in plain:
        if name not in (*FAMILIES, "p", "v"):
            raise InputError(f"{what}: unknown law {name!r}. {did_you_mean(str(name), (*FAMILIES, 'uniform'))}")
    return _tried(what, _law(what, plain), given)


def _seconds(what: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse(value, "time")
    except UnitError as error:
        raise InputError(f"{what}: {error}") from None


def drawn_lengths(draws: Draws, count: int, input: Length, output: Length) -> Columns:
    """Draw independent lengths of prompts and answers, each from a stream of its own."""
    laws = {"input": length_law("input", input), "output": length_law("output", output)}
    return {name: np.asarray(law(draws.stream(name).random(count))) for name, law in laws.items()}


def pairs(generator: np.random.Generator, count: int, spearman: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return two columns of uniform numbers whose ranks are correlated: a Gaussian copula.

    Normal variables of correlation 2 sin(pi r / 6) have Spearman's correlation r (Pearson 1907). A longer draw begins
    with the shorter one.
    """
    from scipy.special import ndtr

    normal = generator.standard_normal((count, 2))
    keep = 2 * math.sin(math.pi * spearman / 6)
    second = keep * normal[:, 0] + math.sqrt(1 - keep * keep) * normal[:, 1]
    return np.asarray(ndtr(normal[:, 0])), np.asarray(ndtr(second))
