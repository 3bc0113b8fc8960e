"""Nodes that are taken back as losses of work: in intervals, in runs that get nowhere, and in what check says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli.check import check
from simulator.core.errors import InputError
from simulator.models.checkpoint import daly
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, LoggedFailure, LoggedSource
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.losses import Losses, learned
from simulator.runtime.supply.steps import Steps
from simulator.scenario.build import build
from simulator.scenario.spec import Scenario
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.saving import Saving
from tests.supply_world import Script, job, run

HEAD = "name: spot\ntopology: {build: cloud-pool, nodes: 8, node: aws/p5, link: efa-v2}\n"


def spot(checkpoint: str, group: str, more: str = "", duration: str = "10 d") -> str:
    work = f"[{{id: a, accelerators: 32, duration: {duration}, restart: 10 min, checkpoint: {checkpoint}}}]"
    groups = f"node_groups: {{spot: {{servers: {{first: 0}}, initial: 8, {group}}}}}\n"
    return f"{HEAD}workload: {{w: {{jobs: {work}}}}}\n{groups}{more}"


def checked(text: str, folder: Path) -> str:
    path = folder / "spot.yaml"
    path.write_text(text)
    return " ".join(CliRunner().invoke(check, [str(path)]).output.split())


def test_rates_are_those_of_the_servers_whose_notice_is_too_short() -> None:
    groups = [
        Group("a", (0, 1), interruptions=1000.0, notice=60.0), Group("b", (2,), interruptions=100.0, notice=0.0),
        Group("c", (3,)), Group("d", (4,), interruptions=[(5.0, 1)]),
        Group("e", (5,), capacity=Steps([0.0, 9.0], [1.0, 0.0])),
    ]  # fmt: skip
    losses = Losses(groups, 7)
    assert losses.of((0, 1, 1, 2, 3, 4, 5, 6), 61.0) == pytest.approx(0.002 + 0.01)
    assert losses.of((0, 1, 2), 60.0) == 0.01
    assert losses.of((), 60.0) == 0.0
    assert losses.by_file == ("d", "e")
    assert learned(0.0, 0, 5.0) == learned(0.0, 0, 0.0) == 0.0


def writes(every: str, notice: float) -> list[float]:
    """Let a job of one node write checkpoints of 10 s: how many it wrote, and how often it was stopped."""
    group = Group("spot", (0,), initial=1, interruptions=2e5, notice=notice)
    one = job("a", 0.0, 20_000.0, saving=Saving(every=every, write=10.0))
    record = run([one], Script({}), [group], parts=[Checkpoints()], until=20_000.0, seed=3)[1]
    return [record.facts["checkpoints"]["written"], one.preemptions]


def test_intervals_go_by_interruptions_that_cost_work() -> None:
    every = daly(2e5, 10.0)
    assert writes("daly", 9.0) == [20_000.0 // (every + 10.0), 0]
    assert writes("daly", 10.0) == [0, 0]  # a notice is long enough to write one


def test_adaptive_learns_from_interruptions() -> None:
    struck: Any = [(3000.0, 1)]

    noted: list[str] = []

    def written(every: str) -> float:
        groups = [Group("spot", (0, 1), initial=2, interruptions=struck, notice=0.0)]
        groups.append(Group("calm", (2,), initial=1, interruptions=1e9))
        one = job("a", 0.0, 40_000.0, 8.0, saving=Saving(every=every, write=10.0))
        record = run([one], Script({}), groups, parts=[Checkpoints()], until=60_000.0)[1]
        noted[:] = [note for note in record.facts["notes"] if "that a file brings, those of node group spot" in note]
        return float(record.facts["checkpoints"]["written"])

    assert written("daly") == 0
    assert written("adaptive") > 10
    assert len(noted) == 1


@pytest.mark.parametrize(("notice", "kept"), [(10.0, 50.0), (9.0, 0.0)])
def test_a_checkpoint_written_at_the_very_end_of_the_notice_counts(notice: float, kept: float) -> None:
    one = job("a", 0.0, 100.0, saving=Saving(every=1000.0, write=10.0))
    group = Group("spot", (0, 1), initial=1, boot=(), interruptions=[(50.0, 1)], notice=notice)
    run([one], Script({}), [group], parts=[Checkpoints()], until=70.0)
    assert one.lost == 50.0 - kept


@pytest.mark.parametrize("every", ["young", "daly", "adaptive"])
def test_rules_need_no_failures_where_nodes_are_taken_back(every: str) -> None:
    made = f"{{every: {every}, write: 3 min}}"
    build(Scenario.load(spot(made, "interruptions: {mean: 6 h}")))
    with pytest.raises(InputError, match=r"interruptions: .mean: .* of a node group"):
        build(Scenario.load(spot(made, "capacity: 8")))


def test_check_counts_interruptions(tmp_path: Path) -> None:
    text = checked(spot("{every: daly, write: 3 min}", "interruptions: {mean: 40 h}"), tmp_path)
    assert "32 accelerators on 4 servers: an interruption every 10 h" in text
    assert "by daly (a loss every 10 h, 3 min each)" in text
    assert "expected loss 12 % of the time" in text
    text = checked(spot("{every: daly, write: 2 min}", "interruptions: {mean: 40 h}"), tmp_path)
    assert "saved in time interruptions, whose notice is long enough for a checkpoint" in text
    assert "every by daly, only at the notice of an interruption" in text
    assert "beware" not in text


def test_check_says_what_no_rate_knows(tmp_path: Path) -> None:
    (tmp_path / "cap.csv").write_text("time,count\n0,8\n3600,4\n")
    text = checked(spot("{every: 1 h, write: 3 min}", f"capacity: {tmp_path / 'cap.csv'}"), tmp_path)
    assert "no failure stops it, not in it nodes of spot that are taken back at times of a file" in text


def test_check_warns_of_jobs_that_may_never_end(tmp_path: Path) -> None:
    text = checked(spot("{every: 1 h, write: 3 min, load: 1 min}", "interruptions: {mean: 40 min}"), tmp_path)
    assert "beware stopped every 10 min, and 14 min until it has started and written a checkpoint" in text
    assert "give run: {until: ...}" in text


def test_interruptions_end_a_run_that_gets_nowhere() -> None:
    text = spot("{every: 1 h, write: 3 min}", "interruptions: {mean: 40 min}, boot: 1 min", duration="10 d")
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text)).run()
    told = str(caught.value)
    assert "interruptions of nodes in a row" in told
    assert "job 'a' is stopped after " in told
    assert "needs 1 h between checkpoints and 3 min to write one" in told


def test_spares_that_leave_too_little_for_the_largest_job() -> None:
    text = HEAD + "workload: {w: {jobs: [{accelerators: 48, duration: 1 h}]}}\n"
    text += "failures: {it: {component: node, mtbf: 100 d, repair: 1 h}, spares: %d}\n"
    build(Scenario.load(text % 2))
    with pytest.raises(InputError) as caught:
        build(Scenario.load(text % 3))
    assert "spares is 3, which leaves 40 of 64 accelerators; a job needs 48" in str(caught.value)
    assert "at most 2 spares" in str(caught.value)


def test_rows_of_a_list_that_hit_nothing_are_counted() -> None:
    rows = [LoggedFailure(time, "node", "node-0", 9.0) for time in (2.0, 3.0, 4.0)]
    record = replay([job("a", 0.0, 30.0)], topology=servers(1, 4), parts=[Failures([LoggedSource("log", tuple(rows))])])
    assert record.facts["failures"]["by_source"] == {"log": 1}
    assert "2 rows of log fell on what was down already or not there: no effect." in record.facts["notes"]


@pytest.mark.parametrize("more", ["", "detection: 5 min", "health_check: 10 min"])
def test_failures_that_come_while_all_is_down_end_a_run(more: str) -> None:
    text = HEAD + "workload: {w: {jobs: [{accelerators: 64, duration: 1 h, checkpoint: 20 min}]}}\n"
    text += f"failures: {{it: {{component: accelerator, mtbf: 5 s, repair: 1 h}}, {more}}}\n"
    with pytest.raises(InputError, match=r"10,000 failures in a row.* no job has got any further"):
        build(Scenario.load(text)).run()
