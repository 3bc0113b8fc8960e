from __future__ import annotations

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.experiment.results import Results
from simulator.metrics.measures import get
from tests.synthetic import manifest, record
from tests.synthetic_serving import service_record, service_results


def results() -> Results:
    runs = {("fifo", 0): record(jobs=120), ("fifo", 1): record(jobs=120, replication=1)}
    return Results(runs | {("sjf", 0): record(jobs=120, order="sjf")}, manifest())


def test_groups_hold_every_job_once_and_their_means_make_the_whole() -> None:
    found = results()
    for by in ("tenant", "user", "workload", "size", "state", "1 h"):
        rows = found.by(by, "wait.mean")
        ours = rows[rows["alternative"] == "sjf"]
        assert ours["jobs"].sum() == 120
        whole = found["sjf"].summary("wait.mean").iloc[0, 0]
        assert np.isclose((ours["jobs"] * ours["wait.mean"]).sum() / 120, whole), by


def test_a_group_is_its_jobs() -> None:
    rows = results().by("tenant", ["jct.mean", "wait.max"])
    jobs = results()["sjf"].jobs
    mine = jobs[jobs["tenant"] == "team-1"]
    row = rows[(rows["alternative"] == "sjf") & (rows["tenant"] == "team-1")].iloc[0]
    assert row["jct.mean"] == pytest.approx(mine["jct"].mean())
    assert row["wait.max"] == mine["wait"].max()
    assert row["jobs"] == len(mine)


def test_sizes_are_classes() -> None:
    names = results().by("size")["size"].unique().tolist()
    assert names == ["1", "2 to 3", "4 to 7"]


def test_several_runs_are_averaged() -> None:
    found = results()
    row = found.by("workload", "jct.mean").iloc[0]
    assert row["jct.mean"] == pytest.approx(found["fifo"].summary("jct.mean").iloc[0, 0])


def test_groups_of_requests_hold_every_request_once_and_their_rates_add_up() -> None:
    found = service_results()
    for by in ("class", "tenant", "workload", "replica", "state", "reason", "10 min"):
        rows = found.by(by, ["requests.per_s", "requests.finished", "ttft.mean"])
        ours = rows[rows["alternative"] == "fast"]
        assert ours["requests"].sum() == 400
        whole = found["fast"].summary(["requests.per_s", "requests.finished", "ttft.mean"]).iloc[0]
        assert np.isclose(ours["requests.per_s"].sum(), whole["requests.per_s"]), by
        assert ours["requests.finished"].sum() == whole["requests.finished"]
        finished = ours["requests.finished"] > 0
        share = ours["requests.finished"] * ours["ttft.mean"]
        assert np.isclose(share[finished].sum() / 390, whole["ttft.mean"]), by


def test_a_group_of_requests_is_its_requests() -> None:
    found = service_results()["plain"]
    rows = found.by("class")
    row = rows[rows["class"] == "interactive"].iloc[0]
    mine = found.requests[(found.requests["class"] == "interactive") & (found.requests["state"] == "FINISHED")]
    assert row["ttft.mean"] == pytest.approx(mine["ttft"].mean())
    assert row["requests"] == 200
    assert found.by("replica")["replica"].tolist() == ["chat: none", "chat/0"]


def test_without_measures_jobs_are_shown_where_there_are_jobs() -> None:
    assert results().by("tenant").columns[2] == "jobs"
    assert service_results().by("tenant").columns[2] == "requests"
    both = Results({("both", 0): service_record()}, manifest())
    ours, theirs = record(jobs=20), both.records["both", 0]
    for name, values in theirs.tables["jobs"].items():
        theirs.tables["jobs"][name] = np.concatenate([values, ours.tables["jobs"][name]])
    both = Results({("both", 0): theirs}, manifest())
    assert both.by("tenant").columns[2] == "jobs"
    assert both.by("tenant")["jobs"].sum() == 20
    assert both.by("class").columns[2] == both.by("tenant", "ttft.mean").columns[2] == "requests"


def test_requests_that_finish_after_the_warm_up_count_in_rates_though_they_came_before() -> None:
    found = Results({("a", 0): service_record(warmup=600.0)}, manifest())
    window = found.windows("a")[0]
    late = window.asked["finished"] & (window.asked["end"] >= 600.0)
    assert found.by("workload", "requests.per_s")["requests.per_s"][0] == pytest.approx(late.sum() / window.serving)
    assert get("requests.per_s").value(window) == pytest.approx(late.sum() / window.serving)


@pytest.mark.parametrize(
    ("by", "measures", "text"),
    [
        ("tennant", "jct.mean", "by: 'tennant' is no group and no period such as '1 d'. Did you mean 'tenant'?"),
        ("0 s", "jct.mean", "by: a period of 0 s; it must be longer than 0"),
        ("1 ms", "jct.mean", "periods are too many for a table; at most 1,000"),
        ("size", "ttft.mean", "by: 'size' groups jobs, and the measures are of requests"),
        ("class", "jct.mean", "by: 'class' groups requests, and the measures are of jobs"),
        (
            "tenant",
            ["jct.mean", "ttft.mean"],
            "jct.mean is of jobs, ttft.mean of requests: ask for one after the other",
        ),
        (
            "tenant",
            "utilization",
            "utilization: measures of the whole run, which groups of jobs or requests do not have",
        ),
    ],
)
def test_wrong_groups_are_told(by: str, measures: str | list[str], text: str) -> None:
    with pytest.raises(InputError, match=r"by: |measures of|is of jobs") as error:
        results().by(by, measures)
    assert text in str(error.value)
