"""Failures, repairs and checkpoints in whole runs, against closed forms and against two published clusters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from simulator.cluster import catalog
from simulator.cluster.records import Failure
from simulator.cluster.topology import Topology
from simulator.experiment.validate import Row, row
from simulator.metrics.recorder import Record
from simulator.metrics.statistics import replicated
from simulator.models import checkpoint, reliability
from simulator.policies.api import placers, schedulers
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, Repair, Source
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob
from simulator.workload.saving import Saving

AREA = "elasticity"
HOUR, DAY = 3600.0, 86_400.0
_REPLICATIONS = 6
_RUNS = 40
"""Runs of the job that writes checkpoints at each interval."""


def failures() -> Iterator[Row]:
    """Machines that are repaired, jobs that write checkpoints, and the interruptions of published clusters."""
    yield from _machine_repair()
    yield from _checkpointed()
    yield from _llama()
    yield from _research_cluster()


# -- machine repair ---------------------------------------------------------------------------------------------------

_MACHINES, _UP, _REPAIR, _SPAN, _ENOUGH = 50, 9 * HOUR, HOUR, 10 * DAY, 47
"""Machines, mean time up, mean repair, length of a run, and the machines that some job would need."""


def _machine_repair() -> Iterator[Row]:
    """Nodes that fail and are repaired, each by a crew of its own."""
    source = "machine repair M/M/c//N; Kleinrock, Queueing Systems I (1975), sec. 3.8"
    law = reliability.machine_repair(_MACHINES, _UP, _REPAIR)
    shares = [_shares(replication) for replication in range(_REPLICATIONS)]
    numbers = np.arange(_MACHINES + 1)
    case = f"{_MACHINES} nodes, up {_UP / HOUR:g} h, repaired in {_REPAIR / HOUR:g} h"
    for measure, weights in (("nodes up, mean", numbers), (f"share with {_ENOUGH} up", numbers >= _ENOUGH)):
        found = replicated([float(weights @ share) for share in shares])
        exact = float(weights @ law)
        yield row(AREA, case, measure, "", exact, source, found.mean, found.half_width / exact)


def _shares(replication: int) -> np.ndarray:
    """Share of a run with 0, 1, 2, ... nodes up, the first tenth left out."""
    cause = Source(name="node", component="node", rate=1 / _UP, repair=Repair(_REPAIR, "exponential"))
    record = Simulation(
        topology=_servers(_MACHINES), scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(),
        parts=[Failures([cause])], until=_SPAN, replication=replication,
    ).run()  # fmt: skip
    events = record.tables["events"]
    step = np.select([events["event"] == "failure", events["event"] == "repair"], [-1, 1], 0)
    up = _MACHINES + np.append(0, np.cumsum(step))
    times = np.clip(np.append(np.append(0.0, events["time"]), _SPAN), _SPAN / 10, _SPAN)
    return np.bincount(up, weights=np.diff(times), minlength=_MACHINES + 1) / (0.9 * _SPAN)


# -- one job that writes checkpoints ----------------------------------------------------------------------------------


class Plan(NamedTuple):
    """A job on ``nodes`` of twice as many, each of which fails after ``mtbf`` in the mean. Times in seconds."""

    nodes: int = 8
    mtbf: float = 8 * 11_160.0
    cost: float = 60.0
    restart: float = 120.0
    unseen: float = 30.0
    work: float = 80 * 11_160.0
    repair: float = 600.0


_JOB = Plan()
_FACTORS = (0.4, 0.7, 1.0, 1.5, 2.5)
"""Intervals between checkpoints that are tried, over Daly's."""
_SHOWN = (0.4, 1.0, 2.5)
_EXACT = "renewal form; Bougeret et al., SC 2011, theorem 1"


