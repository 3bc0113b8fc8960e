"""What node groups, regions, costs and the autoscaler of one scenario must not say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from simulator.core.errors import did_you_mean
from simulator.scenario.groupkeys import NodeGroupKeys, RegionKeys
from simulator.scenario.validation import at, complaint, under


def check(groups: Mapping[str, NodeGroupKeys], regions: Mapping[str, RegionKeys], autoscaler: Any, cost: Any) -> None:
    """Raise pydantic errors, each at its key, for sections of a scenario that do not go together."""
    if not groups:
        if regions:
            raise at("regions", complaint("without node groups nothing is in a region", at_key=True))
        return
    given = () if autoscaler is None else autoscaler.given
    if given:
        hint = "each group has its own min, max, initial and boot"
        raise under(
            "autoscaler", at(given[0], complaint(f"{given[0]!r} has no meaning beside node_groups", hint, True))
        )
    wrong = wrong_region(groups, regions)
    if wrong is not None:
        raise wrong
    if priced(groups) and cost is not None:
        _once(cost)


def wrong_region(groups: Mapping[str, NodeGroupKeys], regions: Mapping[str, RegionKeys]) -> ValidationError | None:
    """Return what is wrong with the region of the first group whose region is not there, or is not said."""
    for name, keys in groups.items():
        if keys.region is not None and keys.region not in regions:
            text = f"there is no region {keys.region!r}"
            error = at("region", complaint(text, did_you_mean(keys.region, regions)), keys.region)
            return under("node_groups", under(name, error))
        if keys.region is None and regions:
            error = at(name, complaint("it is in no region", f"write region: {next(iter(regions))}", at_key=True))
            return under("node_groups", error)
    return None


def priced(groups: Mapping[str, NodeGroupKeys]) -> bool:
    """Whether any group has a price."""
    return any(group.price is not None for group in groups.values())


def _once(cost: Any) -> None:
    for key in ("cloud", "capex", "electricity"):
        if getattr(cost, key) not in (None, "none"):
            text = f"{key!r} counts the same machines twice: node groups have prices"
            raise under("cost", at(key, complaint(text, "leave out one of them", at_key=True)))
