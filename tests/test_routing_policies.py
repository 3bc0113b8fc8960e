"""Routers: by hand, against theory for random choices, and the kit that tests them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.rng import stream
from simulator.policies.routing import as_router
from simulator.policies.routing.adapter_affinity import AdapterAffinity
from simulator.policies.routing.power_of_two import PowerOfTwo
from simulator.policies.routing.prefix_affinity import PrefixAffinity
from simulator.policies.routing.random import Random
from simulator.policies.routing.round_robin import RoundRobin
from simulator.policies.routing.session_sticky import SessionSticky
from simulator.policies.routing.weighted import Weighted
from simulator.policies.serving import Router, RoutingView, routers
from simulator.testing import RouterContract, SeenReplica, SeenService, check_router
from simulator.workload.requests import Request


def request(name: str = "a", **more: Any) -> Request:
    return Request(**{"id": name, "arrival": 0.0, "input": 100, "output": 10} | more)


def service(*loads: int, **more: Sequence[Any]) -> SeenService:
    """Replicas 0, 1, ... with so many outstanding requests, and so much of what else is named."""
    replicas = [SeenReplica(number, outstanding=load) for number, load in enumerate(loads)]
    for name, values in more.items():
        for replica, value in zip(replicas, values, strict=True):
            setattr(replica, name, value)
    return SeenService(replicas)


def chosen(router: Router, view: SeenService, sent: Request | None = None) -> int:
    return router.route(sent or request(), view).number


def made(name: str, **arguments: Any) -> Router:
    return routers.get(name)(**arguments)


# -- every built-in -------------------------------------------------------------------------------------------------


class TestBuiltIns(RouterContract):
    @pytest.fixture(autouse=True, params=routers.names())
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> Any:
        return self.name


def test_other_parameters_pass_too() -> None:
    for router in (PowerOfTwo(3), SessionSticky("hash"), PrefixAffinity(0.0, 0, 1.0), Weighted(adapter=1.0)):
        check_router(router)


@given(
    loads=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    name=st.sampled_from(routers.names()),
    session=st.sampled_from(["", "s", "t"]),
    hashes=st.integers(0, 5),
)
def test_they_return_a_member(loads: list[int], name: str, session: str, hashes: int) -> None:
    view = service(*loads, queued=loads, pending=loads, hashes=[tuple(range(load)) for load in loads])
    sent = request(session=session, adapter="law", hashes=tuple(range(hashes)), hash_block=16)
    assert any(made(name).route(sent, view) is replica for replica in view.replicas)


# -- one by one -----------------------------------------------------------------------------------------------------


def test_round_robin_goes_round_and_takes_in_who_comes() -> None:
    router, view = RoundRobin(), service(9, 0, 0)
    assert [chosen(router, view) for _ in range(4)] == [0, 1, 2, 0]
    view.replicas.append(SeenReplica(7))
    assert [chosen(router, view) for _ in range(4)] == [1, 2, 7, 0]
    del view.replicas[1]
    assert [chosen(router, view) for _ in range(3)] == [2, 7, 0]
    router.reset(stream(0, "router"))
    assert chosen(router, view) == 0


@pytest.mark.parametrize(
    ("name", "view", "expected"),
    [
        ("least-outstanding", service(3, 1, 1), 1),
        ("least-outstanding", service(0, 0), 0),
        ("least-tokens", service(0, 5, 4, pending=[10, 0, 0]), 2),
        ("least-tokens", service(2, 2, pending=[0, 0]), 0),
        ("least-kv", service(1, 9, 3, kv=[0.5, 0.2, 0.2]), 2),
        ("least-kv", service(0, 0, 1, kv=[0.0, 0.0, 0.0]), 0),
    ],
)
def test_the_least_is_taken_and_ties_go_by_number_in_the_end(name: str, view: SeenService, expected: int) -> None:
    assert chosen(made(name), view) == expected


def test_prefix_affinity_follows_the_cache_while_loads_are_even() -> None:
    sent = request(hashes=(1, 2, 3, 4), hash_block=25)
    caches = [(), (1, 2), (1, 2), (9, 2)]
    router = PrefixAffinity(threshold=0.3, absolute=10, relative=1.5)
    assert chosen(router, service(0, 8, 7, 0, hashes=caches), sent) == 2, "half of it is cached on 1 and 2; 2 is idler"
    assert chosen(router, service(0, 11, 10, 0, hashes=caches), sent) == 0, "11 - 0 > 10 and 11 > 1.5 * 0"
    assert chosen(router, service(30, 41, 40, 30, hashes=caches), sent) == 2, "11 > 10, but 41 <= 1.5 * 30"
    assert chosen(router, service(0, 10, 10, 0, hashes=caches), sent) == 1, "10 is not more than 10"
    assert chosen(router, service(30, 45, 45, 30, hashes=caches), sent) == 1, "45 is not more than 1.5 * 30"
    assert chosen(router, service(5, 8, 7, 4, hashes=caches)) == 3, "without hashes the least loaded"
    half = PrefixAffinity(threshold=0.5, absolute=10)
    assert chosen(half, service(0, 8, 7, 0, hashes=caches), sent) == 0, "half of the prompt is not more than half"


def test_a_last_block_that_is_short_does_not_count_for_more_than_the_prompt() -> None:
    sent = request(input=130, hashes=(1, 2, 3), hash_block=64)
    everything = service(5, 0, hashes=[(1, 2, 3), ()])
    assert chosen(PrefixAffinity(threshold=1.0), everything, sent) == 1, "a share of 192 / 130 counts as 1"
    assert chosen(PrefixAffinity(threshold=0.99), everything, sent) == 0


def test_weighted_adds_up_scores_as_the_llm_d_router_does() -> None:
    sent = request(hashes=(1, 2, 3, 4), hash_block=25, adapter="law")
    view = service(0, 0, 0, queued=[4, 0, 2], kv=[0.1, 0.9, 0.4], hashes=[(1, 2, 3, 4), (), (1, 2)])
    view.replicas[1].adapters = ("law",)
    # by hand: 3 * share + 2 * (4 - queued) / 4 + 2 * (1 - kv) = 4.8, 2.2, 3.7
    assert chosen(Weighted(), view, sent) == 0
    assert chosen(Weighted(prefix=0.0), view, sent) == 1, "1.8, 2.2, 2.2: the lower number"
    assert chosen(Weighted(prefix=0.0, queue=0.0), view, sent) == 0
    assert chosen(Weighted(adapter=2.7), view, sent) == 1, "2.2 + 2.7 is more than 4.8"
    alike = service(0, 0, queued=[3, 3])
    assert chosen(Weighted(kv=0.0), alike) == 0


def test_sessions_stay_where_they_began_while_that_takes_requests() -> None:
    router, view = SessionSticky(), service(5, 1, 2)
    first = request(session="s")
    assert chosen(router, view, first) == 1
    view.replicas[1].outstanding = 99
    assert chosen(router, view, request(session="s")) == 1
    assert chosen(router, view, request(session="other")) == 2
    assert chosen(router, view, request()) == 2, "without a session, the least loaded"
    gone = view.replicas.pop(1)
    assert chosen(router, view, request(session="s")) == 2
    view.replicas.insert(1, gone)
    assert chosen(router, view, request(session="s")) == 2, "it has moved for good"
    router.reset(stream(0, "router"))
    view.replicas[0].outstanding = 0
    assert chosen(router, view, request(session="s")) == 0


def test_sessions_begin_by_their_crc_32_whatever_the_load() -> None:
    # zlib.crc32(b"123456789") is the check value 0xCBF43926 of CRC-32, 3421780262
    router = SessionSticky("hash")
    assert chosen(router, service(9, 9, 9, 9, 9, 9, 9), request(session="123456789")) == 3421780262 % 7
    view = service(*range(10))
    starts = Counter(chosen(SessionSticky("hash"), view, request(session=f"user-{i}")) for i in range(5000))
    assert all(abs(starts[number] - 500) < 5 * math.sqrt(450) for number in range(10)), starts


def test_adapters_draw_requests_until_the_load_is_too_uneven() -> None:
    view = service(0, 4, 3, adapters=[(), ("law",), ("law", "medicine")])
    assert chosen(AdapterAffinity(imbalance=3), view, request(adapter="law")) == 2
    assert chosen(AdapterAffinity(imbalance=2), view, request(adapter="law")) == 0
    assert chosen(AdapterAffinity(), view, request(adapter="history")) == 0
    assert chosen(AdapterAffinity(), view, request()) == 0


# -- random ones against theory --------------------------------------------------------------------------------------


def thrown(router: Router, bins: int, seed: int = 11) -> list[int]:
    """Throw as many balls as there are bins; nobody leaves."""
    view = service(*[0] * bins)
    reset = getattr(router, "reset", None)
    assert reset is not None
    reset(stream(seed, "router"))
    ball = request()
    for _ in range(bins):
        found = router.route(ball, view)
        assert isinstance(found, SeenReplica)
        found.outstanding += 1
    return [replica.outstanding for replica in view.replicas]


def fluid(choices: int, steps: int = 20_000, levels: int = 12) -> list[float]:
    """Share of bins with at least 1, 2, ... balls after as many balls as bins: ds_i/dt = s_(i-1)^d - s_i^d.

    Mitzenmacher (2001), section 2; Euler steps. The tables there have 0.7616, 0.2295, 0.0089 for two choices.
    """
    share = [1.0] + [0.0] * levels
    for _ in range(steps):
        share = [1.0] + [now + (before**choices - now**choices) / steps for before, now in pairwise(share)]
    return share[1:]


def test_the_fluid_limit_is_that_of_the_literature() -> None:
    assert fluid(2)[:3] == pytest.approx([0.7616, 0.2295, 0.0089], abs=1e-4)
    poisson = [1.0 - sum(math.exp(-1) / math.factorial(k) for k in range(level)) for level in range(1, 6)]
    assert fluid(1)[:5] == pytest.approx(poisson, abs=1e-4)


@pytest.mark.parametrize("choices", [1, 2, 3])
def test_choices_fill_bins_as_theory_says(choices: int) -> None:
    bins = 20_000
    balls = np.array(thrown(PowerOfTwo(choices), bins))
    for level, share in enumerate(fluid(choices)[:5], 1):
        bound = 5 * math.sqrt(max(share * (1 - share), 1 / bins) / bins)
        assert abs(float((balls >= level).mean()) - share) < bound, (choices, level)


def test_two_choices_bring_the_fullest_bin_down() -> None:
    bins = 20_000
    one, two = max(thrown(Random(), bins)), max(thrown(PowerOfTwo(), bins))
    # ln n / ln ln n = 4.3, of the order of one choice; ln ln n / ln 2 = 3.3, up to a constant for two
    assert two <= math.log(math.log(bins)) / math.log(2) + 1
    assert one >= math.log(bins) / math.log(math.log(bins)) + 1
    assert two < one


def test_random_is_even() -> None:
    router, view = Random(), service(3, 0, 9, 2)
    router.reset(stream(2, "router"))
    counts = Counter(chosen(router, view) for _ in range(40_000))
    assert all(abs(counts[number] - 10_000) < 5 * math.sqrt(7500) for number in range(4)), counts


def test_two_drawn_replicas_are_different_ones() -> None:
    router = PowerOfTwo()
    router.reset(stream(1, "router"))
    assert {chosen(router, service(1, 0)) for _ in range(50)} == {1}
    counts = Counter(chosen(router, service(2, 1, 0)) for _ in range(9000))
    assert counts[0] == 0, "the fullest of three is never the better of two"
    assert abs(counts[2] - 6000) < 5 * math.sqrt(2000), "the emptiest is among two of three in two cases of three"


@given(loads=st.lists(st.integers(0, 9), min_size=1, max_size=6), choices=st.integers(6, 9))
def test_enough_choices_are_all_of_them(loads: list[int], choices: int) -> None:
    assert chosen(PowerOfTwo(choices), service(*loads)) == loads.index(min(loads))


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("power-of-two", {"choices": 0}, "choices is 0; it must be 1 or more"),
        ("prefix-affinity", {"threshold": 1.5}, "threshold is 1.5; it must be a share, 0 to 1"),
        ("prefix-affinity", {"threshold": math.nan}, "threshold is nan; it must be a share, 0 to 1"),
        ("prefix-affinity", {"absolute": -1}, "absolute is -1; it must be 0 or more"),
        ("prefix-affinity", {"relative": 0.5}, "relative is 0.5; it must be 1 or more"),
        ("session-sticky", {"first": "random"}, "first is 'random'; it must be 'least-outstanding' or 'hash'"),
        ("adapter-affinity", {"imbalance": -2}, "imbalance is -2; it must be 0 or more"),
        ("weighted", {"kv": -1.0}, "kv is -1; a weight must be 0 or more"),
        ("weighted", {"prefix": math.inf}, "prefix is inf; a weight must be 0 or more"),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as told:
        made(name, **arguments)
    assert str(told.value) == text


# -- routers of one's own --------------------------------------------------------------------------------------------


def shortest_queue(request: Request, view: RoutingView) -> Any:
    return min(view.replicas, key=lambda replica: replica.queued)


def test_a_plain_function_is_a_router() -> None:
    router = as_router(shortest_queue)
    assert chosen(router, service(0, 0, queued=[2, 1])) == 1
    assert getattr(router, "name", "") == "shortest_queue"
    check_router(shortest_queue)


def test_objects_and_classes_are_routers_too() -> None:
    router = RoundRobin()
    assert as_router(router) is router
    assert isinstance(as_router(RoundRobin), RoundRobin)
    with pytest.raises(TypeError, match=r"^3 is no router; give a function \(request, view\) -> replica, or a class"):
        as_router(3)


class Forgetful:
    """Counts on, from run to run."""

    def __init__(self) -> None:
        self.count = 0

    def route(self, request: Request, view: RoutingView) -> Any:
        self.count += 1
        return view.replicas[self.count % len(view.replicas)]


class Clingy:
    """Keeps the replica that it saw first."""

    def __init__(self) -> None:
        self.first: Any = None

    def route(self, request: Request, view: RoutingView) -> Any:
        self.first = self.first or view.replicas[0]
        return self.first


def popping(request: Request, view: RoutingView) -> Any:
    assert isinstance(view.replicas, list)
    return view.replicas.pop() if len(view.replicas) > 1 else view.replicas[0]


def marking(request: Request, view: RoutingView) -> Any:
    request.priority = 9.0
    return view.replicas[0]


def number(request: Request, view: RoutingView) -> Any:
    return 0


def prophet(request: Request, view: RoutingView) -> Any:
    return view.replicas[request.output % len(view.replicas)]


DICE = np.random.default_rng(1)


def dice(request: Request, view: RoutingView) -> Any:
    return view.replicas[int(DICE.integers(len(view.replicas)))]


@pytest.mark.parametrize(
    ("router", "text"),
    [
        (number, "route returned 0, not a replica; it must return one of view.replicas"),
        (Clingy, "one of an earlier view; it must return one of view.replicas"),
        (popping, "it must return one of view.replicas"),
        (marking, "it changed a request"),
        (Forgetful, "it does not do the same after another run"),
        (prophet, "it looks at request.output; take request.limit, or request.input"),
        (dice, "two runs of the same requests differ"),
    ],
)
def test_broken_routers_are_told_what_is_wrong(router: Any, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_router(router)
