"""What a routing mode costs: one permutation of the servers, sent by each mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.experiment.transfers import simulate_transfers
from simulator.workload.jobs import Transfer

if TYPE_CHECKING:
    import pandas as pd


def compare_routing(
    topology: Topology,
    size: float = 1e9,
    seed: int = 0,
    modes: Sequence[tuple[str, int]] = (("ecmp", 1), ("ecmp", 16), ("adaptive", 1), ("spray", 1)),
) -> pd.DataFrame:
    """Let every server send ``size`` bytes to another one, no two to the same, by each routing mode.

    A random permutation offers each server's network cards exactly what they carry, so a network without
    oversubscription could carry it in ``size`` / capacity seconds; what it takes longer is the cost of collisions on
    the way. ``modes`` are pairs of a routing mode and its number of flows. Returns one row for each: ``routing``,
    ``flows``, ``makespan`` and ``mean`` (s, of the transfers), and ``slowdown``, the makespan over that of a network
    that never blocks. Raises ``InputError`` for a topology with fewer than two servers.
    """
    import pandas as pd

    names = [server.name for server in topology.servers]
    if len(names) < 2:
        raise InputError("a permutation needs two servers or more")
    order = stream(seed, "permutation").permutation(len(names)).tolist()
    pairs = [(names[a], names[b]) for a, b in zip(order, order[1:] + order[:1], strict=True)]
    moves = [Transfer(src, dst, size) for src, dst in pairs]
    ideal = max(_alone(topology, src, dst, size) for src, dst in pairs)
    rows = []
    for mode, flows in modes:
        table = simulate_transfers(topology, moves, routing=mode, flows=flows)
        makespan = float(table["end"].max())
        rows.append((mode, flows, makespan, float(table["end"].mean()), makespan / ideal))
    return pd.DataFrame(rows, columns=["routing", "flows", "makespan", "mean", "slowdown"])


def _alone(topology: Topology, src: str, dst: str, size: float) -> float:
    """Seconds that the cards of both ends allow, and the latency of the way."""
    route = topology.path(src, dst)
    ends = min(float(topology.capacity[route[0]]), float(topology.capacity[route[-1]]))
    return size / ends + float(topology.latency[list(route)].sum())
