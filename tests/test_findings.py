from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.experiment import nodestory
from simulator.experiment.findings import REMEDIES, of_run
from simulator.experiment.log import Log
from simulator.experiment.sentences import Decided, Happened, decided, happened
from simulator.metrics import churn, demandcycle, scaling
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from tests.synthetic import table
from tests.synthetic_elastic import decision, elastic_results, job, swinging

NAN = math.nan
GROUP = {"spot": {"servers": [f"s-{k}" for k in range(4)], "hours": {}, "paid": 0.0}}


def record(end: float = 7200.0, groups: Any = None, fleets: Any = None, **tables: list[tuple]) -> Window:
    made = {name: table(name, rows) for name, rows in tables.items()}
    return Window(Record(made, {"end": end, "warmup": 0.0, "groups": groups or {}, "fleets": fleets or {}}))


def kinds(window: Window) -> dict[str, str]:
    return {kind: text for kind, _, text, _ in of_run(window)}


def with_load(swings: Record, length: float, times: float) -> Window:
    """A load of chat that is high for half of each ``length`` s, beside an autoscaler that swings."""
    rows = [
        (k * length / 2, "chat", 10.0 if k % 2 == 0 else 1.0, 20.0, 1, 1, 0, 0.0, 0.0, 0.0, 0.0)
        for k in range(int(2 * times))
    ]
    return Window(Record(swings.tables | {"loads": table("loads", rows)}, swings.facts))


# -- the period of the demand ---------------------------------------------------------------------------------------


def test_a_number_that_moves_with_the_demand_is_not_called_an_oscillation():
    found = kinds(with_load(swinging(), 612.0, 36))
    assert "oscillation" not in found
    assert found["following"] == (
        "hpa of chat follows the demand, which repeats every 10.2 min: 36 of 36 scale-ups undone within 300 s, no "
        "swings of its own."
    )


def test_one_that_moves_with_another_period_is():
    found = kinds(with_load(swinging(), 1530.0, 14.4))
    assert found["oscillation"].startswith("hpa of chat oscillates: period 10.2 min, 36 of 36")
    assert "following" not in found


def test_what_is_undone_much_sooner_than_the_demand_repeats_is_told_with_its_remedy():
    text = kinds(with_load(swinging(up=60.0), 612.0, 36))["oscillation"]
    assert text.startswith(
        "hpa of chat goes back and forth faster than the demand, which repeats every 10.2 min: 36 of"
    )
    assert text.endswith("raise behavior.scaleDown.stabilizationWindowSeconds to more than 60 s.")


def test_the_period_of_arrivals_is_found_in_requests():
    came = np.concatenate([np.arange(0.0, 600.0, 2.0) + 1200.0 * k for k in range(12)])
    window = record(14400.0)
    window.record.tables["requests"] = {"workload": np.full(len(came), "chat", dtype=object), "arrival": came}
    assert demandcycle.periods(window)["chat"] == pytest.approx(1200.0, rel=0.02)
    steady = record(14400.0)
    every = np.arange(0.0, 14400.0, 7.0)
    steady.record.tables["requests"] = {"workload": np.full(len(every), "chat", dtype=object), "arrival": every}
    assert demandcycle.periods(steady) == {}


def test_remedies_have_the_time_in_the_place_of_a_time():
    assert REMEDIES["karpenter"].format(back="152 s") == "raise consolidateAfter to more than 152 s"
    assert all("{back}" in text for text in REMEDIES.values())


# -- what the provider takes back -----------------------------------------------------------------------------------


def taken(times: int = 8) -> Window:
    events, rows = [], []
    for k in range(times):
        t, name = 600.0 * k, f"s-{k % 4}"
        events += [
            (t, "scale-up", "spot", 1.0), (t + 100, "node-boot", f"{name}: boot", 100.0),
            (t + 100, "node-up", name, 2.0), (t + 160, "interruption", name, 30.0), (t + 190, "node-down", name, 2.0),
        ]  # fmt: skip
        rows += [
            decision(t, "karpenter", "spot", "grow", 0, 1, 1),
            decision(t + 160, "market", name, "remove", rule="interruption"),
        ]
    return record(groups=GROUP, events=events, decisions=rows)


def test_interruptions_are_no_undoing_of_a_controller():
    window = taken()
    (swings,) = scaling.found(window)
    assert (swings.controller, swings.ups, swings.undone) == ("karpenter", 8, 0)
    found = kinds(window)
    assert found["taken-back"] == (
        "8 nodes of spot were taken back by the provider, after 60 s of work in the median; 8 were asked for "
        "meanwhile. No setting of the autoscaler changes that."
    )
    assert "oscillation" not in found
    assert "churn" not in found
    assert churn.found(window).short == 0


@pytest.mark.parametrize("broken", [True, False])
def test_nodes_that_failed_and_were_let_go_are_no_undoing(broken: bool):
    events, rows = [], []
    for k in range(8):
        t, name = 600.0 * k, f"s-{k % 4}"
        events += [(t, "scale-up", "spot", 1.0), (t + 50, "node-up", name, 2.0)]
        events += [(t + 100, "failure", f"gpu {name}", 2.0)] if broken else []
        events += [(t + 200, "scale-down", "spot", 1.0), (t + 300, "repair", f"gpu {name}", 2.0)]
        rows += [decision(t, "ca", "spot", "grow", 0, 1, 1), decision(t + 200, "ca", name, "remove")]
    (swings,) = scaling.found(record(groups=GROUP, events=events, decisions=rows))
    assert swings.undone == (0 if broken else 8)


