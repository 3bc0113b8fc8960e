"""What an experiment found: the tables of all its runs, and the measures, intervals and comparisons made from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.experiment.estimates import Difference, Estimate, difference, estimate
from simulator.experiment.figures import Plots, report
from simulator.experiment.silence import OF_POWER, REPEATED, same, unpowered
from simulator.metrics import expectation
from simulator.metrics.caveats import caveats
from simulator.metrics.expectation import Outcome
from simulator.metrics.measures import HEADLINE, JOB_HEADLINE
from simulator.metrics.measures import get as find_measure
from simulator.metrics.measures import names as all_measures
from simulator.metrics.recorder import DECLARED, Record
from simulator.metrics.window import Window

if TYPE_CHECKING:
    import pandas as pd

    from simulator.experiment.findings import Findings
    from simulator.experiment.story import Story

Names = str | Sequence[str] | None
"""Measures to show: names, ``"all"``, or None for those that the scenario asks for."""

DIFFERENCE = (
    "alternative", "measure", "baseline", "value", "difference", "half_width", "relative", "verdict", "basis",
)  # fmt: skip
"""Columns of ``Results.diff``."""


class Results:
    """One record per alternative and replication, and a manifest of how they came about.

    ``records`` maps (alternative, replication) to ``Record``; alternatives keep the order in which they first appear,
    and the first is the baseline unless another is named. ``manifest`` holds what is known of the experiment; used
    here are ``name``, ``scenario`` (its text), ``hash``, ``overrides``, ``seed``, ``versions`` (name -> version),
    ``measures`` (the names that summaries show) and ``expect`` (lines to judge); all are optional.
    """

    def __init__(self, records: Mapping[tuple[str, int], Record], manifest: Mapping[str, Any] | None = None) -> None:
        if not records:
            raise InputError("no results: there is not a single run")
        self.manifest: dict[str, Any] = dict(manifest or {})
        self.alternatives = tuple(dict.fromkeys(alternative for alternative, _ in records))
        self.replications = tuple(sorted(dict.fromkeys(replication for _, replication in records)))
        ordered = [(name, number) for name in self.alternatives for number in self.replications]
        self.records = {key: records[key] for key in ordered if key in records}
        self._windows = {key: Window(record) for key, record in self.records.items()}
        self._frames: dict[str, pd.DataFrame] = {}
        self._estimates: dict[tuple[str, str], Estimate] = {}
        self._differences: dict[tuple[str, str, str], Difference] = {}
        self._repeated: dict[str, bool] = {}

    def __getitem__(self, alternative: str) -> Results:
        """The results of one alternative alone."""
        self._known(alternative)
        return Results({key: record for key, record in self.records.items() if key[0] == alternative}, self.manifest)

    def __iter__(self) -> Iterator[str]:
        return iter(self.alternatives)

    def __len__(self) -> int:
        return len(self.alternatives)

    def __contains__(self, alternative: object) -> bool:
        return alternative in self.alternatives

    @property
    def name(self) -> str:
        """The name of the scenario; ``results`` when it has none."""
        return str(self.manifest.get("name") or "results")

    @property
    def jobs(self) -> pd.DataFrame:
        """Jobs of all runs, one a row; columns as ``simulator.metrics.recorder.JOBS`` declares them (times in s)."""
        return self._frame("jobs")

    @property
    def flows(self) -> pd.DataFrame:
        """Transfers of all runs, one a row; columns as ``recorder.FLOWS`` declares them."""
        return self._frame("flows")

    @property
    def series(self) -> pd.DataFrame:
        """Queue and accelerators over time, one row a change; columns as ``recorder.SERIES`` declares them."""
        return self._frame("series")

    @property
    def events(self) -> pd.DataFrame:
        """What happened, in order; columns as ``recorder.EVENTS`` declares them."""
        return self._frame("events")

    @property
    def links(self) -> pd.DataFrame:
        """Loads of links over time, one row a change; columns as ``recorder.LINKS`` declares them.

        Empty unless the scenario says ``network: {record: links}``.
        """
        return self._frame("links")

    @property
    def requests(self) -> pd.DataFrame:
        """Requests to services, one a row; columns as ``recorder.REQUESTS`` declares them. Empty without services."""
        return self._frame("requests")

    @property
    def iterations(self) -> pd.DataFrame:
        """Iterations of replicas, like ones in one row; columns as ``recorder.ITERATIONS`` declares them."""
        return self._frame("iterations")

    @property
    def decisions(self) -> pd.DataFrame:
        """What controllers decided, and why, one row a decision; columns as ``recorder.DECISIONS`` declares them."""
        return self._frame("decisions")

    def table(self, name: str) -> pd.DataFrame:
        """Any table by its name, as ``loads`` or ``applications``; columns as the recorder declares them."""
        return self._frame(name)

    def token_times(self, workload: str, id: str, alternative: str | None = None, replication: int = 0) -> np.ndarray:
        """Seconds at which each token of one request was there; see ``simulator.metrics.tokens.token_times``.

        ``alternative`` is the first one unless given. Raises ``InputError`` for a request that is not there.
        """
        from simulator.metrics.tokens import token_times

        chosen = self._known(self.alternatives[0] if alternative is None else alternative)
        if (chosen, replication) not in self.records:
            raise InputError(f"there is no replication {replication} of {chosen}")
        return token_times(self.records[chosen, replication], workload, id)

    def link_utilization(self, by: str = "tier") -> pd.DataFrame:
        """How full the links were, from the warm-up to the end, mean over replications.

        By ``"tier"`` one row an alternative and tier: ``links`` (how many), ``utilization`` (bytes carried over bytes
        that all of them could have carried), ``busiest`` (that of the busiest link) and ``peak`` (the highest load over
        capacity that any link had). By ``"link"`` one row a link: ``utilization``, ``peak`` and ``bytes``.
        """
        from simulator.experiment.linkuse import link_utilization

        return link_utilization(self, by)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a summary shows: the scenario's ``measure`` list, or the headline measures that have a value."""
        chosen = self.manifest.get("measures")
        if chosen:
            return tuple(chosen)
        values = {name: [self.estimate(a, name).interval.mean for a in self.alternatives] for name in HEADLINE}
        return tuple(name for name, found in values.items() if not np.isnan(found).all()) or JOB_HEADLINE

    def chosen(self, names: Names = None) -> tuple[str, ...]:
        """Resolve ``names`` (see ``Names``); ``InputError`` with the nearest name for an unknown one."""
        wanted = self.measures if names is None else all_measures() if names == "all" else names
        return tuple(find_measure(name).name for name in ([wanted] if isinstance(wanted, str) else wanted))

    def windows(self, alternative: str) -> dict[int, Window]:
        """The runs of one alternative by replication, as the measures see them."""
        self._known(alternative)
        return {number: window for (name, number), window in self._windows.items() if name == alternative}

    def repeated(self, alternative: str) -> bool:
        """Whether there are several replications of an alternative and all are the same run, as nothing is random."""
        if alternative not in self._repeated:
            self._repeated[alternative] = same(list(self.windows(alternative).values()))
        return self._repeated[alternative]

    def _telling(self, alternative: str) -> dict[int, Window]:
        """The runs that tell how sure a number is: of replications that are the same, the first alone."""
        runs = self.windows(alternative)
        return dict(list(runs.items())[:1]) if self.repeated(alternative) else runs

    def estimate(self, alternative: str, measure: str) -> Estimate:
        """Mean, half width and basis of one measure of one alternative, in the unit that the measure declares."""
        key = (alternative, measure)
        if key not in self._estimates:
            self._estimates[key] = estimate(find_measure(measure), self._telling(alternative))
        return self._estimates[key]

    def summary(self, measures: Names = None, intervals: bool = False) -> pd.DataFrame:
        """Means, one row an alternative and one column a measure, in SI units (``$``, ``kWh``, ``$/h`` for costs).

        With ``intervals`` the columns are pairs: ``frame["jct.mean"]`` has the columns ``mean`` and ``half_width``.
        The half width is that of the 95 % interval: over replications when there are several that differ; from batches
        of jobs or requests when there is one run and a measure of these; NaN otherwise.
        """
        import pandas as pd

        names = self.chosen(measures)
        index = pd.Index(self.alternatives, name="alternative")
        cells = {n: [self.estimate(a, n).interval for a in self.alternatives] for n in names}
        if not intervals:
            return pd.DataFrame({n: [cell.mean for cell in column] for n, column in cells.items()}, index=index)
        return pd.DataFrame(
            {
                (n, part): [getattr(cell, part) for cell in column]
                for n, column in cells.items()
                for part in ("mean", "half_width")
            },
            index=index,
        )

    def by(self, group: str, measures: Names = None) -> pd.DataFrame:
        """Measures of jobs or requests by group, one row an alternative and group, means over replications, SI units.

        ``group`` is ``tenant``, ``user``, ``workload``, ``size`` (class of accelerators) or ``state`` of jobs;
        ``class``, ``tenant``, ``workload``, ``adapter``, ``session``, ``replica``, ``state`` or ``reason`` of requests;
        or a period such as ``"1 d"``. Without measures the usual ones are shown. Raises ``InputError`` for another
        group, and for measures of the whole run.
        """
        from simulator.experiment.breakdown import breakdown

        return breakdown(self, group, [find_measure(name) for name in self.chosen(measures or ())])

    def difference(self, alternative: str, baseline: str, measure: str) -> Difference:
        """One alternative against another in one measure: values, interval of the difference, verdict and basis."""
        key = (alternative, baseline, measure)
        if key not in self._differences:
            runs, base = self.windows(alternative), self.windows(baseline)
            if self.repeated(alternative) and self.repeated(baseline):
                runs, base = self._telling(alternative), self._telling(baseline)
            self._differences[key] = difference(alternative, find_measure(measure), runs, base)
        return self._differences[key]

    def differences(self, baseline: str | None = None, measures: Names = None) -> list[Difference]:
        """Each other alternative against ``baseline`` (the first unless named), measure by measure."""
        base = self.alternatives[0] if baseline is None else self._known(baseline)
        return [
            self.difference(name, base, measure)
            for name in self.alternatives
            if name != base
            for measure in self.chosen(measures)
        ]

    def diff(self, baseline: str | None = None, measures: Names = None) -> pd.DataFrame:
        """Paired comparison with ``baseline`` (the first alternative unless named), one row a difference.

        Columns: ``alternative, measure, baseline, value, difference, half_width, relative, verdict, basis``. The
        difference is value - baseline, ``relative`` its share of the baseline. Replications are paired (they share
        their random numbers); with one run each, batches of the same jobs. ``verdict`` is ``better`` or ``worse``
        (``higher`` or ``lower`` where neither is good), ``no difference shown`` when the 95 % interval covers 0,
        ``no interval`` when one run cannot tell, ``no value`` when a side has none. ``basis`` says what was paired.
        """
        import pandas as pd

        columns = list(DIFFERENCE)
        rows = [
            (d.alternative, d.measure, d.baseline, d.value, *d.interval[:2], d.relative, d.verdict, d.basis)
            for d in self.differences(baseline, measures)
        ]
        return pd.DataFrame(rows, columns=columns)

    def evaluate(self, expression: str) -> bool:
        """Whether a line such as ``"las.jct.p50 <= fifo.jct.p50"`` or ``"fifo.wait.mean <= 2 h"`` holds (of means)."""
        return self.expectations([expression])[0].ok

    def expectations(self, lines: Sequence[str] | None = None) -> list[Outcome]:
        """Judge ``lines``, or the ``expect`` list of the scenario; ``InputError`` for a line that makes no sense."""
        wanted = self.manifest.get("expect") or () if lines is None else lines
        parsed = [expectation.parse(line, self.alternatives) for line in wanted]
        return [line.judge(lambda name, measure: self.estimate(name, measure).interval.mean) for line in parsed]

    def explain(self, **about: Any) -> Story:
        """What happened around a time, and why; arguments as ``simulator.experiment.explain.explain`` has them.

        ``service=``, ``job=``, ``group=`` or ``node=``, ``at="3 h"``, ``window=``, ``alternative=``, ``replication=``;
        without a subject and a time: what can be asked about, and when most happened.
        """
        from simulator.experiment.explain import explain

        return explain(self, **about)

    def findings(self, *, alternative: str | None = None, replication: int | None = None) -> Findings:
        """What is wrong with how each alternative was scaled, or the one named: a list of sentences with numbers.

        Of the first replication unless another is asked for; ``.frame`` has them as a table.
        """
        from simulator.experiment.findings import findings

        return findings(self, alternative=alternative, replication=replication)

    @property
    def notes(self) -> list[str]:
        """What a reader must know: what was left out or set aside, and what the engine says of its runs."""
        said: dict[str, list[str]] = {}
        for alternative in self.alternatives:
            windows = self.windows(alternative)
            notes = [*_said(windows), *caveats(list(windows.values())), *self._missing(alternative)]
            for note in dict.fromkeys(notes):
                said.setdefault(note, []).append(alternative)
        everywhere = len(self.alternatives)
        return [note if len(names) == everywhere else f"{', '.join(names)}: {note}" for note, names in said.items()]

    def _missing(self, alternative: str) -> list[str]:
        """Why there is no interval over replications, and why measures of energy that are shown have no value."""
        said = [REPEATED] if self.repeated(alternative) else []
        shown = [name for name in self.chosen() if find_measure(name).name in OF_POWER]
        empty = [name for name in shown if np.isnan(self.estimate(alternative, name).interval.mean)]
        return said + (unpowered(empty, list(self.windows(alternative).values())) if empty else [])

    def to_dict(self, measures: Names = None) -> dict[str, Any]:
        """Summary, differences, expectations and notes as plain data for JSON; a missing number is None."""
        rows = [
            {"alternative": a, "measure": n, "mean": _plain(found.interval.mean),
             "half_width": _plain(found.interval.half_width), "basis": found.basis}
            for a in self.alternatives for n in self.chosen(measures) for found in [self.estimate(a, n)]
        ]  # fmt: skip
        pairs = [
            {"alternative": d.alternative, "measure": d.measure, "baseline": _plain(d.baseline),
             "value": _plain(d.value), "difference": _plain(d.interval.mean), "basis": d.basis,
             "half_width": _plain(d.interval.half_width), "relative": _plain(d.relative), "verdict": d.verdict}
            for d in self.differences(measures=measures)
        ]  # fmt: skip
        units = {name: find_measure(name) for name in self.chosen(measures)}
        return {
            "name": self.name, "baseline": self.alternatives[0], "replications": len(self.replications),
            "measures": {n: {"unit": m.unit, "better": m.better, "meaning": m.meaning} for n, m in units.items()},
            "summary": rows, "differences": pairs, "notes": self.notes,
            "expectations": [{"expression": o.expression, "ok": o.ok, "text": o.text} for o in self.expectations()],
        }  # fmt: skip

    @property
    def plot(self) -> Plots:
        """Figures: ``results.plot.jct_cdf()``, ``.wait_cdf()``, ``.utilization()``, ``.queue()``, ``.cost()`` ..."""
        return Plots(self)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one self-contained HTML page; also written to ``path`` when given."""
        text: str = report("page").render(self)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def save(self, directory: str | Path, force: bool = False, report: bool = True) -> Path:
        """Write everything into ``directory`` at one stroke; see ``simulator.experiment.store.save``."""
        from simulator.experiment import store

        return store.save(self, Path(directory), force=force, report=report)

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """Read what ``save`` wrote; see ``simulator.experiment.store.load``."""
        from simulator.experiment import store

        return store.load(Path(directory))

    def __repr__(self) -> str:
        return str(report("text").summary(self))

    def _repr_html_(self) -> str:
        return str(report("page").fragment(self))

    def _known(self, alternative: str) -> str:
        if alternative not in self.alternatives:
            raise InputError(f"unknown alternative {alternative!r}. {did_you_mean(alternative, self.alternatives)}")
        return alternative

    def _frame(self, table: str) -> pd.DataFrame:
        import pandas as pd

        if table not in self._frames:
            lengths = [len(window.column(table, DECLARED[table][0].name)) for window in self._windows.values()]
            codes = [self.alternatives.index(name) for name, _ in self.records]
            names = pd.Categorical.from_codes(
                np.repeat(codes, lengths).tolist(), categories=pd.Index(self.alternatives)
            )
            numbers = np.repeat([number for _, number in self.records], lengths)
            columns = {
                column.name: np.concatenate([window.column(table, column.name) for window in self._windows.values()])
                for column in DECLARED[table]
            }
            self._frames[table] = pd.DataFrame({"alternative": names, "replication": numbers, **columns})
        return self._frames[table]


def _said(windows: Mapping[int, Window]) -> list[str]:
    """What the engine noted; sentences that differ between replications in their numbers only are told once."""
    notes: dict[str, str] = {}
    for window in windows.values():
        facts = window.record.facts
        aside = [f"{n:,} rows of the trace were set aside: {why}." for why, n in (facts.get("set_aside") or {}).items()]
        for note in [*(facts.get("notes") or ()), *aside]:
            shape = re.sub(r"\d[\d.,]*", "#", note)
            if notes.setdefault(shape, note) != note and not notes[shape].startswith("In replication"):
                notes[shape] = f"In replication {next(iter(windows))} of {len(windows)}: {notes[shape]}"
    return list(notes.values())


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
