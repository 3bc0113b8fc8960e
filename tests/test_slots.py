"""Which accelerators of a server a job holds: the lowest that are free, each its own where it has links of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.core.errors import InputError
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob, Placement

RAILS = builders.get("rail-optimised")(nodes=2, node="dgx-h100")
TRUNK = builders.get("single-switch")(nodes=2, node="dgx-h100")


def job(*placement: tuple[int, float]) -> BatchJob:
    made = BatchJob(id="j", submit=0.0, accelerators=sum(taken for _, taken in placement), duration=1.0)
    made.placement = tuple(placement)
    return made


def devices(slots: Slots, each: BatchJob) -> list[tuple[int, int]]:
    return list(slots.members(each))


def test_two_halves_of_a_server_have_different_cards() -> None:
    slots = Slots(RAILS)
    first, second = job((0, 4.0)), job((0, 4.0))
    slots.take(first)
    slots.take(second)
    assert devices(slots, first) == [(0, number) for number in range(4)]
    assert devices(slots, second) == [(0, number) for number in range(4, 8)]
    ends = [{RAILS.endpoint(*member) for member in slots.members(each)} for each in (first, second)]
    assert ends[0].isdisjoint(ends[1])


def test_what_is_given_back_is_taken_first_and_lowest_first() -> None:
    slots = Slots(RAILS)
    jobs = [job((0, 2.0)) for _ in range(4)]
    for each in jobs:
        slots.take(each)
    slots.give(jobs[2])
    slots.give(jobs[0])
    late = job((0, 3.0))
    slots.take(late)
    assert devices(slots, late) == [(0, 0), (0, 1), (0, 4)]


def test_servers_come_in_their_order() -> None:
    slots = Slots(RAILS)
    both = job((1, 2.0), (0, 1.0))
    slots.take(both)
    assert devices(slots, both) == [(0, 0), (1, 0), (1, 1)]


def test_on_a_trunk_every_job_counts_from_zero() -> None:
    """All cards of such a server are one link, so numbers tell nothing apart."""
    slots = Slots(TRUNK)
    first, second = job((0, 4.0)), job((0, 4.0))
    slots.take(first)
    slots.take(second)
    assert devices(slots, first) == devices(slots, second) == [(0, number) for number in range(4)]


def test_a_part_of_an_accelerator_has_no_number() -> None:
    slots = Slots(RAILS)
    part = job((0, 0.5))
    slots.take(part)
    assert slots.members(part) == ()
    slots.give(part)
    slots.give(part)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), max_size=40))
def test_nobody_shares_a_number(steps: list[tuple[int, int]]) -> None:
    slots, held, used = Slots(RAILS), [], [0, 0]
    for server, count in steps:
        if used[server] + count <= 8:
            taken = job((server, float(count)))
            slots.take(taken)
            held.append(taken)
            used[server] += count
        elif held:
            gone = held.pop(count % len(held))
            slots.give(gone)
            used[gone.placement[0][0]] -= int(gone.accelerators)
        members = [member for each in held for member in slots.members(each)]
        assert len(set(members)) == len(members) == sum(used)
        assert all(0 <= device < 8 for _, device in members)


def test_too_many_ranks_are_refused_before_they_are_counted() -> None:
    placement: Placement = ((0, 1e9),)
    with pytest.raises(InputError, match="1,000,000,000 ranks are too many: at most 1,000,000 can communicate"):
        Slots(TRUNK).members(job(*placement))
