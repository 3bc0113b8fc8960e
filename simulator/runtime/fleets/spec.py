"""What a run is told about a fleet: plain numbers and live policies, checked by whoever made them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.policies.serving import ReplicaScaler
from simulator.runtime.fleets.budget import Budget


class Step(NamedTuple):
    """One phase of the start of a replica: it lasts ``seconds``, and as long as its bytes take to come."""

    name: str
    seconds: float = 0.0
    bytes: float = 0.0
    store: str = ""
    """Where the bytes come from; empty: there are none."""
    limit: float = math.inf
    """Most bytes/s at which a server takes them."""
    cached: float = 0.0
    """Bytes/s at which a server that has fetched them before has them again (infinite: at once); 0: it keeps none."""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What lies between what is true and what an autoscaler is told. Seconds.

    Samples are taken every ``scrape`` (0: whenever the autoscaler asks), reach it ``lag`` later, and it sees their mean
    over ``window`` (0: the latest).
    """

    scrape: float = 0.0
    window: float = 0.0
    lag: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """Alike replicas and the policy that says how many there are.

    ``accelerators``, ``cores`` and ``memory`` (bytes) are those of one replica, ``types`` the catalog ids that will do
    (empty: any), ``max_servers`` how many servers one may be spread over.
    """

    name: str
    """What events and decisions call it; jobs are ``name/number``."""
    workload: str
    scaler: ReplicaScaler
    accelerators: float = 0.0
    cores: float = 0.0
    memory: float = 0.0
    types: tuple[str, ...] = ()
    max_servers: int = 1
    tenant: str = ""
    priority: float = 0.0
    partition: str = ""
    preemptible: bool = True
    minimum: int = 0
    maximum: int = 1_000_000
    initial: int | None = None
    """Replicas at the start, before the autoscaler is asked; None: as many as it wants then."""
    steps: tuple[Step, ...] = ()
    """Start of a replica, in order."""
    monitoring: Monitoring = field(default_factory=Monitoring)
    grace: float = 30.0
    """Seconds that a replica which must leave its node has for what it is doing (Kubernetes: 30 s)."""
    unavailable: Budget | int | None = None
    """Most replicas that may be missing for one more to be evicted (``maxUnavailable``); None: any number."""

    def most_missing(self, wanted: int) -> int | None:
        """Return how many of ``wanted`` replicas may be missing for one more to be evicted; None: any number."""
        return self.unavailable.missing(wanted) if isinstance(self.unavailable, Budget) else self.unavailable
