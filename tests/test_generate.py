"""Generated workloads: laws and fits they must meet, loads they must hit, and that they never change."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.files import text_lines
from simulator.workload.formats import read_trace
from simulator.workload.generate import generate, generator_options, generators
from simulator.workload.presets import DATA, numbers
from simulator.workload.requestformats import read_requests
from simulator.workload.requesthashes import prefix_reuse
from simulator.workload.sampling import Draws, Rhythm, Swing, choose, from_quantiles, gamma_swing, pick
from simulator.workload.trace import Trace

PRESETS = ["openb-like", "philly-like"]
LAST_53_DAYS = 8_387_257.0
"""Second of the openb trace from which pods come every day; the arrivals of the preset are fitted to these."""


def ks(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance of two samples."""
    at = np.concatenate([a, b])
    cdfs = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (a, b)]
    return float(np.abs(cdfs[0] - cdfs[1]).max())


def dispersion(submit: np.ndarray, window: float) -> float:
    """Index of dispersion: variance over mean of the arrivals in windows of so many seconds."""
    counts = np.bincount((submit // window).astype(int))[:-1]
    return float(counts.var() / counts.mean())


def refused(name: str, **options: Any) -> str:
    with pytest.raises(InputError) as wrong:
        generate(name, **options)
    return str(wrong.value)


def test_the_generators() -> None:
    assert {*PRESETS, "poisson"} <= set(generators.names())
    assert generator_options("poisson") == ["accelerators", "load", "rate", "mean", "duration", "cv", "size"]
    for name in PRESETS:
        assert generators.summary(name) == numbers(DATA / f"{name}.yaml")["summary"] + "."


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        (
            "philly-lik",
            {"jobs": 1},
            "unknown generator 'philly-lik'. Did you mean 'philly-like'?",
        ),
        ("poisson", {"jobs": 0}, "jobs: 0 is not a whole number of jobs, 1 or more"),
        ("poisson", {"jobs": 2.5}, "jobs: 2.5 is not a whole number of jobs, 1 or more"),
        (
            "poisson",
            {"jobs": 1, "rte": 1},
            "generator 'poisson' has no option 'rte'. Did you mean 'rate'? "
            "Known: accelerators, cv, duration, load, mean, rate, size.",
        ),
        ("poisson", {"jobs": 1}, "how often do jobs come? Give load and accelerators, or rate"),
        ("poisson", {"jobs": 1, "load": 0.5}, "load: 0.5 of how many accelerators? Give accelerators too"),
        ("poisson", {"jobs": 1, "load": -1, "accelerators": 2}, "load: -1 is not a number above 0"),
        ("poisson", {"jobs": 1, "load": 0.5, "rate": 2}, "load 0.5 and rate 2 contradict each other: give one of them"),
        ("poisson", {"jobs": 1, "rate": math.nan}, "rate: nan is not a number above 0"),
        ("poisson", {"jobs": 1, "rate": 1, "mean": 0}, "mean: 0 is not a number above 0"),
        (
            "poisson",
            {"jobs": 1, "rate": 1, "duration": "normal"},
            "duration: 'normal' is not a choice. Did you mean 'lognormal'? Known: deterministic, exponential, ",
        ),
        (
            "poisson",
            {"jobs": 1, "rate": 1, "size": 2.5},
            "size: 2.5 accelerators: whole accelerators, or a share below 1 of a single one",
        ),
        ("philly-like", {"jobs": 1, "rate": 1e-15}, "1 jobs at 1e-15 jobs/s take 31,709,792 years; ask for fewer jobs"),
        ("philly-like", {"jobs": 1, "tenants": {"a": 0}}, "tenants: {'a': 0} are not weights: numbers of 0 or more"),
        ("philly-like", {"jobs": 1, "tenants": -2}, "tenants: -2 is neither a number of tenants nor weights by name"),
        ("philly-like", {"jobs": 1, "start": "soon"}, "start: 'soon' is not a date such as '2024-01-01'"),
        ("philly-like", {"jobs": 1, "max_duration": 0.5}, "max_duration: 0.5 s is less than 1 s"),
        ("philly-like", {"jobs": 1, "burstiness": -1}, "burstiness: -1 is not a number of 0 or more"),
        ("philly-like", {"jobs": 1, "requested": "usr"}, "requested: 'usr' is neither 'exact' nor 'user' nor a factor"),
    ],
)
def test_refusals(name: str, options: dict[str, Any], text: str) -> None:
    assert refused(name, **options).startswith(text)


