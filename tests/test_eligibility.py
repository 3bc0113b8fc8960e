"""Whether a job can ever run here, and what an elastic one or one with paces by type may have."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.runtime.eligibility import NO_PROGRESS, NO_SERVER, TOO_LARGE, Eligibility
from simulator.testing import replay
from simulator.testing.situations import job
from simulator.workload.jobs import State
from simulator.workload.speedup import ByCount, ByType


def kinds() -> Topology:
    fields = {"a": {"accelerators": 4, "accelerator": "a", "cores": 8.0}, "b": {"accelerators": 2, "accelerator": "b"}}
    return Topology.from_links([], fields)


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ({"accelerators": 6.0}, ""),
        ({"accelerators": 7.0}, TOO_LARGE),
        ({"accelerators": 7.0, "minimum": 7.0, "maximum": 9.0}, TOO_LARGE),
        ({"accelerators": 5.0, "max_servers": 1}, NO_SERVER),
        ({"accelerators": 5.0, "minimum": 5.0, "maximum": 6.0, "max_servers": 1}, NO_SERVER),
        ({"accelerators": 2.0, "speedup": ByType(9.0, {"c": 1.0})}, NO_PROGRESS),
        ({"accelerators": 2.0, "speedup": ByType(9.0, {"a": 1.0}), "accelerator_types": ("b",)}, NO_PROGRESS),
        ({"accelerators": 3.0, "speedup": ByType(9.0, {"b": 1.0})}, NO_SERVER),
    ],
)
def test_why_a_job_can_never_run(wanted: dict[str, Any], answer: str) -> None:
    topology = kinds()
    judge = Eligibility(Allocator(topology.servers), topology.accelerators)
    assert judge(job("it", 0.0, 9.0, **wanted)) == answer


def test_paces_by_type_keep_a_job_to_the_types_on_which_it_makes_progress() -> None:
    topology = kinds()
    judge = Eligibility(Allocator(topology.servers), topology.accelerators)
    some, every = (job("x", 0.0, 9.0, 2.0, speedup=ByType(9.0, paces)) for paces in ({"b": 1.0}, {"a": 1.0, "b": 2.0}))
    assert judge(some) == judge(every) == ""
    assert (some.accelerator_types, every.accelerator_types) == (("b",), ())


def test_an_elastic_job_asks_for_no_more_than_fits() -> None:
    speedup = ByCount(12.0, {1.0: 1.0, 4.0: 4.0})
    wide = job("wide", 0.0, 12.0, 9.0, minimum=1.0, maximum=16.0, speedup=speedup)
    pod = job("pod", 0.0, 12.0, 6.0, cores=12.0, minimum=1.0, maximum=16.0, max_servers=1, speedup=speedup)
    after = job("after", 0.0, 1.0, 1.0)
    record = replay([wide, pod, after], topology=kinds())
    assert [each.state for each in (wide, pod, after)] == [State.COMPLETED] * 3
    assert (wide.accelerators, pod.accelerators, pod.cores) == (6.0, 4.0, 8.0)
    assert record.facts["notes"] == [
        "2 elastic jobs asked for more than could ever be placed here, and were given less."
    ]


def test_one_that_fits_asks_for_what_it_wants() -> None:
    one = job("one", 0.0, 12.0, 3.0, minimum=1.0, maximum=16.0)
    assert replay([one], topology=kinds()).facts["notes"] == []
    assert one.accelerators == 3.0
