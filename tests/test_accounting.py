"""Accelerator-seconds, joules and dollars of a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.runtime.accounting import Costs, Meter
from simulator.testing import replay
from simulator.workload.jobs import BatchJob

HOUR = 3600.0


def test_half_a_cluster_for_half_the_time() -> None:
    """4 of 8 accelerators for 1 of 2 h: idle 2 kW all along, 4 of 8 x 6 kW more for one hour, 500 W of switches."""
    costs = Costs(
        capex=70128.0, life=8 * 31557600.0, electricity=0.10 / 3.6e6, pue=1.2, cloud=2.0 / HOUR,
        idle_power=2000.0, busy_power=8000.0, network_power=500.0,
    )  # fmt: skip
    jobs = [BatchJob(id="a", submit=0.0, duration=HOUR, accelerators=4)]
    facts = replay(jobs, topology=8, costs=costs, until=2 * HOUR).facts
    assert facts["allocated_seconds"] == 4 * HOUR
    assert facts["provisioned_seconds"] == 16 * HOUR
    kwh = 2.0 * 2 + 6.0 * 0.5 + 0.5 * 2
    assert facts["energy"] == pytest.approx(kwh * 3.6e6)
    assert facts["pue"] == 1.2
    assert facts["cost"] == pytest.approx({"capex": 2.0, "electricity": kwh * 1.2 * 0.10, "cloud": 16 * 2.0})


def test_only_what_is_paid_is_in_the_cost() -> None:
    def cost(costs: Costs | None) -> object:
        return replay([], until=10.0, costs=costs).facts.get("cost")

    assert cost(None) is None
    assert cost(Costs()) == {}
    assert cost(Costs(cloud=1.0)) == {"cloud": 80.0}
    assert cost(Costs(capex=31557600.0, life=31557600.0)) == pytest.approx({"capex": 10.0})


@pytest.mark.parametrize("missing", ["idle_power", "busy_power"])
def test_energy_is_not_known_without_power(missing: str) -> None:
    powers = {"idle_power": 1.0, "busy_power": 2.0, missing: None}
    facts = replay([], until=10.0, costs=Costs(electricity=1.0, **powers)).facts
    assert math.isnan(facts["energy"])
    assert facts["cost"] == {}


def test_nothing_is_counted_after_the_end() -> None:
    meter = Meter(4, None)
    meter.advance(0.0, 2.0, 4.0)
    meter.advance(10.0, 0.0, 4.0)
    assert meter.facts(10.0) == {"allocated_seconds": 20.0, "provisioned_seconds": 40.0}
    assert meter.facts(15.0) == {"allocated_seconds": 20.0, "provisioned_seconds": 60.0}


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_following_arrays_is_advancing_step_by_step(drawn: list[tuple[int, int, int]]) -> None:
    one, other = Meter(8, None), Meter(8, None)
    time = np.cumsum([step for step, _, _ in drawn]).astype(float)
    held, paid = (np.array([row[column] for row in drawn], dtype=float) for column in (1, 2))
    for row in zip(time.tolist(), held.tolist(), paid.tolist(), strict=True):
        one.advance(*row)
    other.follow(time, held, paid)
    assert one.facts(5000.0) == other.facts(5000.0)


def test_the_record_says_what_one_accelerator_draws() -> None:
    facts = replay([], topology=8, until=10.0, costs=Costs(idle_power=800.0, busy_power=5600.0)).facts
    assert facts["power"] == {"idle": 100.0, "busy": 700.0}