def test_wrong_units_are_named() -> None:
    assert refused("poisson", jobs=1, rate=1, mean="1 GiB").startswith("generator 'poisson', mean: '1 GiB' has ")


# --- the textbook -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, {1: 0.75, 8: 0.25}])
@pytest.mark.parametrize(("duration", "cv"), [("exponential", 1.0), ("deterministic", 0.0), ("lognormal", 2.0)])
def test_poisson_meets_its_laws(size: Any, duration: str, cv: float) -> None:
    trace = generate(
        "poisson",
        jobs=200_000,
        seed=3,
        accelerators=16,
        load=0.8,
        mean="10 min",
        duration=duration,
        cv=cv or 1.0,
        size=size,
    )
    gaps = np.diff(trace.columns["submit"], prepend=0.0)
    mean_gang = 1.0 if size == 1 else 0.75 + 8 * 0.25
    assert gaps.mean() == pytest.approx(mean_gang * 600 / (0.8 * 16), rel=0.01)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.01)
    assert np.corrcoef(gaps[1:], gaps[:-1])[0, 1] == pytest.approx(0.0, abs=0.01)
    durations = trace.columns["duration"]
    assert durations.mean() == pytest.approx(600, rel=0.02)
    assert durations.std() / durations.mean() == pytest.approx(cv, abs=0.1 if cv == 2.0 else 0.01)
    assert trace.columns["accelerators"].mean() == pytest.approx(mean_gang, rel=0.01)
    assert trace.origin is None


def test_poisson_takes_a_rate_with_its_unit() -> None:
    trace = generate("poisson", jobs=50_000, rate="3 /h")
    assert len(trace) / trace.span == pytest.approx(3 / 3600, rel=0.02)
    assert trace.notes == ("generated: 0.000833333 jobs/s of 3,600 accelerator-seconds each on average",)


# --- randomness -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PRESETS, "poisson"])
def test_streams(name: str) -> None:
    """One seed, one workload; another seed, replication or prefix, another; load moves arrivals only."""
    options: dict[str, Any] = {"jobs": 300, "accelerators": 64, "load": 0.5}
    base = generate(name, seed=1, **options)
    again = generate(name, seed=1, **options)
    assert all(base.columns[key].tolist() == again.columns[key].tolist() for key in base.columns)
    for other in ({"seed": 2}, {"replication": 1}, {"prefix": "b"}):
        different = generate(name, **{"seed": 1, **options, **other})
        assert different.columns["duration"].tolist() != base.columns["duration"].tolist()
        assert different.columns["submit"].tolist() != base.columns["submit"].tolist()
    denser = generate(name, seed=1, **options | {"load": 0.9})
    assert denser.columns["duration"].tolist() == base.columns["duration"].tolist()
    assert denser.columns["accelerators"].tolist() == base.columns["accelerators"].tolist()
    assert denser.span < base.span
    longer = generate(name, seed=1, **options | {"jobs": 400})
    assert longer.columns["duration"][:300].tolist() == base.columns["duration"].tolist()


def test_the_same_bytes_under_another_hash_seed() -> None:
    code = (
        "import hashlib; from simulator.workload.generate import generate;"
        "t = generate('openb-like', jobs=500, seed=5);"
        "print(hashlib.sha256(b''.join(repr(t.columns[k].tolist()).encode() for k in sorted(t.columns))).hexdigest())"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(DATA.parents[2])},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert digests[0] == digests[1]
    assert len(digests[0]) == 65


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-3), st.integers(0, 99))
def test_choices_follow_their_weights(weights: list[float], seed: int) -> None:
    picked = choose(np.random.default_rng(seed).random(4000), weights)
    shares = np.bincount(picked, minlength=len(weights)) / 4000
    assert np.abs(shares - np.array(weights) / sum(weights)).max() < 0.05
    assert pick(np.array([0.0, 0.999999]), {4.0: 1.0, 2.0: 1.0}).tolist() == [4.0, 2.0]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_inversion_is_monotone_and_goes_through_the_table(uniform: list[float]) -> None:
    p, v = [0.0, 0.5, 0.9, 1.0], [1.0, 10.0, 100.0, 10_000.0]
    values = from_quantiles(np.sort(uniform), p, v)
    assert np.all(np.diff(values) >= 0)
    assert from_quantiles(np.array(p), p, v) == pytest.approx(v)


# --- arrivals ---------------------------------------------------------------------------------------------------


