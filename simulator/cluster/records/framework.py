"""Training frameworks: how they share out a model, what they overlap, and what they cost on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from simulator.cluster.records.base import Record
from simulator.core.units import Bytes, BytesPerSecond, Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework(Record):
    """A way to run a training step; a layout may replace ``sharding`` and ``recompute``."""

    section: ClassVar[str] = "frameworks"
    file: ClassVar[str] = "frameworks.yaml"

    framework: str
    release: str
    """Version of the product that the row imitates."""
    scheme: Literal["all-reduce", "parameter-server", "tree-aggregate"] = "all-reduce"
    sharding: Literal["none", "zero1", "zero2", "zero3", "hybrid"] = "none"
    bucket: Bytes | None = None
    """Gradients that go out in one collective; one transformer layer where it is absent."""
    attention: Literal["unfused", "flash", "flash2", "cudnn"] = "flash2"
    """Attention kernel; accelerators say what share of their peak each one reaches."""
    elementwise: Ratio = 1.0
    """Bytes that norms, residuals, activations and the loss move, over those of kernels fused as far as they go."""
    early_stop: bool = False
    """Whether recomputing a layer ends with the last tensor that the backward pass needs, before the last product."""
    gradient_bytes: Bytes = 4.0
    """Of one gradient as it is kept and summed."""
    dp_overlap: Ratio = 0.0
    """Largest share of gradient and weight traffic that hides behind compute."""
    tp_overlap: Ratio = 0.0
    ep_overlap: Ratio = 0.0
    pp_overlap: Ratio = 0.0
    dispatch: Literal["per-expert", "per-domain"] = "per-expert"
    """Whether a token goes out once for each of its experts, or once for each scale-up domain that holds some."""
    host_launch: Seconds = 0.0
    """Host time for each kernel it launches; a pass is never shorter than its launches."""
    step_overhead: Seconds = 0.0
    """Once for every optimizer step: data, logging, loss scale, Python."""
    noise: Ratio = 0.0
    """Standard deviation of one rank's compute time over its mean."""
    servers: int = 1
    """Parameter servers."""
    serialization: BytesPerSecond | None = None
    """What one process turns into messages and back; nothing is lost to it where it is absent."""
    depth: int = 2
    """Levels of a tree aggregation, as Spark's ``treeAggregate``."""

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        for name in ("dp_overlap", "tp_overlap", "ep_overlap", "pp_overlap"):
            if getattr(self, name) > 1:
                return f"{name} {getattr(self, name):g} is above 1"
        return None
