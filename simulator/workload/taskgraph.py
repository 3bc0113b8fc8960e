"""Data jobs: stages of alike tasks, each of which begins when the stages before it are done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.laws import Law
from simulator.workload.sampling import Draws

MOST_TASKS = 50_000_000
"""Tasks of one stage, at most."""


@dataclass(frozen=True, slots=True)
class Stage:
    """So many tasks of one kind; ``seconds`` is the law of how long one takes, ``after`` names stages before it."""

    name: str
    tasks: int
    seconds: Law
    after: tuple[str, ...] = ()

    def durations(self, draws: Draws) -> np.ndarray:
        """Seconds of each task, of shape (tasks,)."""
        return np.asarray(self.seconds(draws.stream(f":{self.name}").random(self.tasks)), dtype=np.float64)


def followers(stages: Sequence[Stage]) -> list[list[int]]:
    """Return, for each stage, the positions of those that wait for it.

    Raises ``InputError`` for a name that is no stage or is that of two, and for stages that wait for each other in a
    circle.
    """
    places: dict[str, int] = {}
    for place, stage in enumerate(stages):
        if places.setdefault(stage.name, place) != place:
            raise InputError(f"the name {stage.name!r} is taken: stage {places[stage.name] + 1} has it already")
    after: list[list[int]] = [[] for _ in stages]
    for place, stage in enumerate(stages):
        for name in dict.fromkeys(stage.after):
            if name not in places:
                known = [each for each in places if each != stage.name]
                text = f"stage {stage.name!r} waits for {name!r}, which is no stage"
                raise InputError(Problem(text, hint=did_you_mean(name, known)))
            after[places[name]].append(place)
    _check_circle(stages, after)
    return after


def _check_circle(stages: Sequence[Stage], after: Sequence[Sequence[int]]) -> None:
    """Take away stages that wait for none, again and again; what is left goes round in a circle."""
    waiting = [len(dict.fromkeys(stage.after)) for stage in stages]
    free = [place for place, count in enumerate(waiting) if not count]
    for place in free:  # which grows meanwhile
        for other in after[place]:
            waiting[other] -= 1
            if not waiting[other]:
                free.append(other)
    left = [stage.name for stage, count in zip(stages, waiting, strict=True) if count]
    if left:
        raise InputError(f"stages wait for each other in a circle: {', '.join(left)}")
