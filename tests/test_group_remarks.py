"""What is said of groups that no controller can size, of budgets, of many groups; and plain functions that scale."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator as sim
from simulator.cli.elasticfacts import group_facts
from simulator.core.errors import InputError
from simulator.scenario.build import build, plan
from simulator.scenario.spec import Scenario

ALIKE = """\
name: groups
topology: {build: fleet, groups: [{count: 30, accelerators: 8}]}
workload: {batch: {jobs: [{accelerators: 8, duration: 1 h}]}}
"""
MIXED = ALIKE.replace("{count: 30, accelerators: 8}", "{count: 4, node: dgx-h100}, {count: 4, accelerators: 4}")


@pytest.mark.parametrize("kind", ["karpenter", "cluster-autoscaler"])
@pytest.mark.parametrize("groups", ["", "node_groups: {}\n", "node_groups: {all: {servers: {first: 0}}}\n"])
def test_mixed_servers_are_refused_where_nodes_must_be_alike(kind: str, groups: str) -> None:
    with pytest.raises(InputError, match=r"mixes kinds of servers: 8 nvidia/h100-sxm .*, 4 accelerators") as caught:
        plan(Scenario.load(f"{MIXED}autoscaler: {{kind: {kind}}}\n{groups}"))
    assert "for each kind of server" in str(caught.value)


@pytest.mark.parametrize("groups", ["", "node_groups: {}\n"])
def test_one_kind_of_servers_is_one_pool(groups: str) -> None:
    text = f"{ALIKE}autoscaler: {{kind: karpenter}}\n{groups}"
    assert build(Scenario.load(text)).run().tables["jobs"]["state"].tolist() == ["COMPLETED"]
    plan(Scenario.load(f"{MIXED}autoscaler: {{kind: queue-length}}\n"))


def test_budgets_and_groups_without_nodes_are_told() -> None:
    text = f"""{ALIKE}autoscaler: {{kind: karpenter, budgets: [{{nodes: "0"}}]}}
node_groups:
  none: {{servers: {{count: 1}}, max: 0}}
  some: {{servers: {{first: 1}}}}
"""
    notes = plan(Scenario.load(text)).notes
    assert "Node group none may have no node: its max is 0." in notes
    assert any(note.startswith("Autoscaler karpenter: budget 1 (0) lets no node go for Empty") for note in notes)


def test_many_groups_are_told_of_together() -> None:
    lines = "".join(f"  g{n}: {{servers: {{first: {n}, count: 1}}, price: ${n + 1}/h}}\n" for n in range(30))
    scenario = Scenario.load(f"{ALIKE}autoscaler: {{kind: karpenter}}\nnode_groups:\n{lines}")
    facts = group_facts(scenario, plan(scenario).topology)
    said = {"": "30, g0 to g29, of 0 to 30 nodes in all", "price": "$1.00/h to $30.00/h a node"}
    assert facts == {"groups": said}


CODE = """\
def two(now, observation):
    return 2


def nodes(now, observation, most):
    return min(most, observation.up + observation.booting + observation.waiting)
"""
SERVED = """\
name: functions
topology: {build: fleet, groups: [{count: 4, accelerators: 8}]}
workload:
  web:
    load: 5 /s
    duration: 1 h
    replica: {rate: 10 /s, accelerators: 2}
    replicas: {kind: "mine.py:two"}
  batch: {jobs: [{accelerators: 8, duration: 10 min}]}
autoscaler: {kind: "mine.py:nodes", most: 3}
"""


def test_plain_functions_scale_nodes_and_replicas(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "s.yaml").write_text(SERVED)
    kinds = {"few": {"autoscaler.most": 2}, "many": {"autoscaler.most": 3}}
    results = sim.compare(tmp_path / "s.yaml", kinds, workers=2, allow_code=True)
    rows = results.decisions
    assert set(rows.controller) >= {"nodes", "two"}


def plain(now: float, observation: object) -> int:
    """Always 3 nodes."""
    return 3


def test_a_plain_function_is_given_from_python() -> None:
    scenario = Scenario.load(ALIKE, {"autoscaler": {"kind": plain}})
    scaler = scenario.pool.autoscaler.make() if scenario.pool else None
    assert (scaler.kind, scaler.interval, scaler.step(0.0, None)) == ("plain", 60.0, 3)
    assert build(scenario).run().tables["jobs"]["state"].tolist() == ["COMPLETED"]


LOADED = """\
name: room
topology: {build: fleet, groups: [{count: 6, accelerators: 8}]}
workload: {web: {load: 50 /s, duration: 1 h, replica: {rate: 10 /s, accelerators: 8}, replicas: 6}}
autoscaler: {kind: queue-length}
"""


def test_replicas_have_the_room_of_nodes_that_may_be_up() -> None:
    notes = plan(Scenario.load(LOADED)).fleets[0].notes
    fewer = plan(Scenario.load(f"{LOADED}node_groups: {{g: {{servers: {{first: 0}}, max: 3}}}}\n")).fleets[0].notes
    pool = plan(Scenario.load(LOADED.replace("queue-length", "queue-length, max: 3"))).fleets[0].notes
    assert fewer == pool != notes
    assert "3" in fewer[0]
    with pytest.raises(InputError, match=r"0/1 node groups can hold it .*: a replica of 8 accelerators fits no server"):
        plan(Scenario.load(f"{LOADED}node_groups: {{g: {{servers: {{first: 0}}, max: 0}}}}\n"))
