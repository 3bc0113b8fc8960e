"""Time slicing, packing, and moving jobs together: gandiva and defragment."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.allocation import Allocator
from simulator.core.errors import InputError
from simulator.policies.defragmentation import cheapest, plan, restart_cost
from simulator.policies.scheduling.defragmenting import Defragmenting
from simulator.policies.scheduling.gandiva import Gandiva
from simulator.policies.sharing.table import InterferenceTable
from simulator.testing import check_scheduler, replay
from simulator.testing.situations import servers
from simulator.workload.jobs import BatchJob, State

PAIRS = InterferenceTable("", {"good": {"good": 0.9, "bad": 0.3}, "bad": {"good": 0.6, "bad": 0.4}})


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def halves(*models: str, duration: float = 100.0) -> list[BatchJob]:
    return [job(str(i), 0, duration, 1, minimum=0.5, model=model) for i, model in enumerate(models)]


# -- time slicing ---------------------------------------------------------------------------------------------------


def test_jobs_take_turns_of_a_quantum_and_pay_for_each_return() -> None:
    jobs = [job("a", 0, 100), job("b", 0, 100)]
    replay(jobs, Gandiva(quantum=60.0), topology=1, restart=1.0)
    # a 0-60, b 60-120, a 120-161 with a restart of 1 s, b 161-202
    assert [(each.start, each.end, each.preemptions) for each in jobs] == [(0, 161, 1), (60, 202, 1)]


def test_a_new_job_starts_at_once_where_a_turn_is_over() -> None:
    jobs = [job("old", 0, 500), job("new", 200, 10)]
    replay(jobs, Gandiva(), topology=1)
    assert [each.start for each in jobs] == [0, 200]


def test_who_waits_longest_is_not_passed_by_smaller_ones() -> None:
    jobs = [job("a", 0, 1000, 1), job("wide", 1, 100, 2), job("small", 2, 100, 1)]
    replay(jobs, Gandiva(), topology=2)
    assert [each.start for each in jobs] == [0, 61, 121]


def test_jobs_that_may_not_be_stopped_keep_their_turn() -> None:
    jobs = [job("a", 0, 500, preemptible=False), job("b", 10, 10)]
    replay(jobs, Gandiva(), topology=1)
    assert [each.start for each in jobs] == [0, 500]


# -- packing --------------------------------------------------------------------------------------------------------


def test_a_pair_with_a_gain_shares_an_accelerator() -> None:
    jobs = halves("good", "good", duration=90.0)
    replay(jobs, Gandiva(interference=PAIRS), topology=servers(1, 1), interference=PAIRS)
    assert [each.start for each in jobs] == [0, 0]
    assert [each.end for each in jobs] == [100, 100]


def test_a_pair_without_a_gain_takes_turns() -> None:
    jobs = halves("good", "bad")
    replay(jobs, Gandiva(interference=PAIRS), topology=servers(1, 1), interference=PAIRS)
    assert [each.start for each in jobs] == [0, 60]
    jobs = halves("good", "good")
    replay(jobs, Gandiva(interference=PAIRS, min_pace=1.8), topology=servers(1, 1), interference=PAIRS)
    assert [each.start for each in jobs] == [0, 60]
    jobs = halves("good", "good")
    replay(jobs, Gandiva(interference=PAIRS, pack=False), topology=servers(1, 1), interference=PAIRS)
    assert [each.start for each in jobs] == [0, 60]


def test_the_best_partner_is_chosen_and_a_half_that_is_left_is_filled() -> None:
    first = [job("bad", 0, 1000, 1, minimum=0.5, model="bad"), job("good", 0, 1000, 1, minimum=0.5, model="good")]
    third = job("third", 10, 50, 1, minimum=0.5, model="good")
    fourth = job("fourth", 200, 50, 1, minimum=0.5, model="good")
    replay([*first, third, fourth], Gandiva(interference=PAIRS), topology=servers(1, 2), interference=PAIRS)
    assert [each.start for each in (third, fourth)] == [10, 200]
    assert [each.moves for each in first] == [0, 1]
    assert [each.preemptions for each in first] == [0, 0]


def test_only_jobs_that_may_run_on_a_half_are_packed() -> None:
    jobs = [job("a", 0, 100, 1, model="good"), job("b", 0, 100, 1, model="good")]
    replay(jobs, Gandiva(interference=PAIRS), topology=servers(1, 1), interference=PAIRS)
    assert [each.start for each in jobs] == [0, 60]


def test_the_rule_may_be_a_name_a_mapping_or_a_function() -> None:
    one, other = halves("good", "good")
    for rule in ("table", {"kind": "table", "usual": 0.5}, lambda job, share, neighbours: 0.5):
        assert Gandiva(interference=rule).interference.pace(one, 0.5, [(other, 0.5)]) == 0.5


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"quantum": 0}, r"^quantum is 0 s; it must be a finite number above 0"),
        ({"min_pace": 3}, r"^min_pace is 3; it must be above 0, at most 2"),
        ({"max_moves": 0}, r"^max_moves is 0; it must be 1 or more"),
        ({"interference": "tabel"}, r"^interference: unknown interference 'tabel'\. Did you mean 'table'\?"),
        ({"interference": 3}, r"^interference: 3 is none; give a name \(mig, mps"),
    ],
)
def test_what_is_wrong_with_gandiva_is_said(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Gandiva(**parameters)


# -- moving jobs together -------------------------------------------------------------------------------------------


def scattered() -> list[BatchJob]:
    """Two servers of 4 with 2 and 1 in use, and a pod of 4 that waits."""
    return [
        job("a", 0, 500, 2, max_servers=1),
        job("filler", 0, 5, 2, max_servers=1),
        job("b", 1, 500, 1, max_servers=1),
        job("pod", 10, 300, 4, max_servers=1),
    ]


def test_the_cheaper_job_is_moved_so_that_the_pod_fits() -> None:
    jobs = scattered()
    replay(jobs, "fifo", topology=servers(2, 4))
    assert jobs[3].start == 500
    jobs = scattered()
    replay(jobs, Defragmenting("fifo"), topology=servers(2, 4), restart=10.0)
    assert jobs[3].start == 10
    assert [(each.moves, each.end) for each in (jobs[0], jobs[2])] == [(0, 500), (1, 511)]


def test_a_job_that_is_dear_to_move_stays() -> None:
    jobs = scattered()
    jobs[2].restart = 60.0
    replay(jobs, Defragmenting("fifo"), topology=servers(2, 4), restart=10.0)
    assert [each.moves for each in jobs] == [0, 0, 1, 0]
    jobs = scattered()
    jobs[0].restart, jobs[2].restart = 10.0, 60.0
    replay(jobs, Defragmenting("fifo"), topology=servers(2, 4))
    assert [each.moves for each in jobs] == [1, 0, 0, 0]


def test_nothing_is_moved_for_less_than_it_gains_or_if_it_may_not_be() -> None:
    jobs = scattered()
    replay(jobs, Defragmenting("fifo", min_gain=30.0), topology=servers(2, 4))  # gains 1200, costs 60
    assert jobs[3].start == 500
    jobs = scattered()
    replay(jobs, Defragmenting("fifo", min_gain=20.0), topology=servers(2, 4))
    assert jobs[3].start == 10
    fixed = scattered()
    for each in fixed[:3]:
        each.preemptible = False
    replay(fixed, Defragmenting("fifo"), topology=servers(2, 4))
    assert fixed[3].start == 500


@pytest.mark.parametrize("inner", ["easy-backfill", "srtf", {"kind": "kueue", "queues": {"": 8}}], ids=str)
def test_any_scheduler_can_be_inside(inner: Any) -> None:
    jobs = scattered()
    replay(jobs, Defragmenting(inner), topology=servers(2, 4))
    assert jobs[3].start == 10


def test_gandiva_moves_too() -> None:
    jobs = scattered()
    replay(jobs, Gandiva(quantum=1000.0), topology=servers(2, 4), restart=10.0)
    assert (jobs[3].start, jobs[2].moves) == (10, 1)
    jobs = scattered()
    replay(jobs, Gandiva(quantum=1000.0, migrate=False), topology=servers(2, 4), restart=10.0)
    assert jobs[3].start == 500


sizes = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), max_size=7)


@given(sizes, st.integers(1, 12), st.integers(1, 7))
def test_the_cheapest_set_is_the_cheapest_of_all_sets(drawn: list[tuple[int, int]], missing: int, most: int) -> None:
    jobs = [job(str(i), 0, 1, size, restart=float(restart)) for i, (size, restart) in enumerate(drawn)]
    for each in jobs:
        each.held = each.accelerators
    sets = [s for n in range(1, most + 1) for s in combinations(jobs, n) if sum(o.held for o in s) >= missing]
    found = cheapest(jobs, missing, most, 99.0)
    if not sets:
        assert found is None
        return
    assert found is not None
    assert len(found) <= most
    assert sum(each.held for each in found) >= missing
    least = min(sum(restart_cost(o, 99.0) for o in s) for s in sets)
    assert sum(restart_cost(each, 99.0) for each in found) == least


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 2))
def test_a_plan_leads_to_room(seed: int, wanted: int, spans: int) -> None:
    """Carried out on the servers, the moves are possible one after the other, and the job fits then."""
    import numpy as np

    rng = np.random.default_rng(seed)
    nodes = Allocator(servers(4, 4).servers)
    running = []
    for index in range(int(rng.integers(1, 12))):
        size, server = float(rng.integers(1, 4)), int(rng.integers(0, 4))
        if nodes.free[server] >= size:
            nodes.take(server, size)
            each = job(str(index), 0, 1, size)
            each.held, each.placement, each.sequence = size, ((server, size),), index
            running.append(each)
    pod = job("pod", 0, 1, wanted, max_servers=spans)
    moves = plan(pod, nodes, running, 4, 1.0)
    if moves is None:
        return
    for move in moves:
        ((source, held),) = move.job.placement
        nodes.give(source, held)
        ((target, held),) = move.placement
        nodes.take(target, held)
    assert np.sort(nodes.free)[-spans:].sum() >= wanted


def test_what_is_wrong_with_defragment_is_said() -> None:
    with pytest.raises(InputError, match=r"^max_moves is 0; it must be 1 or more"):
        Defragmenting(max_moves=0)
    with pytest.raises(InputError, match=r"^min_gain is -1; it must be a finite number, 0 or more"):
        Defragmenting(min_gain=-1)
    with pytest.raises(InputError, match=r"^scheduler: unknown scheduler 'fifoo'\. Did you mean 'fifo'\?"):
        Defragmenting("fifoo")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(1, 6), st.booleans()), min_size=1, max_size=20
    ),
    st.integers(0, 2),
)
def test_gandiva_finishes_everything_whatever_is_packed(drawn: list[tuple[Any, ...]], restart: int) -> None:
    jobs = [
        job(str(i), float(a), float(d), float(n), minimum=0.5 if half and n == 1 else 0.0, model="good")
        for i, (a, d, n, half) in enumerate(sorted(drawn, key=lambda row: row[0]))
    ]
    replay(jobs, Gandiva(interference=PAIRS), topology=servers(2, 3), interference=PAIRS, restart=float(restart))
    assert all(each.state is State.COMPLETED for each in jobs)


@pytest.mark.parametrize("policy", [Gandiva(), Gandiva(quantum=10.0), Defragmenting("srtf"), Defragmenting("kueue")])
def test_they_keep_the_promises_of_schedulers(policy: Any) -> None:
    check_scheduler(policy)
