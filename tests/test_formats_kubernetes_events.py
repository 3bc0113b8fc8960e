"""Kubernetes events: runs put together from what happened to pods and their Jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.workload.formats import guess_format, read_trace
from tests.tracefiles import dumped, refused


def event(kind: str, name: str, reason: str, minute: int, message: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "count": 1,
        "firstTimestamp": f"2024-05-01T10:{minute:02}:00Z",
        "involvedObject": {"kind": kind, "namespace": "ml", "name": name},
        "kind": "Event",
        "message": message,
        "reason": reason,
    }


def pod(name: str, gpus: int, group: str = "") -> dict[str, Any]:
    labels = {"scheduling.x-k8s.io/pod-group": group} if group else {}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ml", "creationTimestamp": "2024-05-01T10:00:30Z", "labels": labels,
        },
        "spec": {"containers": [{"resources": {"requests": {"nvidia.com/gpu": str(gpus), "cpu": "4"}}}]},
    }  # fmt: skip


EVENTS = (
    event("Job", "train", "SuccessfulCreate", 0, "Created pod: train-abc"),
    event("Pod", "train-abc", "FailedScheduling", 1),
    event("Pod", "train-abc", "Scheduled", 5),
    event("Pod", "train-abc", "Started", 6),
    event("Job", "train", "Completed", 25, "Job completed"),
    event("Pod", "web-0", "Scheduled", 10),
    event("Pod", "web-0", "Killing", 20, "Stopping container web"),
    event("Pod", "web-0", "Killing", 22),
    event("Pod", "lost", "Scheduled", 3),
    event("Pod", "waits", "FailedScheduling", 3),
    event("Node", "n0", "NodeReady", 3),
)


def test_runs(tmp_path: Path) -> None:
    path = dumped(tmp_path, {"kind": "List", "items": list(EVENTS)})
    assert guess_format(path) == "kubernetes-events"
    trace = read_trace(path, "kubernetes-events", accelerators=2)
    assert trace.columns["id"].tolist() == ["ml/train-abc", "ml/web-0"]
    assert trace.columns["submit"].tolist() == [0.0, 600.0]
    assert trace.columns["duration"].tolist() == [1200.0, 600.0]
    assert trace.columns["accelerators"].tolist() == [2.0, 2.0]
    assert trace.columns["state"].tolist() == ["Succeeded", "Killed"]
    assert trace.report().splitlines() == [
        "t.json: 4 rows: 2 kept, 2 set aside",
        "  set aside 1: no event says when it ended, neither its own nor its Job's (row 3)",
        "  set aside 1: never scheduled, as far as the events go (row 4)",
        "  note: pods that are taken to have ended when their Job did: 1",
        "  note: pods of which no event tells the creation, submitted at their first event: 1",
    ]


def test_pods_beside_the_events(tmp_path: Path) -> None:
    dumped(tmp_path, [pod("train-abc", 8, "g"), pod("other", 1)], name="pods.json")
    trace = read_trace(dumped(tmp_path, list(EVENTS)), "kubernetes-events", pods="pods.json")
    assert trace.columns["id"].tolist() == ["ml/train-abc"]
    assert trace.columns["accelerators"].tolist() == [8.0]
    assert trace.columns["cores"].tolist() == [4.0]
    assert str(trace.origin) == "2024-05-01 10:00:30+00:00"
    assert "not among the pods, so nobody knows what it asked for" in trace.report()


def test_gangs(tmp_path: Path) -> None:
    events = [
        event("Pod", name, reason, minute)
        for name, start in (("w-0", 1), ("w-1", 2))
        for reason, minute in (("Scheduled", start), ("Evicted", 9))
    ]
    dumped(tmp_path, [pod("w-0", 4, "w"), pod("w-1", 4, "w")], name="pods.json")
    trace = read_trace(dumped(tmp_path, events), "kubernetes-events", pods="pods.json")
    assert trace.columns["id"].tolist() == ["ml/w"]
    assert (trace.columns["accelerators"].tolist(), trace.columns["duration"].tolist()) == ([8.0], [420.0])
    assert trace.columns["state"].tolist() == ["Evicted"]
    separate = read_trace(dumped(tmp_path, events), "kubernetes-events", pods="pods.json", gangs="separate")
    assert len(separate) == 2


def test_the_newer_kind_of_event(tmp_path: Path) -> None:
    newer = [
        {
            "regarding": each["involvedObject"], "reason": each["reason"], "note": each["message"],
            "eventTime": None, "deprecatedFirstTimestamp": each["firstTimestamp"],
        }
        for each in EVENTS
    ]  # fmt: skip
    path = dumped(tmp_path, newer)
    assert guess_format(path) == "kubernetes-events"
    trace = read_trace(path, "kubernetes-events", accelerators=0.5)
    assert trace.columns["duration"].tolist() == [1200.0, 600.0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "events do not say what pods ask for: give pods, a file of them, or accelerators of each"),
        (
            {"pods": "p.json", "accelerators": 1},
            "events do not say what pods ask for: give pods, a file of them, or accelerators of each",
        ),
        ({"accelerators": 1.5}, "accelerators: 1.5 is no whole number, nor a share below 1"),
        ({"accelerators": -1}, "accelerators: -1 is no whole number, nor a share below 1"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    assert refused(dumped(tmp_path, list(EVENTS)), "kubernetes-events", **options) == text


def test_refusals(tmp_path: Path) -> None:
    late = event("Pod", "a", "Scheduled", 1) | {"firstTimestamp": "soon"}
    never = event("Pod", "a", "Scheduled", 1) | {"firstTimestamp": None}
    path = dumped(tmp_path, [{"kind": "Pod"}, late, never])
    assert refused(path, "kubernetes-events", accelerators=1).splitlines() == [
        "FILE item 1: there is no involvedObject: this is no event",
        "FILE item 2: 'soon' is not a time such as 2024-05-01T10:00:00Z",
        "FILE item 3: the event has no time",
    ]
    bad = pod("train-abc", 1)
    bad["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "many"
    dumped(tmp_path, [bad], name="pods.json")
    assert refused(dumped(tmp_path, list(EVENTS)), "kubernetes-events", pods="pods.json") == (
        "FILE pod ml/train-abc: 'many' for cpu is not a quantity such as 500m, 2Gi or 8"
    )
