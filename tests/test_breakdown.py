from __future__ import annotations

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.experiment.results import Results
from tests.synthetic import manifest, record


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


@pytest.mark.parametrize(
    ("by", "measures", "text"),
    [
        ("tennant", "jct.mean", "by: 'tennant' is no group and no period such as '1 d'. Did you mean 'tenant'?"),
        ("0 s", "jct.mean", "by: a period of 0 s; it must be longer than 0"),
        ("1 ms", "jct.mean", "periods are too many for a table; at most 1,000"),
        ("tenant", "utilization", "utilization: measures of the whole run, which groups of jobs do not have"),
    ],
)
def test_wrong_groups_are_told(by: str, measures: str, text: str) -> None:
    with pytest.raises(InputError, match=r"by: |measures of") as error:
        results().by(by, measures)
    assert text in str(error.value)
