"""Volcano's queues: what they deserve, what is let in, whom they stop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.policies.scheduling.volcano import Volcano
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob, State

EVICTING = ("enqueue", "allocate", "backfill", "preempt", "reclaim")


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def starts(jobs: list[BatchJob], policy: Any, topology: Any = 8, **options: Any) -> list[float]:
    replay(jobs, policy, topology=topology, **options)
    return [each.start for each in jobs]


def stream(tenant: str, count: int, size: float = 1.0) -> list[BatchJob]:
    return [job(f"{tenant}{i}", 0, 10, size, tenant=tenant) for i in range(count)]


def at_start(jobs: list[BatchJob]) -> int:
    return sum(1 for each in jobs if each.start == 0)


def test_queues_share_by_weight_what_both_ask_for() -> None:
    a, b = stream("a", 20), stream("b", 20)
    starts([*a, *b], Volcano({"a": {"weight": 3}, "b": {"weight": 1}}, actions=("allocate",)))
    assert (at_start(a), at_start(b)) == (6, 2)


def test_who_asks_for_less_leaves_the_rest() -> None:
    a, b = stream("a", 1), stream("b", 20)
    starts([*a, *b], Volcano({"a": {"weight": 3}, "b": {"weight": 1}}))
    assert (at_start(a), at_start(b)) == (1, 7)


def test_capability_bounds_and_guarantee_keeps() -> None:
    a, b = stream("a", 20), stream("b", 20)
    starts([*a, *b], Volcano({"a": {"capability": 2}, "b": {}}, actions=("allocate",)))
    assert (at_start(a), at_start(b)) == (2, 6)
    lonely = stream("a", 20)
    starts(lonely, Volcano({"a": {}, "b": {"guarantee": 3}}))
    assert at_start(lonely) == 5


def test_only_a_little_more_than_the_cluster_is_let_in() -> None:
    """The wide job is let in, and with it 1.2 x 8 is used up: the small one is not looked at, though it would fit."""

    def jobs() -> list[BatchJob]:
        sizes = {"a": 4, "b": 5, "c": 2}
        return [job(name, float(at), 10, size, tenant=name) for at, (name, size) in enumerate(sizes.items())]

    queues: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    assert starts(jobs(), Volcano(queues, overcommit=1.2)) == [0, 10, 10]
    assert starts(jobs(), Volcano(queues, overcommit=2.0)) == [0, 10, 2]
    assert starts(jobs(), Volcano(queues, actions=("allocate",))) == [0, 10, 2]


def test_a_full_queue_lets_nobody_in_so_that_nobody_is_stopped() -> None:
    """Enqueue counts what is allocated and let in against the queue's capability, as Volcano does."""
    jobs = [job("low", 0, 20, 8), job("high", 5, 5, 8, priority=2)]
    assert starts(jobs, Volcano(actions=EVICTING, overcommit=2)) == [0, 20]


def test_jobs_without_accelerators_are_backfilled() -> None:
    jobs = [job("full", 0, 10, 8), job("none", 1, 1, 0)]
    assert starts(jobs, Volcano()) == [0, 1]
    jobs = [job("none", 1, 1, 0)]
    replay(jobs, Volcano(actions=("enqueue", "allocate")))
    assert jobs[0].state is State.UNFINISHED


def test_higher_priority_goes_first_and_stops_others_only_with_preempt() -> None:
    def jobs() -> list[BatchJob]:
        return [job("low", 0, 20, 4), job("later", 1, 20, 4, priority=1), job("high", 5, 5, 4, priority=2)]

    assert starts(jobs(), Volcano(actions=("allocate",))) == [0, 1, 20]
    stopped = jobs()
    assert starts(stopped, Volcano(actions=("allocate", "preempt"))) == [0, 1, 5]
    assert [each.preemptions for each in stopped] == [1, 0, 0]


