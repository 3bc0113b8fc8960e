"""What the horizontal pod autoscaler proposes by one metric, pod by pod, and by several.

The tables follow what the tests of Kubernetes 1.33 cover (replica_calculator_test.go): the numbers in them are computed
by hand from the rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.hpa.calculator import NoMetric, Proposal, Tolerances, calculator
from simulator.policies.hpa.metrics import By, Kind, MetricSpec, milli, plain
from simulator.policies.hpa.samples import Startup, sampled, takes_traffic
from simulator.policies.replicas.hpa import Hpa
from simulator.policies.serving import PodReading, ServiceObservation

NOW = 1000.0
STARTUP = Startup()
FREE: dict[str, Any] = {
    "scaleUp": {"policies": [{"type": "Percent", "value": 100_000, "periodSeconds": 1}]},
    "scaleDown": {"stabilizationWindowSeconds": 0},
}
"""A behavior that holds nothing back."""


def cpu(value: float, request: float = 1.0) -> PodReading:
    """A pod that has been ready for long."""
    return PodReading({"busy": value}, request=request, started=0.0, ready_since=20.0, sampled=NOW, window=30.0)


def unready(value: float, request: float = 1.0) -> PodReading:
    """One that started 40 s ago and is not ready."""
    return PodReading({"busy": value}, False, NOW - 40, NOW - 40, NOW, 30.0, request)


def hot(value: float, request: float = 1.0) -> PodReading:
    """One that became ready 10 s ago: its sample is from before."""
    return PodReading({"busy": value}, True, NOW - 40, NOW - 10, NOW, 30.0, request)


def missing(request: float = 1.0) -> PodReading:
    return PodReading({}, True, 0.0, 20.0, NOW, 30.0, request)


def pending() -> PodReading:
    return PodReading({}, False, NOW, NOW, phase="pending")


def failed(value: float = 9.0) -> PodReading:
    return PodReading({"busy": value}, False, 0.0, 20.0, NOW, 30.0, phase="failed")


def deleted(value: float = 9.0) -> PodReading:
    return PodReading({"busy": value}, False, 0.0, 20.0, NOW, 30.0, deleted=True)


def seen(ready: int, coming: int = 0, pods: Sequence[PodReading] = (), **more: Any) -> ServiceObservation:
    values = {"draining": 0, "outstanding": 0.0, "queued": 0.0, "running": 0.0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    return ServiceObservation(ready=ready, coming=coming, pods=pods, **(values | more))  # type: ignore[arg-type]


def around(pods: Sequence[PodReading], current: int, **more: Any) -> ServiceObservation:
    """An observation of ``current`` replicas that are these pods."""
    ready = min(sum(pod.ready and pod.phase == "running" and not pod.deleted for pod in pods), current)
    return seen(ready, current - ready, pods, **more)


class Row(NamedTuple):
    name: str
    current: int
    pods: list[PodReading]
    target: float
    wanted: int


UTILIZATION = [
    Row("up", 3, [cpu(0.3), cpu(0.5), cpu(0.7)], 0.3, 5),
    Row("up, an unready pod uses nothing", 3, [unready(0.3), cpu(0.5), cpu(0.7)], 0.3, 4),
    Row("up, a hot pod uses nothing", 3, [hot(0.3), cpu(0.5), cpu(0.7)], 0.3, 4),
    Row("up no more with unready pods", 3, [cpu(0.4), unready(0.5), unready(0.7)], 0.3, 3),
    Row("up no more with hot pods", 3, [cpu(0.4), hot(0.5), hot(0.7)], 0.3, 3),
    Row("up, failed pods are ignored", 2, [cpu(0.5), cpu(0.7), failed(), failed()], 0.3, 4),
    Row("up, deleted pods are ignored", 2, [cpu(0.5), cpu(0.7), deleted(), deleted()], 0.3, 4),
    Row("up, pending pods use nothing", 4, [cpu(0.9), cpu(0.9), pending(), pending()], 0.3, 6),
    Row("up far", 4, [cpu(4.0), cpu(9.5), cpu(3.0), cpu(7.0)], 1.0, 24),
    Row("down", 5, [cpu(0.1), cpu(0.3), cpu(0.5), cpu(0.25), cpu(0.25)], 0.5, 3),
    Row("down, unready pods are left out", 5, [cpu(0.1), cpu(0.3), cpu(0.5), unready(0.25), unready(0.25)], 0.5, 2),
    Row("down, hot pods are left out", 5, [cpu(0.1), cpu(0.3), cpu(0.5), hot(0.25), hot(0.25)], 0.5, 2),
    Row("down, pending pods are left out", 5, [cpu(0.1), pending(), pending(), pending(), pending()], 0.5, 1),
    Row("down, failed", 5, [cpu(0.1), cpu(0.3), cpu(0.5), cpu(0.25), cpu(0.25), failed(), failed()], 0.5, 3),
    Row("down, deleted", 5, [cpu(0.1), cpu(0.3), cpu(0.5), cpu(0.25), cpu(0.25), deleted(), deleted()], 0.5, 3),
    Row("within tolerance", 3, [cpu(1.01, 0.9), cpu(1.03, 1.0), cpu(1.02, 1.1)], 1.0, 3),
    Row("at the edge above", 10, [cpu(0.55)] * 10, 0.5, 10),
    Row("percents are cut: 55.9 % are 55 %", 10, [cpu(0.559)] * 10, 0.5, 10),
    Row("beyond the edge above", 10, [cpu(0.56)] * 10, 0.5, 12),
    Row("at the edge below", 10, [cpu(0.45)] * 10, 0.5, 10),
    Row("percents are cut: 44.9 % are 44 %", 10, [cpu(0.449)] * 10, 0.5, 9),
    Row("a small change beyond tolerance", 10, [cpu(0.15, 0.3 + each / 1000) for each in (100, -100, 10, -10, 2)]
        + [cpu(0.15, 0.3 + each / 1000) for each in (-2, 1, -1, 0, 0)], 0.56, 9),
    Row("a small change within tolerance", 10, [cpu(0.15, 0.3)] * 10, 0.55, 10),
    Row("missing pods use what they request", 4, [cpu(0.4), cpu(0.095), missing(), missing()], 1.0, 3),
    Row("missing pods at the target change nothing", 2, [cpu(1.0), missing()], 1.0, 2),
    Row("missing pods above the target", 2, [cpu(1.9), missing()], 1.0, 2),
    Row("missing pods far above the target", 2, [cpu(2.9), missing()], 1.0, 3),
    Row("missing pods below the target", 2, [cpu(0.6), missing()], 1.0, 2),
    Row("missing and unready turn the direction", 3, [unready(0.1), cpu(0.45), missing()], 0.5, 3),
    Row("missing and hot turn the direction", 3, [hot(0.1), cpu(0.45), missing()], 0.5, 3),
    Row("missing and unready, up", 3, [unready(0.1), cpu(2.0), missing()], 0.5, 4),
    Row("missing and hot, up", 3, [hot(0.1), cpu(2.0), missing()], 0.5, 4),
    Row("missing and unready, down", 4, [unready(0.1), cpu(0.1), cpu(0.1), missing()], 0.5, 3),
    Row("missing, target above 100 %", 4, [unready(0.2), cpu(0.1), cpu(0.1, 2.0), missing(2.0)], 3.0, 2),
    Row("within tolerance, whatever is not ready", 4, [cpu(0.48), cpu(0.48), unready(0.1), hot(0.1)], 0.5, 4),
    Row("up, but to fewer than there are", 5, [cpu(1.2), failed(), failed(), failed(), failed()], 0.5, 3),
    Row("up, but to fewer than there are, with one missing", 5, [cpu(1.2), missing(), failed(), failed()], 0.5, 5),
    Row("a surge of pods turns no direction", 2, [cpu(0.1), cpu(0.1), missing()], 0.5, 2),
]  # fmt: skip
UNITS = [
    Row("up", 3, [cpu(20), cpu(10), cpu(30)], 15, 4),
    Row("up, with a sample an unready pod counts", 3, [cpu(50), cpu(10), unready(30)], 15, 6),
    Row("up, with a sample unready pods count", 3, [unready(50), cpu(15), unready(30)], 15, 7),
    Row("up, hot pods count", 3, [hot(50), cpu(15), hot(30)], 15, 7),
    Row("up, pending", 2, [cpu(30), pending()], 10, 3),
    Row("up, pending, not enough", 2, [cpu(15), pending()], 10, 2),
    Row("down", 5, [cpu(12)] * 5, 20, 3),
    Row("down, pending pods are left out", 5, [cpu(12)] * 3 + [pending()] * 2, 20, 2),
    Row("within tolerance", 3, [cpu(20), cpu(21), cpu(21)], 20, 3),
    Row("thousandths are cut", 3, [cpu(11), cpu(11), cpu(11.002)], 10, 3),
    Row("missing at the target", 5, [cpu(20), cpu(19), cpu(21), missing(), missing()], 20, 5),
    Row("missing, up", 2, [cpu(30), missing()], 10, 3),
    Row("missing, up no more", 2, [cpu(20), missing()], 10, 2),
    Row("missing, down", 4, [cpu(1), cpu(1), cpu(1), missing()], 10, 2),
    Row("missing, down no more", 2, [cpu(5), missing()], 10, 2),
    Row("a surge of pods", 2, [cpu(10), cpu(10), missing()], 17, 2),
    Row("failed and deleted", 2, [cpu(30), cpu(30), failed(), deleted()], 20, 3),
]
NOTHING_KNOWN = [
    Row("all missing", 4, [missing()] * 4, 1.0, 0),
    Row("all unready", 2, [unready(0.5)] * 2, 1.0, 0),
    Row("all hot", 2, [hot(0.5)] * 2, 1.0, 0),
    Row("all pending", 2, [pending()] * 2, 1.0, 0),
    Row("all failed or deleted", 2, [failed(), deleted()], 1.0, 0),
    Row("nothing is requested", 2, [cpu(0.5, 0.0)] * 2, 1.0, 0),
]


def asked(spec: MetricSpec, row: Row, tolerances: Tolerances = Tolerances(), **more: Any) -> Proposal:  # noqa: B008
    return calculator(spec, tolerances, STARTUP)(NOW, around(row.pods, row.current, **more), row.current, None)


def by_name(rows: Sequence[Row]) -> list[Any]:
    return [pytest.param(row, id=row.name) for row in rows]


def metric(kind: Kind, by: By, target: float, resource: bool = False) -> MetricSpec:
    return MetricSpec("busy", kind, by, target, resource)


@pytest.mark.parametrize("row", by_name(UTILIZATION))
def test_utilization(row: Row) -> None:
    assert asked(metric("Resource", "Utilization", row.target, True), row).replicas == row.wanted


@pytest.mark.parametrize("row", by_name(UNITS))
def test_average_values_of_pods(row: Row) -> None:
    assert asked(metric("Pods", "AverageValue", row.target), row).replicas == row.wanted
    assert asked(metric("Resource", "AverageValue", row.target), row).replicas == row.wanted, "memory is no cpu"


@pytest.mark.parametrize("row", by_name(UTILIZATION + NOTHING_KNOWN))
def test_an_autoscaler_follows_its_metric(row: Row) -> None:
    written = {"metric": "busy", "type": "Resource", "target": {"averageUtilization": round(row.target * 100)}}
    scaler = Hpa(metrics=[written], behavior=FREE)
    decided = scaler.step(NOW, around(row.pods, row.current))
    if row in NOTHING_KNOWN:
        assert (decided, decided.rule) == (row.current, "FailedGetResourceMetric")
    else:
        assert decided == row.wanted


@pytest.mark.parametrize("row", by_name(NOTHING_KNOWN))
def test_without_a_sample_there_is_no_proposal(row: Row) -> None:
    with pytest.raises(NoMetric):
        asked(metric("Resource", "Utilization", row.target, True), row)


def test_the_resource_cpu_sets_samples_of_starting_pods_aside_and_no_other_does() -> None:
    pods = [hot(20), cpu(20), cpu(20)]
    assert asked(metric("Resource", "AverageValue", 10, True), Row("", 3, pods, 10, 0)).replicas == 4
    assert asked(metric("Resource", "AverageValue", 10), Row("", 3, pods, 10, 0)).replicas == 6


def test_missing_pods_use_the_target_as_documented_if_one_asks_for_it() -> None:
    """At 10 % of 50 %: with all they request (0.1 + 0.1 + 1 + 1) / 4 is 55 %, with the target it is 30 %."""
    pods = [cpu(0.1), cpu(0.1), missing(), missing()]
    written = [{"metric": "busy", "type": "Resource", "target": {"utilization": 0.5}}]
    assert Hpa(metrics=written, behavior=FREE).step(NOW, around(pods, 4)) == 4
    assert Hpa(metrics=written, behavior=FREE, missing_pods="target").step(NOW, around(pods, 4)) == 3


# -- metrics of one place --------------------------------------------------------------------------------------------


class Total(NamedTuple):
    name: str
    current: int
    ready: int
    value: float
    by: By
    target: float
    wanted: int


TOTALS = [
    Total("up", 3, 3, 20, "Value", 15, 4),
    Total("up, only ready pods", 3, 1, 50, "Value", 10, 5),
    Total("up, to fewer than there are", 3, 1, 8.6, "Value", 4.4, 2),
    Total("up, from one", 1, 1, 8.6, "Value", 4.4, 2),
    Total("up, per pod", 3, 3, 20, "AverageValue", 5, 4),
    Total("up, per pod, whatever is ready", 3, 1, 20, "AverageValue", 5, 4),
    Total("up, per pod, finely", 3, 3, 8.6, "AverageValue", 2.15, 4),
    Total("down", 5, 5, 12, "Value", 20, 3),
    Total("down, finely", 5, 5, 8.6, "Value", 14.334, 3),
    Total("down, per pod", 5, 5, 6, "AverageValue", 2, 3),
    Total("down, per pod, finely", 5, 5, 8.6, "AverageValue", 2.867, 3),
    Total("tolerance", 3, 3, 20.666, "Value", 20, 3),
    Total("tolerance, below", 3, 3, 8.6, "Value", 8.888, 3),
    Total("tolerance, per pod", 4, 4, 20.166, "AverageValue", 5, 4),
    Total("tolerance, per pod, below", 3, 3, 8.6, "AverageValue", 2.9, 3),
    Total("the 41st task of 4 each", 10, 10, 41, "AverageValue", 4, 10),
    Total("the 45th task of 4 each", 10, 10, 45, "AverageValue", 4, 12),
    Total("from nothing", 0, 0, 8.6, "Value", 4.4, 2),
    Total("from nothing, within tolerance of one", 0, 0, 0.95, "Value", 1, 1),
    Total("from nothing, per pod", 0, 0, 3, "AverageValue", 5, 1),
    Total("from nothing to nothing", 0, 0, 0, "AverageValue", 5, 0),
    Total("to nothing", 3, 3, 0, "Value", 5, 0),
    Total("to nothing, per pod", 3, 3, 0, "AverageValue", 5, 0),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in TOTALS])
@pytest.mark.parametrize("kind", ["Object", "External"])
def test_metrics_of_one_place(kind: Kind, row: Total) -> None:
    propose = calculator(MetricSpec("queued", kind, row.by, row.target), Tolerances(), STARTUP)
    pods = [cpu(0.5)] * row.ready + [unready(0.5)] * (row.current - row.ready)
    for observation in (
        seen(row.ready, row.current - row.ready, queued=row.value),
        seen(row.ready, row.current - row.ready, pods, queued=row.value),
    ):
        assert propose(NOW, observation, row.current, None).replicas == row.wanted


def test_shares_of_one_place_are_means_or_sums() -> None:
    value = calculator(MetricSpec("kv", "Object", "Value", 0.4), Tolerances(), STARTUP)
    total = calculator(MetricSpec("kv", "External", "AverageValue", 0.4), Tolerances(), STARTUP)
    observation = seen(4, kv=0.8)
    assert (value(NOW, observation, 4, None)[:3], total(NOW, observation, 4, None)[:3]) == (
        (8, 2.0, 0.8),
        (8, 2.0, 3.2),
    )


def test_quantities_are_thousandths_rounded_up() -> None:
    assert [milli(value) for value in (0, 0.0004, 0.55, 2.007, 2.0071, 90071.9)] == [0, 1, 550, 2007, 2008, 90_071_900]


# -- groups of pods --------------------------------------------------------------------------------------------------

PODS = [
    ("a pod with a sample", PodReading({"busy": 1.0}), "ready", "ready"),
    ("without one", PodReading({}), "missing", "missing"),
    ("with one that is no number", PodReading({"busy": math.nan}), "missing", "missing"),
    ("another metric's sample", PodReading({"kv": 1.0}), "missing", "missing"),
    ("pending", PodReading({}, phase="pending"), "unready", "unready"),
    ("deleted and pending", PodReading({"busy": 1.0}, phase="pending", deleted=True), "", ""),
    ("failed", PodReading({"busy": 1.0}, phase="failed"), "", ""),
    ("fresh sample while starting", PodReading({"busy": 1.0}, True, NOW - 60, NOW - 30, NOW, 30.0), "ready", "ready"),
    ("stale sample while starting", PodReading({"busy": 1.0}, True, NOW - 60, NOW - 30, NOW, 60.0), "unready", "ready"),
    ("unready while starting", PodReading({"busy": 1.0}, False, NOW - 60, NOW - 60, NOW, 30.0), "unready", "ready"),
    ("stale sample later", PodReading({"busy": 1.0}, True, NOW - 400, NOW - 390, NOW - 395, 60.0), "ready", "ready"),
    ("started 300 s ago", PodReading({"busy": 1.0}, True, NOW - 300, NOW - 10, NOW, 60.0), "ready", "ready"),
    ("was ready later", PodReading({"busy": 1.0}, False, NOW - 600, NOW - 540, NOW, 30.0), "ready", "ready"),
    ("unready since 30 s of age", PodReading({"busy": 1.0}, False, NOW - 600, NOW - 570, NOW, 30.0), "ready", "ready"),
    ("never ready", PodReading({"busy": 1.0}, False, NOW - 600, NOW - 594, NOW, 30.0), "unready", "ready"),
    ("unready, without a sample", PodReading({}, False, NOW - 60, NOW - 60), "missing", "missing"),
]


@pytest.mark.parametrize(("pod", "of_cpu", "of_other"), [pytest.param(*row[1:], id=row[0]) for row in PODS])
def test_groups_of_pods(pod: PodReading, of_cpu: str, of_other: str) -> None:
    for resource, group in ((True, of_cpu), (False, of_other)):
        found = sampled(metric("Resource", "Utilization", 0.5, resource), seen(1, pods=[pod]), STARTUP, NOW)
        assert (found.ready, len(found.missing), len(found.unready)) == tuple(
            int(group == each) for each in ("ready", "missing", "unready")
        )


def test_pods_that_take_traffic() -> None:
    pods = [cpu(1), unready(1), pending(), failed(), missing()]
    assert takes_traffic(seen(9, pods=pods)) == 2
    assert takes_traffic(seen(9)) == 9


# -- services without single pods ------------------------------------------------------------------------------------


@given(
    ready=st.integers(0, 20),
    coming=st.integers(0, 5),
    value=st.integers(0, 1000).map(lambda share: share / 1000),
    target=st.integers(1, 100).map(lambda share: share / 100),
    by=st.sampled_from(["Utilization", "AverageValue"]),
)
def test_no_single_pods_are_pods_that_are_alike(ready: int, coming: int, value: float, target: float, by: By) -> None:
    spec = MetricSpec("busy", "Resource", by, target, True)
    propose = calculator(spec, Tolerances(), STARTUP)
    pods = [cpu(value)] * ready + [pending()] * coming
    one, other = seen(ready, coming, busy=value), seen(ready, coming, pods, busy=value)
    if not ready:
        for observation in (one, other):
            with pytest.raises(NoMetric):
                propose(NOW, observation, coming, None)
        return
    assert propose(NOW, one, ready + coming, None) == propose(NOW, other, ready + coming, None)


def test_counts_without_single_pods_are_shared_out_evenly() -> None:
    written = [{"metric": "queued", "type": "Pods", "target": {"averageValue": 5}}]
    scaler = Hpa(metrics=written, behavior=FREE)
    assert scaler.step(0.0, seen(4, queued=60.0)) == 12
    assert scaler.step(15.0, seen(4, 8, queued=60.0)) == 12, "those that come use nothing"
    assert scaler.step(30.0, seen(4, 8, queued=10.0)) == 2


# -- laws ------------------------------------------------------------------------------------------------------------

a_pod = st.one_of(
    st.integers(0, 3000).map(lambda share: cpu(share / 1000)),
    st.integers(0, 3000).map(lambda share: unready(share / 1000)),
    st.integers(0, 3000).map(lambda share: hot(share / 1000)),
    st.builds(missing),
    st.builds(pending),
    st.builds(failed),
    st.builds(deleted),
)


@given(pods=st.lists(a_pod, min_size=1, max_size=12), current=st.integers(1, 12), target=st.integers(1, 300))
def test_pods_that_are_not_known_never_turn_it_nor_take_it_further(
    pods: list[PodReading], current: int, target: int
) -> None:
    spec = metric("Resource", "Utilization", target / 100, True)
    known = sampled(spec, seen(current, pods=pods), STARTUP, NOW)
    if not known.ready:
        return
    wanted = asked(spec, Row("", current, pods, 0.0, 0)).replicas
    percent = known.usage * 100 // known.requests
    alone = math.ceil(percent / target * known.ready)
    if not known.missing and not (percent > target and known.unready):
        assert wanted in (current, alone)
    elif percent == target:
        assert wanted == current
    elif percent > target:
        assert current <= wanted <= max(current, math.ceil(known.usage / 10 / target))
    else:
        assert min(current, alone) <= wanted <= current


@given(value=st.floats(0, 1e6), target=st.floats(0.01, 1e4), current=st.integers(0, 500))
def test_totals_reach_the_target_outside_its_tolerance(value: float, target: float, current: int) -> None:
    proposal = calculator(plain("outstanding", target), Tolerances(), STARTUP)(0.0, seen(current), current, value)
    if proposal.still:
        assert proposal.replicas == current
        assert 0.9 <= proposal.ratio <= 1.1
    else:
        assert milli(value) <= proposal.replicas * milli(target) < milli(value) + milli(target) * (1 + 1e-9)


def test_a_tolerance_for_each_direction() -> None:
    behavior: dict[str, Any] = {"scaleUp": {**FREE["scaleUp"], "tolerance": 0}, "scaleDown": {**FREE["scaleDown"]}}
    behavior["scaleDown"]["tolerance"] = "300m"
    for load, wanted in ((41, 11), (40, 40 // 4), (29, 10), (28, 10), (27, 7)):
        scaler = Hpa(target=4.0, behavior=behavior, tolerance=0.9)
        assert scaler.step(0.0, seen(10, outstanding=load)) == wanted, load


# -- several metrics -------------------------------------------------------------------------------------------------

TWO = [
    {"metric": "queued", "target": {"averageValue": 5}},
    {"metric": "busy", "type": "Resource", "target": {"utilization": "50 %"}},
]


def test_of_several_metrics_the_largest_counts() -> None:
    scaler = Hpa(metrics=TWO, behavior=FREE)
    decided = scaler.step(0.0, seen(4, queued=30.0, busy=0.25))
    assert (decided, decided.rule) == (6, "DesiredWithinRange")
    assert decided.inputs == {
        "queued": 30.0, "queued ratio": 1.5, "queued desired": 6, "busy": 0.25, "busy ratio": 0.5, "busy desired": 2,
    }  # fmt: skip
    assert scaler.step(15.0, seen(4, queued=5.0, busy=1.0)) == 8
    assert scaler.step(30.0, seen(4, queued=5.0, busy=0.25)) == 2


def test_nothing_shrinks_while_a_metric_fails_and_nothing_moves_when_all_do() -> None:
    def step(queued: float, busy: float, *lost: str) -> tuple[int, str]:
        scaler = Hpa(metrics=TWO, behavior=FREE)
        decided = scaler.step(0.0, seen(4, queued=queued, busy=busy, missing=dict.fromkeys(lost, "no answer")))
        return decided, decided.rule

    assert step(30.0, 0.1, "busy") == (6, "DesiredWithinRange"), "growth goes by those that can be had"
    assert step(5.0, 0.1, "busy") == (4, "FailedGetResourceMetric")
    assert step(20.0, 0.1, "busy") == (4, "WithinTolerance")
    assert step(5.0, 0.1, "queued") == (4, "FailedGetExternalMetric")
    assert step(30.0, 1.0, "queued", "busy") == (4, "FailedGetExternalMetric"), "the first that failed"
    assert step(math.nan, 0.1) == (4, "FailedGetExternalMetric")
    assert step(5.0, math.nan) == (4, "FailedGetResourceMetric")
    assert step(30.0, math.inf) == (6, "DesiredWithinRange")


@pytest.mark.parametrize("kind", ["Resource", "Pods", "Object", "External"])
def test_a_failure_says_what_type_of_metric_failed(kind: str) -> None:
    scaler = Hpa(metrics=[{"metric": "busy", "type": kind, "target": {"averageValue": 0.5}}])
    assert scaler.step(0.0, seen(3, missing={"busy": "no answer"})).rule == f"FailedGet{kind}Metric"


def test_it_asks_for_single_pods_only_where_it_looks_at_them() -> None:
    assert not Hpa().per_pod
    assert not Hpa(metric="queued").per_pod
    assert Hpa(metric="busy", target=0.5).per_pod
    assert Hpa(metrics=TWO).per_pod
