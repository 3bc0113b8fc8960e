"""Reduction in the switch of one scale-up domain."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, filling, only
from simulator.models.collectives.group import Group, Level


@algorithms.register("nvls")
class Nvls:
    """NVLink SHARP inside one domain: the switch adds up and multicasts (NCCL's NVLS)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if group.domains > 1:
            return "it needs one scale-up domain; over several there is nvls-tree"
        return only(collective, "all-reduce") or no_reduction(group)

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """(1 + 1 / n) S bytes a rank: all of its data into the switch, and its n-th of the sums in and out."""
        yield Cost("Simple", nvls_latency(group), nvls_slope(group), filling("Simple", nvls_stage(group)))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Return nothing: it stays inside the domain."""
        return []


def no_reduction(group: Group) -> str | None:
    """Say that the fabric of a group cannot add up, or None."""
    if group.inside.reduction > 0 and group.inside.protocol.switch_step is not None:
        return None
    return f"the switches of {group.inside.protocol.name} do not reduce here"


def nvls_slope(group: Group) -> float:
    """Seconds per byte inside a domain."""
    return (1 + 1 / group.width) / group.inside.reduction


def nvls_latency(group: Group) -> float:
    """Seconds of one pass through the switch."""
    return (group.inside.protocol.switch_step or 0.0) + group.inside.latency


def nvls_stage(group: Group) -> tuple[Level, float, float]:
    """A chunk of every rank is under way in the switch."""
    return group.inside, group.width, group.inside.step("ring", "Simple")
