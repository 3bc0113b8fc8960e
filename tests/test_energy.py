"""Energy: the linear model, its bounds, and the totals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.models import energy

watts = st.floats(0, 1e5)
shares = st.floats(0, 1)
seconds = st.floats(0, 1e9)


@dataclass(frozen=True)
class Line:
    item: str
    count: int
    power: float | None


@given(idle=watts, extra=watts, utilization=shares)
def test_power_lies_between_idle_and_peak(idle: float, extra: float, utilization: float) -> None:
    power = energy.linear_power(idle, idle + extra, utilization)
    assert idle <= power <= (idle + extra) * (1 + 1e-12)


@given(idle=watts, extra=watts, spans=st.lists(st.tuples(seconds, shares), min_size=1, max_size=5))
def test_energy_is_the_integral_of_power(idle: float, extra: float, spans: list[tuple[float, float]]) -> None:
    stepwise = sum(energy.linear_power(idle, idle + extra, share) * span for span, share in spans)
    provisioned = sum(span for span, _ in spans)
    busy = sum(span * share for span, share in spans)
    at_once = energy.energy(idle, idle + extra, provisioned, min(busy, provisioned))
    assert at_once == pytest.approx(stepwise, rel=1e-9, abs=1e-6)


@given(power=st.floats(1, 1e5), accelerators=st.integers(1, 72), busy=shares)
def test_a_server_is_the_sum_of_the_shares_of_its_accelerators(power: float, accelerators: int, busy: float) -> None:
    idle = energy.idle_power(power)
    whole = energy.energy(idle, power, 3600.0, 3600.0 * busy)
    share = energy.energy(
        idle / accelerators, power / accelerators, 3600.0 * accelerators, 3600.0 * busy * accelerators
    )
    assert share == pytest.approx(whole)


def test_known_hours() -> None:
    # one server of 10.2 kW, idle 1.53 kW: a day, half of it busy
    day = energy.energy(1_530.0, 10_200.0, 86_400.0, 43_200.0)
    assert day / energy.JOULES_PER_KWH == pytest.approx((1.53 + 10.2) * 12)
    assert energy.facility_energy(day, 1.25) == pytest.approx(1.25 * day)
    assert energy.carbon(day, 0.4 / energy.JOULES_PER_KWH) == pytest.approx(0.4 * (1.53 + 10.2) * 12)


def test_arrays() -> None:
    utilization = np.array([0.0, 0.5, 1.0])
    power = energy.linear_power(100.0, 300.0, utilization)
    assert power.tolist() == [100.0, 200.0, 300.0]
    hours = np.full(3, 3600.0)
    joules = energy.energy(np.full(3, 100.0), np.full(3, 300.0), hours, hours * utilization)
    assert joules.tolist() == (power * 3600).tolist()
    assert energy.facility_energy(joules, 2.0).tolist() == (joules * 2).tolist()


def test_idle_power_is_the_known_one_or_a_share() -> None:
    assert energy.idle_power(6667.0, idle=1000.0) == 1000.0
    assert energy.idle_power(6667.0) == pytest.approx(1000.0, rel=1e-3)  # the tray that the share comes from
    assert energy.idle_power(1000.0, kind="cpu") == 210.0


def test_bill_power_tells_what_is_missing() -> None:
    lines = [Line("server", 4, 10_200.0), Line("switch", 2, None), Line("cable", 32, 0.0)]
    assert energy.bill_power(lines) == (40_800.0, (lines[1],))
    assert energy.bill_power([]) == (0.0, ())


def test_messages() -> None:
    with pytest.raises(InputError, match=r"^idle power is above peak power: 5.0, 4.0$"):
        energy.linear_power(5.0, 4.0, 0.5)
    with pytest.raises(InputError, match=r"^utilization is not within 0 to 1: 1.5$"):
        energy.linear_power(1.0, 4.0, 1.5)
    with pytest.raises(InputError, match=r"^busy time is not within 0 to the provisioned time: 11.0, 10.0$"):
        energy.energy(1.0, 4.0, 10.0, 11.0)
    with pytest.raises(InputError, match=r"^a PUE of 0.9 is below 1: a facility cannot use less than"):
        energy.facility_energy(1.0, 0.9)
    with pytest.raises(InputError, match="a PUE of nan is below 1"):
        energy.facility_energy(1.0, float("nan"))
