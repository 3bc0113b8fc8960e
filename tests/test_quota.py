"""Quotas: records and their faults, the tree of cohorts against sums, limits by user and tenant, lines of jobs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.policies.api import schedulers
from simulator.policies.quota.limits import Limits, group_of
from simulator.policies.quota.lines import Line, shape_of
from simulator.policies.quota.reading import cohorts_of, oversubscription, queues_of
from simulator.policies.quota.records import ACCELERATORS, ANY, ClusterQueue, Cohort, Quota
from simulator.policies.quota.tree import QuotaTree
from simulator.policies.quota.water import Demand, deserved
from simulator.policies.scheduling.quota import LimitedByQuota
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob, State

KEY = (ANY, ACCELERATORS)


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def tree(queues: dict[str, Any], cohorts: dict[str, Any] | None = None) -> QuotaTree:
    return QuotaTree(queues_of(queues), cohorts_of(cohorts))


# -- records and their faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queues", "text"),
    [
        ({"vision": {"nominal": -1}}, "queues: 'vision': nominal is -1; it must be a number, 0 or more"),
        ({"vision": {"nominal": math.inf}}, "queues: 'vision': nominal is infinite; a quota is a finite number"),
        (
            {"vision": {"nominal": 4, "borrowing-limit": -3, "cohort": "c"}},
            "queues: 'vision': borrowing-limit is -3; it must be a number, 0 or more",
        ),
        (
            {"vision": {"nominal": 4, "lending-limit": 5, "cohort": "c"}},
            "queues: 'vision': lending-limit is 5, more than the nominal quota of 4",
        ),
        (
            {"vision": {"nominal": 4, "borrowing-limit": 2}},
            "queues: 'vision': borrowing-limit is 2, but it has no cohort: it needs a cohort",
        ),
        ({"vision": {"nominl": 4}}, "queues: 'vision' has an unknown key 'nominl'. Did you mean 'nominal'?"),
        ({"vision": {"weight": 2}}, "queues: 'vision': nominal is missing: the quota of accelerators"),
        ({"vision": {"nominal": 4, "weight": -1}}, "queues: 'vision': weight is -1; it must be a finite number"),
        ({"vision": {"nominal": {"gpus": 4}}}, "queues: 'vision': a resource of nominal is 'gpus'."),
        (
            {"vision": {"nominal": 4, "preemption": {"reclaim": "lower-prio"}}},
            "queues: 'vision': preemption: reclaim is 'lower-prio'. Did you mean 'lower-priority'?",
        ),
        (
            {"vision": {"nominal": 4, "preemption": {"borrow": "lower-priority"}}},
            "queues: 'vision': preemption: borrow needs a reclaim other than 'never'",
        ),
        ({"vision": {"nominal": 4, "strategy": "fifo"}}, "queues: 'vision': strategy is 'fifo'."),
        ({"vision": {"nominal": 4, "flavors": {"a": 1}}}, "queues: 'vision': give flavors, or nominal and its limits"),
        (
            {"vision": {"nominal": {"accelerators": 4}, "borrowing-limit": {"cores": 4}, "cohort": "c"}},
            "queues: 'vision': borrowing-limit names 'cores', of which there is no nominal quota",
        ),
        (["vision"], "queues are ['vision']; they must be a mapping from names"),
    ],
)
def test_what_is_wrong_with_a_queue_is_said_with_names_and_numbers(queues: Any, text: str) -> None:
    with pytest.raises(InputError) as caught:
        queues_of(queues)
    assert str(caught.value).startswith(text)


def test_cohorts_must_be_known_and_must_not_go_in_a_circle() -> None:
    with pytest.raises(InputError, match=r"^queues: 'a' is in cohort 'reserch'\. Did you mean 'research'\?"):
        queues_of({"a": {"nominal": 1, "cohort": "reserch"}}, cohorts=["research"])
    with pytest.raises(InputError, match=r"^cohorts: 'a' has the parent 'al'\. Did you mean 'all'\?"):
        cohorts_of({"a": {"parent": "al"}, "all": None})
    with pytest.raises(InputError, match=r"^cohorts go in a circle: a -> b -> a$"):
        tree({"q": {"nominal": 1, "cohort": "a"}}, {"a": {"parent": "b"}, "b": {"parent": "a"}})


def test_quotas_beyond_the_cluster_are_said_with_the_numbers() -> None:
    queues, cohorts = queues_of({"a": {"nominal": 8, "cohort": "c"}, "b": 6}), cohorts_of({"c": {"nominal": 4}})
    assert oversubscription(queues, cohorts, 18) == []
    assert oversubscription(queues, cohorts, 16) == [
        "The quotas add up to 18 accelerators, the cluster has 16 (a 8, b 6, c 4): jobs may wait for room within "
        "their quota."
    ]


def test_nearest_queue_is_named() -> None:
    with pytest.raises(InputError, match=r"there is no queue 'visoin'\. Did you mean 'vision'\?"):
        tree({"vision": 4}).node("visoin")
    with pytest.raises(InputError, match=r"there is no cohort 'x'"):
        tree({"vision": 4}).cohort("x")


# -- the tree -------------------------------------------------------------------------------------------------------


def test_borrowing_takes_what_the_cohort_does_not_use() -> None:
    """The example of Kueue's page on cluster queues: 9 and 12, then a borrowing limit of 1."""
    free = tree({"a": {"nominal": 9, "cohort": "ab"}, "b": {"nominal": 12, "cohort": "ab"}})
    assert free.available("a", KEY) == 21
    bound = tree({"a": {"nominal": 9, "borrowing-limit": 1, "cohort": "ab"}, "b": {"nominal": 12, "cohort": "ab"}})
    assert bound.available("a", KEY) == 10
    assert bound.available("b", KEY) == 21
    bound.add("b", {KEY: 20})
    assert bound.available("a", KEY) == 1
    assert bound.would_borrow("b", {KEY: 0.0})
    assert not bound.would_borrow("a", {KEY: 1.0})


