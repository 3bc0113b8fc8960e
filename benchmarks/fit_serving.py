"""The constants of iteration times: their errors, how much they owe to each measurement, and how they were fitted.

``python benchmarks/fit_serving.py`` prints the errors by series, accelerator, model, degree of tensor parallelism and
phase, then fits the constants without one accelerator, model, degree or phase and predicts that one: a minute.
``--fit`` fits the constants to all kernel times, and the host times of engines to the figures of engines, and prints
them beside the shipped ones. Constants start at round numbers, not at what is shipped.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from scipy.optimize import least_squares

from simulator.cluster import catalog
from simulator.experiment.validation import serving_times
from simulator.experiment.validation.serving_times import Fact, facts, grouped
from simulator.metrics.statistics import quantile
from simulator.models.serving.constants import FITTED, Constants

START = {
    "memory": 0.8,
    "norm": 2.0,
    "attention": 0.5,
    "layer": 30e-6,
    "reduce_step": 3e-6,
    "reduce_share": 0.6,
}
"""Fitted constants and where the fit sets out from."""
KERNELS = ("kernels", "predictions")
KEYS = ("accelerator", "model", "tp", "phase")
HOSTS = {
    "vllm-0.12": ("step", "sequence"),
    "tensorrt-llm-1.0": ("step", "sequence"),
    "vllm-0.2": ("step", "sequence", "layer"),
    "vllm-0.3": ("sequence", "layer"),
}
FIRST = {"step": 3e-3, "sequence": 30e-6, "layer": 500e-6}


def fit(chosen: Sequence[Fact]) -> Constants:
    """Constants of the least error, soft above 10 %, in the logarithm."""

    def made(point: Sequence[float]) -> Constants:
        return replace(FITTED, **{name: math.exp(value) for name, value in zip(START, point, strict=True)})

    def errors(point: Sequence[float]) -> list[float]:
        return [math.log1p(fact.error(made(point)) or 0.0) for fact in chosen]

    first = [math.log(value) for value in START.values()]
    return made(least_squares(errors, first, loss="soft_l1", f_scale=0.1).x)


def host(engine: str, names: Sequence[str], chosen: Sequence[Fact]) -> dict[str, float]:
    """Host times of an engine, in seconds, by name."""
    shipped = catalog.engine(engine)

    def times(point: Sequence[float]) -> dict[str, float]:
        return {name: abs(value) * FIRST[name] for name, value in zip(names, point, strict=True)}

    def errors(point: Sequence[float]) -> list[float]:
        row = replace(shipped, **times(point))
        return [math.log1p(fact.error(engine=row) or 0.0) for fact in chosen]

    # some runs of a series are several times off for reasons of their own: they must not pull
    return times(least_squares(errors, [1.0] * len(names), loss="cauchy", f_scale=0.03).x)


def percent(errors: Sequence[float]) -> str:
    """Median and 90th percentile of the absolute errors."""
    size = [abs(error) for error in errors]
    return f"{len(size):4}  median {100 * median(size):5.1f} %  90th percentile {100 * quantile(size, 0.9):5.1f} %"


def table() -> None:
    """Print the errors of the shipped constants."""
    for series, (text, _, _) in serving_times.BOUNDS.items():
        chosen = [fact for fact in facts() if fact.series == series]
        print(f"{text}: {percent([error for fact in chosen if (error := fact.error()) is not None])}")
        for key in ("engine", *KEYS):
            for name, errors in grouped(chosen, key).items():
                mean = 100 * sum(errors) / len(errors)
                print(f"    {key:12}{name:24}{percent(errors)}  mean {mean:+5.1f} %")


def left_out(chosen: Sequence[Fact]) -> None:
    """Print the errors of what the fit has not seen."""
    for key in KEYS:
        for name in dict.fromkeys(getattr(fact, key) for fact in chosen):
            rest = [fact for fact in chosen if getattr(fact, key) != name]
            constants = fit(rest)
            errors = [fact.error(constants) or 0.0 for fact in chosen if getattr(fact, key) == name]
            print(f"without {key:12}{name!s:24}{percent(errors)}")


def main() -> None:
    """Print the table and the cross validation, or the fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit all constants and print them")
    chosen = [fact for fact in facts() if fact.series in KERNELS]
    if not parser.parse_args().fit:
        table()
        left_out(chosen)
        return
    found = fit(chosen)
    for name in START:
        print(f"{name:16}{getattr(found, name):12.4g}   shipped {getattr(FITTED, name):.4g}")
    for engine, names in HOSTS.items():
        own = [fact for fact in facts() if fact.engine == engine and fact.error() is not None]
        for name, value in host(engine, names, own).items():
            print(f"{engine:20}{name:12}{value:12.4g} s   shipped {getattr(catalog.engine(engine), name):.4g} s")


if __name__ == "__main__":
    main()
