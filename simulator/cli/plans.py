"""What the alternatives of a scenario would run, built but not run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.core.errors import Problem
    from simulator.scenario.build import Plan
    from simulator.scenario.spec import Scenario


def plans(scenario: Scenario) -> dict[str, tuple[Scenario, Plan]]:
    """Build the first replication of every alternative; raise ``InputError`` with what is wrong with any of them."""
    from simulator.core.errors import InputError
    from simulator.scenario.build import build, plan
    from simulator.scenario.traces import TraceCache

    traces = TraceCache()
    made: dict[str, tuple[Scenario, Plan]] = {}
    problems: dict[Problem, list[str]] = {}
    alternatives = scenario.alternatives()
    for name, alternative in alternatives.items():
        try:
            build(alternative, traces=traces)
            made[name] = (alternative, plan(alternative, traces=traces))
        except InputError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(name)
    if problems:
        raise InputError(*(_told(problem, names, len(alternatives)) for problem, names in problems.items()))
    return made


def _told(problem: Problem, names: list[str], of: int) -> Problem:
    """Say which alternatives have a problem, where not all have it."""
    return problem if len(names) == of else replace(problem, text=f"{problem.text} (alternative {', '.join(names)})")
