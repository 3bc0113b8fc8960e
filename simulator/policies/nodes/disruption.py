"""Karpenter's disruption loop: which nodes are proposed to go, and whether that still holds when it is carried out.

Source: kubernetes-sigs/karpenter 1.x, pkg/controllers/disruption/{controller,emptiness,multinodeconsolidation,
singlenodeconsolidation,validation,helpers}.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.policies.nodes.budgets import Budget, strictest
from simulator.policies.nodes.census import Since, census
from simulator.policies.nodes.consolidation import Candidate, Command, Simulation, disruption_cost, largest
from simulator.policies.nodes.demand import Kind, kind_of
from simulator.policies.nodes.room import Room, settle
from simulator.policies.nodes.templates import kin
from simulator.policies.supply import GroupView, Nodes, NodeState, Remove, Replace

EMPTY, MULTI, SINGLE = "emptiness", "multi-node consolidation", "single-node consolidation"
_METHODS = (EMPTY, MULTI, SINGLE)
_REASON = {EMPTY: "Empty", MULTI: "Underutilized", SINGLE: "Underutilized"}
_REFRESH = 300.0
"""Seconds after which an unchanged cluster is looked at again (``ConsolidationState`` of pkg/controllers/state)."""
_PATIENCE = 600.0
"""Seconds after which nodes that a command did not take away may be candidates again (``maxRetryDuration``)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Settings of the loop; times in seconds."""

    underutilized: bool
    consolidate_after: float
    expire_after: float
    poll: float
    validation: float
    budgets: tuple[Budget, ...]
    spot_to_spot: bool


@dataclass(slots=True)
class _Scene:
    """The cluster at one moment, jobs that wait put where they are expected."""

    now: float
    groups: Sequence[GroupView]
    nodes: Nodes
    pending: Sequence[Kind]
    simulation: Simulation
    candidates: dict[tuple[int, float], Candidate]
    """By number and time of creation, cheapest to disrupt first."""
    spare: list[int]
    """Nodes of each group above its minimum."""
    total: int
    out: int
    """Nodes that count for budgets, and those of them that are on their way out or broken."""


class Disruption:
    """The loop, as a state machine: a command is proposed, and carried out if it still holds some seconds later."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._next = -math.inf
        self._proposal: tuple[float, int, Command] | None = None
        """When it is validated, the number of its method, and the command."""
        self._going: dict[int, tuple[float, float]] = {}
        """Of a node that was told to go: when it was created, and when it was told."""
        self._settled: tuple[float, tuple[np.ndarray, ...]] | None = None
        """When nothing was found to do, and what the cluster looked like."""
        self._ripe = math.inf
        """When, after that, the first node has been calm for long enough."""
        self._same = False
        """Whether the last step found that all is as it was then."""
        self._budget_text = ""
        self._event, self._free = Since(), (Since(), Since(), Since())
        self.reasons: dict[int, str] = {}
        """Why a node was not taken away when the loop last looked."""

    def going(self, server: int) -> bool:
        """Whether a node was told to go."""
        return server in self._going

    def told(self, now: float, nodes: Nodes, servers: Sequence[int]) -> None:
        """Note nodes that have been told to go."""
        for row in np.flatnonzero(np.isin(nodes.server, list(servers))).tolist():
            self._going[nodes.server.item(row)] = (nodes.created.item(row), now)

    def step(
        self, now: float, groups: Sequence[GroupView], nodes: Nodes, pending: Sequence[Kind], spare: Sequence[int]
    ) -> list[Remove | Replace]:
        """Return what is carried out now. ``spare`` nodes of each group may still be asked for."""
        self._same = False
        self._forget(now, nodes)
        self._watch(now, nodes)
        start = 0
        if self._proposal is not None:
            due, start, command = self._proposal
            if now < due:
                return []
            self._proposal = None
            scene = self._scene(now, groups, nodes, pending, spare)
            valid = self._validate(scene, command)
            if isinstance(valid, Command):
                return self._carry_out(scene, valid)
            self.reasons |= dict.fromkeys(command.servers, f"{command.method} was dropped: {valid}")
            return self._propose(scene, start + 1)
        if now < self._next:
            return []
        self._next = now + self._terms.poll
        self._same = self._unchanged(now, groups, nodes, pending)
        if self._same:
            return []
        self.reasons = {}
        return self._propose(self._scene(now, groups, nodes, pending, spare), 0)

    def _propose(self, scene: _Scene, start: int) -> list[Remove | Replace]:
        """Propose the first command that a method finds, from the method ``start`` on."""
        for number, method in enumerate(_METHODS[start:], start=start):
            command = self._found(scene, method)
            if command is None:
                continue
            if self._terms.validation > 0:
                self._proposal = (scene.now + self._terms.validation, number, command)
                said = f"{method} is proposed, and validated in {self._terms.validation:g} s"
                self.reasons |= dict.fromkeys(command.servers, said)
                return []
            return self._carry_out(scene, command)
        if start == 0:
            self._settled = (
                scene.now,
                tuple(column.copy() for column in self._columns(scene.groups, scene.nodes, scene.pending)),
            )
            self._ripe, self._same = self._next_ripe(scene.now, scene.nodes), True
        return []

    def _next_ripe(self, now: float, nodes: Nodes) -> float:
        after = self._terms.consolidate_after
        if not 0 < after < math.inf:
            return math.inf
        ripe = self._quiet_since(nodes, census(nodes).ready) + after
        return float(ripe[ripe > now].min(initial=math.inf))

    def quiet(self, now: float) -> float:
        """Return the time before which ``step`` would do nothing, told the same."""
        times = [told + _PATIENCE for _, told in self._going.values() if told + _PATIENCE >= now]
        if self._proposal is not None:
            return min([*times, self._proposal[0]])
        if self._settled is None or not self._same:
            return min([*times, self._next])
        return min([*times, self._settled[0] + _REFRESH, self._ripe])

    def left_out(self, times: Sequence[float]) -> None:
        """Take note of the times of steps that were left out as ``quiet`` lets them be."""
        if self._proposal is None:
            for time in times:
                if time >= self._next:
                    self._next = time + self._terms.poll

    def _found(self, scene: _Scene, method: str) -> Command | None:
        left = self._allowed(scene, method)
        if method == EMPTY:
            chosen = self._within(scene, [one for one in scene.candidates.values() if not one.residents], left)
            saved = math.fsum(scene.groups[one.group].price for one in chosen)
            return Command(tuple(chosen), method, saved=saved, runner_up="keep") if chosen else None
        if not self._terms.underutilized:
            return None
        used = [one for one in scene.candidates.values() if one.residents]
        if method == MULTI:
            chosen = self._within(scene, used, left)
            return largest(scene.simulation, chosen, method) if len(chosen) > 1 else None
        if left <= 0:
            return None
        for one in used:
            if self._within(scene, [one], left):
                tried = scene.simulation.command([one], method)
                if isinstance(tried, Command):
                    return tried
                self.reasons[one.server] = tried
        return None

    def _within(self, scene: _Scene, candidates: Sequence[Candidate], left: float) -> list[Candidate]:
        """Return the first candidates that budgets and minima let go, and say why the others stay."""
        spare = list(scene.spare)
        chosen: list[Candidate] = []
        for one in candidates:
            group = scene.groups[one.group]
            if spare[one.group] <= 0:
                self.reasons[one.server] = f"group {group.name} is at its minimum of {group.minimum}"
            elif len(chosen) >= left:
                self.reasons[one.server] = self._budget_text
            else:
                spare[one.group] -= 1
                chosen.append(one)
        return chosen

    def _allowed(self, scene: _Scene, method: str) -> float:
        """Return how many more nodes may be disrupted for the reason of a method."""
        reason = _REASON[method]
        limit, text = strictest(self._terms.budgets, scene.total, reason)
        self._budget_text = (
            f"the budget {text} for {reason} lets {limit:g} of {scene.total} nodes go at a time, {scene.out} are going "
            "or broken"
        )
        return max(limit - scene.out, 0)

    def _validate(self, scene: _Scene, command: Command) -> Command | str:
        """Return what is left of a command, or why nothing is."""
        wanted = [(one.server, one.created) for one in command.candidates]
        current = [scene.candidates[key] for key in wanted if key in scene.candidates]
        if command.method == EMPTY:
            current = [one for one in current if not one.residents]
        left = self._allowed(scene, command.method)
        current = self._within(scene, current, left)
        if command.method == EMPTY:
            return replace(command, candidates=tuple(current)) if current else "no node is empty any more"
        if len(current) < len(wanted):
            return f"{len(wanted) - len(current)} of {len(wanted)} nodes may not go any more"
        again = scene.simulation.command(current, command.method)
        if isinstance(again, str):
            return again
        same = again.group < 0 if command.group < 0 else command.group in again.options
        return replace(command, candidates=tuple(current)) if same else "other nodes would be needed now"

    def _carry_out(self, scene: _Scene, command: Command) -> list[Remove | Replace]:
        self._next, self._settled = scene.now, None
        self.told(scene.now, scene.nodes, command.servers)
        jobs = sum(len(one.residents) for one in command.candidates)
        inputs = {
            "nodes": float(len(command.candidates)),
            "jobs": float(jobs),
            "cost": math.fsum(one.cost for one in command.candidates),
            "saved_per_hour": command.saved * 3600,
        }
        runner_up = command.runner_up or "keep"
        if command.group < 0:
            rule = f"{command.method}: delete"
            return [Remove(servers=command.servers, rule=rule, inputs=inputs, runner_up=runner_up)]
        rule = f"{command.method}: replace"
        return [Replace(servers=command.servers, group=command.group, rule=rule, inputs=inputs, runner_up=runner_up)]

    def _scene(
        self, now: float, groups: Sequence[GroupView], nodes: Nodes, pending: Sequence[Kind], spare: Sequence[int]
    ) -> _Scene:
        known = census(nodes)
        leaving = np.isin(nodes.server[known.ready], list(self._going))
        rows, gone = known.ready[~leaving], known.ready[leaving]
        room = Room.of(nodes, rows, known.coming)
        _, nominated = settle(room, pending, kin(groups)) if len(pending) else ([], np.zeros(len(room), dtype=bool))
        leavers = [row for row in (*known.draining.tolist(), *gone.tolist()) if math.isnan(nodes.idle[row])]
        moving = [kind_of(resident) for row in leavers for resident in nodes.residents(row)]
        calm = self._calm(now, nodes, rows)
        masks = np.zeros((3, len(room)), dtype=bool)
        masks[0, : len(rows)], masks[1, : len(rows)], masks[2, len(rows) :] = calm, ~calm, True
        ready, recent, coming = (_part(room, mask) for mask in masks)
        minimum = [group.size - group.minimum for group in groups]
        for group in nodes.group[gone].tolist():
            minimum[group] -= 1
        candidates = self._candidates(groups, nodes, rows, nominated[: len(rows)], calm)
        stay = rows[calm].tolist()
        simulation = Simulation(groups, spare, ready, stay, recent, coming, moving, self._terms.spot_to_spot)
        out = len(known.draining) + len(known.failed) + len(gone)
        total = len(known.ready) + len(known.draining) + len(known.failed)
        by_key = {(one.server, one.created): one for one in candidates}
        return _Scene(now, groups, nodes, pending, simulation, by_key, minimum, total, out)

    def _calm(self, now: float, nodes: Nodes, rows: np.ndarray) -> np.ndarray:
        """Whether nothing has come to or left each node for long enough; all are where that is never waited for."""
        after = self._terms.consolidate_after
        if not 0 < after < math.inf:
            return np.ones(len(rows), dtype=bool)
        return np.asarray(now - self._quiet_since(nodes, rows) >= after)

    def _candidates(
        self, groups: Sequence[GroupView], nodes: Nodes, rows: np.ndarray, nominated: np.ndarray, rested: np.ndarray
    ) -> list[Candidate]:
        """Return nodes that may be disrupted, those first whose price is highest for what disrupting them costs."""
        after = self._terms.consolidate_after
        if after == math.inf:
            self.reasons |= dict.fromkeys(nodes.server[rows].tolist(), "consolidation is switched off")
            return []
        found = []
        for row, expected, calm in zip(rows.tolist(), nominated.tolist(), rested.tolist(), strict=True):
            server = nodes.server.item(row)
            if expected or not calm:
                after_text = f"jobs came or went less than {after:g} s ago"
                self.reasons[server] = "jobs that wait are expected there" if expected else after_text
                continue
            residents = () if not math.isnan(nodes.idle[row]) else tuple(nodes.residents(row))
            fixed = next((one for one in residents if not one.movable), None)
            if fixed is not None:
                self.reasons[server] = f"{fixed.id} may not be evicted" + (f": {fixed.why}" if fixed.why else "")
                continue
            if residents and not self._terms.underutilized:
                self.reasons[server] = "it is not empty, and the policy is WhenEmpty"
            cost = disruption_cost(residents)
            found.append(Candidate(row, server, nodes.created.item(row), nodes.group.item(row), residents, cost))
        return sorted(found, key=lambda one: -groups[one.group].price / one.cost)

    def _forget(self, now: float, nodes: Nodes) -> None:
        """Nodes that are gone, or were told to go long ago and are still there, are no longer on their way out."""
        kept = {}
        for server, (created, told) in self._going.items():
            same = (nodes.server == server) & (nodes.created == created)
            if (nodes.state[same] == NodeState.READY).any() and now - told <= _PATIENCE:
                kept[server] = (created, told)
        self._going = kept

    def _watch(self, now: float, nodes: Nodes) -> None:
        """Note when something on each node last changed, as far as steps can see."""
        if not 0 < self._terms.consolidate_after < math.inf or not len(nodes):
            return
        rows = np.arange(len(nodes))
        columns = (nodes.free_accelerators, nodes.free_cores, nodes.free_memory)
        changed = np.zeros(len(nodes), dtype=bool)
        for known, column in zip(self._free, columns, strict=True):
            changed |= known.of(nodes, rows) != column
            known.note(nodes, rows, column)
        self._event.note(nodes, rows[changed], np.full(int(changed.sum()), now))

    def _quiet_since(self, nodes: Nodes, rows: np.ndarray) -> np.ndarray:
        """Return since when nothing has come to or left each node."""
        if self._terms.consolidate_after == 0:
            return np.full(len(rows), -math.inf)
        idle = nodes.idle[rows]
        return np.where(np.isnan(idle), self._event.of(nodes, rows), idle)

    def _unchanged(self, now: float, groups: Sequence[GroupView], nodes: Nodes, pending: Sequence[Kind]) -> bool:
        if self._settled is None or now - self._settled[0] >= _REFRESH:
            return False
        pairs = zip(self._settled[1], self._columns(groups, nodes, pending), strict=True)
        return now < self._ripe and all(np.array_equal(old, new, equal_nan=True) for old, new in pairs)

    def _columns(self, groups: Sequence[GroupView], nodes: Nodes, pending: Sequence[Kind]) -> tuple[np.ndarray, ...]:
        """What a command depends on."""
        free = (nodes.free_accelerators, nodes.free_cores, nodes.free_memory)
        prices = np.array([group.price for group in groups])
        waiting = np.array([len(kind.jobs) for kind in pending])
        columns = (nodes.server, nodes.created, nodes.state, *free, prices, waiting)
        if not 0 < self._terms.consolidate_after < math.inf:
            return columns
        return (*columns, self._quiet_since(nodes, np.arange(len(nodes))))


def _part(room: Room, mask: np.ndarray) -> Room:
    return Room(room.group[mask], room.accelerators[mask], room.cores[mask], room.memory[mask])