def test_what_is_not_lent_is_guaranteed() -> None:
    lent = tree({"a": {"nominal": 9, "cohort": "c"}, "b": {"nominal": 12, "lending-limit": 3, "cohort": "c"}})
    assert lent.available("a", KEY) == 12
    lent.add("a", {KEY: 12})
    assert lent.available("b", KEY) == 9
    lent.add("b", {KEY: 9})
    assert lent.available("b", KEY) == 0
    assert lent.cohort("c").usage[KEY] == 12


def test_a_cohort_of_cohorts_lends_across_and_has_a_quota_of_its_own() -> None:
    deep = tree(
        {"a": {"nominal": 4, "cohort": "left"}, "b": {"nominal": 4, "cohort": "right"}},
        {"left": {"parent": "all"}, "right": {"parent": "all"}, "all": {"nominal": 2}},
    )
    assert deep.available("a", KEY) == 10
    assert [deep.borrowing_level("a", {KEY: n}) for n in (4.0, 5.0)] == [0, 2]
    deep.add("b", {KEY: 6})
    assert deep.available("a", KEY) == 4


def test_dominant_share_is_usage_beyond_nominal_over_what_the_cohort_can_lend() -> None:
    shares = tree(
        {
            "a": {"nominal": {"accelerators": 4, "cores": 40}, "cohort": "c", "weight": 2},
            "b": {"nominal": {"accelerators": 6, "cores": 160}, "cohort": "c"},
            "z": {"nominal": 0, "cohort": "c", "weight": 0},
        }
    )
    assert shares.dominant_share("a").value == 0
    request = {KEY: 6.0, (ANY, "cores"): 60.0}
    share = shares.dominant_share("a", request)
    assert (share.ratio, share.value, share.resource) == (200.0, 100.0, "accelerators")
    assert shares.node("a").usage == {KEY: 0.0, (ANY, "cores"): 0.0}
    assert math.isinf(shares.dominant_share("z", {KEY: 1.0}).value)
    assert shares.dominant_share("z", {KEY: 2.0}).rank > shares.dominant_share("z", {KEY: 1.0}).rank


amounts = st.integers(0, 12)
limits = st.one_of(st.none(), st.integers(0, 12))


@given(
    st.lists(st.tuples(amounts, limits, limits), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), amounts), max_size=8),
    amounts,
)
def test_one_cohort_agrees_with_plain_sums(
    described: list[tuple[int, int | None, int | None]], takes: list[tuple[int, int]], own: int
) -> None:
    """An account without a tree: what is lent by all, less what is used of it, bounded by each queue's own limits."""
    queues = [
        ClusterQueue(
            str(index),
            {KEY: Quota(nominal, math.inf if b is None else b, math.inf if lend is None else min(lend, nominal))},
            "c",
        )
        for index, (nominal, b, lend) in enumerate(described)
    ]
    held = [0] * len(queues)
    made = QuotaTree(queues, [Cohort("c", quotas={KEY: Quota(own)})])

    def available(index: int) -> float:
        lent, used = float(own), 0.0
        for other, queue in enumerate(queues):
            quota = queue.quotas[KEY]
            kept = 0.0 if math.isinf(quota.lending_limit) else quota.nominal - quota.lending_limit
            lent += quota.nominal - kept
            used += max(0.0, held[other] - kept)
        quota = queues[index].quotas[KEY]
        kept = 0.0 if math.isinf(quota.lending_limit) else quota.nominal - quota.lending_limit
        unused = max(0.0, kept - held[index])
        return min(unused + lent - used, quota.nominal + quota.borrowing_limit - held[index])

    for which, amount in takes:
        index = which % len(queues)
        assert made.available(str(index), KEY) == available(index)
        if made.fits(str(index), {KEY: float(amount)}):
            made.add(str(index), {KEY: float(amount)})
            held[index] += amount
            assert made.node(str(index)).usage.get(KEY, 0.0) == held[index]
    assert [made.available(str(index), KEY) for index in range(len(queues))] == [
        available(index) for index in range(len(queues))
    ]
    for index, amount in enumerate(held):
        made.remove(str(index), {KEY: float(amount)})
    assert all(value == 0 for value in made.cohort("c").usage.values())


