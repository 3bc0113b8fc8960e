"""One node for each job that waits: actions by table, and the M/M/k queue with set-up and delayed-off by its theory."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_world import BOOTING, DRAINING, READY, STARTING, Node, World, many, runs, waits
from test_cluster_autoscaler import worlds

from simulator.core.rng import stream
from simulator.policies.scaling.queue_length import QueueLength
from simulator.policies.supply import GroupView, Grow, Remove, SupplyAction, autoscalers

ONE = GroupView("one", accelerators=1.0, maximum=10)


def boots(server: int, created: float = 0.0, group: int = 0) -> Node:
    return Node(server, group, BOOTING, created=created)


def rests(server: int, since: float) -> Node:
    return Node(server, idle=since)


def said(actions: Sequence[SupplyAction]) -> list[tuple[Any, ...]]:
    return [(a.group, a.count) if isinstance(a, Grow) else (*a.servers, a.rule) for a in actions]  # type: ignore[union-attr]


def test_registry_knows_it() -> None:
    assert autoscalers.get("queue-length") is QueueLength
    assert (QueueLength().interval, QueueLength.detailed, QueueLength.prompt) == (60.0, True, True)


STEPS: list[tuple[str, World, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("nothing", World((ONE,)), {}, []),
    ("one job", World((ONE,), pending=many(1, 1.0)), {}, [(0, 1)]),
    ("one node each", World((ONE,), pending=many(4, 1.0)), {}, [(0, 4)]),
    ("never more than there may be", World((ONE,), pending=many(40, 1.0)), {}, [(0, 10)]),
    (
        "min(q, off)",
        World((ONE,), [Node(i, residents=(runs("x", 1.0),)) for i in range(8)], many(5, 1.0)),
        {},
        [(0, 2)],
    ),
    ("some boot already", World((ONE,), [boots(0), boots(1)], many(3, 1.0)), {}, [(0, 1)]),
    ("or start", World((ONE,), [Node(0, state=STARTING)], many(1, 1.0)), {}, []),
    ("enough boot", World((ONE,), [boots(0), boots(1)], many(2, 1.0)), {}, []),
    ("too many boot, and come", World((ONE,), [boots(0), boots(1)], many(1, 1.0)), {}, []),
    (
        "too many boot, and the youngest is called off",
        World((ONE,), [boots(0, 5.0), boots(1, 9.0), boots(2, 1.0)], many(1, 1.0)),
        {"cancel": True},
        [(1, 0, "set-up called off")],
    ),
    ("nobody waits any more", World((ONE,), [boots(0), boots(1)]), {"cancel": True}, [(1, 0, "set-up called off")]),
    (
        "not below a minimum",
        World((replace(ONE, minimum=1),), [boots(0), boots(1)]),
        {"cancel": True},
        [(1, "set-up called off")],
    ),
    (
        "the next group when one is full",
        World((replace(ONE, maximum=1), ONE), pending=many(3, 1.0)),
        {},
        [(0, 1), (1, 2)],
    ),
    ("only groups that would do", World((ONE, ONE), pending=many(3, 1.0, groups=(1,))), {}, [(1, 3)]),
    ("none would do", World((ONE,), pending=many(3, 1.0, groups=())), {}, []),
    (
        "a node that boots is for those that it would do for",
        World((ONE, ONE), [boots(0, group=0)], [waits("a", groups=(1,)), waits("b", groups=(0, 1))]),
        {},
        [(1, 1)],
    ),
    ("idle for long enough", World((ONE,), [rests(0, 700.0), rests(1, 701.0)]), {}, [(0, "idle")]),
    ("at once", World((ONE,), [rests(0, 1000.0)]), {"idle": 0.0}, [(0, "idle")]),
    ("a minimum stays", World((replace(ONE, minimum=1),), [rests(0, 0.0), rests(1, 0.0)]), {}, [(0, "idle")]),
    (
        "busy and draining ones stay",
        World((ONE,), [Node(0, residents=(runs("x", 1.0),)), Node(1, state=DRAINING, idle=0.0)]),
        {},
        [],
    ),
    (
        "one comes and one goes",
        World((ONE, ONE), [rests(0, 0.0)], many(1, 1.0, groups=(1,))),
        {},
        [(1, 1), (0, "idle")],
    ),
]


@pytest.mark.parametrize(("world", "terms", "wanted"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_steps(world: World, terms: dict[str, Any], wanted: list[tuple[Any, ...]]) -> None:
    assert said(QueueLength(**terms).step(1000.0, world.seen())) == wanted


@pytest.mark.parametrize(
    ("idle", "since", "next_step"),
    [
        (300.0, [], 60.0),
        (300.0, [730.0], 30.0),
        (300.0, [730.0, 720.0], 20.0),
        (300.0, [990.0], 60.0),
        (20.0, [], 20.0),
    ],
    ids=str,
)
def test_the_next_step_is_due_when_the_next_node_may_have_to_go(
    idle: float, since: list[float], next_step: float
) -> None:
    scaler = QueueLength(idle=idle)
    scaler.step(1000.0, World((ONE,), [rests(i, at) for i, at in enumerate(since)]).seen())
    assert scaler.interval == next_step
    scaler.reset()
    assert scaler.interval == min(idle, 60.0)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"idle": -1.0}, "idle is -1 s; it must be 0 or more"),
        ({"interval": math.nan}, "interval is nan s; it must be above 0"),
    ],
)
def test_bad_parameters(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QueueLength(**terms)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.booleans())
def test_laws(world: World, cancel: bool) -> None:
    """Maxima and minima hold; never more boot than wait; only idle nodes go, and booting ones to ``cancel``."""
    seen = world.seen()
    sizes, booting = [group.size for group in seen.groups], seen.booting
    for action in QueueLength(idle=0.0, cancel=cancel).step(0.0, seen):
        if isinstance(action, Grow):
            sizes[action.group] += action.count
            booting += action.count
            assert sizes[action.group] <= seen.groups[action.group].maximum
            assert booting <= max(len(seen.pending), seen.booting)
            continue
        assert isinstance(action, Remove)
        for node in [node for node in world.nodes if node.server in action.servers]:
            sizes[node.group] -= 1
            assert sizes[node.group] >= seen.groups[node.group].minimum
            assert not node.residents
            assert node.state == READY or (cancel and node.state in (BOOTING, STARTING))


# ------------------------------------------------------------------------------------------------- theory


def simulate(servers: int, load: float, setup: float, idle: float, jobs: int, seed: int) -> tuple[float, float]:
    """M/M/k with exponential set-ups, sized by the controller: mean wait and mean nodes that are up or coming.

    Mean service is 1. The controller is asked at each event, and when it said that it wants to be asked.
    """
    draws = stream(seed, "queue")
    gaps, lengths = draws.exponential(1 / (load * servers), jobs), draws.exponential(1.0, jobs)
    ends = stream(seed, "set-up")
    scaler, group = QueueLength(idle=idle, cancel=True), GroupView("n", accelerators=1.0, maximum=servers)
    nodes: dict[int, Node] = {}
    queue: list[int] = []
    came, waits_, paid, now, number = np.cumsum(gaps), [], 0.0, 0.0, 0
    events: list[tuple[float, int, int, float]] = [(float(came[0]), 0, 0, 0.0)]
    while events and len(waits_) < jobs:
        at, what, which, created = heapq.heappop(events)
        paid += (at - now) * len(nodes)
        now = at
        if what == 0:
            queue.append(which)
            if which + 1 < jobs:
                heapq.heappush(events, (float(came[which + 1]), 0, which + 1, 0.0))
        elif what == 1:
            nodes[which] = replace(nodes[which], residents=(), idle=now)
        elif what == 2 and which in nodes and nodes[which].created == created and nodes[which].state == BOOTING:
            nodes[which] = replace(nodes[which], state=READY, idle=now)
        for server, node in nodes.items():
            if queue and node.state == READY and not node.residents:
                job = queue.pop(0)
                waits_.append(now - float(came[job]))
                nodes[server] = replace(node, residents=(runs(f"j{job}", 1.0),))
                heapq.heappush(events, (now + float(lengths[job]), 1, server, 0.0))
        world = World((group,), list(nodes.values()), [waits(f"j{job}", 1.0) for job in queue])
        for action in scaler.step(now, world.seen()):
            if isinstance(action, Remove):
                for server in action.servers:
                    del nodes[server]
            elif isinstance(action, Grow):
                for _ in range(action.count):
                    nodes[number] = Node(number, 0, BOOTING, created=now)
                    heapq.heappush(events, (now + float(ends.exponential(setup)), 2, number, now))
                    number += 1
        due = [node.idle + idle for node in nodes.values() if node.state == READY and not node.residents]
        if due and idle > 0:
            assert scaler.interval <= min(due) - now + 1e-9
            heapq.heappush(events, (min(due), 3, 0, 0.0))
    return float(np.mean(waits_)), paid / now


def test_one_server_with_setup_decomposes() -> None:
    """M/M/1/setup without delayed-off: mean wait = rho / (1 - rho) + mean set-up (Welch 1964)."""
    runs_ = [simulate(1, 0.5, 2.0, 0.0, 1500, seed)[0] for seed in range(6)]
    error = float(np.std(runs_, ddof=1)) / math.sqrt(len(runs_))
    assert abs(float(np.mean(runs_)) - (0.5 / 0.5 + 2.0)) < 4 * error
    assert error < 0.2


def mmk_setup(servers: int, load: float, setup: float, most: int = 400) -> tuple[float, float]:
    """Solve the chain of M/M/k/setup: mean wait, and mean nodes that serve or are being set up.

    States are (busy nodes i, jobs n >= i): n - i jobs wait, min(n - i, k - i) nodes are being set up.
    """
    states = [(i, n) for i in range(servers + 1) for n in range(i, most + 1)]
    place = {state: at for at, state in enumerate(states)}
    rate = load * servers
    rates = np.zeros((len(states), len(states)))
    for i, n in states:
        at = place[i, n]
        if n < most:
            rates[at, place[i, n + 1]] += rate
        coming = min(n - i, servers - i)
        if coming:
            rates[at, place[i + 1, n]] += coming / setup
        if i:
            rates[at, place[i if n > i else i - 1, n - 1]] += i
    rates -= np.diag(rates.sum(axis=1))
    system = np.vstack([rates.T, np.ones(len(states))])
    share = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    waiting = sum(p * (n - i) for p, (i, n) in zip(share, states, strict=True))
    on = sum(p * (i + min(n - i, servers - i)) for p, (i, n) in zip(share, states, strict=True))
    return waiting / rate, on


def test_three_servers_with_setup_follow_the_chain() -> None:
    wait, on = mmk_setup(3, 0.6, 1.5, most=120)
    found = [simulate(3, 0.6, 1.5, 0.0, 1500, seed) for seed in range(6)]
    for side, expected in ((0, wait), (1, on)):
        values = [one[side] for one in found]
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        assert abs(float(np.mean(values)) - expected) < 4 * error
        assert error < 0.1 * expected


def test_delayed_off_without_end_is_mmk() -> None:
    """Nodes that never go leave no set-ups but the first few: the wait is Erlang's."""
    servers, load = 2, 0.7
    offered = servers * load
    queued = offered**servers / math.factorial(servers) / (1 - load)
    erlang = queued / (queued + sum(offered**n / math.factorial(n) for n in range(servers)))
    expected = erlang / (servers * (1 - load))
    values = [simulate(servers, load, 1.0, 1e9, 1500, seed)[0] for seed in range(6)]
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert abs(float(np.mean(values)) - expected) < 4 * error


def test_nodes_wait_for_the_rest_of_a_gang() -> None:
    gang = [waits("a", accelerators=4.0, servers=4)]
    two = replace(ONE, maximum=10)
    assert said(QueueLength().step(1000.0, World((two, ONE), [rests(0, 0.0)], gang).seen())) == [(0, 1)]
    other = [waits("a", accelerators=4.0, servers=4, groups=(1,))]
    assert said(QueueLength().step(1000.0, World((two, ONE), [rests(0, 0.0)], other).seen())) == [(1, 1), (0, "idle")]
