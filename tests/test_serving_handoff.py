"""Requests between the replica that computed their prompt and the one that decodes."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster.builders import builders
from simulator.metrics.recorder import Record
from simulator.runtime.serving.service import LOST
from simulator.runtime.serving.spec import ReplicaPool, ServiceSpec
from simulator.runtime.windows import Maintenance
from simulator.workload.jobs import Transfer
from tests.serving_world import Steps, ask, events, replicas, rows, serve, service, states

SWITCH = builders.get("single-switch")(nodes=4)
RAILS = builders.get("rail-optimised")(nodes=4, nodes_per_unit=4)
SPINES = builders.get("leaf-spine")(nodes=4, nodes_per_leaf=2)
NIC, CARDS = 47.5e9, 8
"""Bytes/s of one network card of a server, and its cards, one for each accelerator."""
TOKENS = 4
"""Of each prompt, unless a test says otherwise."""
SECOND = NIC * CARDS / TOKENS
"""Bytes of a token with which a prompt takes a second from one server to another."""
LATENCY = 1.4e-6


def whole(count: Any = 1, blocks: int = 1000, **more: Any) -> ReplicaPool:
    """Replicas of a server each; an iteration takes half a second."""
    return replicas(count, blocks, accelerators=more.pop("accelerators", CARDS), max_servers=9, **more)


def split(
    asks: list[dict[str, Any]], prefill: ReplicaPool | None = None, decode: ReplicaPool | None = None, **more: Any
) -> ServiceSpec:
    """A service that computes prompts on one server and decodes on another."""
    return service(asks, decode or whole(), prefill=prefill or whole(), **{"kv_bytes": SECOND} | more)


def flows(record: Record) -> dict[str, tuple[float, float]]:
    """When each transfer was asked for, and when its last byte arrived."""
    return {name: (row["start"], row["end"]) for name, row in rows(record, "flows").items()}


def near(*times: float) -> Any:
    """Times to within the latencies of a few messages."""
    return pytest.approx(times, abs=20 * LATENCY)


# -- how long it takes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topology", [SWITCH, RAILS, SPINES], ids=lambda each: each.name)
@pytest.mark.parametrize("accelerators", [CARDS, 1])
def test_bytes_go_as_fast_as_the_cards_of_the_accelerators_that_take_part(topology: Any, accelerators: int) -> None:
    pools = [replicas(1, accelerators=accelerators, cores=60.0) for _ in range(2)]  # so that no server holds both
    record = serve(service([ask("a")], pools[0], prefill=pools[1], kv_bytes=SECOND), topology=topology)
    row = rows(record, "flows")["a"]
    ends = [topology.endpoint(server, 0) if topology.wired else f"node-{server}" for server in (0, 1)]
    latency = sum(topology.latency[link] for link in topology.path(*ends))
    assert (row["src"], row["dst"], row["bytes"], row["workload"]) == ("node-0", "node-1", 4 * SECOND, "chat")
    assert row["end"] - row["start"] == pytest.approx(latency + 4 * SECOND / (NIC * accelerators), rel=1e-9)
    asked = rows(record)["a"]
    assert (asked["transfer"], asked["first_token"]) == (row["end"] - row["start"], row["start"])
    assert asked["end"] == pytest.approx(row["end"] + 3 * 0.5)


@pytest.mark.parametrize("topology", [SWITCH, RAILS], ids=lambda each: each.name)
def test_beside_an_equal_flow_it_takes_twice_as_long(topology: Any) -> None:
    record = serve(split([ask("a"), ask("b")]), topology=topology)
    (start, end), other = flows(record).values()
    assert (start, other) == (0.5, (start, end))
    assert end - start == pytest.approx(2.0, rel=1e-5)


def test_beside_a_transfer_of_others_it_takes_twice_as_long_and_so_does_that() -> None:
    other = Transfer(id="other", src="node-0", dst="node-1", bytes=4 * SECOND, start=0.5)
    record = serve(split([ask("a")]), topology=SWITCH, transfers=[other])
    assert flows(record)["a"] == near(0.5, 2.5)
    assert flows(record)["other"] == near(0.5, 2.5)
    alone = serve(split([ask("a")]), topology=SWITCH, transfers=[other], contention=False)
    assert flows(alone)["a"] == near(0.5, 1.5)


def test_accelerators_of_one_server_share_no_card() -> None:
    prefill, decode = whole(2, accelerators=4), whole(2, accelerators=4)
    asks = [ask("a"), ask("b")]
    record = serve(
        split(asks, prefill, decode, router=lambda request, view: view.replicas[ord(request.id) % 2]), topology=SWITCH
    )
    assert {row["src"] + row["dst"] for row in rows(record, "flows").values()} == {"node-0node-1"}
    assert flows(record) == {"a": near(0.5, 2.5), "b": near(0.5, 2.5)}


def test_inside_a_server_they_go_by_its_scale_up_fabric() -> None:
    record = serve(split([ask("a")], whole(accelerators=2), whole(accelerators=2)), topology=SWITCH)
    server = SWITCH.servers[0]
    start, end = flows(record)["a"]
    assert end - start == pytest.approx(server.scale_up_latency + 4 * SECOND / (2 * server.scale_up), rel=1e-9)


def test_replicas_on_several_servers_send_from_each_of_them() -> None:
    record = serve(split([ask("a")], whole(accelerators=16), whole(accelerators=16)), topology=SWITCH)
    assert flows(record)["a"] == near(0.5, 1.0)


def test_a_request_of_one_token_does_not_travel() -> None:
    record = serve(split([ask("a", output=1)]), topology=SWITCH)
    assert (flows(record), rows(record)["a"]["end"], rows(record)["a"]["replica"]) == ({}, 0.5, 0)


def test_bytes_that_are_none_take_the_latency() -> None:
    record = serve(split([ask("a")], kv_bytes=0.0), topology=SWITCH)
    assert flows(record)["a"] == pytest.approx((0.5, 0.5 + LATENCY), abs=1e-12)


# -- links that fail ------------------------------------------------------------------------------------------------


def trunk(topology: Any, src: str, dst: str) -> int:
    return next(link for link, ends in enumerate(topology.ends) if ends == (src, dst))


@pytest.mark.parametrize(("down", "up", "end"), [(0.75, 3.0, 3.75), (0.25, 3.0, 4.0)])
def test_while_the_only_link_is_down_nothing_goes_and_nothing_is_sent_again(down: float, up: float, end: float) -> None:
    link = trunk(SWITCH, "node-0", "switch")
    record = serve(split([ask("a")]), topology=SWITCH, link_events=[(down, link, False), (up, link, True)])
    assert flows(record)["a"] == near(0.5, end)
    assert states(record) == {"a": "FINISHED"}


def test_the_part_of_a_rail_that_is_down_goes_beside_another() -> None:
    rail = RAILS.path(RAILS.endpoint(0, 3), RAILS.endpoint(1, 3))[0]
    record = serve(split([ask("a")]), topology=RAILS, link_events=[(1.25, rail, False), (9.0, rail, True)])
    assert flows(record)["a"] == near(0.5, 1.75)


def test_a_link_that_never_comes_back_leaves_the_request_unfinished() -> None:
    link = trunk(SWITCH, "node-0", "switch")
    record = serve(split([ask("a")]), topology=SWITCH, link_events=[(1.0, link, False)])
    assert states(record) == {"a": "UNFINISHED"}
    given_up = serve(split([ask("a")], timeout=9.0), topology=SWITCH, link_events=[(1.0, link, False)])
    assert (states(given_up), rows(given_up)["a"]["end"]) == ({"a": "TIMEOUT"}, 9.0)


# -- room -----------------------------------------------------------------------------------------------------------


def test_the_source_holds_its_blocks_until_the_last_byte_has_arrived() -> None:
    record = serve(
        split([ask("a", input=16), ask("b", input=16)], whole(blocks=6), kv_bytes=SECOND / 4), topology=SWITCH
    )
    assert flows(record)["a"] == near(0.5, 1.5)
    assert rows(record)["b"]["start"] == flows(record)["a"][1]


def test_the_target_has_room_before_the_first_byte_is_sent() -> None:
    record = serve(
        split([ask("a", input=16), ask("b", input=16)], decode=whole(blocks=6), kv_bytes=SECOND / 4), topology=SWITCH
    )
    found = flows(record)
    assert found["a"] == near(0.5, 1.5)
    assert rows(record)["b"]["first_token"] == 0.5
    assert found["b"][0] == rows(record)["a"]["end"]


def test_who_waits_for_room_waits_in_order() -> None:
    asks = [ask("a", input=16), ask("b", input=16), ask("c", input=4)]
    record = serve(split(asks, decode=whole(blocks=6), kv_bytes=SECOND / 4), topology=SWITCH)
    found = flows(record)
    assert found["b"][0] == found["c"][0] == rows(record)["a"]["end"]


def test_room_is_what_sequences_have_not_taken_in_the_middle_of_many_iterations() -> None:
    asks = [ask("a", input=4, output=64), ask("b", 20.0, input=36, output=2)]
    record = serve(split(asks, decode=whole(blocks=18), kv_bytes=SECOND / 20), topology=SWITCH)
    first = rows(record)["a"]
    assert flows(record)["b"][0] == first["end"]  # which holds 11 blocks when b would come, and 7 are left
    asks[1]["input"] = 20
    smaller = serve(split(asks, decode=whole(blocks=18), kv_bytes=SECOND / 20), topology=SWITCH)
    assert flows(smaller)["b"][0] == 20.5
    assert rows(smaller)["a"]["preemptions"] + rows(smaller)["b"]["preemptions"] == 0


def test_a_request_that_no_decoding_replica_has_room_for_is_rejected() -> None:
    record = serve(split([ask("a", input=8, output=20), ask("b")], decode=whole(blocks=6)), topology=SWITCH)
    assert states(record) == {"a": "REJECTED more than the 6 KV blocks of a decoding replica", "b": "FINISHED"}


def test_room_for_all_that_a_client_may_ask_for_may_be_more_than_there_is() -> None:
    spec = split(
        [ask("a", limit=40), ask("b", 1.0)],
        whole(blocks=20),
        whole(blocks=6),
        batching=("no-evict", {"max_tokens": 64}),
    )
    record = serve(spec, topology=SWITCH)
    assert states(record) == {"a": "REJECTED more than the 6 KV blocks of a decoding replica", "b": "FINISHED"}


def test_prompts_are_computed_though_nobody_decodes_yet() -> None:
    record = serve(split([ask("a")], decode=whole(load=7.0)), topology=SWITCH)
    row = rows(record)["a"]
    assert (row["first_token"], flows(record)["a"]) == (0.5, near(7.0, 8.0))
    assert row["transfer"] == pytest.approx(7.5, abs=1e-5)


def test_of_a_crowd_each_takes_its_place() -> None:
    asks = [ask(f"r{number}", number / 16, input=4 + number % 9, output=2 + number % 7) for number in range(40)]
    record = serve(split(asks, whole(2, blocks=8), whole(2, blocks=9), kv_bytes=SECOND / 20), topology=SWITCH)
    assert set(states(record).values()) == {"FINISHED"}


def test_who_has_landed_decodes_when_the_one_before_it_had_to_go_for_it() -> None:
    asks = [ask("a", input=4, output=14), ask("b", 1.0, input=4, output=3)]
    record = serve(split(asks, decode=whole(blocks=5), kv_bytes=SECOND / 1000, max_batch=1), topology=SWITCH)
    found = rows(record)  # a needs all five blocks, and b holds one of them while it waits for its place in the batch
    assert (found["a"]["preemptions"], found["b"]["preemptions"]) == (1, 0)
    assert (found["b"]["end"], found["a"]["end"]) == pytest.approx((7.5, 8.0), abs=0.01)


# -- clients that give up -------------------------------------------------------------------------------------------


def test_a_client_gives_up_while_nobody_decodes_yet() -> None:
    record = serve(split([ask("a"), ask("b", 5.0)], whole(blocks=2), whole(load=7.0), timeout=3.0), topology=SWITCH)
    assert {name: (row["state"], row["end"]) for name, row in rows(record).items()} == {
        "a": ("TIMEOUT", 3.0), "b": ("TIMEOUT", 8.0),
    }  # fmt: skip
    assert rows(record)["b"]["first_token"] == 5.5


def test_a_client_gives_up_while_its_request_waits_for_room() -> None:
    asks = [ask("b", input=200), ask("a", 0.5, output=400), ask("c", 2.5)]
    spec = split(
        asks, whole(2), whole(blocks=110), timeout=6.0, kv_bytes=SECOND / 1000,
        batching=("no-evict", {"max_tokens": 64, "chunked": True}),
        router=lambda request, view: view.replicas[(request.id != "b") % len(view.replicas)],
    )  # fmt: skip
    record = serve(spec, topology=SWITCH)
    assert states(record) == {"a": "TIMEOUT", "b": "TIMEOUT", "c": "FINISHED"}
    assert (rows(record)["b"]["first_token"], rows(record)["c"]["first_token"]) == (2.0, 3.0)
    assert flows(record)["c"][0] == rows(record)["b"]["end"] == 6.0


def test_a_client_gives_up_while_bytes_are_on_their_way() -> None:
    asks = [ask("a", input=16, output=2), ask("b", 1.0, input=16, output=2)]
    spec = split(asks, whole(blocks=5), whole(blocks=5), timeout=2.2, kv_bytes=SECOND / 2)
    record = serve(spec, topology=SWITCH)
    assert states(record) == {"a": "TIMEOUT", "b": "TIMEOUT"}
    assert rows(record)["b"]["start"] == 2.2  # the blocks of a are free at once, at both ends
    assert flows(record)["b"][0] == 2.7


def test_room_of_a_client_that_gives_up_while_it_decodes_is_there_at_the_next_boundary() -> None:
    asks = [ask("a", output=60), ask("b", 2.0, output=9)]
    spec = split(asks, decode=whole(blocks=16), timeout=5.25, batching=("no-evict", {}))
    record = serve(spec, topology=SWITCH)
    assert states(record) == {"a": "TIMEOUT", "b": "TIMEOUT"}
    start, end = flows(record)["b"]
    assert (start, end) == near(5.5, 6.5)


def test_room_of_a_client_that_gives_up_when_its_request_has_landed_is_there_at_once() -> None:
    asks = [ask("a", output=40), ask("b", output=20), ask("c", 3.0, output=4)]
    spec = split(asks, decode=whole(blocks=17), max_batch=1, batching=("no-evict", {}), timeout=9.0)
    record = serve(spec, topology=SWITCH)
    assert {name: row["state"] for name, row in rows(record).items()}["b"] == "TIMEOUT"
    assert flows(record)["c"][0] == 9.0


# -- replicas that are lost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [0, 1])
def test_a_request_whose_source_or_target_is_lost_on_the_way_is_sent_again(server: int) -> None:
    down = [Maintenance(1.0, 2.0, (server,))]
    topology = builders.get("single-switch")(nodes=2)
    record = serve(split([ask("a")], retries=1, backoff=0.25), topology=topology, maintenance=down)
    row = rows(record)["a"]
    assert (row["state"], row["attempts"], row["start"]) == ("FINISHED", 2, 2.0 if server == 0 else 1.25)
    assert row["queue"] + row["prefill"] + row["transfer"] + row["decode"] == pytest.approx(row["e2e"])
    without = serve(split([ask("a")]), topology=topology, maintenance=down)
    assert (states(without), rows(without)["a"]["end"]) == ({"a": f"REJECTED {LOST}"}, 1.0)


@pytest.mark.parametrize("server", [0, 1])
def test_all_that_were_on_their_way_or_waited_for_room_are_sent_again(server: int) -> None:
    topology = builders.get("single-switch")(nodes=2)
    asks = [ask(name, input=16) for name in "abcde"]
    spec = split(asks, whole(blocks=50), whole(blocks=6), retries=1, kv_bytes=SECOND / 4, batching=("vllm", {}))
    record = serve(spec, topology=topology, maintenance=[Maintenance(1.0, 2.0, (server,))])
    assert set(states(record).values()) == {"FINISHED"}
    assert [row["attempts"] for row in rows(record).values()] == [2] * 5
    assert len(flows(record)) == 5
    table = record.tables["flows"]
    assert sum(table["start"] < 1.0) == 1  # nothing set out from a replica that was being lost, nor to it


def test_a_target_that_drains_takes_those_that_were_given_to_it() -> None:
    scaler = Steps(1, 2, 1)
    spec = split([ask("a", 1.5, output=9)], decode=whole(scaler), router=lambda request, view: view.replicas[-1])
    record = serve(spec, topology=SWITCH)
    assert states(record) == {"a": "FINISHED"}
    ready = events(record, "replica-drain")
    assert [each[0] for each in ready] == [2.0]
