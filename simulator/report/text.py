"""Results for a terminal: plain aligned text anywhere, the same tables with colour where there is a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from simulator.experiment.results import Names, Results
from simulator.metrics import measures
from simulator.metrics.display import wide
from simulator.report import elasticwords, verdict

STAR = "*"
WIDTH = 110
"""Characters of a line where nothing says how wide the paper is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text and how it reads (``""``, ``best``, ``good``, ``bad``, ``faint``)."""

    text: str
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table for people: heads, rows of cells (the first column are names), and sentences below."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[str, ...] = ()


def summary_grid(results: Results, names: Names = None) -> Grid:
    """Alternatives as rows, measures as columns; mean and half width in one unit a column; the best are marked."""
    chosen = results.chosen(names)
    columns = [_summary_column(results, name) for name in chosen]
    rows = tuple((Cell(clean(a)), *(column[i] for column in columns)) for i, a in enumerate(results))
    return Grid(("alternative", *chosen), rows, tuple(_footnotes(results, chosen)))


def difference_grid(results: Results, baseline: str | None = None, names: Names = None) -> Grid:
    """One row a difference: both values, the difference with its half width, its share, and the verdict."""
    base = baseline or results.alternatives[0]
    rows = []
    for found in results.differences(base, names):
        measured = measures.get(found.measure)
        si = measured.si
        scale = measured.scale([found.baseline, found.value])
        change = measured.difference_scale([wide(*found.interval[:2])])
        mood = {"better": "good", "worse": "bad"}.get(found.verdict, "faint")
        rows.append(
            (
                Cell(clean(found.alternative)),
                Cell(found.measure),
                Cell(scale.text(found.baseline * si)),
                Cell(scale.text(found.value * si)),
                Cell(change.interval(found.interval.mean * si, found.interval.half_width * si, signed=True)),
                Cell(share(found.relative)),
                Cell(found.verdict, mood),
            )
        )
    heads = ("alternative", "measure", f"{clean(base)} (baseline)", "value", "difference", "relative", "verdict")
    bases = {found.measure: found.basis for found in results.differences(base, names)}
    return Grid(heads, tuple(rows), tuple(_grounds(bases)))


def transposed(grid: Grid) -> Grid:
    """The same table with rows and columns exchanged; the corner stays."""
    names = tuple(row[0].text for row in grid.rows)
    rows = tuple((Cell(head), *(row[i] for row in grid.rows)) for i, head in enumerate(grid.heads[1:], start=1))
    return Grid(("measure", *names), rows, grid.foot)


def summary(results: Results, names: Names = None, width: int = WIDTH) -> str:
    """The summary as plain text."""
    return plain(summary_grid(results, names), width)


def differences(results: Results, baseline: str | None = None, names: Names = None, width: int = WIDTH) -> str:
    """The paired comparison as plain text; empty when there is one alternative."""
    return plain(difference_grid(results, baseline, names), width) if len(results) > 1 else ""


def show(results: Results, file: IO[str] | None = None, width: int | None = None) -> None:
    """Print verdict, summary, differences, notes and expectations: in colour on a terminal, else as plain text."""
    out = file or sys.stdout
    terminal = out.isatty()
    columns = width or (shutil.get_terminal_size((WIDTH, 24)).columns if terminal else WIDTH)
    grids = [summary_grid(results)] + ([difference_grid(results)] if len(results) > 1 else [])
    _print(out, [clean(results.name)], "bold", terminal)
    said = (*verdict.sentences(results), *verdict.limits(results))
    said += tuple(elasticwords.brief(results, verdict.leader(results)))
    _print(out, [clean(line) for line in said], "", terminal)
    for grid in grids:
        out.write("\n")
        if terminal:
            _rich(grid, out, columns)
        else:
            out.write(plain(grid, columns) + "\n")
    _print(out, [f"note: {clean(note)}" for note in results.notes], "dim", terminal)
    for outcome in results.expectations():
        _print(out, [f"expect {clean(outcome.text)}"], "green" if outcome.ok else "bold red", terminal)


def plain(grid: Grid, width: int = WIDTH) -> str:
    """A grid as aligned text; columns that do not fit are continued below, under the names again."""
    return "\n\n".join(_block(part) for part in split(grid, width)) + "".join(f"\n{line}" for line in grid.foot)


def split(grid: Grid, width: int) -> list[Grid]:
    """Cut a grid into grids of at most ``width`` characters, the first column in each."""
    widths = [max(len(text) for text in column) for column in zip(*_marked(grid), strict=True)]
    groups: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        used = widths[0] + sum(2 + widths[other] for other in groups[-1])
        if groups[-1] and used + 2 + widths[column] > width:
            groups.append([])
        groups[-1].append(column)
    return [
        Grid(_pick(grid.heads, [0, *group]), tuple(_pick(row, [0, *group]) for row in grid.rows)) for group in groups
    ]


def clean(text: str) -> str:
    """``text`` without control characters, so that a name cannot steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def share(relative: float) -> str:
    """A relative difference with its sign: ``-42 %``; a dash when there is none."""
    if relative != relative:
        return "–"
    return f"{'+' if relative > 0 else ''}{verdict.percent(relative)}"


