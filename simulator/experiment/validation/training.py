"""Training steps against public runs: each run, how far off they are, and what a change of scale does."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from simulator.cluster import catalog
from simulator.cluster.records import Model
from simulator.experiment.validate import Row, areas, row
from simulator.metrics.statistics import quantile
from simulator.models.training import Alone, Layout, Step, flops, step

_DATA = Path(__file__).parent / "data"
MEDIAN, NINETIETH, EXPERTS, CHANGE, ORDER = 0.08, 0.15, 0.20, 0.05, 0.95
"""What the model claims: median and 90th percentile of the error, the latter for models with experts; the error of a
change of scale; and the share of pairs of runs, 10 % or more apart, that it puts in the right order."""
_ONE = 0.30
"""Bound of a single run: an alarm, where the claims above are about all of them."""
_SCALING = 0.30
"""Bound of an MLPerf ratio: times to a quality also hold the epochs that larger batches need."""


class Run(NamedTuple):
    """A published run, and the step of the same layout."""

    series: str
    source: str
    link: str
    reference: float
    """Seconds of one step."""
    step: Step

    @property
    def error(self) -> float:
        """Relative error of the step time."""
        return self.step.time / self.reference - 1

    @property
    def kind(self) -> tuple[object, ...]:
        """What two runs have in common that differ in scale only."""
        layout = self.step.layout
        return (
            self.series, self.step.model.id, self.step.accelerator.id, layout.sequence, layout.precision,
            layout.recompute, layout.trains,
        )  # fmt: skip

    @property
    def scale(self) -> tuple[int, int, int]:
        """Accelerators, tp and pp."""
        return self.step.layout.accelerators, self.step.layout.tp, self.step.layout.pp

    def rate(self, seconds: float) -> float:
        """Tokens/s of one accelerator when a step takes so long."""
        return self.step.tokens / seconds / self.step.layout.accelerators


@areas.register("training")
def training() -> Iterator[Row]:
    """Steps of published training runs as a whole, changes of scale, and published ratios."""
    yield from _summary(runs())
    yield from _ratios()
    yield from _mlperf()


@areas.register("training-rows")
def training_rows() -> Iterator[Row]:
    """Each published training run."""
    for run in runs():
        layout = run.step.layout
        degrees = f"tp {layout.tp} pp {layout.pp} mb {layout.micro_batch} s {layout.sequence} {layout.precision}"
        case = f"{run.step.model.short} on {layout.accelerators} {run.step.accelerator.short}, {degrees}"
        yield row("training-rows", case, "step", "s", run.reference, run.source, run.step.time, _ONE)


@cache
def runs() -> tuple[Run, ...]:
    """All published runs that come with the project."""
    with (_DATA / "training.csv").open(encoding="utf-8", newline="") as file:
        return tuple(map(_run, csv.DictReader(file)))


def _run(line: dict[str, str]) -> Run:
    model = catalog.model(line["model"])
    layout = _layout(line, sequence_parallel={"": None, "true": True, "false": False}[line["sequence_parallel"]])
    accelerator = catalog.accelerator(line["accelerator"])
    network = Alone(accelerator, catalog.link(line["link"]))
    found = step(model, accelerator, layout, network, catalog.framework(line["framework"]))
    seconds = _SECONDS[line["unit"]](float(line["value"]), model, layout)
    return Run(line["series"], line["source"], line["link"], seconds, found)


def _layout(line: dict[str, str], **more: Any) -> Layout:
    numbers = ("accelerators", "tp", "pp", "vp", "cp", "ep", "micro_batch", "global_batch", "sequence")
    texts = ("precision", "recompute", "sharding", "trains")
    given: dict[str, Any] = {key: int(line[key]) for key in numbers if line.get(key)}
    given |= {key: line[key] for key in texts if line.get(key)} | more
    return Layout(**given)


def _from_flops(count: Callable[[Model, int], float]) -> Callable[[float, Model, Layout], float]:
    def seconds(value: float, model: Model, layout: Layout) -> float:
        sequence = layout.sequence or model.sequence
        tokens = layout.global_batch * sequence
        return count(model, sequence) * tokens / (value * 1e12 * layout.accelerators)

    return seconds


def _hardware(model: Model, sequence: int) -> float:
    """FLOPs per token with the recomputed forward pass, as Narayanan et al. (arXiv 2104.04473) count them: (3)."""
    layers, hidden = model.layers, model.hidden
    return 96 * layers * hidden**2 * (1 + sequence / (6 * hidden) + model.vocab / (16 * layers * hidden))


_SECONDS: dict[str, Callable[[float, Model, Layout], float]] = {
    "s": lambda value, model, layout: value,
    "tokens/s": lambda value, model, layout: (
        layout.global_batch * (layout.sequence or model.sequence) / (value * layout.accelerators)
    ),
    "model TFLOP/s": _from_flops(flops),
    "model TFLOP/s, full attention": _from_flops(lambda model, sequence: flops(model, sequence, full_attention=True)),
    "hardware TFLOP/s": _from_flops(_hardware),
}
"""Unit of a published figure -> seconds of a step."""


def _summary(found: Sequence[Run]) -> Iterator[Row]:
    dense = [abs(run.error) for run in found if not run.step.model.experts]
    sparse = [abs(run.error) for run in found if run.step.model.experts]
    runs_of = f"{len(dense)} dense runs"
    yield _bounded(runs_of, "median |error|", median(dense), MEDIAN)
    yield _bounded(runs_of, "90th percentile of |error|", quantile(dense, 0.9), NINETIETH)
    yield _bounded(f"{len(sparse)} runs with experts", "median |error|", median(sparse), EXPERTS)
    changed = [abs(error) for error in changes(found)]
    pairs = f"{len(changed)} changes of accelerators, tp or pp"
    yield _bounded(pairs, "median |error|", median(changed), CHANGE)
    yield _bounded(pairs, "90th percentile of |error|", quantile(changed, 0.9), CHANGE)
    right = order(found)
    text = f"{len(right)} pairs of a series 10 % apart"
    yield row("training", text, "share out of order", "", 0.0, "", 1 - sum(right) / len(right), 1 - ORDER)


def _bounded(case: str, measure: str, value: float, bound: float) -> Row:
    return row("training", case, measure, "", 0.0, "see the rows", value, bound)


def changes(found: Sequence[Run]) -> list[float]:
    """Relative errors of the change of tokens/s per accelerator between runs of a series that differ in scale."""
    return [
        a.rate(a.step.time) / b.rate(b.step.time) / (a.rate(a.reference) / b.rate(b.reference)) - 1
        for b, a in combinations(found, 2)
        if a.kind == b.kind and a.scale != b.scale
    ]


def order(found: Sequence[Run]) -> list[bool]:
    """For each pair of runs of a series whose tokens/s per accelerator differ by 10 %: whether the order is right."""
    right = []
    for a, b in combinations(found, 2):
        apart = math.log(a.rate(a.reference) / b.rate(b.reference))
        if a.series == b.series and abs(apart) > math.log(1.1):
            right.append((apart > 0) == (a.rate(a.step.time) > b.rate(b.step.time)))
    return right


def _ratios() -> Iterator[Row]:
    """What papers say a change is worth: its direction and size."""
    llama = {run.step.layout.accelerators: run.step for run in runs() if run.series == "llama3-405b"}
    source = "The Llama 3 Herd of Models (arXiv 2407.21783), Table 4"
    worth = llama[16384].mfu / llama[8192].mfu
    yield row("training", "Llama 3 405B, 16,384 against 8,192 GPUs", "ratio of MFU", "", 41 / 43, source, worth, 0.05)
    fulls = [run.step for run in runs() if run.series == "megatron-selrecompute" and run.step.layout.pp == 64]
    (full,) = fulls
    network = Alone(full.accelerator, catalog.link("infiniband-hdr"))
    kept = Layout(
        accelerators=512, tp=8, pp=64, global_batch=512, sequence=2048, precision="fp16", recompute="selective"
    )
    selective = step(full.model, full.accelerator, kept, network, full.framework)
    yield row(
        "training",
        "GPT 1T, full against selective recomputation with sequence parallelism",
        "ratio of times",
        "",
        94.42 / 71.49,
        "Korthikanti et al. (arXiv 2205.05198), Table 5",
        full.time / selective.time,
        0.05,
    )


def _mlperf() -> Iterator[Row]:
    """Speed-ups between numbers of accelerators, against those of times to train; the first of each kind is 1."""
    with (_DATA / "mlperf.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    first: dict[tuple[str, str], tuple[float, float]] = {}
    for line in lines:
        accelerator, model = catalog.accelerator(line["accelerator"]), catalog.model(line["model"])
        layout = _layout(line)
        found = step(model, accelerator, layout, Alone(accelerator, catalog.link(line["link"])))
        minutes, rate = float(line["minutes"]), found.tokens / found.time
        base = first.setdefault((model.id, accelerator.id), (minutes, rate))
        if base[0] != minutes:
            case = f"MLPerf {model.short} on {layout.accelerators} {accelerator.short}"
            yield row("training", case, "speed-up", "", base[0] / minutes, line["source"], rate / base[1], _SCALING)
