"""Time of one optimizer step, and where it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Framework, Model
from simulator.models import architecture
from simulator.models.training.communications import Communication, Windows, communications
from simulator.models.training.device import Device
from simulator.models.training.footprint import Memory, held, memory
from simulator.models.training.layout import Layout, balanced, check
from simulator.models.training.network import Network, fan_in
from simulator.models.training.work import Part, Pass, Worker

PARTS = (
    "gemm", "attention", "elementwise", "recompute", "tp", "cp", "ep", "pp", "bubble", "dp",
    "optimizer", "data", "straggler", "overhead",
)  # fmt: skip
OPTIMIZER_TRAFFIC = 34.0
"""Bytes that Adam moves for a parameter of its shard: gradient twice (norm, update), master copy, mean and variance in
and out, 16-bit weight out."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Seconds of one rank, averaged over the pipeline's stages, in one step."""

    forward: Pass
    backward: Pass
    recompute: float
    imbalance: float
    optimizer: float
    straggler: float
    overhead: float

    @property
    def busy(self) -> float:
        """Forward, backward and recomputation."""
        return self.forward.time + self.backward.time + self.recompute


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step of a layout: seconds, their parts, memory, and the communication that others may contend with.

    ``at`` and ``with_network`` give the same step with slower or other communication, without computing anew.
    """

    model: Model
    layout: Layout
    accelerator: Accelerator
    framework: Framework
    memory: Memory
    compute: Compute
    communications: tuple[Communication, ...]
    model_flops: float
    """FLOPs of the whole job in one step, forward and backward, without recomputation; masked attention counts half."""

    @property
    def time(self) -> float:
        """Seconds of one optimizer step."""
        return sum(self.breakdown.values())

    @property
    def breakdown(self) -> dict[str, float]:
        """Part -> seconds, in the order of ``PARTS``; they add up to ``time``.

        Communication is what compute does not hide. ``bubble`` is what a pipeline rank waits for others: filling and
        draining (see ``idle_slots``), and the difference between the slowest stage and the mean. ``straggler`` is the
        wait for the slowest rank.
        """
        c = self.compute
        work = c.forward + c.backward
        parts = dict.fromkeys(PARTS, 0.0)
        parts |= {"gemm": work.gemm, "attention": work.attention, "elementwise": work.elementwise}
        parts |= {"recompute": c.recompute, "optimizer": c.optimizer, "straggler": c.straggler}
        parts["overhead"] = c.overhead + work.idle
        for call in self.communications:
            parts["dp" if call.axis == "edp" else call.axis] += call.exposed
        slots = idle_slots(self.layout) / self.layout.micro_batches
        parts["bubble"] = c.imbalance + slots * (c.busy + parts["tp"] + parts["cp"] + parts["ep"] + parts["pp"])
        if self.layout.input_rate is not None:
            fed = self.layout.global_batch / (self.layout.accelerators * self.layout.input_rate)
            parts["data"] = max(0.0, fed - sum(parts.values()))
        return parts

    @property
    def tokens(self) -> int:
        """Tokens (samples of a CNN) of one step."""
        return self.layout.global_batch * (
            1 if self.model.kind == "cnn" else self.layout.sequence or self.model.sequence
        )

    @property
    def tokens_per_second(self) -> float:
        """Tokens (samples of a CNN) per second and accelerator."""
        return self.tokens / self.time / self.layout.accelerators

    @property
    def flops_per_second(self) -> float:
        """Model FLOP/s of one accelerator."""
        return self.model_flops / self.time / self.layout.accelerators

    @property
    def mfu(self) -> float:
        """Model FLOP/s over the dense peak of the layout's precision."""
        return self.flops_per_second / Device.of(self.accelerator, self.framework, self.layout.precision).peak

    def at(self, stretch: Mapping[str, float]) -> Step:
        """The step when the communication of an axis takes ``stretch[axis]`` (else 1) times as long."""
        changed = (replace(call, time=call.time * stretch.get(call.axis, 1.0)) for call in self.communications)
        return replace(self, communications=tuple(changed))

    def with_network(self, times: Callable[[Communication], float]) -> Step:
        """The step when one call of each communication takes ``times(communication)`` seconds."""
        changed = (replace(call, time=times(call)) for call in self.communications)
        return replace(self, communications=tuple(changed))


