"""Parameters and FLOPs of models against what their authors publish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.architecture import attention_flops, flops, generic, parameters

PUBLISHED = {
    "llama-2-7b": 6.74, "llama-2-13b": 13.02, "llama-2-70b": 68.98, "llama-3-8b": 8.03, "llama-3-70b": 70.55,
    "llama-3-405b": 405.85, "gpt-3-175b": 174.6, "mixtral-8x7b": 46.70, "mixtral-8x22b": 140.6, "qwen3-30b-a3b": 30.5,
    "qwen3-235b-a22b": 235.1, "deepseek-v3": 671.0, "gpt-oss-20b": 20.9, "gpt-oss-120b": 116.8, "bert-large": 0.336,
    "gpt-1.7b": 1.7, "gpt-3.6b": 3.6, "gpt-7.5b": 7.5, "gpt-18b": 18.4, "gpt-39b": 39.1, "gpt-76b": 76.1,
    "gpt-145b": 145.6, "gpt-310b": 310.1, "gpt-530b": 529.6, "gpt-1t": 1008.0, "gpt-22b": 22.0,
    "gpt-h100-16b": 16.1, "gpt-h100-70b": 69.8, "gpt-h100-177b": 177.0, "gpt-h100-462b": 462.0,
    "nemotron-4-15b": 15.6, "nemotron-4-340b": 341.0, "resnet-50": 0.02556,
    "mpt-125m": 0.1253, "mpt-1b": 1.316, "mpt-7b": 6.6589, "mpt-30b": 29.9752,
}  # fmt: skip
ACTIVE = {"mixtral-8x7b": 12.9, "qwen3-235b-a22b": 22.2, "qwen3-30b-a3b": 3.35, "deepseek-v3": 37.6, "gpt-oss-20b": 4.2}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    printed = 0.05 if name.startswith("gpt-") else 0.0  # half of the last digit: 1.7 is 1.65 by the paper's own formula
    assert parameters(catalog.model(name)) / 1e9 == pytest.approx(PUBLISHED[name], rel=0.01, abs=printed)


@pytest.mark.parametrize("name", ACTIVE)
def test_active_parameters_are_the_published_ones(name: str) -> None:
    assert parameters(catalog.model(name), active=True) / 1e9 == pytest.approx(ACTIVE[name], rel=0.02)


def test_flops_of_gpt_3() -> None:
    """Narayanan et al. (arXiv 2104.04473): 72 L h^2 (1 + s/6h + V/12Lh) per token, with all of the attention."""
    model = catalog.model("gpt-3-175b")
    layers, h, s, v = 96, 12288, 2048, 51200
    expected = 72 * layers * h**2 * (1 + s / (6 * h) + v / (12 * layers * h))
    assert flops(model, s, full_attention=True) == pytest.approx(expected, rel=1e-3)
    assert 300e9 * flops(model, s) == pytest.approx(3.15e23, rel=0.02)  # total of the GPT-3 paper, appendix D


def test_flops_of_published_throughputs() -> None:
    """NVIDIA prints both tokens/s and TFLOP/s: 728 TFLOP/s at 1621 tokens/s, 241 at 10494, 178 at 1204."""
    assert flops(catalog.model("llama-3-70b"), 8192) == pytest.approx(728e12 / 1621, rel=0.002)
    assert flops(catalog.model("qwen3-30b-a3b"), 4096) == pytest.approx(241e12 / 10494, rel=0.01)
    assert flops(catalog.model("qwen3-235b-a22b"), 4096) == pytest.approx(178e12 / 1204, rel=0.01)


def test_masks_and_windows() -> None:
    llama, bert, oss = (catalog.model(name) for name in ("llama-3-8b", "bert-large", "gpt-oss-20b"))
    assert attention_flops(llama, 8192) == 2 * 4096 * 32 * 2 * 128
    assert attention_flops(bert, 512) == 2 * 512 * 16 * 2 * 64
    assert attention_flops(oss, 4096, window=True) == 2 * 128 * 64 * 2 * 64
    assert flops(bert, 512, full_attention=True) == flops(bert, 512)


@given(st.integers(1, 60), st.integers(1, 40))
def test_generic_models_have_the_parameters_asked_for(layers: int, heads: int) -> None:
    hidden = 128 * heads
    wanted = 50_304 * hidden + layers * 12 * hidden**2
    assert parameters(generic(wanted, layers, hidden)) == pytest.approx(wanted, rel=0.01)


def test_generic_models_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"1e\+09 parameters do not suffice for 32 layers of hidden 4096"):
        generic(1e9, 32, 4096)
    with pytest.raises(InputError, match="parameters nan: a model has from 1 to 1e"):
        generic(float("nan"), 2, 128)
    with pytest.raises(InputError, match=r"layers 1e\+09: a model has from 1 to 10000"):
        generic(1e9, 10**9, 128)
    with pytest.raises(InputError, match="hidden 100 is not a multiple of heads 3: give head_dim"):
        generic(1e9, 2, 100, heads=3)