def test_a_swing_is_gamma_with_the_memory_it_says() -> None:
    swing = Swing(share=1.0, cv=1.5, memory=3600.0)
    values = gamma_swing(Draws(1).stream("x"), swing, 600.0, 400_000)
    assert values.mean() == pytest.approx(1.0, abs=0.03)
    assert values.std() == pytest.approx(1.5, rel=0.05)
    for lag in (1, 6, 12):
        measured = np.corrcoef(values[lag:], values[:-lag])[0, 1]
        assert measured == pytest.approx(math.exp(-lag * 600 / 3600), abs=0.03)
    gamma = np.random.default_rng(2).standard_gamma(1.5**-2, 400_000) * 1.5**2
    assert ks(values[::20], gamma) < 0.015


def test_the_profile_knows_hours_and_weekdays() -> None:
    rhythm = Rhythm(tuple([2.0] * 12 + [0.0] * 12), (1, 1, 1, 1, 1, 0, 2), step=3600.0)
    week = rhythm.profile(datetime(2024, 1, 1), 168)
    assert week.mean() == pytest.approx(1.0)
    assert week[:24].tolist() == [2.0] * 12 + [0.0] * 12
    assert week[120:144].tolist() == [0.0] * 24
    assert week[144] == 4.0
    assert rhythm.profile(datetime(2024, 1, 6, 23), 2).tolist() == [0.0, 4.0]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("jobs", "load"), [(200, 0.3), (4000, 0.85), (4000, 1.2)])
def test_a_preset_hits_its_load(name: str, jobs: int, load: float) -> None:
    """Accelerator-seconds over accelerators x time of the last arrival, which is on whole seconds."""
    trace = generate(name, jobs=jobs, seed=11, accelerators=256, load=load)
    end = float(trace.columns["submit"][-1])
    assert trace.accelerator_seconds / (256 * (end + 0.5)) == pytest.approx(load, rel=1e-3 + 1 / end)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_jobs_that_can_run(name: str) -> None:
    trace = generate(name, jobs=5000, seed=2, max_duration="1 d", tenants=3, start="2023-07-01 06:00")
    columns = trace.columns
    assert columns["duration"].min() >= 1
    assert columns["duration"].max() == 86400
    assert np.all(columns["submit"] == np.floor(columns["submit"]))
    assert set(columns["tenant"].tolist()) == {"tenant-1", "tenant-2", "tenant-3"}
    assert trace.origin == datetime(2023, 7, 1, 6)
    assert all(job.accelerators <= 32 for job in trace.jobs())
    assert "tenant" not in generate(name, jobs=5, tenants=0).columns


def test_tenants_as_fitted_and_by_weight() -> None:
    fitted = generate("philly-like", jobs=20_000, seed=1)
    names, counts = np.unique(fitted.columns["tenant"].astype(str), return_counts=True)
    assert names.tolist() == ["vc1", "vc2", "vc3", "vc4", "vc5", "vc6"]
    assert counts[0] / 20_000 == pytest.approx(0.5902, abs=0.01)
    big = fitted.where(tenant="vc6").columns["accelerators"]
    assert np.mean(big == 8) == pytest.approx(0.694, abs=0.1)
    mine = generate("philly-like", jobs=20_000, seed=1, tenants={"a": 3, "b": 1})
    assert np.mean(mine.columns["tenant"] == "a") == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("name", PRESETS)
def test_burstiness_scales_the_swings(name: str) -> None:
    """0 leaves the profile of hours and weekdays, and no more: near Poisson within an hour."""
    wild, plain, none = (
        dispersion(generate(name, jobs=20_000, seed=3, burstiness=b).columns["submit"], 3600) for b in (4.0, 1.0, 0.0)
    )
    assert wild > plain > none
    assert none < 8


def test_requested_times_change_nothing_but_the_estimates() -> None:
    plain, asked = (generate("openb-like", jobs=500, seed=1, requested=kind) for kind in ("exact", 2.5))
    assert "estimate" not in plain.columns
    assert asked.columns["estimate"].tolist() == (2.5 * plain.columns["duration"]).tolist()
    assert all(asked.columns[name].tolist() == plain.columns[name].tolist() for name in plain.columns)


@settings(max_examples=20)
@given(st.sampled_from(PRESETS), st.integers(1, 200), st.integers(0, 10), st.floats(0.05, 3.0))
def test_presets_of_any_length(name: str, jobs: int, seed: int, load: float) -> None:
    trace = generate(name, jobs=jobs, seed=seed, accelerators=8, load=load)
    assert len(trace) == jobs
    assert trace.columns["submit"][0] >= 0
    assert np.all(np.isfinite(trace.columns["submit"]))


# --- how well the presets fit -----------------------------------------------------------------------------------


