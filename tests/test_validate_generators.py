"""``simulator validate generators``: every preset is compared, and a preset that is wrong would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.experiment.validation.generators import (
    FIGURES,
    quantile_distance,
    references,
    samples,
    share_distance,
)
from simulator.workload.generate import generators
from simulator.workload.presets import DATA
from simulator.workload.trace import Trace


def of(durations: list[float], accelerators: list[float]) -> Trace:
    columns = {
        "submit": np.arange(float(len(durations))),
        "duration": np.array(durations),
        "accelerators": np.array(accelerators),
    }
    return Trace("t", columns)  # fmt: skip


def test_every_preset_has_a_reference() -> None:
    assert [path.stem for path in sorted(DATA.glob("*.yaml"))] == sorted(references())
    assert set(references()) <= set(generators.names())
    for reference in references().values():
        assert reference["source"]
        assert set(reference["figures"]) <= set(FIGURES)


def test_samples_are_as_many_as_make_enough_jobs() -> None:
    made = samples("gavel-like", 30_000)
    assert [len(trace) for trace in made] == [30_000] * 5
    assert len(samples("muri-wide-like", 10)) == 16
    assert made[0].columns["duration"].tolist() != made[1].columns["duration"].tolist()


def test_distances() -> None:
    made = of([1, 2, 2, 10], [1, 1, 2, 8])
    assert quantile_distance([made], {"p": [0, 0.5, 0.75, 1], "v": [1, 2, 2, 10]}) == 0
    assert quantile_distance([made], {"p": [0.5], "v": [1]}) == pytest.approx(0.25)
    assert quantile_distance([made], {"p": [0.1], "v": [10]}) == pytest.approx(0.65)
    assert share_distance([made, made], {1: 0.5, 2: 0.75, 8: 1.0}) == 0
    assert share_distance([made], {1: 0.9}) == pytest.approx(0.4)


def test_a_wrong_preset_is_beyond_the_bound() -> None:
    known = references()["muri-like"]
    made = samples("muri-like", known["jobs"])
    assert quantile_distance(made, known["durations"]) < 0.05
    slower = [replace(trace, columns=trace.columns | {"duration": 2 * trace.columns["duration"]}) for trace in made]
    assert quantile_distance(slower, known["durations"]) > 0.05
    assert share_distance(samples("muri-wide-like", 992), known["sizes"]) > 0.2
