"""Gangs as clusters of containers have them: so many instances, each with its own part of an accelerator or several.

A job here takes whole accelerators, or a share below 1 of a single one. Four instances with half an accelerator each
are neither, so a choice must be made; the user makes it by the option ``fractions``, and a note counts the cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects

Fractions = Literal["pack", "round-up", "split"]
"""What becomes of instances with a part of an accelerator each.

``pack``: one job of as many whole accelerators as hold the sum of the parts, or of a share if that is below 1: the
demand is right to less than one accelerator, and instances sit together. ``round-up``: one job in which each instance
has accelerators of its own. ``split``: each instance is a job, right in demand and shape, but no longer starting and
ending with the others.
"""
_RULES = ("pack", "round-up", "split")
_NOTES = {
    "pack": "jobs of instances with a part of an accelerator each, packed together: {n}",
    "round-up": "jobs of instances with a part of an accelerator each, given whole ones (fractions: round-up): {n}",
    "split": "jobs of instances with a part of an accelerator each, every instance a job of its own: {n}",
}
_NOT_WHOLE = "jobs of one instance with more than one accelerator and a part, rounded up: {n}"
_FREE = "jobs on GPUs of model {model}, which is not enforced (option types): {{n}}"
_ALMOST = 1e-9


def checked_fractions(rule: str) -> str:
    """Return ``rule`` if it is one of the three; raise ``InputError`` otherwise."""
    return one_of("fractions", rule, _RULES)


def gang_sizes(rows: Rows, each: np.ndarray, instances: np.ndarray, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the accelerators of each job, and how many jobs each row becomes (1, or with ``split`` its instances).

    ``each`` is accelerators of one instance, ``instances`` how many of them a row has. Counts in notes what is bent.
    """
    parts = (instances > 1) & (each != np.floor(each))
    rows.count(_NOTES[rule], parts.sum())
    rows.count(_NOT_WHOLE, np.sum((instances <= 1) & (each > 1) & (each != np.floor(each))))
    if rule == "pack":
        return _whole(each * instances), np.ones(len(each), dtype=np.int64)
    if rule == "round-up":
        return np.where(parts, np.ceil(each) * instances, _whole(each * instances)), np.ones(len(each), dtype=np.int64)
    return _whole(np.where(parts, each, each * instances)), np.where(parts, instances, 1).astype(np.int64)


def _whole(values: np.ndarray) -> np.ndarray:
    """Round up what is above 1; keep shares; a sum that is a whole number but for rounding is that number."""
    near = np.round(values)
    close = np.abs(values - near) < _ALMOST * np.maximum(1.0, values)
    up: np.ndarray = np.where(close, near, np.where(values > 1, np.ceil(values), values))
    return up


@dataclass(frozen=True, slots=True)
class Models:
    """Which accelerators jobs ask for by the ``model`` that a trace names.

    ``types`` calls models by catalog ids. The others are asked for by their own name if they are ``binding``, as where
    the servers of the trace are known by them; else anything will do, and a note counts the jobs, by model.
    """

    types: Mapping[str, str]
    binding: bool
    _found: dict[str, None] = field(default_factory=dict)

    def wanted(self, rows: Rows, column: str) -> np.ndarray:
        """Return the accelerator types of each row, as tuples."""
        models = rows.texts(column)
        counts = Counter(filter(None, models))
        self._found.update(dict.fromkeys(counts))
        for model, number in counts.items():
            if model not in self.types and not self.binding:
                rows.count(_FREE.format(model=model), number)
        named = {model: (self.types.get(model, model),) for model in counts if self.binding or model in self.types}
        return as_objects(named.get(model, ()) for model in models)

    def check(self) -> None:
        """Raise ``InputError`` for each of the ``types`` that no job asks for."""
        strange = [name for name in self.types if name not in self._found]
        if strange:
            raise InputError(
                *(f"types: no job asks for {name!r}. {did_you_mean(name, self._found)}" for name in strange)
            )
