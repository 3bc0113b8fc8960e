"""The nodes of an observation, taken apart by state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.policies.supply import Nodes, NodeState, SupplyObservation


def nodes_of(observation: SupplyObservation) -> Nodes:
    """Return the nodes of an observation; none where it has no details."""
    if observation.nodes is not None:
        return observation.nodes
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Nodes(whole, whole, whole, real, real, real, real, real, real, real, real, real)


@dataclass(frozen=True, slots=True)
class Census:
    """Rows of ``Nodes``: those that take work, those that will, and the rest. Index arrays, rising."""

    ready: np.ndarray
    coming: np.ndarray
    """Booting, or starting."""
    draining: np.ndarray
    failed: np.ndarray


def census(nodes: Nodes) -> Census:
    """Sort nodes by state."""
    state = nodes.state
    coming = (state == NodeState.BOOTING) | (state == NodeState.STARTING)
    masks = (state == NodeState.READY, coming, state == NodeState.DRAINING, state == NodeState.FAILED)
    return Census(*(np.flatnonzero(mask) for mask in masks))


def utilisation(nodes: Nodes, accelerated: np.ndarray) -> np.ndarray:
    """Return the share of each node that is requested: of its accelerators, elsewhere the larger of cores and memory.

    ``accelerated`` says which nodes are judged by accelerators. What a node has without limit counts as idle. Source:
    kubernetes/autoscaler 1.33, cluster-autoscaler/simulator/utilization/info.go.
    """

    def share(free: np.ndarray, total: np.ndarray) -> np.ndarray:
        limited = np.isfinite(total) & (total > 0)
        return np.where(limited, 1.0 - np.divide(free, total, out=np.ones(len(total)), where=limited), 0.0)

    by_accelerators = share(nodes.free_accelerators, nodes.accelerators)
    by_others = np.maximum(share(nodes.free_cores, nodes.cores), share(nodes.free_memory, nodes.memory))
    return np.asarray(np.where(accelerated, by_accelerators, by_others))


class Since:
    """Times by node, forgotten when a node is not the one that it was: its number is used again for a later one."""

    def __init__(self) -> None:
        self._time = np.full(0, math.nan)
        self._created = np.full(0, math.nan)

    def of(self, nodes: Nodes, rows: np.ndarray) -> np.ndarray:
        """Return the time noted for the node of each row; NaN where there is none."""
        self._make_room(nodes)
        servers = nodes.server[rows]
        return np.where(self._created[servers] == nodes.created[rows], self._time[servers], math.nan)

    def note(self, nodes: Nodes, rows: np.ndarray, times: np.ndarray) -> None:
        """Note a time for the node of each row, instead of whatever was noted for it."""
        self._make_room(nodes)
        servers = nodes.server[rows]
        self._time[servers], self._created[servers] = times, nodes.created[rows]

    def keep_only(self, nodes: Nodes, rows: Sequence[int], times: Sequence[float]) -> None:
        """Note a time for the node of each row, and forget every other node."""
        self._time[:] = math.nan
        self.note(nodes, np.asarray(rows, dtype=np.int64), np.asarray(times, dtype=float))

    def _make_room(self, nodes: Nodes) -> None:
        missing = int(nodes.server.max(initial=-1)) + 1 - len(self._time)
        if missing > 0:
            self._time = np.append(self._time, np.full(missing, math.nan))
            self._created = np.append(self._created, np.full(missing, math.nan))
