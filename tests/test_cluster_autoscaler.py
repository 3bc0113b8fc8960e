"""Cluster Autoscaler: observation in, actions out, with times, boundaries and reasons."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_world import BOOTING, DRAINING, FAILED, READY, STARTING, Node, World, many, runs, waits

from simulator.policies.scaling.cluster_autoscaler import ClusterAutoscaler
from simulator.policies.supply import GroupView, Grow, Nodes, Remove, SupplyAction, SupplyObservation, autoscalers

GPU = GroupView("gpu", accelerators=8.0, maximum=100)
CPU = GroupView("cpu", cores=4.0, memory=16e9, maximum=100)


def test_registry_knows_it_with_the_defaults_of_the_flags() -> None:
    assert autoscalers.get("cluster-autoscaler") is ClusterAutoscaler
    made = ClusterAutoscaler()
    assert (made.interval, made.expander, made.detailed) == (10.0, "least-waste", True)
    assert (made.scale_down_unneeded_time, made.scale_down_unready_time) == (600.0, 1200.0)


def grown(world: World, now: float = 0.0, **flags: Any) -> list[tuple[int, int]]:
    actions = ClusterAutoscaler(**flags).step(now, world.seen())
    return [(action.group, action.count) for action in actions if isinstance(action, Grow)]


# --------------------------------------------------------------------------------------------------- growing

IDLE = Node(0)
FULL = Node(0, residents=(runs("full", 8.0),))

GROWTH: list[tuple[str, World, dict[str, Any], list[tuple[int, int]]]] = [
    ("nothing waits", World(), {}, []),
    ("one pod, one node", World(pending=many(1, 8.0, servers=1)), {}, [(0, 1)]),
    ("pods share a node", World(pending=many(4, 2.0, servers=1)), {}, [(0, 1)]),
    ("seventeen of 2 need five nodes of 8", World(pending=many(17, 2.0, servers=1)), {}, [(0, 5)]),
    ("a pod that fits now", World(nodes=[IDLE], pending=many(1, 8.0, servers=1)), {}, []),
    ("two pods, one fits now", World(nodes=[IDLE], pending=many(2, 8.0, servers=1)), {}, [(0, 1)]),
    ("a booting node is awaited", World(nodes=[Node(0, state=BOOTING, created=0)], pending=many(1, 8.0)), {}, []),
    ("a starting node is awaited", World(nodes=[Node(0, state=STARTING, created=0)], pending=many(1, 8.0)), {}, []),
    (
        "without the label a starting node has no accelerators, and too many are bought",
        World(nodes=[Node(0, state=STARTING, created=0)], pending=many(1, 8.0)),
        {"accelerator_label": False},
        [(0, 1)],
    ),
    (
        "without the label a booting node is awaited all the same",
        World(nodes=[Node(0, state=BOOTING, created=0)], pending=many(1, 8.0)),
        {"accelerator_label": False},
        [],
    ),
    ("draining nodes hold nothing", World(nodes=[Node(0, state=DRAINING)], pending=many(1, 8.0)), {}, [(0, 1)]),
    ("broken nodes hold nothing", World(nodes=[Node(0, state=FAILED)], pending=many(1, 8.0)), {}, [(0, 1)]),
    ("too large for any node", World(pending=many(1, 16.0, servers=1)), {}, []),
    ("wrong type", World(pending=many(1, 8.0, groups=())), {}, []),
    ("a gang takes whole nodes", World(pending=many(1, 32.0, servers=0)), {}, [(0, 4)]),
    ("a gang over few servers", World(pending=many(1, 32.0, servers=4)), {}, [(0, 4)]),
    ("a gang over too few servers", World(pending=many(1, 32.0, servers=3)), {}, []),
    ("a gang and what is free", World(nodes=[IDLE, Node(1)], pending=many(1, 32.0, servers=0)), {}, [(0, 2)]),
    (
        "a gang is all or nothing",
        World(groups=(replace(GPU, maximum=3),), pending=many(1, 32.0, servers=0)),
        {},
        [],
    ),
    (
        "pods are helped as far as the maximum goes",
        World(groups=(replace(GPU, maximum=3),), nodes=[FULL], pending=many(9, 8.0, servers=1)),
        {},
        [(0, 2)],
    ),
    ("a full group", World(groups=(replace(GPU, maximum=1),), nodes=[FULL], pending=many(1, 8.0)), {}, []),
    ("limit of all nodes", World(nodes=[FULL], pending=many(9, 8.0, servers=1)), {"max_nodes_total": 4}, [(0, 3)]),
    ("limit of one loop", World(pending=many(9, 8.0, servers=1)), {"max_nodes_per_scaleup": 2}, [(0, 2)]),
    ("gangs on half nodes share them", World(pending=many(2, 12.0, servers=0)), {}, [(0, 3)]),
    ("small jobs that may be split share a node", World(pending=many(8, 1.0, servers=0)), {}, [(0, 1)]),
    ("no scale-up for expendable pods", World(pending=many(1, 8.0, priority=-11.0)), {}, []),
    ("priority at the cutoff counts", World(pending=many(1, 8.0, priority=-10.0)), {}, [(0, 1)]),
    (
        "one group at a time",
        World(groups=(GPU, CPU), pending=[waits("g", 8.0), waits("c", cores=4.0, groups=(1,))]),
        {"expander": "most-pods,priority", "priorities": ["cpu"]},
        [(1, 1)],
    ),
]


@pytest.mark.parametrize(("world", "flags", "wanted"), [row[1:] for row in GROWTH], ids=[row[0] for row in GROWTH])
def test_growth(world: World, flags: dict[str, Any], wanted: list[tuple[int, int]]) -> None:
    assert grown(world, **flags) == wanted


def test_a_new_pod_may_have_to_wait_for_its_scale_up() -> None:
    world = World(pending=[waits("j", 8.0, since=100.0)])
    assert grown(world, 129.9, new_pod_scale_up_delay=30.0) == []
    assert grown(world, 130.0, new_pod_scale_up_delay=30.0) == [(0, 1)]


BIG = GroupView("big", accelerators=8.0, cores=64.0, memory=512e9, price=3.0, maximum=50)
SMALL = GroupView("small", accelerators=1.0, cores=16.0, memory=64e9, price=0.5, maximum=50)
NARROW = GroupView("narrow", accelerators=1.0, cores=4.0, memory=16e9, price=0.6, maximum=1)
THREE = (BIG, SMALL, NARROW)
FOUR_PODS = many(4, 1.0, cores=4.0, memory=16e9, servers=1)


@pytest.mark.parametrize(
    ("flags", "wanted", "runner_up"),
    [
        # big: 48/64 cores and 448/512 bytes idle; small: 3/4 and 3/4; narrow: nothing idle
        ({"expander": "least-waste"}, (2, 1), "small (least-waste 1.5)"),
        ({"expander": "least-nodes"}, (0, 1), "narrow (least-nodes 1)"),
        ({"expander": "most-pods,least-nodes"}, (0, 1), "small (most-pods -4)"),
        ({"expander": "price"}, (1, 4), "narrow (price 0.6)"),
        ({"expander": "priority", "priorities": ["nar*", "small"]}, (2, 1), "small (priority 1)"),
        ({"expander": "priority", "priorities": ["small"]}, (1, 4), "big (priority 1)"),
    ],
    ids=str,
)
def test_expanders(flags: dict[str, Any], wanted: tuple[int, int], runner_up: str) -> None:
    (action,) = ClusterAutoscaler(**flags).step(0.0, World(groups=THREE, pending=FOUR_PODS).seen())
    assert isinstance(action, Grow)
    assert (action.group, action.count) == wanted
    assert action.rule == f"expander {flags['expander']}"
    if flags["expander"] != "least-nodes":
        assert action.runner_up == runner_up
    assert action.inputs["pending"] == 4


def test_expander_random_is_random_and_repeats() -> None:
    """All groups come up; the same seed draws the same; ``reset`` begins anew."""
    drawn = []
    scaler = ClusterAutoscaler(expander="random", seed=3)
    for _ in range(40):
        (action,) = scaler.step(0.0, World(groups=THREE, pending=FOUR_PODS).seen())
        assert isinstance(action, Grow)
        drawn.append(action.group)
    assert sorted(set(drawn)) == [0, 1, 2]
    scaler.reset()
    again = [scaler.step(0.0, World(groups=THREE, pending=FOUR_PODS).seen()) for _ in range(40)]
    assert [one[0].group for one in again if isinstance(one[0], Grow)] == drawn


def test_a_group_that_failed_pauses_5_10_20_and_30_minutes() -> None:
    scaler, failed, asks = ClusterAutoscaler(), -math.inf, []
    for step in range(900):
        now = step * 10.0
        actions = scaler.step(now, World(groups=(replace(GPU, failed=failed),), pending=many(1, 8.0)).seen())
        if actions:
            asks.append(now)
            failed = now + 5.0
    gaps = [round((b - a) / 60, 2) for a, b in itertools.pairwise(asks)]
    assert gaps == [5.17, 10.17, 20.17, 30.17, 30.17, 30.17]


def test_another_group_takes_over_during_a_pause() -> None:
    scaler = ClusterAutoscaler(expander="least-nodes,price")
    cheap, dear = replace(GPU, price=1.0), replace(GPU, name="dear", price=2.0)
    assert scaler.step(0.0, World(groups=(cheap, dear), pending=many(1, 8.0)).seen())[0].group == 0  # type: ignore[union-attr]
    broken = replace(cheap, failed=1.0)
    assert scaler.step(10.0, World(groups=(broken, dear), pending=many(1, 8.0)).seen())[0].group == 1  # type: ignore[union-attr]


def test_a_node_that_never_comes_is_given_up_after_15_minutes() -> None:
    world = World(nodes=[Node(4, state=BOOTING, created=0.0)], pending=many(1, 8.0))
    scaler = ClusterAutoscaler()
    assert scaler.step(900.0, world.seen()) == []
    (action,) = scaler.step(901.0, world.seen())
    assert isinstance(action, Remove)
    assert (action.servers, action.rule, action.inputs["limit"]) == ((4,), "max-node-provision-time", 900.0)
    assert scaler.step(911.0, World(pending=many(1, 8.0)).seen()) == []  # its group pauses
    assert scaler.step(901.0 + 300.0, World(pending=many(1, 8.0)).seen()) != []


@pytest.mark.parametrize(("unready", "ready", "halted"), [(3, 1, False), (4, 4, True), (4, 5, False), (5, 6, True)])
def test_all_scaling_stops_when_over_45_percent_and_over_three_are_unready(
    unready: int, ready: int, halted: bool
) -> None:
    broken = [Node(i, group=1, state=FAILED) for i in range(unready)]
    world = World(groups=(GPU, GPU), nodes=broken + [Node(50 + i, residents=(runs("x", 8.0),)) for i in range(ready)])
    world.pending = many(1, 8.0, groups=(0,))
    scaler = ClusterAutoscaler()
    assert (scaler.step(0.0, world.seen()) == []) == halted
    assert ("halted" in scaler.explain(50)) == halted


# ------------------------------------------------------------------------------------------------- shrinking


def shrink(
    world: World | Callable[[float], World], until: float, scaler: ClusterAutoscaler | None = None, **flags: Any
) -> tuple[float, list[SupplyAction]]:
    """The first actions, and when they come; loops are 10 s apart."""
    scaler = scaler or ClusterAutoscaler(**flags)
    for step in range(round(until / 10) + 1):
        now = step * 10.0
        actions = scaler.step(now, (world if isinstance(world, World) else world(now)).seen())
        if actions:
            return now, actions
    return math.inf, []


def names(actions: Sequence[SupplyAction]) -> list[tuple[tuple[int, ...], str]]:
    return [(action.servers, action.rule) for action in actions if isinstance(action, Remove)]


HALF = Node(1, residents=(runs("half", 4.0),))
LITTLE = Node(2, residents=(runs("little", 3.0),))

SHRINKING: list[tuple[str, World, dict[str, Any], float, list[tuple[tuple[int, ...], str]]]] = [
    ("an idle node, after more than 10 min", World(nodes=[IDLE]), {}, 610.0, [((0,), "empty")]),
    ("sooner if told so", World(nodes=[IDLE]), {"scale_down_unneeded_time": 60.0}, 70.0, [((0,), "empty")]),
    ("a busy node stays", World(nodes=[FULL]), {}, math.inf, []),
    ("half used is not below one half", World(nodes=[HALF, Node(3, residents=(runs("x", 4.0),))]), {}, math.inf, []),
    ("its jobs fit elsewhere", World(nodes=[LITTLE, HALF]), {}, 610.0, [((2,), "underutilized")]),
    ("its jobs fit nowhere", World(nodes=[LITTLE, FULL]), {}, math.inf, []),
    (
        "its jobs may not be evicted",
        World(nodes=[Node(2, residents=(runs("little", 3.0, movable=False),)), HALF]),
        {},
        math.inf,
        [],
    ),
    (
        "expendable jobs are no hindrance",
        World(nodes=[Node(2, residents=(runs("low", 3.0, movable=False, priority=-11.0),)), FULL]),
        {},
        610.0,
        [((2,), "underutilized")],
    ),
    (
        "its jobs would do on another group only",
        World(
            groups=(GPU, GPU),
            nodes=[Node(2, residents=(runs("l", 3.0, groups=(0,)),)), Node(3, 1, READY, (runs("m", 4.0),))],
        ),
        {},
        math.inf,
        [],
    ),
    ("the minimum of a group", World(groups=(replace(GPU, minimum=1),), nodes=[IDLE]), {}, math.inf, []),
    (
        "down to the minimum",
        World(groups=(replace(GPU, minimum=1),), nodes=[IDLE, Node(1), Node(2)]),
        {},
        610.0,
        [((0, 1), "empty")],
    ),
    (
        "ten empty ones at a time",
        World(nodes=[Node(i) for i in range(14)]),
        {},
        610.0,
        [(tuple(range(10)), "empty")],
    ),
    (
        "one drained at a time, empty ones first",
        World(nodes=[LITTLE, Node(3, residents=(runs("l", 2.0),)), IDLE, HALF]),
        {},
        610.0,
        [((0,), "empty"), ((2,), "underutilized")],
    ),
    (
        "none is drained while one is on its way out",
        World(nodes=[Node(9, state=DRAINING, residents=(runs("z", 1.0),)), LITTLE, HALF]),
        {},
        math.inf,
        [],
    ),
    (
        "room is kept for jobs of nodes on their way out",
        World(nodes=[Node(9, state=DRAINING, residents=(runs("z", 3.0),)), LITTLE, HALF]),
        {"max_drain_parallelism": 2},
        math.inf,
        [],
    ),
    ("a broken node, after 20 min", World(nodes=[Node(0, state=FAILED)]), {}, 1210.0, [((0,), "empty")]),
    (
        "cores decide where there are no accelerators",
        World(
            groups=(CPU,),
            nodes=[Node(0, residents=(runs("c", cores=1.0, memory=9e9),)), Node(1, residents=(runs("d", cores=3.0),))],
        ),
        {},
        math.inf,
        [],
    ),
    (
        "below one half of cores and of memory",
        World(
            groups=(CPU,),
            nodes=[Node(0, residents=(runs("c", cores=1.0, memory=7e9),)), Node(1, residents=(runs("d", cores=3.0),))],
        ),
        {},
        610.0,
        [((0,), "underutilized")],
    ),
    (
        "on accelerated nodes only accelerators count",
        World(
            groups=(replace(GPU, cores=64.0),),
            nodes=[Node(0, residents=(runs("c", 1.0, cores=60.0),)), Node(1, residents=(runs("d", 4.0, cores=4.0),))],
        ),
        {},
        610.0,
        [((0,), "underutilized")],
    ),
    ("switched off", World(nodes=[IDLE]), {"scale_down_enabled": False}, math.inf, []),
    (
        "a threshold of 0 keeps even empty ones",
        World(nodes=[IDLE]),
        {"scale_down_gpu_utilization_threshold": 0.0},
        math.inf,
        [],
    ),
    (
        "two nodes do not move onto one another",
        World(nodes=[LITTLE, Node(3, residents=(runs("l", 2.0),))]),
        {},
        610.0,
        [((2,), "underutilized")],
    ),
]


@pytest.mark.parametrize(
    ("world", "flags", "when", "gone"), [row[1:] for row in SHRINKING], ids=[row[0] for row in SHRINKING]
)
def test_shrinking(world: World, flags: dict[str, Any], when: float, gone: list[tuple[tuple[int, ...], str]]) -> None:
    at, actions = shrink(world, 1300.0, **flags)
    assert (at, names(actions)) == (when, gone)


def test_work_in_between_begins_the_ten_minutes_anew() -> None:
    def world(now: float) -> World:
        return World(nodes=[FULL if now == 300.0 else IDLE])

    assert shrink(world, 1300.0)[0] == 310.0 + 610.0


def test_a_node_that_takes_the_number_of_an_earlier_one_begins_anew() -> None:
    def world(now: float) -> World:
        return World(nodes=[Node(0, created=0.0 if now < 300.0 else 300.0)])

    assert shrink(world, 1300.0)[0] == 300.0 + 610.0


def test_scale_down_rests_10_minutes_after_an_addition() -> None:
    scaler = ClusterAutoscaler(scale_down_unneeded_time=0.0)
    assert scaler.step(0.0, World(pending=many(1, 8.0)).seen()) != []
    for step in range(1, 60):
        assert scaler.step(step * 10.0, World(nodes=[IDLE]).seen()) == []
    assert scaler.explain(0) == "scale-down rests for 10 s after an addition"
    assert names(scaler.step(600.0, World(nodes=[IDLE]).seen())) == [((0,), "empty")]


def test_unneeded_times_run_on_while_scale_down_rests() -> None:
    scaler = ClusterAutoscaler(scale_down_delay_after_add=3600.0)
    scaler.step(0.0, World(pending=many(1, 8.0)).seen())
    assert shrink(World(nodes=[IDLE]), 4000.0, scaler)[0] == 3600.0


def test_nothing_is_taken_in_a_loop_that_adds() -> None:
    scaler = ClusterAutoscaler(scale_down_unneeded_time=0.0, scale_down_delay_after_add=0.0)
    world = World(groups=(GPU, CPU), nodes=[Node(0, 1)])
    scaler.step(0.0, world.seen())
    world.pending = many(1, 8.0, groups=(0,))
    assert [type(action) for action in scaler.step(10.0, world.seen())] == [Grow]


def test_a_removal_that_does_not_happen_holds_the_next_up_for_3_minutes() -> None:
    scaler = ClusterAutoscaler(scale_down_unneeded_time=0.0)
    times = [step * 10.0 for step in range(40) if scaler.step(step * 10.0, World(nodes=[IDLE]).seen())]
    assert times == [10.0, 200.0, 390.0]


def test_delay_after_delete() -> None:
    scaler = ClusterAutoscaler(scale_down_unneeded_time=0.0, scale_down_delay_after_delete=60.0)
    scaler.step(0.0, World(nodes=[IDLE, Node(1)], groups=(GPU,)).seen())
    taken = []
    left = [LITTLE, HALF, Node(7, residents=(runs("x", 1.0),))]
    for step in range(1, 20):
        actions = scaler.step(step * 10.0, World(nodes=left).seen())
        gone = [server for servers, _ in names(actions) for server in servers]
        left = [node for node in left if node.server not in gone]
        taken += [step * 10.0] * len(gone)
    assert taken == [20.0, 80.0]


def test_a_node_that_could_not_be_emptied_is_looked_at_again_after_5_minutes() -> None:
    def world(now: float) -> World:
        return World(nodes=[LITTLE, FULL if now < 20.0 else HALF])

    assert shrink(world, 2000.0)[0] == 300.0 + 610.0
    assert shrink(world, 2000.0, unremovable_node_recheck_timeout=0.0)[0] == 20.0 + 610.0


def test_pods_that_wait_for_an_upcoming_node_keep_their_room() -> None:
    """A gang of 16 holds on to the idle node that it will share with the one that boots."""
    world = World(nodes=[IDLE, Node(1, state=BOOTING, created=0.0)], pending=many(1, 16.0, servers=0))
    assert shrink(world, 890.0) == (math.inf, [])


@pytest.mark.parametrize(
    ("world", "server", "why"),
    [
        (World(nodes=[IDLE]), 0, "unneeded for 3.33 of 10 min"),
        (World(nodes=[Node(0, state=FAILED)]), 0, "unready for 3.33 of 20 min"),
        (World(nodes=[FULL]), 0, "1 of it is requested, which is not below 0.5"),
        (World(nodes=[HALF]), 1, "0.5 of it is requested, which is not below 0.5"),
        (World(nodes=[LITTLE, FULL]), 2, "little fits nowhere else; it is looked at again in 100 s"),
        (
            World(nodes=[Node(2, residents=(runs("little", 3.0, movable=False, why="a budget of 0"),))]),
            2,
            "little may not be evicted: a budget of 0; it is looked at again in 100 s",
        ),
        (World(nodes=[Node(0, state=DRAINING)]), 0, "it is being drained"),
        (World(nodes=[Node(0, state=BOOTING, created=0.0)]), 0, "it is booting"),
        (World(), 5, "node 5 is not there"),
    ],
    ids=str,
)
def test_explanations(world: World, server: int, why: str) -> None:
    scaler = ClusterAutoscaler()
    for step in range(21):
        scaler.step(step * 10.0, world.seen())
    assert scaler.explain(server) == why


def test_explanations_when_it_is_time() -> None:
    world = World(groups=(replace(GPU, minimum=1),), nodes=[IDLE, Node(1)])
    scaler = ClusterAutoscaler()
    assert scaler.explain(0) == "no step yet"
    assert names(shrink(world, 700.0, scaler)[1]) == [((0,), "empty")]
    assert scaler.explain(0) == "it is being taken away"
    assert scaler.explain(1) == "group gpu is at its minimum of 1"
    gang = World(nodes=[IDLE, Node(1, state=BOOTING, created=0.0)], pending=many(1, 16.0, servers=0))
    scaler.reset()
    scaler.step(10.0, gang.seen())
    assert scaler.explain(0) == "jobs that wait are expected there"
    many_empty = World(nodes=[Node(i) for i in range(12)])
    shrink(many_empty, 700.0, scaler := ClusterAutoscaler())
    assert scaler.explain(11) == "10 nodes are being deleted, the most at a time"


def test_actions_say_why() -> None:
    _, (action,) = shrink(World(nodes=[LITTLE, HALF]), 700.0)
    assert action.inputs == {"utilization": 0.375, "threshold": 0.5, "unneeded": 610.0, "graceful": 600.0}


def test_residents_are_asked_for_candidates_only() -> None:
    world = World(nodes=[LITTLE, HALF, Node(5, residents=(runs("f", 8.0),))])
    ClusterAutoscaler().step(0.0, world.seen())
    assert world.asked == [0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"interval": 0.0}, "interval is 0 s; it must be above 0"),
        ({"scale_down_unneeded_time": -1.0}, "scale_down_unneeded_time is -1 s; it must be 0 or more"),
        ({"max_node_provision_time": math.nan}, "max_node_provision_time is nan s; it must be 0 or more"),
        (
            {"scale_down_gpu_utilization_threshold": 5.0},
            "scale_down_gpu_utilization_threshold is 5; it must be between 0 and 1",
        ),
        ({"max_drain_parallelism": 0}, "max_drain_parallelism is 0; it must be a whole number, 1 or more"),
        ({"max_nodes_total": -2}, "max_nodes_total is -2; it must be a whole number, 0 or more"),
        (
            {"expander": "least-wate"},
            "expander is 'least-wate'. Did you mean 'least-waste'? Known: least-nodes, least-waste, most-pods, price, "
            "priority, random.",
        ),
        (
            {"expander": "priority"},
            "expander 'priority' goes by a list of groups: write priorities: [first, second, ...]",
        ),
    ],
    ids=str,
)
def test_bad_parameters(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        ClusterAutoscaler(**flags)
    assert str(caught.value) == message


# ------------------------------------------------------------------------------------------------- laws

groups_drawn = st.lists(
    st.builds(
        GroupView,
        st.sampled_from(["a", "b", "c"]),
        minimum=st.integers(0, 2),
        maximum=st.integers(2, 6),
        accelerators=st.sampled_from([0.0, 4.0, 8.0]),
        cores=st.sampled_from([8.0, 64.0]),
        price=st.floats(0.1, 5.0),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    groups = draw(groups_drawn)
    nodes = []
    for number, group in enumerate(groups):
        for _ in range(draw(st.integers(0, group.maximum))):
            state = draw(st.sampled_from([BOOTING, STARTING, READY, READY, READY, DRAINING, FAILED]))
            size = draw(st.sampled_from([0.0, 1.0, 2.0, 4.0]))
            lives = state in (READY, DRAINING) and 0 < size <= group.accelerators
            held = runs(f"r{len(nodes)}", size, movable=draw(st.booleans()))
            nodes.append(Node(len(nodes), number, state, (held,) if lives else (), created=-100.0))
    sizes = st.tuples(st.sampled_from([0.0, 1.0, 4.0, 8.0, 20.0]), st.sampled_from([1.0, 8.0]), st.integers(0, 3))
    jobs = draw(st.lists(sizes, max_size=6))
    pending = [waits(f"j{i}", a, cores=c, servers=s) for i, (a, c, s) in enumerate(jobs)]
    return World(groups=groups, nodes=nodes, pending=pending)


def held_elsewhere(world: World, gone: Sequence[int]) -> bool:
    """Whether residents of removed nodes fit one by one into what is free on the others."""
    free = {
        node.server: world.groups[node.group].accelerators - sum(r.accelerators for r in node.residents)
        for node in world.nodes
        if node.state == READY and node.server not in gone
    }
    moving = [r for node in world.nodes if node.server in gone for r in node.residents]
    for one in sorted(moving, key=lambda r: -r.accelerators):
        place = next((s for s in sorted(free, key=lambda s: free[s]) if free[s] >= one.accelerators), None)
        if place is None:
            return False
        free[place] -= one.accelerators
    return True


@settings(max_examples=150, deadline=None)
@given(worlds(), st.booleans())
def test_laws(world: World, label: bool) -> None:
    """Never above a maximum, never below a minimum, and nobody is evicted who has no place or may not be."""
    scaler = ClusterAutoscaler(scale_down_unneeded_time=0.0, scale_down_unready_time=0.0, accelerator_label=label)
    for now in (0.0, 10.0):
        seen = world.seen()
        actions = scaler.step(now, seen)
        sizes = [group.size for group in seen.groups]
        gone = [server for action in actions if isinstance(action, Remove) for server in action.servers]
        for action in actions:
            if isinstance(action, Grow):
                sizes[action.group] += action.count
                assert sizes[action.group] <= seen.groups[action.group].maximum
        for server in gone:
            (node,) = [node for node in world.nodes if node.server == server]
            sizes[node.group] -= 1
            assert sizes[node.group] >= seen.groups[node.group].minimum
            assert all(r.movable for r in node.residents)
        assert len(gone) == len(set(gone)) <= 10
        assert held_elsewhere(world, gone)
        for node in world.nodes:
            assert scaler.explain(node.server)


# ------------------------------------------------------------------------------------------------- speed


def large(busy: int, little: int = 0) -> SupplyObservation:
    """Nodes of 8 accelerators, all full but for ``little`` ones with 3 in use."""
    count = busy + little
    used = np.concatenate([np.full(busy, 8.0), np.full(little, 3.0)])
    whole, unlimited = np.full(count, 8.0), np.full(count, math.inf)
    nodes = Nodes(
        np.arange(count), np.zeros(count, int), np.full(count, int(READY)), whole, unlimited, unlimited, whole - used,
        unlimited, unlimited, np.zeros(count), np.zeros(count), np.full(count, math.nan), lambda row: (runs("r", 3.0),),
    )  # fmt: skip
    group = GroupView("gpu", size=count, accelerators=8.0)
    return SupplyObservation(count, 0, count, 0.0, 0.0, 8.0, groups=(group,), nodes=nodes)


def cpu_seconds(work: Callable[[], object], rounds: int = 7) -> float:
    """The least of several, of this process alone."""
    found = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


@pytest.mark.parametrize(
    ("seen", "limit"),
    [
        (large(10_000), 0.004),
        (large(9_700, 300), 0.08),
        (replace(large(0), pending=[waits(f"j{i}", 1.0 + i % 4, servers=1) for i in range(5000)]), 1.2),
        (replace(large(0), pending=[waits(f"j{i}", 1.0 + i % 20, servers=0) for i in range(5000)]), 1.2),
    ],
    ids=["10,000 busy", "300 candidates", "5,000 pods", "5,000 gangs"],
)
def test_speed(seen: SupplyObservation, limit: float) -> None:
    """Limits are four times what was asked for, since other things may run on the machine."""
    scaler = ClusterAutoscaler(unremovable_node_recheck_timeout=0.0)
    clock = iter(range(0, 1000, 10))
    assert cpu_seconds(lambda: scaler.step(float(next(clock)), seen)) < limit
