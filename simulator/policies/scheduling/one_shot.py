"""Start at once, or be turned away."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.policies.api import Action, ClusterView, Reject, Start, schedulers


@schedulers.register("one-shot")
class OneShot:
    """Every job starts as it comes or is turned away: nobody waits, as in a loss system, and as packing studies do."""

    name = "one-shot"

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Place whoever has come, in order; turn away whoever finds no place."""
        for job in view.queue:
            placement = view.place(job)
            yield Reject(job, "no room when it came") if placement is None else Start(job, placement)
