"""How the numbers of the presets with classes were fitted: a trace goes in, rows of data come out.

``python benchmarks/fit_workloads.py philly TRACE`` prints the classes of simulator/workload/data/philly-vc-like.yaml,
and likewise ``muri``, ``chronus``, ``pai`` and ``mustang``, by the readers of these formats. ``summaries`` solves for
the laws of presets of which only means and medians are published, and ``reference`` prints what ``simulator validate
generators`` compares with. The traces are not part of the project.

Jobs of a tenant that follow each other within a threshold are one session. Lengths and gaps are quantile tables. The
profile is that of the beginnings of sessions. Two gamma swings explain what is then left of the index of dispersion of
the jobs, by least squares to its logarithm in windows of ten minutes to a week.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ndtri

from simulator.workload.classes import Choices, draw
from simulator.workload.formats import read_trace
from simulator.workload.likeness import describe, dispersion
from simulator.workload.sampling import Draws

P = (0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
     0.95, 0.975, 0.99, 0.995, 0.999, 1)  # fmt: skip
WINDOWS = (600.0, 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)


def table(values: np.ndarray, low: float) -> dict[str, list[float]]:
    """Quantile table of values, those below ``low`` moved there; points that add nothing left out."""
    v = [float(f"{max(low, x):.5g}") for x in np.quantile(values, P)]
    keep = [0] + [i for i in range(1, len(P) - 1) if not v[i - 1] == v[i] == v[i + 1]] + [len(P) - 1]
    return {"p": [P[i] for i in keep], "v": [v[i] for i in keep]}


def sessions(submit: np.ndarray, threshold: float) -> np.ndarray:
    """Number the sessions: a gap above the threshold begins a new one."""
    return np.append(0, np.cumsum(np.diff(submit) > threshold))


def alike(durations: np.ndarray, session: np.ndarray) -> float:
    """Correlation of the normal scores of neighbours in a session; each session counts as often as it has pairs."""
    ranks = np.argsort(np.argsort(durations + np.random.default_rng(0).random(len(durations)) * 0.5)) + 0.5
    score = ndtri(ranks / len(durations))
    same = session[1:] == session[:-1]
    if same.sum() < 20:
        return 0.0
    return float(np.clip(np.mean(score[1:][same] * score[:-1][same]) / np.mean(score**2), 0, 0.99))


def profile(submit: np.ndarray, origin: datetime, classes: int, hours: int) -> list[float]:
    """Arrival rate by hour of the day or day of the week, over its mean."""
    first = origin.weekday() * 24 + origin.hour
    at = ((submit + origin.minute * 60 + origin.second) // 3600 + first).astype(int)
    counts = np.bincount(at - at[0])
    kinds = (at[0] + np.arange(len(counts))) // hours % classes
    seen = np.maximum(np.bincount(kinds, minlength=classes), 1)
    means = np.bincount(kinds, weights=counts, minlength=classes) / seen
    return [float(f"{x:.4g}") for x in means / means.mean()]


def swings(submit: np.ndarray, row: dict[str, Any], origin: datetime) -> list[dict[str, float]]:
    """Two swings that explain what is left of the dispersion of jobs when the profile and the sessions are there."""
    span, jobs = float(submit[-1] - submit[0]), len(submit)
    windows = [w for w in WINDOWS if w * 8 < span]
    seen = np.array([dispersion(submit, w) for w in windows])
    plain = row | {"arrivals": {key: value for key, value in row["arrivals"].items() if key != "swings"}}
    made = [draw(Draws(seed), jobs, plain, Choices()).times(span, origin, 1.0) for seed in range(16)]
    given = np.mean([[dispersion(np.sort(times), w) for w in windows] for times in made], axis=0)

    def model(parameters: np.ndarray) -> np.ndarray:
        found = given.copy()
        for a, m in zip(np.exp(parameters[::2]), np.exp(parameters[1::2]), strict=True):
            x = np.array(windows) / m
            found += 2 * jobs / span * a * m * (1 - (1 - np.exp(-x)) / x)
        return found

    bounds = (np.log([1e-4, 600, 1e-4, 7200]), np.log([400, 43200, 100, 20 * 86400]))
    start = np.log([0.5, 3600, 0.5, 86400])
    fit = least_squares(lambda x: np.log(model(x) / np.maximum(seen, 0.2)), start, bounds=bounds)
    amplitudes, memories = np.sqrt(np.exp(fit.x[::2])), np.exp(fit.x[1::2])
    cv = float(amplitudes.sum())
    lines = zip(windows, given.round(2).tolist(), model(fit.x).round(2).tolist(), seen.round(2).tolist(), strict=True)
    for window, without, fitted, wanted in lines:
        print(f"# {window:8g} s: without {without}, with {fitted}, trace {wanted}", file=sys.stderr)
    return [
        {"share": round(float(a) / cv, 3), "cv": round(cv, 3), "memory": round(float(m))}
        for a, m in zip(amplitudes, memories, strict=True)
    ]


def groups(gangs: np.ndarray, least: int) -> list[float]:
    """Upper bounds of classes of sizes with at least so many jobs each."""
    sizes, counts = np.unique(gangs, return_counts=True)
    bounds, have = [], 0
    for size, count in zip(sizes, counts, strict=True):
        have += count
        if have >= least:
            bounds.append(float(size))
            have = 0
    if bounds:
        bounds[-1] = float("inf")
    return bounds or [float("inf")]


def job_class(
    submit: np.ndarray, durations: np.ndarray, gangs: np.ndarray, total: int, threshold: float,
    common: tuple[list[float], list[float]] | None = None, origin: datetime = datetime(2024, 1, 1), least: int = 50,
) -> dict[str, Any]:  # fmt: skip
    """The row of one class; ``common`` profiles for a class that is too small to have its own."""
    session = sessions(submit, threshold)
    first = np.append(True, session[1:] != session[:-1])
    starts = submit[first]
    hours, days = common or (profile(starts, origin, 24, 1), profile(starts, origin, 7, 24))
    low, laws = -np.inf, []
    for bound in groups(gangs, least):
        laws.append({"up_to": bound} | table(durations[(gangs > low) & (gangs <= bound)], 1.0))
        low = bound
    sizes, counts = np.unique(gangs, return_counts=True)
    row: dict[str, Any] = {"share": round(len(submit) / total, 5)}
    row["arrivals"] = {"hour_of_day": hours, "day_of_week": days}
    inside = np.diff(submit)[~first[1:]]
    if len(inside) > 20:
        row["sessions"] = {
            "length": table(np.bincount(session), 1.0),
            "gap": table(inside, 0.3),
            "alike": round(alike(durations, session), 2),
        }
    row["accelerators"] = {
        (int(size) if size == int(size) else float(size)): float(f"{count / len(gangs):.4g}")
        for size, count in zip(sizes, counts, strict=True)
    }
    row["durations"] = laws
    found = swings(submit, row, origin)
    row["arrivals"] = ({} if common else row["arrivals"]) | {"swings": found}
    return row


def philly(path: Path) -> None:
    """One class for each virtual cluster; the heartbeat of the second, a job every ten minutes, is one of its own."""
    trace = read_trace(path, "philly").between("2017-09-24 14:00:00")
    origin = trace.origin or datetime(2024, 1, 1)
    print(f"# {len(trace)} jobs, rate {(len(trace) - 1) / trace.span:.5g}/s", file=sys.stderr)
    starts = trace.columns["submit"][sessions(trace.columns["submit"], 300) > -1]
    pooled = (profile(starts, origin, 24, 1), profile(starts, origin, 7, 24))
    names = ("6214e9", "11cb48", "6c71a0", "0e4a51", "7f04ca", "2869ce")
    for number, (name, threshold) in enumerate(zip(names, (120, 120, 300, 300, 600, 600), strict=True), 1):
        columns = trace.where(tenant=name).columns
        s, d, a = (columns[key] for key in ("submit", "duration", "accelerators"))
        part = f"vc{number}"
        if name == "11cb48":
            beat = (d >= 55) & (d <= 100) & (a == 1) & np.isin(np.floor(s % 600 / 10), (7, 8, 9))
            dump(f"{part}-beat", job_class(s[beat], d[beat], a[beat], len(trace), 615, pooled, origin), part)
            s, d, a = s[~beat], d[~beat], a[~beat]
        common = None if len(s) > 5000 else pooled
        dump(part, job_class(s, d, a, len(trace), threshold, common, origin), part)


def flat(path: Path, format: str, threshold: float, least: int, **options: Any) -> tuple[Any, dict[str, Any]]:
    """One class for a trace whose clock has no weekday."""
    trace = read_trace(path, format, **options)
    print(f"# {len(trace)} jobs, rate {(len(trace) - 1) / trace.span:.5g}/s", file=sys.stderr)
    s, d, a = (trace.columns[key] for key in ("submit", "duration", "accelerators"))
    beginning = s[sessions(s, threshold).searchsorted(np.arange(sessions(s, threshold)[-1] + 1))]
    common = (profile(beginning, datetime(2024, 1, 1), 24, 1), [1.0] * 7)
    row = job_class(s, d, a, len(trace), threshold, common, least=least)
    row["arrivals"] = {"hour_of_day": common[0]} | row["arrivals"]
    return trace, row


def muri(path: Path) -> None:
    """Models are drawn apart from the rest, as that project gave them out."""
    dump("jobs", flat(path, "muri", 600, 50)[1])


def chronus(path: Path) -> None:
    """Kinds: jobs with strict, soft and no deadlines."""
    trace, row = flat(path, "chronus", 60, 50)
    dump("jobs", row)
    slack = (trace.columns["deadline"] - trace.columns["submit"]) / trace.columns["duration"]
    print("    kinds:")
    for kind in ("soft", "strict", "best"):
        of = trace.columns["job_type"] == kind
        text = f"      {kind}: {{share: {of.mean():.4f}, columns: {{job_type: {kind}}}"
        print(wrapped(f"{text}, slack: {flow(table(slack[of], 0.1))}}}" if kind != "best" else text + "}", 6))


def pai(path: Path) -> None:
    """Cores as they are; of accelerators the sample knows nothing."""
    trace, row = flat(path, "gaia", 60, 10**9)
    cores, counts = np.unique(trace.columns["cores"], return_counts=True)
    row["shapes"] = [{"up_to": np.inf, "of": [[float(c), 0, int(n)] for c, n in zip(cores, counts, strict=True)]}]
    dump("jobs", row)


def mustang(path: Path) -> None:
    """Nodes count as accelerators."""
    dump("jobs", flat(path, "gaia", 60, 2000, cpus="accelerators")[1])


def powers(mean: float, most: int) -> dict[float, float]:
    """Weights of powers of two, geometric, of this mean; with 60 % on 1 where that alone would put less there."""
    sizes = 2.0 ** np.arange(int(np.log2(most)) + 1)

    def weights(r: float, one: float | None) -> np.ndarray:
        w = r ** np.arange(len(sizes))
        if one is not None:
            w[0] = one / (1 - one) * w[1:].sum()
        return np.asarray(w / w.sum())

    for one in (None, 0.6):
        low, high = 1e-6, 4.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if (weights(middle, one) * sizes).sum() < mean else (low, middle)
        if weights(low, one)[0] >= 0.55:
            break
    return dict(zip(sizes.tolist(), weights(low, one).tolist(), strict=True))


def summary(
    name: str, mean: float, median: float, gangs: float, work: float | None, most: float, longest: float
) -> None:
    """Lognormal durations, longer for larger jobs, of the published mean, median and accelerator-seconds of a job.

    ``mean`` and ``median`` of durations (s), mean ``gangs``, mean ``work`` (accelerator-seconds; None: of no matter),
    ``most`` accelerators, ``longest`` duration, at which the law is cut.
    """
    sizes = powers(gangs, int(most)) if most > 1 else {0.0: 1.0}
    size, share = np.array(list(sizes)), np.array(list(sizes.values()))
    step = np.log2(np.maximum(size, 1))
    u = (np.arange(4000) + 0.5) / 4000

    def values(x: np.ndarray) -> np.ndarray:
        return np.minimum(np.exp(x[0] + x[1] * step[:, None] + np.exp(x[2]) * ndtri(u)[None, :]), longest)

    def off(x: np.ndarray) -> list[float]:
        v = values(x)
        below = share @ (v <= median).mean(axis=1)
        wanted = [np.log(share @ v.mean(axis=1) / mean), ndtri(np.clip(below, 1e-6, 1 - 1e-6))]
        if work is None:
            return [*wanted, float(x[1])]
        return [*wanted, np.log((share * size) @ v.mean(axis=1) / work)]

    x = least_squares(off, [np.log(median), 0.1, np.log(2.5)], diff_step=1e-3).x
    v = values(x)
    found = share @ v.mean(axis=1), share @ (v <= median).mean(axis=1), (share * size) @ v.mean(axis=1)
    print(f"# {name}: mean, share up to the median, work {found}; {x}", file=sys.stderr)
    keep = [i for i in range(len(size)) if share[i] > 1e-6]
    weights = {(int(size[i]) if size[i] == int(size[i]) else size[i]): float(f"{share[i]:.4g}") for i in keep}
    print(f"  {name}:")
    print(wrapped(f"    accelerators: {flow(weights)}", 4))
    print("    durations:")
    for i in keep:
        bound = np.inf if i == keep[-1] else float(size[i])
        law = {"mu": round(float(x[0] + x[1] * step[i]), 4), "sigma": round(float(np.exp(x[2])), 4)}
        print(f"      - {flow({'up_to': bound, 'lognormal': law, 'at_most': float(longest)})}")


def summaries(path: Path) -> None:
    """Helios and Acme from their published summaries: cluster_summary.csv of AcmeTrace, helios_cluster_summary.csv."""
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            name, jobs = line["id"].lower(), float(line["gpu_job_num"])
            if not line["complete_gpu_time"] or name in ("philly", "total"):
                continue
            work = sum(float(line[f"{state}_gpu_time"]) for state in ("complete", "cancel", "fail")) / jobs
            mean, median, gangs = (float(line[key]) for key in ("avg_run_time_gpu", "med_run_time_gpu", "avg_gpu_num"))
            most, longest = float(line.get("max_gpu") or 2048), float(line.get("max_run_time_gpu") or 4320009)
            print(f"# {name}: jobs {jobs:g}, CPU jobs {line['cpu_job_num']}", file=sys.stderr)
            summary(f"{name}-gpu", mean, median, gangs, work, most, longest)
            if float(line["cpu_job_num"]):
                mean, median = float(line["avg_run_time_cpu"]), float(line["med_run_time_cpu"])
                summary(f"{name}-cpu", mean, median, 0.0, None, 1, longest)


def reference(path: Path) -> None:
    """The reference of every preset with a trace in the folder ``path``: quantiles, sizes, dispersion, means."""
    philly = read_trace(path / "philly/philly.shared_vcs.csv.gz", "philly")
    pods = path / "alibaba_gpu_2023/openb_pod_list_default.csv"
    gaia = {"pai": "alibaba_pai_gaia/pai-100k.h1.csv.gz", "mustang": "mustang_gaia/mustang-trace-2015-100k.h1.csv.gz"}
    chronus = path / "chronus_deadlines/trace_job_Philly_MIX2.days_0_to_9.3.csv.gz"
    traces = {
        "philly-like": philly,
        "philly-vc-like": philly.between("2017-09-24 14:00:00"),
        "openb-like": read_trace(pods, "openb"),
        "muri-like": read_trace(path / "muri_stage_times/trace1.csv", "muri"),
        "muri-wide-like": read_trace(path / "muri_stage_times/trace3.csv", "muri"),
        "chronus-like": read_trace(chronus, "chronus"),
        "pai-like": read_trace(path / gaia["pai"], "gaia"),
        "mustang-like": read_trace(path / gaia["mustang"], "gaia", cpus="accelerators"),
    }
    arrivals = {"openb-like": read_trace(pods, "openb", pending="keep").between(8_387_257.0)}
    for name, trace in traces.items():
        columns, came = trace.columns, arrivals.get(name, trace)
        known, counted = describe(trace), describe(came)
        sizes, counts = np.unique(columns["accelerators"], return_counts=True)
        up_to = np.cumsum(counts) / len(trace)
        shown = [i for i in range(len(sizes)) if len(sizes) <= 30 or sizes[i] in 2.0 ** np.arange(11)]
        print(f"{name}:\n  source: >-\n    SOURCE\n  jobs: {len(came)}")
        print(wrapped(f"  durations: {flow(table(columns['duration'], 1.0))}", 2))
        if name != "pai-like":
            print(wrapped(f"  sizes: {flow({float(sizes[i]): float(f'{up_to[i]:.5g}') for i in shown})}", 2))
        figures = {key: counted[key] for key in ("dispersion.1 min", "dispersion.1 h")}
        figures |= {key: known[key] for key in ("duration.mean", "work.mean") if known[key] > 0}
        print(wrapped(f"  figures: {flow({key: float(f'{value:.5g}') for key, value in figures.items()})}", 2))


def flow(value: Any) -> str:
    """YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float):
        return ".inf" if value == np.inf else f"{value:.6g}"
    return str(value)


