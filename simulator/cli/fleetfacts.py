"""What ``simulator check`` says of loads and data jobs: demand or tasks, and what serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario.fleetplans import PlannedFleet
    from simulator.scenario.loadbuild import PlannedLoad
    from simulator.scenario.taskbuild import PlannedTasks


def fleet_facts(planned: PlannedFleet) -> dict[str, str]:
    """Return sentences on a load or the data jobs of a workload, its name before each."""
    from simulator.scenario.loadbuild import PlannedLoad

    return _load(planned) if isinstance(planned, PlannedLoad) else _tasks(planned)


def _load(planned: PlannedLoad) -> dict[str, str]:
    from simulator.core.units import format_quantity

    spec, demand = planned.spec, planned.spec.demand
    end = format_quantity(demand.end, "time", 3)
    mean, peak = demand.total() / demand.end, float(demand.rates.max())
    most = -(-peak // spec.best)
    return {
        f"load {planned.name}": f"{mean:,.4g} requests/s over {end}, {peak:,.4g} at the peak",
        f"{planned.name} replicas": f"{spec.best:,.4g} requests/s each: {most:,.0f} at the peak, at most "
        f"{spec.fleet.maximum:,} there are",
    }


def _tasks(planned: PlannedTasks) -> dict[str, str]:
    from simulator.core.units import format_quantity

    first = planned.specs[0]
    count, stages = len(planned.specs), len(first.durations)
    tasks = sum(len(each) for each in first.durations)
    work = sum(float(each.sum()) for each in first.durations)
    path = format_quantity(work / (first.fleet.maximum * first.slots), "time", 3)
    jobs = f"{count:,} data job{'s' * (count != 1)} of {stages:,} stage{'s' * (stages != 1)} and {tasks:,} tasks"
    return {
        f"tasks {planned.name}": f"{jobs}, {format_quantity(work, 'time', 3)} of work each",
        f"{planned.name} executors": f"{first.slots:,} tasks at a time each, at most {first.fleet.maximum:,} there "
        f"are: {path} of work in each slot at the least",
    }
