"""The requests of a service as a log: read, generated or listed, and cut as its keys say."""

from __future__ import annotations

import itertools

import numpy as np

from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.scenario.requestkeys import (
    GeneratedRequests,
    ListedRequests,
    RequestCut,
    RequestKeys,
    RequestTrace,
    RequestTraceKeys,
    RequestWork,
)
from simulator.scenario.traces import TraceCache
from simulator.workload.requesthashes import Hashes
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.rows import as_objects


def request_log(
    service: str, work: RequestWork, block: int, seed: int, replication: int, traces: TraceCache
) -> RequestLog:
    """Return the requests of one replication; ``block`` (tokens) is that of hashes in a list.

    Raises ``InputError`` for what is wrong with a file, parameters that make no sense, and when no request is left.
    """
    if isinstance(work, ListedRequests):
        return _listed(service, work, block)
    if isinstance(work, RequestTrace):
        whole = traces.log(work)
    else:
        whole = _generated(service, work, seed, replication)
    log = _cut(whole, work.keys)
    if not len(log):
        raise InputError(f"no request of {whole.name!r} is left")
    if isinstance(work, RequestTrace) and work.keys.resample is not None:
        log = log.resample(work.keys.resample, stream(seed, f"resample:{service}", replication))
    return log


def _generated(service: str, work: GeneratedRequests, seed: int, replication: int) -> RequestLog:
    from simulator.workload.requestgenerators import generate_requests

    return generate_requests(work.keys.generate, seed=seed, replication=replication, prefix=service, **work.options)


def _cut(log: RequestLog, keys: RequestCut) -> RequestLog:
    """Return what the keys leave, in this order: columns, window, first requests, arrivals scaled, values for all."""
    if isinstance(keys, RequestTraceKeys):
        wanted = keys.where | ({} if keys.tenant is None else {"tenant": keys.tenant})
        if wanted:
            log = log.where(**{_COLUMNS.get(name, name): values for name, values in wanted.items()})
        if keys.from_ is not None or keys.until is not None:
            log = log.between(keys.from_, keys.until)
    if keys.limit is not None:
        log = log.limit(keys.limit)
    if keys.scale_arrivals is not None:
        log = log.scale_arrivals(keys.scale_arrivals)
    values = {"category": keys.class_, "priority": keys.priority, "adapter": keys.adapter, "limit": keys.max_tokens}
    given = {name: value for name, value in values.items() if value is not None}
    return log.with_values(**given) if given else log


_COLUMNS = {"class": "category"}
"""Columns of a log that are called otherwise in a scenario."""


def _listed(service: str, work: ListedRequests, block: int) -> RequestLog:
    """Return listed requests as a log; who waits for another arrives no earlier than that one."""
    requests = work.requests
    ids = [keys.id or f"{service}-{number}" for number, keys in enumerate(requests, 1)]
    place = {id: index for index, id in enumerate(ids)}
    parents = [-1 if keys.after is None else place[keys.after] for keys in requests]
    arrivals: list[float] = []
    for keys, parent in zip(requests, parents, strict=True):
        arrivals.append(max(keys.at, arrivals[parent]) if parent >= 0 else keys.at)
    columns = {
        "id": as_objects(ids),
        "arrival": np.array(arrivals),
        "input": np.array([keys.input for keys in requests]),
        "output": np.array([keys.output for keys in requests]),
        "limit": np.array([keys.max_tokens or 0 for keys in requests]),
        "tenant": texts(keys.tenant for keys in requests),
        "category": texts(keys.class_ for keys in requests),
        "priority": np.array([keys.priority for keys in requests]),
        "session": texts(keys.session for keys in requests),
        "adapter": texts(keys.adapter for keys in requests),
        "delay": np.array([keys.delay for keys in requests]),
        "parent": np.array(parents),
    }
    hashes = _hashes(requests, block) if any(keys.hashes for keys in requests) else None
    log = RequestLog.sorted(f"{service}, listed", columns, hashes)
    return RequestLog(log.name, log.columns | {"row": np.full(len(log), -1)}, log.hashes)


def _hashes(requests: tuple[RequestKeys, ...], block: int) -> Hashes:
    """Return the names of all blocks; those that the list does not name have names of their own."""
    own = itertools.count(1 + max(max(keys.hashes, default=0) for keys in requests))
    flat: list[int] = []
    counts: list[int] = []
    for keys in requests:
        count = -(-keys.input // block) if keys.hashes else 0
        flat += [*keys.hashes, *itertools.islice(own, count - len(keys.hashes))]
        counts.append(count)
    return Hashes.of_counts(block, np.array(flat), np.array(counts))
