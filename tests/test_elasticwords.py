from __future__ import annotations

import doctest
import io
import math

import numpy as np
import pytest

from simulator.experiment.results import Results
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from simulator.report import elastictables, elasticwords, text, verdict
from tests.synthetic import manifest, record, results, table
from tests.synthetic_elastic import END, elastic_record, elastic_results, job, swinging

BY_HAND = [
    "1 failure in 4 h, noticed after 30 s on average; they stopped running jobs once.",
    "Failures cost 0.397 accelerator-hours ($0.71), 11 % of what jobs held: 9.6 % work that was done again and 0.74 % "
    "restarts.",
    "Checkpoints cost 0.0278 accelerator-hours ($0.05), 0.74 % of what jobs held.",
    "$7.84 of $31.39 (25 %) was paid for and not used, most of it $6.45 for replicas beyond what the computing of "
    "their service kept busy; $0.60 for nodes that had failed and were still paid for and $0.58 for nodes that were up "
    "with nothing on them.",
    "Against instant scaling by one who knows the load: replicas of chat 1.36 times what would have done at the least.",
    "Money by group: od $31.39 (2.18 nodes on average).",
]


def of(made: Record) -> list[str]:
    found = elasticwords.sections(Results({("a", 0): made}, manifest()))
    return found[0][1] if found else []


def shown(made: Results) -> str:
    out = io.StringIO()
    text.show(made, out, 200)
    return out.getvalue()


def test_the_words_on_a_run_by_hand():
    assert elasticwords.sections(elastic_results()) == [("plain", BY_HAND)]
    for line in BY_HAND:
        assert f"\n{line}\n" in shown(elastic_results())


def test_hours_and_dollars_are_those_of_the_table_of_jobs():
    """The job held one accelerator for 13,530 s; rework 1,300 s, restarts 100 s, hung 30 s, at 31.39 $ / 62,780 s."""
    made = elastic_record()
    window = Window(made)
    lost, held = elasticwords._lost(window)
    assert held == 13530.0
    assert lost["rework"] == pytest.approx(1300.0)
    assert sum(lost[name] for name in elasticwords.LOST) / 3600 * (31.39 / 62780 * 3600) == pytest.approx(0.715)


def test_a_run_without_scaling_and_failures_has_nothing_of_it():
    plain = results(jobs=60)
    assert [line for _, lines in elasticwords.sections(plain) for line in lines if "failure" in line] == []
    assert elastictables.groups(plain) is None
    assert of(record(20, cost={})) == []


def test_swings_come_first():
    lines = of(swinging())
    assert lines[0].startswith("hpa of chat oscillates: period 10.2 min, ")
    assert elasticwords.amiss([Window(swinging())])


def test_a_terminal_tells_the_gravest_of_each_of_several_and_the_best_of_many():
    two = elastic_results("one", "two")
    lines = elasticwords.brief(two, "one")
    assert len(lines) == 2 * 4
    assert lines[0] == f"one: {BY_HAND[0]}"
    assert lines[1] == f"one: {BY_HAND[3]}"
    many = elastic_results(*"abcdefg")
    assert {line[:2] for line in elasticwords.brief(many, "c")} == {"c:"}
    assert len(elasticwords.sections(many)) == 7


def quiet(**lost: float) -> Results:
    rows = [job(f"j-{i}", 0.0, 0.0, 1000.0, **({"compute": 1000.0 - sum(lost.values())} | lost)) for i in range(4)]
    tables = {"jobs": table("jobs", rows), "flows": table("flows", []), "events": table("events", [])}
    tables["series"] = table("series", [(0.0, 0, 4, 4.0, 4.0, 4.0)])
    facts = {"end": 1000.0, "warmup": 0.0, "accelerators": 4, "notes": [], "set_aside": {}, "cost": {}}
    return Results({("a", 0): Record(tables, facts)}, manifest())


