from __future__ import annotations

import math

import pytest

from simulator.core.errors import InputError
from simulator.experiment import servicestory
from simulator.experiment.findings import of_run
from simulator.experiment.log import Log
from simulator.experiment.results import Results
from simulator.experiment.sentences import Decided, Happened, decided, happened
from simulator.experiment.story import nearest
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from tests.synthetic import manifest, table
from tests.synthetic_elastic import decision, elastic_record, elastic_results, swinging

NAN = math.nan


@pytest.fixture(scope="module")
def results() -> Results:
    return elastic_results()


# -- a service ------------------------------------------------------------------------------------------------------


def test_the_chain_from_a_decision_to_replicas_that_take_requests(results):
    (chain,) = results.explain(service="chat", at="3 h").chains
    assert [(line.time, line.text) for line in chain] == [
        (10800.0, "hpa wanted 6 replicas of chat instead of 3 and was allowed 5 (TooManyReplicas: ratio 1.87, "
                  "target 0.6; otherwise 4)."),
        (10800.0, "chat/3 and chat/4 had to wait for accelerators, as too few accelerators were free."),
        (10810.0, "cluster-autoscaler wanted 3 nodes of group od instead of 2 (least-waste: waste 0.25; otherwise "
                  "spot)."),
        (11015.0, "Node od-2 took work: create 80 s, boot 60 s, driver 65 s (205 s)."),
        (11015.0, "chat/3 and chat/4 got accelerators, 215 s after the decision."),
        (11085.0, "chat/3 and chat/4 took requests, 285 s after the decision and 70 s after the accelerators: "
                  "image 40 s, weights 30 s (70 s)."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (30.0, {"ready": 0, "starting": 3, "waiting": 0, "draining": 0}),
        (10799.0, {"ready": 3, "starting": 0, "waiting": 0, "draining": 0}),
        (10800.0, {"ready": 3, "starting": 0, "waiting": 2, "draining": 0}),
        (11015.0, {"ready": 3, "starting": 2, "waiting": 0, "draining": 0}),
        (11085.0, {"ready": 5, "starting": 0, "waiting": 0, "draining": 0}),
        (13300.0, {"ready": 4, "starting": 0, "waiting": 0, "draining": 1}),
        (13330.0, {"ready": 4, "starting": 0, "waiting": 0, "draining": 0}),
    ],
)
def test_how_a_service_stood(results, at, expected):
    assert results.explain(service="chat", at=at).numbers["replicas"] == expected


def test_replicas_that_found_room_at_once_name_no_nodes():
    known = elastic_record()
    jobs, events = known.tables["jobs"], known.tables["events"]
    for i in range(len(events["time"])):
        if events["event"][i] == "start" and events["subject"][i] == "chat/3":
            events["time"][i] = 10800.0
    jobs["start"][3] = 10800.0
    (chain,) = Results({("run", 0): known}).explain(service="chat", at="3 h").chains
    said = [line.text for line in chain]
    assert said[1:3] == [
        "chat/3 got accelerators at once.",
        "chat/4 had to wait for accelerators, as too few accelerators were free.",
    ]
    assert "chat/4 got accelerators, 215 s after the decision." in said


def test_replicas_that_never_came_are_told():
    rows = [decision(10.0, "hpa", "chat", "scale", 1, 2, 2, "above")]
    events = [(10.0, "submit", "chat/1", 1.0)]
    tables = {"decisions": table("decisions", rows), "events": table("events", events)}
    log = Log(Window(Record(tables, {"end": 100.0, "services": {"chat": {}}})))
    (chain,) = servicestory.chains(log, "chat", 10.0, 0.0, 100.0)
    assert [line.text for line in chain[1:]] == [
        "chat/1 had to wait for accelerators.",
        "No node group grew meanwhile: they waited for others to leave.",
        "chat/1 never got accelerators within the run.",
    ]
    tables["events"] = table("events", [])
    (chain,) = servicestory.chains(Log(Window(Record(tables, {"end": 100.0}))), "chat", 10.0, 0.0, 100.0)
    assert chain[1].text == "No replica came of it within the run."


