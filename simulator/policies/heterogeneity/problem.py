"""What an objective is told of the jobs and the accelerators, as numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


def _empty() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class Problem:
    """Active jobs (rows) and types of accelerators (columns).

    An answer to it is an *allocation*: an array of shape (jobs, types) with the share of time, 0 to 1, for which a job
    has its whole gang of a type; a row sums to at most 1, and shares x gangs of a type to at most its ``capacity``.
    Made by ``problem``, which fills in what is not given.
    """

    pace: Array
    """Shape (jobs, types): share of the whole job that a second on the type finishes; 0 where it cannot run."""
    gang: Array
    """Accelerators that a job holds while it runs, above 0."""
    capacity: Array
    """Shape (types,): accelerators of each type."""
    weight: Array = field(default_factory=_empty)
    """How much a job counts beside others; 1 by default."""
    remaining: Array = field(default_factory=_empty)
    """Share of the job that is left, above 0 to 1."""
    elapsed: Array = field(default_factory=_empty)
    """Seconds since the job came."""
    isolated: Array = field(default_factory=_empty)
    """Seconds that what is done would have taken on an equal share of the cluster."""
    deadline: Array = field(default_factory=_empty)
    """Seconds from now by which the job should have ended; infinite for none."""
    price: Array = field(default_factory=_empty)
    """Shape (types,): price of an accelerator for a second, in any currency; 1 by default."""
    entity: Array = field(default_factory=_empty)
    """Index of the entity (team) that a job belongs to; 0 by default."""
    entity_weight: Array = field(default_factory=_empty)
    """Shape (entities,): how much an entity counts beside others."""
    entity_fifo: Array = field(default_factory=_empty)
    """Shape (entities,): whether the entity serves its jobs in the order of the rows; else it shares among them."""

    @property
    def jobs(self) -> int:
        """Number of jobs."""
        return len(self.gang)

    def subset(self, rows: Array) -> Problem:
        """The same for some of the jobs; ``rows`` are indices or booleans."""
        names = ("pace", "gang", "weight", "remaining", "elapsed", "isolated", "deadline", "entity")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def problem(
    pace: ArrayLike,
    capacity: ArrayLike,
    gang: ArrayLike = 1.0,
    *,
    weight: ArrayLike = 1.0,
    remaining: ArrayLike = 1.0,
    elapsed: ArrayLike = 0.0,
    isolated: ArrayLike = 0.0,
    deadline: ArrayLike = np.inf,
    price: ArrayLike = 1.0,
    entity: Sequence[int] | Array | int = 0,
    entity_weight: ArrayLike = 1.0,
    entity_fifo: Sequence[bool] | Array | bool = False,
) -> Problem:
    """Make a problem; what is a single number holds for all jobs (or types, or entities).

    >>> problem([[2.0, 1.0], [1.0, 1.0]], [4, 4]).gang
    array([1., 1.])
    """
    rows = np.atleast_2d(np.asarray(pace, dtype=float))
    types = np.atleast_1d(np.asarray(capacity, dtype=float))
    if rows.size == 0:
        rows = rows.reshape(0, len(types))
    count = len(rows)
    if rows.shape[1] != len(types):
        raise ValueError(f"pace has {rows.shape[1]} types, capacity {len(types)}")
    owner = np.broadcast_to(np.asarray(entity, dtype=np.int64), count)
    entities = int(owner.max(initial=0)) + 1

    def each(value: ArrayLike, length: int) -> Array:
        return np.array(np.broadcast_to(np.asarray(value, dtype=float), length))

    return Problem(
        rows,
        each(gang, count),
        types,
        each(weight, count),
        each(remaining, count),
        each(elapsed, count),
        each(isolated, count),
        each(deadline, count),
        each(price, len(types)),
        owner,
        each(entity_weight, entities),
        np.array(np.broadcast_to(np.asarray(entity_fifo, dtype=bool), entities)),
    )


def equal_share(task: Problem) -> Array:
    """Allocation in which every job has an equal part of every type: what it would get on a cluster of its own.

    ``capacity / jobs`` accelerators of a type are ``capacity / (jobs x gang)`` of the time of the gang; where that adds
    up to more than all of the time, it is scaled down. Source: Gavel (OSDI 2020), ``policies/isolated.py``.
    """
    if not task.jobs:
        return np.zeros_like(task.pace)
    share: Array = task.capacity / task.jobs / task.gang[:, None]
    scaled: Array = share / np.maximum(share.sum(axis=1), 1.0)[:, None]
    return scaled


def proportional(task: Problem) -> Array:
    """Paces (1/s) of jobs that share the time of all types in proportion to their numbers: what paces are counted in.

    Source: Gavel (OSDI 2020), section 4.1 and ``policies/proportional.py``: X_equal with a time of ``capacity / total``
    on each type. Shape (jobs,); NaN-free: a job that can run nowhere counts as 1.
    """
    total = task.capacity.sum()
    if not total:
        return np.ones(task.jobs)
    pace = task.pace @ (task.capacity / total)
    return np.where(pace > 0, pace, 1.0)


def normalised(task: Problem) -> Array:
    """Paces in multiples of ``proportional``, times the gang and over the weight: what max-min fairness equalises.

    Source: Gavel (OSDI 2020), section 4.1. Shape (jobs, types).
    """
    counted: Array = task.pace * (task.gang / task.weight / proportional(task))[:, None]
    return counted


def spread_out(task: Problem, shares: Array) -> Array:
    """Give every job the same time in all, on all types in proportion to their numbers.

    That is what an allocation means that takes all types to be equal. Where some jobs cannot run on some types the
    shares stay as they are, as spreading might not fit.
    """
    if not (task.pace > 0).all() or not task.capacity.sum():
        return shares
    even: Array = shares.sum(axis=1)[:, None] * (task.capacity / task.capacity.sum())
    return even