# -- water-filling --------------------------------------------------------------------------------------------------

demands = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5), st.integers(1, 30)), min_size=1, max_size=6)


@given(demands, st.integers(1, 40))
def test_water_filling_is_weighted_max_min(described: list[tuple[int, int, int]], total: int) -> None:
    """Nothing is left while somebody wants more, and nobody who wants more has less for its weight than another."""
    claims = {str(i): Demand(float(r), float(w), float(c)) for i, (r, w, c) in enumerate(described)}
    shares = deserved(float(total), claims)
    bounds = {name: min(claim.request, claim.capability, total) for name, claim in claims.items()}
    assert sum(shares.values()) == pytest.approx(min(total, sum(bounds.values())))
    hungry = {name: shares[name] / claims[name].weight for name in claims if shares[name] < bounds[name] - 1e-6}
    assert all(shares[name] <= bounds[name] + 1e-9 for name in claims)
    for level in hungry.values():
        assert all(shares[name] / claims[name].weight <= level + 1e-6 for name in claims)


def test_a_guarantee_is_nobody_elses() -> None:
    assert deserved(10, {"a": Demand(20), "b": Demand(0, guarantee=4)}) == {"a": 6.0, "b": 4.0}


# -- lines ----------------------------------------------------------------------------------------------------------


def queued(jobs: list[BatchJob]) -> list[BatchJob]:
    for sequence, each in enumerate(jobs):
        each.sequence, each.state = sequence, State.QUEUED
    return jobs


def test_a_line_goes_by_priority_then_submission_and_skips_shapes_that_are_blocked() -> None:
    wide, first, late, urgent = jobs = queued(
        [job("wide", 0, 1, 4), job("first", 1, 1), job("late", 2, 1), job("urgent", 3, 1, 4, priority=5)]
    )
    line = Line("a")
    for each in jobs:
        line.push(each)
    assert line.head() is urgent
    line.block(urgent, "quota")
    assert line.head() is first
    assert line.head(strict=True) is None
    assert [each.id for each in line.untold("quota")] == ["wide", "urgent"]
    assert not list(line.untold("quota"))
    line.take(first)
    assert line.head() is late
    line.unblock("quota")
    assert line.head(strict=True) is urgent
    late.state = State.REJECTED
    line.take(urgent)
    assert line.head() is wide
    assert shape_of(wide) == shape_of(urgent)


def test_a_better_job_gives_its_shape_a_new_chance() -> None:
    old, new = queued([job("old", 0, 1), job("new", 1, 1, priority=9)])
    line = Line("a")
    line.push(old)
    line.block(old, "quota")
    assert line.head() is None
    line.push(new)
    assert line.head() is new


# -- limits by user and tenant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"per_usr": {}}, "limits has an unknown key 'per_usr'. Did you mean 'per_user'?"),
        ({"per_user": {"gpus": 4}}, "limits: per_user has an unknown key 'gpus'."),
        ({"per_user": {"accelerators": -4}}, "limits: per_user: accelerators is -4; it must be a number, 0 or more"),
        ({"per_user": {"jobs": 0.5}}, "limits: per_user: jobs is 0.5; it must be a whole number, 1 or more"),
        ({"users": {"ann": 4}}, "limits: users: 'ann' is 4; it must be a mapping with accelerators"),
        ({"per_job": {"jobs": 4}}, "limits: per_job has jobs; one job is always one"),
    ],
)
def test_what_is_wrong_with_limits_is_said(given_: Any, text: str) -> None:
    with pytest.raises(InputError) as caught:
        Limits(given_)
    assert str(caught.value).startswith(text)


