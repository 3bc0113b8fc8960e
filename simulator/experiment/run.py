"""Run a scenario: every alternative, every replication, on one process or several, with the same result."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from operator import index
from typing import Any, SupportsIndex

from simulator.core.errors import InputError
from simulator.experiment.results import Results
from simulator.experiment.silence import UNKNOWN_POWER, without_power
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.scenario.build import build
from simulator.scenario.plugins import PARTS
from simulator.scenario.precheck import precheck
from simulator.scenario.schema import MAX_REPLICATIONS, MAX_WORKERS
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache

Progress = Callable[[int, int, str], None]
"""Called with the runs that are done, the runs in all, and what is going on."""

Source = Scenario | str | os.PathLike[str] | Mapping[str, Any]
_PACKAGES = ("ai-cluster-simulator", "simpy", "numpy", "scipy", "networkx", "pandas")


@dataclass(frozen=True, slots=True)
class _Cell:
    """One run of an experiment."""

    alternative: str
    replication: int
    seed: int
    scenario: Scenario


def run(
    scenario: Source,
    seed: int | None = None,
    *,
    replications: int | None = None,
    workers: int | None = None,
    allow_code: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Run all that ``scenario`` asks for, its comparison included.

    ``scenario`` is a path, the name of a shipped scenario, YAML text, a mapping, or a ``Scenario``. ``seed`` and
    ``replications`` replace the scenario's; ``workers`` is the number of processes (default: the scenario's, else one)
    and never changes a result. Code that a scenario file names runs only with ``allow_code``. Raises ``InputError`` for
    what is wrong with the input and ``PolicyError`` for what a policy may not do.
    """
    chosen = _scenario(scenario, allow_code)
    return _execute(chosen, chosen.alternatives(), seed, replications, workers, progress)


def compare(
    scenario: Source,
    alternatives: Mapping[str, Any],
    seed: int | None = None,
    *,
    replications: int | None = None,
    workers: int | None = None,
    allow_code: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Run ``scenario`` once for each of ``alternatives``, on the same random numbers.

    An alternative is a scheduler (a name, ``{"kind": ...}``, its parts as ``{"order": ..., "backfill": ...}``, a
    function of the view, an object, a class, ``by(key)``), or a mapping of key paths to values, as ``{"topology.link":
    "ethernet-100g-tcp"}``. The scenario's own comparison is left aside; the first alternative is the baseline.
    """
    if not alternatives:
        raise InputError("nothing to compare: give at least one alternative")
    if not isinstance(alternatives, Mapping):
        raise InputError(f"alternatives are a mapping of names, as {{'fifo': 'fifo'}}, not {alternatives!r}")
    for name in alternatives:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise InputError(f"{name!r} is not a name for an alternative: it must be text, printable and not empty")
    chosen = next(iter(_scenario(scenario, allow_code).alternatives().values()))
    made = chosen.variants(
        {
            name: {"scheduler": what} if not isinstance(what, Mapping) or _names_scheduler(what) else what
            for name, what in alternatives.items()
        }
    )
    return _execute(chosen, made, seed, replications, workers, progress)


def _names_scheduler(what: Mapping[str, Any]) -> bool:
    """Whether an alternative is a scheduler, by its kind or its parts, and not a set of overrides."""
    return "kind" in what or any(part in what for part in PARTS)


def _scenario(source: Source, allow_code: bool) -> Scenario:
    if isinstance(source, Scenario):
        return source
    if isinstance(source, Mapping):
        return Scenario.from_dict(source, allow_code=allow_code)
    return Scenario.load(source, allow_code=allow_code)


def _execute(
    scenario: Scenario,
    alternatives: Mapping[str, Scenario],
    seed: int | None,
    replications: int | None,
    workers: int | None,
    progress: Progress | None,
) -> Results:
    root = _whole("seed", scenario.seed if seed is None else seed, 0, 2**63 - 1)
    wanted = scenario.run.replications if replications is None else replications
    count = _whole("replications", wanted, 1, MAX_REPLICATIONS)
    workers = _whole("workers", (scenario.run.workers or 1) if workers is None else workers, 1, MAX_WORKERS)
    traces = TraceCache()
    precheck(alternatives, traces)
    cells = [_Cell(name, r, root, made) for name, made in alternatives.items() for r in range(count)]
    workers = min(workers, len(cells))
    records: dict[tuple[str, int], Record] = {}
    for cell, record in zip(cells, _records(cells, workers, progress, traces), strict=True):
        records[cell.alternative, cell.replication] = record
        if progress is not None:
            progress(len(records), len(cells), cell.alternative)
    return Results(records, _manifest(scenario, root, count))


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise InputError(f"{name} is {value!r}; it must be a whole number")
    number = index(value)
    if not least <= number <= most:
        raise InputError(f"{name} is {number}; it must be {least} to {most}")
    return number


def _records(cells: Sequence[_Cell], workers: int, progress: Progress | None, traces: TraceCache) -> Iterator[Record]:
    """Yield the record of each cell, in order; ``traces`` is what runs of this process share."""
    if workers <= 1:
        for done, cell in enumerate(cells):
            yield _run_cell(cell, traces, _within(progress, done, len(cells), cell.alternative))
        return
    from loky import ProcessPoolExecutor

    # loky sends functions of a notebook cell to its workers, which the standard executors cannot
    executor = None
    try:
        with _deaf_children():  # at the end of which a Ctrl-C that came meanwhile is heard
            executor = ProcessPoolExecutor(max_workers=workers)
            futures = [executor.submit(_run_cell, cell, TraceCache()) for cell in cells]
        for future in futures:
            yield future.result()
    except BaseException:
        if executor is not None:
            executor.shutdown(kill_workers=True)
        raise
    executor.shutdown()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that start now never hear Ctrl-C: the parent does, and ends them without their tracebacks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_cell(cell: _Cell, traces: TraceCache, progress: Callable[[float, int], None] | None = None) -> Record:
    simulation = build(cell.scenario, seed=cell.seed, replication=cell.replication, traces=traces, progress=progress)
    record = simulation.run()
    record.facts["invariants"] = check(record)
    if unknown := without_power(simulation.topology):
        record.facts[UNKNOWN_POWER] = unknown
    return record


def _within(progress: Progress | None, done: int, total: int, name: str) -> Callable[[float, int], None] | None:
    if progress is None:
        return None
    return lambda now, jobs: progress(done, total, f"{name}: {jobs:,} done, day {now / 86400:.1f}")


def _manifest(scenario: Scenario, seed: int, replications: int) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "description": scenario.keys.description,
        "scenario": scenario.text or scenario.resolved,
        "hash": scenario.digest,
        "overrides": list(scenario.changes),
        "seed": seed,
        "replications": replications,
        "measures": list(scenario.measure),
        "expect": list(scenario.expect),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
