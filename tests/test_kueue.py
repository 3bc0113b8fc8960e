"""Kueue's admission and preemption on cases worked out by hand, and static virtual clusters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.policies.quota.fair import fair_targets, rules_of
from simulator.policies.quota.preemption import Claim, classical_targets
from simulator.policies.quota.reading import cohorts_of, queues_of
from simulator.policies.quota.records import ACCELERATORS, ANY
from simulator.policies.quota.tree import QuotaTree
from simulator.policies.quota.turns import classical_order, fairest
from simulator.policies.scheduling.kueue import Kueue
from simulator.policies.scheduling.virtual_clusters import VirtualClusters
from simulator.testing import check_scheduler, replay
from simulator.testing.situations import servers
from simulator.workload.jobs import BatchJob, State

KEY = (ANY, ACCELERATORS)
BOTH = rules_of(["less-than-or-equal-to-final-share", "less-than-initial-share"])


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


class Situation:
    """Queues with jobs that run, and one that asks: who must go."""

    def __init__(self, queues: dict[str, Any], cohorts: dict[str, Any] | None = None) -> None:
        self.tree = QuotaTree(queues_of(queues), cohorts_of(cohorts))
        self.admitted: dict[str, list[Claim]] = {name: [] for name in queues}
        self._count = 0

    def claim(self, queue: str, amount: float, priority: float = 0.0, at: float = 0.0) -> Claim:
        self._count += 1
        made = job(f"{queue}{self._count}", at, 1.0, amount, priority=priority)
        made.sequence = self._count
        return Claim(made, queue, {KEY: amount}, at)

    def run(self, queue: str, *amounts: float, priority: float = 0.0) -> Situation:
        for amount in amounts:
            claim = self.claim(queue, amount, priority, float(self._count))
            self.admitted[queue].append(claim)
            self.tree.add(queue, claim.request)
        return self

    def ask(self, queue: str, amount: float, priority: float = 0.0, at: float = 99.0, fair: Any = None) -> list[str]:
        before = dict(self.tree.root(queue).usage)
        asking = self.claim(queue, amount, priority, at)
        if fair is None:
            found = classical_targets(self.tree, asking, self.admitted, lambda leaving: True)
        else:
            found = fair_targets(self.tree, asking, self.admitted, lambda leaving: True, fair)
        assert self.tree.root(queue).usage == before, "looking must not change the account"
        return [claim.job.id for claim in found]


def two(**preemption: Any) -> Situation:
    """Queues a and b of 4 accelerators each in one cohort; a may stop others as given."""
    return Situation({"a": {"nominal": 4, "cohort": "c", "preemption": preemption}, "b": {"nominal": 4, "cohort": "c"}})


# -- classical preemption -------------------------------------------------------------------------------------------


def test_nobody_is_stopped_by_default() -> None:
    assert two().run("b", 4, 4).ask("a", 2) == []


def test_what_was_lent_is_reclaimed_from_the_latest_of_lowest_priority() -> None:
    lent = two(reclaim="any").run("b", 2, 2, 2, 2)
    assert lent.ask("a", 2) == ["b4"]
    assert two(reclaim="any").run("b", 4).run("b", 2, priority=1).run("b", 2).ask("a", 2) == ["b3"]
    assert lent.ask("a", 4) == ["b4", "b3"]


def test_only_what_is_beyond_the_nominal_quota_is_reclaimed() -> None:
    assert two(reclaim="any").run("b", 6).run("a", 2).ask("a", 3) == []
    assert two(reclaim="any").run("b", 4).run("a", 4).ask("a", 1) == []


def test_lower_priority_only_where_the_policy_says_so() -> None:
    assert two(reclaim="lower-priority").run("b", 4, 4).ask("a", 2) == []
    assert two(reclaim="lower-priority").run("b", 4, 4).ask("a", 2, priority=1) == ["b2"]


def test_the_own_queue_gives_by_priority_or_age() -> None:
    own = two(within="lower-priority").run("a", 2, 2).run("b", 4)
    assert own.ask("a", 2) == []
    assert own.ask("a", 2, priority=1) == ["a2"]
    newer = two(within="lower-or-newer-equal-priority").run("b", 4).run("a", 2, 2)
    assert newer.ask("a", 2, at=1.5) == ["a3"]
    assert newer.ask("a", 2, at=9.0) == []


def test_a_borrower_stops_others_only_if_it_may_and_below_the_threshold() -> None:
    assert two(reclaim="any").run("a", 4).run("b", 4).ask("a", 2, priority=5) == []
    lent = {"reclaim": "any", "borrow": "lower-priority"}
    three = {
        "a": {"nominal": 2, "cohort": "c", "preemption": lent},
        "b": {"nominal": 2, "cohort": "c"},
        "d": {"nominal": 4, "cohort": "c"},
    }
    assert Situation(three).run("b", 4, 4).ask("a", 4, priority=5) == ["b2"]
    three["a"] |= {"preemption": {**lent, "threshold": -1}}
    assert Situation(three).run("b", 4, 4).ask("a", 4, priority=5) == []
    assert Situation(three).run("b", 4, 4, priority=-1).ask("a", 4, priority=5) == ["b2"]


def test_those_that_need_not_go_are_spared() -> None:
    """The smaller, later job is found first; once the larger goes, it need not."""
    assert two(reclaim="any").run("b", 4, 3, 1).ask("a", 3) == ["b2"]


def test_jobs_that_may_not_be_stopped_are_not() -> None:
    lent = two(reclaim="any").run("b", 4, 4)
    lent.admitted["b"][1].job.preemptible = False
    assert lent.ask("a", 4) == ["b1"]


def test_who_is_nearer_to_the_quota_in_the_tree_gets_it_back_while_borrowing() -> None:
    """a borrows from its sibling's quota in its own cohort, and has the advantage over the other side."""
    deep = Situation(
        {
            "a": {"nominal": 2, "cohort": "left", "preemption": {"reclaim": "any"}},
            "sibling": {"nominal": 4, "cohort": "left"},
            "other": {"nominal": 2, "cohort": "right"},
        },
        {"left": {"parent": "all"}, "right": {"parent": "all"}, "all": None},
    )
    assert deep.run("other", 4, 4).ask("a", 4) == ["other2"]