def test_limits_count_by_user_tenant_and_name() -> None:
    held = Limits({"per-user": {"accelerators": 4}, "tenants": {"a": {"jobs": 2}}, "total": {"accelerators": 8}})
    ann = job("1", 0, 1, 3, user="ann", tenant="a")
    held.start(ann)
    assert held.used("user", "ann") == {"accelerators": 3}
    assert held.used("tenant", "a") == {"jobs": 1}
    assert not held.admits(group_of(job("2", 0, 1, 2, user="ann", tenant="b")))
    assert held.admits(group_of(job("3", 0, 1, 2, user="bob", tenant="a")))
    held.start(job("4", 0, 1, 1, tenant="a"))
    assert not held.admits(group_of(job("5", 0, 1, 1, tenant="a")))
    assert not held.admits(group_of(job("6", 0, 1, 5)))
    held.stop(ann)
    assert held.used("user", "ann") == {"accelerators": 0}
    assert not held.ever_admits(group_of(job("7", 0, 1, 5, user="ann")))


def test_a_job_beyond_its_users_limit_lets_others_pass() -> None:
    jobs = [job("a1", 0, 10, 2, user="ann"), job("a2", 0, 10, 2, user="ann"), job("b", 1, 10, 2, user="bob")]
    record = replay(jobs, LimitedByQuota({"per_user": {"accelerators": 2}}), topology=8)
    assert [each.start for each in jobs] == [0.0, 10.0, 1.0]
    assert record.tables["jobs"]["wait"].tolist() == [0.0, 0.0, 10.0]


@pytest.mark.parametrize(
    "inner",
    ["fifo", "easy-backfill", "srtf", {"kind": "las", "quantum": 20.0}, {"order": "las", "backfill": "fill"}],
    ids=lambda inner: str(inner),
)
def test_no_inner_scheduler_gets_beyond_a_limit(inner: Any) -> None:
    jobs = [
        job(str(i), 5.0 * (i // 4), 20.0 + i % 7, 1 + i % 3, user="xyz"[i % 3], tenant="ab"[i % 2]) for i in range(60)
    ]
    limits_ = {"per_user": {"accelerators": 4, "jobs": 2}, "per_tenant": {"accelerators": 6}}
    replay(jobs, LimitedByQuota(limits_, inner), topology=12, restart=1.0)
    assert all(each.state is State.COMPLETED for each in jobs)
    for kind, most in (("user", 4), ("tenant", 6)):
        for name in dict.fromkeys(getattr(each, kind) for each in jobs):
            assert most_at_once([each for each in jobs if getattr(each, kind) == name]) <= most


def most_at_once(jobs: list[BatchJob]) -> float:
    """Accelerators held together at most, if nobody was stopped; an upper bound is not needed where somebody was."""
    jobs = [each for each in jobs if not each.preemptions]
    return max(
        (sum(o.accelerators for o in jobs if o.start <= each.start < o.end) for each in jobs),
        default=0.0,
    )


def test_a_job_beyond_any_limit_waits_for_good_or_is_turned_away() -> None:
    large, small = job("large", 0, 1, 4, user="ann"), job("small", 1, 1, 1, user="ann")
    replay([large, small], LimitedByQuota({"per_user": {"accelerators": 2}}), topology=8)
    assert (large.state, small.start) == (State.UNFINISHED, 1.0)
    large, small = job("large", 0, 1, 4, user="ann"), job("small", 1, 1, 1, user="ann")
    limited = LimitedByQuota({"per_user": {"accelerators": 2}}, oversized="reject")
    record = replay([large, small], limited, topology=8)
    assert large.state is State.REJECTED
    assert "1 rejected: larger than its limit." in record.facts["notes"]


def test_the_scheduler_inside_is_named_when_it_is_wrong() -> None:
    with pytest.raises(InputError, match=r"^scheduler 'las': quantum is 0 s; it must be"):
        LimitedByQuota(None, {"kind": "las", "quantum": 0})
    assert LimitedByQuota(None, {"kind": "las", "quantum": "10 min"}).interval == 600.0
    with pytest.raises(InputError, match=r"^scheduler: 'kueue' has quotas of its own"):
        LimitedByQuota(None, "kueue")
    with pytest.raises(InputError, match=r"^scheduler: 'kind' is missing\. Known: "):
        LimitedByQuota(None, {"quantum": 3})


@pytest.mark.parametrize("inner", ["fifo", "sjf", "easy-backfill", "srtf"])
def test_it_keeps_the_promises_of_schedulers(inner: str) -> None:
    check_scheduler(LimitedByQuota({"per_user": {"accelerators": 4}}, inner))
    assert "quota" in schedulers.names()
