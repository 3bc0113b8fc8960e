"""Sequences that decode, told by sums and counts, against sequences that are followed one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.runtime.serving.decoders import Decoders
from simulator.workload.requests import Request


class Naive:
    """One sequence: tokens whose keys and values are there, counted an iteration at a time."""

    def __init__(self, request: Request, advance: float) -> None:
        self.request, self.advance, self.had = request, advance, request.generated
        self.prompt, self.iterations = request.prompt, 0

    def generated(self, more: int = 0) -> int:
        given = math.floor(self.advance * (self.iterations + more))
        return min(self.request.output, self.had + given)

    def length(self, more: int = 0) -> float:
        return self.prompt + self.advance * (self.iterations + more)

    def blocks(self, block: int, more: int) -> int:
        most = self.request.input + self.request.output
        return math.ceil(min(self.length(more), most) / block)

    def left(self) -> int:
        count = 0
        while self.generated(count) < self.request.output:
            count += 1
        return count

    def crossing(self, window: float) -> float:
        if window == math.inf or self.prompt >= window:
            return math.inf
        count = 0
        while self.length(count) < window:
            count += 1
        return count if count else math.inf


moves = st.one_of(
    st.tuples(st.just("join"), st.integers(1, 30), st.integers(2, 25), st.integers(0, 4)),
    st.tuples(st.just("pass"), st.integers(1, 9)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
)


def requested(number: int, prompt: int, output: int, had: int) -> Request:
    """A request that begins to decode with its first token, or after it had to be computed again."""
    request = Request(id=str(number), arrival=0.0, input=prompt, output=output)
    request.generated = 1 + min(had, output - 2)
    request.prompt = prompt + request.generated - 1
    return request


@settings(max_examples=200)
@given(
    moves=st.lists(moves, max_size=30), block=st.sampled_from([1, 3, 4, 16]),
    window=st.sampled_from([math.inf, 7.0, 20.0]), advance=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
)  # fmt: skip
def test_sums_and_counts_are_those_of_sequences_one_by_one(
    moves: list[tuple[str, int, int, int]], block: int, window: float, advance: float
) -> None:
    decoders, naive = Decoders(block, window, advance, grows=True), list[Naive]()
    for number, (what, *how) in enumerate(moves):
        if what == "join":
            request = requested(number, *how)
            decoders.join(request)
            naive.append(Naive(request, advance))
        elif what == "leave" and naive:
            gone = naive.pop(how[0] % len(naive))
            assert decoders.leave(gone.request) == gone.blocks(block, 0)
            assert gone.request.generated == gone.generated()
        elif what == "pass" and naive:
            count = min(how[0], decoders.next_end())
            assert decoders.given(count) == sum(each.generated(count) - each.generated() for each in naive)
            decoders.pass_by(count)
            for each in naive:
                each.iterations += count
            through = decoders.through()
            assert through == [each.request for each in naive if each.generated() == each.request.output]
            for request in through:
                naive = [each for each in naive if each.request is not request]
                decoders.leave(request)
        check(decoders, naive, block, window)


def check(decoders: Decoders, naive: list[Naive], block: int, window: float) -> None:
    """What decoders say now and of what comes."""
    assert len(decoders) == len(naive)
    assert decoders.context == pytest.approx(sum(each.length() for each in naive))
    if window < math.inf:
        assert decoders.windowed == pytest.approx(sum(min(window, each.length()) for each in naive))
    if not naive:
        assert decoders.need() == 0
        return
    end = decoders.next_end()
    assert end == min(each.left() for each in naive)
    if window < math.inf:
        below = [each for each in naive if each.length() < window]
        assert decoders.below == len(below)
        assert decoders.next_crossing() == min([math.inf, *(each.crossing(window) for each in below)])
    needs = [sum(each.blocks(block, n) - each.blocks(block, 0) for each in naive) for n in range(end + 1)]
    assert [decoders.need(n) for n in range(1, end + 1)] == needs[1:]
    for ahead in (0, 1):
        decoders.ahead = ahead
        for available in (0, 1, 2, 5, 1000):
            had = needs[ahead] + available
            longest = max((n for n in range(end + 1) if needs[n] <= had), default=0)
            assert decoders.runway(available, end) == max(longest, ahead)
    decoders.ahead = 0


def test_blocks_taken_ahead_are_held_and_not_needed_again() -> None:
    decoders, request = Decoders(4, math.inf, 1.0, grows=True), requested(0, 4, 20, 0)
    decoders.join(request)
    assert (decoders.need(), decoders.need(5)) == (1, 2)
    decoders.ahead = 1
    assert (decoders.need(), decoders.need(5)) == (0, 1)
    assert decoders.leave(request) == 2


def test_who_has_all_blocks_needs_none() -> None:
    decoders, request = Decoders(4, math.inf, 1.0, grows=False), requested(0, 4, 20, 0)
    request.blocks = 6
    decoders.join(request)
    assert (decoders.need(19), decoders.runway(0, 19)) == (0, 19)
    assert decoders.leave(request) == 6


def test_nobody_is_left_without_a_trace_of_rounding() -> None:
    decoders = Decoders(4, 9.0, 1.7, grows=True)
    for number in range(5):
        decoders.join(requested(number, 3 + number, 30, 0))
    decoders.pass_by(4)
    for request in list(decoders.ends):
        decoders.leave(request)
    assert (decoders.context, decoders.windowed, decoders.below) == (0.0, 0.0, 0)