def test_the_data_files_are_the_fits(shared: Path) -> None:
    """The numbers in the presets are those of fits.yaml."""
    fits = yaml.load((shared / "traces/fits.yaml").read_text(), Loader=yaml.CSafeLoader)
    mine, theirs = numbers(DATA / "philly-like.yaml"), fits["philly"]
    for table, size in zip(mine["durations"], ("1", "2-4", "5+"), strict=True):
        assert table["p"] == theirs["duration_s_by_gpus"][size]["quantile_table"]["p"]
        assert table["v"] == theirs["duration_s_by_gpus"][size]["quantile_table"]["v"]
    assert mine["arrivals"]["hour_of_day"] == theirs["profile"]["hour_of_day"]
    assert mine["arrivals"]["day_of_week"] == theirs["profile"]["day_of_week_mon0"]
    assert mine["arrivals"]["rate"] == theirs["arrivals"]["rate_per_s"]
    assert list(mine["tenants"].values()) == list(theirs["vc_share"].values())
    pods, openb = numbers(DATA / "openb-like.yaml"), fits["alibaba_gpu_2023"]
    assert pods["durations"][0]["v"] == openb["runtime_s_all_censored"]["quantile_table"]["v"]
    assert pods["arrivals"]["rate"] == openb["arrivals"]["rate_per_s"]


def real_philly(shared: Path) -> Trace:
    return read_trace(shared / "traces/philly/philly.shared_vcs.csv.gz", "philly")


def real_openb(shared: Path) -> Trace:
    return read_trace(shared / "traces/alibaba_gpu_2023/openb_pod_list_default.csv", "openb", pending="keep")


@pytest.mark.parametrize(
    ("name", "real", "bound"), [("philly-like", real_philly, 0.025), ("openb-like", real_openb, 0.025)]
)
def test_durations_and_gangs_look_like_the_trace(
    shared: Path, name: str, real: Callable[[Path], Trace], bound: float
) -> None:
    theirs, mine = started(real(shared)).columns, generate(name, jobs=69_850, seed=1).columns
    assert ks(theirs["duration"], mine["duration"]) < bound
    assert ks(theirs["accelerators"], mine["accelerators"]) < bound
    assert np.mean(mine["duration"]) == pytest.approx(np.mean(theirs["duration"]), rel=0.1)


@pytest.mark.parametrize(("low", "high", "bound"), [(0, 1, 0.03), (1, 4, 0.05), (4, 32, 0.06)])
def test_durations_by_size_look_like_philly(shared: Path, low: float, high: float, bound: float) -> None:
    both = [
        durations(trace, low, high) for trace in (real_philly(shared), generate("philly-like", jobs=69_850, seed=1))
    ]
    assert ks(*both) < bound


@pytest.mark.parametrize(
    ("name", "real", "jobs", "bounds"),
    [
        ("philly-like", real_philly, 69_850, {600: (0.8, 1.25), 3600: (0.8, 1.25), 86400: (0.6, 1.6)}),
        ("openb-like", real_openb, 8_138, {600: (0.7, 1.4), 3600: (0.5, 1.6), 86400: (0.3, 1.6)}),
    ],
)
def test_arrivals_swing_like_the_trace(
    shared: Path, name: str, real: Callable[[Path], Trace], jobs: int, bounds: dict[int, tuple[float, float]]
) -> None:
    """Index of dispersion, mean of ten seeds; renewal arrivals of the same rate would stay near 1."""
    whole = real(shared)
    theirs = (whole.between(LAST_53_DAYS) if name == "openb-like" else whole).columns["submit"]
    made = [generate(name, jobs=jobs, seed=seed).columns["submit"] for seed in range(10)]
    for window, (low, high) in bounds.items():
        ratio = np.mean([dispersion(submit, window) for submit in made]) / dispersion(theirs, window)
        assert low < ratio < high, (window, ratio)


def test_hours_of_the_day_look_like_philly(shared: Path) -> None:
    shares = []
    for trace in (real_philly(shared), generate("philly-like", jobs=69_850, seed=4)):
        assert trace.origin is not None
        hours = [(trace.origin + timedelta(seconds=s)).hour for s in trace.columns["submit"].tolist()]
        shares.append(np.bincount(hours, minlength=24) / len(hours))
    assert np.corrcoef(*shares)[0, 1] > 0.6


