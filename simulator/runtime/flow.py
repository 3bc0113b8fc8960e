"""Gangs iteration by iteration: every burst of every iteration is a flow on the clock."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import partial

from simulator.core.clock import Clock
from simulator.core.errors import InputError, Problem
from simulator.core.timer import Deadlines
from simulator.runtime.fabric import Fabric, Stream
from simulator.runtime.pattern import Burst, Pattern
from simulator.runtime.progress import elapse, rework
from simulator.workload.jobs import Job

_ROUNDING = 1e-12
"""Relative: work that is as near to done is done; links fuller than 1 by less are not."""
MOST_ITERATIONS = 10_000_000
"""Iterations of one job that are stepped through at most: some ten minutes of computing."""


class _Life:
    """Where a job is in its iteration.

    ``before`` is the work (s) behind the present iteration. A stage is over when its computing (until ``computed``) and
    its burst are; of the burst, ``left`` (1 to 0) is still to be sent as of ``mark``, at ``rate`` a second.
    """

    __slots__ = ("before", "computed", "job", "left", "mark", "pattern", "rate", "sending", "sent", "stage", "streams")

    def __init__(self, job: Job, pattern: Pattern, changed: Callable[[_Life], None]) -> None:
        self.job, self.pattern = job, pattern
        self.streams = [_stream(burst, partial(changed, self)) for burst in pattern.bursts]
        self.before = self.computed = self.mark = self.rate = 0.0
        self.left = 0.0
        self.stage = -1
        self.sending: Stream | None = None
        self.sent = True


def _stream(burst: Burst, changed: Callable[[], None]) -> Stream:
    flows = tuple(volume / burst.flow for volume in burst.usage)
    return Stream(burst.links, flows, 1.0, burst.flow / burst.own if burst.own > 0 else math.inf, changed)


class Flow:
    """Moves jobs stage by stage; calls ``arrived(job)`` at the end of one.

    A job on whose links all fit, whoever is on, is not stepped through: it coasts, in closed form, until somebody comes
    who makes a difference. That is left out (``coasting`` false) where links change or transfers come and go.
    """

    def __init__(self, clock: Clock, fabric: Fabric, arrived: Callable[[Job], None], coasting: bool) -> None:
        self._clock, self._fabric, self._arrived, self._coasting = clock, fabric, arrived, coasting
        self._lives: dict[Job, _Life] = {}
        self._users: dict[int, dict[Job, float]] = {}
        self._computing: Deadlines[Job] = Deadlines(clock, self._computed)
        self._sending: Deadlines[Job] = Deadlines(clock, self._sent)

    def begin(self, job: Job, pattern: Pattern | None) -> None:
        """Let a job move; ``job.done`` of ``job.work`` is behind it.

        Raises ``InputError`` for one that communicates in more iterations than can be stepped through.
        """
        if pattern is not None and pattern.bursts and pattern.iterations > MOST_ITERATIONS:
            text = f"job {job.id!r}: {pattern.iterations:,.0f} iterations are too many to put each on the clock"
            raise InputError(Problem(text, hint=f"at most {MOST_ITERATIONS:,}; fidelity: fluid takes any number"))
        life = self._lives[job] = _Life(job, pattern or Pattern(job.work), self._changed)
        job.speed = 1.0
        for link, peak in _peaks(life.pattern).items():
            self._users.setdefault(link, {})[job] = peak
        if job.restarting > 0 or _through(job):
            self._computing.set(job, self._clock.now + job.restarting)
        else:
            self._enter(life)
        self._wake(life.pattern.usage, job)

    def end(self, job: Job) -> None:
        """Stop moving a job."""
        self.settle(job)
        life = self._lives.pop(job)
        self._computing.clear(job)
        self._sending.clear(job)
        if life.sending is not None:
            self._fabric.leave(life.sending)
        for link in life.pattern.usage:
            del self._users[link][job]

    def set_pace(self, job: Job, pace: float) -> None:
        """Refuse: iterations are stepped through at full pace."""
        raise InputError("jobs that slow each other on one accelerator need network: {fidelity: fluid}")

    def reroute(self, job: Job, pattern: Callable[[], Pattern]) -> None:
        """Let a job go on from the same point of its iteration, with the ways that ``pattern()`` finds meanwhile."""
        life = self._lives[job]
        before, stage, rounds = life.pattern, life.stage, life.before / life.pattern.base if life.before else 0.0
        self.end(job)
        into = job.done - life.before - before.bounds[stage] if stage >= 0 else 0.0
        after = pattern()
        rework(job, before, after)
        if stage >= 0:
            part = into / before.length(stage) if before.length(stage) > 0 else 0.0
            job.done = round(rounds) * after.base + after.bounds[stage] + part * after.length(stage)
        self.begin(job, after)

    def settle(self, job: Job) -> None:
        """Bring the counters of a moving job up to now."""
        life, elapsed = self._lives[job], elapse(job, self._clock.now)
        if job.life is not None:
            job.done += elapsed  # it runs until it is told to stop, and no share of that is behind it
        elif life.stage >= 0:
            job.done = min(job.work, life.before + life.pattern.bounds[life.stage] + self._into_stage(life))
        elif not job.restarting:
            job.done = min(job.work, job.done + elapsed)

    def _enter(self, life: _Life) -> None:
        """Go on from where the job stands: within an iteration, at the start of one, or at the end of all."""
        job, pattern = life.job, life.pattern
        if _through(job):
            job.done = job.work
            self._arrived(job)
        elif self._coasting and not any(map(self._crowded, pattern.usage)):
            life.stage = -1
            self._computing.set(job, self._clock.now + job.work - job.done)
        else:
            base = pattern.base
            rounds = math.floor(job.done / base * (1 + _ROUNDING)) if 0 < base < math.inf else 0
            life.before = rounds * base if rounds else 0.0
            into = max(0.0, job.done - life.before)
            stage = max(0, min(bisect_right(pattern.bounds, into) - 1, len(pattern.stages) - 1))
            self._start(life, stage, into - pattern.bounds[stage])

    def _start(self, life: _Life, stage: int, into: float = 0.0) -> None:
        """Begin a stage, or go on with it ``into`` seconds (as if alone) from its start."""
        now, (compute, burst) = self._clock.now, life.pattern.stages[stage]
        life.stage = stage
        life.computed = now + max(0.0, compute - into)
        life.left = burst.left(into) if burst is not None else 0.0
        life.sent = life.left <= 0
        if burst is not None and not life.sent:
            latency = max(0.0, burst.latency - into)
            if latency > 0:
                self._sending.set(life.job, now + latency)
            else:
                self._send(life)
        self._computing.set(life.job, life.computed)

    def _send(self, life: _Life) -> None:
        life.mark, life.rate = self._clock.now, 0.0
        life.sending = life.streams[life.stage - 1]
        self._fabric.join(life.sending)

    def _changed(self, life: _Life) -> None:
        """Take up the new rate of the burst that is on its way."""
        self._advance(life)
        assert life.sending is not None
        _, burst = life.pattern.stages[life.stage]
        assert burst is not None
        life.rate = life.sending.rate / burst.flow
        self._sending.set(life.job, life.mark + life.left / life.rate if life.rate > 0 else math.inf)

    def _advance(self, life: _Life) -> None:
        now = self._clock.now
        life.left = max(0.0, life.left - life.rate * (now - life.mark)) if now > life.mark else life.left
        life.mark = now

    def _sent(self, job: Job) -> None:
        life = self._lives[job]
        if life.sending is None:  # only the latency has passed so far
            self._send(life)
            return
        self._fabric.leave(life.sending)
        life.sending, life.left, life.rate, life.sent = None, 0.0, 0.0, True
        if life.computed <= self._clock.now:
            self._next(life)

    def _computed(self, job: Job) -> None:
        life = self._lives[job]
        if life.stage < 0:
            self.settle(job)
            self._enter(life)
        elif life.sent:
            self._next(life)

    def _next(self, life: _Life) -> None:
        """The stage is over: on to the next one, or to the next iteration."""
        job, pattern = life.job, life.pattern
        self.settle(job)
        job.done = life.before + pattern.bounds[life.stage + 1]
        if life.stage + 1 < len(pattern.stages):
            self._start(life, life.stage + 1)
        else:
            life.stage = -1
            self._enter(life)

    def _into_stage(self, life: _Life) -> float:
        """Seconds, as if alone, that the present stage has got on: the slower of computing and burst counts."""
        compute, burst = life.pattern.stages[life.stage]
        length = life.pattern.length(life.stage)
        computed = compute - max(0.0, life.computed - self._clock.now)
        tracks = [] if life.computed <= self._clock.now else [computed]
        if burst is not None and not life.sent:
            self._advance(life)
            tracks.append(burst.latency + (1.0 - life.left) * burst.alone if life.left < 1 else 0.0)
        return min(length, *tracks) if tracks else length

    def _crowded(self, link: int) -> bool:
        users = self._users.get(link, {})
        return len(users) > 1 and sum(users.values()) > self._fabric.capacity[link] * (1 + _ROUNDING)

    def _wake(self, links: Iterable[int], newcomer: Job) -> None:
        """Let those who coast on links that are crowded now take up their iterations where they are."""
        woken = {job: None for link in links if self._crowded(link) for job in self._users[link]}
        for job in woken:
            life = self._lives[job]
            if job is not newcomer and life.stage < 0 and not job.restarting:
                self.settle(job)
                self._computing.clear(job)
                self._enter(life)


def _through(job: Job) -> bool:
    return job.done >= job.work * (1 - _ROUNDING)


def _peaks(pattern: Pattern) -> dict[int, float]:
    """Bytes/s that a job puts on each link at most."""
    peaks: dict[int, float] = {}
    for burst in pattern.bursts:
        for link, volume in zip(burst.links, burst.usage, strict=True):
            peaks[link] = max(peaks.get(link, 0.0), volume / burst.own if burst.own > 0 else math.inf)
    return peaks
