"""Tests for policies of your own: the ones that every built-in policy has to pass.

Call ``check_scheduler(policy)``, ``check_placer(placer)`` or ``check_autoscaler(autoscaler)``; or subclass a contract and
let pytest run one test for each promise::

    from simulator.testing import SchedulerContract

    class TestMine(SchedulerContract):
        def make(self):
            return smallest_first

A failure is an ``AssertionError`` that says in words what is wrong, and the likeliest mistake behind it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.builders.pool import pool
from simulator.cluster.topology import Topology
from simulator.core.errors import PolicyError
from simulator.core.rng import stream
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.policies.api import Autoscaler, Placer, PoolObservation, Scheduler, autoscalers, placers, schedulers
from simulator.policies.order import as_scheduler
from simulator.runtime.checks import checked
from simulator.runtime.elasticity import NodePool
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob, Job

_LIKELY = (
    ("are free", "it starts jobs without counting what earlier starts of the same pass took; view.free is live, so "
     "compare job.accelerators with it just before each Start"),
    ("is running, not queued", "it starts one job twice, or remembers jobs from an earlier pass; take them from "
     "view.queue each time"),
    ("is completed, not", "it remembers jobs from an earlier pass; take them from view.queue and view.running each time"),
    ("no job of this run", "it keeps jobs of an earlier run; forget them in reset(rng), or keep none at all"),
    ("preempted in this pass", "it starts a job that it has just stopped; that one is back in view.queue at the next pass"),
    ("is not an action", "schedule must yield Start(job), Preempt(job) or Reject(job), not jobs or names"),
    ("starts in one pass", "it loops until a job has started; one that has no place now stays queued, so go on"),
)  # fmt: skip


def replay(
    jobs: Iterable[Job],
    scheduler: Any = "fifo",
    *,
    topology: Topology | int = 8,
    placer: Any = "pack",
    **options: Any,
) -> Record:
    """Run ``jobs`` through a policy on a small cluster; return the record, its invariants checked.

    ``scheduler`` is a name, a function of the view, an object or a class; ``placer`` a name, an object or a class;
    ``topology`` a number of accelerators for a plain pool. ``options`` go to ``Simulation``: ``until``, ``seed``,
    ``restart``, ``pool``, ``capacity_events``. Raises ``PolicyError`` for what a policy may not do.

    >>> jobs = [
    ...     BatchJob(id="first", submit=0.0, duration=9.0, accelerators=8),
    ...     BatchJob(id="second", submit=1.0, duration=1.0, accelerators=2),
    ... ]
    >>> replay(jobs, "fifo").tables["jobs"]["wait"].tolist()
    [0.0, 8.0]
    """
    return _simulation(jobs, scheduler, topology, placer, **options)[1]


def check_scheduler(policy: Any) -> None:
    """Put a scheduler through everything that ``SchedulerContract`` promises.

    ``policy`` is a name, a function ``(view) -> actions``, an object or a class. Raises ``AssertionError``.

    >>> check_scheduler("fifo")
    """

    class Given(SchedulerContract):
        def make(self) -> Any:
            return policy

    _run_all(Given())


def check_placer(placer: Any) -> None:
    """Put a placement policy (a name, an object or a class) through everything that ``PlacerContract`` promises.

    >>> check_placer("pack")
    """

    class Given(PlacerContract):
        def make(self) -> Any:
            return placer

    _run_all(Given())


def check_autoscaler(autoscaler: Any) -> None:
    """Put an autoscaler (a name, an object or a class) through everything that ``AutoscalerContract`` promises.

    >>> check_autoscaler("target-tracking")
    """

    class Given(AutoscalerContract):
        def make(self) -> Any:
            return autoscaler

    _run_all(Given())


class SchedulerContract:
    """What every scheduler must do; subclass it, say in ``make`` which one, and let pytest collect it."""

    def make(self) -> Any:
        """Return the scheduler: a name, a function, an object or a class. The same object may be returned each time."""
        raise NotImplementedError("return your scheduler from make()")

    def test_acts_legally(self) -> None:
        """It starts only what waits and fits, on a pool, on servers, and where restarts cost time."""
        for topology in (8, _servers(4, 4), 3):
            _play(self.make(), _crowd(60, largest=6), topology, restart=5.0)

    def test_finishes_every_job_that_fits(self) -> None:
        """No job is left behind when the cluster is free."""
        for topology in (8, _servers(2, 4)):
            jobs = _crowd(40, largest=4)
            _play(self.make(), jobs, topology)
            left = [job.id for job in jobs if math.isnan(job.end)]
            assert not left, (
                f"{len(left)} of {len(jobs)} jobs that fit were never finished, the first being {left[0]!r}, though "
                "nothing else ran in the end. Most likely schedule yields nothing in some situation, or waits for "
                "something that does not come: it is called when a job comes or ends, and every `interval` seconds"
            )

    def test_serves_small_jobs_beside_large_ones(self) -> None:
        """A small job does not wait for an endless stream of large ones to stop."""
        stream_of_large = [_job(f"large-{i}", max(0.0, 10.0 * (i - 1)), 10.0, 4.0) for i in range(90)]
        small = _job("small", 5.0, 1.0, 1.0)
        _play(self.make(), sorted([*stream_of_large, small], key=lambda job: job.submit), 4)
        assert small.waited <= 450, (
            f"a job of 1 s on 1 accelerator waited {small.waited:g} s beside a steady stream of larger ones that came after "
            "it. Most likely time in the queue never counts in the order: a large job always goes before a small one"
        )

    def test_lives_through_idle_gaps_and_empty_queues(self) -> None:
        """Nothing to do is not an error, and work after a long pause is done."""
        simulation, _ = _simulation([], self.make(), 4, "pack")
        asked = list(_scheduler(self.make()).schedule(simulation.view) or ())
        assert not asked, f"it asked for {asked!r} with nothing in the queue"
        jobs = [_job("early", 0.0, 10.0, 2.0), _job("late", 1e7, 10.0, 4.0), _job("later", 2e7, 0.0, 1.0)]
        _play(self.make(), jobs, 4)
        waited = [job.waited for job in jobs]
        assert waited == [0.0, 0.0, 0.0], (
            f"on an empty cluster three jobs far apart waited {waited} s. Most likely the first pass after a pause finds "
            "something left over from before it"
        )

    def test_takes_jobs_of_every_size(self) -> None:
        """Shares of an accelerator, jobs without any, jobs of no length, equal instants and wrong estimates are fine."""
        sizes = (0.0, 0.25, 0.5, 1.0, 3.0, 4.0)
        jobs = [
            _job(f"{size:g}-{length:g}-{estimate:g}", at, length, size, estimate=estimate)
            for at in (0.0, 7.0)
            for size in sizes
            for length, estimate in ((0.0, 5.0), (6.0, 1.0), (6.0, 60.0))
        ]
        _play(self.make(), jobs, _servers(2, 4))
        left = [job.id for job in jobs if math.isnan(job.end)]
        assert not left, f"jobs {left[:3]} (accelerators-duration-estimate) of {len(left)} were never finished"

    def test_bears_jobs_that_can_never_fit(self) -> None:
        """A job larger than the cluster is turned away by the engine; the others go on."""
        jobs = [_job("huge", 1.0, 5.0, 99.0), *_crowd(10, largest=4)]
        _play(self.make(), sorted(jobs, key=lambda job: job.submit), 4)
        assert all(job.end == job.end for job in jobs if job.id != "huge"), "a job too large stopped the others"

    def test_gives_the_same_result_again(self) -> None:
        """Two runs are equal, also when all jobs are called something else."""
        first = _play(self.make(), _crowd(50, largest=6), 8, seed=3)
        second = _play(self.make(), _crowd(50, largest=6), 8, seed=3)
        assert _same(first, second), (
            "two runs of the same jobs differ. Most likely it keeps state between runs that reset(rng) does not clear, or "
            "draws random numbers from elsewhere than the generator given to reset(rng)"
        )
        renamed = _play(self.make(), _crowd(50, largest=6, names="other-{}x"), 8, seed=3)
        assert _same(first, renamed), (
            "the result changes with the names of the jobs. Most likely it loops over a set or sorts by id: ties go by "
            "job.sequence"
        )

    def test_keeps_nothing_from_one_run_to_the_next(self) -> None:
        """An object that has seen other jobs, on another cluster, does as a fresh one."""
        fresh = _play(self.make(), _crowd(30, largest=4), 8)
        used = self.make()
        _play(used, _crowd(25, largest=3, seed=9), _servers(3, 4), until=200.0)
        assert _same(fresh, _play(used, _crowd(30, largest=4), 8)), (
            "it does not do the same after another run. Most likely it keeps jobs or counts from that run: clear them in "
            "reset(rng)"
        )

    def test_changes_no_job_and_no_cluster(self) -> None:
        """What the view shows is read-only."""
        jobs, before = _crowd(30, largest=4), _crowd(30, largest=4)
        simulation, _ = _told(lambda: _simulation(jobs, self.make(), _servers(2, 4), "pack"))
        for job, original in zip(jobs, before, strict=True):
            for name in (
                "submit",
                "accelerators",
                "duration",
                "estimate",
                "priority",
                "cores",
                "memory",
                "max_servers",
            ):
                now, then = getattr(job, name), getattr(original, name)
                assert now == then, f"it changed {name} of job {job.id!r} from {then!r} to {now!r}: jobs are read-only"
        untouched = (simulation.nodes.free == simulation.nodes.total).all() and simulation.nodes.used == 0
        assert untouched, (
            "servers are not free after the run: it called view.nodes.take or give itself; yield Start instead"
        )


class PlacerContract:
    """What every placement policy must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the placement policy: a name, an object or a class."""
        raise NotImplementedError("return your placement policy from make()")

    def test_places_only_where_there_is_room(self) -> None:
        """Every placement adds up to the job, on servers that are up, of a right type, and have what it takes."""
        for topology in _clusters():
            for job, nodes in _situations(topology):
                _placed(self._placer(), job, nodes, topology)

    def test_finds_the_room_that_there_is(self) -> None:
        """None means that the job does not fit: one server that could take all of it is always found."""
        for topology in _clusters():
            for job, nodes in _situations(topology):
                if _placed(self._placer(), job, nodes, topology) is None:
                    room = np.flatnonzero(nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types))
                    assert not len(room), (
                        f"no place for {_shown(job)}, though server {int(room[0])} alone could take it. Most likely a "
                        "comparison is off by one, or a server that is partly used is passed over"
                    )

    def test_fills_an_empty_cluster(self) -> None:
        """A job as large as the cluster finds its place in it."""
        for topology in _clusters():
            nodes = Allocator(topology.servers)
            job = _job("all", 0.0, 1.0, float(nodes.capacity))
            assert _placed(self._placer(), job, nodes, topology) is not None, (
                f"no place for a job of all {nodes.capacity} accelerators of an empty cluster"
            )

    def test_gives_the_same_place_again(self) -> None:
        """The same situation leads to the same placement, whatever was asked before."""
        used = self._placer()
        for topology in _clusters():
            for job, nodes in _situations(topology):
                first, again = (_placed(placer, job, nodes, topology) for placer in (used, self._placer()))
                assert first == again, (
                    f"{_shown(job)} is placed on {first} by an object that was used before, on {again} by a fresh one. "
                    "Most likely it remembers earlier jobs, or another topology"
                )

    def test_changes_nothing(self) -> None:
        """Looking for a place takes nothing."""
        for topology in _clusters():
            for job, nodes in _situations(topology):
                before = nodes.free.tolist(), nodes.free_cores.tolist(), nodes.free_memory.tolist(), nodes.used
                self._placer().place(job, nodes, topology)
                after = nodes.free.tolist(), nodes.free_cores.tolist(), nodes.free_memory.tolist(), nodes.used
                assert before == after, "place changed the servers; the engine takes what the placement names"

    def test_carries_a_whole_run(self) -> None:
        """Under a strict scheduler all jobs find their place in time."""
        for topology in _clusters():
            jobs = _crowd(40, largest=6)
            _simulation(jobs, "fifo", topology, self.make())
            assert all(job.end == job.end for job in jobs), "jobs that fit into the empty cluster were never placed"

    def _placer(self) -> Placer:
        return _made(self.make(), placers)


class AutoscalerContract:
    """What every autoscaler of a node pool must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the autoscaler: a name, an object or a class."""
        raise NotImplementedError("return your autoscaler from make()")

    def test_has_an_interval(self) -> None:
        """``interval`` is the time between two steps."""
        interval = getattr(self._autoscaler(), "interval", None)
        good = isinstance(interval, int | float) and 0 < interval < math.inf
        assert good, f"interval is {interval!r}; it must be a finite number of seconds above 0"

    def test_answers_with_a_number_of_nodes(self) -> None:
        """Whatever it is told, ``step`` returns a whole number, 0 or more."""
        for wanted, seen in _answers(self._autoscaler()):
            whole = isinstance(wanted, int | np.integer) and not isinstance(wanted, bool)
            assert whole, f"step returned {wanted!r} for {seen}; it must be a whole number of nodes"
            assert wanted >= 0, f"step returned {wanted!r} for {seen}; there are no negative nodes"

    def test_gives_the_same_answers_again(self) -> None:
        """It reads no clock and keeps nothing from one run to the next."""
        used = self._autoscaler()
        first, again = [wanted for wanted, _ in _answers(used)], [wanted for wanted, _ in _answers(used)]
        assert first == again, (
            "the same observations lead to other answers the second time. Most likely it keeps state (times of its last "
            "changes, averages) without a method reset() that clears it, or reads the clock of the machine"
        )

    def test_grows_for_work_and_shrinks_without(self) -> None:
        """A burst brings nodes, a long pause takes them away, and no work is lost."""
        jobs = [_job(f"burst-{i}", 0.0, 7200.0, 4.0) for i in range(12)] + [_job("late", 1e6, 60.0, 4.0)]
        nodes = NodePool(self._autoscaler(), minimum=1, maximum=6, provision=120.0)
        _, record = _simulation(jobs, "fifo", _servers(6, 4), "pack", pool=nodes)
        assert all(job.end == job.end for job in jobs), (
            "jobs were left waiting on a pool that could have grown for them"
        )
        series = record.tables["series"]
        up = dict(zip(series["time"].tolist(), series["capacity"].tolist(), strict=True))
        most, night = max(up.values()), [value for time, value in up.items() if time < 1e6][-1]
        assert most > 4, "twelve jobs of one node each waited for hours, and it never asked for a second node"
        assert night == 4, f"after ten idle days {night / 4:g} nodes were still up; the pool may go down to 1"

    def _autoscaler(self) -> Autoscaler:
        return _made(self.make(), autoscalers)


def _run_all(contract: Any) -> None:
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()


def _made(thing: Any, registry: Any) -> Any:
    """Make an object of a name or a class; an object is copied, so that nothing leaks from one test to the next."""
    if isinstance(thing, str):
        thing = registry.get(thing)
    return thing() if isinstance(thing, type) else copy.deepcopy(thing)


def _simulation(
    jobs: Iterable[Job], scheduler: Any, topology: Topology | int, placer: Any, **options: Any
) -> tuple[Simulation, Record]:
    simulation = Simulation(
        topology=pool(topology) if isinstance(topology, int) else topology,
        scheduler=_scheduler(scheduler),
        placer=_made(placer, placers),
        jobs=sorted(jobs, key=lambda job: job.submit),
        **options,
    )
    record = simulation.run()
    record.facts["invariants"] = check(record)
    return simulation, record


def _scheduler(policy: Any) -> Scheduler:
    return schedulers.get(policy)() if isinstance(policy, str) else as_scheduler(policy)


def _told(run: Callable[[], Any]) -> Any:
    """Do something with a policy; explain what it did wrong."""
    try:
        return run()
    except PolicyError as error:
        text = str(error)
        likely = next((f". Most likely {advice}" for sign, advice in _LIKELY if sign in text), "")
        raise AssertionError(text + likely) from error


def _play(policy: Any, jobs: list[BatchJob], topology: Topology | int, **options: Any) -> Record:
    record: Record = _told(lambda: _simulation(jobs, policy, topology, "pack", **options)[1])
    return record


def _same(first: Record, second: Record) -> bool:
    """Whether two runs of equal jobs went alike."""
    ours, theirs = first.tables["jobs"], second.tables["jobs"]
    names = ("submit", "start", "end", "wait", "preemptions")
    return all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in names)


def _job(name: str, submit: float, duration: float, accelerators: float, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def _crowd(count: int, largest: int, seed: int = 1, names: str = "job-{}") -> list[BatchJob]:
    """Jobs that come in bursts, a little faster than eight accelerators can bear."""
    rng = stream(seed, "crowd")
    submit = np.sort(rng.integers(0, 10 * count, count) // 20 * 20).astype(float)
    length = rng.integers(1, 60, count).astype(float)
    size = rng.integers(1, largest + 1, count).astype(float)
    rows = zip(submit.tolist(), length.tolist(), size.tolist(), strict=True)
    return [_job(names.format(index), *row, estimate=1.5 * row[1]) for index, row in enumerate(rows)]


def _servers(count: int, accelerators: int, **fields: Any) -> Topology:
    """Equal servers without a network."""
    servers = {f"node-{index}": {"accelerators": accelerators, **fields} for index in range(count)}
    return Topology.from_links([], servers, f"{count} servers of {accelerators}")


def _clusters() -> list[Topology]:
    """A pool, equal servers, servers of two types that differ in cores and memory, and two switches."""
    mixed = {
        f"node-{index}": {
            "accelerators": 2 + 2 * (index % 3),
            "accelerator": "ab"[index % 2],
            "cores": 32.0,
            "memory": 64e9,
        }
        for index in range(7)
    }
    pairs = [(f"node-{index}", f"leaf-{index // 3}") for index in range(6)] + [("leaf-0", "top"), ("leaf-1", "top")]
    links = [{"src": a, "dst": b, "capacity": 1e9} for pair in pairs for a, b in (pair, pair[::-1])]
    racks = {f"node-{index}": {"accelerators": 4} for index in range(6)}
    return [
        _servers(1, 16),
        _servers(5, 4),
        Topology.from_links([], mixed, "mixed"),
        Topology.from_links(links, racks, "two racks"),
    ]


def _situations(topology: Topology) -> Iterable[tuple[BatchJob, Allocator]]:
    """Jobs of all kinds, each before a cluster that is full to another degree."""
    for situation in range(60):
        rng = stream(situation, topology.name)
        nodes = Allocator(topology.servers)
        limited = not nodes.plain
        for server in range(len(nodes)):
            if nodes.total[server] and rng.random() < 0.7:
                taken = int(rng.integers(0, nodes.total[server] + 1))
                nodes.take(server, float(taken), *((float(rng.integers(0, 24)), 1e9) if limited else ()))
            if nodes.free[server] and rng.random() < 0.3:
                nodes.take(server, 0.4)
            if rng.random() < 0.1:
                nodes.set_up(server, False)
        size = float(rng.choice([0.0, 0.3, 0.7, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0]))
        more: dict[str, Any] = {"max_servers": int(rng.choice([0, 0, 1, 2])) if size > 1 else 0}
        if limited:
            more |= {"cores": float(rng.choice([0, 4, 12])), "memory": float(rng.choice([0, 8e9]))}
            more["accelerator_types"] = () if rng.random() < 0.5 else (str(rng.choice(["a", "b"])),)
        yield _job(f"situation-{situation}", 0.0, 1.0, size, **more), nodes


def _placed(placer: Placer, job: BatchJob, nodes: Allocator, topology: Topology) -> Any:
    """Ask for a place, and see that it is one."""
    placement = placer.place(job, nodes, topology)
    if placement is None:
        return None
    try:
        good = checked(job, placement, nodes)
        trial = copy.deepcopy(nodes)
        for server, taken in good:
            part = taken / job.accelerators if job.accelerators else 1.0
            trial.take(server, taken, job.cores * part, job.memory * part)
    except ValueError as error:
        raise AssertionError(
            f"{_shown(job)} is placed on {placement!r}: {error}. Most likely nodes.free is not looked at, or not nodes.up, "
            "cores, memory or types; policies.gang.room_for counts them all"
        ) from error
    return good


def _shown(job: BatchJob) -> str:
    wants = f"{job.accelerators:g} accelerators, {job.cores:g} cores, {job.memory:g} B"
    types = f", of type {'/'.join(job.accelerator_types)}" * bool(job.accelerator_types)
    return f"a job of {wants}{types}{f' on at most {job.max_servers} servers' * bool(job.max_servers)}"


def _answers(autoscaler: Autoscaler) -> list[tuple[int, PoolObservation]]:
    """What it wants after each of many observations in a row, one interval apart."""
    reset = getattr(autoscaler, "reset", None)
    if reset is not None:
        reset()
    rng = stream(5, "observations")
    answers = []
    for step in range(200):
        up = int(rng.integers(0, 9))
        busy = int(rng.integers(0, up + 1))
        queued = float(rng.choice([0.0, 0.0, 3.0, 40.0]))
        seen = PoolObservation(up, int(rng.integers(0, 3)), busy, 4.0 * busy, queued, 4.0)
        answers.append((autoscaler.step(step * float(autoscaler.interval), seen), seen))
    return answers
