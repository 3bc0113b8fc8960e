"""Compute time of the parts of a model on one rank, for one micro-batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.cluster.records import Framework, Model
from simulator.models.architecture import (
    Matrix,
    attention_flops,
    attention_matrices,
    block_matrices,
)
from simulator.models.training.device import Device
from simulator.models.training.layout import Layout

FLASH_BACKWARD = 2.5
"""Backward over forward FLOPs of attention that recomputes its scores (Dao, FlashAttention-2, arXiv 2307.08691)."""
SCORE_BYTES = (13.0, 19.0)
"""Bytes moved per score in the forward and backward pass of attention that stores its scores: products, softmax and
dropout each read and write them in 16 bits (Korthikanti et al., arXiv 2205.05198, section 4.1)."""
LAYER_KERNELS = (12, 20)
"""Kernels of one dense layer, forward and backward, beside its matrix products."""
MOE_KERNELS = (24, 36)
"""The same of one layer with experts: routing, sorting and permuting add to them."""
PERMUTE = 13.0
"""Numbers read or written for each number of a token on its way to an expert and back, by two permutations each way and
the weighted sum; fitted to Qwen3 30B-A3B and 235B-A22B in Megatron-Bridge's summary (two runs: the least certain)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Seconds of one pass over some part of the model, by kind of work; ``idle`` is the wait for the host."""

    gemm: float = 0.0
    attention: float = 0.0
    elementwise: float = 0.0
    idle: float = 0.0

    @property
    def time(self) -> float:
        """All of it."""
        return self.gemm + self.attention + self.elementwise + self.idle

    def __add__(self, other: Pass) -> Pass:
        return Pass(
            self.gemm + other.gemm,
            self.attention + other.attention,
            self.elementwise + other.elementwise,
            self.idle + other.idle,
        )

    def __mul__(self, times: float) -> Pass:
        return Pass(self.gemm * times, self.attention * times, self.elementwise * times, self.idle * times)


@dataclass(frozen=True, slots=True)
class Part:
    """A layer, the embedding or the output layer: its forward and backward pass."""

    forward: Pass
    backward: Pass
    last: float = 0.0
    """Seconds of the last product of the forward pass."""

    @property
    def time(self) -> float:
        """Forward and backward."""
        return self.forward.time + self.backward.time


