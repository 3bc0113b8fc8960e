"""The network on the clock: rates after any history of changes are those of a fresh solve, and cost little."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.routing import way_of
from simulator.core.clock import Clock
from simulator.core.rng import stream
from simulator.models.fairshare import LIMIT, max_min
from simulator.runtime.bundles import Message, Transfers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric, Stream

ONE, BOTH = way_of([(0,)], [0.0]), way_of([(0, 1)], [0.0, 0.0])
STEPS = ("join", "join", "join", "leave", "resize", "limit", "capacity", "dead")


def instant(clock: Clock, *calls) -> None:
    """Do all of ``calls`` at one instant, one second later, and let the fabric settle."""
    for call in calls:
        clock.after(1.0, *call)
    clock.run()


def check(fabric: Fabric, streams: Sequence[Stream]) -> None:
    """Rates are the max-min ones, what streams remember of their bottlenecks is true, and no link overflows."""
    assert [s.rate for s in streams] == pytest.approx(max_min(streams, fabric.capacity), rel=1e-10, abs=1e-300)
    for s in streams:
        if s.held == LIMIT:
            assert s.rate == s.limit
        else:
            crossing = [other.rate for other in streams if s.held in other.links]
            assert fabric.load(s.held) == pytest.approx(fabric.capacity[s.held], rel=1e-9)
            assert s.rate >= max(crossing) * (1 - 1e-9)
    for link, room in enumerate(fabric.capacity):
        assert fabric.load(link) <= room * (1 + 1e-9)


@given(st.data())
def test_rates_after_any_history_are_those_of_a_fresh_solve(data: st.DataObject) -> None:
    links = data.draw(st.integers(1, 7))
    amounts = st.sampled_from([1.0, 2.0, 5.0, 8.0, 1e6])
    clock = Clock()
    fabric = Fabric(clock, data.draw(st.lists(amounts, min_size=links, max_size=links)))
    streams: list[Stream] = []
    for _ in range(data.draw(st.integers(1, 8))):
        calls = []
        for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5)):
            if step == "join":
                route = data.draw(st.lists(st.integers(0, links - 1), min_size=1, max_size=4, unique=True))
                usage = data.draw(st.lists(st.sampled_from([1.0, 1.0, 3.0]), min_size=len(route), max_size=len(route)))
                count, limit = data.draw(st.sampled_from([1.0, 2.0])), data.draw(st.sampled_from([math.inf, 0.5, 3.0]))
                streams.append(Stream(route, usage, count, limit))
                calls.append((fabric.join, streams[-1]))
            elif step in ("leave", "resize", "limit") and streams:
                chosen = data.draw(st.integers(0, len(streams) - 1))
                if step == "leave":
                    calls.append((fabric.leave, streams.pop(chosen)))
                else:
                    limit = data.draw(st.sampled_from([math.inf, 0.5, 3.0])) if step == "limit" else None
                    calls.append((fabric.resize, streams[chosen], data.draw(st.sampled_from([1.0, 2.0, 7.0])), limit))
            elif step in ("capacity", "dead"):
                room = 0.0 if step == "dead" else data.draw(amounts)
                calls.append((fabric.set_capacity, data.draw(st.integers(0, links - 1)), room))
        instant(clock, *calls)
        check(fabric, streams)


@pytest.mark.parametrize("seed", range(4))
def test_rates_stay_exact_in_a_crowd(seed: int) -> None:
    """A hundred streams come and go one at a time."""
    draw = stream(seed, "crowd")
    clock = Clock()
    fabric = Fabric(clock, draw.choice([1.0, 2.0, 4.0, 9.0], 40).tolist())
    streams: list[Stream] = []
    for step in range(250):
        if step < 100 or draw.random() < 0.5:
            route = draw.choice(40, int(draw.integers(2, 7)), replace=False).tolist()
            limit = float(draw.choice([math.inf, math.inf, 0.05, 1.0]))
            streams.append(Stream(route, count=float(draw.integers(1, 4)), limit=limit))
            instant(clock, (fabric.join, streams[-1]))
        else:
            instant(clock, (fabric.leave, streams.pop(int(draw.integers(len(streams))))))
        if step % 10 == 9:
            check(fabric, streams)


def test_a_change_far_away_moves_nobody_else() -> None:
    """On a chain of a thousand links a stream that leaves moves its neighbours, and they theirs; no one else."""
    clock = Clock()
    fabric = Fabric(clock, [10.0 + link % 7 for link in range(1000)])
    streams = [Stream((link, link + 1)) for link in range(999)]
    instant(clock, *((fabric.join, s) for s in streams))
    before = fabric.looked
    instant(clock, (fabric.leave, streams.pop(500)))
    check(fabric, streams)
    assert 0 < fabric.looked - before < 100


def test_links_that_are_large_enough_for_all_are_not_looked_at() -> None:
    """Two rings that share a large link and each fill a small one have nothing to do with each other."""
    clock = Clock()
    fabric = Fabric(clock, [100.0, 5.0, 5.0])
    first, second = Stream((0, 1), limit=50.0), Stream((0, 2), limit=50.0)
    instant(clock, (fabric.join, first))
    instant(clock, (fabric.join, second))
    before = fabric.looked
    instant(clock, (fabric.set_capacity, 2, 10.0))
    assert (first.rate, second.rate) == (5.0, 10.0)
    assert fabric.looked - before < 10
    # with less room, or one more stream, the same link binds both
    instant(clock, (fabric.set_capacity, 0, 8.0))
    assert (first.rate, second.rate) == (4.0, 4.0)
    instant(clock, (fabric.set_capacity, 0, 100.0), (fabric.join, Stream((0,), count=48.0, limit=2.0)))
    assert (first.rate, second.rate) == (2.0, 2.0)


def test_a_new_limit_moves_the_stream_and_what_it_leaves_or_takes() -> None:
    clock = Clock()
    fabric = Fabric(clock, [10.0])
    first, second = Stream((0,), limit=4.0), Stream((0,), limit=20.0)
    instant(clock, (fabric.join, first), (fabric.join, second))
    assert (first.rate, second.rate) == (4.0, 6.0)
    for limit, expected in ((1.0, (1.0, 9.0)), (5.5, (5.0, 5.0)), (4.5, (4.5, 5.5)), (math.inf, (5.0, 5.0))):
        instant(clock, (fabric.resize, first, 1.0, limit))
        check(fabric, [first, second])
        assert (first.rate, second.rate) == expected


def test_a_new_limit_on_a_wide_link_needs_no_one_else() -> None:
    clock = Clock()
    fabric = Fabric(clock, [100.0])
    only = Stream((0,), limit=4.0)
    instant(clock, (fabric.join, only))
    for limit in (2.0, 3.0):
        instant(clock, (fabric.resize, only, 2.0, limit))
        assert only.rate == limit


def test_joining_without_filling_a_link_needs_no_solve() -> None:
    clock = Clock()
    fabric = Fabric(clock, [10.0, 10.0])
    first, second = Stream((0,), limit=4.0), Stream((0, 1), limit=6.0)
    instant(clock, (fabric.join, first), (fabric.join, second))
    assert (first.rate, second.rate, fabric.solves, fabric.load(0)) == (4.0, 6.0, 0, 10.0)
    instant(clock, (fabric.leave, first))
    assert (second.rate, fabric.solves) == (6.0, 0)


def test_one_solve_for_all_that_happens_in_an_instant() -> None:
    clock = Clock()
    fabric = Fabric(clock, [10.0])
    streams = [Stream((0,)) for _ in range(5)]
    instant(clock, *((fabric.join, s) for s in streams), (fabric.set_capacity, 0, 20.0), (fabric.leave, streams[0]))
    assert ([s.rate for s in streams], fabric.solves) == ([0.0, 5.0, 5.0, 5.0, 5.0], 1)


def test_a_new_stream_hears_of_its_rate_even_when_that_is_nothing() -> None:
    """Who starts on a dead link must learn it: a rate of 0 is news to a stream that never had one."""
    clock, heard = Clock(), []
    fabric = Fabric(clock, [0.0, 1.0])
    dead, fed = (Stream((link,), changed=lambda link=link: heard.append(link)) for link in (0, 1))
    instant(clock, (fabric.join, dead), (fabric.join, fed))
    assert sorted(heard) == [0, 1]
    assert (dead.rate, fed.rate) == (0.0, 1.0)
    instant(clock, (fabric.set_capacity, 0, 3.0))
    assert (heard.count(0), heard.count(1), dead.rate) == (2, 1, 3.0)


def test_streams_hear_only_of_what_changes() -> None:
    clock, heard = Clock(), []
    fabric = Fabric(clock, [10.0, 4.0])
    slow = Stream((0, 1), changed=lambda: heard.append("slow"))
    fast = Stream((0,), changed=lambda: heard.append("fast"))
    instant(clock, (fabric.join, slow), (fabric.join, fast))
    assert (slow.rate, fast.rate) == (4.0, 6.0)
    heard.clear()
    instant(clock, (fabric.join, Stream((0,))))
    assert (slow.rate, fast.rate) == pytest.approx((10 / 3, 10 / 3))
    assert sorted(heard) == ["fast", "slow"]
    heard.clear()
    instant(clock, (fabric.set_capacity, 1, 5.0))
    assert heard == []


def test_alone_counts_flows_usage_and_limit() -> None:
    fabric = Fabric(Clock(), [10.0, 9.0])
    assert fabric.alone(Stream((0, 1), (1.0, 3.0), count=2.0)) == 1.5
    assert fabric.alone(Stream((0,), limit=4.0)) == 4.0
    assert fabric.alone(Stream(())) == math.inf


def test_a_stream_without_links_runs_at_its_limit() -> None:
    clock = Clock()
    fabric = Fabric(clock, [])
    free = Stream((), limit=5.0)
    instant(clock, (fabric.join, free))
    assert free.rate == 5.0


def test_equal_routes_share_one_stream_and_end_in_order() -> None:
    clock, done = Clock(), []
    fabric = Fabric(clock, [10.0])
    transfers = Transfers(fabric, Crowd(clock, fabric))
    for name, size, at in (("a", 30.0, 0.0), ("b", 10.0, 0.0), ("c", 10.0, 0.0), ("d", 5.0, 2.0)):
        clock.at(at, lambda n=name, s=size: transfers.begin(Message(ONE, s, lambda: done.append((n, clock.now)))))
    clock.run()
    # three share until d comes at 2 s with 6.67 of each sent; four share until b, c end, and so on
    assert [name for name, _ in done] == ["b", "c", "d", "a"]
    assert dict(done) == pytest.approx({"b": 2 + 4 / 3, "c": 2 + 4 / 3, "d": 2 + 4 / 3 + 1 / 3, "a": 5.5}, rel=1e-12)


@settings(max_examples=50)
@given(st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=30))
def test_one_link_serves_its_bytes_at_full_rate(sizes: list[float]) -> None:
    """Work is conserved: all transfers of one link that start together end when the link has carried all bytes."""
    clock, done = Clock(), []
    fabric = Fabric(clock, [1e3])
    transfers = Transfers(fabric, Crowd(clock, fabric))
    for size in sizes:
        clock.at(0.0, lambda s=size: transfers.begin(Message(ONE, s, lambda: done.append(clock.now))))
    clock.run()
    assert len(done) == len(sizes)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(math.fsum(sizes) / 1e3, rel=1e-12)


def test_tiny_remainders_do_not_stop_the_clock() -> None:
    """Sizes that differ in the last bit, on links that differ by twelve orders: every transfer ends, once."""
    clock, done = Clock(), []
    fabric = Fabric(clock, [1e12, 1.0])
    transfers = Transfers(fabric, Crowd(clock, fabric))
    for index in range(50):
        size = 1e9 * (1 + index * 2.0**-52)
        clock.at(
            0.1 * index,
            lambda s=size, w=ONE if index % 2 else BOTH: transfers.begin(Message(w, s, lambda: done.append(1))),
        )
    clock.run()
    assert len(done) == 50
