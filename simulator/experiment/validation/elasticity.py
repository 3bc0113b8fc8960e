"""Elasticity and failures against theory and measurement; the cases are in modules of their own beside this one."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.experiment.validate import Row, areas
from simulator.experiment.validation.elasticity_failures import failures
from simulator.experiment.validation.elasticity_loops import loops
from simulator.experiment.validation.elasticity_queues import queues
from simulator.experiment.validation.elasticity_starts import starts


@areas.register("elasticity")
def elasticity() -> Iterator[Row]:
    """Nodes and replicas that come and go, failures and checkpoints: queues with set-up, published clusters, starts."""
    yield from queues()
    yield from failures()
    yield from starts()
    yield from loops()