@dataclass(frozen=True, slots=True)
class Worker:
    """One rank of a layout: what turns parts of the model into seconds."""

    model: Model
    layout: Layout
    device: Device
    framework: Framework

    @property
    def tokens(self) -> float:
        """Tokens of one micro-batch on one rank."""
        return self.layout.micro_batch * self.sequence / self.layout.cp

    @property
    def sequence(self) -> int:
        """Tokens of one sequence."""
        return self.layout.sequence or self.model.sequence

    def layer(self, moe: bool, windowed: bool = False) -> Part:
        """One transformer layer."""
        model, tp = self.model, self.layout.tp
        matrices = list(attention_matrices(model))
        if not moe:
            matrices += block_matrices(model, model.ffn)
        elif model.shared_ffn:
            matrices += block_matrices(model, model.shared_ffn)
        products = [self._product(matrix, self.tokens, tp) for matrix in matrices]
        cast = self._cast(matrices, self.tokens, tp)
        if moe:
            rows = self.tokens * model.active_experts / (tp if self.layout.splits_sequence else 1)
            rows *= self.layout.expert_imbalance
            local = model.experts / self.layout.ep
            expert_tp = 1 if self.layout.splits_sequence else tp
            expert = block_matrices(model, model.expert_ffn)
            products += [self._product(matrix, rows / local, expert_tp, local) for matrix in expert]
            cast = [sum(pair) for pair in zip(cast, self._cast(expert, rows, expert_tp), strict=True)]
        scores = self._attention(windowed)
        moved = self._elementwise(moe)
        kernels = MOE_KERNELS if moe else LAYER_KERNELS
        forward = Pass(sum(p[0] for p in products), scores[0][0], scores[1][0] + self.device.move(moved[0]) + cast[0])
        backward = Pass(sum(p[1] for p in products), scores[0][1], scores[1][1] + self.device.move(moved[1]) + cast[1])
        return Part(
            self._hosted(forward, kernels[0] + len(products)),
            self._hosted(backward, kernels[1] + 2 * len(products)),
            products[-1][0],
        )

    def head(self) -> Part:
        """The last norm, the output layer and the loss."""
        model, tp = self.model, self.layout.tp
        n, k = model.vocab / tp, float(model.hidden)
        device, tokens = self.device, self.tokens
        once = device.gemm(tokens, n, k, wide=True, output=self.layout.width)
        back = device.gemm(tokens, k, n, wide=True, output=self.layout.width)
        back += device.gemm(n, k, tokens, wide=True, output=8.0)
        loss = 5.0 * self.layout.width * tokens * n * self.framework.elementwise
        return Part(self._hosted(Pass(once, 0.0, device.move(loss)), 10), self._hosted(Pass(back, 0.0, 0.0), 10))

    def embedding(self) -> Part:
        """Look-up, and the sum of its gradients."""
        moved = 3 * self.layout.width * self.tokens * self.model.hidden
        return Part(Pass(elementwise=self.device.move(moved)), Pass(elementwise=self.device.move(2 * moved)))

    def scores(self, windowed: bool = False) -> Pass:
        """The attention core alone, forward: what selective recomputation repeats."""
        (products, _), (moved, _) = self._attention(windowed)
        return Pass(attention=products, elementwise=moved)

    def _product(self, matrix: Matrix, rows: float, tp: int, count: float = 1) -> tuple[float, float]:
        """Forward, and backward: the gradients of the input and, when they are trained, of the weights."""
        n = matrix.n / tp if matrix.split == "n" else float(matrix.n)
        k = matrix.k / tp if matrix.split == "k" else float(matrix.k)
        device = self.device
        forward = device.gemm(rows, n, k, count, output=self.layout.width)
        backward = device.gemm(rows, k, n, count, output=self.layout.width)
        if self.layout.trains == "all":
            backward += device.gemm(n, k, rows, count, output=2 * self.framework.gradient_bytes)
        return forward, backward

    def _cast(self, matrices: Iterable[Matrix], rows: float, tp: int) -> list[float]:
        """Seconds to make narrow copies of the inputs, forward, and of the gradients of the outputs, backward."""
        inputs = sum(matrix.k / (tp if matrix.split == "k" else 1) for matrix in matrices)
        outputs = sum(matrix.n / (tp if matrix.split == "n" else 1) for matrix in matrices)
        size = self.device.cast * rows * self.framework.elementwise
        return [self.device.move(size * inputs), self.device.move(size * outputs)]

    def _attention(self, windowed: bool) -> tuple[tuple[float, float], tuple[float, float]]:
        """((forward, backward) seconds of products, (forward, backward) seconds of stored scores)."""
        model, tp = self.model, self.layout.tp
        amount = attention_flops(model, self.sequence, windowed) * self.tokens / tp
        if self.framework.attention != "unfused":
            forward = self.device.attend(amount, model.head)
            return (forward, FLASH_BACKWARD * forward), (0.0, 0.0)
        amount *= 2 if model.causal else 1
        forward = amount / self.device.attention
        scores = self.tokens * self.sequence * model.heads / tp
        once, back = (self.device.move(size * scores) for size in SCORE_BYTES)
        return (forward, 2 * forward), (once, back)

    def _elementwise(self, moe: bool) -> tuple[float, float]:
        """Bytes that norms, residuals, activations, rotary positions and routing move: forward, backward."""
        model, tp = self.model, self.layout.tp
        h, rows = model.hidden, self.tokens
        split = rows / (tp if self.layout.splits_sequence else 1)
        forward, backward = 10 * h * split, 10 * h * split
        pieces = 2 if model.gated else 1
        inner = (model.shared_ffn if moe else model.ffn) * rows / tp
        if not model.positions and model.causal:
            rotary = 2 * (model.heads + (model.kv_heads or model.heads)) * model.head * rows / tp
            forward, backward = forward + rotary, backward + rotary
        if moe:
            routed = split * model.active_experts * self.layout.expert_imbalance
            inner += model.expert_ffn * routed
            forward += PERMUTE * h * routed + 20 * model.experts * split
            backward += PERMUTE * h * routed + 20 * model.experts * split
        forward += (pieces + 1) * inner
        backward += (2 * pieces + 1) * inner
        scale = self.layout.width * self.framework.elementwise
        return forward * scale, backward * scale

    def _hosted(self, work: Pass, kernels: float) -> Pass:
        least = kernels * self.framework.host_launch
        return Pass(work.gemm, work.attention, work.elementwise, max(0.0, least - work.time))
