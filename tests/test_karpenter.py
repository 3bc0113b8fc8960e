"""Karpenter: batches in, machines out; nodes away or exchanged, with times, budgets and reasons."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_world import BOOTING, DRAINING, FAILED, READY, STARTING, Node, World, many, runs, waits
from test_cluster_autoscaler import cpu_seconds, held_elsewhere, large, worlds

from simulator.policies.nodes.budgets import budgets, remarks, strictest
from simulator.policies.nodes.consolidation import disruption_cost
from simulator.policies.scaling.karpenter import Karpenter
from simulator.policies.supply import GroupView, Grow, NodeState, Remove, Replace, SupplyAction, autoscalers

HOUR = 3600.0
SMALL = GroupView("small", accelerators=1.0, cores=16.0, maximum=50, price=1 / HOUR)
MID = GroupView("mid", accelerators=6.0, cores=48.0, maximum=50, price=5 / HOUR)
BIG = GroupView("big", accelerators=8.0, cores=64.0, maximum=50, price=7 / HOUR)
ALL = (SMALL, MID, BIG)
PAIR = (SMALL, BIG)
FREELY = [{"nodes": "100%"}]

Look = World | Callable[[float], World]


def run(world: Look, until: float, every: float = 1.0, **terms: Any) -> list[tuple[float, SupplyAction]]:
    """All actions, and when they come."""
    scaler, found, now = Karpenter(**terms), [], 0.0
    while now <= until:
        for action in scaler.step(now, (world if isinstance(world, World) else world(now)).seen()):
            found.append((now, action))
        now += every
    return found


def test_registry_knows_it() -> None:
    assert autoscalers.get("karpenter") is Karpenter
    assert (Karpenter().interval, Karpenter.detailed, Karpenter().expire_after) == (1.0, True, 720 * HOUR)


# ---------------------------------------------------------------------------------------------- provisioning

PROVISIONED: list[tuple[str, World, list[tuple[int, int]]]] = [
    ("nothing waits", World(PAIR), []),
    ("the cheapest that holds it", World(PAIR, pending=many(1, 1.0, servers=1)), [(0, 1)]),
    (
        "a batch fills one large machine, though small ones are cheaper",
        World(ALL, pending=many(4, 1.0, servers=1)),
        [(1, 1)],
    ),
    ("what does not fit there goes to the next", World(PAIR, pending=many(9, 1.0, servers=1)), [(0, 1), (1, 1)]),
    ("machines are filled to the brim", World(PAIR, pending=many(24, 1.0, servers=1)), [(1, 3)]),
    (
        "larger first, small ones fill up",
        World(PAIR, pending=[*many(3, 1.0, servers=1), waits("x", 5.0, servers=1)]),
        [(1, 1)],
    ),
    (
        "each kind on its own groups",
        World(PAIR, pending=[waits("x", 1.0, groups=(0,)), waits("y", 1.0, groups=(1,))]),
        [(0, 1), (1, 1)],
    ),
    (
        "groups of all jobs of a machine",
        World(ALL, pending=[waits("x", 2.0, groups=(1, 2)), waits("y", 1.0, groups=(0, 2))]),
        [(2, 1)],
    ),
    ("cores count too", World(PAIR, pending=many(2, 1.0, cores=40.0, servers=1)), [(1, 2)]),
    ("what is free is used first", World(PAIR, nodes=[Node(0, 1)], pending=many(9, 1.0, servers=1)), [(0, 1)]),
    ("and what boots", World(PAIR, nodes=[Node(0, 1, BOOTING, created=0.0)], pending=many(8, 1.0, servers=1)), []),
    ("and what starts", World(PAIR, nodes=[Node(0, 1, STARTING, created=0.0)], pending=many(8, 1.0, servers=1)), []),
    ("draining nodes are not", World(PAIR, nodes=[Node(0, 1, DRAINING)], pending=many(1, 1.0, servers=1)), [(0, 1)]),
    ("too large", World(PAIR, pending=many(1, 9.0, servers=1)), []),
    ("wrong type", World(PAIR, pending=many(1, 1.0, groups=())), []),
    ("a gang on whole nodes", World(PAIR, pending=many(1, 16.0, servers=0)), [(1, 2)]),
    (
        "a gang on the group that is cheapest for all of it",
        World((replace(SMALL, price=0.8 / HOUR), BIG), pending=many(1, 16.0, servers=0)),
        [(0, 16)],
    ),
    (
        "a gang that may not be spread so wide",
        World((replace(SMALL, price=0.8 / HOUR), BIG), pending=many(1, 16.0, servers=8)),
        [(1, 2)],
    ),
    ("a gang and what is free", World(PAIR, nodes=[Node(0, 1)], pending=many(1, 24.0, servers=0)), [(1, 2)]),
    ("a gang is all or nothing", World((replace(BIG, maximum=2),), pending=many(1, 24.0, servers=0)), []),
    (
        "the rest of a gang's last node is shared",
        World((BIG,), pending=[waits("g", 12.0, servers=0), *many(4, 1.0, servers=1)]),
        [(0, 2)],
    ),
    (
        "a maximum sends jobs elsewhere",
        World((SMALL, replace(BIG, maximum=1)), pending=many(16, 1.0, servers=1)),
        [(0, 8), (1, 1)],
    ),
    ("all maxima reached", World((replace(SMALL, maximum=2),), pending=many(16, 1.0, servers=1)), [(0, 2)]),
    (
        "a group that failed lately is passed over",
        World((replace(SMALL, failed=-10.0), BIG), pending=many(1, 1.0)),
        [(1, 1)],
    ),
    (
        "one that failed three minutes ago is not",
        World((replace(SMALL, failed=-179.0), BIG), pending=many(1, 1.0)),
        [(0, 1)],
    ),
]


@pytest.mark.parametrize(("world", "wanted"), [row[1:] for row in PROVISIONED], ids=[row[0] for row in PROVISIONED])
def test_provisioning(world: World, wanted: list[tuple[int, int]]) -> None:
    actions = [action for _, action in run(world, 1.0)]
    assert [(action.group, action.count) for action in actions if isinstance(action, Grow)] == wanted


def test_growth_says_what_else_would_have_done() -> None:
    ((at, action),) = run(World(PAIR, pending=many(1, 1.0)), 1.0)
    assert (at, action.rule, action.runner_up) == (1.0, "cheapest that holds the batch", "big (7 $/h)")
    assert action.inputs == {"jobs": 1.0, "price_per_hour": pytest.approx(1.0)}


@pytest.mark.parametrize(
    ("since", "asked"),
    [
        ([0.0], [1.0]),
        ([0.3], [2.0]),  # steps are 1 s apart, so a window that closes at 1.3 s is seen at 2 s
        ([0.0, 0.9], [2.0]),
        ([0.0, 0.9, 1.8], [3.0]),
        ([0.0, 1.5], [1.0, 3.0]),
        ([i * 0.9 for i in range(20)], [10.0, 21.0]),  # 10 s at most; then another 10 s, for those that trigger again
        ([5.0, 5.5], [7.0]),
    ],
    ids=str,
)
def test_batch_window(since: Sequence[float], asked: Sequence[float]) -> None:
    """One second without a new pod closes it, ten seconds at most."""

    def world(now: float) -> World:
        return World((SMALL,), pending=[waits(f"j{i}", 1.0, since=t) for i, t in enumerate(since) if t <= now])

    scaler = Karpenter()
    times, bought = [], 0
    for step in range(25):
        now = float(step)
        seen = world(now)
        seen.nodes = [Node(i, state=BOOTING, created=0.0) for i in range(bought)]
        for action in scaler.step(now, seen.seen()):
            assert isinstance(action, Grow)
            bought += action.count
            times.append(now)
    assert times == asked


def test_pods_that_still_wait_trigger_again_after_ten_seconds() -> None:
    times = [at for at, _ in run(World(PAIR, pending=many(1, 1.0)), 30.0)]
    assert times == [1.0, 11.0, 21.0]


# ------------------------------------------------------------------------------------------------ disruption


def node(server: int, group: int, *sizes: float, **more: Any) -> Node:
    held = tuple(runs(f"n{server}-{i}", size) for i, size in enumerate(sizes))
    return Node(server, group, READY, held, created=more.pop("created", 0.0), **more)


def fixed(server: int, group: int, size: float) -> Node:
    return Node(server, group, READY, (runs(f"f{server}", size, movable=False, why="a budget of 0"),), created=0.0)


def first(world: Look, until: float = 16.0, **terms: Any) -> tuple[float, tuple[int, ...], int]:
    """When nodes first go, which, and what takes their place (-1: nothing); infinity if none go."""
    for at, action in run(world, until, **{"budgets": FREELY, **terms}):
        if isinstance(action, Remove):
            return at, action.servers, -1
        if isinstance(action, Replace):
            return at, action.servers, action.group
    return math.inf, (), -1


NONE = (math.inf, (), -1)
SPOT = tuple(replace(SMALL, name=f"s{i}", spot=True, price=(i + 1) / 100 / HOUR) for i in range(16))

DISRUPTED: list[tuple[str, World, dict[str, Any], tuple[float, tuple[int, ...], int]]] = [
    ("an empty node, 15 s after it was proposed", World(PAIR, [node(0, 1)]), {}, (15.0, (0,), -1)),
    ("at once without validation", World(PAIR, [node(0, 1)]), {"validation": 0.0}, (0.0, (0,), -1)),
    ("all empty ones at a time", World(PAIR, [node(i, i % 2) for i in range(4)]), {}, (15.0, (1, 3, 0, 2), -1)),
    ("empty ones before others", World(PAIR, [node(0, 1, 1.0), node(1, 1), node(2, 0)]), {}, (15.0, (1, 2), -1)),
    (
        "a tenth of the nodes, rounded up",
        World(PAIR, [node(i, 1) for i in range(11)]),
        {"budgets": [{"nodes": "10%"}]},
        (15.0, (0, 1), -1),
    ),
    ("a count", World(PAIR, [node(i, 1) for i in range(11)]), {"budgets": [{"nodes": "3"}]}, (15.0, (0, 1, 2), -1)),
    (
        "the strictest budget holds",
        World(PAIR, [node(i, 1) for i in range(11)]),
        {"budgets": [{"nodes": "50%"}, {"nodes": 1}]},
        (15.0, (0,), -1),
    ),
    (
        "broken nodes count against it",
        World(PAIR, [node(i, 1) for i in range(11)] + [Node(20, 1, FAILED)]),
        {"budgets": [{"nodes": "2"}]},
        (15.0, (0,), -1),
    ),
    (
        "so do draining ones",
        World(PAIR, [node(i, 1) for i in range(11)] + [Node(20, 1, DRAINING)]),
        {"budgets": [{"nodes": "1"}]},
        NONE,
    ),
    (
        "nodes that boot do not count at all",
        World(PAIR, [node(i, 1) for i in range(10)] + [Node(20 + i, 1, BOOTING, created=0.0) for i in range(9)]),
        {"budgets": [{"nodes": "10%"}]},
        (15.0, (0,), -1),
    ),
    (
        "a budget of 0 for empty ones",
        World(PAIR, [node(0, 1)]),
        {"budgets": [{"nodes": "0", "reasons": ["Empty"]}]},
        NONE,
    ),
    (
        "does not bind the others",
        World((BIG,), [node(0, 0, 1.0), fixed(1, 0, 2.0)]),
        {"budgets": [{"nodes": "0", "reasons": ["Empty"]}]},
        (15.0, (0,), -1),
    ),
    (
        "a budget of 0 for the underutilized",
        World((BIG,), [node(0, 0, 1.0), fixed(1, 0, 2.0)]),
        {"budgets": [{"nodes": "0%", "reasons": ["Underutilized"]}]},
        NONE,
    ),
    ("its jobs fit on the rest", World((BIG,), [node(0, 0, 3.0), fixed(1, 0, 4.0)]), {}, (15.0, (0,), -1)),
    ("its jobs do not", World((BIG,), [node(0, 0, 5.0), fixed(1, 0, 4.0)]), {}, NONE),
    ("they may not be evicted", World((BIG,), [fixed(0, 0, 3.0), fixed(1, 0, 4.0)]), {}, NONE),
    (
        "they would not do there",
        World((BIG, BIG), [Node(0, 0, READY, (runs("a", 3.0, groups=(0,)),)), fixed(1, 1, 4.0)]),
        {},
        NONE,
    ),
    ("only empty ones by policy", World((BIG,), [node(0, 0, 3.0), fixed(1, 0, 4.0)]), {"policy": "WhenEmpty"}, NONE),
    ("one cheaper node takes its place", World(PAIR, [node(0, 1, 1.0)]), {}, (15.0, (0,), 0)),
    ("the cheapest of several", World(ALL, [node(0, 2, 2.0)]), {}, (15.0, (0,), 1)),
    ("none that is as dear", World((BIG, replace(BIG, name="other")), [node(0, 0, 2.0)]), {}, NONE),
    ("not two cheaper ones", World(PAIR, [node(0, 1, 1.0, 1.0)]), {}, NONE),
    ("none beyond its maximum", World((replace(SMALL, maximum=1), BIG), [node(0, 1, 1.0), fixed(1, 0, 1.0)]), {}, NONE),
    ("none of a group that failed lately", World((replace(SMALL, failed=0.0), BIG), [node(0, 1, 1.0)]), {}, NONE),
    ("two nodes give way to one", World(ALL, [node(0, 2, 3.0), node(1, 2, 3.0)]), {}, (15.0, (0, 1), 1)),
    ("three at once", World(ALL, [node(i, 2, 2.0) for i in range(3)]), {}, (15.0, (0, 1, 2), 1)),
    (
        "two nodes of one type are not exchanged for one of it",
        World((BIG,), [node(0, 0, 3.0), node(1, 0, 4.0)]),
        {},
        (15.0, (0,), -1),
    ),
    (
        "two move onto a third",
        World((BIG,), [node(0, 0, 2.0), node(1, 0, 2.0), fixed(2, 0, 4.0)]),
        {},
        (15.0, (0, 1), -1),
    ),
    (
        "the one with fewer jobs goes",
        World((BIG,), [node(0, 0, 1.0, 1.0), node(1, 0, 1.0), fixed(2, 0, 7.0)]),
        {},
        (15.0, (1,), -1),
    ),
    (
        "the one whose job matters less",
        World(
            (BIG,),
            [Node(0, 0, READY, (runs("a", 1.0, priority=2.0**25),), created=0.0), node(1, 0, 1.0), fixed(2, 0, 7.0)],
        ),
        {},
        (15.0, (1,), -1),
    ),
    (
        "the dearer one",
        World((replace(BIG, price=6 / HOUR), BIG), [node(0, 0, 1.0), node(1, 1, 1.0), fixed(2, 0, 7.0)]),
        {},
        (15.0, (1,), -1),
    ),
    (
        "not the dearer one where that is more to disrupt: 6 / 2 is more than 7 / 3",
        World((replace(BIG, price=6 / HOUR), BIG), [node(0, 0, 2.0), node(1, 1, 1.0, 1.0), fixed(2, 0, 6.0)]),
        {},
        (15.0, (0,), -1),
    ),
    (
        "no decision by a node that is not up",
        World((BIG,), [node(0, 0, 3.0), Node(1, 0, STARTING, created=0.0)]),
        {},
        NONE,
    ),
    (
        "room is kept for jobs of draining nodes",
        World((BIG,), [node(0, 0, 3.0), fixed(1, 0, 4.0), Node(2, 0, DRAINING, (runs("z", 2.0),))]),
        {},
        NONE,
    ),
    ("a group at its minimum", World((replace(BIG, minimum=1),), [node(0, 0)]), {}, NONE),
    (
        "a node for jobs that wait",
        World((BIG,), [node(0, 0), Node(1, 0, BOOTING, created=0.0)], many(1, 16.0, servers=0)),
        {},
        NONE,
    ),
    (
        "spot nodes are not exchanged for spot ones",
        World((replace(SMALL, spot=True), replace(BIG, spot=True)), [node(0, 1, 1.0)]),
        {},
        NONE,
    ),
    (
        "not even when told so, with few to choose from",
        World((replace(SMALL, spot=True), replace(BIG, spot=True)), [node(0, 1, 1.0)]),
        {"spot_to_spot": True},
        NONE,
    ),
    ("14 cheaper ones are too few", World(SPOT, [node(0, 14, 1.0)]), {"spot_to_spot": True}, NONE),
    ("15 cheaper ones are enough", World(SPOT, [node(0, 15, 1.0)]), {"spot_to_spot": True}, (15.0, (0,), 0)),
    (
        "several spot nodes for one need no such choice",
        World(tuple(replace(group, spot=True) for group in ALL), [node(0, 2, 3.0), node(1, 2, 3.0)]),
        {"spot_to_spot": True},
        (15.0, (0, 1), 1),
    ),
    (
        "spot nodes go when their jobs fit elsewhere",
        World((replace(BIG, spot=True),), [node(0, 0, 3.0), fixed(1, 0, 4.0)]),
        {},
        (15.0, (0,), -1),
    ),
    (
        "an on-demand node gives way to a spot one",
        World((replace(SMALL, spot=True), BIG), [node(0, 1, 1.0)]),
        {},
        (15.0, (0,), 0),
    ),
    ("never", World(PAIR, [node(0, 1)]), {"consolidate_after": math.inf}, NONE),
]


@pytest.mark.parametrize(
    ("world", "terms", "wanted"), [row[1:] for row in DISRUPTED], ids=[row[0] for row in DISRUPTED]
)
def test_disruption(world: World, terms: dict[str, Any], wanted: tuple[float, tuple[int, ...], int]) -> None:
    assert first(world, **terms) == wanted


def test_consolidate_after_counts_from_the_last_job() -> None:
    def world(now: float) -> World:
        held = (1.0, 1.0) if now < 40.0 else (1.0,)
        return World((BIG,), [node(0, 0, *held), fixed(1, 0, 4.0)])

    # seen to change at 40 s, so a candidate from 100 s on
    assert first(world, 200.0, consolidate_after=60.0) == (115.0, (0,), -1)
    assert first(World(PAIR, [node(0, 1, idle=30.0)]), 200.0, consolidate_after=60.0) == (105.0, (0,), -1)


def test_a_proposal_that_no_longer_holds_is_dropped() -> None:
    """Work comes to the empty node while it is validated; the loop goes on with the next method."""

    def world(now: float) -> World:
        return World((BIG,), [node(0, 0) if now < 10.0 else node(0, 0, 6.0), fixed(1, 0, 4.0)])

    assert first(world, 60.0) == NONE
    scaler = Karpenter(budgets=FREELY)
    for step in range(16):
        scaler.step(float(step), world(float(step)).seen())
    assert scaler.explain(0) == "there is no cheaper node"


def test_some_of_several_empty_nodes_may_still_go() -> None:
    def world(now: float) -> World:
        return World((BIG,), [node(0, 0), node(1, 0) if now < 10.0 else node(1, 0, 8.0)])

    assert first(world) == (15.0, (0,), -1)


def test_a_replacement_that_is_no_longer_what_is_needed_is_dropped() -> None:
    def world(now: float) -> World:
        return World(PAIR, [node(0, 1, *((1.0,) if now < 10.0 else (1.0, 1.0)))])

    assert first(world, 40.0) == NONE


def test_a_deletion_that_would_need_a_node_now_is_dropped() -> None:
    def world(now: float) -> World:
        return World(PAIR, [node(0, 1, 1.0), fixed(1, 1, 4.0 if now < 10.0 else 8.0)])

    assert first(world, 14.0) == NONE
    assert first(world, 15.0) == NONE
    assert first(world, 40.0) == (31.0, (0,), 0)  # the next loop proposes an exchange


def test_the_loop_acts_one_command_after_the_other() -> None:
    """A command is followed by the next loop at once, and nodes on their way out count against the budget."""
    left = {i: node(i, 1) for i in range(10)}
    scaler, gone = Karpenter(budgets=[{"nodes": "2"}]), []
    for step in range(70):
        now = float(step)
        for action in scaler.step(now, World(PAIR, list(left.values())).seen()):
            assert isinstance(action, Remove)
            gone.append((now, action.servers))
            for server in action.servers:
                left[server] = replace(left[server], state=DRAINING)
        if now == 40.0:
            left = {i: one for i, one in left.items() if one.state == READY}
    # nothing while two are draining; then the loop, 10 s apart from 16 s on, proposes at 46 s
    assert gone == [(15.0, (0, 1)), (61.0, (2, 3))]


def test_a_node_that_waits_for_its_replacement_is_no_candidate_for_ten_minutes() -> None:
    """It counts against the budget as long, and may be proposed again when nothing came of it."""
    found = run(World(PAIR, [node(0, 1, 1.0)]), 700.0, budgets=FREELY)
    assert [(at, type(action)) for at, action in found] == [(15.0, Replace), (631.0, Replace)]


def test_expired_nodes_go_whatever_runs_there() -> None:
    old = Node(0, 0, READY, (runs("x", 8.0, movable=False),), created=-100.0)
    found = run(World((BIG,), [old, fixed(1, 0, 8.0)]), 3.0, expire_after=102.0, budgets=[{"nodes": "0"}])
    assert [(at, action.rule) for at, action in found] == [(2.0, "expiration")]
    held = run(World((replace(BIG, minimum=1),), [old]), 3.0, expire_after=102.0)
    assert [(at, type(action)) for at, action in held] == [(2.0, Replace)]
    stuck = run(World((replace(BIG, minimum=1, maximum=1),), [old]), 3.0, expire_after=102.0)
    assert stuck == []


def test_a_node_that_never_comes_is_given_up_after_15_minutes() -> None:
    found = run(World((BIG,), [Node(0, 0, BOOTING, created=0.0)]), 910.0)
    at, action = found[0]
    assert (at, action.rule) == (901.0, "liveness")
    kept = World((replace(BIG, minimum=1),), [Node(0, 0, BOOTING, created=0.0)])
    assert run(kept, 910.0) == []


@pytest.mark.parametrize(
    ("world", "terms", "why"),
    [
        (World((BIG,), [node(0, 0, 5.0), fixed(1, 0, 4.0)]), {}, "there is no cheaper node"),
        (World((replace(BIG, maximum=2),), [node(0, 0, 5.0), fixed(1, 0, 4.0)]), {}, "n0-0 fits nowhere else"),
        (World(PAIR, [node(0, 1, 1.0, 1.0)]), {}, "there is no cheaper node"),
        (World((SMALL, replace(BIG, maximum=1)), [node(0, 1, 1.0, 1.0)]), {}, "it would take 2 new nodes"),
        (World((BIG,), [fixed(0, 0, 5.0)]), {}, "f0 may not be evicted: a budget of 0"),
        (World((BIG,), [node(0, 0, 5.0)]), {"policy": "WhenEmpty"}, "it is not empty, and the policy is WhenEmpty"),
        (World((replace(BIG, minimum=1),), [node(0, 0)]), {}, "group big is at its minimum of 1"),
        (World((BIG,), [node(0, 0)]), {}, "emptiness is proposed, and validated in 15 s"),
        (World((BIG,), [node(0, 0)]), {"consolidate_after": math.inf}, "consolidation is switched off"),
        (World((BIG,), [node(0, 0, idle=0.0)]), {"consolidate_after": 60.0}, "jobs came or went less than 60 s ago"),
        (
            World((BIG,), [node(0, 0), node(1, 0), Node(2, 0, FAILED)]),
            {"budgets": [{"nodes": "10%"}]},
            "the budget 10% for Empty lets 1 of 3 nodes go at a time, 1 are going or broken",
        ),
        (
            World((BIG,), [node(0, 0, 3.0), Node(1, 0, STARTING, created=0.0)]),
            {},
            "n0-0 would go to a node that is not up yet",
        ),
        (
            World((BIG,), [node(0, 0), Node(1, 0, BOOTING, created=0.0)], many(1, 16.0, servers=0)),
            {},
            "jobs that wait are expected there",
        ),
        (
            World(tuple(replace(g, spot=True) for g in PAIR), [node(0, 1, 1.0)]),
            {},
            "spot nodes are not exchanged for spot nodes (spot_to_spot is off)",
        ),
        (
            World(tuple(replace(g, spot=True) for g in PAIR), [node(0, 1, 1.0)]),
            {"spot_to_spot": True},
            "1 spot groups are cheaper, fewer than 15",
        ),
        (World((BIG,), [Node(0, 0, DRAINING)]), {}, "it is on its way out"),
        (World((BIG,), [Node(0, 0, FAILED)]), {}, "it is broken, and counts against the budgets"),
        (World((BIG,), [Node(0, 0, BOOTING, created=0.0)]), {}, "it is booting"),
        (World((BIG,)), {}, "node 0 is not there"),
    ],
    ids=str,
)
def test_explanations(world: World, terms: dict[str, Any], why: str) -> None:
    scaler = Karpenter(**{"budgets": FREELY, **terms})
    assert scaler.explain(0) == "no step yet"
    scaler.step(0.0, world.seen())
    assert scaler.explain(0) == why


def test_actions_say_why() -> None:
    (_, action), *_ = run(World(ALL, [node(0, 2, 2.0)]), 16.0, budgets=FREELY)
    assert isinstance(action, Replace)
    assert action.rule == "single-node consolidation: replace"
    assert action.inputs == {
        "nodes": 1.0,
        "jobs": 1.0,
        "cost": pytest.approx(2.0),
        "saved_per_hour": pytest.approx(2.0),
    }
    assert action.runner_up == "keep"
    (_, action), *_ = run(World((SMALL, MID, BIG), [node(0, 2, 1.0)]), 16.0, budgets=FREELY)
    assert action.runner_up == "mid (5 $/h)"


@pytest.mark.parametrize(
    ("priorities", "cost"),
    [
        ([], 1.0),
        ([0.0], 2.0),
        ([0.0, 0.0], 3.0),
        ([2.0**25], 3.0),
        ([1e9], 11.0),
        ([-(2.0**31)], 1.0),
        ([-(2.0**31), 0.0], 2.0),
    ],
)
def test_disruption_cost(priorities: Sequence[float], cost: float) -> None:
    held = [runs(f"r{i}", priority=priority) for i, priority in enumerate(priorities)]
    assert disruption_cost(held) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("given", "total", "reason", "allowed"),
    [
        ([{"nodes": "10%"}], 0, "Empty", 0),
        ([{"nodes": "10%"}], 1, "Empty", 1),
        ([{"nodes": "10%"}], 10, "Empty", 1),
        ([{"nodes": "10%"}], 11, "Empty", 2),
        ([{"nodes": "33%"}], 100, "Empty", 33),
        ([{"nodes": "0%"}], 100, "Empty", 0),
        ([{"nodes": "100%"}], 7, "Empty", 7),
        ([{"nodes": 5}], 3, "Empty", 5),
        ([{"nodes": "5"}, {"nodes": "50%"}], 8, "Drifted", 4),
        ([{"nodes": "5", "reasons": ["Empty"]}], 8, "Drifted", math.inf),
        ([{"nodes": "5", "reasons": ["Empty"]}, {"nodes": "1"}], 8, "Empty", 1),
        ([{}], 20, "Empty", 2),
        ([], 20, "Empty", math.inf),
    ],
    ids=str,
)
def test_budgets(given: list[dict[str, Any]], total: int, reason: str, allowed: float) -> None:
    assert strictest(budgets(given), total, reason)[0] == allowed


def test_budgets_that_contradict_each_other_are_named() -> None:
    known = budgets([{"nodes": "50%"}, {"nodes": "10%"}, {"nodes": "0", "reasons": ["Empty"]}])
    assert remarks(known) == (
        "budget 1 (50%) never matters: budget 2 (10%) does",
        "budget 3 (0) lets no node go for Empty",
    )
    assert remarks(budgets([{"nodes": "10%"}, {"nodes": "5"}])) == ()
    assert (
        remarks(budgets([{"nodes": "5", "reasons": ["Empty"]}, {"nodes": "7", "reasons": ["Empty", "Drifted"]}])) == ()
    )
    assert Karpenter(budgets=[{"nodes": "3"}, {"nodes": "3"}]).remarks == (
        "budget 2 (3) never matters: budget 1 (3) does",
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"policy": "Always"}, "policy is 'Always'; it must be 'WhenEmpty' or 'WhenEmptyOrUnderutilized'"),
        ({"interval": math.inf}, "interval is inf s; it must be above 0"),
        ({"batch_idle": -1.0}, "batch_idle is -1 s; it must be 0 or more"),
        ({"expire_after": 0.0}, "expire_after is 0 s; it must be above 0"),
        (
            {"budgets": [{"nodes": "110%"}]},
            "budget 1: nodes is '110%'; it must be a count, or a percentage from 0% to 100%",
        ),
        ({"budgets": [{"nodes": -1}]}, "budget 1: nodes is '-1'; it must be a count, or a percentage from 0% to 100%"),
        ({"budgets": [{}, {"node": 1}]}, "budget 2: unknown key 'node'. Did you mean 'nodes'? Known: nodes, reasons."),
        ({"budgets": [{"schedule": "@daily"}]}, "budget 1: schedule is not modelled; a budget holds all the time"),
        ({"budgets": [{"reasons": ["Idle"]}]}, "budget 1: reason is 'Idle'. Known: Drifted, Empty, Underutilized."),
    ],
    ids=str,
)
def test_bad_parameters(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Karpenter(**terms)
    assert str(caught.value) == message


def test_a_hundred_nodes_at_most_are_looked_at_together() -> None:
    """``firstNConsolidationOption`` goes through 0 to 100, so 101 nodes at most."""
    nodes = [node(i, 0, 1.0) for i in range(300)]
    ((_, action), *_) = run(World((replace(BIG, accelerators=400.0, maximum=500),), nodes), 16.0, budgets=FREELY)
    assert isinstance(action, Remove)
    assert len(action.servers) == 101


@settings(max_examples=120, deadline=None)
@given(worlds(), st.sampled_from(["0", "1", "10%", "60%", "100%"]))
def test_laws(world: World, budget: str) -> None:
    """Never above a maximum or below a minimum; budgets hold; nobody is evicted who has no place or may not be."""
    scaler = Karpenter(budgets=[{"nodes": budget}], poll=2.0, validation=3.0)
    draining: list[int] = []
    for step in range(12):
        seen = world.seen()
        sizes, now = [group.size for group in seen.groups], float(step)
        up = [one for one in world.nodes if one.state in (READY, DRAINING, FAILED)]
        for action in scaler.step(now, seen):
            assert action.rule
            if isinstance(action, Grow | Replace):
                sizes[action.group] += action.count
                assert sizes[action.group] <= seen.groups[action.group].maximum
            if isinstance(action, Remove):
                assert held_elsewhere(world, action.servers)
            if isinstance(action, Remove | Replace):
                for one in [one for one in world.nodes if one.server in action.servers]:
                    assert all(resident.movable for resident in one.residents)
                    if isinstance(action, Remove):
                        sizes[one.group] -= 1
                        assert sizes[one.group] >= seen.groups[one.group].minimum
                draining += action.servers
                out = [one for one in up if one.state != READY or one.server in draining]
                limit, _ = strictest(budgets([{"nodes": budget}]), len(up), "Empty")
                assert len(out) <= max(limit, sum(one.state != READY for one in up))
        for one in world.nodes:
            assert scaler.explain(one.server)


@pytest.mark.parametrize("servers", [1, 0])
def test_speed_of_packing(servers: int) -> None:
    """5,000 pods; the limit is four times what was asked for, since other things may run on the machine."""
    pending = [waits(f"j{i}", 1.0 + i % (4 if servers else 20), servers=servers) for i in range(5000)]
    seen = replace(large(0), groups=(SMALL, replace(MID, maximum=5000), replace(BIG, maximum=5000)), pending=pending)

    def provision() -> None:
        scaler = Karpenter()
        scaler.step(0.0, seen)
        begin = time.process_time()
        assert scaler.step(1.0, seen)
        assert time.process_time() - begin < 1.2

    assert cpu_seconds(provision, 3) < 2.4


def test_speed_of_a_search() -> None:
    """A thousand busy nodes of one type; the limit is five times what was measured."""
    seen = large(1000)
    assert cpu_seconds(lambda: Karpenter().step(0.0, seen), 3) < 0.1


CORES = GroupView("c", cores=32.0, maximum=100, price=2 / HOUR)


@pytest.mark.parametrize(
    ("states", "share", "gone"),
    [
        *[([READY] * 10, share, gone) for share, gone in (("100%", 10), ("30%", 3), ("0%", 0), ("5%", 1))],
        ([DRAINING] * 2 + [READY] * 8, "100%", 8),  # those that go count
        ([FAILED] * 2 + [READY] * 8, "100%", 8),  # as do those that are not ready
        ([DRAINING] * 10, "10%", 0),
        ([READY] * 10 + [STARTING], "100%", 10),  # those that are not initialised do not
    ],
)
def test_budgets_of_its_own_suite(states: Sequence[NodeState], share: str, gone: int) -> None:
    """Numbers of pkg/controllers/disruption/{suite,emptiness,consolidation}_test.go."""
    seen = World((CORES,), [Node(at, 0, state) for at, state in enumerate(states)]).seen()
    actions = Karpenter(validation=0.0, budgets=[{"nodes": share}]).step(0.0, seen)
    assert sum(len(action.servers) for action in actions if isinstance(action, Remove)) == gone


def test_a_budget_of_its_own_suite_lets_three_of_ten_go_at_once() -> None:
    nodes = [Node(at, 0, READY, (runs(f"p{at}", cores=0.1),)) for at in range(10)]
    (action,) = Karpenter(validation=0.0, budgets=[{"nodes": "30%"}]).step(0.0, World((CORES,), nodes).seen())
    assert isinstance(action, Remove)
    assert len(action.servers) == 3


def test_residents_do_not_go_where_something_changed_of_late() -> None:
    scaler = Karpenter(validation=0.0, consolidate_after=30.0, budgets=FREELY)
    world = World((BIG,), [node(0, 0, 1.0), node(1, 0, 1.0)])
    assert scaler.step(0.0, world.seen()) == []
    world.nodes[1] = node(1, 0, 1.0, 1.0)
    assert scaler.step(20.0, world.seen()) == []
    assert scaler.step(30.0, world.seen()) == []  # the first is calm, the second not: nothing can go
    assert scaler.explain(0) == "there is no cheaper node"
    assert [action.servers for action in scaler.step(50.0, world.seen()) if isinstance(action, Remove)] == [(0,)]
