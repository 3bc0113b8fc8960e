"""What every scheduler must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.runtime.host import Host
from simulator.runtime.windows import Booking, Maintenance
from simulator.testing.running import Counted, made_scheduler, prepared, run, run_all, told
from simulator.testing.situations import burdened, choosy, crowd, elastic, job, kinds, servers
from simulator.workload.jobs import BatchJob, State

_SAID = tuple(field.name for field in fields(BatchJob) if field.init)
_OVER = (State.COMPLETED, State.TIMEOUT, State.REJECTED)


def check_scheduler(policy: Any, turns_away: bool = False) -> None:
    """Put a scheduler through everything that ``SchedulerContract`` promises.

    ``policy`` is a name, a function ``(view) -> actions``, an object or a class; ``turns_away`` says that it rejects
    jobs on purpose. Raises ``AssertionError``.

    >>> check_scheduler("fifo")
    """

    class Given(SchedulerContract):
        def make(self) -> Any:
            return policy

    given = Given()
    given.turns_away = turns_away
    run_all(given)


class SchedulerContract:
    """What every scheduler must do; subclass it, say in ``make`` which one, and let pytest collect it."""

    turns_away = False
    """Whether it rejects jobs on purpose, as a loss system does: those count as done."""

    def make(self) -> Any:
        """Return the scheduler: a name, a function, an object or a class; always the same object if you like."""
        raise NotImplementedError("return your scheduler from make()")

    def test_acts_legally(self) -> None:
        """It starts only what waits and fits, on a pool, on servers, and where restarts cost time."""
        for topology in (8, servers(4, 4), 3):
            _play(self.make(), crowd(60, largest=6), topology, restart=5.0)

    def test_finishes_every_job_that_fits(self) -> None:
        """No job is left behind when the cluster is free."""
        for topology in (8, servers(2, 4)):
            jobs = crowd(40, largest=4)
            _play(self.make(), jobs, topology)
            left = self._left(jobs)
            assert not left, (
                f"{len(left)} of {len(jobs)} jobs that fit were never finished, {left[0]!r} for one, though the "
                "cluster was free in the end. Most likely schedule yields nothing in some situation, or waits for what "
                "does not come: it is called when a job comes or ends, and every `interval` seconds while jobs wait"
            )

    def test_serves_small_jobs_beside_large_ones(self) -> None:
        """A small job does not wait for an endless stream of large ones to stop."""
        stream = [job(f"large-{i}", max(0.0, 10.0 * (i - 1)), 10.0, 4.0) for i in range(90)]
        small = job("small", 5.0, 1.0, 1.0)
        _play(self.make(), [*stream, small], 4)
        assert small.waited <= 450, (
            f"a job of 1 s on 1 accelerator waited {small.waited:g} s beside a steady stream of larger ones that came "
            "after it. Most likely waiting never counts in the order: a large job always goes before a small one"
        )

    def test_lives_through_idle_gaps_and_empty_queues(self) -> None:
        """Nothing to do is not an error, and work after a long pause is done."""
        empty = prepared([], self.make(), 4)
        host = Host(made_scheduler(self.make()), empty.clock)
        told(lambda: host.reset(stream(0, "scheduler")))
        asked = told(lambda: list(host.ask(empty.view)))
        assert not asked, f"it asked for {asked!r} with nothing in the queue"
        jobs = [job("early", 0.0, 10.0, 2.0), job("late", 1e7, 10.0, 4.0), job("later", 2e7, 0.0, 1.0)]
        _play(self.make(), jobs, 4)
        waited = [each.waited for each in jobs]
        assert waited == [0.0, 0.0, 0.0], (
            f"on an empty cluster three jobs far apart waited {waited} s. Most likely the first pass after a pause "
            "finds something left over from before it"
        )

    def test_takes_jobs_of_every_size(self) -> None:
        """Shares of an accelerator, jobs without any or of no length, equal instants, wrong estimates: all fine."""
        jobs = [
            job(f"{size:g}-{length:g}-{estimate:g}", at, length, size, estimate=estimate)
            for at in (0.0, 7.0)
            for size in (0.0, 0.25, 0.5, 1.0, 3.0, 4.0)
            for length, estimate in ((0.0, 5.0), (6.0, 1.0), (6.0, 60.0))
        ]
        _play(self.make(), jobs, servers(2, 4))
        left = self._left(jobs)
        assert not left, f"jobs {left[:3]} (accelerators-duration-estimate) of {len(left)} were never finished"

    def test_bears_accelerators_that_lie_scattered(self) -> None:
        """A job for one server waits while enough are free, but not together; the others go on."""
        jobs = [job("x", 0.0, 50.0, 3.0), job("y", 0.0, 40.0, 3.0)]
        jobs += [job("pod", 1.0, 5.0, 2.0, max_servers=1), job("gang", 2.0, 5.0, 2.0)]
        jobs += [job("point", 3.0, 0.0, 2.0, max_servers=1), job("wide", 4.0, 5.0, 3.0)]
        _play(self.make(), jobs, servers(2, 4))
        assert not self._left(jobs), f"jobs {self._left(jobs)} were never finished"

    def test_bears_jobs_that_can_never_fit(self) -> None:
        """A job larger than the cluster is turned away by the engine; the others go on."""
        jobs = crowd(10, largest=4)
        _play(self.make(), [job("huge", 1.0, 5.0, 99.0), *jobs], 4)
        assert not self._left(jobs), f"after a job that is too large, jobs {self._left(jobs)} were never finished"

    def test_bears_elastic_jobs(self) -> None:
        """Jobs that could run on more or fewer accelerators run, resized or not."""
        for topology in (8, servers(2, 4)):
            jobs = elastic(25)
            _play(self.make(), jobs, topology, restart=1.0)
            assert not self._left(jobs), (
                f"elastic jobs {self._left(jobs)[:3]} were never finished. A scheduler that does not care starts them "
                "on job.accelerators, as any other"
            )

    def test_bears_servers_of_several_kinds(self) -> None:
        """Types, cores, taints and partitions say where a job may run, and nobody waits for ever."""
        jobs = choosy(30)
        _play(self.make(), jobs, kinds())
        assert not self._left(jobs), (
            f"jobs {self._left(jobs)[:3]} were never finished on servers of two types. Most likely it compares with "
            "view.free alone, which counts all types; view.place(job) says whether there is a place"
        )

    def test_heeds_limits_dependencies_and_what_may_not_be_stopped(self) -> None:
        """Tenants, priorities, deadlines, limits, begin times and arrays: every job comes to an end."""
        jobs = burdened(40)
        _play(self.make(), jobs, 8, restart=2.0)
        left = [each.id for each in jobs if each.state not in _OVER]
        assert not left, (
            f"jobs {left[:3]} of {len(left)} came to no end, though each has a limit, a dependency or an array that "
            "lets it. Most likely it waits for a job that the view does not show: one that has been killed at its "
            "limit, or is held"
        )

    def test_goes_on_when_servers_come_back(self) -> None:
        """Jobs that are stopped by a maintenance, or kept out by a booking, run when it is over."""
        jobs = crowd(12, largest=4, seed=7)
        last = job("last", 300.0, 5.0, 4.0, max_servers=1)
        windows = [Maintenance(40.0, 90.0, (0,), drain=10.0), Maintenance(150.0, 170.0, (1,))]
        bookings = [Booking(100.0, 140.0, (1,), "red"), Booking(250.0, 350.0, (0, 1), "red", drain=5.0)]
        _play(self.make(), [*jobs, last], servers(2, 4), maintenance=windows, bookings=bookings)
        left = self._left([*jobs, last])
        assert not left, (
            f"jobs {left[:3]} were never finished after servers had come back. Most likely it remembers that a job "
            "found no place, and looks again only when a job comes or ends, or when view.free has changed"
        )

    def test_keeps_no_view(self) -> None:
        """What one run shows is of that run only."""
        policy = made_scheduler(self.make())
        for seed in (1, 5):
            _play(policy, crowd(15, largest=4, seed=seed), 8)

    def test_gives_the_same_result_again(self) -> None:
        """Two runs are equal, also when all jobs are called something else."""
        first = _play(self.make(), crowd(50, largest=6), 8, seed=3)
        second = _play(self.make(), crowd(50, largest=6), 8, seed=3)
        assert _same(first, second), (
            "two runs of the same jobs differ. Most likely it keeps state between runs that reset(rng) does not clear, "
            "or draws random numbers from elsewhere than the generator that reset(rng) is given"
        )
        renamed = _play(self.make(), crowd(50, largest=6, shuffled=True), 8, seed=3)
        assert _same(first, renamed), (
            "the result changes with the names of the jobs. Most likely it loops over a set, or sorts by id: let ties "
            "go by job.sequence"
        )

    def test_knows_only_estimates(self) -> None:
        """How long a job really runs, beyond what is estimated, decides nothing before it ends."""
        chosen = []
        for longer in (1.0, 7.0):
            jobs = crowd(30, largest=6)
            for index, each in enumerate(jobs):
                each.submit, each.duration = 0.0, each.duration * (longer if index % 2 else 1.0)
            _play(self.make(), jobs, 8, until=0.5)
            chosen.append([index for index, each in enumerate(jobs) if each.start == 0.0])
        assert chosen[0] == chosen[1], (
            "which of 30 jobs it starts first depends on how long they will really run, though all that it is told of "
            "them is the same. Most likely it looks at job.duration; take job.estimate, or view.remaining(job)"
        )

    def test_keeps_nothing_from_one_run_to_the_next(self) -> None:
        """An object that has seen other jobs, on another cluster, does as a fresh one."""
        fresh = _play(self.make(), crowd(30, largest=4), 8)
        used = self.make()
        _play(used, crowd(25, largest=3, seed=9), servers(3, 4), until=200.0)
        assert _same(fresh, _play(used, crowd(30, largest=4), 8)), (
            "it does not do the same after another run. Most likely it keeps jobs or counts from that run: clear them "
            "in reset(rng)"
        )

    def test_changes_no_job_and_no_cluster(self) -> None:
        """What the view shows is read-only."""
        jobs, untouched = crowd(30, largest=4), crowd(30, largest=4)
        simulation, _ = told(lambda: run(jobs, self.make(), servers(2, 4)))
        for ours, original in zip(jobs, untouched, strict=True):
            for name in _SAID:
                now, then = getattr(ours, name), getattr(original, name)
                if name == "estimate" and then < 0:
                    continue  # the engine fills it in
                assert now == then, f"it changed {name} of job {ours.id!r} from {then!r} to {now!r}: jobs are read-only"
        free = simulation.nodes.used == 0 and bool((simulation.nodes.free == simulation.nodes.total).all())
        assert free, "servers are not free after the run: it called view.nodes.take or give itself; yield Start instead"

    def _left(self, jobs: Sequence[BatchJob]) -> list[str]:
        """Jobs that were not brought to their end."""
        fine = (*_OVER[: 3 if self.turns_away else 2],)
        return [each.id for each in jobs if each.state not in fine]


def _play(policy: Any, jobs: Sequence[BatchJob], topology: Topology | int, **options: Any) -> Record:
    counted = Counted(made_scheduler(policy))
    return told(lambda: run(jobs, counted, topology, **options)[1])


def _same(first: Record, second: Record) -> bool:
    """Whether two runs of equal jobs went alike."""
    ours, theirs = first.tables["jobs"], second.tables["jobs"]
    names = ("submit", "start", "end", "wait", "preemptions")
    return all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in names)
