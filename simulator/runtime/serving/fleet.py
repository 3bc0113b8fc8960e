"""The replicas of a service as a fleet: what each is made of, and what its autoscaler may know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Cluster, Seat
from simulator.runtime.fleets.spec import FleetSpec, Step
from simulator.runtime.serving.ledger import Ledger
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import ReplicaPool, ServiceSpec

WEIGHTS = "weights"
"""Phase of a start in which the weights come into memory."""


def fleet(
    name: str,
    spec: ServiceSpec,
    pool: ReplicaPool,
    cluster: Cluster,
    ledger: Ledger,
    read: Callable[[Fleet[Replica]], Gauges],
    numbers: Iterator[int],
    blocks: dict[int, int],
    *,
    opened: Callable[[], None],
    lost: Callable[[Replica, Sequence[Any]], None],
    elsewhere: bool = False,
) -> Fleet[Replica]:
    """Return the fleet of one pool of replicas.

    ``opened``, ``lost`` and ``numbers`` are those of ``Fleet``; ``blocks`` takes the KV blocks of each replica that is
    placed, by number; with ``elsewhere`` requests leave when their prompts are complete.
    """

    def make(seat: Seat[Replica]) -> Replica:
        server = cluster.topology.servers[seat.job.placement[0][0]]
        engine = pool.engine(server.accelerator)
        replica = Replica(
            seat.number, spec, engine, pool.ranks, cluster.clock, ledger, elsewhere, lambda replica: made.idle()
        )
        blocks[seat.number] = engine.blocks * pool.ranks
        if spec.staleness:
            for rank in replica.ranks:
                rank.pool.remember = True
        return replica

    def steps(replica: Replica) -> tuple[Step, ...]:
        return (Step(WEIGHTS, replica.engine.load),) if replica.engine.load else ()

    made: Fleet[Replica] = Fleet(
        _spec(name, spec, pool), cluster, make, lambda: read(made), numbers,
        opened=opened, lost=lost, steps=steps, pod=_pod,
    )  # fmt: skip
    return made


def _spec(name: str, spec: ServiceSpec, pool: ReplicaPool) -> FleetSpec:
    return FleetSpec(
        name=name,
        workload=spec.name,
        scaler=pool.scaler,
        accelerators=pool.accelerators,
        cores=pool.cores,
        memory=pool.memory,
        types=pool.types,
        max_servers=pool.max_servers,
        tenant=spec.tenant,
        priority=spec.priority,
        partition=pool.partition or spec.partition,
        preemptible=spec.preemptible,
        minimum=pool.minimum,
        maximum=pool.maximum,
        initial=pool.initial,
        steps=tuple(Step(*phase) for phase in spec.phases),
        monitoring=spec.monitoring,
        grace=spec.grace,
        unavailable=spec.unavailable,
    )


def _pod(replica: Replica) -> Mapping[str, float]:
    return {
        "outstanding": replica.outstanding, "queued": replica.queued, "running": replica.running, "kv": replica.kv,
    }  # fmt: skip
