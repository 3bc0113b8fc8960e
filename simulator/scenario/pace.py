"""How fast the jobs of a workload run on each type of accelerator: a mapping, a table of models, or the roofline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cluster import catalog
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.scenario.validation import complaint, show
from simulator.workload.rows import as_objects
from simulator.workload.speedup import ByCount, ByType, Speedup
from simulator.workload.trace import Trace

ROOFLINE = "roofline"
_PRECISIONS = ("bf16", "fp16", "tf32", "fp32")

Pace = Mapping[str, float] | Mapping[float, float] | str


def read_pace(value: Any) -> Pace | None:
    """Check what a scenario says of pace: {type: pace}, {accelerators: pace}, ``roofline``, or a table's name."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or not value:
        raise complaint(
            f"{show(value)} is not a pace", "write {v100: 1, k80: 0.2}, {1: 1, 2: 1.9}, roofline or a table"
        )
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < float("inf"):
            raise complaint(f"the pace {show(number)} of {key!r} is not a number, 0 or more")
    if all(_is_number(key) for key in value):
        return {float(key): float(number) for key, number in value.items()}
    return {str(key): float(number) for key, number in value.items()}


def _is_number(key: Any) -> bool:
    try:
        return float(key) > 0
    except (TypeError, ValueError):
        return False


def speedup(duration: float, given: Mapping[Any, float]) -> Speedup:
    """Return the pace of one job of ``duration`` seconds at pace 1."""
    if all(isinstance(key, float) for key in given):
        return ByCount(duration, given)
    return ByType(duration, given)


def paced(trace: Trace, given: Pace, topology: Topology) -> Trace:
    """Return the trace with the pace of each job; ``InputError`` for types or models that nobody knows."""
    if isinstance(given, str) and given != ROOFLINE:
        made = _from_table(trace, given)
    else:
        by = roofline(topology) if isinstance(given, str) else given
        _check_types(by, topology)
        made = [speedup(duration, by) for duration in trace.columns["duration"].tolist()]
    return Trace(
        trace.name, trace.columns | {"speedup": as_objects(made)}, trace.set_aside, trace.origin, trace.servers,
        (*trace.notes, _note(given)),
    )  # fmt: skip


def _note(given: Pace) -> str:
    if given == ROOFLINE:
        return "paces by type are ratios of the catalog's dense 16-bit peaks: an upper bound of what a model gains"
    return f"paces by type come from the table {given!r}" if isinstance(given, str) else "paces are the scenario's"


def roofline(topology: Topology) -> dict[str, float]:
    """Return the pace of each type of the cluster: its dense peak at 16 bit over that of the fastest."""
    peaks: dict[str, float] = {}
    for kind in dict.fromkeys(server.accelerator for server in topology.servers if server.accelerators):
        record = catalog.accelerator(kind)
        peak = next((record.flops[name] for name in _PRECISIONS if name in record.flops), None)
        if peak is None:
            raise InputError(f"the catalog has no peak of {kind!r}: write the paces as a mapping")
        peaks[kind] = peak
    fastest = max(peaks.values(), default=1.0)
    return {kind: peak / fastest for kind, peak in peaks.items()}


def _check_types(by: Mapping[Any, float], topology: Topology) -> None:
    if all(isinstance(key, float) for key in by):
        return
    here = [server.accelerator for server in topology.servers if server.accelerators]
    kinds = list(dict.fromkeys(here))
    if not any(by.get(kind, 0.0) > 0 for kind in kinds):
        raise InputError(f"pace: no type of the cluster ({', '.join(kinds) or 'none'}) has one")
    for kind in by:
        if kind not in kinds:
            raise InputError(f"pace: the cluster has no accelerators {kind!r}. {did_you_mean(str(kind), kinds)}")


def _from_table(trace: Trace, name: str) -> list[Speedup]:
    from simulator.workload.throughputs import table

    known = table(name)
    if "model" not in trace.columns:
        raise InputError(f"pace: trace {trace.name!r} does not say what its jobs train, so {name!r} tells nothing")
    columns = (trace.columns[key].tolist() for key in ("model", "accelerators", "duration"))
    return [
        known.speedup(model, gang, known.steps(model, gang, seconds))
        for model, gang, seconds in zip(*columns, strict=True)
    ]
