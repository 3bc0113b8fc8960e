"""Steps of controllers of nodes that would do nothing are left out, and nothing is different for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import simulator as sim
from simulator.core.clock import Clock, Phase
from simulator.policies.scaling.cluster_autoscaler import ClusterAutoscaler
from simulator.policies.scaling.karpenter import Karpenter
from simulator.policies.scaling.slurm_power_saving import SlurmPowerSaving
from simulator.policies.supply import Grow, SupplyObservation
from simulator.runtime.supply.groups import Group
from tests.supply_world import job, run

CONTROLLERS: dict[str, list[dict[str, Any]]] = {
    "cluster-autoscaler": [
        {"expander": "price"},
        {"interval": "7.3 s", "new_pod_scale_up_delay": "45 s", "scale_down_unneeded_time": "1 min"},
    ],
    "karpenter": [{}, {"consolidate_after": "30 s", "budgets": [{"nodes": "2"}], "expire_after": "20000 s"}],
    "slurm-power-saving": [{}, {"resume_rate": 1, "suspend_rate": 1, "suspend_exc_nodes": 2, "interval": "4.1 s"}],
}
CLASSES = {"cluster-autoscaler": ClusterAutoscaler, "karpenter": Karpenter, "slurm-power-saving": SlurmPowerSaving}


def scenario(kind: str, **more: Any) -> dict[str, Any]:
    small: dict[str, Any] = {"servers": {"first": 0, "count": 8}, "min": 0, "price": "$20/h", "boot": "gce"}
    large = {"servers": {"first": 8, "count": 16}, "min": 1, "max": 5, "price": "$32/h"}
    return {
        "name": "pool",
        "topology": {"build": "cloud-pool", "nodes": 24, "node": "dgx-h100"},
        "workload": {"batch": {"generate": "philly-like", "jobs": 60, "load": 0.6}},
        "run": {"until": "6 h"},
        "node_groups": {"small": small | {"interruptions": {"mean": "9 h"}}, "large": large},
        "scheduler": "easy-backfill",
        "autoscaler": {"kind": kind} | more,
    }


def tables(source: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    (record,) = sim.run(source, seed=11).records.values()
    for name, table in record.tables.items():
        for column, values in table.items():
            yield f"{name}.{column}", np.asarray(values).tolist()
    yield "facts", repr(record.facts)


@pytest.mark.parametrize(("kind", "more"), [(kind, more) for kind, given in CONTROLLERS.items() for more in given])
def test_a_run_is_the_same_as_if_every_step_were_made(
    kind: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, step = [0], CLASSES[kind].step

    def counted(self: Any, now: float, observation: SupplyObservation) -> Any:
        steps[0] += 1
        return step(self, now, observation)

    monkeypatch.setattr(CLASSES[kind], "step", counted)
    rested, few = dict(tables(scenario(kind, **more))), steps[0]
    monkeypatch.delattr(CLASSES[kind], "quiet")
    restless, many = dict(tables(scenario(kind, **more))), steps[0] - few
    assert repr(rested) == repr(restless)
    assert few < many / 4


class Told:
    """Wants a node at a time, and says that nothing happens before; keeps all that it is told."""

    interval = 10.0
    detailed = True

    def __init__(self, until: float) -> None:
        self.until, self.steps, self.left = until, [], []

    def step(self, now: float, observation: SupplyObservation) -> Sequence[Grow]:
        self.steps.append(now)
        return [Grow(0)] if now >= self.until and observation.groups[0].size < 2 else []

    def quiet(self, now: float) -> float:
        return self.until if now < self.until else now

    def left_out(self, times: Sequence[float]) -> None:
        self.left.append(list(times))


def test_it_is_asked_when_it_says_and_told_of_the_steps_that_were_left_out() -> None:
    told = Told(1000.0)
    run([job("long", 0.0, 2000.0)], told, [Group("all", (0, 1), minimum=1, initial=1)])
    before = [time for time in told.steps if time < 1000.0]
    assert len(before) < 5
    assert sorted(before + [time for times in told.left for time in times if time < 1000.0]) == [
        10.0 * step for step in range(1, 100)
    ]
    assert 1000.0 in told.steps


def test_a_clock_knows_what_is_ahead_and_how_much_has_happened() -> None:
    clock, seen = Clock(), []

    def look() -> None:
        seen.append((clock.now, clock.happened(), clock.ahead))

    clock.at(1.0, look)
    clock.at(4.0, lambda: clock.after(0.0, look, phase=Phase.PASS))
    clock.at(9.0, look)
    assert clock.ahead == 1.0
    clock.run()
    assert seen == [(1.0, 1, 4.0), (4.0, 3, 9.0), (9.0, 4, float("inf"))]
