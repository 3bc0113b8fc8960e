"""The live router: ways over the links that are up, who is told, and what is refused."""

from __future__ import annotations

import pytest

from simulator.cluster.builders import builders
from simulator.cluster.routing import Load, Paths, Way, modes
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.runtime import router as module
from simulator.runtime.router import Router


def two_ways() -> Topology:
    pairs = [("a", "x"), ("x", "b"), ("a", "y"), ("y", "z"), ("z", "b")]
    return Topology.from_links([{"src": s, "dst": d, "capacity": 1.0, "latency": 1.0} for s, d in pairs])


def test_a_longer_way_is_taken_when_no_equal_one_is_left() -> None:
    router = Router(two_ways())
    assert router.way("a", "b") == Way((0, 1), (1.0, 1.0), 2.0)
    router.set_up(1, False)
    assert router.way("a", "b") == Way((2, 3, 4), (1.0,) * 3, 3.0)
    router.set_up(3, False)
    assert router.way("a", "b") is None
    assert router.down == (1, 3)
    router.set_up(1, True)
    assert router.way("a", "b") == Way((0, 1), (1.0, 1.0), 2.0)


def test_only_equal_ways_fail_over_on_a_fat_tree() -> None:
    tree = builders.get("fat-tree")(k=4)
    router = Router(tree)
    before = router.way("node-0", "node-9")
    assert before is not None
    for dead in before.links[1:3]:
        router.set_up(dead, False)
    after = router.way("node-0", "node-9")
    assert after is not None
    assert len(after.links) == 6
    assert not set(before.links[1:3]) & set(after.links)


def test_those_who_watch_are_told_of_each_change_once() -> None:
    router, told = Router(two_ways()), []
    router.watch(lambda: told.append("first"))
    router.watch(lambda: told.append("second"))
    for up in (True, False, False, True):
        router.set_up(0, up)
    assert told == ["first", "second"] * 2


def test_ways_are_remembered_until_something_changes() -> None:
    router = Router(builders.get("fat-tree")(k=4), "spray")
    assert router.way("node-0", "node-9") is router.way("node-0", "node-9")


def test_not_all_ways_of_a_long_run_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 5)
    router = Router(builders.get("fat-tree")(k=4))
    first = [router.way("node-0", f"node-{i}") for i in range(16)]
    assert len(router._ways) <= 5
    assert [router.way("node-0", f"node-{i}") for i in range(16)] == first


def test_adaptive_asks_each_time() -> None:
    crowd = [0.0] * 4
    twin = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1.0}] * 4)
    router = Router(twin, "adaptive", load=lambda link, more: crowd[link] + more)
    taken = []
    for _ in range(8):
        way = router.way("a", "b")
        assert way is not None
        taken += way.links
        crowd[way.links[0]] += 1.0
    assert sorted(taken) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_to_oneself_no_links_are_needed() -> None:
    assert Router(two_ways()).way("a", "a") == Way((), (), 0.0)


def test_a_mode_of_ones_own() -> None:
    class First:
        """The first way there is."""

        lasting = True

        def __init__(self, paths: Paths, flows: int, load: Load, hop: float = 0.0) -> None:
            self._paths, self._hop = paths, hop

        def way(self, src: str, dst: str, label: int) -> Way | None:
            route = []
            while src != dst:
                route.append(self._paths.onward(src, dst)[0])
                src = self._paths.mesh.ends[route[-1]][1]
            return Way(tuple(route), (1.0,) * len(route), self._hop * len(route))

    modes.register("first")(First)
    try:
        assert Router(two_ways(), "first", hop=3.0).way("a", "b") == Way((0, 1), (1.0, 1.0), 6.0)
    finally:
        del modes._known["first"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"mode": "ecpm"}, "unknown routing 'ecpm'. Did you mean 'ecmp'? Known: adaptive, ecmp, explicit, spray."),
        ({"flows": 0}, "flows is 0; it must be a whole number from 1 to 1024"),
        ({"flows": 2.5}, "flows is 2.5; it must be a whole number from 1 to 1024"),
        ({"flows": True}, "flows is True; it must be a whole number from 1 to 1024"),
    ],
)
def test_what_is_wrong_with_a_router_is_said(arguments: dict, text: str) -> None:
    with pytest.raises(InputError) as caught:
        Router(two_ways(), **arguments)
    assert str(caught.value) == text


def test_options_that_a_mode_does_not_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"^routing 'ecmp' cannot be set up: .*'routes'"):
        Router(two_ways(), routes={})


def test_vertices_links_and_ways_that_are_not_there() -> None:
    router = Router(two_ways())
    for call, text in (
        (lambda: router.way("a", "q"), "unknown vertex 'q'. Known: a, b, x, y, z."),
        (lambda: router.way("b", "a"), "there is no route from 'b' to 'a'"),
        (lambda: router.set_up(9, True), "there is no link 9; links are 0 to 4"),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == text
