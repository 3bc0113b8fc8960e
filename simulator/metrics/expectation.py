"""Lines such as ``las.jct.p50 <= 0.9 * fifo.jct.p50`` or ``fifo.wait.mean <= 2 h``: read safely, judged later.

A line compares two sides with ``<=``, ``<``, ``>=``, ``>``, ``==`` or ``!=``. A side is a measure of an alternative
(``name.measure``; the name may be left out when there is only one), a number times that, or a quantity with its unit.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError
from simulator.core.units import parse as quantity
from simulator.metrics import measures
from simulator.metrics.measure import Measure

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_SPLIT = re.compile(r"(<=|>=|==|!=|<|>)")
_FACTOR = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*\*\s*(.*)", re.DOTALL)
_RATE = re.compile(r"\s*(requests?|req|tokens?|tok)?/s$")
_ENTERED = {"token energy": "energy"}
_FORM = "write for example 'las.jct.p50 <= fifo.jct.p50' or 'fifo.wait.mean <= 2 h'"


@dataclass(frozen=True, slots=True)
class Reference:
    """``factor`` times a measure of an alternative."""

    alternative: str
    measure: Measure
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an expectation: whether it held, and a sentence with the numbers."""

    expression: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """A line that was understood; a side is a ``Reference`` or a number in the unit of the measure opposite."""

    expression: str
    left: Reference | float
    operator: str
    right: Reference | float

    def judge(self, value: Callable[[str, str], float]) -> Outcome:
        """Compare, ``value(alternative, measure)`` giving the numbers. False when a number is missing (NaN)."""
        measured = next(side.measure for side in (self.left, self.right) if isinstance(side, Reference))
        numbers = [
            side.factor * value(side.alternative, side.measure.name) if isinstance(side, Reference) else side
            for side in (self.left, self.right)
        ]
        scale = measured.scale(numbers)
        left, right = (scale.text(number * measured.si, digits=6) for number in numbers)
        ok = _OPERATORS[self.operator](*numbers) and all(number == number for number in numbers)
        return Outcome(self.expression, ok, f"{self.expression}: {left} {self.operator} {right} is {str(ok).lower()}")


def parse(expression: str, alternatives: Sequence[str]) -> Expectation:
    """Understand one line; ``alternatives`` are the names it may use.

    Raises ``InputError`` naming the part that is wrong and the nearest valid choice.

    >>> parse("fifo.wait.mean <= 2 h", ["fifo", "las"]).right
    7200.0
    """
    parts = [part.strip() for part in _SPLIT.split(expression)]
    if len(parts) != 3 or not parts[0] or not parts[2]:
        count = len(parts) // 2
        raise _wrong(expression, f"has {count} comparisons, one is needed" if count != 1 else "lacks a side", _FORM)
    sides = [_reference(part, expression, alternatives) for part in (parts[0], parts[2])]
    dimensions = [side.measure.dimension for side in sides if side is not None]
    if not dimensions:
        raise _wrong(expression, "names no measure", _FORM)
    if len(set(dimensions)) > 1:
        raise _wrong(expression, f"compares a {dimensions[0]} with a {dimensions[1]}", _FORM)
    measured = next(side.measure for side in sides if side is not None)
    left, right = (
        side if side is not None else _number(part, measured, expression)
        for side, part in zip(sides, (parts[0], parts[2]), strict=True)
    )
    return Expectation(expression, left, parts[1], right)


def _wrong(expression: str, what: str, hint: str) -> InputError:
    return InputError(Problem(f"expectation {expression!r} {what}", hint=hint))


def _reference(text: str, expression: str, alternatives: Sequence[str]) -> Reference | None:
    match = _FACTOR.fullmatch(text)
    factor, text = (float(match[1]), match[2].strip()) if match else (1.0, text)
    for name in sorted(alternatives, key=len, reverse=True):
        if text.startswith(f"{name}."):
            return Reference(name, _measure(text[len(name) + 1 :], expression), factor)
    if text in measures.MEASURES:
        if len(alternatives) != 1:
            choices = ", ".join(f"{name}.{text}" for name in alternatives)
            raise _wrong(expression, f"does not say which alternative {text!r} is of", f"write one of {choices}")
        return Reference(alternatives[0], measures.get(text), factor)
    if match or (text[:1].isalpha() and "." in text):
        name = text.partition(".")[0]
        raise _wrong(expression, f"names an unknown alternative {name!r}", did_you_mean(name, alternatives))
    return None


def _measure(name: str, expression: str) -> Measure:
    try:
        return measures.get(name)
    except InputError as error:
        raise InputError(Problem(f"expectation {expression!r}: {error}")) from None


def _number(text: str, measured: Measure, expression: str) -> float:
    try:
        if measured.dimension in ("count", "factor", "request rate", "token rate"):
            return float(_RATE.sub("", text).replace("_", ""))
        return quantity(text, _ENTERED.get(measured.dimension, measured.dimension)) / measured.si
    except UnitError as error:
        raise _wrong(expression, f"does not fit {measured.name}: {error}", _FORM) from None
    except ValueError:
        raise _wrong(expression, f"does not fit {measured.name}: {text!r} is not a number", _FORM) from None
