"""What ``simulator validate elasticity`` compares, and whole runs against loops that are written down once more."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from simulator.core.rng import stream
from simulator.experiment.validation import elasticity_failures as failing
from simulator.experiment.validation import elasticity_loops as loops
from simulator.experiment.validation import elasticity_queues as queues
from simulator.experiment.validation import elasticity_starts as starts
from simulator.metrics.setup_queues import setup_queue
from simulator.metrics.statistics import replicated
from simulator.models import checkpoint
from simulator.policies.api import placers, schedulers
from simulator.policies.supply import autoscalers
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, LoggedFailure, LoggedSource
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob
from simulator.workload.saving import Saving
from tests.reference.elasticity_job import HUNG, RESTARTING, WAITING, WRITING, Trainer
from tests.reference.elasticity_queue import Farm

CALIBRATION = Path(__file__).parents[2] / "shared" / "calibration" / "elasticity.csv"


@pytest.mark.skipif(not CALIBRATION.exists(), reason="the reference material is not beside the checkout")
def test_the_rows_are_those_of_the_calibration() -> None:
    with CALIBRATION.open(encoding="utf-8", newline="") as file:
        theirs = {line["id"]: line for line in csv.DictReader(file)}
    for name, line in starts.measured().items():
        assert {key: theirs[name][key] for key in line} == line


def test_every_start_has_a_row_with_a_source() -> None:
    rows = starts.measured()
    for name in (*starts.LOADS, *starts.NODES):
        assert rows[name]["unit"] == "s"
        assert rows[name]["source"]


def test_the_seconds_of_weights_are_bytes_over_what_gives_out_first() -> None:
    found = starts.replicas()
    for name, load in starts.LOADS.items():
        source = starts.SOURCES[load.source]
        rate = min(source.limit, load.streams * source.stream)
        assert found[name] == pytest.approx(load.size / rate + load.engine, rel=1e-6)


def test_phases_of_the_measured_boot_add_up() -> None:
    rows = starts.measured()
    phases = [float(rows[f"ec2-cold-m7i.large-{name}"]["value"]) for name in ("API-call", "pending-to-running")]
    phases.append(float(rows["ec2-cold-m7i.large-boot-to-SSH"]["value"]))
    assert starts.machine("ec2") == pytest.approx(math.fsum(phases), abs=0.001)
    assert starts.machine("ec2", "running") < starts.machine("ec2", "stopped") < starts.machine("ec2")


def test_nodes_on_demand_wait_no_less_than_nodes_that_stay() -> None:
    at_once = queues.run(4, 2.0, autoscalers.get("queue-length")(idle=0.0, cancel=True), 0, jobs=800, warmup=100)
    stays = queues.run(4, 2.0, autoscalers.get("queue-length")(idle=30.0, cancel=True), 0, jobs=800, warmup=100)
    assert stays.wait < at_once.wait
    assert stays.waited < at_once.waited == 1.0
    assert at_once.powered <= 4.0


def test_nodes_that_leave_at_random_are_those_of_the_chain() -> None:
    """Other loads than the page's; the share of jobs that wait shows whether nodes go when their time is over."""
    exact = setup_queue(4, 2.0, 1.0, 5.0, delay=3.0)
    found = [
        queues.run(4, 2.0, queues.Leaving(3.0, stream(2, "delays", run)), run, setup=5.0, jobs=1200, warmup=200)
        for run in range(6)
    ]
    for name, value in (("wait", exact.wait), ("waited", exact.waits), ("powered", exact.powered)):
        interval = replicated([getattr(each, name) for each in found])
        assert abs(interval.mean - value) < 1.5 * interval.half_width, name


def test_a_queue_with_set_up_of_the_engine_is_the_plain_one_job_by_job() -> None:
    """Set-ups of one length leave nothing to chance but arrivals and services, which both take from the same list."""
    gaps = stream(1, "validate.arrivals", 0).exponential(1 / 2.0, 600).tolist()
    services = iter(stream(1, "validate.service", 0).exponential(1.0, 600).tolist())
    farm = Farm(4, lambda: next(services), lambda: 3.0).run(gaps)
    found = queues.run(
        4, 2.0, autoscalers.get("queue-length")(idle=0.0, cancel=True), 0, setup=3.0, jobs=600, warmup=0, law="fixed"
    )
    assert found.wait == pytest.approx(float(np.mean(farm.waits)), rel=1e-9)


def draws(seed: int, mean: float) -> Callable[[], float]:
    generator = random.Random(seed)
    return lambda: generator.expovariate(1.0 / mean)


@pytest.mark.parametrize(("unseen", "restart", "cost"), [(0.0, 0.0, 10.0), (30.0, 0.0, 10.0), (20.0, 50.0, 5.0)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_job_that_fails_is_the_plain_one_second_by_second(
    seed: int, unseen: float, restart: float, cost: float
) -> None:
    """One machine that fails at given times; the repair takes longer than it takes to see the failure."""
    work, interval, repair = 20_000.0, 400.0, 60.0
    lives: list[float] = []
    life = draws(seed, 1500.0)

    def drawn() -> float:
        lives.append(life())
        return lives[-1]

    twin = Trainer(work, interval, cost, restart, drawn, lambda: repair, detect=unseen).run()
    times, now = [], 0.0
    for each in lives:
        times.append(now + each)
        now = times[-1] + unseen + repair
    log = LoggedSource("node", tuple(LoggedFailure(time, "node", "node-0", repair) for time in times), unseen)
    job = BatchJob(id="train", submit=0.0, duration=work, accelerators=1.0, saving=Saving(every=interval, write=cost))
    broken = Failures([log])
    Simulation(
        topology=failing._servers(1), jobs=[job], scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(),
        parts=[broken, Checkpoints(broken.mtbf)], restart=restart,
    ).run()  # fmt: skip
    assert job.failures == twin.failures > 2
    assert job.end == pytest.approx(twin.end, rel=1e-9)
    assert job.lost == pytest.approx(twin.lost, rel=1e-9)
    assert job.checkpointing == pytest.approx(twin.spent[WRITING], rel=1e-9)
    assert job.hung == pytest.approx(twin.spent[HUNG], abs=1e-6)
    assert job.overhead == pytest.approx(twin.spent[RESTARTING], abs=1e-6)
    assert job.waited == pytest.approx(twin.spent[WAITING], abs=1e-6)


def test_the_lowest_point_of_the_first_order_is_youngs() -> None:
    """Runs that take exactly what the first order says are shortest at Young's interval."""
    mtbf, cost = 10_000.0, 50.0
    best = checkpoint.young(mtbf, cost)
    ends = [failing._JOB.work * (1 + checkpoint.waste(factor * best, mtbf, cost, 30.0)) for factor in failing._FACTORS]
    assert failing._lowest(ends) == pytest.approx(1.0)


def test_loops_come_to_rest() -> None:
    """An hour after a step nothing moves any more: the last quarter of each hour has as many replicas as its end."""
    for name in loops.SCALERS:
        for hour in (1, 2, 3):
            end = hour * loops.HOUR
            assert loops.replicas(name, end - 900.0) == loops.replicas(name, end), (name, hour)


def test_loops_grow_and_shrink_with_the_demand() -> None:
    for name in loops.SCALERS:
        ends = [loops.replicas(name, hour * loops.HOUR) for hour in (1, 2, 3, 4)]
        assert [after > before for before, after in pairwise(ends)] == [True, False, False], name