def _checkpointed() -> Iterator[Row]:
    """A job of eight nodes, of which one fails every 3.1 h, at several intervals between its checkpoints.

    The runs at all intervals meet the same failures.
    """
    mtbf = checkpoint.job_mtbf(_JOB.mtbf, _JOB.nodes)
    best = checkpoint.optimum(mtbf, _JOB.cost)
    ends: list[list[float]] = []
    for factor in _FACTORS:
        interval = factor * checkpoint.daly(mtbf, _JOB.cost)
        ends.append([_end(_JOB, interval, replication) for replication in range(_RUNS)])
        if factor not in _SHOWN:
            continue
        exact = 1 - _JOB.work / checkpoint.duration(_JOB.work, interval, mtbf, _JOB.cost, _JOB.restart, _JOB.unseen)
        found = replicated([1 - _JOB.work / end for end in ends[-1]])
        case = f"a checkpoint of {_JOB.cost:g} s each {factor:g} x Daly's interval, MTBF {mtbf / HOUR:.1f} h"
        yield row(AREA, case, "time wasted, share", "", exact, _EXACT, found.mean, found.half_width / exact)
    daly = "Daly, FGCS 22 (2006), eq. 37"
    found = replicated([_lowest(times) for times in zip(*ends, strict=True)])
    yield row(AREA, "the same, shortest run", "interval / Daly's", "", best / checkpoint.daly(mtbf, _JOB.cost), daly,
              found.mean, found.half_width)  # fmt: skip


def _lowest(ends: Sequence[float]) -> float:
    """Interval, over Daly's, at the lowest point of the waste a/x + b x + c that fits the runs best.

    a is the cost of checkpoints, b the work that is lost, c what each failure costs: the model's terms of first order.
    """
    factors = np.array(_FACTORS)
    system = np.column_stack([1 / factors, factors, np.ones(len(factors))])
    (writes, lost, _), *_ = np.linalg.lstsq(system, np.array(ends) / _JOB.work, rcond=None)
    return math.sqrt(writes / lost) if writes > 0 and lost > 0 else math.nan


def _end(plan: Plan, interval: float, replication: int) -> float:
    """Return when the job ends, s."""
    job = BatchJob(
        id="train", submit=0.0, duration=plan.work, accelerators=float(plan.nodes),
        saving=Saving(every=interval, write=plan.cost),
    )  # fmt: skip
    cause = Source(name="node", component="node", rate=1 / plan.mtbf, repair=Repair(plan.repair), detection=plan.unseen)
    broken = Failures([cause])
    Simulation(
        topology=_servers(2 * plan.nodes), jobs=[job], scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(), parts=[broken, Checkpoints(broken.mtbf)], restart=plan.restart,
        replication=replication,
    ).run()  # fmt: skip
    return job.end


# -- published clusters -----------------------------------------------------------------------------------------------

_ACCELERATORS, _PER_SERVER, _DAYS = 16_384, 8, 54
_STORE_RATE = 2e12
"""Bytes/s that the storage of Llama 3's cluster sustains (arXiv 2407.21783, section 3.3.1: 2 TB/s, 7 TB/s at most)."""
_PARAMETERS = 405e9
_SPARES, _MEND = 16, 4 * HOUR
"""Spare servers, and the repair of one: ours; there is always a spare."""
_AGAIN, _SLOW_WRITE, _SLOW_EVERY = 600.0, 60.0, 1200.0
"""Restart with all that comes before it, and a checkpoint that takes a minute each twenty: ours. The paper tells
neither; 90 % of the time leave a failure 17 minutes in the mean, with whatever the checkpoints cost."""
_SUMS = ("llama3-all-unplanned", "llama3-gpu-all")
"""Rows of the catalog that add up others."""


