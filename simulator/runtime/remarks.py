"""What a reader of the results must know of jobs that did not come to their end."""

from __future__ import annotations

from collections.abc import Mapping


def left_over(rejected: Mapping[str, int], waiting: int, running: int, held: int) -> list[str]:
    """Return a sentence for each reason for which jobs were rejected, and for jobs that were left at the end."""
    told = [f"{count:,} rejected: {reason}." for reason, count in rejected.items()]
    if waiting or running:
        told.append(f"{running} jobs were still running and {waiting} still waiting at the end of the run.")
    if held:
        told.append(
            f"{held:,} jobs were held to the end: their begin lies after it, jobs they wait for did not end, or they "
            "can never run here."
        )
    return told