def test_reclaim_takes_from_queues_beyond_what_they_deserve_but_not_from_protected_ones() -> None:
    def jobs() -> list[BatchJob]:
        return [*(job(f"a{i}", 0, 50, 2, tenant="a") for i in range(4)), job("b", 5, 5, 4, tenant="b")]

    queues: dict[str, Any] = {"a": {}, "b": {}}
    assert starts(jobs(), Volcano(queues, overcommit=2))[-1] == 50
    reclaimed = jobs()
    assert starts(reclaimed, Volcano(queues, actions=EVICTING, overcommit=2))[-1] == 5
    assert [each.preemptions for each in reclaimed] == [0, 0, 1, 1, 0]
    queues["a"] = {"reclaimable": False}
    assert starts(jobs(), Volcano(queues, actions=EVICTING, overcommit=2))[-1] == 50


def test_the_capacity_plugin_starts_beyond_what_is_deserved_and_gives_it_back() -> None:
    queues = {"a": {"deserved": 2, "capability": 6}, "b": {"deserved": 6}}
    a, b = stream("a", 10), job("b", 5, 5, 4, tenant="b")
    policy = Volcano(queues, plugin="capacity", actions=("allocate", "reclaim"))
    starts([*a, b], policy)
    assert at_start(a) == 6
    assert b.start == 5
    assert sum(each.preemptions for each in a) == 2


def test_tenants_without_a_queue_go_to_the_default_one_or_away() -> None:
    assert starts([job("x", 0, 1, 1, tenant="nobody")], Volcano({"a": {}})) == [0]
    stranger = job("x", 0, 1, 1, tenant="nobody")
    record = replay([stranger], Volcano({"a": {}}, unknown="reject"))
    assert stranger.state is State.REJECTED
    assert "1 rejected: its tenant has no queue." in record.facts["notes"]
    with pytest.raises(InputError, match=r"^unknown: job 'x' is of tenant 'aa', which has no queue\. Did you mean"):
        replay([job("x", 0, 1, 1, tenant="aa")], Volcano({"aaa": {}}, unknown="error"))


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"queues": {"a": {"wieght": 1}}}, r"^queues: 'a' has an unknown key 'wieght'\. Did you mean 'weight'\?"),
        ({"queues": {"a": {"weight": 0}}}, r"^queues: 'a': weight is 0; it must be a finite number above 0"),
        ({"queues": {"a": {"capability": 2, "guarantee": 3}}}, r"^queues: 'a': guarantee is 3, more than its capab"),
        ({"queues": {"a": {"deserved": 2}}}, r"^queues: 'a': a queue of the proportion plugin has no deserved"),
        ({"queues": {"a": {}}, "plugin": "capacity"}, r"^queues: 'a': a queue of the capacity plugin needs deserved"),
        ({"plugin": "drf"}, r"^plugin is 'drf'"),
        ({"actions": ["alocate"]}, r"^actions name one that is 'alocate'\. Did you mean 'allocate'\?"),
        ({"overcommit": 0.5}, r"^overcommit is 0\.5; it must be a finite number, 1 or more"),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Volcano(**parameters)


rows = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(0, 4), st.integers(0, 1), st.integers(0, 2)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(["proportion", "capacity"]), st.booleans())
def test_all_that_fits_is_finished(drawn: list[tuple[int, ...]], plugin: str, evicting: bool) -> None:
    jobs = [
        job(str(i), float(a), float(d), float(n), tenant="xy"[t], priority=float(p))
        for i, (a, d, n, t, p) in enumerate(sorted(drawn, key=lambda row: row[0]))
    ]
    queues = {name: ({"deserved": 4} if plugin == "capacity" else {"weight": 1 + i}) for i, name in enumerate("xy")}
    policy = Volcano(queues, plugin=plugin, actions=EVICTING if evicting else EVICTING[:3])
    replay(jobs, policy, topology=8, restart=1.0)
    assert all(each.state is State.COMPLETED for each in jobs)


@pytest.mark.parametrize("policy", [Volcano(actions=EVICTING), Volcano(plugin="capacity")], ids=["all", "capacity"])
def test_it_keeps_the_promises_of_schedulers(policy: Any) -> None:
    check_scheduler(policy)
