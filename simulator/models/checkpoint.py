"""Checkpoints against failures: how often to write one, what that wastes, and how long a job then takes.

A job works for ``interval`` seconds, stands still for ``cost`` seconds while it writes a checkpoint, and so on.
Failures come at random with a mean of ``mtbf`` seconds between them; each loses the work since the last checkpoint,
takes ``down`` seconds in which nothing can fail (until it is seen and a machine is there) and ``restart`` seconds in
which the job can fail again (start and reading the checkpoint). Times are in seconds throughout.
"""

from __future__ import annotations

import math

from simulator.core.errors import InputError

WEIGHT_BYTES = 2.0
"""Of one parameter in a checkpoint: its 16-bit weight."""
OPTIMIZER_BYTES = 12.0
"""Of one parameter in a checkpoint: its fp32 copy and the two moments of Adam (ZeRO, arXiv 1910.02054, section 3.1)."""
_SMALL = 1e-7
"""Cost over MTBF below which Daly's formula is as exact as floats are."""
_NEWTON, _CLOSE = 50, 1e-14
"""Most steps of Newton's method for the optimum (it takes up to 8), and the relative step at which it ends."""


def young(mtbf: float, cost: float) -> float:
    """Return the best interval to first order, s: ``sqrt(2 * mtbf * cost)``, for a cost far below the MTBF.

    Source: J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974.

    >>> round(young(3.1 * 3600, 60.0) / 60, 1)
    19.3
    """
    _positive(mtbf, "mean time between failures")
    _positive(cost, "cost of a checkpoint")
    return math.sqrt(2.0 * mtbf * cost)


def daly(mtbf: float, cost: float) -> float:
    """Return Daly's interval of work between two checkpoints, s; ``mtbf`` where a checkpoint costs twice that or more.

    sqrt(2 C M) (1 + sqrt(C / 2M) / 3 + (C / 2M) / 9) - C, within 0.3 % of the optimum for C up to M / 3, and 2 % up to
    M. Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future
    Generation Computer Systems 22(3), 2006, equation 37.

    >>> round(daly(3.1 * 3600, 60.0) / 60, 1)
    18.6
    """
    first, part = young(mtbf, cost), cost / (2.0 * mtbf)
    if part >= 1.0:
        return mtbf
    return first * (1.0 + math.sqrt(part) / 3.0 + part / 9.0) - cost


def optimum(mtbf: float, cost: float) -> float:
    """Return the interval that makes ``segment`` shortest per second of work, s: the exact one of that model.

    It solves (1 - x) e^(x + C/M) = 1 for x = W/M, which Daly's formula approximates; the times after a failure have
    no part in it. Source: Bougeret, Casanova, Rabie, Robert and Vivien, "Checkpointing strategies for parallel jobs",
    SC 2011, theorem 1, where it is written with Lambert's function; here by Newton's method.

    >>> round(optimum(3.1 * 3600, 60.0) / 60, 3), round(daly(3.1 * 3600, 60.0) / 60, 3)
    (18.626, 18.626)
    """
    _positive(mtbf, "mean time between failures")
    _positive(cost, "cost of a checkpoint")
    part = cost / mtbf
    if part <= _SMALL:
        return daly(mtbf, cost)
    share = min(math.sqrt(2.0 * part), 1.0 - math.exp(-1.0 - part))
    if share >= 1.0:
        return mtbf
    for _ in range(_NEWTON):
        # log(1 - x) + x + c is 0 at the root, falls and bends down: from the right Newton's steps never cross it
        step = (math.log1p(-share) + share + part) * (1.0 - share) / share
        share += step
        if abs(step) <= _CLOSE * share:
            break
    return mtbf * share


def waste(interval: float, mtbf: float, cost: float, restart: float = 0.0, down: float = 0.0) -> float:
    """Return the expected share of time that is not work, to first order: C/W + W/2M + (R + D)/M.

    Good while all its terms are small; ``efficiency`` is exact. Source: Herault and Robert (eds.), "Fault-Tolerance
    Techniques for High-Performance Computing", Springer 2015, chapter 1, without the terms of second order.

    >>> round(waste(young(3.1 * 3600, 60.0), 3.1 * 3600, 60.0), 3)
    0.104
    """
    _model(interval, mtbf, cost, restart, down)
    return cost / interval + interval / (2.0 * mtbf) + (restart + down) / mtbf


def segment(interval: float, mtbf: float, cost: float, restart: float = 0.0, down: float = 0.0) -> float:
    """Return the expected time, s, until ``interval`` of work and its checkpoint are done, with exponential failures.

    (M + D) e^(R/M) (e^((W + C)/M) - 1): every attempt starts anew, the job may fail while it restarts and while it
    writes. Source: Bougeret et al., SC 2011, theorem 1; with D = 0 it is Daly's (2006).

    >>> segment(600.0, math.inf, 60.0)
    660.0
    >>> round(segment(600.0, 3600.0, 60.0, restart=120.0), 1)
    748.9
    """
    _model(interval, mtbf, cost, restart, down)
    if math.isinf(mtbf):
        return interval + cost
    try:
        return (mtbf + down) * math.exp(restart / mtbf) * math.expm1((interval + cost) / mtbf)
    except OverflowError:
        return math.inf


