"""Replicas of a service: the engine, which skips iterations, against a twin that goes one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference.serving_case import (
    EVEN,
    Broken,
    Case,
    Curved,
    Straight,
    ask,
    compared,
    compared_iterations,
    compared_tokens,
)

from simulator.cluster import catalog
from simulator.metrics.window import Window
from simulator.models.serving import AnalyticTime, ReplicaShape
from simulator.models.serving.called import CalledTime
from simulator.models.serving.table import TableTime

gaps = st.one_of(st.just(0.0), st.integers(0, 60).map(lambda n: n / 997))


@st.composite
def arrivals(draw: st.DrawFn, room: int) -> list[dict[str, Any]]:
    """Requests that crowd ``room`` tokens of cache; one in twenty may never fit, or be empty."""
    now, asks = 1.0, []
    for _ in range(draw(st.integers(1, 14))):
        now += draw(gaps)
        if draw(st.integers(0, 19)):
            input = draw(st.one_of(st.integers(1, max(1, room // 3)), st.integers(1, room - 1)))
            output = min(draw(st.one_of(st.integers(1, 3), st.integers(4, max(4, room // 2)))), room - input)
        else:
            input, output = draw(st.sampled_from([0, room - 1, room])), draw(st.integers(0, 2))
        asks.append(ask(now, input, output, limit=draw(st.sampled_from([0, 0, output, output + 5]))))
    return asks


@st.composite
def chained(draw: st.DrawFn, asks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Some of them wait for an earlier one."""
    for number, each in enumerate(asks):
        if number and draw(st.integers(0, 3)) == 0:
            each["after"] = draw(st.integers(0, number - 1))
            each["delay"] = draw(st.integers(0, 200)) / 991
            each["arrival"] += number / 99991  # who comes first of two at the same instant is not what is tested
    return asks


@st.composite
def hashed(draw: st.DrawFn, asks: list[dict[str, Any]], hash_block: int) -> list[dict[str, Any]]:
    """Prompts that share their beginnings with those of their family."""
    for number, each in enumerate(asks):
        family, common = draw(st.integers(1, 2)), draw(st.integers(0, 4))
        full, rest = divmod(max(0, each["input"]), hash_block)
        names = [(family if unit < common else 100 + number) * 1000 + unit for unit in range(full)]
        if rest:  # two with the same name are the same tokens, hence as many
            names.append((family if full < common else 100 + number) * 1_000_000 + full * 1000 + rest)
        each |= {"hashes": tuple(names), "hash_block": hash_block}
    return asks


BATCHINGS = [
    ("vllm", {"max_tokens": 24}),
    ("vllm", {"max_tokens": 24, "whole_prompt": False}),
    ("vllm", {"max_tokens": 512, "whole_prompt": False}),
    ("prefill-first", {"max_tokens": 40}),
    ("prefill-first", {"max_tokens": 512}),
    ("sarathi", {"chunk": 16}),
    ("decode-first", {}),
    ("no-evict", {"max_tokens": 512}),
    ("no-evict", {"max_tokens": 24, "chunked": True}),
    ("sglang", {"chunk": 16}),
]
WINDOWED = Straight(window=9.0, windowed=3.1e-5)
FALLING = Broken(pieces=((40.0, 0.0031, -3e-5), (97.0, 0.0081, -4e-5), (math.inf, 0.0007, 4e-5)))
some = settings(max_examples=30)


@st.composite
def services(draw: st.DrawFn, **fixed: Any) -> Case:
    """A service with requests that its cache has hardly room for."""
    block, blocks = draw(st.sampled_from([(1, 12), (1, 40), (4, 8), (4, 16), (16, 4), (16, 9)]))
    asks = draw(chained(draw(arrivals(block * blocks))))
    if fixed.get("prefix_cache"):
        asks = draw(hashed(asks, block * draw(st.integers(1, 3))))
    drawn = {"batching": draw(st.sampled_from(BATCHINGS)), "max_batch": draw(st.sampled_from([1, 3, 8, 12]))}
    return Case(**{"asks": tuple(asks), "block": block, "blocks": blocks} | drawn | fixed)


def prefix_affinity(request: Any, view: Any) -> Any:
    return max(view.replicas, key=lambda replica: (replica.prefix(request), -replica.outstanding, -replica.number))


def fewest_prompt_tokens(request: Any, view: Any) -> Any:
    return min(view.replicas, key=lambda replica: (replica.pending, replica.number))


def least_kv(request: Any, view: Any) -> Any:
    return min(view.replicas, key=lambda replica: (replica.kv, replica.queued, replica.running, replica.number))


