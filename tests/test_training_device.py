"""How long an accelerator takes for products, attention and bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.models.training.device import GEMM_SHARE, MEMORY_SHARE, SUSTAINED, Device, gemm_share

MEGATRON = catalog.framework("megatron-core")
H100 = catalog.accelerator("h100-sxm")
DEVICE = Device.of(H100, MEGATRON, "bf16")
SIZES = st.integers(1, 65_536)


def test_a_large_product_runs_at_the_sustained_rate() -> None:
    rate = 2 * 16_384**3 / DEVICE.gemm(16_384, 16_384, 16_384)
    assert 0.95 < rate / (0.61 * 989.4e12) < 1


def test_a_thin_product_moves_bytes() -> None:
    assert DEVICE.gemm(8192, 8192, 1) == pytest.approx(2 * 8192**2 / (3.35e12 * MEMORY_SHARE), rel=0.01)


@given(SIZES, SIZES, SIZES)
def test_no_product_beats_the_rate_and_larger_ones_take_longer(m: int, n: int, k: int) -> None:
    seconds = DEVICE.gemm(m, n, k)
    assert seconds > 2 * m * n * k / DEVICE.rate
    assert DEVICE.gemm(m + 1, n, k) > seconds
    assert DEVICE.gemm(m, n, k, count=3) == pytest.approx(3 * seconds)


def test_wide_heads_are_cheaper_and_moving_is_linear() -> None:
    assert DEVICE.attend(1e12, 64) > DEVICE.attend(1e12, 128)
    assert DEVICE.attend(0.0, 128) == 0.0
    assert DEVICE.move(2e9) == pytest.approx(2 * DEVICE.move(1e9))


def test_shares_come_from_the_row_then_from_a_measurement_then_from_a_default() -> None:
    bare = replace(H100, gemm_share={}, measured_bf16=800e12)
    assert gemm_share(H100, "fp8") == H100.gemm_share["fp8"]
    assert gemm_share(H100, "mxfp8") == H100.gemm_share["fp8"]
    assert gemm_share(bare, "fp8") == pytest.approx(SUSTAINED * 800 / 989.4)
    assert gemm_share(replace(bare, measured_bf16=None), "bf16") == GEMM_SHARE


@pytest.mark.parametrize("record", catalog.records("accelerator"), ids=lambda record: record.id)
def test_shares_are_below_one(record: catalog.Accelerator) -> None:
    assert all(share < 0.95 for share in (*record.gemm_share.values(), *record.attention_share.values()))


def test_operands_of_narrow_formats_are_narrow() -> None:
    assert Device.of(H100, MEGATRON, "fp8").width == 1
    assert Device.of(H100, MEGATRON, "fp32").width == 4
    assert Device.of(catalog.accelerator("gb200"), MEGATRON, "nvfp4").peak == 10e15
    assert Device.of(catalog.accelerator("gb200"), MEGATRON, "nvfp4").rate16 < 2.5e15