def test_requests_of_the_time_are_counted():
    from tests.synthetic_serving import request

    rows = [
        request("a", 0.0, 5.0, 6.0, 20.0, 10), request("b", 8.0, NAN, NAN, NAN, 10, state="UNFINISHED"),
        request("c", 1.0, 2.0, 3.0, 4.0, 10),
    ]  # fmt: skip
    window = Window(Record({"requests": table("requests", rows)}, {"end": 100.0}))
    found = servicestory.requests_at(window, "chat", 10.0)
    assert found == {"requests_running": 1, "requests_waiting": 1, "requests_last_minute": 3}
    assert servicestory.requests_at(window, "other", 10.0) == {}


# -- jobs, groups, nodes --------------------------------------------------------------------------------------------


def test_the_life_of_a_job(results):
    story = results.explain(job="train-1")
    assert story.state == (
        "train-1 came at 0:10:00 for 1 accelerator and was not through when the run ended, 3.83 h later.",
        "Its time: 270 s in the queue, 3.33 h computing, 100 s lost to restarts, 21.7 min of work that was lost at "
        "stops, 100 s writing checkpoints, 30 s hung after failures that nobody had noticed.",
        "It waited 270 s as too few accelerators were free.",
        "It was stopped once, by a failure.",
    )
    assert [(line.time, line.kind) for line in story.lines] == [
        (600.0, "submit"), (600.0, "start"), (12630.0, "decision"), (12630.0, "detect"), (12630.0, "preempt"),
        (12900.0, "start"),
    ]  # fmt: skip
    assert story.lines[3].text == "The failure of od-1 (source gpu) was noticed after 30 s."
    assert len(results.explain(job="train-1", at=600.0).lines) == 2


def test_a_group_and_its_nodes(results):
    story = results.explain(group="od", at="3.5 h", window="15 min")
    assert story.state[0] == "Group od had 3 nodes."
    assert [line.kind for line in story.lines] == ["failure", "detect", "repair", "scale-down", "node-down"]
    assert "It cost $31.39." in story.state


def test_a_node_and_its_parts(results):
    assert results.explain(node="od-1").lines[0].kind == "failure"
    story = results.explain(node="od-1", at=12700.0)
    assert story.state[:2] == ("Node od-1 is of group od.", "It had been broken for 100 s.")
    assert [line.kind for line in story.lines] == ["failure", "detect", "repair"]
    up = results.explain(node="od-2", at=12000.0)
    assert up.state[1] == "It had been up for 16.4 min."
    assert results.explain(node="od-2", at=10000.0).state[1] == "It was not there before 3:03:35."


def test_without_a_subject_everything_around_a_time_is_told(results):
    kinds = [line.kind for line in results.explain(at="3.5 h", window="2 min").lines]
    assert kinds == ["failure", "decision", "detect", "preempt"]


def test_without_anything_it_says_what_can_be_asked_and_when_to_look(results):
    story = results.explain()
    assert story.state[2:] == (
        "--service chat",
        "--group od, spot",
        "--node od-2, od-1",
        "--job train-1",
    )
    assert [line.time for line in story.lines] == sorted(line.time for line in story.lines)
    assert story.lines[-2].text == "1 failure, 1 failure noticed, 1 stop of jobs and 1 decision."
    assert results.explain(service="chat").notes[-1].startswith("Nobody named a time")


def test_a_run_without_controllers_says_so():
    quiet = Results({("run", 0): Record({}, {"end": 10.0})})
    assert quiet.explain().notes == ("Nothing that controllers do, and no failure, was recorded in this run.",)
    assert quiet.explain(at=5.0).notes == ("Nothing was recorded in this time.",)


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"service": "chta"}, "unknown service 'chta'. Did you mean 'chat'? Known: chat."),
        ({"job": "train-2"}, "unknown job 'train-2'. Did you mean 'train-1'?"),
        ({"group": "ondemand"}, "unknown node group 'ondemand'. Known: od, spot."),
        ({"node": "od-3"}, "unknown node 'od-3'. Did you mean 'od-"),
        ({"service": "chat", "job": "train-1"}, "a story is about one thing: say service or job, not all of them"),
        ({"at": "5 h"}, "at: 5:00:00 (18000 s) lies outside of the run, which goes from 0:00:00 to 4:00:00 (14400 s)"),
        ({"at": "noon"}, "at: 'noon' is not a time; write for example '5 min'"),
        ({"at": "1 h", "window": 0.0}, "window is 0 s; it must be above 0"),
        ({"alternative": "fast"}, "unknown alternative 'fast'. Known: plain."),
        ({"replication": 3}, "there is no replication 3 of plain. Known: 0."),
    ],
)
def test_mistakes_are_answered_with_what_there_is(results, asked, message):
    with pytest.raises(InputError) as caught:
        results.explain(**asked)
    assert str(caught.value).startswith(message)


