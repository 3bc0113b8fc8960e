"""Nodes that wait prepared: they come sooner, are replaced, and cost their share."""

from __future__ import annotations

import pytest

from simulator.policies.supply import Grow, Remove
from simulator.runtime.supply.boots import Phase, Warm
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.steps import Steps
from tests.supply_world import Script, events, job, run

BOOT = (Phase("boot", 100.0),)


def warm(nodes: int = 1, **more: object) -> Group:
    settings = {"state": "running", "start": 2.0, "price": 0.5} | more
    return Group("g", (0, 1, 2, 3), boot=BOOT, price=Steps.constant(1.0), warm=Warm(nodes, **settings))  # type: ignore[arg-type]


def test_a_warm_node_comes_sooner_and_is_replaced() -> None:
    a, b = job("a", 0.0, 300.0), job("b", 0.0, 300.0)
    _, record = run([a, b], Script({10.0: [Grow(0, 2)]}), [warm()])
    assert sorted((a.start, b.start)) == [12.0, 110.0]
    assert events(record, "node-boot", "node-up", "node-warm") == [
        (12.0, "node-boot", "n0: warm start", 2.0), (12.0, "node-up", "n0", 4.0),
        (110.0, "node-boot", "n1: boot", 100.0), (110.0, "node-up", "n1", 4.0),
        (110.0, "node-boot", "n2: boot", 100.0), (110.0, "node-warm", "n2", 4.0),
    ]  # fmt: skip
    end, hours = record.facts["end"], record.facts["groups"]["g"]["hours"]
    assert hours["warm"] * 3600 == pytest.approx(10.0 + end - 110.0)
    assert hours["boot"] * 3600 == pytest.approx(2.0 + 100.0 + 100.0)
    paid = 0.5 * (10.0 + end - 110.0) + 202.0 + (end - 12.0) + (end - 110.0)
    assert record.facts["groups"]["g"]["paid"] == pytest.approx(paid)


@pytest.mark.parametrize(("state", "powered"), [("running", 4.0), ("stopped", 0.0)])
def test_only_running_ones_are_switched_on(state: str, powered: float) -> None:
    _, record = run([job("a", 0.0, 10.0)], Script({}), [warm(state=state)], until=60.0)
    assert record.tables["series"]["provisioned"].tolist()[0] == powered
    assert record.facts["provisioned_seconds"] == 60.0 * powered


def test_they_are_no_nodes_of_the_group_until_they_are_taken() -> None:
    script = Script({10.0: [Grow(0)], 60.0: [Remove((0,))]})
    run([job("a", 0.0, 30.0), job("late", 200.0, 1.0)], script, [warm(2)], until=300.0)
    told = dict(script.told)
    assert [(told[time].groups[0].size, told[time].groups[0].booting) for time in (10.0, 20.0, 70.0)] == [
        (0, 0), (1, 0), (0, 0),
    ]  # fmt: skip


def test_a_pool_is_held_within_stock_and_quota() -> None:
    group = Group("g", (0, 1, 2, 3), boot=BOOT, quota=2, minimum=1, warm=Warm(3, "running", 2.0, 1.0))
    _, record = run([job("a", 0.0, 10.0)], Script({}), [group], until=50.0)
    assert sum(record.facts["groups"]["g"]["hours"].values()) * 3600 == pytest.approx(2 * 50.0)


def test_a_warm_node_that_is_taken_back_is_replaced_when_there_is_stock() -> None:
    group = Group(
        "g", (0, 1), boot=BOOT, warm=Warm(1, "running", 2.0, 1.0), capacity=Steps([0.0, 50.0, 70.0], [1.0, 0.0, 1.0])
    )
    _, record = run([job("a", 0.0, 10.0)], Script({}), [group], until=300.0)
    assert [row[0] for row in events(record, "interruption")] == [50.0]
    assert events(record, "node-warm") == [(170.0, "node-warm", "n0", 4.0)]
