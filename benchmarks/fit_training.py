"""How the constants of the training step were fitted, and how they do on runs that the fit did not see.

``python benchmarks/fit_training.py`` fits all runs, then leaves one series out at a time, then halves them at random.
A constant about which the runs left in say nothing keeps its value before any fit (``start``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from simulator.cluster import catalog
from simulator.core.rng import stream
from simulator.experiment.validation.training import Run, changes, runs
from simulator.models.training import Alone, Step, device, step, work

NEAR = 0.06
"""Relative error up to which a run counts by its square, and beyond by its size (pseudo-Huber)."""


@dataclass(frozen=True)
class Knob:
    """A constant: where it lives, its value before any fit, its bounds, and what is known of it (mean, deviation)."""

    name: str
    start: float
    low: float = 0.05
    high: float = 0.98
    known: tuple[float, float] | None = None


KNOBS = (
    Knob("a100.gemm", 0.80, known=(0.85, 0.04)),
    Knob("h100.gemm", 0.72, known=(0.70, 0.05)),
    Knob("h100.gemm.fp8", 0.62, known=(0.70, 0.03)),
    Knob("gb200.gemm.fp8", 0.62, known=(0.62, 0.06)),
    Knob("gb200.gemm.fp4", 0.40, known=(0.45, 0.15)),
    Knob("a100.attention.flash", 0.30),
    Knob("h100.attention.flash", 0.20),
    Knob("a100.attention.unfused", 0.45, known=(0.50, 0.15)),
    Knob("cudnn", 0.55, known=(0.50, 0.05)),
    Knob("head", 32.0, 0.0, 100.0, known=(24.0, 6.0)),
    Knob("permute", 10.0, 1.0, 40.0, known=(8.0, 4.0)),
    Knob("llm-foundry.elementwise", 1.6, high=4.0),
    Knob("megatron-lm-2021.elementwise", 1.3, high=3.0, known=(1.3, 0.4)),
    Knob("megatron-core.elementwise", 1.0, high=3.0, known=(1.2, 0.4)),
    Knob("llm-foundry.dp_overlap", 0.8, 0.0, 1.0),
    Knob("megatron-core.tp_overlap", 0.6, 0.0, 1.0, known=(0.5, 0.3)),
    Knob("noise", 0.01, 0.0, 0.02, known=(0.005, 0.003)),
    Knob("llm-foundry.step_overhead", 0.03, 0.0, 0.1, known=(0.012, 0.008)),
)
Values = dict[str, float]
START: Values = {knob.name: knob.start for knob in KNOBS}


def steps(values: Values, some: Sequence[Run]) -> list[Step]:
    """The steps of the runs with these constants."""
    device.HEAD_HALF, work.PERMUTE = values["head"], values["permute"]
    return [_step(values, run) for run in some]


def _step(values: Values, run: Run) -> Step:
    then = run.step
    accelerator, framework = then.accelerator, then.framework
    name = accelerator.short.partition("-")[0]
    shares: dict[str, float] = {}
    for key, form in (("gemm", "bf16"), ("gemm", "fp16"), ("gemm.fp8", "fp8"), ("gemm.fp4", "fp4")):
        if f"{name}.{key}" in values:
            shares[form] = values[f"{name}.{key}"]
    own = {key: f"{name}.attention.{key}" for key in ("flash", "unfused")}
    kernels = {"cudnn": values["cudnn"]} | {key: values[knob] for key, knob in own.items() if knob in values}
    changed: dict[str, Any] = {"noise": values["noise"]}
    for field in ("elementwise", "dp_overlap", "tp_overlap", "step_overhead"):
        if f"{framework.id}.{field}" in values:
            changed[field] = values[f"{framework.id}.{field}"]
    accelerator = replace(accelerator, gemm_share=shares, attention_share=accelerator.attention_share | kernels)
    return step(then.model, accelerator, then.layout, _network(accelerator.id, run.link), replace(framework, **changed))


def _network(accelerator: str, link: str) -> Alone:
    key = (accelerator, link)
    if key not in _NETWORKS:
        _NETWORKS[key] = Alone(catalog.accelerator(accelerator), catalog.link(link))
    return _NETWORKS[key]


_NETWORKS: dict[tuple[str, str], Alone] = {}


def _soft(errors: np.ndarray, near: float) -> np.ndarray:
    return np.sign(errors) * near * np.sqrt(2 * (np.sqrt(1 + (errors / near) ** 2) - 1))


def fit(some: Sequence[Run], rounds: int = 20) -> Values:
    """Constants that suit the runs: each series counts as the root of its runs, changes of scale count too."""
    alike = Counter(map(_series, some))
    weight = np.array([(2.1 if run.step.model.experts else 3.0) / alike[_series(run)] ** 0.5 for run in some])
    reference = np.log([run.reference for run in some])
    places = [(i, j) for i in range(len(some)) for j in range(i)]
    pairs = [(i, j) for i, j in places if some[i].kind == some[j].kind and some[i].scale != some[j].scale]
    errors = _errors(some, reference)
    knobs = [knob for knob in KNOBS if _matters(knob, some)]

    def residuals(x: np.ndarray) -> np.ndarray:
        found = errors(START | dict(zip((knob.name for knob in knobs), x, strict=True)))
        known = [0.03 * (value - k.known[0]) / k.known[1] for k, value in zip(knobs, x, strict=True) if k.known]
        change = [0.35 * _soft(found[i] - found[j], 0.05) for i, j in pairs]
        return np.concatenate([weight * _soft(found, NEAR), change, known])

    low, high = (np.array([getattr(knob, side) for knob in knobs]) for side in ("low", "high"))
    start = np.clip([knob.start for knob in knobs], low + 1e-6, high - 1e-6)
    scale = np.maximum(start, 0.01)
    found = least_squares(residuals, start, bounds=(low, high), x_scale=scale, max_nfev=rounds, diff_step=1e-3)
    return START | {knob.name: float(value) for knob, value in zip(knobs, found.x, strict=True)}


def _series(run: Run) -> tuple[str, bool]:
    return run.series, bool(run.step.model.experts)


def _errors(some: Sequence[Run], reference: np.ndarray) -> Callable[[Values], np.ndarray]:
    return lambda values: np.log([each.time for each in steps(values, some)]) - reference


def _matters(knob: Knob, some: Sequence[Run]) -> bool:
    moved = START | {knob.name: knob.start * 1.02 + 1e-4}
    return any(abs(a.time / b.time - 1) > 1e-6 for a, b in zip(steps(START, some), steps(moved, some), strict=True))


def judged(values: Values, some: Sequence[Run]) -> list[Run]:
    """The runs with the steps of these constants."""
    return [run._replace(step=each) for run, each in zip(some, steps(values, some), strict=True)]


def _line(name: str, found: Sequence[Run]) -> str:
    errors = sorted(abs(run.error) for run in found)
    return f"{name:28s} {len(found):4d}   {100 * median(errors):5.1f}   {100 * float(np.quantile(errors, 0.9)):5.1f}"


def main() -> None:
    """Print constants and errors."""
    every = runs()
    values = fit(every)
    for knob in KNOBS:
        print(f"{knob.name:30s} {values[knob.name]:8.4g}")
    print(f"\n{'series left out':28s} runs  median     p90   (|error| of the step, %)")
    print(_line("none", judged(values, every)))
    unseen: list[Run] = []
    for series in dict.fromkeys(run.series for run in every):
        rest, out = ([run for run in every if (run.series == series) is wanted] for wanted in (False, True))
        unseen += (found := judged(fit(rest), out))
        print(_line(series, found))
    print(_line("each in turn", unseen))
    halves: list[Run] = []
    moved: list[float] = []
    for round_ in range(4):
        order = stream(1, "fit.halves", round_).permutation(len(every))
        half = len(every) // 2
        for seen, rest_ in ((order[:half], order[half:]), (order[half:], order[:half])):
            found = judged(fit([every[i] for i in seen], rounds=12), [every[i] for i in rest_])
            halves += found
            moved += [abs(error) for error in changes(found)]
    print(_line("random halves, 4 times", halves))
    text = f"median {100 * median(moved):.1f} %, p90 {100 * float(np.quantile(moved, 0.9)):.1f} %"
    print(f"changes of scale in unseen halves: {text}")


if __name__ == "__main__":
    main()
