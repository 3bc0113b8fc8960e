"""Schedulers against the rules of other simulators, written down here once more as their code has them.

Tiresias: SymbioticLab/Tiresias, commit 959f9b0, ``simulator/run_sim.py``. Helios: S-Lab-System-Group/HeliosArtifact,
commit bdaae10, ``framework/QSSF Service``. The real programs were run beside ours on published traces; what is here is
small and made by hand, or drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders.tiresias import Tiresias
from simulator.policies.placement.pack import Pack
from simulator.testing import OrderContract, replay
from simulator.workload.formats import read_trace
from simulator.workload.jobs import BatchJob

Drawn = list[tuple[int, int, int]]
"""Jobs: submitted, seconds of run, accelerators."""


@dataclass(eq=False)
class Twin:
    """A job as the programs above keep it."""

    submit: int
    left: Fraction
    width: int
    running: bool = False
    served: Fraction = Fraction(0)
    level: int = 0
    end: float = math.nan
    stops: int = 0


@dataclass
class Events:
    """Jumps from event to event; ``choose`` says in which order the jobs have the accelerators."""

    accelerators: int
    jobs: list[Twin]
    choose: Callable[[list[Twin]], list[Twin]]
    changes: Callable[[Twin], Fraction | None] = lambda job: None
    after: Callable[[], None] = lambda: None
    live: list[Twin] = field(default_factory=list)

    def run(self) -> None:
        """Until all have ended."""
        now, coming = Fraction(0), list(self.jobs)
        while coming or self.live:
            at = [Fraction(coming[0].submit) - now] if coming else []
            for job in self.live:
                if job.running:
                    at += [job.left, *filter(None, [self.changes(job)])]
            step = min(at)
            now += step
            for job in self.live:
                if job.running:
                    job.left -= step
                    job.served += step
            for job in [job for job in self.live if job.running and not job.left]:
                job.end = float(now)
                self.live.remove(job)
            while coming and coming[0].submit == now:
                self.live.append(coming.pop(0))
            self._fill()

    def _fill(self) -> None:
        free = self.accelerators
        for job in self.choose(self.live):
            fits = job.width <= free
            free -= job.width * fits
            job.stops += job.running and not fits
            job.running = fits
        self.after()


class Lines:
    """The queues of Tiresias as lists: who runs in front, newcomers and those who come down at the end."""

    def __init__(self, thresholds: tuple[int, ...], dimensions: int) -> None:
        self.thresholds, self.dimensions = thresholds, dimensions
        self.queues: list[list[Twin]] = [[] for _ in range(len(thresholds) + 1)]

    def service(self, job: Twin) -> Fraction:
        return job.served * (job.width if self.dimensions == 2 else 1)

    def choose(self, live: list[Twin]) -> list[Twin]:
        for queue in self.queues:
            queue[:] = [job for job in queue if job in live]
        for job in live:
            if not any(job in queue for queue in self.queues):
                self.queues[0].append(job)
            while job.level < len(self.thresholds) and self.service(job) >= self.thresholds[job.level]:
                self.queues[job.level].remove(job)
                job.level += 1
                self.queues[job.level].append(job)
        return [job for queue in self.queues for job in queue]

    def changes(self, job: Twin) -> Fraction | None:
        if job.level == len(self.thresholds):
            return None
        return (self.thresholds[job.level] - self.service(job)) / (job.width if self.dimensions == 2 else 1)

    def after(self) -> None:
        for queue in self.queues:
            queue.sort(key=lambda job: not job.running)


def twins(drawn: Drawn) -> list[Twin]:
    return [Twin(submit, Fraction(duration), width) for submit, duration, width in drawn]


def ours(drawn: Drawn, policy: Any, topology: Any, placement: Any = "pack", **more: Any) -> list[BatchJob]:
    jobs = [
        BatchJob(id=f"{index}", submit=submit, duration=duration, accelerators=width)
        for index, (submit, duration, width) in enumerate(drawn)
    ]
    for name, values in more.items():
        for job in jobs:
            setattr(job, name, values(job))
    replay(jobs, policy, topology=topology, placer=placement)
    return jobs


drawn_jobs = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 14), st.sampled_from([1, 2, 4])), min_size=1, max_size=14
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@settings(max_examples=300)
@given(drawn_jobs, st.sampled_from([4, 5, 6]), st.sampled_from([(4,), (4, 12), (8, 16, 20)]), st.sampled_from([1, 2]))
def test_queues_in_line_are_those_of_tiresias_simulator(
    drawn: Drawn, accelerators: int, thresholds: tuple[int, ...], dimensions: int
) -> None:
    lines, expected = Lines(thresholds, dimensions), twins(drawn)
    Events(accelerators, expected, lines.choose, lines.changes, lines.after).run()
    policy = schedulers.get("tiresias")(thresholds, dimensions=dimensions)
    jobs = ours(drawn, policy, accelerators)
    assert [(job.end, job.preemptions) for job in jobs] == [
        (pytest.approx(twin.end, abs=1e-5), twin.stops) for twin in expected
    ]


def test_who_comes_down_a_queue_gives_way_in_line_and_stays_otherwise() -> None:
    """The second comes down at 20 s, to where the first waits since 10 s."""
    drawn = [(0, 100, 1), (5, 100, 1)]
    line = ours(drawn, schedulers.get("tiresias")([10.0]), 1)
    assert [(job.start, job.end) for job in line] == [(0.0, 110.0), (10.0, 200.0)]
    stay = ours(drawn, schedulers.get("tiresias")([10.0], within="stay"), 1)
    assert [(job.start, job.end) for job in stay] == [(0.0, 200.0), (10.0, 110.0)]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dimensions": 3}, r"^dimensions is 3; it must be 1 \(seconds\) or 2 \(accelerator-seconds\)$"),
        ({"within": "fifo"}, r"^within is 'fifo'; it must be 'stay' or 'line'$"),
    ],
)
def test_tiresias_wants_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        schedulers.get("tiresias")(**options)


@settings(max_examples=200)
@given(drawn_jobs, st.sampled_from([4, 5, 6]), st.sampled_from(["srtf", "srsf"]))
def test_remaining_time_and_service_are_looked_at_when_something_happens(
    drawn: Drawn, accelerators: int, order: str
) -> None:
    """``shortest`` and ``shortest-gpu``; at a tie who runs stays, where there the sorting of before decides."""
    weight = {"srtf": lambda job: 1, "srsf": lambda job: job.width}[order]
    expected = twins(drawn)

    def choose(live: list[Twin]) -> list[Twin]:
        return sorted(live, key=lambda job: (job.left * weight(job), not job.running, expected.index(job)))

    Events(accelerators, expected, choose).run()
    jobs = ours(drawn, Composed(order, "fill", preempt=True), accelerators)
    lengths = {(job.duration, job.accelerators) for job in jobs}
    if len(lengths) == len(jobs):  # equal jobs may change places
        assert sorted(job.end for job in jobs) == pytest.approx(sorted(twin.end for twin in expected))


class TestLine(OrderContract):
    """Queues in line keep what every order promises."""

    make = partial(Tiresias, thresholds=(40.0, 200.0))


# -- published results of Muri -------------------------------------------------------------------------------------

MURI = {
    "trace1": {"srtf": 1370603.198, "srsf": 980140.5699, "tiresias": 3330371.307},
    "trace3": {"srtf": 193081.796, "srsf": 185021.8802, "tiresias": 347213.2481},
}
"""Mean completion time (s) on 64 accelerators: Rivendile/Muri, commit 4e69a78, simulator/draw_fig9-10.py."""
MURI_POLICIES: dict[str, Callable[[], Any]] = {
    "srtf": lambda: "srtf",
    "srsf": lambda: Composed("srsf", "fill", preempt=True),
    "tiresias": lambda: "tiresias",
}


@pytest.mark.parametrize("name", MURI)
def test_mean_completion_times_are_those_that_muri_published(name: str, shared: Path) -> None:
    """Iterations take 1.5 % longer there, and starting again 4 to 46 s, which is taken to be 10."""
    trace = read_trace(shared / f"traces/muri_stage_times/{name}.csv", "muri")
    for policy, expected in MURI[name].items():
        jobs = list(trace.jobs(restart=10.0))
        for job in jobs:
            job.duration *= 1.015
        replay(jobs, MURI_POLICIES[policy](), topology=64)
        assert sum(job.end - job.submit for job in jobs) / len(jobs) == pytest.approx(expected, rel=0.025), policy


# -- nodes of 8, as Helios has them --------------------------------------------------------------------------------

CHECKPOINT = ((1, 7), (8, 30), (math.inf, 60))
"""Seconds that Helios adds to what is left of a job that is stopped, by the most accelerators for which that holds."""


@dataclass(eq=False)
class Row:
    """A job of Helios: what is left (s), and the nodes that it holds."""

    submit: int
    duration: int
    width: int
    left: int = 0
    nodes: dict[int, int] = field(default_factory=dict)
    start: int = -1
    end: int = -1
    stops: int = 0


class Helios:
    """Second by second: whole nodes for gangs of more than 8, the fullest node that holds a smaller one."""

    def __init__(self, nodes: int, jobs: list[Row]) -> None:
        self.free, self.jobs = [8] * nodes, jobs
        for job in jobs:
            job.left = job.duration

    def place(self, job: Row) -> bool:
        if job.width > 8:
            found = [(node, 8) for node, free in enumerate(self.free) if free == 8][: job.width // 8]
            fits = len(found) == job.width // 8
        else:
            holding = [(free, node) for node, free in enumerate(self.free) if free >= job.width]
            found, fits = [(node, job.width) for _, node in sorted(holding)[:1]], bool(holding)
        if fits:
            job.nodes = dict(found)
            for node, taken in found:
                self.free[node] -= taken
        return fits

    def release(self, job: Row) -> None:
        for node, taken in job.nodes.items():
            self.free[node] += taken
        job.nodes = {}

    def in_order(self, key: Callable[[Row], Any]) -> None:
        """FIFO and SJF: the head of the queue blocks the rest."""
        now, queue, running = 0, [], []
        while any(job.end < 0 or job in running for job in self.jobs):
            for job in [job for job in running if job.end == now]:
                self.release(job)
                running.remove(job)
            queue = sorted([*queue, *(job for job in self.jobs if job.submit == now)], key=key)
            while queue and self.place(queue[0]):
                job = queue.pop(0)
                job.start, job.end = now, now + job.duration
                running.append(job)
            now += 1

    def srtf(self) -> None:
        """Who has least left runs, counted over all nodes; who then finds no node waits. A run ends a second late."""
        now, queue, running, over = 0, [], [], 0
        while over < len(self.jobs):
            for job in list(running):
                if job.left:
                    job.left -= 1
                    continue
                job.end, over = now, over + 1
                self.release(job)
                running.remove(job)
            queue += [job for job in self.jobs if job.submit == now]
            room, stopped, chosen = 8 * len(self.free), [], []
            for job in sorted(queue + running, key=lambda job: job.left):
                if job.width <= room:
                    room -= job.width
                    chosen += [job] if job in queue else []
                elif job in running:
                    stopped.append(job)
            for job in stopped:
                job.stops += 1
                job.left += next(cost for most, cost in CHECKPOINT if job.width <= most)
                self.release(job)
                running.remove(job)
                queue.append(job)
            for job in chosen:
                if self.place(job):
                    job.start = job.start if job.start >= 0 else now
                    queue.remove(job)
                    running.append(job)
            now += 1


def nodes_of_eight(count: int) -> Topology:
    return Topology.from_links([], {f"node-{index}": {"accelerators": 8} for index in range(count)})


def consolidated(job: BatchJob) -> int:
    """No more servers than the gang fills: what Helios enforces."""
    return math.ceil(job.accelerators / 8)


helios_jobs = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 40), st.sampled_from([1, 2, 4, 8, 16])), min_size=1, max_size=20
).map(sorted)


@settings(max_examples=150)
@given(helios_jobs, st.integers(2, 4), st.sampled_from(["fifo", "sjf"]))
def test_fifo_and_sjf_on_consolidated_nodes_are_those_of_helios(drawn: Drawn, nodes: int, order: str) -> None:
    rows = [Row(*each) for each in drawn]
    keys: dict[str, Callable[[Row], Any]] = {"fifo": lambda job: job.submit, "sjf": lambda job: job.duration}
    Helios(nodes, rows).in_order(keys[order])
    for jobs in (
        ours(drawn, order, nodes_of_eight(nodes), max_servers=consolidated),
        ours(drawn, order, nodes_of_eight(nodes), Pack(consolidate=True)),
    ):
        assert [(job.start, job.end) for job in jobs] == [(row.start, row.end) for row in rows]


def test_consolidation_is_what_idle_servers_would_allow() -> None:
    """16 on a server of 16 or two of 8; what cores allow counts too, and a gang that fits nowhere idle may be split."""
    nodes = Topology.from_links([], {"a": {"accelerators": 16, "cores": 32}, "b": {"accelerators": 8, "cores": 8}})
    drawn = [(0, 10, 4), (1, 10, 16), (2, 10, 2)]
    assert [job.start for job in ours(drawn, "fifo", nodes)] == [0.0, 1.0, 2.0]
    assert [job.start for job in ours(drawn, "fifo", nodes, Pack(consolidate=True))] == [0.0, 1.0, 2.0]
    drawn[0] = (0, 10, 10)
    assert [job.start for job in ours(drawn, "fifo", nodes, Pack(consolidate=True))] == [0.0, 10.0, 10.0]
    # 24 with a core each: 16 on a, 8 on b, if all is idle
    assert [job.start for job in ours([(0, 5, 24)], "fifo", nodes, Pack(consolidate=True), cores=lambda _: 24.0)] == [0]
