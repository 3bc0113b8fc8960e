"""The story of a job: where its time went, and every start, stop, move and failure on the way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.experiment.log import Log
from simulator.experiment.sentences import WAITS, Decided, Happened
from simulator.experiment.story import Line, clock, duration, many

_PARTS = {
    "wait": "in the queue", "compute": "computing", "network": "on the network", "overhead": "lost to restarts",
    "rework": "of work that was lost at stops", "checkpointing": "writing checkpoints",
    "hung": "hung after failures that nobody had noticed",
}  # fmt: skip
"""Columns that the time of a job is the sum of, and what a sentence says of them."""
_ENDS = {
    "COMPLETED": "completed", "REJECTED": "was rejected", "FAILED": "failed for good",
    "TIMEOUT": "was killed at its limit", "UNFINISHED": "was not through when the run ended",
}  # fmt: skip


def row_of(log: Log, name: str) -> int:
    """Row of the first job of that name in the table of jobs; -1 when there is none."""
    rows = np.flatnonzero(np.asarray(log.window.column("jobs", "id") == name, dtype=bool))
    return int(rows[0]) if rows.size else -1


def life(log: Log, name: str) -> tuple[list[str], dict[str, Any]]:
    """What became of a job: sentences, and its row of the table of jobs."""
    jobs, row = log.window.record.tables["jobs"], row_of(log, name)
    facts = {column: values[row] for column, values in jobs.items()}
    facts = {column: value.item() if hasattr(value, "item") else value for column, value in facts.items()}
    what = _ENDS.get(str(facts["state"]), str(facts["state"]))
    head = f"{name} came at {clock(facts['submit'])} for {many(facts['accelerators'], 'accelerator')} and {what}"
    head += f" at {clock(facts['end'])}" if facts["state"] != "UNFINISHED" and facts["end"] == facts["end"] else ""
    said = [f"{head}, {duration(_length(log, facts))} later." if facts["state"] != "REJECTED" else f"{head}."]
    spent = [(float(facts.get(part, 0.0)), text) for part, text in _PARTS.items()]
    told = ", ".join(f"{duration(seconds)} {text}" for seconds, text in spent if seconds > 0)
    said += [f"Its time: {told}."] if told else []
    waits = [(float(facts.get(part, 0.0)), text) for part, text in WAITS.items()]
    why = ", ".join(f"{duration(seconds)} as {text}" for seconds, text in waits if seconds > 0)
    said += [f"It waited {why}."] if why else []
    stops, failures = int(facts.get("preemptions", 0)), int(facts.get("failures", 0))
    if stops:
        times = "once" if stops == 1 else f"{stops} times"
        by = f", {failures} of them by failures" if failures else ""
        by = f", {'by a failure' if stops == 1 else 'always by failures'}" if failures == stops else by
        said.append(f"It was stopped {times}{by}.")
    return said, facts


def _length(log: Log, facts: dict[str, Any]) -> float:
    end = float(facts["end"])
    return (log.end if math.isnan(end) else end) - float(facts["submit"])


def lines(log: Log, name: str, since: float, until: float) -> tuple[Line, ...]:
    """Everything that happened to a job between two times (s), and failures that were noticed as it was stopped."""
    stopped = {row.time for row in log.events if row.event == "preempt" and row.subject == name}

    def decision(row: Decided) -> bool:
        return row.subject == name

    def event(row: Happened) -> bool:
        if row.event in ("failure", "detect", "interruption"):
            return row.time in stopped
        return row.subject.partition(": ")[0] == name

    return log.lines(since, until, decision, event)
