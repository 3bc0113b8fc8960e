"""Presets beside the traces that they were fitted to: laws, tenants, bursts; and the page that tells."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from simulator.experiment.validation.generators import quantile_distance, references, share_distance
from simulator.workload.formats import read_trace
from simulator.workload.generate import generate
from simulator.workload.likeness import dispersion, ks_distance, likeness, spearman
from simulator.workload.trace import Trace

SEEDS = 10
WINDOWS = {"1 s": 1.0, "1 min": 60.0, "1 h": 3600.0, "1 d": 86400.0}
BUSY = "2017-09-24 14:00:00"
"""When the Philly extract begins in earnest: 35 of its 69,850 jobs come in the 20 days before."""
LAST_53_DAYS = 8_387_257.0
"""Second of the openb trace from which pods come every day."""


class Case(NamedTuple):
    """A preset, its trace, and bounds: KS of one sample (mean of ten seeds), and the factor of the dispersions."""

    preset: str
    read: Callable[[Path], Trace]
    durations: float = 0.05
    sizes: float = 0.05
    factor: float = 1.5
    arrivals: Callable[[Path], Trace] | None = None


def philly(shared: Path) -> Trace:
    return read_trace(shared / "traces/philly/philly.shared_vcs.csv.gz", "philly")


def pods(shared: Path, pending: str = "drop") -> Trace:
    options = {"pending": pending} if pending == "keep" else {}
    return read_trace(shared / "traces/alibaba_gpu_2023/openb_pod_list_default.csv", "openb", **options)


def muri(shared: Path, number: int) -> Trace:
    return read_trace(shared / f"traces/muri_stage_times/trace{number}.csv", "muri")


def chronus(shared: Path) -> Trace:
    return read_trace(shared / "traces/chronus_deadlines/trace_job_Philly_MIX2.days_0_to_9.3.csv.gz", "chronus")


def pai(shared: Path) -> Trace:
    """The sample knows no accelerators; cores take their place, on both sides."""
    return with_cores(read_trace(shared / "traces/alibaba_pai_gaia/pai-100k.h1.csv.gz", "gaia"))


def mustang(shared: Path) -> Trace:
    path = shared / "traces/mustang_gaia/mustang-trace-2015-100k.h1.csv.gz"
    return read_trace(path, "gaia", cpus="accelerators")


def gavel(shared: Path) -> Trace:
    return read_trace(shared / "traces/gavel_generated/gavel_cont_l900_seed0_36x3_jobs1000.trace.gz", "gavel")


def with_cores(trace: Trace) -> Trace:
    return Trace(trace.name, trace.columns | {"accelerators": trace.columns["cores"]}, origin=trace.origin)


CASES = (
    Case("philly-like", philly),
    Case("philly-vc-like", lambda shared: philly(shared).between(BUSY)),
    Case("openb-like", pods, arrivals=lambda shared: pods(shared, "keep").between(LAST_53_DAYS)),
    Case("muri-like", lambda shared: muri(shared, 1)),
    Case("muri-wide-like", lambda shared: muri(shared, 3)),
    Case("chronus-like", chronus, durations=0.09),
    Case("pai-like", pai),
    Case("mustang-like", mustang),
    Case("gavel-like", gavel),
)
"""chronus-like misses the 0.05: its sessions have up to hundreds of jobs, and a sample is a few hundred sessions."""
IDS = [case.preset for case in CASES]


@cache
def made(preset: str, jobs: int) -> tuple[Trace, ...]:
    samples = [generate(preset, jobs=jobs, seed=seed) for seed in range(SEEDS)]
    return tuple(with_cores(sample) if preset == "pai-like" else sample for sample in samples)


def distances(trace: Trace, samples: tuple[Trace, ...], column: str) -> list[float]:
    return [ks_distance(trace.columns[column], sample.columns[column]) for sample in samples]


def halves(trace: Trace, column: str) -> float:
    """Distance of the two halves of a trace: how alike a trace is to itself."""
    values, half = trace.columns[column], len(trace) // 2
    return ks_distance(values[:half], values[half:])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_laws_and_bursts_are_those_of_the_trace(shared: Path, case: Case) -> None:
    trace = case.read(shared)
    came = case.arrivals(shared) if case.arrivals else trace
    samples = made(case.preset, len(came))
    assert np.mean(distances(trace, samples, "duration")) < case.durations
    assert np.mean(distances(trace, samples, "accelerators")) < case.sizes
    for window in ("1 min", "1 h"):
        theirs = dispersion(came.columns["submit"], WINDOWS[window])
        ours = np.mean([dispersion(sample.columns["submit"], WINDOWS[window]) for sample in samples])
        assert 1 / case.factor < ours / theirs < case.factor, (window, theirs, ours)


def test_tenants_are_those_of_philly(shared: Path) -> None:
    """Each tenant's law, all samples together; a single sample of a small tenant is a handful of sessions."""
    trace = philly(shared).between(BUSY)
    samples = made("philly-vc-like", len(trace))
    for theirs, ours in TENANTS.items():
        own = trace.where(tenant=theirs).columns["duration"]
        pooled = np.concatenate([sample.where(tenant=ours).columns["duration"] for sample in samples])
        assert ks_distance(own, pooled) < 0.05, ours
        sizes = [sample.where(tenant=ours).columns["accelerators"] for sample in samples]
        assert ks_distance(trace.where(tenant=theirs).columns["accelerators"], np.concatenate(sizes)) < 0.05, ours


