"""Dependencies between the jobs of a trace, kept to what can be replayed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simulator.workload.trace import Trace

_UNKNOWN = "dependencies on jobs that are not in the trace or come later in it, left out: {n:,}"


def known_dependencies(trace: Trace) -> Trace:
    """Return the trace with ``after`` limited to earlier jobs of it; a note counts what is left out.

    So no job waits for one that was set aside, and no two wait for each other. The order is that of submission; jobs of
    one instant count as they stand in the file.
    """
    if "after" not in trace.columns or "id" not in trace.columns:
        return trace
    place = {name: index for index, name in reversed(list(enumerate(trace.columns["id"].tolist())))}
    given = trace.columns["after"].tolist()
    kept = [
        tuple(name for name in names if place.get(name, len(given)) < index) if names else ()
        for index, names in enumerate(given)
    ]
    lost = sum(map(len, given)) - sum(map(len, kept))
    columns = {name: column for name, column in trace.columns.items() if name != "after"}
    if any(kept):
        columns["after"] = np.fromiter(kept, dtype=object)
    notes = (*trace.notes, _UNKNOWN.format(n=lost)) if lost else trace.notes
    return replace(trace, columns=columns, notes=notes)
