"""Kubernetes pods, as ``kubectl get pods -A -o json`` prints them.

A ``List`` of Pods, a JSON list, or one Pod after the other, as with ``-w``, where the last state of a pod counts.
Finished pods stay in a cluster until their owner or the garbage collector deletes them, so collect them from time to
time. Fields: Kubernetes API v1, Pod.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from simulator.workload import kubernetes
from simulator.workload.formats import reader
from simulator.workload.kubernetes import Object, identity, part
from simulator.workload.options import one_of
from simulator.workload.pods import NOT_WHOLE, Pod, Terms, columns
from simulator.workload.pods import gangs as joined
from simulator.workload.rows import Book
from simulator.workload.table import as_trace
from simulator.workload.trace import Trace

_RUNNING = ("set aside", "keep")
_GANGS = ("join", "separate")
_SELECTORS = ("keep", "ignore")
_OVER = ("Succeeded", "Failed")
_KIND = re.compile(r'"kind"\s*:\s*"Pod(List)?"')

_EARLIER = "an earlier state of a pod that comes again"
_NEVER = "never scheduled: how long it would have run is not known"
_ACTIVE = "still running when it was listed: how long it would have run is not known"
_NO_END = "has ended, but nothing says when"
_CENSORED = "pods still running when they were listed, kept until the latest time in the file: {n}"


def _begins(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and "involvedObject" not in text and _KIND.search(text) is not None


@reader("kubernetes-pods", begins=_begins)
def read(
    path: str | Path, running: Literal["set aside", "keep"] = "set aside",
    gangs: Literal["join", "separate"] = "join", selectors: Literal["keep", "ignore"] = "keep",
    types: Mapping[str, str] | None = None, shares: Mapping[str, float] | None = None,
) -> Trace:  # fmt: skip
    """Kubernetes pods as JSON; options: running, gangs (join | separate), selectors (keep | ignore), types, shares.

    A pod runs from when it was scheduled until its last container ended; ``running="keep"`` keeps those that still ran.
    Equal pods of a group (``kubernetes.group``) that ran together are one gang. ``types`` maps values of node labels
    such as nvidia.com/gpu.product to catalog ids; ``shares`` says which part of an accelerator one of an extended
    resource is, for example ``{"aliyun.com/gpu-mem": 0.0125}``. The namespace is the tenant; ``nodeSelector`` and
    tolerations bind unless ``selectors="ignore"``.
    """
    keep = one_of("running", running, _RUNNING) == "keep"
    join = one_of("gangs", gangs, _GANGS) == "join"
    terms = Terms(types or {}, shares or {}, one_of("selectors", selectors, _SELECTORS) == "keep")
    book = Book(str(path))
    pods = _pods(Path(path), book, terms, keep)
    return as_trace(Path(path), book, columns(book, joined(book, pods) if join else pods))


def _pods(path: Path, book: Book, terms: Terms, keep: bool) -> list[Pod]:
    """Return the pods that ran; the others are set aside."""
    found = list(enumerate(kubernetes.objects(path, "pods"), start=1))
    last = {identity(pod): row for row, pod in found}
    aside: dict[str, list[int]] = {}
    pods: list[Pod] = []
    for row, pod in found:
        try:
            made = _EARLIER if last[identity(pod)] != row else _pod(book, row, pod, terms, keep)
        except ValueError as error:
            book.problems.add(str(error), path=f"item {row} ({identity(pod)})")
            continue
        if isinstance(made, str):
            aside.setdefault(made, []).append(row)
        else:
            pods.append(made)
    book.problems.check()
    for reason, rows in aside.items():
        book.put_aside(reason, np.array(rows))
    return _cut(book, pods)


def _pod(book: Book, row: int, pod: Object, terms: Terms, keep: bool) -> Pod | str:
    """Return a pod, of endless run if it has not ended; or why it is set aside."""
    kind = part(pod).get("kind", "Pod")
    if kind != "Pod":
        raise ValueError(f"this is of kind {kind!r}, not a Pod")
    created = kubernetes.seconds(part(pod, "metadata").get("creationTimestamp"))
    if created is None:
        raise ValueError("there is no metadata.creationTimestamp")
    phase = str(part(pod, "status").get("phase", ""))
    start = kubernetes.started(pod)
    if start is None:
        return _NEVER
    end = kubernetes.ended(pod) if phase in _OVER else np.inf
    if end is None or (end == np.inf and not keep):
        return _NO_END if end is None else _ACTIVE
    if end < start:
        raise ValueError(f"it ended {start - end:g} s before it was scheduled")
    wishes = terms.wishes(book, pod)
    if wishes is None:
        return NOT_WHOLE
    return Pod(row, identity(pod), kubernetes.group(pod), phase, created, start, end, wishes)


def _cut(book: Book, pods: list[Pod]) -> list[Pod]:
    """End pods that still ran at the latest time that is known."""
    censored = sum(pod.end == np.inf for pod in pods)
    book.counts[_CENSORED] = censored
    latest = max((time for pod in pods for time in (pod.submit, pod.start, pod.end) if time < np.inf), default=0.0)
    return [replace(pod, end=min(pod.end, latest)) for pod in pods] if censored else pods
