"""Jobs and servers as vectors of two resources, cores and accelerators, for policies that pack by all of them."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import Job

MILLI = 1000
"""Cores and accelerators are counted in thousandths, as Kubernetes does."""


def wanted(job: Job) -> tuple[float, float]:
    """Thousandths of cores and of accelerators that a job asks for."""
    return round(job.cores * MILLI, 0), round(job.accelerators * MILLI, 0)


def free(nodes: Allocator, servers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thousandths of cores and of accelerators free on ``servers`` (indices); float arrays of shape (servers,).

    Cores without limit count as none, so that they weigh nothing.
    """
    cores = np.round(nodes.free_cores[servers] * MILLI)
    return np.where(np.isfinite(cores), cores, 0.0), 1000.0 * nodes.free[servers] + nodes.beside[servers]


def largest(nodes: Allocator) -> tuple[float, float]:
    """Thousandths of cores and of accelerators of the largest servers, by which vectors are put to scale; at least 1.

    In openb they are 128 cores and 8 accelerators, the constants of its experiments.
    """
    return max(1.0, nodes.most_cores * MILLI), max(1.0, float(nodes.most_accelerators * MILLI))
