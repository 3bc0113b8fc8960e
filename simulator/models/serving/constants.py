"""The few numbers that turn counted work into seconds, the same for every model and accelerator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constants:
    """Shares of peaks and bandwidths that kernels reach, and fixed times. ``benchmarks/fit_serving.py`` makes them."""

    compute: float = 0.78
    """Share of the peak of large matrix products."""
    memory: float = 0.76
    """Share of the memory bandwidth at which weights stream."""
    norm: float = 1.46
    """Exponent p of (compute^p + memory^p)^(1/p): infinite where the longer hides the shorter, 1 where they add up."""
    attention: float = 0.46
    """Share of the 16-bit peak of attention over prompts."""
    kv: float = 0.96
    """Share of the memory bandwidth at which keys and values stream."""
    layer: float = 3.4e-6
    """Seconds between kernels, and of small ones, in one layer."""
    reduce_latency: float = 17.8e-6
    """Seconds that an all-reduce over NVLink or its like takes however small it is."""
    reduce_share: float = 0.41
    """Share of that fabric's bandwidth in one direction that it moves."""
    bus_latency: float = 20e-6
    """The same over PCIe, where data goes through host bridges."""
    bus_step: float = 4e-6
    """What each further accelerator on it adds, twice: there and back along a ring."""
    bus_share: float = 0.60
    network_latency: float = 15e-6
    """The same across servers."""
    network_share: float = 0.80


FITTED = Constants()
