"""What the numbers of a run leave out, in sentences that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.metrics import saturation
from simulator.metrics.window import Window


def caveats(windows: Sequence[Window]) -> list[str]:
    """What a reader of the measures of these runs must know, in sentences; empty when nothing."""
    runs = f"Over {len(windows)} replications, " if len(windows) > 1 else ""
    said = [*_of_jobs(windows), *_of_requests(windows)]
    return [runs + sentence for count, sentence in said if count] + _saturated(windows)


def _of_jobs(windows: Sequence[Window]) -> list[tuple[int, str]]:
    total = sum(len(window.jobs) for window in windows)
    unfinished, rejected, failed, killed = (
        sum(int(window.jobs[state].sum()) for window in windows)
        for state in ("unfinished", "rejected", "failed", "timeout")
    )
    skipped = sum(window.skipped for window in windows)
    flows = sum(int(np.isnan(window.column("flows", "end")).sum()) for window in windows)
    return [
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


def _of_requests(windows: Sequence[Window]) -> list[tuple[int, str]]:
    if not any(len(window.asked) for window in windows):
        return []
    asked = [window.requests for window in windows]
    total = sum(map(len, asked))
    unfinished, rejected, given_up = (
        sum(int(requests[state].sum()) for requests in asked) for state in ("unfinished", "rejected", "timeout")
    )
    preempted = sum(int((requests["preemptions"] > 0).sum()) for requests in asked)
    moved = sum(int((requests["transfer"] > 0).sum()) for requests in asked)
    skipped = sum(len(window.asked) for window in windows) - total
    bounds = "they count as having missed their bounds"
    return [
        (skipped, f"{skipped:,} requests arrived during the warm-up; request measures leave them out."),
        (
            unfinished,
            f"{unfinished:,} of {total:,} requests were unfinished at the end of the run: latencies leave them out, "
            "slo.* count those that had missed a bound by then.",
        ),
        (rejected, f"{rejected:,} of {total:,} requests were rejected{_why(windows)}: latencies leave them out, "
         f"{bounds}."),
        (given_up, f"{given_up:,} of {total:,} requests were given up by their clients: latencies leave them out, "
         f"{bounds}."),
        (
            preempted,
            f"{preempted:,} of {total:,} requests were preempted: itl.* leave out the gaps in which they were, tpot.*, "
            "e2e.* and stalled_time.mean do not.",
        ),
        (
            moved,
            f"{moved:,} of {total:,} requests moved to another replica after their prompt: itl.* leave out the gaps in "
            "which they did, tpot.*, e2e.* and transfer_time.mean do not.",
        ),
    ]  # fmt: skip


def _why(windows: Sequence[Window]) -> str:
    """Reasons of rejections with their numbers, the commonest first."""
    reasons = np.concatenate([window.requests["reason"][window.requests["rejected"]] for window in windows])
    names, counts = np.unique(reasons.astype(str), return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-counts[i], names[i]))
    told = ", ".join(f"{counts[i]:,}: {names[i]}" for i in order if names[i])
    return f" ({told})" if told else ""


def _saturated(windows: Sequence[Window]) -> list[str]:
    names = dict.fromkeys(name for window in windows for name in window.services)
    found = {name: saturation.load(windows, name) for name in names}
    return [saturation.sentence(name, load) for name, load in found.items() if load is not None and load.saturated]
