"""Node groups in a scenario file: what becomes of their keys, and what is refused and how."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from simulator.core.errors import InputError
from simulator.runtime.supply.boots import Phase, Warm
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.supply import Supply
from simulator.scenario.build import build
from simulator.scenario.groupbuild import presets
from simulator.scenario.spec import Scenario

CALIBRATION = Path(__file__).parents[2] / "shared" / "calibration" / "elasticity.csv"
HEAD = """\
name: groups
topology: {build: fleet, groups: [{count: 4, node: dgx-h100}, {count: 4, accelerators: 4}]}
workload: {batch: {jobs: [{accelerators: 8, duration: 1 h}]}}
"""
GOOD = HEAD + "autoscaler: {kind: target-tracking}\n"


def load(text: str, *overrides: Any) -> Scenario:
    return Scenario.load(text, overrides)


def groups(line: str, head: str = GOOD) -> list[Group]:
    pool = build(load(f"{head}node_groups:\n  {line}\n")).pool
    assert isinstance(pool, Supply)
    return list(pool.groups)


def refused(lines: str, head: str = GOOD) -> str:
    with pytest.raises(InputError) as caught:
        build(load(f"{head}{lines}\n"))
    return str(caught.value)


def test_defaults() -> None:
    (group,) = groups("h: {servers: {accelerator: nvidia/h100-sxm}}")
    assert group == Group("h", (0, 1, 2, 3), boot=(Phase("provision", 210.0),))
    assert (group.notice, group.grace, group.spot, group.interruptions) == (120.0, 600.0, False, math.inf)


def test_all_keys(tmp_path: Path) -> None:
    (tmp_path / "price.csv").write_text("time,price\n0,36\n100,72\n")
    (tmp_path / "spot.csv").write_text("time,count\n0,3\n50,1\n")
    (tmp_path / "s.yaml").write_text(
        GOOD + "node_groups:\n"
        "  h: {servers: {first: 4, count: 3}, min: 1, max: 2, initial: 2, quota: 3, price: price.csv, market: spot,\n"
        "      boot: {request: 5 s, up: {kind: exponential, mean: 1 min},\n"
        "             image: {kind: uniform, low: 10 s, high: 30 s},\n"
        "             cloud-init: {kind: lognormal, mean: 9 s, sigma: 0.5}, accelerators: 60 s},\n"
        "      warm: {nodes: 1, state: running, price: 50 %}, region: west, capacity: spot.csv,\n"
        "      interruptions: {mean: 4 h}, notice: 30 s, grace: 1 min}\n"
        "regions: {west: {carbon: 360 g/kWh, price: 1.5}}\n"
    )
    pool = build(Scenario.load(tmp_path / "s.yaml")).pool
    assert pool is not None
    (group,) = pool.groups
    assert (group.servers, group.minimum, group.maximum, group.initial, group.quota) == ((4, 5, 6), 1, 2, 2, 3)
    assert group.price is not None
    assert [group.price.at(time) * 3600 for time in (0.0, 100.0)] == pytest.approx([36 * 1.5, 72 * 1.5])
    assert group.boot == (
        Phase("request", 5.0), Phase("up", 60.0, "exponential"), Phase("image", 20.0, "uniform", 10.0),
        Phase("cloud-init", 9.0, "lognormal", 0.5), Phase("accelerators", 60.0),
    )  # fmt: skip
    assert group.warm == Warm(1, "running", 1.866, 0.5)
    assert (group.spot, group.region, group.interruptions) == (True, "west", 4 * 3600.0)
    assert group.capacity is not None
    assert (group.capacity.times, group.capacity.values) == ([0.0, 50.0], [3.0, 1.0])
    assert group.carbon is not None
    assert group.carbon.at(5.0) == pytest.approx(360 / 3.6e9)
    assert (group.notice, group.grace) == (30.0, 60.0)


def test_without_an_autoscaler_groups_are_full() -> None:
    scenario = load(HEAD + "node_groups: {a: {servers: {count: 4}, max: 3, price: $36/h}}\n")
    record = build(scenario).run()
    assert record.facts["cost"] == {"cloud": pytest.approx(3 * 36.0)}


def test_a_warm_pool_of_stopped_nodes_costs_nothing_while_it_waits() -> None:
    (group,) = groups("a: {servers: {count: 4}, warm: {nodes: 2}}")
    assert group.warm == Warm(2, "stopped", 21.178, 0.0)


def test_groups_are_named_in_overrides_and_comparisons() -> None:
    text = GOOD + "node_groups: {a: {servers: {count: 4}}}\ncompare: {node_groups.a.min: [0, 2]}\n"
    made = load(text).alternatives()
    assert [alternative.keys.node_groups["a"].min for alternative in made.values()] == [0, 2]
    assert load(text, "node_groups.a.max=3").keys.node_groups["a"].max == 3
    whole = GOOD + "compare: {node_groups: {one: {a: {servers: {count: 4}}}, two: {b: {servers: {first: 4}}}}}\n"
    assert [list(each.keys.node_groups) for each in load(whole).alternatives().values()] == [["a"], ["b"]]


def test_jobs_beyond_all_groups_are_too_large() -> None:
    text = HEAD.replace("accelerators: 8, duration", "accelerators: 25, duration") + (
        "autoscaler: {kind: target-tracking}\nnode_groups:\n"
        "  a: {servers: {count: 4}, max: 2}\n  b: {servers: {first: 4}, max: 2}\n"
    )
    record = build(load(text)).run()
    assert record.tables["jobs"]["state"].tolist() == ["REJECTED"]
    assert any("more than the 24 accelerators of the cluster" in note for note in record.facts["notes"])


REFUSED = {
    "max below min": (
        "node_groups: {a: {servers: {count: 4}, min: 3, max: 2}}",
        "<text>:5:53 node_groups.a.max: max (2) is below min (3)\n"
        "    node_groups: {a: {servers: {count: 4}, min: 3, max: 2}}\n" + " " * 56 + "^",
    ),
    "initial": (
        "node_groups: {a: {servers: {count: 4}, max: 2, initial: 3}}",
        "initial (3) is not between min (0) and max (2)",
    ),
    "max above servers": (
        "node_groups: {a: {servers: {count: 4}, max: 5}}",
        "node_groups.a.max: max is 5 nodes; the group has 4 servers",
    ),
    "min above servers": (
        "node_groups: {a: {servers: {count: 4}, min: 5}}",
        "<text>:5:45 node_groups.a.min: min is 5 nodes; the group has 4 servers",
    ),
    "overlap": (
        "node_groups: {a: {servers: {count: 5}}, b: {servers: {first: 4}}}",
        "node_groups.b.servers: server 'group-2-0' is in node group 'a' already; groups share none",
    ),
    "no servers": (
        "node_groups: {a: {servers: rack-9-*}}",
        "node_groups.a.servers: there is no server 'rack-9-*'.",
    ),
    "quota below min": (
        "node_groups: {a: {servers: {count: 4}, min: 3, quota: 2}}",
        "node_groups.a.quota: quota (2) is below min (3)",
    ),
    "price": (
        "node_groups: {a: {servers: {count: 4}, price: $-3/h}}",
        "node_groups.a.price: '$-3/h' is negative; a price must be 0 or more",
    ),
    "price without unit": (
        "node_groups: {a: {servers: {count: 4}, price: 3}}",
        "node_groups.a.price: 3 has no unit for a price; write for example '$2.10/h'",
    ),
    "two traces": (
        "node_groups: {a: {servers: {count: 4}, capacity: a.csv, interruptions: b.csv}}",
        "node_groups.a.interruptions: 'capacity' and 'interruptions' are both files: which nodes are taken back, and "
        "when, is told twice",
    ),
    "region": (
        "node_groups: {a: {servers: {count: 4}, region: wets}}\nregions: {west: {carbon: 400 g/kWh}}",
        "node_groups.a.region: there is no region 'wets'",
    ),
    "no region": (
        "node_groups: {a: {servers: {count: 4}}}\nregions: {west: {carbon: 400 g/kWh}}",
        "node_groups.a: it is in no region",
    ),
    "regions alone": (
        "regions: {west: {carbon: 400 g/kWh}}",
        "regions: without node groups nothing is in a region",
    ),
    "missing file": (
        "node_groups: {a: {servers: {count: 4}, capacity: nowhere.csv}}",
        "node_groups.a.capacity: there is no file",
    ),
    "capacity": (
        "node_groups: {a: {servers: {count: 4}, capacity: -1}}",
        "node_groups.a.capacity: -1 is not a number of nodes, 0 or more",
    ),
    "interruptions": (
        "node_groups: {a: {servers: {count: 4}, interruptions: {mean: 0 s}}}",
        "node_groups.a.interruptions.mean: '0 s' is not allowed: it must be greater than 0",
    ),
    "interruptions without mean": (
        "node_groups: {a: {servers: {count: 4}, interruptions: 4 h}}",
        "node_groups.a.interruptions: '4 h' says nothing of interruptions",
    ),
    "notice": (
        "node_groups: {a: {servers: {count: 4}, notice: -5 s}}",
        "node_groups.a.notice: '-5 s' is negative; a time must be 0 or more",
    ),
    "warm": (
        "node_groups: {a: {servers: {count: 4}, boot: 0 s, warm: {nodes: 1}}}",
        "node_groups.a: a warm pool saves nothing where a boot takes no time",
    ),
    "too warm": (
        "node_groups: {a: {servers: {count: 4}, min: 2, warm: {nodes: 3}}}",
        "node_groups.a: 3 warm nodes and min (2) are more than its 4 servers",
    ),
    "preset": (
        "node_groups: {a: {servers: {count: 4}, boot: ec3}}",
        "node_groups.a.boot: unknown boot 'ec3'. Did you mean 'ec2'? Known: ec2, gce, gpu-vm.",
    ),
    "phase": (
        "node_groups: {a: {servers: {count: 4}, boot: {image: 5}}}",
        "node_groups.a.boot.image: 5 has no unit for a time; write for example '5 min'",
    ),
    "law": (
        "node_groups: {a: {servers: {count: 4}, boot: {image: {kind: uniform, mean: 5 s}}}}",
        "node_groups.a.boot.image.mean: 'uniform' takes low and high, not 'mean'",
    ),
    "accelerators": (
        "node_groups: {a: {servers: {count: 4}, boot: {accelerators: 5 s, image: 6 s}}}",
        "node_groups.a.boot.accelerators: the phase 'accelerators' is not the last one",
    ),
    "cloud twice": (
        "node_groups: {a: {servers: {count: 4}, price: $9/h}}\ncost: {cloud: $2/h}",
        "cost.cloud: 'cloud' counts the same machines twice: node groups have prices",
    ),
    "capex twice": (
        "node_groups: {a: {servers: {count: 4}, price: $9/h}}\ncost: {capex: catalog}",
        "cost.capex: 'capex' counts the same machines twice: node groups have prices",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    lines, said = REFUSED[name]
    told = refused(lines)
    assert said in told
    assert told.startswith(("<text>:5:", "<text>:6:"))


@pytest.mark.parametrize("key", ["min: 1", "max: 3", "initial: 1", "provision: 5 min"])
def test_the_autoscaler_has_no_bounds_of_its_own_beside_groups(key: str) -> None:
    head = f"{HEAD}autoscaler: {{kind: target-tracking, {key}}}\n"
    name = key.partition(":")[0]
    told = refused("node_groups: {a: {servers: {count: 4}}}", head)
    assert told.startswith(f"<text>:4:37 autoscaler.{name}: {name!r} has no meaning beside node_groups\n")


def test_a_malformed_trace_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "spot.csv").write_text("time,count\n0,4\n60,many\n")
    (tmp_path / "s.yaml").write_text(GOOD + "node_groups: {a: {servers: {count: 4}, capacity: spot.csv}}\n")
    with pytest.raises(InputError) as caught:
        build(Scenario.load(tmp_path / "s.yaml"))
    assert f"{tmp_path / 'spot.csv'}:3:4: 'many' is not a whole number, 0 or more" in str(caught.value)


@pytest.mark.skipif(not CALIBRATION.is_file(), reason="the calibration rows are not beside this checkout")
def test_the_boots_that_have_a_name_are_the_calibration_rows() -> None:
    lines = CALIBRATION.read_text("utf-8").splitlines()
    rows = {row["id"]: float(row["value"]) for row in csv.DictReader(lines)}
    (ec2,) = groups("a: {servers: {count: 4}, boot: ec2, warm: {nodes: 1}}")
    cold = "ec2-cold-m7i.large"
    assert [phase.mean for phase in ec2.boot] == [
        rows[f"{cold}-API-call"], rows[f"{cold}-pending-to-running"], rows[f"{cold}-boot-to-SSH"],
    ]  # fmt: skip
    assert ec2.boot_mean == pytest.approx(rows[f"{cold}-total"], abs=0.01)
    for other in ("t3.medium", "m6i.large", "c7i.large"):
        assert ec2.boot_mean == pytest.approx(rows[f"ec2-type-{other}"], rel=0.2)
    assert ec2.warm is not None
    assert ec2.warm.start == rows["ec2-start-of-a-stopped-m7i.large-total"]
    (gce,) = groups("a: {servers: {count: 4}, boot: gce}")
    assert gce.boot_mean == rows["gce-node"]
    (vm,) = groups("a: {servers: {count: 4}, boot: gpu-vm}")
    low, high = (rows[f"vllm-cold-VM-with-GPU-and-drivers-{end}"] for end in ("low", "high"))
    assert (vm.boot[0].mean - vm.boot[0].spread, vm.boot[0].mean + vm.boot[0].spread) == (low, high)


def test_every_boot_says_where_it_is_from() -> None:
    for row in presets().values():
        assert {"phases", "source", "date", "confidence"} == row.keys()
