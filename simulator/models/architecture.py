"""What a model is made of: matrices, parameters, FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Model
from simulator.core.errors import InputError

GENERIC_HEAD = 128
"""Width of an attention head where only hidden is given: that of most models since 2020."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight matrix of n outputs and k inputs; ``split`` says which of them tensor parallelism divides."""

    name: str
    n: int
    k: int
    split: str = "n"

    @property
    def size(self) -> int:
        """Parameters."""
        return self.n * self.k


def attention_matrices(model: Model) -> tuple[Matrix, ...]:
    """The linear layers around the attention of one layer."""
    h, a = model.hidden, model.heads
    if model.kv_rank:
        query = a * (model.head + model.rope_dim)
        return (
            Matrix("query-down", model.query_rank, h, ""),
            Matrix("query-up", query, model.query_rank),
            Matrix("kv-down", model.kv_rank + model.rope_dim, h, ""),
            Matrix("kv-up", 2 * a * model.head, model.kv_rank),
            Matrix("projection", h, a * model.head, "k"),
        )
    kv = model.kv_heads or a
    return (Matrix("qkv", (a + 2 * kv) * model.head, h), Matrix("projection", h, a * model.head, "k"))


def block_matrices(model: Model, inner: int) -> tuple[Matrix, ...]:
    """The linear layers of a feed-forward block of inner width ``inner``."""
    return (Matrix("up", inner * (2 if model.gated else 1), model.hidden), Matrix("down", model.hidden, inner, "k"))


def layer_parameters(model: Model, moe: bool) -> tuple[float, float]:
    """Parameters of one layer: (all but the routed experts, the routed experts)."""
    dense = sum(matrix.size for matrix in attention_matrices(model)) + 2.0 * model.hidden
    if model.bias:
        dense += sum(matrix.n for matrix in attention_matrices(model)) + 2 * model.hidden
    if not moe:
        blocks = block_matrices(model, model.ffn)
        return dense + sum(m.size for m in blocks) + model.bias * sum(m.n for m in blocks), 0.0
    expert = block_matrices(model, model.expert_ffn)
    shared = sum(m.size for m in block_matrices(model, model.shared_ffn)) if model.shared_ffn else 0
    routed = model.experts * (sum(m.size for m in expert) + model.bias * sum(m.n for m in expert))
    return dense + shared + model.experts * model.hidden, float(routed)


def parameters(model: Model, active: bool = False) -> float:
    """Parameters of a model; with ``active``, those that one token meets. Prediction layers are left out.

    >>> from simulator.cluster import catalog
    >>> round(parameters(catalog.model("llama-3-70b")) / 1e9, 2)
    70.55
    """
    if model.kind == "cnn":
        assert model.parameters is not None
        return model.parameters
    moe, dense = model.moe_layers, model.layers - model.moe_layers
    rest, routed = layer_parameters(model, True) if moe else (0.0, 0.0)
    share = model.active_experts / model.experts if active and moe else 1.0
    total = moe * (rest + routed * share) + (dense * layer_parameters(model, False)[0] if dense else 0.0)
    embedding = model.vocab * model.hidden * (1 if model.tied else 2)
    return total + embedding + model.positions * model.hidden + model.hidden * (1 + model.bias)


def attention_flops(model: Model, sequence: int, window: bool = False) -> float:
    """FLOPs of the attention products of one token in one layer, forward, with the masked half left out.

    A query meets on average half of the sequence (all of it without a mask, at most ``window`` tokens in a
    sliding-window layer); each meeting costs 2 FLOPs for every element of a query and of a value.
    """
    keys = sequence / 2 if model.causal else float(sequence)
    if window:
        keys = min(keys, float(model.window))
    width = (2 * model.head + model.rope_dim) if model.kv_rank else 2 * model.head
    return 2.0 * keys * model.heads * width


def flops(model: Model, sequence: int, full_attention: bool = False) -> float:
    """Model FLOPs of one token, forward and backward (3 x forward), without recomputation.

    Masked attention counts half, as Megatron-Core (2025) counts; ``full_attention`` counts all of it, as PaLM (arXiv
    2204.02311, appendix B), llm-foundry and older Megatron do. For a CNN: of one sample.
    """
    if model.kind == "cnn":
        assert model.sample_flops is not None
        return 3 * model.sample_flops
    matrices = parameters(model, active=True) - model.hidden * (model.positions + model.vocab * (not model.tied))
    passes = matrices + model.prediction_layers * (_prediction_matrices(model) + model.vocab * model.hidden)
    full, windowed = attention_flops(model, sequence), attention_flops(model, sequence, window=True)
    layers = model.layers + model.prediction_layers
    attention = (layers - model.windowed_layers) * full + model.windowed_layers * windowed
    return 3 * (2 * passes + attention * (2 if full_attention and model.causal else 1))


def _prediction_matrices(model: Model) -> float:
    rest, routed = layer_parameters(model, model.moe_layers > 0)
    return rest + routed * (model.active_experts / model.experts if model.moe_layers else 0) + 2 * model.hidden**2


def generic(
    parameters: float, layers: int, hidden: int, *, vocab: int = 50_304, sequence: int = 2048, heads: int | None = None
) -> Model:
    """A dense model of so many parameters: the width of its feed-forward block is what is left for it.

    Raises ``InputError`` when layers and hidden alone are more than the parameters, or a number is out of range.
    """
    for name, value, most in (("parameters", parameters, 1e15), ("layers", layers, 1e4), ("hidden", hidden, 1e6)):
        if not 1 <= value <= most:
            raise InputError(f"{name} {value:g}: a model has from 1 to {most:g}")
    count = heads or max(1, hidden // GENERIC_HEAD)
    inner = round((parameters - vocab * hidden - layers * 4 * hidden**2) / (2 * layers * hidden))
    if inner < 1:
        least = vocab * hidden + layers * 4 * hidden**2
        raise InputError(
            f"{parameters:.3g} parameters do not suffice for {layers} layers of hidden {hidden} and a vocabulary of "
            f"{vocab}: attention and embedding alone are {least:.3g}"
        )
    model = Model(
        id="generic", source="command line", confidence="memory-unverified", date="2026", version="",
        family="generic", layers=layers, hidden=hidden, heads=count, ffn=inner, vocab=vocab, tied=True,
        sequence=sequence,
    )  # fmt: skip
    fault = model.fault()
    if fault:
        raise InputError(fault)
    return model
