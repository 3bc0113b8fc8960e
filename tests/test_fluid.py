"""Mean rates of jobs: the fixed point of two, max-min where everybody is always on, and every iteration simulated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.rng import stream
from simulator.policies.api import ClusterView, Start, placers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.fluid import Fluid
from simulator.runtime.pattern import Burst, Pattern
from simulator.runtime.progress import rework
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import TrainingJob

CARD = 12.5e9


class OnPlaces:
    """Starts every job at once on the pair of servers of its number, one on each side."""

    def schedule(self, view: ClusterView) -> Iterator[Start]:
        for job in view.queue:
            pair = int(job.id)
            yield Start(job, ((2 * pair, 1.0), (2 * pair + 1, 1.0)))


def two_racks(uplink: float, pairs: int) -> Topology:
    links = []
    for server in range(2 * pairs):
        side = ("left", "right")[server % 2]
        links += [
            {"src": f"s{server}", "dst": side, "capacity": CARD},
            {"src": side, "dst": f"s{server}", "capacity": CARD},
        ]
    links += [{"src": "left", "dst": "right", "capacity": uplink}, {"src": "right", "dst": "left", "capacity": uplink}]
    return Topology.from_links(links, {f"s{server}": {"accelerators": 1} for server in range(2 * pairs)})


def ends(
    uplink: float, drawn: Sequence[tuple[float, float, float, float, int]], fidelity: str, **more: Any
) -> list[float]:
    """Run jobs given as (start, compute, gradient, overlap, iterations); return their completion times."""
    jobs = [
        TrainingJob(
            id=f"{number}", submit=start, accelerators=2.0, iterations=rounds,
            compute=compute, gradient=gradient, overlap=overlap,
        )
        for number, (start, compute, gradient, overlap, rounds) in enumerate(sorted(drawn))
    ]  # fmt: skip
    simulation = Simulation(
        topology=two_racks(uplink, len(jobs)),
        jobs=jobs,
        scheduler=OnPlaces(),
        placer=placers.get("pack")(),
        collectives="ring",
        fidelity=fidelity,
        **more,
    )
    table = simulation.run().tables["jobs"]
    return [float(value) for value in table["jct"][np.argsort(table["id"].astype(int))]]


@pytest.mark.parametrize(("compute", "gigabytes"), [(1.0, 5.0), (0.3, 5.0), (2.0, 1.0), (0.05, 12.0)])
def test_two_equal_jobs_on_one_link_are_at_their_fixed_point(compute: float, gigabytes: float) -> None:
    """Each is on for d = a s / (c + a s) and stretched by s = 1 / (1 - d / 2), for the other is on d of the time.

    So (c / 2) d^2 - (a + c) d + a = 0, of which d = (a + c - sqrt(a^2 + c^2)) / c lies between 0 and 1.
    """
    alone = gigabytes * 1e9 / CARD  # 2 ranks send 2 (n - 1) / n bytes: as many as there are
    duty = (alone + compute - math.hypot(alone, compute)) / compute
    stretch = 1 / (1 - duty / 2)
    assert duty == pytest.approx(alone * stretch / (compute + alone * stretch))
    expected = 100 * (compute + alone * stretch)
    jobs = [(0.0, compute, gigabytes * 1e9, 0.0, 100)] * 2
    assert ends(CARD, jobs, "fluid") == pytest.approx([expected] * 2, rel=1e-3)  # duties settle to 1e-4


@given(
    st.lists(st.tuples(st.floats(0.5, 8.0), st.integers(1, 9)), min_size=1, max_size=4),
    st.sampled_from([CARD, 1.5 * CARD, 4 * CARD]),
)
@settings(max_examples=25)
def test_jobs_that_only_communicate_share_by_max_min(drawn: list[tuple[float, int]], uplink: float) -> None:
    """Their duty is 1, and then all fidelities are the plain fabric."""
    jobs = [(0.0, 0.0, size * 1e9, 0.0, rounds) for size, rounds in drawn]
    exact = ends(uplink, jobs, "steady")
    assert ends(uplink, jobs, "fluid") == pytest.approx(exact, rel=1e-9)
    assert ends(uplink, jobs, "flow") == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
def test_a_job_alone_takes_its_work(fidelity: str, overlap: float) -> None:
    compute, gradient = 0.7, 5e9
    base = compute + max(0.0, gradient / CARD - overlap * compute)
    (found,) = ends(CARD, [(3.0, compute, gradient, overlap, 250)], fidelity)
    assert found == pytest.approx(250 * base, rel=1e-9)


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
def test_jobs_for_which_there_is_room_do_not_meet(fidelity: str) -> None:
    jobs = [(0.0, 0.5, 4e9, 0.0, 50), (1.0, 0.3, 2e9, 0.3, 90)]
    together = ends(2 * CARD, jobs, fidelity)
    apart = [ends(2 * CARD, [job], fidelity)[0] for job in jobs]
    assert together == pytest.approx(apart, rel=1e-9)


def test_different_jobs_are_as_fast_as_every_iteration_says() -> None:
    """Jobs whose iterations take different times drift: half of all completion times are right to 3 %."""
    draw = stream(11, "mixes")
    errors = []
    for _ in range(8):
        uplink = CARD * float(draw.choice([1.0, 2.0]))
        jobs = []
        for _ in range(int(draw.integers(2, 5))):
            compute, gradient = float(draw.uniform(0.1, 0.8)), float(draw.uniform(0.5e9, 10e9))
            overlap = float(draw.choice([0.0, 0.3, 0.6]))
            rounds = int(150 / (compute + gradient / CARD))
            jobs.append((float(draw.uniform(0, 5)), compute, gradient, overlap, rounds))
        exact = ends(uplink, jobs, "flow")
        errors += [abs(value / truth - 1) for value, truth in zip(ends(uplink, jobs, "fluid"), exact, strict=True)]
        steady = ends(uplink, jobs, "steady")
        assert all(value >= truth * (1 - 0.01) for value, truth in zip(steady, exact, strict=True))
    assert median(errors) < 0.03
    assert max(errors) < 0.15


class Stage:
    """One link of 10 bytes/s and jobs on it at mean rates."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fabric = Fabric(self.clock, [10.0])
        self.crowd = Crowd(self.clock, self.fabric)
        self.fluid = Fluid(self.clock, self.crowd, self._arrived, interleaved=True)
        self.ends: dict[str, float] = {}

    def begin(self, job: TrainingJob, how: Pattern) -> None:
        job.work = how.work
        self.fluid.begin(job, how)

    def _arrived(self, job: Any) -> None:
        self.fluid.end(job)
        self.ends[job.id] = self.clock.now


