"""Hash collisions: balls into bins, and what they cost a permutation."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from simulator.cluster.builders import builders
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.experiment.collisions import compare_routing
from simulator.models.collisions import fullest_path

NODES, SPINES = 64, 8


def fullest(flows: int, trial: int) -> int:
    """Flows on the fullest uplink when so many leave one leaf, each hashed by its label."""
    built = builders.get("leaf-spine")(nodes=NODES, nodes_per_leaf=32, spines=SPINES)
    used = Counter(built.path("node-0", "node-40", trial * 10_000 + label)[1] for label in range(flows))
    return max(used.values())


@pytest.mark.parametrize("flows", [64, 400, 2000])
def test_the_fullest_path_is_that_of_balls_into_bins(flows: int) -> None:
    """On the mean it lies between half of the excess and all of it, and is what chance makes of it."""
    bound, even = fullest_path(flows, SPINES), flows / SPINES
    found = np.array([fullest(flows, trial) for trial in range(60)])
    assert even + 0.4 * (bound - even) < found.mean() < bound
    chance = stream(1, "balls").multinomial(flows, [1 / SPINES] * SPINES, 4000).max(axis=1)
    assert abs(found.mean() - chance.mean()) < 4 * chance.std() / math.sqrt(len(found))


def test_the_bound() -> None:
    assert fullest_path(100, 1) == 100
    assert fullest_path(512, 16) == 32 + math.sqrt(64 * math.log(16))


def test_what_routing_costs_a_permutation_on_a_fat_tree() -> None:
    """Published and measured permutations on fat-trees lose a factor of 2 to 5 to ECMP and nothing to spraying."""
    table = compare_routing(builders.get("fat-tree")(k=8), seed=1)
    slowdown = dict(zip(zip(table["routing"], table["flows"], strict=True), table["slowdown"], strict=True))
    assert slowdown["spray", 1] == pytest.approx(1.0, rel=1e-9)
    assert 2.0 <= slowdown["ecmp", 1] <= 6.0
    assert 1.0 < slowdown["ecmp", 16] < 0.6 * slowdown["ecmp", 1]
    assert 1.0 <= slowdown["adaptive", 1] < slowdown["ecmp", 1]
    assert (table["mean"] <= table["makespan"]).all()


def test_a_permutation_needs_two() -> None:
    with pytest.raises(InputError, match=r"^a permutation needs two servers or more$"):
        compare_routing(builders.get("single-switch")(nodes=1))
