"""How long one accelerator takes for a matrix product, for attention, and to move bytes."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator, Framework
from simulator.core.errors import InputError

SUSTAINED = 0.86
"""What large products sustain in training over the best that somebody measured: 0.97 on A100 and 0.75 on H100, whose
``gemm_share`` was fitted; for accelerators that nobody has a training run of."""
GEMM_SHARE = 0.65
"""Share of the dense peak where nothing was measured: 0.75, the middle of ``measured_bf16``, sustained."""
MEMORY_SHARE = 0.85
"""Share of the memory bandwidth that a long stream of bytes reaches (BabelStream, about 0.85 to 0.93 on A100, H100)."""
ATTENTION_SHARE = {"unfused": 0.4, "flash": 0.25, "flash2": 0.45, "cudnn": 0.5}
"""Share of the 16-bit peak that an attention kernel reaches where the accelerator's row does not say."""
HEAD_HALF = 23.0
"""Width of a head at which the exponentials of the softmax take as long as the products; fitted to MPT 125M (heads of
64) beside MPT 1B to 30B (128) in llm-foundry's table."""
_PEAKS = {
    "fp32": "fp32", "tf32": "tf32", "fp16": "fp16", "bf16": "bf16",
    "fp8": "fp8", "mxfp8": "fp8", "nvfp4": "fp4",
}  # fmt: skip
_WIDTH = {"fp32": 4.0, "tf32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "mxfp8": 1.0 + 1 / 32, "nvfp4": 0.5 + 1 / 16}
"""Bytes of one operand of a matrix product; micro-scaled formats carry a byte for 32 or 16 numbers."""
CAST_BYTES = {"fp8": 2.0, "mxfp8": 2.0, "nvfp4": 1.0}
"""Bytes written to turn one 16-bit number into both layouts, rows and columns, of a narrow format."""


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator as a framework drives it; times in seconds, sizes in numbers, rates in FLOP/s and bytes/s."""

    peak: float
    """Dense peak of the precision of the linear layers."""
    rate: float
    """What a large matrix product reaches in that precision."""
    rate16: float
    """The same in 16 bits, for the output layer."""
    attention: float
    """What attention reaches with an endlessly wide head."""
    bandwidth: float
    width: float
    cast: float
    memory: float

    @classmethod
    def of(cls, accelerator: Accelerator, framework: Framework, precision: str) -> Device:
        """Build from catalog rows. Raises ``InputError`` when the accelerator lacks the precision."""
        peak = _peak(accelerator, precision)
        wide = "fp16" if precision == "fp16" else "bf16"
        wide = precision if precision in ("fp32", "tf32") else wide
        peak16 = accelerator.flops.get(wide) or accelerator.flops.get("fp16") or peak
        share = accelerator.attention_share.get(framework.attention, ATTENTION_SHARE[framework.attention])
        return cls(
            peak=peak,
            rate=peak * gemm_share(accelerator, precision),
            rate16=peak16 * gemm_share(accelerator, wide),
            attention=peak16 * share,
            bandwidth=accelerator.memory_bandwidth * MEMORY_SHARE,
            width=_WIDTH[precision],
            cast=CAST_BYTES.get(precision, 0.0),
            memory=accelerator.memory,
        )

    def gemm(self, m: float, n: float, k: float, count: float = 1, wide: bool = False, output: float = 2.0) -> float:
        """Seconds of ``count`` products of m x k by k x n numbers.

        The time at the sustained rate, and that of moving operands and result once: loading the first tiles and
        writing the last does not hide behind the arithmetic, so thin products are slow.
        """
        width = 2.0 if wide else self.width
        rate = self.rate16 if wide else self.rate
        return count * (2 * m * n * k / rate + (width * (m * k + k * n) + output * m * n) / self.bandwidth)

    def attend(self, flops: float, head: float) -> float:
        """Seconds of so many FLOPs of attention products in heads of width ``head``."""
        return flops / self.attention * (1 + HEAD_HALF / head) if flops else 0.0

    def move(self, size: float) -> float:
        """Seconds to read and write ``size`` bytes in all."""
        return size / self.bandwidth


def gemm_share(accelerator: Accelerator, precision: str) -> float:
    """Share of the dense peak that a large matrix product sustains: the row's, else what was measured in bf16."""
    name = _PEAKS[precision]
    if precision in accelerator.gemm_share or name in accelerator.gemm_share:
        return accelerator.gemm_share.get(precision, accelerator.gemm_share.get(name, GEMM_SHARE))
    peak = accelerator.flops.get("bf16")
    return SUSTAINED * accelerator.measured_bf16 / peak if accelerator.measured_bf16 and peak else GEMM_SHARE


def _peak(accelerator: Accelerator, precision: str) -> float:
    peak = accelerator.flops.get(_PEAKS[precision])
    if peak is None:
        has = [name for name, key in _PEAKS.items() if key in accelerator.flops]
        raise InputError(f"{accelerator.id} has no {precision}: it has {', '.join(has) or 'no floating point'}")
    return peak
