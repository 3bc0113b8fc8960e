"""Servers that a scenario singles out: partitions, maintenance and bookings, from YAML to the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from simulator.core.errors import InputError
from simulator.runtime.windows import Booking, Maintenance
from simulator.scenario.build import build, build_topology
from simulator.scenario.serverkeys import ServerKeys
from simulator.scenario.servers import bookings, maintenance
from simulator.scenario.spec import Scenario

TEXT = """\
name: two kinds
topology:
  build: fleet
  groups:
    - {name: new, count: 3, accelerators: 4, accelerator: a100, labels: {zone: x}}
    - {name: old, count: 2, accelerators: 8, accelerator: v100}
workload:
  w:
    jobs:
      - {id: a, submit: 0 s, accelerators: 4, duration: 10 s, tenant: red}
      - {id: b, submit: 0 s, accelerators: 4, duration: 10 s, tenant: blue}
"""


def chosen(servers: str) -> tuple[int, ...]:
    scenario = Scenario.load(TEXT + f"maintenance: [{{servers: {servers}, from: 1 min, until: 2 min}}]\n")
    (window,) = maintenance(scenario, build_topology(scenario))
    return window.servers


@pytest.mark.parametrize(
    ("servers", "indices"),
    [
        ("new-1", (1,)),
        ('"new-*"', (0, 1, 2)),
        ("[new-0, old-1]", (0, 4)),
        ("{accelerator: v100}", (3, 4)),
        ("{labels: {zone: x}, count: 2}", (0, 1)),
        ("{first: 1, count: 3}", (1, 2, 3)),
        ('{names: "*-0", accelerator: v100}', (3,)),
        ("{}", (0, 1, 2, 3, 4)),
    ],
)
def test_keys_single_out_servers(servers: str, indices: tuple[int, ...]) -> None:
    assert chosen(servers) == indices


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("maintenance: [{servers: nwe-1, from: 0 s, until: 1 s}]", "there is no server 'nwe-1'. Did you mean 'new-1'?"),
        (
            "maintenance: [{servers: {accelerator: h100}, from: 0 s, until: 1 s}]",
            "servers wanted, 0 of 5 are as described. Accelerators here: a100, v100.",
        ),
        ("maintenance: [{servers: {count: 9}, from: 0 s, until: 1 s}]", "9 servers wanted, 5 of 5 are as described."),
        (
            "maintenance: [{servers: new-1, from: 5 s, until: 5 s}]",
            "the window ends at 5 s, but begins at 5 s",
        ),
        ("bookings: [{servers: new-1, from: 0 s, until: 5 s}]", "tenant"),
        ("partitions: {fast: {accelerator: h100}}", "servers wanted, 0 of 5 are as described."),
    ],
)
def test_what_is_wrong_is_told_with_its_place(more: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        build(Scenario.load(TEXT + more + "\n"))
    assert told in str(caught.value)
    assert more.partition(":")[0] in str(caught.value)


def test_windows_are_read_with_their_units() -> None:
    more = (
        "maintenance: [{servers: new-0, from: 1 h, until: 2 h, drain: 10 min}]\n"
        "bookings: [{servers: old-0, from: 1 min, until: 1 d, tenant: red}]\n"
    )
    scenario = Scenario.load(TEXT + more)
    topology = build_topology(scenario)
    assert maintenance(scenario, topology) == [Maintenance(3600.0, 7200.0, (0,), 600.0)]
    assert bookings(scenario, topology) == [Booking(60.0, 86_400.0, (3,), "red")]


def ended(more: str, *overrides: Any) -> dict[str, tuple[float, float]]:
    table = build(Scenario.load(TEXT + more, overrides)).run().tables["jobs"]
    return dict(zip(table["id"], zip(table["start"].tolist(), table["end"].tolist(), strict=True), strict=True))


def test_windows_reach_the_run() -> None:
    everything = 'maintenance: [{servers: "*", from: 4 s, until: 9 s}]\n'
    assert ended(everything) == {"a": (0.0, 15.0), "b": (0.0, 15.0)}
    assert ended('bookings: [{servers: "*", from: 0 s, until: 7 s, tenant: blue}]\nscheduler: {backfill: fill}\n') == {
        "a": (7.0, 17.0), "b": (0.0, 10.0),
    }  # fmt: skip


def test_partitions_reach_the_run() -> None:
    text = TEXT.replace("tenant: red", "partition: one").replace("tenant: blue", "partition: one")
    more = "partitions: {one: new-0, all: {}}\n"
    scenario = Scenario.load(text + more)
    assert [server.partition for server in build_topology(scenario).servers] == ["one,all", *["all"] * 4]
    table = build(scenario).run().tables["jobs"]
    assert sorted(table["start"].tolist()) == [0.0, 10.0]


PARTED = "partitions: {batch: 'new-*', slow: {accelerator: v100}}\n"


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (["workload.w.jobs.1.partition=btach"], "workload.w.jobs.1.partition"),
        (["workload.g={generate: poisson, jobs: 9, rate: 9 /h, mean: 1 h, partition: btach}"], "workload.g.partition"),
    ],
)
def test_a_partition_that_the_cluster_does_not_have_is_told_with_its_place(overrides: list[str], place: str) -> None:
    with pytest.raises(InputError) as caught:
        build(Scenario.load(TEXT + PARTED, overrides))
    assert f"{place}: there is no partition 'btach'" in str(caught.value)
    assert "Did you mean 'batch'?" in str(caught.value)


def test_a_partition_without_partitions_is_noted() -> None:
    record = build(Scenario.load(TEXT, ["workload.w.jobs.1.partition=batch"])).run()
    assert (
        "Workload w names partition 'batch', and the cluster has none: its jobs run anywhere." in record.facts["notes"]
    )
    assert record.tables["jobs"]["state"].tolist() == ["COMPLETED"] * 2


def test_a_booking_for_a_tenant_without_jobs_is_noted() -> None:
    booked = "bookings: [{servers: '*', from: 0 s, until: 7 s, tenant: bleu}]\n"
    record = build(Scenario.load(TEXT + booked)).run()
    assert record.facts["notes"] == ["No job is of tenant 'bleu', for whom servers are booked. Is it 'blue'?"]
    generated = "workload.g={generate: philly-like, jobs: 9, tenants: 1, load: 0.5}"
    assert "No job is of tenant 'bleu'" in str(build(Scenario.load(TEXT + booked, [generated])).run().facts["notes"])
    assert build(Scenario.load(TEXT + booked.replace("bleu", "blue"))).run().facts["notes"] == []


def test_jobs_of_a_trace_that_want_other_partitions_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"{i},5,1,{part}\n" for i, part in enumerate(["batch", "fast", "fast", "", "slow", "odd"]))
    (tmp_path / "t.csv").write_text("submit,duration,accelerators,partition\n" + rows)
    trace = f"workload.t={{trace: '{tmp_path / 't.csv'}', format: generic}}"
    notes = build(Scenario.load(TEXT + PARTED, [trace])).run().facts["notes"]
    assert "Workload t: 3 of 6 jobs want partitions that no server is in (fast, odd)." in notes
    for more in (["workload.t.partition=batch"], ["partitions="]):
        assert "no server is in" not in str(build(Scenario.load(TEXT + PARTED, [trace, *more])).run().facts["notes"])


def test_an_empty_list_of_names_is_refused_as_such() -> None:
    with pytest.raises(ValidationError, match="there is not a single name"):
        ServerKeys.model_validate({"names": []})
