"""Schedulers of parts: what goes together, how parts are named and checked, and the hooks of parts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Start, schedulers
from simulator.policies.backfill import backfills
from simulator.policies.backfill.easy import Easy
from simulator.policies.composed import Composed, make_backfill, make_order
from simulator.policies.order import Keyed, Order
from simulator.policies.orders import orders
from simulator.policies.orders.las import Las
from simulator.testing import SchedulerContract, replay
from simulator.workload.jobs import BatchJob, Job


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def lives(jobs: list[BatchJob]) -> list[tuple[float, float, int]]:
    return [(each.start, each.end, each.preemptions) for each in jobs]


rows = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 12), st.integers(0, 5), st.integers(-3, 6), st.integers(0, 2)),
    min_size=1,
    max_size=15,
)


def drawn_jobs(drawn: list[tuple[int, ...]], accelerators: int) -> list[BatchJob]:
    return [
        job(f"{i}", float(a), float(b), float(min(c, accelerators)), estimate=float(max(0, b + off)), user=f"{u}",
            priority=float(u), deadline=float(a + 3 * b))
        for i, (a, b, c, off, u) in enumerate(drawn)
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 5), st.data())
def test_any_order_goes_with_any_backfilling(drawn: list[tuple[int, ...]], accelerators: int, data: Any) -> None:
    """All jobs run, nothing illegal is asked for, and the same comes out again."""
    parts = data.draw(st.sampled_from(orders.names())), data.draw(st.sampled_from(backfills.names()))
    preempt = data.draw(st.booleans())
    policy = Composed(*parts, preempt=preempt)
    jobs, again = drawn_jobs(drawn, accelerators), drawn_jobs(drawn, accelerators)
    replay(jobs, policy, topology=accelerators, restart=2.0)
    replay(again, policy, topology=accelerators, restart=2.0)
    assert not [each.id for each in jobs if not each.end >= each.start]
    assert lives(jobs) == lives(again)
    assert preempt or not any(each.preemptions for each in jobs)


@settings(max_examples=100, deadline=None)
@given(rows, st.integers(1, 5), st.sampled_from(["fifo", "sjf", "srtf", "las", "easy-backfill"]))
def test_named_schedulers_are_compositions(drawn: list[tuple[int, ...]], accelerators: int, name: str) -> None:
    parts: dict[str, Any] = {
        "fifo": {},
        "sjf": {"order": "sjf"},
        "srtf": {"order": "srtf", "backfill": "fill", "preempt": True},
        "las": {"order": {"kind": "las", "quantum": "5 s"}, "backfill": "fill", "preempt": True},
        "easy-backfill": {"backfill": {"kind": "easy", "depth": 3}},
    }
    options: dict[str, Any] = {"las": {"quantum": 5.0}, "easy-backfill": {"depth": 3}}
    jobs, again = drawn_jobs(drawn, accelerators), drawn_jobs(drawn, accelerators)
    replay(jobs, schedulers.get(name)(**options.get(name, {})), topology=accelerators)
    replay(again, Composed(**parts[name]), topology=accelerators)
    assert lives(jobs) == lives(again)


@pytest.mark.parametrize("order", ["fair-share", "tiresias", "gittins", "multifactor", "wfq", "qssf", "random"])
class TestOrdersWithMemory(SchedulerContract):
    """Those that keep something, with backfilling that does too."""

    @pytest.fixture(autouse=True)
    def named(self, order: str) -> None:
        self.order = order

    def make(self) -> Any:
        return Composed(self.order, "conservative", preempt=True)


def test_parts_may_be_ones_own() -> None:
    def last_first(each: Job) -> float:
        return -each.submit

    def only_singles(view: ClusterView, waiting: Iterator[Job]) -> Iterator[Action]:
        for each in waiting:
            if each.accelerators <= view.free and (each.accelerators == 1 or view.free == 4):
                yield Start(each)

    jobs = [job("runs", 0.0, 10.0, 3.0), job("two", 1.0, 5.0, 2.0), job("one", 2.0, 3.0, 1.0), job("late", 3.0, 3.0)]
    policy = Composed(last_first, only_singles)
    replay([job("all", 0.0, 1.0, 0.0), *jobs], policy, topology=4)
    assert policy.name == "last_first + only_singles"
    assert [each.start for each in jobs] == [0.0, 10.0, 2.0, 5.0]
    assert isinstance(make_order(last_first), Keyed)


def test_a_key_of_ones_own_stops_jobs_too() -> None:
    jobs = [job("low", 0.0, 10.0, 4.0), job("high", 2.0, 3.0, 4.0, priority=5.0)]
    replay(jobs, Composed(lambda each: -each.priority, preempt=True), topology=4)
    assert lives(jobs) == [(0.0, 13.0, 1), (2.0, 5.0, 0)]


def test_without_passing_the_head_stops_others_only_if_it_fits() -> None:
    """Two low ones run; the head wants all but one that may not be stopped, so nobody behind it moves either."""

    def jobs() -> list[BatchJob]:
        return [
            job("fixed", 0.0, 50.0, 1.0, priority=9.0),
            job("low", 0.0, 50.0, 3.0),
            job("head", 1.0, 5.0, 4.0, priority=8.0),
            job("next", 2.0, 5.0, 2.0, priority=7.0),
        ]

    strict, greedy, reserved = jobs(), jobs(), jobs()
    replay(strict, Composed("priority", "none", preempt=True), topology=4)
    replay(greedy, Composed("priority", "fill", preempt=True), topology=4)
    replay(reserved, Composed("priority", "easy", preempt=True), topology=4)
    assert [each.start for each in strict[2:]] == [50.0, 55.0]
    assert [each.start for each in greedy[2:]] == [50.0, 2.0]
    assert [each.start for each in reserved[2:]] == [50.0, 55.0]


def test_names_tell_the_parts() -> None:
    assert Composed().name == "fifo"
    assert Composed("sjf", "easy").name == "sjf + easy"
    assert Composed("las", "fill", preempt=True).name == "las + fill (preemptive)"
    assert Composed("las", name="mine").name == "mine"


def test_parts_with_parameters() -> None:
    order = make_order({"kind": "las", "quantum": "10 min"})
    assert isinstance(order, Las)
    assert order.quantum == 600.0
    assert Composed({"kind": "las", "quantum": 60.0}).interval == 60.0
    assert make_backfill({"kind": "easy", "depth": 7}).depth == 7  # type: ignore[attr-defined]
    assert make_order({"kind": Las, "quantum": "1 min"}).quantum == 60.0  # type: ignore[attr-defined]
    assert make_order(order) is order
    assert make_order({"kind": order}) is order
    assert isinstance(make_backfill(Easy), Easy)


@pytest.mark.parametrize(
    ("make", "value", "text"),
    [
        (make_order, "fiffo", r"^unknown order 'fiffo'\. Did you mean 'fifo'\? Known: "),
        (make_backfill, "eesy", r"^unknown backfill 'eesy'\. Did you mean 'easy'\? Known: conservative, easy, fill"),
        (make_order, {"quantum": 5}, r"^order: 'kind' is missing\. Known: edf, "),
        (
            make_order,
            {"kind": "las", "quantm": "5 s"},
            r"^order 'las' has no option 'quantm'\. Did you mean 'quantum'\?",
        ),
        (make_order, {"kind": "las", "quantum": "5 GiB"}, r"^order 'las', quantum: '5 GiB' has unknown unit 'GiB'"),
        (make_order, {"kind": "las", "quantum": 0.0}, r"^order 'las': quantum is 0 s; it must be a finite number"),
        (make_order, {"kind": "fifo", "self": 1}, r"^order 'fifo' has no option 'self'"),
        (make_order, {"kind": len, "x": 1}, r"^order: <built-in function len> is made already and takes no 'x'$"),
        (make_order, 5, r"^order: 5 is none; give a name \(edf, .*\), a mapping .*, or a function \(job\) -> value$"),
        (make_backfill, None, r"^backfill: None is none; .* with fill, or a function \(view, waiting\) -> actions$"),
    ],
)
def test_what_is_no_part(make: Any, value: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make(value)


def test_an_order_that_wants_arguments() -> None:
    class Demanding(Order):
        def __init__(self, level: int) -> None: ...

    with pytest.raises(InputError, match=r"^order 'Demanding' needs 'level'$"):
        make_order(Demanding)


def test_an_order_that_cannot_preempt_says_so() -> None:
    class Mute(Order):
        name = "mute"

        def waiting(self, view: ClusterView) -> Iterator[Job]:
            return iter(view.queue)

    def jobs() -> list[BatchJob]:
        return [job("a", 0.0, 5.0, 4.0), job("b", 1.0, 5.0, 4.0)]

    with pytest.raises(InputError, match=r"^order 'mute' does not say how jobs that run compare with those that wait"):
        replay(jobs(), Composed(Mute(), preempt=True), topology=4)
    passed = jobs()
    replay(passed, Composed(Mute(), "easy"), topology=4)
    assert [each.start for each in passed] == [0.0, 5.0]


def test_hooks_reach_all_parts_and_none_is_there_that_nobody_has() -> None:
    plain = Composed()
    assert not any(hasattr(plain, name) for name in ("on_submit", "on_finish", "on_tick", "reset", "wake"))
    assert plain.interval == 0.0
    assert not plain.always
    assert plain.notes() == []

    heard: list[str] = []

    class Part(Keyed):
        interval, wake, always = 30.0, 99.0, True

        def __init__(self) -> None:
            super().__init__(lambda each: each.sequence, "part")

        def on_submit(self, each: Job) -> None:
            heard.append(f"order {each.id}")

        def notes(self) -> list[str]:
            return ["a remark"]

    class Filling(Easy):
        def on_submit(self, each: Job) -> None:
            heard.append(f"backfill {each.id}")

    both = Composed(Part(), Filling())
    assert (both.interval, both.wake, both.always, both.notes()) == (30.0, 99.0, True, ["a remark"])
    both.on_submit(job("x", 0.0, 1.0))  # type: ignore[attr-defined]
    assert heard == ["order x", "backfill x"]


@pytest.mark.parametrize("order", ["fair-share", "tiresias", "gittins", "random"])
def test_copies_and_pickles_do_the_same(order: str) -> None:
    policy = Composed(order, "conservative", preempt=order != "random")

    def run(each: Any) -> list[tuple[float, float, int]]:
        jobs = [job(f"{i}", 3.0 * i, 20.0 + i % 7, 1.0 + i % 4, user=f"{i % 3}") for i in range(30)]
        replay(jobs, each, topology=4)
        return lives(jobs)

    first = run(policy)
    assert run(copy.deepcopy(policy)) == run(pickle.loads(pickle.dumps(policy))) == first