def _summary_column(results: Results, name: str) -> list[Cell]:
    measured = measures.get(name)
    found = [results.estimate(alternative, name).interval for alternative in results]
    scale = measured.scale([wide(interval.mean, interval.half_width) for interval in found])
    leaders = verdict.best(results, name)
    marked = leaders if len(leaders) < len(results) else ()
    return [
        Cell(
            scale.interval(interval.mean * measured.si, interval.half_width * measured.si),
            "best" if alternative in marked else "",
        )
        for alternative, interval in zip(results, found, strict=True)
    ]


def _footnotes(results: Results, names: Sequence[str]) -> list[str]:
    lines = _grounds({name: results.estimate(results.alternatives[0], name).basis for name in names})
    if any(0 < len(verdict.best(results, name)) < len(results) for name in names):
        lines.append(f"{STAR} the best, and whatever the runs do not tell apart from it.")
    for subject, done, where in (("jobs", "completed", "jct and slowdown"), ("requests", "finished", "latency")):
        counts = verdict.completions(results, subject)
        told = ", ".join(f"{clean(name)} {ended:,} of {count:,}" for name, (ended, count) in counts.items())
        if counts:
            what = "complete" if subject == "jobs" else "finish"
            lines.append(f"{done} {subject}: {told}. What did not {what} counts in no {where}.")
    return lines


def _grounds(bases: dict[str, str]) -> list[str]:
    """What the half widths of measures rest on, each ground once."""
    grounds: dict[str, list[str]] = {}
    for name, basis in bases.items():
        grounds.setdefault(basis, []).append(name)
    lines = []
    for basis, found in grounds.items():
        head = "no half width" if basis.startswith("one run") else "± 95 % half width"
        which = f" ({', '.join(found)})" if len(grounds) > 1 else ""
        lines.append(f"{head}: {basis}{which}.")
    return lines


def _marked(grid: Grid) -> list[list[str]]:
    """Heads and texts, with a star behind the best of each column, and room for it behind the others."""
    starred = [any(row[i].mood == "best" for row in grid.rows) for i in range(len(grid.heads))]
    ends = {False: "", True: "  "}
    rows = [
        [c.text + (f" {STAR}" if c.mood == "best" else ends[star]) for c, star in zip(row, starred, strict=True)]
        for row in grid.rows
    ]
    return [list(grid.heads), *rows]


def _pick(row: tuple[Any, ...], columns: list[int]) -> tuple[Any, ...]:
    return tuple(row[column] for column in columns)


def _numeric(grid: Grid, column: int) -> bool:
    return all(row[column].text[:1] in "+-–$∞0123456789" for row in grid.rows)


def _block(grid: Grid) -> str:
    table = _marked(grid)
    widths = [max(len(row[i]) for row in table) for i in range(len(grid.heads))]
    numeric = [_numeric(grid, i) for i in range(len(widths))]
    lines = []
    for row in table:
        cells = [
            text.rjust(width) if right and i else text.ljust(width)
            for i, (text, width, right) in enumerate(zip(row, widths, numeric, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _print(out: IO[str], lines: Sequence[str], style: str, terminal: bool) -> None:
    if not terminal:
        out.writelines(f"{line}\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out)
    for line in lines:
        console.print(Text(line, style=style))


def _rich(grid: Grid, out: IO[str], width: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"best": "bold green", "good": "green", "bad": "red", "faint": "dim", "": ""}
    console = Console(file=out, width=width)
    for part in split(grid, width - 2):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i, head in enumerate(part.heads):
            table.add_column(Text(head), justify="right" if i and _numeric(part, i) else "left", no_wrap=True)
        for row, texts in zip(part.rows, _marked(part)[1:], strict=True):
            table.add_row(*(Text(text, style=styles[cell.mood]) for cell, text in zip(row, texts, strict=True)))
        console.print(table)
    for line in grid.foot:
        console.print(Text(line, style="dim"))
