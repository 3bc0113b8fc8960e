from __future__ import annotations

import pytest

import simulator as sim
from simulator.report import verdict

NODE = {"build": "single-switch", "nodes": 1, "node": "dgx-h100"}


def said(jobs: dict | None = None, requests: dict | None = None, **service) -> str:
    """What limits a service of 400 requests of 1,000 tokens in and 100 out."""
    asked = {"generate": "poisson", "requests": 400, "rate": "5 /s", "input": 1000, "output": 100} | (requests or {})
    keys = {"service": "llama-3.1-8b", "requests": asked, "replicas": 1, "replica": {"accelerator": "h100-sxm"}}
    found = sim.run(
        {"name": "m", "seed": 2, "topology": NODE, "workload": {**(jobs or {}), "chat": {**keys, **service}}}
    )
    return "\n".join([*verdict.limits(found), *found.notes])


def engine(**keys) -> dict:
    return {"kind": "vllm-0.19", **keys}


CASES = {
    "light": ({}, ["Nothing holds requests back but the computing itself."], ["limit", "saturat", "queue of chat"]),
    "never placed": (
        {"jobs": {"train": {"jobs": [{"id": "t", "accelerators": 8, "duration": "1 h"}]}}, "timeout": "60 s",
         "replicas": 2},
        ["No replica of chat ever got accelerators: the 2 that were asked for waited up to ",
         ", mostly because too few were free.", "100 % rejected or given up"][:2],
        ["scarce", "Nothing holds", "saturat"],
    ),
    "cold start": (
        {"cold_start": {"image": "60 s"}, "replicas": 4, "requests": {"rate": "20 /s"}},
        [" % of the time in the queue of chat passed while no replica was ready and some were starting: the cold start "
         "is the limit."],
        ["saturat", "more replicas,"],
    ),
    "batch": (
        {"engine": engine(max_batch=8), "requests": {"rate": "40 /s"}},
        ["The batch is a limit: ", "No more than 8 got a token at once: a larger `max_batch`"],
        ["more replicas", "The KV cache is a limit", "Nothing"],
    ),
    "one at a time": (
        {"engine": engine(max_batch=1), "requests": {"rate": "5 /s"}},
        ["The batch is a limit: ", "No more than 1 got a token at once"],
        ["more replicas", "Nothing"],
    ),
    "cache": (
        {"engine": engine(blocks=300), "requests": {"rate": "40 /s"}},
        ["The KV cache is a limit: ", "passed while its free blocks were too few for a prompt"],
        ["more replicas", "batch is a limit", "Nothing"],
    ),
    "prompts": (
        {"requests": {"rate": "10 /s", "input": 8000, "output": 4}},
        ["chat is saturated: more replicas, or fewer requests, are what would shorten its queue."],
        ["batch is a limit", "Nothing"],
    ),
    "adapters": (
        {"adapters": {"slots": 3, "load": "500 ms"}, "replicas": 4,
         "requests": {"adapters": 12, "rate": "20 /s", "output": 10}},
        [" % of the time in the queue of chat is the loading of adapters: "],
        ["saturated:", "Nothing"],
    ),
    "on their way": (
        {"replicas": {"kind": "hpa", "metric": "outstanding", "target": 4, "min": 1, "max": 8},
         "cold_start": {"image": "20 s"}, "engine": engine(max_batch=8), "requests": {"rate": "15 /s"}},
        [" % of the time in the queue of chat passed while more replicas were on their way, waiting for accelerators "
         "or starting"],
        ["chat is saturated", "Nothing"],
    ),
    "iterations": (
        {"requests": {"rate": "10 /s", "output": 2}},
        ["% of the time in the queue of chat is the iterations under way as requests came"],
        ["limit", "Nothing"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cause_that_is_named_is_the_one_that_was_built_in(case):
    keys, expected, absent = CASES[case]
    text = said(**keys)
    for part in expected:
        assert part in text, text
    for part in absent:
        assert part not in text, text


def test_jobs_beside_a_service_do_not_say_that_nothing_is_scarce():
    jobs = {"train": {"jobs": [{"id": "t", "accelerators": 4, "duration": "1 min"}]}}
    assert "Where the mean JCT of m goes: 100 % computing." in said(jobs=jobs)
    assert "Nothing is scarce" not in said(jobs=jobs)


def test_a_router_that_leaves_replicas_idle_is_told_apart(monkeypatch):
    monkeypatch.setattr("simulator.metrics.queueing.idle", lambda windows, service: 0.6)
    text = said(engine=engine(max_batch=8), requests={"rate": "40 /s"})
    assert "The router is a limit: while requests waited at some replicas of chat, 60 % of the time" in text
    assert "max_batch" not in text
