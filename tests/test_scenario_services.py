"""Services in a scenario: what their keys mean, what is refused and how, and that they run as they are written."""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import simulator as sim
from simulator.cli import main
from simulator.cluster import catalog
from simulator.cluster.topology import Server
from simulator.core.errors import InputError, PolicyError
from simulator.models.serving.api import Batch, Chunk, Decoding
from simulator.policies.batching import RESERVES
from simulator.policies.batching.vllm import Vllm
from simulator.policies.lineups.fcfs import Fcfs
from simulator.policies.routing.round_robin import RoundRobin
from simulator.policies.serving import ReplicaView, RoutingView, ServiceObservation, batchings
from simulator.runtime.serving.spec import ServiceSpec, Slo
from simulator.scenario.build import Plan, plan
from simulator.scenario.replicarooms import Room
from simulator.scenario.replicas import shape_of, weight_bytes
from simulator.scenario.servicebuild import Service
from simulator.scenario.services import ReplicaKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache
from simulator.workload.requests import Request

TOPOLOGY = "{build: single-switch, nodes: 2, node: dgx-h100, link: infiniband-ndr}"
GOOD = f"""\
name: x
topology: {TOPOLOGY}
workload:
  chat:
    service: llama-3.1-8b
    requests: [{{at: 1 s, input: 100, output: 20}}]
"""
LOG = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:00:00.0000000,100,10
2023-11-16 18:00:04.0000000,200,20
2023-11-16 18:00:06.0000000,300,30
2023-11-16 18:00:20.0000000,400,40
"""
TABLE = "prefill_tokens,decode_sequences,context_tokens,seconds\n" + "".join(
    f"{prompt},{sequences},{context},0.1\n"
    for prompt, sequences, context in product((0, 1000), (0, 10), (0, 10000))
    if prompt or sequences
)
"""Every iteration takes 100 ms."""


def text(**keys: str) -> str:
    """The good scenario with some keys of its service replaced or added."""
    kept = [line for line in GOOD.splitlines() if not any(line.startswith(f"    {key}:") for key in keys)]
    return "\n".join([*kept, *(f"    {key}: {value}" for key, value in keys.items())]) + "\n"


def planned(source: str, *overrides: Any, replication: int = 0, traces: TraceCache | None = None) -> Plan:
    return plan(Scenario.load(source, overrides), replication=replication, traces=traces)


def made(**keys: str) -> Service:
    (service,) = planned(text(**keys)).services
    return service


def refused(**keys: str) -> str:
    with pytest.raises(InputError) as caught:
        planned(text(**keys))
    return str(caught.value)


def default(kind: Any, name: str) -> Any:
    return kind.__dataclass_fields__[name].default


def listed(service: Service) -> list[Request]:
    return list(service.spec.requests)


# -- what the keys mean -----------------------------------------------------------------------------------------------


def test_defaults() -> None:
    spec = made().spec
    assert (spec.name, spec.block, spec.max_batch, spec.context) == ("chat", 16, 256, 131072)
    assert (spec.prefix_cache, spec.swap, spec.advance, spec.staleness) == (True, False, 1.0, 0.0)
    assert (spec.phases, dict(spec.slos), spec.retries, spec.backoff) == ((), {}, 0, 1.0)
    assert (spec.timeout, spec.first_token_timeout) == (math.inf, math.inf)
    assert (spec.queue_limit, spec.adapters) == (default(ServiceSpec, "queue_limit"), default(ServiceSpec, "adapters"))
    assert (spec.tenant, spec.priority, spec.partition, spec.preemptible) == ("", 0.0, "", True)
    assert isinstance(spec.router, RoundRobin)
    assert isinstance(spec.batching(), Vllm)
    assert isinstance(spec.lineup(), Fcfs)
    pool = spec.replicas
    assert (pool.accelerators, pool.ranks, pool.types, pool.max_servers, pool.minimum, pool.maximum) == (
        1,
        1,
        (),
        1,
        0,
        1,
    )
    assert spec.prefill is None
    assert spec.prefill_router is None


def test_quantities_become_si() -> None:
    spec = made(
        staleness="500 ms",
        cold_start="{image: 30 s, engine: 1 min, weights: 2 GB/s}",
        slo="{interactive: {ttft: 1 s, tpot: 50 ms}, default: {e2e: 1 min}}",
        timeout="1 min",
        first_token_timeout="10 s",
        retries="2",
        backoff="250 ms",
        queue_limit="100",
        adapters="{slots: 8, load: 200 ms}",
        replica="{tp: 2, cores: 8, memory: 64 GB}",
        engine="{preemption: swap, swap_bandwidth: 200 Gb/s, speculative: {tokens: 3, acceptance: 50 %}}",
        tenant="me",
        priority="3",
        preemptible="false",
    ).spec
    assert spec.staleness == 0.5
    assert [(step.name, step.seconds) for step in spec.phases] == [
        ("image", 30.0), ("engine", 60.0), ("weights", pytest.approx(8.03e9 * 2 / 2e9, rel=1e-3)),
    ]  # fmt: skip
    assert dict(spec.slos) == {"interactive": Slo(1.0, 0.05), "": Slo(e2e=60.0)}
    assert (spec.timeout, spec.first_token_timeout, spec.retries, spec.backoff) == (60.0, 10.0, 2, 0.25)
    assert (spec.queue_limit, spec.adapters, spec.adapter_load) == (100, 8, 0.2)
    assert (spec.replicas.cores, spec.replicas.memory) == (8.0, 64e9)
    assert (spec.tenant, spec.priority, spec.preemptible) == ("me", 3.0, False)
    assert (spec.swap, spec.replicas.engine("nvidia/h100-sxm").swap) == (True, 25e9)
    assert spec.advance == 1 + 0.5 + 0.25 + 0.125  # the weights: 8.03e9 parameters of 2 bytes at 2 GB/s


def test_a_time_for_the_weights_is_taken_as_it_is() -> None:
    assert made(cold_start="{weights: 40 s}").spec.phases == (("weights", 40.0, 0.0, "", math.inf, 0.0),)


@pytest.mark.parametrize(
    ("name", "precision", "bytes"),
    [
        ("llama-3.1-8b", "bf16", 16.06e9),
        ("llama-3.1-70b", "fp8", 70.55e9 + 2.1e9),
        ("deepseek-v3", "fp8", 671e9 + 1.85e9),
    ],
)
def test_the_bytes_of_all_weights_are_those_of_the_parameters(name: str, precision: str, bytes: float) -> None:
    """Both ends (vocabulary x width, twice) stay in 16 bits, so fp8 has a byte more for each of theirs."""
    found = weight_bytes(catalog.model(name), shape_of(ReplicaKeys(precision=precision)))
    assert found == pytest.approx(bytes, rel=0.005)


@pytest.mark.parametrize(
    ("replicas", "bounds"),
    [
        ("4", (0, 4)),
        ("1e1", (0, 10)),
        ("{kind: hpa, min: 0, max: 8}", (0, 8)),
        ("hpa", (1, 16)),
        ("{kind: hpa, min: 20, max: 30}", (16, 16)),
        ("1000000", (0, 16)),
    ],
)
def test_numbers_of_replicas(replicas: str, bounds: tuple[int, int]) -> None:
    pool = made(replicas=replicas).spec.replicas
    assert (pool.minimum, pool.maximum) == bounds


def test_an_initial_number_of_replicas_goes_before_what_the_autoscaler_says() -> None:
    pool = made(replicas="{kind: hpa, min: 1, max: 8, initial: 5, interval: 20 s}").spec.replicas
    assert (pool.initial, pool.scaler.interval) == (5, 20.0)
    assert made(replicas="{kind: hpa, min: 1, max: 8}").spec.replicas.initial is None


@pytest.mark.parametrize(
    ("slo", "said"),
    [
        ("{ttft: 1 ms}", ["ttft of 1 ms is out of reach: an empty replica needs "]),
        ("{tpot: 1 ms, ttft: 10 s}", ["tpot of 1 ms is out of reach: an empty replica needs "]),
        ("{gold: {ttft: 1 us}, default: {ttft: 10 s}}", ["ttft of 1 us of class gold is out of reach: "]),
        ("{ttft: 10 s, tpot: 1 s}", []),
    ],
)
def test_bounds_that_an_empty_replica_cannot_keep_are_told(slo: str, said: list[str]) -> None:
    notes = [note for note in made(slo=slo).notes if "out of reach" in note]
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))


def test_an_engine_brings_its_way_of_batching() -> None:
    assert (
        type(made(engine="sglang-0.5").spec.batching()).__name__ == "SGLang"
        or made(engine="sglang-0.5").batching == "sglang"
    )
    assert isinstance(made(engine="{kind: sglang-0.5, batching: vllm}").spec.batching(), Vllm)


@pytest.mark.parametrize("name", batchings.names())
def test_every_way_of_batching_can_be_named(name: str) -> None:
    assert made(engine=f"{{batching: {name}}}").spec.batching().reserve in RESERVES
    (other,) = planned(text(), f"workload.chat.engine.batching={name}").services
    assert type(other.spec.batching()) is batchings.get(name)


def test_keywords_of_vllm_are_keys() -> None:
    batching: Any = made(
        engine="{batching: {kind: vllm, whole_prompt: false, async_scheduling: false}}"
    ).spec.batching()
    assert (batching.reserve, batching.ahead) == ("chunk", False)


def test_a_smaller_batch_of_tokens_leaves_more_room_for_keys_and_values() -> None:
    few, many = (
        made(engine=f"{{batching: {{kind: vllm, max_tokens: {tokens}}}}}")
        .spec.replicas.engine("nvidia/h100-sxm")
        .blocks
        for tokens in (512, 8192)
    )
    assert few > many


def test_keys_of_the_engine_reach_the_run() -> None:
    service = made(
        engine="{block: 32, blocks: 5000, max_batch: 64, context: 4096, prefix_cache: false, order: shortest-prompt}"
    )
    spec = service.spec
    assert (spec.block, spec.max_batch, spec.context, spec.prefix_cache) == (32, 64, 4096, False)
    assert spec.replicas.engine("nvidia/h100-sxm").blocks == 5000
    assert type(spec.lineup()).__name__ == "ShortestPrompt"
    assert spec.lineup() is not spec.lineup()


def test_prefill_is_as_decode_unless_told_otherwise() -> None:
    spec = made(replica="{tp: 2}", router="least-kv", prefill="{replicas: 3}").spec
    assert spec.prefill is not None
    assert (spec.prefill.accelerators, spec.prefill.maximum) == (2, 3)
    assert type(spec.prefill_router) is type(spec.router)
    assert spec.prefill_router is not spec.router
    other = made(prefill="{replica: {tp: 4}, router: least-tokens}").spec
    assert other.prefill is not None
    assert (other.prefill.accelerators, type(other.prefill_router).__name__) == (4, "LeastTokens")


def test_a_model_may_be_given_by_its_sizes() -> None:
    sizes = "{name: mine, layers: 32, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336, gated: true, vocab: 128256}"
    own, known = made(service=sizes), made()
    assert own.weights == known.weights
    assert own.spec.kv_bytes == known.spec.kv_bytes == 2 * 32 * 8 * 128 * 2
    assert own.spec.context == default(ServiceSpec, "context")


def test_requests_of_a_list_stand_in_order_of_arrival() -> None:
    service = made(
        requests="[{id: late, at: 9 s, input: 5, output: 2, class: batch, tenant: a, priority: 2, session: s,"
        " adapter: l},"
        " {at: 3 s, input: 7, output: 4, max_tokens: 8},"
        " {input: 1, output: 1, after: late, delay: 2 s}]"
    )
    first, second = listed(service)
    assert (first.id, first.arrival, first.input, first.output, first.limit, first.row) == ("chat-2", 3.0, 7, 4, 8, -1)
    assert (second.id, second.category, second.tenant, second.priority) == ("late", "batch", "a", 2.0)
    assert (second.session, second.adapter) == ("s", "l")
    (third,) = service.spec.requests.followers(second)
    assert (third.id, third.arrival, third.delay) == ("chat-3", 9.0, 2.0)
    assert not service.spec.requests.followers(first)
    assert len(service.spec.requests) == 3


def test_hashes_of_a_list_name_leading_blocks_and_all_others_are_their_own() -> None:
    service = made(
        engine="{block: 10}",
        requests="[{input: 25, output: 1, hashes: [7, 8]}, {input: 30, output: 1, hashes: [7]}, {input: 9, output: 1}]",
    )
    first, second, third = listed(service)
    assert (list(first.hashes[:2]), second.hashes[0], first.hash_block) == ([7, 8], 7, 10)
    assert (len(first.hashes), len(second.hashes), len(third.hashes)) == (3, 3, 0)
    names = [*first.hashes[2:], *second.hashes[1:]]
    assert len(set(names)) == 3
    assert not {7, 8} & set(names)


def test_a_log_is_cut_in_order(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "s.yaml").write_text(
        text(
            requests="{trace: log.csv, format: azure-llm, from: 1 s, until: 15 s, limit: 1, scale_arrivals: 2, "
            "class: interactive, max_tokens: 500, priority: 2, adapter: l}"
        )
    )
    made_plan = planned(str(tmp_path / "s.yaml"))
    (request,) = listed(made_plan.services[0])
    assert (request.arrival, request.input, request.output, request.row) == (1.5, 200, 20, 2)
    assert (request.category, request.limit, request.priority, request.adapter) == ("interactive", 500, 2.0, "l")
    assert sum(made_plan.set_aside.values()) == 3
    assert all(reason.startswith("chat: ") for reason in made_plan.set_aside)


def test_a_log_is_read_once_for_all_runs_and_put_together_anew_for_each(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "s.yaml").write_text(text(requests="{trace: log.csv, format: azure-llm, resample: 5 s}"))
    traces = TraceCache()
    logs = [
        planned(str(tmp_path / "s.yaml"), replication=replication, traces=traces)
        .services[0]
        .log.columns["input"]
        .tolist()
        for replication in (0, 0, 1, 2, 3)
    ]
    assert logs[0] == logs[1]
    assert any(other != logs[0] for other in logs[2:])
    assert len(traces._files) == 1


def test_generated_requests_are_of_their_service_and_replication() -> None:
    two = text(requests="{generate: poisson, requests: 50, rate: 2 /s}") + (
        "  other: {service: llama-3.1-8b, requests: {generate: poisson, requests: 50, rate: 2 /s}}\n"
    )

    def arrivals(replication: int) -> list[list[float]]:
        services = planned(two, replication=replication).services
        return [service.log.columns["arrival"].tolist() for service in services]

    assert arrivals(0) == arrivals(0)
    logs = [*arrivals(0), *arrivals(1)]
    assert all(one != other for i, one in enumerate(logs) for other in logs[:i])


# -- where replicas fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replica", "servers", "room"),
    [
        ("{}", 1, 16),
        ("{tp: 4}", 1, 4),
        ("{tp: 8}", 1, 2),
        ("{tp: 8, pp: 2}", 2, 1),
        ("{tp: 2, pp: 2, dp: 2}", 1, 2),
        ("{tp: 4, pp: 3}", 2, 1),
        ("{tp: 2, max_servers: 2}", 2, 8),
        ("{tp: 2, pp: 3, max_servers: 2}", 2, 2),
        ("{tp: 2, cores: 100}", 1, 2),
    ],
)
def test_a_replica_spans_as_few_servers_as_hold_it(replica: str, servers: int, room: int) -> None:
    service = made(replica=replica)
    assert (service.spec.replicas.max_servers, service.decode.most) == (servers, room)


@cache
def placed(groups: tuple[int, ...], wanted: int, spread: int) -> int:
    """Most replicas of ``wanted`` groups, each on at most ``spread`` servers, by trying everything."""
    best = 0
    for taken in product(*(range(free + 1) for free in groups)):
        if sum(taken) == wanted and sum(count > 0 for count in taken) <= spread:
            left = tuple(sorted(free - count for free, count in zip(groups, taken, strict=True)))
            best = max(best, 1 + placed(left, wanted, spread))
    return best


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    tp=st.sampled_from((2, 4)),
    pp=st.integers(1, 4),
    more=st.integers(0, 2),
)
def test_there_is_never_less_room_than_can_be_placed(sizes: list[int], tp: int, pp: int, more: int) -> None:
    servers = [Server(str(index), size) for index, size in enumerate(sizes)]
    keys = ReplicaKeys(tp=tp, pp=pp)
    room = Room.of(keys, shape_of(keys), servers)
    groups = tuple(sorted(size // tp for size in sizes))
    fewest = next((spread for spread in range(1, len(sizes) + 1) if placed(groups, pp, spread)), 0)
    assert room.spread == fewest
    spread = max(fewest, 1) + more
    most = placed(groups, pp, spread)
    assert room.replicas(spread) >= most
    assert (room.replicas(spread) > 0) == (most > 0)
    assert room.replicas(1) == placed(groups, pp, 1)


def test_types_are_named_only_where_others_are_there_too() -> None:
    groups = (("a", 2, 8, "h100-sxm"), ("b", 2, 8, "a100-sxm-80"), ("c", 1, 1, "t4"))
    rows = ", ".join(f"{{name: {n}, count: {c}, accelerators: {g}, accelerator: {kind}}}" for n, c, g, kind in groups)
    mixed = f"{{build: fleet, groups: [{rows}]}}"
    source = text().replace(TOPOLOGY, mixed)
    (service,) = planned(source).services
    assert service.spec.replicas.types == ("h100-sxm", "a100-sxm-80")
    assert [note[:49] for note in service.notes] == ["Service chat: no replica runs on t4: meta/llama-3"]
    (fast,) = planned(source, "workload.chat.replica.accelerator=nvidia/h100-sxm").services
    assert fast.spec.replicas.types == ("h100-sxm",)
    (both,) = planned(source, "workload.chat.replica.accelerator=[h100-sxm, a100-sxm-80]").services
    assert [*both.decode.engines] == ["h100-sxm", "a100-sxm-80"]
    assert both.notes == []


def test_replicas_that_span_servers_are_all_of_one_type() -> None:
    groups = (("a", 3, 8, "h100-sxm"), ("b", 4, 8, "a100-sxm-80"), ("c", 2, 16, "a100-sxm-40"))
    rows = ", ".join(f"{{name: {n}, count: {c}, accelerators: {g}, accelerator: {kind}}}" for n, c, g, kind in groups)
    (wide,) = planned(text(replica="{tp: 8, pp: 3}").replace(TOPOLOGY, f"{{build: fleet, groups: [{rows}]}}")).services
    assert (wide.spec.replicas.types, wide.spec.replicas.max_servers) == (("a100-sxm-40",), 2)
    (two,) = planned(text(replica="{tp: 8, pp: 2}").replace(TOPOLOGY, f"{{build: fleet, groups: [{rows}]}}")).services
    assert (two.spec.replicas.types, two.spec.replicas.max_servers) == (("a100-sxm-40",), 1)
    (apart,) = planned(
        text(replica="{accelerator: [h100-sxm, a100-sxm-80], tp: 8, pp: 2}").replace(
            TOPOLOGY, f"{{build: fleet, groups: [{rows}]}}"
        )
    ).services
    assert (apart.spec.replicas.types, apart.decode.most) == (("a100-sxm-80",), 2)
    said = "its replicas span servers, so they all run on a100-sxm-80; name another accelerator to have them elsewhere"
    assert f"Service chat: {said}." in apart.notes


def test_replicas_over_a_network_that_is_not_known_are_told() -> None:
    source = text(replica="{tp: 8, pp: 2}")
    assert planned(source).services[0].notes == []
    (apart,) = planned(source.replace(TOPOLOGY, "{build: servers, nodes: 2, node: dgx-h100}")).services
    said = "its replicas span servers whose network is not known: 400 Gb/s for each accelerator is taken"
    assert apart.notes == [f"Service chat: {said}."]


def test_more_replicas_than_there_is_room_for_are_told() -> None:
    said = (
        "Service chat: 40 replicas of 2 accelerators are wanted, and the cluster has room for 8 while nothing else runs"
    )
    assert made(replicas="40", replica="{tp: 2}").notes == [said + ": no more are asked for."]
    assert made(replicas="8", replica="{tp: 2}").notes == []
    assert len(made(replicas="{kind: hpa, min: 9}", replica="{tp: 2}").notes) == 1
    both = planned(text(replicas="6", replica="{tp: 2}", prefill="{replicas: 3}"))
    said = "All replicas together want 18 accelerators, and the cluster has 16: some wait until others are gone."
    assert both.notes == (said,)
    assert planned(text(replicas="6", replica="{tp: 2}", prefill="{replicas: 2}")).notes == ()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"replicas": "1000000"},
            "1,000,000 replicas of one accelerator are wanted, and the cluster has room for 16 while nothing else "
            "runs: no more are asked for",
        ),
        (
            {"replicas": "{kind: hpa, max: 1000}"},
            "up to 1,000 replicas of one accelerator are allowed, and the cluster has room for 16 while nothing else "
            "runs: no more are asked for",
        ),
        (
            {"replicas": "{kind: hpa, initial: 20}", "replica": "{tp: 4}"},
            "20 replicas of 4 accelerators are wanted, and the cluster has room for 4 while nothing else runs: "
            "no more are asked for",
        ),
        (
            {"engine": "{blocks: 1000000000000}"},
            "1,000,000,000,000 KV blocks of 16 tokens are taken as said, and 25,672 fit on nvidia/h100-sxm",
        ),
        (
            {"slo": "{gold: {ttft: 1 s}}"},
            "slo has bounds for 'gold', and no request is of that class: they have no classes",
        ),
        (
            {
                "slo": "{gold: {ttft: 1 s}, tin: {ttft: 1 s}, chat: {ttft: 1 s}}",
                "requests": "[{input: 9, output: 9, class: chat}, {input: 9, output: 9, class: chat}]",
            },
            "slo has bounds for 'gold', 'tin', and no request is of those classes: their classes are 'chat'",
        ),
        (
            {
                "slo": "{chat: {ttft: 1 s}}",
                "requests": "[{input: 9, output: 9, class: chat}, {input: 9, output: 9, class: code}]",
            },
            "1 of 2 requests have no bounds in slo: they are of 'code'; 'default' is for all that are not named",
        ),
        (
            {
                "engine": "{order: {kind: vtc, shares: {a: 2, red: 3}}}",
                "requests": "[{input: 9, output: 9, tenant: a}]",
            },
            "order has shares for 'red', and no request is of that tenant: their tenants are 'a'",
        ),
        ({"adapters": "{slots: 2}"}, "adapters has no effect: no request needs one"),
    ],
)
def test_what_has_no_effect_or_is_more_than_there_is_is_told(keys: dict[str, str], said: str) -> None:
    assert f"Service chat: {said}." in made(**keys).notes


@pytest.mark.parametrize(
    "keys",
    [
        {"replicas": "{kind: hpa, max: 16}"},
        {"engine": "{blocks: 25672}"},
        {"slo": "{default: {ttft: 1 s}}"},
        {"slo": "{chat: {ttft: 1 s}, default: {e2e: 1 s}}", "requests": "[{input: 9, output: 9, class: chat}]"},
        {"slo": "{chat: {ttft: 1 s}}", "requests": "[{input: 9, output: 9, class: chat}]"},
        {"adapters": "{slots: 2}", "requests": "[{input: 9, output: 9, adapter: a}]"},
        {"engine": "{order: {kind: vtc, shares: {a: 2}}}", "requests": "[{input: 9, output: 9, tenant: a}]"},
        {"replicas": "8", "prefill": "{replicas: 8}"},
    ],
)
def test_what_has_an_effect_is_not_told(keys: dict[str, str]) -> None:
    assert made(**keys).notes == []


def test_prompts_that_leave_nothing_to_decoding_are_told() -> None:
    said = "accelerators go to prefill; none is left for a replica that decodes, which takes 4: no request can finish"
    (service,) = planned(text(replica="{tp: 4}", prefill="{replicas: 4}")).services
    assert service.notes == [f"Service chat: 16 of 16 {said}."]
    source = text(replica="{tp: 4}", prefill="{replicas: 2}", partition="fast") + "partitions: {fast: {count: 1}}\n"
    assert planned(source).services[0].notes == [f"Service chat: 8 of 8 {said}."]
    assert set(sim.run(source).requests["state"]) != {"FINISHED"}
    (service,) = planned(text(replica="{tp: 4}", prefill="{replicas: 5, replica: {tp: 2, pp: 3}}")).services
    assert "12 of 16 accelerators go to prefill" not in str(service.notes)
    (service,) = planned(text(replica="{tp: 8}", prefill="{replicas: 3, replica: {tp: 4}}")).services
    left = "12 of 16 accelerators go to prefill; 4 are left for a replica that decodes, which takes 8"
    assert service.notes == [f"Service chat: {left}: no request can finish."]


def test_keys_and_values_that_move_in_no_time_are_told() -> None:
    said = "keys and values move between replicas in one server in no time: nobody says how fast it is inside"
    pool = "{build: pool, accelerators: 8, accelerator: h100-sxm}"
    assert planned(text(prefill="{replicas: 1}").replace(TOPOLOGY, pool)).notes == (f"Service chat: {said}.",)
    assert planned(text(prefill="{replicas: 1}")).notes == ()


def test_a_million_replicas_cost_what_fits() -> None:
    results = run(text(replicas="1000000"))
    assert len(results.jobs) == 16
    assert set(results.requests["state"]) == {"FINISHED"}


# -- what is refused --------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "unknown model": (
        {"service": "lama-3.1-8b"},
        "<text>:6:14 workload.chat.service: unknown model 'lama-3.1-8b'. Did you mean 'meta/llama-3.1-8b'?",
    ),
    "no model": (
        {"service": "3"},
        "<text>:6:14 workload.chat.service: 3 is not a model\n        service: 3\n                 ^\n"
        "    name one of the catalog, or write its sizes as {layers: 32, hidden: 4096, heads: 32, ...}",
    ),
    "no decoder": (
        {"service": "resnet-50"},
        "<text>:6:14 workload.chat.service: torchvision/resnet-50 is no decoder: it does not generate tokens",
    ),
    "wrong size": ({"service": "{layers: 4, hiden: 3}"}, "workload.chat.service.hiden: unknown key 'hiden'"),
    "sizes that contradict": (
        {"service": "{layers: 4, hidden: 30, heads: 7, ffn: 3, vocab: 30}"},
        "workload.chat.service: hidden 30 is not a multiple of heads 7: give head_dim",
    ),
    "no source of requests": (
        {"requests": "3"},
        "<text>:6:15 workload.chat.requests: 3 does not say where requests come from\n        requests: 3\n"
        "                  ^\n    write {trace: FILE, format: NAME}, {generate: NAME, ...}, or a list as "
        "[{at: 1 s, input: 100, output: 20}]",
    ),
    "two sources": (
        {"requests": "{trace: a.csv, generate: poisson}"},
        "workload.chat.requests: requests have exactly one of trace, generate; these have both\n",
    ),
    "neither source": (
        {"requests": "{rate: 3 /s}"},
        "workload.chat.requests: requests have exactly one of trace, generate; these have neither of them\n",
    ),
    "no format": ({"requests": "{trace: a.csv}"}, "workload.chat.requests.format: 'format' is missing\n"),
    "unknown format": (
        {"requests": "{trace: a.csv, format: azure-lm}"},
        "<text>:6:38 workload.chat.requests.format: unknown format 'azure-lm'\n",
    ),
    "no file": (
        {"requests": "{trace: gone.csv, format: azure-llm}"},
        "<text>:6:23 workload.chat.requests.trace: there is no file 'gone.csv'\n",
    ),
    "unknown generator": (
        {"requests": "{generate: poison}"},
        "<text>:6:26 workload.chat.requests.generate: unknown generator of requests 'poison'\n",
    ),
    "no requests at all": ({"requests": "[]"}, "workload.chat.requests: there is not a single request\n"),
    "none left": (
        {"requests": "{generate: poisson, requests: 0, rate: 1 /s}"},
        "<text>:6:45 workload.chat.requests.requests: requests: 0 is not a whole number of requests, 1 or more\n",
    ),
    "no rate": (
        {"requests": "{generate: poisson, requests: 10}"},
        "workload.chat.requests: how often do requests come? Give rate, such as '5 /s'\n",
    ),
    "before the start": (
        {"requests": "[{at: -1 s, input: 1, output: 1}]"},
        "<text>:6:21 workload.chat.requests.0.at: '-1 s' is negative; a time must be 0 or more\n",
    ),
    "no prompt": (
        {"requests": "[{input: 0, output: 1}]"},
        "<text>:6:24 workload.chat.requests.0.input: 0 is not allowed: it must be at least 1\n",
    ),
    "more than its client allows": (
        {"requests": "[{input: 10, output: 5, max_tokens: 3}]"},
        "workload.chat.requests.0.output: 5 tokens of output are more than its client allows (max_tokens: 3)\n",
    ),
    "waits for nobody": (
        {"requests": "[{id: ab, input: 1, output: 1}, {input: 1, output: 1, after: abc}]"},
        "workload.chat.requests.1.after: there is no request 'abc' in this list\n",
    ),
    "waits for itself": (
        {"requests": "[{id: a, input: 1, output: 1, after: a}]"},
        "workload.chat.requests.0.after: the request 'a' does not come before this one in the list\n",
    ),
    "taken id": (
        {"requests": "[{id: a, input: 1, output: 1}, {id: a, input: 1, output: 1}]"},
        "workload.chat.requests.1.id: the id 'a' is taken: item 0 has it already\n",
    ),
    "delay after nothing": (
        {"requests": "[{input: 1, output: 1, delay: 3 s}]"},
        "workload.chat.requests.0.delay: 'delay' means nothing without 'after'\n",
    ),
    "too many hashes": (
        {"requests": "[{input: 17, output: 5, hashes: [1, 2, 3]}]"},
        "workload.chat.requests.0.hashes: 3 names; a prompt of 17 tokens has 2 blocks of 16\n",
    ),
    "no replicas": (
        {"replicas": "0"},
        "<text>:7:15 workload.chat.replicas: 0 replicas cannot serve: a whole number, 1 or more\n",
    ),
    "unknown autoscaler": ({"replicas": "hpb"}, "workload.chat.replicas: unknown replica autoscaler 'hpb'\n"),
    "bounds in disorder": (
        {"replicas": "{kind: hpa, min: 5, max: 2}"},
        "<text>:7:40 workload.chat.replicas.max: max (2) is below min (5)\n",
    ),
    "initial out of bounds": (
        {"replicas": "{kind: hpa, initial: 9, max: 2}"},
        "workload.chat.replicas.initial: initial (9) is not between min (1) and max (2)\n",
    ),
    "initial of a fixed number": (
        {"replicas": "{kind: fixed, n: 2, initial: 1}"},
        "workload.chat.replicas.initial: 'fixed' says how many replicas there are once and for all\n",
    ),
    "autoscaler that cannot be": (
        {"replicas": "{kind: hpa, target: -3}"},
        "<text>:7:35 workload.chat.replicas.target: 'hpa' cannot be made: target is -3; it must be above 0\n",
    ),
    "tp that does not divide": (
        {"replica": "{tp: 3}"},
        "<text>:7:19 workload.chat.replica.tp: tp 3 does not divide the 32 heads of meta/llama-3.1-8b: "
        "it may be 1, 2, 4, 8, 16, 32\n",
    ),
    "tp wider than a server": (
        {"replica": "{tp: 16}"},
        "<text>:7:19 workload.chat.replica.tp: tp 16 is more than the 8 accelerators of the largest server with "
        "nvidia/h100-sxm\n        replica: {tp: 16}\n                      ^\n    write tp: 8, pp: 2",
    ),
    "experts of none": ({"replica": "{ep: 2}"}, "workload.chat.replica.ep: ep 2: meta/llama-3.1-8b has no experts\n"),
    "larger than the cluster": (
        {"replica": "{tp: 8, pp: 3}"},
        "<text>:7:5 workload.chat.replica: a replica takes 24 accelerators of one type; the cluster has 16 of "
        "nvidia/h100-sxm\n        replica: {tp: 8, pp: 3}\n        ^\n    take smaller degrees, or a larger cluster",
    ),
    "too few servers": (
        {"replica": "{tp: 8, pp: 2, max_servers: 1}"},
        "workload.chat.replica: a replica of 16 accelerators does not fit on 1 server of 8\n"
        "        replica: {tp: 8, pp: 2, max_servers: 1}\n        ^\n    max_servers must be at least 2",
    ),
    "too many cores": (
        {"replica": "{cores: 1000}"},
        "workload.chat.replica: a replica takes 1 accelerator of one type with 1000 cores and 0 B of memory; "
        "the cluster has no servers for that\n",
    ),
    "accelerator that is not here": (
        {"replica": "{accelerator: h200-sxm}"},
        "<text>:7:28 workload.chat.replica.accelerator: the cluster has no accelerators 'h200-sxm'\n"
        "        replica: {accelerator: h200-sxm}\n                               ^\n"
        "    Did you mean 'nvidia/h100-sxm'? Known: nvidia/h100-sxm.",
    ),
    "unknown precision": (
        {"replica": "{precision: fp7}"},
        "workload.chat.replica.precision: unknown precision of weights 'fp7'\n",
    ),
    "unknown precision of keys": (
        {"replica": "{kv_precision: fp4}"},
        "workload.chat.replica.kv_precision: unknown precision of keys and values 'fp4'\n",
    ),
    "a name of vLLM": (
        {"replica": "{tensor_parallel_size: 2}"},
        "<text>:7:15 workload.chat.replica.tensor_parallel_size: unknown key 'tensor_parallel_size'\n"
        "        replica: {tensor_parallel_size: 2}\n                  ^\n    here it is tp of replica",
    ),
    "unknown engine": (
        {"engine": "vllm-0.18"},
        "<text>:7:13 workload.chat.engine.kind: unknown engine 'vllm-0.18'. Did you mean 'vllm-0.19'?",
    ),
    "no block": ({"engine": "{block: 0}"}, "workload.chat.engine.block: 0 is not allowed: it must be at least 1\n"),
    "no blocks": ({"engine": "{blocks: 0}"}, "workload.chat.engine.blocks: 0 is not allowed: it must be at least 1\n"),
    "more than all memory": (
        {"engine": "{memory: 120 %}"},
        "workload.chat.engine.memory: '120 %' is not allowed: it must be at most 1\n",
    ),
    "longer than the model": (
        {"engine": "{context: 200000}"},
        "<text>:7:23 workload.chat.engine.context: context 200,000 is more than the 131,072 tokens of meta/llama",
    ),
    "unknown batching": ({"engine": "{batching: vlm}"}, "workload.chat.engine.batching: unknown batching 'vlm'\n"),
    "batching that cannot be": (
        {"engine": "{batching: {kind: vllm, max_tokens: 0}}"},
        "<text>:7:49 workload.chat.engine.batching.max_tokens: 'vllm' cannot be made: max_tokens is 0; it must be",
    ),
    "unknown order": ({"engine": "{order: fcfss}"}, "workload.chat.engine.order: unknown lineup 'fcfss'\n"),
    "nothing is swapped": (
        {"engine": "{swap_bandwidth: 3 GB/s}"},
        "workload.chat.engine.swap_bandwidth: nothing is swapped\n",
    ),
    "speculation": (
        {"engine": "{speculative: {tokens: 2, acceptance: 1.5}}"},
        "workload.chat.engine.speculative.acceptance: 1.5 is not allowed: it must be at most 1\n",
    ),
    "no times": (
        {"iteration_time": "fast"},
        "workload.chat.iteration_time: 'fast' tells no iteration times\n        iteration_time: fast\n"
        "                        ^\n    write {table: FILE}, or code as times.py:function",
    ),
    "no table": (
        {"iteration_time": "{table: gone.csv}"},
        "<text>:7:29 workload.chat.iteration_time.table: there is no file 'gone.csv'\n",
    ),
    "unknown router": (
        {"router": "round-robbin"},
        "<text>:7:13 workload.chat.router: unknown router 'round-robbin'\n        router: round-robbin\n"
        "                ^\n    Did you mean 'round-robin'?",
    ),
    "code": (
        {"router": "mine.py:Router"},
        "workload.chat.router: 'mine.py:Router' is code, and a scenario file may not run code by itself\n",
    ),
    "router without a kind": ({"router": "{choices: 2}"}, "workload.chat.router.kind: 'kind' is missing\n"),
    "router that cannot be": (
        {"router": "{kind: power-of-two, choices: 0}"},
        "<text>:7:43 workload.chat.router.choices: 'power-of-two' cannot be made: choices is 0; it must be 1 or more\n",
    ),
    "other keys and values": (
        {"prefill": "{replica: {kv_precision: fp8}}"},
        "<text>:7:39 workload.chat.prefill.replica.kv_precision: kv_precision fp8 of prefill is not that of decode\n",
    ),
    "prefill that is too wide": (
        {"prefill": "{replica: {tp: 16}}"},
        "<text>:7:29 workload.chat.prefill.replica.tp: tp 16 is more than the 8 accelerators",
    ),
    "phases": (
        {"cold_start": "30 s"},
        "workload.chat.cold_start: '30 s' is not a mapping of phases\n",
    ),
    "weights": (
        {"cold_start": "{weights: 3}"},
        "workload.chat.cold_start.weights: 3 has no unit for a time; write for example '5 min'\n"
        "        cold_start: {weights: 3}\n                              ^\n    weights may be a bandwidth, as 5 GB/s",
    ),
    "no rate of weights": (
        {"cold_start": "{weights: 0 GB/s}"},
        "workload.chat.cold_start.weights: '0 GB/s' loads no weights: it must be above 0\n",
    ),
    "bound of 0": ({"slo": "{ttft: 0}"}, "workload.chat.slo.ttft: 0 is not allowed: it must be greater than 0\n"),
    "bound of a class": (
        {"slo": "{a: {ttft: 1 s}, default: {tpots: 1 s}}"},
        "<text>:7:37 workload.chat.slo.default.tpots: unknown key 'tpots'\n",
    ),
    "more retries than ever": (
        {"retries": "1000000"},
        "<text>:7:14 workload.chat.retries: 1000000 is not allowed: it must be at most 100\n",
    ),
    "not a number of replicas": (
        {"replicas": ".nan"},
        "<text>:7:15 workload.chat.replicas: nan replicas cannot serve: a whole number, 1 or more\n",
    ),
    "infinitely many": (
        {"replicas": ".inf"},
        "<text>:7:15 workload.chat.replicas: inf replicas cannot serve: a whole number, 1 or more\n",
    ),
    "autoscaler that never rests": (
        {"replicas": "{kind: hpa, interval: 1 ms}"},
        "<text>:7:37 workload.chat.replicas.interval: an interval of 0.001 s is too short: 10 ms or more\n",
    ),
    "autoscaler of prefill that never rests": (
        {"prefill": "{replicas: {kind: target-tracking, interval: 9 ms}}"},
        "workload.chat.prefill.replicas.interval: an interval of 0.009 s is too short: 10 ms or more\n",
    ),
    "rate of weights below 0": (
        {"cold_start": "{weights: -5 GB/s}"},
        "<text>:7:27 workload.chat.cold_start.weights: '-5 GB/s' is negative; a bandwidth must be 0 or more\n",
    ),
    "too large a batch": (
        {"engine": "{max_batch: 10000000}"},
        "<text>:7:25 workload.chat.engine.max_batch: max_batch 10,000,000: meta/llama-3.1-8b in bf16 with tp 1, pp 1 "
        "does not fit into nvidia/h100-sxm: 10,206 GB an accelerator are missing (16.1 GB of weights, 10,262 GB of "
        "activations and reserve and 0.0021 GB for one block of 16 tokens, against 72 GB); no shape of this "
        "accelerator does\n        engine: {max_batch: 10000000}\n                            ^\n"
        "    with 256, the default, it fits",
    ),
    "too large a block": (
        {"engine": "{block: 1000000000}"},
        "<text>:7:21 workload.chat.engine.block: block 1,000,000,000: meta/llama-3.1-8b in bf16 with tp 1, pp 1 does "
        "not fit into nvidia/h100-sxm: 131,018 GB an accelerator are missing (16.1 GB of weights, 2.1 GB of "
        "activations and reserve and 131,072 GB for one block of 1,000,000,000 tokens, against 72 GB); ",
    ),
    "too large a draft": (
        {"engine": "{speculative: {tokens: 3, acceptance: 0.7, draft: llama-3.1-405b}}"},
        "<text>:7:63 workload.chat.engine.speculative.draft: draft meta/llama-3.1-405b: meta/llama-3.1-8b in bf16 with",
    ),
    "too small a share of memory": (
        {"engine": "{memory: 20 %}"},
        "<text>:7:22 workload.chat.engine.memory: memory 0.2: meta/llama-3.1-8b in bf16 with tp 1, pp 1 does not fit",
    ),
    "too many tokens of an iteration": (
        {
            "service": "{layers: 32, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336, gated: true, vocab: 128256}",
            "engine": "{batching: {kind: vllm, max_tokens: 1000000}}",
        },
        "workload.chat.engine.batching: batching vllm: described in bf16 with tp 1, pp 1 does not fit into nvidia/h100",
    ),
    "no room for decoding": (
        {"replica": "{tp: 8}", "prefill": "{replica: {tp: 8, pp: 2}}"},
        "<text>:8:5 workload.chat.prefill: one replica for prompts and one that decodes take 24 accelerators; the "
        "cluster has 16 for them: no request could finish\n        prefill: {replica: {tp: 8, pp: 2}}\n        ^\n"
        "    take smaller degrees, or a larger cluster",
    ),
    "retries": ({"retries": "-1"}, "workload.chat.retries: -1 is not allowed: it must be at least 0\n"),
    "unknown key": ({"routers": "x"}, "workload.chat.routers: unknown key 'routers'\n"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys, expected = WRONG[name]
    assert expected in refused(**keys)


def test_what_does_not_fit_is_told_with_what_is_missing_and_what_does() -> None:
    said = refused(service="llama-3.1-70b", replica="{tp: 1}")
    what = "meta/llama-3.1-70b in bf16 with tp 1, pp 1 does not fit into nvidia/h100-sxm"
    assert said.startswith(f"<text>:7:5 workload.chat.replica: {what}")
    assert "GB an accelerator are missing" in said
    assert "the smallest that does is tp 1, pp 3\n" in said
    assert made(service="llama-3.1-70b", replica="{tp: 4}").decode.most == 4


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = refused(replicas="0", router="nope", retries="-1", engine="{block: 0}", slo="{ttft: 3}")
    for key in ("replicas", "router", "retries", "engine.block", "slo.ttft"):
        assert f"workload.chat.{key}: " in said


def test_all_names_of_vllm_are_told_at_once_and_beside_other_mistakes() -> None:
    said = refused(engine="{max_num_seqs: 64, block_size: 16, blocks: 0, blok: 3}", replica="{tensor_parallel_size: 2}")
    for key, here in (("engine.max_num_seqs", "max_batch of engine"), ("engine.block_size", "block of engine")):
        assert f"workload.chat.{key}: unknown key {key.partition('.')[2]!r}\n" in said
        assert f"    here it is {here}\n" in said
    assert "workload.chat.replica.tensor_parallel_size: unknown key" in said
    assert "workload.chat.engine.blocks: 0 is not allowed" in said
    assert "workload.chat.engine.blok: unknown key 'blok'" in said


def test_what_is_wrong_with_a_later_alternative_is_told_before_the_first_runs() -> None:
    ran: list[str] = []

    def route(request: Request, view: RoutingView) -> ReplicaView:
        ran.append(request.id)
        return view.replicas[0]

    chat = Scenario.load(GOOD).with_({"workload.chat.router": route})
    bad = {"good": {}, "wide": {"workload.chat.replica.tp": 16}, "odd": {"workload.chat.replica.tp": 3}}
    with pytest.raises(InputError) as caught:
        sim.compare(chat, bad)
    assert "tp 16 is more than the 8 accelerators of the largest server with nvidia/h100-sxm (alternative wide)" in str(
        caught.value
    )
    assert "it may be 1, 2, 4, 8, 16, 32 (alternative odd)" in str(caught.value)
    assert ran == []
    sim.compare(chat, {"good": {}, "two": {"workload.chat.replica.tp": 2}})
    assert len(ran) == 2


def test_a_queue_from_python_is_copied_for_every_replica() -> None:
    given = Fcfs()
    (service,) = plan(Scenario.load(GOOD).with_({"workload.chat.engine.order": given})).services
    one, other = service.spec.lineup(), service.spec.lineup()
    assert one is not other
    assert given not in (one, other)


def test_a_cluster_that_does_not_say_what_it_has_needs_times_and_blocks(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(TABLE)
    source = text().replace(TOPOLOGY, "{build: pool, accelerators: 8}")
    with pytest.raises(InputError, match="accelerators of no known type: nobody can tell how long a model takes there"):
        planned(source)
    with pytest.raises(InputError, match=r"replica.accelerator: .* 'h100-sxm'\n.*\n.*\n *its servers do not say"):
        planned(source + "    replica: {accelerator: h100-sxm}\n")
    (tmp_path / "s.yaml").write_text(source + "    iteration_time: {table: times.csv}\n    engine: {blocks: 100}\n")
    (service,) = planned(str(tmp_path / "s.yaml")).services
    assert service.spec.replicas.engine("").blocks == 100


def test_blocks_that_do_not_fill_those_of_hashes_are_told(tmp_path: Path) -> None:
    line = '{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}\n'
    (tmp_path / "log.jsonl").write_text(line)
    (tmp_path / "s.yaml").write_text(text(requests="{trace: log.jsonl, format: mooncake}"))
    assert planned(str(tmp_path / "s.yaml")).services[0].log.hashes is not None
    with pytest.raises(InputError) as caught:
        planned(str(tmp_path / "s.yaml"), "workload.chat.engine.block=48")
    said = "hashes name blocks of 512 tokens, which is no multiple of the engine's block of 48"
    assert f"workload.chat.requests: {said}" in str(caught.value)


def test_keys_and_values_need_a_way() -> None:
    source = text(prefill="{replicas: 2}")
    assert planned(source).services[0].prefill is not None
    apart = source.replace(TOPOLOGY, "{build: servers, nodes: 2, node: dgx-h100}")
    with pytest.raises(InputError, match=r"workload.chat.prefill: keys and values cannot travel .* has no network\n"):
        planned(apart)
    alone = source.replace(TOPOLOGY, "{build: servers, nodes: 1, node: dgx-h100}")
    assert set(sim.run(alone).requests["state"]) == {"FINISHED"}


def test_partitions_of_services_are_checked() -> None:
    source = text(partition="fast") + "partitions: {fast: {count: 1}}\n"
    (service,) = planned(source).services
    assert (service.spec.partition, service.decode.most) == ("fast", 8)
    with pytest.raises(InputError, match=r"workload.chat.partition: there is no partition 'fasst'"):
        planned(source, "workload.chat.partition=fasst")
    with pytest.raises(InputError, match="the cluster has 8 of nvidia/h100-sxm"):
        planned(source, "workload.chat.replica={tp: 8, pp: 2}")
    (own,) = planned(source, "workload.chat.partition=", "workload.chat.prefill.replica.partition=fast").services
    assert own.spec.prefill is not None
    assert (own.spec.partition, own.spec.replicas.partition, own.spec.prefill.partition) == ("", "", "fast")
    with pytest.raises(InputError, match=r"workload.chat.prefill.replica.partition: there is no partition 'slow'"):
        planned(source, "workload.chat.prefill.replica.partition=slow")


# -- overrides and comparisons ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("workload.chat.router=least-kv", ("LeastKv", 1, 16, 256)),
        ("workload.chat.replica.tp=4", ("RoundRobin", 4, 16, 256)),
        ("workload.chat.engine.block=32", ("RoundRobin", 1, 32, 256)),
        ("workload.chat.engine.batching.max_tokens=512", ("RoundRobin", 1, 16, 256)),
        ("workload.chat.router.choices=3", ("PowerOfTwo", 1, 16, 256)),
    ],
)
def test_key_paths_reach_below_a_service(override: str, expected: tuple[str, int, int, int]) -> None:
    keys = {"router": "power-of-two"} if "choices" in override else {}
    keys |= {"engine": "{batching: vllm}"} if "batching" in override else {}
    (service,) = planned(text(**keys), override).services
    spec = service.spec
    assert (type(spec.router).__name__, spec.replicas.accelerators, spec.block, spec.max_batch) == expected


def test_nothing_takes_a_key_of_a_service_back_to_its_default() -> None:
    (service,) = planned(
        text(router="random", prefill="{replicas: 2}", timeout="1 s"), "workload.chat.router="
    ).services
    assert isinstance(service.spec.router, RoundRobin)
    (service,) = planned(text(prefill="{replicas: 2}"), {"workload.chat.prefill": None}).services
    assert service.prefill is None
    with pytest.raises(InputError, match="'service' is missing"):
        planned(text(), {"workload.chat.service": None})


def test_an_engine_named_alone_takes_more_keys() -> None:
    (service,) = planned(text(engine="sglang-0.5"), "workload.chat.engine.max_batch=7").services
    assert (service.engine, service.spec.max_batch) == ("sglang-0.5", 7)


def test_a_key_path_through_a_service_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match=r"'workload.chta.router' cannot be set: workload has no 'chta'"):
        Scenario.load(GOOD, "workload.chta.router=random")


def fewest(request: Request, view: RoutingView) -> ReplicaView:
    return min(view.replicas, key=lambda replica: replica.outstanding)


class Last:
    def __init__(self) -> None:
        self.seen = 0

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        self.seen += 1
        return view.replicas[-1]


class Tenth:
    """Every iteration takes 100 ms."""

    window = math.inf

    def seconds(self, ranks: Any) -> float:
        return 0.1

    def decoding(self, sequences: Any, context: Any) -> Decoding:
        return Decoding(0.1)


BUSY = text(requests="{generate: poisson, requests: 60, rate: 20 /s, input: 500, output: 20}", replicas="3")


def test_functions_classes_and_objects_compare_on_any_number_of_processes() -> None:
    kept = Last()
    alternatives: dict[str, Any] = {
        "function": {"workload.chat.router": fewest},
        "lambda": {"workload.chat.router": lambda request, view: view.replicas[0]},
        "class": {"workload.chat.router": Last},
        "object": {"workload.chat.router": kept},
        "time": {"workload.chat.iteration_time": lambda prompt, sequences, context: 0.1},
    }
    alone = sim.compare(Scenario.load(BUSY), alternatives, replications=2)
    together = sim.compare(Scenario.load(BUSY), alternatives, replications=2, workers=2)
    assert alone.requests.equals(together.requests)
    assert kept.seen == 0
    by = alone.requests.set_index("alternative")
    assert set(by.loc["lambda", "replica"]) == {0}
    assert by.loc["class", "replica"].tolist() == by.loc["object", "replica"].tolist()
    assert set(by.loc["class", "replica"]) == {2}
    assert by.loc["time", "tpot"].tolist() == pytest.approx([0.1] * 120)


def test_code_beside_the_scenario_runs_when_it_may(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Nth:\n"
        "    def __init__(self, n: int = 0):\n        self.n = n\n"
        "    def route(self, request, view):\n        return view.replicas[self.n]\n"
        "def seconds(prompt, sequences, context):\n    return 0.1\n"
        "class Nothing:\n    pass\n"
    )
    (tmp_path / "s.yaml").write_text(
        text(router='{kind: "mine.py:Nth", n: 1}', iteration_time="mine.py:seconds", replicas="2")
    )
    file = str(tmp_path / "s.yaml")
    found = sim.run(Scenario.load(file, allow_code=True)).requests.iloc[0]
    assert (found["replica"], found["ttft"]) == (1, pytest.approx(0.1))
    (tmp_path / "bad.yaml").write_text(text(router="mine.py:Nothing"))
    with pytest.raises(InputError, match=r"'mine.py:Nothing' is not a router: it has no method 'route'"):
        Scenario.load(str(tmp_path / "bad.yaml"), allow_code=True)
    with pytest.raises(InputError, match="is code, and a scenario file may not run code by itself"):
        Scenario.load(file)


class NoInterval:
    def step(self, now: float, observation: ServiceObservation) -> int:
        return 1


class OddInterval(NoInterval):
    interval = "often"


class HalfBatching:
    mixed = True

    def budget(self, decoding: int) -> int:
        return 8192


class OddBatching(HalfBatching):
    chunked, reserve = True, "some"


class FailingBatching(HalfBatching):
    chunked, reserve = True, "chunk"

    def budget(self, decoding: int) -> int:
        return 1 // decoding


class DoubtfulBatching(OddBatching):
    reserve, ahead = "prompt", "maybe"


class HalfLineup:
    def victim(self, running: Any) -> Request:
        first: Request = running[0]
        return first


@pytest.mark.parametrize(
    ("key", "thing", "told"),
    [
        ("replicas", NoInterval, "'NoInterval' is not a replica autoscaler: it has no 'interval'"),
        ("replicas", OddInterval(), "its interval is 'often', not seconds between steps (0: only the first)"),
        ("replicas", fewest, "does not say how many replicas there are"),
        ("engine.batching", HalfBatching, "'HalfBatching' is not a batching: it has no 'chunked'"),
        ("engine.batching", DoubtfulBatching, "its ahead is 'maybe', not True or False"),
        ("engine.batching", OddBatching, "its reserve is 'some', not chunk or checked or prompt or all"),
        (
            "engine.batching",
            FailingBatching(),
            "budget(0) fails: ZeroDivisionError: integer division or modulo by zero",
        ),
        ("engine.order", HalfLineup, "'HalfLineup' is not a lineup: it has no method '__len__'"),
        ("router", object(), "is not a router"),
        ("iteration_time", lambda prompt: 1.0, "fails: TypeError: "),
        ("iteration_time", lambda prompt, sequences, context: -1.0, "returned -1.0: an iteration time is a positive"),
        ("iteration_time", lambda prompt, sequences, context: 1 / sequences, "(16, 0, 0) fails: ZeroDivisionError: "),
    ],
)
def test_things_from_python_that_will_not_do_are_told(key: str, thing: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(Scenario.load(GOOD).with_({f"workload.chat.{key}": thing}))
    assert told in str(caught.value)
    assert f"workload.chat.{key}" in str(caught.value)


def test_axes_of_a_comparison_reach_services() -> None:
    source = BUSY + (
        "compare:\n  workload.chat.router: [round-robin, least-kv]\n"
        "  width: {one: {workload.chat.replica.tp: 1}, two: {workload.chat.replica.tp: 2}}\n"
    )
    results = sim.run(source)
    requests = results.requests.set_index("alternative")
    assert list(dict.fromkeys(requests.index)) == [
        "round-robin/one", "round-robin/two", "least-kv/one", "least-kv/two",
    ]  # fmt: skip
    arrivals = {name: sorted(requests.loc[name, "arrival"]) for name in dict.fromkeys(requests.index)}
    assert all(each == arrivals["round-robin/one"] for each in arrivals.values())
    assert requests.loc["round-robin/two", "tpot"].mean() < requests.loc["round-robin/one", "tpot"].mean()


# -- runs -------------------------------------------------------------------------------------------------------------


def run(source: str, *overrides: Any) -> Any:
    return sim.run(Scenario.load(source, overrides))


@pytest.fixture
def tenth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A table in which every iteration takes 100 ms."""
    (tmp_path / "times.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return "{table: times.csv}"


def test_iterations_take_what_the_table_says(tenth: str) -> None:
    """One of 100 ms for the prompt, and 19 for the other tokens."""
    request = run(text(iteration_time=tenth)).requests.iloc[0]
    assert (request["ttft"], request["tpot"], request["e2e"]) == pytest.approx((0.1, 0.1, 2.0))


def test_a_replica_starts_cold(tenth: str) -> None:
    request = run(text(iteration_time=tenth, cold_start="{image: 30 s, engine: 10 s, weights: 5 s}")).requests.iloc[0]
    assert request["first_token"] == pytest.approx(45.1)


def test_an_object_that_tells_times_is_taken_as_it_is() -> None:
    found = sim.compare(Scenario.load(GOOD), {"a": {"workload.chat.iteration_time": Tenth()}}).requests.iloc[0]
    assert found["e2e"] == pytest.approx(2.0)
    assert Tenth().seconds([Batch((Chunk(1, 0),))]) == 0.1


def test_replicas_are_jobs_with_the_keys_of_the_service() -> None:
    jobs = run(text(replicas="2", replica="{tp: 8}", tenant="me")).jobs
    assert jobs["workload"].tolist() == ["chat", "chat"]
    assert jobs["tenant"].tolist() == ["me", "me"]
    assert jobs["accelerators"].tolist() == [8.0, 8.0]
    assert jobs["servers"].tolist() == [1, 1]


def test_every_way_of_serving_runs_to_the_end() -> None:
    source = text(requests="{generate: poisson, requests: 80, rate: 20 /s, input: 400, output: 30}", replicas="2")
    for override in (
        {"workload.chat.prefill": {"replicas": 2}},
        {"workload.chat.replica": {"tp": 2, "pp": 2}},
        {"workload.chat.replica.dp": 4},
        {"workload.chat.engine": {"preemption": "swap", "blocks": 100}},
        {"workload.chat.engine": {"speculative": {"tokens": 3, "acceptance": 0.7}}},
        {"workload.chat.engine": "tensorrt-llm-1.0"},
        {"workload.chat.replicas": {"kind": "hpa", "max": 4, "target": 4}},
        {"workload.chat.adapters": {"slots": 1, "load": "10 ms"}},
    ):
        assert set(run(source, override).requests["state"]) == {"FINISHED"}, override


def test_services_and_jobs_share_the_cluster() -> None:
    source = text(replicas="1") + "  train: {jobs: [{accelerators: 8, duration: 1 min}]}\n"
    results = run(source)
    assert set(results.jobs["workload"]) == {"chat", "train"}
    assert set(results.requests["state"]) == {"FINISHED"}


def test_a_router_that_returns_nonsense_is_told() -> None:
    with pytest.raises(PolicyError, match="router"):
        sim.compare(Scenario.load(GOOD), {"bad": {"workload.chat.router": lambda request, view: 3}})


# -- what is printed, and the schema ----------------------------------------------------------------------------------


def test_check_says_what_a_service_would_run_on(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text(replicas="3", replica="{tp: 2}", prefill="{replicas: 1}"))
    said = CliRunner().invoke(main, ["check", str(tmp_path / "s.yaml")]).output
    lines = {line[:23].strip(): line[23:] for line in said.splitlines() if line.startswith(("service", "chat"))}
    assert lines["service chat"] == "meta/llama-3.1-8b, weights 16.06 GB in bf16"
    assert lines["chat requests"] == "1 of chat, listed, 100 tokens in and 20 out on average"
    assert lines["chat replicas"] == "3, each 2 x nvidia/h100-sxm, tp 2, room for 8"
    assert lines["chat engine"] == "vllm-0.19, batching vllm, order fcfs"
    assert lines["chat router"] == "round-robin"
    blocks = made(replica="{tp: 2}").spec.replicas.engine("nvidia/h100-sxm").blocks
    assert lines["chat KV cache"].startswith(f"{blocks:,} blocks of 16, tokens {blocks * 16:,}, weights 8.03 GB an acc")
    assert lines["chat iteration"].endswith("ms, decoding 256, context 110 tokens each")
    assert lines["chat prefill"] == "1, each 2 x nvidia/h100-sxm, tp 2, room for 8"


def test_check_tells_alternatives_apart_by_what_differs(tmp_path: Path) -> None:
    axis = "compare: {width: {one: {workload.chat.replica.tp: 1}, two: {workload.chat.replica.tp: 2}}}\n"
    (tmp_path / "s.yaml").write_text(text() + axis)
    said = CliRunner().invoke(main, ["check", str(tmp_path / "s.yaml")]).output
    heading = next(line for line in said.splitlines() if line.startswith("alternative"))
    assert "chat replicas.each" in heading
    assert "chat iteration" in heading
    assert "chat engine" not in heading


def test_the_json_schema_knows_services() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(Scenario.json_schema())
    good = Scenario.load(
        text(
            replica="{accelerator: h100-sxm, tp: 2}", replicas="{kind: hpa, min: 1, max: 3}", router="least-kv",
            engine="{kind: vllm, batching: {kind: sarathi, chunk: 512}}", cold_start="{image: 30 s, weights: 5 GB/s}",
            slo="{interactive: {ttft: 1 s}}", prefill="{replicas: 2}", timeout="1 min",
        )
    ).data  # fmt: skip
    assert [str(error)[:200] for error in validator.iter_errors(good)] == []
    for key, bad in (
        ("router", "nope"),
        ("replicas", 0),
        ("engine", {"blok": 3}),
        ("replica", {"tp": "two"}),
        ("requests", [{"at": "1 s"}]),
        ("slo", {"ttft": 3}),
        ("service", "nope"),
    ):
        other = {**good, "workload": {"chat": {**good["workload"]["chat"], key: bad}}}
        assert list(validator.iter_errors(other)), key


def test_lists_and_logs_are_the_same_requests(tmp_path: Path, tenth: str) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    log = run(text(requests="{trace: log.csv, format: azure-llm}", iteration_time=tenth)).requests
    rows = ", ".join(f"{{at: {at} s, input: {n}00, output: {n}0}}" for n, at in enumerate((0, 4, 6, 20), 1))
    own = run(text(requests=f"[{rows}]", iteration_time=tenth)).requests
    for column in ("arrival", "input", "output", "first_token", "end", "replica"):
        assert np.array_equal(log[column].to_numpy(), own[column].to_numpy()), column
