"""What every way of backfilling must do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from simulator.cluster.topology import Topology
from simulator.policies.api import Action, ClusterView, Hold, Start
from simulator.policies.backfill import Backfill
from simulator.policies.composed import Composed, make_backfill
from simulator.testing.running import run, run_all, told
from simulator.testing.situations import burdened, choosy, crowd, job, kinds, servers
from simulator.workload.jobs import BatchJob, State

_ORDERS = ("fifo", "sjf")


def check_backfill(backfill: Any) -> None:
    """Put a way of backfilling through everything that ``BackfillContract`` promises.

    ``backfill`` is a name, an object, a class, or a function ``(view, waiting) -> actions``.

    >>> check_backfill("easy")
    """

    class Given(BackfillContract):
        def make(self) -> Any:
            return backfill

    run_all(Given())


class BackfillContract:
    """What every way of backfilling must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the backfill: a name, an object, a class, or a function ``(view, waiting) -> actions``."""
        raise NotImplementedError("return your backfill from make()")

    def test_says_whether_it_is_greedy(self) -> None:
        """``greedy`` is True where any job that fits may pass, ``name`` is what tables show."""
        found = _fresh(self.make())
        assert isinstance(found.greedy, bool), f"greedy is {found.greedy!r}; it must be True or False"
        told = isinstance(found.name, str) and bool(found.name)
        assert told, f"name is {found.name!r}; it must be a text"

    def test_only_starts_or_holds(self) -> None:
        """Who is stopped is the affair of preemption."""
        for name in _ORDERS:
            self._play(crowd(40, largest=6), name, 8)

    def test_starts_the_head_that_fits(self) -> None:
        """Whoever came first starts as soon as there is a place."""
        for topology in (8, servers(3, 4)):
            self._play(crowd(40, largest=6, seed=2), "fifo", topology, _head_waits_in_vain)

    def test_finishes_every_job(self) -> None:
        """With estimates that miss, on several kinds of servers, with limits and dependencies, all come to an end."""
        for jobs, topology in ((_misjudged(30), 8), (choosy(30), kinds()), (burdened(30), 8)):
            self._play(jobs, "fifo", topology)
            over = (State.COMPLETED, State.TIMEOUT, State.REJECTED)
            left = [each.id for each in jobs if each.state not in over]
            assert not left, f"jobs {left[:3]} of {len(left)} never started, though the cluster was free in the end"

    def test_does_not_starve_the_head(self) -> None:
        """A job of the whole cluster does not wait for an endless stream of small ones, unless it says it is greedy."""
        if _fresh(self.make()).greedy:
            return
        stream = [job(f"small-{i}", 5.0 * i, 9.0, 1.0) for i in range(200)]
        wide = job("wide", 12.0, 10.0, 4.0)
        self._play([*stream, wide], "fifo", 4)
        assert wide.waited <= 60, (
            f"a job of all 4 accelerators waited {wide.waited:g} s for small ones that came after it, though "
            "what ran when it came was over after 9 s. Most likely nothing is kept free for the head; if that is "
            "meant, say greedy = True"
        )

    def test_gives_the_same_result_again(self) -> None:
        """An object that has seen another run does as a fresh one, also under other names."""
        used = _fresh(self.make())
        told(lambda: run(crowd(20, largest=3, seed=9), Composed("fifo", used), servers(3, 4), until=200.0))
        ends = []
        for each, shuffled in ((_fresh(self.make()), False), (_fresh(self.make()), True), (used, False)):
            jobs = crowd(40, largest=6, shuffled=shuffled)
            told(lambda jobs=jobs, each=each: run(jobs, Composed("fifo", each), 8))  # type: ignore[misc]
            ends.append([each.end for each in jobs])
        assert ends[0] == ends[1], "the result changes with the names of the jobs: let ties go by job.sequence"
        assert ends[0] == ends[2], "it does not do the same after another run. Forget that one in reset(rng)"

    def _play(
        self,
        jobs: list[BatchJob],
        order: str,
        topology: Topology | int,
        after: Callable[[ClusterView, Composed], None] | None = None,
    ) -> None:
        watched = _Watched(order, _fresh(self.make()), after)
        told(lambda: run(jobs, watched, topology))


class _Watched(Composed):
    """A scheduler whose actions, and what they leave behind, are looked at."""

    def __init__(self, order: str, backfill: Backfill, after: Callable[[ClusterView, Composed], None] | None) -> None:
        super().__init__(order, backfill)
        self._see = after

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Let it act, and look."""
        return self._looked_at(view)

    def _looked_at(self, view: ClusterView) -> Iterator[Action]:
        for action in super().schedule(view):
            name = type(action).__name__
            assert isinstance(action, Start | Hold), f"fill yields {name}; it may yield Start and Hold"
            yield action
        if self._see is not None:
            self._see(view, self)


def _head_waits_in_vain(view: ClusterView, scheduler: Composed) -> None:
    head = next(scheduler.order.waiting(view), None)
    assert head is None or view.place(head) is None, (
        f"{head.id!r} is first in the order and has a place at {view.now:g} s, but was left waiting. Most likely the "
        "loop ends before the head, or a reservation is held against the very job that it is for"
    )


def _misjudged(count: int) -> list[BatchJob]:
    """Jobs whose estimates are too long or too short by much."""
    jobs = crowd(count, largest=6, seed=6)
    for number, each in enumerate(jobs):
        each.estimate = each.duration * (0.1, 1.0, 20.0)[number % 3]
    return jobs


def _fresh(backfill: Any) -> Backfill:
    made = isinstance(backfill, str | type) or not hasattr(backfill, "fill")
    return make_backfill(backfill if made else copy.deepcopy(backfill))
