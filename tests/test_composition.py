"""A scheduler of a scenario that is put together from parts."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.core.errors import InputError
from simulator.scenario.build import build
from simulator.scenario.spec import Scenario

TEXT = """\
name: a pool
topology: {build: pool, accelerators: 4}
workload: {w: {jobs: [{id: a, submit: 0 s, accelerators: 1, duration: 1 s}]}}
"""


def made(scheduler: str) -> Any:
    return build(Scenario.load(TEXT + f"scheduler: {scheduler}\n"))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("{order: las}", "las"),
        ("{order: sjf, backfill: easy}", "sjf + easy"),
        ("{backfill: fill}", "fifo + fill"),
        ("{order: srtf, preempt: true}", "srtf (preemptive)"),
        ("{kind: composed, order: sjf}", "sjf"),
        ("{order: {kind: las, quantum: 5 min}}", "las"),
        ("{kind: fifo, placement: spread}", "fifo"),
        ("{placement: spread}", "fifo"),
    ],
)
def test_parts_make_a_scheduler(said: str, name: str) -> None:
    assert made(said).run().facts["scheduler"] == name


def test_a_quantity_of_a_part_is_read() -> None:
    assert made("{order: {kind: las, quantum: 5 min}}").scheduler.order.quantum == 300.0


def test_the_placement_among_the_parts_is_the_scenarios() -> None:
    ours = Scenario.load(TEXT + "scheduler: {order: sjf, placement: {kind: spread}}\n")
    theirs = Scenario.load(TEXT + "scheduler: {order: sjf}\nplacement: {kind: spread}\n")
    assert ours.keys.placement == theirs.keys.placement


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{order: sfj}", "scheduler.order: unknown order 'sfj'"),
        ("{order: sfj}", "Did you mean 'sjf'?"),
        ("{order: {quantum: 5 min}}", "order: 'kind' is missing."),
        ("{order: sjf, backfill: {kind: easy, dpth: 3}}", "scheduler.backfill.dpth: unknown key 'dpth'"),
        ("{order: sjf, backfill: {kind: easy, dpth: 3}}", "Did you mean 'depth'? Known: depth, estimates."),
        ("{order: sjf, quantum: 5 min}", "quantum"),
    ],
)
def test_a_part_that_is_wrong_is_named(said: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        made(said)
    assert told in str(caught.value)
