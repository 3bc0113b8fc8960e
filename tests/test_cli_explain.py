from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulator.cli import main
from tests.synthetic_elastic import elastic_results


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("explain") / "by-hand"
    return str(elastic_results("plain", "fast").save(folder, report=False))


def simulator(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], prog_name="simulator")


def fine(*arguments: str) -> str:
    result = simulator(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str, code: int = 2) -> str:
    result = simulator(*arguments)
    assert result.exit_code == code
    assert "Traceback" not in result.output
    return result.output


def test_the_story_of_a_service(saved):
    text = fine(saved, "--service", "chat", "--at", "3h", "--window", "5 min")
    assert (
        text
        == """\
Service chat at 3:00:00 (plain, replication 0; told from 2:55:00 to 3:05:00)
3 replicas took requests, 2 waited for accelerators.
In the cluster 4 of 4 accelerators were held; 4 jobs ran, 2 waited.

What led to what:
  3:00:00  hpa wanted 6 replicas of chat instead of 3 and was allowed 5 (TooManyReplicas: ratio
           1.87, target 0.6; otherwise 4).
  3:00:00  chat/3 and chat/4 had to wait for accelerators, as too few accelerators were free.
  3:00:10  cluster-autoscaler wanted 3 nodes of group od instead of 2 (least-waste: waste 0.25;
           otherwise spot).
  3:03:35  Node od-2 took work: create 80 s, boot 60 s, driver 65 s (205 s).
  3:03:35  chat/3 and chat/4 got accelerators, 215 s after the decision.
  3:04:45  chat/3 and chat/4 took requests, 285 s after the decision and 70 s after the
           accelerators: image 40 s, weights 30 s (70 s).

Everything in order:
  3:00:00  hpa wanted 6 replicas of chat instead of 3 and was allowed 5 (TooManyReplicas: ratio
           1.87, target 0.6; otherwise 4).
  3:00:00  chat/3 and chat/4 joined the queue, for 2 accelerators in all.
  3:00:10  cluster-autoscaler wanted 3 nodes of group od instead of 2 (least-waste: waste 0.25;
           otherwise spot).
  3:03:35  Node od-2 took work: create 80 s, boot 60 s, driver 65 s (205 s).
  3:03:35  chat/3 and chat/4 got 2 accelerators in all.
  3:04:45  chat/3 and chat/4 took requests, 5 replicas now did: image 40 s, weights 30 s (70 s)
           each.

note: This is plain; there are also fast. Choose with alternative (--alternative).
"""
    )


def test_json_has_all_rows_and_null_for_what_is_missing(saved):
    told = json.loads(fine(saved, "--job", "train-1", "--json"))
    assert told["title"] == "Job train-1 (plain, replication 0)"
    assert [row["kind"] for row in told["rows"]] == ["submit", "start", "decision", "detect", "preempt", "start"]
    assert told["numbers"]["end"] is None
    assert told["numbers"]["failures"] == 1


def test_without_options_it_says_what_can_be_asked(saved):
    text = fine(saved)
    assert "--service chat\n" in text
    assert "3:30:00  1 failure" in text


def test_an_alternative_can_be_chosen(saved):
    assert "(fast, replication 0;" in fine(saved, "--node", "od-1", "--at", "3.5h", "--alternative", "fast")


def test_findings_alone(saved):
    told = fine(saved, "--findings")
    assert told.startswith("plain: $6.45 of $31.39 (21%) went into replicas")
    assert [row["kind"] for row in json.loads(fine(saved, "--findings", "--json", "--alternative", "fast"))] == [
        "waste"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--service", "chta"), "unknown service 'chta'. Did you mean 'chat'?"),
        (("--service", "chat", "--at", "7h"), "lies outside of the run, which goes from 0:00:00 to 4:00:00"),
        (("--at", "noon"), "at: 'noon' is not a time"),
        (("--alternative", "slow"), "unknown alternative 'slow'"),
        (("--replication", "4"), "there is no replication 4 of plain. Known: 0."),
        (("--job", "train-1", "--node", "od-1"), "a story is about one thing"),
        (("--window", "-3 min"), "window: '-3 min' is negative"),
    ],
)
def test_mistakes_have_one_clear_message(saved, arguments, message):
    assert message in refused(saved, *arguments)


def test_a_folder_without_results_is_refused(tmp_path: Path):
    assert "holds no manifest.json" in refused(str(tmp_path))
    assert "there is no such directory" in refused(str(tmp_path / "nowhere"))