def test_a_run_without_what_is_asked_for_says_so():
    bare = Results({("run", 0): Record({}, {"end": 10.0})})
    for kind, why in [("service", "has no services"), ("group", "no group of nodes"), ("node", "no node that came")]:
        with pytest.raises(InputError, match=why):
            bare.explain(**{kind: "x"})


def test_of_several_runs_the_first_is_told_and_the_others_are_named():
    several = elastic_results("plain", "fast", replications=2)
    story = several.explain(service="chat", at="3 h")
    assert (story.alternative, story.replication) == ("plain", 0)
    assert story.notes == (
        "This is plain; there are also fast. Choose with alternative (--alternative).",
        "This is replication 0; there are also 1. Choose with replication (--replication).",
    )
    other = several.explain(service="chat", at="3 h", alternative="fast", replication=1)
    assert (other.alternative, other.replication) == ("fast", 1)


# -- how it is shown ------------------------------------------------------------------------------------------------


def test_the_text_fits_and_the_rows_hold_all(results):
    story = results.explain(at="2 h", window="2 h")
    text = story.text(rows=5)
    assert max(map(len, text.splitlines())) <= 100
    assert f"... the 5 nearest of {len(story.lines)} rows; JSON has them all." in text
    assert len(story.rows) == len(story.frame) == len(story.lines) > 5
    assert str(story) == repr(story) == story.text()


def test_a_name_cannot_steer_the_terminal_or_the_page():
    rows = [decision(10.0, "hpa", "chat", "scale", 1, 2, 2, "\x1b[31m<b>")]
    tables = {"decisions": table("decisions", rows)}
    shown = Results({("run", 0): Record(tables, {"end": 100.0, "services": {"chat": {}}})}, manifest())
    story = shown.explain(service="chat", at=10.0)
    assert "\x1b" not in story.text()
    assert "<b>\x1b" not in story._repr_html_()
    assert "&lt;b&gt;" in story._repr_html_()


def test_plain_data_has_no_missing_numbers_but_none(results):
    told = results.explain(node="od-2", at=12000.0).to_dict()
    assert told["numbers"]["broken_since"] is None
    rows = results.explain(at=12630.0, window=1.0).rows
    assert rows[0]["facts"]["before"] is None


def test_the_nearest_lines_stay_in_order(results):
    lines = results.explain(at="2 h", window="2 h").lines
    few = nearest(lines, 12600.0, 3)
    assert [line.time for line in few] == sorted(line.time for line in few)
    assert any(line.kind == "failure" for line in few)


def test_parts_are_told_apart_from_the_sources_of_their_failures():
    rows = [
        (10.0, "failure", "loose cable a -> b", 0.0), (20.0, "repair", "loose cable a -> b", 0.0),
        (30.0, "straggle", "heat n1", 8.0), (50.0, "repair", "heat n1", 8.0),
    ]  # fmt: skip
    facts = {"end": 100.0, "failures": {"by_source": {"loose cable": 1, "heat": 1}}}
    log = Log(Window(Record({"events": table("events", rows)}, facts)))
    assert log.nodes == ("a -> b", "n1")
    assert [(row.event, row.amount) for row in log.events] == [
        ("failure", 0.0), ("repair", 10.0), ("straggle", 8.0), ("quicken", 20.0),
    ]  # fmt: skip


