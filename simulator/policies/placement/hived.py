"""HiveD: virtual clusters with guaranteed cells."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import placers
from simulator.policies.cells import Cells, Spot, power
from simulator.policies.gang import room_for, small, tightest
from simulator.policies.neighbourhoods import Known, Neighbourhoods
from simulator.workload.jobs import Job, Placement

LEVELS = ("accelerator", "pair", "quad", "server", "rack")


@dataclass(eq=False, slots=True)
class Cell:
    """A cell that is bound to a tenant: ``size`` places from ``spot``."""

    tenant: str
    size: int
    spot: Spot


@dataclass(eq=False, slots=True)
class _Plan:
    """Where a job would go, outside which places, and which cells would be bound for it."""

    placement: Placement
    barred: np.ndarray
    cells: list[Cell] = field(default_factory=list)


@placers.register("hived")
class HiveD:
    """Tenants own cells (accelerator, pair, quad, server, rack), which no one else can break up; buddy allocation.

    ``cells`` says how many cells of each level a tenant is guaranteed: ``{red: {server: 2, pair: 1}}``. A job of a
    tenant goes to cells that are bound to the tenant already, else one more of its cells is bound: the smallest that
    holds it, to the free physical cell whose taking breaks up least (buddy allocation). Jobs beyond what their tenant
    owns, and of tenants that own nothing, take what is left, if after that every cell that is not bound yet still finds
    its place; without ``cells`` that is all there is. A cell on which nothing runs any more is unbound.

    Source: Zhao et al., "HiveD: Sharing a GPU Cluster for Deep Learning with Guarantees" (OSDI 2020), sections 3 and 4.
    There jobs beyond the guarantee run anywhere and are preempted when a cell is called for; a placement stops nobody,
    so here they are held back, and a gang too large for what no one owns never starts. A rack is a neighbourhood of the
    topology, rounded up to a power of two servers. Shares of accelerators lie outside the cells, beside each other.
    """

    def __init__(self, cells: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self.cells = {tenant: dict(owned) for tenant, owned in (cells or {}).items()}
        for tenant, owned in self.cells.items():
            for level, count in owned.items():
                if level not in LEVELS:
                    raise ValueError(f"cells: {level!r} of {tenant!r} is none of {', '.join(LEVELS)}")
                if count != int(count) or count < 0:
                    raise ValueError(
                        f"cells: {tenant!r} owns {count!r} of {level}; it must be a whole number, 0 or more"
                    )
        self._known = Known()
        self.reset()

    def reset(self, rng: object = None) -> None:
        """Forget what ran: a new run begins."""
        self._physical: Cells | None = None
        self._hoods: Neighbourhoods | None = None
        self._bound: list[Cell] = []
        self._holds: dict[Job, list[tuple[int, np.ndarray]]] = {}
        self._plan: _Plan | None = None
        self._moves = 0
        self._refused: set[Hashable] = set()
        self._refused_in: tuple[Allocator, Hashable] | None = None

    def on_start(self, job: Job) -> None:
        """Hold the places of a job, and bind the cells that were planned for it."""
        self._moves += 1
        physical, plan, self._plan = self._physical, self._plan, None
        if physical is None or small(job):
            return
        barred = self._bound_mask()
        if plan is not None and plan.placement == job.placement:
            self._bound += plan.cells
            barred = plan.barred
        for server, taken in job.placement:
            places = physical.places(server, int(taken), barred)
            row = physical.spot[server][0]
            physical.held[row, places] = True
            self._holds.setdefault(job, []).append((row, places))

    def on_end(self, job: Job) -> None:
        """Free the places of a job, and unbind cells that are empty now."""
        self._moves += 1
        if self._physical is not None:
            for row, places in self._holds.pop(job, ()):
                self._physical.held[row, places] = False
            self._bound = [cell for cell in self._bound if self._within(cell, self._physical.held)]

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take cells of the tenant, else what no cell is needed for."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        state = (self._moves, nodes.free_total, nodes.capacity, nodes.constraints.booked)
        if self._refused_in is None or self._refused_in[0] is not nodes or self._refused_in[1] != state:
            self._refused_in = (nodes, state)
            self._refused.clear()
        asked = _kind(job)
        if asked in self._refused:
            return None
        hoods = self._known.of(topology)
        if self._physical is None or self._hoods is not hoods:
            self._physical, self._hoods = Cells(nodes.total, hoods), hoods
            self._check_owned(self._physical)
        self._plan = self._find(job, nodes, self._physical, hoods)
        if self._plan is None:
            self._refused.add(asked)
            return None
        return self._plan.placement

    def _check_owned(self, physical: Cells) -> None:
        """Refuse cells that an empty cluster could not give all at once."""
        taken = np.zeros_like(physical.held)
        sizes = sorted((size for tenant in self.cells for size in self._unbound(tenant)), reverse=True)
        for number, size in enumerate(sizes):
            spot = physical.tightest(size, self._full(physical, size), taken)
            if spot is None:
                raise InputError(
                    f"cells: tenants own {len(sizes)} cells, and the cluster has room for the {number} largest: "
                    f"none is left for one of {size} accelerators; guarantee fewer"
                )
            self._mark(Cell("", size, spot), taken)

    def _find(self, job: Job, nodes: Allocator, physical: Cells, hoods: Neighbourhoods) -> _Plan | None:
        room = room_for(job, nodes)
        barred = self._barred(nodes, physical, room)
        if not self.cells:
            placement = _fit(job, physical, hoods, room, barred)
            return _Plan(placement, barred) if placement else None
        mine = self._of(job.tenant)
        inside = _fit(job, physical, hoods, room, barred | ~mine) if mine.any() else None
        if inside:
            return _Plan(inside, barred | ~mine)
        bound = self._bound_mask()
        return self._bind(job, physical, hoods, room, barred, bound) or self._surplus(
            job, physical, hoods, room, barred | bound
        )

    def _bind(
        self, job: Job, physical: Cells, hoods: Neighbourhoods, room: np.ndarray, barred: np.ndarray, bound: np.ndarray
    ) -> _Plan | None:
        """Bind the smallest cell that the tenant still owns and that holds the job; for a gang, as many as it takes."""
        owned = self._unbound(job.tenant)
        wanted = power(int(job.accelerators))
        one = next((size for size in sorted(owned) if size >= wanted), 0)
        sizes = [one] if one else sorted(owned, reverse=True)
        taken, cells, reach = barred | bound, [], self._of(job.tenant)
        for size in sizes:
            spot = physical.tightest(size, self._full(physical, size), taken)
            if spot is None:
                continue
            cell = Cell(job.tenant, size, spot)
            cells.append(cell)
            self._mark(cell, taken)
            self._mark(cell, reach)
            placement = _fit(job, physical, hoods, room, barred | ~reach)
            if placement:
                return _Plan(placement, barred | ~reach, cells)
        return None

    def _surplus(
        self, job: Job, physical: Cells, hoods: Neighbourhoods, room: np.ndarray, barred: np.ndarray
    ) -> _Plan | None:
        """Take what no cell that is not bound yet will need."""
        placement = _fit(job, physical, hoods, room, barred)
        if placement is None:
            return None
        taken = physical.held | self._bound_mask()
        for server, count in placement:
            taken[physical.spot[server][0], physical.places(server, int(count), barred)] = True
        sizes = [size for tenant in self.cells for size in self._unbound(tenant)]
        for size in sorted(sizes, reverse=True):
            spot = physical.tightest(size, self._full(physical, size), taken)
            if spot is None:
                return None
            self._mark(Cell("", size, spot), taken)
        return _Plan(placement, barred)

    def _unbound(self, tenant: str) -> list[int]:
        """Sizes of the cells that a tenant owns and that are not bound."""
        physical = self._physical
        assert physical is not None
        size = {"accelerator": 1, "pair": 2, "quad": 4, "server": physical.server, "rack": physical.row}
        sizes = [size[level] for level, count in self.cells.get(tenant, {}).items() for _ in range(int(count))]
        for cell in self._bound:
            if cell.tenant == tenant:
                sizes.remove(cell.size)
        return sizes

    def _full(self, physical: Cells, size: int) -> int:
        """Accelerators of the fullest cells of a size."""
        present = (~physical.absent).reshape(len(physical.absent), -1, size).sum(axis=2)
        return int(present.max())

    def _of(self, tenant: str) -> np.ndarray:
        assert self._physical is not None
        mask = np.zeros_like(self._physical.held)
        for cell in self._bound:
            if cell.tenant == tenant:
                self._mark(cell, mask)
        return mask

    def _bound_mask(self) -> np.ndarray:
        assert self._physical is not None
        mask = np.zeros_like(self._physical.held)
        for cell in self._bound:
            self._mark(cell, mask)
        return mask

    def _barred(self, nodes: Allocator, physical: Cells, room: np.ndarray) -> np.ndarray:
        """Places that cannot be had: of servers that are down or not allowed, or full of what is not known here."""
        barred = np.zeros_like(physical.held)
        free = ~(physical.held | physical.absent)
        for server in np.flatnonzero(physical.counts(free) > room).tolist():
            row, start = physical.spot[server]
            there = start + np.flatnonzero(free[row, start : start + physical.server])
            barred[row, there[room[server] :]] = True
        return barred

    @staticmethod
    def _mark(cell: Cell, mask: np.ndarray) -> None:
        row, start = cell.spot
        mask[row, start : start + cell.size] = True

    @staticmethod
    def _within(cell: Cell, mask: np.ndarray) -> bool:
        row, start = cell.spot
        return bool(mask[row, start : start + cell.size].any())


def _kind(job: Job) -> Hashable:
    """Whatever decides whether there is a place for a job: equal jobs are refused alike until something moves."""
    where = (job.tenant, job.accelerator_types, job.partition, job.selector, job.tolerations)
    return (*where, job.accelerators, job.cores, job.memory, job.max_servers)


def _fit(job: Job, physical: Cells, hoods: Neighbourhoods, room: np.ndarray, barred: np.ndarray) -> Placement | None:
    """Place a job on what is neither held nor barred: in the cell that it breaks up least, else as near as may be."""
    wanted = int(job.accelerators)
    usable = np.minimum(physical.counts(~(physical.held | physical.absent | barred)), room)
    size = power(wanted)
    if size <= physical.server:
        spot = physical.tightest(size, wanted, barred)
        if spot is not None:
            return ((int(physical.who[spot[0], spot[1] // physical.server]), job.accelerators),)
        holding = np.flatnonzero(usable >= wanted)
        if len(holding):
            return ((int(holding[np.argmin(usable[holding])]), job.accelerators),)
    elif size <= physical.row:
        spot = physical.tightest(size, wanted, barred)
        if spot is not None:
            first = spot[1] // physical.server
            inside = np.zeros(len(room), dtype=bool)
            servers = physical.who[spot[0], first : first + size // physical.server]
            inside[servers[servers >= 0]] = True
            together = hoods.gather(job, np.where(inside, usable, 0))
            if together:
                return together
    return hoods.gather(job, usable) if int(usable.sum()) >= wanted else None
