"""Routed experts: how many a batch wakes, how unevenly, and what sending tokens to them and back takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.cluster.records import Model
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.work import WIDTH, Work, distinct, together


@dataclass(frozen=True, slots=True)
class Experts:
    """The experts of all layers of a replica, as the busiest accelerator sees them."""

    layers: int
    experts: int
    active: int
    row: float
    """Bytes of one token's activations."""
    sent: float
    """The same on the way to experts: in 8 bits where these compute so."""
    shape: ReplicaShape
    net: Interconnect
    compute: float
    """Seconds of one expert's products for one token in one layer, on one accelerator."""
    stream: float
    """Seconds to read one expert of one layer, cut as it is."""
    move: float
    """Seconds to bring one token to one expert and back within an accelerator's memory, and to activate it."""

    fixed: float
    """Seconds of the kernels that choose experts and sort tokens, in one layer."""

    @classmethod
    def of(
        cls,
        model: Model,
        each: Work,
        shape: ReplicaShape,
        net: Interconnect,
        rate: float,
        bandwidth: float,
        fixed: float,
    ) -> Experts | None:
        """Build from a model's sizes and what an accelerator reaches, FLOP/s and bytes/s; None without experts.

        4-bit experts are sent to in 16 bits, as their products are.
        """
        if not each.moe_layers:
            return None
        cut = shape.ep / shape.stage
        return cls(
            layers=each.moe_layers,
            experts=model.experts,
            active=model.active_experts,
            row=model.hidden * WIDTH,
            sent=model.hidden * (1.0 if each.expert_width == 1.0 else WIDTH),
            shape=shape,
            net=net,
            compute=2 * each.expert * cut / rate,
            move=(4 * model.hidden + (3 if model.gated else 2) * model.expert_ffn * cut) * WIDTH / bandwidth,
            fixed=fixed,
            stream=each.expert * cut * each.expert_width / bandwidth,
        )

    def imbalance(self, tokens: float) -> float:
        """Tokens of the busiest of ``ep`` groups over their mean, formula 10.

        Where the shape does not say: the expected largest of ep counts with mean m, ``1 + sqrt(2 ln(ep) / m)``, as when
        every expert is as likely as any other; at most ep.
        """
        ep = self.shape.ep
        if ep == 1:
            return 1.0
        if self.shape.imbalance is not None:
            return self.shape.imbalance
        mean = tokens * self.active / ep
        return min(float(ep), 1 + math.sqrt(2 * math.log(ep) / mean)) if mean > 0 else 1.0

    def seconds(self, tokens: float, own: float, norm: float) -> float:
        """Seconds of all layers for ``tokens`` of all ranks, ``own`` of them on the rank that has most."""
        if tokens <= 0:
            return 0.0
        ep = self.shape.ep
        uneven = self.imbalance(tokens)
        awake = min(self.experts / ep, distinct(self.experts, self.active, tokens) / ep * uneven)
        visits = tokens * self.active / ep * uneven
        compute = visits * self.compute
        time = visits * self.move + together(compute, awake * self.stream, norm)
        return self.layers * (self.fixed + time + self._exchange(tokens, own))

    def _exchange(self, tokens: float, own: float) -> float:
        """Seconds to bring tokens to experts and back, in one layer.

        One rank has its tokens on all accelerators already, and what experts say is added up in the all-reduce that is
        counted with the dense layers. Ranks with whole experts exchange tokens, once for each expert; ranks with pieces
        of all experts gather all tokens and scatter the sums.
        """
        shape = self.shape
        if shape.dp == 1:
            return 0.0
        if shape.ep > 1:
            rows = own / shape.tp
            out, back = (self.net.scatter(rows * size, self.active, shape.stage) for size in (self.sent, self.row))
            return out + back
        return self.net.all_reduce(tokens * self.row, shape.stage)
