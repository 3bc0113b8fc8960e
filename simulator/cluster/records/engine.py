"""Inference engines: what a product's iterations cost besides the work of the accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simulator.cluster.records.base import Record
from simulator.core.units import Bytes, Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Record):
    """A version of an inference engine: time of its host in an iteration, and the memory that it keeps for itself.

    An iteration takes ``step + sequence * sequences`` longer than its kernels, and its kernels at least
    ``layer * layers``.
    """

    section: ClassVar[str] = "engines"
    file: ClassVar[str] = "engines.yaml"

    engine: str
    release: str
    """Version of the product that the row imitates."""
    step: Seconds = 0.0
    """Host time of one iteration that nothing hides: scheduling, inputs, sampling, output."""
    sequence: Seconds = 0.0
    """The same, for each sequence of the batch."""
    layer: Seconds = 0.0
    """Host time to launch the kernels of one layer, where no recorded graph replaces that; it goes on beside them."""
    fraction: Ratio = 0.9
    """Share of an accelerator's memory that it uses."""
    reserved: Bytes = 0.0
    """Bytes of each accelerator that hold neither weights, keys and values nor activations: context, communicators,
    workspaces."""
    chunk: int = 8192
    """Tokens of the largest iteration, whose activations need room."""
    batching: str = "vllm"
    """How it puts iterations together unless told otherwise: a name of ``policies.batching``."""

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        if not 0 < self.fraction <= 1:
            return f"fraction {self.fraction:g} is not above 0 and at most 1"
        if self.chunk < 1:
            return f"chunk {self.chunk} is below 1"
        return None
