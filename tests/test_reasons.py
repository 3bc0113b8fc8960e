"""Why jobs wait: the account by reason, checked against an observer that looks at every job after every pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.policies.api import Action, ClusterView, Hold, Preempt, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import Job


def account(each: Job) -> dict[str, float]:
    """The reasons that took time."""
    return {name: seconds for name, seconds in each.waits._asdict().items() if seconds}


def test_too_few_accelerators_are_free() -> None:
    jobs = [job("a", 0.0, 10.0, 6.0), job("b", 2.0, 1.0, 4.0)]
    replay(jobs)
    assert [account(each) for each in jobs] == [{}, {"capacity": 8.0}]


def test_enough_are_free_but_others_go_first() -> None:
    jobs = [job("a", 0.0, 10.0, 6.0), job("head", 2.0, 1.0, 4.0), job("behind", 3.0, 1.0, 2.0)]
    replay(jobs)
    assert account(jobs[2]) == {"order": 7.0}


def test_the_reason_changes_with_what_is_free() -> None:
    jobs = [
        job("a", 0.0, 4.0, 4.0), job("b", 0.0, 10.0, 4.0), job("head", 1.0, 1.0, 6.0), job("behind", 1.5, 1.0, 3.0),
    ]  # fmt: skip
    replay(jobs)
    assert account(jobs[2]) == {"capacity": 9.0}
    assert account(jobs[3]) == {"capacity": 3.5, "order": 6.0}


def test_what_is_free_lies_scattered() -> None:
    jobs = [job("x", 0.0, 9.0, 3.0), job("y", 0.0, 9.0, 3.0), job("pod", 2.0, 1.0, 2.0, max_servers=1)]
    record = replay(jobs, topology=servers(2, 4))
    assert account(jobs[2]) == {"fragmentation": 7.0}
    assert record.facts["stranded"] == 2.0 * 7.0


def test_a_type_that_is_taken_is_fragmentation_too() -> None:
    from simulator.cluster.topology import Topology

    kinds = Topology.from_links([], {n: {"accelerators": 2, "accelerator": n} for n in "ab"})
    jobs = [job("x", 0.0, 5.0, 2.0, accelerator_types=("a",)), job("y", 1.0, 5.0, 2.0, accelerator_types=("a",))]
    replay(jobs, topology=kinds)
    assert account(jobs[1]) == {"fragmentation": 4.0}


class Holding:
    """Holds everything back with the reasons given for the times given, then starts it."""

    always = True
    wake = 0.0

    def __init__(self, reasons: dict[float, str], opens: float) -> None:
        self.reasons, self.opens = reasons, opens

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.wake = min(time for time in (*self.reasons, self.opens, 1e9) if time > view.now)
        for each in view.queue:
            if view.now >= self.opens:
                yield Start(each)
            elif view.now in self.reasons:
                yield Hold(each, self.reasons[view.now])


def test_what_the_policy_says_counts_from_when_it_says_it() -> None:
    one = job("one", 0.0, 1.0, 1.0)
    record = replay([one], Holding({0.0: "quota", 3.0: "quota", 5.0: "budget", 6.0: ""}, 8.0))
    assert account(one) == {"policy": 6.0, "order": 2.0}
    assert record.facts["holds"] == {"quota": 5.0, "budget": 1.0}


def test_a_hold_ends_with_the_stay_in_the_queue() -> None:
    class Once(Holding):
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            if view.now == 4.0:
                yield from (Preempt(each) for each in view.running)
            yield from super().schedule(view)

    one = job("one", 0.0, 3.0, 1.0)
    replay([one, job("z", 4.0, 0.0, 1.0)], Once({0.0: "quota"}, 2.0))
    assert account(one) == {"policy": 2.0}


def test_who_still_waits_at_the_end_has_an_account() -> None:
    jobs = [job("a", 0.0, 10.0, 6.0), job("b", 2.0, 1.0, 4.0), job("c", 3.0, 1.0, 1.0)]
    replay(jobs, until=5.0)
    assert [account(each) for each in jobs] == [{}, {"capacity": 3.0}, {"order": 2.0}]


def test_a_job_that_is_stopped_waits_for_reasons_of_its_own() -> None:
    class Swap:
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            if view.now == 2.0:
                yield from (Preempt(each) for each in view.running)
            for each in view.queue:
                if each.accelerators <= view.free:
                    yield Start(each)

    jobs = [job("a", 0.0, 4.0, 8.0), job("b", 2.0, 3.0, 5.0)]
    replay(jobs, Swap())
    assert account(jobs[0]) == {"capacity": 3.0}


class Observed:
    """A policy whose every pass is written down: what is free after it, who waits, and who is held."""

    always = True
    interval = 1.0

    def __init__(self, order: int) -> None:
        self.order = order
        self.spans: dict[str, dict[str, float]] = {}
        self.last: tuple[float, dict[str, str]] = (0.0, {})

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.note(view.now)
        said: dict[str, str] = {}
        for number, each in enumerate(sorted(view.queue, key=lambda each: (each.sequence * self.order) % 7)):
            if number % 3 == 2:
                said[each.id] = "policy"
                yield Hold(each, "third")
            elif each.accelerators <= view.free and number % 2 == 0:
                yield Hold(each, "")
                yield Start(each)
            else:
                yield Hold(each, "")
        free = view.free
        self.last = (
            view.now,
            {each.id: said.get(each.id, "capacity" if each.accelerators > free else "order") for each in view.queue},
        )

    def note(self, now: float) -> None:
        since, waiting = self.last
        for name, reason in waiting.items():
            spans = self.spans.setdefault(name, {})
            spans[reason] = spans.get(reason, 0.0) + now - since


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 9), st.sampled_from([0.0, 1.0, 2.0, 5.0])), max_size=14),
    st.integers(1, 6),
)
def test_the_account_is_what_an_observer_of_every_pass_writes_down(drawn: list[Any], order: int) -> None:
    jobs = [job(f"{i}", float(a), float(b), c) for i, (a, b, c) in enumerate(drawn)]
    observed = Observed(order)
    replay(jobs, observed, topology=6)
    for each in jobs:
        spans = {reason: seconds for reason, seconds in observed.spans.get(each.id, {}).items() if seconds}
        assert account(each) == pytest.approx(spans)
        assert sum(each.waits) == pytest.approx(each.waited)
