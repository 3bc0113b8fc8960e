"""Kubernetes pods: quantities, effective requests, runs, gangs, constraints, and files of all three kinds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload import kubernetes
from simulator.workload.formats import guess_format, read_trace
from tests.tracefiles import dumped, refused, written

GPU = "nvidia.com/gpu"


def at(minute: int) -> str:
    return f"2024-05-01T10:{minute:02}:00Z"


def pod(
    name: str, created: int = 0, start: int | None = 1, end: int | None = 11, phase: str = "Succeeded",
    ask: dict[str, Any] | None = None, meta: dict[str, Any] | None = None, spec: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A pod of one container that asks for a GPU."""
    status: dict[str, Any] = {"phase": phase}
    if start is not None:
        status["conditions"] = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(start)}]
    if end is not None:
        status["containerStatuses"] = [{"state": {"terminated": {"finishedAt": at(end)}}}]
    container = {"name": "main", "resources": {"requests": {GPU: "1"} if ask is None else ask}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "nlp", "creationTimestamp": at(created), **(meta or {})},
        "spec": {"containers": [container], **(spec or {})},
        "status": status,
    }


def listed(*pods: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "items": list(pods), "kind": "List"}


def test_runs_and_requests(tmp_path: Path) -> None:
    big = {"cpu": "1500m", "memory": "2Gi", GPU: "8", "rdma/ib": "1", "ephemeral-storage": "10Gi"}
    path = dumped(
        tmp_path,
        listed(
            pod("b", created=5, start=7, end=9, phase="Failed", ask=big, spec={"priority": 100}),
            pod("a", created=2, start=3, end=33, ask={"cpu": 2, "memory": "500M"}),
        ),
        name="pods.json.gz",
    )
    trace = read_trace(path, "kubernetes-pods")
    assert trace.columns["id"].tolist() == ["nlp/a", "nlp/b"]
    assert trace.columns["row"].tolist() == [2, 1]
    assert trace.columns["submit"].tolist() == [0.0, 180.0]
    assert trace.columns["duration"].tolist() == [1800.0, 120.0]
    assert trace.columns["accelerators"].tolist() == [0.0, 8.0]
    assert trace.columns["cores"].tolist() == [2.0, 1.5]
    assert trace.columns["memory"].tolist() == [5e8, 2.0**31]
    assert trace.columns["priority"].tolist() == [0.0, 100.0]
    assert trace.columns["state"].tolist() == ["Succeeded", "Failed"]
    assert trace.columns["max_servers"].tolist() == [1, 1]
    assert trace.columns["tenant"].tolist() == ["nlp", "nlp"]
    assert trace.origin == datetime(2024, 5, 1, 10, 2, tzinfo=UTC)
    assert trace.notes == (
        "pods that ask for rdma/ib, which is not taken for a part of an accelerator (option shares): 1",
        "jobs that ask for no accelerator, kept: 1",
    )


def test_what_is_set_aside(tmp_path: Path) -> None:
    running = pod("r", end=None, phase="Running")
    path = dumped(
        tmp_path,
        listed(
            pod("again", end=None, phase="Running"),
            pod("again"),
            pod("p", start=None, end=None, phase="Pending"),
            running,
            pod("e", end=None, phase="Failed"),
            pod("m", ask={"nvidia.com/mig-1g.10gb": 8}),
            pod("z", start=11, end=11),
        ),
    )
    trace = read_trace(path, "kubernetes-pods")
    assert trace.report().splitlines() == [
        "t.json: 7 rows: 1 kept, 6 set aside",
        "  set aside 1: an earlier state of a pod that comes again (row 1)",
        "  set aside 1: never scheduled: how long it would have run is not known (row 3)",
        "  set aside 1: still running when it was listed: how long it would have run is not known (row 4)",
        "  set aside 1: has ended, but nothing says when (row 5)",
        "  set aside 1: asks for more than one accelerator, and for no whole number of them (row 6)",
        "  set aside 1: ran for 0 s: there is nothing to replay (row 7)",
    ]
    kept = read_trace(dumped(tmp_path, [pod("a", end=21), running]), "kubernetes-pods", running="keep")
    assert kept.columns["duration"].tolist() == [1200.0, 1200.0]
    assert kept.notes == ("pods still running when they were listed, kept until the latest time in the file: 1",)


def test_ends_that_no_container_tells(tmp_path: Path) -> None:
    evicted = pod("e", end=None, phase="Failed")
    evicted["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True", "lastTransitionTime": at(4)})
    deleted = pod("d", end=None, phase="Failed", meta={"deletionTimestamp": at(5)})
    early = pod("s", start=None)
    early["status"]["startTime"] = at(2)
    trace = read_trace(dumped(tmp_path, [evicted, deleted, early]), "kubernetes-pods")
    assert trace.columns["duration"].tolist() == [180.0, 240.0, 540.0]


