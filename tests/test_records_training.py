"""Rows of models and frameworks: what contradicts itself says so, and one row is enough to add one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.core.errors import InputError


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("llama-3-8b", {"layers": 0}, "a transformer needs layers"),
        ("llama-3-8b", {"ffn": 0}, "dense layers need ffn"),
        ("llama-3-8b", {"heads": 7}, "hidden 4096 is not a multiple of heads 7: give head_dim"),
        ("llama-3-8b", {"kv_heads": 5}, "heads 32 is not a multiple of kv_heads 5"),
        ("llama-3-8b", {"experts": 8}, "experts, active_experts and expert_ffn must all be there, or none"),
        ("mixtral-8x7b", {"active_experts": 9}, "active_experts 9 is above experts 8"),
        ("resnet-50", {"sample_flops": None}, "a cnn needs parameters, sample_flops and sample_activations"),
        ("llama-3-8b", {"sequence": 4096}, None),
    ],
)
def test_faults_of_models(name: str, changes: dict[str, Any], fault: str | None) -> None:
    assert replace(catalog.model(name), **changes).fault() == fault


def test_faults_of_frameworks() -> None:
    assert replace(catalog.framework("megatron"), tp_overlap=1.5).fault() == "tp_overlap 1.5 is above 1"


def test_frameworks_go_by_their_products_names() -> None:
    for alias in ("megatron", "megatron-bridge", "nemo", "mosaicml", "fsdp", "ddp", "deepspeed", "spark", "jax"):
        assert catalog.framework(alias).source


def test_a_model_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "version: '1'\nmodels:\n  - {id: acme/tiny, family: llama, layers: 4, hidden: 256, heads: 2, ffn: 1024, "
        "gated: true, vocab: 1000, sequence: 512, date: 2026, source: ours, confidence: datasheet}\n"
    )
    assert catalog.load(path).model("tiny").gated is True
    path.write_text(path.read_text().replace("gated: true", "gated: yes"))
    with pytest.raises(InputError, match="gated: 'yes' is neither true nor false"):
        catalog.load(path)
