"""Pairs of things that happen to the same replica, node or job at once."""

from __future__ import annotations

import math
from typing import Any

import pytest

import simulator as sim
from simulator.cluster.stores import Attachment
from simulator.metrics.recorder import Record
from simulator.runtime.windows import Maintenance
from tests import load_world
from tests.mixed_world import ran
from tests.serving_world import Steps
from tests.test_pulls import GB, World, switch

H100 = "nvidia/h100-sxm"
FLEET = {"build": "fleet", "groups": [{"name": "node", "count": 2, "accelerators": 2, "accelerator": H100}]}


def story(record: Record, *kinds: str) -> list[tuple[float, str, str]]:
    """Time, event and subject of the events of these kinds."""
    table = record.tables["events"]
    rows = zip(table["time"].tolist(), table["event"].tolist(), table["subject"].tolist(), strict=True)
    return [row for row in rows if row[1] in kinds]


def job_rows(record: Record, *columns: str) -> dict[str, Any]:
    table = record.tables["jobs"]
    return {name: tuple(table[each][row] for each in columns) for row, name in enumerate(table["id"].tolist())}


def test_an_executor_that_drains_and_loses_its_server_waits_for_no_other() -> None:
    app = load_world.application([[50.0, 50.0], [400.0]], scaler=Steps(2, 2, 2, 1))
    record = load_world.ran(app, maintenance=[Maintenance(10.0, 20.0, (1,))], topology=load_world.machines(2, 1))
    assert story(record, "replica-drain", "preempt", "reject") == [
        (3.0, "replica-drain", "etl-1/1"), (10.0, "preempt", "etl-1/1"), (10.0, "reject", "etl-1/1"),
    ]  # fmt: skip
    assert record.facts["end"] == 500.0  # the lost task runs after the other: 50 + 50 + 400 s


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
def test_a_replica_that_was_stopped_runs_again_until_it_is_told_to_stop(fidelity: str) -> None:
    _, record = ran(
        {
            "name": "t", "topology": FLEET, "network": {"fidelity": fidelity}, "scheduler": "priority",
            "workload": {
                "shop": {"load": "5 /s", "duration": "600 s", "replica": {"rate": "10 /s", "accelerators": 2},
                         "replicas": 2},
                "urgent": {"jobs": [{"id": "u", "submit": "100 s", "duration": "50 s", "accelerators": 4,
                                     "priority": 9}]},
            },
        }
    )  # fmt: skip
    assert sorted(story(record, "replica-ready")) == [
        (0.0, "replica-ready", "shop/0"), (0.0, "replica-ready", "shop/1"),
        (150.0, "replica-ready", "shop/0"), (150.0, "replica-ready", "shop/1"),
    ]  # fmt: skip
    assert job_rows(record, "end", "state")["shop/0"] == (600.0, "COMPLETED")
    assert record.facts["fleets"]["shop"]["served"] == pytest.approx(3000.0)


def test_failures_go_on_while_a_service_sleeps() -> None:
    """Nobody is there when the first server fails, and requests are still to come; the second failure hits."""
    _, record = ran(
        {
            "name": "t", "topology": FLEET,
            "failures": {"gone": {"component": "node", "mtbf": "200 s", "repair": "1 s"}},
            "workload": {
                "chat": {
                    "service": "meta/llama-3.1-8b", "retries": 9,
                    "requests": [{"at": "5 s", "input": 10, "output": 2}, {"at": "20000 s", "input": 10, "output": 2}],
                    "replicas": {"kind": "keda", "metric": "outstanding", "threshold": 2, "min": 0, "max": 1,
                                 "cooldown_period": "30 s"},
                },
            },
        }
    )  # fmt: skip
    times = [time for time, _, _ in story(record, "failure")]
    assert min(job_rows(record, "end")["chat/0"]) < 1000.0
    assert sum(1000.0 < time < 20000.0 for time in times) > 100  # two servers, each 200 s
    assert record.tables["requests"]["state"].tolist() == ["FINISHED", "FINISHED"]


def test_a_node_that_boots_while_a_service_sleeps_comes_up() -> None:
    """The last replica goes while a node is on its way for a job that has just gone; the next request finds it up."""
    _, record = ran(
        {
            "name": "t", "topology": FLEET, "autoscaler": {"kind": "fixed", "nodes": 2},
            "node_groups": {"g": {"servers": {"first": 0, "count": 2}, "initial": 1, "boot": "500 s"}},
            "workload": {
                "chat": {
                    "service": "meta/llama-3.1-8b",
                    "requests": [{"at": "5 s", "input": 10, "output": 2}, {"at": "2000 s", "input": 10, "output": 2}],
                    "replicas": {"kind": "keda", "metric": "outstanding", "threshold": 2, "min": 0, "max": 1,
                                 "cooldown_period": "30 s"},
                },
            },
        }
    )  # fmt: skip
    assert [name for _, _, name in story(record, "node-up")] == ["node-1"]


def test_nothing_is_paid_for_after_the_work() -> None:
    """Maintenance that begins and ends when all work is done moves no account."""
    _, record = ran(
        {
            "name": "t", "topology": FLEET, "autoscaler": "fixed",
            "node_groups": {"g": {"servers": {"first": 0, "count": 2}, "initial": 2, "price": "$3.6/h"}},
            "maintenance": [{"servers": "node-1", "from": "50 s", "until": "900 s"}],
            "workload": {"w": {"jobs": [{"id": "a", "duration": "100 s", "accelerators": 2}]}},
        }
    )  # fmt: skip
    assert record.facts["end"] == 100.0
    hours = record.facts["groups"]["g"]["hours"]
    assert math.fsum(hours.values()) * 3600 == pytest.approx(200.0)
    assert record.facts["groups"]["g"]["paid"] == pytest.approx(0.2)


def test_failures_that_can_hit_nothing_do_not_hold_up_the_end() -> None:
    """Nobody asks for the node that the job needs; failures of servers that are off are counted as in vain."""
    plain = {
        "name": "t", "topology": FLEET, "autoscaler": {"kind": "fixed", "nodes": 0},
        "node_groups": {"g": {"servers": {"first": 0, "count": 2}}},
        "failures": {"gone": {"component": "node", "mtbf": "1 h", "repair": "1 s"}},
        "workload": {"w": {"jobs": [{"id": "a", "duration": "100 s", "accelerators": 1}]}},
    }  # fmt: skip
    with pytest.raises(sim.InputError, match=r"1 wait, the first, 'a', for 1 accelerators, and 0 of 4 are up"):
        ran(plain)


def test_what_was_on_its_way_to_a_node_that_is_gone_is_not_kept_by_the_next() -> None:
    world = World(switch(1), {"reg": Attachment(1 * GB)})
    world.fetch(0.0, "old", [0], 10 * GB, cached=math.inf)
    world.clock.at(5.0, lambda: world.pulls.forget(0))
    world.fetch(6.0, "new", [0], 10 * GB, cached=math.inf)
    world.fetch(30.0, "again", [0], 10 * GB, cached=math.inf)
    ends = world.run()
    assert ends["old"] == pytest.approx(14.0)  # 6 GB alone and the other 4 GB at half the rate
    assert ends["new"] == pytest.approx(20.0)  # not with the old one's bytes: its own 10 GB
    assert ends["again"] == 30.0