# -- fair sharing ---------------------------------------------------------------------------------------------------


def three(weights: tuple[float, float] = (1, 1), **queue: Any) -> Situation:
    """a and b without a quota of their own share 8 accelerators of an idle queue."""
    common = {"nominal": 0, "cohort": "c", "preemption": {"reclaim": "any"}} | queue
    return Situation(
        {
            "a": common | {"weight": weights[0]},
            "b": common | {"weight": weights[1]},
            "idle": {"nominal": 8, "cohort": "c"},
        }
    )


def test_the_larger_share_gives_until_both_are_even() -> None:
    assert three().run("b", 2, 2, 2, 2).ask("a", 2, fair=BOTH) == ["b4"]
    even = three().run("b", 2, 2).run("a", 2, 2)
    assert even.ask("a", 2, fair=BOTH) == []


def test_weights_bend_the_shares() -> None:
    heavy = three((3, 1)).run("b", 2, 2).run("a", 2, 2)
    assert heavy.ask("a", 2, fair=BOTH) == ["b2"]
    nothing = three((1, 0)).run("b", 4, 4)
    assert nothing.ask("a", 4, fair=BOTH) == ["b2"]


def test_the_second_rule_stops_one_large_job_that_the_first_spares() -> None:
    """All of b is one job: without it b has less than a would have, so only the initial share lets it go."""
    assert three().run("b", 8).ask("a", 4, fair=BOTH[:1]) == []
    assert three().run("b", 8).ask("a", 4, fair=BOTH) == ["b1"]
    assert three().run("b", 8).ask("a", 8, fair=BOTH) == []


def test_what_is_within_the_nominal_quota_is_had_back_whatever_the_shares() -> None:
    owner = Situation(
        {
            "a": {"nominal": 8, "cohort": "c", "preemption": {"reclaim": "any"}},
            "b": {"nominal": 0, "cohort": "c", "weight": 100},
        }
    )
    assert owner.run("b", 4, 4).ask("a", 8, fair=BOTH[:1]) == ["b2", "b1"]


