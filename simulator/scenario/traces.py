"""What runs of one process share: traces and logs that were read, topologies that were built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from simulator.cluster.topology import Topology
from simulator.scenario.plugins import Plugin
from simulator.scenario.requestkeys import RequestTrace
from simulator.scenario.workloads import Cut, TraceKeys, TraceWork
from simulator.workload.requestlog import RequestLog
from simulator.workload.trace import Trace

T = TypeVar("T")
_KEPT = 8


class TraceCache:
    """The few traces, logs of requests and topologies that were used last, for all runs that share a process.

    A trace or log is known by path, time of change, reader and options; a topology by builder and parameters. None of
    them ever changes once made.
    """

    def __init__(self) -> None:
        self._files: dict[Any, Any] = {}
        self._topologies: dict[Any, Topology] = {}

    def trace(self, work: TraceWork) -> Trace:
        """Return the whole trace of ``work``; raise ``InputError`` for what is wrong with the file."""
        found: Trace = self._file(work)
        return found

    def log(self, work: RequestTrace) -> RequestLog:
        """Return the whole log of ``work``; raise ``InputError`` for what is wrong with the file."""
        found: RequestLog = self._file(work)
        return found

    def _file(self, work: TraceWork | RequestTrace) -> Any:
        status = work.path.stat()
        key = (str(work.path.resolve()), status.st_mtime_ns, status.st_size, work.read, _frozen(work.options))
        return _recall(self._files, key, lambda: work.read(work.path, **work.options))

    def topology(self, build: Plugin) -> Topology:
        """Return the topology of a builder; raise ``InputError`` for what it refuses."""
        return _recall(self._topologies, (build.thing, _frozen(build.arguments)), build.make)


def _recall(kept: dict[Any, T], key: Any, make: Callable[[], T]) -> T:
    value = kept.pop(key) if key in kept else make()
    kept[key] = value
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
    return value


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
