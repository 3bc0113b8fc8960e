from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics import scaling
from simulator.metrics.oscillation import UNDO, period, swings, undone
from simulator.metrics.recorder import Record
from simulator.metrics.scaling import Life
from simulator.metrics.window import Window
from tests.synthetic import table
from tests.synthetic_elastic import decision, elastic_record, swinging


def path(steps: list[tuple[float, int]], first: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time, after = (np.array(column, dtype=float) for column in zip(*steps, strict=True))
    return time, np.append(first, after[:-1]).astype(float), after


# -- what is undone -------------------------------------------------------------------------------------------------


def test_a_scale_up_is_undone_when_the_number_is_back_in_time():
    found = undone(*path([(0.0, 3), (100.0, 1)]), within=100.0)
    assert found.tolist() == pytest.approx([100.0, math.nan], nan_ok=True)


def test_one_that_is_back_too_late_or_only_in_part_is_not_undone():
    assert np.isnan(undone(*path([(0.0, 3), (100.1, 1)]), within=100.0)).all()
    assert np.isnan(undone(*path([(0.0, 4), (10.0, 2)]), within=100.0)).all()


def test_steps_of_a_ramp_are_undone_one_by_one():
    found = undone(*path([(0.0, 2), (10.0, 4), (20.0, 8), (50.0, 4), (200.0, 1)]), within=100.0)
    assert found.tolist() == pytest.approx([math.nan, math.nan, 30.0, math.nan, math.nan], nan_ok=True)


def test_a_number_that_fell_without_a_row_of_its_own_is_seen_in_the_next_row():
    time, before, after = np.array([0.0, 60.0]), np.array([2.0, 2.0]), np.array([3.0, 3.0])
    assert undone(time, before, after, 100.0).tolist() == pytest.approx([60.0, math.nan], nan_ok=True)


@given(st.lists(st.tuples(st.floats(0.1, 50.0), st.integers(0, 9)), min_size=1, max_size=40), st.floats(0.0, 200.0))
def test_undone_equals_a_loop_over_all_pairs(steps, within):
    time = np.cumsum([gap for gap, _ in steps])
    after = np.array([number for _, number in steps], dtype=float)
    before = np.append(5.0, after[:-1])
    expected = []
    for i in range(len(time)):
        later = [j for j in range(i + 1, len(time)) if time[j] <= time[i] + within]
        back = [time[j] - time[i] for j in later if min(before[j], after[j]) <= before[i]]
        expected.append(back[0] if after[i] > before[i] and back else math.nan)
    assert undone(time, before, after, within).tolist() == pytest.approx(expected, nan_ok=True)


# -- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "high"), [(612.0, 240.0), (600.0, 300.0), (97.3, 20.0), (3600.0, 1800.0)])
def test_the_period_of_a_square_wave_is_found(length, high):
    starts = np.arange(30) * length
    time = np.sort(np.concatenate([starts, starts + high]))
    value = np.where(np.arange(60) % 2 == 0, 5.0, 3.0)
    found, strength = period(time, value, (0.0, 30 * length), 3.0)
    assert found == pytest.approx(length, rel=0.01)
    assert strength > 0.9


def test_the_period_is_found_among_jitter_and_on_a_trend():
    rng = np.random.default_rng(5)
    starts = np.arange(40) * 600.0 + rng.normal(0.0, 25.0, 40)
    time = np.sort(np.concatenate([starts[1:], starts[1:] + 250.0]))
    value = np.where(np.arange(78) % 2 == 0, 6.0, 3.0) + time / 2000.0
    found, strength = period(time, value, (0.0, 24000.0), 3.0)
    assert found == pytest.approx(600.0, rel=0.03)
    assert 0.4 < strength < 1.0


def test_a_ramp_a_constant_and_two_steps_have_no_period():
    time = np.arange(1.0, 20.0) * 100.0
    assert math.isnan(period(time, time / 100.0, (0.0, 2000.0), 0.0)[0])
    assert math.isnan(period(time, np.full(19, 2.0), (0.0, 2000.0), 2.0)[0])
    assert math.isnan(period(np.array([10.0, 20.0]), np.array([2.0, 1.0]), (0.0, 100.0), 1.0)[0])


@pytest.mark.parametrize("seed", range(5))
def test_a_random_walk_has_no_strong_period(seed):
    rng = np.random.default_rng(seed)
    time = np.sort(rng.uniform(0.0, 36000.0, 200))
    value = np.cumsum(rng.choice([-1.0, 1.0], 200))
    assert period(time, value, (0.0, 36000.0), 0.0)[1] < 0.5


def test_what_lies_outside_of_the_span_is_left_out():
    time, before, after = path([(0.0, 3), (100.0, 1), (5000.0, 2)])
    found = swings(time, before, after, (4000.0, 7600.0), controller="hpa", subject="chat")
    assert (found.changes, found.ups, found.undone, found.per_hour) == (1, 1, 0, 1.0)
    assert math.isnan(swings(time, before, after, (10.0, 20.0)).undo_ratio)


# -- from a record --------------------------------------------------------------------------------------------------


def test_swings_of_a_record_have_controller_period_and_share():
    (found,) = scaling.found(Window(swinging()))
    assert (found.controller, found.subject, found.changes, found.ups, found.undone) == ("hpa", "chat", 72, 36, 36)
    assert found.within == UNDO
    assert found.back == 240.0
    assert found.period == pytest.approx(612.0, rel=0.01)
    assert found.per_hour == pytest.approx(2 * 3600.0 / 612.0)


def test_paths_come_from_decisions_of_services_and_events_of_groups():
    found = {path.subject: path for path in scaling.paths(Window(elastic_record()))}
    assert list(found) == ["chat", "od", "spot"]
    assert (found["chat"].controller, found["chat"].kind) == ("hpa", "replicas")
    assert found["chat"].before.tolist() == [3.0, 5.0]
    assert found["chat"].after.tolist() == [5.0, 4.0]
    assert (found["od"].controller, found["od"].kind) == ("cluster-autoscaler", "nodes")
    assert (found["od"].after - found["od"].before).tolist() == [1.0, -1.0]
    assert len(found["spot"].time) == 0


def test_a_number_over_all_groups_is_not_counted_beside_its_groups():
    rows = [decision(10.0, "queue-length", "nodes", "scale", 1, 2, 2, "queue")]
    events = [(10.0, "scale-up", "pool", 1.0)]
    record = Record({"decisions": table("decisions", rows), "events": table("events", events)}, {"end": 100.0})
    (found,) = scaling.paths(Window(record))
    assert (found.controller, found.subject) == ("queue-length", "pool")
    alone = Record({"decisions": table("decisions", rows)}, {"end": 100.0})
    assert [path.subject for path in scaling.paths(Window(alone))] == ["nodes"]


def test_what_a_group_does_by_itself_is_nobodys_decision():
    rows = [decision(0.0, "od", "od", "grow", 0, 1, 1), decision(9.0, "karpenter", "od", "grow", 1, 2, 2)]
    record = Record({"decisions": table("decisions", rows)}, {"end": 100.0})
    assert scaling.controller_of(Window(record), "od") == "karpenter"
    assert scaling.controller_of(Window(record), "spot") == "autoscaler of nodes"


def test_cold_starts_run_from_accelerators_to_requests():
    window = Window(elastic_record())
    assert scaling.cold_starts(window).tolist() == [70.0] * 5
    assert scaling.cold_starts(window, "other").tolist() == []
    assert scaling.cold_starts(Window(elastic_record(warmup=100.0))).tolist() == [70.0, 70.0]


def test_lives_of_nodes_have_their_boot_and_leave_out_what_made_them_warm():
    window = Window(elastic_record())
    assert scaling.lives(window) == [Life("od-2", 205.0, 11015.0, 13400.0)]
    assert scaling.boots(window).tolist() == [205.0]
    events = [
        (50.0, "node-boot", "n: create", 50.0), (50.0, "node-warm", "n", 2.0),
        (90.0, "node-boot", "n: warm start", 20.0), (90.0, "node-up", "n", 2.0),
    ]  # fmt: skip
    warm = Window(Record({"events": table("events", events)}, {"end": 100.0}))
    assert scaling.lives(warm) == [Life("n", 20.0, 90.0, math.inf)]
