"""Time of one training iteration, and how contention stretches it."""

from __future__ import annotations


def ring_volume(gradient: float, ranks: int) -> float:
    """Bytes that each rank sends in a ring all-reduce of ``gradient`` bytes: 2 (n - 1) / n x S.

    Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (2009);
    NCCL tests, doc/PERFORMANCE.md.

    >>> ring_volume(8e9, 4)
    12000000000.0
    """
    return 2 * (ranks - 1) / ranks * gradient


def ring_latency(ranks: int, hop: float) -> float:
    """Seconds that the 2 (n - 1) steps of a ring all-reduce cost in latency, ``hop`` being the slowest step's.

    Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH" (2005).
    """
    return 2 * (ranks - 1) * hop


def iteration_time(compute: float, volume: float, rate: float, latency: float, overlap: float) -> float:
    """Seconds of one synchronous iteration: compute, and what of the communication it cannot hide.

    ``volume`` bytes go out of each rank at ``rate`` bytes/s after ``latency`` seconds; up to ``overlap`` x ``compute``
    seconds of that are hidden behind the backward pass. Infinite when ``rate`` is 0.
    """
    if volume <= 0:
        return compute
    if rate <= 0:
        return float("inf")
    return compute + max(0.0, volume / rate + latency - overlap * compute)


def slowed(share: float, rate: float, alone: float) -> float:
    """Speed (1 = alone) of a job whose network share of time, alone at rate ``alone``, is ``share``, at ``rate`` now.

    The compute part keeps its pace, the network part stretches as the rate falls: 1 / ((1 - share) + share alone/rate).

    >>> slowed(0.5, rate=1.0, alone=2.0)
    0.6666666666666666
    """
    if share <= 0:
        return 1.0
    return 1.0 / ((1.0 - share) + share * alone / rate) if rate > 0 else 0.0