def idle_slots(layout: Layout) -> float:
    """Micro-batches in whose time a pipeline rank waits for others, in one step.

    Filling and draining take (pp - 1) / vp (Narayanan et al., arXiv 2104.04473, section 2.2). An interleaved schedule
    runs micro-batches in groups of pp: an incomplete group leaves its slots empty.

    >>> idle_slots(Layout(accelerators=4, pp=4, vp=3, global_batch=6))
    3.0
    """
    groups = -(-layout.micro_batches // layout.pp) * layout.pp - layout.micro_batches if layout.vp > 1 else 0
    return (layout.pp - 1) / layout.vp + groups


def step(
    model: Model, accelerator: Accelerator, layout: Layout, network: Network, framework: Framework | None = None
) -> Step:
    """Time one optimizer step of ``model`` on ``layout.accelerators`` accelerators.

    ``network`` times one collective call alone; ``framework`` of None is Megatron-Core. Raises ``InputError`` when the
    layout does not suit the model or the accelerator lacks the precision; a model that does not fit is timed all the
    same, and ``Step.memory`` says so.
    """
    check(model, layout)
    framework = framework or catalog.framework("megatron-core")
    device = Device.of(accelerator, framework, layout.precision)
    compute = _compute(model, layout, device, framework)
    m = layout.micro_batches
    windows = Windows(
        products=compute.forward.gemm + compute.backward.gemm,
        attention=compute.forward.attention + compute.backward.attention,
        forward=compute.forward.time,
        backward=compute.backward.time + compute.recompute,
        last_forward=compute.forward.time / m,
        last_backward=(compute.backward.time + compute.recompute) / m,
    )
    calls = communications(model, layout, framework, accelerator.scale_up_domain, network, windows)
    room = memory(model, layout, framework, accelerator)
    amount = architecture.flops(model, layout.sequence or model.sequence)
    if layout.trains == "adapters":
        amount *= 2 / 3
    tokens = layout.global_batch * (1 if model.kind == "cnn" else layout.sequence or model.sequence)
    return Step(model, layout, accelerator, framework, room, compute, calls, amount * tokens)


def _compute(model: Model, layout: Layout, device: Device, framework: Framework) -> Compute:
    worker = Worker(model, layout, device, framework)
    forward, backward, again, slowest = _cnn(worker) if model.kind == "cnn" else _stages(worker)
    m = layout.micro_batches
    busy = (forward.time + backward.time + again) * m
    sigma = framework.noise if layout.noise is None else layout.noise
    noise = sigma * math.sqrt(2 * math.log(layout.accelerators))
    dense, routed = held(model, layout)
    shards = (1, 1) if (layout.sharding or framework.sharding) == "none" else (layout.replicas, layout.expert_replicas)
    owned = (dense / shards[0] + routed / shards[1]) * (layout.trains == "all")
    return Compute(
        forward=forward * m,
        backward=backward * m,
        recompute=again * m,
        imbalance=max(0.0, slowest * m - busy),
        optimizer=device.move(OPTIMIZER_TRAFFIC * owned),
        straggler=busy * (noise + layout.slowdown - 1),
        overhead=framework.step_overhead + _serialization(dense + routed, layout, framework),
    )


def _serialization(parameters: float, layout: Layout, framework: Framework) -> float:
    """Seconds that the busiest process spends on turning gradients and weights into messages and back."""
    if framework.serialization is None or layout.replicas == 1:
        return 0.0
    size = parameters * framework.gradient_bytes
    if framework.scheme == "tree-aggregate":
        times = framework.depth * fan_in(layout.replicas, framework.depth) + 1.0
    elif framework.scheme == "parameter-server":
        times = 2 * max(1.0, layout.replicas / framework.servers)
    else:
        times = 2.0
    return size * times / framework.serialization


def _stages(worker: Worker) -> tuple[Pass, Pass, float, float]:
    """Forward, backward and recomputation of one micro-batch in the mean stage, and all of it in the slowest."""
    model, layout = worker.model, worker.layout
    moe, pp = model.moe_layers, layout.pp
    layers = [(worker.layer(False), model.layers - moe)] if model.layers > moe else []
    if moe:
        layers.append((worker.layer(True), moe - model.windowed_layers))
        if model.windowed_layers:
            layers.append((worker.layer(True, windowed=True), model.windowed_layers))
    head, embedding = worker.head(), worker.embedding()
    if model.prediction_layers:
        layers[-1] = (layers[-1][0], layers[-1][1] + model.prediction_layers)
    forward = backward = Pass()
    again = 0.0
    for part, count in layers:
        forward, backward = forward + part.forward * count, backward + part.backward * count
        again += _again(worker, part) * count
    body = forward.time + backward.time + again
    last = head.time * (1 + model.prediction_layers)
    forward = forward + head.forward * (1 + model.prediction_layers) + embedding.forward
    backward = backward + head.backward * (1 + model.prediction_layers) + embedding.backward
    whole = forward.time + backward.time + again
    if pp == 1:
        slowest = whole
    elif balanced(model, layout):
        units = model.layers + model.prediction_layers
        slowest = _evened(units, pp, body / units, last, embedding.time)
    else:
        slowest = body / pp + max(last, embedding.time)
    return forward * (1 / pp), backward * (1 / pp), again / pp, slowest


def _evened(layers: int, stages: int, layer: float, last: float, first: float) -> float:
    """Seconds of the slowest stage when the last one takes as many layers fewer as suits it best."""
    fewest = layers // stages
    choices = []
    for kept in range(fewest + 1):
        others = -(-(layers - kept) // (stages - 1))
        ends = max(kept * layer + last, (others - 1) * layer + first)
        choices.append(max(others * layer if stages > 2 else 0.0, ends))
    return min(choices)


def _again(worker: Worker, part: Part) -> float:
    if worker.layout.recompute == "full":
        return part.forward.time - part.last * worker.framework.early_stop
    if worker.layout.recompute == "selective" and worker.framework.attention == "unfused":
        return worker.scores().time
    return 0.0


def _cnn(worker: Worker) -> tuple[Pass, Pass, float, float]:
    model, device, batch = worker.model, worker.device, worker.layout.micro_batch
    assert model.sample_flops is not None
    assert model.sample_activations is not None
    gemm = model.sample_flops * batch / device.rate
    moved = device.move(2 * model.sample_activations * batch)
    forward = Pass(gemm=gemm, elementwise=moved)
    backward = Pass(gemm=2 * gemm, elementwise=2 * moved)
    return forward, backward, 0.0, forward.time + backward.time