def by_name(request: Any, view: Any) -> Any:
    return view.replicas[int(request.id) * 7 % len(view.replicas)]


RULES = [prefix_affinity, fewest_prompt_tokens, least_kv, by_name]


def agreed(case: Case) -> None:
    """Requests, iterations and single tokens."""
    asks, service, record = compared(case)
    compared_iterations(service, record)
    if case.ranks == 1:
        compared_tokens(asks, record)


@pytest.mark.parametrize("batching", BATCHINGS, ids=str)
@some
@given(data=st.data())
def test_batchings_with_a_cache_that_is_too_small(batching: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    agreed(data.draw(services(batching=batching)))


@some
@given(case=services(prefix_cache=True))
def test_prefixes_in_a_cache_that_is_too_small(case: Case) -> None:
    agreed(case)


@pytest.mark.parametrize(
    "time", [WINDOWED, Broken(), FALLING, Curved()], ids=["windowed", "broken", "falling", "curved"]
)
@some
@given(data=st.data())
def test_windows_and_times_that_are_not_straight(time: Straight, data: st.DataObject) -> None:
    agreed(data.draw(services(time=time)))


def measured() -> TableTime:
    """A table that nobody would want to interpolate in the head."""
    axes = ((0.0, 16.0, 64.0), (0.0, 2.0, 8.0), (0.0, 30.0, 100.0))
    seconds = {
        (x, y, z): 0.007 + 0.0011 * x + 0.0003 * y * (1 + y / 8) + 2.3e-5 * z * (1 + z / 70) * (1 + y / 4)
        for x in axes[0]
        for y in axes[1]
        for z in axes[2]
    }
    return TableTime(axes, seconds)


def called(prefill_tokens: int, decode_sequences: int, context_tokens: float) -> float:
    return 0.0073 + 0.0011 * prefill_tokens + 0.00031 * decode_sequences + 0.0004 * math.log1p(context_tokens)


def analytic(**shape: int) -> AnalyticTime:
    accelerator, engine = catalog.accelerator("h100-sxm"), catalog.engine("vllm-0.19")
    return AnalyticTime(catalog.model("gpt-oss-20b"), accelerator, ReplicaShape(weights="mxfp4", **shape), engine)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["table", "function", "analytic"])
@settings(max_examples=15)
@given(data=st.data())
def test_times_that_users_get(name: str, ranks: int, data: st.DataObject) -> None:
    time = {"table": measured(), "function": CalledTime(called), "analytic": analytic(dp=ranks)}[name]
    agreed(data.draw(services(time=time, ranks=ranks)))


@some
@given(data=st.data())
def test_ranks_in_lockstep(data: st.DataObject) -> None:
    time = data.draw(st.sampled_from([Straight(), WINDOWED, Broken(), Curved()]))
    agreed(data.draw(services(time=time, ranks=data.draw(st.integers(2, 3)), prefix_cache=data.draw(st.booleans()))))


@some
@given(case=services(swap=1e6, kv_bytes=1003.0))
def test_preemption_by_swapping(case: Case) -> None:
    agreed(case)


@pytest.mark.parametrize("advance", [2.0, 2.5, 1.7])
@some
@given(data=st.data())
def test_more_than_one_token_an_iteration_for_everybody(advance: float, data: st.DataObject) -> None:
    agreed(data.draw(services(advance=advance, swap=data.draw(st.sampled_from([0.0, 1e6])), kv_bytes=1003.0)))


@some
@given(data=st.data())
def test_clients_that_give_up(data: st.DataObject) -> None:
    timeout = data.draw(st.sampled_from([math.inf, 0.3071, 1.1013]))
    first = data.draw(st.sampled_from([math.inf, 0.1033, 0.5507]))
    agreed(data.draw(services(timeout=timeout, first_token_timeout=first)))


@some
@given(data=st.data())
def test_arrivals_at_the_very_ends_of_iterations(data: st.DataObject) -> None:
    case = data.draw(services(time=EVEN, prefix_cache=data.draw(st.booleans())))
    seconds = sorted(data.draw(st.lists(st.integers(1, 9), min_size=14, max_size=14)))
    asks = tuple(
        {name: value for name, value in each.items() if name not in ("after", "delay")} | {"arrival": float(second)}
        for each, second in zip(case.asks, seconds, strict=False)
    )
    agreed(replace(case, asks=asks))


