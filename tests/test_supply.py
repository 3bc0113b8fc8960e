"""The life of nodes in groups, what controllers are shown, and that money is the integral of what is paid for."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError, PolicyError
from simulator.core.rng import stream
from simulator.policies.decision import Decision
from simulator.policies.supply import Grow, NodeState, Remove, Replace
from simulator.runtime.parts import Part
from simulator.runtime.supply import patience
from simulator.runtime.supply.boots import Phase, Warm, mean
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.steps import Steps
from simulator.runtime.windows import Maintenance
from simulator.workload.jobs import State
from tests.supply_world import Script, decisions, events, job, nodes, run

BOOT = (Phase("request", 5.0), Phase("boot", 20.0), Phase("accelerators", 30.0))


def pair(**more: Any) -> list[Group]:
    """Two groups of two nodes each."""
    return [
        Group("od", (0, 1), boot=BOOT, price=Steps.constant(2.0), **more),
        Group("spot", (2, 3), boot=BOOT, price=Steps.constant(1.0), spot=True, **more),
    ]


# -- steps and phases ----------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(0.01, 50), st.floats(0, 9)), min_size=1, max_size=8),
    st.floats(-10, 300), st.floats(0, 300),
)  # fmt: skip
def test_the_integral_of_steps_is_the_sum_over_small_pieces(
    drawn: list[tuple[float, float]], start: float, length: float
) -> None:
    times = np.cumsum([gap for gap, _ in drawn]).tolist()
    steps = Steps(times, [value for _, value in drawn])
    cuts = sorted({start, start + length, *[time for time in times if start < time < start + length]})
    expected = math.fsum(steps.at((a + b) / 2) * (b - a) for a, b in itertools.pairwise(cuts))
    assert steps.integral(start, start + length) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_steps() -> None:
    steps = Steps([10.0, 20.0], [1.0, 3.0])
    assert [steps.at(time) for time in (0.0, 10.0, 19.9, 20.0, 99.0)] == [1.0, 1.0, 1.0, 3.0, 3.0]
    assert (steps.after(0.0), steps.after(10.0), steps.after(20.0)) == (10.0, 20.0, None)
    assert steps.scaled(2.0).values == [2.0, 6.0]
    with pytest.raises(ValueError, match="must rise"):
        Steps([1.0, 1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="at least one"):
        Steps([], [])


@pytest.mark.parametrize(
    ("phase", "deviation"),
    [
        (Phase("a", 60.0), 0.0),
        (Phase("a", 60.0, "exponential"), 60.0),
        (Phase("a", 60.0, "uniform", 30.0), 30.0 / math.sqrt(3)),
        (Phase("a", 60.0, "lognormal", 0.5), 60.0 * math.sqrt(math.exp(0.25) - 1)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_phases_have_the_mean_and_spread_that_they_say(phase: Phase, deviation: float) -> None:
    random = stream(1, "boot")
    drawn = np.array([phase.draw(random) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(60.0, rel=0.03)
    assert drawn.std() == pytest.approx(deviation, rel=0.05)
    assert mean((phase, phase)) == 120.0


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: Phase("x", -1.0), "x is -1 s; it must be a finite number, 0 or more"),
        (lambda: Phase("x", math.nan), "x is nan s; it must be a finite number, 0 or more"),
        (lambda: Phase("x", 5.0, "uniform", 6.0), "x has a spread of 6 around 5 s, uniform"),
    ],
    ids=["negative", "nan", "wide"],
)
def test_phases_that_are_none(made: Any, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        made()
    assert str(caught.value) == text


# -- the life of a node --------------------------------------------------------------------------------------------


def test_a_node_boots_starts_and_takes_work() -> None:
    a = job("a", 0.0, 100.0)
    script = Script({10.0: [Grow(0, rule="pending", inputs={"jobs": 1.0}, runner_up="spot")]})
    _, record = run([a], script, pair())
    assert a.start == 10.0 + 55.0
    assert events(record, "scale-up", "node-boot", "node-up") == [
        (10.0, "scale-up", "od", 1.0),
        (15.0, "node-boot", "n0: request", 5.0),
        (35.0, "node-boot", "n0: boot", 20.0),
        (65.0, "node-boot", "n0: accelerators", 30.0),
        (65.0, "node-up", "n0", 4.0),
    ]
    told = dict(script.told)
    states = {time: None if told[time].nodes is None else told[time].nodes.state.tolist() for time in told}
    assert [states[time] for time in (10.0, 20.0, 40.0, 70.0)] == [
        [], [NodeState.BOOTING], [NodeState.STARTING], [NodeState.READY],
    ]  # fmt: skip
    assert (told[20.0].up, told[20.0].booting, told[70.0].up, told[70.0].busy) == (0, 1, 1, 1)
    assert decisions(record, "time", "controller", "subject", "action", "before", "applied", "rule", "runner_up") == [
        (10.0, "script", "od", "grow", 0.0, 1.0, "pending", "spot")
    ]
    fact = record.facts["groups"]["od"]
    assert fact["paid"] == pytest.approx(2.0 * 155.0)
    hours = {state: value * 3600 for state, value in fact["hours"].items()}
    assert hours == pytest.approx({"boot": 55, "idle": 0, "busy": 100, "drain": 0, "failed": 0, "warm": 0})
    assert record.facts["cost"] == {"cloud": pytest.approx(310.0)}


def test_what_a_detailed_controller_is_shown() -> None:
    jobs = [job("a", 0.0, 500.0, 3.0), job("b", 5.0, 500.0, 6.0, priority=2.0), job("c", 6.0, 500.0, 0.5)]
    script = Script({})
    groups = [Group("od", (0, 1), minimum=1, boot=BOOT, price=Steps([0.0, 15.0], [2.0, 4.0])), Group("s", (2,))]
    run(jobs, script, groups, until=30.0, scheduler="easy-backfill")
    seen = dict(script.told)[20.0] if 20.0 in dict(script.told) else script.told[1][1]
    assert [(each.name, each.size, each.ready, each.maximum, each.price, each.boot) for each in seen.groups] == [
        ("od", 1, 1, 2, 4.0, 55.0), ("s", 0, 0, 1, 0.0, 210.0),
    ]  # fmt: skip
    # six accelerators may be split over two nodes, of either group; what fits is not shown
    assert [(each.id, each.accelerators, each.servers, each.groups, each.priority) for each in seen.pending] == [
        ("b", 6.0, 0, (0, 1), 2.0)
    ]
    assert seen.nodes is not None
    assert (seen.nodes.server.tolist(), seen.nodes.group.tolist()) == ([0], [0])
    assert math.isnan(seen.nodes.idle[0])
    residents = seen.nodes.residents(0)
    assert [(each.id, each.accelerators, each.groups, each.whole, each.movable) for each in residents] == [
        ("a", 3.0, (0, 1), True, True), ("c", 0.5, (0, 1), True, True),
    ]  # fmt: skip


def test_idle_since_the_last_job_left() -> None:
    script = Script({})
    groups = [Group("g", (0,), minimum=1)]
    run([job("a", 3.0, 20.0), job("b", 100.0, 5.0)], script, groups)
    idle = {time: float(seen.nodes.idle[0]) for time, seen in script.told if seen.nodes is not None}
    assert math.isnan(idle[13.0])
    assert {idle[time] for time in (33.0, 43.0, 93.0)} == {23.0}


def test_a_drained_node_goes_when_its_jobs_have_been_evicted() -> None:
    a, b = job("a", 0.0, 100.0, checkpoint=10.0), job("b", 0.0, 100.0)
    _, record = run([a, b], Script({25.0: [Remove((0,), rule="underutilized")]}), [Group("g", (0, 1), initial=2)])
    assert (a.preemptions, a.start, a.end, a.lost) == (1, 0.0, 100.0 + 70.0, 0.0)  # its work until 30 s is kept
    assert events(record, "node-drain", "preempt", "scale-down", "node-down") == [
        (30.0, "node-drain", "n0", 1.0), (30.0, "preempt", "a", 4.0), (30.0, "scale-down", "g", 1.0),
        (30.0, "node-down", "n0", 4.0),
    ]  # fmt: skip
    assert decisions(record, "controller", "subject", "action", "rule") == [
        ("script", "n0", "remove", "underutilized"), ("disruption", "a", "evict", "underutilized"),
    ]  # fmt: skip


def test_a_drain_waits_for_a_job_that_may_not_be_stopped() -> None:
    a, b = job("a", 0.0, 100.0, preemptible=False), job("b", 40.0, 10.0)
    _, record = run([a, b], Script({25.0: [Remove((0,))]}), [Group("g", (0, 1), initial=1)], until=400.0)
    assert (a.end, a.preemptions, b.state) == (100.0, 0, State.UNFINISHED)  # a draining node takes no more work
    assert events(record, "node-drain", "node-down") == [
        (30.0, "node-drain", "n0", 1.0), (100.0, "node-down", "n0", 4.0),
    ]  # fmt: skip
    assert record.facts["groups"]["g"]["hours"]["drain"] == pytest.approx(70.0 / 3600.0)


def test_booting_nodes_are_cancelled_at_once() -> None:
    _, record = run(
        [job("a", 0.0, 10.0)],
        Script({10.0: [Grow(0, 2)], 20.0: [Remove((1,))]}), [Group("g", (0, 1), boot=BOOT)],
    )  # fmt: skip
    assert record.facts["groups"]["g"]["hours"]["boot"] == pytest.approx((55.0 + 10.0) / 3600.0)
    assert [row[2] for row in events(record, "node-up")] == ["n0"]


def test_a_replaced_node_goes_when_the_other_takes_work() -> None:
    a = job("a", 0.0, 200.0, checkpoint=1.0)
    script = Script({10.0: [Replace((0,), 1, rule="cheaper")]})
    _, record = run([a], script, [Group("dear", (0,), initial=1), Group("cheap", (1,), boot=BOOT)])
    assert events(record, "node-up", "node-down") == [(65.0, "node-up", "n1", 4.0), (65.0, "node-down", "n0", 4.0)]
    assert (a.preemptions, a.placement[0][0], a.end) == (1, 1, 200.0)
    assert [row[:2] for row in decisions(record, "action", "subject")] == [
        ("replace", "cheap"), ("remove", "n0"), ("evict", "a"),
    ]  # fmt: skip


def test_a_replacement_that_cannot_be_had_leaves_the_old_node_alone() -> None:
    a = job("a", 0.0, 200.0)
    groups = [Group("dear", (0,), initial=1), Group("cheap", (1,), boot=BOOT, capacity=Steps.constant(0))]
    _, record = run([a], Script({10.0: [Replace((0,), 1)]}), groups)
    assert (a.preemptions, events(record, "node-down")) == (0, [])
    assert decisions(record, "action", "rule") == [("refuse", "stock")]


def test_bounds_hold_and_what_is_refused_is_written_down_once() -> None:
    grow = [Grow(0, 9)]
    groups = [Group("g", (0, 1, 2, 3), minimum=1, maximum=3, quota=2, boot=BOOT)]
    script = Script({10.0 * step: grow for step in range(1, 6)} | {100.0: [Remove((0, 1))]})
    _, record = run([job("a", 0.0, 300.0)], script, groups)
    assert decisions(record, "action", "before", "wanted", "applied", "rule") == [
        ("grow", 1.0, 10.0, 2.0, ""), ("refuse", 2.0, 11.0, 2.0, "quota"),
        ("remove", 2.0, 1.0, 1.0, ""), ("evict", *[pytest.approx(math.nan, nan_ok=True)] * 3, "remove"),
        ("refuse", 1.0, 0.0, 1.0, "min"),
    ]  # fmt: skip


def test_stock_outs_are_told_and_tried_again() -> None:
    groups = [Group("g", (0, 1), boot=BOOT, capacity=Steps([0.0, 100.0], [0.0, 1.0]))]
    script = Script({10.0 * step: [Grow(0)] for step in range(1, 20)})
    _, record = run([job("a", 0.0, 50.0)], script, groups)
    assert events(record, "stock-out")[0] == (10.0, "stock-out", "g", 1.0)
    assert (events(record, "scale-up"), record.facts["groups"]["g"]["missing"]) == ([(100.0, "scale-up", "g", 1.0)], 18)
    seen = dict(script.told)
    assert (seen[10.0].groups[0].failed, seen[20.0].groups[0].failed) == (-math.inf, 10.0)


# -- numbers --------------------------------------------------------------------------------------------------------


def test_numbers_fill_groups_in_order_and_empty_the_last_first() -> None:
    script = Script({10.0: 3, 70.0: 1})
    script.detailed = False
    _, record = run([job("a", 0.0, 400.0)], script, pair())
    assert events(record, "scale-up", "scale-down") == [
        (10.0, "scale-up", "od", 2.0), (10.0, "scale-up", "spot", 1.0), (70.0, "scale-down", "spot", 1.0),
        (70.0, "scale-down", "od", 1.0),
    ]  # fmt: skip
    assert [row[2] for row in events(record, "node-down")] == ["n2", "n1"]
    assert decisions(record, "subject", "action", "before", "wanted", "applied") == [
        ("nodes", "scale", 0.0, 3.0, 3.0), ("nodes", "scale", 3.0, 1.0, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("cancels", "came"), [(True, ["n0"]), (False, ["n0", "n1", "n2"])])
def test_fewer_than_are_coming_cancel_the_youngest_if_the_controller_cancels(cancels: bool, came: list[str]) -> None:
    script = Script({10.0: 1, 20.0: 3, 30.0: Decision(1, "fewer", {"waiting": 1.0}, 2)})
    script.cancels = cancels  # type: ignore[attr-defined]
    _, record = run([job("a", 0.0, 400.0)], script, [Group("g", (0, 1, 2), boot=BOOT)])
    assert [row[2] for row in events(record, "node-up")] == came
    assert decisions(record, "rule", "runner_up", "inputs")[-1] == ("fewer", "2", '{"waiting": 1.0}')


# -- guards ---------------------------------------------------------------------------------------------------------


class Flapping:
    """Grows and removes again for ever."""

    interval = 1.0
    detailed = True

    def __init__(self, prompt: bool) -> None:
        self.prompt, self.asked = prompt, 0

    def step(self, now: float, observation: Any) -> Any:
        self.asked += 1
        there = observation.nodes.server.tolist()
        return [Remove(tuple(there))] if there else [Grow(0)]


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("boot", [(), (Phase("boot", 0.5),), (Phase("boot", 3.0),)], ids=["none", "short", "long"])
def test_a_controller_that_goes_back_and_forth_is_not_asked_for_ever(
    prompt: bool, boot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "CHANGES", 40)
    scaler = Flapping(prompt)
    _, record = run([job("a", 0.0, 10.0)], scaler, [Group("g", (0,), boot=boot)], scheduler=lambda view: ())
    assert record.tables["jobs"]["state"].tolist() == ["UNFINISHED"]
    assert 40 <= scaler.asked <= 1000


def test_a_prompt_controller_sees_each_arrival() -> None:
    script = Script({}, prompt=True)
    run([job("a", 3.0, 5.0), job("b", 4.5, 5.0)], script, [Group("g", (0,), minimum=1)])
    assert [time for time, _ in script.told] == [3.0, 4.5, 8.0]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([Grow(7)], "autoscaler script at 10 s: 1 nodes of group 7 wanted; groups are 0 to 0, counts from 1"),
        ([Grow(0, 0)], "autoscaler script at 10 s: 0 nodes of group 0 wanted; groups are 0 to 0, counts from 1"),
        ([Remove((9,))], "autoscaler script at 10 s: server 9 is in no node group"),
        (
            [3],
            "autoscaler Script at 10 s: step returned [3], not a number of nodes, nor any of Grow, Remove and Replace",
        ),
    ],
    ids=["group", "count", "server", "thing"],
)
def test_actions_that_make_no_sense(answer: Any, text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        run([job("a", 0.0, 1e3)], Script({10.0: answer}), [Group("g", (0,), minimum=1)])
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([Group("a", (0, 1)), Group("b", (1,))], "server 1 is in node groups a and b; groups must be disjoint"),
        ([Group("a", (0, 0))], "server 0 is in node groups a, twice; groups must be disjoint"),
        ([Group("a", (5,))], "node group a: there is no server 5; there are 2"),
        (
            [Group("a", (0, 1), minimum=2, maximum=1)],
            "node group a: 0 <= min (2) <= initial (2) <= max (1) <= servers of the group (2) does not hold",
        ),
        ([Group("a", (0, 1), minimum=2, quota=1)], "node group a: quota is 1 nodes, below min"),
        ([Group("a", (0,), price=Steps.constant(-1.0))], "node group a: the price is -1 $/s; it must be 0 or more"),
        (
            [Group("a", (0,), notice=-1.0)],
            "node group a: notice (-1 s) and grace (600 s) must be finite numbers, 0 or more",
        ),
        (
            [Group("a", (0, 1), boot=(), warm=Warm(1))],
            "node group a: a warm pool saves nothing where a boot takes no time",
        ),
        (
            [Group("a", (0, 1), minimum=1, warm=Warm(2))],
            "node group a: 2 warm nodes and min (1) are more than its 2 servers",
        ),
    ],
    ids=["shared", "twice", "absent", "bounds", "quota", "price", "notice", "warm", "too warm"],
)
def test_groups_that_do_not_hold(groups: list[Group], text: str) -> None:
    with pytest.raises(InputError) as caught:
        run([], Script({}), groups, nodes(2))
    assert str(caught.value) == text


def test_servers_in_no_group_are_always_up_and_count_for_nothing() -> None:
    script = Script({})
    _, record = run([job("a", 0.0, 30.0)], script, [Group("g", (1, 2))], nodes(3))
    seen = dict(script.told)[10.0]
    assert (seen.up, seen.busy, seen.allocated) == (0, 0, 0.0)
    assert record.tables["series"]["provisioned"].tolist() == [4.0, 4.0]


def test_without_a_controller_groups_keep_their_maximum() -> None:
    a = job("a", 0.0, 30.0, 8.0)
    _, record = run([a], None, [Group("g", (0, 1, 2), maximum=2, price=Steps.constant(1.0))])
    assert (a.start, record.facts["cost"]) == (0.0, {"cloud": 60.0})


def test_a_broken_node_is_paid_for_and_seen_as_failed() -> None:
    script = Script({})
    groups = [Group("g", (0,), minimum=1, price=Steps.constant(1.0))]
    windows = [Maintenance(20.0, 50.0, (0,))]
    _, record = run([job("a", 0.0, 40.0, checkpoint=1.0)], script, groups, maintenance=windows)
    told = dict(script.told)
    assert [int(told[time].nodes.state[0]) for time in (10.0, 30.0, 60.0)] == [2, NodeState.FAILED, 2]  # type: ignore[union-attr]
    assert told[30.0].groups[0].ready == 0
    hours = record.facts["groups"]["g"]["hours"]
    assert (hours["failed"] * 3600, hours["busy"] * 3600) == (pytest.approx(30.0), pytest.approx(40.0))
    assert record.facts["groups"]["g"]["paid"] == pytest.approx(70.0)


def test_a_job_that_no_group_can_hold_is_turned_away_with_the_reasons() -> None:
    big, split, small = (
        job("big", 0.0, 9.0, 4.0, cores=64.0, max_servers=1),
        job("split", 0.0, 9.0, 8.0),
        job("s", 0.0, 9.0),
    )
    topology = nodes(4, cores=32.0)
    groups = [Group("a", (0, 1), maximum=1, initial=1), Group("b", (2, 3), maximum=1, initial=1)]
    _, record = run([big, split, small], Script({}), groups, topology)
    assert (big.state, split.state, small.state) == (State.REJECTED, State.COMPLETED, State.COMPLETED)
    assert record.facts["notes"] == ["1 rejected: 0/2 node groups can hold it: 2 too few cores (wants 64, has 32)."]


# -- whatever happens -----------------------------------------------------------------------------------------------


ACTIONS = st.one_of(
    st.builds(lambda group, count: ("grow", group, count), st.integers(0, 1), st.integers(1, 3)),
    st.builds(lambda server: ("remove", server, 0), st.integers(0, 5)),
    st.builds(lambda server, group: ("replace", server, group), st.integers(0, 5), st.integers(0, 1)),
    st.builds(lambda count: ("number", count, 0), st.integers(0, 6)),
)


class Watching(Part):
    """Looks after each pass where jobs are: only on nodes that take work, or took it until lately."""

    def attach(self, simulation: Any) -> None:
        self._roster, self._nodes = simulation.pool._pool.roster, simulation.nodes

    def passed(self) -> None:
        roster = self._roster
        for server, residents in enumerate(roster.residents):
            assert bool(residents) == (self._nodes.jobs[server] > 0)
            assert not residents or roster.state[server] in (NodeState.READY, NodeState.DRAINING)
            assert self._nodes.up[server] == (roster.state[server] in (NodeState.READY, NodeState.DRAINING))


class Drawn:
    """Does what was drawn, one action a step, and then keeps all nodes up."""

    interval = 7.0
    detailed = True

    def __init__(self, drawn: list[tuple[str, int, int]], cancels: bool) -> None:
        self._drawn, self.cancels = drawn, cancels

    def reset(self) -> None:
        self._step = 0

    def step(self, now: float, observation: Any) -> Any:
        for group in observation.groups:
            assert 0 <= group.size <= group.maximum
        self._step += 1
        if self._step > len(self._drawn):
            return 6
        what, one, two = self._drawn[self._step - 1]
        if what == "number":
            return one
        return [Grow(one, two) if what == "grow" else Remove((one,)) if what == "remove" else Replace((one,), two)]


@settings(max_examples=120, deadline=None)
@given(
    drawn=st.lists(ACTIONS, max_size=25),
    work=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 80), st.sampled_from([0.5, 1.0, 3.0, 4.0, 7.0]), st.booleans()),
        max_size=10,
    ),
    cancels=st.booleans(),
    capacity=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), max_size=6),
    warm=st.integers(0, 2),
    interruptions=st.sampled_from([math.inf, 60.0]),
    notice=st.sampled_from([0.0, 15.0]),
    boot=st.sampled_from([(), (Phase("boot", 20.0),), (Phase("a", 5.0, "exponential"), Phase("accelerators", 9.0))]),
)
def test_money_is_the_integral_of_what_is_paid_for(
    drawn: Any, work: Any, cancels: bool, capacity: Any, warm: int, interruptions: float, notice: float, boot: Any
) -> None:
    """Invariants of records hold (``run`` checks them), jobs run on nodes that are there, and the accounts balance."""
    times = np.cumsum([0, *[gap for gap, _ in capacity]]).tolist()
    stock = Steps(times, [3, *[count for _, count in capacity]]) if capacity else None
    prices = (Steps([0.0, 50.0, 130.0], [1.0, 0.25, 3.0]), Steps.constant(0.5))
    groups = [
        Group("od", (0, 1, 2), minimum=1, boot=boot, price=prices[0]),
        Group(
            "spot", (3, 4, 5), boot=boot, price=prices[1], capacity=stock, interruptions=interruptions, notice=notice,
            warm=Warm(warm, "running", 3.0, 0.4) if warm and boot else None,
        ),
    ]  # fmt: skip
    jobs = [
        job(f"{number}", float(start), float(length), size, preemptible=free, checkpoint=5.0)
        for number, (start, length, size, free) in enumerate(sorted(work))
    ]
    _, record = run(jobs, Drawn(drawn, cancels), groups, until=600.0, parts=[Watching()])
    end = record.facts["end"]
    facts = record.facts["groups"]
    up = {"n0": 0.0}
    hours = dict.fromkeys(("od", "spot"), 0.0)
    for time, event, subject, _ in events(record, "node-up", "node-down"):
        if event == "node-up":
            assert subject not in up
            up[subject] = time
        else:
            hours["od" if subject in ("n0", "n1", "n2") else "spot"] += time - up.pop(subject)
    for subject, time in up.items():
        hours["od" if subject in ("n0", "n1", "n2") else "spot"] += end - time
    for name in ("od", "spot"):
        told = math.fsum(facts[name]["hours"][state] for state in ("idle", "busy", "drain", "failed"))
        assert told * 3600 == pytest.approx(hours[name], abs=1e-6)
    spot = facts["spot"]["hours"]
    paid = 0.5 * 3600 * (math.fsum(spot.values()) - 0.6 * spot["warm"])
    assert facts["spot"]["paid"] == pytest.approx(paid, rel=1e-9, abs=1e-9)
    assert record.facts["cost"]["cloud"] == pytest.approx(facts["od"]["paid"] + facts["spot"]["paid"], rel=1e-9)
    nodes_seconds = math.fsum(math.fsum(facts[name]["hours"].values()) for name in facts) * 3600
    assert record.facts["provisioned_seconds"] == pytest.approx(4 * nodes_seconds, rel=1e-9, abs=1e-6)


# -- what is known of queues with set-up ---------------------------------------------------------------------------


class SetUp:
    """Has a node up or coming for each job that runs or waits, and calls off those for which nobody waits any more."""

    interval = 1e9
    prompt = cancels = True

    def step(self, now: float, observation: Any) -> int:
        return int(observation.busy + observation.waiting)


def test_one_node_with_set_up_is_the_queue_of_the_textbook() -> None:
    """M/M/1 with exponential set-up: the mean response is 1 / (mu - lambda) + 1 / alpha (Welch 1964).

    The standard error of the mean of 20,000 jobs is about 0.1, from batches of 1,000.
    """
    random, count, rate, start = stream(3, "jobs"), 20_000, 0.5, 5.0
    submit, length = np.cumsum(random.exponential(1 / rate, count)), random.exponential(1.0, count)
    jobs = [
        job(f"{number}", *pair, 1.0) for number, pair in enumerate(zip(submit.tolist(), length.tolist(), strict=True))
    ]
    group = Group("g", (0,), boot=(Phase("set-up", start, "exponential"),))
    _, record = run(jobs, SetUp(), [group], nodes(1, 1))
    jct = record.tables["jobs"]["jct"]
    error = jct.reshape(20, -1).mean(axis=1).std(ddof=1) / math.sqrt(20)
    assert error < 0.25
    assert jct.mean() == pytest.approx(1 / (1.0 - rate) + start, abs=3 * error)


def test_a_controller_that_rests_and_a_job_that_never_ran_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STEPS", 50)
    group = [Group("g", (0, 1), maximum=1, boot=BOOT)]

    def gang() -> list[Any]:
        return [job("a", 0.0, 10.0), job("b", 5.0, 10.0, 8.0, max_servers=2)]

    _, record = run(gang()[:1], Script({0.0: [Grow(0, 1)]}), group)
    assert not record.facts["notes"]
    limited = [Group("g", (0, 1), boot=BOOT, quota=2, capacity=Steps([0.0, 1.0], [2.0, 1.0]))]
    _, record = run(gang(), Script({0.0: [Grow(0, 1)], 20.0: [Grow(0, 1)]}), limited)
    rests, never = record.facts["notes"][-2:]
    assert rests.startswith("Autoscaler script was not asked any more from ")
    assert (
        "50 steps in a row brought no job forward, and none of them changed anything. Nothing that it may do" in rests
    )
    assert never.startswith("Job 'b' never got its nodes: it waited ")
    assert never.endswith("for 8 accelerators, and at the end 4 were up: g gets no more nodes from its provider.")
    _, record = run(gang(), Script({0.0: [Grow(0, 1)]}), [Group("g", (0, 1), boot=BOOT)])
    assert record.facts["notes"][-1].endswith("4 were up: g could still grow, and nobody asked for that.")


def test_a_negative_number_of_nodes_is_an_error() -> None:
    with pytest.raises(PolicyError, match="autoscaler Script at 10 s: step returned -1 nodes; it must be 0 or more"):
        run([job("a", 0.0, 10.0)], Script({0.0: -1}), [Group("g", (0,), boot=BOOT)])


def test_groups_that_cannot_help_are_written_down_once() -> None:
    work = [job("a", 0.0, 500.0), *[job(f"b{number}", 5.0, 10.0) for number in range(3)]]
    _, record = run(work, Script({0.0: [Grow(0)]}), [Group("g", (0, 1), maximum=1, boot=BOOT)])
    rows = decisions(record, "subject", "action", "rule", "wanted", "applied", "inputs")
    assert [row for row in rows if row[1] == "refuse"] == [("g", "refuse", "max", 2, 1, '{"jobs": 3, "first": "b0"}')]