def test_strategies_are_those_of_kueue_in_its_order() -> None:
    with pytest.raises(InputError, match=r"^strategies name 'less-than-final'"):
        rules_of(["less-than-final"])
    with pytest.raises(InputError, match=r"^strategies are \['less-than-initial-share', 'less"):
        rules_of(["less-than-initial-share", "less-than-or-equal-to-final-share"])


# -- whose turn it is -----------------------------------------------------------------------------------------------


def test_heads_that_need_not_borrow_go_first_then_priority_then_age() -> None:
    heads = two().run("a", 4)
    claims = {"a": heads.claim("a", 1, priority=9), "b": heads.claim("b", 1, at=50.0)}
    assert [claim.queue for claim in classical_order(heads.tree, claims)] == ["b", "a"]
    free = {"a": heads.claim("b", 1, at=2.0), "b": heads.claim("b", 1, at=1.0)}
    assert [claim.job.submit for claim in classical_order(heads.tree, free)] == [1.0, 2.0]


def test_the_fairest_head_leaves_the_smallest_share() -> None:
    shared = three((1, 2)).run("a", 1).run("b", 1)
    claims = {"a": shared.claim("a", 1), "b": shared.claim("b", 2, at=7.0)}
    assert fairest(shared.tree, claims).queue == "b"
    claims["b"] = shared.claim("b", 4)
    assert fairest(shared.tree, claims).queue == "a"
    claims["idle"] = shared.claim("idle", 8, at=99.0)
    assert fairest(shared.tree, claims).queue == "idle"


# -- the scheduler --------------------------------------------------------------------------------------------------


def starts(jobs: list[BatchJob], policy: Any, topology: Any = 8, **options: Any) -> list[float]:
    replay(jobs, policy, topology=topology, **options)
    return [each.start for each in jobs]


def test_a_tenant_borrows_what_is_idle_and_no_more_than_its_limit() -> None:
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(4)]
    assert starts(jobs, Kueue({"a": {"nominal": 2, "cohort": "c"}, "b": {"nominal": 4, "cohort": "c"}})) == [
        0,
        0,
        0,
        10,
    ]
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(4)]
    bound = {"a": {"nominal": 2, "borrowing_limit": 2, "cohort": "c"}, "b": {"nominal": 4, "cohort": "c"}}
    assert starts(jobs, Kueue(bound)) == [0, 0, 10, 10]
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(4)]
    assert starts(jobs, Kueue({"a": 2, "b": 4})) == [0, 10, 20, 30]


def test_the_owner_gets_its_quota_back_at_once_or_waits() -> None:
    def jobs() -> list[BatchJob]:
        lent = [job(str(i), 0, 100, 4, tenant="a") for i in range(2)]
        return [*lent, job("owner", 10, 5, 4, tenant="b")]

    queues = {name: {"nominal": 4, "cohort": "c"} for name in "ab"}
    assert starts(jobs(), Kueue(queues)) == [0, 0, 100]
    reclaimed = jobs()
    assert starts(reclaimed, Kueue(queues, preemption="any"), restart=2.0) == [0, 0, 10]
    assert [each.end for each in reclaimed] == [100, 107, 15]


def test_the_time_that_a_quota_costs_is_on_the_account_of_the_policy() -> None:
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(3)]
    replay(jobs, Kueue({"a": 2}))
    assert [each.waits.policy for each in jobs] == [0, 10, 20]


def test_strict_fifo_blocks_and_best_effort_lets_pass() -> None:
    def jobs() -> list[BatchJob]:
        sizes = (3, 4, 1)
        return [job(str(n), float(i), 10, n, tenant="a") for i, n in enumerate(sizes)]

    assert starts(jobs(), Kueue({"a": 4})) == [0, 12, 2]
    assert starts(jobs(), Kueue({"a": 4}, strategy="strict-fifo")) == [0, 10, 20]


def test_flavours_are_tried_in_order_and_counted_apart() -> None:
    from simulator.cluster.topology import Topology

    nodes = {f"n{i}": {"accelerators": 4, "accelerator": kind} for i, kind in enumerate(("old", "new"))}
    types = Topology.from_links([], nodes, "two types")
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(3)]
    only = job("only", 0, 10, 2, tenant="a", accelerator_types=("old",))
    queues = {"a": {"flavors": {"new": 2, "old": {"nominal": 4}}}}
    assert starts([*jobs, only], Kueue(queues), types) == [0, 0, 0, 10]
    assert [each.placement for each in jobs] == [((1, 2),), ((0, 2),), ((0, 2),)]


