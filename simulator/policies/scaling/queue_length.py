"""One node for each job that waits."""

from __future__ import annotations

import math

import numpy as np

from simulator.core.units import Seconds
from simulator.policies.nodes import checks
from simulator.policies.nodes.census import nodes_of
from simulator.policies.supply import Grow, Nodes, NodeState, Remove, SupplyAction, SupplyObservation, autoscalers

_SLACK = 1e-9
"""Seconds by which a step may come before an idle time is over, from rounding of the clock; ours."""


@autoscalers.register("queue-length")
class QueueLength:
    """Asks for one node for each job that waits and finds none; idle nodes go after a while (delayed-off).

    With nodes that hold one job each this is the M/M/k queue with set-up times: with q jobs waiting min(q, off) nodes
    are being set up (Gandhi, Harchol-Balter, Adan: Server farms with setup costs, Performance Evaluation 67, 2010).
    There a set-up is called off when its job gets another node: ``cancel: true``, the youngest first. Without it (ours,
    and the rule of most clouds) nodes that boot are paid for and come. Idle nodes go ``idle`` seconds after their last
    job, exactly, if the time to the next step follows ``interval`` after each step: it is never more than the least
    time after which one may have to go. ``interval`` itself is 60 s (ours), or ``idle`` where that is less. Ours: idle
    nodes stay while a job that takes several of them waits for the rest.
    """

    version = "M/M/k with set-up and delayed-off (Gandhi and Harchol-Balter 2010)"
    detailed = True
    prompt = True

    def __init__(self, idle: Seconds = 300.0, cancel: bool = False, interval: Seconds = 60.0) -> None:
        checks.interval(interval)
        checks.seconds(idle=idle)
        self._longest = min(interval, idle) if idle > 0 else interval
        self.interval, self.idle, self.cancel = self._longest, idle, cancel

    def reset(self) -> None:
        """Begin a new run."""
        self.interval = self._longest

    def step(self, now: float, observation: SupplyObservation) -> list[SupplyAction]:
        """Return new nodes for jobs without one, booting ones that nobody needs, and nodes that were idle too long."""
        nodes = nodes_of(observation)
        above = [group.size - group.minimum for group in observation.groups]
        coming = (nodes.state == NodeState.BOOTING) | (nodes.state == NodeState.STARTING)
        waiting = len(observation.pending)
        actions: list[SupplyAction] = [*self._grow(nodes, coming, observation)]
        if self.cancel and not actions:
            actions += self._call_off(nodes, coming, waiting, above)
        return [*actions, *self._off(now, nodes, above, _gathering(observation))]

    def _grow(self, nodes: Nodes, coming: np.ndarray, seen: SupplyObservation) -> list[Grow]:
        """Each waiting job has a booting node of a group that would do, or gets one of the first that may grow."""
        on_their_way = np.bincount(nodes.group[coming], minlength=len(seen.groups)).tolist()
        spare = [group.maximum - group.size for group in seen.groups]
        asked = [0] * len(seen.groups)
        wishes: dict[tuple[int, ...], int] = {}
        for job in seen.pending:
            wishes[job.groups] = wishes.get(job.groups, 0) + 1
        booting, waiting = sum(on_their_way), len(seen.pending)
        for groups, jobs in wishes.items():
            for group in groups:
                taken = min(on_their_way[group], jobs)
                on_their_way[group] -= taken
                jobs -= taken
            for group in groups:
                new = max(min(spare[group], jobs, waiting - booting - sum(asked)), 0)
                spare[group] -= new
                asked[group] += new
                jobs -= new
        inputs = {"waiting": float(waiting), "booting": float(booting)}
        return [
            Grow(group=group, count=count, rule="one for each waiting job", inputs=inputs, runner_up="wait")
            for group, count in enumerate(asked)
            if count
        ]

    def _call_off(self, nodes: Nodes, coming: np.ndarray, waiting: int, above: list[int]) -> list[Remove]:
        """Take back nodes that boot beyond one for each waiting job, the youngest first."""
        rows = np.flatnonzero(coming)
        rows = rows[np.lexsort((-nodes.server[rows], -nodes.created[rows]))]
        servers: list[int] = []
        for row in rows.tolist():
            group = nodes.group.item(row)
            if len(rows) - len(servers) > waiting and above[group] > 0:
                above[group] -= 1
                servers.append(nodes.server.item(row))
        inputs = {"waiting": float(waiting), "booting": float(len(rows))}
        return [Remove(servers=tuple(servers), rule="set-up called off", inputs=inputs)] if servers else []

    def _off(self, now: float, nodes: Nodes, above: list[int], kept: set[int]) -> list[Remove]:
        """Take away nodes that were idle for long enough, and set the time of the next step by those that were not."""
        idle = np.where(nodes.state == NodeState.READY, now - nodes.idle, math.nan)
        servers: list[int] = []
        for row in np.flatnonzero(idle >= self.idle - _SLACK).tolist():
            group = nodes.group.item(row)
            if above[group] > 0 and group not in kept:
                above[group] -= 1
                servers.append(nodes.server.item(row))
        later = idle[idle < self.idle - _SLACK]
        self.interval = float(min(self._longest, self.idle - later.max())) if len(later) else self._longest
        inputs = {"idle": self.idle}
        return [Remove(servers=tuple(servers), rule="idle", inputs=inputs, runner_up="keep")] if servers else []


def _gathering(seen: SupplyObservation) -> set[int]:
    """Return the groups whose nodes waiting jobs gather: those that may be split over several."""
    return {group for job in seen.pending if job.servers != 1 for group in job.groups}
