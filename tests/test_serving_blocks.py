"""The KV cache of a rank against a cache that keeps every block by name."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simulator.core.errors import InvariantError
from simulator.runtime.serving.blocks import BlockPool

TOTAL, WEIGHT = 24, 2


class Naive:
    """Every unit by name: its holders, and when it was last let go; the rest is private."""

    def __init__(self) -> None:
        self.private = 0
        self.holders: dict[int, int] = {}
        self.left: dict[int, int] = {}
        self.turn = 0

    def idle(self) -> list[int]:
        """Units that nobody holds, the one to go first at the front."""
        return sorted((name for name, count in self.holders.items() if not count), key=self.left.__getitem__)

    @property
    def free(self) -> int:
        return TOTAL - self.private - WEIGHT * len(self.holders)

    def take(self, blocks: int) -> None:
        while self.free < blocks:
            name = self.idle()[0]
            del self.holders[name], self.left[name]
        self.private += blocks

    def leave(self, names: list[int]) -> None:
        for name in reversed(names):
            self.holders[name] -= 1
            self.turn += 1
            self.left[name] = self.turn


class Pool(RuleBasedStateMachine):
    """Requests that come with prefixes of a few families, compute them, and leave."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.naive, self.now = BlockPool(TOTAL, 4, True), Naive(), 0.0
        self.requests: list[tuple[list[int], int]] = []
        """Units and private blocks of each request that is here."""

    @rule(family=st.integers(0, 3), units=st.integers(0, 5), more=st.integers(0, 4))
    def come(self, family: int, units: int, more: int) -> None:
        self.now += 1.0
        hashes = [family * 10 + unit for unit in range(units)]
        hits = self.pool.hits(hashes)
        assert hits == next((n for n, name in enumerate(hashes) if name not in self.naive.holders), len(hashes))
        weight, idle = self.pool.weigh(hashes, hits)
        assert weight == WEIGHT * hits
        assert idle == WEIGHT * sum(not self.naive.holders[name] for name in hashes[:hits])
        need = WEIGHT * (units - hits) + more
        if need > self.pool.available - idle:
            return
        held = self.pool.hold(hashes, hits)
        for name in held:
            self.naive.holders[name] += 1
        self.pool.take(need, self.now)
        self.naive.take(need)
        for name in hashes[hits:]:
            assert self.pool.register(name, WEIGHT)
            self.naive.holders[name] = 1
            self.naive.private -= WEIGHT
            held.append(name)
        self.requests.append((held, more))

    @rule(which=st.integers(0, 9))
    def register_again(self, which: int) -> None:
        if self.requests:
            held, _ = self.requests[which % len(self.requests)]
            assert not any(self.pool.register(name, WEIGHT) for name in held)

    @rule(which=st.integers(0, 9))
    def go(self, which: int) -> None:
        if self.requests:
            held, more = self.requests.pop(which % len(self.requests))
            assert self.pool.leave(held) == WEIGHT * len(held)
            self.pool.give(more)
            self.naive.leave(held)
            self.naive.private -= more

    @invariant()
    def same(self) -> None:
        idle = WEIGHT * len(self.naive.idle())
        assert (self.pool.free, self.pool.evictable) == (self.naive.free, idle)
        assert self.pool.available == self.naive.free + idle
        assert self.pool.held == TOTAL - self.naive.free - idle
        assert list(self.pool._old) == self.naive.idle()

    def teardown(self) -> None:
        while self.requests:
            self.go(0)
        assert (self.pool.held, self.pool.available) == (0, TOTAL)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=40)


def test_more_blocks_than_there_are_cannot_be_taken() -> None:
    pool = BlockPool(3, 4, False)
    pool.take(2, 0.0)
    with pytest.raises(InvariantError, match="1 more KV blocks were taken than there are"):
        pool.take(2, 0.0)


def test_the_deepest_units_of_a_request_go_first() -> None:
    pool = BlockPool(6, 4, True)
    pool.take(6, 0.0)
    for name in (1, 2, 3):
        pool.register(name, 2)
    assert pool.leave([1, 2, 3]) == 6
    pool.take(2, 1.0)
    assert (pool.hits([1, 2, 3]), pool.hits([1, 2]), pool.hits([3])) == (2, 2, 0)


def published(times: list[tuple[str, float]]) -> BlockPool:
    """A pool of one unit in which unit 7 is computed and thrown away by turns."""
    pool = BlockPool(1, 4, True)
    pool.remember = True
    for what, time in times:
        if what == "computed":
            pool.take(1, time)
            pool.register(7, 1)
            pool.computed(time)
            pool.leave([7])
        elif what == "gone":
            pool.take(1, time)
            pool.give(1)
        else:
            pool.published()
    return pool


def test_what_is_not_computed_yet_is_not_seen() -> None:
    pool = BlockPool(2, 4, True)
    pool.take(1, 0.0)
    pool.register(7, 1)
    assert (pool.hits([7]), pool.seen([7], 1e9)) == (1, 0)
    pool.computed(3.0)
    assert (pool.seen([7], 2.9), pool.seen([7], 3.0), pool.seen([7, 8], 3.0)) == (0, 1, 1)


def test_what_was_thrown_away_since_the_state_was_published_is_seen_as_of_then() -> None:
    pool = published([("computed", 1.0), ("published", 2.0), ("gone", 3.0)])
    assert (pool.hits([7]), pool.seen([7], 0.5), pool.seen([7], 2.0), pool.seen([7], 3.0)) == (0, 0, 1, 0)
    pool.published()
    assert pool.seen([7], 2.0) == 0


def test_what_was_thrown_away_twice_since_then_is_seen_too() -> None:
    pool = published([("computed", 1.0), ("published", 2.0), ("gone", 3.0), ("computed", 4.0), ("gone", 5.0)])
    assert pool.seen([7], 2.0) == 1


def test_what_came_and_went_since_then_is_not_seen() -> None:
    pool = published([("published", 2.0), ("computed", 3.0), ("gone", 4.0)])
    assert pool.seen([7], 2.0) == 0
