"""Protocols: what carrying a message costs besides the rate of the link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from simulator.cluster.records.base import Record
from simulator.core.errors import did_you_mean
from simulator.core.units import BytesPerSecond, Ratio, Seconds

MODES = ("LL", "LL128", "Simple")
"""NCCL's ways to hand over data: with a flag in every 8 bytes, in every 128 bytes, or by chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(Record):
    """How messages go over a kind of link: time per step, start-up, and what it asks of the host.

    The share of the data rate that long messages get is not here but in ``Link.efficiency``.
    """

    section: ClassVar[str] = "protocols"
    file: ClassVar[str] = "protocols.yaml"

    name: str
    reach: Literal["scale-up", "network"]
    """Whether it joins the accelerators of one scale-up domain, or domains."""
    ring_base: dict[str, Seconds] = field(default_factory=dict, hash=False)
    """Mode (one of ``MODES``) -> time to start a ring, kernel launch included; of scale-up protocols."""
    tree_base: dict[str, Seconds] = field(default_factory=dict, hash=False)
    ring_step: dict[str, Seconds] = field(hash=False)
    """Mode -> time of one step of a ring; a mode that does not run over the protocol is absent."""
    tree_step: dict[str, Seconds] = field(hash=False)
    share: dict[str, Ratio] = field(hash=False)
    """Mode -> share of the link's goodput that it reaches."""
    latency: Seconds = 0.0
    """Added to each step: the transport below the collective library."""
    switch_step: Seconds | None = None
    """Reduction in a switch of this fabric; absent where the protocol has none."""
    ramp: Ratio = 0.0
    """Times the steps of a pipeline that it takes to fill it with chunks; bandwidth builds up meanwhile."""
    pair: Ratio = 1.0
    """Share of the goodput that reaches a peer in point-to-point messages."""
    incast: Ratio = 0.0
    """Share of capacity that is lost for each further sender to one receiver: capacity / (1 + incast (senders - 1))."""
    gpudirect: bool = True
    """Whether network cards read accelerator memory; else data is staged in host memory."""
    host_copy: BytesPerSecond | None = None
    """Rate of one accelerator into host memory on the way out, where ``gpudirect`` is false."""

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        tables = (self.ring_base, self.tree_base, self.ring_step, self.tree_step, self.share)
        unknown = [mode for table in tables for mode in table if mode not in MODES]
        if unknown:
            return f"unknown mode {unknown[0]!r}. {did_you_mean(unknown[0], MODES)}"
        if not (set(self.ring_step) == set(self.tree_step) == set(self.share)):
            return "ring_step, tree_step and share must have the same modes"
        if self.reach == "scale-up" and not (set(self.ring_base) == set(self.tree_base) >= set(self.share)):
            return "a scale-up protocol needs ring_base and tree_base for every mode"
        above = [mode for mode, share in self.share.items() if share > 1]
        if above:
            return f"share of {above[0]} is above 1"
        if self.gpudirect and self.host_copy is not None:
            return "host_copy is for protocols without gpudirect"
        return None
