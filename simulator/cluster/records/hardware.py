"""Accelerators, servers, links and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from simulator.cluster.records.base import Confidence, Record
from simulator.core.errors import did_you_mean
from simulator.core.units import Bytes, BytesPerSecond, Dimension, Dollars, Ratio, Seconds, Watts

Flops = Annotated[float, Dimension("compute")]
PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator(Record):
    """One device: a GPU, TPU, ASIC, FPGA, or CPU socket."""

    section: ClassVar[str] = "accelerators"
    file: ClassVar[str] = "accelerators.yaml"

    vendor: str
    kind: Literal["gpu", "tpu", "asic", "fpga", "cpu"]
    year: int
    flops: dict[str, Flops] = field(default_factory=dict, hash=False)
    """Precision (one of ``PRECISIONS``) -> dense peak, FLOP/s; a precision it lacks, or nobody published, is absent."""
    measured_bf16: Flops | None = None
    """Best bf16 matrix product that somebody measured, FLOP/s."""
    gemm_share: dict[str, Ratio] = field(default_factory=dict, hash=False)
    """Precision -> share of the dense peak that large matrix products sustain in training."""
    attention_share: dict[str, Ratio] = field(default_factory=dict, hash=False)
    """Attention kernel -> share of the 16-bit peak that it sustains in training."""
    memory: Bytes
    memory_bandwidth: BytesPerSecond
    scale_up: str = ""
    """Name of the fabric that joins devices without the network."""
    scale_up_bandwidth: BytesPerSecond | None = None
    """Of all scale-up ports of one device together, one direction."""
    pair_bandwidth: BytesPerSecond | None = None
    """What one pair of devices gets, one direction; below ``scale_up_bandwidth`` on meshes and tori."""
    scale_up_domain: int = 1
    """Devices that one scale-up fabric joins."""
    host_bandwidth: BytesPerSecond | None = None
    power: Watts | None = None
    """Thermal design power."""
    idle_power: Watts | None = None
    price_low: Dollars | None = None
    price_high: Dollars | None = None

    @property
    def price(self) -> float | None:
        """Middle of ``price_low`` and ``price_high`` in US dollars; None when it is not sold or not known."""
        return None if self.price_low is None or self.price_high is None else (self.price_low + self.price_high) / 2

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        unknown = [name for name in self.flops if name not in PRECISIONS]
        if unknown:
            return f"unknown precision {unknown[0]!r}. {did_you_mean(unknown[0], PRECISIONS)}"
        if (self.price_low is None) != (self.price_high is None):
            return "price_low and price_high must both be there, or neither"
        if self.price_low is not None and self.price_high is not None and self.price_low > self.price_high:
            return f"price_low ${self.price_low:g} is above price_high ${self.price_high:g}"
        return _idle_fault(self.power, self.idle_power)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Record):
    """A whole node as it is bought or rented. ``price`` includes its accelerators and NICs."""

    section: ClassVar[str] = "servers"
    file: ClassVar[str] = "servers.yaml"
    references: ClassVar[Mapping[str, str]] = {"accelerator": "accelerator"}

    vendor: str
    accelerator: str | None = None
    """Catalog id; of the CPU socket in a server without accelerators."""
    accelerators: int = 0
    nics: int = 0
    """Ports to the cluster network."""
    nic_bandwidth: BytesPerSecond = 0.0
    """Of one port, one direction."""
    cpu: str = ""
    cores: int
    """Physical cores; vCPUs (hardware threads) in a cloud instance."""
    memory: Bytes
    storage: Bytes | None = None
    power: Watts | None = None
    """The most it draws."""
    measured_power: Watts | None = None
    """The most that somebody measured it draw in training."""
    idle_power: Watts | None = None
    price: Dollars | None = None
    rack_units: int | None = None

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        if (self.accelerator is None) != (self.accelerators == 0):
            return "accelerator and accelerators must both be there, or neither"
        if (self.nics == 0) != (self.nic_bandwidth == 0):
            return "nics and nic_bandwidth must both be there, or neither"
        return _idle_fault(self.power, self.idle_power)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Record):
    """A kind of link: what one port or lane group carries in one direction, and what it costs."""

    section: ClassVar[str] = "links"
    file: ClassVar[str] = "links.yaml"
    references: ClassVar[Mapping[str, str]] = {"switch": "switch", "protocol": "protocol"}

    family: str
    protocol: str | None = None
    """Catalog id of what carries messages over it."""
    bandwidth: BytesPerSecond
    """Data rate, after line coding."""
    efficiency: Ratio
    """Goodput over data rate for long messages, alone on the link."""
    in_switch: Ratio = 0.0
    """Share of the data rate that all-reduce in the switch moves; absent where switches do not reduce."""
    exits: int | None = None
    """Of a scale-up fabric: most network cards of one domain that a collective over several domains keeps busy."""
    latency: Seconds = 0.0
    """What one hop adds to a route (its switch); 0 where only ``end_latency`` is known."""
    end_latency: Seconds
    """Small message from end to end, all software and NICs included."""
    nic_price: Dollars | None = None
    cable_price: Dollars | None = None
    """Cable, or optics of both ends, per link."""
    nic_power: Watts | None = None
    switch: str | None = None
    """Catalog id of the usual switch."""
    switch_ports: int | None = None
    switch_price: Dollars | None = None
    switch_port_power: Watts | None = None
    price_confidence: Confidence | None = None
    """Of the prices, where it differs from ``confidence``."""

    @property
    def goodput(self) -> float:
        """Bytes/s that long messages get: ``bandwidth * efficiency``."""
        return self.bandwidth * self.efficiency

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        return f"efficiency {self.efficiency:g} is above 1" if self.efficiency > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Record):
    """A packet switch."""

    section: ClassVar[str] = "switches"
    file: ClassVar[str] = "switches.yaml"

    vendor: str
    family: str
    ports: int
    port_bandwidth: BytesPerSecond
    """One direction."""
    latency: Seconds
    """Port to port."""
    power: Watts | None = None
    """The most it draws."""
    typical_power: Watts | None = None
    price: Dollars | None = None
    price_confidence: Confidence | None = None
    """Of the price, where it differs from ``confidence``."""


def _idle_fault(power: float | None, idle: float | None) -> str | None:
    if power is not None and idle is not None and idle > power:
        return f"idle_power {idle:g} W is above power {power:g} W"
    return None
