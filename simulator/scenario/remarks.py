"""Keys that change nothing in this cluster: said, not silently taken."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.cluster.topology import ICI, Topology
from simulator.scenario.spec import Scenario

_ON_LINKS = ("fidelity", "routing", "flows", "reroute")


def idle_keys(scenario: Scenario, topology: Topology) -> list[str]:
    """Return a sentence on each key of ``network:`` that has no effect, and why."""
    return [f"network.{key} has no effect: {why}." for key, why in _idle(scenario, topology)]


def _idle(scenario: Scenario, topology: Topology) -> Iterator[tuple[str, str]]:
    network = scenario.network
    given = network.model_fields_set
    if (len(topology.servers) < 2 and ICI not in topology.tiers) or not topology.ends:
        why = "the topology has one server" if len(topology.servers) == 1 else "no link joins the servers"
        yield from ((key, why) for key in _ON_LINKS if key in given)
        return
    if "fidelity" in given and network.contention == "none":
        yield "fidelity", "without contention jobs share nothing"
    if network.flows > 1 and network.routing == "spray":
        yield "flows", "sprayed packets take all paths anyway"
    if network.reroute and not any(event.state or event.flap for event in network.events):
        yield "reroute", "no link goes down or comes up"
