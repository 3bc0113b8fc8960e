"""Transfers over a network, without a cluster around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import placers, schedulers
from simulator.runtime.links import CapacityEvent, LinkEvent
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import Transfer

if TYPE_CHECKING:
    import pandas as pd

_MOST_FLAPS = 100_000


def simulate_transfers(
    topology: Topology,
    transfers: Sequence[Transfer],
    capacity_events: Sequence[CapacityEvent] = (),
    *,
    link_events: Sequence[LinkEvent] = (),
    reroute: float = 0.0,
    routing: str = "ecmp",
    flows: int = 1,
    until: float = math.inf,
) -> pd.DataFrame:
    """Run transfers that share the links of ``topology`` max-min fairly; return a table ``id, start, end``.

    A transfer becomes active after the latency of its way and ends with its last byte; rates follow every arrival, end
    and event exactly. ``capacity_events`` are (time in s, link index, bytes/s), ``link_events`` (time in s, link index,
    whether it is up). ``routing`` and ``flows`` are those of ``runtime.router.Router``; it takes ``reroute`` seconds to
    notice that a link is down or up. Until then transfers over a dead link stand still; then they take another way with
    the bytes they have left, and return when the link is back (see ``runtime.transfers.TransferLife``). ``until`` (s)
    ends the run early.

    Rows are in the order of ``transfers``; ``id`` is the transfer's own, or its position; ``end`` is NaN where a
    transfer has not ended, and ``attrs["notes"]`` of the table says why when it never will. Raises ``InputError`` for
    routes and links that do not exist.

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
        link_events=list(link_events),
        reroute=reroute,
        routing=routing,
        flows=flows,
        until=until,
    )
    record = simulation.run()
    table = pd.DataFrame({name: record.tables["flows"][name] for name in ("id", "start", "end")})
    table.attrs["notes"] = record.facts["notes"]
    return table


def flapping(links: Sequence[int], start: float, period: float, duty: float, count: int) -> list[LinkEvent]:
    """Return the events of ``links`` that go down together, ``count`` times, once in each ``period`` (s).

    They are down for the share ``duty`` of each period, from its beginning, the first one at ``start`` (s).

    >>> flapping([3], start=10.0, period=4.0, duty=0.25, count=2)
    [(10.0, 3, False), (11.0, 3, True), (14.0, 3, False), (15.0, 3, True)]
    """
    if not (0 <= start < math.inf and 0 < period < math.inf and 0 < duty < 1):
        raise InputError(f"flapping: start {start!r}, period {period!r}, duty {duty!r}; duty lies between 0 and 1")
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_FLAPS:
        raise InputError(f"flapping: count is {count!r}; it must be a whole number from 0 to {_MOST_FLAPS:,}")
    events: list[LinkEvent] = []
    for turn in range(count):
        begin = start + turn * period
        events += [(begin, link, False) for link in links]
        events += [(begin + duty * period, link, True) for link in links]
    return events
