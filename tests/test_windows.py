"""Maintenance and bookings: servers that are kept from work for a time, and come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError, PolicyError
from simulator.metrics.recorder import Record
from simulator.policies.api import ClusterView, Migrate, Share, Start
from simulator.runtime.windows import Booking, Maintenance
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import Job, State


def capacity(record: Record) -> dict[float, float]:
    series = record.tables["series"]
    return dict(zip(series["time"].tolist(), series["capacity"].tolist(), strict=True))


def events(record: Record, *kinds: str) -> list[tuple[float, str, str]]:
    table = record.tables["events"]
    rows = zip(table["time"].tolist(), table["event"].tolist(), table["subject"].tolist(), strict=True)
    return [row for row in rows if row[1] in kinds]


# -- maintenance ----------------------------------------------------------------------------------------------------


def test_what_runs_at_the_beginning_is_stopped_and_comes_back() -> None:
    one = job("one", 0.0, 10.0, 4.0)
    record = replay([one], topology=4, maintenance=[Maintenance(4.0, 9.0, (0,))], restart=2.0)
    assert (one.end, one.waited, one.overhead, one.preemptions) == (4.0 + 5.0 + 2.0 + 6.0, 5.0, 2.0, 1)
    assert one.waits.capacity == 5.0
    assert events(record, "preempt", "node-down", "node-up") == [
        (4.0, "preempt", "one"), (4.0, "node-down", "pool"), (9.0, "node-up", "pool"),
    ]  # fmt: skip
    assert capacity(record) == {0.0: 4.0, 4.0: 0.0, 9.0: 4.0, 17.0: 4.0}


def test_work_since_the_last_checkpoint_is_lost() -> None:
    one = job("one", 0.0, 10.0, 4.0, checkpoint=3.0)
    replay([one], topology=4, maintenance=[Maintenance(4.0, 9.0, (0,))])
    assert (one.end, one.lost) == (9.0 + 7.0, 1.0)


def test_even_what_may_not_be_stopped_is() -> None:
    one = job("one", 0.0, 10.0, 4.0, preemptible=False)
    replay([one], topology=4, maintenance=[Maintenance(4.0, 9.0, (0,))])
    assert one.end == 15.0


def test_only_jobs_on_the_servers_are_stopped_gangs_as_a_whole() -> None:
    places = {"gang": ((0, 2), (1, 2)), "here": ((0, 2),), "there": ((1, 2),)}

    def fixed(view: ClusterView) -> Any:
        return [Start(each, places[each.id]) for each in view.queue if view.nodes.up[0]]

    jobs = [job("gang", 0.0, 10.0, 4.0), job("here", 0.0, 10.0, 2.0), job("there", 0.0, 10.0, 2.0)]
    record = replay(jobs, fixed, topology=servers(2, 4), maintenance=[Maintenance(4.0, 5.0, (0,))])
    assert [each.preemptions for each in jobs] == [1, 1, 0]
    assert [each.end for each in jobs] == [11.0, 11.0, 10.0]
    assert capacity(record)[4.0] == 4.0


def test_servers_drain_before() -> None:
    jobs = [job("runs", 0.0, 9.0, 2.0), job("waits", 5.0, 1.0, 2.0)]
    record = replay(jobs, topology=4, maintenance=[Maintenance(10.0, 12.0, (0,), drain=6.0)])
    assert (jobs[0].end, jobs[1].start, jobs[1].preemptions) == (9.0, 12.0, 0)
    assert jobs[1].waits.fragmentation + jobs[1].waits.order + jobs[1].waits.capacity == 7.0
    assert record.facts["invariants"]


def test_windows_that_overlap_end_with_the_last() -> None:
    windows = [Maintenance(1.0, 5.0, (0,)), Maintenance(3.0, 8.0, (0,)), Maintenance(8.0, 9.0, (0, 0))]
    one = job("one", 0.0, 4.0, 4.0)
    record = replay([one], topology=4, maintenance=windows)
    assert (one.end, one.preemptions) == (12.0, 1)
    assert events(record, "node-down", "node-up") == [
        (1.0, "node-down", "pool"), (8.0, "node-up", "pool"), (8.0, "node-down", "pool"),
        (9.0, "node-up", "pool"),
    ]  # fmt: skip


def test_a_window_after_the_work_does_not_prolong_the_run() -> None:
    record = replay([job("one", 0.0, 4.0, 4.0)], topology=4, maintenance=[Maintenance(100.0, 200.0, (0,))])
    assert record.facts["end"] == 4.0


def test_a_cluster_that_is_down_at_the_beginning() -> None:
    one = job("one", 0.0, 4.0, 4.0)
    replay([one], topology=4, maintenance=[Maintenance(0.0, 6.0, (0,), drain=3.0)])
    assert one.start == 6.0


def test_shares_of_time_are_judged_anew_when_servers_go() -> None:
    class Even:
        """Gives everyone an equal share of all that is up."""

        always = True

        def schedule(self, view: ClusterView) -> Any:
            jobs = [*view.queue, *view.running]
            share = min(1.0, view.nodes.capacity / sum(each.accelerators for each in jobs)) if jobs else 0.0
            return [Share(each, {"": share} if share else {}) for each in jobs]

    jobs = [job("a", 0.0, 8.0, 4.0), job("b", 0.0, 8.0, 4.0)]
    replay(jobs, Even(), topology=servers(2, 4), maintenance=[Maintenance(4.0, 8.0, (1,))])
    assert [each.end for each in jobs] == [10.0, 10.0]

    def once(view: ClusterView) -> Any:
        return [Share(each, {"": 1.0}) for each in view.queue]

    with pytest.raises(
        PolicyError, match=r"^policy once at 4 s: illegal Share: 8 accelerators '' are given away, 4 are"
    ):
        replay([job("a", 0.0, 8.0, 8.0)], once, topology=servers(2, 4), maintenance=[Maintenance(4.0, 8.0, (1,))])


# -- bookings -------------------------------------------------------------------------------------------------------


def test_a_booking_keeps_others_out_and_lets_them_finish() -> None:
    jobs = [
        job("before", 0.0, 8.0, 2.0, tenant="blue"), job("red", 6.0, 1.0, 1.0, tenant="red"),
        job("other", 6.0, 1.0, 1.0, tenant="blue"),
    ]  # fmt: skip
    record = replay(jobs, topology=4, bookings=[Booking(5.0, 20.0, (0,), "red")])
    assert [each.start for each in jobs] == [0.0, 6.0, 20.0]
    assert jobs[0].end == 8.0
    assert events(record, "booking-over") == [(20.0, "booking-over", "pool")]


def test_a_booking_drains_before() -> None:
    jobs = [job("blue", 4.0, 1.0, 1.0, tenant="blue"), job("red", 4.0, 1.0, 1.0, tenant="red")]
    replay(jobs, "sjf", topology=servers(1, 4), bookings=[Booking(5.0, 20.0, (0,), "red", drain=2.0)])
    assert [each.start for each in jobs] == [20.0, 20.0]  # strict order: the first blocks
    jobs = [job("red", 4.0, 1.0, 1.0, tenant="red"), job("blue", 4.0, 1.0, 1.0, tenant="blue")]
    replay(jobs, "fifo", topology=servers(1, 4), bookings=[Booking(5.0, 20.0, (0,), "red", drain=2.0)])
    assert [each.start for each in jobs] == [4.0, 20.0]


def test_of_bookings_that_overlap_the_later_has_the_server_and_then_the_other_again() -> None:
    bookings = [Booking(0.0, 10.0, (0,), "red"), Booking(2.0, 5.0, (0,), "blue")]
    jobs = [job("red", 3.0, 1.0, 4.0, tenant="red"), job("green", 3.0, 1.0, 4.0, tenant="green")]
    replay(jobs, topology=4, bookings=bookings)
    assert [each.start for each in jobs] == [5.0, 10.0]


def test_a_booking_outlasts_a_maintenance_of_its_server() -> None:
    one = job("one", 3.0, 1.0, 4.0, tenant="green")
    windows = {"bookings": [Booking(0.0, 10.0, (0,), "red")], "maintenance": [Maintenance(4.0, 6.0, (0,), drain=3.0)]}
    replay([one], topology=4, **windows)
    assert one.start == 10.0


def test_a_placement_of_the_policys_own_on_a_booked_server_is_illegal() -> None:
    def bold(view: ClusterView) -> Any:
        return [Start(each, ((1, each.accelerators),)) for each in view.queue]

    with pytest.raises(PolicyError) as caught:
        replay(
            [job("a", 3.0, 1.0, 4.0, tenant="blue")],
            bold,
            topology=servers(2, 4),
            bookings=[Booking(0, 9, (1,), "red")],
        )
    assert str(caught.value) == (
        "policy bold at 3 s: illegal Start of job 'a': server 'node-1' is reserved for 'red', it is of 'blue'"
    )


def test_who_is_there_when_a_booking_begins_may_stay_but_not_grow() -> None:
    class Moving:
        always = True

        def schedule(self, view: ClusterView) -> Any:
            yield from (Start(each, ((0, 2), (1, 1)) if each.id == "a" else None) for each in view.queue)
            yield from (Migrate(each, ((0, 1), (1, 2))) for each in view.running if view.now == 5.0)

    with pytest.raises(
        PolicyError, match="illegal Migrate of job 'a': server 'node-1' is reserved for 'red', it is of"
    ):
        replay(
            [job("a", 0.0, 9.0, 3.0), job("z", 5.0, 1.0, 0.0)], Moving(), topology=servers(3, 4),
            bookings=[Booking(2.0, 9.0, (1,), "red")],
        )  # fmt: skip


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (
            Maintenance(5.0, 5.0, (0,)),
            "a window from 5 to 5 s, drained for 0 s before: it must begin at 0 or later, and end after that",
        ),
        (Booking(-1.0, 5.0, (0,), "x"), "a window from -1 to 5 s, drained for 0 s before: it must begin"),
        (Maintenance(1.0, 5.0, (0,), float("nan")), "a window from 1 to 5 s, drained for nan s before: it must begin"),
        (Maintenance(1.0, 5.0, (2,)), "a window names server 2; servers are 0 to 1"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(window: Any, message: str) -> None:
    windows = {"maintenance" if isinstance(window, Maintenance) else "bookings": [window]}
    with pytest.raises(InputError) as caught:
        replay([], topology=servers(2, 4), **windows)
    assert str(caught.value).startswith(message)


spans = st.tuples(st.integers(0, 30), st.integers(1, 20), st.sets(st.integers(0, 2), min_size=1), st.integers(0, 5))


@given(
    st.lists(spans, max_size=4),
    st.lists(st.tuples(spans, st.sampled_from(["red", "blue"])), max_size=3),
    st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 12), st.sampled_from([0.0, 0.5, 1.0, 3.0, 6.0]),
            st.sampled_from(["red", "blue"]), st.sampled_from([0.0, 2.0]),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from(["fifo", "srtf", "easy-backfill"]),
)  # fmt: skip
def test_random_windows_keep_all_accounts(down: Any, booked: Any, drawn: Any, policy: str) -> None:
    def window(span: Any) -> tuple[float, float, tuple[int, ...], float]:
        start, length, chosen, drain = span
        return float(start), float(start + length), tuple(sorted(chosen)), float(drain)

    maintenance = [Maintenance(*window(span)) for span in down]
    bookings = [Booking(*window(span)[:3], tenant, window(span)[3]) for span, tenant in booked]
    jobs = [
        job(f"{i}", float(submit), float(length), size, tenant=tenant, checkpoint=checkpoint)
        for i, (submit, length, size, tenant, checkpoint) in enumerate(drawn)
    ]
    record = replay(
        jobs, policy, topology=servers(3, 4), maintenance=maintenance, bookings=bookings, placer="spread", restart=1.0
    )
    assert all(each.state is State.COMPLETED for each in jobs)
    for each in jobs:
        _never_where_it_may_not(each, maintenance, bookings)
    assert record.tables["series"]["allocated"][-1] == 0.0


def _never_where_it_may_not(each: Job, maintenance: list[Maintenance], bookings: list[Booking]) -> None:
    """Look at the last run of a job: it did not overlap a maintenance, nor begin on a server of others'."""
    began = each.since if each.preemptions else each.start
    for server, _ in each.placement:
        for work in maintenance:
            assert not (server in work.servers and work.start < each.end and began < work.end and began >= work.start)
        holders = [book for book in bookings if server in book.servers and book.start <= each.start < book.end]
        if len(holders) == 1 and not each.preemptions:
            assert holders[0].tenant == each.tenant
