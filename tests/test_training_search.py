"""Layouts that fit: near ones and fast ones."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster import catalog
from simulator.models.training import Alone, Layout, nearest_fit, ranked
from simulator.models.training.footprint import memory
from simulator.models.training.search import candidates, distance

H100 = catalog.accelerator("h100-sxm")
NETWORK = Alone(H100, catalog.link("infiniband-ndr"))
MEGATRON = catalog.framework("megatron-core")
LLAMA = catalog.model("llama-3-70b")


def common(**keys: Any) -> dict[str, Any]:
    return {"accelerators": 64, "global_batch": 128, "sequence": 8192} | keys


def test_candidates_keep_what_is_common() -> None:
    found = list(candidates(LLAMA, MEGATRON, 8, common(precision="fp8")))
    assert len(found) > 50
    assert {each.accelerators for each in found} == {64}
    assert {each.precision for each in found} == {"fp8"}
    assert max(each.tp for each in found) == 8
    assert {each.recompute for each in found} == {"none", "full"}
    assert {each.cp for each in found} == {1}
    assert 2 in {each.cp for each in candidates(LLAMA, MEGATRON, 8, common(sequence=65_536))}


def test_ranked_layouts_fit_and_are_in_order() -> None:
    found = ranked(LLAMA, H100, NETWORK, MEGATRON, common(), most=5)
    assert len(found) == 5
    assert [each.time for each in found] == sorted(each.time for each in found)
    assert all(each.memory.missing == 0 for each in found)
    assert ranked(LLAMA, H100, NETWORK, MEGATRON, common(accelerators=2, global_batch=2)) == []


def test_the_nearest_fit_changes_little() -> None:
    given = Layout(**common(tp=8))
    assert memory(LLAMA, given, MEGATRON, H100).missing > 0
    near = nearest_fit(LLAMA, given, MEGATRON, H100)
    assert near is not None
    assert memory(LLAMA, near, MEGATRON, H100).missing == 0
    assert (near.tp, near.pp, near.sharding) == (8, 1, "zero2")
    assert distance(given, given) == 0


def test_what_fits_is_its_own_nearest() -> None:
    given = Layout(**common(tp=8, pp=2))
    near = nearest_fit(LLAMA, given, MEGATRON, H100)
    assert near is not None
    assert (near.tp, near.pp, near.vp, near.micro_batch, near.sharding) == (8, 2, 1, 1, "zero1")


def test_no_layout_fits_one_accelerator() -> None:
    assert nearest_fit(LLAMA, Layout(), MEGATRON, H100) is None


@pytest.mark.parametrize("name", ["resnet-50", "mixtral-8x7b", "deepseek-v3"])
def test_other_kinds_of_model(name: str) -> None:
    found = ranked(catalog.model(name), H100, NETWORK, MEGATRON, common(accelerators=512, global_batch=1024), most=1)
    assert found[0].memory.missing == 0
