"""Times of single tokens, as they follow from the tables of a run."""

from __future__ import annotations

import numpy as np
import pytest

import simulator as sim
from simulator.core.errors import InputError


def results(**service):
    """Results of a small service, with little room for keys and values."""
    scenario = {
        "name": "tokens", "seed": 3,
        "topology": {"build": "single-switch", "nodes": 2, "node": "dgx-h100", "link": "infiniband-ndr"},
        "workload": {
            "chat": {
                "service": "meta/llama-3.1-8b",
                "requests": {"generate": "poisson", "requests": 300, "rate": "40 /s"},
                "engine": {"blocks": 600},
            }
            | service
        },
    }  # fmt: skip
    return sim.run(scenario)


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"prefill": {"replicas": 2}, "replicas": 2},
        {"engine": {"blocks": 600, "speculative": {"tokens": 3, "acceptance": 0.7}}},
        {"engine": {"blocks": 600, "batching": "prefill-first"}},
        {"engine": {"blocks": 600, "preemption": "swap"}},
    ],
    ids=["crowded", "prefill-apart", "speculative", "prompts-first", "swapped"],
)
def test_every_token_has_its_time(service):
    run = results(**service)
    requests = run.requests
    finished = requests[requests["state"] == "FINISHED"]
    assert len(finished) > 100
    for row in finished.itertuples():
        times = run.token_times("chat", row.id)
        assert len(times) == row.generated
        assert times[0] == row.first_token
        assert times[-1] == pytest.approx(row.end, rel=1e-12)
        assert (np.diff(times) >= 0).all()


def test_a_crowded_cache_preempts_here():
    assert results().requests["preemptions"].sum() > 0


def test_progress_is_told_while_requests_end():
    told: list[str] = []
    requests = {"generate": "poisson", "requests": 5000, "rate": "40 /s", "output": 3}
    scenario = {
        "name": "many",
        "topology": {"build": "pool", "accelerators": 1, "accelerator": "nvidia/h100-sxm"},
        "workload": {"chat": {"service": "meta/llama-3.1-8b", "requests": requests}},
    }
    sim.run(scenario, progress=lambda done, total, text: told.append(text))
    assert [text.partition(" done")[0] for text in told[:2]] == ["many: 2,048", "many: 4,096"]


def test_a_request_that_is_not_there():
    with pytest.raises(InputError, match=r"^there is no request 'nobody' of 'chat' in this run$"):
        results().token_times("chat", "nobody")
    with pytest.raises(InputError, match=r"^there is no replication 7 of tokens$"):
        results().token_times("chat", "chat-1", replication=7)
