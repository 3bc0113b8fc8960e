"""Jobs that a scenario lists one by one: which kind they are, and for which others they wait."""

from __future__ import annotations

import pytest

from simulator.core.errors import InputError
from simulator.scenario.build import build, plan
from simulator.scenario.spec import Scenario
from simulator.workload.jobs import BatchJob


def scenario(*jobs: str) -> Scenario:
    listed = "".join(f"      - {{{job}}}\n" for job in jobs)
    return Scenario.load(f"name: t\ntopology: {{build: pool, accelerators: 8}}\nworkload:\n  w:\n    jobs:\n{listed}")


def test_a_job_with_a_duration_may_say_what_it_trains() -> None:
    (job,) = plan(scenario("accelerators: 0.5, duration: 1 h, model: 'ResNet-50 (batch size 64)'")).jobs()
    assert isinstance(job, BatchJob)
    assert (job.model, job.duration) == ("ResNet-50 (batch size 64)", 3600.0)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("accelerators: 8, model: resnet-50", "'iterations' is missing"),
        ("accelerators: 8, model: resnet-50, duration: 1 h, layout: {global_batch: 64}", "'iterations' is missing"),
        ("accelerators: 8, duration: 1 h, minimum: 0", "jobs.0.minimum: a job cannot run on 0 accelerators"),
    ],
)
def test_what_a_job_lacks_is_told(job: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario(job)
    assert told in str(caught.value)


FIRST = "id: first, accelerators: 1, duration: 10 s, array: 3"


def test_the_id_of_an_array_stands_for_all_of_its_jobs() -> None:
    one, all = "id: one, accelerators: 1, duration: 1 s, after: ['first[1]']", "accelerators: 8, duration: 1 s"
    made = scenario(FIRST, one, f"{all}, after: [first, one], array: 2")
    assert [job.after for job in plan(made).jobs()] == [
        *[()] * 3, ("first[1]",), *[("first[0]", "first[1]", "first[2]", "one")] * 2,
    ]  # fmt: skip
    table = build(made).run().tables["jobs"]
    assert dict(zip(table["id"], table["start"].tolist(), strict=True)) == {
        "first[0]": 0.0, "first[1]": 0.0, "first[2]": 0.0, "one": 10.0, "w-3[0]": 11.0, "w-3[1]": 12.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("[fist]", "jobs.1.after.0: there is no job 'fist' in this workload"),
        ("[fist]", "Did you mean 'first'?"),
        ("[first, 'first[3]']", "jobs.1.after.1: there is no job 'first[3]' in this workload"),
        ("['first[3]']", "the array 'first' has first[0] to first[2]"),
        ("['first[x]']", "there is no job 'first[x]'"),
        ("[w-2]", None),
    ],
)
def test_a_job_that_is_waited_for_must_be_there(after: str, told: str | None) -> None:
    jobs = (FIRST, f"accelerators: 1, duration: 1 s, after: {after}")
    if told is None:
        assert len(list(plan(scenario(*jobs)).jobs())) == 4
        return
    with pytest.raises(InputError) as caught:
        scenario(*jobs)
    assert told in str(caught.value)


def test_arrays_that_wait_for_each_other_have_a_bound() -> None:
    jobs = [f"id: {name}, accelerators: 1, duration: 1 s, array: 2000" for name in "ab"]
    with pytest.raises(InputError, match="2,000 jobs that wait for 2,000 each are more than 1,000,000 dependencies"):
        scenario(jobs[0], f"{jobs[1]}, after: [a]")