def efficiency(interval: float, mtbf: float, cost: float, restart: float = 0.0, down: float = 0.0) -> float:
    """Return the share of time that is work that lasts: ``interval / segment(...)``, between 0 and 1.

    >>> round(1 - efficiency(young(11160, 60.0), 11160, 60.0), 3)
    0.1
    """
    return interval / segment(interval, mtbf, cost, restart, down)


def duration(
    work: float, interval: float, mtbf: float, cost: float, restart: float = 0.0, down: float = 0.0, last: bool = False
) -> float:
    """Return the expected time, s, of ``work`` seconds of work with a checkpoint after each ``interval``.

    The last piece of work, which may be shorter, has no checkpoint unless ``last``; an ``interval`` of infinity means
    no checkpoints at all. The sum of ``segment`` over the pieces, as failures without memory make them independent.

    >>> duration(3600.0, 600.0, math.inf, 60.0), duration(3600.0, 600.0, math.inf, 60.0, last=True)
    (3900.0, 3960.0)
    """
    _positive(work, "work")
    whole = math.ceil(work / interval - 1e-9) - 1 if math.isfinite(interval) else 0
    end = segment(work - whole * interval if whole else work, mtbf, cost if last else 0.0, restart, down)
    return (whole * segment(interval, mtbf, cost, restart, down) if whole else 0.0) + end


def job_mtbf(machine_mtbf: float, machines: float) -> float:
    """Return the mean time between failures of a job, s, that stops when any of its ``machines`` does.

    Failures add up (series system, exponential lives): M / n.

    >>> round(job_mtbf(50_677 * 3600.0, 16_384) / 3600, 2)
    3.09
    """
    _positive(machine_mtbf, "mean time between failures")
    _positive(machines, "number of machines")
    return machine_mtbf / machines


def effective_training_time_ratio(
    interval: float, mtbf: float, cost: float, restart: float, queue: float = 0.0, runtime: float = math.inf
) -> float:
    """Return the expected ETTR: productive time over all time from submission to end, queueing included.

    (1 - (u0 + W/2)/M) / (1 + C/W) without a queue and for long jobs, the formula of Kokolis et al., "Revisiting
    Reliability in Large-Scale Machine Learning Research Clusters", HPCA 2025 (arXiv 2410.21680v2), with M the MTBF of
    the job, u0 = ``restart`` and W = ``interval``; its checkpoints add C for each W of progress. ``queue`` is the wait
    before each start, the first included, and ``runtime`` the productive time of the job, whose first start counts:
    with n failures, scheduled time S = P (1 + C/W) + u0 (1 + n) + n W/2 and n = S/M, all time S + q (1 + n), and the
    ratio P over that. 0 where a failure costs more than there is time between two.

    >>> day = 86_400.0
    >>> nodes = 12_000 / 8
    >>> round(effective_training_time_ratio(420.0, day / (nodes * 6.5e-3), 10.0, 300.0), 2)
    0.92
    """
    _model(interval, mtbf, cost, restart, queue)
    _positive(runtime, "runtime")
    kept = 1.0 - (restart + interval / 2.0) / mtbf
    if kept <= 0.0:
        return 0.0
    scheduled = (1.0 + cost / interval + restart / runtime) / kept
    return 1.0 / (scheduled * (1.0 + queue / mtbf) + queue / runtime)


def state_bytes(parameters: float, weights: float = WEIGHT_BYTES, optimizer: float = OPTIMIZER_BYTES) -> float:
    """Return the bytes of a checkpoint of a model of ``parameters`` that is trained with Adam in mixed precision.

    14 bytes for each. MLPerf Storage 2.0 (mlcommons/storage, Submission_guidelines.md, table 2) has 105, 912 and 5,290
    GB (of 2^30 bytes) for Llama 3 of 8, 70 and 405 billion parameters.

    >>> [round(state_bytes(count) / 2**30) for count in (8.03e9, 70.55e9, 405.85e9)]
    [105, 920, 5292]
    """
    _positive(parameters, "number of parameters")
    return parameters * (weights + optimizer)


def transfer_seconds(size: float, nodes: float, node_rate: float, system_rate: float = math.inf) -> float:
    """Return how long ``nodes`` that share a state of ``size`` bytes take to write or to read it, s.

    size / min(n x rate of a node, rate of the file system), in bytes/s: all start together and none waits for others.

    >>> transfer_seconds(5.29e12, nodes=2048, node_rate=2e9, system_rate=2e12)
    2.645
    """
    _not_negative(size, "size")
    _positive(nodes, "number of nodes")
    _positive(node_rate, "rate of a node")
    _positive(system_rate, "rate of the file system")
    return size / min(nodes * node_rate, system_rate)


def _model(interval: float, mtbf: float, cost: float, restart: float, down: float) -> None:
    _positive(interval, "interval between checkpoints")
    _not_negative(interval, "interval between checkpoints")
    _positive(mtbf, "mean time between failures")
    for value, name in ((cost, "cost of a checkpoint"), (restart, "restart"), (down, "time down or in the queue")):
        _not_negative(value, name)


def _positive(value: float, name: str) -> None:
    if not value > 0:
        raise InputError(f"the {name} is {value:g}: it must be above 0")


def _not_negative(value: float, name: str) -> None:
    if not value >= 0 or math.isinf(value):
        raise InputError(f"the {name} is {value:g}: it must be a finite number of at least 0")
