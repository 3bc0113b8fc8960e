"""Kubernetes events, as ``kubectl get events -A -o json`` prints them: when pods were scheduled, and when they went.

Events tell times and no sizes, so the pods are read beside them, or all count alike. The API server forgets events
after an hour (``--event-ttl``), so collect them with ``-w``. No event says that a pod has finished by itself: its Job's
does. Fields and reasons: Kubernetes API v1, Event; pkg/kubelet/events, pkg/controller/job and pkg/scheduler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from simulator.core.errors import InputError
from simulator.workload import kubernetes
from simulator.workload.formats import reader
from simulator.workload.kubernetes import Object, Requests, identity, part
from simulator.workload.options import one_of
from simulator.workload.pods import NOT_WHOLE, Pod, Terms, Wishes, columns
from simulator.workload.pods import gangs as joined
from simulator.workload.rows import Book
from simulator.workload.table import as_trace
from simulator.workload.trace import Trace

STARTS = ("Scheduled", "Started")
"""Reasons that tell when a pod was given its node, the better one first."""
ENDS = {
    "Killing": "Killed", "Preempted": "Preempted", "Preempting": "Preempted", "Evicted": "Evicted",
    "TaintManagerEviction": "Evicted", "NodeShutdown": "Killed",
}  # fmt: skip
"""What becomes of a pod with an event of this reason."""
JOB_ENDS = {"Completed": "Succeeded", "BackoffLimitExceeded": "Failed", "DeadlineExceeded": "Failed"}
"""What becomes of the pods of a Job with an event of this reason."""
CREATES = ("SuccessfulCreate",)
_CREATED = re.compile(r"(?:Created pod: |create Pod )([a-z0-9.-]+)")
_GANGS = ("join", "separate")

_NEVER = "never scheduled, as far as the events go"
_NO_END = "no event says when it ended, neither its own nor its Job's"
_NO_POD = "not among the pods, so nobody knows what it asked for"
_BY_JOB = "pods that are taken to have ended when their Job did: {n}"
_FIRST = "pods of which no event tells the creation, submitted at their first event: {n}"


@dataclass(slots=True)
class _Story:
    """What the events say of one pod or Job: first times by reason, in seconds of Unix time."""

    first: float
    times: dict[str, float] = field(default_factory=dict)
    owner: str = ""
    created: float | None = None


def _begins(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and ("involvedObject" in text or '"regarding"' in text)


@reader("kubernetes-events", begins=_begins)
def read(
    path: str | Path, pods: str | Path | None = None, accelerators: float | None = None,
    gangs: Literal["join", "separate"] = "join", types: Mapping[str, str] | None = None,
    shares: Mapping[str, float] | None = None,
) -> Trace:  # fmt: skip
    """Kubernetes events as JSON; options: pods (a file) or accelerators (of each), gangs, types, shares.

    A pod runs from its Scheduled event to that of its Killing, eviction or preemption, or of the end of its Job.
    ``pods`` is a list of pods as for kubernetes-pods, relative to the folder of the events, which says what they ask
    for; without it every pod takes ``accelerators``. ``where(state="Killed")`` works.
    """
    join = one_of("gangs", gangs, _GANGS) == "join"
    if (pods is None) == (accelerators is None):
        raise InputError("events do not say what pods ask for: give pods, a file of them, or accelerators of each")
    if accelerators is not None and not (accelerators == int(accelerators) >= 0 or 0 < accelerators < 1):
        raise InputError(f"accelerators: {accelerators:g} is no whole number, nor a share below 1")
    book = Book(str(path))
    stories, jobs = _stories(Path(path), book)
    book.problems.check()
    if pods is None:
        alike = Wishes(Requests(0.0, 0.0, accelerators or 0.0))
        sizes: dict[str, Wishes | None] = dict.fromkeys(stories, alike)
        known: dict[str, Object] = {}
    else:
        known = {identity(pod): pod for pod in kubernetes.objects(Path(path).parent / pods, "pods")}
        sizes = _sizes(book, stories, known, Terms(types or {}, shares or {}))
    found: list[Pod] = []
    for row, (name, story) in enumerate(stories.items(), start=1):
        made = _pod(book, row, name, story, jobs, sizes, known.get(name, {}))
        if isinstance(made, str):
            book.put_aside(made, np.array([row]))
        else:
            found.append(made)
    return as_trace(Path(path), book, columns(book, joined(book, found) if join else found))


def _stories(path: Path, book: Book) -> tuple[dict[str, _Story], dict[str, _Story]]:
    """Return what happened to each pod, in the order of first mention, and to each Job; ``namespace/name``."""
    pods: dict[str, _Story] = {}
    jobs: dict[str, _Story] = {}
    for row, event in enumerate(kubernetes.objects(path, "events"), start=1):
        about = part(event, "involvedObject") or part(event, "regarding")
        place = f"item {row}"
        kind = str(about.get("kind") or "")
        if not kind:
            book.problems.add("there is no involvedObject: this is no event", path=place)
            continue
        try:
            time = _time(event)
        except ValueError as error:
            book.problems.add(str(error), path=place)
            continue
        space, name, reason = about.get("namespace", "default"), about.get("name", ""), str(event.get("reason", ""))
        if kind == "Pod":
            _tell(pods, f"{space}/{name}", reason, time)
            continue
        if kind == "Job":
            _tell(jobs, f"{space}/{name}", reason, time)
        match = _CREATED.search(str(event.get("message") or event.get("note") or "")) if reason in CREATES else None
        if match:
            story = pods.setdefault(f"{space}/{match[1].rstrip('.')}", _Story(time))
            story.created = time
            story.owner = f"{space}/{name}" if kind == "Job" else ""
    return pods, jobs


def _tell(stories: dict[str, _Story], name: str, reason: str, time: float) -> None:
    story = stories.setdefault(name, _Story(time))
    story.first = min(story.first, time)
    story.times[reason] = min(story.times.get(reason, time), time)


def _time(event: Object) -> float:
    """Return when an event came up for the first time."""
    for value in (
        event.get("eventTime"), event.get("firstTimestamp"), event.get("deprecatedFirstTimestamp"),
        part(event, "metadata").get("creationTimestamp"),
    ):  # fmt: skip
        found = kubernetes.seconds(value)
        if found is not None:
            return found
    raise ValueError("the event has no time")


def _sizes(book: Book, stories: dict[str, _Story], known: dict[str, Object], terms: Terms) -> dict[str, Wishes | None]:
    """Return what each pod asked for that is known; None for a pod that cannot be a job."""
    sizes: dict[str, Wishes | None] = {}
    for name in stories:
        if name in known:
            try:
                sizes[name] = terms.wishes(book, known[name])
            except ValueError as error:
                book.problems.add(str(error), path=f"pod {name}")
    book.problems.check()
    return sizes


def _pod(
    book: Book, row: int, name: str, story: _Story, jobs: dict[str, _Story],
    sizes: Mapping[str, Wishes | None], spec: Object,
) -> Pod | str:  # fmt: skip
    """Return a pod, or why it is set aside."""
    start = next((story.times[reason] for reason in STARTS if reason in story.times), None)
    if start is None:
        return _NEVER
    end, state, by_job = _end(story, jobs.get(story.owner))
    if end is None:
        return _NO_END
    wishes = sizes.get(name)
    if wishes is None:
        return NOT_WHOLE if name in sizes else _NO_POD
    submit = kubernetes.seconds(part(spec, "metadata").get("creationTimestamp")) or story.created
    for note, yes in ((_BY_JOB, by_job), (_FIRST, submit is None)):
        book.counts[note] = book.counts.get(note, 0) + yes
    submit = story.first if submit is None else submit
    return Pod(row, name, kubernetes.group(spec), state, submit, start, max(start, end), wishes)


def _end(story: _Story, job: _Story | None) -> tuple[float | None, str, bool]:
    """Return when a pod ended, how, and whether only its Job tells; first by an event of its own."""
    own = [(time, ENDS[reason]) for reason, time in story.times.items() if reason in ENDS]
    job_times = job.times if job else {}
    ends = own or [(time, JOB_ENDS[reason]) for reason, time in job_times.items() if reason in JOB_ENDS]
    if not ends:
        return None, "", False
    return *min(ends), not own
