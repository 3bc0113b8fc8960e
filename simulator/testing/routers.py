"""What every router must do."""

from __future__ import annotations

import copy
from typing import Any

from simulator.core.rng import stream
from simulator.policies.routing import as_router
from simulator.policies.serving import Router, routers
from simulator.testing.running import run_all
from simulator.testing.services import SeenService, requests, said, unlike, views
from simulator.workload.requests import Request


def check_router(router: Any) -> None:
    """Put a router through everything that ``RouterContract`` promises.

    ``router`` is a name, a function ``(request, view) -> replica``, an object or a class. Raises ``AssertionError``.

    >>> check_router("least-outstanding")
    >>> check_router(lambda request, view: view.replicas[-1])
    """

    class Given(RouterContract):
        def make(self) -> Any:
            return router

    run_all(Given())


class RouterContract:
    """What every router must do; subclass it, say in ``make`` which one, and let pytest collect it."""

    def make(self) -> Any:
        """Return the router: a name, a function, an object or a class."""
        raise NotImplementedError("return your router from make()")

    def test_names_a_replica_that_takes_requests(self) -> None:
        """Whatever it sees, also a single replica or numbers with gaps, it names one of ``view.replicas``."""
        _routes(_fresh(self.make()), requests(400), list(views(400)))

    def test_bears_replicas_that_come_and_go(self) -> None:
        """A replica that it liked may be gone at the next request, for good."""
        router = _fresh(self.make())
        _reset(router)
        sent = requests(40, seed=5)
        for first in (0, 7, 100):
            _routes(router, sent, [_numbered(first, count) for count in (3, 1, 2, 5) for _ in range(10)], reset=False)

    def test_gives_the_same_answers_again(self) -> None:
        """Two runs are equal, on a fresh router and on one that has seen another run."""
        used = _fresh(self.make())
        _routes(used, requests(150, seed=9), list(views(150, seed=9)), seed=4)
        fresh, again, after = (
            _routes(router, requests(300), list(views(300)))
            for router in (_fresh(self.make()), _fresh(self.make()), used)
        )
        assert fresh == again, (
            "two runs of the same requests differ. Most likely it draws random numbers from elsewhere than the "
            "generator that reset(rng) is given, loops over a set, or calls hash()"
        )
        assert fresh == after, (
            "it does not do the same after another run. Most likely it keeps sessions or counts from that run: clear "
            "them in reset(rng)"
        )

    def test_knows_no_outputs(self) -> None:
        """How many tokens a request will generate decides nothing."""
        sent = requests(200)
        first = _routes(_fresh(self.make()), sent, list(views(200)))
        second = _routes(_fresh(self.make()), [unlike(each, 7) for each in sent], list(views(200)))
        assert first == second, (
            "where it sends requests depends on how many tokens they will generate, which nobody knows before. Most "
            "likely it looks at request.output; take request.limit, or request.input"
        )

    def test_hears_of_ends(self) -> None:
        """``on_end``, where there is one, bears any request, once it was sent somewhere."""
        router = _fresh(self.make())
        heard = getattr(router, "on_end", None)
        if heard is None:
            return
        sent = requests(100)
        _routes(router, sent, list(views(100)))
        for each in sent:
            heard(each)
        _routes(router, requests(50, seed=2), list(views(50, seed=2)), reset=False)

    def test_changes_nothing(self) -> None:
        """Requests and views are read-only."""
        sent, seen = requests(100), list(views(100))
        before, shown = [said(each) for each in sent], copy.deepcopy(seen)
        _routes(_fresh(self.make()), sent, seen)
        assert [said(each) for each in sent] == before, "it changed a request: requests are read-only"
        assert seen == shown, "it changed the view, or took a replica out of view.replicas: sort a copy of it"


def _fresh(router: Any) -> Router:
    if isinstance(router, str):
        router = routers.get(router)
    return as_router(router if isinstance(router, type) else copy.deepcopy(router))


def _reset(router: Router, seed: int = 3) -> None:
    reset = getattr(router, "reset", None)
    if reset is not None:
        reset(stream(seed, "router"))


def _numbered(first: int, count: int) -> SeenService:
    view = next(views(1))
    one = view.replicas[0]
    view.replicas[:] = [copy.copy(one) for _ in range(count)]
    for offset, replica in enumerate(view.replicas):
        replica.number = first + offset
    return view


def _routes(
    router: Router, sent: list[Request], seen: list[SeenService], *, seed: int = 3, reset: bool = True
) -> list[int]:
    """Numbers of the replicas that it names, each checked to be one of the view."""
    if reset:
        _reset(router, seed)
    chosen = []
    for request, view in zip(sent, seen, strict=True):
        replica: Any = router.route(request, view)
        if not any(replica is each for each in view.replicas):
            numbers = ", ".join(str(each.number) for each in view.replicas)
            old = "one of an earlier view" if isinstance(replica, type(view.replicas[0])) else "not a replica"
            raise AssertionError(
                f"route returned {replica!r}, {old}; it must return one of view.replicas, which are {numbers} here. "
                "Most likely it keeps replicas, or counts on their numbers: keep replica.number, and look for it in "
                "view.replicas each time"
            )
        chosen.append(replica.number)
    return chosen
