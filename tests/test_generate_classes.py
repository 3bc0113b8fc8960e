"""Presets of several classes: what each makes, options, streams, and that loads are hit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.classes import counts
from simulator.workload.generate import generate, generators
from simulator.workload.generators.mixed import rows
from simulator.workload.jobs import BatchJob
from simulator.workload.likeness import dispersion, spearman
from simulator.workload.presets import DATA, numbers
from simulator.workload.speedup import Given
from simulator.workload.throughputs import table
from simulator.workload.trace import Trace

PRESETS = sorted(path.stem for path in DATA.glob("*.yaml") if "classes" in numbers(path))


def same(a: Trace, b: Trace, *but: str) -> bool:
    return all(a.columns[name].tolist() == b.columns[name].tolist() for name in a.columns if name not in but)


def test_the_presets() -> None:
    assert PRESETS == [
        "acme-kalos-like", "acme-seren-like", "chronus-like", "gavel-like", "gavel-multi-like", "helios-like",
        "muri-like", "muri-wide-like", "mustang-like", "pai-like", "philly-vc-like", "spot-like",
    ]  # fmt: skip
    for name in PRESETS:
        assert generators.summary(name) == numbers(DATA / f"{name}.yaml")["summary"] + "."
        assert math.isclose(sum(row["share"] for row in rows(DATA / f"{name}.yaml").values()), 1.0, abs_tol=1e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_jobs_that_can_run(name: str) -> None:
    trace = generate(name, jobs=2000, seed=2, max_duration="1 d", start="2023-07-01 06:00")
    columns = trace.columns
    assert len(trace) == 2000
    assert 1 <= columns["duration"].min() <= columns["duration"].max() <= 86400
    assert np.all(columns["submit"] == np.floor(columns["submit"]))
    assert columns["submit"][-1] <= 2000 / numbers(DATA / f"{name}.yaml")["arrivals"]["rate"]
    jobs = list(trace.jobs("w"))
    assert all(isinstance(job, BatchJob) and job.accelerators >= 0 for job in jobs)
    assert same(trace, generate(name, jobs=2000, seed=2, max_duration="1 d", start="2023-07-01 06:00"))


@pytest.mark.parametrize("name", PRESETS)
def test_load_moves_arrivals_and_nothing_else(name: str) -> None:
    """Within a class; classes come in another order."""
    sparse, dense = (generate(name, jobs=600, seed=1, accelerators=64, load=load) for load in (0.4, 0.9))
    for column in ("duration", "accelerators"):
        assert sorted(sparse.columns[column].tolist()) == sorted(dense.columns[column].tolist())
    assert dense.span < sparse.span
    for other in ({"seed": 2}, {"replication": 1}, {"prefix": "b"}):
        different = generate(name, **{"jobs": 600, "seed": 1, "accelerators": 64, "load": 0.4} | other)
        assert different.columns["duration"].tolist() != sparse.columns["duration"].tolist()


@pytest.mark.parametrize("name", PRESETS)
def test_the_load_is_hit(name: str) -> None:
    """All jobs come within jobs / rate seconds: the load over that span is exact by the note's own numbers."""
    trace = generate(name, jobs=3000, seed=5, accelerators=512, load=0.7, max_duration="2 d")
    span = trace.accelerator_seconds / (0.7 * 512)
    assert trace.columns["submit"][-1] <= span
    assert trace.columns["submit"][-1] > 0.5 * span
    assert "load 0.7 of 512 accelerators" in trace.notes[0]


