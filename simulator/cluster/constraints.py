"""Which servers may take a job at all: partitions, labels, taints, types, and bookings for one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from simulator.cluster.topology import Server

_Key = tuple[tuple[str, ...], str, tuple[tuple[str, str], ...], tuple[str, ...]]


class Request(Protocol):
    """What decides where a job may go, and what it takes there; a ``workload.jobs.Job`` has it all."""

    @property
    def accelerators(self) -> float:
        """Whole accelerators, or a share below 1."""

    @property
    def cores(self) -> float:
        """Cores with all of them."""

    @property
    def memory(self) -> float:
        """Bytes with all of them."""

    @property
    def max_servers(self) -> int:
        """Most servers; 0 for any number."""

    @property
    def accelerator_types(self) -> tuple[str, ...]:
        """Types that will do; empty for any."""

    @property
    def partition(self) -> str:
        """Only servers of this partition; empty for any."""

    @property
    def selector(self) -> tuple[tuple[str, str], ...]:
        """Labels that a server must have."""

    @property
    def tolerations(self) -> tuple[str, ...]:
        """Taints that it bears; ``"*"`` bears all."""

    @property
    def tenant(self) -> str:
        """Whose job it is."""


class Constraints:
    """Which servers may take which jobs, whatever is free there.

    ``reserved`` is an int array of shape (servers,): -1, or the number of the tenant that the server is booked for.
    Masks of what never changes are kept, one for each combination that jobs ask for.

    Source of selectors and taints: Kubernetes ``nodeSelector`` and ``NoSchedule`` taints, of which a job names the keys
    that it tolerates. A partition is Slurm's; a server may lie in several. A cluster of which no server is in a
    partition has none, and any will do for jobs that name one, as traces of other clusters do; so it is with labels.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._types = np.array([server.accelerator for server in servers], dtype=object)
        self._partitions = [frozenset(part.strip() for part in each.partition.split(",")) for each in servers]
        self._labels = [frozenset(each.labels) for each in servers]
        self._tainted = any(each.taints for each in servers)
        self._parted = any(each.partition for each in servers)
        self._labelled = any(self._labels)
        self._masks: dict[_Key, np.ndarray] = {}
        self._tenants: dict[str, int] = {}
        self.reserved = np.full(len(servers), -1, dtype=np.int64)
        self.booked = 0
        """Servers that are reserved."""

    def open_to(self, job: Request) -> bool:
        """Whether every server may take the job, so that no mask is needed."""
        return not (
            self.booked
            or self._tainted
            or job.accelerator_types
            or (job.partition and self._parted)
            or (job.selector and self._labelled)
        )  # fmt: skip

    def lasting(self, job: Request) -> np.ndarray:
        """Servers that may take the job but for bookings; booleans of shape (servers,), not to be changed."""
        key = (job.accelerator_types, job.partition, job.selector, job.tolerations)
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = np.array(
                [self._bars(server, job) == "" for server in range(len(self._servers))], dtype=bool
            )
        return mask

    def mask(self, job: Request) -> np.ndarray:
        """Servers that may take the job now; booleans of shape (servers,), not to be changed."""
        lasting = self.lasting(job)
        if not self.booked:
            return lasting
        mine = self._tenants.get(job.tenant, -1)
        mask: np.ndarray = lasting & ((self.reserved == -1) | (self.reserved == mine))
        return mask

    def refusal(self, server: int, job: Request) -> str:
        """Say why a server may not take a job, whatever is free there; empty when it may."""
        booked = int(self.reserved[server])
        if booked >= 0 and booked != self._tenants.get(job.tenant, -1):
            whose = next(name for name, number in self._tenants.items() if number == booked)
            return f"server {self._servers[server].name!r} is reserved for {whose!r}, it is of {job.tenant!r}"
        return self._bars(server, job)

    def reserve(self, servers: Iterable[int], tenant: str) -> None:
        """Book servers for a tenant: only its jobs may start there; who runs there runs on."""
        number = self._tenants.setdefault(tenant, len(self._tenants))
        for server in servers:
            self.booked += bool(self.reserved[server] == -1)
            self.reserved[server] = number

    def release(self, servers: Iterable[int]) -> None:
        """Take servers out of their bookings."""
        for server in servers:
            self.booked -= bool(self.reserved[server] >= 0)
            self.reserved[server] = -1

    def _bars(self, index: int, job: Request) -> str:
        server = self._servers[index]
        if job.accelerator_types and server.accelerator not in job.accelerator_types:
            wanted = " or ".join(map(repr, job.accelerator_types))
            return f"server {server.name!r} has accelerators {server.accelerator!r}, it wants {wanted}"
        if self._parted and job.partition and job.partition not in self._partitions[index]:
            return f"server {server.name!r} is in partition {server.partition!r}, it wants {job.partition!r}"
        labels = job.selector if self._labelled else ()
        missing = next((f"{name}={value}" for name, value in labels if (name, value) not in self._labels[index]), "")
        if missing:
            return f"server {server.name!r} has no label {missing!r}"
        borne = "*" in job.tolerations
        taint = next((taint for taint in server.taints if taint not in job.tolerations), "")
        return (
            f"server {server.name!r} has the taint {taint!r}, which it does not tolerate" if taint and not borne else ""
        )
