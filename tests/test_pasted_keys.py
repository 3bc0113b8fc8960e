"""Keys of Kubernetes, KEDA and Karpenter, pasted into a scenario as they are."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

import simulator as sim
from simulator.core.errors import InputError
from simulator.policies.scaling.karpenter import Karpenter
from simulator.runtime.fleets.budget import Budget
from simulator.scenario.arguments import arguments
from simulator.scenario.fleetkeys import DisruptionKeys

BASE: dict[str, Any] = {
    "name": "pasted",
    "topology": {
        "build": "fleet",
        "groups": [{"name": "node", "count": 10, "accelerators": 8, "accelerator": "h100-sxm"}],
    },
    "workload": {
        "shop": {
            "load": {"kind": "steps", "steps": [["0 s", "300 /s"], ["20 min", "60 /s"]]},
            "duration": "1 h",
            "replica": {"rate": "10 /s", "accelerators": 1},
            "replicas": {"kind": "hpa", "metric": "busy", "target": 0.6, "min": 2, "max": 60, "initial": 50},
            "cold_start": {"image": "60 s"},
        }
    },
    "autoscaler": {"kind": "karpenter"},
    "node_groups": {"od": {"servers": {"first": 0}, "min": 1, "price": "$55/h"}},
}


def world(replicas: dict[str, Any] | None = None, disruption: Any = None, autoscaler: Any = None) -> dict[str, Any]:
    found = copy.deepcopy(BASE)
    shop = found["workload"]["shop"]
    if replicas is not None:
        shop["replicas"] = {"kind": "hpa", "metric": "busy", "target": 0.6, "initial": 50, **replicas}
    if disruption is not None:
        shop["disruption"] = disruption
    if autoscaler is not None:
        found["autoscaler"] = {"kind": "karpenter", **autoscaler}
    return found


@pytest.mark.parametrize(("least", "most"), [("minReplicas", "maxReplicas"), ("minReplicaCount", "maxReplicaCount")])
def test_bounds_may_have_the_names_of_kubernetes_and_keda(least: str, most: str) -> None:
    ours = sim.run(world({"min": 2, "max": 60}))
    theirs = sim.run(world({least: 2, most: 60}))
    assert ours.decisions.equals(theirs.decisions)
    assert len(ours.decisions)


def test_a_bound_under_two_names_is_an_error_at_the_second() -> None:
    with pytest.raises(InputError, match=r"replicas\.min: 'min' says what 'minReplicas' says, too"):
        sim.run(world({"minReplicas": 2, "min": 3, "max": 60}))


def test_an_error_stands_at_the_name_that_was_written() -> None:
    with pytest.raises(InputError, match=r"replicas\.maxReplicas: 0 is not allowed"):
        sim.run(world({"minReplicas": 2, "maxReplicas": 0}))
    with pytest.raises(InputError, match=r"autoscaler\.disruption\.consolidateAfter: 30 has no unit"):
        sim.run(world(autoscaler={"disruption": {"consolidateAfter": 30}}))
    with pytest.raises(InputError, match=r"autoscaler\.disruption\.budget: unknown key 'budget'"):
        sim.run(world(autoscaler={"disruption": {"budget": []}}))


def test_the_disruption_block_of_a_nodepool_can_be_pasted() -> None:
    block = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30s", "budgets": [{"nodes": "20%"}]}
    want = {"policy": "WhenEmpty", "consolidate_after": 30.0, "budgets": [{"nodes": "20%"}], "expire_after": 3600.0}
    assert arguments(Karpenter, {"disruption": block, "expireAfter": "1 h"}) == want
    ours = world(autoscaler={"policy": "WhenEmpty", "consolidate_after": "30 s", "budgets": [{"nodes": "20%"}]})
    theirs = world(autoscaler={"disruption": block})
    assert sim.run(ours).decisions.equals(sim.run(theirs).decisions)
    with pytest.raises(InputError, match=r"'disruption\.consolidateAfter' says what 'consolidate_after' says"):
        arguments(Karpenter, {"consolidate_after": "3 s", "disruption": block})


def test_never_means_never() -> None:
    given = arguments(Karpenter, {"consolidateAfter": "Never", "expireAfter": "Never"})
    assert Karpenter(**given).expire_after == math.inf
    quiet = sim.run(world(autoscaler={"consolidateAfter": "Never"})).decisions
    usual = sim.run(world()).decisions
    assert "remove" not in set(quiet.action)
    assert "remove" in set(usual.action)


def test_budgets_round_up_as_kubernetes_does() -> None:
    def of(**keys: Any) -> Any:
        return DisruptionKeys.model_validate(keys).budget

    assert of(maxUnavailable="10%").missing(25) == 3
    assert of(minAvailable="90%").missing(25) == 2
    assert of(min_available=3).missing(5) == 2
    assert of(minAvailable=3).missing(2) == 0
    assert of(max_unavailable="30 %") == Budget(0.3, share=True)
    assert of(max_unavailable=0) == 0
    assert of() is None
    assert Budget(0.07, share=True).missing(100) == 7


@pytest.mark.parametrize("wrong", ["10x%", "110%", "many", "-1%", -1, 1.5, True])
def test_amounts_that_are_none_are_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"disruption\.maxUnavailable"):
        sim.run(world(disruption={"maxUnavailable": wrong}))


def test_a_budget_has_one_of_the_two() -> None:
    with pytest.raises(InputError, match="not both"):
        sim.run(world(disruption={"maxUnavailable": 1, "minAvailable": 3}))


def test_a_percentage_keeps_evictions_within_the_budget() -> None:
    def evicted(budget: Any) -> int:
        decisions = sim.run(world(disruption=budget, autoscaler={"expireAfter": "15 min"})).decisions
        return int((decisions.action == "evict").sum())

    assert evicted({"maxUnavailable": "0%"}) == 0
    assert 0 < evicted({"maxUnavailable": "10%"}) < evicted({"maxUnavailable": "100%"}) == evicted({})
