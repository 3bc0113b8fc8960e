"""Carbon: energy of the nodes of each group times the intensity of its region, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.core.errors import InputError
from simulator.models.energy import energy
from simulator.runtime.accounting import Costs
from simulator.runtime.supply.boots import Phase, Warm
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.steps import Steps
from simulator.scenario.build import build
from simulator.scenario.spec import Scenario
from tests.supply_world import Script, job, nodes, run

GRID = Path(__file__).parents[2] / "shared" / "traces" / "grid_carbon_us_2022" / "CISO_avg_ci_2022.csv"
COSTS = Costs(idle_power=400.0, busy_power=1600.0)
"""Of four accelerators: 100 W idle, 400 W busy each."""
HEAD = """\
name: carbon
topology: {build: servers, nodes: 2, node: dgx-h100}
workload: {batch: {jobs: [{accelerators: 8, duration: 1 h}]}}
"""


def test_energy_times_intensity_over_time() -> None:
    a = job("a", 10.0, 40.0, 2.0)
    carbon = Steps([0.0, 30.0], [1e-6, 3e-6])
    group = Group("g", (0,), minimum=1, carbon=carbon, region="west")
    _, record = run([a], Script({}), [group], costs=COSTS, until=100.0)
    idle, busy = 4 * 100.0, 2 * 100.0 + 2 * 400.0
    expected = 1e-6 * (idle * 10 + busy * 20) + 3e-6 * (busy * 20 + idle * 50)
    assert record.facts["carbon"] == pytest.approx(expected, rel=1e-12)
    assert record.facts["groups"]["g"]["carbon"] == pytest.approx(expected, rel=1e-12)
    assert record.facts["groups"]["g"]["region"] == "west"


def test_all_at_one_intensity_is_the_energy_of_the_run() -> None:
    steady = Steps.constant(2e-6)
    groups = [
        Group("a", (0,), minimum=1, carbon=steady),
        Group("b", (1, 2), boot=(Phase("boot", 5.0),), carbon=steady, warm=Warm(1, "running", 1.0, 1.0)),
    ]
    jobs = [job(f"{number}", 3.0 * number, 20.0, 3.0) for number in range(6)]
    costs = Costs(idle_power=1200.0, busy_power=4800.0, network_power=50.0, carbon=2e-6, pue=1.5)
    _, record = run(jobs, Script({10.0: 3}), groups, costs=costs, until=200.0)
    assert record.facts["carbon"] == pytest.approx(1.5 * 2e-6 * record.facts["energy"], rel=1e-9)


def test_what_is_in_no_region_counts_with_the_costs_or_not_at_all() -> None:
    a = job("a", 0.0, 50.0)
    for constant in (None, 5e-6):
        costs = Costs(idle_power=800.0, busy_power=3200.0, network_power=10.0, carbon=constant)
        group = Group("g", (1,), minimum=1, carbon=Steps.constant(1e-6))
        _, record = run([a], Script({}), [group], nodes(2), costs=costs, until=100.0, placer="first-fit")
        a = job("a", 0.0, 50.0)
        rest = energy(100.0, 400.0, 400.0, 200.0) + 10.0 * 100.0
        expected = 1e-6 * energy(100.0, 400.0, 400.0, 0.0) + (constant or 0.0) * rest
        assert record.facts["carbon"] == pytest.approx(expected, rel=1e-9)


def test_without_regions_the_intensity_is_that_of_the_costs() -> None:
    record = build(Scenario.load(HEAD + "cost: {carbon: 360 g/kWh, pue: 1.2}\n")).run()
    assert record.facts["carbon"] == pytest.approx(record.facts["energy"] / 3.6e6 * 1.2 * 0.36)
    assert "carbon" not in build(Scenario.load(HEAD)).run().facts


def test_intensity_over_time_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "grid.csv").write_text("timestamp,wind,avg_CI\n2022-01-01 00:00,1,360\n2022-01-01 00:30,2,720\n")
    (tmp_path / "s.yaml").write_text(
        HEAD + "node_groups: {all: {servers: {count: 2}, region: west}}\n"
        "regions: {west: {carbon: {file: grid.csv, column: avg_CI}}}\n"
    )
    record = build(Scenario.load(tmp_path / "s.yaml")).run()
    assert record.facts["end"] == 3600.0
    kwh = record.facts["energy"] / 3.6e6
    assert record.facts["carbon"] == pytest.approx(kwh * (0.36 + 0.72) / 2)


def test_power_that_is_not_known_is_said() -> None:
    text = HEAD.replace("dgx-h100", "aws/p5") + (
        "node_groups: {all: {servers: {count: 2}, region: west}}\nregions: {west: {carbon: 400 g/kWh}}\n"
    )
    record = build(Scenario.load(text)).run()
    assert "carbon" not in record.facts
    notes = [note for note in record.facts["notes"] if "carbon is not counted" in note]
    assert len(notes) == 1
    assert notes[0].startswith("The power of 2 x aws/p5 is not known, so carbon is not counted")


@pytest.mark.parametrize(
    ("carbon", "text"),
    [
        ("400", "regions.west.carbon: 400 has no unit for a carbon; write for example '350 g/kWh'"),
        ("-1 g/kWh", "regions.west.carbon: '-1 g/kWh' is negative; a carbon must be 0 or more"),
        ("{file: lost.csv}", "regions.west.carbon: there is no file"),
        ("{column: a}", "regions.west.carbon.file: 'file' is missing"),
    ],
    ids=["unit", "negative", "lost", "no file"],
)
def test_intensities_that_are_none(carbon: str, text: str) -> None:
    groups = "node_groups: {all: {servers: {count: 2}, region: west}}\n"
    with pytest.raises(InputError) as caught:
        build(Scenario.load(f"{HEAD}{groups}regions: {{west: {{carbon: {carbon}}}}}\n"))
    assert text in str(caught.value)


@pytest.mark.skipif(not GRID.is_file(), reason="the reference traces are not beside this checkout")
def test_a_year_of_a_grid() -> None:
    from simulator.workload.supplytraces import columns

    levels: Any = columns(GRID, ("carbon", "avg_CI"))
    assert (levels.times[-1] / 3600, levels.values[0]) == (8759.0, 222.296)
    assert levels.notes == (f"{GRID.name}: 3 of 8,760 rows have no avg_CI; the one before holds",)
