"""What every order of the queue must do."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Preempt
from simulator.policies.composed import Composed, make_order
from simulator.policies.order import Order
from simulator.testing.running import run, run_all, told
from simulator.testing.situations import burdened, crowd, servers
from simulator.workload.jobs import BatchJob, Job

Look = Callable[[ClusterView, Order], None]


def check_order(order: Any) -> None:
    """Put an order of the queue through everything that ``OrderContract`` promises.

    ``order`` is a name, an object, a class, or a key ``(job) -> value``.

    >>> check_order("sjf")
    """

    class Given(OrderContract):
        def make(self) -> Any:
            return order

    run_all(Given())


class OrderContract:
    """What every order of the queue must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the order: a name, an object, a class, or a key ``(job) -> value``."""
        raise NotImplementedError("return your order from make()")

    def test_shows_every_waiting_job_once(self) -> None:
        """``waiting`` is the whole queue, and the same when it is asked again."""
        self._watch(_whole)

    def test_fits_what_the_limit_lets_through(self) -> None:
        """``fitting`` is ``waiting`` behind a job, less those whose size or length the limit leaves out."""
        self._watch(_fitting)

    def test_ranks_as_it_orders(self) -> None:
        """``rank``, where there is one, compares any two jobs, and agrees with ``waiting`` and ``worst``."""
        self._watch(_ranked)

    def test_carries_whole_runs(self) -> None:
        """Strictly or with preemption, every job has its turn."""
        for preempt in (False, True):
            if preempt and not self._ranks():
                return
            jobs = crowd(30, largest=4)
            told(lambda jobs=jobs, preempt=preempt: run(jobs, Composed(_fresh(self.make()), preempt=preempt), 8))  # type: ignore[misc]
            left = [each.id for each in jobs if math.isnan(each.end)]
            assert not left, f"jobs {left[:3]} of {len(left)} never had their turn ({preempt=})"

    def test_gives_the_same_result_again(self) -> None:
        """Two runs are equal, also under other names, and on an object that has seen another run."""
        used = _fresh(self.make())
        told(lambda: run(crowd(20, largest=3, seed=9), Composed(used), servers(3, 4), until=200.0))
        ends = []
        for order, shuffled in ((_fresh(self.make()), False), (_fresh(self.make()), True), (used, False)):
            jobs = crowd(40, largest=6, shuffled=shuffled)
            told(lambda jobs=jobs, order=order: run(jobs, Composed(order), 8, seed=3))  # type: ignore[misc]
            ends.append([each.end for each in jobs])
        assert ends[0] == ends[1], "the result changes with the names of the jobs: let ties go by job.sequence"
        assert ends[0] == ends[2], (
            "it does not do the same after another run. Most likely it keeps what it learned there: forget it in "
            "reset(rng)"
        )

    def _watch(self, look: Look) -> None:
        for jobs in (crowd(30, largest=6), burdened(30)):
            watched = _Watched(_fresh(self.make()), look)
            told(lambda jobs=jobs, watched=watched: run(jobs, watched, servers(2, 4)))  # type: ignore[misc]

    def _ranks(self) -> bool:
        ranks: list[bool] = []

        def look(view: ClusterView, order: Order) -> None:
            ranks.append(_rank(view, order) is not None)

        told(lambda: run([_single()], _Watched(_fresh(self.make()), look), 8))
        return all(ranks)


class _Watched(Composed):
    """Greedy scheduling by an order, which is looked at before every pass; every job is stopped once."""

    def __init__(self, order: Order, look: Look) -> None:
        super().__init__(order, "fill")
        self._seen_by = look

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Look at the order, and go on."""
        self._seen_by(view, self.order)
        return self._stopping(view)

    def _stopping(self, view: ClusterView) -> Iterator[Action]:
        first = next((each for each in view.running if each.preemptible and not each.preemptions), None)
        if first is not None and len(view.queue) > 1:
            yield Preempt(first)
        yield from super().schedule(view)


def _fresh(order: Any) -> Order:
    return make_order(order if isinstance(order, str | type) or not hasattr(order, "waiting") else copy.deepcopy(order))


def _single() -> BatchJob:
    return crowd(1, largest=1)[0]


def _names(jobs: Iterable[Job]) -> list[str]:
    return [each.id for each in jobs]


def _whole(view: ClusterView, order: Order) -> None:
    found, there = list(order.waiting(view)), list(view.queue)
    assert sorted(_names(found)) == sorted(_names(there)), (
        f"waiting shows {_names(found)}, in the queue are {_names(there)}. Most likely it keeps a list of its own that "
        "misses jobs which were stopped and came back"
    )
    assert _names(found) == _names(order.waiting(view)), "waiting shows another order when it is asked again at once"


def _fitting(view: ClusterView, order: Order) -> None:
    def limit(size: float) -> float:
        return 60.0 if size <= 2 else -math.inf

    def length(each: Job) -> float:
        return each.estimate

    waiting = list(order.waiting(view))
    for after in (None, *waiting[:2]):
        behind = waiting if after is None else waiting[waiting.index(after) + 1 :]
        for given in (None, length):
            wanted = [each for each in behind if each.accelerators <= 2 and (given is None or given(each) <= 60.0)]
            found = order.fitting(view, limit, after, given)
            assert (names := _names(found)) == _names(wanted), (
                f"fitting behind {after.id if after else None!r} shows {names}, of waiting would be {_names(wanted)}"
            )


def _rank(view: ClusterView, order: Order) -> Callable[[Job], Any] | None:
    try:
        return order.rank(view)
    except InputError:
        return None


def _ranked(view: ClusterView, order: Order) -> None:
    rank = _rank(view, order)
    if rank is None:
        return
    waiting, worst = list(order.waiting(view)), list(order.worst(view))
    assert sorted(_names(worst)) == sorted(_names(view.running)), (
        f"worst shows {_names(worst)}, running are {_names(view.running)}"
    )
    sorted([*waiting, *worst], key=rank)  # any two can be compared
    for jobs, what in ((waiting, "waiting"), (worst[::-1], "worst, backwards,")):
        for one, other in pairwise(jobs):
            assert not rank(other) < rank(one), (
                f"{what} shows {one.id!r} before {other.id!r}, which ranks {rank(other)!r} before {rank(one)!r}"
            )