@settings(max_examples=25)
@given(st.sampled_from(PRESETS), st.integers(1, 120), st.integers(0, 10), st.floats(0.05, 3.0), st.floats(0.0, 3.0))
def test_any_length_load_and_burstiness(name: str, jobs: int, seed: int, load: float, burstiness: float) -> None:
    trace = generate(name, jobs=jobs, seed=seed, accelerators=8, load=load, burstiness=burstiness)
    assert len(trace) == jobs
    assert trace.columns["submit"][0] >= 0
    assert np.all(np.isfinite(trace.columns["submit"]))


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 5.0), min_size=1), st.integers(0, 1000))
def test_counts_add_up_and_are_as_near_as_can_be(shares: dict[str, float], jobs: int) -> None:
    found = counts(shares, jobs)
    assert sum(found.values()) == jobs
    total = sum(shares.values())
    assert all(abs(found[name] - shares[name] / total * jobs) < 1 for name in shares)


# --- bursts, tenants, users -------------------------------------------------------------------------------------


def test_burstiness_goes_from_poisson_upwards() -> None:
    wild, plain, none = (
        generate("philly-vc-like", jobs=20_000, seed=3, burstiness=b).columns["submit"] for b in (2.0, 1.0, 0.0)
    )
    assert dispersion(wild, 3600) > dispersion(plain, 3600) > 10 * dispersion(none, 3600)
    assert dispersion(none, 60) == pytest.approx(1.0, abs=0.2)


def test_a_burst_belongs_to_a_tenant_and_its_jobs_are_alike() -> None:
    columns = generate("philly-vc-like", jobs=20_000, seed=4).columns
    arrays = columns["array"]
    several = [name for name in dict.fromkeys(arrays.tolist()) if name]
    assert len(several) > 100
    spread = []
    for name in several[:200]:
        of = arrays == name
        assert len(set(columns["tenant"][of].tolist())) == 1
        assert len(set(columns["user"][of].tolist())) == 1
        assert len(set(columns["accelerators"][of].tolist())) == 1
        spread.append(np.log(columns["duration"][of]).std())
    assert np.mean(spread) < 0.6 * np.log(columns["duration"]).std()


def test_tenants_and_users_of_the_users_choice() -> None:
    mine = generate("philly-vc-like", jobs=5000, seed=1, tenants={"a": 3, "b": 1}, users=4, burstiness=0)
    assert np.mean(mine.columns["tenant"] == "a") == pytest.approx(0.75, abs=0.03)
    users, busy = np.unique(mine.columns["user"].astype(str), return_counts=True)
    assert users.tolist() == [f"{tenant}-{number}" for tenant in "ab" for number in range(1, 5)]
    assert busy[:4].tolist() == sorted(busy[:4].tolist(), reverse=True)
    none = generate("philly-vc-like", jobs=100, seed=1, tenants=0, users=0)
    assert "tenant" not in none.columns
    assert "user" not in none.columns


def test_requested_times_are_one_for_a_session() -> None:
    columns = generate("philly-vc-like", jobs=5000, seed=1, requested="user").columns
    assert np.all(columns["estimate"] >= columns["duration"])
    first = next(name for name in columns["array"].tolist() if name)
    assert len(set(columns["estimate"][columns["array"] == first].tolist())) == 1
    assert np.median(columns["estimate"] / columns["duration"]) > 1.5


# --- what single presets have -----------------------------------------------------------------------------------


def test_states_have_the_shares_of_jobs_and_of_time() -> None:
    columns = generate("philly-vc-like", jobs=60_000, seed=2).columns
    work = columns["accelerators"] * columns["duration"]
    for state, jobs, time in (("COMPLETED", 0.604, 0.321), ("CANCELLED", 0.09, 0.294), ("FAILED", 0.305, 0.386)):
        of = columns["state"] == state
        assert of.mean() == pytest.approx(jobs, abs=0.02)
        assert work[of].sum() / work.sum() == pytest.approx(time, abs=0.12)


def test_deadlines_of_chronus() -> None:
    columns = generate("chronus-like", jobs=20_000, seed=1).columns
    slack = (columns["deadline"] - columns["submit"]) / columns["duration"]
    assert np.all(np.isinf(slack) == (columns["job_type"] == "best"))
    for kind in ("soft", "strict"):
        assert np.median(slack[columns["job_type"] == kind]) == pytest.approx(1.92, abs=0.15)
    tight = generate("chronus-like", jobs=100, seed=1, slack={1.5: 1}).columns
    assert (tight["deadline"] - tight["submit"]).tolist() == (1.5 * tight["duration"]).tolist()


