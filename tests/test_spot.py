"""Nodes that the provider takes back: notices, capacity that falls, interruptions drawn or from a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from simulator.core.errors import InputError
from simulator.policies.supply import Grow
from simulator.runtime.savers import NoSaver
from simulator.runtime.supply.boots import Phase
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.steps import Steps
from simulator.workload.jobs import State
from simulator.workload.supplytraces import Levels, columns, nodes, removals
from tests.supply_world import Script, decisions, events, job, run

SHARED = Path(__file__).parents[2] / "shared" / "traces"
P3, V100 = (SHARED / "spot_bamboo" / name for name in ("p3-trace.csv", "gcloud_v100x1-east1c.txt"))
shared = pytest.mark.skipif(not P3.is_file(), reason="the reference traces are not beside this checkout")
BOOT = (Phase("boot", 20.0),)


def test_a_busy_node_ends_with_its_notice_and_its_job_waits_again() -> None:
    a, b = job("a", 0.0, 100.0, checkpoint=30.0), job("b", 60.0, 5.0)
    group = Group("spot", (0, 1), minimum=1, boot=BOOT, spot=True, interruptions=[(50.0, 1)], notice=25.0)
    _, record = run([a, b], Script({}), [group])
    assert events(record, "interruption", "node-drain", "scale-up", "node-up", "preempt", "node-down") == [
        (50.0, "interruption", "n0", 25.0),
        (50.0, "node-drain", "n0", 1.0),
        (50.0, "scale-up", "spot", 1.0),  # one that drains is none of its size
        (70.0, "node-up", "n1", 4.0),
        (75.0, "preempt", "a", 4.0),
        (75.0, "node-down", "n0", 4.0),
    ]
    # b takes the new node and not the one that drains; of a's 75 s the 60 s until its last checkpoint are kept
    assert (b.start, a.preemptions, a.end) == (70.0, 1, 75.0 + 40.0)
    assert ("spot", "grow", "minimum") in decisions(record, "controller", "action", "rule")
    assert [row for row in decisions(record, "controller", "subject", "rule") if row[0] != "spot"] == [
        ("market", "n0", "interruption"), ("disruption", "a", "interruption"),
    ]  # fmt: skip
    assert record.facts["groups"]["spot"]["interrupted"] == 1


@pytest.mark.parametrize("notice", [0.0, 120.0])
def test_idle_and_booting_nodes_go_at_once(notice: float) -> None:
    boot = (Phase("boot", 100.0),)
    groups = [
        Group("od", (0,), minimum=1),
        Group("spot", (1, 2, 3), initial=1, boot=boot, interruptions=[(30.0, 9)], notice=notice),
    ]
    _, record = run([job("a", 0.0, 60.0)], Script({10.0: [Grow(1)]}), groups, placer="first-fit")
    assert [row[:3] for row in events(record, "interruption", "node-down")] == [
        (30.0, "interruption", "n1"), (30.0, "node-down", "n1"), (30.0, "interruption", "n2"),
    ]  # fmt: skip


def test_a_job_that_ends_within_the_notice_is_not_stopped() -> None:
    a = job("a", 0.0, 60.0)
    group = Group("spot", (0,), initial=1, interruptions=[(50.0, 1)], notice=25.0)
    _, record = run([a], Script({}), [group])
    assert (a.end, a.preemptions) == (60.0, 0)
    assert events(record, "node-down") == [(60.0, "node-down", "n0", 4.0)]


def test_jobs_that_may_not_be_stopped_are_stopped_by_the_provider() -> None:
    a = job("a", 0.0, 90.0, preemptible=False)
    group = Group("spot", (0, 1), initial=2, interruptions=[(50.0, 2)], notice=25.0)
    run([a], Script({80.0: [Grow(0)]}), [group])
    assert (a.preemptions, a.state) == (1, State.COMPLETED)


def test_saving_begins_with_the_notice() -> None:
    class Saver(NoSaver):
        def __init__(self) -> None:
            self.asked: list[tuple[str, float]] = []

        def save_now(self, job: Any, done: Any) -> float:
            self.asked.append((job.id, simulation.clock.now))
            return 5.0

    from simulator.runtime.supply.supply import Supply
    from simulator.testing.running import prepared
    from tests.supply_world import nodes as servers

    group = Group("spot", (0,), initial=1, interruptions=[(50.0, 1)], notice=25.0)
    simulation = prepared([job("a", 0.0, 100.0)], "fifo", servers(1), pool=Supply(Script({}), [group]), until=200.0)
    simulation.gangs.saver = saver = Saver()
    simulation.run()
    assert saver.asked == [("a", 50.0)]


def test_capacity_that_falls_takes_nodes_back_and_what_comes_again_can_be_had() -> None:
    capacity = Steps([0.0, 40.0, 100.0], [3.0, 1.0, 2.0])
    group = Group("spot", (0, 1, 2), minimum=3, boot=BOOT, capacity=capacity, notice=10.0)
    jobs = [job(f"{number}", 0.0, 200.0, checkpoint=1.0) for number in range(3)]
    _, record = run(jobs, Script({}), [group])
    assert [row[0] for row in events(record, "interruption")] == [40.0, 40.0]
    assert [row[0] for row in events(record, "node-down")] == [50.0, 50.0]
    assert [row[:2] for row in events(record, "scale-up")] == [(100.0, "scale-up")]
    assert events(record, "stock-out")[0] == (40.0, "stock-out", "spot", 2.0)
    assert all(each.state is State.COMPLETED for each in jobs)


def test_less_at_the_beginning_than_the_group_begins_with() -> None:
    group = Group("spot", (0, 1, 2), initial=3, boot=BOOT, capacity=Steps.constant(1))
    _, record = run([job("a", 0.0, 10.0)], Script({}), [group])
    assert events(record, "stock-out") == [(0.0, "stock-out", "spot", 2.0)]
    assert record.facts["groups"]["spot"]["nodes_mean"] == 1.0


def test_which_nodes_and_when_depends_on_the_seed_alone() -> None:
    def struck(seed: int, scheduler: str = "fifo") -> list[tuple[float, str]]:
        group = Group("spot", tuple(range(20)), initial=20, interruptions=3600.0)
        jobs = [job(f"{number}", 5.0 * number, 500.0) for number in range(60)]
        _, record = run(jobs, Script({}), [group], seed=seed, scheduler=scheduler, until=1200.0)
        return [(row[0], row[2]) for row in events(record, "interruption")]

    assert struck(1) == struck(1)
    assert struck(1) == struck(1, "sjf")
    assert struck(1) != struck(2)


def test_interruptions_have_the_mean_that_was_asked_for() -> None:
    group = Group("spot", tuple(range(400)), minimum=400, boot=(), interruptions=1000.0, notice=0.0)
    _, record = run([job("a", 0.0, 5000.0)], Script({}), [group], until=5000.0)
    struck = len(events(record, "interruption"))
    expected = 3600 * sum(record.facts["groups"]["spot"]["hours"].values()) / 1000.0
    assert struck == pytest.approx(expected, abs=3 * math.sqrt(expected))


def test_a_run_does_not_wait_for_interruptions() -> None:
    group = Group("spot", (0,), minimum=1, interruptions=1e6, capacity=Steps([0.0, 1e7], [1.0, 0.0]))
    _, record = run([job("a", 0.0, 10.0)], Script({}), [group])
    assert record.facts["end"] == 10.0


# -- traces ---------------------------------------------------------------------------------------------------------


def write(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_events_become_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "1000,add,a\n1000,add,b\n4000,remove,a\n4000,remove,b\n9000,add,c\n")
    assert nodes(path) == Levels((0.0, 3.0, 8.0), (2.0, 0.0, 1.0))
    assert removals(path) == ((4.0, 2),)


def test_counts_by_date_are_sorted(tmp_path: Path) -> None:
    path = write(tmp_path, "2021-12-10, 13:08:00, 80\n2021-12-10, 13:10:00, 60\n2021-12-10, 13:09:00, 70\n", "a.txt")
    note = "a.txt: 1 of 3 rows go back in time; they were sorted"
    assert nodes(path) == Levels((0.0, 60.0, 120.0), (80.0, 70.0, 60.0), (note,))


def test_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path, "timestamp,price\n2022-01-01 00:00:00+00:00,1.5\n2022-01-01 01:00:00+00:00,\n2022-01-01 02:00,2\n"
    )
    note = "trace.csv: 1 of 3 rows have no price; the one before holds"
    assert columns(path, ("price",)) == Levels((0.0, 7200.0), (1.5, 2.0), (note,))
    assert removals(write(tmp_path, "time,count\n5,2\n9,0\n10,1\n")) == ((0.0, 2), (5.0, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "trace.csv: the file is empty"),
        ("time,count\n", "trace.csv: there is no row of numbers"),
        ("time,count\n0,x\n", "trace.csv:2:3: 'x' is not a whole number, 0 or more\n    0,x\n      ^"),
        ("time,count\n0,-1\n", "trace.csv:2:3: '-1' is not a whole number, 0 or more\n    0,-1\n      ^"),
        ("time,count\n0,1.5\n", "trace.csv:2:3: '1.5' is not a whole number, 0 or more\n    0,1.5\n      ^"),
        (
            "time,count\nnoon,1\n",
            "trace.csv:2:1: 'noon' is no time: seconds, a time with a unit such as 2 h, or a date such as 2022-01-31 "
            "17:00\n    noon,1\n    ^",
        ),
        ("time,count\n5\n", "trace.csv:2:3: 1 columns, at least 2 are needed\n    5\n      ^"),
        ("0,add,a\n5,lost,b\n", "trace.csv:2:3: 'lost' is neither add nor remove\n    5,lost,b\n      ^"),
        ("0,add,a\nx,add,b\n", "trace.csv:2:1: 'x' is not a number, 0 or more\n    x,add,b\n    ^"),
        ("time,a,b\n0,1,2\n", "trace.csv:1: there is no column 'count'\n    Known: a, b, time."),
    ],
    ids=["empty", "header", "text", "negative", "share", "time", "short", "event", "ms", "column"],
)
def test_traces_that_are_none(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        nodes(write(tmp_path, text))
    assert str(caught.value).replace(f"{tmp_path}/", "") == said


@shared
def test_the_traces_of_bamboo() -> None:
    """344 events over 11.37 h: a mean of 24.0 nodes, 32 at most, 167 removals (README of the traces)."""
    levels = nodes(P3)
    steps, end = Steps(levels.times, levels.values), levels.times[-1]
    assert (max(levels.values), round(steps.integral(0.0, end) / end, 1)) == (32.0, 24.0)
    assert end / 3600 == pytest.approx(11.37, abs=0.01)
    assert sum(count for _, count in removals(P3)) == 167
    assert removals(P3)[-1][0] <= end


@shared
def test_counts_of_google_cloud() -> None:
    """Between 30 and 80 nodes over 24.2 h, with 15 steps back in time (README of the traces)."""
    levels = nodes(V100)
    assert (min(levels.values), max(levels.values)) == (30.0, 80.0)
    assert levels.times[-1] / 3600 == pytest.approx(24.2, abs=0.1)
    assert levels.notes == (f"{V100.name}: 15 of 1,477 rows go back in time; they were sorted",)


@shared
def test_a_group_follows_a_trace() -> None:
    """A group that wants as many nodes as the trace ever has gets what the trace has, but for boots and notices."""
    levels = nodes(P3)
    steps, end = Steps(levels.times, levels.values), levels.times[-1]
    group = Group("spot", tuple(range(32)), minimum=32, boot=(), capacity=steps, notice=0.0)
    _, record = run([job("a", 0.0, end, checkpoint=60.0)], Script({}), [group], until=end)
    hours = sum(record.facts["groups"]["spot"]["hours"].values())
    assert hours == pytest.approx(steps.integral(0.0, end) / 3600, rel=0.01)
    assert hours <= steps.integral(0.0, end) / 3600
    assert record.facts["groups"]["spot"]["interrupted"] == 167
