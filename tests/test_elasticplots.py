from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

from simulator.experiment.results import Results
from simulator.metrics import waste
from simulator.metrics.recorder import Record
from simulator.metrics.window import Window
from simulator.report import elasticlevels, elasticplots, loadplots, panels, plots, style
from simulator.report.panels import Levels
from tests.synthetic import manifest, results, table
from tests.synthetic_elastic import END, decision, elastic_record, elastic_results

FIGURES = elasticplots.FIGURES | loadplots.FIGURES


def told(levels: Levels) -> list[tuple[float, float]]:
    return list(zip(levels.times.tolist(), levels.values.tolist(), strict=True))


@pytest.fixture(scope="module")
def window() -> Window:
    return Window(elastic_record())


def with_loads(*names: str, replications: int = 1) -> Results:
    rows = [
        row
        for name in names
        for row in (
            (0.0, name, 10.0, 20.0, 2, 2, 0, 0.0, 0.0, 0.0, 0.0),
            (3600.0, name, 30.0, 20.0, 2, 3, 1, 900.0, 0.0, 0.0, 45.0),
            (7200.0, name, 30.0, 40.0, 4, 4, 0, 0.0, 0.0, 0.0, 0.0),
        )
    ]
    made = elastic_record()
    record = Record(made.tables | {"loads": table("loads", rows)}, made.facts)
    runs = {(name, number): record for name in ("a", "b") for number in range(replications)}
    return Results(runs, manifest(measures=["replica.hours"]))


# -- step functions -------------------------------------------------------------------------------------------------


def test_replicas_wanted_and_ready(window):
    assert elasticlevels.scaled(window) == ["chat"]
    assert told(elasticlevels.wanted(window, "chat")) == [(0, 3), (0, 3), (10800, 5), (13300, 4)]
    assert told(elasticlevels.ready(window, "chat")) == [(0, 0), (70, 3), (11085, 5), (13300, 4)]
    assert told(elasticlevels.ready(window, "cha")) == [(0, 0)]
    assert not len(elasticlevels.wanted(window, "od").times)


def test_nothing_is_wanted_when_the_work_of_a_fleet_is_over():
    made = elastic_record()
    end = made.tables["jobs"]["end"].copy()
    end[:5] = np.fmin(np.nan_to_num(end[:5], nan=14000.0), 14000.0)
    made.tables["jobs"] |= {"end": end}
    assert told(elasticlevels.wanted(Window(made), "chat"))[-2:] == [(13300, 4), (14000, 0)]


def test_what_failures_took(window):
    found = {name: told(each) for name, each in elasticlevels.outages(window).items()}
    assert found == {
        elasticlevels.REPAIRED: [(0, 0), (12630, 2), (13200, 0)],
        elasticlevels.UNNOTICED: [(0, 0), (12600, 2), (12630, 0)],
        elasticlevels.SLOW: [(0, 0)],
    }
    assert elasticlevels.failures(window).tolist() == [12600.0]


def test_slow_servers_are_neither_unnoticed_nor_repaired():
    made = elastic_record()
    rows = [(100.0, "straggle", "cooling s-0", 8.0), (400.0, "repair", "cooling s-0", 8.0)]
    found = elasticlevels.outages(Window(Record(made.tables | {"events": table("events", rows)}, made.facts)))
    assert told(found[elasticlevels.SLOW]) == [(0, 0), (100, 8), (400, 0)]
    assert told(found[elasticlevels.REPAIRED]) == [(0, 0)]


def test_what_is_paid_for_adds_up_to_what_is_provisioned(window):
    parts = elasticlevels.paid(window)
    total = np.sum([each.values for each in parts.values()], axis=0)
    assert total.tolist() == window.column("series", "provisioned").tolist()
    assert all((each.values >= 0).all() for each in parts.values())
    assert dict(told(parts[elasticlevels.BOOTING]))[10810.0] == 2.0


