"""Times of single tokens, as they follow from the tables of a run."""

from __future__ import annotations

import numpy as np
import pytest

import simulator as sim
from simulator.core.errors import InputError
from simulator.metrics.tokens import token_times


def record(**service):
    """The record of a small service, with little room for keys and values."""
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
    return next(iter(sim.run(scenario).records.values()))


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
    run = record(**service)
    requests = run.tables["requests"]
    assert (requests["state"] == "FINISHED").any()
    for row in np.flatnonzero(requests["state"] == "FINISHED"):
        times = token_times(run, "chat", requests["id"][row])
        assert len(times) == requests["generated"][row]
        assert times[0] == requests["first_token"][row]
        assert times[-1] == pytest.approx(requests["end"][row], rel=1e-12)
        assert (np.diff(times) >= 0).all()


def test_a_crowded_cache_preempts_here():
    assert record().tables["requests"]["preemptions"].sum() > 0


def test_a_request_that_is_not_there():
    with pytest.raises(InputError, match=r"^there is no request 'nobody' of 'chat' in this run$"):
        token_times(record(), "chat", "nobody")
