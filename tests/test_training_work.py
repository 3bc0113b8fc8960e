"""Compute of the parts of a model on one rank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.models.architecture import flops
from simulator.models.training.device import Device
from simulator.models.training.layout import Layout
from simulator.models.training.work import FLASH_BACKWARD, Worker

H100 = catalog.accelerator("h100-sxm")
MEGATRON = replace(catalog.framework("megatron-core"), host_launch=0.0)


def worker(name: str = "llama-3-8b", framework: Any = MEGATRON, **keys: Any) -> Worker:
    layout = Layout(**keys)
    return Worker(catalog.model(name), layout, Device.of(H100, framework, layout.precision), framework)


def test_products_are_all_of_the_models_flops() -> None:
    """With no bytes to move, the products of all parts take the model's FLOPs at the sustained rate."""
    made = worker()
    endless = replace(made, device=replace(made.device, bandwidth=float("inf"), attention=made.device.rate16))
    parts = [(endless.layer(False), 32), (endless.head(), 1), (endless.embedding(), 1)]
    spent = sum(count * (part.forward.gemm + part.backward.gemm) for part, count in parts)
    attention = 32 * 3 * 2 * 4096 * 32 * 2 * 128 * 8192
    total = flops(made.model, 8192) * 8192 - attention
    assert spent == pytest.approx(total / made.device.rate, rel=0.002)


def test_tensor_parallelism_divides_the_work_of_a_layer() -> None:
    whole, split = worker().layer(False), worker(accelerators=8, tp=8).layer(False)
    assert whole.time / 8 < split.time < whole.time / 6


def test_the_backward_pass_is_twice_the_forward_and_adapters_leave_out_the_weights() -> None:
    part, frozen = worker().layer(False), worker(trains="adapters").layer(False)
    assert part.backward.gemm == pytest.approx(2 * part.forward.gemm, rel=0.1)
    assert frozen.backward.gemm == pytest.approx(frozen.forward.gemm, rel=0.1)
    assert part.backward.attention == FLASH_BACKWARD * part.forward.attention


def test_stored_scores_cost_bytes_and_the_masked_half() -> None:
    old = replace(MEGATRON, attention="unfused")
    stored, flash = worker(framework=old).layer(False), worker().layer(False)
    assert stored.forward.elementwise > 2 * flash.forward.elementwise
    assert worker(framework=old).scores().attention == stored.forward.attention


def test_windows_make_attention_cheaper() -> None:
    made = worker("gpt-oss-20b")
    assert made.layer(True, windowed=True).forward.attention < made.layer(True).forward.attention / 10


def test_experts_need_rows_of_their_own() -> None:
    dense, sparse = worker("mixtral-8x7b").layer(False), worker("mixtral-8x7b").layer(True)
    assert sparse.forward.elementwise > dense.forward.elementwise
    one, eight = (worker("mixtral-8x7b", accelerators=8, ep=ep, global_batch=8).layer(True) for ep in (1, 8))
    assert eight.forward.gemm < one.forward.gemm  # as many rows, an eighth of the weights


def test_the_host_holds_back_short_kernels() -> None:
    slow = replace(MEGATRON, host_launch=1e-3)
    part = worker(framework=slow).layer(False)
    assert part.forward.idle > 0
    assert part.forward.time >= 12e-3
    assert worker().layer(False).forward.idle == 0
