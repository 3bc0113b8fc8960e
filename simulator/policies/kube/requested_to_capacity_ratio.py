"""NodeResourcesFit with RequestedToCapacityRatio."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores

_SHAPE_MOST = 10
"""Highest score of a point of the shape (``MaxCustomPriorityScore``)."""


@scores.register("requested-to-capacity-ratio")
def requested_to_capacity_ratio(situation: Situation) -> np.ndarray:
    """A broken line over the use of each resource; resources that score 0 do not count in the mean.

    The line, its whole-number steps and the rounding are those of ``requested_to_capacity_ratio.go``.
    """
    points = np.array([(use, score * (MOST // _SHAPE_MOST)) for use, score in situation.shape])
    total, weight = np.zeros(len(situation.servers)), np.zeros(len(situation.servers))
    for name, counts in situation.weights.items():
        there, used, _ = situation.resource(name)
        has = there > 0
        use = np.minimum(used * 100 // np.where(has, there, 1.0), 100)
        score = _on_line(use, points)
        total += np.where(has & (score > 0), score * counts, 0.0)
        weight += (has & (score > 0)) * counts
    return np.floor(total / np.where(weight > 0, weight, 1.0) + 0.5)


def _on_line(use: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whole-number interpolation between points, rounded towards zero; level beyond the ends."""
    after = np.clip(np.searchsorted(points[:, 0], use), 1, max(1, len(points) - 1))
    if len(points) == 1:
        return np.full(len(use), points[0, 1])
    (x0, y0), (x1, y1) = points[after - 1].T, points[after].T
    inside: np.ndarray = y0 + np.trunc((y1 - y0) * (np.clip(use, points[0, 0], points[-1, 0]) - x0) / (x1 - x0))
    return inside
