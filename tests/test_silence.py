from __future__ import annotations

import math

import pytest

import simulator as sim
from simulator.experiment.results import Results
from simulator.experiment.silence import REPEATED
from tests.synthetic import manifest, record
from tests.synthetic_serving import service_record


def repeated(**measures) -> Results:
    """Three replications, all of them the same run, of two alternatives."""
    return Results(
        {(name, r): record(order=name, seed=3) for name in ("fifo", "sjf") for r in range(3)}, manifest(**measures)
    )


def test_replications_that_are_the_same_give_no_interval():
    found = repeated()
    assert found.repeated("fifo")
    once = Results({(name, 0): record(order=name, seed=3) for name in ("fifo", "sjf")}, manifest())
    for measure in ("jct.mean", "utilization"):
        assert found.estimate("fifo", measure) == once.estimate("fifo", measure)
        assert found.difference("sjf", "fifo", measure) == once.difference("sjf", "fifo", measure)
    assert found.estimate("fifo", "jct.mean").basis == "10 batches of 40 jobs"
    assert math.isnan(found.estimate("fifo", "utilization").interval.half_width)
    assert found.difference("sjf", "fifo", "utilization").verdict in ("no interval", "no difference shown")


def test_it_is_said_once_and_only_then():
    assert repeated().notes.count(REPEATED) == 1
    assert "nothing in this scenario is random" in REPEATED
    assert "`resample` makes a trace vary" in REPEATED
    several = Results({("fifo", r): record(replication=r) for r in range(2)}, manifest())
    assert REPEATED not in several.notes
    assert not several.repeated("fifo")
    assert REPEATED not in several["fifo"].notes
    assert not Results({("fifo", 0): record()}, manifest()).repeated("fifo")


def test_against_an_alternative_that_varies_replications_stay_paired():
    records = {("same", r): record(seed=3) for r in range(3)} | {("drawn", r): record(replication=r) for r in range(3)}
    found = Results(records, manifest())
    assert found.difference("drawn", "same", "jct.mean").basis == "3 paired replications"
    assert f"same: {REPEATED}" in found.notes


def test_one_value_that_differs_is_enough():
    other = record(seed=3)
    other.tables["jobs"]["end"][5] += 1e-9
    assert not Results({("a", 0): record(seed=3), ("a", 1): other}, manifest()).repeated("a")


CLUSTER = {"build": "servers", "nodes": 1, "node": "aws/p5"}


def powered(topology: dict, measures: list[str]) -> Results:
    jobs = [{"id": "a", "accelerators": 1, "duration": "1 h"}]
    return sim.run({"name": "one", "topology": topology, "workload": {"j": {"jobs": jobs}}, "measure": measures})


@pytest.mark.parametrize(
    ("topology", "measures", "said"),
    [
        (
            CLUSTER,
            ["energy.kwh", "joules.per_token", "jct.mean"],
            "energy.kwh, joules.per_token: no value, as the catalog does not know the power of the server aws/p5; a "
            "record of your own with `power` (docs/catalog.md), or a server whose power is known, gives one.",
        ),
        (
            {"build": "pool", "accelerators": 4},
            ["energy.kwh"],
            "energy.kwh: no value, as the cluster is not built of servers whose power is known; a `node` of the "
            "catalog that has a power, such as dgx-h100, gives one.",
        ),
    ],
)
def test_energy_without_power_is_said_with_what_is_missing(topology, measures, said, tmp_path):
    found = powered(topology, measures)
    assert said in found.notes
    assert said in Results.load(found.save(tmp_path / "saved", report=False)).notes


def test_energy_that_nobody_asked_for_is_not_missed():
    assert not any("power" in note for note in powered(CLUSTER, ["jct.mean"]).notes)
    known = powered({**CLUSTER, "node": "dgx-h100"}, ["energy.kwh"])
    assert not any("power" in note for note in known.notes)


def test_energy_that_has_another_reason_to_be_missing_is_not_laid_to_power():
    run = service_record()
    run.tables["requests"]["generated"][:] = 0
    found = Results({("a", 0): run}, manifest(measures=["joules.per_token"]))
    assert math.isnan(found.estimate("a", "joules.per_token").interval.mean)
    assert not any("power" in note for note in found.notes)