# -- sentences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "nodes", "expected"),
    [
        (decision(0.0, "hpa", "chat", "scale", 3, 3, 3, "tolerance", ratio=1.02), False,
         "hpa left chat at 3 replicas (tolerance: ratio 1.02)."),
        (decision(0.0, "ca", "od", "grow", wanted=2), True, "ca asked for 2 nodes of group od."),
        (decision(0.0, "od", "od", "grow", 0, 1, 1, "minimum"), True,
         "the group itself wanted 1 node of group od instead of 0 (minimum)."),
        (decision(0.0, "ca", "od", "refuse", 3, 4, 3, "max", "least-waste"), True,
         "ca wanted 4 nodes of group od, which stayed at 3 (max; for least-waste)."),
        (decision(0.0, "ca", "od-3", "remove", 3, 2, 2, "unneeded", jobs=0), False,
         "ca took od-3 away, which left 2 in its group (unneeded: jobs 0)."),
        (decision(0.0, "market", "od-3", "remove", rule="interruption", notice=120.0), False,
         "market took od-3 away (interruption: notice 120)."),
        (decision(0.0, "karpenter", "spot", "replace", 3, 4, 4, "consolidation"), True,
         "karpenter asked for 1 node of group spot, to take the place of others (consolidation)."),
        (decision(0.0, "queue", "nodes", "scale", 3, 5, 4), True, "queue wanted 5 nodes of all groups instead of 3 and "
         "was allowed 4."),
        (decision(0.0, "fifo", "a", "evict", rule="quota"), False, "fifo evicted a (quota)."),
        (decision(0.0, "x", "a", "wink"), False, "x: wink a."),
    ],
)  # fmt: skip
def test_decisions_as_sentences(row, nodes, expected):
    assert decided(Decided(*row), nodes).text == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("stock-out", "spot", 2.0)], "2 nodes of group spot were not to be had."),
        ([("interruption", "spot-1", 120.0)], "Node spot-1 was called back, with 120 s of notice."),
        (
            [("node-drain", "n1", 3.0), ("node-drain", "n2", 1.0)],
            "Nodes n1 and n2 were drained, with 4 jobs left in all.",
        ),
        ([("resize", "a", -2.0)], "a was resized by -2 accelerators."),
        ([("capacity", "x -> y", 5e9)], "The link x -> y could carry 40 Gb/s."),
        ([("straggle", "heat n1", 8.0)], "heat n1 became slow, which held up 8 accelerators."),
        ([("wink", "a", 2.0)], "wink: a (2)."),
    ],
)  # fmt: skip
def test_events_as_sentences(rows, expected):
    assert happened([Happened(0.0, *row) for row in rows], {}).text == expected


# -- findings -------------------------------------------------------------------------------------------------------


def test_an_autoscaler_that_swings_is_found_with_its_period_and_remedy():
    (found,) = of_run(Window(swinging()))
    assert found[:3] == (
        "oscillation",
        "chat",
        "hpa of chat oscillates: period 10.2 min, 36 of 36 scale-ups undone within 300 s, 11.8 changes an hour: raise "
        "behavior.scaleDown.stabilizationWindowSeconds to more than 240 s.",
    )


def test_one_that_holds_its_number_is_not():
    assert of_run(Window(swinging(up=400.0))) == []
    assert of_run(Window(swinging(periods=2))) == []


def test_findings_of_a_comparison_name_the_alternative():
    found = elastic_results("plain", "fast").findings()
    assert [each.alternative for each in found] == ["plain", "fast"]
    assert str(found[0]) == (
        "$6.45 of $31.39 (21%) went into replicas beyond what the computing of their service kept busy."
    )


def test_churn_thrash_and_too_many_are_found():
    events = []
    for k in range(4):
        t = 1000.0 * k
        events += [
            (t, "scale-up", "od", 1.0), (t + 200, "node-boot", f"od-{k}: boot", 200.0),
            (t + 200, "node-up", f"od-{k}", 2.0), (t + 250, "preempt", "a", 1.0),
            (t + 260, "node-down", f"od-{k}", 2.0), (t + 260, "scale-down", "od", 1.0),
        ]  # fmt: skip
    series = [(0.0, 0, 0, 0.0, 2.0, 8.0)]
    tables = {"events": table("events", events), "series": table("series", series)}
    groups = {"od": {"price": 0.01, "accelerators": 2, "paid": 0.0, "hours": {}}}
    facts = {"end": 7200.0, "warmup": 0.0, "groups": groups}
    found = {kind: text for kind, _, text, _ in of_run(Window(Record(tables, facts)))}
    assert found["churn"] == (
        "4 nodes went after less time of work than they had booted, for $10.40; 4 nodes came or went an hour: let idle "
        "nodes stay longer."
    )
    events = [(20000.0 * k, "preempt", "a", 1.0) for k in range(6)]
    assert of_run(Window(Record({"events": table("events", events)}, facts | {"end": 200000.0, "groups": {}}))) == []
    assert found["thrash"].startswith("a was stopped 4 times; 3 of 4 stops came within an hour of one of the same job")
