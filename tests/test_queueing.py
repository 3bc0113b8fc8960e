from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics import queueing
from simulator.metrics.queueing import (
    ADAPTER,
    BATCH,
    BOUNDARY,
    CACHE,
    COMING,
    COMPUTING,
    NOWHERE,
    STARTING,
    UNKNOWN,
    waits,
)  # fmt: skip
from simulator.metrics.recorder import Record
from simulator.metrics.saturation import load
from simulator.metrics.window import Window
from tests.synthetic import table
from tests.synthetic_serving import NEVER, replica_job, request, service_record


def row(time, first, sequences=1, prompt=0, waiting=0, held=10, count=1, replica=0) -> tuple:
    return (time, "chat", replica, count, first, 0.0, sequences, prompt, 0, 0.0, sequences * count, waiting, held)


def record(requests, iterations=(), events=(), jobs=None, end=100.0, blocks=(100,), **facts) -> Record:
    tables = {
        "jobs": table("jobs", jobs or [replica_job(0, 0.0, NEVER, end)]),
        "events": table("events", list(events)),
        "requests": table("requests", list(requests)),
        "iterations": table("iterations", list(iterations)),
    }
    service = {"accelerators": 2.0, "block": 16, "blocks": list(blocks), "accelerator_seconds": 2.0 * end}
    return Record(tables, {"end": end, "warmup": 0.0, "services": {"chat": service}} | facts)


def parts(made: Record) -> dict[str, float]:
    found = waits([Window(made)], "chat")
    assert math.fsum(found.parts.values()) == pytest.approx(found.total)
    return {name: pytest.approx(seconds) for name, seconds in found.parts.items() if seconds > 1e-9}


UP = [(0.0, "submit", "chat/0", 2.0), (0.0, "start", "chat/0", 2.0), (0.0, "replica-ready", "chat/0", 1.0)]
LATER = [(0.0, "submit", "chat/0", 2.0), (10.0, "start", "chat/0", 2.0), (30.0, "replica-ready", "chat/0", 1.0)]


def test_time_before_replicas_is_told_from_time_while_they_start():
    asked = [request("a", 5.0, 30.0, 31.0, 32.0, 2), request("b", 40.0, 40.0, 41.0, 42.0, 2)]
    assert parts(record(asked, events=LATER)) == {NOWHERE: 5.0, STARTING: 20.0}


def test_a_replica_that_never_came_holds_all_of_it():
    gone = request("a", 5.0, NEVER, NEVER, 65.0, 2, state="TIMEOUT", ttft=NEVER, queue=60.0, replica=-1)
    made = record([gone], events=LATER[:1], jobs=[replica_job(0, NEVER, NEVER, 100.0)])
    found = waits([Window(made)], "chat")
    assert parts(made) == {NOWHERE: 60.0}
    assert (found.asked, found.never, found.alive) == (1, 1, 60.0)


def test_one_that_is_stopped_and_comes_back_is_seen():
    more = [(50.0, "preempt", "chat/0", 2.0), (60.0, "start", "chat/0", 2.0), (65.0, "replica-ready", "chat/0", 1.0)]
    asked = [request("a", 52.0, 65.0, 66.0, 67.0, 2)]
    assert parts(record(asked, events=LATER + more)) == {NOWHERE: 8.0, STARTING: 5.0}


def test_while_one_is_ready_and_another_on_its_way():
    second = [(20.0, "submit", "chat/1", 2.0), (25.0, "start", "chat/1", 2.0), (45.0, "replica-ready", "chat/1", 2.0)]
    asked = [request("a", 40.0, 48.0, 49.0, 50.0, 2)]
    made = record(
        asked, [row(39.0, 9.0, prompt=50, waiting=0)], sorted(LATER + second),
        [replica_job(0, 10.0, NEVER, 100.0), replica_job(1, 25.0, NEVER, 100.0)],
    )  # fmt: skip
    assert parts(made) == {COMING: 5.0, BOUNDARY: 3.0}


def test_only_replicas_that_take_prompts_count():
    prompts = [(at, event, subject.replace("chat/", "chat/prefill/"), n) for at, event, subject, n in LATER]
    jobs = [replica_job(1, 0.0, NEVER, 100.0), ("chat/prefill/0", *replica_job(0, 10.0, NEVER, 100.0)[1:])]
    decode = [(at, event, "chat/1", n) for at, event, _, n in UP]
    asked = [request("a", 5.0, 30.0, 31.0, 33.0, 2, transfer=1.0, replica=1)]
    assert parts(record(asked, events=decode + prompts, jobs=jobs)) == {NOWHERE: 5.0, STARTING: 20.0}


def test_what_a_record_does_not_say_is_not_made_up():
    made = service_record()
    assert queueing.replicas(Window(made), "chat") is None
    assert parts(made).keys() <= {BATCH, BOUNDARY, COMPUTING, UNKNOWN}


def test_the_iteration_under_way_is_waited_for_and_the_one_made_up_ahead():
    asked = [request("a", 1.5, 3.0, 4.0, 5.0, 2)]
    rows = [row(1.0, 1.0), row(2.0, 1.0, waiting=1), row(3.0, 1.0, prompt=100)]
    assert parts(record(asked, rows, UP)) == {BOUNDARY: 1.5}


