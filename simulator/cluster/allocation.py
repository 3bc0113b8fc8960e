"""What is free, server by server, as numpy arrays; allocate and release exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from simulator.cluster.capacity import by_type, holds
from simulator.cluster.constraints import Constraints, Request
from simulator.cluster.levels import Levels, worth_it
from simulator.cluster.shares import MILLI, Shares, milli
from simulator.cluster.topology import Server
from simulator.core.errors import InvariantError


class Allocator:
    """Free accelerators, cores and memory of every server.

    Arrays have shape (servers,): ``total``, ``total_cores`` and ``total_memory`` (bytes) are what there is, and
    ``most_cores`` and ``most_accelerators`` what the largest servers have (those without limit left out); ``free``
    counts whole accelerators that nobody uses, ``free_cores`` cores, ``free_memory`` bytes; ``up`` is whether the
    server takes work, ``reserved`` -1 or the number of the tenant that it is booked for. A share below 1 lives on one
    accelerator, next to other shares: ``largest_share`` is the largest free part of a shared accelerator, ``beside``
    the thousandths that are free on all of them, and ``device_free`` says what is free accelerator by accelerator.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self.total = np.array([server.accelerators for server in servers], dtype=np.int64)
        self.free = self.total.copy()
        self._cores = np.round(np.array([server.cores for server in servers], dtype=float) * MILLI)
        self._memory = np.round(np.array([server.memory for server in servers], dtype=float))
        self.total_cores, self.total_memory = self._cores / MILLI, self._memory
        self._there = (self.total, self._cores, self._memory)
        self.most_cores = float(self.total_cores[np.isfinite(self.total_cores)].max(initial=0.0))
        self.most_accelerators = int(self.total.max(initial=0))
        self._free_cores = self._cores.copy()
        self.free_cores = self._cores / MILLI
        self.free_memory = self._memory.copy()
        self.up = np.ones(len(servers), dtype=bool)
        self.jobs = [0] * len(servers)
        # scalar access through a memoryview costs half of what it costs through the array
        self._free, self._up = memoryview(self.free), memoryview(self.up)  # type: ignore[arg-type]
        self._total = memoryview(self.total)  # type: ignore[arg-type]
        self.types = np.array([server.accelerator for server in servers], dtype=object)
        self.free_total = int(self.total.sum())
        """Whole accelerators that are free on the servers that are up."""
        self.capacity = self.free_total
        """Accelerators of the servers that are up."""
        self._used_milli = 0
        self._shares = Shares(self.total)
        self.largest_share, self.beside = self._shares.largest, self._shares.beside
        self.plain = all(math.isinf(s.cores) and math.isinf(s.memory) for s in servers)
        """Whether only accelerators count: no server limits cores or memory."""
        self.constraints = Constraints(servers)
        """Who may go where: partitions, labels, taints, types, bookings."""
        self.reserved = self.constraints.reserved
        self._device_free: np.ndarray | None = None
        self._levels: Levels | None = None
        self._leveled = worth_it([server.accelerators for server in servers])
        self._capacity_by_type: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.servers)

    @property
    def used(self) -> float:
        """Accelerators that jobs hold, shares included."""
        return self._used_milli / MILLI

    def share_room(self, server: int) -> float:
        """Largest share of one accelerator that the server can still take."""
        return 1.0 if self.free[server] else float(self.largest_share[server])

    @property
    def device_free(self) -> np.ndarray:
        """Thousandths that are free on each accelerator; int array of shape (servers, most accelerators of a server).

        Accelerators that a server does not have are 0. Those that whole gangs hold have no number: they are shown as
        the last ones that no share lives on.
        """
        if self._device_free is None:
            self._device_free = np.zeros((len(self), self.most_accelerators), dtype=np.int64)
            for server in range(len(self)):
                self._show_devices(server)
        return self._device_free

    @property
    def capacity_by_type(self) -> dict[str, int]:
        """Accelerators of the servers that are up, by type."""
        if self._capacity_by_type is None:
            self._capacity_by_type = by_type(self.types, self.total, self.up)
        return dict(self._capacity_by_type)

    def tightest(self, accelerators: float) -> int | None:
        """First of the servers that are up, have so many whole accelerators free and fewest beyond; None without one.

        Looks at accelerators only, and costs about a microsecond however many servers there are.
        """
        if not self._leveled:
            fitting = np.flatnonzero(self.up & (self.free >= accelerators))
            return int(fitting[np.argmin(self.free[fitting])]) if len(fitting) else None
        if self._levels is None:
            self._levels = Levels(self._free, self._up, self.most_accelerators)
        server = self._levels.tightest(int(accelerators))
        return server if server >= 0 else None

    def open_to(self, job: Request) -> bool:
        """Whether nothing but accelerators counts for the job: any server that has them free will do."""
        return self.constraints.open_to(job) and not (job.cores or job.memory)

    def allowed(self, job: Request) -> np.ndarray:
        """Which servers are up and may take some of the job, whatever is free there; booleans of shape (servers,)."""
        mask: np.ndarray = self.up.copy() if self.constraints.open_to(job) else self.up & self.constraints.mask(job)
        return mask

    def eligible_for(self, job: Request) -> np.ndarray:
        """Which servers may take all of the job and have its cores and memory free; booleans of shape (servers,)."""
        return self._with(self.allowed(job), job.cores, job.memory)

    def fits_for(self, job: Request) -> np.ndarray:
        """Which servers can take all of the job; booleans of shape (servers,)."""
        fitting: np.ndarray = self._roomy(job.accelerators) & self.eligible_for(job)
        return fitting

    def reserve(self, servers: Iterable[int], tenant: str) -> None:
        """Book servers for a tenant: only its jobs may start there until ``release_reserve``; who runs there runs on.

        A server that was booked already changes hands.
        """
        self.constraints.reserve(servers, tenant)

    def release_reserve(self, servers: Iterable[int]) -> None:
        """Take servers out of their bookings; one that is not booked stays as it is."""
        self.constraints.release(servers)

    def fits(
        self, accelerators: float, cores: float = 0.0, memory: float = 0.0, types: Sequence[str] = ()
    ) -> np.ndarray:
        """Which servers can take this much; booleans of shape (servers,)."""
        fitting: np.ndarray = self._roomy(accelerators) & self.eligible(cores, memory, types)
        return fitting

    def eligible(self, cores: float = 0.0, memory: float = 0.0, types: Sequence[str] = ()) -> np.ndarray:
        """Which servers are up, of a right type, and have these cores and memory free; booleans of shape (servers,)."""
        mask = self._with(self.up.copy(), cores, memory)
        if types:
            mask &= np.isin(self.types, types)
        return mask

    def _with(self, mask: np.ndarray, cores: float, memory: float) -> np.ndarray:
        if cores:
            mask &= self._free_cores >= round(cores * MILLI, 0)
        if memory:
            mask &= self.free_memory >= round(memory, 0)
        return mask

    def _roomy(self, accelerators: float) -> np.ndarray:
        if 0 < accelerators < 1:
            room: np.ndarray = (self.free > 0) | (self.largest_share >= milli(accelerators) / MILLI)
        else:
            room = self.free >= accelerators
        return room

    def take(self, server: int, accelerators: float, cores: float = 0.0, memory: float = 0.0, device: int = -1) -> int:
        """Take resources of one server; return the accelerator that a share landed on, else -1.

        A share lands on ``device``, or if that is -1 on the accelerator that it fills up most, shared ones first; whole
        accelerators have no numbers here. Raises ``ValueError`` naming the numbers when there is no such server, or it
        is down or has not enough.
        """
        whole = int(accelerators)
        if not 0 <= server < len(self.servers):
            raise ValueError(f"there is no server {server}; servers are 0 to {len(self.servers) - 1}")
        if whole != accelerators or not 0 <= whole <= self._free[server] or not self._up[server] or cores or memory:
            self._check(server, accelerators, cores, memory)
            if device >= 0 and whole != accelerators:
                self._check_device(server, device, milli(accelerators))
            self._move(server, -cores, -memory)
        self.jobs[server] += 1
        if whole != accelerators:
            return self._take_share(server, milli(accelerators), device)
        self._used_milli += whole * MILLI
        self._free[server] -= whole
        self.free_total -= whole
        if self._levels is not None:
            self._levels.moved(server)
        if self._device_free is not None:
            self._show_devices(server)
        return -1

    def give(self, server: int, accelerators: float, cores: float = 0.0, memory: float = 0.0, device: int = -1) -> None:
        """Give back what ``take`` took; raise ``InvariantError`` when that is more than was taken."""
        if device >= 0:
            self._give_share(server, device, milli(accelerators))
        else:
            whole = int(accelerators)
            self._free[server] += whole
            self._used_milli -= whole * MILLI
            if self._up[server]:
                self.free_total += whole
            if self._levels is not None and self._free[server] <= self._total[server]:
                self._levels.moved(server)
            if self._device_free is not None:
                self._show_devices(server)
        if cores or memory:
            self._move(server, cores, memory)
        self.jobs[server] -= 1
        if self._free[server] > self._total[server]:
            raise InvariantError(f"server {self.servers[server].name!r} got back more accelerators than it has")

    def set_up(self, server: int, up: bool) -> None:
        """Let a server take work, or stop it from taking more."""
        if bool(self.up[server]) != up:
            self.up[server] = up
            sign = 1 if up else -1
            self.free_total += sign * int(self.free[server])
            self.capacity += sign * int(self.total[server])
            self._capacity_by_type = None
            if up and self._levels is not None:
                self._levels.moved(server)

    def could_hold(
        self, accelerators: float, cores: float, memory: float, types: Sequence[str] = (), servers: int = 0
    ) -> bool:
        """Whether the servers, empty and up, could hold a job of this size on at most ``servers`` of them (0: any)."""
        right = np.isin(self.types, types) if types else np.ones(len(self), dtype=bool)
        return holds(self._there, (accelerators, cores, memory), right, servers)

    def could_hold_for(self, job: Request, accelerators: float | None = None) -> bool:
        """Whether the servers, empty, up and booked for nobody, could hold a job, on as many as it may be split over.

        Counts types, partition, selector and taints; ``accelerators`` asks for another number than the job's own, with
        cores and memory in proportion.
        """
        wanted = job.accelerators if accelerators is None else accelerators
        part = wanted / job.accelerators if job.accelerators else 1.0
        right = self.constraints.lasting(job)
        return holds(self._there, (wanted, job.cores * part, job.memory * part), right, job.max_servers)

    def _check(self, server: int, accelerators: float, cores: float, memory: float) -> None:
        name = self.servers[server].name
        if not self.up[server]:
            raise ValueError(f"server {name!r} is not up")
        shared = 0 < accelerators < 1
        room = self.share_room(server) if shared else float(self.free[server])
        if not shared and (accelerators != int(accelerators) or accelerators < 0):
            raise ValueError(f"{accelerators:g} accelerators are neither whole nor a share below 1")
        for what, wanted, free in (
            ("accelerators", milli(accelerators) / MILLI if shared else accelerators, room),
            ("cores", round(cores * MILLI, 0) / MILLI, float(self.free_cores[server])),
            ("bytes of memory", round(memory, 0), float(self.free_memory[server])),
        ):
            if not 0 <= wanted <= free:
                raise ValueError(f"{wanted:g} {what} wanted on server {name!r}, {free:g} free")

    def _move(self, server: int, cores: float, memory: float) -> None:
        left = self._free_cores[server] + round(cores * MILLI, 0)
        self._free_cores[server] = left
        self.free_cores[server] = left / MILLI
        self.free_memory[server] += round(memory, 0)
        if left > self._cores[server] or self.free_memory[server] > self._memory[server]:
            raise InvariantError(f"server {self.servers[server].name!r} got back more cores or memory than it has")

    def _check_device(self, server: int, device: int, wanted: int) -> None:
        name = self.servers[server].name
        if device >= self.total[server]:
            raise ValueError(f"server {name!r} has no accelerator {device}, it has {self.total[server]}")
        room = self._shares.room(server, device)
        if room == MILLI and not self.free[server]:
            room = 0
        if wanted > room:
            what = f"{wanted / MILLI:g} wanted of accelerator {device} of server {name!r}"
            raise ValueError(f"{what}, {room / MILLI:g} free")

    def _take_share(self, server: int, wanted: int, device: int) -> int:
        device, fresh = self._shares.take(server, wanted, device)
        self._used_milli += wanted
        if fresh:
            self.free[server] -= 1
            self.free_total -= 1
        self._note(server)
        return device

    def _give_share(self, server: int, device: int, given: int) -> None:
        try:
            whole = self._shares.give(server, device, given)
        except ValueError as error:
            raise InvariantError(f"server {self.servers[server].name!r} got back {error}") from None
        self._used_milli -= given
        if whole:
            self.free[server] += 1
            if self.up[server]:
                self.free_total += 1
        self._note(server)

    def _note(self, server: int) -> None:
        """Keep what is kept of free accelerators up to date."""
        if self._levels is not None:
            self._levels.moved(server)
        if self._device_free is not None:
            self._show_devices(server)

    def _show_devices(self, server: int) -> None:
        assert self._device_free is not None
        self._device_free[server, : self.total.item(server)] = self._shares.row(server, self._free[server])