def test_files_of_three_kinds(tmp_path: Path) -> None:
    pods = [pod("a"), pod("b")]
    files = [
        dumped(tmp_path, listed(*pods), name="list.json"),
        dumped(tmp_path, pods, name="array.json"),
        written(tmp_path, *(json.dumps(each) for each in pods), name="lines.json"),
        written(tmp_path, *(json.dumps(each, indent=2) for each in pods), name="stream.json"),
    ]
    for file in files:
        assert guess_format(file) == "kubernetes-pods"
        assert read_trace(file, "kubernetes-pods").columns["id"].tolist() == ["nlp/a", "nlp/b"]


def test_gangs(tmp_path: Path) -> None:
    def worker(name: str, **more: Any) -> dict[str, Any]:
        return pod(name, meta={"labels": {"training.kubeflow.org/job-name": "bert"}}, ask={GPU: 8, "cpu": 4}, **more)

    launcher = pod("l", ask={"cpu": 1}, meta={"labels": {"training.kubeflow.org/job-name": "bert"}})
    workers = [worker("w0", created=1, start=2, end=20), worker("w1", start=3, end=21, phase="Failed")]
    path = dumped(tmp_path, listed(launcher, *workers))
    trace = read_trace(path, "kubernetes-pods")
    assert trace.columns["id"].tolist() == ["nlp/l", "nlp/bert"]
    assert trace.columns["accelerators"].tolist() == [0.0, 16.0]
    assert trace.columns["cores"].tolist() == [1.0, 8.0]
    assert trace.columns["max_servers"].tolist() == [1, 2]
    assert trace.columns["duration"].tolist() == [600.0, 1080.0]
    assert trace.columns["submit"].tolist() == [0.0, 0.0]
    assert trace.columns["state"].tolist() == ["Succeeded", "Failed"]
    assert trace.set_aside[0].reason == "a further pod of a gang, which runs as one job with its first"
    assert trace.rows_read == 3
    assert trace.notes[0] == "gangs of several pods, which run from the last start to the last end: 1"
    apart = read_trace(path, "kubernetes-pods", gangs="separate")
    assert apart.columns["accelerators"].tolist() == [0.0, 8.0, 8.0]
    retried = dumped(tmp_path, listed(worker("w0", end=5), worker("w1", start=6, end=9)))
    assert read_trace(retried, "kubernetes-pods").notes == (
        "groups of pods that never all ran at once, each pod a job of its own: 1",
    )
    unequal = pod("x", ask={GPU: 4, "cpu": 4}, meta={"labels": {"training.kubeflow.org/job-name": "bert"}})
    mixed = read_trace(dumped(tmp_path, listed(workers[0], unequal)), "kubernetes-pods")
    assert mixed.notes == ("groups of pods that ask for different things, each pod a job of its own: 1",)
    assert mixed.columns["accelerators"].tolist() == [4.0, 8.0]


def test_groups() -> None:
    index = "batch.kubernetes.io/job-completion-index"
    job = [{"kind": "Job", "name": "train"}]
    assert kubernetes.group(pod("a", meta={"annotations": {"scheduling.k8s.io/group-name": "g"}})) == "g"
    assert kubernetes.group(pod("a", meta={"labels": {"scheduling.x-k8s.io/pod-group": "h"}})) == "h"
    assert kubernetes.group(pod("a", meta={"ownerReferences": job, "annotations": {index: "0"}})) == "train"
    assert kubernetes.group(pod("a", meta={"ownerReferences": job})) == ""


def test_which_nodes_will_do(tmp_path: Path) -> None:
    spec = {
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "zone": "b", "disk": "ssd"},
        "tolerations": [
            {"key": GPU, "operator": "Exists", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
            {"operator": "Exists"},
        ],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    }
    path = dumped(tmp_path, listed(pod("a", spec=spec)))
    trace = read_trace(path, "kubernetes-pods")
    assert trace.columns["selector"].tolist() == [(("disk", "ssd"), ("zone", "b"))]
    assert trace.columns["tolerations"].tolist() == [(GPU, "*")]
    assert trace.columns["accelerator_types"].tolist() == [()]
    assert trace.notes == (
        "pods with a required node affinity, which is not modelled: 1",
        "pods for nodes with nvidia.com/gpu.product NVIDIA-H100-80GB-HBM3, which is not enforced (option types): 1",
    )
    named = read_trace(path, "kubernetes-pods", types={"NVIDIA-H100-80GB-HBM3": "nvidia/h100-sxm"}, selectors="ignore")
    assert named.columns["accelerator_types"].tolist() == [("nvidia/h100-sxm",)]
    assert (named.columns["selector"].tolist(), named.columns["tolerations"].tolist()) == ([()], [()])


@pytest.mark.parametrize(
    ("ask", "meta", "shares", "accelerators"),
    [
        ({"nvidia.com/mig-1g.10gb": 1}, {}, {}, 0.142857),
        ({"nvidia.com/mig-3g.40gb": 2}, {}, {}, 0.857143),
        ({"nvidia.com/mig-1g.10gb.me": 7}, {}, {}, 1.0),
        ({"koordinator.sh/gpu-core": 50}, {}, {}, 0.5),
        ({"amd.com/gpu": 4}, {}, {}, 4.0),
        ({"aliyun.com/gpu-mem": 20}, {}, {"aliyun.com/gpu-mem": 0.0125}, 0.25),
        ({}, {"annotations": {"gpu-fraction": "0.25"}}, {}, 0.25),
        ({GPU: 2}, {}, {GPU: 0.5}, 1.0),
    ],
)
def test_parts_of_an_accelerator(
    tmp_path: Path, ask: dict[str, Any], meta: dict[str, Any], shares: dict[str, float], accelerators: float
) -> None:
    path = dumped(tmp_path, listed(pod("a", ask=ask, meta=meta)))
    assert read_trace(path, "kubernetes-pods", shares=shares).columns["accelerators"].tolist() == [accelerators]


