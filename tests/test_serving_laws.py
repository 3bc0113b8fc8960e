"""Whatever happens to a service, every request ends in exactly one way, and nothing is left over."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.metrics.recorder import Record
from simulator.runtime.serving.spec import ReplicaPool, ServiceSpec
from simulator.runtime.windows import Maintenance
from simulator.workload.jobs import BatchJob
from tests.serving_world import Linear, Steps, ask, replicas, rows, serve, service

TIME = {"base": 0.0103, "token": 0.00109, "sequence": 0.00041, "context": 2.3e-5}
BATCHINGS = [
    ("vllm", {"max_tokens": 12}), ("vllm", {"max_tokens": 64, "whole_prompt": False}),
    ("prefill-first", {"max_tokens": 64}),
    ("sarathi", {"chunk": 8}), ("decode-first", {}), ("no-evict", {"max_tokens": 64}), ("sglang", {"chunk": 16}),
]  # fmt: skip
NETWORKS = {
    "one switch": builders.get("single-switch")(nodes=3),
    "rails": builders.get("rail-optimised")(nodes=4, nodes_per_unit=2),
    "slow": builders.get("single-switch")(nodes=2, link="ethernet-10g-tcp"),
}


@st.composite
def asks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Requests of all kinds, close together; some wait for others, share prefixes, or can never run."""
    now, made = 0.0, []
    for number in range(draw(st.integers(1, 10))):
        now += draw(st.integers(0, 12)) / 97
        prompt = draw(st.one_of(st.integers(1, 30), st.sampled_from([0, 70, 500])))
        family, common = draw(st.integers(1, 2)), draw(st.integers(0, 4))
        names = [(family if unit < common else 100 + number) * 1000 + unit for unit in range(prompt // 4)]
        after = draw(st.integers(0, number)) if draw(st.integers(0, 4)) == 0 else number
        more: dict[str, Any] = {"after": f"r{after}", "delay": draw(st.integers(0, 9)) / 89} if after < number else {}
        made.append(
            ask(
                f"r{number}", now, prompt, draw(st.integers(0, 30)), hashes=tuple(names), hash_block=4,
                adapter=draw(st.sampled_from(["", "", "x", "y", "z"])), tenant=draw(st.sampled_from(["a", "b"])),
                priority=float(draw(st.integers(0, 2))), limit=draw(st.sampled_from([0, 0, 40])), **more,
            )
        )  # fmt: skip
    return made


@st.composite
def pools(draw: st.DrawFn, leaps: bool = True) -> ReplicaPool:
    """Few replicas with little cache; some come and go."""
    few = st.integers(0, 3)
    steps = draw(st.lists(few, min_size=1, max_size=5))
    scaler = draw(st.one_of(st.integers(1, 3), st.just(Steps(*steps, 1, interval=0.113))))
    return replicas(
        scaler, draw(st.integers(5, 30)), Linear(**TIME, leaps=leaps), accelerators=draw(st.sampled_from([1, 2])),
        ranks=draw(st.sampled_from([1, 1, 2])), load=draw(st.sampled_from([0.0, 0.217])), swap=1e6,
    )  # fmt: skip


@st.composite
def services(draw: st.DrawFn, name: str = "chat") -> ServiceSpec:
    """A service with a mix of all features."""
    some = {
        "max_batch": st.integers(1, 5), "batching": st.sampled_from(BATCHINGS),
        "lineup": st.sampled_from(["fcfs", "priority", "shortest-prompt", "vtc"]),
        "prefix_cache": st.booleans(), "swap": st.booleans(), "kv_bytes": st.sampled_from([0.0, 1e3, 3e8]),
        "advance": st.sampled_from([1.0, 1.0, 1.7, 3.0]), "staleness": st.sampled_from([0.0, 0.0, 0.1]),
        "timeout": st.sampled_from([math.inf, 0.517, 1.213]),
        "first_token_timeout": st.sampled_from([math.inf, 0.1031]),
        "retries": st.integers(0, 3), "backoff": st.sampled_from([0.0, 0.0717]),
        "queue_limit": st.sampled_from([1 << 60, 1, 3]), "adapters": st.integers(1, 3),
        "adapter_load": st.sampled_from([0.0, 0.1319]), "context": st.sampled_from([1 << 60, 60]),
        "phases": st.sampled_from([(), (("image", 0.05), ("start", 0.0719))]),
        "prefill": st.one_of(st.none(), pools()), "priority": st.sampled_from([0.0, 5.0]),
    }  # fmt: skip
    drawn = {key: draw(strategy) for key, strategy in some.items()}
    if drawn["prefill"] is not None:
        drawn["router"] = lambda request, view: view.replicas[int(request.id[1:]) % len(view.replicas)]
    return service(draw(asks()), draw(pools()), name=name, **drawn)


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, Any]:
    """What goes on beside a service."""
    jobs = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 9)), max_size=3))
    windows = draw(st.sampled_from([(), (Maintenance(0.303, 0.611, (0,)), Maintenance(0.5, 1.5, (1,), drain=0.3))]))
    return {
        "topology": NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))], "jobs": jobs, "maintenance": windows,
        "scheduler": draw(st.sampled_from(["fifo", "priority", "las"])),
    }  # fmt: skip


