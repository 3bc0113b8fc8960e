"""What is free, server by server, as numpy arrays; allocate and release exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.cluster.topology import Server
from simulator.core.errors import InvariantError

_MILLI = 1000
"""Shares of an accelerator and cores are counted in thousandths, as Kubernetes counts milli-CPU, and memory in whole
bytes, so that sums stay exact however often something is taken and given back."""


class Allocator:
    """Free accelerators, cores and memory of every server.

    Arrays have shape (servers,): ``free`` counts whole accelerators that nobody uses, ``free_cores`` cores,
    ``free_memory`` bytes, ``up`` whether the server takes work. A share below 1 lives on one accelerator, next to other
    shares; ``share_room(i)`` is the largest share that server ``i`` can still take.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self.total = np.array([server.accelerators for server in servers], dtype=np.int64)
        self.free = self.total.copy()
        self._cores = np.round(np.array([server.cores for server in servers], dtype=float) * _MILLI)
        self._memory = np.round(np.array([server.memory for server in servers], dtype=float))
        self._free_cores = self._cores.copy()
        self.free_cores = self._cores / _MILLI
        self.free_memory = self._memory.copy()
        self.up = np.ones(len(servers), dtype=bool)
        self.jobs = [0] * len(servers)
        # scalar access through a memoryview costs half of what it costs through the array
        self._free, self._up = memoryview(self.free), memoryview(self.up)  # type: ignore[arg-type]
        self.types = np.array([server.accelerator for server in servers], dtype=object)
        self.free_total = int(self.total.sum())
        """Whole accelerators that are free on the servers that are up."""
        self.capacity = self.free_total
        """Accelerators of the servers that are up."""
        self._used_milli = 0
        self._shared: dict[int, list[int]] = {}
        self.largest_share = np.zeros(len(servers))
        """Largest free part of an accelerator that is shared already, by server."""
        self.plain = all(math.isinf(s.cores) and math.isinf(s.memory) for s in servers)
        """Whether only accelerators count: no server limits cores or memory."""

    def __len__(self) -> int:
        return len(self.servers)

    @property
    def used(self) -> float:
        """Accelerators that jobs hold, shares included."""
        return self._used_milli / _MILLI

    def share_room(self, server: int) -> float:
        """Largest share of one accelerator that the server can still take."""
        return 1.0 if self.free[server] else float(self.largest_share[server])

    def fits(
        self, accelerators: float, cores: float = 0.0, memory: float = 0.0, types: Sequence[str] = ()
    ) -> np.ndarray:
        """Which servers can take this much; booleans of shape (servers,)."""
        if 0 < accelerators < 1:
            room = (self.free > 0) | (self.largest_share >= _milli(accelerators) / _MILLI)
        else:
            room = self.free >= accelerators
        fitting: np.ndarray = room & self.eligible(cores, memory, types)
        return fitting

    def eligible(self, cores: float = 0.0, memory: float = 0.0, types: Sequence[str] = ()) -> np.ndarray:
        """Which servers are up, of a right type, and have these cores and memory free; booleans of shape (servers,)."""
        mask = self.up.copy()
        if cores:
            mask &= self._free_cores >= round(cores * _MILLI, 0)
        if memory:
            mask &= self.free_memory >= round(memory, 0)
        if types:
            mask &= np.isin(self.types, types)
        return mask

    def take(self, server: int, accelerators: float, cores: float = 0.0, memory: float = 0.0) -> int:
        """Take resources of one server; return the accelerator that a share landed on, else -1.

        Raises ``ValueError`` naming the numbers when there is no such server, or it is down or has not enough.
        """
        whole = int(accelerators)
        if not 0 <= server < len(self.servers):
            raise ValueError(f"there is no server {server}; servers are 0 to {len(self.servers) - 1}")
        if whole != accelerators or not 0 <= whole <= self._free[server] or not self._up[server] or cores or memory:
            self._check(server, accelerators, cores, memory)
            self._move(server, -cores, -memory)
        self.jobs[server] += 1
        if whole != accelerators:
            return self._take_share(server, _milli(accelerators))
        self._used_milli += whole * _MILLI
        self._free[server] -= whole
        self.free_total -= whole
        return -1

    def give(self, server: int, accelerators: float, cores: float = 0.0, memory: float = 0.0, device: int = -1) -> None:
        """Give back what ``take`` took; raise ``InvariantError`` when that is more than was taken."""
        if device >= 0:
            self._give_share(server, device, _milli(accelerators))
        else:
            whole = int(accelerators)
            self._free[server] += whole
            self._used_milli -= whole * _MILLI
            if self._up[server]:
                self.free_total += whole
        if cores or memory:
            self._move(server, cores, memory)
        self.jobs[server] -= 1
        if self._free[server] > self.total.item(server):
            raise InvariantError(f"server {self.servers[server].name!r} got back more accelerators than it has")

    def set_up(self, server: int, up: bool) -> None:
        """Let a server take work, or stop it from taking more."""
        if bool(self.up[server]) != up:
            self.up[server] = up
            sign = 1 if up else -1
            self.free_total += sign * int(self.free[server])
            self.capacity += sign * int(self.total[server])

    def could_hold(
        self, accelerators: float, cores: float, memory: float, types: Sequence[str] = (), servers: int = 0
    ) -> bool:
        """Whether the servers, empty and up, could hold a job of this size on at most ``servers`` of them (0: any)."""
        right = np.isin(self.types, types) if types else np.ones(len(self), dtype=bool)
        cores, memory = round(cores * _MILLI, 0), round(memory, 0)
        if accelerators <= 1 or servers == 1:
            one = right & (self.total >= math.ceil(accelerators))
            return bool((one & (self._cores >= cores) & (self._memory >= memory)).any())
        room = self.total.astype(float)
        for wanted, there in ((cores, self._cores), (memory, self._memory)):
            if wanted:
                room = np.minimum(room, np.floor(there * (accelerators / wanted) * (1 + 1e-12)))
        largest = np.sort(room[right])[::-1][: servers or None]
        return bool(largest.sum() >= accelerators)

    def _check(self, server: int, accelerators: float, cores: float, memory: float) -> None:
        name = self.servers[server].name
        if not self.up[server]:
            raise ValueError(f"server {name!r} is not up")
        shared = 0 < accelerators < 1
        room = self.share_room(server) if shared else float(self.free[server])
        if not shared and (accelerators != int(accelerators) or accelerators < 0):
            raise ValueError(f"{accelerators:g} accelerators are neither whole nor a share below 1")
        for what, wanted, free in (
            ("accelerators", _milli(accelerators) / _MILLI if shared else accelerators, room),
            ("cores", round(cores * _MILLI, 0) / _MILLI, float(self.free_cores[server])),
            ("bytes of memory", round(memory, 0), float(self.free_memory[server])),
        ):
            if not 0 <= wanted <= free:
                raise ValueError(f"{wanted:g} {what} wanted on server {name!r}, {free:g} free")

    def _move(self, server: int, cores: float, memory: float) -> None:
        left = self._free_cores[server] + round(cores * _MILLI, 0)
        self._free_cores[server] = left
        self.free_cores[server] = left / _MILLI
        self.free_memory[server] += round(memory, 0)
        if left > self._cores[server] or self.free_memory[server] > self._memory[server]:
            raise InvariantError(f"server {self.servers[server].name!r} got back more cores or memory than it has")

    def _take_share(self, server: int, milli: int) -> int:
        shares = self._shared.setdefault(server, [_MILLI] * int(self.total[server]))
        fitting = [(room, device) for device, room in enumerate(shares) if milli <= room < _MILLI]
        if fitting:
            device = min(fitting)[1]
        else:
            # whole gangs are counted, not numbered: a fresh accelerator is any that no share lives on
            device = shares.index(_MILLI)
            self.free[server] -= 1
            self.free_total -= 1
        shares[device] -= milli
        self._used_milli += milli
        self._note_largest(server)
        return device

    def _give_share(self, server: int, device: int, milli: int) -> None:
        shares = self._shared[server]
        shares[device] += milli
        self._used_milli -= milli
        if shares[device] > _MILLI:
            raise InvariantError(f"server {self.servers[server].name!r} got back more of a share than it gave")
        if shares[device] == _MILLI:
            self.free[server] += 1
            if self.up[server]:
                self.free_total += 1
        self._note_largest(server)

    def _note_largest(self, server: int) -> None:
        partial = [room for room in self._shared[server] if room < _MILLI]
        self.largest_share[server] = max(partial, default=0) / _MILLI


def _milli(share: float) -> int:
    """Thousandths of an accelerator that a share takes: at least one."""
    return max(1, round(share * _MILLI))
