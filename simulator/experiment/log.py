"""What a run wrote down, as rows that can be asked for by subject and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from simulator.experiment.sentences import Decided, Happened, decided, happened
from simulator.experiment.story import Line, duration
from simulator.metrics.churn import group_of
from simulator.metrics.recorder import DECISIONS, EVENTS
from simulator.metrics.scaling import SIZING, TOGETHER, fleets, groups
from simulator.metrics.window import Window

OF_NODES = (
    "scale-up", "scale-down", "stock-out", "node-up", "node-down", "node-warm", "node-drain", "interruption", "failure",
    "detect", "repair", "straggle", "quicken",
)  # fmt: skip
"""Events of nodes and of what they are made of."""
OF_GROUPS = ("scale-up", "scale-down", "stock-out")
OF_PARTS = ("failure", "detect", "repair", "straggle", "quicken")
_PHASES = {"cold-start": "replica-ready", "node-boot": "node-up"}
"""Events of the phases of a start, and the event with which it is over."""
_OF_REQUESTS = ("evict", "resume")


class Log:
    """Decisions and events of one run, in order of time."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.end = window.end

    @cached_property
    def decisions(self) -> list[Decided]:
        """All decisions."""
        return [Decided(*row) for row in self._rows("decisions", [column.name for column in DECISIONS])]

    @cached_property
    def events(self) -> list[Happened]:
        """All events but those of single requests, as ``timed`` has them."""
        chosen = ~np.isin(self.window.column("events", "event").astype(str), _OF_REQUESTS)
        return timed(Happened(*row) for row in self._rows("events", [column.name for column in EVENTS], chosen))

    @cached_property
    def fleets(self) -> dict[str, str]:
        """Fleets of replicas, and the workload that each is of."""
        return fleets(self.window)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Node groups, as facts, decisions and events name them."""
        named = [row.subject for row in self.events if row.event in OF_GROUPS]
        sized = [row.subject for row in self.decisions if row.action == "grow"]
        return tuple(dict.fromkeys([*groups(self.window), *sized, *named]))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Nodes that events name, in order of first appearance."""
        named = [row.subject for row in self.events if row.event.startswith("node-") and row.event != "node-boot"]
        failed = [self.part_of(row.subject) for row in self.events if row.event in OF_PARTS]
        return tuple(dict.fromkeys([*named, *failed]))

    @cached_property
    def phases(self) -> dict[tuple[str, float], list[tuple[str, float]]]:
        """Phases (name, seconds) of each start that was over, by replica or node and the time when it was."""
        open_: dict[str, list[tuple[str, float]]] = {}
        found: dict[tuple[str, float], list[tuple[str, float]]] = {}
        for row in self.events:
            if row.event in _PHASES:
                name, _, phase = row.subject.rpartition(": ")
                open_.setdefault(name, []).append((phase, row.amount))
            elif row.event in _PHASES.values():
                phases = open_.pop(row.subject, [])
                if phases:
                    found[row.subject, row.time] = phases
            elif row.event in ("start", "preempt", "node-down", "node-warm"):
                open_.pop(row.subject, None)
        return found

    @cached_property
    def _through(self) -> dict[str, list[float]]:
        """When starts of a replica or node were over."""
        found: dict[str, list[float]] = {}
        for name, time in self.phases:
            found.setdefault(name, []).append(time)
        return found

    def told(self, name: str, time: float) -> str:
        """The phases of a start that was over at a time, as a sentence goes on; empty without any."""
        phases = self.phases.get((name, time), [])
        total = math.fsum(seconds for _, seconds in phases)
        parts = ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in phases if seconds > 0)
        return f"{parts} ({duration(total)})" if len(phases) > 1 and parts else parts

    def sized_group(self, row: Decided) -> bool:
        """Whether a decision is on the nodes of a group."""
        return row.subject in self.groups or row.subject == TOGETHER or row.action == "grow"

    def lines(
        self,
        since: float,
        until: float,
        decision: Callable[[Decided], bool],
        event: Callable[[Happened], bool],
    ) -> tuple[Line, ...]:
        """Lines of the decisions and events that are asked for, in order of time, decisions first.

        What is said twice is told once: events of a group beside the decision that brought them, and phases of a start
        that was over by ``until``.
        """
        taken = news([row for row in self.decisions if since <= row.time <= until and decision(row)])
        sized = {(row.time, row.subject) for row in taken if row.action in SIZING}
        seen = [row for row in self.events if since <= row.time <= until and event(row)]
        seen = [row for row in seen if row.event not in OF_GROUPS[:2] or (row.time, row.subject) not in sized]
        seen = [row for row in seen if row.event not in _PHASES or not self._over(row, until)]
        lines = [decided(row, self.sized_group(row)) for row in taken] + [self.line(rows) for rows in together(seen)]
        return tuple(sorted(lines, key=lambda line: (line.time, line.kind != "decision")))

    def line(self, rows: Sequence[Happened]) -> Line:
        """The line of events of one kind at one time."""
        named = [row._replace(subject=self._named(row)) for row in rows]
        return happened(named, {row.subject: self.told(row.subject, row.time) for row in rows})

    def _named(self, row: Happened) -> str:
        """The subject of an event; of a failure what failed, and the source that it came from."""
        part = self.part_of(row.subject) if row.event in OF_PARTS else row.subject
        source = row.subject.removesuffix(part).strip()
        return f"{part} (source {source})" if source else part

    def _over(self, row: Happened, until: float) -> bool:
        name = row.subject.rpartition(": ")[0]
        return any(row.time <= time <= until for time in self._through.get(name, ()))

    def part_of(self, subject: str) -> str:
        """What failed, without the name of its source, which stands before it."""
        told = self.window.record.facts.get("failures")
        sources = told.get("by_source") if isinstance(told, dict) else None
        named = [str(source) for source in sources or () if subject.startswith(f"{source} ")]
        return subject[len(max(named, key=len)) + 1 :] if named else subject.rpartition(" ")[2]

    def group_of(self, node: str) -> str:
        """The node group that a node belongs to; empty when nothing tells."""
        told = groups(self.window)
        return group_of(node, {name: told.get(name, {}) for name in self.groups})

    def at_node(self, row: Happened, node: str) -> bool:
        """Whether an event is of a node, a phase of its start, or a part of it."""
        if row.event in OF_PARTS:
            return node in (row.subject, self.part_of(row.subject))
        return (row.event.startswith("node-") and row.subject.partition(": ")[0] == node) or (
            row.event == "interruption" and row.subject == node
        )

    def _rows(self, table: str, names: Sequence[str], chosen: np.ndarray | None = None) -> Iterator[tuple[Any, ...]]:
        columns = [self.window.column(table, name) for name in names]
        return zip(*((values if chosen is None else values[chosen]).tolist() for values in columns), strict=True)