def pattern(rounds: int, compute: float, size: float) -> Pattern:
    own = size / 10.0
    return Pattern(compute, bursts=(Burst("dp", (0,), (size,), size, 0.0, own, own, 0.0),), iterations=rounds)


def job() -> TrainingJob:
    made = TrainingJob(id="j", submit=0.0, accelerators=2.0, iterations=1)
    made.since = 0.0
    return made


def test_another_way_keeps_the_iterations_that_are_behind() -> None:
    """10 rounds of 2 s, after 10 s on a way on which they take 3 s: 5 x 2 + 5 x 3 = 25 s."""
    stage, each = Stage(), job()
    stage.begin(each, pattern(10, 1.0, 10.0))
    stage.clock.at(10.0, stage.fluid.reroute, each, lambda: pattern(10, 1.0, 20.0))
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(25.0)
    assert stage.fabric.load(0) == 0.0


def test_work_is_counted_by_the_new_pattern() -> None:
    each = job()
    each.work, each.done = 20.0, 5.0
    rework(each, pattern(10, 1.0, 10.0), pattern(10, 1.0, 30.0))
    assert (each.work, each.done) == (40.0, 10.0)


def test_restarting_is_overhead_and_no_work() -> None:
    stage, each = Stage(), job()
    each.restarting = 4.0
    stage.begin(each, pattern(3, 1.0, 10.0))
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(4.0 + 6.0)
    assert (each.overhead, each.done) == pytest.approx((4.0, 6.0))


def test_a_dead_link_stops_a_job_and_loses_nothing() -> None:
    stage, each = Stage(), job()
    stage.begin(each, pattern(4, 1.0, 10.0))
    stage.clock.at(3.0, stage.crowd.set_capacity, 0, 0.0)
    stage.clock.at(50.0, stage.crowd.set_capacity, 0, 10.0)
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(47.0 + 8.0)