def fit_table(shared: Path) -> str:
    """The table of docs/traces.md: each measure on the trace and, as mean of ten seeds, on the preset."""
    lines = ["| preset | measure | trace | preset |", "| --- | --- | --- | --- |"]
    for name, real in (("philly-like", real_philly(shared)), ("openb-like", real_openb(shared))):
        busy = real.between(LAST_53_DAYS) if name == "openb-like" else real
        ran = started(real)
        made = [generate(name, jobs=len(busy), seed=seed) for seed in range(10)]
        for measure, low, high in SIZES[name]:
            theirs = durations(ran, low, high)
            far = np.mean([ks(durations(trace, low, high), theirs) for trace in made])
            lines.append(f"| {name} | KS distance, durations {measure} | 0 | {far:.3f} |")
        far = np.mean([ks(trace.columns["accelerators"], real.columns["accelerators"]) for trace in made])
        lines.append(f"| {name} | KS distance, accelerators | 0 | {far:.3f} |")
        for measure, figure in FIGURES.items():
            theirs, ours = figure(busy if "arrivals" in measure else ran), np.mean([figure(trace) for trace in made])
            lines.append(
                f"| {name} | {measure} | {theirs:,.{2 if theirs < 10 else 0}f} | {ours:,.{2 if ours < 10 else 0}f} |"
            )
    return "\n".join(lines) + "\n"


SIZES = {
    "philly-like": (
        ("of all jobs", -1.0, math.inf),
        ("on 1 accelerator", 0.0, 1.0),
        ("on 2 to 4", 1.0, 4.0),
        ("on 5 and more", 4.0, math.inf),
    ),
    "openb-like": (("of all jobs", -1.0, math.inf),),
}
FIGURES: dict[str, Callable[[Trace], float]] = {
    "mean duration, s": lambda trace: float(trace.columns["duration"].mean()),
    "median duration, s": lambda trace: float(np.median(trace.columns["duration"])),
    "accelerator-seconds of a job": lambda trace: trace.accelerator_seconds / len(trace),
    "dispersion of arrivals, 1 min": lambda trace: dispersion(trace.columns["submit"], 60),
    "dispersion of arrivals, 10 min": lambda trace: dispersion(trace.columns["submit"], 600),
    "dispersion of arrivals, 1 h": lambda trace: dispersion(trace.columns["submit"], 3600),
    "dispersion of arrivals, 1 d": lambda trace: dispersion(trace.columns["submit"], 86400),
}


def started(trace: Trace) -> Trace:
    """The trace without pods that never ran."""
    if "state" not in trace.columns:
        return trace
    ran = trace.columns["state"] != "Pending"
    return Trace(trace.name, {key: column[ran] for key, column in trace.columns.items()})


def durations(trace: Trace, low: float, high: float) -> np.ndarray:
    """Durations of the jobs on more than ``low`` and up to ``high`` accelerators."""
    gangs = trace.columns["accelerators"]
    return trace.columns["duration"][(gangs > low) & (gangs <= high)]


def test_the_page_tells_how_well_the_presets_fit(shared: Path, root: Path) -> None:
    table = fit_table(shared)
    assert table in (root / "docs" / "traces.md").read_text("utf-8"), f"docs/traces.md must have\n{table}"


# --- the shipped samples ----------------------------------------------------------------------------------------


def test_the_shipped_samples_are_what_their_page_says(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "scenarios" / "data"
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)
    assert code is not None
    (tmp_path / "scenarios" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(code[1], "scenarios/data/README.md", "exec"), {})
    made = sorted(path.name for path in (tmp_path / "scenarios" / "data").iterdir())
    assert made == [
        "sample-azure.csv", "sample-mooncake.jsonl.gz", "sample-nodes.csv", "sample-pods.csv", "sample.csv",
    ]  # fmt: skip
    for name in made:
        again, shipped = tmp_path / "scenarios" / "data" / name, folder / name
        assert "".join(text_lines(again)) == "".join(text_lines(shipped)), name
        assert shipped.stat().st_size < 300_000


def test_the_shipped_samples_can_be_read(root: Path) -> None:
    jobs = read_trace(root / "scenarios/data/sample.csv", "philly")
    assert (len(jobs), jobs.set_aside) == (5000, ())
    pods = read_trace(root / "scenarios/data/sample-pods.csv", "openb", nodes="sample-nodes.csv")
    assert len(pods) == 1500
    assert sum(server.accelerators for server in pods.servers) == 64
    chats = read_requests(root / "scenarios/data/sample-azure.csv", "azure-llm")
    assert (len(chats), chats.set_aside) == (2000, ())
    reuse = prefix_reuse(read_requests(root / "scenarios/data/sample-mooncake.jsonl.gz", "mooncake"))
    assert reuse is not None
    assert 0.3 < reuse.share < 0.9
