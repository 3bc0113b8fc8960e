"""The few numbers that turn counted work into seconds, the same for every model and accelerator."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator
from simulator.models.serving.precision import wide_peak

REFERENCE = 300e12
"""FLOP/s at which fixed times of kernels are stated: about what 16-bit products reach on an A100."""
QUICKEST, SLOWEST = 0.25, 2.0
"""Bounds of ``pace``: beyond the accelerators that were measured (0.5 to 1.1) it is a guess."""


@dataclass(frozen=True, slots=True)
class Constants:
    """Shares of peaks and bandwidths that kernels reach, and fixed times in seconds.

    ``benchmarks/fit_serving.py`` makes those of the first group. The second holds for hardware that no measurement was
    at hand for: experts, PCIe and networks; its sources are in docs/serving-model.md.
    """

    memory: float = 0.836
    """Share of the memory bandwidth at which weights, keys, values and activations stream."""
    norm: float = 1.735
    """Exponent p of (compute^p + memory^p)^(1/p): infinite where the longer hides the shorter, 1 where they add up."""
    attention: float = 0.65
    """Attention over prompts, as a share of the rate of large products."""
    layer: float = 63.6e-6
    """Kernels of one layer that are too short to be told by their bytes: launches, first and last tiles, gaps."""
    reduce_step: float = 2.17e-6
    """What each accelerator that takes part adds to an all-reduce over NVLink or its like, however small it is."""
    reduce_share: float = 0.50
    """Share of that fabric's bandwidth in one direction that an all-reduce moves."""
    pace: float = 0.7
    """How the two fixed times above shrink with the rate of products: (REFERENCE / rate)^pace."""

    product: float = 0.8
    """Share of the peak that large products reach where nobody measured it: 0.78 to 0.87 on A100, H100 and B200."""
    grouped: float = 0.65
    """Products of routed experts, each with tokens of its own, as a share of the rate of large products."""
    expert_layer: float = 20e-6
    """Kernels that choose experts and sort tokens in one layer, besides ``layer``; it has its pace."""
    bus_latency: float = 15e-6
    bus_step: float = 3e-6
    """An all-reduce over PCIe, and what each further accelerator of a ring adds to it, there and back."""
    bus_share: float = 0.60
    network_latency: float = 15e-6
    network_share: float = 0.80

    def products(self, accelerator: Accelerator) -> float:
        """Share of a peak that large matrix products reach: the best that somebody measured, in bf16."""
        best, peak = accelerator.measured_bf16, accelerator.flops.get("bf16")
        return best / peak if best and peak else self.product

    def slowness(self, accelerator: Accelerator) -> float:
        """Factor of fixed times on an accelerator."""
        _, peak = wide_peak(accelerator)
        rate = peak * self.products(accelerator)
        return float(min(SLOWEST, max(QUICKEST, (REFERENCE / rate) ** self.pace)))


FITTED = Constants()
