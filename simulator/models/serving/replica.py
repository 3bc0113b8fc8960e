"""A replica put together: how long its iterations take, and what fits beside its weights."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator, Engine, Link, Model
from simulator.core.errors import InputError
from simulator.models.serving.analytic import AnalyticTime
from simulator.models.serving.constants import FITTED, Constants
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.memory import Fit, fitted, footprint
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.work import kv_bytes

SWAP_SHARE = 0.8
"""Share of the host link's bandwidth that copies of KV blocks reach: pinned memory over PCIe, from memory."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What a replica on accelerators of one type can do. Sizes in bytes."""

    shape: ReplicaShape
    time: AnalyticTime
    fit: Fit
    blocks: int
    """KV blocks of one rank."""
    kv_bytes: float
    """Keys and values of one token, over all layers and accelerators."""
    swap: float
    """Bytes/s at which one rank moves keys and values to the host's memory or back; 0 where no host link is known."""
    context: int
    """Most tokens of prompt and output together; 0 where the model's row does not say."""


def replica(
    model: Model,
    accelerator: Accelerator,
    shape: ReplicaShape,
    engine: Engine,
    *,
    block: int = 16,
    sequences: int = 256,
    blocks: int | None = None,
    link: Link | None = None,
    domain: int | None = None,
    speculation: Speculation | None = None,
    constants: Constants = FITTED,
) -> Replica:
    """Put a replica together. ``blocks`` replaces the estimate of what fits; then weights may be what they are.

    ``sequences`` is the largest batch of a rank, ``link`` joins servers, ``domain`` is how many accelerators of a
    replica share one. Raises ``InputError`` when the model does not fit, cannot be spread so, or the accelerator cannot
    compute in its formats.
    """
    net = Interconnect.of(accelerator, link, domain, constants)
    time = AnalyticTime(model, accelerator, shape, engine, net, speculation, constants)
    if blocks is not None and blocks < 1:
        raise InputError(f"{blocks} KV blocks: a replica needs at least 1")
    if blocks is None:
        fit = fitted(model, accelerator, shape, engine, block, sequences)
    else:
        fit = footprint(model, accelerator, shape, engine, sequences)
    host = (accelerator.host_bandwidth or 0.0) * SWAP_SHARE
    return Replica(
        shape=shape,
        time=time,
        fit=fit,
        blocks=fit.blocks(block) if blocks is None else blocks,
        kv_bytes=kv_bytes(model, shape.kv),
        swap=host * shape.tp * shape.pp,
        context=model.context,
    )
