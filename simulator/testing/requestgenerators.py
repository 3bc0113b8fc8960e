"""What every generator of requests must do."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.testing.requestformats import shown
from simulator.testing.requests import check_log
from simulator.testing.running import run_all
from simulator.workload.options import checked_options
from simulator.workload.requestgenerators import request_generators
from simulator.workload.requestlog import RequestLog
from simulator.workload.sampling import Draws

_REQUESTS = 60
_MANY = 800


def check_request_generator(generator: Any, steady: tuple[str, ...] = ("input", "output"), **options: Any) -> None:
    """Put a generator (a name or a function) through everything that ``RequestGeneratorContract`` promises.

    ``steady`` are columns that are the same however many requests are drawn; ``options`` are given at each call, beside
    ``rate``.

    >>> check_request_generator("poisson")
    """

    class Given(RequestGeneratorContract):
        def make(self) -> Any:
            return generator

    given = Given()
    given.steady, given.options = steady, options
    run_all(given)


class RequestGeneratorContract:
    """What every generator must do; subclass it, and say in ``make`` which one."""

    options: dict[str, Any] = {}  # noqa: RUF012  # read, never changed
    """Given at each call, beside ``rate``."""
    steady: tuple[str, ...] = ("input", "output")
    """Columns that are the same however many requests are drawn, at any rate; none where chains are interleaved."""

    def make(self) -> Any:
        """Return the generator: a name or a function ``(draws, requests, rate, ...) -> RequestLog``."""
        raise NotImplementedError("return your generator from make()")

    def test_makes_requests_that_make_sense(self) -> None:
        """As many as asked for, in order of arrival, none that an engine would refuse, no name twice."""
        for requests in (1, _REQUESTS):
            log = self._drawn(requests)
            assert len(log) == requests, f"{len(log)} requests, {requests} were asked for"
            check_log(log)

    def test_draws_the_same_again(self) -> None:
        """A seed gives the same bytes each time, another seed or replication others."""
        first = shown(self._drawn(_REQUESTS))
        assert first == shown(self._drawn(_REQUESTS)), (
            "the same seed gives another log. Most likely random numbers come from elsewhere than the draws that the "
            "generator is given"
        )
        for other in (self._drawn(_REQUESTS, seed=2), self._drawn(_REQUESTS, replication=1)):
            assert first != shown(other), "another seed or replication gives the same log"

    def test_a_longer_draw_begins_with_the_shorter_one(self) -> None:
        """More requests are the same requests, and then more."""
        short, long = self._drawn(_REQUESTS), self._drawn(_REQUESTS + 40)
        for name in self.steady:
            assert np.array_equal(short.columns[name], long.columns[name][:_REQUESTS]), (
                f"{name} of a longer log begins otherwise than of a shorter one. Most likely several properties of a "
                "request are drawn from one stream: take one for each, by name"
            )

    def test_rate_sets_how_often_requests_come(self) -> None:
        """At twice the rate the same requests come twice as often."""
        once, twice = self._drawn(_MANY, rate=0.05), self._drawn(_MANY, rate=0.1)
        for name in self.steady:
            assert np.array_equal(once.columns[name], twice.columns[name]), f"{name} changes with the rate"
        ratio = once.span / twice.span
        assert 1.4 < ratio < 2.8, f"at twice the rate requests come {ratio:.2f} times as often, not twice"

    def test_refuses_what_makes_no_sense(self) -> None:
        """A rate below nothing, and options that it does not know, are the user's mistakes, and told as such."""
        mistakes: tuple[dict[str, Any], ...] = ({"rate": -1.0}, {"rtae": 0.5})
        for wrong in mistakes:
            try:
                self._drawn(_REQUESTS, **wrong)
            except InputError:
                continue
            raise AssertionError(f"it takes {wrong} without a word; raise InputError")

    def _drawn(self, requests: int, seed: int = 1, replication: int = 0, **more: Any) -> RequestLog:
        function = self.make()
        name = function if isinstance(function, str) else getattr(function, "__name__", "generator")
        function = request_generators.get(function) if isinstance(function, str) else function
        options = {"rate": 0.05} | self.options | more
        given = checked_options(f"request generator {name!r}", function, options, ("draws", "requests"))
        log: RequestLog = function(Draws(seed, replication, ""), requests=requests, **given)
        return log
