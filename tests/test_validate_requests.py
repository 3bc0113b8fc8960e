"""``simulator validate requests``: every preset is compared, and a preset that is wrong would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.experiment.validate import rows
from simulator.experiment.validation.requests import FIGURES, quantile_distance, references, samples
from simulator.workload.presets import DATA
from simulator.workload.requestlog import RequestLog


def test_every_preset_has_a_reference() -> None:
    assert sorted(path.stem for path in (DATA / "requests").glob("*.yaml")) == sorted(references())
    for reference in references().values():
        assert reference["source"]
        assert set(reference["figures"]) <= set(FIGURES)


def test_all_presets_are_like_their_logs() -> None:
    found = rows("requests")
    assert {each["case"] for each in found} == set(references())
    assert [each for each in found if not each["ok"]] == []


def test_distances() -> None:
    columns = {
        "arrival": np.zeros(4), "input": np.array([1, 2, 2, 10]), "output": np.ones(4, dtype=int),
    }  # fmt: skip
    log = RequestLog("t", columns)
    assert quantile_distance([log], "input", {"p": [0, 0.5, 0.75, 1], "v": [1, 2, 2, 10]}) == 0
    assert quantile_distance([log], "input", {"p": [0.1], "v": [10]}) == pytest.approx(0.65)


def test_a_wrong_preset_is_beyond_the_bound() -> None:
    known = references()["chat-like"]
    made = samples("chat-like", 3000)
    assert quantile_distance(made, "input", known["input"]) < 0.05
    longer = [replace(log, columns=log.columns | {"input": 2 * log.columns["input"]}) for log in made]
    assert quantile_distance(longer, "input", known["input"]) > 0.05
