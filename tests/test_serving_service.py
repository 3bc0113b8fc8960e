"""What happens to single requests: deadlines, retries, full queues, chains, adapters, refusals, horizons."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import pytest

from simulator.core.errors import InputError, PolicyError
from simulator.runtime.serving.refusals import FULL, LOST, PARENT
from simulator.runtime.serving.spec import Slo
from simulator.runtime.windows import Maintenance
from tests.serving_world import Linear, ask, replicas, rows, serve, service, states


def ends(record: Any) -> dict[str, float]:
    return {name: row["end"] for name, row in rows(record).items()}


# -- clients that give up -------------------------------------------------------------------------------------------


def test_who_has_the_first_token_in_time_waits_for_the_rest() -> None:
    asks = [ask("a", output=20), ask("b", 0.25, input=4, output=20)]
    record = serve(service(asks, max_batch=1, first_token_timeout=3.0))
    assert states(record) == {"a": "FINISHED", "b": "TIMEOUT"}
    assert ends(record) == {"b": 3.25, "a": 10.0}


def test_with_both_timeouts_the_second_counts_from_the_arrival_too() -> None:
    record = serve(service([ask("a", 1.0, output=20)], first_token_timeout=3.0, timeout=5.25))
    row = rows(record)["a"]
    assert (row["state"], row["end"], row["generated"], row["first_token"]) == ("TIMEOUT", 6.25, 10, 1.5)
    assert math.isnan(row["e2e"])


def test_who_gives_up_while_its_prompt_is_under_way_leaves_when_the_piece_is_computed() -> None:
    asks = [ask("a", input=640), ask("b", input=4, output=1)]
    record = serve(service(asks, timeout=2.25))
    assert states(record) == {"a": "TIMEOUT", "b": "TIMEOUT"}  # b waits behind the budget that a takes up
    asks.append(ask("c", 2.0, input=4, output=1))
    record = serve(service(asks, timeout=2.25))
    assert (rows(record)["a"]["generated"], rows(record)["c"]["start"], rows(record)["c"]["state"]) == (
        0,
        2.5,
        "FINISHED",
    )


def test_who_gives_up_before_any_replica_is_ready() -> None:
    record = serve(service([ask("a"), ask("b", 8.0)], replicas(1, load=8.5), timeout=3.0))
    assert states(record) == {"a": "TIMEOUT", "b": "FINISHED"}
    assert (ends(record)["a"], rows(record)["a"]["replica"], rows(record)["a"]["attempts"]) == (3.0, -1, 0)


def test_who_gives_up_between_two_attempts() -> None:
    down = [Maintenance(1.25, 1.5, (0,))]
    record = serve(service([ask("a", output=9)], retries=3, backoff=5.0, timeout=3.0), maintenance=down)
    assert (states(record), ends(record)) == ({"a": "TIMEOUT"}, {"a": 3.0})


def test_who_gives_up_while_its_keys_and_values_are_in_the_memory_of_the_host() -> None:
    asks = [ask("a", input=8, output=30), ask("b", 0.25, input=8, output=30)]
    spec = service(asks, replicas(1, blocks=10, swap=1e9), swap=True, kv_bytes=1e6, timeout=9.0)
    record = serve(spec)
    found = rows(record)["b"]
    assert (found["state"], found["end"], found["preemptions"], found["recomputed"]) == ("TIMEOUT", 9.25, 1, 0)
    assert found["stalled"] > 0


def test_who_gives_up_while_its_adapter_is_loaded() -> None:
    asks = [ask("a", adapter="x"), ask("b", 1.0), ask("c", 4.0, adapter="x")]
    record = serve(service(asks, adapter_load=5.0, timeout=3.5))
    assert states(record) == {"a": "TIMEOUT", "b": "FINISHED", "c": "FINISHED"}
    assert rows(record)["c"]["start"] == 5.0


# -- adapters -------------------------------------------------------------------------------------------------------


def test_a_request_waits_for_its_adapter_and_the_next_one_for_the_rest_of_that_time() -> None:
    asks = [ask("a", adapter="x"), ask("b", 1.0, adapter="x"), ask("c", 1.0), ask("d", 20.0, adapter="x")]
    record = serve(service(asks, adapter_load=3.0))
    starts = {name: row["start"] for name, row in rows(record).items()}
    assert starts == {"a": 3.0, "b": 3.0, "c": 1.0, "d": 20.0}


def test_the_least_recently_used_adapter_makes_room() -> None:
    used = ["x", "y", "x", "z", "x", "y"]
    asks = [ask(f"r{number}", 10.0 * number, adapter=name) for number, name in enumerate(used)]
    record = serve(service(asks, adapters=2, adapter_load=1.0))
    waits = [row["start"] - row["arrival"] for row in rows(record).values()]
    assert waits == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def test_adapters_are_loaded_one_after_the_other_and_no_more_are_in_use_than_there_is_room_for() -> None:
    asks = [ask(f"r{name}", 0.125 * number, output=4, adapter=name) for number, name in enumerate("xyz")]
    starts = {name: row["start"] for name, row in rows(serve(service(asks, adapters=2, adapter_load=1.0))).items()}
    assert starts["rx"] == 1.0
    assert 2.0 <= starts["ry"] < 3.0
    found = rows(serve(service(asks, adapters=1, adapter_load=1.0)))
    for before, after in (("rx", "ry"), ("ry", "rz")):
        assert found[after]["start"] >= found[before]["end"] + 1.0


def test_a_queue_of_none_takes_who_can_start_at_the_next_boundary() -> None:
    asks = [ask("a", output=4), ask("b", 0.25), ask("c", 0.5)]
    record = serve(service(asks, max_batch=2, queue_limit=0))
    assert states(record) == {"a": "FINISHED", "b": "FINISHED", "c": f"REJECTED {FULL}"}


def test_a_router_that_changes_a_request_is_told_so() -> None:
    class Cheat:
        def route(self, request: Any, view: Any) -> Any:
            request.output = 1
            return view.replicas[0]

    with pytest.raises(PolicyError, match=r"^router Cheat at 0 s: it changed request 'a'; a policy only looks$"):
        serve(service([ask("a", output=9)], router=Cheat()))


# -- full queues and lost replicas ----------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_retries_come_after_twice_as_long_each_time() -> None:
    asks = [ask("a", output=40), ask("b", 0.25), ask("c", 1.0), ask("d", 2.0)]
    spec = service(asks, max_batch=1, queue_limit=1, retries=4, backoff=2.0)
    record = serve(spec)
    assert states(record) == {"a": "FINISHED", "b": "FINISHED", "c": "FINISHED", "d": "FINISHED"}
    found = rows(record)
    assert {name: row["attempts"] for name, row in found.items()} == {"a": 1, "b": 1, "c": 5, "d": 5}
    assert (found["c"]["start"], found["d"]["start"]) == (1.0 + 2 + 4 + 8 + 16, 2.0 + 2 + 4 + 8 + 16 + 1.0)
    refused = serve(service(asks, max_batch=1, queue_limit=1, retries=1, backoff=2.0))
    assert states(refused)["c"] == f"REJECTED {FULL}"
    assert ends(refused)["c"] == 3.0


def test_many_retries_at_no_distance_come_to_an_end() -> None:
    asks = [ask("a", output=40), ask("b"), ask("c")]
    record = serve(service(asks, max_batch=1, queue_limit=1, retries=5000, backoff=0.0), until=15.0)
    assert states(record)["c"] == f"REJECTED {FULL}"
    assert rows(record)["c"]["attempts"] == 5001


def test_what_was_stalled_before_a_replica_was_lost_is_not_told_of_the_next_attempt() -> None:
    asks = [ask("a", input=8, output=30), ask("b", 0.25, input=8, output=30)]
    spec = service(asks, replicas(1, blocks=10), retries=1, backoff=0.25)
    record = serve(spec, maintenance=[Maintenance(11.25, 12.0, (0,))])
    found = rows(record)["b"]
    assert (found["preemptions"] > 0, found["attempts"], found["state"]) == (True, 2, "FINISHED")
    assert sum(found[part] for part in ("queue", "prefill", "transfer", "stalled", "decode")) == pytest.approx(
        found["e2e"]
    )


# -- chains ---------------------------------------------------------------------------------------------------------


def test_a_request_that_waits_for_another_comes_after_its_delay_and_not_before_its_time() -> None:
    asks = [ask("a"), ask("b", after="a", delay=1.5), ask("c", 9.0, after="b", delay=0.25), ask("d", after="a")]
    record = serve(service(asks))
    assert {name: row["arrival"] for name, row in rows(record).items()} == {"a": 0.0, "d": 2.0, "b": 3.5, "c": 9.0}


def test_who_waits_for_a_request_that_is_not_finished_is_rejected_with_all_behind_it() -> None:
    asks = [ask("a", output=40), ask("b", after="a"), ask("c", 50.0, after="b"), ask("d", after="c")]
    record = serve(service(asks, timeout=3.0))
    assert states(record) == {"a": "TIMEOUT"} | dict.fromkeys("bcd", f"REJECTED {PARENT}")
    assert {(row["arrival"], row["end"]) for name, row in rows(record).items() if name != "a"} == {(3.0, 3.0)}


@pytest.mark.parametrize("delay", [-1.0, math.nan, math.inf])
def test_delays_that_make_no_sense(delay: float) -> None:
    text = rf"^request 'b' of service 'chat' is sent {delay!r} s after 'a': it must be a finite number, 0 or more$"
    with pytest.raises(InputError, match=text):
        serve(service([ask("a"), ask("b", after="a", delay=delay)]))


# -- requests that can never run ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"input": 0}, "it has no prompt"),
        ({"output": 0}, "it asks for no tokens"),
        ({"input": 90, "output": 11}, "longer than the context of 100 tokens"),
        ({"input": 60, "output": 21}, "more than the 20 KV blocks of a replica"),
    ],
)
def test_requests_that_can_never_run(asked: dict[str, int], reason: str) -> None:
    record = serve(service([ask("a", **asked), ask("b")], replicas(1, blocks=20), context=100))
    assert states(record) == {"a": f"REJECTED {reason}", "b": "FINISHED"}
    assert ends(record)["a"] == 0.0


def test_what_a_client_may_ask_for_counts_where_all_is_reserved() -> None:
    asks = [ask("a", input=60, output=4, limit=21), ask("b", input=60, output=4, limit=20)]
    record = serve(service(asks, replicas(1, blocks=20), batching=("no-evict", {"max_tokens": 64})))
    assert states(record) == {"a": "REJECTED more than the 20 KV blocks of a replica", "b": "FINISHED"}


def test_prompts_that_are_not_cut_have_to_fit_into_an_iteration() -> None:
    asks = [ask("a", input=65), ask("b", input=62, output=3), ask("c", input=62, output=4)]
    record = serve(service(asks, batching=("prefill-first", {"max_tokens": 64})))
    assert states(record) == {
        "a": "REJECTED a prompt longer than the 64 tokens of an iteration", "b": "FINISHED",
        "c": "REJECTED longer than the 64 tokens of an iteration when all is computed again after a preemption",
    }  # fmt: skip


# -- horizons, classes, ranks ---------------------------------------------------------------------------------------


def test_at_a_horizon_everybody_is_told_what_they_have() -> None:
    asks = [
        ask("a", output=40),
        ask("b", 0.25),
        ask("c", 3.0),
        ask("d", after="b"),
        ask("e", 9.0, after="b"),
        ask("f", 9.0),
    ]
    record = serve(service(asks, max_batch=1), until=5.25)
    found = {name: (row["state"], row["generated"]) for name, row in rows(record).items()}
    assert found == {"a": ("UNFINISHED", 10), "b": ("UNFINISHED", 0), "c": ("UNFINISHED", 0)}
    assert record.facts["services"]["chat"]["busy_accelerator_seconds"] == 5.25
    assert record.tables["iterations"]["tokens"].sum() == 10


def test_bounds_are_those_of_the_class_or_of_all_others() -> None:
    slos = {"chat": Slo(ttft=1.0), "": Slo(e2e=9.0)}
    record = serve(service([ask("a", category="chat"), ask("b", category="batch")], slos=slos))
    bounds = {name: (row["slo_ttft"], row["slo_tpot"], row["slo_e2e"]) for name, row in rows(record).items()}
    assert bounds == {"a": (1.0, math.inf, math.inf), "b": (math.inf, math.inf, 9.0)}


def test_ranks_take_requests_in_turn_and_go_in_lockstep() -> None:
    time = Linear(base=0.5, sequence=0.25)
    record = serve(service([ask(name, output=3) for name in "abcde"], replicas(1, time=time, ranks=4)))
    assert set(ends(record).values()) == {0.5 + 2 * (0.5 + 2 * 0.25)}
    table = record.tables["iterations"]
    assert (table["sequences"].tolist(), table["tokens"].tolist()) == ([0, 5], [5, 10])


# -- routers --------------------------------------------------------------------------------------------------------


class Faulty:
    """A router that fails where it is told to."""

    name = "faulty"

    def __init__(self, where: str) -> None:
        self.where = where

    def reset(self, rng: Any) -> None:
        self._fail("reset")

    def on_end(self, request: Any) -> None:
        self._fail("on_end")

    def route(self, request: Any, view: Any) -> Any:
        self._fail("route")
        return view.replicas[0]

    def _fail(self, where: str) -> None:
        if where == self.where:
            raise KeyError(where)


@pytest.mark.parametrize(("where", "time"), [("reset", 0), ("route", 1), ("on_end", 3)])
def test_a_router_that_fails(where: str, time: int) -> None:
    with pytest.raises(PolicyError, match=rf"^router faulty at {time} s: KeyError: '{where}'$"):
        serve(service([ask("a", 1.0)], router=Faulty(where)))


def test_a_router_that_returns_no_replica() -> None:
    with pytest.raises(PolicyError, match=r"request 'a': it returned None, which is none of view\.replicas$"):
        serve(service([ask("a", 1.0)], router=lambda request, view: None))


def test_a_router_that_names_a_replica_that_takes_no_more() -> None:
    seen: list[Any] = []

    def first_of_all(request: Any, view: Any) -> Any:
        seen.extend(view.replicas)
        return seen[0]

    down = [Maintenance(2.0, 3.0, (0,))]
    with pytest.raises(PolicyError, match=r"at 5 s, request 'b': it returned <.*Replica.*>, which is none of"):
        serve(service([ask("a", 1.0, output=1), ask("b", 5.0)], router=first_of_all), maintenance=down)


# -- the same again -------------------------------------------------------------------------------------------------

PRINT = """
from tests.test_serving_service import mixture
from simulator.metrics.recorder import Record
record = mixture()
for name in ("requests", "iterations", "jobs", "events", "flows"):
    for column, values in record.tables[name].items():
        print(name, column, values.tolist())
"""


def mixture() -> Any:
    """A run with a little of everything that is kept by name."""
    asks = [
        ask(f"r{number}", number / 7, input=3 + number % 11, output=1 + number % 13, tenant=f"t{number % 3}",
            adapter=("", "x", "y", "z")[number % 4], hashes=(number % 3, number), hash_block=4)
        for number in range(40)
    ]  # fmt: skip
    spec = service(
        asks, replicas(2, blocks=12), prefill=replicas(2, blocks=12), prefix_cache=True, adapters=2, adapter_load=0.3,
        lineup="vtc", staleness=0.5, timeout=9.0, retries=2, kv_bytes=1e6,
        router=lambda request, view: min(view.replicas, key=lambda replica: (replica.outstanding, replica.kv)),
    )  # fmt: skip
    return serve(spec, maintenance=[Maintenance(3.1, 4.0, (0,))])


def test_hashes_of_names_change_nothing(root: Any) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", PRINT], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}, cwd=root,
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("0", "12345")
    ]  # fmt: skip
    assert said[0] == said[1]
    assert LOST not in said[0] or "requests reason" in said[0]
    assert said[0].count("\n") > 60
