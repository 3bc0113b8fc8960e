"""Serving against theory and measurement; the cases are in modules of their own beside this one."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.experiment.validate import Row, areas
from simulator.experiment.validation.serving_queues import queues
from simulator.experiment.validation.serving_run import run
from simulator.experiment.validation.serving_times import times


@areas.register("serving")
def serving() -> Iterator[Row]:
    """Serving of language models: iteration times of inference engines, a whole run of one, textbook queues."""
    yield from times()
    yield from run()
    yield from queues()