def wrapped(text: str, indent: int) -> str:
    """Break a line of YAML in flow style at 120 characters."""
    lines, pad = [], " " * (indent + 4)
    while len(text) > 118:
        cut = text.rfind(" ", indent + 10, 118)
        lines.append(text[:cut])
        text = pad + text[cut + 1 :]
    return "\n".join([*lines, text])


def dump(name: str, row: dict[str, Any], tenant: str = "") -> None:
    """Print a class."""
    print(f"  {name}:")
    print(f"    share: {row['share']}")
    if tenant:
        print(f"    columns: {{tenant: {tenant}}}")
    for key in ("arrivals", "sessions"):
        if key in row:
            print(f"    {key}:")
            for part, value in row[key].items():
                print(wrapped(f"      {part}: {flow(value)}", 6))
    print(wrapped(f"    accelerators: {flow(row['accelerators'])}", 4))
    if "shapes" in row:
        print(wrapped(f"    shapes: {flow(row['shapes'])}", 4))
    print("    durations:")
    for law in row["durations"]:
        print(wrapped(f"      - {flow(law)}", 6))


FITS: dict[str, Callable[[Path], None]] = {
    fit.__name__: fit for fit in (philly, muri, chronus, pai, mustang, summaries, reference)
}

if __name__ == "__main__":
    FITS[sys.argv[1]](Path(sys.argv[2]))
