"""Packing without time, against what Weng et al. (USENIX ATC 2023) publish of their six policies."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.cluster.builders.node_list import node_list
from simulator.cluster.topology import Server
from simulator.experiment.packing import PUBLISHED, inflate, pack
from simulator.workload.formats import openb
from simulator.workload.jobs import BatchJob

SEEDS = range(42, 45)
CASES = ("01-Random", "02-DotProd", "03-GpuClustering", "04-GpuPacking", "05-BestFit", "06-FGD")


def job(name: str, accelerators: float, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=0.0, duration=1.0, accelerators=accelerators, max_servers=1, **more)


@pytest.fixture(scope="module")
def measured() -> dict[str, list[dict[int, float]]]:
    """Share held at each percent asked for, by policy and seed."""
    folder = Path(__file__).parents[2] / "shared/traces/alibaba_gpu_2023"
    if not folder.is_dir():
        pytest.skip("needs the openb trace in ../shared")
    servers = node_list(folder / "openb_node_list_gpu_node.csv").servers
    jobs = list(openb.read(folder / "openb_pod_list_default.csv", pending="keep").jobs())
    capacity = sum(server.accelerators for server in servers)
    loads = [(seed, inflate(jobs, capacity, 1.3, seed)) for seed in SEEDS]
    return {name: [pack(load, servers, name, seed, jobs).curve(1) for seed, load in loads] for name in PUBLISHED}


def published(shared: Path) -> dict[str, dict[int, float]]:
    """Percent allocated at each percent asked for, by policy."""
    found: dict[str, dict[int, float]] = {}
    with (shared / "traces/alibaba_gpu_2023/published_alloc_by_policy.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row["workload"] == "openb_pod_list_default":
                curve = found.setdefault(row["policy"], {})
                curve[int(row["arrived_load_pct_of_gpus"])] = float(row["alloc_pct_mean"])
    return found


def test_final_allocation_is_as_published(measured: dict[str, Any], shared: Path) -> None:
    final = [100 * np.mean([curve[130] for curve in measured[name]]) for name in PUBLISHED]
    expected = [published(shared)[case][130] for case in CASES]
    assert final == pytest.approx(expected, abs=0.6)
    assert final == sorted(final)


def test_the_whole_curve_is_as_published(measured: dict[str, Any], shared: Path) -> None:
    for name, case in zip(PUBLISHED, CASES, strict=True):
        for percent, expected in published(shared)[case].items():
            found = 100 * np.mean([curve[percent] for curve in measured[name]])
            assert found == pytest.approx(expected, abs=0.8), (name, percent)


def test_inflation_goes_up_to_the_ratio_and_not_beyond() -> None:
    jobs = [job("a", 0.5), job("b", 2.0), job("c", 1.0)]
    grown = inflate(jobs, 16, 1.25, seed=3)
    assert sorted(each.id for each in grown[:3]) == ["a", "b", "c"]
    assert all("-tuned-" in each.id for each in grown[3:])
    assert 18.0 < sum(each.accelerators for each in grown) <= 21.0
    assert [each.id for each in grown] == [each.id for each in inflate(jobs, 16, 1.25, seed=3)]
    assert [each.id for each in grown] != [each.id for each in inflate(jobs, 16, 1.25, seed=4)]
    assert [each.id for each in jobs] == ["a", "b", "c"]


def test_too_much_load_is_cut_at_random() -> None:
    jobs = [job(str(number), 1.0) for number in range(20)]
    cut = inflate(jobs, 10, 1.2)
    assert len(cut) == 12
    assert {each.id for each in cut} < {each.id for each in jobs}
    assert inflate([], 10) == []


def test_jobs_that_do_not_fit_are_passed_over() -> None:
    servers = [Server("a", 4), Server("b", 2)]
    packed = pack([job("1", 4.0), job("2", 3.0), job("3", 2.0), job("4", 0.5)], servers, "first-fit")
    assert packed.asked.tolist() == pytest.approx([4 / 6, 7 / 6, 9 / 6, 9.5 / 6])
    assert packed.held.tolist() == pytest.approx([4 / 6, 4 / 6, 1.0, 1.0])
    assert packed.passed_over == 2
    assert packed.final == 1.0
    assert packed.at(67) == pytest.approx(4 / 6)
    assert np.isnan(packed.at(1))
    assert packed.curve(150) == {0: pytest.approx(np.nan, nan_ok=True), 150: 1.0}
