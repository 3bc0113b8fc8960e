"""Jobs made many at a time are those that the constructor makes."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.workload.jobs import BatchJob
from simulator.workload.making import maker

NEEDED = ("id", "submit", "accelerators", "duration")
OPTIONAL = [field.name for field in fields(BatchJob) if field.init and field.name not in NEEDED]


@given(st.lists(st.sampled_from(OPTIONAL), unique=True), st.permutations(NEEDED))
def test_a_made_job_is_as_the_constructor_makes_it(others: list[str], needed: list[str]) -> None:
    names = [*needed, *others]
    values = [f"value of {name}" for name in names]
    job = maker(names)(*values)
    plain = BatchJob(**dict(zip(names, values, strict=True)))  # type: ignore[arg-type]
    assert type(job) is BatchJob
    for field in fields(BatchJob):
        made, wanted = getattr(job, field.name), getattr(plain, field.name)
        assert made == wanted or (made != made and wanted != wanted)


def test_fields_that_are_unknown_or_missing_are_told() -> None:
    with pytest.raises(TypeError, match=r"\['colour'\] are unknown, \['duration'\] are missing"):
        maker(("id", "submit", "accelerators", "colour"))
