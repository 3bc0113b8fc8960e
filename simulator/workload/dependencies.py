"""Dependencies between the jobs of a trace, kept to what can be replayed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simulator.workload.trace import Trace

_UNKNOWN = "dependencies on jobs that are not in the trace, left out: {n:,}"


def known_dependencies(trace: Trace) -> Trace:
    """Return the trace with ``after`` limited to jobs of it; a note counts what is left out.

    So no job waits for one that was set aside, and will never come.
    """
    if "after" not in trace.columns or "id" not in trace.columns:
        return trace
    known = set(trace.columns["id"].tolist())
    given = trace.columns["after"].tolist()
    kept = [tuple(name for name in names if name in known) if names else () for names in given]
    lost = sum(map(len, given)) - sum(map(len, kept))
    columns = {name: column for name, column in trace.columns.items() if name != "after"}
    if any(kept):
        columns["after"] = np.fromiter(kept, dtype=object)
    notes = (*trace.notes, _UNKNOWN.format(n=lost)) if lost else trace.notes
    return replace(trace, columns=columns, notes=notes)
