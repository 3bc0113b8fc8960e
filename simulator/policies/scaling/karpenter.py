"""Karpenter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from simulator.core.units import Seconds
from simulator.policies.nodes import checks
from simulator.policies.nodes.batching import Batch
from simulator.policies.nodes.budgets import budgets as read_budgets
from simulator.policies.nodes.budgets import remarks
from simulator.policies.nodes.census import census, nodes_of
from simulator.policies.nodes.claims import Packer
from simulator.policies.nodes.demand import kinds
from simulator.policies.nodes.disruption import Disruption, Terms
from simulator.policies.nodes.room import Room, settle
from simulator.policies.nodes.templates import kin
from simulator.policies.supply import (
    GroupView,
    Grow,
    Nodes,
    NodeState,
    Remove,
    Replace,
    SupplyAction,
    SupplyObservation,
    autoscalers,
)

_UNAVAILABLE = 180.0
"""Seconds for which a group that gave no node is not asked (karpenter-provider-aws, ``UnavailableOfferingsTTL``)."""
_REGISTRATION = 900.0
"""Seconds after which a node that nobody has seen is given up (pkg/controllers/nodeclaim/lifecycle/liveness.go)."""


@autoscalers.register("karpenter")
class Karpenter:
    """Karpenter: the cheapest machines that hold a batch of pods; nodes that can go, or be cheaper, are consolidated.

    One NodePool whose instance types are the groups (kubernetes-sigs/karpenter 1.14). Pods are gathered until none came
    for ``batch_idle`` or for ``batch_max`` in all (1 and 10 s; pkg/operator/options). Every ``poll`` (10 s) one command
    is looked for: empty nodes away, several nodes away or exchanged for one cheaper, one node likewise; it is
    carried out when it still holds ``validation`` (15 s) later. ``consolidate_after`` (0 s) and ``expire_after``
    (720 h), which may be "Never", ``policy`` and ``budgets`` (10 % of the nodes) are those of the NodePool API v1, and
    may be called as there. ``spot_to_spot`` is the feature gate, off. Ours: a gang is put onto whole nodes, all of it
    or nothing, and groups have minima.
    """

    version = "Karpenter 1.14 (kubernetes-sigs/karpenter)"
    detailed = True
    alike = True
    spelled: ClassVar[Mapping[str, str]] = {
        "consolidationPolicy": "policy",
        "consolidateAfter": "consolidate_after",
        "expireAfter": "expire_after",
    }
    """Names of the NodePool API, which a scenario may use too."""
    unfolded = ("disruption",)
    """The mapping of a NodePool whose keys stand beside ours."""

    def __init__(
        self,
        policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized"] = "WhenEmptyOrUnderutilized",
        consolidate_after: Seconds | Literal["Never"] = 0.0,
        expire_after: Seconds | Literal["Never"] = 2_592_000.0,
        budgets: Sequence[Mapping[str, Any]] = ({"nodes": "10%"},),
        spot_to_spot: bool = False,
        batch_idle: Seconds = 1.0,
        batch_max: Seconds = 10.0,
        poll: Seconds = 10.0,
        validation: Seconds = 15.0,
        interval: Seconds = 1.0,
    ) -> None:
        if policy not in ("WhenEmpty", "WhenEmptyOrUnderutilized"):
            raise ValueError(f"policy is {policy!r}; it must be 'WhenEmpty' or 'WhenEmptyOrUnderutilized'")
        consolidate_after, expire_after = _seconds(consolidate_after), _seconds(expire_after)
        checks.interval(interval)
        checks.seconds(
            consolidate_after=consolidate_after,
            batch_idle=batch_idle,
            batch_max=batch_max,
            poll=poll,
            validation=validation,
        )
        if not expire_after > 0:
            raise ValueError(f"expire_after is {expire_after:g} s; it must be above 0")
        self.interval, self.expire_after = interval, expire_after
        known = read_budgets(budgets)
        self.remarks = remarks(known)
        """What is odd about the budgets."""
        self._batch = Batch(batch_idle, batch_max)
        self._disruption = Disruption(
            Terms(
                underutilized=policy == "WhenEmptyOrUnderutilized",
                consolidate_after=consolidate_after,
                expire_after=expire_after,
                poll=poll,
                validation=validation,
                budgets=known,
                spot_to_spot=spot_to_spot,
            )
        )
        self.reset()

    def reset(self) -> None:
        """Forget jobs, proposals and nodes: a new run begins."""
        self._batch.reset()
        self._disruption.reset()
        self._seen: SupplyObservation | None = None

    def step(self, now: float, observation: SupplyObservation) -> list[SupplyAction]:
        """Return what the controllers do now: liveness, expiration, provisioning, disruption."""
        self._seen, nodes, groups = observation, nodes_of(observation), observation.groups
        spare = [0 if now - one.failed < _UNAVAILABLE else max(one.maximum - one.size, 0) for one in groups]
        above = [group.size - group.minimum for group in groups]
        forced: list[SupplyAction] = [*self._give_up(now, nodes, above), *self._expire(now, nodes, above, spare)]
        if self._batch.ready(now, observation.pending):
            for action in self._provision(nodes, observation, spare):
                spare[action.group] -= action.count
                forced.append(action)
        if any(not isinstance(action, Grow) for action in forced):
            return forced
        return [*forced, *self._disruption.step(now, groups, nodes, kinds(observation.pending), spare)]

    def quiet(self, now: float) -> float:
        """Return the time before which another step would do nothing either, told the same; see ``Autoscaler``."""
        assert self._seen is not None
        nodes = nodes_of(self._seen)
        late = nodes.created[nodes.state == NodeState.BOOTING] + _REGISTRATION
        old = nodes.created[nodes.state == NodeState.READY] + self.expire_after
        had = [one.failed + _UNAVAILABLE for one in self._seen.groups]
        times = [*late[late >= now].tolist(), *old[old > now].tolist(), *[end for end in had if end > now]]
        return float(min([*times, self._batch.quiet(now), self._disruption.quiet(now)]))

    def left_out(self, times: Sequence[float]) -> None:
        """Take note of the times of steps that were left out as ``quiet`` lets them be."""
        self._batch.left_out(times[-1])
        self._disruption.left_out(times)

    def explain(self, server: int) -> str:
        """Return why a node was not taken away when the disruption loop last looked."""
        if self._seen is None:
            return "no step yet"
        nodes = nodes_of(self._seen)
        rows = np.flatnonzero(nodes.server == server)
        if not len(rows):
            return f"node {server} is not there"
        state = NodeState(int(nodes.state[rows[0]]))
        if state == NodeState.READY and not self._disruption.going(server):
            return self._disruption.reasons.get(server, "the loop has not looked at it since it last acted")
        return {
            NodeState.BOOTING: "it is booting",
            NodeState.STARTING: "it is starting",
            NodeState.FAILED: "it is broken, and counts against the budgets",
        }.get(state, "it is on its way out")

    def _provision(self, nodes: Nodes, seen: SupplyObservation, spare: Sequence[int]) -> list[Grow]:
        """Return the machines that the batch calls for, beyond nodes that are up or coming."""
        known = census(nodes)
        room = Room.of(nodes, known.ready, known.coming)
        left, _ = settle(room, kinds(seen.pending), kin(seen.groups))
        packing = Packer(seen.groups, spare).pack(left, room)
        counts: dict[int, int] = {}
        jobs: dict[int, int] = {}
        others: dict[int, list[int]] = {}
        for claim in packing.claims:
            counts[claim.group] = counts.get(claim.group, 0) + 1
            jobs[claim.group] = jobs.get(claim.group, 0) + claim.jobs
            others.setdefault(claim.group, []).extend(n for n in claim.options if n != claim.group)
        return [
            Grow(
                group=group,
                count=count,
                rule="cheapest that holds the batch",
                inputs={"jobs": float(jobs[group]), "price_per_hour": seen.groups[group].price * 3600},
                runner_up=_said(seen.groups, others[group]),
            )
            for group, count in sorted(counts.items())
        ]

    def _give_up(self, now: float, nodes: Nodes, above: list[int]) -> list[Remove]:
        """Nodes that were asked for long ago and that nobody has seen; ``above`` counts nodes above each minimum."""
        late = np.flatnonzero((nodes.state == NodeState.BOOTING) & (now - nodes.created > _REGISTRATION))
        servers = [nodes.server.item(row) for row in late.tolist() if _one_of(above, nodes.group.item(row))]
        inputs = {"limit": _REGISTRATION}
        return [Remove(servers=tuple(servers), rule="liveness", inputs=inputs, runner_up="wait")] if servers else []

    def _expire(self, now: float, nodes: Nodes, above: list[int], spare: list[int]) -> list[Remove | Replace]:
        """Nodes that are too old go, whatever runs there; at the minimum of a group another takes their place first."""
        old = (nodes.state == NodeState.READY) & (now - nodes.created >= self.expire_after)
        actions: list[Remove | Replace] = []
        for row in np.flatnonzero(old).tolist():
            server, group = nodes.server.item(row), nodes.group.item(row)
            if self._disruption.going(server):
                continue
            inputs = {"age": now - nodes.created.item(row), "limit": self.expire_after}
            if _one_of(above, group):
                actions.append(Remove(servers=(server,), rule="expiration", inputs=inputs, runner_up="keep"))
            elif _one_of(spare, group):
                actions.append(Replace(servers=(server,), group=group, rule="expiration", inputs=inputs))
            else:
                continue
            self._disruption.told(now, nodes, (server,))
        return actions


def _seconds(time: float | Literal["Never"]) -> float:
    """Return a time of the NodePool API."""
    return math.inf if time == "Never" else float(time)


def _one_of(left: list[int], group: int) -> bool:
    """Take one of what is left of a group; return whether there was one."""
    if left[group] <= 0:
        return False
    left[group] -= 1
    return True


def _said(groups: Sequence[GroupView], others: Sequence[int]) -> str:
    """Name the cheapest of the groups that would have done too."""
    if not others:
        return ""
    best = min(others, key=lambda number: (groups[number].price, number))
    return f"{groups[best].name} ({groups[best].price * 3600:.4g} $/h)"
