"""PodTopologySpread with the constraints that are the default of the system."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores

ZONE = "topology.kubernetes.io/zone"
_HOST_SKEW, _ZONE_SKEW = 3, 5


@scores.register("pod-topology-spread")
def pod_topology_spread(situation: Situation) -> np.ndarray:
    """Few jobs of the same array on the server and in its zone: maximum skew 3 and 5, both soft (``scoring.go``).

    A job array stands for a ReplicaSet; a job of none is a bare pod, which the default constraints leave alone.
    """
    servers, beside = situation.servers, situation.beside
    if not situation.job.array:
        return np.zeros(len(servers))
    score = beside[servers] * np.log(len(servers) + 2) + (_HOST_SKEW - 1)
    zones = [dict(server.labels).get(ZONE, "") for server in situation.nodes.servers]
    if any(zones):
        names, zone = np.unique(np.array(zones), return_inverse=True)
        counts = np.bincount(zone, beside, len(names))
        size = len(np.unique(zone[servers]))
        labelled = np.array([bool(zones[server]) for server in servers])
        score = score + labelled * (counts[zone[servers]] * np.log(size + 2) + (_ZONE_SKEW - 1))
    whole = np.floor(score + 0.5)
    most, least = whole.max(), whole.min()
    return np.full(len(servers), float(MOST)) if most == 0 else MOST * (most + least - whole) // most
