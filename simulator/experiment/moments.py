"""Where to look: what can be asked about, and when most of what matters happened."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from simulator.experiment.log import Log
from simulator.experiment.story import clock, listed, many

SHOWN = 5
"""Moments that are named."""
_NAMED = 8
"""Names of each kind that are told."""
_WEIGHTS = {
    "failure": 5.0, "interruption": 5.0, "stock-out": 5.0, "preempt": 3.0, "scale-up": 2.0, "scale-down": 2.0,
    "node-down": 2.0, "node-drain": 2.0, "reject": 2.0, "replica-ready": 1.0, "replica-drain": 1.0, "node-up": 1.0,
    "detect": 1.0, "repair": 1.0, "resize": 1.0,
}  # fmt: skip
"""How much an event says of a moment (ours): what breaks and what is refused before what comes and goes."""
_CHANGE = 2.0
"""The same of a decision that changes something."""
_WORDS = {
    "preempt": "stop of jobs|stops of jobs", "scale-up": "scale-up of nodes|scale-ups of nodes",
    "scale-down": "scale-down of nodes|scale-downs of nodes", "node-up": "node that came|nodes that came",
    "node-down": "node that went|nodes that went", "node-drain": "node that drained|nodes that drained",
    "replica-ready": "replica that got ready|replicas that got ready", "detect": "failure noticed|failures noticed",
    "replica-drain": "replica that drained|replicas that drained", "repair": "repair|repairs",
    "reject": "rejected job|rejected jobs", "resize": "resized job|resized jobs",
}  # fmt: skip
"""What events are called where they are counted, one and several; others by their name."""


class Moment(NamedTuple):
    """A stretch of the run: from when to when (s), how much happened, and what."""

    since: float
    until: float
    weight: float
    counts: dict[str, int]

    @property
    def text(self) -> str:
        """The moment in a sentence."""
        words = {kind: _WORDS.get(kind, f"{kind}|{kind}s").split("|") for kind in self.counts}
        told = [f"{count} {words[kind][count > 1]}" for kind, count in self.counts.items()]
        return f"{clock(self.since)} to {clock(self.until)}: {listed(told, 5)}."


def moments(log: Log, length: float, most: int = SHOWN, subject: str = "") -> list[Moment]:
    """The stretches of ``length`` s in which most happened, by weight; of one subject if one is named."""
    seen = [
        (row.time, row.event, _WEIGHTS[row.event]) for row in log.events
        if row.event in _WEIGHTS and _of(log, row.subject, subject)
    ]  # fmt: skip
    seen += [
        (row.time, "decision", _CHANGE) for row in log.decisions
        if row.applied != row.before and _of(log, row.subject, subject)
    ]  # fmt: skip
    if not seen:
        return []
    cells: dict[int, list[tuple[float, str, float]]] = {}
    for one in seen:
        cells.setdefault(int(one[0] // length), []).append(one)
    ranked = sorted(cells, key=lambda cell: (-sum(weight for _, _, weight in cells[cell]), cell))[:most]
    return [_moment(cells[cell], cell * length, min((cell + 1) * length, log.end)) for cell in ranked]


def _moment(seen: list[tuple[float, str, float]], since: float, until: float) -> Moment:
    counts = Counter(kind for _, kind, _ in seen)
    return Moment(since, max(since, until), sum(weight for _, _, weight in seen), dict(counts.most_common()))


def _of(log: Log, name: str, subject: str) -> bool:
    if not subject or subject in (name, log.part_of(name)):
        return True
    return log.fleets.get(name.rpartition("/")[0]) == subject or log.fleets.get(name) == subject


def subjects(log: Log) -> list[str]:
    """What can be asked about, in sentences."""
    workload, name = log.window.column("jobs", "workload"), log.window.column("jobs", "id")
    replica = np.isin(workload.astype(str), list(log.fleets.values()))
    jobs = [str(each) for each in name[~replica][:_NAMED].tolist()]
    count = int(np.count_nonzero(~replica))
    rows = [
        ("--service", list(services(log)), len(services(log))),
        ("--group", list(log.groups), len(log.groups)),
        ("--node", list(log.nodes[:_NAMED]), len(log.nodes)),
        ("--job", jobs, count),
    ]
    return [f"{option} {_some(names, number)}" for option, names, number in rows if names]


def _some(names: list[str], count: int) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if count <= len(names[:_NAMED]) else f"{shown} ... ({many(count, 'name')})"


def services(log: Log) -> tuple[str, ...]:
    """Services and other workloads that are served by replicas."""
    return tuple(dict.fromkeys([*log.window.services, *log.fleets.values()]))
