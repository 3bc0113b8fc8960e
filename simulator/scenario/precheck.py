"""What is wrong with any alternative of a comparison, found before the first of them runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from simulator.core.errors import InputError, Problem
from simulator.scenario.build import check_services
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache

T = TypeVar("T")


def precheck(alternatives: Mapping[str, Scenario], traces: TraceCache) -> None:
    """Raise ``InputError`` for services that do not fit the cluster in any alternative; cheap, as nothing is read.

    ``traces`` keeps the topologies that are built for it.
    """
    if len(alternatives) > 1:
        for_each(alternatives, lambda scenario: check_services(scenario, traces))


def for_each(alternatives: Mapping[str, Scenario], make: Callable[[Scenario], T]) -> dict[str, T]:
    """Make something of every alternative; raise ``InputError`` with what is wrong with any of them, each thing once.

    A problem says which alternatives have it, where not all do.
    """
    made: dict[str, T] = {}
    problems: dict[Problem, list[str]] = {}
    for name, alternative in alternatives.items():
        try:
            made[name] = make(alternative)
        except InputError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(name)
    if problems:
        raise InputError(*(_told(problem, names, len(alternatives)) for problem, names in problems.items()))
    return made


def _told(problem: Problem, names: list[str], of: int) -> Problem:
    return problem if len(names) == of else replace(problem, text=f"{problem.text} (alternative {', '.join(names)})")