def test_what_is_repaired_is_paid_for_as_failed_and_what_drains_as_draining():
    made = elastic_record()
    events = [
        (100.0, "failure", "gpu n-0", 2.0), (200.0, "node-drain", "n-1", 1.0), (300.0, "node-down", "n-1", 2.0),
        (400.0, "repair", "gpu n-0", 2.0),
    ]  # fmt: skip
    series = [
        (0.0, 0, 1, 1.0, 6.0, 6.0), (100.0, 0, 1, 1.0, 4.0, 6.0), (200.0, 0, 1, 1.0, 4.0, 6.0),
        (300.0, 0, 1, 1.0, 2.0, 4.0), (400.0, 0, 1, 1.0, 4.0, 4.0),
    ]  # fmt: skip
    tables = made.tables | {"events": table("events", events), "series": table("series", series)}
    parts = elasticlevels.paid(Window(Record(tables, made.facts)))
    assert parts[elasticlevels.FAILED].values.tolist() == [0, 2, 2, 2, 0]
    assert parts[elasticlevels.DRAINING].values.tolist() == [0, 0, 2, 0, 0]
    assert parts[elasticlevels.FREE].values.tolist() == [5, 3, 1, 1, 3]
    assert parts[elasticlevels.BOOTING].values.tolist() == [0] * 5


def test_nodes_by_group(window):
    found = {name: told(each) for name, each in elasticlevels.by_group(window).items()}
    assert found == {"od": [(0, 2), (11015, 3), (13400, 2)], "spot": [(0, 0)]}


def test_nodes_whose_group_nobody_tells_are_in_none():
    made = elastic_record()
    made.facts["groups"] = {"x": made.facts["groups"]["od"], "y": made.facts["groups"]["spot"]}
    assert elasticlevels.by_group(Window(made)) == {}
    made.facts["groups"]["x"] |= {"servers": ["od-2"]}
    assert set(elasticlevels.by_group(Window(made))) == {"x", "y"}


def test_cold_starts_by_phase(window):
    assert elasticlevels.cold_phases(window) == {"image": 40.0, "weights": 30.0}


def test_what_is_down_without_any_boot_has_failed():
    made = elastic_record(groups={})
    before = waste.dollars(Window(made))
    kept = ~np.isin(made.tables["events"]["event"].astype(str), ("node-up", "node-boot"))
    made.tables["events"] = {name: values[kept] for name, values in made.tables["events"].items()}
    found = waste.dollars(Window(made))
    assert "booting" not in found
    assert found["failed"] == before["booting"]


# -- panels ---------------------------------------------------------------------------------------------------------


def test_long_curves_are_cut_to_means_that_keep_the_area():
    times = np.arange(10_000.0)
    levels = Levels(times, np.arange(10_000) % 7.0)
    grid, (values,) = panels.sampled([levels], 10_000.0)
    assert len(grid) == panels.POINTS + 1
    assert float(values[:-1] @ np.diff(grid)) == pytest.approx(float(levels.values.sum()))


def test_short_curves_are_exact():
    grid, (first, second) = panels.sampled([panels.moves([2.0, 4.0], [1.0, 2.0]), panels.moves([3.0], [5.0])], 5.0)
    assert grid.tolist() == [0, 2, 3, 4, 5]
    assert first.tolist() == [0, 1, 1, 3, 3]
    assert second.tolist() == [0, 0, 5, 5, 5]
    assert doctest.testmod(panels).failed == 0


# -- figures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_the_same_every_time(name):
    shown = with_loads("api", "web", replications=2)
    first = style.svg(FIGURES[name].draw(shown))
    assert first == style.svg(FIGURES[name].draw(shown))
    assert FIGURES[name].title in first
    assert style.svg(getattr(shown.plot, name)()) == first


