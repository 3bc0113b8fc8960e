"""Iteration times of inference engines that somebody measured or estimated, and what the model says of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from simulator.cluster import catalog
from simulator.cluster.records import Engine
from simulator.experiment.validate import Row, areas, row
from simulator.metrics.statistics import quantile
from simulator.models.serving import ReplicaShape, replica
from simulator.models.serving.api import Batch, Chunk
from simulator.models.serving.constants import FITTED, Constants
from simulator.models.serving.replica import Replica

_DATA = Path(__file__).parent / "data"
BOUNDS = {
    "kernels": ("sums of measured kernels", 0.07, 0.15),
    "predictions": ("estimates from measured operators", 0.07, 0.15),
    "loops": ("closed loops, time per output token", 0.07, 0.20),
    "offline": ("most tokens/s from memory full of requests", 0.10, 0.25),
    "vllm-2023": ("iterations of vLLM 0.2 and 0.3", 0.10, 0.30),
}
"""Series of facts -> what they are, and what the model claims: median and 90th percentile of the error."""
_ONE = 0.50
"""Bound of a single fact: an alarm, where the claims above are about all of them."""
BLOCK, MOST, CHUNK = 16, 2048, 8192
"""Tokens of a KV block, most sequences of a batch (TensorRT-LLM's default), most prompt tokens of an iteration."""


class Fact(NamedTuple):
    """A published figure: seconds, or output tokens/s of one replica."""

    series: str
    phase: str
    engine: str
    accelerator: str
    model: str
    weights: str
    kv: str
    tp: int
    sequences: int
    prompt: int
    context: int
    output: int
    value: float
    unit: str
    source: str

    @property
    def case(self) -> str:
        """What was measured, in a few words."""
        sizes = f"{self.sequences} x " * (self.sequences > 0)
        sizes += f"{self.prompt}+{self.output}" if self.output else f"{self.prompt or self.context}"
        model = self.model.rpartition("/")[2]
        return f"{model} {self.weights} on {self.tp} {self.accelerator}, {self.engine}, {self.phase} {sizes}"

    def predicted(self, constants: Constants = FITTED, engine: Engine | None = None) -> float | None:
        """What the model says; None for a closed loop whose requests do not fit into memory at once.

        ``engine`` replaces that of the catalog.
        """
        made = replica(
            catalog.model(self.model),
            catalog.accelerator(self.accelerator),
            ReplicaShape(tp=self.tp, weights=self.weights, kv=self.kv),
            engine or catalog.engine(self.engine),
            blocks=None if self.output else 1,
            constants=constants,
        )
        if self.output:
            return _steady(self, made)
        return made.time.seconds([self._batch()])

    def _batch(self) -> Batch:
        if self.phase == "prefill":
            return Batch((Chunk(self.prompt, 0),) * self.sequences)
        mixed = self.phase == "mixed"
        decoding = self.sequences - mixed
        tokens = float(decoding * self.context)
        return Batch((Chunk(self.prompt, 0),) if mixed else (), decoding, tokens, tokens)

    def error(self, constants: Constants = FITTED, engine: Engine | None = None) -> float | None:
        """Relative error of what the model says."""
        found = self.predicted(constants, engine)
        return None if found is None else found / self.value - 1


def _steady(fact: Fact, made: Replica) -> float | None:
    """Mean time per output token, or tokens/s, of ``n`` requests that are each replaced as it ends.

    While one request generates ``o`` tokens, the prompts of ``n - 1`` others are computed beside its iterations:
    ``decode + (n - 1) / o * extra``, where ``extra`` is what a prompt adds to an iteration. Contexts are half grown.
    """
    total = fact.prompt + fact.output
    n = fact.sequences or min(MOST, made.blocks * BLOCK // total)
    if n * total > made.blocks * BLOCK:
        return None
    tokens = n * (fact.prompt + fact.output / 2)
    decode = made.time.seconds([Batch((), n, tokens, tokens)])
    together = max(1, CHUNK // fact.prompt) if not fact.sequences else 1
    extra, done = 0.0, 0
    while done < fact.prompt:
        new = min(fact.prompt - done, CHUNK)
        chunks = (Chunk(new, done, done + new == fact.prompt),) * together
        extra += (made.time.seconds([Batch(chunks, n, tokens, tokens)]) - decode) / together
        done += new
    if fact.sequences:
        return decode + (n - 1) / fact.output * extra
    return n * fact.output / (fact.output * decode + n * extra)


@cache
def facts() -> tuple[Fact, ...]:
    """All facts that come with the project."""
    with (_DATA / "serving.csv").open(encoding="utf-8", newline="") as file:
        return tuple(map(_fact, csv.DictReader(file)))


def _fact(line: dict[str, str]) -> Fact:
    values: dict[str, Any] = {**line, "value": float(line["value"])}
    values |= {key: int(line[key] or 0) for key in ("tp", "sequences", "prompt", "context", "output")}
    return Fact(**values)


def times() -> Iterator[Row]:
    """Iteration times: for each series of facts, the median and the 90th percentile of the error."""
    for series, (text, middle, high) in BOUNDS.items():
        errors = [abs(error) for fact in facts() if fact.series == series and (error := fact.error()) is not None]
        yield _bounded(f"{len(errors)} {text}", "median |error|", median(errors), middle)
        yield _bounded(f"{len(errors)} {text}", "90th percentile of |error|", quantile(errors, 0.9), high)


def _bounded(case: str, measure: str, value: float, bound: float) -> Row:
    return row("serving", case, measure, "", 0.0, "see serving-rows", value, bound)


@areas.register("serving-rows")
def serving_rows() -> Iterator[Row]:
    """Each published iteration time, time per output token and rate of an inference engine."""
    for fact in facts():
        found = fact.predicted()
        if found is not None:
            yield row("serving-rows", fact.case, fact.phase, fact.unit, fact.value, fact.source, found, _ONE)


def grouped(chosen: Sequence[Fact], key: str) -> dict[str, list[float]]:
    """Value of a field of facts -> relative errors, in the order of the file."""
    groups: dict[str, list[float]] = {}
    for fact in chosen:
        error = fact.error()
        if error is not None:
            groups.setdefault(str(getattr(fact, key)), []).append(error)
    return groups
