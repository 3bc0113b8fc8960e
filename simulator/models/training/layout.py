"""How a training job is laid out over accelerators, and which ranks talk to each other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from simulator.cluster.records import Model
from simulator.core.errors import InputError, did_you_mean

Precision = Literal["fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "nvfp4"]
Recompute = Literal["none", "selective", "full"]
Sharding = Literal["none", "zero1", "zero2", "zero3", "hybrid"]
Trains = Literal["all", "adapters"]
MOST_ACCELERATORS, MOST = 1_000_000, 1_000_000_000
"""Largest accelerators, and any other count, of a layout."""
AXES = ("tp", "cp", "ep", "edp", "dp", "pp")
_CHOICES = {"precision": Precision, "recompute": Recompute, "sharding": Sharding, "trains": Trains}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Degrees of parallelism, batch and options of a training job.

    ``accelerators`` = tp x cp x dp x pp. Experts are spread over ``ep`` of the tp x cp x dp ranks of a pipeline stage.
    ``vp`` is the number of model chunks a pipeline rank holds (interleaved schedule). ``global_batch`` and
    ``micro_batch`` count sequences (samples of a CNN), ``sequence`` tokens (the model's own where it is None).
    ``sharding`` and ``sequence_parallel`` of None are the framework's and ``tp > 1``. ``trains`` says whether all
    weights are trained or adapters of negligible size on frozen weights (LoRA). ``domain`` is the number of consecutive
    ranks that share a scale-up fabric; None takes the accelerator's. ``slowdown`` is the compute time of the slowest
    node over that of a healthy one; ``expert_imbalance`` the tokens of the fullest expert rank over the mean.
    ``input_rate`` is what the input pipeline feeds to one accelerator (sequences/s, see ``fed``); None never waits.
    ``noise`` is the standard deviation of a rank's compute time over its mean, the framework's where it is None.
    Without ``overlap`` no communication hides behind compute.
    """

    accelerators: int = 1
    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1
    vp: int = 1
    micro_batch: int = 1
    global_batch: int = 1
    sequence: int | None = None
    precision: Precision = "bf16"
    sharding: Sharding | None = None
    recompute: Recompute = "none"
    sequence_parallel: bool | None = None
    trains: Trains = "all"
    domain: int | None = None
    slowdown: float = 1.0
    expert_imbalance: float = 1.0
    input_rate: float | None = None
    noise: float | None = None
    overlap: bool = True

    def __post_init__(self) -> None:
        for name in ("accelerators", "tp", "pp", "cp", "ep", "vp", "micro_batch", "global_batch", "sequence", "domain"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} {value!r} is not a whole number of 1 or more")
            most = MOST_ACCELERATORS if name == "accelerators" else MOST
            if value is not None and value > most:
                raise InputError(f"{name} {value:.3g} is too large: at most {most:,}")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in get_args(choices):
                raise InputError(f"unknown {name} {value!r}. {did_you_mean(str(value), get_args(choices))}")
        for name in ("slowdown", "expert_imbalance"):
            if not 1 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} {getattr(self, name)!r} is not a number of 1 or more")
        if self.input_rate is not None and not 0 < self.input_rate < math.inf:
            raise InputError(f"input_rate {self.input_rate!r} is not a number above 0")
        if self.noise is not None and not 0 <= self.noise < 1:
            raise InputError(f"noise {self.noise!r} is not a number from 0 to 1")
        self._check_degrees()

    def _check_degrees(self) -> None:
        split = self.tp * self.pp * self.cp
        if self.accelerators % split:
            near = nearest(self.accelerators / split, range(1, self.accelerators // split + 2)) * split
            raise InputError(
                f"tp {self.tp} x pp {self.pp} x cp {self.cp} = {split} does not divide {self.accelerators} "
                f"accelerators: the nearest number that it does is {near}"
            )
        stage = self.tp * self.cp * self.dp
        if stage % self.ep:
            raise InputError(
                f"ep {self.ep} does not divide the {stage} ranks of a pipeline stage (tp {self.tp} x cp {self.cp} x "
                f"dp {self.dp}): the nearest that does is {nearest(self.ep, divisors(stage))}"
            )
        if self.global_batch % (self.dp * self.micro_batch):
            unit = self.dp * self.micro_batch
            near = max(1, round(self.global_batch / unit)) * unit
            raise InputError(
                f"global_batch {self.global_batch} is not a multiple of dp {self.dp} x micro_batch {self.micro_batch} "
                f"= {unit}: the nearest that is, is {near}"
            )

    @property
    def dp(self) -> int:
        """Data-parallel degree: accelerators / (tp x pp x cp)."""
        return self.accelerators // (self.tp * self.pp * self.cp)

    @property
    def micro_batches(self) -> int:
        """Micro-batches that one pipeline runs for one optimizer step (steps of gradient accumulation)."""
        return self.global_batch // (self.dp * self.micro_batch)

    @property
    def full(self) -> bool:
        """Whether weights and activations are kept in four bytes."""
        return self.precision in ("fp32", "tf32")

    @property
    def width(self) -> float:
        """Bytes of a weight or an activation as the passes use it."""
        return 4.0 if self.full else 2.0

    @property
    def replicas(self) -> int:
        """Ranks that hold the same dense weights: dp x cp."""
        return self.dp * self.cp

    @property
    def expert_replicas(self) -> int:
        """Ranks that hold the same experts."""
        return self.tp * self.cp * self.dp // self.ep

    @property
    def splits_sequence(self) -> bool:
        """Whether norms and residuals are split over the tensor-parallel ranks (sequence parallelism)."""
        return self.tp > 1 and self.sequence_parallel is not False


def nearest(wanted: float, choices: Iterable[int]) -> int:
    """The choice nearest to ``wanted``, by ratio; the smaller of two."""
    return min(choices, key=lambda choice: (abs(math.log(choice / wanted)) if wanted > 0 else choice, choice))


def divisors(number: int) -> list[int]:
    """All divisors, in order.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]


def balanced(model: Model, layout: Layout) -> bool:
    """Whether the first and last stage give up layers for the embedding and the output layer.

    Megatron-Core does so with ``--account-for-embedding-in-pipeline-split``, ``--account-for-loss-...`` or a layout of
    its own. It is assumed where the layers do not divide by pp x vp but the layers and these two do.
    """
    return layout.pp > 1 and model.layers % (layout.pp * layout.vp) != 0


def check(model: Model, layout: Layout) -> None:
    """Raise ``InputError`` with every number that does not divide what it must, and the nearest that does."""
    problems = []
    if model.kind == "cnn":
        split = [name for name in ("tp", "pp", "cp", "ep", "vp") if getattr(layout, name) > 1]
        problems += [f"{model.id} is a CNN: {name} {getattr(layout, name)} must be 1" for name in split]
    else:
        problems += _transformer_problems(model, layout)
    if problems:
        raise InputError(*problems)


def _transformer_problems(model: Model, layout: Layout) -> list[str]:
    problems = []
    chunks = layout.pp * layout.vp
    units = model.layers + model.prediction_layers
    if layout.pp == 1 and layout.vp > 1:
        problems.append(f"vp {layout.vp} needs a pipeline: pp is 1")
    elif chunks > 1 and model.layers % chunks and (units + 2) % chunks and units % chunks:
        fits = [d for d in range(1, model.layers + 1) if model.layers % d == 0 or (units + 2) % d == 0]
        problems.append(
            f"pp {layout.pp} x vp {layout.vp} = {chunks} divides neither the {model.layers} layers of {model.id} nor "
            f"{units + 2}, with the embedding and the output layer: the nearest that does is {nearest(chunks, fits)}"
        )
    if model.heads % layout.tp:
        problems.append(
            f"tp {layout.tp} does not divide the {model.heads} heads of {model.id}: "
            f"the nearest that does is {nearest(layout.tp, divisors(model.heads))}"
        )
    if layout.ep > 1 and not model.experts:
        problems.append(f"ep {layout.ep} needs experts: {model.id} has none")
    elif layout.ep > 1 and model.experts % layout.ep:
        problems.append(
            f"ep {layout.ep} does not divide the {model.experts} experts of {model.id}: "
            f"the nearest that does is {nearest(layout.ep, divisors(model.experts))}"
        )
    sequence = layout.sequence or model.sequence
    if sequence % (2 * layout.cp) and layout.cp > 1:
        problems.append(f"a sequence of {sequence} tokens is not a multiple of 2 x cp {layout.cp}")
    return problems


def groups(layout: Layout, axis: str) -> list[tuple[int, ...]]:
    """All groups of ranks along an axis: each rank is in one of them. Raises ``InputError`` for an unknown axis.

    Ranks are numbered as Megatron-Core numbers them (``tp-cp-ep-dp-pp``): tensor parallel fastest, pipeline slowest.
    ``dp`` groups hold the same weights, so context-parallel ranks are in them; ``ep`` groups are consecutive ranks of
    a pipeline stage and ``edp`` the ranks that hold the same experts.
    """
    return [_members(layout, axis, index) for index in range(layout.accelerators // group_size(layout, axis))]


def group_size(layout: Layout, axis: str) -> int:
    """Ranks in one group of the axis."""
    sizes = {
        "tp": layout.tp, "cp": layout.cp, "ep": layout.ep, "edp": layout.expert_replicas,
        "dp": layout.replicas, "pp": layout.pp,
    }  # fmt: skip
    if axis not in sizes:
        raise InputError(f"unknown axis {axis!r}. {did_you_mean(axis, AXES)}")
    return sizes[axis]


def sample(layout: Layout, axis: str) -> tuple[int, ...]:
    """The group of rank 0: what is timed for all, as they are alike."""
    group_size(layout, axis)
    return _members(layout, axis, 0)


def _members(layout: Layout, axis: str, index: int) -> tuple[int, ...]:
    stage = layout.tp * layout.cp * layout.dp
    strides = {"tp": 1, "cp": layout.tp, "dp": layout.tp, "ep": 1, "edp": layout.ep, "pp": stage}
    stride, size = strides[axis], group_size(layout, axis)
    block, offset = divmod(index, stride)
    start = block * stride * size + offset
    return tuple(range(start, start + stride * size, stride))


def span(members: tuple[int, ...], domain: int) -> tuple[int, int]:
    """Return (ranks of the group in its fullest scale-up domain, domains that the group touches)."""
    counts: dict[int, int] = {}
    for rank in members:
        counts[rank // domain] = counts.get(rank // domain, 0) + 1
    return max(counts.values()), len(counts)


def domain_of(layout: Layout, scale_up_domain: int) -> int:
    """Consecutive ranks that share a scale-up fabric: the layout's, else the most of a fabric that divide the job."""
    if layout.domain is not None or layout.accelerators <= scale_up_domain:
        return layout.domain or layout.accelerators
    return max(d for d in range(1, scale_up_domain + 1) if layout.accelerators % d == 0)
