"""What a reader must know of a cluster and its network keys: said, not silently taken."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.cluster.topology import ICI, Topology
from simulator.scenario.jobs import TrainingKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.workloads import JobsWork

_ON_LINKS = ("fidelity", "routing", "flows", "reroute")


def remarks(scenario: Scenario, topology: Topology) -> list[str]:
    """Return a sentence on each key of ``network:`` that has no effect, and on a network that is missing."""
    found = [f"network.{key} has no effect: {why}." for key, why in _idle(scenario, topology)]
    if len(topology.servers) > 1 and not topology.has_network and _spread(scenario, topology):
        found.append("The topology has no network: what training jobs send between its servers takes no time.")
    return found


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


def _spread(scenario: Scenario, topology: Topology) -> bool:
    """Whether a training job is larger than every server."""
    largest = max(server.accelerators for server in topology.servers)
    listed = [job for work in scenario.workload.values() if isinstance(work, JobsWork) for job in work.jobs]
    return any(isinstance(job, TrainingKeys) and job.accelerators > largest for job in listed)