def _llama() -> Iterator[Row]:
    """54 days of Llama 3's training: every unplanned cause at its published rate.

    What a failure costs is not published: with checkpoints as fast as the storage, at Daly's interval, and a restart of
    ten minutes, more than 90 % of the time are left, as the paper has it; with a minute each twenty, they are not.
    """
    whole = catalog.failure("llama3-all-unplanned")
    causes = [
        cause
        for cause in catalog.records("failure")
        if isinstance(cause, Failure) and cause.id.startswith("llama3-") and cause.id not in _SUMS
    ]
    sources = [
        Source(name=cause.what, component="accelerator", rate=cause.rate, repair=Repair(_MEND)) for cause in causes
    ]
    span, servers, mtbf = _DAYS * DAY, _ACCELERATORS // _PER_SERVER, 1 / whole.rate / _ACCELERATORS
    write = checkpoint.transfer_seconds(checkpoint.state_bytes(_PARAMETERS), servers, math.inf, _STORE_RATE)
    interval = checkpoint.daly(mtbf, write)
    record, job = _trained(servers, _PER_SERVER, sources, span, interval, write)
    case = f"Llama 3, {_ACCELERATORS:,} accelerators, {_DAYS} days"
    paper, total = "The Llama 3 Herd of Models (arXiv 2407.21783)", whole.events or 0
    source = f"{paper}, table 5"
    yield row(AREA, case, "unplanned interruptions", "", total, source, job.failures, 2 / math.sqrt(total))
    largest = max(causes, key=lambda cause: cause.events or 0)
    name, number = f"failures: {largest.what.lower()}", largest.events or 0
    found = record.facts["failures"]["by_source"][largest.what]
    yield row(AREA, case, name, "", number, source, found, 2 / math.sqrt(number))
    fast, short = f"{case}, checkpoints of {write:.1f} s", max(0.0, 0.9 - job.done / span)
    yield row(AREA, fast, "effective training time below 0.9", "", 0.0, f"{paper}, section 3.3.4", short, 0.0)
    yield _effective(fast, job, span, checkpoint.efficiency(interval, mtbf, write, _AGAIN))
    coarse = 8  # the rates are those of accelerators: with larger servers it takes a tenth of the time
    _, job = _trained(servers // coarse, _PER_SERVER * coarse, sources, span, _SLOW_EVERY, _SLOW_WRITE)
    slow = f"{case}, checkpoints of {_SLOW_WRITE:g} s each {_SLOW_EVERY / 60:g} min"
    yield _effective(slow, job, span, checkpoint.efficiency(_SLOW_EVERY, mtbf, _SLOW_WRITE, _AGAIN))


def _research_cluster() -> Iterator[Row]:
    """A job of 16,384 accelerators at the failure rate of the nodes of Meta's RSC-1."""
    node = Source(name="node", component="node", rate=6.5 / 1000 / DAY, repair=Repair(HOUR))
    span, interval, write = 10 * DAY, HOUR / 4, 10.0
    servers = _ACCELERATORS // _PER_SERVER
    _, job = _trained(servers, _PER_SERVER, [node], span, interval, write)
    case, source = f"RSC-1, a job of {_ACCELERATORS:,} accelerators", "Kokolis et al., HPCA 2025 (arXiv 2410.21680)"
    between = span / job.failures / HOUR
    yield row(AREA, case, "time between failures", "h", 1.8, source, between, 2 / math.sqrt(job.failures))
    exact = checkpoint.efficiency(interval, 1000 * DAY / 6.5 / servers, write, _AGAIN)
    yield _effective(case, job, span, exact)


def _effective(case: str, job: BatchJob, span: float, exact: float) -> Row:
    """Share of the run that is work that lasts; what is lost is as uncertain as the number of failures."""
    bound = 2 / math.sqrt(job.failures) * (1 / exact - 1)
    return row(AREA, case, "effective training time", "", exact, _EXACT, job.done / span, bound)


def _trained(
    servers: int, each: int, sources: Sequence[Source], span: float, interval: float, write: float
) -> tuple[Record, BatchJob]:
    """Train on ``servers`` of ``each`` accelerators for ``span`` seconds; return what was recorded, and the job."""
    job = BatchJob(
        id="train", submit=0.0, duration=2 * span, accelerators=float(servers * each),
        saving=Saving(every=interval, write=write),
    )  # fmt: skip
    broken = Failures(sources, spares=_SPARES)
    record = Simulation(
        topology=_servers(servers + _SPARES, each), jobs=[job], scheduler=schedulers.get("fifo")(),
        placer=placers.get("pack")(), parts=[broken, Checkpoints(broken.mtbf)], restart=_AGAIN, until=span,
    ).run()  # fmt: skip
    return record, job


def _servers(count: int, accelerators: int = 1) -> Topology:
    return Topology.from_links([], {f"node-{index}": {"accelerators": accelerators} for index in range(count)})
