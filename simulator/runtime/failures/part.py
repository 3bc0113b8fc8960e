"""Failures on the clock: what goes down, who hangs, when somebody notices, and what comes back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.core.clock import Phase
from simulator.core.errors import InputError, did_you_mean
from simulator.runtime.failures.blast import Component, components
from simulator.runtime.failures.cuts import Cuts
from simulator.runtime.failures.outages import Outages
from simulator.runtime.failures.processes import Ageing, Listed, Process, Steady
from simulator.runtime.failures.rates import Rates, corrected
from simulator.runtime.failures.sources import Lemons, LoggedSource, Source
from simulator.runtime.parts import Part
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Failures(Part):
    """Lets the components of a cluster fail.

    ``detection`` seconds pass until a failure is noticed, or it waits for the next health check, one every
    ``health_check`` seconds; with both the earlier counts, and a source that says so itself goes by its own. ``spares``
    servers are kept back. Failures draw from streams of their own names, in their own order: what jobs, schedulers and
    other sources do changes none of them.

    Raises ``InputError`` for numbers that make no sense; for sources that do not suit the topology in ``attach``.
    """

    def __init__(
        self,
        sources: Sequence[Source | LoggedSource],
        *,
        detection: float | None = None,
        health_check: float = 0.0,
        spares: int = 0,
        lemons: Lemons | None = None,
    ) -> None:
        names = [source.name for source in sources]
        twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if twice is not None:
            raise InputError(f"two sources of failures are called {twice!r}")
        for what, value in (("detection", detection or 0.0), ("health_check", health_check)):
            if not 0 <= value < math.inf:
                raise InputError(f"{what} is {value:g} s; it must be a finite time, 0 or more")
        self._sources, self._spares, self._lemons = tuple(sources), spares, lemons
        self._detection, self._health_check = detection, health_check
        self._processes: list[Process] = []
        self._components: list[list[Component]] = []
        self._kinds: list[list[str]] = []
        self._counts: Counter[str] = Counter()
        self._idle: Counter[str] = Counter()

    def attach(self, simulation: Simulation) -> None:
        """Join a simulation that is being put together; raise ``InputError`` for what its topology lacks."""
        self._simulation, self._clock, self._topology = simulation, simulation.clock, simulation.topology
        count = len(self._topology.servers)
        if not 0 <= self._spares < count:
            raise InputError(
                f"spares is {self._spares}; the cluster has {count} servers, and some must be left to work"
            )
        links = simulation.network.links
        self._cuts = Cuts(self._topology, links.set_up, links.set_capacity)
        simulation.vain.spares = self._spares
        self._outages = Outages(simulation, self._cuts, self._spares)
        self._rates = Rates(count)
        self._weights = np.ones(count)
        for source in self._sources:
            found, kinds = self._resolve(source)
            self._components.append(found)
            self._kinds.append(kinds)

    def _resolve(self, source: Source | LoggedSource) -> tuple[list[Component], list[str]]:
        """Return the components of a source and the kind of each."""
        if isinstance(source, Source):
            found = components(self._topology, source.component, source.servers)
            return found, [source.component] * len(found)
        known = {event.component: None for event in source.events}
        by_name = {kind: {each.name: each for each in components(self._topology, kind)} for kind in known}
        for event in source.events:
            if event.name not in by_name[event.component]:
                near = did_you_mean(event.name, by_name[event.component])
                raise InputError(f"there is no {event.component} {event.name!r} that could fail. {near}")
        return [by_name[each.component][each.name] for each in source.events], [e.component for e in source.events]

    def begin(self) -> None:
        """Keep the spares, and expect the first failure of each source."""
        self._outages.begin()
        self._draw_lemons()
        for index, source in enumerate(self._sources):
            self._processes.append(self._process(source, self._components[index]))
            self._arm(index)

    def _draw_lemons(self) -> None:
        """Let some servers fail more often than others, and all together as often as before."""
        if self._lemons is None:
            return
        count = len(self._weights)
        chosen = self._simulation.stream("failures:lemons").permutation(count)
        self._weights[chosen[: max(1, round(self._lemons.share * count))]] = self._lemons.times
        self._weights *= count / self._weights.sum()

    def _process(self, source: Source | LoggedSource, found: list[Component]) -> Process:
        if isinstance(source, LoggedSource):
            span = max((event.time for event in source.events), default=0.0)
            for each in found if span > 0 else ():
                self._rates.add(each, each.servers or self._cuts.isolated_by(each), 1.0 / span)
            rows = [(event.time, index, event.repair) for index, event in enumerate(source.events)]
            return Listed(rows)
        rates = []
        for each in found:
            own = self._weights[list(each.servers)].mean() if each.servers else 1.0
            rates.append(source.rate * each.weight * float(own))
            if source.effect == "down":
                self._rates.add(each, each.servers or self._cuts.isolated_by(each), rates[-1])
        rng = self._simulation.stream(f"failures:{source.name}")
        if source.shape == 1:
            return Steady(rates, source.repair, rng)
        copies = [index for index, each in enumerate(found) for _ in range(round(each.weight))]
        alone = [rates[index] / round(found[index].weight) for index in copies]
        found[:] = [found[index] for index in copies]
        self._kinds[self._sources.index(source)][:] = [source.component] * len(found)
        return Ageing(alone, source.shape, source.repair, rng, source.detection or self._detection or 0.0)

    def _arm(self, index: int) -> None:
        time = self._processes[index].time
        if time < math.inf:
            self._clock.at(max(time, self._clock.now), self._fire, index, phase=Phase.FAILURES)

    def _fire(self, index: int) -> None:
        """Let the next component of a source fail; the end of the work ends this too."""
        if self._simulation.over():
            return
        which, repair = self._processes[index].take()
        self._arm(index)
        source, component = self._sources[index], self._components[index][which]
        if isinstance(source, Source) and source.effect == "slow":
            happened = self._outages.slow(source.name, component, source.pace, repair)
        else:
            happened = self._outages.fail(source.name, component, repair, self._delay(source))
        if happened:
            self._counts[source.name] += 1
        elif isinstance(source, LoggedSource):
            self._idle[source.name] += 1
        self._simulation.vain.failed()

    def _delay(self, source: Source | LoggedSource) -> float:
        """Seconds until a failure that happens now is noticed."""
        if source.detection is not None:
            return source.detection
        waits = [] if self._detection is None else [self._detection]
        if self._health_check > 0:
            now = self._clock.now
            waits.append((math.floor(now / self._health_check) + 1) * self._health_check - now)
        return min(waits, default=0.0)

    def mtbf(self, job: Job, seen: bool = False) -> float:
        """Mean seconds between the failures that stop a running job; ``seen``: corrected by what the run has seen."""
        rate = self._rates.of(server for server, _ in job.placement)
        if seen:
            rate = corrected(rate, self._rates.total, self._outages.taken, self._clock.now)
        return 1.0 / rate if rate > 0 else math.inf

    def passed(self) -> None:
        """A scheduling pass is over: who has started where something has failed, unseen, hangs as well."""
        self._outages.passed()

    def close(self, now: float) -> dict[str, Any]:
        """Return what has failed, by source, and what that did to jobs and servers."""
        return {"failures": {"by_source": dict(self._counts), **self._outages.facts(now)}}

    def notes(self) -> list[str]:
        """Say what failed, and which sources never did."""
        names = [source.name for source in self._sources]
        told = ", ".join(f"{self._counts[name]:,} of {name}" for name in names if self._counts[name])
        quiet = [name for name in names if not self._counts[name]]
        found = [f"Failures: {told}; they stopped running jobs {self._outages.stopped:,} times."] if told else []
        found += [
            f"{count:,} row{'s' * (count != 1)} of {name} fell on what was down already or not there: no effect."
            for name, count in self._idle.items()
        ]
        return found + [f"No failure of {name} fell into the run." for name in quiet]
