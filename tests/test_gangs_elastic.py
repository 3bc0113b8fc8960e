"""Elastic jobs on two types with restarts, checkpoints and limits: the engine against a twin that counts seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import stepped_elastic as twin

from simulator.cluster.topology import Topology
from simulator.policies.api import Action, ClusterView, Migrate, Preempt, Resize, Start
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, Job, Placement
from simulator.workload.speedup import Given

SIZE = (3, 2)
ENDS = {"completed": "COMPLETED", "timeout": "TIMEOUT", "queued": "UNFINISHED"}


@dataclass(frozen=True)
class Paces:
    """A pace for each type and number of accelerators."""

    duration: float
    pace: dict[tuple[str, int], float]

    def seconds(self, given: Given, fraction: float = 1.0) -> float:
        return fraction * self.duration / self.pace[given.type, int(given.accelerators)]

    def fraction(self, given: Given, seconds: float) -> float:
        rate = self.pace[given.type, int(given.accelerators)]
        return min(1.0, seconds * rate / self.duration) if self.duration else 1.0


class Script:
    """Does what a list of orders says."""

    always = True

    def __init__(self, script: list[tuple[int, twin.Order]]) -> None:
        self.script = list(script)
        self.wake = math.inf

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        jobs = {each.id: each for each in (*view.queue, *view.running)}
        while self.script and self.script[0][0] <= view.now:
            _, (what, number, parts) = self.script.pop(0)
            yield _action(what, jobs[f"{number}"], tuple((i, float(n)) for i, n in enumerate(parts) if n))
        self.wake = float(self.script[0][0]) if self.script else math.inf


def _action(what: str, job: Job, placement: Placement) -> Action:
    if what == "start":
        return Start(job, placement)
    if what == "stop":
        return Preempt(job)
    size = sum(taken for _, taken in placement)
    return Migrate(job, placement) if size == job.held else Resize(job, size, placement)


def servers() -> Topology:
    return Topology.from_links([], {k: {"accelerators": n, "accelerator": k} for k, n in zip("ab", SIZE, strict=True)})


def made(number: int, each: twin.Job) -> BatchJob:
    paces = {key: float(pace) for key, pace in each.pace.items()}
    return BatchJob(
        id=f"{number}", submit=float(each.submit), duration=float(each.duration), accelerators=float(each.minimum),
        minimum=float(each.minimum), maximum=float(each.maximum), speedup=Paces(float(each.duration), paces),
        restart=float(each.restart), limit=float(each.limit), checkpoint=float(each.checkpoint),
    )  # fmt: skip


@st.composite
def twins(draw: Any) -> twin.Job:
    low = draw(st.integers(1, 3))
    high = draw(st.integers(low, 5))
    paces = {
        (kind, count): Fraction(draw(st.integers(1, 6)), draw(st.sampled_from([1, 2, 4])))
        for kind in twin.TYPES
        for count in range(low, high + 1)
    }
    return twin.Job(
        submit=draw(st.integers(0, 6)), duration=draw(st.integers(0, 24)), minimum=low, maximum=high, pace=paces,
        restart=draw(st.integers(0, 3)), limit=draw(st.sampled_from([math.inf, math.inf, 0, 3, 9])),
        checkpoint=draw(st.sampled_from([0, 0, 1, 4, math.inf])),
    )  # fmt: skip


orders = st.tuples(
    st.sampled_from(["start", "start", "start", "stop", "move", "move"]),
    st.integers(0, 2),
    st.tuples(st.integers(0, SIZE[0]), st.integers(0, SIZE[1])),
)


@settings(max_examples=200)
@given(
    st.lists(twins(), min_size=3, max_size=3),
    st.lists(st.lists(orders, max_size=5), min_size=1, max_size=22),
)
def test_the_engine_agrees_with_a_twin_that_counts_seconds(
    jobs: list[twin.Job], wanted: list[list[twin.Order]]
) -> None:
    cluster = twin.Cluster(SIZE, jobs)
    cluster.run(wanted)
    ours = [made(number, each) for number, each in enumerate(jobs)]
    record = replay(ours, Script(cluster.script), topology=servers(), until=float(cluster.now))
    table = record.tables["jobs"]
    found = {
        name: dict(zip(table["id"], table[name].tolist(), strict=True))
        for name in ("state", "start", "end", "wait", "overhead", "rework", "service", "preemptions", "moves")
    }
    for number, theirs in enumerate(jobs):
        name = f"{number}"
        if theirs.state == "pending":
            assert found["state"].get(name, "UNFINISHED") == "UNFINISHED"
            continue
        assert found["state"][name] == ENDS[theirs.state]
        expected = {
            "start": theirs.start, "end": theirs.end, "wait": theirs.waited, "overhead": theirs.overhead,
            "rework": theirs.lost, "service": theirs.service, "preemptions": theirs.stops, "moves": theirs.moves,
        }  # fmt: skip
        for what, value in expected.items():
            wanted_value = math.nan if value is None else float(value)
            assert found[what][name] == pytest.approx(wanted_value, nan_ok=True), (name, what)


def test_the_twin_by_hand() -> None:
    """Half on two of type a, then three of both types at the slower pace, a stop that loses, and the end."""
    paces = {(kind, n): Fraction(n, 1 if kind == "a" else 2) for kind in "ab" for n in (1, 2, 3)}
    one = twin.Job(0, 24, 1, 3, paces, restart=1, checkpoint=5)
    cluster = twin.Cluster(SIZE, [one])
    wanted: list[list[twin.Order]] = [[] for _ in range(20)]
    wanted[0] = [("start", 0, (2, 0))]
    wanted[6] = [("move", 0, (2, 1))]
    wanted[13] = [("stop", 0, (0, 0))]
    wanted[15] = [("start", 0, (3, 0))]
    cluster.run(wanted)
    # 6 s at 2 of 24: half; then 1 s restart and 6 s at 1.5: 21 of 24 done, which is 14 s of 16 on these three; the
    # checkpoint at 10 s keeps 15 of 24; from 15 on 1 s restart and the 9 that are left at 3 a second
    assert one.end == Fraction(19)
    assert (one.overhead, float(one.lost), one.waited, float(one.service)) == (2, 4.0, 2, 2 * 6 + 3 * 7 + 3 * 4.0)
    ours = made(0, twin.Job(0, 24, 1, 3, paces, restart=1, checkpoint=5))
    replay([ours], Script(cluster.script), topology=servers())
    assert (ours.end, ours.overhead, ours.lost, ours.waited, ours.service) == (19.0, 2.0, 4.0, 2.0, 45.0)
