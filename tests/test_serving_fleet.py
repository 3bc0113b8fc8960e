"""Replicas as jobs of the cluster: asked for, placed beside others, started, drained, preempted, gone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.cluster.builders import builders
from simulator.core.errors import InputError, PolicyError
from simulator.metrics.recorder import Record
from simulator.policies.api import schedulers
from simulator.runtime.accounting import Costs
from simulator.runtime.serving.refusals import NOWHERE
from simulator.runtime.serving.service import LOST
from simulator.runtime.windows import Maintenance
from simulator.workload.jobs import BatchJob, TrainingJob
from tests.serving_world import Linear, Steps, ask, events, replicas, rows, serve, service, states


def job(name: str = "big", submit: float = 0.0, duration: float = 5.0, accelerators: float = 8.0) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, priority=10.0)


def jobs(record: Record, *wanted: str) -> dict[str, tuple[Any, ...]]:
    """Columns of the rows of jobs."""
    return {name: tuple(row[column] for column in wanted) for name, row in rows(record, "jobs").items()}


def by_letter(request: Any, view: Any) -> Any:
    return view.replicas[ord(request.id[0]) % len(view.replicas)]


# -- placed and started ---------------------------------------------------------------------------------------------


def test_replicas_are_jobs_of_the_cluster() -> None:
    record = serve(service([ask("a"), ask("b", 9.0)], replicas(2, accelerators=3)))
    assert jobs(record, "workload", "state", "submit", "start", "end", "accelerators", "service") == {
        "chat/0": ("chat", "COMPLETED", 0.0, 0.0, 11.0, 3.0, 33.0),
        "chat/1": ("chat", "COMPLETED", 0.0, 0.0, 11.0, 3.0, 33.0),
    }
    facts = record.facts["services"]["chat"]
    assert (facts["accelerator_seconds"], facts["busy_accelerator_seconds"]) == (66.0, 12.0)
    assert (facts["blocks"], facts["requests"], facts["came"], facts["ended"]) == ([1000, 1000], 2, 2, 2)


def test_a_replica_waits_for_accelerators_that_a_batch_job_holds() -> None:
    record = serve(service([ask("a", 1.0)], replicas(1, accelerators=8)), jobs=[job()])
    assert jobs(record, "start", "wait", "wait_capacity")["chat/0"] == (5.0, 5.0, 5.0)
    assert (rows(record)["a"]["queue"], rows(record)["a"]["end"]) == (4.0, 7.0)


def test_replicas_live_beside_batch_and_training_jobs() -> None:
    topology = builders.get("single-switch")(nodes=2)
    training = TrainingJob(id="train", submit=0.5, accelerators=8, iterations=10, compute=1.0)
    placed = {"jobs": [job(duration=4.0, accelerators=4), training], "topology": topology}
    record = serve(service([ask("a", 1.0, output=30)], replicas(1, accelerators=4, max_servers=1)), **placed)
    assert set(jobs(record, "state").values()) == {("COMPLETED",)}
    assert jobs(record, "wait")["chat/0"] == (0.0,)
    assert rows(record)["a"]["end"] == 16.0


def test_a_cold_start_has_phases() -> None:
    pool = replicas(1, load=3.0)
    record = serve(service([ask("a")], pool, phases=(("image", 2.0), ("start", 1.5))))
    assert events(record, "cold-start", "replica-ready") == [
        (2.0, "cold-start", "chat/0: image"), (3.5, "cold-start", "chat/0: start"),
        (6.5, "cold-start", "chat/0: weights"), (6.5, "replica-ready", "chat/0"),
    ]  # fmt: skip
    assert rows(record)["a"]["start"] == 6.5


def test_the_engine_is_that_of_the_accelerators_that_the_replica_got() -> None:
    asked: list[str] = []
    pool = replicas(1)
    engine = pool.engine("")

    def known(kind: str) -> Any:
        asked.append(kind)
        return engine

    serve(service([ask("a")], replicas(1, engine=known)), topology=builders.get("single-switch")(nodes=1))
    assert asked == ["nvidia/h100-sxm"]


def test_a_replica_that_can_never_be_placed_is_told_and_its_requests_are_rejected() -> None:
    record = serve(service([ask("a"), ask("b", 2.0), ask("c", after="b")], replicas(3, accelerators=9)))
    waited = "REJECTED the request that it waited for was not finished"
    assert states(record) == {"a": f"REJECTED {NOWHERE}", "b": f"REJECTED {NOWHERE}", "c": waited}
    assert "Service chat: 1 replica can never be placed: larger than the cluster." in record.facts["notes"]
    assert jobs(record, "state") == {"chat/0": ("REJECTED",)}


def test_who_waits_is_rejected_once_it_turns_out_that_no_replica_can_be_placed() -> None:
    record = serve(service([ask("a"), ask("b", 9.0)], replicas(Steps(0, 0, 5), accelerators=9)))
    assert states(record) == {"a": f"REJECTED {NOWHERE}", "b": f"REJECTED {NOWHERE}"}
    assert [row["end"] for row in rows(record).values()] == [2.0, 9.0]


@pytest.mark.parametrize("first", [replicas(1), replicas(Steps(0, 1))])
@pytest.mark.parametrize("second", [replicas(1, accelerators=9), replicas(Steps(0, 0, 1), accelerators=9)])
def test_a_service_with_one_fleet_that_can_never_be_placed_rejects_all(first: Any, second: Any) -> None:
    asks = [ask("a"), ask("b", 9.0)]
    for pools in ((first, second), (second, first)):
        record = serve(service(asks, pools[0], prefill=pools[1]))
        assert states(record) == {"a": f"REJECTED {NOWHERE}", "b": f"REJECTED {NOWHERE}"}


def test_a_service_without_requests_lets_its_replicas_go_at_once() -> None:
    record = serve(service([], replicas(2)))
    assert record.facts["end"] == 0.0
    assert events(record, "start", "reject") == [(0.0, "reject", "chat/0"), (0.0, "reject", "chat/1")]


# -- more and fewer ---------------------------------------------------------------------------------------------------


def test_who_is_let_go_finishes_what_it_has_and_gets_nothing_more() -> None:
    scaler = Steps(2, 2, 1)
    asks = [ask("b", 0.1, output=40), ask("c", 0.2, output=20), ask("e", 3.0)]
    record = serve(service(asks, replicas(scaler), router=by_letter))
    assert {name: row["replica"] for name, row in rows(record).items()} == {"b": 0, "c": 1, "e": 0}
    gone = [(time, name) for time, _, name in events(record, "replica-drain", "end")]
    assert gone == [(2.0, "chat/1"), (pytest.approx(10.2), "chat/1"), (pytest.approx(20.1), "chat/0")]
    draining = [(seen.ready, seen.draining, seen.outstanding) for seen in scaler.asked]
    assert draining[:4] == [(0, 0, 0), (2, 0, 2), (2, 0, 2), (1, 1, 3)]


def test_of_those_that_may_go_the_one_that_is_not_ready_goes_first() -> None:
    record = serve(
        service([ask("a", output=12)], replicas(Steps(1, 2, 1), load=1.5), phases=()), until=5.0
    )  # fmt: skip
    assert jobs(record, "state", "end")["chat/1"] == ("COMPLETED", 2.0)
    assert events(record, "replica-ready") == [(1.5, "replica-ready", "chat/0")]


def test_a_replica_that_waits_in_the_queue_is_taken_out_of_it() -> None:
    record = serve(service([ask("a", output=20)], replicas(Steps(1, 2, 1), accelerators=8)))
    assert jobs(record, "state", "wait")["chat/1"] == ("REJECTED", 1.0)
    assert states(record) == {"a": "FINISHED"}


def test_bounds_of_the_pool_hold_whatever_the_autoscaler_wants() -> None:
    for wanted, minimum, maximum, found in ((0, 1, 9, 1), (0, 0, 9, 0), (7, 0, 2, 2)):
        scaler = Steps(wanted, 1)
        record = serve(service([ask("a", 3.5)], replicas(scaler, minimum=minimum, maximum=maximum)))
        assert len(events(record, "start")) == max(found, 1)
        assert scaler.asked[1].ready == found


def test_what_an_autoscaler_is_told() -> None:
    scaler = Steps(1)
    serve(service([ask("a", 0.25, output=4), ask("b", 0.25, output=7)], replicas(scaler, blocks=10), max_batch=1))
    first, second, third = scaler.asked[:3]
    assert (first.ready, first.coming, first.busy, first.arrivals) == (0, 0, 0.0, 0.0)
    assert (second.ready, second.outstanding, second.queued, second.running) == (1, 2, 1, 1)
    assert (second.busy, second.arrivals, second.kv) == (0.75, 2.0, 0.2)
    assert (third.busy, third.arrivals) == (1.0, 0.0)


@pytest.mark.parametrize("wanted", ["two", None, 2.5, math.nan, -3, True])
def test_an_autoscaler_that_returns_no_number(wanted: Any) -> None:
    with pytest.raises(PolicyError, match=rf"^autoscaler Steps at 1 s: step returned {wanted!r}, not a number of"):
        serve(service([ask("a", output=9)], replicas(Steps(1, wanted))))


def test_an_autoscaler_that_fails() -> None:
    class Fails:
        interval = 1.0

        def step(self, now: float, observation: Any) -> int:
            raise ZeroDivisionError("nothing to divide by")

    with pytest.raises(PolicyError, match=r"^autoscaler Fails at 0 s: ZeroDivisionError: nothing to divide by$"):
        serve(service([ask("a")], replicas(Fails())))


def test_the_run_ends_though_the_autoscaler_would_go_on_for_ever() -> None:
    record = serve(service([ask("a"), ask("b", 5.5)], replicas(Steps(1, interval=0.01))))
    assert record.facts["end"] == 7.5


def test_the_run_ends_though_no_replica_is_ever_wanted() -> None:
    record = serve(service([ask("a")], replicas(Steps(0, interval=0.5))))
    assert states(record) == {"a": "UNFINISHED"}


def test_the_run_ends_though_two_fleets_wait_for_each_other() -> None:
    prefill, decode = replicas(1, accelerators=8), replicas(1, accelerators=8)
    record = serve(service([ask("a")], decode, prefill=prefill, staleness=0.25))
    assert states(record) == {"a": "UNFINISHED"}


# -- stopped by others ------------------------------------------------------------------------------------------------


def test_a_scheduler_may_stop_a_replica_whose_requests_are_sent_again() -> None:
    spec = service([ask("a", output=20), ask("b", 20.0)], replicas(1, accelerators=8), retries=1, backoff=0.25)
    record = serve(spec, jobs=[job(submit=1.1, duration=3.0)], scheduler="priority")
    assert states(record) == {"a": "FINISHED", "b": "FINISHED"}
    row = rows(record)["a"]
    assert (row["attempts"], row["start"], row["first_token"], row["end"]) == (2, 4.1, 4.6, 14.1)
    assert (row["queue"], row["prefill"], row["stalled"]) == pytest.approx((4.1, 0.5, 0.0))
    assert jobs(record, "preemptions", "wait")["chat/0"] == pytest.approx((1, 3.0))
    assert events(record, "replica-ready") == [(0.0, "replica-ready", "chat/0"), (4.1, "replica-ready", "chat/0")]
    facts = record.facts["services"]["chat"]
    assert facts["busy_accelerator_seconds"] == pytest.approx(8 * (1.1 + 10.0 + 2.0))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("scheduler", ["priority", "las"])
def test_the_last_request_may_be_lost_with_the_replica_that_is_being_stopped(scheduler: str, count: int) -> None:
    pool = replicas(count, accelerators=8 // count)
    record = serve(service([ask("a", output=2000)], pool), jobs=[job(submit=1.25, duration=3.0)], scheduler=scheduler)
    assert states(record) == {"a": f"REJECTED {LOST}"}
    row = rows(record)["a"]
    assert (row["start"], row["first_token"], row["attempts"]) == (0.0, 0.5, 1)
    assert row["generated"] == int(row["end"] / 0.5)
    assert jobs(record, "state", "service")["big"] == ("COMPLETED", pytest.approx(24.0))


def test_a_maintenance_takes_a_replica_down() -> None:
    spec = service([ask("a", output=20)], replicas(1, accelerators=8), retries=1, backoff=0.25)
    record = serve(spec, maintenance=[Maintenance(2.25, 4.0, (0,))])
    assert (states(record), record.facts["end"]) == ({"a": "FINISHED"}, 14.0)
    alone = serve(service([ask("a", output=20)]), maintenance=[Maintenance(2.25, 4.0, (0,))])
    assert states(alone) == {"a": f"REJECTED {LOST}"}
    assert (rows(alone)["a"]["generated"], rows(alone)["a"]["end"]) == (4, 2.25)


def test_a_replica_that_drains_may_be_stopped_and_does_not_come_back() -> None:
    spec = service([ask("a", output=40), ask("b", 12.0)], replicas(Steps(1, 0, *[0] * 9, 1), accelerators=8), retries=1)
    record = serve(spec, jobs=[job(submit=2.5, duration=1.0)], scheduler="priority")
    assert states(record) == {"a": "FINISHED", "b": "FINISHED"}
    assert [each[2] for each in events(record, "start")] == ["chat/0", "big", "chat/1"]
    assert rows(record)["a"]["replica"] == 1


def test_replicas_that_may_not_be_stopped_are_not() -> None:
    spec = service([ask("a", output=20)], replicas(1, accelerators=8), preemptible=False)
    record = serve(spec, jobs=[job(submit=1.0)], scheduler="priority")
    assert jobs(record, "preemptions", "start") == {"chat/0": (0, 0.0), "big": (0, 10.0)}


def test_retries_wait_twice_as_long_each_time() -> None:
    downs = [Maintenance(start, start + 0.5, (0,)) for start in (1.0, 4.0, 9.0)]
    record = serve(service([ask("a", output=200)], retries=2, backoff=1.0), maintenance=downs)
    assert states(record) == {"a": f"REJECTED {LOST}"}
    assert [row["attempts"] for row in rows(record).values()] == [3]
    times = record.tables["iterations"]["time"][record.tables["iterations"]["prompt"] > 0].tolist()
    assert times == [0.0, 2.0, 6.0]


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_a_replica_that_does_not_compute_draws_as_little_as_nobody() -> None:
    costs = Costs(idle_power=800.0, busy_power=4800.0)
    record = serve(service([ask("a", output=3), ask("b", 9.0, output=3)], replicas(1, accelerators=2)), costs=costs)
    assert (record.facts["end"], record.facts["allocated_seconds"]) == (10.5, 21.0)
    assert record.facts["energy"] == 8 * 10.5 * 100.0 + 2 * 3.0 * 500.0


def test_a_lost_iteration_has_drawn_its_power() -> None:
    costs = Costs(idle_power=800.0, busy_power=4800.0)
    record = serve(service([ask("a", output=30)]), maintenance=[Maintenance(1.75, 4.0, (0,))], costs=costs)
    assert record.facts["services"]["chat"]["busy_accelerator_seconds"] == 1.75
    assert record.facts["end"] == 1.75  # the window ends later, when nobody pays any more
    assert record.facts["energy"] == 8 * 1.75 * 100.0 + 1.75 * 500.0


# -- services together ------------------------------------------------------------------------------------------------


def test_two_services_share_a_cluster() -> None:
    chat = service([ask("a", 0.25, output=6)], replicas(1, accelerators=5))
    code = service([ask("a", 0.5)], replicas(1, accelerators=5, time=Linear(base=0.25)), name="code")
    record = serve(chat, code)
    table = record.tables["requests"]
    found = zip(table["workload"], table["id"], table["start"].tolist(), table["end"].tolist(), strict=True)
    assert list(found) == [("chat", "a", 0.25, 3.25), ("code", "a", 3.25, 4.25)]
    assert set(record.facts["services"]) == {"chat", "code"}


@pytest.mark.parametrize(
    ("arrivals", "text"),
    [
        ([-1.0], r"^request 'r0' of service 'chat' arrives at -1\.0 s: requests come in order of arrival, at finite"),
        ([math.nan], r"^request 'r0' of service 'chat' arrives at nan s: requests"),
        ([math.inf], r"^request 'r0' of service 'chat' arrives at inf s: requests"),
        ([2.0, 1.0], r"^request 'r1' of service 'chat' arrives at 1\.0 s, before its predecessor at 2 s: requests"),
    ],
)
def test_arrivals_that_make_no_sense(arrivals: list[float], text: str) -> None:
    with pytest.raises(InputError, match=text):
        serve(service([ask(f"r{number}", when) for number, when in enumerate(arrivals)]))


def test_who_waits_is_spread_over_all_replicas_that_open_at_the_same_time() -> None:
    def least(request: Any, view: Any) -> Any:
        return min(view.replicas, key=lambda replica: replica.outstanding)

    asks = [ask(f"r{number}", number / 10) for number in range(6)]
    record = serve(service(asks, replicas(3, load=2.0), router=least))
    assert {name: row["replica"] for name, row in rows(record).items()} == {f"r{n}": n % 3 for n in range(6)}
    assert {row["start"] for row in rows(record).values()} == {2.0}


@pytest.mark.parametrize("name", schedulers.names())
def test_every_scheduler_bears_replicas_that_come_and_are_taken_out_of_its_queue(name: str) -> None:
    others = [
        BatchJob(id=f"j{n}", submit=0.3 * n, duration=1.0 + n % 3, accelerators=(1, 4, 8, 16)[n % 4], priority=n % 3)
        for n in range(24)
    ]
    scaler = Steps(*[2, 6, 1, 5, 0, 6] * 6, 2, interval=0.41)
    asks = [ask(f"r{number}", number / 5, output=3 + number % 9) for number in range(60)]
    spec = service(asks, replicas(scaler, accelerators=4, max_servers=1), retries=9, backoff=0.3)
    record = serve(spec, jobs=others, scheduler=name, topology=builders.get("single-switch")(nodes=3))
    assert set(states(record).values()) == {"FINISHED"}
    assert events(record, "reject")
