"""Jobs that compute and send over one link in turn, event by event, without the simulator: the slow and plain way."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Trainer:
    """``rounds`` of: ``alone`` seconds of computing, then ``beside`` seconds of computing next to ``size`` bytes."""

    start: float
    rounds: int
    alone: float
    beside: float
    size: float
    cap: float = math.inf
    end: float = math.nan
    compute: float = 0.0
    left: float = 0.0
    sending: bool = False

    def begin_alone(self) -> None:
        self.compute, self.left, self.sending = self.alone, 0.0, False

    def begin_beside(self) -> None:
        self.compute, self.left, self.sending = self.beside, self.size, True


def share(trainers: list[Trainer], capacity: float) -> list[float]:
    """Rates of those who send: equal shares, those that want less get what they want."""
    order = sorted(range(len(trainers)), key=lambda i: trainers[i].cap)
    rates, room = [0.0] * len(trainers), capacity
    for place, index in enumerate(order):
        rates[index] = min(trainers[index].cap, room / (len(order) - place))
        room -= rates[index]
    return rates


def run(trainers: list[Trainer], capacity: float) -> list[float]:
    """Return when each trainer ends."""
    now, waiting, active = 0.0, sorted(trainers, key=lambda t: t.start), []
    while waiting or active:
        senders = [t for t in active if t.left > 0]
        rates = dict(zip(map(id, senders), share(senders, capacity), strict=True))
        times = [waiting[0].start - now] if waiting else []
        times += [t.compute for t in active if t.compute > 0]
        times += [t.left / rates[id(t)] for t in senders]
        step = min(times, default=0.0)
        now += step
        for t in active:
            t.compute = 0.0 if t.compute <= step * (1 + 1e-14) else t.compute - step
            sent = rates.get(id(t), 0.0) * step
            t.left = 0.0 if t.left <= sent * (1 + 1e-14) else t.left - sent
        for t in [t for t in active if t.compute == 0 and t.left == 0]:
            if not t.sending:
                t.begin_beside()
            else:
                t.rounds -= 1
                t.begin_alone()
            if t.rounds == 0:
                t.end = now
                active.remove(t)
        while waiting and waiting[0].start <= now:
            waiting[0].begin_alone()
            active.append(waiting.pop(0))
    return [t.end for t in trainers]