def news(rows: Iterable[Decided]) -> list[Decided]:
    """Decisions, without those that change nothing and want what the one before on the same subject wanted already.

    >>> row = Decided(0.0, "hpa", "chat", "scale", 8.0, 9.0, 8.0, "above", "", "")
    >>> len(news([row, row._replace(time=15.0), row._replace(time=30.0, wanted=10.0)]))
    2
    """
    last: dict[tuple[str, str], tuple[str, str, float, float]] = {}
    kept = []
    for row in rows:
        who, what = (row.controller, row.subject), (row.action, row.rule, row.wanted, row.applied)
        if row.applied != row.before or last.get(who) != what:
            kept.append(row)
        last[who] = what
    return kept


def timed(rows: Iterable[Happened]) -> list[Happened]:
    """Events in order, those that end a failure with the seconds since it began in place of their amount.

    The ``repair`` of what was only slow is called ``quicken``.

    >>> timed([Happened(10.0, "failure", "gpu n1", 8.0), Happened(40.0, "repair", "gpu n1", 8.0)])[1]
    Happened(time=40.0, event='repair', subject='gpu n1', amount=30.0)
    """
    began: dict[str, tuple[str, float]] = {}
    found = []
    for row in rows:
        told = row
        if row.event in ("failure", "straggle"):
            began[row.subject] = (row.event, row.time)
        elif row.event in ("detect", "repair") and row.subject in began:
            kind, since = began[row.subject]
            event = "quicken" if (kind, row.event) == ("straggle", "repair") else row.event
            told = row._replace(event=event, amount=row.time - since)
        found.append(told)
    return found


def together(rows: Iterable[Happened]) -> list[list[Happened]]:
    """Rows in order, those of one kind at one time together; what each is told of alone stays alone.

    >>> rows = [Happened(1.0, "start", "a", 2.0), Happened(1.0, "end", "c", 2.0), Happened(1.0, "start", "b", 1.0)]
    >>> [[row.subject for row in some] for some in together(rows)]
    [['a', 'b'], ['c']]
    """
    found = []
    for _, some in groupby(rows, key=lambda row: row.time):
        kinds: dict[tuple[str, str], list[Happened]] = {}
        for row in some:
            kinds.setdefault((row.event, row.subject if row.event in _ALONE else ""), []).append(row)
        found += list(kinds.values())
    return found


_ALONE = (*OF_GROUPS, *_PHASES, "detect", "repair", "quicken", "capacity", "interruption")
