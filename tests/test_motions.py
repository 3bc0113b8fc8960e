"""The ways to share the network: all of them by name, the same bytes every time, and alike where nothing is shared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import simulator as sim
from simulator.runtime.motions import FIDELITIES, MOTIONS

SCENARIO = """
name: models, events and transfers
seed: 5
topology: {build: rail-optimised, nodes: 8, node: dgx-h100, nodes_per_unit: 4, spines: 2, oversubscription: 4}
workload:
  models:
    jobs:
      - {id: dense, accelerators: 32, iterations: 12, model: llama-3-8b, layout: {tp: 8, pp: 2, global_batch: 32}}
      - {id: experts, accelerators: 16, iterations: 9, model: gpt-oss-20b, submit: 3 s, framework: pytorch-fsdp,
         layout: {ep: 16, global_batch: 16, recompute: full}}
      - {id: plain, accelerators: 4, iterations: 300, compute: 50 ms, gradient: 2 GB, submit: 1 s}
      - {id: other, accelerators: 12, iterations: 200, compute: 90 ms, gradient: 4 GB, overlap: 40 %, submit: 2 s}
  batch: {generate: poisson, jobs: 12, rate: 1 /s, mean: 20 s, size: 6, communication: 30 %}
  copies: {transfers: [{src: node-1, dst: node-6, bytes: 300 GB, start: 2 s}]}
network:
  reroute: 500 ms
  events:
    - {time: 5 s, vertex: spine-0, state: down}
    - {time: 9 s, vertex: spine-0, state: up}
    - {time: 6 s, link: node-0/1 -- leaf-0-1, flap: {period: 4 s, down: 1 s, times: 3}}
    - {time: 12 s, link: leaf-0-2 -- spine-1, scale: 30 %}
compare: {sharing: {fluid: {}, flow: {network.fidelity: flow}, steady: {network.fidelity: steady}}}
"""
EVERYTHING = {"routing": "ecmp"}, {"routing": "spray"}, {"routing": "adaptive", "flows": 2}
_RUN = (
    "import sys, simulator as sim; results = sim.run(sys.argv[1], workers=int(sys.argv[2])); "
    "print(*(table.to_csv() for table in (results.jobs, results.flows, results.events, results.series)))"
)


def test_every_motion_has_a_name_and_a_user_may_choose_all_but_one() -> None:
    assert tuple(MOTIONS) == ("fluid", "flow", "steady", "alone")
    assert FIDELITIES == ("fluid", "flow", "steady")


def test_the_same_bytes_under_any_hash_seed_and_number_of_workers(root: Path) -> None:
    said = []
    for seed, workers in (("0", "1"), ("4711", "2")):
        command = [sys.executable, "-c", _RUN, SCENARIO, workers]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        said.append(subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True).stdout)
    assert said[0] == said[1]
    assert all(f"{name},0,experts".encode() in said[0] for name in FIDELITIES)


@pytest.mark.parametrize("network", EVERYTHING, ids=lambda keys: keys["routing"])
@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_all_work_is_done_whatever_happens_to_links(fidelity: str, network: dict[str, object]) -> None:
    """Nothing is lost: jobs run as long as they must alone, and longer with company."""
    jobs = alone(fidelity, **{f"network.{key}": value for key, value in network.items()})
    assert (jobs["state"] == "COMPLETED").all()
    assert (jobs["end"] - jobs["start"] >= jobs["work"] * (1 - 1e-6)).all()


def test_company_and_broken_links_cost_time_whoever_tells() -> None:
    """The job over four servers loses its spine for a while, and meets others on the one that is left."""
    for fidelity in FIDELITIES:
        jobs = alone(fidelity).set_index("id")
        assert jobs.loc["dense", "end"] - jobs.loc["dense", "start"] > 1.02 * jobs.loc["dense", "work"]


def test_without_contention_all_are_as_if_alone() -> None:
    jobs = alone("fluid", **{"network.events": [], "network.contention": "none"})
    assert (abs(jobs["end"] - jobs["start"] - jobs["work"]) <= 1e-9 * jobs["work"]).all()


def alone(fidelity: str, **changes: object) -> pd.DataFrame:
    """Jobs of the scenario without its comparison."""
    changed = sim.Scenario.load(SCENARIO).with_({"compare": None, "network.fidelity": fidelity, **changes})
    return sim.run(changed).jobs
