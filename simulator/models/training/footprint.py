"""What a layout needs of an accelerator's memory."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator, Framework, Model
from simulator.models.architecture import layer_parameters, parameters
from simulator.models.training.layout import Layout, domain_of, sample, span

RESERVED = 2e9
"""Bytes for the CUDA context, NCCL's buffers and workspaces: typical of an 8-GPU job, from memory."""
LOGIT_BYTES = 4.0
"""Of one score of the vocabulary: itself and its gradient in 16 bits."""
OPTIMIZER_BYTES = 12.0
"""Of one parameter under Adam: fp32 master copy, mean and variance (ZeRO, arXiv 1910.02054, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on the fullest accelerator of the job, against its capacity."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    reserved: float
    capacity: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.reserved

    @property
    def missing(self) -> float:
        """Bytes by which it does not fit; 0 when it does."""
        return max(0.0, self.total - self.capacity)

    def parts(self) -> dict[str, float]:
        """Name -> bytes, in the order of the fields."""
        names = ("weights", "gradients", "optimizer", "activations", "logits", "reserved")
        return {name: getattr(self, name) for name in names}


def held(model: Model, layout: Layout) -> tuple[float, float]:
    """Parameters on one rank before sharding: (dense, routed experts), of the fuller end of the pipeline."""
    if model.kind == "cnn":
        return parameters(model), 0.0
    moe = model.moe_layers
    rest, routed = layer_parameters(model, True) if moe else (0.0, 0.0)
    plain = layer_parameters(model, False)[0] if model.layers > moe else 0.0
    stage = 1 / layout.pp
    dense = (moe * rest + (model.layers - moe) * plain) * stage
    ends = model.vocab * model.hidden * (2 if layout.pp == 1 and not model.tied else 1)
    return (dense + ends) / layout.tp, moe * routed * stage / layout.ep


def memory(model: Model, layout: Layout, framework: Framework, accelerator: Accelerator) -> Memory:
    """Memory of the fullest rank, bytes.

    Weights, gradients and Adam's states per parameter are 18 bytes with fp32 gradients, and 6 + 12/d with a distributed
    optimizer over d ranks (Megatron-LM README); ZeRO stages shard more of it (arXiv 1910.02054). Activations follow
    Korthikanti et al. (arXiv 2205.05198), section 4, with the widths of gated and grouped-query models put in.
    """
    dense, routed = held(model, layout)
    sharding = layout.sharding or framework.sharding
    state = 8.0 if layout.full else OPTIMIZER_BYTES
    trained = layout.trains == "all"
    w, g, o = layout.width, framework.gradient_bytes * trained, state * trained
    weights = gradients = optimizer = 0.0
    for axis, count, ranks in (("dp", dense, layout.replicas), ("edp", routed, layout.expert_replicas)):
        if sharding == "hybrid":
            ranks, _ = span(sample(layout, axis), domain_of(layout, accelerator.scale_up_domain))
        weights += count * w / (ranks if sharding in ("zero3", "hybrid") else 1)
        gradients += count * g / (ranks if sharding in ("zero2", "zero3", "hybrid") else 1)
        optimizer += count * o / (ranks if sharding != "none" else 1)
    if sharding in ("zero3", "hybrid") and model.kind == "transformer":
        weights += 2 * w * (dense + routed) * layout.pp / model.layers
    activations, logits = _activations(model, layout, framework)
    return Memory(weights, gradients, optimizer, activations, logits, RESERVED, accelerator.memory)


def _activations(model: Model, layout: Layout, framework: Framework) -> tuple[float, float]:
    if model.kind == "cnn":
        assert model.sample_activations is not None
        return model.sample_activations * layout.micro_batch, 0.0
    tokens = layout.micro_batch * (layout.sequence or model.sequence) / layout.cp
    moe = model.moe_layers / model.layers
    layer = (
        tokens
        * layout.width
        / 2
        * (moe * _row_bytes(model, layout, True) + (1 - moe) * _row_bytes(model, layout, False))
    )
    if framework.attention == "unfused" and layout.recompute == "none":
        layer += 5.0 * model.heads / layout.tp * tokens * (layout.sequence or model.sequence)
    kept = layer
    if layout.recompute == "full":
        kept = tokens * layout.width * model.hidden / (layout.tp if layout.splits_sequence else 1)
    in_flight = min(layout.pp, layout.micro_batches) if layout.pp > 1 else 1
    interleaved = 1 + (layout.pp - 1) / (layout.pp * layout.vp) if layout.vp > 1 else 1.0
    stack = kept * model.layers / layout.pp * in_flight * interleaved
    logits = LOGIT_BYTES * tokens * model.vocab / layout.tp
    return stack + (layer if layout.recompute == "full" else 0.0), logits


def _row_bytes(model: Model, layout: Layout, moe: bool) -> float:
    """Bytes that one token leaves behind in one layer for the backward pass, in 16-bit numbers.

    With narrow precisions the inputs of linear layers are kept in 8 bits.
    """
    h, tp = model.hidden, layout.tp
    shared = tp if layout.splits_sequence else 1
    kv = model.heads if model.kv_rank else (model.kv_heads or model.heads)
    heads = 2 * (2 * model.heads + 2 * kv) * model.head / tp
    narrow = layout.precision in ("fp8", "mxfp8", "nvfp4")
    norms = ((6.0 if narrow else 8.0) + 2.0 * model.bias) * h / shared
    heads -= narrow * model.heads * model.head / tp
    pieces = (3 if model.gated else 2) - narrow / 2
    if not moe:
        return norms + heads + 2 * pieces * model.ffn / tp
    rows = model.active_experts / shared
    expert = rows * (4 * h + 2 * pieces * model.expert_ffn) * layout.expert_imbalance
    return norms + heads + expert + 2 * pieces * model.shared_ffn / tp
