"""Why no group of nodes can ever hold a job, in the words of a scheduler's event."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.core.units import format_quantity
from simulator.policies.nodes.demand import kinds
from simulator.policies.supply import GroupView, Unplaced


def why_unfit(job: Unplaced, groups: Sequence[GroupView]) -> str:
    """Return why none of ``groups`` can ever hold a job; empty if one can.

    Groups that fail for one reason are counted together; the numbers are of the one that comes nearest.

    >>> job = Unplaced("llm", 0.0, accelerators=16.0, groups=(0, 1))
    >>> groups = [GroupView("a", accelerators=8.0), GroupView("b", accelerators=4.0), GroupView("cpu", cores=64.0)]
    >>> why_unfit(job, groups)
    '0/3 node groups can hold it: 2 too few accelerators (wants 16, has 8), 1 wrong type'
    """
    if not groups:
        return "0/0 node groups can hold it: there are none"
    counts: dict[str, int] = {}
    nearest: dict[str, tuple[float, float, float]] = {}
    for number, group in enumerate(groups):
        reason, want, have = _reason(job, number, group)
        if not reason:
            return ""
        counts[reason] = counts.get(reason, 0) + 1
        nearest[reason] = max(nearest.get(reason, (have - want, have, want)), (have - want, have, want))
    said = [f"{count} {reason}{_numbers(reason, *nearest[reason][1:])}" for reason, count in counts.items()]
    return f"0/{len(groups)} node groups can hold it: {', '.join(said)}"


def _reason(job: Unplaced, number: int, group: GroupView) -> tuple[str, float, float]:
    """Return why a group cannot hold a job, what the job wants and what the group has; no reason if it can."""
    if number not in job.groups:
        return "wrong type", 0.0, 0.0
    kind = kinds([job])[0]
    nodes = kind.nodes(group)
    if nodes > group.maximum:
        return "too few nodes", float(nodes), float(group.maximum)
    if nodes:
        return "", 0.0, 0.0
    share = kind.portion(group.accelerators, group.cores, group.memory)
    if share > 0:
        return "too few servers", -(-1 // share), float(job.servers)
    for name, want, have in (
        ("accelerators", job.accelerators, group.accelerators),
        ("cores", job.cores, group.cores),
        ("memory", job.memory, group.memory),
    ):
        if want > have:
            return f"too {'little' if name == 'memory' else 'few'} {name}", want, have
    return "too small", 0.0, 0.0


def _numbers(reason: str, have: float, want: float) -> str:
    if not want:
        return ""
    if reason == "too few servers":
        return f" (needs {want:g}, may be split over {have:g})"
    if reason == "too few nodes":
        return f" (wants {want:g}, may have {have:g})"
    if reason == "too little memory":
        return f" (wants {format_quantity(want, 'bytes')}, has {format_quantity(have, 'bytes')})"
    return f" (wants {want:g}, has {have:g})"
