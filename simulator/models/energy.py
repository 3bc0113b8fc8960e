"""Watts, joules and kilograms of CO2-equivalent. All functions take numbers or numpy arrays of one shape.

Power is linear in utilization, from idle to the maximum: Fan, Weber and Barroso, "Power provisioning for a
warehouse-sized computer", ISCA 2007, for groups of CPU servers. Rated maxima are upper bounds: an 8-GPU H100 node
rated 10.2 kW drew at most 8.4 kW in training (Latif et al., IEEE Access 13, 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.core.errors import InputError

T = TypeVar("T", float, NDArray[np.float64])
JOULES_PER_KWH = 3.6e6

ACCELERATED_IDLE_FRACTION = 0.15
"""Idle over maximum power of a server with accelerators: 1000 W of 6667 W, a GB200 compute tray in the device
specifications of NVIDIA DPS (docs.nvidia.com, read 2026-11)."""

CPU_IDLE_FRACTION = 0.21
"""Idle over maximum power of a CPU server: 0.74 W of 3.5 W per vCPU, the AWS means of Cloud Carbon Footprint
(github.com/cloud-carbon-footprint, AWS constants)."""


class Powered(Protocol):
    """A line of a bill of materials: ``count`` pieces of ``power`` watts each (None when not known)."""

    @property
    def count(self) -> int:
        """Pieces."""
        ...

    @property
    def power(self) -> float | None:
        """Most that one piece draws, W."""
        ...


P = TypeVar("P", bound=Powered)


class BillPower(NamedTuple, Generic[P]):
    """Watts of all lines whose power is known, and the lines whose power is not."""

    watts: float
    missing: tuple[P, ...]


def idle_power(power: float, idle: float | None = None, kind: str = "gpu") -> float:
    """Return the idle power in W: ``idle`` when it is known, else a share of the maximum ``power`` (W).

    The share is ``CPU_IDLE_FRACTION`` for ``kind == "cpu"`` and ``ACCELERATED_IDLE_FRACTION`` for everything else;
    for TPU, ASIC and FPGA servers that is borrowed from GPU servers for want of a figure.

    >>> idle_power(10_000.0), idle_power(10_000.0, idle=1_900.0), idle_power(1_000.0, kind="cpu")
    (1500.0, 1900.0, 210.0)
    """
    if idle is not None:
        return idle
    return power * (CPU_IDLE_FRACTION if kind == "cpu" else ACCELERATED_IDLE_FRACTION)


def linear_power(idle: T | float, peak: T | float, utilization: T) -> T:
    """Return the power in W at ``utilization`` (0 to 1): ``idle + (peak - idle) * utilization``.

    Source: Fan, Weber and Barroso, ISCA 2007. Raises ``InputError`` when ``idle`` is above ``peak`` or a
    utilization lies outside 0 to 1.

    >>> linear_power(150.0, 1000.0, 0.5)
    575.0
    """
    _refuse(np.less(peak, idle), "idle power is above peak power", idle, peak)
    _refuse(np.less(utilization, 0) | np.greater(utilization, 1), "utilization is not within 0 to 1", utilization)
    return idle + (peak - idle) * utilization


def energy(idle: T | float, peak: T | float, provisioned: T, busy: T) -> T:
    """Return the IT energy in J of machines that idle at ``idle`` W and draw ``peak`` W when fully busy.

    ``provisioned`` is machine-seconds that are powered on, ``busy`` machine-seconds at full utilization (an hour at
    half utilization is half an hour). The linear model makes the sum exact however the work is spread over machines,
    so a machine may also be one accelerator with its share of the server. Raises ``InputError`` when ``busy`` is
    above ``provisioned`` (by more than rounding) or ``idle`` above ``peak``.

    >>> energy(150.0, 1000.0, provisioned=3600.0, busy=1800.0) / JOULES_PER_KWH
    0.575
    """
    _refuse(np.less(peak, idle), "idle power is above peak power", idle, peak)
    above = np.greater(busy, np.multiply(provisioned, 1 + 1e-9)) | np.less(busy, 0)
    _refuse(above, "busy time is not within 0 to the provisioned time", busy, provisioned)
    return idle * provisioned + (peak - idle) * busy


def facility_energy(it_energy: T, pue: float) -> T:
    """Return what the meter of the facility counts, in J: ``it_energy * pue``.

    PUE as The Green Grid defines it (ISO/IEC 30134-2): facility energy over IT energy. Raises ``InputError`` below 1.

    >>> facility_energy(100.0, 1.25)
    125.0
    """
    if not pue >= 1:
        raise InputError(f"a PUE of {pue:g} is below 1: a facility cannot use less than its IT equipment")
    return it_energy * pue


def carbon(joules: T, intensity: float) -> T:
    """Return kilograms of CO2-equivalent of ``joules`` from a grid of ``intensity`` kg/J (location-based).

    >>> round(carbon(1000 * JOULES_PER_KWH, 0.4 / JOULES_PER_KWH), 9)
    400.0
    """
    return joules * intensity


def bill_power(lines: Sequence[P]) -> BillPower[P]:
    """Add up the maximum power of a bill of materials; lines that do not tell theirs come back in ``missing``."""
    drawn = [(line.count, line.power) for line in lines]
    watts = sum((count * power for count, power in drawn if power is not None), 0.0)
    return BillPower(watts, tuple(line for line in lines if line.power is None))


def _refuse(wrong: object, text: str, *values: object) -> None:
    if np.any(np.asarray(wrong)):
        raise InputError(f"{text}: {', '.join(str(value) for value in values)}")
