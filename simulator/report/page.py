"""The report: one HTML page that needs nothing else, safe to open whoever wrote the scenario."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulator.experiment.results import Results
from simulator.metrics import measures
from simulator.metrics.display import scale
from simulator.report import elasticwords, text, verdict
from simulator.report.elastictables import groups
from simulator.report.servicetables import classes, services
from simulator.report.text import Grid

if TYPE_CHECKING:
    from jinja2 import Environment

WIDEST = 5
"""Alternatives that fit side by side; with more of them they become the rows of the summary."""
COLUMNS = 6
"""Measures that fit side by side; of more the summary is several tables, one below the other."""


def render(results: Results) -> str:
    """The whole report as HTML. Equal results give equal bytes; every text from the scenario is escaped."""
    from markupsafe import Markup

    from simulator.report import plots, style

    figures = [
        (plots.FIGURES[name], Markup(style.inline_svg(figure, name, plots.FIGURES[name].title)))
        for name, figure in plots.draw_all(results).items()
    ]
    asked = results.chosen()
    return (
        _environment()
        .get_template("page.html")
        .render(
            results=results,
            about=_about(results),
            verdict=verdict.sentences(results),
            limits=verdict.limits(results),
            elastic=elasticwords.sections(results),
            outcomes=results.expectations(),
            summaries=in_parts(summary_table(results)),
            differences=_by_alternative(results),
            grounds=text.difference_grid(results).foot if len(results) > 1 else (),
            figures=figures,
            runs=_runs(results),
            services=services(results),
            classes=classes(results),
            groups=groups(results),
            invariants=_invariants(results),
            asked=[measures.get(name) for name in asked],
            others=[measures.get(name) for name in measures.names() if name not in asked],
            manifest=dict.fromkeys(("description", "scenario", "overrides", "hash", "versions", "seed"))
            | results.manifest,
        )
    )


def fragment(results: Results) -> str:
    """The summary as a piece of HTML for a notebook."""
    return _environment().get_template("fragment.html").render(results=results, summary=summary_table(results))


def summary_table(results: Results) -> Grid:
    """The summary with measures as rows, or with alternatives as rows when there are many."""
    grid = text.summary_grid(results)
    return grid if len(results) > WIDEST else text.transposed(grid)


def in_parts(grid: Grid, most: int = COLUMNS) -> list[Grid]:
    """Cut a grid with more than ``most`` columns of values into several of about as many, each with the names."""
    width = len(grid.heads) - 1
    parts = max(1, -(-width // most))
    edges = [1 + width * part // parts for part in range(parts + 1)]
    return [
        Grid((grid.heads[0], *grid.heads[a:b]), tuple((row[0], *row[a:b]) for row in grid.rows), grid.foot)
        for a, b in pairwise(edges)
    ]


def _about(results: Results) -> str:
    count, runs = len(results), len(results.replications)
    parts = [
        f"{count} alternatives compared" if count > 1 else "one alternative",
        f"{runs} replications each" if runs > 1 else "one run each" if count > 1 else "one run",
    ]
    if results.manifest.get("seed") is not None:
        parts.append(f"seed {results.manifest['seed']}")
    return " · ".join(parts)


def _by_alternative(results: Results) -> list[tuple[str, Grid]]:
    """One grid of differences for each alternative but the baseline, without the column that names it."""
    if len(results) < 2:
        return []
    grid = text.difference_grid(results)
    groups: dict[str, list[tuple[text.Cell, ...]]] = {}
    for row in grid.rows:
        groups.setdefault(row[0].text, []).append(row[1:])
    before, after = grid.heads[1:3], grid.heads[4:]
    return [(name, Grid((*before, name, *after), tuple(rows))) for name, rows in groups.items()]


def _runs(results: Results) -> Grid:
    """What each alternative ran on, and how many jobs and requests were measured, whichever there were."""
    runs = {name: list(results.windows(name).values()) for name in results}
    every = [window for windows in runs.values() for window in windows]
    served = any(window.services for window in every)
    counted = {
        "jobs measured": [sum(len(window.jobs) for window in windows) for windows in runs.values()],
        "requests measured": [sum(len(window.requests) for window in windows) for windows in runs.values()],
    }
    kept = [name for name in counted if any(counted[name]) or (name == "requests measured") == served]
    rows = []
    for index, (alternative, windows) in enumerate(runs.items()):
        facts, end = windows[0].record.facts, [window.end for window in windows]
        rows.append(
            (
                alternative,
                str(facts.get("topology") or "–"),
                str(facts.get("scheduler") or "–"),
                scale([], "count").text(windows[0].fact("accelerators")),
                *(f"{counted[name][index]:,}" for name in kept),
                scale(end, "time").text(sum(end) / len(end)),
            )
        )
    heads = ("alternative", "cluster", "scheduler", "accelerators", *(f"{name}, all runs" for name in kept))
    return Grid((*heads, "simulated span, mean"), tuple(tuple(text.Cell(cell) for cell in row) for row in rows))


def _invariants(results: Results) -> list[str]:
    """Invariants that were checked in every run."""
    checked = [record.facts.get("invariants") or [] for record in results.records.values()]
    return [statement for statement in checked[0] if all(statement in others for others in checked)]


def _label(name: str) -> str:
    return measures.get(name).label if name in measures.MEASURES else name


def _split(cell: str) -> tuple[str, str]:
    """A mean and the rest from the plus-minus on, so that a page can set the rest smaller."""
    mean, sign, rest = cell.partition(" ± ")
    return mean, f"± {rest}" if sign else ""


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("simulator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"label": _label, "split_interval": _split}
    environment.filters.update(filters)
    environment.tests["measure"] = lambda name: name in measures.MEASURES
    return environment
