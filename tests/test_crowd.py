"""Duties on a fabric: exact where theory is, the fabric itself where everybody is always on."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.clock import Clock
from simulator.models.contention import mean, shares
from simulator.runtime.crowd import Crowd, PhasedStream
from simulator.runtime.fabric import Fabric, Stream


class Network:
    """Links under a crowd; ``settle`` lets all that was asked for at this instant happen."""

    def __init__(self, *capacity: float) -> None:
        self.clock = Clock()
        self.fabric = Fabric(self.clock, capacity)
        self.crowd = Crowd(self.clock, self.fabric)

    def join(
        self, links: tuple[int, ...], duty: float | None, limit: float = math.inf, usage: tuple[float, ...] = ()
    ) -> PhasedStream:
        return self.crowd.join(Stream(links, usage, 1.0, limit), duty)

    def settle(self) -> None:
        self.clock.run()


def test_alone_the_duty_does_not_matter() -> None:
    for duty in (0.01, 0.5, 1.0):
        network = Network(10.0, 4.0)
        member = network.join((0, 1), duty, usage=(1.0, 2.0))
        network.settle()
        assert member.pace == pytest.approx(2.0)


@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5))
def test_on_one_link_each_gets_its_fair_part_while_it_is_on(duties: list[float]) -> None:
    network = Network(10.0)
    members = [network.join((0,), duty) for duty in duties]
    network.settle()
    for member, parts in zip(members, shares([(duty, 1.0) for duty in duties]), strict=True):
        assert member.pace == pytest.approx(10.0 * mean(parts), rel=1e-9)


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 3), min_size=1).map(sorted).map(tuple), st.sampled_from([2.0, 5.0, math.inf])),
        min_size=1,
        max_size=6,
    )
)
def test_with_everybody_always_on_it_is_the_fabric(drawn: list[tuple[tuple[int, ...], float]]) -> None:
    capacity = (10.0, 7.0, 3.0, 12.0)
    network, plain_clock = Network(*capacity), Clock()
    plain = Fabric(plain_clock, capacity)
    members = [network.join(links, 1.0, limit) for links, limit in drawn]
    streams = [Stream(links, (), 1.0, limit) for links, limit in drawn]
    for stream in streams:
        plain.join(stream)
    network.settle()
    plain_clock.run()
    assert [member.pace for member in members] == pytest.approx([stream.rate for stream in streams], rel=1e-12)


def test_those_who_all_fit_do_not_meet() -> None:
    network = Network(10.0)
    members = [network.join((0,), 0.5, limit) for limit in (4.0, 6.0)]
    network.settle()
    assert [member.pace for member in members] == [4.0, 6.0]
    assert network.fabric.capacity[0] == 10.0


def test_whoever_leaves_gives_the_link_back() -> None:
    network = Network(10.0)
    first, second = network.join((0,), 0.5), network.join((0,), 0.5)
    network.settle()
    assert first.pace == pytest.approx(7.5)
    network.crowd.leave(second)
    network.settle()
    assert first.pace == pytest.approx(10.0)
    assert network.fabric.capacity[0] == 10.0


def test_a_changed_duty_changes_what_the_other_gets() -> None:
    network = Network(10.0)
    first, second = network.join((0,), 0.5), network.join((0,), 0.5)
    network.settle()
    network.crowd.set_duty(second, 0.2)
    network.settle()
    assert (first.pace, second.pace) == pytest.approx((9.0, 7.5))
    network.crowd.set_duty(second, 0.2 + 1e-9)  # no change worth a solve
    assert second.duty == 0.2


def test_capacity_that_changes_under_a_crowd() -> None:
    network = Network(10.0)
    members = [network.join((0,), 0.5) for _ in range(2)]
    network.settle()
    network.crowd.set_capacity(0, 4.0)
    network.settle()
    assert [member.pace for member in members] == pytest.approx([3.0, 3.0])
    network.crowd.set_capacity(0, 0.0)
    network.settle()
    assert [member.pace for member in members] == [0.0, 0.0]
    network.crowd.set_capacity(0, 10.0)
    network.settle()
    assert [member.pace for member in members] == pytest.approx([7.5, 7.5])


def test_more_flows_get_more() -> None:
    """A bundle of three flows that are always on, and a stream that is on half of the time: 1/4 of the link each."""
    network = Network(12.0)
    bundle, other = network.join((0,), None), network.join((0,), 0.5)
    network.crowd.resize(bundle, 3.0)
    network.settle()
    assert other.pace == pytest.approx(3.0)
    assert bundle.pace == pytest.approx((12.0 - 0.5 * 3.0) / 3)


def test_a_transfer_that_is_always_there_keeps_its_own_unit() -> None:
    """A stream that is on half of the time gets half of the link then; the transfer all of it in between."""
    network = Network(12.0)
    transfer, job = network.join((0,), None), network.join((0,), 0.5)
    network.settle()
    assert (transfer.stream.rate, job.pace) == pytest.approx((9.0, 6.0))
    assert network.fabric.load(0) == pytest.approx(12.0)
    network.crowd.leave(job)
    network.settle()
    assert transfer.stream.rate == pytest.approx(12.0)


def test_a_stream_held_elsewhere_leaves_the_rest_to_the_others() -> None:
    network = Network(10.0, 2.0)
    held, free = network.join((0, 1), 1.0), network.join((0,), None)
    network.settle()
    assert (held.pace, free.pace) == pytest.approx((2.0, 8.0))
