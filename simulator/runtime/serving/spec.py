"""What a run is told about a service: live objects and plain numbers, checked by whoever made them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.models.serving.api import IterationTime
from simulator.policies.serving import Batching, Lineup, ReplicaScaler, Router
from simulator.runtime.fleets.budget import Budget
from simulator.runtime.fleets.spec import Monitoring, Step
from simulator.workload.requests import Requests


@dataclass(frozen=True, slots=True)
class Engine:
    """What a replica can do on accelerators of one type."""

    time: IterationTime
    blocks: int
    """KV blocks of one rank."""
    load: float = 0.0
    """Seconds to bring its weights into memory, part of its cold start."""
    swap: float = 0.0
    """Bytes/s at which one rank moves keys and values to the host's memory, or back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPool:
    """Alike replicas and the policy that says how many there are.

    ``accelerators`` are those of one replica, ``ranks`` its data-parallel parts, ``types`` the catalog ids that will do
    (empty: any), ``engine`` tells what one can do on accelerators of a type. ``max_servers`` is how many servers a
    replica may be spread over. Cores and memory (bytes) are those of one replica.
    """

    accelerators: int
    engine: Callable[[str], Engine]
    scaler: ReplicaScaler
    ranks: int = 1
    types: tuple[str, ...] = ()
    max_servers: int = 1
    cores: float = 0.0
    memory: float = 0.0
    partition: str = ""
    """Only servers of this partition; empty: what the service says."""
    minimum: int = 0
    maximum: int = 1_000_000
    initial: int | None = None
    """Replicas at the start, before the scaler is asked; None: as many as it wants then."""


@dataclass(frozen=True, slots=True)
class Slo:
    """Bounds in seconds that a class of service sets; infinite where it sets none."""

    ttft: float = math.inf
    tpot: float = math.inf
    e2e: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service. Times in seconds, lengths in tokens."""

    name: str
    requests: Requests
    router: Router
    replicas: ReplicaPool
    prefill: ReplicaPool | None = None
    """Replicas that compute prompts only; with them ``replicas`` decode, and keys and values travel between."""
    prefill_router: Router | None = None
    """Chooses among ``prefill``; then ``router`` chooses where a request decodes."""
    batching: Callable[[], Batching]
    lineup: Callable[[], Lineup]
    block: int = 16
    """Tokens of a KV block."""
    max_batch: int = 256
    """Sequences in the batch of one rank."""
    context: int = 1 << 60
    """Most tokens of prompt and output together."""
    prefix_cache: bool = False
    swap: bool = False
    """Whether a preempted request's blocks move to the host's memory and back; else they are computed again."""
    kv_bytes: float = 0.0
    """Bytes of keys and values of one token, over all layers."""
    advance: float = 1.0
    """Tokens that a sequence gets in one iteration; above 1 with speculative decoding."""
    staleness: float = 0.0
    """What routers see was so at the last whole multiple of this; 0: it is so now."""
    phases: tuple[Step | tuple[str, float], ...] = ()
    """Cold start of a replica: steps, or names and seconds, in order; then comes what ``Engine.load`` says."""
    monitoring: Monitoring = field(default_factory=Monitoring)
    grace: float = 30.0
    """Seconds that a replica which must leave its node has for its requests."""
    unavailable: Budget | int | None = None
    """Most replicas that may be missing for one more to be evicted; None: any number."""
    slos: Mapping[str, Slo] = field(default_factory=dict)
    """Bounds by class of service; "" is for all others."""
    first_token_timeout: float = math.inf
    timeout: float = math.inf
    """Seconds after which a client gives up."""
    retries: int = 0
    """Times that a request is sent again after a replica was lost, or admission refused it."""
    backoff: float = 1.0
    """Seconds until it is, doubled each time."""
    queue_limit: int = 1 << 60
    """Most requests that may wait at a replica for one more to be taken."""
    adapters: int = 1 << 60
    """LoRA adapters that a replica holds; the least recently used one makes room."""
    adapter_load: float = 0.0
    """Seconds to load one, in which its request waits."""
    tenant: str = ""
    priority: float = 0.0
    partition: str = ""
    preemptible: bool = True
    """Whether the cluster's scheduler may stop its replicas."""