def fresh(around: dict[str, Any]) -> dict[str, Any]:
    """The same surroundings with jobs that no run has seen."""
    jobs = [
        BatchJob(id=f"job{number}", submit=when / 7, duration=seconds / 5, accelerators=8, priority=float(level))
        for number, (when, seconds, level) in enumerate(sorted(around["jobs"]))
    ]
    return around | {"jobs": jobs}


@settings(max_examples=300)
@given(spec=services(), around=clusters())
def test_every_request_ends_in_exactly_one_way(spec: ServiceSpec, around: dict[str, Any]) -> None:
    record = serve(spec, **fresh(around))
    table = record.tables["requests"]
    assert sorted(table["id"]) == sorted(each["id"] for each in spec.requests.asks)  # type: ignore[attr-defined]
    assert "UNFINISHED" not in set(table["state"])
    assert record.facts["services"]["chat"]["ended"] == len(spec.requests)


def stepwise(pool: ReplicaPool) -> ReplicaPool:
    """The same replicas, asked after every iteration."""
    engine = pool.engine("")
    slow = replace(engine, time=replace(engine.time, leaps=False))  # type: ignore[type-var]
    return replace(pool, engine=lambda kind: slow)


def columns(record: Record) -> dict[str, dict[str, Any]]:
    """Rows of requests by id; -1 for a time that is empty."""
    return {
        name: {key: -1.0 if value != value else value for key, value in row.items()}
        for name, row in rows(record).items()
    }


def same(row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows are the same but for rounding."""
    return all(
        value == pytest.approx(other[key], rel=1e-9, abs=1e-9) if isinstance(value, float) else value == other[key]
        for key, value in row.items()
    )


@settings(max_examples=150)
@given(spec=services(), around=clusters())
def test_many_iterations_at_one_stroke_are_as_if_taken_one_by_one(spec: ServiceSpec, around: dict[str, Any]) -> None:
    one_by_one = replace(
        spec, replicas=stepwise(spec.replicas), prefill=None if spec.prefill is None else stepwise(spec.prefill)
    )
    found, expected = columns(serve(spec, **fresh(around))), columns(serve(one_by_one, **fresh(around)))
    assert list(found) == list(expected)
    assert [name for name, row in found.items() if not same(row, expected[name])] == []


@settings(max_examples=150)
@given(spec=services(), around=clusters(), until=st.integers(0, 60).map(lambda n: n / 23))
def test_a_horizon_changes_nothing_before_it(spec: ServiceSpec, around: dict[str, Any], until: float) -> None:
    whole, part = columns(serve(spec, **fresh(around))), columns(serve(spec, **fresh(around), until=until))
    for name, row in part.items():
        if row["state"] == "UNFINISHED":
            assert not whole[name]["end"] <= until
            assert row["arrival"] <= until
        else:
            assert row == whole[name]
    assert {name for name, row in whole.items() if row["arrival"] <= until} == set(part)


@settings(max_examples=60)
@given(one=services("chat"), other=services("code"), around=clusters())
def test_services_that_share_a_cluster_end_all_their_requests(
    one: ServiceSpec, other: ServiceSpec, around: dict[str, Any]
) -> None:
    table = serve(one, other, **fresh(around)).tables["requests"]
    for spec in (one, other):
        asked = [each["id"] for each in spec.requests.asks]  # type: ignore[attr-defined]
        assert sorted(table["id"][table["workload"] == spec.name]) == sorted(asked)
    assert "UNFINISHED" not in set(table["state"])
