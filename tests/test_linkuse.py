"""How full links were, from tables written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import simulator as sim
from simulator.core.errors import InputError
from simulator.experiment.linkuse import link_spans, link_use, natural, tier_order
from simulator.experiment.results import Results
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from tests.synthetic import table

ROWS = [
    (0.0, 0, "leaf-0", "spine-0", "leaf-spine", 0.0, 10.0),
    (0.0, 1, "leaf-0", "spine-1", "leaf-spine", 5.0, 10.0),
    (0.0, 2, "node-0", "leaf-0", "host", 4.0, 40.0),
    (2.0, 0, "leaf-0", "spine-0", "leaf-spine", 10.0, 10.0),
    (4.0, 1, "leaf-0", "spine-1", "leaf-spine", 0.0, 0.0),
    (6.0, 0, "leaf-0", "spine-0", "leaf-spine", 2.0, 20.0),
]
"""Ten seconds of three links."""


def watched(rows=ROWS, **facts) -> Record:
    return Record({"links": table("links", rows)}, {"end": 10.0, "warmup": 0.0} | facts)


def test_totals_run_from_the_warm_up_to_the_end():
    use = link_use(Window(watched()))
    assert (use.src, use.dst, use.tier) == (
        ["leaf-0", "leaf-0", "node-0"], ["spine-0", "spine-1", "leaf-0"], ["leaf-spine", "leaf-spine", "host"],
    )  # fmt: skip
    assert use.carried.tolist() == [48.0, 20.0, 40.0]
    assert use.possible.tolist() == [140.0, 40.0, 400.0]
    assert use.peak.tolist() == [1.0, 0.5, 0.1]
    late = link_use(Window(watched(warmup=5.0)))
    assert (late.carried.tolist(), late.possible.tolist()) == ([18.0, 0.0, 20.0], [90.0, 0.0, 200.0])
    assert late.peak.tolist() == [1.0, 0.0, 0.1]
    assert np.isnan(late.utilization[1])


def test_spans_are_means_of_load_over_capacity_and_nan_while_down():
    shares = link_spans(Window(watched()), [1, 0], np.array([0.0, 1.0, 3.0, 8.0, 10.0]))
    assert shares[1].tolist() == [0.0, 0.5, pytest.approx(34 / 70), pytest.approx(0.1)]
    assert shares[0, :3].tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(shares[0, 3])


def test_tiers_go_from_the_server_to_the_core_and_names_count():
    assert sorted(["spine-core", "mine", "host", "leaf-spine", ""], key=tier_order) == [
        "host", "leaf-spine", "spine-core", "", "mine",
    ]  # fmt: skip
    assert sorted(["leaf-10", "leaf-2", "core", "leaf-2/1"], key=natural) == ["core", "leaf-2", "leaf-2/1", "leaf-10"]


def test_the_frame_has_a_row_for_each_tier_or_link():
    slow = [(*row[:5], row[5] / 2, row[6]) for row in ROWS]
    results = Results({("a", 0): watched(), ("a", 1): watched(slow), ("b", 0): watched(slow), ("b", 1): watched(slow)})
    tiers = results.link_utilization()
    assert list(tiers.columns) == ["alternative", "tier", "links", "utilization", "busiest", "peak"]
    assert tiers.values.tolist() == [
        ["a", "host", 1, pytest.approx(0.075), pytest.approx(0.075), pytest.approx(0.075)],
        ["a", "leaf-spine", 2, pytest.approx(0.75 * 68 / 180), pytest.approx(0.375), 0.75],
        ["b", "host", 1, pytest.approx(0.05), pytest.approx(0.05), pytest.approx(0.05)],
        ["b", "leaf-spine", 2, pytest.approx(0.5 * 68 / 180), pytest.approx(0.25), 0.5],
    ]
    links = results.link_utilization("link")
    assert list(links.columns) == ["alternative", "link", "src", "dst", "tier", "utilization", "peak", "bytes"]
    assert links["bytes"].tolist() == [36.0, 15.0, 30.0, 24.0, 10.0, 20.0]
    with pytest.raises(InputError, match=r"grouped by tier or by link, not by 'tiers'. Did you mean 'tier'"):
        results.link_utilization("tiers")


def test_links_are_saved_and_loaded_with_the_rest_and_only_then(tmp_path):
    with_links = Results({("a", 0): watched(), ("b", 0): Record({}, {"end": 1.0})})
    path = with_links.save(tmp_path / "with", report=False)
    again = Results.load(path)
    assert again.links.equals(with_links.links)
    assert "links" not in again.records["b", 0].tables
    without = Results({("a", 0): Record({}, {"end": 1.0})})
    assert not (without.save(tmp_path / "with", force=True, report=False) / "links.csv").exists()
    assert Results.load(tmp_path / "with").links.empty
    (with_links.save(tmp_path / "lost", report=False) / "links.csv").unlink()
    with pytest.raises(InputError, match=r"links.csv: is missing"):
        Results.load(tmp_path / "lost")


def test_a_run_that_recorded_nothing_has_no_frame_rows():
    results = sim.run({"name": "x", "topology": {"build": "pool", "accelerators": 1},
                       "workload": {"w": {"jobs": [{"accelerators": 1, "duration": "1 s"}]}}})  # fmt: skip
    assert results.link_utilization("link").empty
    assert list(results.link_utilization().columns)[:2] == ["alternative", "tier"]
