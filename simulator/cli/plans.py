"""What the alternatives of a scenario would run, built but not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario.build import Plan
    from simulator.scenario.spec import Scenario


def plans(scenario: Scenario) -> dict[str, tuple[Scenario, Plan]]:
    """Build the first replication of every alternative; raise ``InputError`` with what is wrong with any of them."""
    from simulator.scenario.build import build, plan
    from simulator.scenario.precheck import for_each
    from simulator.scenario.traces import TraceCache

    traces = TraceCache()

    def planned(alternative: Scenario) -> tuple[Scenario, Plan]:
        build(alternative, traces=traces)
        return alternative, plan(alternative, traces=traces)

    return for_each(scenario.alternatives(), planned)
