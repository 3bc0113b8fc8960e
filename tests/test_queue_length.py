"""As many replicas as the queue is long: the example of the guide, rows by hand, and laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.decision import Decision
from simulator.policies.replicas.queue_length import QueueLength
from simulator.policies.serving import ServiceObservation
from simulator.testing import check_replica_scaler


def seen(ready: int, queued: float, running: float = 0.0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0, "outstanding": queued + running}
    return ServiceObservation(ready=ready, coming=coming, queued=queued, running=running, **(values | more))


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("queue-length")
    check_replica_scaler(QueueLength(latency=10.0, task_seconds=0.1, in_flight=True))


def test_the_example_of_the_guide() -> None:
    """1,500 messages, 10 instances, 0.1 s each, 10 s acceptable: a backlog of 100 each, so 5 instances more."""
    scaler = QueueLength(latency=10.0, task_seconds=0.1)
    assert scaler.per_replica == pytest.approx(100.0)
    assert scaler.step(0.0, seen(10, 1500.0)) == 15


@pytest.mark.parametrize(
    ("in_flight", "observation", "wanted", "rule"),
    [
        (False, seen(1, 0), 0, "queue"),
        (False, seen(1, 0, running=1), 1, "work left"),  # one stays while there is work
        (False, seen(0, 0), 0, "queue"),
        (False, seen(0, 1), 1, "queue"),
        (False, seen(1, 5), 1, "queue"),  # exactly one's share
        (False, seen(1, 6), 2, "queue"),
        (False, seen(1, 5.0000000001), 1, "queue"),
        (False, seen(2, 50), 10, "queue"),
        (False, seen(2, 50, coming=8), 10, "queue"),  # those that come are there
        (False, seen(2, 50, running=20), 10, "queue"),  # who runs does not count
        (True, seen(2, 50, running=20), 14, "queue"),  # unless it shall
        (True, seen(1, 0, running=3), 1, "queue"),
        (False, seen(9, 12), 3, "queue"),  # nothing of late wanted more
        (False, seen(9, 0, running=9), 1, "work left"),
        (False, seen(3, 90, missing={"queued": "no scrape"}), 3, "no data"),
        (False, seen(0, 0, outstanding=2.0), 1, "work left"),
    ],
    ids=str,
)
def test_one_decision(in_flight: bool, observation: ServiceObservation, wanted: int, rule: str) -> None:
    got = QueueLength(in_flight=in_flight).step(0.0, observation)
    assert isinstance(got, Decision)
    assert (int(got), got.rule) == (wanted, rule)


def test_it_shrinks_to_the_most_it_wanted_of_late() -> None:
    scaler = QueueLength(scale_in_delay=60.0)
    rows = [
        (0.0, seen(2, 40), 8, "queue"),
        (30.0, seen(8, 20), 8, "scale-in delay"),
        (59.9, seen(8, 0, running=4), 8, "scale-in delay"),
        (60.0, seen(8, 0, running=4), 4, "scale-in delay"),  # 40 requests were seen 60 s ago
        (90.0, seen(4, 0, running=4), 1, "work left"),
        (91.0, seen(1, 70), 14, "queue"),  # growing is at once
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now
    scaler.reset()
    assert scaler.step(92.0, seen(14, 5)) == 1


@given(
    queue=st.lists(st.integers(0, 300), min_size=1, max_size=50),
    share=st.floats(0.5, 50.0),
    delay=st.sampled_from([0.0, 60.0, 300.0]),
)
def test_it_is_never_below_the_queue_and_never_above_the_most_of_late(
    queue: list[int], share: float, delay: float
) -> None:
    scaler, have, wants = QueueLength(per_replica=share, scale_in_delay=delay), 0, []
    for at, queued in enumerate(queue):
        wants.append((30.0 * at, math.ceil(queued / share - 1e-9)))
        got = scaler.step(30.0 * at, seen(have, queued))
        recent = [want for time, want in wants[:-1] if time > 30.0 * at - delay] + [wants[-1][1]]
        assert wants[-1][1] <= got <= max(recent)
        have = int(got)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"per_replica": 0.0}, "per_replica is 0; it must be above 0"),
        ({"latency": 3.0}, "latency is given without task_seconds; it must have both or neither"),
        ({"task_seconds": 3.0}, "task_seconds is given without latency; it must have both or neither"),
        ({"latency": 3.0, "task_seconds": 0.0}, "task_seconds is 0 s; it must be above 0"),
        ({"latency": 0.0, "task_seconds": 1.0}, "per_replica is 0; it must be above 0"),
        ({"scale_in_delay": -1.0}, "scale_in_delay is -1 s; it must be 0 or more"),
        ({"interval": math.nan}, "interval is nan s; it must be above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        QueueLength(**arguments)
    assert str(caught.value) == text
