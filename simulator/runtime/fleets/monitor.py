"""What lies between what is true of a fleet and what its autoscaler is told: samples, windows, lag."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from simulator.core.clock import Clock, Phase
from simulator.policies.serving import PodReading, ServiceObservation
from simulator.runtime.fleets.spec import Monitoring

METRICS = ("outstanding", "queued", "running", "kv", "busy", "arrivals")
"""What can be measured of a fleet."""
_NONE_YET: Mapping[str, str] = dict.fromkeys(METRICS, "no sample yet")
_NOTHING: Mapping[str, str] = {}


class Gauges(NamedTuple):
    """What is true of the work of a fleet at one instant."""

    outstanding: float
    queued: float
    running: float
    kv: float
    came: float
    """Requests or other work that came so far."""
    area: float
    """Integral of ``outstanding`` over time so far."""


class Watched(Protocol):
    """What a monitor must know of a fleet."""

    @property
    def count(self) -> int:
        """Replicas that take work."""

    @property
    def coming(self) -> int:
        """Replicas that wait for accelerators or are starting."""

    @property
    def draining(self) -> int:
        """Replicas that take no more work, but have some left."""

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds up to now: held, and working."""

    def pods(self) -> Sequence[PodReading]:
        """Each replica by itself."""


class _Sample(NamedTuple):
    time: float
    gauges: Gauges
    held: float
    busy: float


class Monitor:
    """Observes one fleet for its autoscaler; ``read()`` returns what is true of its work now.

    ``spans`` are those over which the autoscaler wants means (s); ``per_pod`` whether it wants each replica by itself.
    """

    def __init__(
        self,
        clock: Clock,
        how: Monitoring,
        fleet: Watched,
        read: Callable[[], Gauges],
        spans: Sequence[float] = (),
        per_pod: bool = False,
    ) -> None:
        self._clock, self._how, self._fleet, self._read = clock, how, fleet, read
        self._spans, self._per_pod = tuple(spans), per_pod
        self._samples: deque[_Sample] = deque()
        self._kept = how.lag + how.scrape + max([how.window, *self._spans])
        self._sampling, self._since = False, clock.now

    def sample(self) -> None:
        """Take a sample now, and forget those that nobody will ask for."""
        held, busy = self._fleet.seconds()
        self._samples.append(_Sample(self._clock.now, self._read(), held, busy))
        oldest = self._clock.now - self._kept
        while len(self._samples) > 2 and self._samples[1].time <= oldest:
            self._samples.popleft()

    def watch(self, going: Callable[[], bool]) -> None:
        """Take samples at every scrape from now on, as long as ``going()``."""
        if self._how.scrape and not self._sampling:
            self._sampling = True
            self.sample()
            self._clock.after(self._how.scrape, self._scrape, going, phase=Phase.ARRIVALS)

    def _scrape(self, going: Callable[[], bool]) -> None:
        self._sampling = False
        if going():
            self.watch(going)

    def observe(self) -> ServiceObservation:
        """Return what the autoscaler is told now."""
        if not self._how.scrape:
            self.sample()
        fleet, samples = self._fleet, self._samples
        newest = self._clock.now - self._how.lag
        last = len(samples) - 1
        while last >= 0 and samples[last].time > newest:
            last -= 1
        pods = fleet.pods() if self._per_pod else ()
        if last < 0:
            return ServiceObservation(
                fleet.count, fleet.coming, fleet.draining, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, pods, _NONE_YET
            )
        first = self._first(last)
        now, before = samples[last], samples[first]
        outstanding, queued, running, kv, came, _ = now.gauges
        if last - first > 1:
            several = [samples[index].gauges for index in range(first + 1, last + 1)]
            outstanding, queued, running, kv = (sum([each[i] for each in several]) / len(several) for i in range(4))
        held, elapsed = now.held - before.held, now.time - before.time
        if last == 0:
            before, held, elapsed = _Sample(0.0, Gauges(0, 0, 0, 0, 0, 0), 0.0, 0.0), now.held, now.time
        return ServiceObservation(
            fleet.count,
            fleet.coming,
            fleet.draining,
            outstanding,
            queued,
            running,
            kv,
            min(1.0, (now.busy - before.busy) / held) if held > 0 else 0.0,
            (came - before.gauges.came) / elapsed if elapsed > 0 else 0.0,
            pods,
            _NOTHING,
            {span: self._mean(now, span) for span in self._spans} if self._spans else {},
        )

    def _first(self, last: int) -> int:
        """Index of the sample after which the window begins; the one before the last without a window."""
        if not self._how.window:
            return max(0, last - 1)
        begin = self._samples[last].time - self._how.window
        first = last
        while first > 0 and self._samples[first].time > begin:
            first -= 1
        return first

    def _mean(self, now: _Sample, span: float) -> float:
        """Mean of ``outstanding`` over the ``span`` seconds before a sample, or since the fleet is there."""
        begin = now.time - span
        before = after = now
        for sample in reversed(self._samples):
            if sample.time <= now.time:
                before, after = sample, before
                if sample.time <= begin:
                    break
        area, time = before.gauges.area, before.time
        if before.time > begin:
            area, time = 0.0, self._since
        elif before.time < begin:
            part = (begin - before.time) / (after.time - before.time)
            area, time = area + part * (after.gauges.area - area), begin
        elapsed = now.time - time
        return (now.gauges.area - area) / elapsed if elapsed > 0 else float(now.gauges.outstanding)
