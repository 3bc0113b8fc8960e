"""Slurm's power saving."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.core.units import Seconds
from simulator.policies.nodes import checks
from simulator.policies.nodes.census import census, nodes_of
from simulator.policies.nodes.claims import Packer
from simulator.policies.nodes.demand import kinds
from simulator.policies.nodes.rates import Rate
from simulator.policies.nodes.room import Room, settle
from simulator.policies.nodes.templates import kin
from simulator.policies.supply import Grow, Nodes, NodeState, Remove, SupplyAction, SupplyObservation, autoscalers


@autoscalers.register("slurm-power-saving")
class SlurmPowerSaving:
    """Slurm's power saving: nodes that idle are powered down, and powered up when jobs are given to them.

    SchedMD/slurm, doc/html/power_save.html and src/slurmctld/power_save.c (23.02). Nodes idle, or down, for more than
    ``suspend_time`` go, at most ``suspend_rate`` a minute (60); nodes that waiting jobs call for come, at most
    ``resume_rate`` a minute (300), groups in their order, as ``Weight`` would have it. A rate of 0 is no limit, a
    negative ``suspend_time`` no power saving. ``suspend_exc_nodes`` idle nodes are always kept (0). A node is not
    resumed within ``suspend_timeout`` of its suspension (30 s), and given up when it has not come ``resume_timeout``
    after it was asked for. ``interval`` is ``power_save_interval`` (10 s). Defaults are Slurm's but for
    ``suspend_time`` (-1 there), the 600 s of AWS PCS' ``scaleDownIdleTimeInSeconds``, and ``resume_timeout`` (60 s
    there, less than a cloud machine needs), the 1800 s of Azure CycleCloud's slurm.conf. Ours: groups have minima.
    """

    version = "Slurm 23.02 power saving"
    detailed = True
    prompt = True

    def __init__(
        self,
        suspend_time: Seconds = 600.0,
        suspend_rate: int = 60,
        resume_rate: int = 300,
        suspend_timeout: Seconds = 30.0,
        resume_timeout: Seconds = 1800.0,
        suspend_exc_nodes: int = 0,
        interval: Seconds = 10.0,
    ) -> None:
        checks.interval(interval)
        checks.seconds(suspend_timeout=suspend_timeout, resume_timeout=resume_timeout)
        checks.counts(suspend_rate=suspend_rate, resume_rate=resume_rate, suspend_exc_nodes=suspend_exc_nodes)
        if math.isnan(suspend_time):
            raise ValueError("suspend_time is no number; it must be seconds, or negative for no power saving")
        self.interval, self.suspend_time = interval, suspend_time
        self.suspend_timeout, self.resume_timeout, self._kept = suspend_timeout, resume_timeout, suspend_exc_nodes
        self._suspending, self._resuming = Rate(suspend_rate), Rate(resume_rate)
        self.reset()

    def reset(self) -> None:
        """Forget rates and suspensions: a new run begins."""
        self._suspending.reset()
        self._resuming.reset()
        self._suspended: list[tuple[float, int]] = []
        """When nodes were suspended, and their groups, as long as they may not be resumed."""
        self._reasons: dict[int, str] = {}
        self._held = False
        """Whether a rate held something up at the last scan."""
        self._seen: SupplyObservation | None = None

    def step(self, now: float, observation: SupplyObservation) -> list[SupplyAction]:
        """Return what one scan does: nodes that did not come in time are given up, others resumed, others suspended."""
        self._seen, self._reasons, self._held = observation, {}, False
        if self.suspend_time < 0:
            return []
        nodes = nodes_of(observation)
        self._suspended = [(at, group) for at, group in self._suspended if now - at < self.suspend_timeout]
        above = [group.size - group.minimum for group in observation.groups]
        late = self._give_up(now, nodes, above)
        return [*late, *self._resume(now, nodes, observation), *self._suspend(now, nodes, observation, above)]

    def quiet(self, now: float) -> float:
        """Return the time before which another scan would do nothing either, told the same; see ``Autoscaler``."""
        assert self._seen is not None
        if self.suspend_time < 0:
            return math.inf
        if self._held:
            return now
        nodes = nodes_of(self._seen)
        late = nodes.created[nodes.state == NodeState.BOOTING] + self.resume_timeout
        resting = (nodes.state == NodeState.READY) | (nodes.state == NodeState.FAILED)
        idle = nodes.idle[resting] + self.suspend_time
        times = [*late[late >= now].tolist(), *idle[idle >= now].tolist()]
        if self._seen.pending:
            times += [at + self.suspend_timeout for at, _ in self._suspended]
        return min(times, default=math.inf)

    def left_out(self, times: Sequence[float]) -> None:
        """Take note of the times of scans that were left out as ``quiet`` lets them be: rates fade at each."""
        for time in times:
            self._resuming.left(time)
            self._suspending.left(time)

    def explain(self, server: int) -> str:
        """Return why a node was not powered down at the last scan."""
        if self._seen is None:
            return "no step yet"
        if self.suspend_time < 0:
            return "power saving is switched off: suspend_time is negative"
        nodes = nodes_of(self._seen)
        rows = np.flatnonzero(nodes.server == server)
        if not len(rows):
            return f"node {server} is not there"
        state = NodeState(int(nodes.state[rows[0]])).name.lower()
        return self._reasons.get(server, "jobs run on it" if state in ("ready", "failed") else f"it is {state}")

    def _give_up(self, now: float, nodes: Nodes, above: list[int]) -> list[Remove]:
        late = (nodes.state == NodeState.BOOTING) & (now - nodes.created > self.resume_timeout)
        servers = []
        for row in np.flatnonzero(late).tolist():
            group = nodes.group.item(row)
            if above[group] > 0:
                above[group] -= 1
                servers.append(nodes.server.item(row))
        inputs = {"limit": self.resume_timeout}
        return (
            [Remove(servers=tuple(servers), rule="ResumeTimeout", inputs=inputs, runner_up="wait")] if servers else []
        )

    def _resume(self, now: float, nodes: Nodes, seen: SupplyObservation) -> list[Grow]:
        """Return nodes for jobs that fit onto no node that is up or coming."""
        rate = self._resuming.left(now)
        if not seen.pending:
            return []
        known = census(nodes)
        room = Room.of(nodes, known.ready, known.coming)
        left, _ = settle(room, kinds(seen.pending), kin(seen.groups))
        spare = [max(group.maximum - group.size, 0) for group in seen.groups]
        for _, group in self._suspended:
            spare[group] = max(spare[group] - 1, 0)
        asked: dict[int, int] = {}
        for claim in Packer(seen.groups, spare, by_price=False).pack(left, room).claims:
            asked[claim.group] = asked.get(claim.group, 0) + 1
        actions = []
        for group, wanted in sorted(asked.items()):
            count = int(min(wanted, rate))
            rate -= count
            self._held = self._held or count < wanted
            if count:
                self._resuming.add(count)
                inputs = {"wanted": float(wanted), "left_by_rate": float(min(rate, 1e9))}
                rule = "resume" if count == wanted else "ResumeRate"
                actions.append(Grow(group=group, count=count, rule=rule, inputs=inputs, runner_up=f"{wanted} nodes"))
        return actions

    def _suspend(self, now: float, nodes: Nodes, seen: SupplyObservation, above: list[int]) -> list[Remove]:
        """Return nodes that have been idle for long enough, in their order."""
        rate, kept = self._suspending.left(now), self._kept
        servers: list[int] = []
        resting = (nodes.state == NodeState.READY) | (nodes.state == NodeState.FAILED)
        for row in np.flatnonzero(resting & ~np.isnan(nodes.idle)).tolist():
            server, group, idle = nodes.server.item(row), nodes.group.item(row), now - nodes.idle.item(row)
            if kept > 0 and nodes.state[row] == NodeState.READY:
                kept -= 1
                why = f"one of {self._kept} idle nodes that are always kept"
            elif not idle > self.suspend_time:
                why = f"idle for {idle:.4g} of {self.suspend_time:.4g} s"
            elif len(servers) >= rate:
                why, self._held = "as many as SuspendRate lets go have gone", True
            elif above[group] <= 0:
                why = f"group {seen.groups[group].name} is at its minimum of {seen.groups[group].minimum}"
            else:
                above[group] -= 1
                self._suspended.append((now, group))
                servers.append(server)
                why = "it is being powered down"
            self._reasons[server] = why
        self._suspending.add(len(servers))
        inputs = {"suspend_time": self.suspend_time, "nodes": float(len(servers))}
        return [Remove(servers=tuple(servers), rule="SuspendTime", inputs=inputs, runner_up="keep")] if servers else []
