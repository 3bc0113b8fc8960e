"""Collectives against public measurements: nccl-tests on GPUs, a vendor's efficiency tables, published ratios."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.experiment.validate import Row, areas, row
from simulator.models.collectives import Group, bus_factor, estimate
from simulator.models.fairshare import max_min
from simulator.runtime.communicator import Communicator
from simulator.runtime.router import Router
from simulator.runtime.slots import Member

_DATA = Path(__file__).parent / "data"
LARGE = 64 * 2**20
"""Bytes from which a message counts as large."""
WITHIN = {"64 MiB and more": 0.10, "below 64 MiB": 0.30}
"""Bound of the median error over all measured rows."""
SERIES = {"64 MiB and more": 0.20, "below 64 MiB": 0.60}
"""Bound of the median error of one series. Two logs have a floor that is not the network's: see docs/collectives.md."""
_TWICE = 1.0
"""Bound of one row: no time is more than twice the measured one."""


class Measured(NamedTuple):
    """One public measurement: bytes, and seconds."""

    series: str
    collective: str
    group: Group
    algorithm: str
    size: float
    time: float
    source: str

    @property
    def simulated(self) -> float:
        """Seconds of the model."""
        return estimate(self.collective, self.size, self.group, self.algorithm).time

    @property
    def error(self) -> float:
        """Relative error of the time."""
        return self.simulated / self.time - 1

    @property
    def part(self) -> str:
        """Which bound it counts for."""
        large, small = WITHIN
        return large if self.size >= LARGE else small


@areas.register("network")
def network() -> Iterator[Row]:
    """Median errors over all measured collectives and in each series, efficiency tables, effect of routing."""
    rows = measured()
    for part, bound in WITHIN.items():
        yield _median("all series", part, [each for each in rows if each.part == part], bound)
    for series in dict.fromkeys(each.series for each in rows):
        for part, bound in SERIES.items():
            found = [each for each in rows if each.series == series and each.part == part]
            if found:
                yield _median(series, part, found, bound)
    yield from _tables()
    yield from _routing()


@areas.register("network-rows")
def network_rows() -> Iterator[Row]:
    """Every measured collective by itself."""
    for each in measured():
        case = f"{each.series}, {each.collective}, {each.group.ranks} ranks"
        measure = f"time of {each.size:.0f} B"
        yield row("network-rows", case, measure, "s", each.time, each.source, each.simulated, _TWICE)


@cache
def measured() -> tuple[Measured, ...]:
    """Read the measurements that come with the project."""
    with (_DATA / "collectives.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Measured(
                series=line["series"],
                collective=line["collective"],
                group=_group(line),
                algorithm=line["algorithm"],
                size=float(line["bytes"]),
                time=float(line["time_us"]) * 1e-6,
                source=line["source"],
            )
            for line in csv.DictReader(file)
        )


def _group(line: dict[str, str]) -> Group:
    nics = int(line["nics"]) if line["nics"] else None
    return Group.of(line["device"], line["link"] or None, int(line["ranks"]), int(line["per_node"]), nics)


def _median(case: str, part: str, rows: Sequence[Measured], bound: float) -> Row:
    errors = [abs(each.error) for each in rows]
    sources = list(dict.fromkeys(each.source for each in rows))
    source = sources[0] if len(sources) == 1 else f"{len(sources)} public sources"
    return row("network", case, f"median |error| of time, {part} ({len(rows)})", "", 0.0, source, median(errors), bound)


_TABLES = {"nic_ratio": ("all-reduce", "ring", "ring all-reduce"), "ata_ratio": ("all-to-all", "auto", "all-to-all")}


def _tables() -> Iterator[Row]:
    """Shares of 8 x 400 Gb/s a node that SimAI's tables give a message; no constant but one was fitted to them."""
    with (_DATA / "efficiency.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for table, (collective, algorithm, words) in _TABLES.items():
        for nodes in dict.fromkeys(int(line["nodes"]) for line in lines if line["table"] == table):
            group = Group.of("h100-sxm", "infiniband-ndr", 8 * nodes, 8)
            errors = []
            for line in lines:
                if line["table"] == table and int(line["nodes"]) == nodes:
                    size = float(line["bytes"])
                    share = _ideal(collective, size, nodes) / estimate(collective, size, group, algorithm).time
                    errors.append(abs(share / float(line["share"]) - 1))
            case = f"share of 400 Gb/s cards, {words}, {nodes} nodes"
            measure = f"median |error|, 16 MiB to 16 GiB ({len(errors)})"
            source = f"aliyun/SimAI astra-sim-alibabacloud/inputs/ratio/{table}.csv"
            yield row("network", case, measure, "", 0.0, source, median(errors), 0.35)


def _ideal(collective: str, size: float, nodes: int) -> float:
    """Seconds over full cards, without latency."""
    if collective == "all-to-all":
        return size * (nodes - 1) / nodes / 50e9
    return size * bus_factor(collective, 8 * nodes) / 400e9


_HPN = "Qian et al., Alibaba HPN, SIGCOMM 2024"
_HOST = "alibaba/hpn-host"


def _routing() -> Iterator[Row]:
    """What hash collisions cost, as a ratio of bandwidths; two channels a card, one flow a port."""
    two = builders.get("hpn")(segments=2, hosts=32, node=_HOST)
    jobs = [
        [(host, gpu) for i in range(8) for host in (8 * j + i, 32 + 8 * j + i) for gpu in range(8)] for j in range(4)
    ]
    disjoint = _bandwidth(two, jobs, "spray", 1) / _bandwidth(two, jobs, "ecmp", 4)
    case = "HPN, 4 all-reduces over 512 GPUs, disjoint paths over ECMP"
    yield row("network", case, "bandwidth ratio", "", 1.347, _HPN, disjoint, 0.25)
    rails = builders.get("hpn")(segments=1, hosts=64, node=_HOST)
    clos = builders.get("leaf-spine")(nodes=64, node=_HOST, link="roce-400g", nodes_per_leaf=16, spines=128)
    packed = [[(host, gpu) for host in range(56) for gpu in range(8)]]
    spread = [[(i + 16 * leaf, gpu) for i in range(14) for leaf in range(4) for gpu in range(8)]]
    ratio = _bandwidth(rails, packed, "ecmp", 4) / _bandwidth(clos, spread, "ecmp", 2)
    case = "HPN over segments of 16 hosts, all-reduce over 448 GPUs (at most)"
    yield row("network", case, "bandwidth ratio", "", 1.593, _HPN, ratio, 0.25)


def _bandwidth(topology: Topology, jobs: Sequence[Sequence[Member]], mode: str, flows: int) -> float:
    """Mean bandwidth of equal ring all-reduces of 4 GiB that run at the same time, bytes/s."""
    router = Router(topology, mode, flows=flows)
    size = 2.0**32
    plans = [Communicator(topology, job, router).plan("all-reduce", size, "ring") for job in jobs]
    flow: list[Any] = [SimpleNamespace(links=p.links, usage=p.usage, count=1.0, limit=p.limit) for p in plans]
    rates = max_min(flow, topology.capacity.tolist())
    times = [plan.latency + size / rate for plan, rate in zip(plans, rates, strict=True)]
    return sum(size / time for time in times) / len(times)
