"""What links carry, as it is written down: exact, averaged, and in bounded memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simulator as sim
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.errors import InputError
from simulator.metrics.recorder import LINKS
from simulator.runtime.linklog import LinkLog, averaged

CHAIN = {
    "build": "links",
    "servers": {name: {"accelerators": 1} for name in ("a1", "a2", "b1", "b2")},
    "links": [
        {"src": src, "dst": dst, "capacity": capacity}
        for one, other, capacity in (
            ("a1", "left", "400 Gb/s"), ("b1", "left", "400 Gb/s"), ("a2", "right", "400 Gb/s"),
            ("b2", "right", "400 Gb/s"), ("left", "right", "100 Gb/s"),
        )
        for src, dst in ((one, other), (other, one))
    ],
}  # fmt: skip
UPLINK = 8


def training(count: int = 2, iterations: int = 30, **network) -> dict:
    jobs = [
        {"id": f"job-{i}", "submit": f"{0.07 * i} s", "accelerators": 2, "iterations": iterations,
         "compute": "300 ms", "gradient": "2.5 GB"}
        for i in range(count)
    ]  # fmt: skip
    return {
        "name": "watched", "topology": CHAIN, "workload": {"training": {"jobs": jobs}}, "placement": "spread",
        "network": {"record": "links"} | network,
    }  # fmt: skip


def carried(results: sim.Results) -> np.ndarray:
    """Bytes over each link, from the table alone."""
    frame, end = results.links, results.records[results.alternatives[0], 0].facts["end"]
    total = np.zeros(frame["link"].max() + 1)
    for link, rows in frame.groupby("link"):
        total[link] = rows["load"].to_numpy() @ np.diff(np.append(rows["time"], end))
    return total


def test_nothing_is_recorded_unless_asked_for():
    plain = training()
    del plain["network"]
    results = sim.run(plain)
    assert "links" not in results.records["watched" if "watched" in results else results.alternatives[0], 0].tables
    assert list(results.links.columns) == ["alternative", "replication", *(column.name for column in LINKS)]
    assert results.links.empty
    assert results.link_utilization().empty


def set_load(log: LinkLog, link: int, load: float) -> None:
    """Let a link carry so much, whatever it carried before."""
    log.add(np.array([link]), np.array([load - log._now[link, 0]]))


def test_rows_are_changes_and_the_last_word_of_an_instant_counts():
    clock = Clock()
    log = LinkLog(clock, Topology.from_links([{"src": "a", "dst": "b", "capacity": 10.0}]))
    for time, load in ((1.0, 4.0), (1.0, 7.0), (2.0, 7.0), (3.0, 9.0), (3.0, 0.0)):
        clock.at(time, set_load, log, 0, load)
    clock.at(2.5, log.set_capacity, 0, 20.0)
    clock.at(9.0, log.set_capacity, 0, 0.0)
    clock.run()
    table = log.table(5.0)
    rows = list(zip(*(table[name].tolist() for name in ("time", "load", "capacity")), strict=True))
    assert rows == [(0.0, 0.0, 10.0), (1.0, 7.0, 10.0), (2.5, 7.0, 20.0), (3.0, 0.0, 20.0)]
    assert (table["src"].tolist()[0], table["dst"].tolist()[0], table["tier"].tolist()[0]) == ("a", "b", "")
    assert list(table) == [column.name for column in LINKS]
    assert not log.notes


@pytest.mark.parametrize(("fidelity", "share"), [("flow", 0.0), ("fluid", 0.005)])
def test_load_times_seconds_is_the_bytes_of_all_iterations(fidelity, share):
    results = sim.run(training(2, 30, fidelity=fidelity))
    # a ring of two ranks puts 2 (2 - 1) / 2 x 2.5 GB on each of three links each way, 30 times, for two jobs;
    # mean rates know the share of the time that each of the two is on the network (at most 12.5 GB/s) to half a percent
    slack = 2 * share * 12.5e9 * results.jobs["end"].max()
    assert carried(results)[UPLINK] == pytest.approx(2 * 30 * 2.5e9, rel=1e-9, abs=slack)
    assert carried(results).sum() == pytest.approx(6 * 2 * 30 * 2.5e9, rel=1e-9, abs=6 * slack)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(1e6, 5e10), st.sampled_from(("ab", "bc", "ac"))), max_size=12),
    st.sampled_from((0.0, 0.3, 7.0)),
)
def test_load_times_seconds_is_the_bytes_of_all_transfers(transfers, interval):
    network = {"record": "links", "record_interval": f"{interval} s" if interval else "0"}
    sizes = [
        {"src": ends[0], "dst": ends[1], "bytes": f"{size!r} B", "start": f"{start!r} s"}
        for start, size, ends in [(0.0, 1e9, "ac"), *transfers]
    ]
    results = sim.run(
        {
            "name": "copies",
            "topology": {
                "build": "links",
                "links": [
                    {"src": "a", "dst": "b", "capacity": "80 Gb/s"},
                    {"src": "b", "dst": "c", "capacity": "40 Gb/s"},
                ],
            },
            "workload": {"copies": {"transfers": sizes}},
            "network": network | {"events": [{"time": "3 s", "link": 1, "flap": {"period": "4 s", "down": "1 s"}}]},
        }
    )
    expected = [sum(float(t["bytes"][:-2]) for t in sizes if name in (t["src"], t["dst"])) for name in "ac"]
    assert carried(results) == pytest.approx(expected, rel=1e-9)


steps = st.lists(
    st.tuples(st.floats(0, 50), st.integers(0, 3), st.floats(0, 10), st.floats(1, 10)), min_size=1, max_size=60
)


def integral(rows: np.ndarray, link: int, until: float) -> float:
    own = rows[rows[:, 1] == link]
    times = np.minimum(np.append(own[:, 0], math.inf), until)
    return float(own[:, 2] @ np.diff(times))


@given(steps, st.sampled_from((0.1, 1.0, 3.7, 100.0)), st.floats(1, 60))
def test_averages_keep_what_was_carried_in_every_interval(changes, interval, until):
    first = [(0.0, link, 0.0, 5.0) for link in range(4)]
    rows = np.array([*first, *sorted(changes, key=lambda row: row[0])], dtype=float)
    for mean in (averaged(rows, interval, until), averaged(averaged(rows, interval, until / 3), interval, until)):
        for link in range(4):
            for border in [*np.arange(0.0, until, max(interval, until / 20)) // interval * interval, until, 70.0]:
                assert integral(mean, link, border) == pytest.approx(integral(rows, link, border), rel=1e-9, abs=1e-9)
        assert (np.diff(mean[:, 0]) >= 0).all()
        pairs = mean[:, :2].tolist()
        assert len({tuple(pair) for pair in pairs}) == len(pairs)


def test_an_interval_makes_few_rows_of_many_and_job_times_stay():
    exact = sim.run(training(2, 200, fidelity="flow"))
    means = sim.run(training(2, 200, fidelity="flow", record_interval="10 s"))
    assert len(means.links) < len(exact.links) / 10
    assert carried(means) == pytest.approx(carried(exact), rel=1e-9)
    assert means.jobs["jct"].tolist() == exact.jobs["jct"].tolist()
    assert not means.notes


def test_recording_changes_no_job_beyond_rounding():
    for fidelity in ("flow", "fluid", "steady"):
        watched, blind = (sim.run(training(3, 40, fidelity=fidelity, record=what)) for what in ("links", "nothing"))
        assert watched.jobs["jct"].to_numpy() == pytest.approx(blind.jobs["jct"].to_numpy(), rel=1e-9)


@pytest.mark.parametrize("interval", [0.0, 0.01, 1000.0])
def test_a_full_table_is_averaged_over_longer_intervals_and_says_so(interval):
    clock = Clock()
    links = [{"src": "a", "dst": f"b{i}", "capacity": 10.0} for i in range(3)]
    log = LinkLog(clock, Topology.from_links(links), interval, most=1000)
    loads = np.random.default_rng(1).uniform(0, 10, 40_000).tolist()
    for number, load in enumerate(loads):
        clock.at(number * 0.001, set_load, log, number % 3, load)
    clock.run()
    table = log.table(40.0)
    assert len(table["time"]) <= 1000
    exact = sum(load * min(0.003, 40.0 - number * 0.001) for number, load in enumerate(loads))
    seconds = [np.diff(np.append(table["time"][table["link"] == i], 40.0)) for i in range(3)]
    assert sum(table["load"][table["link"] == i] @ seconds[i] for i in range(3)) == pytest.approx(exact, rel=1e-9)
    said = [] if interval == 1000.0 else ["Link loads are means over "]
    assert [note[: len(said[0])] for note in log.notes] == said
    assert all("would take more than 1,000 rows" in note for note in log.notes)


def test_a_link_that_is_down_carries_nothing_and_the_load_moves():
    results = sim.run(
        training(1, 40, fidelity="flow", events=[{"time": "5 s", "link": "left -- right", "state": "down"}])
        | {"run": {"until": "10 s"}}
    )
    uplink = results.links[results.links["link"] == UPLINK]
    assert uplink.iloc[-1][["time", "load", "capacity"]].tolist() == [5.0, 0.0, 0.0]


def test_what_a_reader_must_know_is_in_the_notes():
    steady = sim.run(training(fidelity="steady"))
    assert "Link loads of jobs are their rates while they communicate, as if they did so all the time." in steady.notes
    alone = sim.run(training(contention="none"))
    assert alone.notes == ["Link loads are those of transfers alone: without contention, jobs are on no link."]
    assert (alone.links["load"] == 0).all()


def test_an_interval_without_a_record_is_refused():
    with pytest.raises(InputError, match=r"nothing is recorded"):
        sim.run(training(record="nothing", record_interval="1 s"))
