"""What controllers decided, and why: one row for each decision that changes something, or for another reason."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np

from simulator.core.clock import Clock
from simulator.metrics.recorder import DECISIONS, Table
from simulator.policies.decision import Decision

_PACK_EVERY = 4096


class Decisions:
    """The table ``decisions`` of one run while it grows.

    ``scaled`` is for controllers that answer again and again: an answer that changes nothing, by the same rule as the
    one before, leaves no row.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._table = Table(DECISIONS)
        self._rows = 0
        self._last: dict[tuple[str, str], tuple[int, int, str]] = {}

    def __len__(self) -> int:
        return self._rows

    def add(
        self,
        controller: str,
        subject: str,
        action: str,
        rule: str = "",
        *,
        before: float = math.nan,
        wanted: float = math.nan,
        applied: float = math.nan,
        runner_up: object = None,
        inputs: Mapping[str, object] | None = None,
    ) -> None:
        """Write a row; ``inputs`` are numbers or texts by name."""
        told = "" if runner_up is None else str(runner_up)
        row = (self._clock.now, controller, subject, action, before, wanted, applied, rule, told, _json(inputs))
        self._table.add(row)
        self._rows += 1
        if self._rows % _PACK_EVERY == 0:
            self._table.pack()

    def scaled(self, controller: str, subject: str, before: int, wanted: int, applied: int) -> None:
        """Write down what a controller of a number wants, unless that is nothing new."""
        rule = wanted.rule if isinstance(wanted, Decision) else ""
        key, answer = (controller, subject), (int(wanted), applied, rule)
        if applied == before and self._last.get(key, (before, before, "")) == answer:
            return
        self._last[key] = answer
        runner_up, inputs = (wanted.runner_up, wanted.inputs) if isinstance(wanted, Decision) else (None, None)
        self.add(
            controller, subject, "scale", rule, before=before, wanted=int(wanted), applied=applied,
            runner_up=runner_up, inputs=inputs,
        )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns; see ``metrics.recorder.DECISIONS``."""
        return self._table.arrays()


def _json(inputs: Mapping[str, object] | None) -> str:
    if not inputs:
        return ""
    return json.dumps({name: _plain(value) for name, value in inputs.items()}, separators=(", ", ": "))


def _plain(value: object) -> object:
    """A number as JSON has it: infinite ones and NaN as text."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        return round(number, 9) if math.isfinite(number) else str(number)
    return str(value)
