"""What a job does on the accelerators that it was given: its iteration, its collectives on the links between them."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.runtime.communicator import LostWay
from simulator.runtime.ensemble import Ensemble
from simulator.runtime.pattern import Pattern
from simulator.runtime.placed import PlacedStep
from simulator.runtime.recipe import Recipe
from simulator.runtime.router import Router
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob, Job, TrainingJob

_KEPT = 1024
"""Placements that are remembered; a long run has more than memory should hold."""
_PERIOD = 1.0
"""Seconds of one iteration of a job of which only the run time is known, as near as makes a whole number of them."""
_ROUNDS = 1_000_000
"""Iterations of such a job at most: those of a longer one are longer."""
_LARGE = 2.0**30
"""Bytes of the all-reduce whose traffic stands for that of a job of which nothing is known but how much it is."""


class PlacedPatterns:
    """Makes the iterations of jobs on a topology; ``algorithm`` is that of all-reduces.

    While links that are down leave a job no way, its traffic waits on the ways that it would have had.
    """

    def __init__(self, topology: Topology, router: Router, slots: Slots, algorithm: str = "auto") -> None:
        self._topology, self._router, self._slots, self._algorithm = topology, router, slots, algorithm
        self._whole = router.pristine()
        self._known: dict[Hashable, Ensemble] = {}
        self._steps: dict[Hashable, Pattern] = {}
        self._as_of = 0
        self.used: dict[int, None] = {}
        """Links over which some job has sent something."""

    def __call__(self, job: Job) -> Pattern:
        """Return the iteration of a job at its placement; raise ``InputError``, with its name, where it has none."""
        if self._as_of != self._router.changes or not self._router.lasting:
            self._known.clear()
            self._steps.clear()
            self._as_of = self._router.changes
        self._router.forget()
        try:
            try:
                found = self._pattern(job, self._router)
            except LostWay:
                found = self._pattern(job, self._whole)
            self.used.update(dict.fromkeys(found.usage))
            return found
        except InputError as error:
            named = (replace(found, text=f"job {job.id!r}: {found.text}") for found in error.problems)
            raise InputError(*named) from None
        finally:
            self._router.forget()

    def _pattern(self, job: Job, router: Router) -> Pattern:
        if isinstance(job, TrainingJob):
            return self._recipe(job, job.recipe, router) if isinstance(job.recipe, Recipe) else self._plain(job, router)
        assert isinstance(job, BatchJob)
        return self._replayed(job, router)

    def _recipe(self, job: TrainingJob, recipe: Recipe, router: Router) -> Pattern:
        members = self._slots.members(job)
        key = (members, recipe, job.iterations, router is self._whole)
        if key not in self._steps:
            _forget(self._steps)
            placed = PlacedStep(recipe, self._topology, router, members, self._algorithm)
            self._steps[key] = placed.pattern(job.iterations)
        return self._steps[key]

    def _plain(self, job: TrainingJob, router: Router) -> Pattern:
        """Compute, then an all-reduce of the gradients."""
        if job.accelerators <= 1 or not job.gradient:
            return Pattern(job.compute, iterations=job.iterations)
        call = self._ensemble(job, router).call("all-reduce", job.gradient, self._algorithm)
        hidden = job.overlap * job.compute
        if not call.links:
            return Pattern(job.compute, max(0.0, call.time - hidden), iterations=job.iterations)
        return Pattern(job.compute, bursts=(call.burst("dp", hidden=hidden),), iterations=job.iterations)

    def _replayed(self, job: BatchJob, router: Router) -> Pattern:
        """So much of the time on the network that its share of the duration, alone, is ``communication``."""
        duration = job.duration if job.given is None else job.work
        rounds = min(max(1, math.ceil(duration / _PERIOD)), _ROUNDS)
        period = duration / rounds
        network = job.communication * period
        if job.accelerators <= 1:
            return Pattern(period - network, network, iterations=rounds, given=duration)
        call = self._ensemble(job, router).call("all-reduce", _LARGE, self._algorithm)
        calls = network / call.alone if 0 < call.alone < math.inf else 0.0
        if not (call.links and calls):
            return Pattern(period - network, network, iterations=rounds, given=duration)
        burst = call.without_latency().burst("replayed", calls)
        return Pattern(period - network, bursts=(burst,), iterations=rounds, given=duration)

    def _ensemble(self, job: Job, router: Router) -> Ensemble:
        members = self._slots.members(job)
        key: Hashable = (members, router is self._whole)
        if len(job.placement) == 1:
            server = replace(self._topology.servers[members[0][0]], name="")
            key = (server, len(members))  # inside a server it is the same everywhere
        if key not in self._known:
            _forget(self._known)
            self._known[key] = Ensemble(self._topology, router, (members,))
        return self._known[key]


def _forget(known: dict[Hashable, Any]) -> None:
    if len(known) >= _KEPT:
        del known[next(iter(known))]
