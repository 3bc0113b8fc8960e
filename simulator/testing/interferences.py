"""What every model of interference must do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

from simulator.policies.api import Interference, interferences
from simulator.testing.running import made, run, run_all, told
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, Job

_MODELS = ("", "ResNet-50 (batch size 64)", "LM (batch size 20)")
_SHARES = (0.25, 0.5, 0.7)
_ROUNDING = 1e-9


def check_interference(interference: Any) -> None:
    """Put a model of interference through everything that ``InterferenceContract`` promises.

    >>> check_interference("time-slicing")
    """

    class Given(InterferenceContract):
        def make(self) -> Any:
            return interference

    run_all(Given())


class InterferenceContract:
    """What every model of interference must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the model: a name, an object or a class."""
        raise NotImplementedError("return your model of interference from make()")

    def test_answers_with_a_pace(self) -> None:
        """Whoever is beside whom, the answer is a number from 0 to 1."""
        model = self._model()
        for each, share, neighbours in _situations():
            pace = model.pace(each, share, neighbours)
            good = isinstance(pace, int | float) and 0 <= pace <= 1 + _ROUNDING
            assert good, (
                f"pace is {pace!r} for a share of {share:g} beside {len(neighbours)} others; it must be 0 to 1 (as "
                "fast as its share allows)"
            )

    def test_lets_a_job_alone_get_on(self) -> None:
        """Nobody slows a job down that has the accelerator for itself."""
        for share in (*_SHARES, 1.0):
            alone = self._model().pace(job("alone", 0.0, 9.0, share), share, [])
            assert alone == 1.0, f"a job alone on the share of {share:g} that it asked for has pace {alone!r}, not 1"

    def test_slows_nobody_less_for_more_neighbours(self) -> None:
        """One more neighbour makes nobody faster, and the order of neighbours does not matter."""
        model = self._model()
        for each, share, neighbours in _situations():
            pace = model.pace(each, share, neighbours)
            fewer = model.pace(each, share, neighbours[:-1])
            assert pace <= fewer + _ROUNDING, (
                f"pace {pace:g} beside {len(neighbours)} others is faster than {fewer:g} beside one fewer"
            )
            turned = model.pace(each, share, neighbours[::-1])
            assert math.isclose(pace, turned), (
                f"the order of the neighbours changes the pace from {pace!r} to {turned!r}"
            )

    def test_gives_the_same_answers_again(self) -> None:
        """It keeps nothing from one question to the next."""
        used, fresh = self._model(), self._model()
        first, again = ([used.pace(*each) for each in _situations()] for _ in range(2))
        assert first == again == [fresh.pace(*each) for each in _situations()], "the same question has another answer"

    def test_carries_a_whole_run(self) -> None:
        """Jobs that share come to their end, at a pace that is no more than 1."""
        jobs = [job(f"{i}", 3.0 * (i // 2), 10.0, _SHARES[i % 3], model=_MODELS[i % 3]) for i in range(12)]
        told(lambda: run(jobs, "fifo", servers(1, 2), interference=self._model()))
        for each in jobs:
            ran = each.end - each.start
            assert ran >= each.duration * (1 - _ROUNDING), f"a job of {each.duration:g} s ran for {ran!r} s"

    def _model(self) -> Interference:
        model: Interference = made(self.make(), interferences)
        return model


def _situations() -> Iterator[tuple[BatchJob, float, list[tuple[Job, float]]]]:
    """A job, its share, and one to three neighbours with theirs."""
    for model, share, other, count in product(_MODELS, _SHARES, _MODELS, (1, 2, 3)):
        each = job("it", 0.0, 9.0, share, model=model)
        rest = round((1.0 - share) / count, 3)
        neighbours: list[tuple[Job, float]] = [
            (job(f"n-{i}", 0.0, 9.0, rest, model=(other, _MODELS[i % 3])[i % 2]), rest) for i in range(count)
        ]
        yield each, share, neighbours
