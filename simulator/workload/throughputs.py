"""Measured paces of training: steps per second by model, number and type of accelerators, packed or spread out.

``table("gavel")`` returns the numbers that come with the project; another table is another file in
``simulator/workload/data/throughputs``. ``Throughputs.speedup`` turns steps of a model into the pace of a job.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simulator.core.errors import InputError, did_you_mean
from simulator.workload.speedup import ByType

DATA = Path(__file__).parent / "data" / "throughputs"


@dataclass(frozen=True, slots=True)
class Throughputs:
    """Steps per second of whole gangs.

    ``packed[model][accelerators][type]`` is the pace of a gang on as few servers as can be, ``spread`` that of one over
    more servers. A pace of 0 means that it does not run there. ``reference`` is the type whose seconds the workloads
    that go with the table state as durations.
    """

    name: str
    summary: str
    source: str
    types: tuple[str, ...]
    reference: str
    packed: Mapping[str, Mapping[int, Mapping[str, float]]]
    spread: Mapping[str, Mapping[int, Mapping[str, float]]]

    def models(self, accelerators: int = 1) -> tuple[str, ...]:
        """Return the models that were measured on that many accelerators, in the order of the table."""
        return tuple(model for model, counts in self.packed.items() if accelerators in counts)

    def rate(self, model: str, accelerators: float, type: str, spread: bool = False) -> float:
        """Return steps/s of ``model``; 0 where it does not run.

        Raises ``InputError`` with the nearest choice for a model, number or type that the table does not have.

        >>> round(table("gavel").rate("ResNet-50 (batch size 64)", 1, "v100"), 3)
        4.395
        """
        return self._row(model, accelerators, spread)[self._type(type)]

    def steps(self, model: str, accelerators: float, seconds: float, type: str = "") -> float:
        """Return the steps that ``model`` takes in ``seconds``, packed, on ``type`` (the reference unless given)."""
        return seconds * self.rate(model, accelerators, type or self.reference)

    def speedup(self, model: str, accelerators: float, steps: float, names: Mapping[str, str] | None = None) -> ByType:
        """Return the pace of a job of so many ``steps`` on a gang of ``accelerators``.

        Its duration is in seconds on the reference type, packed, where that has a pace of 1; other types are relative
        to it. ``names`` renames types, for example to the ids of a topology: ``{"v100": "nvidia/v100-sxm2-32"}``.
        """
        if not 0 < steps < math.inf:
            raise InputError(f"steps: {steps!r} is not a number above 0")
        whole = self.rate(model, accelerators, self.reference)
        if not whole:
            raise InputError(f"{model!r} does not run on {accelerators:g} of type {self.reference!r}")
        named = {kind: (names or {}).get(kind, kind) for kind in self.types}
        packed, spread = (
            {named[kind]: rate / whole for kind, rate in self._row(model, accelerators, wide).items()}
            for wide in (False, True)
        )
        return ByType(steps / whole, packed, spread if accelerators > 1 else None)

    def _row(self, model: str, accelerators: float, spread: bool) -> Mapping[str, float]:
        if model not in self.packed:
            raise InputError(f"throughputs {self.name!r} have no model {model!r}. {did_you_mean(model, self.packed)}")
        counts = (self.spread if spread else self.packed)[model]
        if accelerators not in counts:
            known = ", ".join(map(str, counts))
            told = f"throughputs {self.name!r} have no {accelerators:g} accelerators for {model!r}; they have {known}"
            raise InputError(told)
        return counts[int(accelerators)]

    def _type(self, type: str) -> str:
        if type not in self.types:
            raise InputError(f"throughputs {self.name!r} have no type {type!r}. {did_you_mean(type, self.types)}")
        return type


def tables() -> list[str]:
    """Return the names of the tables that come with the project."""
    return sorted(path.stem for path in DATA.glob("*.yaml"))


@cache
def table(name: str = "gavel") -> Throughputs:
    """Read a table; raises ``InputError`` with the nearest name for one that is not there."""
    import yaml

    if name not in tables():
        raise InputError(f"unknown throughputs {name!r}. {did_you_mean(name, tables())}")
    with (DATA / f"{name}.yaml").open(encoding="utf-8") as file:
        data: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    types = tuple(data["types"])
    packed: dict[str, dict[int, dict[str, float]]] = {}
    spread: dict[str, dict[int, dict[str, float]]] = {}
    for model, counts in data["models"].items():
        packed[model] = {count: _row(types, row["packed"]) for count, row in counts.items()}
        spread[model] = {count: _row(types, row.get("spread", row["packed"])) for count, row in counts.items()}
    return Throughputs(name, data["summary"], data["source"], types, data["reference"], packed, spread)


def _row(types: tuple[str, ...], rates: list[float]) -> dict[str, float]:
    return dict(zip(types, map(float, rates), strict=True))