def test_the_size_of_a_group_follows_what_was_taken_back():
    log = Log(taken())
    assert [nodestory.size_at(log, "spot", at) for at in (0.0, 159.0, 160.0, 599.0, 600.0)] == [1, 1, 0, 0, 1]


def test_the_size_of_a_group_follows_what_was_let_go():
    rows = [decision(10.0, "ca", "spot", "grow", 1, 4, 4), decision(90.0, "ca", "s-2", "remove")]
    events = [(10.0, "scale-up", "spot", 3.0), (90.0, "scale-down", "spot", 1.0), (95.0, "scale-down", "spot", 2.0)]
    log = Log(record(groups=GROUP, events=events, decisions=rows))
    assert [nodestory.size_at(log, "spot", at) for at in (5.0, 10.0, 89.0, 90.0, 95.0)] == [1, 4, 4, 3, 1]


# -- what could not be placed ---------------------------------------------------------------------------------------


def test_replicas_that_waited_long_for_a_place_are_told():
    load = [(0.0, "shop", 10.0, 5.0, 1, 3, 2, 0.0, 0.0, 0.0, 0.0), (7200.0, "shop", 1, 5, 1, 3, 2, 30.0, 60.0, 10.0, 9)]
    jobs = [
        job("shop/0", 0.0, 0.0, NAN, workload="shop"), job("shop/1", 0.0, NAN, NAN, workload="shop", wait=7200.0,
        wait_capacity=7200.0),
    ]  # fmt: skip
    found = kinds(record(fleets={"shop": {"accelerators": 1}}, jobs=jobs, loads=load))
    assert found["unplaced"] == (
        "1 of 2 replicas of shop waited up to 2 h for a place, as too few accelerators were free; 1 never had one, and "
        "40 % of its demand was not served: there was no room for them (look at max, capacity, quota and the size of "
        "nodes)."
    )
    jobs[1] = job("shop/1", 0.0, 60.0, NAN, workload="shop")
    assert "unplaced" not in kinds(record(fleets={"shop": {"accelerators": 1}}, jobs=jobs, loads=load))


def test_replicas_that_were_refused_are_told_where_demand_was_not_served():
    def run(backlog: float) -> Window:
        load = [(0.0, "shop", 1, 0, 0, 1, 0, backlog, 100.0 - backlog, 0.0, 9)]
        jobs = [job("shop/0", 0.0, NAN, 0.0, workload="shop", state="REJECTED", wait=0.0, wait_capacity=0.0)]
        return record(fleets={"shop": {"accelerators": 1}}, jobs=jobs, loads=load)

    assert kinds(run(100.0))["unplaced"].startswith(
        "1 of 1 replica of shop was refused a place, and 100 % of its demand was not served: "
    )
    assert "unplaced" not in kinds(run(1.0))


def test_work_that_never_began_is_told():
    jobs = [job("a", 0.0, 0.0, 60.0), job("llm", 0.0, NAN, NAN, accelerators=128.0)]
    found = kinds(record(jobs=jobs, series=[(0.0, 0, 0, 0.0, 48.0, 48.0)]))
    assert found["never-started"] == ("llm never started: it asked for 128 accelerators; at most 48 were up at once.")


def test_a_job_that_waited_for_repairs_is_told():
    def run(waited: float) -> Window:
        jobs = [job("llm", 0.0, 0.0, NAN, preemptions=2, wait_capacity=waited)]
        return record(jobs=jobs, events=[(50.0, "failure", "gpu n-1", 1.0)])

    assert kinds(run(3600.0))["waiting"].startswith(
        "llm waited 1 h, 50 % of its time, for accelerators: it was stopped and waited for repairs; "
    )
    assert "waiting" not in kinds(run(1200.0))


# -- as a list and as a frame ---------------------------------------------------------------------------------------


def test_findings_of_one_alternative_and_replication_and_their_frame():
    results = elastic_results("plain", "fast", replications=2)
    found = results.findings(alternative="fast", replication=1)
    assert {(each.alternative, each.replication) for each in found} == {("fast", 1)}
    assert list(found.frame.columns) == ["alternative", "replication", "kind", "subject", "text", "numbers"]
    assert found.frame["text"].tolist() == [str(each) for each in found]
    assert found.frame["numbers"][0] == found[0].numbers
    for wrong in ({"replication": 7}, {"alternative": "fsat"}):
        with pytest.raises(InputError):
            results.findings(**wrong)


# -- sentences ------------------------------------------------------------------------------------------------------


def test_replicas_at_the_start_and_replicas_without_accelerators():
    row = Decided(0.0, "hpa", "shop", "scale", 0.0, 0.0, 2.0, "ScalingDisabled", "", "")
    assert decided(row).text == "shop began with 2 replicas, the minimum of hpa (ScalingDisabled)."
    assert happened([Happened(0.0, "start", "shop/0", 0.0)], {}).text == "shop/0 was placed."


def test_a_failure_is_told_with_its_source():
    events = [(0.0, "failure", "log node-0", 8.0), (30.0, "detect", "log node-0", 8.0)]
    lines = Log(record(events=events)).lines(0.0, 60.0, lambda row: True, lambda row: True)
    assert [line.text for line in lines] == [
        "node-0 (source log) failed, which took 8 accelerators.",
        "The failure of node-0 (source log) was noticed after 30 s.",
    ]
