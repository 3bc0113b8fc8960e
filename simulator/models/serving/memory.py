"""What a replica needs of its accelerators' memory, and how many KV blocks are left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.cluster.records import Accelerator, Engine, Model
from simulator.core.errors import InputError
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.work import WIDTH, work

LOGIT = 8.0
"""Bytes of one score of the vocabulary while tokens are sampled: itself and a sorted or normalised copy, in fp32."""
MOST = 4096
"""Accelerators of the largest shape that is looked for."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Bytes on the fullest accelerator of a replica."""

    weights: float
    activations: float
    reserved: float
    windows: float
    """Keys and values of sliding-window layers, which do not grow with the context."""
    capacity: float
    """What the engine uses of its memory."""
    token: float
    """Bytes of keys and values of one more token of context."""

    @property
    def free(self) -> float:
        """Bytes for keys and values; negative when the model does not fit."""
        return self.capacity - self.weights - self.activations - self.reserved - self.windows

    def blocks(self, block: int) -> int:
        """KV blocks of ``block`` tokens."""
        return max(0, int(self.free // (block * self.token)))


def footprint(model: Model, accelerator: Accelerator, shape: ReplicaShape, engine: Engine, sequences: int = 256) -> Fit:
    """Memory of the fullest accelerator of a replica whose ranks batch at most ``sequences``.

    Weights are cut by ``tp``, layers by ``pp``, routed experts over all accelerators of a stage; keys and values by
    heads, so no further than there are KV heads, and not at all with latent attention. Activations are those of the
    largest iteration in one layer: two copies of the residual stream and the tensors of the feed-forward block; and the
    scores of the vocabulary. The method follows vLLM's profiling run (vllm/v1/worker, determine_available_memory).
    """
    shape.check(model)
    each = work(model, shape)
    layers = -(-model.layers // shape.pp)
    share = layers / model.layers
    experts = each.moe_layers * model.experts * each.expert * each.expert_width / shape.stage
    ends = each.head + each.embedding if shape.pp == 1 else each.head
    inner = max(model.ffn / shape.tp, model.active_experts * model.expert_ffn / shape.stage)
    width = 2 * model.hidden + (3 if model.gated else 2) * inner
    windowed = each.windowed_layers * share
    return Fit(
        weights=(each.dense_bytes + experts) * share + ends * WIDTH,
        activations=engine.chunk * width * WIDTH + sequences * model.vocab / shape.tp * LOGIT,
        reserved=engine.reserved,
        windows=windowed * each.kv * min(model.window, model.context or model.window) * sequences,
        capacity=accelerator.memory * engine.fraction,
        token=each.kv * each.full_layers * share,
    )


def fitted(
    model: Model,
    accelerator: Accelerator,
    shape: ReplicaShape,
    engine: Engine,
    block: int = 16,
    sequences: int = 256,
) -> Fit:
    """Return the footprint, checked. Raises ``InputError`` when the model, or not one block beside it, does not fit."""
    found = footprint(model, accelerator, shape, engine, sequences)
    if found.blocks(block) < 1:
        beside = found.activations + found.reserved + found.windows
        short = block * found.token - found.free
        least = smallest(model, accelerator, shape, engine, block, sequences)
        hint = (
            "no shape of this accelerator does"
            if least is None
            else f"the smallest that does is tp {least[0]}, pp {least[1]}"
        )
        raise InputError(
            f"{model.id} in {shape.weights} with tp {shape.tp}, pp {shape.pp} does not fit into {accelerator.id}: "
            f"{_gb(short)} an accelerator are missing ({_gb(found.weights)} of weights, "
            f"{_gb(beside)} of activations and reserve and {_gb(block * found.token)} for one block of {block:,} "
            f"tokens, against {_gb(found.capacity)}); {hint}"
        )
    return found


def smallest(
    model: Model, accelerator: Accelerator, shape: ReplicaShape, engine: Engine, block: int = 16, sequences: int = 256
) -> tuple[int, int] | None:
    """Return (tp, pp) of the fewest accelerators that hold the model, of these the one with the largest tp.

    ``tp`` divides the heads and stays in one scale-up domain.
    """
    widths = [tp for tp in range(1, max(1, accelerator.scale_up_domain) + 1) if model.heads % tp == 0]
    depths = range(1, model.layers + 1)
    for tp, pp in sorted(((tp, pp) for tp in widths for pp in depths), key=lambda each: (each[0] * each[1], -each[0])):
        if tp * pp * shape.dp > MOST:
            return None
        tried = replace(shape, tp=tp, pp=pp, ep=1, imbalance=None)
        if footprint(model, accelerator, tried, engine, sequences).blocks(block) >= 1:
            return tp, pp
    return None


def _gb(size: float) -> str:
    return f"{size / 1e9:,.0f} GB" if size >= 1e12 else f"{size / 1e9:.3g} GB"
