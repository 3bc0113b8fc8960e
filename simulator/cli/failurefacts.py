"""What ``simulator check`` says of failures and of checkpoints: how often, over the run, and for the largest job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cluster.topology import Topology
    from simulator.runtime.failures.rates import Rates
    from simulator.scenario.build import Plan, Stream
    from simulator.scenario.failurekeys import FailureSection, SourceKeys
    from simulator.scenario.spec import Scenario
    from simulator.workload.jobs import Job
    from simulator.workload.saving import Saving

Facts = dict[str, "str | dict[str, str]"]
"""Sentences by what they are about, or the parts of one: in these alternatives may differ one by one."""


def failure_facts(scenario: Scenario, plan: Plan) -> Facts:
    """Return each source of failures, what holds for all of them, and how often they stop the largest job.

    The sentences on checkpoints go by the same numbers.
    """
    section: FailureSection | None = scenario.keys.failures
    facts: Facts = {}
    rates = None
    if section is not None:
        rates = _rates(scenario, section, plan.topology)
        span = _span(scenario, plan)
        facts |= {f"failures {name}": _source(scenario, section, name, plan.topology, span) for name in section.sources}
        facts["failures"] = _common(section)
        facts |= _largest(rates, plan)
    for stream in plan.streams:
        facts |= _checkpoints(scenario, stream, plan.topology, rates)
    return facts


def _span(scenario: Scenario, plan: Plan) -> float:
    """Seconds that the run lasts at least: its horizon, else the longest stretch of work coming in; 0 if not known."""
    if scenario.run.until is not None:
        return float(scenario.run.until)
    return max((stream.trace.span for stream in plan.streams if stream.trace is not None), default=0.0)


def _source(scenario: Scenario, section: FailureSection, name: str, topology: Topology, span: float) -> dict[str, str]:
    from simulator.core.units import format_quantity as write
    from simulator.scenario.failurekeys import LogKeys

    keys = section.sources[name]
    if isinstance(keys, LogKeys):
        events = section.logged(name)
        last = max((event.time for event in events), default=0.0)
        where = "" if keys.file is None else f" in {keys.file}"
        return {"": f"{len(events):,} listed{where}, the last after {write(last, 'time', 3)}"}
    count = sum(each.weight for each in _components(scenario, name, keys, topology))
    said = {"": f"{count:,.0f} {keys.component}{'s' * (count != 1)}", "each every": _between(1.0 / keys.rate)}
    said["any every"] = _between(1.0 / (keys.rate * count))
    over = span or _DAY
    said["expected"] = f"{keys.rate * count * over:,.3g} in {write(over, 'time', 3) if span else 'a day'}"
    if keys.catalog is not None:
        said["by"] = keys.catalog
    if keys.shape != 1:
        said["shape"] = f"{keys.shape:g}"
    if keys.effect == "slow":
        said["effect"] = f"slow, at a pace of {keys.pace:g}"
    law = "" if keys.repair.kind == "fixed" else f" ({keys.repair.kind})"
    said["repair"] = write(keys.repair.mean, "time", 3) + law
    if keys.detection is not None:
        said["noticed after"] = write(keys.detection, "time", 3)
    return said


_DAY = 86400.0
_HOURS = 100 * 3600.0
"""Seconds from which on times between failures are told in hours, as lists of components tell them."""


def _between(seconds: float) -> str:
    from simulator.core.units import format_quantity as write

    return f"{seconds / 3600.0:,.0f} h" if seconds >= _HOURS else write(seconds, "time", 3)


def _components(scenario: Scenario, name: str, keys: SourceKeys, topology: Topology) -> list[Any]:
    from simulator.runtime.failures import components
    from simulator.scenario.servers import select

    if keys.only is None:
        return components(topology, keys.component)
    with scenario.at("failures", name, "only"):
        return components(topology, keys.component, select(keys.only, topology))


def _common(section: FailureSection) -> dict[str, str]:
    from simulator.core.units import format_quantity as write

    keys = section.keys
    notice = [] if keys.detection is None else [f"after {write(keys.detection, 'time', 3)}"]
    notice += [] if keys.health_check is None else [f"by a check every {write(keys.health_check, 'time', 3)}"]
    said = {
        "noticed": " or ".join(notice) or "at once",
        "spares": f"{keys.spares:,} servers" if keys.spares else "none",
    }
    if keys.lemon is not None:
        said["lemons"] = f"{keys.lemon.share * 100:.3g} % of the servers fail {keys.lemon.times:g} times as often"
    return said


def _rates(scenario: Scenario, section: FailureSection, topology: Topology) -> Rates:
    """Failures per second of each server, as a run declares them before it draws its lemons."""
    from simulator.runtime.failures.cuts import Cuts
    from simulator.runtime.failures.rates import Rates
    from simulator.scenario.failurekeys import SourceKeys

    rates, cuts = Rates(len(topology.servers)), Cuts(topology, _nothing, _nothing)
    for name, keys in section.sources.items():
        if isinstance(keys, SourceKeys) and keys.effect == "down":
            for each in _components(scenario, name, keys, topology):
                rates.add(each, each.servers or cuts.isolated_by(each), keys.rate * each.weight)
    return rates


def _nothing(*_: object) -> None:
    """Links stay as they are."""


def _mtbf(rates: Rates, accelerators: float, topology: Topology) -> tuple[float, int]:
    """Seconds between failures of a job on the fewest servers that hold it, and how many these are."""
    order = sorted(range(len(topology.servers)), key=lambda server: -topology.servers[server].accelerators)
    chosen: list[int] = []
    room = 0
    for server in order:
        if room >= accelerators and chosen:
            break
        chosen.append(server)
        room += topology.servers[server].accelerators
    rate = rates.of(chosen)
    return (1.0 / rate if rate > 0 else math.inf), len(chosen)


def _largest(rates: Rates, plan: Plan) -> Facts:
    sizes = [float(stream.accelerators.max()) for stream in plan.streams if len(stream)]
    if not sizes:
        return {}
    largest = max(sizes)
    mtbf, servers = _mtbf(rates, largest, plan.topology)
    if mtbf == math.inf:
        return {"largest job": f"{largest:,g} accelerators: no failure stops it"}
    where = f"{servers:,} server{'s' * (servers != 1)}"
    return {"largest job": f"{largest:,g} accelerators on {where}: a failure every {_between(mtbf)}"}


def _checkpoints(scenario: Scenario, stream: Stream, topology: Topology, rates: Rates | None) -> Facts:
    """How the largest job of a workload writes checkpoints that cost something."""
    largest: Job | None = None
    for job in stream.fresh():
        if job.saving is None and stream.trace is not None:
            return {}
        if job.saving is not None and (largest is None or job.accelerators > largest.accelerators):
            largest = job
    if largest is None or largest.saving is None:
        return {}
    mtbf, servers = (math.inf, 1) if rates is None else _mtbf(rates, largest.accelerators, topology)
    about = f"{stream.name} checkpoints"
    return {about: _saving(scenario, largest.saving, mtbf, servers)}


def _saving(scenario: Scenario, saving: Saving, mtbf: float, servers: int) -> dict[str, str]:
    from simulator.core.units import format_quantity as write
    from simulator.models.checkpoint import daly, waste, young

    write_time = _write(scenario, saving, servers)
    cost = saving.stall(write_time)
    size = f", {saving.size / 1e9:,.4g} GB to {saving.store}" if saving.store else ""
    stall = write(cost, "time", 3)
    said = {"": f"{saving.mode}{size}", "writing": write(write_time, "time", 3), "standing still": stall}
    if not isinstance(saving.every, str):
        interval, rule = saving.every, ""
    elif mtbf == math.inf or cost <= 0:
        return {**said, "every": f"by {saving.every}"}
    else:
        interval = young(mtbf, cost) if saving.every == "young" else daly(mtbf, cost)
        interval = max(interval, write_time if saving.mode == "asynchronous" else 0.0)
        numbers = f"a failure every {_between(mtbf)}, {stall} each"
        rule = f" by {saving.every} ({numbers}{', corrected as it goes' if saving.every == 'adaptive' else ''})"
    said["every"] = f"{write(interval, 'time', 3)} of work{rule}"
    if mtbf < math.inf:
        lost = waste(interval, mtbf, cost, scenario.run.restart + saving.load)
        said["expected loss"] = f"{min(lost, 1.0) * 100:.2g} % of the time"
    return said


def _write(scenario: Scenario, saving: Saving, servers: int) -> float:
    """Seconds of a write that meets nobody, but for the links of the cluster."""
    if not saving.store:
        return saving.write
    keys = scenario.keys.stores[saving.store]
    stream = math.inf if keys.stream is None else keys.stream * servers
    return float(keys.latency + saving.size / min(keys.bandwidth, stream))
