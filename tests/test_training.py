"""What training costs on the network: formulas, the ring of a placement, and how a job slows down when it shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.models.training import iteration_time, ring_latency, ring_volume, slowed
from simulator.policies.api import placers, schedulers
from simulator.runtime import training as training_module
from simulator.runtime.fabric import Fabric
from simulator.runtime.simulation import Simulation
from simulator.runtime.training import Exchange, Ring, Rings
from simulator.workload.jobs import BatchJob, Job, TrainingJob

NDR = catalog.link("infiniband-ndr")
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


def test_ring_over_two_full_servers() -> None:
    """One channel for each card: eight of them out of every server and eight into it, through the one switch."""
    built = builders.get("single-switch")(nodes=3)
    ring = Rings(built)(((0, 8.0), (2, 8.0)))
    out_0, out_2 = built.path("node-0", "node-2"), built.path("node-2", "node-0")
    assert (ring.ranks, ring.channels) == (16, 8)
    assert dict(zip(ring.links, ring.usage, strict=True)) == dict.fromkeys(out_0 + out_2, 8.0)
    assert ring.limit == NDR.goodput
    assert ring.hop == pytest.approx(NDR.end_latency + NDR.latency, rel=1e-12)


def test_ring_over_racks_spreads_its_channels_over_the_spines() -> None:
    """Usage of a link counts (channel, hop) pairs: a leaf sends up as many as its servers send to other leaves."""
    built = builders.get("leaf-spine")(nodes=8, nodes_per_leaf=4, spines=4)
    ring = Rings(built)(((0, 8.0), (1, 8.0), (4, 8.0)))
    usage = dict(zip(ring.links, ring.usage, strict=True))
    ends = {link: built.ends[link] for link in usage}
    assert ring.channels == 8
    for node in ("node-0", "node-1", "node-4"):
        assert usage[built.path(node, "node-0" if node != "node-0" else "node-1")[0]] == 8.0
    assert sum(n for link, n in usage.items() if ends[link][0] == "leaf-0" and ends[link][1].startswith("spine")) == 8.0
    assert sum(n for link, n in usage.items() if ends[link][1] == "leaf-0" and ends[link][0].startswith("spine")) == 8.0
    assert len({end for link, end in ends.items() if end[0] == "leaf-0" and end[1].startswith("spine")}) > 1


def test_channels_are_as_many_as_the_smallest_part() -> None:
    built = builders.get("single-switch")(nodes=2)
    ring = Rings(built)(((0, 8.0), (1, 4.0)))
    assert (ring.ranks, ring.channels, set(ring.usage)) == (12, 4, {4.0})


def test_few_cards_for_many_accelerators_hold_the_ring_back() -> None:
    """Eight L40S share two cards: each of eight channels gets a quarter of a card, though it could fill a whole one."""
    built = builders.get("single-switch")(nodes=2, node="l40s-8-pcie", link="roce-100g")
    ring = Rings(built)(((0, 8.0), (1, 8.0)))
    exchange = Exchange(training(), ring, Fabric(Clock(), built.capacity), lambda: None)
    card = catalog.link("roce-100g").goodput
    assert exchange.alone == pytest.approx(min(2 * card / 8, ring.limit), rel=1e-12)


def test_the_inside_of_the_servers_may_be_the_narrow_part() -> None:
    """All channels cross each accelerator's port inside the server: it is shared by as many as there are."""
    links = [{"src": a, "dst": b, "capacity": 1e12} for a, b in (("a", "b"), ("b", "a"))]
    built = Topology.from_links(links, {name: {"accelerators": 4, "scale_up": 20e9} for name in "ab"})
    assert Rings(built)(((0, 4.0), (1, 4.0))).limit == 5e9


def test_one_server_needs_no_network() -> None:
    built = builders.get("single-switch")(nodes=2)
    ring = Rings(built)(((0, 8.0),))
    h100 = catalog.accelerator("h100-sxm")
    assert ring == Ring(8, 1, (), (), h100.scale_up_bandwidth, catalog.link("nvlink4").end_latency)


