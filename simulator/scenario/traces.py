"""Traces of a scenario: read once per process, then cut as each workload says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.scenario.workloads import Cut, TraceKeys, TraceWork
from simulator.workload.trace import Trace

_KEPT = 8


class TraceCache:
    """Traces that were read, by path, time of change, reader and options; the few most recent ones stay.

    Give the same one to all runs of an experiment that share a process.
    """

    def __init__(self) -> None:
        self._traces: dict[tuple[Any, ...], Trace] = {}

    def read(self, work: TraceWork) -> Trace:
        """Return the whole trace of ``work``; raise ``InputError`` for what is wrong with the file."""
        status = work.path.stat()
        key = (str(work.path.resolve()), status.st_mtime_ns, status.st_size, work.keys.format, _frozen(work.options))
        trace = self._traces.pop(key, None) or work.read(work.path, **work.options)
        self._traces[key] = trace
        while len(self._traces) > _KEPT:
            del self._traces[next(iter(self._traces))]
        return trace


def cut(trace: Trace, keys: Cut) -> Trace:
    """Return the part of ``trace`` that the keys of a workload leave, in this order: tenant, window, first jobs,
    arrivals scaled, communication.

    Raises ``InputError`` when nothing is left, or for a tenant that the trace does not have.
    """
    if isinstance(keys, TraceKeys):
        if keys.tenant is not None:
            trace = trace.where(tenant=keys.tenant)
        if keys.from_ is not None or keys.until is not None:
            trace = trace.between(keys.from_, keys.until)
    if keys.limit is not None:
        trace = trace.limit(keys.limit)
    if keys.scale_arrivals is not None:
        trace = trace.scale_arrivals(keys.scale_arrivals)
    if keys.communication is not None:
        trace = trace.with_communication(keys.communication)
    return trace


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value