def test_figures_are_shown_only_where_there_is_something_to_show():
    bare = results(jobs=30)
    assert [name for name, plot in FIGURES.items() if plot.has_data(bare)] == []
    for plot in FIGURES.values():
        plot.draw(bare)
    found = [name for name, plot in FIGURES.items() if plot.has_data(elastic_results())]
    assert found == [
        "replicas_wanted", "cold_start_phases", "nodes_states", "nodes_groups", "waste_causes", "accelerators_failed",
    ]  # fmt: skip
    assert [name for name, plot in loadplots.FIGURES.items() if plot.has_data(with_loads("api"))] == [
        "load_capacity", "load_backlog",
    ]  # fmt: skip


def test_replicas_that_are_ready_are_drawn_once():
    assert "replicas_ready" not in plots.draw_all(elastic_results())
    assert "replicas_wanted" in plots.draw_all(elastic_results())


def test_ready_is_solid_and_wanted_dashed():
    axes = elasticplots.replicas_wanted(elastic_results()).axes[0]
    ready, want = axes.lines[:2]
    assert max(ready.get_ydata()) == max(want.get_ydata()) == 5
    assert ready.get_linestyle() == "-"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ready", "wanted"]
    names = [
        each.get_text() for each in elasticplots.replicas_wanted(elastic_results("a", "b")).axes[0].get_legend().texts
    ]
    assert names == ["a", "b", "ready", "wanted"]


def test_each_failure_has_a_mark():
    axes = elasticplots.accelerators_failed(elastic_results()).axes[0]
    (marks,) = axes.lines
    assert np.asarray(marks.get_xdata()).tolist() == [12600.0 / 3600.0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [elasticlevels.UNNOTICED, elasticlevels.REPAIRED, "a failure"]


def test_rows_that_do_not_fit_are_cut_and_said():
    many = elastic_results(*(f"design {i}" for i in range(panels.ROWS + 2)), replications=2)
    figure = elasticplots.nodes_states(many)
    assert len(figure.axes) == panels.ROWS
    title = figure.axes[0].get_title(loc="left")
    assert f"first {panels.ROWS} of {panels.ROWS + 2} alternatives" in title
    assert "first of 2 replications" in title


def test_the_demand_is_an_area_and_the_capacity_a_line():
    figure = loadplots.load_capacity(with_loads("api", "web"))
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["api", "web"]
    assert max(figure.axes[0].lines[0].get_ydata()) == 40
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["demand", "a", "b"]


def test_money_by_group_and_waste_are_those_of_the_record():
    made = elastic_results()
    made.records["plain", 0].facts["groups"]["spot"]["paid"] = 10.0
    axes = elasticplots.cost_groups(made).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [31.39, 10.0]
    assert elasticplots.FIGURES["cost_groups"].has_data(made)
    axes = elasticplots.waste_causes(elastic_results()).axes[0]
    whole = sum(waste.dollars(Window(elastic_record())).values())
    assert sum(patch.get_width() for patch in axes.patches) == pytest.approx(whole)


def test_more_parts_than_colours_are_put_together():
    made = elastic_results()
    groups = made.records["plain", 0].facts["groups"]
    groups |= {f"g{i}": {"paid": 1.0, "hours": {}} for i in range(9)}
    figure = elasticplots.cost_groups(made)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[-1] == elasticplots.OTHERS
    assert sum(patch.get_width() for patch in figure.axes[0].patches) == pytest.approx(31.39 + 9.0)


def test_names_are_shown_as_they_are():
    made = elastic_record()
    odd = "_$x$ <script>"
    rows = [decision(0.0, "hpa", odd, "scale", 1, 2, 2), decision(60.0, "hpa", "chat", "scale", 1, 2, 2)]
    jobs = {name: values.copy() for name, values in made.tables["jobs"].items()}
    jobs["id"][0] = f"{odd}/0"
    record = replace(made, tables=made.tables | {"decisions": table("decisions", rows), "jobs": jobs})
    text = style.svg(elasticplots.replicas_wanted(Results({("a", 0): record}, manifest(measures=["replica.hours"]))))
    assert "_$x$ &lt;script&gt;" in text
    assert record.facts["end"] == END
