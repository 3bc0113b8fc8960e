"""From a checked scenario to a simulation: the right cluster, the right work, and what does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.cluster import catalog
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.runtime.accounting import Costs
from simulator.scenario.build import build, build_topology, plan
from simulator.scenario.costs import costs
from simulator.scenario.links import capacity_events
from simulator.scenario.schema import CostKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache, cut
from simulator.scenario.workloads import TraceWork
from simulator.workload.jobs import BatchJob, TrainingJob

POOL = """\
name: a pool
topology: {build: pool, accelerators: 4}
workload:
"""
LINE = """\
name: a line
topology:
  build: links
  links: [{src: a, dst: b, capacity: 8 Gb/s, latency: 1 s}, {src: b, dst: c, capacity: 8 Gb/s}]
workload:
"""


def message(text: str, *overrides: Any) -> str:
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text, overrides))
    return str(caught.value)


def jobs_of(text: str, *overrides: Any, **more: Any) -> list[tuple[float, str]]:
    return [(job.submit, job.id) for job in plan(Scenario.load(text, overrides), **more).jobs()]


def test_listed_jobs() -> None:
    text = POOL + (
        "  w:\n    jobs:\n"
        "      - {submit: 2 s, accelerators: 1, duration: 1 h, communication: 10 %, tenant: me, priority: 2,\n"
        "         estimate: 2 h, cores: 8, memory: 1 GiB, accelerator_types: [h100-sxm]}\n"
        "      - {id: second, submit: 1 s, accelerators: 2, iterations: 3, compute: 1 s, gradient: 1 GB,\n"
        "         overlap: 0.5}\n"
    )
    training, batch = plan(Scenario.load(text)).jobs()
    assert isinstance(batch, BatchJob)
    assert (batch.id, batch.workload, batch.submit, batch.accelerators, batch.duration) == (
        "w-1",
        "w",
        2.0,
        1.0,
        3600.0,
    )
    assert (batch.communication, batch.tenant, batch.priority, batch.estimate) == (0.1, "me", 2.0, 7200.0)
    assert (batch.cores, batch.memory, batch.accelerator_types) == (8.0, 2.0**30, ("h100-sxm",))
    assert isinstance(training, TrainingJob)
    assert (training.id, training.iterations, training.compute, training.gradient) == ("second", 3, 1.0, 1e9)
    assert (training.overlap, training.estimate) == (0.5, -1.0)


def test_jobs_are_fresh_each_time() -> None:
    made = plan(Scenario.load(POOL + "  w: {jobs: [{accelerators: 1, duration: 1 h}]}\n"))
    (first,), (second,) = made.jobs(), made.jobs()
    assert first is not second


def test_workloads_are_merged_by_time_and_ties_by_their_order() -> None:
    text = POOL + (
        "  b: {jobs: [{submit: 3 s, accelerators: 1, duration: 1 h}, {submit: 1 s, accelerators: 1, duration: 1 h}]}\n"
        "  a: {jobs: [{submit: 1 s, accelerators: 1, duration: 1 h}, {submit: 2 s, accelerators: 1, duration: 1 h}]}\n"
    )
    assert jobs_of(text) == [(1.0, "b-2"), (1.0, "a-1"), (2.0, "a-2"), (3.0, "b-1")]


def write_trace(folder: Path) -> Path:
    """Write ten jobs by hand, two tenants, and a scenario that replays them."""
    rows = "".join(
        f"2017-10-0{1 + i // 5} 0{i % 5}:00:00,600,{1 + i % 4},{600 * (1 + i % 4)},vc{i % 2}\n" for i in range(10)
    )
    (folder / "jobs.csv").write_text("timestamp,duration,num_gpus,gpu_time,cluster\n" + rows)
    path = folder / "scenario.yaml"
    path.write_text(POOL + "  w: {trace: jobs.csv, format: philly}\n")
    return path


def work(path: Path, *overrides: str) -> TraceWork:
    found = Scenario.load(path, overrides).workload["w"]
    assert isinstance(found, TraceWork)
    return found


def test_a_trace_is_cut_as_the_scenario_says(tmp_path: Path) -> None:
    path = write_trace(tmp_path)
    whole = plan(Scenario.load(path))
    assert len(list(whole.jobs())) == 10
    assert len(plan(Scenario.load(path, "workload.w.tenant=vc1")).streams[0]) == 5
    assert len(plan(Scenario.load(path, "workload.w.from=1 d")).streams[0]) == 5
    assert len(plan(Scenario.load(path, "workload.w.until=2017-10-01 02:00")).streams[0]) == 2
    assert [s for s, _ in jobs_of(str(path), "workload.w.limit=2", "workload.w.scale_arrivals=2")] == [0.0, 1800.0]
    shares = [job.communication for job in plan(Scenario.load(path, "workload.w.communication=20 %")).jobs()]  # type: ignore[attr-defined]
    assert shares[:4] == [0.0, 0.2, 0.2, 0.2]


def test_what_was_set_aside_is_passed_on(tmp_path: Path) -> None:
    made = plan(Scenario.load(write_trace(tmp_path), "workload.w.tenant=vc1"))
    assert made.set_aside == {"w: tenant is not vc1": 5}


def test_estimates(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("submit,duration,accelerators,estimate\n0,10,1,99\n")
    path = tmp_path / "s.yaml"
    path.write_text(POOL + "  w: {trace: jobs.csv, format: generic}\n")
    assert [job.estimate for job in plan(Scenario.load(path)).jobs()] == [99.0]
    assert [job.estimate for job in plan(Scenario.load(path, "workload.w.estimates=exact")).jobs()] == [-1.0]


def test_wrong_cuts_name_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_trace(tmp_path)
    said = message("scenario.yaml", "workload.w.tenant=vc7")
    assert said.startswith("workload.w.tenant: trace 'jobs.csv' has no tenant 'vc7'.")
    assert "Known: vc0, vc1." in said
    assert "\n    --set workload.w.tenant=vc7" in said
    text = Path("scenario.yaml").read_text().replace("philly}", "philly, from: 2018-01-01}")
    Path("scenario.yaml").write_text(text)
    said = message("scenario.yaml")
    assert said.startswith("scenario.yaml:4:")
    assert "has no job in the window" in said
    assert "w: {trace: jobs.csv, format: philly, from: 2018-01-01}" in said


def test_a_trace_of_another_format(tmp_path: Path) -> None:
    path = write_trace(tmp_path)
    said = message(str(path), "workload.w.format=openb")
    assert str(tmp_path / "jobs.csv") in said
    assert "philly" in said


def test_traces_and_topologies_are_made_once(tmp_path: Path) -> None:
    path = write_trace(tmp_path)
    traces, found = TraceCache(), work(path)
    first = traces.trace(found)
    assert traces.trace(work(path)) is first
    assert build_topology(Scenario.load(path), traces) is build_topology(Scenario.load(path), traces)
    assert build_topology(Scenario.load(path, "topology.accelerators=5"), traces).accelerators == 5
    lines = (tmp_path / "jobs.csv").read_text().splitlines(keepends=True)
    (tmp_path / "jobs.csv").write_text("".join(lines[:-1]))
    assert len(traces.trace(work(path))) == 9


def test_the_cache_forgets_what_was_not_used_lately(tmp_path: Path) -> None:
    traces = TraceCache()
    for count in range(1, 40):
        build_topology(
            Scenario.load(POOL + "  w: {generate: poisson, jobs: 1, rate: 1 /h}\n", f"topology.accelerators={count}"),
            traces,
        )
    assert len(traces._topologies) == 8


def test_cutting_nothing_changes_nothing(tmp_path: Path) -> None:
    found = work(write_trace(tmp_path))
    trace = TraceCache().trace(found)
    assert cut(trace, found.keys) is trace


GENERATED = POOL + "  w: {generate: poisson, jobs: 50, load: 0.5, mean: 1 h}\n"


def test_generated_work_depends_on_seed_replication_and_name() -> None:
    same = jobs_of(GENERATED)
    assert jobs_of(GENERATED) == same
    assert jobs_of(GENERATED, seed=0) == same
    assert jobs_of(GENERATED, seed=1) != same
    assert jobs_of(GENERATED, replication=1) != same
    assert [submit for submit, _ in jobs_of(GENERATED.replace("  w:", "  v:"))] != [submit for submit, _ in same]
    assert jobs_of(GENERATED + "scheduler: sjf\nplacement: spread\n") == same


def test_a_load_is_of_the_cluster_of_the_baseline() -> None:
    text = GENERATED + "compare: {size: {small: {}, large: {topology.accelerators: 64}}}\n"
    made = {name: [job.submit for job in plan(s).jobs()] for name, s in Scenario.load(text).alternatives().items()}
    assert made["small"] == made["large"]
    alone = [submit for submit, _ in jobs_of(GENERATED, "topology.accelerators=64")]
    assert np.allclose(alone, np.array(made["small"]) / 16)
    variants = Scenario.load(GENERATED).variants({"small": {}, "large": {"topology.accelerators": 64}})
    assert [job.submit for job in plan(variants["large"]).jobs()] == made["small"]


def test_a_generator_that_refuses_is_placed_in_the_file() -> None:
    said = message(GENERATED.replace("load: 0.5", "load: -1"))
    assert said.startswith("<text>:4:42 workload.w.load: load: -1.0 is not a number above 0")


def test_oversize_jobs_are_reported_or_refused() -> None:
    text = (
        POOL
        + "  w: {jobs: [{accelerators: 8, duration: 1 h}, {accelerators: 16, duration: 1 h},\n"
        + "             {accelerators: 4, duration: 1 h}]}\n"
    )
    (note,) = plan(Scenario.load(text)).notes
    said = "2 of 3 jobs ask for more than the 4 accelerators of the cluster (the largest for 16)"
    assert note == f"Workload w: {said} and cannot run."
    assert message(text, "workload.w.oversize=error").startswith(f"<text>:4:3 workload.w: {said}\n")
    record = build(Scenario.load(text)).run()
    assert sorted(record.tables["jobs"]["state"]) == ["COMPLETED", "REJECTED", "REJECTED"]


def test_transfers() -> None:
    text = LINE + "  t: {transfers: [{src: a, dst: c, bytes: 2 GB}, {id: x, route: [1], bytes: 1 GB, start: 5 s}]}\n"
    first, second = plan(Scenario.load(text)).transfers
    assert (first.id, first.src, first.dst, first.bytes, first.start, first.route) == ("t-1", "a", "c", 2e9, 0.0, None)
    assert (second.id, second.route, second.start) == ("x", (1,), 5.0)
    flows = build(Scenario.load(text)).run().tables["flows"]
    assert flows["end"].tolist() == [3.0, 6.0]


def test_transfers_without_a_route() -> None:
    text = LINE + (
        "  t:\n    transfers:\n"
        "      - {src: c, dst: a, bytes: 1 GB}\n"
        "      - {src: a, dst: d, bytes: 1 GB}\n"
        "      - {route: [1, 0], bytes: 1 GB}\n"
        "      - {src: b, dst: c, route: [0, 1], bytes: 1 GB}\n"
        "      - {route: [7], bytes: 1 GB}\n"
    )
    said = message(text)
    assert said.count("\n      - {") + said.count("\n          - {") == 5
    for line, part in {
        8: "no route",
        9: "unknown vertex 'd'",
        10: "route [1, 0] is not connected",
        11: "route [0, 1] starts at 'a', not at 'b'",
        12: "route [7]: there is no link 7",
    }.items():
        (found,) = [row for row in said.splitlines() if row.startswith(f"<text>:{line}:")]
        assert part in found


def test_capacity_events() -> None:
    text = LINE + "  t: {transfers: [{src: a, dst: b, bytes: 2 GB}]}\n"
    event = "network={capacity_events: [{time: 2 s, link: 0, capacity: 4 Gb/s}]}"
    scenario = Scenario.load(text, event)
    assert capacity_events(scenario, build_topology(scenario)) == [(2.0, 0, 5e8)]
    assert build(scenario).run().tables["flows"]["end"].tolist() == [4.0]
    assert message(text, event.replace("link: 0", "link: 9")) == (
        "network.capacity_events.0.link: there is no link 9\n"
        "    --set network={capacity_events: [{time: 2 s, link: 9, capacity: 4 Gb/s}]}\n"
        "    the topology has links 0 to 1"
    )
    assert "the topology has no links" in message(GENERATED, event)


def test_contention_can_be_switched_off() -> None:
    text = (
        "name: x\ntopology:\n  build: links\n  servers: {a: {accelerators: 2}, b: {accelerators: 2}}\n"
        "  links: [{src: a, dst: b, capacity: 8 Gb/s}, {src: b, dst: a, capacity: 8 Gb/s}]\n"
        "placement: spread\n"
        "workload: {w: {jobs: [{accelerators: 2, iterations: 10, compute: 1 s, gradient: 1 GB},\n"
        "                      {accelerators: 2, iterations: 10, compute: 1 s, gradient: 1 GB}]}}\n"
    )
    ends = {
        mode: build(Scenario.load(text, [f"network.contention={mode}", "network.fidelity=flow"]))
        .run()
        .tables["jobs"]["end"]
        .tolist()
        for mode in ("max-min", "none")
    }
    assert ends == {"max-min": [30.0, 30.0], "none": [20.0, 20.0]}


def test_problems_of_the_topology_are_placed_in_the_file() -> None:
    text = "name: x\ntopology: {build: fat-tree, k: 3, link: infiniband-ndr}\n" + "\n".join(POOL.splitlines()[2:])
    text += "\n  w: {jobs: [{accelerators: 1, duration: 1 h}]}\n"
    assert message(text).startswith("<text>:2:32 topology.k: k is 3; a fat-tree needs an even number of ports")
    said = message(text, "topology.k=4", "topology.link=infiniband-ndx")
    assert said.startswith("topology.link: unknown link 'infiniband-ndx'. Did you mean 'infiniband-ndr'?")


def test_a_topology_from_python_is_used_as_it_is() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1e9}])
    data = {
        "name": "x",
        "topology": line,
        "workload": {"t": {"transfers": [{"src": "a", "dst": "b", "bytes": "1 GB"}]}},
    }
    scenario = Scenario.from_dict(data)
    assert build_topology(scenario) is line
    assert build(scenario).run().tables["flows"]["end"].tolist() == [1.0]


def test_a_pool_of_nodes() -> None:
    text = (
        "name: x\ntopology: {build: servers, nodes: 4, node: dgx-h100}\n"
        "workload: {w: {jobs: [{accelerators: 32, duration: 1 h}]}}\n"
        "autoscaler: {kind: target-tracking, min: 1, provision: 5 min, interval: 1 min}\n"
    )
    jobs = build(Scenario.load(text)).run().tables["jobs"]
    assert jobs["start"].tolist() == [480.0]  # an alarm of three minutes, and five until the nodes are there
    assert message(text, "autoscaler.max=9") == (
        "autoscaler.max: max is 9 nodes; the topology has 4 servers\n    --set autoscaler.max=9"
    )
    assert message(text.replace("min: 1", "min: 5")).startswith("<text>:4:42 autoscaler.min: min is 5 nodes; ")


def small(link: str = "infiniband-ndr") -> Topology:
    return build_topology(
        Scenario.load(
            f"name: x\ntopology: {{build: single-switch, nodes: 2, node: dgx-h100, link: {link}}}\n"
            "workload: {w: {jobs: [{accelerators: 1, duration: 1 h}]}}\n"
        )
    )


def keys(**given: Any) -> CostKeys:
    return CostKeys.model_validate(given)


def test_costs_follow_the_bill() -> None:
    topology = small()
    bill = topology.bill()
    found, _ = costs(keys(capex="catalog", life="4 y", electricity="$0.10/kWh", pue=1.2), topology)
    assert found.capex == sum(line.count * line.unit_price for line in bill if line.unit_price is not None)
    assert (found.life, found.pue, found.cloud) == (4 * 31557600.0, 1.2, None)
    assert found.electricity == pytest.approx(0.1 / 3.6e6)
    server = catalog.server("dgx-h100")
    assert server.power is not None
    assert found.busy_power == 2 * server.power
    assert found.idle_power is not None
    assert 0 < found.idle_power < found.busy_power
    assert found.network_power == sum(line.count * (line.power or 0.0) for line in bill if line.kind == "switch")


def test_what_is_paid() -> None:
    topology = small()
    assert costs(None, topology)[0].capex is None
    assert costs(None, topology)[0].busy_power is not None
    assert costs(keys(capex="none", electricity="$0.1/kWh"), topology)[0].capex is None
    assert costs(keys(capex="$2.5 M"), topology)[0].capex == 2.5e6
    assert costs(keys(electricity="$0.1/kWh"), topology)[0].capex is not None
    rented = costs(keys(cloud="$3.60/h"), topology)[0]
    assert rented.capex is None
    assert rented.cloud == pytest.approx(0.001)


def test_prices_of_the_catalog() -> None:
    row = catalog.records("price")[0]
    cloud = {"provider": row.provider, "instance": row.instance, "region": row.region, "kind": next(iter(row.prices))}  # type: ignore[attr-defined]
    assert costs(keys(cloud=cloud), small())[0].cloud == next(iter(row.prices.values()))  # type: ignore[attr-defined]
    for change, said in {
        "provider": "unknown provider 'x'",
        "instance": "has no instance 'x' in the catalog",
        "region": "has no region 'x' in the catalog",
    }.items():
        with pytest.raises(InputError, match=said):
            costs(keys(cloud={**cloud, change: "x"}), small())
    with pytest.raises(InputError) as caught:
        costs(keys(cloud={"provider": "AWS"}), small())
    assert "say which with instance, accelerator or region" in str(caught.value)


UNPRICED = "The catalog has no price for servers that name no record of the catalog, so capex is not counted"


def test_what_has_no_price_is_said() -> None:
    pool = build_topology(Scenario.load(GENERATED))
    found, notes = costs(keys(capex="catalog", electricity="$0.1/kWh"), pool)
    assert (found.capex, found.busy_power) == (None, None)
    assert notes == [
        "The power of servers that name no record of the catalog is not known, so electricity is not counted; "
        "a node of the catalog in the topology (node: dgx-h100) has one, and groups of a fleet take power: 10 kW.",
        f"{UNPRICED}; name a node of the catalog in the topology (node: dgx-h100), give groups of a fleet a price: "
        "$250k, or write capex: $3M.",
    ]
    assert isinstance(found, Costs)


def test_groups_of_a_fleet_may_have_a_price_and_a_power() -> None:
    groups = "[{count: 4, accelerators: 8, price: $250k, power: 10 kW}, {count: 1, node: dgx-h100, price: 1000}]"
    work = "workload: {t: {jobs: [{accelerators: 1, duration: 1 h}]}}"
    text = f"name: x\ntopology: {{build: fleet, groups: {groups}}}\n{work}\n"
    known = catalog.server("dgx-h100").power
    assert known is not None
    found, notes = costs(keys(capex="catalog", electricity="$0.1/kWh"), build_topology(Scenario.load(text)))
    assert (found.capex, found.busy_power, notes) == (4 * 250_000.0 + 1000.0, 4 * 10_000.0 + known, [])
    with pytest.raises(InputError, match="price: '5 kg' has unknown unit"):
        build_topology(Scenario.load(text.replace("$250k", "5 kg")))


def test_notes_of_costs_reach_the_record() -> None:
    record = build(Scenario.load(GENERATED + "cost: {capex: catalog}\n")).run()
    assert any(note.startswith(UNPRICED) for note in record.facts["notes"])


def test_settings_reach_the_run() -> None:
    text = GENERATED + "run: {until: 10 h, warmup: 1 h}\nseed: 5\nscheduler: {kind: las, quantum: 1 min}\n"
    record = build(Scenario.load(text), seed=9, replication=2).run()
    facts = record.facts
    assert (facts["seed"], facts["replication"], facts["end"], facts["warmup"]) == (9, 2, 36000.0, 3600.0)
    assert facts["scheduler"] == "las"
    assert build(Scenario.load(text)).run().facts["seed"] == 5


def test_philly_pools_come_out_exactly(shared: Path) -> None:
    import csv

    with (shared / "traces/philly/reference_pool_results.csv").open() as file:
        wanted = [row for row in csv.DictReader(file) if row["vc"] in ("0e4a51", "7f04ca")]
    traces = TraceCache()
    for row in wanted:
        text = (
            f"name: x\ntopology: {{build: pool, accelerators: {row['pool_gpus']}}}\n"
            f"scheduler: {row['policy']}\nworkload:\n"
            f"  vc: {{trace: {shared}/traces/philly/philly.shared_vcs.csv.gz, format: philly, tenant: {row['vc']},\n"
            "       from: 2017-10-01, until: 2017-12-01}\n"
        )
        jobs = build(Scenario.load(text), traces=traces).run().tables["jobs"]
        waits = jobs["wait"][jobs["state"] != "REJECTED"]
        assert len(waits) == int(row["jobs"])
        assert round(float(waits.mean()), 2) == float(row["mean_wait_s"])
    assert len(wanted) >= 4
