"""Layouts that fit: the nearest to one that does not, and the fastest of all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from simulator.cluster.records import Accelerator, Framework, Model
from simulator.core.errors import InputError
from simulator.models.training.footprint import memory
from simulator.models.training.layout import Layout, Recompute, Sharding, check, divisors
from simulator.models.training.network import Network
from simulator.models.training.timing import Step, step

MICRO_BATCHES = tuple(2**power for power in range(10))
LONG = 16_384
"""Tokens per context-parallel rank below which a search does not split sequences further."""
MOST = 20_000
"""Layouts that a search looks at, at most."""
_RECOMPUTE: tuple[Recompute, ...] = get_args(Recompute)
_SHARDING: tuple[Sharding, ...] = ("none", "zero1", "zero2", "hybrid", "zero3")


def candidates(
    model: Model, framework: Framework, domain: int, common: Mapping[str, Any], mine: tuple[int, ...] = ()
) -> Iterator[Layout]:
    """Yield the layouts of the same accelerators, batch, sequence and precision that suit the model, at most ``MOST``.

    ``common`` are keys of ``Layout``; degrees of parallelism in it are not kept. Tensor parallelism stays inside a
    scale-up ``domain``, as it does in practice. Pipelines are not interleaved, or fully (one layer a chunk), or as in
    ``mine``; recomputation goes from the given one up to full.
    """
    for made in itertools.islice(_grid(model, framework, domain, common, mine), MOST):
        try:
            found = Layout(**{**common, **made})
            check(model, found)
        except InputError:
            continue
        yield found


def _grid(
    model: Model, framework: Framework, domain: int, common: Mapping[str, Any], mine: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    count = common["accelerators"]
    recompute = _RECOMPUTE[_RECOMPUTE.index(common.get("recompute", "none")) :]
    if framework.attention != "unfused":
        recompute = tuple(again for again in recompute if again != "selective") or ("full",)
    degrees = [(1, 1, 1, 1)] if model.kind == "cnn" else list(_degrees(model, common, min(domain, count)))
    for (tp, pp, cp, ep), micro_batch, again in itertools.product(degrees, MICRO_BATCHES, recompute):
        if common["global_batch"] % (count // (tp * pp * cp) * micro_batch):
            continue
        deepest = (model.layers + 2 if model.layers % pp else model.layers) // pp
        for vp in sorted({1, deepest, *mine} if pp > 1 else {1}):
            yield {
                "tp": tp, "pp": pp, "cp": cp, "ep": ep, "vp": vp, "micro_batch": micro_batch, "recompute": again,
            }  # fmt: skip


def _degrees(model: Model, common: Mapping[str, Any], domain: int) -> Iterator[tuple[int, int, int, int]]:
    count, sequence = common["accelerators"], common.get("sequence") or model.sequence
    contexts = [cp for cp in divisors(count) if cp == 1 or (cp * LONG <= sequence and cp & (cp - 1) == 0)]
    experts = divisors(model.experts) if model.experts else [1]
    for tp in (tp for tp in divisors(math.gcd(model.heads, count)) if tp <= domain):
        for cp in (cp for cp in contexts if count % (tp * cp) == 0):
            for pp in (pp for pp in divisors(count // (tp * cp)) if pp <= model.layers):
                yield from ((tp, pp, cp, ep) for ep in experts if (count // pp) % ep == 0)


def distance(here: Layout, there: Layout) -> float:
    """How much one layout changes another: doublings of each degree, and steps of recomputation and sharding."""
    names = ("tp", "pp", "cp", "ep", "micro_batch")
    ratios = sum(abs(math.log2(getattr(there, name) / getattr(here, name))) for name in names)
    again = abs(_RECOMPUTE.index(there.recompute) - _RECOMPUTE.index(here.recompute))
    shards = abs(_SHARDING.index(there.sharding or "none") - _SHARDING.index(here.sharding or "none"))
    return ratios + 0.5 * (again + shards) + 0.25 * (there.vp != here.vp)


def nearest_fit(model: Model, layout: Layout, framework: Framework, accelerator: Accelerator) -> Layout | None:
    """The layout nearest to ``layout`` (see ``distance``) that fits the accelerator's memory, or None."""
    given = layout.sharding or framework.sharding
    free = framework.scheme == "all-reduce"
    shardings = _SHARDING[_SHARDING.index(given) :] if free else (given,)
    common = asdict(layout) | {"sharding": given}
    best: tuple[float, float, Layout] | None = None
    for found in candidates(model, framework, accelerator.scale_up_domain, common, (layout.vp,)):
        for sharding in shardings:
            tried = replace(found, sharding=sharding)
            gap = distance(replace(layout, sharding=given), tried)
            if best is not None and gap > best[0]:
                continue
            room = memory(model, tried, framework, accelerator)
            if not room.missing and (best is None or (gap, room.total) < best[:2]):
                best = (gap, room.total, tried)
    return best[2] if best else None


def ranked(
    model: Model,
    accelerator: Accelerator,
    network: Network,
    framework: Framework,
    common: Mapping[str, Any],
    most: int = 10,
) -> list[Step]:
    """The fastest layouts that fit, quickest first, at most ``most``; ``common`` are the ``Layout`` keys they share."""
    fitting = [
        found
        for found in candidates(model, framework, accelerator.scale_up_domain, common)
        if not memory(model, found, framework, accelerator).missing
    ]
    steps = [step(model, accelerator, found, network, framework) for found in fitting]
    return sorted(steps, key=lambda each: each.time)[:most]
