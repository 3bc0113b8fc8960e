"""One training step of a named model, on catalog parts or on a topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Framework, Link, Model
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.experiment.topologies import topology_of
from simulator.models.training import Alone, Layout, Network, Step, generic, nearest_fit, ranked, step
from simulator.runtime.placed import PlacedNetwork, together
from simulator.runtime.router import Router
from simulator.runtime.slots import Member

MICRO_BATCHES_PER_STAGE = 8
"""Micro-batches for each pipeline stage where no global batch is given: bubbles are then a ninth of the step."""
_KEYS = tuple(item.name for item in fields(Layout))


@dataclass(frozen=True)
class Setup:
    """What a step needs beside its layout; ``members`` are the places of the ranks on a topology."""

    model: Model
    accelerator: Accelerator
    framework: Framework
    link: Link | None
    cards: int
    common: Mapping[str, Any]
    topology: Topology | None = None
    members: tuple[Member, ...] = ()

    def network(self, layout: Layout) -> Network:
        """Times of collectives of a layout, alone."""
        if self.topology is not None:
            return PlacedNetwork(self.topology, Router(self.topology), layout, self.members)
        assert self.link is not None
        return Alone(self.accelerator, self.link, self.cards)

    def step(self, layout: Layout) -> Step:
        """The step of a layout."""
        return step(self.model, self.accelerator, layout, self.network(layout), self.framework)


def train_step(
    model: str | Model | None = None,
    *,
    accelerator: str | None = None,
    accelerators: int | None = None,
    link: str = "infiniband-ndr",
    cards: int = 8,
    topology: Topology | str | Path | None = None,
    framework: str | Framework = "megatron-core",
    servers: int | None = None,
    parameters: float | None = None,
    layers: int | None = None,
    hidden: int | None = None,
    vocab: int | None = None,
    **layout: Any,
) -> Step:
    """Time one optimizer step: seconds and their parts, tokens/s, FLOP/s, MFU, memory.

    ``model`` is a name of the catalog, or ``parameters``, ``layers`` and ``hidden`` make one. The job runs on
    ``accelerators`` of a kind joined by a ``link`` (``cards`` of it for 8), or on the first accelerators of a
    ``topology``, whose links its collectives then share. ``servers`` replaces the number of parameter servers of a
    framework. Other keys are those of ``Layout``: tp, pp, cp, ep, vp, micro_batch, global_batch, sequence, precision,
    recompute, sharding and more; without ``global_batch``, each pipeline gets 8 micro-batches a stage.

    A step that does not fit is timed all the same: see ``Step.memory.missing``. Raises ``InputError`` for names that
    are not known and numbers that do not divide.
    """
    setup = prepare(
        model,
        accelerator=accelerator,
        accelerators=accelerators,
        link=link,
        cards=cards,
        topology=topology,
        framework=framework,
        servers=servers,
        parameters=parameters,
        layers=layers,
        hidden=hidden,
        vocab=vocab,
        **layout,
    )
    return setup.step(Layout(**setup.common))


def layouts(setup: Setup, most: int = 10) -> list[Step]:
    """The fastest layouts that fit, quickest first, of the accelerators, batch and sequence of ``setup``.

    All are timed on catalog parts first; on a topology the best ones are then timed on its links.
    """
    link = setup.link or catalog.link("infiniband-ndr")
    alone = Alone(setup.accelerator, link, setup.cards)
    found = ranked(setup.model, setup.accelerator, alone, setup.framework, setup.common, most)
    if setup.topology is not None:
        found = sorted((setup.step(each.layout) for each in found), key=lambda each: each.time)
    return found


def misfit(setup: Setup, found: Step) -> str:
    """Say how much memory is missing, of what, and which layout is the nearest that fits."""
    room = found.memory
    parts = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in room.parts().items() if size >= 5e7)
    near = nearest_fit(setup.model, found.layout, setup.framework, setup.accelerator)
    if near is None:
        hint = f"No layout of {found.layout.accelerators} {setup.accelerator.short} fits: take more of them."
    else:
        hint = f"The nearest layout that fits: {changes(found.layout, near)}."
    return (
        f"{setup.model.short} does not fit: it needs {room.total / 1e9:.1f} GB of the {room.capacity / 1e9:.1f} GB of "
        f"each {setup.accelerator.short}, {room.missing / 1e9:.1f} GB too much ({parts}). {hint}"
    )


def changes(here: Layout, there: Layout) -> str:
    """The options that turn one layout into another, as the command line spells them."""
    names = ("tp", "pp", "cp", "ep", "vp", "micro_batch", "recompute", "sharding")
    changed = [name for name in names if getattr(here, name) != getattr(there, name)]
    return " ".join(f"--{name.replace('_', '-')} {getattr(there, name)}" for name in changed)


def advice(found: Step) -> str:
    """What takes most time beside useful products, and what would change it."""
    parts = {name: seconds for name, seconds in found.breakdown.items() if name != "gemm"}
    name = max(parts, key=lambda part: parts[part])
    return f"{name} takes {100 * parts[name] / found.time:.0f} % of the step: {_CURES[name]}"


_CURES = {
    "attention": "it is the sequence length; a newer attention kernel (framework) or a sliding window makes it cheaper",
    "elementwise": "norms, activations and the loss move bytes; fused kernels (framework) or narrower activations help",
    "recompute": "keep activations instead, by more tensor or pipeline parallelism or a smaller micro-batch",
    "tp": "less tensor parallelism, kept inside one scale-up domain",
    "cp": "less context parallelism, or longer sequences for each rank",
    "ep": "keep expert parallelism inside one scale-up domain, or a faster network between domains",
    "pp": "fewer pipeline stages or chunks, or a faster network between them",
    "bubble": "more micro-batches (a larger global batch), fewer stages, or more chunks a stage (vp)",
    "dp": "a larger micro-batch or more gradient accumulation, less sharding, or a faster network",
    "optimizer": "shard it (zero1), or a larger global batch",
    "data": "a faster input pipeline: more processors, or a larger cache",
    "straggler": "find and replace the slowest node",
    "overhead": "larger micro-batches, fewer and larger kernels (CUDA graphs), or cheaper serialisation",
}


def prepare(
    model: str | Model | None = None,
    *,
    accelerator: str | None = None,
    accelerators: int | None = None,
    link: str = "infiniband-ndr",
    cards: int = 8,
    topology: Topology | str | Path | None = None,
    framework: str | Framework = "megatron-core",
    servers: int | None = None,
    parameters: float | None = None,
    layers: int | None = None,
    hidden: int | None = None,
    vocab: int | None = None,
    **layout: Any,
) -> Setup:
    """Resolve the names in the arguments of ``train_step``, which see."""
    unknown = [key for key in layout if key not in _KEYS]
    if unknown:
        raise InputError(f"unknown key {unknown[0]!r} of a layout. {did_you_mean(unknown[0], _KEYS, limit=30)}")
    record = _model(model, parameters, layers, hidden, vocab, layout.get("sequence"))
    kind = catalog.framework(framework) if isinstance(framework, str) else framework
    if servers is not None:
        kind = replace(kind, servers=servers)
    place = None if topology is None else topology_of(topology)
    device, count, members = _devices(accelerator, accelerators, place)
    common = {key: value for key, value in layout.items() if value is not None} | {"accelerators": count}
    if place is not None and members:
        common.setdefault("domain", together(members))
    common.setdefault("global_batch", _batch(count, common))
    wire = None if place is not None else catalog.link(link)
    return Setup(record, device, kind, wire, cards, common, place, members)


def _model(
    model: str | Model | None,
    parameters: float | None,
    layers: int | None,
    hidden: int | None,
    vocab: int | None,
    sequence: int | None,
) -> Model:
    sizes = {"parameters": parameters, "layers": layers, "hidden": hidden}
    given = [name for name, value in sizes.items() if value is not None]
    if model is not None:
        if given:
            raise InputError(f"the model has {given[0]} of its own: name one, or give parameters, layers and hidden")
        return catalog.model(model) if isinstance(model, str) else model
    if parameters is None or layers is None or hidden is None:
        missing = ", ".join(name for name in sizes if name not in given)
        raise InputError(f"there is no {missing}: name a model of the catalog, or give parameters, layers and hidden")
    extra = {key: value for key, value in (("vocab", vocab), ("sequence", sequence)) if value is not None}
    return generic(parameters, layers, hidden, **extra)


def _devices(
    accelerator: str | None, accelerators: int | None, topology: Topology | None
) -> tuple[Accelerator, int, tuple[Member, ...]]:
    if topology is None:
        if accelerator is None or accelerators is None:
            raise InputError("say which accelerator and how many accelerators, or name a topology")
        return catalog.accelerator(accelerator), accelerators, ()
    free = [(index, device) for index, server in enumerate(topology.servers) for device in range(server.accelerators)]
    count = len(free) if accelerators is None else accelerators
    if not 1 <= count <= len(free):
        raise InputError(f"{count} accelerators: the topology has 1 to {len(free)}")
    name = accelerator or next((server.accelerator for server in topology.servers if server.accelerator), None)
    if name is None:
        raise InputError("the topology does not say which accelerator its servers have: name one")
    return catalog.accelerator(name), count, tuple(free[:count])


def _batch(count: int, common: Mapping[str, Any]) -> int:
    tp, pp, cp, micro_batch = (int(common.get(key, 1)) for key in ("tp", "pp", "cp", "micro_batch"))
    each = MICRO_BATCHES_PER_STAGE * pp if pp > 1 else 1
    return max(1, count // max(1, tp * pp * cp)) * micro_batch * each
