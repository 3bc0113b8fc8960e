"""What ``simulator check`` says of failures and of checkpoints: how often, over the run, and for the largest job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cluster.topology import Topology
    from simulator.runtime.failures.rates import Rates
    from simulator.runtime.supply.groups import Group
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
    groups = _groups(scenario, plan.topology)
    if section is not None or any(group.most and _taken(group) for group in groups):
        facts |= _largest(scenario, rates, groups, plan)
    for stream in plan.streams:
        facts |= _checkpoints(scenario, stream, plan.topology, rates, groups)
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


def _groups(scenario: Scenario, topology: Topology) -> list[Group]:
    from simulator.scenario.groupbuild import node_groups

    return node_groups(scenario, topology)[0] if scenario.keys.node_groups else []


def _taken(group: Group) -> bool:
    """Whether the provider takes nodes of a group back."""
    from simulator.runtime.supply.losses import rate, told_by_file

    return rate(group) > 0 or told_by_file(group)


def _moments(groups: list[Group]) -> dict[str, str]:
    """Name the groups whose interruptions no rate knows."""
    from simulator.runtime.supply.losses import told_by_file

    names = [group.name for group in groups if group.most and told_by_file(group)]
    return {"not in it": f"nodes of {', '.join(names)} that are taken back at times of a file"} if names else {}


def _largest(scenario: Scenario, rates: Rates | None, groups: list[Group], plan: Plan) -> Facts:
    """How often the largest job is stopped."""
    from simulator.cli.lossfacts import beware, losses

    sizes = [(float(stream.accelerators.max()), stream) for stream in plan.streams if len(stream)]
    if not sizes:
        return {}
    largest, stream = max(sizes, key=lambda each: each[0])
    one = _biggest(stream) if stream.trace is None else None
    needs = 0.0
    if one is not None and one.saving is not None:
        needs = _write(scenario, one.saving, 1) + one.saving.snapshot
    found = losses(one, largest, needs, plan.topology, rates, groups)
    if found.between == math.inf:
        text = f"{largest:,g} accelerators: no failure stops it"
        return {"largest job": {"": text, **_moments(groups)} if _moments(groups) else text}
    where = f"{found.servers:,} server{'s' * (found.servers != 1)}"
    what = "a failure" if not found.taken + found.saved else "an interruption"
    both = found.failures and found.taken + found.saved
    what = "a stop" if both else what
    said = {"": f"{largest:,g} accelerators on {where}: {what} every {_between(found.between)}"}
    if both:
        said["a failure every"] = _between(1.0 / found.failures)
        said["an interruption every"] = _between(1.0 / (found.taken + found.saved))
    if found.saved:
        said["saved in time"] = "interruptions, whose notice is long enough for a checkpoint"
    warning = "" if one is None or one.saving is not None else beware(one, found, scenario.run.restart, 0.0)
    said |= _moments(groups) | ({"beware": warning} if warning else {})
    return {"largest job": said if len(said) > 1 else said[""]}


def _biggest(stream: Stream) -> Job | None:
    return max(stream.fresh(), key=lambda job: job.accelerators, default=None)


def _checkpoints(
    scenario: Scenario, stream: Stream, topology: Topology, rates: Rates | None, groups: list[Group]
) -> Facts:
    """How the largest job of a workload writes checkpoints that cost something."""
    largest: Job | None = None
    for job in stream.fresh():
        if job.saving is None and stream.trace is not None:
            return {}
        if job.saving is not None and (largest is None or job.accelerators > largest.accelerators):
            largest = job
    if largest is None or largest.saving is None:
        return {}
    return {f"{stream.name} checkpoints": _saving(scenario, largest, largest.saving, topology, rates, groups)}


def _saving(
    scenario: Scenario, job: Job, saving: Saving, topology: Topology, rates: Rates | None, groups: list[Group]
) -> dict[str, str]:
    from simulator.cli.lossfacts import beware, losses
    from simulator.core.units import format_quantity as write
    from simulator.models.checkpoint import daly, waste, young

    servers = losses(job, job.accelerators, 0.0, topology, rates, []).servers
    write_time = _write(scenario, saving, servers)
    found = losses(job, job.accelerators, write_time + saving.snapshot, topology, rates, groups)
    mtbf, cost = found.mtbf, saving.stall(write_time)
    size = f", {saving.size / 1e9:,.4g} GB to {saving.store}" if saving.store else ""
    stall = write(cost, "time", 3)
    said = {"": f"{saving.mode}{size}", "writing": write(write_time, "time", 3), "standing still": stall}
    warning = beware(job, found, scenario.run.restart, write_time + saving.snapshot)
    end = {"beware": warning} if warning else {}
    if not isinstance(saving.every, str):
        interval, rule = saving.every, ""
    elif mtbf == math.inf or cost <= 0:
        when = ", only at the notice of an interruption" if found.saved and mtbf == math.inf else ""
        return {**said, "every": f"by {saving.every}{when}", **end}
    else:
        interval = young(mtbf, cost) if saving.every == "young" else daly(mtbf, cost)
        interval = max(interval, write_time if saving.mode == "asynchronous" else 0.0)
        numbers = f"{'a loss' if found.taken else 'a failure'} every {_between(mtbf)}, {stall} each"
        rule = f" by {saving.every} ({numbers}{', corrected as it goes' if saving.every == 'adaptive' else ''})"
    said["every"] = f"{write(interval, 'time', 3)} of work{rule}"
    if found.between < math.inf:
        again = (scenario.run.restart if job.restart < 0 else job.restart) + saving.load
        lost = waste(interval, mtbf, cost, again) if mtbf < math.inf else cost / interval
        lost += found.saved * (cost + again)
        said["expected loss"] = f"{min(lost, 1.0) * 100:.2g} % of the time"
    return said | end


def _write(scenario: Scenario, saving: Saving, servers: int) -> float:
    """Seconds of a write that meets nobody, but for the links of the cluster."""
    if not saving.store:
        return saving.write
    keys = scenario.keys.stores[saving.store]
    stream = math.inf if keys.stream is None else keys.stream * servers
    return float(keys.latency + saving.size / min(keys.bandwidth, stream))
