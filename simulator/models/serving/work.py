"""What one accelerator of a replica has to do for a token: FLOPs, bytes of weights, bytes of keys and values.

Multiply-adds count as two. Formulas 1 to 6 are in docs/serving-model.md; parameters are counted in
``simulator.models.architecture``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.cluster.records import Model
from simulator.models.architecture import Matrix, attention_matrices, block_matrices
from simulator.models.serving.precision import kv_width, weights
from simulator.models.serving.shape import ReplicaShape

NORM_ROWS = 8
"""Times that a token's row is read or written in one layer by two norms, each with the residual it adds."""
WIDTH = 2.0
"""Bytes of one activation, and of a weight that is kept in 16 bits."""


@dataclass(frozen=True, slots=True)
class Work:
    """Of all layers of a model, as one accelerator of a tensor-parallel group has them; weights in numbers."""

    dense: float
    """Weights outside of routed experts and the output layer: a token meets each of them once."""
    dense_bytes: float
    dense_wide: bool
    """Whether they are kept in 16 bits though experts are not."""
    moved: float
    """Bytes that norms, residuals, rotary positions and activation functions read and write for one token."""
    head: float
    """Weights of the output layer."""
    embedding: float
    """Weights of the input embedding, which are looked up and not multiplied; 0 where the output layer has them."""
    moe_layers: int
    expert: float
    """Weights of one routed expert in one layer, uncut."""
    expert_width: float
    """Bytes of one of them."""
    pair: float
    """FLOPs of attention for one query and one key, in one layer, when a prompt is computed."""
    decode_pair: float
    """The same when a sequence decodes: with latent attention it stays in the latent space."""
    kv: float
    """Bytes of keys and values of one token in one layer that the accelerator holds."""
    full_layers: int
    windowed_layers: int


def kv_elements(model: Model) -> int:
    """Numbers that one token leaves in the cache of one layer.

    Keys and values of each KV head; with latent attention the squeezed vector and the rotary part (DeepSeek-V2, arXiv
    2405.04434, section 2.1).
    """
    if model.kv_rank:
        return model.kv_rank + model.rope_dim
    return 2 * (model.kv_heads or model.heads) * model.head


def kv_bytes(model: Model, precision: str = "bf16") -> float:
    """Bytes of keys and values of one token in all layers and on all accelerators together.

    >>> from simulator.cluster import catalog
    >>> kv_bytes(catalog.model("llama-3.1-8b")), kv_bytes(catalog.model("deepseek-v3"))
    (131072.0, 70272.0)
    """
    return model.layers * kv_elements(model) * kv_width(precision)


def work(model: Model, shape: ReplicaShape) -> Work:
    """Count what one accelerator has to do."""
    form = weights(shape.weights)
    partial = form.experts and model.experts > 0
    tp, attention = shape.tp, sum(_share(matrix, shape.tp) for matrix in attention_matrices(model))
    moe = model.moe_layers
    dense = model.layers * attention
    if model.layers > moe:
        dense += (model.layers - moe) * sum(matrix.size for matrix in block_matrices(model, model.ffn)) / tp
    if moe:
        shared = sum(matrix.size for matrix in block_matrices(model, model.shared_ffn)) / tp if model.shared_ffn else 0
        dense += moe * (shared + model.experts * model.hidden)
    expert = sum(matrix.size for matrix in block_matrices(model, model.expert_ffn)) if moe else 0
    heads, inner = model.heads / tp, model.ffn if model.layers > moe else 0
    pieces = 3 if model.gated else 2
    moved = model.layers * (
        NORM_ROWS * model.hidden + 2 * (model.heads + (model.kv_heads or model.heads)) * model.head / tp
    )
    moved += pieces * ((model.layers - moe) * inner + moe * model.shared_ffn) / tp
    groups = model.kv_heads or model.heads
    held = 1.0 if model.kv_rank else -(-groups // tp) / groups
    width = 2 * model.head
    table = model.vocab * model.hidden / tp
    return Work(
        dense=dense,
        dense_bytes=dense * (WIDTH if partial else form.width),
        dense_wide=partial,
        moved=moved * WIDTH,
        head=table,
        embedding=0.0 if model.tied else table,
        moe_layers=moe,
        expert=float(expert),
        expert_width=form.width,
        pair=2.0 * heads * (width + model.rope_dim),
        decode_pair=2.0 * heads * (2 * model.kv_rank + model.rope_dim if model.kv_rank else width),
        kv=kv_elements(model) * held * kv_width(shape.kv),
        full_layers=model.layers - model.windowed_layers,
        windowed_layers=model.windowed_layers,
    )


def _share(matrix: Matrix, tp: int) -> float:
    return matrix.size / tp if matrix.split else float(matrix.size)


def distinct(experts: int, active: int, tokens: float) -> float:
    """Experts that so many tokens visit, when each token chooses ``active`` of them at random."""
    return float(experts * (1.0 - (1.0 - active / experts) ** tokens))


def together(compute: float, memory: float, norm: float) -> float:
    """Seconds of products that take ``compute`` and stream operands for ``memory``, formula 7."""
    if norm == math.inf:
        return max(compute, memory)
    return float((compute**norm + memory**norm) ** (1 / norm))


def pairs(new: int, before: int, window: float) -> float:
    """Queries times keys that a chunk of a prompt meets: each token all before it and itself, at most ``window``.

    Exact, so that the chunks of a prompt add up to the whole: ``new * before + new * (new + 1) / 2`` without a window.
    """
    short = max(0, min(new, int(window) - before)) if window < before + new else new
    return short * before + short * (short + 1) / 2 + (new - short) * (window if new > short else 0.0)