def test_tenants_without_a_quota_run_on_what_is_left_and_go_first() -> None:
    guests = [job(str(i), 0, 50, 4, tenant="guest") for i in range(2)]
    owner = job("owner", 5, 10, 4, tenant="a")
    assert starts([*guests, owner], Kueue({"a": 4})) == [0, 0, 5]
    assert [each.preemptions for each in guests] == [0, 1]


def test_tenants_without_a_quota_may_be_turned_away_or_end_the_run() -> None:
    stranger = job("s", 0, 1, 1, tenant="visoin")
    record = replay([stranger], Kueue({"vision": 4}, unknown="reject"))
    assert stranger.state is State.REJECTED
    assert "1 rejected: its tenant has no quota." in record.facts["notes"]
    with pytest.raises(InputError, match=r"unknown: job 's' is of tenant 'visoin', which has no quota\. Did you mean"):
        replay([job("s", 0, 1, 1, tenant="visoin")], Kueue({"vision": 4}, unknown="error"))
    with pytest.raises(InputError, match=r"^unknown is 'best'"):
        Kueue({"vision": 4}, unknown="best")


def test_jobs_that_no_quota_could_admit_are_turned_away_or_left() -> None:
    large, small = job("large", 0, 1, 6, tenant="a"), job("small", 1, 1, 1, tenant="a")
    record = replay([large, small], Kueue({"a": 4}))
    assert (large.state, small.start) == (State.REJECTED, 1)
    assert "1 rejected: larger than the quota of its tenant." in record.facts["notes"]
    large, small = job("large", 0, 1, 6, tenant="a"), job("small", 1, 1, 1, tenant="a")
    replay([large, small], Kueue({"a": 4}, strategy="strict-fifo", oversized="hold"))
    assert (large.state, small.start) == (State.UNFINISHED, 1)


def test_quotas_beyond_the_cluster_are_noted() -> None:
    record = replay([job("x", 0, 1, 1, tenant="a")], Kueue({"a": 6, "b": 6}), topology=8)
    assert any("quotas add up to 12 accelerators, the cluster has 8" in note for note in record.facts["notes"])


def test_nobody_is_stopped_for_a_gang_that_would_not_find_room() -> None:
    """4 of b's accelerators could be had back, but 2 on each server, and the job wants one server."""
    priorities = (0, -2, 0, -1)
    lent = [job(f"b{i}", i, 50 - i, 2, tenant="b", priority=float(p)) for i, p in enumerate(priorities)]
    wide = job("wide", 5, 5, 4, tenant="a", max_servers=1)
    queues = {name: {"nominal": 4, "cohort": "c"} for name in "ab"}
    starts([*lent, wide], Kueue(queues, preemption="any"), servers(2, 4))
    assert {each.placement for each in lent} == {((0, 2),), ((1, 2),)}
    assert wide.start == 50
    assert sum(each.preemptions for each in lent) == 0
    gang = job("gang", 5, 5, 4, tenant="a")
    fresh = [job(f"b{i}", i, 50 - i, 2, tenant="b", priority=float(p)) for i, p in enumerate(priorities)]
    starts([*fresh, gang], Kueue(queues, preemption="any"), servers(2, 4))
    assert gang.start == 5
    assert [each.preemptions for each in fresh] == [0, 1, 0, 1]


