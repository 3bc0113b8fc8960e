"""What ``network:`` says of links, as events of the links of one topology."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.cluster import attachment
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.runtime.links import CapacityEvent, LinkEvent
from simulator.scenario.network import NetworkEvent
from simulator.scenario.spec import Scenario

MOST_CHANGES = 1_000_000
"""Times that links may go down and come up in all."""


def capacity_events(scenario: Scenario, topology: Topology) -> list[CapacityEvent]:
    """Return (time, link index, bytes/s); raise ``InputError`` for links that the topology does not have."""
    problems = [
        scenario.root.problem(("network", "capacity_events", index, "link"), *_no_link(topology, event.link))
        for index, event in enumerate(scenario.network.capacity_events)
        if event.link >= len(topology.ends)
    ]
    if problems:
        raise InputError(*problems)
    changes = [(event.time, event.link, event.capacity) for event in scenario.network.capacity_events]
    for event, link in _events(scenario, topology):
        if event.capacity is not None:
            changes.append((event.time, link, event.capacity))
        elif event.scale is not None:
            changes.append((event.time, link, event.scale * float(topology.capacity[link])))
    return changes


def link_events(scenario: Scenario, topology: Topology) -> list[LinkEvent]:
    """Return (time, link index, whether it is up); raise ``InputError`` for links that the topology does not have."""
    changes: list[LinkEvent] = []
    for event, link in _events(scenario, topology):
        if event.state is not None:
            changes.append((event.time, link, event.state == "up"))
        elif event.flap is not None:
            if len(changes) + 2 * event.flap.times > MOST_CHANGES:
                hint = "let fewer links flap, or fewer times"
                text = f"links go down and come up more than {MOST_CHANGES:,} times in all"
                raise InputError(scenario.root.problem(("network", "events"), text, hint))
            for turn in range(event.flap.times):
                begin = event.time + turn * event.flap.period
                changes += [(begin, link, False), (begin + event.flap.down, link, True)]
    return changes


def find_links(topology: Topology, link: int | str) -> list[int]:
    """Return the links that a number, ``a -> b`` (one direction) or ``a -- b`` (both) names.

    Raises ``InputError`` with the nearest name for a vertex that is not there, and for two that no link joins.
    """
    if isinstance(link, int):
        if link >= len(topology.ends):
            text, hint = _no_link(topology, link)
            raise InputError(Problem(text, hint=hint))
        return [link]
    both = "--" in link and "->" not in link
    parts = [part.strip() for part in link.split("--" if both else "->")]
    if len(parts) != 2:
        hint = "write its number, 'a -> b' for one direction or 'a -- b' for both"
        raise InputError(Problem(f"{link!r} is not a link", hint=hint))
    for vertex in parts:
        _known(topology, vertex)
    wanted = {tuple(parts), tuple(reversed(parts))} if both else {tuple(parts)}
    found = [index for index, ends in enumerate(topology.ends) if ends in wanted]
    if not found:
        near = dict.fromkeys(dst for src, dst in topology.ends if src == parts[0])
        hint = f"{parts[0]} has links to: {', '.join(list(near)[:12]) or 'nothing'}"
        raise InputError(Problem(f"no link leads from {parts[0]!r} to {parts[1]!r}", hint=hint))
    return found


def _known(topology: Topology, vertex: str) -> None:
    if vertex not in topology.graph:
        raise InputError(Problem(f"there is no vertex {vertex!r}", hint=did_you_mean(vertex, topology.graph, limit=12)))


def _at(topology: Topology, vertex: str) -> list[int]:
    """Return all links of a vertex; of a server, those of its accelerators, too."""
    _known(topology, vertex)
    wanted = {vertex, *(name for name, server in attachment.owners(topology.graph.nodes).items() if server == vertex)}
    return [index for index, ends in enumerate(topology.ends) if not wanted.isdisjoint(ends)]


def _events(scenario: Scenario, topology: Topology) -> Iterator[tuple[NetworkEvent, int]]:
    problems: list[Problem] = []
    for index, event in enumerate(scenario.network.events):
        key = "link" if event.vertex is None else "vertex"
        try:
            with scenario.at("network", "events", index, key):
                links = find_links(topology, event.link) if event.vertex is None else _at(topology, event.vertex)
        except InputError as error:
            problems.extend(error.problems)
            continue
        for link in links:
            yield event, link
    if problems:
        raise InputError(*problems)


def _no_link(topology: Topology, link: int) -> tuple[str, str]:
    last = len(topology.ends) - 1
    return (
        f"there is no link {link}",
        f"the topology has links 0 to {last}" if last >= 0 else "the topology has no links",
    )
