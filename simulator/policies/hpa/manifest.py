"""What users write for an autoscaler: ``metrics`` and ``behavior`` as a manifest has them, checked key by key.

All raise ``ValueError`` with the place and the nearest valid choice. Bounds of numbers are those of Kubernetes 1.33
(pkg/apis/autoscaling/validation/validation.go).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar, get_args

from simulator.core.errors import nearest
from simulator.policies.hpa.behavior import (
    DOWN,
    DOWNSCALE_STABILIZATION,
    UP,
    Behavior,
    ScalingPolicy,
    ScalingRules,
    Select,
)
from simulator.policies.hpa.metrics import KINDS, SHARES, STARTS_HOT, TARGETS, By, Kind, MetricSpec
from simulator.policies.replicas import Metric

LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800
"""Seconds that a stabilisation window and the period of a policy may last (MaxStabilizationWindowSeconds and
MaxPeriodSeconds)."""
_SUFFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "%": 1e-2}
_SUFFIXES |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGT", start=1)}
"""Suffixes of quantities (k8s.io/apimachinery/pkg/api/resource), and per cent."""
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)\s*([KMGT]i|[numkMGT%]?)")
_SOURCES: dict[str, Kind] = {"resource": "Resource", "pods": "Pods", "object": "Object", "external": "External"}
"""Keys under which autoscaling/v2 writes a metric of each type."""
CPU = "cpu"
"""Resource of Kubernetes that ``busy`` stands for."""
_WRITTEN: dict[str, By] = {
    "utilization": "Utilization",
    "averageUtilization": "Utilization",
    "averageValue": "AverageValue",
    "value": "Value",
}
_T = TypeVar("_T", bound=str)


def metrics(written: object) -> list[MetricSpec]:
    """Return the metrics of a list such as ``[{metric: busy, type: Resource, target: {utilization: 0.6}}]``.

    ``type`` is by itself that of ``KINDS``. ``target`` has one of ``utilization`` (a share), ``averageUtilization``
    (percent), ``averageValue`` and ``value``. ``resource: true`` sets samples from the start of a replica aside. An
    entry may also be written as autoscaling/v2 does, with its source under ``resource``, ``pods``, ``object`` or
    ``external``.
    """
    return [_metric(entry, f"metrics: [{index}]") for index, entry in enumerate(entries(written, "metrics"))]


def _metric(written: object, place: str) -> MetricSpec:
    nested = isinstance(written, Mapping) and any(isinstance(written.get(key), Mapping) for key in _SOURCES)
    if nested:
        return _sourced(written, place)
    if isinstance(written, Mapping) and "ContainerResource" in (written.get("type"), *map(_capital, written)):
        raise ValueError(f"{place} is a ContainerResource; a replica is one container, so it must be a Resource")
    entry = mapping(written, place, ("metric", "type", "target", "resource"))
    for key in ("metric", "target"):
        if key not in entry:
            raise ValueError(f"{place} has no {key!r}")
    metric: Metric = choice(entry["metric"], f"{place}.metric", get_args(Metric))
    kind: Kind = choice(entry.get("type", KINDS[metric]), f"{place}.type", get_args(Kind))
    resource = entry.get("resource", kind == "Resource" and metric == STARTS_HOT)
    if not isinstance(resource, bool):
        raise ValueError(f"{place}.resource is {resource!r}; it must be true or false")
    return _spec(metric, kind, entry["target"], f"{place}.target", resource)


def _capital(key: object) -> str:
    return str(key)[:1].upper() + str(key)[1:]


def _sourced(written: object, place: str) -> MetricSpec:
    """Return a metric as autoscaling/v2 has it: ``{type: Pods, pods: {metric: {name: kv}, target: {...}}}``.

    The resource ``cpu`` is ``busy``. What it is measured at (``describedObject``, ``selector``) is the service.
    """
    entry = mapping(written, place, ("type", *_SOURCES))
    keys = [key for key in entry if key != "type"]
    if len(keys) != 1:
        raise ValueError(f"{place} has {' and '.join(map(repr, keys))}; it must have one of {', '.join(_SOURCES)}")
    key, kind = keys[0], _SOURCES[keys[0]]
    if entry.get("type", kind) != kind:
        raise ValueError(f"{place}.type is {entry['type']!r}; with {key} it is {kind}")
    where, of_resource = f"{place}.{key}", kind == "Resource"
    source = mapping(entry[key], where, ("name", "target") if of_resource else ("metric", "target", "describedObject"))
    for needed in ("name" if of_resource else "metric", "target"):
        if needed not in source:
            raise ValueError(f"{where} has no {needed!r}")
    if of_resource:
        name = choice(source["name"], f"{where}.name", (CPU, *get_args(Metric)))
    else:
        identity = mapping(source["metric"], f"{where}.metric", ("name", "selector"))
        name = choice(identity.get("name"), f"{where}.metric.name", get_args(Metric))
    metric: Metric = STARTS_HOT if name == CPU else name
    return _spec(metric, kind, source["target"], f"{where}.target", of_resource and metric == STARTS_HOT)


def _spec(metric: Metric, kind: Kind, written: object, place: str, resource: bool) -> MetricSpec:
    by, target = _target(written, place, metric)
    if by not in TARGETS[kind]:
        raise ValueError(f"{place} is {by}; a metric of type {kind} takes {' or '.join(TARGETS[kind])}")
    return MetricSpec(metric, kind, by, target, resource)


def _target(written: object, place: str, metric: Metric) -> tuple[By, float]:
    entry = mapping(written, place, (*_WRITTEN, "type"))
    keys = [key for key in entry if key != "type"]
    if len(keys) != 1:
        said = f"has {' and '.join(map(repr, keys))}" if keys else "says nothing"
        raise ValueError(f"{place} {said}; it must have one of {', '.join(_WRITTEN)}")
    by, where = _WRITTEN[keys[0]], f"{place}.{keys[0]}"
    if entry.get("type", by) != by:
        raise ValueError(f"{place}.type is {entry['type']!r}; with {keys[0]} it is {by}")
    value = quantity(entry[keys[0]], where)
    if by == "Utilization":
        share = value / 100 if keys[0] == "averageUtilization" else value
        if keys[0] == "utilization" and share > 1:
            raise ValueError(
                f"{where} is {value:g}; it is a share: write {value:g} %, or averageUtilization: {value:g}"
            )
        if abs(share * 100 - round(share * 100)) > 1e-9 or share < 0.01:
            raise ValueError(f"{where} is {value:g}; Kubernetes takes whole percents, 1 or more")
        return by, share
    if metric in SHARES and value > 1:
        raise ValueError(f"{where} is {value:g}; {metric} is a share, at most 1")
    return by, value


def quantity(written: object, place: str, least: float = 0.0, closed: bool = False) -> float:
    """Return a number above ``least``, or that with ``closed``, as Kubernetes writes it: 0.5, "500m", "2k", "60 %"."""
    value = math.nan
    if isinstance(written, int | float) and not isinstance(written, bool):
        value = float(written)
    elif isinstance(written, str) and (found := _QUANTITY.fullmatch(written.strip())):
        value = float(found[1]) * _SUFFIXES[found[2]]
    if not (least < value < math.inf or (closed and value == least)):
        said, end = written if isinstance(written, str) or value != value else value, " or more" if closed else ""
        raise ValueError(f"{place} is {said!r}; it must be a number{', ' if closed else ' above '}{least:g}{end}")
    return value


def behavior(written: object, stabilization: float = DOWNSCALE_STABILIZATION) -> Behavior | None:
    """Return the rules of a ``behavior`` block; None for None and ``none``, as where a manifest has no such block.

    What is not said is that of ``UP`` and ``DOWN``, also of an empty block: SetDefaults_HorizontalPodAutoscalerBehavior
    fills in what is missing of a block, but does not make one. ``stabilization`` (s) is the window of shrinking where
    the block does not say it.
    """
    if written is None or written == "none":
        return None
    entry = mapping(written, "behavior: it", ("scaleUp", "scaleDown"))
    return Behavior(
        up=_rules(entry.get("scaleUp"), "behavior: scaleUp", UP),
        down=_rules(entry.get("scaleDown"), "behavior: scaleDown", replace(DOWN, window=stabilization)),
    )


def _rules(written: object, place: str, default: ScalingRules) -> ScalingRules:
    if written is None:
        return default
    entry = mapping(written, place, ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"))
    window, select = entry.get("stabilizationWindowSeconds"), entry.get("selectPolicy")
    policies, tolerance = entry.get("policies"), entry.get("tolerance")
    return ScalingRules(
        policies=default.policies if policies is None else _policies(policies, f"{place}.policies"),
        window=default.window
        if window is None
        else whole(window, f"{place}.stabilizationWindowSeconds", 0, LONGEST_WINDOW),
        select=default.select if select is None else choice(select, f"{place}.selectPolicy", get_args(Select)),
        tolerance=default.tolerance if tolerance is None else _tolerance(tolerance, f"{place}.tolerance"),
    )


def _tolerance(written: object, place: str) -> float:
    return quantity(written, place, least=0.0, closed=True)


def _policies(written: object, place: str) -> tuple[ScalingPolicy, ...]:
    return tuple(_policy(entry, f"{place}[{index}]") for index, entry in enumerate(entries(written, place)))


def _policy(written: object, place: str) -> ScalingPolicy:
    entry = mapping(written, place, ("type", "value", "periodSeconds"))
    for key in ("type", "value", "periodSeconds"):
        if key not in entry:
            raise ValueError(f"{place} has no {key!r}")
    kind: Literal["Pods", "Percent"] = choice(entry["type"], f"{place}.type", ("Pods", "Percent"))
    value = whole(entry["value"], f"{place}.value", 1)
    return ScalingPolicy(kind, value, float(whole(entry["periodSeconds"], f"{place}.periodSeconds", 1, LONGEST_PERIOD)))


def mapping(written: object, place: str, keys: Sequence[str]) -> Mapping[str, Any]:
    """Return a mapping that has none but ``keys``."""
    if not isinstance(written, Mapping):
        raise ValueError(f"{place} is {written!r}; it must be a mapping with {', '.join(keys)}")
    for key in written:
        if key not in keys:
            raise ValueError(f"{place} has no key {key!r}{_meant(key, keys)}")
    return written


def choice(written: object, place: str, choices: Sequence[_T]) -> Any:
    """Return one of ``choices``."""
    if written not in choices:
        raise ValueError(f"{place} is {written!r}{_meant(written, choices)}")
    return written


def whole(written: object, place: str, least: int, most: int | None = None) -> int:
    """Return a whole number between two."""
    number = int(written) if isinstance(written, float) and written.is_integer() else written
    if (
        isinstance(number, int)
        and not isinstance(number, bool)
        and least <= number <= (number if most is None else most)
    ):
        return number
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    raise ValueError(f"{place} is {written!r}; it must be a whole number, {bounds}")


def entries(written: object, place: str) -> Sequence[object]:
    """Return a list that is not empty."""
    if isinstance(written, str) or not isinstance(written, Sequence) or not written:
        said = "is empty" if isinstance(written, Sequence) and not written else f"is {written!r}"
        raise ValueError(f"{place} {said}; it must be a list with one entry or more")
    return written


def _meant(written: object, choices: Iterable[str]) -> str:
    near = nearest(written, choices) if isinstance(written, str) else None
    return f"; did you mean {near!r}?" if near else f"; it must be one of {', '.join(choices)}"
