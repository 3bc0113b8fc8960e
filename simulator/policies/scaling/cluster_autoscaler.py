"""Kubernetes' Cluster Autoscaler."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from simulator.core.rng import stream
from simulator.core.units import Ratio, Seconds
from simulator.policies.nodes import checks
from simulator.policies.nodes.backoff import Backoff
from simulator.policies.nodes.census import census, nodes_of, utilisation
from simulator.policies.nodes.demand import Kind, kinds
from simulator.policies.nodes.expanders import Expander
from simulator.policies.nodes.room import Room, settle
from simulator.policies.nodes.templates import Option, kin, option
from simulator.policies.nodes.unneeded import Rules, Unneeded
from simulator.policies.supply import Grow, Nodes, NodeState, Remove, SupplyAction, SupplyObservation, autoscalers


@autoscalers.register("cluster-autoscaler")
@dataclass(eq=False, kw_only=True)
class ClusterAutoscaler:
    """Kubernetes' Cluster Autoscaler: new nodes for pods that fit nowhere, old ones away when half of them is idle.

    Version 1.33 (kubernetes/autoscaler, cluster-autoscaler). Parameters are its flags (config/flags/flags.go, read at
    01ea19e), ``interval`` is ``--scan-interval``, and defaults are theirs; times in seconds. ``max_nodes_total`` 0
    means no limit. ``priorities`` are the groups for ``expander: priority``, the most wanted first. With
    ``accelerator_label`` nodes that are ready but whose accelerators cannot be allocated yet count as upcoming; without
    it they are taken for nodes without accelerators, and too many are bought (kubernetes/kubernetes issue 54959,
    kubernetes/autoscaler issue 3164). Ours: a gang is put onto whole nodes, all of it or nothing; pods are largest
    first by accelerators too; ties between options are broken by a stream of ``seed``.
    """

    version: ClassVar[str] = "Kubernetes Cluster Autoscaler 1.33"
    detailed: ClassVar[bool] = True
    alike: ClassVar[bool] = True

    expander: str = "least-waste"
    priorities: Sequence[str] = ()
    interval: Seconds = 10.0
    new_pod_scale_up_delay: Seconds = 0.0
    max_nodes_total: int = 0
    max_nodes_per_scaleup: int = 1000
    max_node_provision_time: Seconds = 900.0
    initial_node_group_backoff_duration: Seconds = 300.0
    max_node_group_backoff_duration: Seconds = 1800.0
    node_group_backoff_reset_timeout: Seconds = 10800.0
    max_total_unready_percentage: Ratio = 0.45
    ok_total_unready_count: int = 3
    scale_down_enabled: bool = True
    scale_down_utilization_threshold: Ratio = 0.5
    scale_down_gpu_utilization_threshold: Ratio = 0.5
    scale_down_unneeded_time: Seconds = 600.0
    scale_down_unready_time: Seconds = 1200.0
    scale_down_delay_after_add: Seconds = 600.0
    scale_down_delay_after_delete: Seconds = 0.0
    scale_down_delay_after_failure: Seconds = 180.0
    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1
    max_graceful_termination_sec: Seconds = 600.0
    unremovable_node_recheck_timeout: Seconds = 300.0
    expendable_pods_priority_cutoff: float = -10.0
    accelerator_label: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        self._check()
        self._expander = Expander(self.expander, self.priorities)
        self._backoff = Backoff(
            self.initial_node_group_backoff_duration,
            self.max_node_group_backoff_duration,
            self.node_group_backoff_reset_timeout,
        )
        self._unneeded = Unneeded(
            Rules(
                threshold=self.scale_down_utilization_threshold,
                accelerator_threshold=self.scale_down_gpu_utilization_threshold,
                unneeded=self.scale_down_unneeded_time,
                unready=self.scale_down_unready_time,
                recheck=self.unremovable_node_recheck_timeout,
                interval=self.interval,
                parallel=self.max_scale_down_parallelism,
                drains=self.max_drain_parallelism,
                expendable=self.expendable_pods_priority_cutoff,
            )
        )
        self.reset()

    def _check(self) -> None:
        checks.interval(self.interval)
        for name, value in vars(self).items():
            if name.endswith(("_time", "_delay", "_duration", "_timeout", "_sec", "_add", "_delete", "_failure")):
                checks.seconds(**{name: value})
            elif name.endswith(("_threshold", "_percentage")):
                checks.shares(**{name: value})
        checks.counts(max_nodes_total=self.max_nodes_total, ok_total_unready_count=self.ok_total_unready_count)
        checks.counts(
            1,
            max_nodes_per_scaleup=self.max_nodes_per_scaleup,
            max_scale_down_parallelism=self.max_scale_down_parallelism,
            max_drain_parallelism=self.max_drain_parallelism,
        )

    def reset(self) -> None:
        """Forget nodes, failures and draws: a new run begins."""
        self._backoff.reset()
        self._unneeded.reset()
        self._rng = stream(self.seed, "expander")
        self._added = self._deleted = self._failed = -math.inf
        self._late: dict[tuple[int, float], None] = {}
        self._refused: dict[str, float] = {}
        self._asked: dict[int, float] = {}
        self._pause = ""
        self._seen: SupplyObservation | None = None

    def step(self, now: float, observation: SupplyObservation) -> list[SupplyAction]:
        """Return what one loop does: nodes that never came are given up, else nodes are added, else taken away."""
        self._seen, nodes = observation, nodes_of(observation)
        self._note_failures(now, nodes)
        given_up = self._give_up(now, nodes)
        if given_up:
            self._pause = "nodes that did not come in time were given up in this loop"
            return [given_up]
        unready = int((nodes.state == NodeState.FAILED).sum())
        if self._unhealthy(unready, int((nodes.state != NodeState.BOOTING).sum())):
            self._unneeded.clear()
            self._pause = f"all scaling is halted: {unready} nodes are unready"
            return []
        left, room = self._wait_for_room(now, nodes)
        grown = self._grow(now, left, room) if left and room is not None else None
        if grown:
            self._added, self._pause = now, "nodes were added in this loop"
            return [grown]
        if not self.scale_down_enabled:
            self._pause = "scale-down is switched off"
            return []
        return list(self._shrink(now, nodes, room))

    def quiet(self, now: float) -> float:
        """Return the time before which another step would do nothing either, told the same; see ``Autoscaler``."""
        assert self._seen is not None
        nodes, waits = nodes_of(self._seen), self.new_pod_scale_up_delay
        given_up = nodes.created[nodes.state == NodeState.BOOTING] + self.max_node_provision_time
        times = [*given_up[given_up >= now].tolist(), self._unneeded.quiet(now)]
        if self._seen.pending:
            times += [job.since + waits for job in self._seen.pending if job.since + waits > now]
            times += [end for group in self._seen.groups if (end := self._backoff.until(group.name)) > now]
        for last, delay, _ in self._rests():
            times += [last + delay] if last + delay > now else []
        return float(min(times))

    def _rests(self) -> tuple[tuple[float, float, str], ...]:
        """What scale-down rests after: when it last was, for how long, and its name."""
        return (
            (self._added, self.scale_down_delay_after_add, "an addition"),
            (self._deleted, self.scale_down_delay_after_delete, "a deletion"),
            (self._failed, self.scale_down_delay_after_failure, "a deletion that failed"),
        )

    def explain(self, server: int) -> str:
        """Return why a node was not taken away at the last step."""
        if self._seen is None:
            return "no step yet"
        nodes = nodes_of(self._seen)
        rows = np.flatnonzero(nodes.server == server)
        if not len(rows):
            return f"node {server} is not there"
        row, state = int(rows[0]), NodeState(int(nodes.state[rows[0]]))
        if server in self._asked:
            return "it is being taken away"
        why = self._unneeded.reasons.get(server, "")
        if not why and state in (NodeState.BOOTING, NodeState.DRAINING):
            why = "it is booting" if state == NodeState.BOOTING else "it is being drained"
        usage = float(utilisation(nodes, self._accelerated(nodes))[row])
        limit = self.scale_down_utilization_threshold
        if self._accelerated(nodes)[row]:
            limit = self.scale_down_gpu_utilization_threshold
        if not why and usage >= limit:
            why = f"{usage:.3g} of it is requested, which is not below {limit:g}"
        return "; ".join(part for part in (why, self._pause) if part) or "jobs that wait are expected there"

    def _note_failures(self, now: float, nodes: Nodes) -> None:
        """Groups that gave no node pause; a node that was to go and still takes work holds up scale-down."""
        assert self._seen is not None
        for group in self._seen.groups:
            if group.failed > self._refused.get(group.name, -math.inf):
                self._refused[group.name] = group.failed
                self._backoff.fail(group.name, now)
        for server, created in self._asked.items():
            same = (nodes.server == server) & (nodes.created == created)
            if (nodes.state[same] == NodeState.READY).any():
                self._failed = now
        self._asked = {}

    def _give_up(self, now: float, nodes: Nodes) -> Remove | None:
        """Nodes that nobody has seen ``max_node_provision_time`` after they were asked for."""
        assert self._seen is not None
        groups = self._seen.groups
        rows = np.flatnonzero((nodes.state == NodeState.BOOTING) & (now - nodes.created > self.max_node_provision_time))
        spare = [group.size - group.minimum for group in groups]
        servers = []
        for row in rows.tolist():
            server, group = nodes.server.item(row), nodes.group.item(row)
            if (server, nodes.created.item(row)) not in self._late:
                self._late[server, nodes.created.item(row)] = None
                self._backoff.fail(groups[group].name, now)
            if spare[group] > 0:
                spare[group] -= 1
                servers.append(server)
        if not servers:
            return None
        inputs = {"waited": float((now - nodes.created[rows]).max()), "limit": self.max_node_provision_time}
        return Remove(servers=tuple(servers), rule="max-node-provision-time", inputs=inputs)

    def _unhealthy(self, unready: int, registered: int) -> bool:
        return unready > self.ok_total_unready_count and unready > self.max_total_unready_percentage * registered

    def _wait_for_room(self, now: float, nodes: Nodes) -> tuple[list[Kind], Room | None]:
        """Return the jobs that fit onto no present or upcoming node, and the room that the others leave.

        The room is that of nodes that take work, in the order of their rows, and then of upcoming ones.
        """
        assert self._seen is not None
        cutoff, delay = self.expendable_pods_priority_cutoff, self.new_pod_scale_up_delay
        pending = [job for job in self._seen.pending if job.priority >= cutoff and now - job.since >= delay]
        if not pending:
            return [], None
        known = census(nodes)
        coming = known.coming[
            (nodes.state[known.coming] == NodeState.STARTING)
            | (now - nodes.created[known.coming] <= self.max_node_provision_time)
        ]
        starting = nodes.state[coming] == NodeState.STARTING
        room = Room.of(nodes, known.ready, coming)
        if not self.accelerator_label:
            room.accelerators[len(known.ready) :][starting] = 0.0
        return settle(room, kinds(pending), kin(self._seen.groups))[0], room

    def _grow(self, now: float, left: Sequence[Kind], room: Room) -> Grow | None:
        assert self._seen is not None
        groups, nodes = self._seen.groups, nodes_of(self._seen)
        total = (self.max_nodes_total or math.inf) - len(nodes)
        failed = np.bincount(nodes.group[nodes.state == NodeState.FAILED], minlength=len(groups))
        options: list[Option] = []
        for family in kin(groups):
            for number in family:
                group = groups[number]
                most = int(min(group.maximum - group.size, total, self.max_nodes_per_scaleup))
                if most <= 0 or now < self._backoff.until(group.name):
                    continue
                if not self._unhealthy(int(failed[number]), group.size):
                    found = option(number, groups, left, room, family, most)
                    options += [found] if found else []
        if not options:
            return None
        options.sort(key=lambda one: one.group)
        best = self._expander.choose(options, groups, self._rng)
        jobs = sum(len(kind.jobs) for kind in left)
        inputs = {"jobs": float(best.option.jobs), "pending": float(jobs), "score": best.score}
        return Grow(
            group=best.option.group,
            count=best.option.count,
            rule=f"expander {','.join(self._expander.names)}",
            inputs=inputs,
            runner_up=best.runner_up,
        )

    def _shrink(self, now: float, nodes: Nodes, room: Room | None) -> list[Remove]:
        assert self._seen is not None
        accelerated, usable = self._accelerated(nodes), None
        ready = np.flatnonzero(nodes.state == NodeState.READY)
        if room is not None:
            cut = slice(0, len(ready))
            usable = Room(room.group[cut], room.accelerators[cut], room.cores[cut], room.memory[cut])
            nodes = _with_room(nodes, ready, usable)
        usage = utilisation(nodes, accelerated)
        self._unneeded.update(now, nodes, usage, accelerated, usable)
        for last, delay, event in self._rests():
            if last + delay > now:
                self._pause = f"scale-down rests for {last + delay - now:.4g} s after {event}"
                return []
        self._pause = ""
        gone = self._unneeded.remove(now, nodes, self._seen.groups, usage)
        servers = [server for action in gone for server in action.servers]
        if servers:
            self._deleted = now
            created = dict(zip(nodes.server.tolist(), nodes.created.tolist(), strict=True))
            self._asked = {server: created[server] for server in servers}
        graceful = {"graceful": self.max_graceful_termination_sec}
        return [replace(one, inputs={**one.inputs, **graceful}) for one in gone]

    def _accelerated(self, nodes: Nodes) -> np.ndarray:
        """Whether nodes are judged by their accelerators."""
        seen = nodes.accelerators > 0
        return seen if self.accelerator_label else seen & (nodes.state != NodeState.STARTING)


def _with_room(nodes: Nodes, ready: np.ndarray, room: Room) -> Nodes:
    """Return the nodes as they are when the jobs that wait for upcoming ones have their places."""
    columns = {"free_accelerators": room.accelerators, "free_cores": room.cores, "free_memory": room.memory}
    changed = {}
    for name, values in columns.items():
        changed[name] = getattr(nodes, name).copy()
        changed[name][ready] = values
    return replace(nodes, **changed)