def test_effective_requests() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("1"), {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}, {}],
        "initContainers": [
            container("2"),
            container("250m", restartPolicy="Always"),
            container("3"),
            container("100m", restartPolicy="Always"),
        ],
        "overhead": {"cpu": "50m"},
    }
    found = kubernetes.requests({"spec": spec}, {})
    assert found == kubernetes.Requests(3.3, 2.0**30, 0.0)
    del spec["initContainers"][2]
    assert kubernetes.requests({"spec": spec}, {}).cores == pytest.approx(2.05)


def test_refusals(tmp_path: Path) -> None:
    nameless = pod("n", meta={"creationTimestamp": None})
    path = dumped(
        tmp_path,
        listed(
            pod("a", ask={"cpu": "2 cores"}),
            pod("b", start=11, end=5),
            nameless,
            pod("d", meta={"creationTimestamp": "yesterday"}),
            pod("e", meta={"creationTimestamp": "2024-05-01T10:00:00"}),
            {"kind": "Node", "metadata": {"name": "n0"}},
        ),
    )
    assert refused(path, "kubernetes-pods").splitlines() == [
        "FILE item 1 (nlp/a): '2 cores' for cpu is not a quantity such as 500m, 2Gi or 8",
        "FILE item 2 (nlp/b): it ended 360 s before it was scheduled",
        "FILE item 3 (nlp/n): there is no metadata.creationTimestamp",
        "FILE item 4 (nlp/d): 'yesterday' is not a time such as 2024-05-01T10:00:00Z",
        "FILE item 5 (nlp/e): '2024-05-01T10:00:00' has no zone; Kubernetes writes times such as 2024-05-01T10:00:00Z",
        "FILE item 6 (default/n0): this is of kind 'Node', not a Pod",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "FILE:2: this is not JSON: expecting property name enclosed in double quotes"),
        ('{"items": 5}', "FILE: items is not a list of pods"),
        ('{"items": [5]}', "FILE: items is not a list of pods"),
        ('{"kind": "Pod"} 7', "FILE:1: one of the pods is no object {...}"),
        ("a,b", "FILE:1: this is not JSON: expecting value"),
        ('{"items": []}', "FILE: no row is a job that can be replayed"),
    ],
)
def test_files_that_hold_no_pods(tmp_path: Path, text: str, told: str) -> None:
    assert refused(written(tmp_path, text, name="t.json"), "kubernetes-pods") == told


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"running": "drop"}, "running: 'drop' is not a choice. Known: keep, set aside."),
        ({"gangs": "split"}, "gangs: 'split' is not a choice. Known: join, separate."),
        (
            {"shares": {"x/y": 2}},
            "shares: 2 for 'x/y' is not a part of an accelerator, above 0 and up to 1",
        ),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    assert refused(dumped(tmp_path, listed(pod("a"))), "kubernetes-pods", **options) == text


SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@given(st.integers(0, 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_quantities(number: int, suffix: str) -> None:
    assert kubernetes.quantity(f"{number}{suffix}") == pytest.approx(number * 10.0 ** SUFFIXES[suffix], rel=1e-12)
    assert kubernetes.quantity(f"{number}.5") == number + 0.5
    assert kubernetes.quantity(f"{number}Mi") == number * 2.0**20
    assert kubernetes.quantity(f"{number}e3") == number * 1000.0


@pytest.mark.parametrize("value", ["", "x", "-1", "1 Gi", "1KiB", "inf", "nan", True, -2, None, [], "1e9999"])
def test_what_is_no_quantity(value: Any) -> None:
    assert kubernetes.quantity(value) is None


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FULL = pod(
    "a",
    meta={"labels": {"volcano.sh/job-name": "j"}, "annotations": {"gpu-fraction": "0.5"}, "deletionTimestamp": at(30)},
    spec={"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "effect": "NoSchedule"}], "priority": 3,
          "initContainers": [{"resources": {"limits": {"cpu": 1}}, "restartPolicy": "Always"}], "overhead": {"cpu": 1}},
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_pods_never_leave_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    damaged = json.loads(json.dumps(FULL))
    *path, last = data.draw(st.sampled_from(places(FULL)[1:]))
    spot = damaged
    for key in path:
        spot = spot[key]
    spot[last] = data.draw(ANYTHING)
    try:
        trace = read_trace(dumped(tmp_path, listed(pod("b"), damaged)), "kubernetes-pods", running="keep")
    except InputError:
        return
    assert trace.rows_read == 2
    assert len(list(trace.jobs())) == len(trace)
