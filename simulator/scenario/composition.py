"""A scheduler put together from parts: ``{order: las, backfill: easy, preempt: true, placement: fgd}``."""

from __future__ import annotations

from dataclasses import replace

from simulator.scenario.nodes import Node
from simulator.scenario.plugins import PARTS

COMPOSED = "composed"


def composed(root: Node) -> Node:
    """Return the scenario with the parts of its scheduler where they belong.

    A scheduler that names parts and no ``kind`` is ``kind: composed``; a ``placement`` among them is the scenario's.
    """
    scheduler = root.child("scheduler")
    if scheduler is None or not isinstance(scheduler.value, dict):
        return root
    parts, sections = dict(scheduler.value), dict(root.value)
    placement = parts.pop("placement", None)
    if placement is not None:
        sections["placement"] = placement
    if "kind" not in parts and (placement is not None or any(part in parts for part in PARTS)):
        parts["kind"] = Node(COMPOSED, scheduler.mark, scheduler.key)
    sections["scheduler"] = replace(scheduler, value=parts)
    return replace(root, value=sections)
