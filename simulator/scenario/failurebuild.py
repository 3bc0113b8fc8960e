"""From the section ``failures:`` and the checkpoints of jobs to the parts of a run."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, Lemons, LoggedSource, Source, components
from simulator.runtime.parts import Part
from simulator.scenario.failurekeys import FailureSection, LogKeys, SourceKeys
from simulator.scenario.groupkeys import InterruptionKeys
from simulator.scenario.savingkeys import SavingKeys
from simulator.scenario.servers import select
from simulator.scenario.spec import Scenario
from simulator.scenario.workloads import GeneratedWork, JobsWork, TraceWork


def failure_parts(scenario: Scenario, topology: Topology) -> list[Part]:
    """Return what lets a cluster fail, and what writes checkpoints, of a scenario that has them.

    Raises ``InputError``, with the place of each, for sources and stores that do not suit the cluster.
    """
    section: FailureSection | None = scenario.keys.failures
    made = None if section is None else _failures(scenario, section, topology)
    saving = list(_savings(scenario))
    problems: list[Problem] = []
    stores = scenario.keys.stores
    for path, keys in saving:
        if keys.to is not None and keys.to not in stores:
            hint = did_you_mean(keys.to, stores) if stores else "the scenario has no stores: {NAME: {bandwidth: ...}}"
            problems.append(scenario.root.problem((*path, "to"), f"there is no store {keys.to!r}", hint))
        if isinstance(keys.every, str) and made is None and not _interrupted(scenario):
            text = f"{keys.every!r} goes by how often failures stop the job, and nothing fails here"
            hint = "give failures:, interruptions: {mean: ...} of a node group, or a time"
            problems.append(scenario.root.problem((*path, "every"), text, hint))
    if problems:
        raise InputError(*problems)
    parts: list[Part] = [] if made is None else [made]
    return [*parts, Checkpoints(None if made is None else made.mtbf)] if saving else parts


def _interrupted(scenario: Scenario) -> bool:
    """Whether a group of nodes loses them at a declared rate."""
    return any(isinstance(keys.interruptions, InterruptionKeys) for keys in scenario.keys.node_groups.values())


def check_spares(scenario: Scenario, topology: Topology, sizes: Iterable[float]) -> None:
    """Raise ``InputError`` for spares that leave too few servers for the largest job that the cluster holds.

    ``sizes`` are the fewest accelerators that each job can run on.
    """
    section: FailureSection | None = scenario.keys.failures
    spares = 0 if section is None else section.keys.spares
    if not 0 < spares < len(topology.servers):
        return
    total = [server.accelerators for server in topology.servers]
    largest = max((size for size in sizes if size <= sum(total)), default=0.0)
    left = sum(total[: len(total) - spares])
    if largest <= left:
        return
    fits = max(count for count in range(spares) if largest <= sum(total[: len(total) - count]))
    text = f"spares is {spares}, which leaves {left:g} of {sum(total):g} accelerators; a job needs {largest:g}"
    hint = f"at most {fits} spares, or more servers" if fits else "leave out spares, or add servers"
    raise InputError(scenario.root.problem(("failures", "spares"), text, hint))


def _savings(scenario: Scenario) -> list[tuple[tuple[str | int, ...], SavingKeys]]:
    """Return the checkpoints that cost something, and where they stand."""
    found: list[tuple[tuple[str | int, ...], SavingKeys]] = []
    for name, work in scenario.workload.items():
        if isinstance(work, JobsWork):
            for index, job in enumerate(work.jobs):
                if isinstance(job.checkpoint, SavingKeys):
                    found.append((("workload", name, "jobs", index, "checkpoint"), job.checkpoint))
        elif isinstance(work, TraceWork | GeneratedWork) and isinstance(work.keys.checkpoint, SavingKeys):
            found.append((("workload", name, "checkpoint"), work.keys.checkpoint))
    return found


def _failures(scenario: Scenario, section: FailureSection, topology: Topology) -> Failures:
    keys, count = section.keys, len(topology.servers)
    if keys.spares >= count:
        text = f"spares is {keys.spares}; the topology has {count} servers, and some must be left to work"
        raise InputError(scenario.root.problem(("failures", "spares"), text))
    sources: list[Source | LoggedSource] = []
    problems: list[Problem] = []
    for name, source in section.sources.items():
        try:
            with scenario.at("failures", name):
                if isinstance(source, SourceKeys):
                    sources.append(_source(scenario, name, source, topology))
                else:
                    sources.append(_logged(section, name, source, topology))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    _check_stragglers(scenario, section)
    lemons = None if keys.lemon is None else Lemons(keys.lemon.share, keys.lemon.times)
    return Failures(
        sources, detection=keys.detection, health_check=keys.health_check or 0.0, spares=keys.spares, lemons=lemons
    )


def _source(scenario: Scenario, name: str, keys: SourceKeys, topology: Topology) -> Source:
    servers = None
    if keys.only is not None:
        with scenario.at("failures", name, "only"):
            servers = select(keys.only, topology)
    components(topology, keys.component, servers)
    return Source(
        name=name,
        component=keys.component,
        rate=keys.rate,
        repair=keys.repair,
        shape=keys.shape,
        detection=keys.detection,
        effect=keys.effect,
        pace=1.0 if keys.pace is None else keys.pace,
        servers=servers,
    )


def _logged(section: FailureSection, name: str, keys: LogKeys, topology: Topology) -> LoggedSource:
    events = section.logged(name)
    known: dict[str, dict[str, None]] = {}
    for event in events:
        if event.component not in known:
            known[event.component] = {each.name: None for each in components(topology, event.component)}
        if event.name not in known[event.component]:
            text = f"{event.place}: there is no {event.component} {event.name!r} that could fail"
            raise InputError(Problem(text, hint=did_you_mean(event.name, known[event.component])))
    return LoggedSource(name, events, keys.detection)


def _check_stragglers(scenario: Scenario, section: FailureSection) -> None:
    """Refuse slow servers where jobs cannot be slowed."""
    network = scenario.network
    for name, source in section.sources.items():
        if not isinstance(source, SourceKeys) or source.effect != "slow":
            continue
        why = ""
        if network.fidelity == "flow" and network.contention != "none":
            why = "servers that are slow need network: {fidelity: fluid}"
        elif scenario.keys.interference is not None:
            why = "servers that are slow cannot be told from neighbours that slow each other (interference)"
        if why:
            raise InputError(scenario.root.problem(("failures", name, "effect"), why))
