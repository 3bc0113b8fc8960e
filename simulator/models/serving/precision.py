"""Formats of weights and of keys and values: bytes of a number, and the peak that products run at."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator
from simulator.core.errors import InputError, did_you_mean

WIDE = ("bf16", "fp16", "fp32")
"""Peaks of what is computed in 16 bits; in single precision where an accelerator has no 16 bits."""


@dataclass(frozen=True, slots=True)
class Precision:
    """A format of weights."""

    width: float
    """Bytes of one weight, with the scales that belong to it."""
    peaks: tuple[str, ...]
    """Peaks that products may run at, the best first; an accelerator that has none of them unpacks to 16 bits."""
    experts: bool = False
    """Whether a model with experts has only these in the format, and all else in 16 bits."""


WEIGHTS = {
    "fp32": Precision(4.0, ("fp32",)),
    "fp16": Precision(2.0, ()),
    "bf16": Precision(2.0, ()),
    "fp8": Precision(1.0, ("fp8",)),
    "int8": Precision(1.0, ("int8",)),
    "int4": Precision(0.5 + 20 / 8 / 128, ()),
    "fp4": Precision(0.5 + 1 / 16, ("fp4",)),
    "mxfp4": Precision(0.5 + 1 / 32, ("fp4",), experts=True),
}
"""``int4`` is GPTQ and AWQ: a 16-bit scale and a 4-bit zero for 128 weights, multiplied in 16 bits (arXiv 2306.00978).
``fp4`` is NVFP4, a byte for 16 numbers; ``mxfp4`` that of gpt-oss, a byte for 32 (OCP Microscaling Formats 1.0)."""
KV_WIDTH = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5 + 20 / 8 / 128}
"""Bytes of one element of a key or value."""


def weights(name: str) -> Precision:
    """Return a format of weights. Raises ``InputError`` with the nearest name."""
    if name not in WEIGHTS:
        raise InputError(f"unknown precision of weights {name!r}. {did_you_mean(name, WEIGHTS)}")
    return WEIGHTS[name]


def kv_width(name: str) -> float:
    """Bytes of one element of a key or value. Raises ``InputError`` with the nearest name."""
    if name not in KV_WIDTH:
        raise InputError(f"unknown precision of keys and values {name!r}. {did_you_mean(name, KV_WIDTH)}")
    return KV_WIDTH[name]


def peak(accelerator: Accelerator, name: str) -> tuple[str, float]:
    """Return the peak at which products with weights in the format ``name`` run: (precision, FLOP/s).

    Raises ``InputError`` when the accelerator has neither its peaks nor a wide one.
    """
    wanted = weights(name).peaks
    for known in (*wanted, *WIDE):
        if known in accelerator.flops:
            return known, accelerator.flops[known]
    has = ", ".join(accelerator.flops) or "no published peak"
    raise InputError(f"{accelerator.id} cannot compute with weights in {name}: it has {has}")


def wide_peak(accelerator: Accelerator) -> tuple[str, float]:
    """Return the peak of attention and the output layer: 16 bits, or else the best there is."""
    for known in WIDE:
        if known in accelerator.flops:
            return known, accelerator.flops[known]
    if not accelerator.flops:
        raise InputError(f"{accelerator.id} has no published peak")
    return max(accelerator.flops.items(), key=lambda each: each[1])
