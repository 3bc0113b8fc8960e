"""Fragments: free accelerators of a server that the jobs which usually come cannot use.

The measure is that of Weng et al., "Beware of Fragmentation" (USENIX ATC 2023), section 4, as ``pkg/utils/frag.go`` of
hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641, computes it. Here it is counted in whole numbers (thousandths
of accelerators x jobs), so that what is equal is equal to the last digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.policies.vectors import MILLI
from simulator.workload.jobs import Job


class Shape(NamedTuple):
    """What a job asks for on one server: thousandths of cores, and one share of each of ``number`` accelerators."""

    cores: int
    share: int
    number: int
    types: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job) -> Shape:
        """Shape of a job."""
        cores = round(job.cores * MILLI)
        if not job.accelerators:
            return cls(cores, 0, 0)
        if job.accelerators < 1:
            return cls(cores, max(1, round(job.accelerators * MILLI)), 1, job.accelerator_types)
        return cls(cores, MILLI, int(job.accelerators), job.accelerator_types)


@dataclass(frozen=True, eq=False)
class Typical:
    """Shapes of jobs that usually come, and how many of each."""

    shapes: tuple[Shape, ...]
    counts: tuple[int, ...]
    shares: np.ndarray = field(init=False)
    """Distinct shares, rising."""
    _share: np.ndarray = field(init=False)
    _number: np.ndarray = field(init=False)
    _cores: np.ndarray = field(init=False)
    _weight: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        share = np.array([shape.share for shape in self.shapes], dtype=np.int64)
        arrays = {
            "shares": np.unique(share),
            "_share": np.searchsorted(np.unique(share), share),
            "_number": np.array([shape.number for shape in self.shapes], dtype=np.int64),
            "_cores": np.array([shape.cores for shape in self.shapes], dtype=np.int64),
            "_weight": np.array(self.counts, dtype=np.int64),
        }
        for name, array in arrays.items():
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, jobs: Iterable[Job], popularity: float = 0.95) -> Typical:
        """Take the most frequent shapes that together make up ``popularity`` (0 to 1) of the jobs."""
        return cls.counted(Counter(map(Shape.of, jobs)), popularity)

    @classmethod
    def counted(cls, shapes: Counter[Shape], popularity: float = 0.95) -> Typical:
        """Take the most frequent of counted shapes; of equally frequent ones the larger first."""
        ranked = sorted(shapes.items(), key=lambda item: (item[1], item[0]), reverse=True)
        sums = np.cumsum([count for _, count in ranked])
        kept = int(np.searchsorted(sums, popularity * sums[-1])) + 1 if ranked else 0
        return cls(tuple(shape for shape, _ in ranked[:kept]), tuple(count for _, count in ranked[:kept]))

    @property
    def weight(self) -> int:
        """Jobs that were counted."""
        return int(self._weight.sum())

    def welcome(self, types: Sequence[str]) -> np.ndarray:
        """Which shapes servers of these types may hold; booleans of shape (servers, shapes)."""
        return np.array(
            [[not shape.types or each in shape.types for shape in self.shapes] for each in types], dtype=bool
        ).reshape(len(types), len(self.shapes))

    def fragments(self, cores: np.ndarray, devices: np.ndarray, welcome: np.ndarray) -> np.ndarray:
        """Fragments of servers, summed over all typical jobs: thousandths of accelerators x jobs, of shape (servers,).

        ``cores`` (thousandths, shape (servers,)) and ``devices`` (thousandths free by accelerator, shape (servers,
        accelerators)) are what is free; ``welcome`` is as returned by that method. To a job that a server can hold, the
        accelerators with less free than its share are fragments; to one that it cannot hold, or that needs none, all.
        """
        total = devices.sum(axis=1)
        enough = devices[:, :, None] >= self.shares
        numbers = enough.sum(axis=1)
        usable = (devices[:, :, None] * enough).sum(axis=1)
        holds = (
            (numbers[:, self._share] >= self._number) & (cores[:, None] >= self._cores) & welcome & (self._number > 0)
        )
        used = (usable[:, self._share] * holds) @ self._weight
        return np.asarray(total * self.weight - used)
