"""The measurements that come with the project, and how near the collectives are to them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner

from simulator.cli import main
from simulator.experiment.validate import rows
from simulator.experiment.validation.network import LARGE, measured
from simulator.models.collectives import bus_factor


def test_medians_over_all_series_are_within_the_target() -> None:
    """64 MiB and more: 10 %; below: 30 %."""
    large = [abs(each.error) for each in measured() if each.size >= LARGE]
    small = [abs(each.error) for each in measured() if each.size < LARGE]
    assert len(large) > 90
    assert len(small) > 90
    assert median(large) <= 0.10
    assert median(small) <= 0.30


def test_errors_are_those_of_the_rows() -> None:
    each = measured()[0]
    assert each.error == pytest.approx(each.simulated / each.time - 1)
    found = rows("network-rows")
    assert len(found) == len(measured())
    assert found[0]["error"] == pytest.approx(each.error)


def test_all_kinds_of_machines_and_networks_are_there() -> None:
    protocols = Counter(each.group.network.protocol.id for each in measured() if each.group.domains > 1)
    assert set(protocols) == {"efa-srd", "gpudirect-tcpxo", "infiniband-verbs"}
    assert {each.group.ranks for each in measured()} >= {2, 8, 16, 32, 72, 1440}
    assert {each.collective for each in measured()} == {"all-reduce", "all-gather", "reduce-scatter", "send-recv"}


def test_every_row_has_a_source() -> None:
    assert all(each.source for each in measured())


def test_the_data_are_those_that_were_collected(shared: Path) -> None:
    with (shared / "calibration" / "collective_busbw.csv").open() as file:
        lines = list(csv.DictReader(file))
    known = {(each.size, round(each.time * 1e6, 2)) for each in measured()}
    for line in lines:
        time, ranks = float(line["time_us"]), int(line["ranks"])
        assert (float(line["size_bytes"]), pytest.approx(time, rel=1e-5)) in [
            (size, value)
            for size, value in known
            if size == float(line["size_bytes"]) and abs(value - time) < 0.01 * time
        ]
        name = line["collective"].replace("sendrecv", "send-recv").replace("_", "-")
        if float(line["size_bytes"]) >= 2**29:
            assert float(line["busbw_GBps"]) / float(line["algbw_GBps"]) == pytest.approx(
                bus_factor(name, ranks), rel=0.02
            )


def test_the_page_shows_what_the_command_prints() -> None:
    page = (Path(__file__).parents[1] / "docs" / "validation.md").read_text("utf-8")
    assert CliRunner().invoke(main, ["validate", "network"]).output.strip() in page
