"""Boots of nodes that have a name, for ``simulator list boots``."""

from __future__ import annotations

from typing import Any


def boots() -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return heads and rows: each boot, how long it takes in the mean, its phases, and where that comes from."""
    from simulator.core.units import format_quantity
    from simulator.scenario.groupbuild import presets
    from simulator.scenario.groupkeys import LawKeys, boot_of

    def mean(law: LawKeys) -> float:
        return law.mean if law.mean is not None else ((law.low or 0.0) + (law.high or 0.0)) / 2

    rows = []
    for name, row in presets().items():
        phases = boot_of(row["phases"])
        assert not isinstance(phases, str)
        means = {phase: mean(law) for phase, law in phases.items()}
        told = " + ".join(f"{phase} {format_quantity(seconds, 'time', 3)}" for phase, seconds in means.items())
        total = format_quantity(sum(means.values()), "time", 3)
        rows.append((name, total, told, row["confidence"], row["date"]))
    return ("boot", "in the mean", "phases", "source", "date"), rows
