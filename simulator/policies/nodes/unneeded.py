"""Which nodes are not needed, since when, and why the others stay: the planner of Cluster Autoscaler's scale-down.

Source: kubernetes/autoscaler 1.33, cluster-autoscaler/core/scaledown/{planner,eligibility,unneeded,budgets}.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.policies.nodes.census import Since, census
from simulator.policies.nodes.drain import Drain
from simulator.policies.nodes.room import Room
from simulator.policies.supply import GroupView, Nodes, NodeState, Remove


@dataclass(frozen=True, slots=True)
class Rules:
    """When a node may go. Times in seconds, thresholds as shares of a node, the rest counts of nodes."""

    threshold: float
    accelerator_threshold: float
    unneeded: float
    unready: float
    recheck: float
    interval: float
    parallel: int
    drains: int
    expendable: float


class Unneeded:
    """Keeps since when nodes have not been needed."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Forget all nodes."""
        self._since = Since()
        self._recheck: dict[int, tuple[float, float, str]] = {}
        """Of a server that could not be emptied: when it was created, when to look again, and why it could not."""
        self.clear()

    def clear(self) -> None:
        """Forget which nodes were not needed."""
        self._since = Since()
        self._rows: list[int] = []
        self._times: list[float] = []
        self._least: list[float] = []
        self._settled = True
        self.reasons: dict[int, str] = {}
        """Why a server that is little used was not taken away at the last step."""

    def update(self, now: float, nodes: Nodes, usage: np.ndarray, accelerated: np.ndarray, room: Room | None) -> None:
        """Find the nodes that are little used and whose residents fit elsewhere.

        ``usage`` is the utilisation of each row, ``accelerated`` whether it is judged by accelerators; ``room`` that of
        the nodes that take work, in the order of their rows, None for what is free on them.
        """
        rules = self._rules
        self.reasons = {}
        limits = np.where(accelerated, rules.accelerator_threshold, rules.threshold)
        judged = (nodes.state != NodeState.BOOTING) & (nodes.state != NodeState.DRAINING)
        rows = np.flatnonzero(judged & (usage < limits))
        before, had = self._since.of(nodes, rows), len(self._rows)
        self._rows, self._times = [], []
        if len(rows):
            empty = ~np.isnan(nodes.idle[rows]) | (nodes.state[rows] != NodeState.READY)
            order = np.lexsort((rows, np.isnan(before), ~empty))
            self._look(now, nodes, rows[order].tolist(), before[order].tolist(), empty[order].tolist(), had, room)
        self._settled = had == len(self._rows) and not any(map(math.isnan, self._since.of(nodes, self._at()).tolist()))
        ready = nodes.state[self._at()] == NodeState.READY
        self._least = np.where(ready, rules.unneeded, rules.unready).tolist()
        self._since.keep_only(nodes, self._rows, self._times)

    def _at(self) -> np.ndarray:
        return np.asarray(self._rows, dtype=np.int64)

    def quiet(self, now: float) -> float:
        """Return the time before which ``update`` and ``remove`` would do the same again with the same nodes."""
        if not self._settled:
            return now
        looks = [again for _, again, _ in self._recheck.values() if again > now]
        ends = [since + least for since, least in zip(self._times, self._least, strict=True) if since + least >= now]
        return min([*looks, *ends], default=math.inf)

    def _look(
        self,
        now: float,
        nodes: Nodes,
        rows: list[int],
        before: list[float],
        empty: list[bool],
        had: int,
        room: Room | None,
    ) -> None:
        drain = self._drain(nodes, room)
        most = self._most(had)
        for row, since, idle in zip(rows, before, empty, strict=True):
            server, created = nodes.server.item(row), nodes.created.item(row)
            if len(self._rows) >= most:
                self.reasons[server] = f"not looked at: {most} nodes are unneeded already"
                continue
            known = self._recheck.get(server)
            if known is not None and known[0] == created and now < known[1]:
                self.reasons[server] = f"{known[2]}; it is looked at again in {known[1] - now:.4g} s"
                continue
            why = drain.empty(row, () if idle else nodes.residents(row))
            if why:
                self._recheck[server] = (created, now + self._rules.recheck, why)
                self.reasons[server] = why
                continue
            self._rows.append(row)
            self._times.append(now if math.isnan(since) else since)

    def _drain(self, nodes: Nodes, room: Room | None) -> Drain:
        """Return the what-if, with room kept for the residents of nodes that are on their way out."""
        known = census(nodes)
        drain = Drain(room or Room.of(nodes, known.ready), known.ready.tolist(), self._rules.expendable)
        for row in known.draining[np.isnan(nodes.idle[known.draining])].tolist():
            drain.make_way(nodes.residents(row))
        return drain

    def _most(self, had: int) -> int:
        """Unneeded nodes after which no more are looked for (``unneededNodesLimit`` of planner.go)."""
        rules = self._rules
        loops = int(max(rules.unneeded, rules.interval) / rules.interval)
        return min(had + 2 * rules.parallel, rules.parallel * loops + rules.parallel)

    def remove(self, now: float, nodes: Nodes, groups: Sequence[GroupView], usage: np.ndarray) -> list[Remove]:
        """Return the nodes that go now: empty ones together, the others each by itself."""
        rules = self._rules
        draining = nodes.state == NodeState.DRAINING
        drained = int((draining & np.isnan(nodes.idle)).sum())
        left = rules.parallel - int(draining.sum())
        sizes = [group.size - group.minimum for group in groups]
        empty: list[tuple[int, float]] = []
        loaded: list[tuple[int, float]] = []
        for row, since in zip(self._rows, self._times, strict=True):
            why = self._early(nodes, row, now - since)
            group = nodes.group.item(row)
            if not why and sizes[group] <= 0:
                why = f"group {groups[group].name} is at its minimum of {groups[group].minimum}"
            if why:
                self.reasons[nodes.server.item(row)] = why
                continue
            sizes[group] -= 1
            idle = not np.isnan(nodes.idle[row]) or nodes.state[row] != NodeState.READY
            (empty if idle else loaded).append((row, now - since))
        goes, waits = empty[: max(left, 0)], empty[max(left, 0) :]
        drains = max(min(left - len(goes), rules.drains - drained), 0)
        self._wait(nodes, waits, f"{rules.parallel} nodes are being deleted, the most at a time")
        self._wait(nodes, loaded[drains:], f"{rules.drains} node is being drained, the most at a time")
        return self._actions(nodes, usage, goes, loaded[:drains], [*waits, *loaded[drains:]])

    def _early(self, nodes: Nodes, row: int, time: float) -> str:
        """Why it is too early for a node that has not been needed for a time."""
        ready = nodes.state[row] == NodeState.READY
        least = self._rules.unneeded if ready else self._rules.unready
        if time > least:
            return ""
        return f"{'unneeded' if ready else 'unready'} for {time / 60:.3g} of {least / 60:.3g} min"

    def _wait(self, nodes: Nodes, rows: Sequence[tuple[int, float]], why: str) -> None:
        for row, _ in rows:
            self.reasons[nodes.server.item(row)] = why

    def _actions(
        self,
        nodes: Nodes,
        usage: np.ndarray,
        empty: Sequence[tuple[int, float]],
        loaded: Sequence[tuple[int, float]],
        others: Sequence[tuple[int, float]],
    ) -> list[Remove]:
        next_one = f"node {nodes.server.item(others[0][0])}" if others else ""
        actions = []
        if empty:
            servers = tuple(nodes.server.item(row) for row, _ in empty)
            inputs = {"nodes": float(len(empty)), "unneeded": min(time for _, time in empty)}
            actions.append(Remove(servers=servers, rule="empty", inputs=inputs, runner_up=next_one))
        for row, time in loaded:
            limit = self._rules.accelerator_threshold if nodes.accelerators[row] > 0 else self._rules.threshold
            inputs = {"utilization": usage.item(row), "threshold": limit, "unneeded": time}
            actions.append(
                Remove(servers=(nodes.server.item(row),), rule="underutilized", inputs=inputs, runner_up=next_one)
            )
        return actions