def test_equal_placements_share_a_ring_whatever_their_order() -> None:
    rings = Rings(builders.get("single-switch")(nodes=2))
    assert rings(((0, 8.0), (1, 8.0))) is rings(((0, 8.0), (1, 8.0)))
    assert rings(((1, 8.0), (0, 8.0))) == rings(((0, 8.0), (1, 8.0)))


def test_not_all_rings_of_a_long_run_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "_KEPT", 3)
    rings = Rings(builders.get("single-switch")(nodes=6))
    first = rings(((0, 1.0), (1, 1.0)))
    for other in range(2, 6):
        rings(((0, 1.0), (other, 1.0)))
    assert len(rings._known) == 3
    assert rings(((0, 1.0), (1, 1.0))) == first


def test_a_share_of_an_accelerator_talks_to_nobody() -> None:
    ring = Rings(builders.get("single-switch")(nodes=2))(((0, 0.5),))
    assert (ring.ranks, ring.links) == (1, ())


@given(SHARES, st.floats(0.05, 1.0))
def test_speed_of_a_batch_job_follows_its_share(communication: float, part: float) -> None:
    topology = two_racks(uplink=8.0, servers=2)
    exchange = Exchange(
        batch(communication), Rings(topology)(((0, 1.0), (1, 1.0))), Fabric(Clock(), topology.capacity), lambda: None
    )
    assert (exchange.alone, exchange.share, exchange.work()) == (8.0, communication, 100.0)
    exchange.stream.rate = 8.0 * part
    assert exchange.speed() == pytest.approx(1 / (1 - communication + communication / part), rel=1e-12)


@given(st.floats(0.05, 1.0), st.sampled_from([0.0, 0.25, 1.0]))
def test_speed_of_a_training_job_follows_its_iterations(part: float, overlap: float) -> None:
    topology = two_racks(uplink=4e9, servers=2)
    ring = Rings(topology)(((0, 1.0), (1, 1.0)))
    exchange = Exchange(training(overlap=overlap), ring, Fabric(Clock(), topology.capacity), lambda: None)
    # 2 (2 - 1) / 2 x 8 GB at 4 GB/s
    alone, now = (1.0 + max(0.0, 2.0 / p - overlap * 1.0) for p in (1.0, part))
    assert exchange.work() == pytest.approx(10 * alone, rel=1e-12)
    assert exchange.share == pytest.approx(1 - 1.0 / alone, rel=1e-12, abs=1e-15)
    exchange.stream.rate = 4e9 * part
    assert exchange.speed() == pytest.approx(alone / now, rel=1e-12)


def test_speeds_that_are_no_number_elsewhere() -> None:
    """No time at all, a link that is down now, a link that was never up: 1, 0 and 0, never a division by zero."""
    topology = two_racks(uplink=4e9, servers=2)
    ring, fabric = Rings(topology)(((0, 1.0), (1, 1.0))), Fabric(Clock(), topology.capacity)
    assert Exchange(training(compute=0.0, gradient=0.0), ring, fabric, lambda: None).speed() == 1.0
    assert Exchange(training(), ring, fabric, lambda: None).speed() == 0.0
    never = two_racks(uplink=0.0, servers=2)
    dead = Exchange(training(), Rings(never)(((0, 1.0), (1, 1.0))), Fabric(Clock(), never.capacity), lambda: None)
    assert (dead.work(), dead.share, dead.speed()) == (math.inf, 1.0, 0.0)


def test_two_training_jobs_share_an_uplink() -> None:
    """1 s of compute, 2 s of uplink: alone 3 s an iteration; together each has half, so 5 s."""
    topology = two_racks(uplink=4e9)
    alone = simulate(topology, training())
    both = simulate(topology, training(id="a"), training(id="b"))
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
    assert simulate(topology, *jobs)["end"] == pytest.approx([150.0, 150.0], rel=1e-12)


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
