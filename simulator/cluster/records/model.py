"""Models that are trained and served: the sizes that decide FLOPs, bytes and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from simulator.cluster.records.base import Record
from simulator.core.units import Bytes, Dimension

Count = Annotated[float, Dimension("ratio")]
"""A number without a unit that need not be whole, such as 25.6e6 parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Record):
    """A transformer, dense or with experts; or a convolutional network, whose totals are given directly."""

    section: ClassVar[str] = "models"
    file: ClassVar[str] = "models.yaml"

    family: str
    kind: Literal["transformer", "cnn"] = "transformer"
    layers: int = 0
    hidden: int = 0
    heads: int = 0
    kv_heads: int | None = None
    """Heads of keys and values; those of the queries where it is absent."""
    head_dim: int | None = None
    """hidden / heads where it is absent."""
    ffn: int = 0
    """Inner width of a dense feed-forward block."""
    gated: bool = False
    """Whether the feed-forward block has three matrices (SwiGLU) and not two."""
    vocab: int = 0
    tied: bool = False
    """Whether the output layer shares the matrix of the input embedding."""
    bias: bool = False
    """Whether linear layers and norms have biases (GPT-2 and its heirs)."""
    causal: bool = True
    sequence: int = 0
    """Tokens of a sequence in training, unless the run says otherwise."""
    context: int = 0
    """Most tokens of prompt and output together that it was made for; 0 where nobody said."""
    positions: int = 0
    """Rows of a learned position embedding."""
    experts: int = 0
    active_experts: int = 0
    """Routed experts that one token visits."""
    expert_ffn: int = 0
    shared_ffn: int = 0
    """Inner width of all shared experts together."""
    dense_layers: int = 0
    """Layers, of those of a model with experts, that have a dense block instead."""
    query_rank: int = 0
    """Multi-head latent attention: width that queries are squeezed to; with ``kv_rank`` it replaces ``kv_heads``."""
    kv_rank: int = 0
    rope_dim: int = 0
    """Part of the query and key heads that carries the rotary position, beside ``head_dim``, in latent attention."""
    window: int = 0
    """Tokens that a sliding-window layer sees."""
    windowed_layers: int = 0
    prediction_layers: int = 0
    """Extra layers for multi-token prediction, each with a pass through the output layer."""
    parameters: Count | None = None
    """Of a convolutional network; a transformer's are counted."""
    sample_flops: Count | None = None
    """FLOPs of one forward pass of one sample of a convolutional network; a multiply-add is two."""
    sample_activations: Bytes | None = None
    """Bytes of activations of one sample that such a network writes in the forward pass, in 16-bit numbers."""

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        if self.kind == "cnn":
            missing = None in (self.parameters, self.sample_flops, self.sample_activations)
            return "a cnn needs parameters, sample_flops and sample_activations" if missing else None
        for name in ("layers", "hidden", "heads", "vocab", "sequence"):
            if not getattr(self, name):
                return f"a transformer needs {name}"
        if (self.experts == 0) != (self.active_experts == 0) or (self.experts == 0) != (self.expert_ffn == 0):
            return "experts, active_experts and expert_ffn must all be there, or none"
        if not self.ffn and (not self.experts or self.dense_layers):
            return "dense layers need ffn"
        if self.active_experts > self.experts:
            return f"active_experts {self.active_experts} is above experts {self.experts}"
        if self.head_dim is None and self.hidden % self.heads:
            return f"hidden {self.hidden} is not a multiple of heads {self.heads}: give head_dim"
        if self.kv_heads is not None and self.heads % self.kv_heads:
            return f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}"
        return None

    @property
    def head(self) -> int:
        """Width of one attention head (of its part without rotary position, in latent attention)."""
        return self.head_dim if self.head_dim is not None else self.hidden // self.heads

    @property
    def moe_layers(self) -> int:
        """Layers whose feed-forward block is a set of experts."""
        return self.layers - self.dense_layers if self.experts else 0