TENANTS = {"6214e9": "vc1", "11cb48": "vc2", "6c71a0": "vc3", "0e4a51": "vc4", "7f04ca": "vc5", "2869ce": "vc6"}


def test_the_references_that_ship_are_the_traces(shared: Path) -> None:
    """What ``simulator validate generators`` compares with, held against the traces themselves."""
    for case in CASES:
        if case.preset == "gavel-like":
            continue
        trace, known = case.read(shared), references()[case.preset]
        came = case.arrivals(shared) if case.arrivals else trace
        assert known["jobs"] == len(came)
        assert quantile_distance([trace], known["durations"]) < 0.005
        if "sizes" in known:
            assert share_distance([trace], known["sizes"]) < 0.001
        for window in ("1 min", "1 h"):
            found = dispersion(came.columns["submit"], WINDOWS[window])
            assert known["figures"][f"dispersion.{window}"] == pytest.approx(found, rel=1e-3)
        assert known["figures"]["duration.mean"] == pytest.approx(float(trace.columns["duration"].mean()), rel=1e-3)


def likeness_table(shared: Path) -> str:
    """The first table of docs/generators.md."""
    lines = [
        "| preset | jobs | KS durations | halves | KS sizes | halves | dispersion at 1 s | 1 min | 1 h | 1 d |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        trace = case.read(shared)
        came = case.arrivals(shared) if case.arrivals else trace
        samples = made(case.preset, len(came))
        cells = [case.preset, f"{len(came):,}"]
        for column in ("duration", "accelerators"):
            found = distances(trace, samples, column)
            cells += [f"{np.mean(found):.3f} ({max(found):.3f})", f"{halves(trace, column):.3f}"]
        for window in WINDOWS.values():
            ours = np.mean([dispersion(sample.columns["submit"], window) for sample in samples])
            cells.append(f"{dispersion(came.columns['submit'], window):.3g} / {ours:.3g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


CUTS = {"up to 1": (0.0, 1.0), "2 to 4": (1.0, 4.0), "5 to 8": (4.0, 8.0), "9 and more": (8.0, np.inf)}


def shares(trace: Trace) -> list[float]:
    """Share of the accelerator time by size, and Spearman's correlation of size and duration."""
    sizes, work = trace.columns["accelerators"], trace.columns["accelerators"] * trace.columns["duration"]
    found = [float(work[(sizes > low) & (sizes <= high)].sum() / work.sum()) for low, high in CUTS.values()]
    return [spearman(sizes, trace.columns["duration"]), *found]


def work_table(shared: Path) -> str:
    """The third table of docs/generators.md."""
    lines = [
        f"| preset | Spearman, size and duration | {' | '.join(f'time on {name}' for name in CUTS)} |",
        f"| {' | '.join(['---'] * (len(CUTS) + 2))} |",
    ]
    for case in CASES:
        if case.preset in ("pai-like", "gavel-like"):
            continue
        trace = case.read(shared)
        samples = made(case.preset, len(case.arrivals(shared) if case.arrivals else trace))
        theirs, ours = shares(trace), np.mean([shares(sample) for sample in samples], axis=0)
        cells = [f"{a:.2f} / {b:.2f}" for a, b in zip(theirs, ours, strict=True)]
        lines.append(f"| {case.preset} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def tenant_table(shared: Path) -> str:
    """The second table of docs/generators.md."""
    lines = [
        "| tenant | jobs | KS durations | all samples | halves | with philly-like | dispersion at 1 min | 1 h |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    trace = philly(shared).between(BUSY)
    samples, flat = made("philly-vc-like", len(trace)), made("philly-like", len(philly(shared)))
    for theirs, ours in TENANTS.items():
        own = trace.where(tenant=theirs)
        mine, plain = ([each.where(tenant=ours) for each in some] for some in (samples, flat))
        pooled = np.concatenate([each.columns["duration"] for each in mine])
        cells = [ours, f"{len(own):,}", f"{np.mean(distances(own, tuple(mine), 'duration')):.3f}"]
        cells += [f"{ks_distance(own.columns['duration'], pooled):.3f}", f"{halves(own, 'duration'):.3f}"]
        cells.append(f"{np.mean(distances(own, tuple(plain), 'duration')):.3f}")
        for window in ("1 min", "1 h"):
            found = np.mean([dispersion(each.columns["submit"], WINDOWS[window]) for each in mine])
            cells.append(f"{dispersion(own.columns['submit'], WINDOWS[window]):.3g} / {found:.3g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("tell", [likeness_table, tenant_table, work_table])
def test_the_page_tells(shared: Path, root: Path, tell: Callable[[Path], str]) -> None:
    table = tell(shared)
    assert table in (root / "docs" / "generators.md").read_text("utf-8"), f"docs/generators.md must have\n{table}"


def test_likeness_finds_the_tenants_by_rank(shared: Path) -> None:
    trace = philly(shared).between(BUSY)
    rows = likeness(trace, made("philly-vc-like", len(trace))[0])
    assert [row.part for row in rows if row.measure == "KS of durations"] == ["all", *TENANTS]
