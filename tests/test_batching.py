"""Ways of batching: their rules as the products have them, and the kit that tests them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.batching.vllm import Vllm
from simulator.policies.serving import batchings
from simulator.testing import BatchingContract, check_batching


def made(name: str, **arguments: Any) -> Any:
    return batchings.get(name)(**arguments)


class TestBuiltIns(BatchingContract):
    @pytest.fixture(autouse=True, params=batchings.names())
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> Any:
        return self.name


@pytest.mark.parametrize(
    ("name", "mixed", "chunked", "reserve", "budgets", "joins"),
    [
        ("vllm", True, True, "checked", (8192, 8092), True),
        ("sarathi", True, True, "prompt", (512, 412), True),
        ("sglang", False, True, "prompt", (8192, 8192), True),
        ("prefill-first", False, False, "prompt", (131072, 131072), True),
        ("no-evict", True, False, "all", (8192, 8092), True),
        ("decode-first", False, False, "all", (1 << 30, 0), False),
    ],
)
def test_rules_are_those_of_the_products(
    name: str, mixed: bool, chunked: bool, reserve: str, budgets: tuple[int, int], joins: bool
) -> None:
    batching = made(name)
    assert (batching.mixed, batching.chunked, batching.reserve) == (mixed, chunked, reserve)
    assert (batching.budget(0), batching.budget(100)) == budgets
    assert batching.admits(0)
    assert batching.admits(1) is joins
    assert batching.imitates.split()[-1].strip("()")[0].isdigit() or "OSDI" in batching.imitates


def test_parameters_are_the_products_switches() -> None:
    assert made("vllm", max_tokens=2048).budget(48) == 2000
    assert made("vllm", whole_prompt=False).reserve == "chunk"
    assert made("sarathi", chunk=2048).budget(1) == 2047
    assert made("sglang", chunk=100, mixed=True).budget(30) == 70
    assert made("sglang", mixed=True).mixed
    assert made("no-evict", chunked=True).chunked
    assert made("prefill-first", max_tokens=4096).budget(9) == 4096
    assert made("decode-first", max_tokens=10).budget(0) == 10


@given(decoding=st.integers(0, 10_000), tokens=st.integers(1, 10_000))
def test_a_mixed_iteration_has_no_more_tokens_than_it_may(decoding: int, tokens: int) -> None:
    for name, key in (("vllm", "max_tokens"), ("sarathi", "chunk"), ("no-evict", "max_tokens")):
        assert made(name, **{key: tokens}).budget(decoding) + decoding == tokens


@pytest.mark.parametrize(
    ("name", "key"),
    [("vllm", "max_tokens"), ("prefill-first", "max_tokens"), ("sarathi", "chunk"), ("sglang", "chunk"),
     ("no-evict", "max_tokens"), ("decode-first", "max_tokens")],
)  # fmt: skip
def test_an_iteration_without_tokens_is_refused(name: str, key: str) -> None:
    with pytest.raises(ValueError, match="must be 1 token or more") as told:
        made(name, **{key: 0})
    assert str(told.value) == f"{key} is 0; it must be 1 token or more"


# -- ways of one's own -----------------------------------------------------------------------------------------------


class Starving(Vllm):
    def budget(self, decoding: int) -> int:
        return decoding


class Closed(Vllm):
    def admits(self, running: int) -> bool:
        return running > 0


class Halves(Vllm):
    def budget(self, decoding: int) -> Any:
        return self.max_tokens / 2


class Growing(Vllm):
    def budget(self, decoding: int) -> int:
        return 1 + decoding


class Alternating(Vllm):
    def budget(self, decoding: int) -> int:
        self.max_tokens += 1
        return self.max_tokens if decoding == 0 else 1


class Vague(Vllm):
    def __init__(self) -> None:
        super().__init__()
        self.reserve = "some"


class Nameless(Vllm):
    imitates = None  # type: ignore[assignment]


class Loose(Vllm):
    mixed = 1  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("batching", "text"),
    [
        (Starving, r"budget\(0\) is 0: with nobody decoding no prompt would ever be computed"),
        (Closed, r"admits\(0\) is false: nobody would ever be let in"),
        (Halves, r"budget\(0\) is 4096.0; it must be a whole number of tokens"),
        (Growing, "more sequences cannot leave more"),
        (Alternating, "it must keep no state"),
        (Vague, "reserve is 'some'; it must be one of chunk, checked, prompt, all"),
        (Nameless, "imitates is None; name the product and its version, or leave it ''"),
        (Loose, "mixed is 1; it must be True or False"),
    ],
)
def test_broken_ones_are_told_what_is_wrong(batching: Any, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_batching(batching)
