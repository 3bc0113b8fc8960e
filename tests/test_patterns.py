"""What jobs do at their places: training of known length, replayed jobs, models; ways that are lost and found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.models.training import Layout
from simulator.runtime.communicator import Communicator
from simulator.runtime.patterns import PlacedPatterns
from simulator.runtime.placed import PlacedStep
from simulator.runtime.recipe import Recipe
from simulator.runtime.router import Router
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob, Job, TrainingJob

RAILS = builders.get("rail-optimised")(nodes=4, node="dgx-h100")
TWO = ((0, 8.0), (2, 8.0))


class Cluster:
    """Jobs at their places on a topology."""

    def __init__(self, topology: Topology = RAILS, algorithm: str = "auto") -> None:
        self.topology, self.router, self.slots = topology, Router(topology), Slots(topology)
        self.patterns = PlacedPatterns(topology, self.router, self.slots, algorithm)

    def place(self, job: Job, *placement: tuple[int, float]) -> Job:
        job.placement = placement
        self.slots.take(job)
        return job

    def cut(self, vertex: str, up: bool = False) -> None:
        for link, ends in enumerate(self.topology.ends):
            if vertex in ends:
                self.router.set_up(link, up)


def training(
    accelerators: float = 16.0, gradient: float = 4e9, overlap: float = 0.0, compute: float = 0.5
) -> TrainingJob:
    return TrainingJob(
        id="t", submit=0.0, accelerators=accelerators, iterations=7, compute=compute, gradient=gradient, overlap=overlap
    )


def batch(duration: float, communication: float, accelerators: float = 16.0) -> BatchJob:
    return BatchJob(id="b", submit=0.0, accelerators=accelerators, duration=duration, communication=communication)


@pytest.mark.parametrize("overlap", [0.0, 0.01, 1.0])
def test_an_iteration_is_computing_and_an_all_reduce(overlap: float) -> None:
    cluster = Cluster()
    pattern = cluster.patterns(cluster.place(training(overlap=overlap), *TWO))
    members = [(server, device) for server in (0, 2) for device in range(8)]
    alone = Communicator(RAILS, members).plan("all-reduce", 4e9).time(RAILS.capacity)
    assert pattern.base == pytest.approx(0.5 + max(0.0, alone - overlap * 0.5), rel=1e-9)
    assert pattern.work == pytest.approx(7 * pattern.base)


def test_on_one_server_no_link_is_used() -> None:
    cluster = Cluster()
    pattern = cluster.patterns(cluster.place(training(8.0), (1, 8.0)))
    alone = Communicator(RAILS, [(1, device) for device in range(8)]).plan("all-reduce", 4e9).time(RAILS.capacity)
    assert pattern.bursts == ()
    assert pattern.inside == pytest.approx(alone)


@pytest.mark.parametrize("job", [training(1.0), training(16.0, gradient=0.0)], ids=["one accelerator", "no gradients"])
def test_who_has_nothing_to_say_computes(job: TrainingJob) -> None:
    cluster = Cluster()
    pattern = cluster.patterns(cluster.place(job, *(((0, 1.0),) if job.accelerators == 1 else TWO)))
    assert (pattern.bursts, pattern.base) == ((), 0.5)


@given(st.floats(0.001, 1e9), st.floats(0.01, 0.99), st.sampled_from([TWO, ((0, 8.0),), ((0, 1.0),)]))
def test_a_replayed_job_takes_its_duration_and_its_share(
    duration: float, share: float, placement: tuple[tuple[int, float], ...]
) -> None:
    cluster = Cluster()
    job = batch(duration, share, sum(taken for _, taken in placement))
    pattern = cluster.patterns(cluster.place(job, *placement))
    assert pattern.work == duration
    assert pattern.iterations * pattern.base == pytest.approx(duration, rel=1e-9)
    assert pattern.share == pytest.approx(share, rel=1e-6)
    assert 1 <= pattern.iterations <= 1_000_000
    assert bool(pattern.bursts) == (len(placement) > 1)


def test_the_algorithm_is_that_of_the_network_keys() -> None:
    """A ring of 16 ranks in 8 channels: each card sends 2 (n - 1) / n of an eighth."""
    cluster = Cluster(algorithm="ring")
    (burst,) = cluster.patterns(cluster.place(training(), *TWO)).bursts
    out = {RAILS.ends[link]: sent for link, sent in zip(burst.links, burst.usage, strict=True)}
    assert out["node-0/5", "leaf-0-5"] == pytest.approx(2 * 15 / 16 * 4e9 / 8)


def test_half_servers_use_cards_of_their_own() -> None:
    cluster = Cluster()
    halves = [cluster.place(training(8.0), (0, 4.0), (1, 4.0)) for _ in range(2)]
    first, second = (set(cluster.patterns(half).usage) for half in halves)
    assert first
    assert first.isdisjoint(second)


def test_a_model_is_placed_by_its_ranks() -> None:
    recipe = Recipe(
        catalog.model("llama-3-8b"), Layout(accelerators=16, tp=8, global_batch=16), catalog.framework("megatron-core")
    )
    job = TrainingJob(id="m", submit=0.0, accelerators=16.0, iterations=3, recipe=recipe)
    cluster = Cluster()
    found = cluster.patterns(cluster.place(job, *TWO))
    members = [(server, device) for server in (0, 2) for device in range(8)]
    assert found == PlacedStep(recipe, RAILS, Router(RAILS), members).pattern(3)
    assert cluster.patterns(job) is found


def test_a_spine_that_is_lost_is_left_out_and_taken_again() -> None:
    tree = builders.get("leaf-spine")(nodes=4, node="dgx-h100", nodes_per_leaf=2, spines=2)
    cluster = Cluster(tree)
    job = cluster.place(training(), (0, 8.0), (2, 8.0))
    before = cluster.patterns(job)
    cluster.cut("spine-0")
    during = cluster.patterns(job)
    assert {end for link in during.usage for end in tree.ends[link]}.isdisjoint({"spine-0"})
    assert sum(during.usage.values()) == pytest.approx(sum(before.usage.values()))
    cluster.cut("spine-0", up=True)
    assert cluster.patterns(job) == before


def test_without_any_way_traffic_waits_where_it_would_go() -> None:
    cluster = Cluster()
    job = cluster.place(training(), *TWO)
    before = cluster.patterns(job)
    cluster.cut("node-2/3")
    assert cluster.patterns(job) == before
    assert all(math.isfinite(burst.alone) for burst in before.bursts)


def test_mistakes_name_the_job() -> None:
    cluster = Cluster(algorithm="torus")
    with pytest.raises(InputError, match="job 't': algorithm 'torus' cannot run all-reduce on 16 ranks"):
        cluster.patterns(cluster.place(training(), *TWO))


def test_of_many_placements_the_latest_are_remembered() -> None:
    """What is forgotten is made anew, and alike."""
    cluster = Cluster(builders.get("single-switch")(nodes=60, node="dgx-h100"))
    first = training(2.0)
    first.placement = ((0, 1.0), (1, 1.0))
    found = cluster.patterns(first)
    for a in range(60):
        for b in range(a + 1, 60):
            other = training(2.0)
            other.placement = ((a, 1.0), (b, 1.0))
            cluster.patterns(other)
    assert len(cluster.patterns._known) <= 1024
    assert cluster.patterns(first) == found
