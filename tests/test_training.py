"""What training costs on the network: formulas, and how a job slows down when it shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.models.training import iteration_time, ring_latency, ring_volume, slowed
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob, Job, TrainingJob

SHARES = st.floats(0.01, 0.99)
RATES = st.floats(1e-3, 1e12)


def batch(communication: float, duration: float = 100.0, accelerators: float = 2.0, **more) -> BatchJob:
    return BatchJob(
        id="b", submit=0.0, accelerators=accelerators, duration=duration, communication=communication, **more
    )


def training(
    iterations: int = 10, compute: float = 1.0, gradient: float = 8e9, overlap: float = 0.0, **more
) -> TrainingJob:
    more = {"id": "t", "submit": 0.0, "accelerators": 2.0} | more
    return TrainingJob(iterations=iterations, compute=compute, gradient=gradient, overlap=overlap, **more)


def two_racks(uplink: float = 1e9, servers: int = 4) -> Topology:
    """Single-accelerator servers, even ones left of an uplink and odd ones right of it, all else fast."""
    links = []
    for index in range(servers):
        side = "left" if index % 2 == 0 else "right"
        links += [
            {"src": f"s{index}", "dst": side, "capacity": 1e15},
            {"src": side, "dst": f"s{index}", "capacity": 1e15},
        ]
    links += [{"src": "left", "dst": "right", "capacity": uplink}, {"src": "right", "dst": "left", "capacity": uplink}]
    return Topology.from_links(links, {f"s{index}": {"accelerators": 1} for index in range(servers)})


def simulate(topology: Topology, *jobs: Job, **more) -> dict[str, list]:
    simulation = Simulation(
        topology=topology, jobs=jobs, scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(), **more
    )
    table = simulation.run().tables["jobs"]
    order = table["id"].argsort(kind="stable")
    return {name: column[order].tolist() for name, column in table.items()}


@pytest.mark.parametrize(("ranks", "factor"), [(1, 0.0), (2, 1.0), (4, 1.5), (8, 1.75), (1024, 2 - 2 / 1024)])
def test_volume_of_a_ring(ranks: int, factor: float) -> None:
    """Each rank sends (n-1)/n of the array twice: reduce-scatter, then all-gather."""
    assert ring_volume(8e9, ranks) == pytest.approx(factor * 8e9, rel=1e-15)
    assert ring_latency(ranks, 1e-6) == pytest.approx(2 * (ranks - 1) * 1e-6, rel=1e-15)


def test_bus_bandwidth_is_the_rate_of_the_ring() -> None:
    """NCCL tests: bus bandwidth = S / t x 2 (n-1)/n is what a link carries, whatever n is."""
    for ranks in (2, 8, 64):
        seconds = iteration_time(0.0, ring_volume(1e9, ranks), 50e9, 0.0, 0.0)
        assert 1e9 / seconds * 2 * (ranks - 1) / ranks == pytest.approx(50e9, rel=1e-12)


@pytest.mark.parametrize(
    ("volume", "rate", "latency", "overlap", "expected"),
    [
        (0.0, 0.0, 1.0, 0.0, 2.0),  # nothing to send
        (10.0, 5.0, 0.0, 0.0, 4.0),
        (10.0, 5.0, 1.0, 0.0, 5.0),
        (10.0, 5.0, 1.0, 0.5, 4.0),  # one of two compute seconds hides
        (10.0, 5.0, 0.0, 1.0, 2.0),  # all of it hides
        (10.0, 0.0, 0.0, 1.0, math.inf),
        (10.0, math.inf, 0.0, 0.0, 2.0),
    ],
)
def test_time_of_an_iteration(volume: float, rate: float, latency: float, overlap: float, expected: float) -> None:
    assert iteration_time(2.0, volume, rate, latency, overlap) == expected


@given(SHARES, RATES, RATES)
def test_slowing_down_is_between_the_rate_and_nothing(share: float, rate: float, alone: float) -> None:
    speed = slowed(share, rate, alone)
    low, high = sorted((1.0, rate / alone))
    assert low * (1 - 1e-9) <= speed <= high * (1 + 1e-9)
    assert 1 / speed == pytest.approx((1 - share) + share * alone / rate, rel=1e-12)


def test_slowing_down_at_the_ends() -> None:
    assert slowed(0.0, rate=0.0, alone=1.0) == 1.0
    assert slowed(0.3, rate=5.0, alone=5.0) == pytest.approx(1.0)
    assert slowed(0.3, rate=0.0, alone=5.0) == 0.0
    assert slowed(1.0, rate=1.0, alone=4.0) == 0.25


def test_two_training_jobs_share_an_uplink() -> None:
    """1 s of compute, 2 s of uplink: alone 3 s an iteration; together each has half, so 5 s."""
    topology = two_racks(uplink=4e9)
    alone = simulate(topology, training())
    both = simulate(topology, training(id="a"), training(id="b"), fidelity="flow")
    assert alone["end"] == pytest.approx([30.0], rel=1e-12)
    assert both["end"] == pytest.approx([50.0, 50.0], rel=1e-12)
    assert both["network"] == pytest.approx([40.0, 40.0], rel=1e-9)
    assert simulate(topology, training(id="a"), training(id="b"), contention=False)["end"] == pytest.approx(
        [30.0, 30.0]
    )


def test_two_replayed_jobs_share_an_uplink() -> None:
    """Half of their time is network: at half of the rate they take 1.5 times as long."""
    topology = two_racks()
    assert simulate(topology, batch(0.5))["end"] == pytest.approx([100.0])
    jobs = [BatchJob(id=name, submit=0.0, accelerators=2.0, duration=100.0, communication=0.5) for name in "ab"]
    assert simulate(topology, *jobs, fidelity="steady")["end"] == pytest.approx([150.0, 150.0], rel=1e-12)


def test_a_job_on_a_link_that_dies_waits_for_it() -> None:
    """Iterations of 3 s; the uplink is gone from 6 s to 16 s: two are done, the rest comes ten seconds later."""
    topology = two_racks(uplink=4e9)
    uplink = topology.path("left", "right")[0]
    found = simulate(topology, training(), capacity_events=[(6.0, uplink, 0.0), (16.0, uplink, 4e9)])
    assert found["end"] == pytest.approx([40.0], rel=1e-12)


@pytest.mark.parametrize("job", [training(), batch(0.5, duration=30.0)], ids=["training", "batch"])
def test_a_job_that_starts_on_a_dead_link_waits_for_it(job: Job) -> None:
    topology = two_racks(uplink=4e9)
    uplink = topology.path("left", "right")[0]
    found = simulate(topology, job, capacity_events=[(0.0, uplink, 0.0), (10.0, uplink, 4e9)])
    assert found["end"] == pytest.approx([40.0], rel=1e-12)
