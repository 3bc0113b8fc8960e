"""Slurm's power saving and a fixed number of nodes: scans in, nodes up and down out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_world import BOOTING, DRAINING, FAILED, STARTING, Node, World, many, runs
from test_cluster_autoscaler import worlds

from simulator.policies.nodes.rates import Rate
from simulator.policies.scaling.fixed import Fixed
from simulator.policies.scaling.slurm_power_saving import SlurmPowerSaving
from simulator.policies.supply import GroupView, Grow, Remove, SupplyAction, autoscalers

NODE = GroupView("node", accelerators=8.0, maximum=100)
BUSY = Node(0, residents=(runs("x", 8.0),))


def idle(server: int, since: float = 0.0, **more: Any) -> Node:
    return Node(server, idle=since, **more)


def said(actions: Sequence[SupplyAction]) -> list[tuple[Any, ...]]:
    return [(a.group, a.count, a.rule) if isinstance(a, Grow) else (*a.servers, a.rule) for a in actions]  # type: ignore[union-attr]


def test_registry_knows_it() -> None:
    assert autoscalers.get("slurm-power-saving") is SlurmPowerSaving
    assert (SlurmPowerSaving().interval, SlurmPowerSaving.detailed, SlurmPowerSaving.prompt) == (10.0, True, True)


SCANS: list[tuple[str, float, World, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("busy nodes stay", 1e6, World((NODE,), [BUSY]), {}, []),
    ("not yet, at the very time", 600.0, World((NODE,), [idle(0)]), {}, []),
    ("idle for longer", 600.5, World((NODE,), [idle(0)]), {}, [(0, "SuspendTime")]),
    ("since the last job", 650.0, World((NODE,), [idle(0, 100.0), idle(1)]), {}, [(1, "SuspendTime")]),
    ("down nodes too", 601.0, World((NODE,), [Node(0, state=FAILED, idle=0.0)]), {}, [(0, "SuspendTime")]),
    ("not those that drain or come", 1e4, World((NODE,), [idle(0, state=DRAINING), idle(1, state=STARTING)]), {}, []),
    ("switched off", 1e6, World((NODE,), [idle(0)], many(1, 16.0, servers=0)), {"suspend_time": -1.0}, []),
    ("at once", 0.5, World((NODE,), [idle(0)]), {"suspend_time": 0.0}, [(0, "SuspendTime")]),
    (
        "the first two are kept",
        601.0,
        World((NODE,), [idle(i) for i in range(4)]),
        {"suspend_exc_nodes": 2},
        [(2, 3, "SuspendTime")],
    ),
    (
        "broken ones are not among them",
        601.0,
        World((NODE,), [Node(0, state=FAILED, idle=0.0), idle(1)]),
        {"suspend_exc_nodes": 1},
        [(0, "SuspendTime")],
    ),
    (
        "the rate",
        601.0,
        World((NODE,), [idle(i) for i in range(9)]),
        {"suspend_rate": 4},
        [(0, 1, 2, 3, "SuspendTime")],
    ),
    (
        "no rate",
        601.0,
        World((NODE,), [idle(i) for i in range(90)]),
        {"suspend_rate": 0},
        [(*range(90), "SuspendTime")],
    ),
    ("a minimum", 601.0, World((replace(NODE, minimum=2),), [idle(i) for i in range(3)]), {}, [(0, "SuspendTime")]),
    ("a job", 0.0, World((NODE,), [BUSY], many(1, 8.0)), {}, [(0, 1, "resume")]),
    ("jobs share a node", 0.0, World((NODE,), [], many(4, 2.0)), {}, [(0, 1, "resume")]),
    ("a job over nodes", 0.0, World((NODE,), [], many(1, 32.0, servers=0)), {}, [(0, 4, "resume")]),
    ("with what idles", 0.0, World((NODE,), [idle(0)], many(1, 32.0, servers=0)), {}, [(0, 3, "resume")]),
    ("which is enough for some", 0.0, World((NODE,), [idle(0), idle(1)], many(2, 8.0)), {}, []),
    ("nodes that come are awaited", 0.0, World((NODE,), [Node(0, state=BOOTING, created=0.0)], many(1, 8.0)), {}, []),
    ("the rate of resuming", 0.0, World((NODE,), [], many(9, 8.0)), {"resume_rate": 5}, [(0, 5, "ResumeRate")]),
    (
        "the first group first, dear as it may be",
        0.0,
        World((replace(NODE, price=9.0), replace(NODE, price=1.0)), [], many(1, 8.0)),
        {},
        [(0, 1, "resume")],
    ),
    (
        "the next when it is full",
        0.0,
        World((replace(NODE, maximum=1), NODE), [], many(3, 8.0)),
        {},
        [(0, 1, "resume"), (1, 2, "resume")],
    ),
    ("the maximum", 0.0, World((replace(NODE, maximum=2),), [BUSY], many(3, 8.0)), {}, [(0, 1, "resume")]),
    ("too large", 0.0, World((NODE,), [], many(3, 9.0, servers=1)), {}, []),
    (
        "a node that came too late",
        1801.0,
        World((NODE,), [Node(3, state=BOOTING, created=0.0)]),
        {},
        [(3, "ResumeTimeout")],
    ),
    ("in time", 1800.0, World((NODE,), [Node(3, state=BOOTING, created=0.0)]), {}, []),
]


@pytest.mark.parametrize(
    ("now", "world", "settings_", "wanted"), [row[1:] for row in SCANS], ids=[row[0] for row in SCANS]
)
def test_scans(now: float, world: World, settings_: dict[str, Any], wanted: list[tuple[Any, ...]]) -> None:
    assert said(SlurmPowerSaving(**settings_).step(now, world.seen())) == wanted


def test_a_rate_lets_a_burst_through_and_then_a_trickle() -> None:
    """With 6 a minute and scans 10 s apart a sixth of what counts is forgotten each time."""
    rate, made = Rate(6), []
    for step in range(12):
        left = int(rate.left(step * 10.0))
        rate.add(left)
        made.append(left)
    # 6 count 5, 4.17 + 1 + ... : 6 -> 5 (1 left) -> 6 -> ...
    assert made == [6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_rate_forgets_everything_in_a_minute() -> None:
    rate = Rate(6)
    rate.left(0.0)
    rate.add(6)
    assert rate.left(59.0) == 6.0  # 6 x 1/60, rounded
    rate.add(6)
    assert rate.left(119.0) == 6.0
    rate.add(6)
    assert rate.left(119.0) == 0.0
    assert Rate(0).left(0.0) == math.inf


def test_suspension_goes_on_at_the_rate() -> None:
    scaler, left, gone = SlurmPowerSaving(suspend_rate=3), [idle(i) for i in range(6)], []
    for step in range(4):
        now = 601.0 + 20.0 * step
        for action in scaler.step(now, World((NODE,), left).seen()):
            assert isinstance(action, Remove)
            gone.append((now, action.servers))
            left = [node for node in left if node.server not in action.servers]
    assert gone == [(601.0, (0, 1, 2)), (621.0, (3,)), (641.0, (4,)), (661.0, (5,))]


def test_a_suspended_node_is_not_resumed_before_its_timeout() -> None:
    scaler, group = SlurmPowerSaving(), replace(NODE, maximum=2)
    assert said(scaler.step(601.0, World((group,), [idle(0), BUSY]).seen())) == [(0, "SuspendTime")]
    wanted = World((group,), [Node(1, residents=(runs("x", 8.0),))], many(1, 8.0))
    assert scaler.step(605.0, wanted.seen()) == []
    assert scaler.step(630.9, wanted.seen()) == []
    assert said(scaler.step(631.0, wanted.seen())) == [(0, 1, "resume")]


def test_reset_forgets_rates_and_timeouts() -> None:
    scaler = SlurmPowerSaving(suspend_rate=1)
    seen = World((NODE,), [idle(0), idle(1)]).seen()
    first = said(scaler.step(601.0, seen))
    assert said(scaler.step(602.0, seen)) == []
    scaler.reset()
    assert said(scaler.step(601.0, seen)) == first == [(0, "SuspendTime")]


@pytest.mark.parametrize(
    ("world", "settings_", "server", "why"),
    [
        (World((NODE,), [BUSY]), {}, 0, "jobs run on it"),
        (World((NODE,), [idle(0)]), {}, 0, "idle for 300 of 600 s"),
        (World((NODE,), [idle(0)]), {"suspend_exc_nodes": 3}, 0, "one of 3 idle nodes that are always kept"),
        (
            World((NODE,), [idle(0), idle(1)]),
            {"suspend_time": 9.0, "suspend_rate": 1},
            1,
            "as many as SuspendRate lets go have gone",
        ),
        (World((replace(NODE, minimum=1),), [idle(0)]), {"suspend_time": 9.0}, 0, "group node is at its minimum of 1"),
        (World((NODE,), [idle(0)]), {"suspend_time": 9.0}, 0, "it is being powered down"),
        (World((NODE,), [Node(0, state=BOOTING, created=0.0)]), {}, 0, "it is booting"),
        (
            World((NODE,), [idle(0)]),
            {"suspend_time": -1.0},
            0,
            "power saving is switched off: suspend_time is negative",
        ),
        (World((NODE,)), {}, 4, "node 4 is not there"),
    ],
    ids=str,
)
def test_explanations(world: World, settings_: dict[str, Any], server: int, why: str) -> None:
    scaler = SlurmPowerSaving(**settings_)
    assert scaler.explain(server) == "no step yet"
    scaler.step(300.0, world.seen())
    assert scaler.explain(server) == why


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"suspend_time": math.nan}, "suspend_time is no number; it must be seconds, or negative for no power saving"),
        ({"suspend_rate": -1}, "suspend_rate is -1; it must be a whole number, 0 or more"),
        ({"resume_rate": 1.5}, "resume_rate is 1.5; it must be a whole number, 0 or more"),
        ({"resume_timeout": -1.0}, "resume_timeout is -1 s; it must be 0 or more"),
        ({"interval": 0.0}, "interval is 0 s; it must be above 0"),
    ],
    ids=str,
)
def test_bad_parameters(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        SlurmPowerSaving(**settings_)
    assert str(caught.value) == message


@settings(max_examples=100, deadline=None)
@given(worlds(), st.integers(0, 3), st.integers(0, 3))
def test_laws(world: World, rate: int, kept: int) -> None:
    """Maxima and minima hold, rates hold, only nodes without jobs go, and some idle ones stay."""
    scaler = SlurmPowerSaving(suspend_time=0.0, suspend_rate=rate, resume_rate=rate, suspend_exc_nodes=kept)
    seen = world.seen()
    sizes = [group.size for group in seen.groups]
    idle_ones = [n.server for n in world.nodes if n.state.name == "READY" and not n.residents]
    for action in scaler.step(0.0, seen):
        if isinstance(action, Grow):
            sizes[action.group] += action.count
            assert sizes[action.group] <= seen.groups[action.group].maximum
            assert not rate or action.count <= rate
            continue
        assert isinstance(action, Remove)
        assert not rate or len(action.servers) <= rate
        gone = [node for node in world.nodes if node.server in action.servers]
        assert not any(node.residents for node in gone)
        idle_ones = [server for server in idle_ones if server not in action.servers]
        for node in gone:
            sizes[node.group] -= 1
            assert sizes[node.group] >= seen.groups[node.group].minimum
    all_idle = sum(n.state.name == "READY" and not n.residents for n in world.nodes)
    assert len(idle_ones) >= min(kept, all_idle)


def test_fixed_is_fixed() -> None:
    seen = World((replace(NODE, maximum=3), replace(NODE, maximum=4)), [BUSY]).seen()
    assert autoscalers.get("fixed") is Fixed
    wanted = Fixed(5).step(0.0, seen)
    assert (wanted, wanted.rule) == (5, "fixed")
    assert Fixed().step(0.0, seen) == 7
    with pytest.raises(ValueError, match="nodes is -1; it must be a whole number, 0 or more"):
        Fixed(-1)
