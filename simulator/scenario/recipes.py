"""Training jobs of a model and a layout: checked against the cluster that they will run on."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator
from simulator.cluster.topology import HOST, Topology
from simulator.core.errors import InputError, Problem
from simulator.models.training import Alone, Layout, memory, nearest_fit, step
from simulator.runtime.recipe import Recipe
from simulator.scenario.jobs import TrainingKeys

DEFAULT_FRAMEWORK = "megatron-core"


def recipe(keys: TrainingKeys, topology: Topology) -> Recipe:
    """Return model, layout and framework of a job.

    Raises ``InputError`` for names that the catalog does not have, degrees that do not suit the model or the job, and a
    model that does not fit any accelerator of the cluster, with the bytes that are missing and the nearest layout that
    fits.
    """
    assert keys.model is not None
    assert keys.layout is not None
    if keys.accelerators < 1:
        raise InputError(f"a model is trained on whole accelerators, not on {keys.accelerators:g}")
    layout = Layout(accelerators=int(keys.accelerators), **keys.layout.model_dump())
    made = Recipe(catalog.model(keys.model), layout, catalog.framework(keys.framework or DEFAULT_FRAMEWORK))
    _check_memory(made, accelerators(topology, keys.accelerator_types))
    return made


def expected(made: Recipe, topology: Topology, types: Sequence[str]) -> float:
    """Seconds of one step as a scheduler may expect them: on the first kind of accelerator, alone on the network."""
    (accelerator, *_) = accelerators(topology, types)
    server = next(each for each in topology.servers if each.accelerator == accelerator.id)
    link = catalog.link(_link(topology))
    cards = max(1, catalog.server(server.record).nics) if server.record else server.accelerators
    network = Alone(accelerator, link, cards, server.accelerators)
    return step(made.model, accelerator, made.layout, network, made.framework).time


def accelerators(topology: Topology, types: Sequence[str]) -> list[Accelerator]:
    """Return the kinds of accelerators of a cluster that will do; raise ``InputError`` where the catalog has none."""
    kinds = dict.fromkeys(server.accelerator for server in topology.servers if server.accelerators)
    found = []
    for kind in kinds:
        if kind and (not types or kind in [catalog.accelerator(name).id for name in types]):
            found.append(catalog.accelerator(kind))
    if not found:
        hint = "name the accelerator of its servers, or give compute and gradient instead of a model"
        raise InputError(Problem("the cluster has no accelerators of the catalog that could train a model", hint=hint))
    return found


def _check_memory(made: Recipe, kinds: Sequence[Accelerator]) -> None:
    rooms = [memory(made.model, made.layout, made.framework, kind) for kind in kinds]
    if any(not room.missing for room in rooms):
        return
    room, kind = max(zip(rooms, kinds, strict=True), key=lambda pair: pair[1].memory)
    text = (
        f"{made.model.id} does not fit: {room.total / 1e9:,.1f} GB on each of {made.layout.accelerators} "
        f"{kind.short}, which has {kind.memory / 1e9:,.0f} GB: {room.missing / 1e9:,.1f} GB too much"
    )
    near = nearest_fit(made.model, made.layout, made.framework, kind)
    hint = "no layout of so many accelerators fits" if near is None else f"the nearest layout that fits: {_words(near)}"
    raise InputError(Problem(text, hint=hint))


def _words(layout: Layout) -> str:
    names = ("tp", "pp", "cp", "ep", "vp", "micro_batch", "recompute", "sharding")
    plain = Layout(accelerators=layout.accelerators, global_batch=layout.global_batch)
    said = {name: getattr(layout, name) for name in names if getattr(layout, name) != getattr(plain, name)}
    return ", ".join(f"{name}: {value}" for name, value in said.items()) or "data parallelism alone"


def _link(topology: Topology) -> str:
    """Return the kind of link by which servers meet the network; a fast one where none is named."""
    edges = topology.graph.edges(data=True)
    return next((str(data["item"]) for _, _, data in edges if data.get("tier") == HOST and data.get("item")), _UNNAMED)


_UNNAMED = "infiniband-ndr"
