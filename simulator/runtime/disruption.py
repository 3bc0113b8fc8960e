"""Who may be evicted from a node, and how: budgets, grace, checkpoints before the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.core.clock import Phase
from simulator.workload.jobs import Job, State

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

RETRY = 5.0
"""Seconds until an eviction that a budget forbids is tried again (kubectl 1.33 drain, which waits 5 s after the answer
429)."""


class Disruption:
    """Evicts jobs for those who want a node for something else.

    A replica goes by the rules of its service (``job.life``). A batch or training job may go unless it is not
    preemptible; where its checkpoints take time, it writes one first, as far as the grace allows.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def forbids(self, job: Job) -> str:
        """Say why a job may not be evicted now; empty when it may."""
        if job.life is not None:
            may_leave = getattr(job.life, "may_leave", None)
            if may_leave is not None:
                return str(may_leave())
        return "" if job.preemptible else "it may not be stopped (preemptible: false)"

    def evict(self, job: Job, grace: float, rule: str, node: str) -> None:
        """Let a job leave its nodes within ``grace`` seconds; it waits again, or its service replaces it."""
        self._simulation.decisions.add("disruption", job.id, "evict", rule, inputs={"node": node, "grace": grace})
        leave = getattr(job.life, "leave", None)
        if leave is not None:
            leave(grace)
            return
        before = stay(job)

        def end() -> None:
            if job.state is State.RUNNING and stay(job) == before:
                self._simulation.stop(job)

        if self._save(job, end) > 0:
            self._simulation.clock.after(grace, end, phase=Phase.FAILURES)
        else:
            end()

    def warn(self, job: Job, notice: float, rule: str, node: str) -> None:
        """Tell a job that its node is gone in ``notice`` seconds.

        A replica leaves. A job whose checkpoints take time writes one at once and goes when it is written, as what it
        did after would be lost; others work to the end.
        """
        if getattr(job.life, "leave", None) is not None:
            self.evict(job, notice, rule, node)
            return
        before, writing = stay(job), False

        def written() -> None:
            if writing and job.state is State.RUNNING and stay(job) == before:
                self._simulation.decisions.add(
                    "disruption", job.id, "evict", f"{rule}, saved", inputs={"node": node, "grace": notice}
                )
                self._simulation.stop(job)

        writing = self._save(job, written) > 0

    def end(self, job: Job, rule: str, node: str) -> None:
        """Stop a job now, whatever it may say: its node is gone."""
        if job.state is State.RUNNING:
            self._simulation.decisions.add("disruption", job.id, "evict", rule, inputs={"node": node, "grace": 0.0})
            self._simulation.stop(job)

    def _save(self, job: Job, done: Callable[[], None]) -> float:
        """Begin to save a job; return the seconds that this takes, 0 where nothing saves it."""
        return 0.0 if job.life is not None else self._simulation.gangs.saver.save_now(job, done)


def stay(job: Job) -> tuple[int, int]:
    """Tell one stay of a job on accelerators from the next."""
    return job.preemptions, job.moves
