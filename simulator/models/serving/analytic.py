"""Seconds of an iteration from counted work: what an inference engine needs on an accelerator, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy

from simulator.cluster.records import Accelerator, Engine, Model
from simulator.models.serving.api import Batch, Decoding
from simulator.models.serving.constants import FITTED, Constants
from simulator.models.serving.experts import Experts
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.precision import peak, wide_peak
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.work import WIDTH, pairs, together, work


class AnalyticTime:
    """Iteration times of a replica; see docs/serving-model.md for the formulas, by number.

    ``seconds`` and ``decoding`` agree to rounding: while the same sequences decode, an iteration is linear in the
    tokens of their contexts. Raises ``InputError`` when the model cannot be spread like this or the accelerator lacks
    a peak.
    """

    def __init__(
        self,
        model: Model,
        accelerator: Accelerator,
        shape: ReplicaShape,
        engine: Engine,
        interconnect: Interconnect | None = None,
        speculation: Speculation | None = None,
        constants: Constants = FITTED,
    ) -> None:
        shape.check(model)
        net = interconnect or Interconnect.of(accelerator, constants=constants)
        each = work(model, shape)
        share, slow = constants.products(accelerator), constants.slowness(accelerator)
        rate, wide = peak(accelerator, shape.weights)[1] * share, wide_peak(accelerator)[1] * share
        bandwidth = accelerator.memory_bandwidth * constants.memory
        self.window = float(model.window) if model.windowed_layers else math.inf
        self.advance = speculation.advance if speculation else 1.0
        self._norm, self._shape, self._net = constants.norm, shape, net
        self._row = model.hidden * WIDTH
        self._reduces = 2 * model.layers - (each.moe_layers if shape.dp > 1 else 0)
        self._queries = 1 + (speculation.tokens if speculation else 0)
        self._draft = speculation.draft.unhosted() if speculation and speculation.draft else None
        self._step, self._sequence, self._launch = engine.step, engine.sequence, model.layers * engine.layer
        self._short = model.layers * constants.layer * slow
        self._dense = 2 * each.dense / (wide if each.dense_wide else rate)
        self._dense_bytes = each.dense_bytes / bandwidth
        self._head, self._head_bytes = 2 * each.head / wide, each.head * WIDTH / bandwidth
        self._moved = each.moved / bandwidth
        self._experts = Experts.of(
            model, each, shape, net, rate * constants.grouped, bandwidth, constants.expert_layer * slow
        )
        self._full, self._windowed = each.full_layers, each.windowed_layers
        self._pair, self._read = each.pair / (wide * constants.attention), each.kv / bandwidth
        token = max(self._queries * each.decode_pair / (wide * constants.attention), self._read)
        self._context_slope, self._window_slope = token * self._full, token * self._windowed
        self._known: dict[tuple[int, int], tuple[float, float, float]] = {}

    def seconds(self, ranks: Sequence[Batch]) -> float:
        """Seconds of one iteration: what ranks compute in lockstep, plus the longest attention of any of them."""
        if len(ranks) == 1 and not ranks[0].chunks:
            rank = ranks[0]
            base, context, windowed = self._decode(rank.sequences, rank.sequences)
            return base + (context * rank.context + windowed * rank.windowed)
        if len(ranks) == 1 and self._draft is None:
            return self._alone(ranks[0])
        most, total = max(rank.sequences for rank in ranks), sum(rank.sequences for rank in ranks)
        if not any(rank.chunks for rank in ranks):
            return self._longest(ranks, *self._decode(most, total))
        fresh = [sum(chunk.new for chunk in rank.chunks) + self._queries * rank.sequences for rank in ranks]
        sampled = max(sum(chunk.last for chunk in rank.chunks) + self._queries * rank.sequences for rank in ranks)
        parts = min(self._shape.pp, max(len(rank.chunks) + rank.sequences for rank in ranks))
        time = self._common(max(fresh), sum(fresh), sampled, most, parts)
        time += max(self._attention(rank) for rank in ranks) / parts
        if self._draft is not None:
            time += self._draft.seconds([Batch(rank.chunks) for rank in ranks])
            time += self._longest(ranks, *self._guess(most, total)) if total else 0.0
        return time

    def _alone(self, rank: Batch) -> float:
        """Seconds of one iteration with chunks, of the only rank: the same sums as for several."""
        checked = self._queries * rank.sequences
        fresh = sampled = checked
        for new, _, last in rank.chunks:
            fresh += new
            sampled += last
        parts = min(self._shape.pp, len(rank.chunks) + rank.sequences)
        return self._common(fresh, fresh, sampled, rank.sequences, parts) + self._attention(rank) / parts

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        """Seconds of iterations in which each rank decodes so many sequences, at any context."""
        return Decoding(*self._decode(max(sequences), sum(sequences)))

    def unhosted(self) -> AnalyticTime:
        """The same without time of the host between iterations: a draft guesses inside an iteration of its model."""
        bare = copy(self)
        bare._step = bare._sequence = 0.0
        bare._known = {}
        return bare

    @staticmethod
    def _longest(ranks: Sequence[Batch], base: float, context: float, windowed: float) -> float:
        return base + max(context * rank.context + windowed * rank.windowed for rank in ranks)

    def _decode(self, most: int, total: int) -> tuple[float, float, float]:
        """(base, context, windowed) of ``Decoding``; ``most`` sequences of one rank, ``total`` of all."""
        known = self._known.get((most, total))
        if known is None:
            q, parts = self._queries, max(1, min(self._shape.pp, most))
            base = self._common(q * most, q * total, q * most, most, parts)
            guess = self._guess(most, total)
            slopes = self._context_slope / parts, self._window_slope / parts
            known = self._known[most, total] = (base + guess[0], slopes[0] + guess[1], slopes[1] + guess[2])
        return known

    def _guess(self, most: int, total: int) -> tuple[float, float, float]:
        """What the draft adds, one iteration of it for each guess."""
        if self._draft is None:
            return 0.0, 0.0, 0.0
        base, context, windowed = self._draft._decode(most, total)
        steps = self._queries - 1
        if self._draft.window != self.window:  # Batch.windowed counts by our window
            context, windowed = context + windowed, 0.0
        return steps * base, steps * context, steps * windowed

    def _common(self, fresh: float, total: float, sampled: float, sequences: int, parts: int) -> float:
        """Seconds of all but attention, formulas 3, 5, 7, 9 to 11.

        ``fresh`` tokens are computed, ``sampled`` of them drawn and ``sequences`` decode on the rank that has most of
        each; ``total`` are computed on all ranks.

        A pipeline has ``parts`` of the batch under way at once, so that the batch takes what a part of it takes through
        all layers, and the hops between stages. The host launches kernels ahead, so that the longer of the two counts;
        attention is left out of that, for the sake of a closed form.
        """
        tokens, logits = fresh / parts, sampled / parts
        compute = tokens * self._dense + logits * self._head
        memory = self._dense_bytes + (self._head_bytes if logits else 0.0)
        time = self._short + tokens * self._moved + together(compute, memory, self._norm)
        shape, net = self._shape, self._net
        if shape.tp > 1:
            time += self._reduces * net.all_reduce(tokens * self._row, shape.tp)
        if shape.pp > 1:
            time += (shape.pp - 1) * net.hop(tokens * self._row / shape.tp, shape.stage)
        if self._experts is not None:
            time += self._experts.seconds(total / parts, tokens, self._norm)
        # the new tokens' own keys, and those of the tokens checked with them
        own = sequences / parts * (self._queries + 1) / 2 * (self._context_slope + self._window_slope)
        return self._step + self._sequence * sequences + max(time, self._launch) + own

    def _attention(self, rank: Batch) -> float:
        """Seconds of attention of one rank, formulas 4, 6 and 8."""
        time = rank.context * self._context_slope + rank.windowed * self._window_slope
        for new, before, _ in rank.chunks:
            time += self._full * (pairs(new, before, math.inf) * self._pair + before * self._read)
            if self._windowed:
                seen = min(before, self.window)
                time += self._windowed * (pairs(new, before, self.window) * self._pair + seen * self._read)
        return time
