"""How fast jobs run on each type, or on how many accelerators, as scenarios say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.cluster.builders.fleet import fleet
from simulator.core.errors import InputError
from simulator.scenario.build import build
from simulator.scenario.pace import paced, read_pace, roofline, speedup
from simulator.scenario.spec import Scenario
from simulator.workload.rows import as_objects
from simulator.workload.speedup import ByCount, ByType, Given
from simulator.workload.trace import Trace


def trace(**more: Any) -> Trace:
    columns = {"submit": [0.0, 1.0], "duration": [60.0, 120.0], "accelerators": [1.0, 2.0]}
    return Trace("mine", {name: np.array(values) for name, values in columns.items()} | more)


def kinds(*names: str) -> Any:
    return fleet([{"accelerators": 4, "accelerator": name} for name in names])


def test_a_mapping_is_by_type_or_by_number() -> None:
    assert read_pace({"v100": 1, "k80": 0.25}) == {"v100": 1.0, "k80": 0.25}
    assert read_pace({1: 1, 2: 1.9}) == {1.0: 1.0, 2.0: 1.9}
    assert read_pace("roofline") == "roofline"
    assert read_pace(None) is None
    assert speedup(60.0, {"v100": 2.0}) == ByType(60.0, {"v100": 2.0})
    assert speedup(60.0, {1.0: 1.0}) == ByCount(60.0, {1.0: 1.0})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{}", "is not a pace"),
        ("7", "is not a pace"),
        ("{v100: fast}", "the pace 'fast' of 'v100' is not a number, 0 or more"),
        ("{v100: -1}", "the pace -1 of 'v100' is not a number, 0 or more"),
        ("{v100: true}", "of 'v100' is not a number, 0 or more"),
    ],
)
def test_what_is_no_pace_is_told(said: str, told: str) -> None:
    text = (
        "name: x\ntopology: {build: pool, accelerators: 4}\n"
        f"workload: {{w: {{jobs: [{{submit: 0 s, accelerators: 1, duration: 1 s, pace: {said}}}]}}}}\n"
    )
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text))
    assert told in str(caught.value)


def test_every_job_of_a_trace_has_its_pace() -> None:
    made = paced(trace(), {"a": 1.0, "b": 0.5}, kinds("a", "b"))
    seconds = [[each.seconds(Given(1, 1, kind)) for kind in "ab"] for each in made.columns["speedup"]]
    assert seconds == [[60.0, 120.0], [120.0, 240.0]]
    assert made.notes == ("paces are the scenario's",)


def test_paces_by_number_need_no_types() -> None:
    made = paced(trace(), {1.0: 1.0, 2.0: 1.5}, kinds("a"))
    assert made.columns["speedup"][1].seconds(Given(2)) == 80.0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"v100": 1.0}, "pace: no type of the cluster (a, b) has one"),
        ({"a": 0.0}, "pace: no type of the cluster (a, b) has one"),
        ({"a": 1.0, "c": 1.0}, "pace: the cluster has no accelerators 'c'."),
        ("gavel", "pace: trace 'mine' does not say what its jobs train, so 'gavel' tells nothing"),
        ("gravel", "gravel"),
    ],
)
def test_types_and_tables_that_nobody_knows_are_told(given: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        paced(trace(), given, kinds("a", "b"))
    assert told in str(caught.value)


def test_a_table_knows_models() -> None:
    model = "ResNet-50 (batch size 64)"
    made = paced(trace(model=as_objects([model, model])), "gavel", kinds("v100", "k80"))
    fast, slow = (made.columns["speedup"][0].seconds(Given(1, 1, kind)) for kind in ("v100", "k80"))
    assert fast == pytest.approx(60.0)
    assert slow > fast
    assert made.notes == ("paces by type come from the table 'gavel'",)


def test_the_roofline_is_the_ratio_of_peaks() -> None:
    found = roofline(kinds("nvidia/h100-sxm", "nvidia/a100-sxm-80"))
    assert found["nvidia/h100-sxm"] == 1.0
    assert 0.2 < found["nvidia/a100-sxm-80"] < 0.5
    assert roofline(kinds("nvidia/h100-sxm")) == {"nvidia/h100-sxm": 1.0}


def test_a_listed_job_runs_at_its_pace() -> None:
    text = (
        "name: x\ntopology: {build: fleet, groups: [{accelerators: 4, accelerator: slow}]}\n"
        "workload: {w: {jobs: [{id: a, submit: 0 s, accelerators: 1, duration: 10 s, pace: {slow: 0.25}}]}}\n"
    )
    assert build(Scenario.load(text)).run().tables["jobs"]["end"].tolist() == [40.0]