@pytest.mark.parametrize("rule", RULES)
@some
@given(data=st.data())
def test_routers_that_look(rule: Callable[[Any, Any], Any], data: st.DataObject) -> None:
    agreed(data.draw(services(rule=rule, replicas=data.draw(st.integers(2, 3)), prefix_cache=True)))


@st.composite
def prioritised(draw: st.DrawFn, **fixed: Any) -> Case:
    """The same with three priorities."""
    case = draw(services(lineup="priority", **fixed))
    return replace(case, asks=tuple(each | {"priority": float(draw(st.integers(0, 2)))} for each in case.asks))


@some
@given(case=prioritised())
def test_priorities(case: Case) -> None:
    agreed(case)


@pytest.mark.parametrize("made", [services, prioritised])
@pytest.mark.parametrize("prefix_cache", [False, True])
@settings(max_examples=100)
@given(data=st.data())
def test_first_chunks_that_fit_though_the_prompts_do_not(
    prefix_cache: bool, made: Callable[..., Any], data: st.DataObject
) -> None:
    options = {"max_tokens": data.draw(st.sampled_from([5, 9, 24])), "whole_prompt": False}
    agreed(data.draw(made(batching=("vllm", options), prefix_cache=prefix_cache)))


@settings(max_examples=120)
@given(data=st.data())
def test_all_of_it_together(data: st.DataObject) -> None:
    drawn = {
        "time": [Straight(), WINDOWED, Broken(), Curved()],
        "ranks": [1, 2],
        "replicas": [1, 2],
        "rule": RULES,
        "advance": [1.0, 1.0, 2.5, 3.0],
        "swap": [0.0, 1e6],
        "lineup": ["fcfs", "priority"],
        "timeout": [math.inf, math.inf, 0.3071],
        "prefix_cache": [False, True],
    }
    chosen = {name: data.draw(st.sampled_from(choices)) for name, choices in drawn.items()}
    agreed(data.draw(services(kv_bytes=1003.0, **chosen)))


@some
@given(case=services(prefix_cache=True))
def test_gaps_between_tokens(case: Case) -> None:
    """All gaps of requests that nobody interrupted, from the runs of iterations."""
    asks, _, record = compared(case)
    assume(not any(each.preemptions for each in asks))
    want = [later - earlier for each in asks for earlier, later in pairwise(each.tokens)]
    gaps = Window(record).gaps
    assert len(gaps) == len(want)
    if want:
        assert gaps.mean() == pytest.approx(sum(want) / len(want), rel=1e-9)
    if want and case.made().mixed:  # else those who stood still are told by their mean
        for share in (0.0, 0.31, 0.5, 0.97, 1.0):
            assert gaps.quantile(share) == pytest.approx(float(np.quantile(want, share)), rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"batching": ("vllm", {"max_tokens": 90, "whole_prompt": False})},
        {"batching": ("sarathi", {"chunk": 64}), "prefix_cache": True},
        {"batching": ("prefill-first", {"max_tokens": 512}), "swap": 1e7, "kv_bytes": 1003.0},
        {"batching": ("sglang", {"chunk": 100}), "ranks": 2, "time": Broken()},
        {"batching": ("no-evict", {"max_tokens": 256, "chunked": True}), "replicas": 2, "rule": least_kv},
        {"batching": ("vllm", {"max_tokens": 96}), "prefix_cache": True, "replicas": 3, "rule": prefix_affinity},
        {"batching": ("vllm", {"max_tokens": 60, "whole_prompt": False}), "prefix_cache": True, "lineup": "priority"},
    ],
    ids=lambda options: ", ".join(str(value) for value in options["batching"]) + ", ".join(list(options)[1:]),
)
def test_a_long_crowd(options: dict[str, Any]) -> None:
    """Requests that keep a small cache full, for thousands of iterations."""
    rng, asks = np.random.default_rng(5), []
    for number, when in enumerate(1.0 + np.cumsum(rng.exponential(0.02, 150))):
        size, length, family = (int(rng.integers(1, high)) for high in (200, 120, 5))
        units = range(-(-size // 16))
        names = tuple(family if unit < 4 and unit * 16 + 16 <= size else 100 + number for unit in units)
        hashes = tuple(1000 * name + unit for name, unit in zip(names, units, strict=True))
        asks.append(ask(float(when), size, length, hashes=hashes, hash_block=16, priority=float(number % 3)))
    finished, service, record = compared(
        Case(**{"asks": tuple(asks), "blocks": 60, "block": 8, "max_batch": 32} | options)
    )
    compared_iterations(service, record)
    never = options["batching"][0] == "no-evict"
    assert never or sum(each.preemptions for each in finished) > 50
