"""What the ranks of a layout say to each other in one optimizer step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulator.cluster.records import Framework, Model
from simulator.models.training.footprint import held
from simulator.models.training.layout import Layout, domain_of, sample, span
from simulator.models.training.network import Network


@dataclass(frozen=True, slots=True)
class Communication:
    """One kind of collective call of a step.

    ``bytes`` of one call (see ``Network`` for what they count), ``calls`` of one rank in a step, each ``time`` seconds
    alone, of which ``hidden`` seconds in all can pass behind compute. ``group`` is (ranks in one domain, domains).
    """

    axis: str
    collective: str
    bytes: float
    calls: float
    group: tuple[int, int]
    time: float = 0.0
    hidden: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all calls."""
        return self.calls * self.time

    @property
    def exposed(self) -> float:
        """Seconds that compute does not hide."""
        return max(0.0, self.total - self.hidden)


@dataclass(frozen=True, slots=True)
class Windows:
    """Seconds of compute of one rank that communication may hide behind, in one step."""

    products: float
    attention: float
    forward: float
    backward: float
    last_forward: float
    last_backward: float


def communications(
    model: Model, layout: Layout, framework: Framework, scale_up_domain: int, network: Network, w: Windows
) -> tuple[Communication, ...]:
    """All communication of one optimizer step, timed alone by ``network``."""
    domain = domain_of(layout, scale_up_domain)
    found = []
    for call, share, window in _calls(model, layout, framework, domain, w):
        timed = replace(call, time=network(call.axis, call.collective, call.bytes, call.group))
        found.append(replace(timed, hidden=layout.overlap * share * min(timed.total, window)))
    return tuple(found)


Draft = tuple[Communication, float, float]
"""A communication, the share of it that may hide, and the seconds it may hide behind."""


def _calls(model: Model, layout: Layout, framework: Framework, domain: int, w: Windows) -> Iterator[Draft]:
    if model.kind == "transformer":
        yield from _inside_layers(model, layout, framework, domain, w)
        yield from _pipeline(model, layout, framework, domain, w)
    if layout.trains == "all":
        yield from _replicas(model, layout, framework, domain, w)


def _inside_layers(model: Model, layout: Layout, framework: Framework, domain: int, w: Windows) -> Iterator[Draft]:
    """Tensor, context and expert parallelism: in every layer of every micro-batch."""
    tokens = layout.micro_batch * (layout.sequence or model.sequence) / layout.cp
    layers = model.layers / layout.pp * layout.micro_batches
    passes = 3 if layout.recompute == "full" else 2
    hidden = tokens * model.hidden * layout.width
    if layout.tp > 1:
        group = span(sample(layout, "tp"), domain)
        blocks = 1 + (1 - model.moe_layers / model.layers) + (model.moe_layers / model.layers) * (model.shared_ffn > 0)
        if layout.splits_sequence:
            for collective in ("all-gather", "reduce-scatter"):
                call = Communication("tp", collective, hidden, passes * blocks * layers, group)
                yield call, framework.tp_overlap, w.products / 2
        else:
            call = Communication("tp", "all-reduce", hidden, passes * blocks * layers, group)
            yield call, framework.tp_overlap, w.products
    if layout.cp > 1:
        group = span(sample(layout, "cp"), domain)
        kv = (2 * (model.kv_heads or model.heads) * model.head) if not model.kv_rank else 2 * model.heads * model.head
        block = tokens * kv / layout.tp * layout.width
        steps = (layout.cp - 1) * (passes + 1)
        pair = (2, 1) if group[1] == 1 else (1, 2)
        yield Communication("cp", "send-recv", block, steps * layers, pair), 1.0, w.attention
    if layout.ep > 1:
        group = span(sample(layout, "ep"), domain)
        rows = tokens * model.active_experts / (layout.tp if layout.splits_sequence else 1) * layout.expert_imbalance
        calls = 2 * passes * model.moe_layers / model.layers * layers
        if framework.dispatch == "per-domain":
            rows *= copies(model.active_experts, group[1])
        call = Communication("ep", "all-to-all", rows * model.hidden * layout.width, calls, group)
        yield call, framework.ep_overlap, w.forward + w.backward


def copies(experts: int, domains: int) -> float:
    """Domains that the ``experts`` of a token lie in on average, over the experts, when each is as likely anywhere.

    >>> copies(8, 1), round(copies(8, 4), 3)
    (1.0, 0.45)
    """
    return domains * (1 - (1 - 1 / domains) ** experts) / experts if domains > 1 else 1.0


def _pipeline(model: Model, layout: Layout, framework: Framework, domain: int, w: Windows) -> Iterator[Draft]:
    if layout.pp == 1:
        return
    tokens = layout.micro_batch * (layout.sequence or model.sequence) / layout.cp
    size = tokens * model.hidden * layout.width / layout.tp
    first, second, *_ = sample(layout, "pp")
    pair = span((first, second), domain)
    calls = 2 * layout.vp * layout.micro_batches
    share = framework.pp_overlap if layout.vp > 1 else 0.0
    yield Communication("pp", "send-recv", size, calls, pair), share, w.forward + w.backward


def _replicas(model: Model, layout: Layout, framework: Framework, domain: int, w: Windows) -> Iterator[Draft]:
    """Gradients, and weights where they are sharded, between the ranks that hold the same."""
    dense, routed = held(model, layout)
    for axis, count, ranks in (("dp", dense, layout.replicas), ("edp", routed, layout.expert_replicas)):
        if count and ranks > 1:
            group = span(sample(layout, axis), domain)
            yield from _replica(axis, count, group, model, layout, framework, w)


def _replica(
    axis: str, count: float, group: tuple[int, int], model: Model, layout: Layout, framework: Framework, w: Windows
) -> Iterator[Draft]:
    gradients, weights = count * framework.gradient_bytes, count * layout.width
    overlap, sharding = framework.dp_overlap, layout.sharding or framework.sharding
    layers = model.layers / layout.pp if model.layers else 1
    if framework.scheme != "all-reduce":
        kind = framework.scheme
        extra = framework.servers if framework.scheme == "parameter-server" else framework.depth
        yield Communication(axis, kind, gradients, 1, (group[0] * group[1], extra)), overlap, w.last_backward
        return
    calls = layers if framework.bucket is None else max(1, math.ceil(gradients / framework.bucket))
    if sharding == "none":
        yield Communication(axis, "all-reduce", gradients / calls, calls, group), overlap, w.last_backward
    elif sharding in ("zero1", "zero2"):
        rounds = layout.micro_batches if sharding == "zero2" and layout.pp == 1 else 1
        back = w.backward if rounds > 1 else w.last_backward
        yield Communication(axis, "reduce-scatter", gradients / calls, calls * rounds, group), overlap, back
        yield Communication(axis, "all-gather", weights / calls, calls, group), overlap, w.last_forward
    else:
        m = layout.micro_batches
        shard = group if sharding == "zero3" else (group[0], 1)
        gathers = Communication(axis, "all-gather", weights / layers, 2 * layers * m, shard)
        yield gathers, overlap, (w.forward + w.backward) * 2 / 3
        yield Communication(axis, "reduce-scatter", gradients / layers, layers * m, shard), overlap, w.backward / 3
        if sharding == "hybrid" and group[1] > 1:
            part = gradients / group[0] / layers
            yield Communication(axis, "all-reduce", part, layers, (1, group[1])), overlap, w.last_backward
