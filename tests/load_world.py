"""A small world for tests of loads and data jobs, and twins that take small steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.cluster.builders.fleet import fleet
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.policies.api import placers, schedulers
from simulator.policies.replicas.fixed import Fixed
from simulator.runtime.fleets.spec import FleetSpec, Step
from simulator.runtime.loads.line import Line
from simulator.runtime.loads.loads import Loads
from simulator.runtime.loads.spec import LoadSpec
from simulator.runtime.simulation import Simulation
from simulator.runtime.tasks.applications import Applications
from simulator.runtime.tasks.spec import ApplicationSpec
from simulator.workload.load import Demand

Change = tuple[float, float, float]
"""A time (s), and the demand and capacity (1/s) from then on."""
Row = tuple[float, float, float, float, float, str]


def drained(changes: Sequence[Change], until: float, patience: float = math.inf) -> tuple[Line, list[Row]]:
    """Lead a line through changes; return it, and what it told of waits."""
    rows: list[Row] = []
    line = Line(lambda *row: rows.append(row), patience)
    for time, demand, capacity in changes:
        line.advance(time)
        line.change(demand, capacity)
    line.advance(until)
    line.close()
    return line, rows


def stepped(
    changes: Sequence[Change], until: float, patience: float = math.inf, step: float = 1e-3
) -> dict[str, float]:
    """The same in small steps: who came first is served first, and who has waited too long goes."""
    queue: deque[list[float]] = deque()
    found = {"arrived": 0.0, "served": 0.0, "dropped": 0.0, "waited": 0.0}
    place, demand, capacity = -1, 0.0, 0.0
    for number in range(round(until / step)):
        now = number * step
        while place + 1 < len(changes) and changes[place + 1][0] <= now + 1e-9:
            place += 1
            _, demand, capacity = changes[place]
        if demand:
            queue.append([now, demand * step])
            found["arrived"] += demand * step
        left = capacity * step
        while queue and left > 1e-15:
            amount = min(left, queue[0][1])
            queue[0][1] -= amount
            left -= amount
            found["served"] += amount
            found["waited"] += amount * (now - queue[0][0])
            if queue[0][1] <= 1e-15:
                queue.popleft()
        while queue and now + step - queue[0][0] >= patience - 1e-9:
            found["dropped"] += queue.popleft()[1]
    return found | {"backlog": sum(amount for _, amount in queue)}


def stairs(*steps: tuple[float, float], end: float) -> Demand:
    """A demand that is told step by step."""
    times, rates = np.array(steps, dtype=float).T
    return Demand(times, rates, end)


def load(demand: Demand, scaler: Any = 1, rate: float = 10.0, **more: Any) -> LoadSpec:
    """A load whose replicas take a core and serve 10 requests/s."""
    own = {key: more.pop(key) for key in ("patience", "slo", "random", "record_interval", "best") if key in more}
    name = more.pop("name", "shop")
    policy = Fixed(scaler) if isinstance(scaler, int) else scaler
    cold = more.pop("cold", 0.0)
    spec = FleetSpec(
        **{"name": name, "workload": name, "scaler": policy, "cores": 1.0, "maximum": 1000}
        | ({"steps": (Step("start", cold),)} if cold else {})
        | more
    )
    return LoadSpec(**{"fleet": spec, "demand": demand, "rate": lambda kind: rate, "best": rate} | own)


def application(durations: Sequence[Sequence[float]], followers: Any = None, scaler: Any = 1, **more: Any) -> Any:
    """A data job whose executors take a core; stages follow one another unless something else is said."""
    count = len(durations)
    after = [[place + 1] if place + 1 < count else [] for place in range(count)] if followers is None else followers
    own = {key: more.pop(key) for key in ("submit", "slots") if key in more}
    policy = Fixed(scaler) if isinstance(scaler, int) else scaler
    spec = FleetSpec(**{"name": "etl-1", "workload": "etl", "scaler": policy, "cores": 1.0, "maximum": 100} | more)
    stages = [np.array(each, dtype=float) for each in durations]
    return ApplicationSpec(**{"fleet": spec, "submit": 0.0, "durations": stages, "followers": after} | own)


def machines(count: int = 4, cores: int = 8, **more: Any) -> Any:
    """Servers with cores and no accelerators."""
    return fleet([{"count": count, "accelerators": 0, "cores": cores, **more}])


def simulation(*specs: Any, topology: Any = None, jobs: Sequence[Any] = (), **options: Any) -> Simulation:
    """A run of loads and data jobs that has yet to begin."""
    fleets: dict[str, dict[str, Any]] = {}
    parts = [Loads([spec for spec in specs if isinstance(spec, LoadSpec)], fleets)]
    parts += [Applications([spec for spec in specs if isinstance(spec, ApplicationSpec)], fleets)]
    return Simulation(
        topology=machines() if topology is None else topology,
        scheduler=schedulers.get(options.pop("scheduler", "fifo"))(),
        placer=placers.get("pack")(),
        jobs=jobs,
        parts=[*parts, *options.pop("parts", ())],
        **options,
    )


def ran(*specs: Any, **options: Any) -> Record:
    """Run loads and data jobs; the invariants of the record are checked."""
    record = simulation(*specs, **options).run()
    check(record)
    return record


def column(record: Record, table: str, name: str) -> list[Any]:
    """A column of a table."""
    return list(record.tables[table][name].tolist())
