"""What the numbers of a run leave out, in sentences that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.metrics.window import Window


def caveats(windows: Sequence[Window]) -> list[str]:
    """What a reader of the job and flow measures of these runs must know, in sentences; empty when nothing."""
    total = sum(len(window.jobs) for window in windows)
    unfinished, rejected, failed, killed = (
        sum(int(window.jobs[state].sum()) for window in windows)
        for state in ("unfinished", "rejected", "failed", "timeout")
    )
    skipped = sum(window.skipped for window in windows)
    flows = sum(int(np.isnan(window.column("flows", "end")).sum()) for window in windows)
    said = [
        (skipped, f"{skipped:,} jobs were submitted during the warm-up; job measures leave them out."),
        (
            unfinished,
            f"{unfinished:,} of {total:,} jobs were unfinished at the end of the run: jct and slowdown leave them out, "
            "wait counts their time in the queue so far (a lower bound), makespan is not defined.",
        ),
        (rejected, f"{rejected:,} of {total:,} jobs were rejected: wait, jct and slowdown leave them out."),
        (failed, f"{failed:,} of {total:,} jobs failed for good: jct and slowdown leave them out."),
        (killed, f"{killed:,} of {total:,} jobs were killed at their limit: jct and slowdown leave them out."),
        (flows, f"{flows:,} transfers did not end within the run: flows.* leave them out."),
    ]
    runs = f"Over {len(windows)} replications, " if len(windows) > 1 else ""
    return [runs + sentence for count, sentence in said if count]