@pytest.mark.parametrize(
    ("prompt", "held", "cause"),
    [(0, 10, BATCH), (0, 95, CACHE), (2000, 10, COMPUTING), (2000, 91, CACHE), (500, 10, BATCH)],
)
def test_what_keeps_a_request_out_is_read_from_the_iterations(prompt, held, cause):
    asked = [request("a", 1.5, 9.0, 10.0, 11.0, 2)]
    rows = [row(0.0, 0.5, prompt=2000), row(1.0, 1.0), row(2.0, 1.0, waiting=1)]
    rows += [row(3.0 + i, 1.0, prompt=prompt, waiting=1, held=held) for i in range(6)]
    assert parts(record(asked, rows, UP)) == {BOUNDARY: 1.5, cause: 6.0}


def test_too_few_blocks_for_a_prompt_are_the_cache_though_it_is_not_full():
    asked = [request("a", 1.5, 9.0, 10.0, 11.0, 2, input=480)]
    rows = [row(1.0, 1.0), row(2.0, 1.0, waiting=1), row(3.0, 1.0, waiting=1, held=75, count=6)]
    assert parts(record(asked, rows, UP)) == {BOUNDARY: 1.5, CACHE: 6.0}


def test_an_adapter_is_loaded_while_nobody_is_in_the_queue():
    def asked(**more):
        return [request("a", 1.5, 9.0, 10.0, 11.0, 2, **more)]

    rows = [row(1.0, 1.0), *(row(2.0 + i, 1.0, waiting=int(i >= 5)) for i in range(7))]
    assert parts(record(asked(adapter="x"), rows, UP)) == {BOUNDARY: 1.5, ADAPTER: 4.0, BATCH: 2.0}
    assert parts(record(asked(adapter="x"), [], UP)) == {UNKNOWN: 7.5}
    idle = [row(1.0, 1.0), row(9.0, 1.0, prompt=100)]
    assert parts(record(asked(adapter="x"), idle, UP)) == {BOUNDARY: 0.5, ADAPTER: 7.0}
    assert parts(record(asked(), idle, UP)) == {BOUNDARY: 0.5, UNKNOWN: 7.0}


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 30)), min_size=1, max_size=8),
    st.lists(st.tuples(st.floats(0.1, 4), st.integers(0, 3), st.integers(0, 200), st.integers(0, 100)), max_size=12),
    st.booleans(),
)
def test_the_parts_always_add_up_to_the_time_in_the_queue(spans, made, adapter):
    asked = [
        request(f"r{i}", came, came + queue, came + queue, came + queue + 1.0, 2, adapter="x" if adapter else "")
        for i, (came, queue) in enumerate(spans)
    ]
    begin, rows = 5.0, []
    for lasts, waiting, prompt, held in made:
        rows.append(row(begin, lasts, prompt=prompt, waiting=waiting, held=held))
        begin += lasts + (0.5 if waiting == 0 else 0.0)
    found = waits([Window(record(asked, rows, LATER))], "chat")
    assert all(seconds >= -1e-9 for seconds in found.parts.values())
    assert math.fsum(found.parts.values()) == pytest.approx(sum(queue for _, queue in spans), abs=1e-6)


def test_replicas_that_idle_while_others_have_a_queue():
    two = [(at, event, subject.replace("0", "1"), n) for at, event, subject, n in UP]
    jobs = [replica_job(0, 0.0, NEVER, 100.0), replica_job(1, 0.0, NEVER, 100.0)]
    asked = [request("a", 1.5, 9.0, 10.0, 11.0, 2)]
    rows = [row(2.0, 10.0, waiting=1), row(2.0, 5.0, replica=1)]
    assert queueing.idle([Window(record(asked, rows, UP + two, jobs))], "chat") == pytest.approx(0.25)
    assert math.isnan(queueing.idle([Window(record(asked, [row(2.0, 10.0)], UP, jobs))], "chat"))


# -- saturation -------------------------------------------------------------------------------------------------------


def held_up(until: float) -> Record:
    """A service at a low load, of which requests that came before ``until`` waited for the first replica."""
    made = service_record(load=0.2)
    columns = made.tables["requests"]
    early = np.flatnonzero((columns["arrival"] < until) & (columns["state"] == "FINISHED"))
    columns["start"][early] = np.maximum(columns["start"][early], until)
    columns["first_token"][early] = np.maximum(columns["first_token"][early], until)
    columns["queue"][early] = columns["start"][early] - columns["arrival"][early]
    columns["ttft"][early] = columns["first_token"][early] - columns["arrival"][early]
    made.tables["iterations"]["waiting"][:] = 1
    events = [(0.0, "start", "chat/0", 2.0), (until, "replica-ready", "chat/0", 1.0)]
    made.tables["events"] = table("events", events)
    return made


def test_who_waited_for_the_first_replica_is_no_sign_of_saturation():
    made = held_up(600.0)
    found = load([Window(made)], "chat")
    assert found is not None
    assert found.held_up
    assert not found.saturated
    made.tables["events"] = table("events", [])
    assert load([Window(made)], "chat").saturated
    assert load([Window(held_up(1e6))], "chat") is None
