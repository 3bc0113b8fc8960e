"""What a router sees: how things are, or how they were when that was last published; never the future."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.runtime.serving.outlook import Outlook
from tests.serving_world import Asks, Linear, Steps, ask, replicas, rows, serve, service

FACTS = ("outstanding", "queued", "running", "kv", "pending")


class Looks:
    """A router that goes by turns and writes down what it sees of every replica, and of a prefix."""

    def __init__(self, choose: Callable[[Any, Any], Any] | None = None) -> None:
        self.seen: dict[str, list[tuple[Any, ...]]] = {}
        self.prefixes: dict[str, list[int]] = {}
        self.adapted: dict[str, list[bool]] = {}
        self._choose = choose or (lambda request, view: view.replicas[len(self.seen) % len(view.replicas)])

    def route(self, request: Any, view: Any) -> Any:
        self.seen[request.id] = [tuple(getattr(replica, fact) for fact in FACTS) for replica in view.replicas]
        self.prefixes[request.id] = [replica.prefix(request) for replica in view.replicas]
        self.adapted[request.id] = [replica.adapted(request.adapter) for replica in view.replicas]
        return self._choose(request, view)


def looked(asks: list[dict[str, Any]], count: int = 1, time: Linear | None = None, **more: Any) -> Looks:
    router = more.pop("router", None) or Looks()
    serve(service(asks, replicas(count, more.pop("blocks", 1000), time), router=router, **more))
    return router


def test_a_live_state_is_that_of_the_very_instant() -> None:
    asks = [ask("a", output=9), ask("b", 0.25, input=6), ask("c", 0.25), ask("d", 1.25)]
    seen = looked(asks, blocks=100).seen
    assert seen["b"] == [(1, 0, 1, 0.01, 4)]
    assert seen["c"] == [(2, 1, 1, 0.01, 10)]
    assert seen["d"] == [(3, 0, 3, 0.06, 0)]


def test_a_published_state_is_that_of_the_last_whole_multiple() -> None:
    asks = [ask("a", 0.25, output=9), ask("b", 0.5), ask("c", 0.75), ask("d", 1.0), ask("e", 1.125), ask("f", 2.75)]
    seen = looked(asks, blocks=100, staleness=1.0).seen
    nothing = (0, 0, 0, 0.0, 0)
    assert [seen[name] for name in "abcd"] == [[nothing]] * 4
    assert seen["e"][0][0] == 4  # d came at 1 s, and what is published is the end of that instant
    assert seen["f"] == looked([*asks[:5], ask("f", 2.0)], blocks=100).seen["f"]


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 40), min_size=2, max_size=14), step=st.sampled_from([0.1, 0.3, 0.7, 1.7, 5.0]),
    count=st.integers(1, 3),
)  # fmt: skip
def test_what_is_published_is_what_a_router_saw_live_at_that_time(gaps: list[int], step: float, count: int) -> None:
    """A run whose router looks live at every whole multiple, by way of requests that can never run, knows it all."""
    now, asks = 0.0, []
    for number, gap in enumerate(gaps):
        now += gap / 53
        asks.append(ask(f"r{number}", now, 3 + number % 5, 1 + number % 9))
    time = Linear(base=0.0713, token=0.0011)

    def by_name(request: Any, view: Any) -> Any:
        return view.replicas[int(request.id[1:]) % len(view.replicas)]

    live = Looks(by_name)
    probes = [ask(f"p{k}", k * step, 10_000, 1) for k in range(1, int(now / step) + 1) if k * step not in {0.0}]
    both = sorted([*asks, *probes], key=lambda each: each["arrival"])
    serve(service(both, replicas(count, 1000, time), router=live, context=1 << 60))
    stale = Looks(by_name)
    serve(service(asks, replicas(count, 1000, time), router=stale, staleness=step))
    nothing = [(0, 0, 0, 0.0, 0)] * count
    for each in asks:
        multiple = max((k for k in range(int(now / step) + 1) if k * step < each["arrival"]), default=0)
        assert stale.seen[each["id"]] == (live.seen[f"p{multiple}"] if multiple else nothing)


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7, 1 / 3, 0.01, 1.1])
def test_multiples_that_are_not_exact_are_published_once(step: float) -> None:
    asks = [ask(f"r{number}", number * step, output=9) for number in range(80)]
    router = looked(asks, time=Linear(base=step / 3), staleness=step)
    assert len(router.seen) == 80


def prefixed(name: str, arrival: float, **more: Any) -> dict[str, Any]:
    return ask(name, arrival, 16, 2, hashes=(1, 2, 3, 4), hash_block=4, **more)


def test_a_prefix_is_seen_when_the_iteration_that_computes_it_is_over() -> None:
    asks = [prefixed("a", 0.0), prefixed("b", 0.25), prefixed("c", 0.75)]
    found = looked(asks, prefix_cache=True, max_batch=1)
    assert found.prefixes == {"a": [0], "b": [0], "c": [4]}


def test_a_prefix_that_was_computed_since_the_state_was_published_is_not_seen_yet() -> None:
    asks = [prefixed("a", 0.25), prefixed("b", 1.5), prefixed("c", 2.5)]
    found = looked(asks, prefix_cache=True, staleness=1.0)
    assert found.prefixes == {"a": [0], "b": [4], "c": [4]}
    later = looked([prefixed("a", 0.75), prefixed("b", 1.5), prefixed("c", 2.5)], prefix_cache=True, staleness=1.0)
    assert later.prefixes == {"a": [0], "b": [0], "c": [4]}


def test_a_prefix_that_was_thrown_away_since_then_is_seen_still() -> None:
    others = [ask("x", 2.25, 24, 1, hashes=(11, 12, 13, 14, 15, 16), hash_block=4)]
    asks = [prefixed("a", 0.0), *others, prefixed("b", 2.875), prefixed("c", 3.25)]
    found = looked(asks, blocks=7, prefix_cache=True, staleness=1.0)
    assert (found.prefixes["b"], found.prefixes["c"]) == ([4], [1])
    live = looked(asks, blocks=7, prefix_cache=True)
    assert live.prefixes["b"] == [1]


def test_adapters_are_seen_as_of_then_too() -> None:
    asks = [ask("a", 0.25, adapter="x"), ask("b", 1.5, adapter="x"), ask("c", 3.25, adapter="y")]
    asks += [ask("d", 3.5, adapter="x"), ask("e", 3.75, adapter="y"), ask("f", 4.5, adapter="y")]
    asks += [ask("g", 4.75, adapter="x")]
    found = looked(asks, staleness=1.0, adapters=1)
    assert {name: seen[0] for name, seen in found.adapted.items()} == {
        "a": False, "b": True, "c": False, "d": True, "e": False, "f": False, "g": True,
    }  # fmt: skip


def test_a_replica_that_is_new_shows_what_it_was_when_it_became_ready() -> None:
    asks = [ask("a", 0.25, output=30), ask("b", 2.25), ask("c", 2.5)]
    router = Looks(lambda request, view: view.replicas[-1])
    serve(service(asks, replicas(Steps(1, 2)), router=router, staleness=5.0))
    nothing = (0, 0, 0, 0.0, 0)
    assert (router.seen["b"], router.seen["c"]) == ([nothing] * 2, [nothing] * 2)


def test_nothing_is_published_when_no_replica_is_ready() -> None:
    asks = [ask("a", 0.0), ask("b", 3.25), ask("c", 3.75), ask("d", 40.0)]
    router = Looks()
    record = serve(service(asks, replicas(1, load=3.0), router=router, staleness=0.5))
    assert [seen[0][0] for seen in router.seen.values()] == [0, 1, 2, 0]
    assert rows(record)["a"]["start"] == 3.0


def test_the_router_of_those_that_decode_sees_what_is_published_there() -> None:
    decode = Looks(lambda request, view: view.replicas[0])
    spec = service(
        [ask("a", output=30), ask("b", 6.25)], replicas(2, accelerators=4), prefill=replicas(1, accelerators=4),
        router=decode, staleness=2.0,
    )  # fmt: skip
    assert isinstance(spec.requests, Asks)
    serve(spec, topology=builders.get("single-switch")(nodes=2))
    assert decode.seen["b"][0][:3] == (1, 0, 1)  # the last look was at where it decodes


def test_somebody_else_is_no_member() -> None:
    outlook = Outlook(None, 0.0, lambda: ())  # type: ignore[arg-type]
    assert [outlook.member(each) for each in (None, 3, "chat/0", math.inf)] == [None] * 4