def test_nothing_is_scarce_is_not_said_where_stops_cost_something():
    calm = "Nothing is scarce: jobs spend nearly all of their time computing."
    assert verdict.limits(quiet())[-1] == calm
    assert verdict.limits(quiet(rework=10.0))[-1] == calm
    told = "Jobs spend nearly all of their time computing; what scaling and failures cost is told apart."
    assert verdict.limits(quiet(rework=15.0, hung=15.0))[-1] == told
    assert "Stops are a limit" in verdict.limits(quiet(rework=150.0))[-1]


def test_stops_that_no_failure_made_are_not_called_failures():
    made = elastic_record()
    made.tables["jobs"]["preemptions"] = np.where(made.tables["jobs"]["preemptions"] > 0, 3, 0)
    assert any(line.startswith("3 stops of jobs cost 0.397 accelerator-hours") for line in of(made))


def test_without_prices_there_are_hours_and_no_dollars():
    made = elastic_record(cost={}, groups={})
    assert not [line for line in of(made) if "$" in line]
    assert any(line.startswith("Failures cost 0.397 accelerator-hours, 11 % of what jobs held") for line in of(made))


def test_spares_nodes_taken_back_and_stock_outs_are_told():
    made = elastic_record(failures={"spares_used": 2})
    made.facts["groups"]["od"] |= {"interrupted": 1, "missing": 3}
    made.facts["groups"]["spot"] |= {"missing": 2}
    lines = of(made)
    assert lines[0].endswith("; up to 2 spare servers stood in.")
    assert lines[-1] == (
        "Money by group: od $31.39 (100 %, 2.18 nodes on average, 1 node taken back, 3 nodes not to be had), "
        "spot $0 (0 %, 0 nodes on average, 2 nodes not to be had)."
    )
    grid = elastictables.groups(Results({("a", 0): made}, manifest()))
    assert grid is not None
    assert grid.heads[-2:] == ("taken back", "not to be had")
    assert [cell.text for cell in grid.rows[0][-2:]] == ["1", "3"]


def loads(rows: list[tuple]) -> Record:
    made = elastic_record()
    return Record(made.tables | {"loads": table("loads", rows)}, made.facts)


def test_the_largest_backlog_of_a_load_is_told_with_its_time():
    rows = [
        (0.0, "api", 10.0, 10.0, 2, 2, 0, 0.0, 0.0, 0.0, 0.0),
        (600.0, "api", 30.0, 10.0, 2, 6, 4, 15234.0, 0.0, 0.0, 5.0),
        (900.0, "api", 30.0, 60.0, 6, 6, 0, 0.4, 0.0, 0.0, 0.0),
    ]
    told = (
        "The backlog of api was largest, 15,200 requests, 10 min into the run, when 2 of 6 wanted replicas were ready."
    )
    assert told in of(loads(rows))
    assert not any("backlog" in line for line in of(loads([(*row[:7], 0.0, *row[8:]) for row in rows])))


def test_the_page_has_it_and_escapes_it():
    made = elastic_results("<b>one", "two")
    source = made.to_html()
    assert "<h2>Scaling and failures</h2>" in source
    assert "<h3>&lt;b&gt;one</h3>" in source
    assert "<h3>Groups of nodes</h3>" in source
    assert "<b>one" not in source
    assert "Scaling and failures" not in results(jobs=30, cost={}).to_html()


def test_the_account_of_groups():
    grid = elastictables.groups(elastic_results())
    assert grid is not None
    assert grid.heads == (
        "group", "nodes, mean", "with work, node-hours", "idle, node-hours", "booting, node-hours",
        "failed, node-hours", "price of a node", "paid",
    )  # fmt: skip
    assert [cell.text for cell in grid.rows[0]] == [
        "od",
        "2.18",
        "8.33",
        "0.163",
        "0.0569",
        "0.167",
        "$3.60/h",
        "$31.39",
    ]


def test_examples():
    assert doctest.testmod(elasticwords).failed == 0
    assert math.isnan(elasticwords._silence(np.array([], dtype=object), np.array([], dtype=object), np.array([])))
    assert END == 14400.0
