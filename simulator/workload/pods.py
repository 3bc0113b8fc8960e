"""Pods that ran, as jobs: what they ask for, on which nodes, and which of them are one gang."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.workload import kubernetes
from simulator.workload.kubernetes import Object, Requests, part
from simulator.workload.rows import Book, as_objects
from simulator.workload.trace import Columns

NOT_WHOLE = "asks for more than one accelerator, and for no whole number of them"
"""Why a pod cannot be a job."""
_HELD_OFF = ("NoSchedule", "")
"""Effects of a taint that keep a pod from being placed; others act on pods that run."""
_MEMBER = "a further pod of a gang, which runs as one job with its first"
_UNEQUAL = "groups of pods that ask for different things, each pod a job of its own: {n}"
_APART = "groups of pods that never all ran at once, each pod a job of its own: {n}"
_JOINED = "gangs of several pods, which run from the last start to the last end: {n}"
_UNKNOWN = "pods that ask for {name}, which is not taken for a part of an accelerator (option shares): {{n}}"
_AFFINITY = "pods with a required node affinity, which is not modelled: {n}"
_FREE = "pods for nodes with {label} {value}, which is not enforced (option types): {{n}}"
_DIGITS = 6
"""Decimals of an accelerator, so that seven slices of a seventh are one."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a pod asks for, and which nodes will do."""

    requests: Requests
    priority: float = 0.0
    selector: tuple[tuple[str, str], ...] = ()
    types: tuple[str, ...] = ()
    tolerations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that ran, or a gang of ``pods``: its place in the file, its names, and its times in Unix time (s)."""

    row: int
    name: str
    group: str
    state: str
    submit: float
    start: float
    end: float
    wishes: Wishes
    pods: int = 1

    @property
    def tenant(self) -> str:
        """Its namespace."""
        return self.name.partition("/")[0]

    @property
    def accelerators(self) -> float:
        """Whole accelerators, or a share of one."""
        return self.wishes.requests.accelerators


@dataclass(frozen=True, slots=True)
class Terms:
    """How a user wants pods to be read: catalog ids by value of a node label, parts of an accelerator by resource."""

    types: Mapping[str, str]
    shares: Mapping[str, float]
    selectors: bool = True

    def __post_init__(self) -> None:
        for name, value in self.shares.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                told = f"shares: {value!r} for {name!r} is not a part of an accelerator, above 0 and up to 1"
                raise InputError(told)

    def wishes(self, book: Book, pod: Object) -> Wishes | None:
        """Return what a pod asks for, with notes on what is not modelled; None if it takes no whole accelerators.

        Raises ``ValueError`` for what makes no sense.
        """
        asks = kubernetes.requests(pod, self.shares)
        accelerators = round(asks.accelerators, _DIGITS)
        if accelerators > 1 and not accelerators.is_integer():
            return None
        for name in asks.unknown:
            _count(book, _UNKNOWN.format(name=name))
        spec = part(pod, "spec")
        if part(spec, "affinity", "nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution"):
            _count(book, _AFFINITY)
        wanted = {str(name): str(value) for name, value in part(spec, "nodeSelector").items()}
        types = self._types(book, wanted)
        taints = [each for each in kubernetes.parts(spec, "tolerations") if str(each.get("effect") or "") in _HELD_OFF]
        borne = dict.fromkeys(str(each.get("key") or "*") for each in taints)
        return Wishes(
            asks._replace(accelerators=accelerators),
            _number(spec.get("priority") or 0),
            tuple(sorted(wanted.items())) if self.selectors else (),
            types,
            tuple(borne) if self.selectors else (),
        )

    def _types(self, book: Book, wanted: dict[str, str]) -> tuple[str, ...]:
        """Take the labels that tell the type of accelerator out of those that nodes must have."""
        types: tuple[str, ...] = ()
        for label in kubernetes.TYPE_LABELS:
            value = wanted.pop(label, None)
            if value is not None and value in self.types:
                types = (self.types[value],)
            elif value is not None:
                _count(book, _FREE.format(label=label, value=value))
        return types


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError(f"priority {value!r} is not a number")
    return float(value)


def _count(book: Book, note: str) -> None:
    book.counts[note] = book.counts.get(note, 0) + 1


def gangs(book: Book, pods: list[Pod]) -> list[Pod]:
    """Join the equal pods of a group that ran together; pods without accelerators stay on their own.

    The further pods of a gang are set aside in ``book``.
    """
    members: dict[tuple[str, str], list[Pod]] = {}
    for pod in pods:
        if pod.group and pod.accelerators:
            members.setdefault((pod.tenant, pod.group), []).append(pod)
    joined: dict[int, Pod | None] = {}
    for several in members.values():
        why = _parted(several) if len(several) > 1 else ""
        if why:
            _count(book, why)
        elif len(several) > 1:
            joined |= {pod.row: None for pod in several} | {several[0].row: _joined(several)}
            _count(book, _JOINED)
    further = [row for row, gang in joined.items() if gang is None]
    if further:
        book.put_aside(_MEMBER, np.array(further))
    return [gang for gang in (joined.get(pod.row, pod) for pod in pods) if gang is not None]


def _parted(pods: list[Pod]) -> str:
    """Say why pods of a group are no gang; empty if they are one."""
    total = round(sum(pod.accelerators for pod in pods), _DIGITS)
    if any(pod.wishes != pods[0].wishes for pod in pods) or (total > 1 and not total.is_integer()):
        return _UNEQUAL
    return "" if max(pod.start for pod in pods) < min(pod.end for pod in pods) else _APART


def _joined(pods: list[Pod]) -> Pod:
    first, count = pods[0], len(pods)
    asks = first.wishes.requests
    whole = asks._replace(
        cores=asks.cores * count,
        memory=asks.memory * count,
        accelerators=round(asks.accelerators * count, _DIGITS),
    )
    return replace(
        first,
        name=f"{first.tenant}/{first.group}",
        state=next((pod.state for pod in pods if pod.state != "Succeeded"), first.state),
        submit=min(pod.submit for pod in pods),
        start=max(pod.start for pod in pods),
        end=max(pod.end for pod in pods),
        wishes=replace(first.wishes, requests=whole),
        pods=count,
    )


def columns(book: Book, pods: list[Pod]) -> Columns:
    """Return pods, or gangs of them, as the columns of a trace; second 0 is the first submission."""
    origin = min((pod.submit for pod in pods), default=0.0)
    book.base = datetime.fromtimestamp(origin, UTC) if pods else None

    def numbers(values: Any) -> np.ndarray:
        return np.array(list(values), dtype=float)

    wishes = [pod.wishes for pod in pods]
    return {
        "row": np.array([pod.row for pod in pods], dtype=np.int64),
        "id": as_objects(pod.name for pod in pods),
        "submit": numbers(pod.submit - origin for pod in pods),
        "duration": numbers(pod.end - pod.start for pod in pods),
        "accelerators": numbers(pod.accelerators for pod in pods),
        "cores": numbers(each.requests.cores for each in wishes),
        "memory": numbers(each.requests.memory for each in wishes),
        "priority": numbers(each.priority for each in wishes),
        "max_servers": np.array([pod.pods for pod in pods], dtype=np.int64),
        "tenant": as_objects(book.one(pod.tenant) for pod in pods),
        "state": as_objects(book.one(pod.state) for pod in pods),
        "group": as_objects(book.one(pod.group) for pod in pods),
        "accelerator_types": as_objects(each.types for each in wishes),
        "selector": as_objects(each.selector for each in wishes),
        "tolerations": as_objects(each.tolerations for each in wishes),
    }
