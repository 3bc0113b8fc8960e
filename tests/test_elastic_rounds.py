"""Jobs that may not be stopped stay as they are under every elastic scheduler."""

from __future__ import annotations

import pytest

from simulator.core.rng import stream
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.jobs import BatchJob, State
from simulator.workload.speedup import ByCount

PACE = {1.0: 1.0, 2.0: 1.8, 4.0: 3.0, 8.0: 5.0}


def crowd(seed: int) -> list[BatchJob]:
    rng = stream(seed, "elastic crowd")
    return [
        BatchJob(
            id=f"job-{number}",
            submit=float(rng.integers(0, 2000)),
            duration=float(rng.integers(100, 3000)),
            accelerators=float(rng.choice([1, 2, 4])),
            minimum=1.0,
            maximum=8.0,
            speedup=ByCount(1000.0, PACE),
            preemptible=bool(rng.random() < 0.5),
        )
        for number in range(30)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["pollux", "sia", "optimus", "elastic-max-min"])
def test_jobs_that_may_not_be_stopped_are_left_alone(name: str, seed: int) -> None:
    jobs = crowd(seed)
    replay(jobs, name, topology=servers(4, 4), restart=10.0)
    assert all(job.state is State.COMPLETED for job in jobs)
    fixed = [job for job in jobs if not job.preemptible]
    assert fixed
    assert all(job.preemptions == job.moves == 0 for job in fixed)
    assert any(job.moves for job in jobs)
