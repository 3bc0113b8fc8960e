"""Transfers over a network, without a cluster around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.cluster.topology import Topology
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import Transfer

if TYPE_CHECKING:
    import pandas as pd


def simulate_transfers(
    topology: Topology,
    transfers: Sequence[Transfer],
    capacity_events: Sequence[tuple[float, int, float]] = (),
) -> pd.DataFrame:
    """Run transfers that share the links of ``topology`` max-min fairly; return a table ``id, start, end``.

    A transfer becomes active after the sum of its route's latencies and ends with its last byte; rates follow every
    arrival, end and capacity event exactly. ``capacity_events`` are (time in s, link index, bytes/s). Rows are in the
    order of ``transfers``; ``id`` is the transfer's own, or its position; ``end`` is NaN where a transfer never ends,
    because a link of its route stays without capacity. Raises ``InputError`` for routes that do not exist.

    >>> line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 100.0, "latency": 1.0}])
    >>> simulate_transfers(line, [Transfer(src="a", dst="b", bytes=100), Transfer(src="a", dst="b", bytes=200)])
      id  start  end
    0  0    0.0  3.0
    1  1    0.0  4.0
    """
    import pandas as pd

    simulation = Simulation(
        topology=topology,
        scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(),
        transfers=list(transfers),
        capacity_events=list(capacity_events),
    )
    flows = simulation.run().tables["flows"]
    return pd.DataFrame({name: flows[name] for name in ("id", "start", "end")})
