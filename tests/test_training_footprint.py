"""Memory of a layout: bytes per parameter, activations, and how sharding and recomputation change them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.models.training.footprint import RESERVED, held, memory
from simulator.models.training.layout import Layout

H100 = catalog.accelerator("h100-sxm")
MEGATRON = catalog.framework("megatron-core")
GPT = catalog.model("gpt-3-175b")


def layout(**keys: Any) -> Layout:
    return Layout(**({"accelerators": 512, "tp": 8, "pp": 8, "global_batch": 512} | keys))


def bytes_per_parameter(**keys: Any) -> float:
    made = layout(**keys)
    room = memory(GPT, made, MEGATRON, H100)
    return (room.weights + room.gradients + room.optimizer) / sum(held(GPT, made))


def test_bytes_per_parameter_are_megatrons() -> None:
    """Megatron-LM README: 18 bytes with bf16 weights and fp32 gradients, 6 + 12/d with a distributed optimizer."""
    assert bytes_per_parameter(sharding="none") == pytest.approx(18)
    assert bytes_per_parameter(sharding="zero1") == pytest.approx(6 + 12 / 8)
    assert bytes_per_parameter(sharding="zero2") == pytest.approx(2 + 16 / 8)
    assert bytes_per_parameter(sharding="none", precision="fp32") == pytest.approx(16)
    assert bytes_per_parameter(sharding="none", trains="adapters") == pytest.approx(2)


def test_zero3_keeps_two_layers_whole() -> None:
    made = layout(accelerators=8, tp=1, pp=1, sharding="zero3", global_batch=8)
    model = catalog.model("llama-2-7b")
    room = memory(model, made, MEGATRON, H100)
    whole = sum(held(model, made))
    assert room.weights == pytest.approx(whole * 2 / 8 + 2 * 2 * whole / 32)
    assert room.optimizer == pytest.approx(whole * 12 / 8)


def test_hybrid_shards_inside_a_domain() -> None:
    made = layout(accelerators=64, tp=1, pp=1, sharding="hybrid", global_batch=64)
    room = memory(catalog.model("llama-2-7b"), made, MEGATRON, H100)
    assert room.gradients == pytest.approx(sum(held(catalog.model("llama-2-7b"), made)) * 4 / 8)


def test_activations_are_korthikantis() -> None:
    """Korthikanti et al. (arXiv 2205.05198), equations 2 and 4: s b h (34 / t + 5 a s / (h t)) for each layer."""
    old = catalog.framework("megatron-lm-2021")
    model = catalog.model("gpt-22b")
    made = Layout(accelerators=8, tp=8, global_batch=4, micro_batch=4)
    s, b, h, a, t = 2048, 4, 6144, 64, 8
    expected = s * b * h * (34 / t + 5 * a * s / (h * t)) * 48
    assert memory(model, made, old, H100).activations == pytest.approx(expected, rel=1e-9)
    without = replace(made, sequence_parallel=False)
    expected = s * b * h * (10 + 24 / t + 5 * a * s / (h * t)) * 48
    assert memory(model, without, old, H100).activations == pytest.approx(expected, rel=1e-9)
    selective = memory(model, replace(made, recompute="selective"), old, H100).activations
    assert selective == pytest.approx(s * b * h * 34 / t * 48, rel=1e-9)


def test_full_recomputation_keeps_inputs_and_one_layer() -> None:
    none, full = (memory(GPT, layout(recompute=again), MEGATRON, H100).activations for again in ("none", "full"))
    assert full < none / 5


def test_more_in_flight_and_deeper_interleaving_need_more() -> None:
    few, many = (memory(GPT, layout(global_batch=batch), MEGATRON, H100).activations for batch in (16, 512))
    assert few < many
    plain, interleaved = (memory(GPT, layout(vp=vp), MEGATRON, H100).activations for vp in (1, 3))
    assert interleaved == pytest.approx(plain * (1 + 7 / 24))


def test_narrow_precisions_keep_narrow_inputs() -> None:
    wide, narrow = (memory(GPT, layout(precision=each), MEGATRON, H100).activations for each in ("bf16", "fp8"))
    assert 0.75 * wide < narrow < wide


def test_the_sum_and_what_is_missing() -> None:
    room = memory(GPT, layout(), MEGATRON, H100)
    assert room.total == pytest.approx(sum(room.parts().values()))
    assert room.reserved == RESERVED
    assert room.missing == max(0.0, room.total - H100.memory)
    assert memory(catalog.model("resnet-50"), Layout(global_batch=32, micro_batch=32), MEGATRON, H100).missing == 0


def test_runs_that_were_published_fit() -> None:
    for name, keys in (
        ("llama-3-70b", {"accelerators": 64, "tp": 4, "pp": 8, "vp": 5, "global_batch": 128, "precision": "fp8"}),
        ("gpt-h100-462b", {"accelerators": 6144, "tp": 8, "pp": 16, "vp": 7, "global_batch": 3072}),
    ):
        made = Layout(**keys)  # type: ignore[arg-type]
        assert memory(catalog.model(name), made, MEGATRON, H100).missing == 0
