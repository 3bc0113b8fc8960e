"""Groups of nodes in the middle of their work, for controllers that are told of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from simulator.core.rng import stream
from simulator.policies.supply import GroupView, Nodes, NodeState, Resident, SupplyObservation, Unplaced

GROUPS = (("on-demand", 4.0, 12.0), ("spot", 8.0, 7.0))
"""Name, accelerators of a node, and $/h."""
_LARGEST = 8


def fleets(count: int) -> Iterator[SupplyObservation]:
    """What a detailed controller may be told, in no order: two groups, empty and busy, with and without a queue."""
    rng = stream(6, "fleets")
    for step in range(count):
        owner = np.sort(rng.integers(0, 2, int(rng.integers(0, 9))))
        yield _observation(rng, owner, 60.0 * step)


def _observation(rng: np.random.Generator, owner: np.ndarray, now: float) -> SupplyObservation:
    nodes = _nodes(rng, owner, now)
    state = nodes.state

    def count(number: int, *states: NodeState) -> int:
        return int(np.count_nonzero((owner == number) & np.isin(state, states)))

    groups = [
        GroupView(
            name=name, minimum=0, maximum=_LARGEST, accelerators=each, price=price / 3600.0, spot=name == "spot",
            size=count(number, NodeState.BOOTING, NodeState.READY), ready=count(number, NodeState.READY),
            booting=count(number, NodeState.BOOTING), boot=120.0,
        )
        for number, (name, each, price) in enumerate(GROUPS)
    ]  # fmt: skip
    wishes = rng.choice([1.0, 2.0, 4.0, 8.0, 16.0], int(rng.choice([0, 0, 1, 5])))
    pending = [
        Unplaced(f"job-{number}", max(0.0, now - 30.0), wish, servers=0 if wish > _LARGEST else 1, groups=_groups(wish))
        for number, wish in enumerate(wishes.tolist())
    ]
    held = float((nodes.accelerators - nodes.free_accelerators).sum())
    busy = int(np.count_nonzero(nodes.free_accelerators < nodes.accelerators))
    mean = float(np.mean([each for _, each, _ in GROUPS]))
    up, booting = sum(group.ready for group in groups), sum(group.booting for group in groups)
    return SupplyObservation(up, booting, busy, held, float(wishes.sum()), mean, len(pending), groups, pending, nodes)


def _groups(wish: float) -> tuple[int, ...]:
    return tuple(number for number, (_, each, _) in enumerate(GROUPS) if each >= wish or wish > _LARGEST)


def _nodes(rng: np.random.Generator, owner: np.ndarray, now: float) -> Nodes:
    count = len(owner)
    state = rng.choice([0, 2, 2, 2, 3], count).astype(np.int8)
    total = np.array([each for _, each, _ in GROUPS])[owner]
    free = np.where((state == NodeState.BOOTING) | (rng.random(count) < 0.4), total, total / 2)
    created = np.full(count, max(0.0, now - 4000.0))
    endless = np.full(count, math.inf)
    server = owner * _LARGEST + np.arange(count)

    def residents(row: int) -> tuple[Resident, ...]:
        held = float(total[row] - free[row])
        return (Resident(f"on-{server[row]}", held, groups=_groups(held)),) if held else ()

    return Nodes(
        server=server, group=owner, state=state, accelerators=total, cores=endless, memory=endless,
        free_accelerators=free, free_cores=endless, free_memory=endless, created=created,
        ready=np.where(state == NodeState.BOOTING, np.nan, created + 120.0),
        idle=np.where(free == total, max(0.0, now - 3000.0), np.nan), residents=residents,
    )  # fmt: skip
