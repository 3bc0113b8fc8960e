"""Named random streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.core.rng import stream

ROOT = Path(__file__).parents[1]


def test_the_numbers_of_a_stream_are_pinned() -> None:
    """A release that changes them changes every result: it must say so."""
    assert stream(7, "arrivals").integers(1000, size=5).tolist() == [662, 218, 337, 14, 778]
    assert stream(7, "arrivals", 1).integers(1000, size=5).tolist() != [662, 218, 337, 14, 778]


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_the_hash_seed_of_python_does_not_matter(hash_seed: str) -> None:
    code = "from simulator.core.rng import stream; print(stream(3, 'placement', 2).random(3).tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(stream(3, "placement", 2).random(3).tolist())


def test_streams_of_other_names_seeds_and_replications_are_others() -> None:
    keys = [(seed, name, r) for seed in (0, 1, 2**63) for name in ("a", "b", "arrivals", "") for r in (0, 1, 999)]
    starts = [tuple(stream(*key).integers(2**63, size=4)) for key in keys]
    assert len(set(starts)) == len(keys)


def test_streams_are_independent() -> None:
    """Draws of two names under one seed do not correlate (4 sigma)."""
    first, second = (stream(11, name).standard_normal(100_000) for name in ("arrivals", "service"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(100_000)


def test_drawing_from_one_stream_leaves_the_others_alone() -> None:
    before = stream(5, "workload").random(3).tolist()
    stream(5, "policy").random(1000)
    assert stream(5, "workload").random(3).tolist() == before
