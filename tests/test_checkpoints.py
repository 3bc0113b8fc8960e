"""What a stop costs: the work since the last checkpoint, and the restart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.policies.api import Action, ClusterView, Migrate, Preempt, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob


class StopAt:
    """Starts what fits, and stops or moves everything at the times given."""

    always = True

    def __init__(self, *times: float, move: bool = False) -> None:
        self.times, self.move = times, move
        self.wake = math.inf

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.wake = min((time for time in self.times if time > view.now), default=math.inf)
        stopped = False
        if view.now in self.times:
            for each in view.running:
                stopped = True
                yield Migrate(each, ((1 - each.placement[0][0], each.accelerators),)) if self.move else Preempt(each)
        if not stopped:
            yield from (Start(each) for each in view.queue if each.accelerators <= view.free)
        self.wake = view.now + 1.0 if stopped and not self.move else self.wake


@pytest.mark.parametrize(
    ("checkpoint", "lost"),
    [(0.0, 0.0), (3.0, 1.0), (7.0, 0.0), (3.5, 0.0), (10.0, 7.0), (math.inf, 7.0), (0.1, 0.0)],
)
def test_a_stop_loses_the_work_since_the_last_checkpoint(checkpoint: float, lost: float) -> None:
    one = job("one", 0.0, 10.0, 1.0, checkpoint=checkpoint)
    record = replay([one], StopAt(7.0), restart=2.0)
    assert one.end == pytest.approx(10.0 + 1.0 + 2.0 + lost)
    table = record.tables["jobs"]
    assert table["rework"].tolist() == pytest.approx([lost])
    assert table["compute"].tolist() == pytest.approx([10.0])
    assert table["overhead"].tolist() == [2.0]


def test_a_second_stop_loses_from_the_first_on_only() -> None:
    one = job("one", 0.0, 10.0, 1.0, checkpoint=3.0)
    replay([one], StopAt(4.0, 9.0), restart=1.0)
    # 0-4 runs, keeps 3; 5-6 restarts, 6-9 runs to 6, keeps all; 10-11 restarts, 11-15 runs
    assert (one.lost, one.overhead, one.end, one.waited) == (1.0, 2.0, 15.0, 2.0)


def test_a_stop_during_the_restart_loses_nothing_more() -> None:
    one = job("one", 0.0, 10.0, 1.0, checkpoint=4.0)
    replay([one], StopAt(5.0, 7.0), restart=3.0)
    assert (one.lost, one.overhead, one.end) == (1.0, 1.0 + 3.0, 8.0 + 3.0 + 6.0)


def test_a_move_keeps_all_work_whatever_the_checkpoints() -> None:
    one = job("one", 0.0, 10.0, 1.0, checkpoint=math.inf)
    replay([one], StopAt(7.0, move=True), topology=servers(2, 1), restart=2.0)
    assert (one.lost, one.end, one.moves) == (0.0, 12.0, 1)


def test_a_job_that_loses_all_each_time_never_ends_within_its_turns() -> None:
    one = job("one", 0.0, 10.0, 1.0, checkpoint=math.inf)
    replay([one], StopAt(*range(5, 95, 5)), until=100.0)
    assert math.isnan(one.end)
    assert one.lost == pytest.approx(one.ran - (100.0 - one.since) - one.done, abs=10.0)


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 60), max_size=5, unique=True), st.integers(0, 30), st.sampled_from([0, 1, 4, 7, math.inf]),
    st.integers(0, 3),
)  # fmt: skip
def test_running_is_work_restarts_and_rework(times: list[int], duration: int, checkpoint: float, restart: int) -> None:
    """Counted second by second: nothing is lost or gained beyond what the checkpoints say."""
    one = BatchJob(id="one", submit=0.0, duration=float(duration), accelerators=2.0, checkpoint=float(checkpoint))
    replay([one], StopAt(*sorted(map(float, times))), topology=4, restart=float(restart))
    done = left = lost = ran = now = 0
    begun = 0
    while done < duration:
        if now in times and now > begun:
            kept = (
                done if not checkpoint else 0 if checkpoint == math.inf else done // int(checkpoint) * int(checkpoint)
            )
            lost, done, left = lost + done - kept, kept, restart
            now = begun = now + 1
        now, ran = now + 1, ran + 1
        if left:
            left -= 1
        else:
            done += 1
    assert (one.end, one.lost, one.ran) == (float(now), float(lost), float(ran))
