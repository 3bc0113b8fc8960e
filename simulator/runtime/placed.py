"""A training step where its ranks really are: every collective of its layout on the links between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from simulator.cluster import catalog
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem
from simulator.models.training import Layout, Step, groups, step
from simulator.runtime.ensemble import CENTRAL, Call, Ensemble
from simulator.runtime.pattern import Pattern
from simulator.runtime.recipe import Recipe
from simulator.runtime.router import Router
from simulator.runtime.slots import Member


class PlacedNetwork:
    """A ``Network`` (see ``models.training``) on the links of a topology: ``members`` are (server, device) by rank.

    All groups of an axis run their collective at the same time, as they do in training, so those that meet on a link
    share it. ``algorithm`` is that of all-reduces.
    """

    def __init__(
        self, topology: Topology, router: Router, layout: Layout, members: Sequence[Member], algorithm: str = "auto"
    ) -> None:
        self._topology, self._router, self._algorithm = topology, router, algorithm
        self._layout, self._members = layout, members
        self._ensembles: dict[tuple[str, tuple[int, int] | None], Ensemble] = {}

    def __call__(self, axis: str, collective: str, size: float, group: tuple[int, int]) -> float:
        """Seconds of one call alone."""
        return self.call(axis, collective, size, group).time

    def call(self, axis: str, collective: str, size: float, group: tuple[int, int]) -> Call:
        """Return one call of all groups of an axis."""
        if collective in CENTRAL:
            return self._ensemble(axis).call(collective, size, servers=group[1])
        if collective == "send-recv":
            return self._ensemble(axis).call(collective, size)
        algorithm = self._algorithm if collective == "all-reduce" else "auto"
        return self._ensemble(axis, group).call(collective, size, algorithm)

    def _ensemble(self, axis: str, group: tuple[int, int] | None = None) -> Ensemble:
        """Return the groups of an axis, or such parts of them as ``group`` describes.

        Stages of a pipeline are pairs, whose messages go to and fro in turn: half of them each way.
        """
        key = (axis, group)
        if key not in self._ensembles:
            found = [tuple(self._members[rank] for rank in ranks) for ranks in groups(self._layout, axis)]
            if axis == "pp":
                found = [pair for members in found for pair in _neighbours(members, closed=self._layout.vp > 1)]
            elif group is not None and math.prod(group) < len(found[0]):
                found = [part for members in found for part in _parts(members, inside=group[1] == 1)]
            share = 0.5 if axis == "pp" else 1.0
            self._ensembles[key] = Ensemble(self._topology, self._router, found, share)
        return self._ensembles[key]


class PlacedStep:
    """One optimizer step of a recipe on ``members``, (server, device) by rank.

    Raises ``InputError`` when the accelerators there are none that the catalog knows, or of several kinds.
    """

    def __init__(
        self, recipe: Recipe, topology: Topology, router: Router, members: Sequence[Member], algorithm: str = "auto"
    ) -> None:
        accelerator = catalog.accelerator(_accelerator(topology, members))
        layout = replace(recipe.layout, domain=recipe.layout.domain or together(members))
        self._network = PlacedNetwork(topology, router, layout, members, algorithm)
        self.step: Step = step(recipe.model, accelerator, layout, self._network, recipe.framework)

    def pattern(self, iterations: float) -> Pattern:
        """Return the step as computing and bursts; what meets no link counts as inside."""
        inside, bursts = 0.0, []
        for each in self.step.communications:
            call = self._network.call(each.axis, each.collective, each.bytes, each.group)
            if call.links:
                bursts.append(call.burst(each.axis, each.calls, each.hidden))
            else:
                inside += each.exposed
        outside = sum(burst.exposed() for burst in bursts)
        return Pattern(max(0.0, self.step.time - inside - outside), inside, tuple(bursts), iterations)


def together(members: Sequence[Member]) -> int:
    """Ranks of the first server: what shares a scale-up fabric."""
    return sum(server == members[0][0] for server, _ in members)


def _neighbours(members: tuple[Member, ...], closed: bool) -> list[tuple[Member, ...]]:
    """Pairs of stages: each rank and the next and, in an interleaved (``closed``) pipeline, the last and the first."""
    return list(pairwise(members + members[:1] * closed))


def _parts(members: tuple[Member, ...], inside: bool) -> list[tuple[Member, ...]]:
    """Split a group that works in two steps (hybrid sharding): by server, or across servers."""
    servers: dict[int, list[Member]] = {}
    for member in members:
        servers.setdefault(member[0], []).append(member)
    if inside:
        return [tuple(part) for part in servers.values()]
    width = min(map(len, servers.values()))
    return [tuple(part[place] for part in servers.values()) for place in range(width)]


def _accelerator(topology: Topology, members: Sequence[Member]) -> str:
    kinds = dict.fromkeys(topology.servers[server].accelerator for server, _ in members)
    if len(kinds) > 1:
        names = ", ".join(kind or "unnamed" for kind in kinds)
        hint = "name one kind as accelerator_types of the job"
        text = f"a training step on accelerators of several kinds is not modelled: {names}"
        raise InputError(Problem(text, hint=hint))
    return next(iter(kinds))
