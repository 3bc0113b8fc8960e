"""Layouts: what divides what, ranks and their groups."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.training.layout import AXES, Layout, balanced, check, divisors, domain_of, groups, sample, span

POWERS = st.sampled_from([1, 2, 4, 8])


def test_degrees_and_batches() -> None:
    layout = Layout(accelerators=256, tp=8, pp=4, cp=2, global_batch=64, micro_batch=2)
    assert (layout.dp, layout.replicas, layout.micro_batches) == (4, 8, 8)
    assert layout.splits_sequence
    assert not Layout(accelerators=8, tp=8, sequence_parallel=False).splits_sequence
    assert not Layout(accelerators=8, global_batch=8).splits_sequence


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"accelerators": 60, "tp": 8},
            "tp 8 x pp 1 x cp 1 = 8 does not divide 60 accelerators: the nearest number that it does is 64",
        ),
        (
            {"accelerators": 64, "tp": 4, "pp": 4, "ep": 12, "global_batch": 4},
            "ep 12 does not divide the 16 ranks of a pipeline stage (tp 4 x cp 1 x dp 4): the nearest that does is 16",
        ),
        (
            {"accelerators": 64, "tp": 8, "micro_batch": 3, "global_batch": 100},
            "global_batch 100 is not a multiple of dp 8 x micro_batch 3 = 24: the nearest that is, is 96",
        ),
        ({"tp": 0}, "tp 0 is not a whole number of 1 or more"),
        ({"accelerators": 2.5}, "accelerators 2.5 is not a whole number of 1 or more"),
        ({"accelerators": 10**9}, "accelerators 1e+09 is too large: at most 1,000,000"),
        ({"sequence": 10**30}, "sequence 1e+30 is too large: at most 1,000,000,000"),
        ({"precision": "bf18"}, "unknown precision 'bf18'. Did you mean 'bf16'?"),
        ({"recompute": "fulll"}, "unknown recompute 'fulll'. Did you mean 'full'?"),
        ({"sharding": "zero4"}, "unknown sharding 'zero4'. Did you mean 'zero3'?"),
        ({"slowdown": 0.5}, "slowdown 0.5 is not a number of 1 or more"),
        ({"noise": 1.5}, "noise 1.5 is not a number from 0 to 1"),
        ({"input_rate": 0.0}, "input_rate 0.0 is not a number above 0"),
    ],
)
def test_what_does_not_divide_names_the_nearest_that_does(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        Layout(**keys)


@pytest.mark.parametrize(
    ("model", "keys", "text"),
    [
        (
            "llama-3-70b",
            {"accelerators": 7, "pp": 7, "global_batch": 7},
            "pp 7 x vp 1 = 7 divides neither the 80 layers of meta/llama-3-70b nor 82, with the embedding and the "
            "output layer: the nearest that does is 8",
        ),
        ("llama-3-70b", {"accelerators": 3, "tp": 3}, "tp 3 does not divide the 64 heads of meta/llama-3-70b: the nea"),
        ("llama-3-70b", {"accelerators": 2, "ep": 2, "global_batch": 2}, "ep 2 needs experts: meta/llama-3-70b has"),
        ("mixtral-8x7b", {"accelerators": 16, "ep": 16, "global_batch": 16}, "ep 16 does not divide the 8 experts of"),
        ("llama-3-70b", {"accelerators": 1, "vp": 2}, "vp 2 needs a pipeline: pp is 1"),
        ("llama-3-70b", {"accelerators": 4, "cp": 4, "sequence": 100}, "a sequence of 100 tokens is not a multiple of"),
        ("resnet-50", {"accelerators": 2, "tp": 2}, "torchvision/resnet-50 is a CNN: tp 2 must be 1"),
    ],
)
def test_what_does_not_suit_the_model(model: str, keys: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        check(catalog.model(model), Layout(**keys))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        check(catalog.model("llama-3-70b"), Layout(accelerators=21, tp=3, pp=7))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(("name", "pp"), [("llama-3-405b", 16), ("deepseek-v3", 16), ("qwen3-235b-a22b", 8)])
def test_embedding_and_output_layer_may_count_as_layers(name: str, pp: int) -> None:
    layout = Layout(accelerators=pp, pp=pp, global_batch=pp)
    check(catalog.model(name), layout)
    assert balanced(catalog.model(name), layout)
    assert not balanced(catalog.model("llama-3-70b"), layout)


@given(tp=POWERS, cp=POWERS, dp=POWERS, pp=POWERS, axis=st.sampled_from(AXES))
def test_groups_are_a_partition_of_the_ranks(tp: int, cp: int, dp: int, pp: int, axis: str) -> None:
    layout = Layout(accelerators=tp * cp * dp * pp, tp=tp, cp=cp, pp=pp, ep=min(4, tp * cp * dp), global_batch=dp)
    found = groups(layout, axis)
    assert sorted(rank for group in found for rank in group) == list(range(layout.accelerators))
    assert len({len(group) for group in found}) == 1
    assert found[0] == sample(layout, axis)
    assert 0 in sample(layout, axis)


def test_tensor_parallel_is_fastest_and_pipeline_slowest() -> None:
    layout = Layout(accelerators=32, tp=2, cp=2, pp=2, ep=4, global_batch=4)
    assert groups(layout, "tp")[:2] == [(0, 1), (2, 3)]
    assert groups(layout, "cp")[:2] == [(0, 2), (1, 3)]
    assert groups(layout, "dp")[0] == tuple(range(0, 16, 2))
    assert groups(layout, "ep")[0] == (0, 1, 2, 3)
    assert groups(layout, "edp")[0] == (0, 4, 8, 12)
    assert groups(layout, "pp")[0] == (0, 16)
    with pytest.raises(InputError, match=r"unknown axis 'edq'. Did you mean 'edp'\?"):
        groups(layout, "edq")


def test_domains_of_a_group() -> None:
    assert span((0, 1, 2, 3), 8) == (4, 1)
    assert span(tuple(range(0, 64, 8)), 8) == (1, 8)
    assert span(tuple(range(64)), 8) == (8, 8)
    assert domain_of(Layout(accelerators=4, global_batch=4), 8) == 4
    assert domain_of(Layout(accelerators=256, global_batch=256), 72) == 64
    assert domain_of(Layout(accelerators=576, global_batch=576), 72) == 72
    assert domain_of(Layout(accelerators=576, global_batch=576, domain=4), 72) == 4


@given(st.integers(1, 5000))
def test_divisors(number: int) -> None:
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]
