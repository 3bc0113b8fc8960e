"""Fragments and their gradient, against a count by hand and one job at a time."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Server, Topology
from simulator.core.rng import stream
from simulator.policies.fragmentation import Shape, Typical
from simulator.policies.placement.fgd import FragmentationGradientDescent
from simulator.workload.jobs import BatchJob

TYPICAL = Typical.counted(
    Counter(
        {
            Shape(4000, 500, 1): 5, Shape(8000, 1000, 1): 4, Shape(2000, 0, 0): 3, Shape(1000, 300, 1, ("t4",)): 2,
            Shape(16000, 1000, 2): 1,
        }
    ),
    1.0,
)  # fmt: skip
NOWHERE = Topology.from_links([], {"a": {"accelerators": 1}})


def job(accelerators: float, cores: float = 0.0, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, cores=cores, **more)


def by_hand(typical: Typical, cores: int, devices: list[int], kind: str) -> int:
    """Fragments by the definition of the paper, one typical job and one accelerator at a time."""
    lost = 0
    for shape, count in zip(typical.shapes, typical.counts, strict=True):
        usable = [left for left in devices if left >= shape.share]
        holds = shape.number > 0 and len(usable) >= shape.number and cores >= shape.cores
        holds = holds and (not shape.types or kind in shape.types)
        lost += count * (sum(devices) - (sum(usable) if holds else 0))
    return lost


def score_by_hand(typical: Typical, cores: int, devices: list[int], kind: str, wanted: Shape) -> tuple[int, int]:
    """Score and accelerator of one server."""
    before = by_hand(typical, cores, devices, kind)
    options = []
    if 0 < wanted.share < 1000:
        for device, left in enumerate(devices):
            if left >= wanted.share:
                after = [have - wanted.share * (number == device) for number, have in enumerate(devices)]
                options.append((device, after))
    else:
        after, needed = list(devices), wanted.number
        for device, left in enumerate(devices):
            if left == 1000 and needed:
                after[device], needed = 0, needed - 1
        options.append((-1, after))
    scored = []
    for device, after in options:
        fall = before - by_hand(typical, cores - wanted.cores, after, kind)
        scored.append((int(100 / (1 + math.exp(-fall / 1000 / typical.weight))), device))
    best = max(score for score, _ in scored)
    return next((score, device) for score, device in scored if score == best)


@given(
    st.integers(0, 20),
    st.lists(st.sampled_from([0, 200, 300, 500, 700, 1000]), min_size=1, max_size=4),
    st.sampled_from(["t4", "p100"]),
)
def test_fragments_are_those_of_the_definition(cores: int, devices: list[int], kind: str) -> None:
    found = TYPICAL.fragments(np.array([cores * 1000]), np.array([devices]), TYPICAL.welcome([kind]))
    assert found.tolist() == [by_hand(TYPICAL, cores * 1000, devices, kind)]


def test_the_best_server_and_accelerator_are_found_while_things_come_and_go() -> None:
    """Scores that are kept and mended are those of a count from nothing, in every step of a long run."""
    rng = stream(1, "fgd")
    servers = [Server(f"s{i}", 1 + i % 4, ("t4", "p100")[i % 2], cores=8.0 * (1 + i % 3)) for i in range(12)]
    nodes = Allocator(servers)
    placer = FragmentationGradientDescent(popularity=1.0)
    shapes = [(0.5, 4.0), (1.0, 8.0), (0.0, 2.0), (0.3, 1.0), (2.0, 16.0), (0.2, 0.0), (0.7, 0.0)]
    usual = [job(*shape) for shape in shapes for _ in range(3)] + [job(0.3, 1.0, accelerator_types=("t4",))] * 4
    placer.learn(usual)
    typical = Typical.of(usual, 1.0)
    running: list[tuple[int, float, float, int]] = []
    placed = 0
    for _ in range(400):
        accelerators, cores = shapes[int(rng.integers(len(shapes)))]
        wanted = job(accelerators, cores)
        shape = Shape.of(wanted)
        fits = np.flatnonzero(nodes.fits_for(wanted)).tolist()
        chosen = placer.place(wanted, nodes, NOWHERE)
        if chosen is None or len(chosen) > 1:
            assert not fits
        else:
            state = {
                i: (round(nodes.free_cores[i] * 1000), nodes.device_free[i, : servers[i].accelerators].tolist())
                for i in fits
            }
            scored = {i: score_by_hand(typical, *state[i], servers[i].accelerator, shape) for i in fits}
            best = max(score for score, _ in scored.values())
            server = next(i for i in fits if scored[i][0] == best)
            assert chosen == ((server, accelerators),)
            device = scored[server][1]
            if 0 < accelerators < 1:
                assert placer.device(wanted, server, nodes) == device
            running.append((server, accelerators, cores, nodes.take(server, accelerators, cores, device=device)))
            placed += 1
        if running and rng.random() < 0.4:
            server, accelerators, cores, device = running.pop(int(rng.integers(len(running))))
            nodes.give(server, accelerators, cores, 0.0, device)
    assert placed > 100


def test_the_usual_are_the_most_frequent_that_make_up_the_share() -> None:
    jobs = [job(0.5)] * 60 + [job(1.0)] * 30 + [job(2.0)] * 6 + [job(4.0)] * 4
    typical = Typical.of(jobs, 0.95)
    assert [(shape.share, shape.number) for shape in typical.shapes] == [(500, 1), (1000, 1), (1000, 2)]
    assert (typical.counts, typical.weight) == ((60, 30, 6), 96)
    assert Typical.of([], 0.95).shapes == ()


def test_without_lessons_it_counts_what_starts() -> None:
    nodes = Allocator([Server("a", 2), Server("b", 2)])
    nodes.take(1, 0.4)
    placer, wanted = FragmentationGradientDescent(), job(0.6)
    assert placer.place(wanted, nodes, NOWHERE) == ((1, 0.6),), "as if all jobs were like this one: 0.4 would be lost"
    for _ in range(4):
        placer.on_submit(job(0.3))
    assert placer.place(wanted, nodes, NOWHERE) == ((0, 0.6),), "what is left suits those that usually come"
    placer.reset()
    assert placer.place(wanted, nodes, NOWHERE) == ((1, 0.6),)


@pytest.mark.parametrize("popularity", [0.0, 1.5])
def test_popularity_is_a_share(popularity: float) -> None:
    with pytest.raises(ValueError, match=f"^popularity is {popularity:g}; it must be above 0 and at most 1$"):
        FragmentationGradientDescent(popularity)