rows = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 6), st.integers(0, 2), st.integers(0, 2)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(rows, st.booleans(), st.booleans(), st.sampled_from(["never", "any"]))
def test_usage_stays_within_what_the_cohort_has_and_all_that_could_run_does(
    drawn: list[tuple[int, ...]], fair: bool, strict: bool, preemption: str
) -> None:
    """Three queues of 2, 3 and 5 in a cohort on 10 accelerators: nobody is left behind, and the account closes."""
    jobs = [
        job(str(i), float(a), float(d), float(n), tenant="xyz"[t], priority=float(p))
        for i, (a, d, n, t, p) in enumerate(sorted(drawn, key=lambda row: row[0]))
    ]
    policy = Kueue(
        {name: {"nominal": quota, "cohort": "c"} for name, quota in zip("xyz", (2, 3, 5), strict=True)},
        strategy="strict-fifo" if strict else "best-effort-fifo",
        preemption=preemption,
        fair_sharing=fair,
    )
    replay(jobs, policy, topology=10, restart=1.0)
    assert all(each.state is State.COMPLETED for each in jobs)
    assert all(value == 0 for name in "xyz" for value in policy.tree.node(name).usage.values())
    if preemption == "never":
        moments = [each.start for each in jobs]
        assert all(sum(o.accelerators for o in jobs if o.start <= t < o.end) <= 10 for t in moments)


# -- virtual clusters -----------------------------------------------------------------------------------------------


def test_virtual_clusters_lend_nothing() -> None:
    jobs = [job(str(i), 0, 10, 2, tenant="a") for i in range(3)]
    assert starts(jobs, VirtualClusters({"a": 4, "b": 4})) == [0, 0, 10]


def test_the_head_of_a_virtual_cluster_blocks_its_own_tenant_only() -> None:
    jobs = [job("1", 0, 10, 3, tenant="a"), job("2", 1, 10, 2, tenant="a"), job("3", 2, 5, 1, tenant="a")]
    other = job("4", 3, 5, 4, tenant="b")
    assert starts([*jobs, other], VirtualClusters({"a": 4, "b": 4})) == [0, 10, 10, 3]


def test_the_shortest_goes_first_where_the_order_says_so() -> None:
    jobs = [job("1", 0, 10, 4, tenant="a"), job("long", 1, 9, 4, tenant="a"), job("short", 2, 1, 4, tenant="a")]
    assert starts(jobs, VirtualClusters({"a": 4}, order="shortest")) == [0, 11, 10]


def test_jobs_larger_than_their_virtual_cluster_are_turned_away_or_wait_for_good() -> None:
    for oversized, state in (("reject", State.REJECTED), ("hold", State.UNFINISHED)):
        large, small = job("large", 0, 1, 5, tenant="a"), job("small", 1, 1, 1, tenant="a")
        replay([large, small], VirtualClusters({"a": 4}, oversized=oversized))
        assert (large.state, small.start) == (state, 1)


def test_what_is_wrong_with_virtual_clusters_is_said() -> None:
    with pytest.raises(InputError, match=r"^clusters: 'a' is -4; it must be a number, 0 or more"):
        VirtualClusters({"a": -4})
    with pytest.raises(InputError, match=r"^clusters are empty"):
        VirtualClusters({})
    with pytest.raises(InputError, match=r"^order is 'sjf'"):
        VirtualClusters({"a": 4}, order="sjf")


@pytest.mark.parametrize(
    "policy",
    [
        "kueue",
        "virtual-clusters",
        Kueue({"": {"nominal": 8, "preemption": "any"}}),
        Kueue({"": {"nominal": 8, "cohort": "c"}, "b": {"nominal": 1, "cohort": "c"}}, fair_sharing=True),
        VirtualClusters({"": 8}),
    ],
    ids=["kueue", "virtual-clusters", "quota", "fair", "all in one"],
)
def test_they_keep_the_promises_of_schedulers(policy: Any) -> None:
    check_scheduler(policy)


def told(tenants: list[str], **more: Any) -> list[str]:
    jobs = [job(str(i), float(i), 5.0, 2.0, tenant=tenant) for i, tenant in enumerate(tenants)]
    record = replay(jobs, Kueue({"vision": 4, "language": 4}, **more), topology=8, restart=1.0)
    notes: list[str] = record.facts["notes"]
    return notes


def test_jobs_of_tenants_without_a_quota_and_quotas_without_jobs_are_noted() -> None:
    assert told(["vision", "language"] * 9) == []
    assert told(["vision", "langauge", "", "vision", "langauge"]) == [
        "3 of 5 jobs are of tenants without a quota (langauge, no name): they ran on what the others left.",
        "No job came of 1 tenants with a quota (language). 'language' may be 'langauge'.",
    ]
    assert "No job came of 1 tenants with a quota (vision)." in told(["language", "x"], unknown="reject")
