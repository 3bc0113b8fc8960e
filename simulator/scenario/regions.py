"""Regions: carbon intensities over time."""

from __future__ import annotations

from pathlib import Path

from simulator.runtime.supply.steps import Steps
from simulator.scenario.groupkeys import CarbonFile, RegionKeys
from simulator.scenario.spec import Scenario
from simulator.workload.supplytraces import columns

GRAMS_PER_KWH = 1 / 3.6e9
"""kgCO2e per joule."""


def carbon(scenario: Scenario, name: str | None, notes: list[str]) -> Steps | None:
    """Return the carbon intensity of a region (kgCO2e/J) over time; None where it is not said.

    What a reader must know of its file is added to ``notes``.
    """
    if name is None:
        return None
    keys: RegionKeys = scenario.keys.regions[name]
    if keys.carbon is None:
        return None
    if not isinstance(keys.carbon, CarbonFile):
        return Steps.constant(keys.carbon)
    where = ("regions", name, "carbon")
    with scenario.at(*where):
        named = ("carbon", "avg_CI") if keys.carbon.column is None else (keys.carbon.column,)
        levels = columns(file(scenario, where, keys.carbon.file), named)
        notes += [f"Region {name}: {note}." for note in levels.notes]
        return Steps(levels.times, [value * GRAMS_PER_KWH for value in levels.values])


def file(scenario: Scenario, where: tuple[str, ...], name: str) -> Path:
    """Return the path of a file that the scenario names at a place."""
    node = scenario.root.find(where)
    return Path(scenario.root.mark.base if node is None else node.mark.base) / name
