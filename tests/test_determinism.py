"""Same input and seed, same bytes: under another hash seed, and on any number of workers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import simulator as sim
from simulator.metrics.recorder import TABLES

ROOT = Path(__file__).parents[1]
SCENARIO = {
    "name": "determinism",
    "seed": 5,
    "topology": {"build": "leaf-spine", "nodes": 8, "node": "dgx-h100", "oversubscription": 4},
    "workload": {
        "made": {"generate": "philly-like", "jobs": 150, "load": 0.9, "max_duration": "1 d", "communication": 0.3},
        "sample": {
            "trace": str(ROOT / "scenarios/data/sample.csv"),
            "format": "philly",
            "limit": 150,
            "resample": "2 h",
            "communication": 0.3,
        },
    },
    "autoscaler": {"kind": "target-tracking", "min": 2, "max": 8},
    "compare": {
        "scheduler": {"easy-backfill": {"kind": "easy-backfill"}, "srtf": {"kind": "srtf"}, "las": {"kind": "las"}}
    },
    "run": {"replications": 2},
}


def digest(results: sim.Results, folder: Path) -> dict[str, str]:
    """SHA-256 of each file that the results are saved as."""
    results.save(folder)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_one_worker_and_four_write_the_same_bytes(tmp_path: Path) -> None:
    one = digest(sim.run(SCENARIO, workers=1), tmp_path / "one")
    four = digest(sim.run(SCENARIO, workers=4), tmp_path / "four")
    assert one == four
    assert {f"{table}.csv" for table in TABLES} <= set(one)


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_the_hash_seed_changes_no_byte(seed: str, tmp_path: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path; from tests.test_determinism import SCENARIO, digest; "
        "import simulator as sim; print(json.dumps(digest(sim.run(SCENARIO), Path(sys.argv[1]))))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / hash_seed)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", seed)
    ]
    assert found[0] == found[1]


def test_another_seed_changes_the_work() -> None:
    one, other = (sim.run(SCENARIO, seed=seed, replications=1)["srtf"].jobs for seed in (1, 2))
    assert not one["submit"].equals(other["submit"])


def test_alternatives_share_their_work() -> None:
    jobs = sim.run(SCENARIO, replications=1).jobs
    submits = {
        name: part.sort_values("id").submit.tolist() for name, part in jobs.groupby("alternative", observed=True)
    }
    assert submits["easy-backfill"] == submits["srtf"] == submits["las"]


def test_a_policy_that_draws_numbers_leaves_the_work_alone() -> None:
    class Drawing:
        def reset(self, rng: object) -> None:
            self.rng = rng

        def schedule(self, view: sim.ClusterView) -> object:
            self.rng.random(10)  # type: ignore[attr-defined]
            for job in view.queue:
                if job.accelerators <= view.free:
                    yield sim.Start(job)

    results = sim.compare(SCENARIO, {"fifo": "fifo", "drawing": Drawing}, replications=1)
    submits = [part.sort_values("id").submit.tolist() for _, part in results.jobs.groupby("alternative", observed=True)]
    assert submits[0] == submits[1]
