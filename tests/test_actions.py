"""Migrate, Resize, Hold and Reject: what they do, what is illegal, and random legal schedulers that use them all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.core.errors import PolicyError
from simulator.metrics.recorder import Record
from simulator.policies.api import Action, ClusterView, Hold, Migrate, Preempt, Reject, Resize, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, Job, State
from simulator.workload.speedup import ByCount, ByType

Do = Callable[[Job], Action]


class Timetable:
    """Starts what fits, and does something to each running job at the times given."""

    always = True

    def __init__(self, **plan: tuple[float, Do]) -> None:
        self.plan = plan
        self.wake = math.inf

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.wake = min((time for time, _ in self.plan.values() if time > view.now), default=math.inf)
        for each in [*view.running, *view.queue]:
            time, do = self.plan.get(each.id, (math.inf, Preempt))
            if time == view.now:
                yield do(each)
        yield from (Start(each) for each in view.queue if each.accelerators <= view.free)


def events(record: Record, *kinds: str) -> list[tuple[float, str, str, float]]:
    table = record.tables["events"]
    columns = (table[name].tolist() for name in ("time", "event", "subject", "amount"))
    return [row for row in zip(*columns, strict=True) if row[1] in kinds]


# -- Migrate --------------------------------------------------------------------------------------------------------


def test_a_moved_job_goes_on_elsewhere_and_pays_its_restart() -> None:
    one = job("one", 0.0, 10.0, 2.0)
    record = replay(
        [one], Timetable(one=(4.0, lambda each: Migrate(each, ((1, 2),)))), topology=servers(2, 4), restart=3.0
    )
    assert (one.placement, one.end, one.overhead, one.moves, one.preemptions) == (((1, 2.0),), 13.0, 3.0, 1, 0)
    assert (one.waited, record.tables["jobs"]["service"].tolist()) == (0.0, [26.0])
    assert events(record, "resize", "preempt") == []


def test_a_job_that_says_its_restart_pays_that() -> None:
    one = job("one", 0.0, 10.0, 2.0, restart=0.5)
    replay([one], Timetable(one=(4.0, lambda each: Migrate(each, ((1, 2),)))), topology=servers(2, 4), restart=3.0)
    assert one.end == 10.5


@pytest.mark.parametrize("place", [None, ((0, 4.0),)], ids=["placer", "own"])
def test_a_job_that_would_stay_where_it_is_stays_and_pays_nothing(place: Any) -> None:
    one = job("one", 0.0, 10.0, 4.0)
    replay([one], Timetable(one=(4.0, lambda each: Migrate(each, place))), topology=servers(1, 4), restart=3.0)
    assert (one.end, one.moves, one.overhead) == (10.0, 0, 0.0)


def test_the_placement_policy_sees_the_jobs_own_accelerators_as_free() -> None:
    """Scattered over two servers while there was no room, it is packed into one by a later move."""
    jobs = [job("a", 0.0, 4.0, 3.0), job("b", 0.0, 4.0, 3.0), job("gang", 0.0, 10.0, 2.0)]
    replay(jobs, Timetable(gang=(4.0, Migrate)), topology=servers(2, 4))
    assert len(jobs[2].placement) == 1
    assert jobs[2].moves == 1


def test_shares_and_jobs_without_accelerators_move_too() -> None:
    jobs = [job("part", 0.0, 10.0, 0.5), job("none", 0.0, 10.0, 0.0)]
    plan = Timetable(
        part=(4.0, lambda each: Migrate(each, ((1, 0.5),))), none=(4.0, lambda each: Migrate(each, ((1, 0),)))
    )
    replay(jobs, plan, topology=servers(2, 1), restart=1.0)
    assert [each.placement for each in jobs] == [((1, 0.5),), ((1, 0.0),)]
    assert [each.end for each in jobs] == [11.0, 11.0]


def test_a_move_during_the_restart_begins_it_anew() -> None:
    one = job("one", 0.0, 10.0, 1.0)
    plan = Timetable(one=(4.0, lambda each: Migrate(each, ((1, 1),))))

    class Twice(Timetable):
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            if view.now == 5.0:
                yield from (Migrate(each, ((0, 1),)) for each in view.running)
            yield from super().schedule(view)
            self.wake = 5.0 if view.now == 4.0 else self.wake

    twice = Twice(**plan.plan)
    replay([one], twice, topology=servers(2, 1), restart=3.0)
    assert (one.end, one.overhead, one.moves) == (4.0 + 1.0 + 3.0 + 6.0, 4.0, 2)


# -- Resize ---------------------------------------------------------------------------------------------------------


def elastic(name: str, submit: float, duration: float, accelerators: float = 2.0, **more: Any) -> BatchJob:
    """Runs on 1 to 4 accelerators, at a pace of their number."""
    speedup = ByCount(duration, {1.0: 1.0, 2.0: 2.0, 4.0: 4.0})
    return job(name, submit, duration, accelerators, **{"minimum": 1.0, "maximum": 4.0, "speedup": speedup} | more)


def test_a_resized_job_keeps_its_fraction_and_holds_what_it_has() -> None:
    one = elastic("one", 0.0, 40.0)
    record = replay([one], Timetable(one=(10.0, lambda each: Resize(each, 4))), topology=servers(2, 4), restart=1.0)
    # half of it in 10 s on 2, the other half in 5 s on 4, after 1 s of restart
    assert (one.end, one.moves, one.overhead) == (16.0, 1, 1.0)
    assert one.service == 2.0 * 10 + 4.0 * 6
    assert events(record, "start", "resize", "end") == [
        (0.0, "start", "one", 2.0), (10.0, "resize", "one", 2.0), (16.0, "end", "one", 4.0),
    ]  # fmt: skip


def test_a_job_shrinks_where_it_is() -> None:
    one = elastic("one", 0.0, 40.0, 4.0)
    replay([one], Timetable(one=(5.0, lambda each: Resize(each, 1, ((0, 1),)))), topology=4)
    assert (one.end, one.service) == (25.0, 4.0 * 5 + 20.0)


def test_to_the_same_number_and_place_nothing_happens() -> None:
    one = elastic("one", 0.0, 40.0)
    record = replay([one], Timetable(one=(5.0, lambda each: Resize(each, 2))), topology=4, restart=9.0)
    assert (one.end, one.moves) == (20.0, 0)
    assert events(record, "resize") == []


def test_without_room_it_stays_as_it_is() -> None:
    jobs = [elastic("one", 0.0, 40.0), job("other", 0.0, 30.0, 2.0)]
    replay(jobs, Timetable(one=(5.0, lambda each: Resize(each, 4))), topology=4, restart=9.0)
    assert (jobs[0].end, jobs[0].moves) == (20.0, 0)


def test_an_elastic_job_without_a_speedup_takes_as_long_on_any_number() -> None:
    one = elastic("one", 0.0, 40.0, speedup=None)
    replay([one], Timetable(one=(5.0, lambda each: Resize(each, 1))), topology=4)
    assert (one.end, one.service) == (40.0, 45.0)


def test_an_elastic_job_starts_on_what_the_placement_says() -> None:
    one = elastic("one", 0.0, 40.0)
    replay([one], lambda view: [Start(each, ((0, 1),)) for each in view.queue], topology=4)
    assert (one.end, one.service, one.held_last) == (40.0, 40.0, 1.0)


# -- Hold and Reject ------------------------------------------------------------------------------------------------


def test_holding_changes_nothing_but_the_account() -> None:
    def holding(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Hold(each, "quota") if len(view.running) else Start(each)

    jobs = [job("a", 0.0, 5.0, 1.0), job("b", 1.0, 5.0, 1.0)]
    record = replay(jobs, holding)
    assert jobs[1].waits._asdict() == {"capacity": 0.0, "fragmentation": 0.0, "order": 0.0, "policy": 4.0, "held": 0.0}
    assert record.facts["holds"] == {"quota": 4.0}


# -- illegal actions ------------------------------------------------------------------------------------------------


def at_once(action: Do) -> Callable[[ClusterView], Iterator[Action]]:
    def policy(view: ClusterView) -> Iterator[Action]:
        yield from (action(each) for each in view.queue)

    return policy


def late(action: Do) -> Timetable:
    return Timetable(a=(1.0, action))


BUSY = "the job is running, not queued"
QUEUED, RUNNING = "policy policy at 0 s: illegal", "policy Timetable at 1 s: illegal"
ILLEGAL: dict[str, tuple[Any, dict[str, Any], str]] = {
    "move what waits": (at_once(Migrate), {}, f"{QUEUED} Migrate of job 'a': the job is queued, not running"),
    "resize what waits": (
        at_once(lambda each: Resize(each, 1)), {}, f"{QUEUED} Resize of job 'a': the job is queued, not running",
    ),
    "hold what runs": (late(lambda each: Hold(each, "no")), {}, f"{RUNNING} Hold of job 'a': {BUSY}"),
    "reject what runs": (late(Reject), {}, f"{RUNNING} Reject of job 'a': the job is running, not queued"),
    "start what runs": (late(Start), {}, f"{RUNNING} Start of job 'a': the job is running, not queued"),
    "resize what is not elastic": (
        late(lambda each: Resize(each, 3)), {},
        f"{RUNNING} Resize of job 'a': to 3 accelerators; it runs on 2 to 2 (the job is not elastic)",
    ),
    "too small": (
        late(lambda each: Resize(each, 1)), {"minimum": 2.0, "maximum": 3.0},
        f"{RUNNING} Resize of job 'a': to 1 accelerators; it runs on 2 to 3",
    ),
    "too large": (
        late(lambda each: Resize(each, 4)), {"maximum": 3.0},
        f"{RUNNING} Resize of job 'a': to 4 accelerators; it runs on 2 to 3",
    ),
    "not a number": (
        late(lambda each: Resize(each, math.nan)), {"maximum": 3.0},
        f"{RUNNING} Resize of job 'a': to nan accelerators; it runs on 2 to 3",
    ),
    "another place than size": (
        late(lambda each: Resize(each, 3, ((0, 2), (1, 2)))), {"maximum": 4.0},
        f"{RUNNING} Resize of job 'a': placed on 4 accelerators, it wants 3",
    ),
    "a move to more": (
        late(lambda each: Migrate(each, ((1, 3),))), {"maximum": 4.0},
        f"{RUNNING} Migrate of job 'a': placed on 3 accelerators, it wants 2",
    ),
    "a full server": (
        late(lambda each: Resize(each, 5, ((1, 5),))), {"maximum": 5.0},
        f"{RUNNING} Resize of job 'a': 5 accelerators wanted on server 'node-1', 4 free",
    ),
    "stop what may not be": (
        late(Preempt), {"preemptible": False},
        f"{RUNNING} Preempt of job 'a': it may not be stopped (preemptible: false)",
    ),
    "move what may not be": (
        late(lambda each: Migrate(each, ((1, 2),))), {"preemptible": False},
        f"{RUNNING} Migrate of job 'a': it may not be stopped (preemptible: false)",
    ),
    "resize what may not be": (
        late(lambda each: Resize(each, 3)), {"preemptible": False, "maximum": 4.0},
        f"{RUNNING} Resize of job 'a': it may not be stopped (preemptible: false)",
    ),
    "a start too small": (
        at_once(lambda each: Start(each, ((0, 1),))), {"minimum": 2.0, "maximum": 4.0},
        f"{QUEUED} Start of job 'a': placed on 1 accelerators, it wants 2 to 4",
    ),
    "a label": (
        at_once(lambda each: Start(each, ((0, 2),))), {"selector": (("zone", "b"),)},
        f"{QUEUED} Start of job 'a': server 'node-0' has no label 'zone=b'",
    ),
    "no progress": (
        at_once(lambda each: Start(each, ((0, 1), (1, 1)))), {"speedup": ByType(9.0, {"": 1.0}, {"": 0.0})},
        f"{QUEUED} Start of job 'a': it makes no progress on 2 accelerators over 2 servers",
    ),
}  # fmt: skip


def labelled() -> Topology:
    both = {
        "node-0": {"accelerators": 4, "labels": {"zone": "a"}},
        "node-1": {"accelerators": 4, "labels": {"zone": "b"}},
    }
    return Topology.from_links([], both)


@pytest.mark.parametrize("case", ILLEGAL)
def test_illegal_actions_are_named(case: str) -> None:
    policy, more, message = ILLEGAL[case]
    with pytest.raises(PolicyError) as caught:
        replay([job("a", 0.0, 9.0, 2.0, **more)], policy, topology=labelled())
    assert str(caught.value) == message


def test_a_job_that_makes_progress_on_no_type_is_turned_away_and_others_keep_to_those_on_which_they_do() -> None:
    kinds = Topology.from_links([], {n: {"accelerators": 2, "accelerator": n} for n in ("slow", "fast")})
    never, some = (
        job(name, 0.0, 4.0, 2.0, speedup=ByType(4.0, paces))
        for name, paces in (("never", {"tpu": 1.0}), ("some", {"fast": 2.0}))
    )
    record = replay([never, some], topology=kinds)
    assert (some.placement, some.end) == (((1, 2.0),), 2.0)
    assert record.facts["notes"] == [
        "1 rejected: it makes no progress on any type of accelerators that it may have here."
    ]


# -- everything together --------------------------------------------------------------------------------------------


class Anything:
    """Does legal things at random: all actions but shares of time."""

    interval = 3.0
    always = True

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.left = 150

    def chance(self, share: float) -> bool:
        self.left -= 1
        return self.left > 0 and self.rng.random() < share

    def size(self, each: Job) -> float:
        return float(self.rng.integers(int(each.minimum), int(each.maximum) + 1))

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        for each in view.running:
            if not each.preemptible:
                continue
            if self.chance(0.1):
                yield Preempt(each)
            elif self.chance(0.2):
                yield Migrate(each)
            elif each.maximum and self.chance(0.5):
                yield Resize(each, self.size(each))
        for each in sorted(view.queue, key=lambda each: self.rng.random()):
            if self.chance(0.05):
                yield Reject(each, "bad luck")
            elif self.chance(0.2):
                yield Hold(each, str(self.rng.choice(["quota", ""])))
            else:
                wanted = each.accelerators
                if each.maximum:
                    wanted = self.size(each)
                place = view.place(each, wanted)
                if place is not None:
                    yield Start(each, place)


SIZES = [0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 99.0]
anything = st.fixed_dictionaries(
    {
        "submit": st.integers(0, 60).map(lambda x: x / 2),
        "duration": st.integers(0, 60).map(lambda x: x / 4),
        "accelerators": st.sampled_from(SIZES),
        "begin": st.sampled_from([0.0, 0.0, 12.5]),
        "limit": st.sampled_from([math.inf, math.inf, 0.0, 7.0]),
        "checkpoint": st.sampled_from([0.0, 1.5, math.inf]),
        "preemptible": st.sampled_from([True, True, False]),
        "restart": st.sampled_from([-1.0, 0.0, 2.0]),
        "array_limit": st.sampled_from([0, 0, 1, 2]),
        "after": st.lists(st.integers(0, 14).map(str), max_size=2).map(tuple),
        "cores": st.sampled_from([0.0, 2.0]),
        "max_servers": st.sampled_from([0, 0, 1]),
        "estimate": st.sampled_from([-1.0, 4.0]),
    }
)
paces = st.sampled_from(["none", "types", "counts"])


def made(number: int, said: dict[str, Any], pace: str) -> BatchJob:
    more: dict[str, Any] = {"array": f"{said['array_limit']}"}
    if pace == "types":
        more["speedup"] = ByType(said["duration"], {"a": 1.0, "b": 0.4})
    elif pace == "counts" and 1 <= said["accelerators"] < 9:
        more |= {"minimum": 1.0, "maximum": 6.0}
        more["speedup"] = ByCount(said["duration"], {1.0: 0.5, 2.0: 1.0, 4.0: 1.5})
    return BatchJob(id=f"{number}", **(said | more))


def mixed() -> Topology:
    return Topology.from_links(
        [],
        {
            f"node-{index}": {"accelerators": count, "accelerator": kind, "cores": 16.0}
            for index, (count, kind) in enumerate([(4, "a"), (3, "b"), (2, "a")])
        },
    )


@settings(max_examples=80)
@given(st.lists(st.tuples(anything, paces), min_size=1, max_size=15), st.integers(0, 10_000))
def test_random_legal_schedulers_keep_all_accounts(drawn: list[tuple[dict[str, Any], str]], seed: int) -> None:
    """``replay`` checks the invariants; here is what holds beyond them."""
    jobs = [made(number, said, pace) for number, (said, pace) in enumerate(drawn)]
    record = replay(jobs, Anything(seed), topology=mixed(), placer="spread", restart=0.5)
    table = record.tables["jobs"]
    assert record.tables["series"]["allocated"][-1] == 0.0
    for name in ("wait_capacity", "wait_fragmentation", "wait_order", "wait_policy", "wait_held", "rework", "overhead"):
        assert table[name].min() >= -1e-9, name
    ran = table["compute"] + table["network"] + table["overhead"] + table["rework"]
    over = np.isin(table["state"], ["COMPLETED", "TIMEOUT"])
    sojourn = table["end"] - table["submit"]
    assert np.allclose(sojourn[over], (table["wait"] + ran)[over], rtol=0, atol=1e-6)
    for each in jobs:
        if each.state is State.TIMEOUT:
            assert each.ran == pytest.approx(each.limit)
        elif each.state is State.COMPLETED:
            assert each.ran <= each.limit + 1e-9
        assert each.preemptible or not (each.preemptions or each.moves)
        assert each.checkpoint or not each.lost
    service = dict(zip(table["id"], table["service"].tolist(), strict=True))
    assert all(service[each.id] <= (each.maximum or each.accelerators) * each.ran + 1e-9 for each in jobs)
