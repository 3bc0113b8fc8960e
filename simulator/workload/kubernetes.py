"""What Kubernetes says of pods as JSON: objects of a file, quantities, effective requests, times, and groups.

Sources: Kubernetes API v1 (Pod, Event); "Resource Management" (quantities) and "Effective Pod requests and limits" of
kubernetes.io/docs/concepts. Names of extended resources are those that their device plugins publish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from simulator.core.errors import InputError, Problem
from simulator.workload.files import check_file, text_lines
from simulator.workload.jsonrows import json_objects

WHOLE = (
    "nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "habana.ai/gaudi", "google.com/tpu",
    "aws.amazon.com/neuron", "aws.amazon.com/neurondevice", "huawei.com/Ascend910",
)  # fmt: skip
"""Extended resources of which one is an accelerator."""
PERCENT = ("koordinator.sh/gpu", "koordinator.sh/gpu-core", "aliyun.com/gpu-core.percentage")
"""Extended resources of which a hundred are an accelerator."""
TYPE_LABELS = (
    "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator",
    "karpenter.k8s.aws/instance-gpu-name", "node.kubernetes.io/instance-type",
)  # fmt: skip
"""Labels of nodes that tell which accelerators they have."""
_MIG = re.compile(r"nvidia\.com/mig-(\d+)g\.\d+gb(?:\.me)?")
_SLICES = 7
"""Compute slices of a GPU that MIG cuts up (A100, H100: NVIDIA, MIG User Guide)."""
_QUANTITY = re.compile(r"(\+?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_BELOW = {"n": 1e9, "u": 1e6, "m": 1e3}
_ABOVE = {name: 1e3**power for power, name in enumerate(("", "k", "M", "G", "T", "P", "E"))} | {
    f"{name}i": 2.0 ** (10 * power) for power, name in enumerate(("K", "M", "G", "T", "P", "E"), start=1)
}
_PLAIN = ("cpu", "memory", "ephemeral-storage", "pods")
GROUP_ANNOTATIONS = (
    "scheduling.k8s.io/group-name", "gang.scheduling.koordinator.sh/name", "pod-group-name",
)  # fmt: skip
GROUP_LABELS = (
    "scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io/name", "kueue.x-k8s.io/pod-group-name",
    "volcano.sh/job-name", "training.kubeflow.org/job-name", "jobset.sigs.k8s.io/jobset-name",
    "leaderworkerset.sigs.k8s.io/group-key",
)  # fmt: skip
"""Labels and annotations by which schedulers and operators name a group of pods that runs together."""
_INDEX = "batch.kubernetes.io/job-completion-index"
_FRACTION = "gpu-fraction"
"""Annotation with the share of a GPU that a pod asks for (KAI Scheduler)."""

Object = dict[str, Any]


class Requests(NamedTuple):
    """What a pod asks for: cores, bytes, accelerators (a sum of shares); and ``unknown`` extended resources."""

    cores: float
    memory: float
    accelerators: float
    unknown: tuple[str, ...] = ()


def objects(path: Path, what: str) -> Iterator[Object]:
    """Yield the objects of a file: a ``List`` with ``items``, a JSON list, or one object after the other.

    Raises ``InputError`` with file and line for what is no JSON of this kind.
    """
    check_file(path, json=True)
    begin = next((piece.lstrip()[:1] for piece in text_lines(path, pieces=True) if piece.strip()), "")
    if begin == "[":
        for _, each in json_objects(path, what):
            yield each
        return
    text = "".join(text_lines(path, pieces=True))
    for found in _values(path, text, what):
        yield from _items(path, found, what)


def _values(path: Path, text: str, what: str) -> Iterator[Object]:
    """Yield JSON values that stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    blank = re.compile(r"\s*")
    while (at := blank.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        try:
            found, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            told = getattr(error, "msg", "nested too deeply").lower()
            raise InputError(Problem(f"this is not JSON: {told}", file=str(path), line=line)) from None
        if not isinstance(found, dict):
            line = text.count("\n", 0, at) + 1
            raise InputError(Problem(f"one of the {what} is no object {{...}}", file=str(path), line=line))
        yield found


def _items(path: Path, found: Object, what: str) -> Iterator[Object]:
    items = found.get("items")
    if items is None:
        yield found
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError(Problem(f"items is not a list of {what}", file=str(path)))
    yield from items


def part(value: Any, *names: str) -> Object:
    """Return the object at a path of keys; an empty one where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def parts(value: Object, name: str) -> list[Object]:
    """Return the objects of the list under a key; none where there is no list."""
    found = value.get(name)
    return [part(each) for each in found] if isinstance(found, list) else []


def quantity(value: Any) -> float | None:
    """Return a Kubernetes quantity in base units, or None where it is none.

    >>> quantity("500m"), quantity("2Gi"), quantity("1e3"), quantity(4), quantity("2 Gi")
    (0.5, 2147483648.0, 1000.0, 4.0, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 <= value < 1e300 else None
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number, power, suffix = float(match[1]), match[2], match[3] or ""
    if power is not None:
        return float(f"{match[1]}e{power}") if abs(int(power)) < 300 else None
    return number / _BELOW[suffix] if suffix in _BELOW else number * _ABOVE[suffix]


def share(resource: str, shares: Mapping[str, float]) -> float | None:
    """Return which part of an accelerator one of an extended resource is; None where it is not known to be any.

    ``shares`` go before what is known here.

    >>> share("nvidia.com/gpu", {}), share("nvidia.com/mig-3g.40gb", {}), share("rdma/ib", {})
    (1.0, 0.42857142857142855, None)
    """
    if resource in shares:
        return shares[resource]
    if resource in WHOLE:
        return 1.0
    if resource in PERCENT:
        return 0.01
    match = _MIG.fullmatch(resource)
    return int(match[1]) / _SLICES if match else None


def requests(pod: Object, shares: Mapping[str, float]) -> Requests:
    """Return the effective request of a pod.

    That is the larger of what runs for good (containers and sidecars) and the peak of the init containers, each with
    the sidecars before it, plus the overhead. A resource with a limit alone is requested to that limit. Raises
    ``ValueError`` for a quantity that is none.
    """
    spec = part(pod, "spec")
    running = _sum(_asked(container) for container in parts(spec, "containers"))
    sidecars: dict[str, float] = {}
    peak: dict[str, float] = {}
    for container in parts(spec, "initContainers"):
        own = _sum((sidecars, _asked(container)))
        peak = {name: max(peak.get(name, 0.0), own.get(name, 0.0)) for name in (*peak, *own)}
        if container.get("restartPolicy") == "Always":
            sidecars = own
    running = _sum((running, sidecars))
    most = {name: max(running.get(name, 0.0), peak.get(name, 0.0)) for name in (*running, *peak)}
    total = _sum((most, _quantities(part(spec, "overhead"))))
    known = {name: share(name, shares) for name in total if name not in _PLAIN and "hugepages-" not in name}
    accelerators = sum(total[name] * each for name, each in known.items() if each is not None)
    fraction = quantity(part(pod, "metadata", "annotations").get(_FRACTION) or 0)
    unknown = tuple(name for name, each in known.items() if each is None)
    return Requests(total.get("cpu", 0.0), total.get("memory", 0.0), accelerators or fraction or 0.0, unknown)


def _asked(container: Any) -> dict[str, float]:
    resources = part(container, "resources")
    return _quantities({**part(resources, "limits"), **part(resources, "requests")})


def _quantities(found: Mapping[str, Any]) -> dict[str, float]:
    values = {name: quantity(value) for name, value in found.items()}
    for name, value in values.items():
        if value is None:
            raise ValueError(f"{found[name]!r} for {name} is not a quantity such as 500m, 2Gi or 8")
    return {name: value for name, value in values.items() if value is not None}


def _sum(parts: Any) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in parts:
        for name, value in each.items():
            total[name] = total.get(name, 0.0) + value
    return total


def seconds(value: Any) -> float | None:
    """Return a time such as 2024-05-01T10:00:00Z as Unix time, in seconds; None where there is none.

    Raises ``ValueError`` for what is no time.
    """
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a time such as 2024-05-01T10:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(f"{value!r} has no zone; Kubernetes writes times such as 2024-05-01T10:00:00Z")
    return found.timestamp()


def identity(pod: Object) -> str:
    """Return ``namespace/name``."""
    about = part(pod, "metadata")
    return f"{about.get('namespace', 'default')}/{about.get('name', '')}"


def started(pod: Object) -> float | None:
    """Return when a pod was scheduled, else when its node knew of it, in seconds of Unix time; None if neither."""
    scheduled = _condition(pod, "PodScheduled", "True")
    return seconds(scheduled) if scheduled else seconds(part(pod, "status").get("startTime"))


def ended(pod: Object) -> float | None:
    """Return when the last container of a pod ended, else when it was disrupted or deleted; None if nothing says."""
    states = parts(part(pod, "status"), "containerStatuses")
    ends = [seconds(part(state, "state", "terminated").get("finishedAt")) for state in states]
    known = [end for end in ends if end is not None]
    if known:
        return max(known)
    return seconds(_condition(pod, "DisruptionTarget", "True") or part(pod, "metadata").get("deletionTimestamp"))


def _condition(pod: Object, kind: str, status: str) -> Any:
    for each in parts(part(pod, "status"), "conditions"):
        if each.get("type") == kind and each.get("status") == status:
            return each.get("lastTransitionTime")
    return None


def group(pod: Object) -> str:
    """Return the name of the group that a pod runs with, or the empty text.

    A pod group of a scheduler, a job of a training operator, a JobSet, or an Indexed Job. Pods of a Job without indexes
    do the same work one by one, and are no group.
    """
    annotations, labels = part(pod, "metadata", "annotations"), part(pod, "metadata", "labels")
    for names, held in ((GROUP_ANNOTATIONS, annotations), (GROUP_LABELS, labels)):
        for name in names:
            if held.get(name):
                return str(held[name])
    if _INDEX in annotations or _INDEX in labels:
        owners = parts(part(pod, "metadata"), "ownerReferences")
        return next((str(owner.get("name", "")) for owner in owners if owner.get("kind") == "Job"), "")
    return ""