def test_spot_jobs_may_be_stopped() -> None:
    trace = generate("spot-like", jobs=20_000, seed=1, types={"H800": "nvidia/h800-sxm"})
    spot = trace.columns["job_type"] == "Spot"
    assert spot.mean() == pytest.approx(0.1096, abs=0.001)
    assert trace.columns["preemptible"].tolist() == spot.tolist()
    assert trace.columns["priority"].tolist() == (~spot).astype(float).tolist()
    h800 = trace.columns["gpu_model"] == "H800"
    bound = [types == ("nvidia/h800-sxm",) for types in trace.columns["accelerator_types"].tolist()]
    assert bound == h800.tolist()
    assert trace.columns["accelerators"][h800].mean() == pytest.approx(65, rel=0.25)


def test_gavel_has_its_law_and_paces() -> None:
    trace = generate("gavel-multi-like", jobs=20_000, seed=3, types={"v100": "big"}, priorities={1: 0.8, 5: 0.2})
    minutes = trace.columns["duration"] / 60
    assert np.mean(minutes < 1000) == pytest.approx(0.8, abs=0.01)
    assert minutes.min() == pytest.approx(10**1.5, rel=0.02)
    assert minutes.max() == pytest.approx(10**4, rel=0.02)
    assert np.mean(trace.columns["priority"] == 5) == pytest.approx(0.2, abs=0.01)
    sizes, seen = np.unique(trace.columns["accelerators"], return_counts=True)
    assert dict(zip(sizes.tolist(), (seen / 20_000).tolist(), strict=True)) == pytest.approx(
        {1.0: 0.7, 2.0: 0.1, 4.0: 0.15, 8.0: 0.05}, abs=0.01
    )
    for job in list(trace.jobs())[:200]:
        assert job.speedup is not None
        assert job.model in table("gavel").models(int(job.accelerators))
        assert job.speedup.seconds(Given(job.accelerators, 1, "big")) == pytest.approx(job.duration)
    assert len(set(generate("gavel-like", jobs=2000, seed=1).columns["model"].tolist())) == 26


def test_large_jobs_are_long_where_the_published_work_says_so() -> None:
    columns = generate("acme-kalos-like", jobs=20_000, seed=1).columns
    assert spearman(columns["accelerators"], columns["duration"]) > 0.2
    shares = columns["accelerators"] * columns["duration"]
    assert shares[columns["accelerators"] >= 128].sum() / shares.sum() > 0.7


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"users": -1}, "users: -1 is not a whole number of users of a tenant, 0 or more"),
        ({"users": 2.5}, "users: 2.5 is not a whole number of users of a tenant, 0 or more"),
        ({"tenants": {"a": 0}}, "tenants: {'a': 0} are not weights: numbers of 0 or more, not all 0"),
        ({"burstiness": math.nan}, "burstiness: nan is not a number of 0 or more"),
        ({"requested": 0}, "requested: 0 is neither 'exact' nor 'user' nor a factor above 0"),
        ({"slack": {"soon": 1}}, "slack: {'soon': 1} are not weights by number"),
        ({"priorities": {1: -1}}, "priorities: {1: -1} are not weights: numbers of 0 or more, not all 0"),
        ({"start": "soon"}, "start: 'soon' is not a date such as '2024-01-01'"),
        ({"max_duration": 0.5}, "max_duration: 0.5 s is less than 1 s"),
        ({"rate": 1e-15}, "10 jobs at 1e-15 jobs/s take 317,097,920 years; ask for fewer jobs or more load"),
    ],
)
def test_refusals(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as wrong:
        generate("philly-vc-like", jobs=10, **options)
    assert str(wrong.value) == text
