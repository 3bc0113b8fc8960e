"""The report: one HTML page that needs nothing else, safe to open whoever wrote the scenario."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulator.experiment.breakdown import OF_REQUESTS
from simulator.experiment.results import Results
from simulator.metrics import measures
from simulator.metrics.display import scale
from simulator.metrics.measure import ratio
from simulator.metrics.window import Window, number
from simulator.report import text, verdict
from simulator.report.text import Grid

if TYPE_CHECKING:
    from jinja2 import Environment

WIDEST = 5
"""Alternatives that fit side by side; with more of them they become the rows of the summary."""
MOST_CLASSES = 20
"""Classes of service that the page has a table for."""
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
            outcomes=results.expectations(),
            summaries=in_parts(summary_table(results)),
            differences=_by_alternative(results),
            grounds=text.difference_grid(results).foot if len(results) > 1 else (),
            figures=figures,
            runs=_runs(results),
            services=services(results),
            classes=classes(results),
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
    """What each alternative ran on."""
    rows = []
    for alternative in results:
        windows = list(results.windows(alternative).values())
        facts = windows[0].record.facts
        end = [window.end for window in windows]
        rows.append(
            (
                alternative,
                str(facts.get("topology") or "–"),
                str(facts.get("scheduler") or "–"),
                scale([], "count").text(windows[0].fact("accelerators")),
                f"{sum(len(window.jobs) for window in windows):,}",
                scale(end, "time").text(sum(end) / len(end)),
            )
        )
    heads = ("alternative", "cluster", "scheduler", "accelerators", "jobs measured, all runs", "simulated span, mean")
    return Grid(heads, tuple(tuple(text.Cell(cell) for cell in row) for row in rows))


def services(results: Results) -> Grid | None:
    """What each service ran on, and how full that was; None without services."""
    rows = []
    for alternative in results:
        windows = list(results.windows(alternative).values())
        for name in dict.fromkeys(name for window in windows for name in window.services):
            rows.append(tuple(text.Cell(cell) for cell in (alternative, name, *_service(windows, name))))
    heads = (
        "alternative", "service", "accelerators a replica", "KV blocks a replica", "replicas, mean", "computing",
        "requests", "not finished",
    )  # fmt: skip
    return Grid(heads, tuple(rows)) if rows else None


def _service(windows: list[Window], name: str) -> list[str]:
    facts = [window.services[name] for window in windows if name in window.services]
    sizes = sorted({int(size) for fact in facts for size in fact.get("blocks") or () if size})
    blocks = " or ".join(f"{size:,}" for size in sizes[:2]) + (" ..." if len(sizes) > 2 else "")
    held, busy = (
        sum(number(fact.get(key), 0.0) for fact in facts) for key in ("accelerator_seconds", "busy_accelerator_seconds")
    )
    each = number(facts[0].get("accelerators"))
    replicas = ratio(held, each * sum(window.end for window in windows))
    requests = [window.requests.where(window.requests["workload"] == name) for window in windows]
    words = {"rejected": "rejected", "timeout": "given up", "unfinished": "unfinished"}
    counts = {word: sum(int(part[state].sum()) for part in requests) for state, word in words.items()}
    lost = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return [
        f"{each:g}", f"{blocks} of {number(facts[0].get('block')):g} tokens" if blocks else "–",
        scale([replicas], "count").text(replicas), scale([0.0], "ratio").text(ratio(busy, held)),
        f"{sum(map(len, requests)):,}", lost or "0",
    ]  # fmt: skip


def classes(results: Results) -> Grid | None:
    """How each class of service fared, by alternative; None when there are not several."""
    kinds = {
        str(kind) for name in results for window in results.windows(name).values() for kind in window.requests["class"]
    }
    if not 1 < len(kinds) <= MOST_CLASSES:
        return None
    frame = results.by("class", OF_REQUESTS)
    shown = [name for name in OF_REQUESTS if frame[name].notna().any()]
    scales = {name: measures.get(name).scale(frame[name]) for name in shown}
    rows = [
        tuple(
            text.Cell(cell)
            for cell in (
                str(row["alternative"]), str(row["class"]), f"{row['requests']:,.0f}",
                *(scales[name].text(row[name] * measures.get(name).si) for name in shown),
            )
        )
        for _, row in frame.iterrows()
    ]  # fmt: skip
    return Grid(("alternative", "class", "requests", *shown), tuple(rows))


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
