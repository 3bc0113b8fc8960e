"""Prompts that begin alike, against the same thing told token by token."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.prompts import Head, grown, named_blocks
from simulator.workload.requesthashes import Hashes, prefix_reuse
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestmerge import merged

REQUESTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=12)


def tokens(row: int, text: int, shared: int, length: int) -> list[object]:
    """What a prompt is made of: tokens of a text that others share, then tokens of its own."""
    return [("shared", text, place) if place < shared else ("own", row, place) for place in range(length)]


@given(REQUESTS, st.integers(1, 20))
def test_blocks_have_one_name_exactly_if_all_up_to_them_is_shared(
    requests: list[tuple[int, int, int]], block: int
) -> None:
    text, shared, lengths = (np.array(column) for column in zip(*requests, strict=True))
    shared = np.minimum(shared, lengths)
    hashes = named_blocks(block, lengths, Head(text, shared))
    prompts = [
        tokens(row, *each)
        for row, each in enumerate(zip(text.tolist(), shared.tolist(), lengths.tolist(), strict=True))
    ]
    for one, first in enumerate(prompts):
        for other, second in enumerate(prompts):
            for at, (mine, theirs) in enumerate(zip(hashes.of(one), hashes.of(other), strict=False)):
                end = (at + 1) * block
                alike = first[:end] == second[:end] and len(first) >= end <= len(second)
                assert (mine == theirs) == (alike or one == other)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=25))
def test_conversations_grow_as_told_turn_by_turn(turns: list[tuple[bool, int, int]]) -> None:
    groups = np.cumsum([begins for begins, _, _ in turns])
    said, answers = np.array([each[1] for each in turns]), np.array([each[2] for each in turns])
    growth = grown(groups, np.full(len(turns), 10), said, answers, longest=100)
    context, last, fresh = 10, None, -1
    for row, (group, asked, answer) in enumerate(zip(groups.tolist(), said.tolist(), answers.tolist(), strict=True)):
        if group != last or context + asked + answer > 100:
            context, last, fresh = 10, group, fresh + 1
        context += asked
        assert (growth.prompts[row], growth.texts[row]) == (context, fresh)
        context += answer


def test_a_block_of_no_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="block: 0 is not a whole number of tokens, 1 or more"):
        named_blocks(0, np.array([5]))


@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=8))
def test_hashes_that_are_taken_are_those_of_their_requests(names: list[list[int]]) -> None:
    hashes = Hashes.of_counts(4, np.array([*chain(*names)], dtype=np.int64), np.array([len(each) for each in names]))
    rows = np.array([place for place in range(len(names)) if place % 2 == 0][::-1])
    assert [hashes.take(rows).of(place) for place in range(len(rows))] == [names[row] for row in rows]


def test_reuse_counts_leading_runs_only() -> None:
    """By hand: the second shares two blocks, the third none in front, the fourth all it has."""
    names = [[1, 2, 3], [1, 2, 4], [9, 2, 3], [1, 2]]
    hashes = Hashes.of_counts(10, np.array([*chain(*names)]), np.array([3, 3, 3, 2]))
    columns = {"arrival": np.arange(4.0), "input": np.array([25, 30, 30, 15]), "output": np.ones(4, int)}
    reuse = prefix_reuse(RequestLog("t", columns, hashes))
    assert reuse == (11, 4, 100, 35, 2, 5)
    assert prefix_reuse(RequestLog("t", columns)) is None


def test_logs_laid_over_each_other_stay_apart() -> None:
    def log(arrival: list[float], block: int | None, **more: np.ndarray) -> RequestLog:
        count = len(arrival)
        columns = {"arrival": np.array(arrival), "input": np.full(count, 8), "output": np.ones(count, int), **more}
        hashes = None if block is None else Hashes.of_counts(block, np.arange(count) * 0 + 5, np.ones(count, int))
        return RequestLog("part", columns, hashes)

    chat = log([0.0, 2.0], 8, parent=np.array([-1, 0]), session=np.array(["s", "s"], dtype=object))
    code = log([1.0, 3.0], 8, parent=np.array([-1, 0]), session=np.array(["s", "s"], dtype=object))
    both = merged("both", {"chat": chat, "code": code, "batch": log([1.0], None)})
    assert both.columns["arrival"].tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]
    assert both.columns["category"].tolist() == ["chat", "code", "batch", "chat", "code"]
    assert both.columns["parent"].tolist() == [-1, -1, -1, 0, 1]
    assert both.columns["session"].tolist() == ["chat/s", "code/s", "", "chat/s", "code/s"]
    assert both.hashes is not None
    first, second, third, *_ = (both.hashes.of(place) for place in range(5))
    assert first != second
    assert third == []
    assert both.hashes.of(3) == first
    with pytest.raises(InputError, match=r"both: hashes name blocks of different lengths: \{'a': 8, 'b': 16\}"):
        merged("both", {"a": chat, "b": log([0.0], 16)})
