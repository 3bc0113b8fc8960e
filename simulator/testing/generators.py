"""What every generator of workloads must do."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.runtime.checks import fault
from simulator.testing.running import run_all
from simulator.workload.generate import generators
from simulator.workload.options import checked_options
from simulator.workload.sampling import Draws
from simulator.workload.trace import Columns, Trace

_JOBS = 60
_MANY = 400


def check_generator(generator: Any, steady: tuple[str, ...] = ("duration", "accelerators"), **options: Any) -> None:
    """Put a generator (a name or a function) through everything that ``GeneratorContract`` promises.

    ``steady`` are columns that are the same however many jobs are drawn; ``options`` are given at each call, beside
    ``accelerators`` and ``load``.

    >>> check_generator("poisson")
    """

    class Given(GeneratorContract):
        def make(self) -> Any:
            return generator

    given = Given()
    given.steady, given.options = steady, options
    run_all(given)


class GeneratorContract:
    """What every generator must do; subclass it, and say in ``make`` which one."""

    options: dict[str, Any] = {}  # noqa: RUF012  # read, never changed
    """Given at each call, beside ``accelerators`` and ``load``."""
    steady: tuple[str, ...] = ("duration", "accelerators")
    """Columns that are the same however many jobs are drawn, and at any load; none where classes are interleaved."""

    def make(self) -> Any:
        """Return the generator: a name or a function ``(draws, jobs, accelerators, load, ...) -> Trace``."""
        raise NotImplementedError("return your generator from make()")

    def test_makes_jobs_that_make_sense(self) -> None:
        """As many as asked for, in order of submission, none that the engine would refuse, no name twice."""
        trace = self._drawn(_JOBS)
        assert len(trace) == _JOBS, f"{len(trace)} jobs, {_JOBS} were asked for"
        jobs = list(trace.jobs("w"))
        for each in jobs:
            each.estimate = each.duration if each.estimate < 0 else each.estimate
            wrong = fault(each)
            assert not wrong, f"job {each.id!r}: {wrong}"
        names = [each.id for each in jobs]
        assert len({*names}) == len(names), "two jobs have one name"

    def test_draws_the_same_again(self) -> None:
        """A seed gives the same bytes each time, another seed or replication others."""
        first = self._drawn(_JOBS)
        assert _same(first.columns, self._drawn(_JOBS).columns), (
            "the same seed gives another workload. Most likely random numbers come from elsewhere than the draws that "
            "the generator is given"
        )
        for other in (self._drawn(_JOBS, seed=2), self._drawn(_JOBS, replication=1)):
            assert not _same(first.columns, other.columns), "another seed or replication gives the same workload"

    def test_a_longer_draw_begins_with_the_shorter_one(self) -> None:
        """More jobs are the same jobs, and then more."""
        short, long = self._drawn(_JOBS), self._drawn(_JOBS + 40)
        for name in self.steady:
            assert np.array_equal(short.columns[name], long.columns[name][:_JOBS]), (
                f"{name} of a longer workload begins otherwise than of a shorter one. Most likely several properties "
                "of a job are drawn from one stream: take one for each, by name"
            )

    def test_load_sets_how_often_jobs_come(self) -> None:
        """At twice the load the same jobs come twice as often."""
        once, twice = self._drawn(_MANY, load=0.4), self._drawn(_MANY, load=0.8)
        for name in self.steady:
            assert np.array_equal(once.columns[name], twice.columns[name]), f"{name} changes with the load"
        ratio = once.span / twice.span
        assert 1.4 < ratio < 2.8, f"at twice the load jobs come {ratio:.2f} times as often, not twice"

    def test_refuses_what_makes_no_sense(self) -> None:
        """A load of nothing, and options that it does not know, are the user's mistakes, and told as such."""
        mistakes: tuple[dict[str, Any], ...] = ({"load": -1.0}, {"lod": 0.5})
        for wrong in mistakes:
            try:
                self._drawn(_JOBS, **wrong)
            except InputError:
                continue
            raise AssertionError(f"it takes {wrong} without a word; raise InputError")

    def _drawn(self, jobs: int, seed: int = 1, replication: int = 0, **more: Any) -> Trace:
        function = self.make()
        name = function if isinstance(function, str) else getattr(function, "__name__", "generator")
        function = generators.get(function) if isinstance(function, str) else function
        options = {"accelerators": 64, "load": 0.7} | self.options | more
        given = checked_options(f"generator {name!r}", function, options, ("draws", "jobs"))
        trace: Trace = function(Draws(seed, replication, ""), jobs=jobs, **given)
        return trace


def _same(ours: Columns, theirs: Columns) -> bool:
    if list(ours) != list(theirs):
        return False
    return all(repr(ours[name].tolist()) == repr(theirs[name].tolist()) for name in ours)
