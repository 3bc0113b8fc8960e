"""Several logs of requests laid over each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.requesthashes import Hashes
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.trace import Columns

_BLANK: dict[str, Any] = {"limit": 0, "priority": 0.0, "delay": 0.0, "parent": -1}
"""What a request has where its log does not say; texts are empty."""
_APART = ("session",)
"""Texts that name other things in other logs."""


def merged(name: str, logs: Mapping[str, RequestLog], notes: tuple[str, ...] = ()) -> RequestLog:
    """Return all requests of ``logs`` (by name) in order of arrival, from the same second 0.

    A log without classes gives its requests its name as their class. Names of requests go, sessions and hashes of
    different logs stay apart. Raises ``InputError`` where hashes name blocks of different lengths.
    """
    parts = [_part(key, log) for key, log in logs.items()]
    names = dict.fromkeys(name for part in parts for name in part)
    columns: Columns = {}
    for column in names:
        columns[column] = np.concatenate([part[column] if column in part else _blank(column, part) for part in parts])
    if "parent" in columns:
        first = np.repeat(
            np.cumsum([0, *(len(log) for log in logs.values())])[:-1], [len(log) for log in logs.values()]
        )
        columns["parent"] = np.where(columns["parent"] >= 0, columns["parent"] + first, -1)
    told = [f"{key}: {note}" for key, log in logs.items() for note in log.notes]
    return RequestLog.sorted(name, columns, _hashes(name, logs), notes=(*notes, *told))


def _part(key: str, log: RequestLog) -> Columns:
    columns = {name: column for name, column in log.columns.items() if name not in ("id", "row")}
    for name in _APART:
        if name in columns:
            columns[name] = texts(f"{key}/{value}" for value in columns[name].tolist())
    return {"category": texts([key] * len(log))} | columns


def _blank(name: str, part: Columns) -> np.ndarray:
    count = len(part["arrival"])
    if name in _BLANK:
        return np.full(count, _BLANK[name])
    return np.full(count, "", dtype=object)


def _hashes(name: str, logs: Mapping[str, RequestLog]) -> Hashes | None:
    given = {key: log.hashes for key, log in logs.items() if log.hashes is not None}
    if not given:
        return None
    blocks = {key: hashes.block for key, hashes in given.items()}
    if len({*blocks.values()}) > 1:
        raise InputError(f"{name}: hashes name blocks of different lengths: {blocks}; give all parts the same block")
    flat: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    first = 0
    for key, log in logs.items():
        hashes = given.get(key)
        counts.append(np.zeros(len(log), dtype=np.int64) if hashes is None else hashes.counts)
        if hashes is not None and len(hashes.flat):
            flat.append(hashes.flat - hashes.flat.min() + first)
            first = int(flat[-1].max()) + 1
    return Hashes.of_counts(next(iter(blocks.values())), np.concatenate(flat), np.concatenate(counts))
