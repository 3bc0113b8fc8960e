"""What the alternatives of a scenario would run, built but not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario.build import Plan
    from simulator.scenario.spec import Scenario


def plans(scenario: Scenario) -> dict[str, tuple[Scenario, Plan]]:
    """Build the first replication of every alternative; raise ``InputError`` with what is wrong with any of them."""
    from simulator.core.errors import InputError, Problem
    from simulator.scenario.build import build, plan
    from simulator.scenario.traces import TraceCache

    traces = TraceCache()
    made: dict[str, tuple[Scenario, Plan]] = {}
    problems: dict[Problem, None] = {}
    for name, alternative in scenario.alternatives().items():
        try:
            build(alternative, traces=traces)
            made[name] = (alternative, plan(alternative, traces=traces))
        except InputError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise InputError(*problems)
    return made
