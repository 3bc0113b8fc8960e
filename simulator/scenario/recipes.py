"""Training jobs of a model and a layout: checked against the cluster that they will run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Framework, Model
from simulator.cluster.topology import HOST, Topology
from simulator.core.errors import InputError, Problem
from simulator.models.training import Alone, Layout, memory, nearest_fit, step
from simulator.models.training.device import Device
from simulator.models.training.layout import MOST_ACCELERATORS, check
from simulator.runtime.recipe import Recipe
from simulator.scenario.jobs import TrainingKeys
from simulator.scenario.quantities import LONGEST

DEFAULT_FRAMEWORK = "megatron-core"
Kinds = Mapping[str, Accelerator]
"""Kinds of accelerators of a cluster, by the names that its servers give them."""


def named(keys: TrainingKeys) -> tuple[Model, Framework]:
    """Return model and framework of a job; raise ``InputError`` for names that the catalog does not have."""
    assert keys.model is not None
    if keys.accelerators < 1:
        raise InputError(f"accelerators {keys.accelerators:g} are no whole number of 1 or more, as a model needs")
    if keys.accelerators > MOST_ACCELERATORS:
        raise InputError(f"accelerators {keys.accelerators:,g} are too many for a model: at most {MOST_ACCELERATORS:,}")
    return catalog.model(keys.model), catalog.framework(keys.framework or DEFAULT_FRAMEWORK)


def recipe(keys: TrainingKeys) -> Recipe:
    """Return model, layout and framework of a job; raise ``InputError`` for degrees that do not suit job or model."""
    assert keys.layout is not None
    model, framework = named(keys)
    layout = Layout(accelerators=int(keys.accelerators), **keys.layout.model_dump())
    check(model, layout)
    return Recipe(model, layout, framework)


def suitable(made: Recipe, kinds: Kinds, ignore_memory: bool = False) -> Kinds:
    """Return the kinds of accelerators that can run a recipe.

    Raises ``InputError`` when none has its precision, and, unless ``ignore_memory``, when it fits none: with the bytes
    that are missing and the nearest layout that fits, or the number of accelerators that it takes.
    """
    able: dict[str, Accelerator] = {}
    lacking: list[Problem] = []
    for name, kind in kinds.items():
        try:
            Device.of(kind, made.framework, made.layout.precision)
        except InputError as error:
            lacking.extend(error.problems)
        else:
            able[name] = kind
    if not able:
        raise InputError(*lacking)
    if ignore_memory:
        return able
    rooms = {name: memory(made.model, made.layout, made.framework, kind) for name, kind in able.items()}
    fitting = {name: kind for name, kind in able.items() if not rooms[name].missing}
    if not fitting:
        largest = max(able, key=lambda name: able[name].memory)
        room, kind = rooms[largest], able[largest]
        text = (
            f"{made.model.id} does not fit: {room.total / 1e9:,.1f} GB on each of {made.layout.accelerators:,} "
            f"{kind.short}, which has {kind.memory / 1e9:,.0f} GB: {room.missing / 1e9:,.1f} GB too much"
        )
        raise InputError(Problem(text, hint=_what_fits(made, kind)))
    return fitting


def expected(made: Recipe, topology: Topology, kinds: Kinds) -> float:
    """Seconds of one step as a scheduler may expect them: on the first kind of accelerator, alone on the network."""
    name, accelerator = next(iter(kinds.items()))
    server = next(each for each in topology.servers if each.accelerator == name)
    link = catalog.link(_link(topology))
    cards = max(1, catalog.server(server.record).nics) if server.record else server.accelerators
    network = Alone(accelerator, link, cards, server.accelerators)
    return step(made.model, accelerator, made.layout, network, made.framework).time


def check_length(keys: TrainingKeys, seconds: float) -> None:
    """Raise ``InputError`` when all iterations, of ``seconds`` each, take longer than a clock can tell."""
    if keys.iterations * seconds > LONGEST:
        text = f"iterations of {seconds:.3g} s are too long to simulate when there are {keys.iterations:,}"
        hint = f"at most {LONGEST:g} s (30,000 years): {int(LONGEST / seconds):,} iterations"
        raise InputError(Problem(text, hint=hint))


def accelerators(topology: Topology, types: Sequence[str]) -> Kinds:
    """Return the kinds of accelerators of a cluster that will do; raise ``InputError`` where the catalog has none."""
    here = dict.fromkeys(server.accelerator for server in topology.servers if server.accelerators)
    known = {name: kind for name in here if (kind := _known(name)) is not None}
    wanted = [kind.id for name in types if (kind := _known(name)) is not None]
    found = {name: kind for name, kind in known.items() if not types or name in types or kind.id in wanted}
    if not found and known and types:
        text = f"the cluster has no {' or '.join(types)} that could train a model"
        raise InputError(Problem(text, hint=f"its accelerators are {', '.join(known)}"))
    if not found:
        hint = "name the accelerator of its servers, or give compute and gradient instead of a model"
        raise InputError(Problem("the cluster has no accelerators of the catalog that could train a model", hint=hint))
    return found


def check_one_kind(made: Recipe, topology: Topology, kinds: Kinds) -> None:
    """Raise ``InputError`` for a job that the cluster holds only on accelerators of several kinds together."""
    wanted = made.layout.accelerators
    count = {name: sum(s.accelerators for s in topology.servers if s.accelerator == name) for name in kinds}
    if len(count) > 1 and max(count.values()) < wanted <= sum(count.values()):
        there = ", ".join(f"{amount:,} {name}" for name, amount in count.items())
        text = f"accelerators {wanted:,} of one kind are wanted to train a model; the cluster has {there}"
        raise InputError(Problem(text, hint=f"take at most {max(count.values()):,}"))


def _known(name: str) -> Accelerator | None:
    try:
        return catalog.accelerator(name) if name else None
    except InputError:
        return None


def _what_fits(made: Recipe, kind: Accelerator) -> str:
    """Say which layout fits instead: one of as many accelerators, else one of twice, four times ... as many."""
    layout, count = made.layout, made.layout.accelerators
    near = nearest_fit(made.model, layout, made.framework, kind)
    if near is not None:
        return f"the nearest layout that fits: {_words(near)}"
    factors = [2**power for power in range(_DOUBLINGS + 1) if count * 2**power <= MOST_ACCELERATORS]
    larger = [replace(layout, accelerators=count * more, pp=layout.pp * more) for more in factors]  # batches stay
    if nearest_fit(made.model, larger[-1], made.framework, kind) is None:
        return f"no layout of {count:,} accelerators fits, nor of {factors[-1]} times as many"
    found = (nearest_fit(made.model, each, made.framework, kind) for each in larger[1:])
    near = next(each for each in found if each is not None)
    return f"no layout of {count:,} accelerators fits; {near.accelerators:,} hold it with {_words(near)}"


def _words(layout: Layout) -> str:
    names = ("tp", "pp", "cp", "ep", "vp", "micro_batch", "recompute", "sharding")
    plain = Layout(accelerators=layout.accelerators, global_batch=layout.accelerators)
    said = {name: getattr(layout, name) for name in names if getattr(layout, name) != getattr(plain, name)}
    return ", ".join(f"{name}: {value}" for name, value in said.items()) or "data parallelism alone"


def _link(topology: Topology) -> str:
    """Return the kind of link by which servers meet the network; a fast one where none is named."""
    edges = topology.graph.edges(data=True)
    return next((str(data["item"]) for _, _, data in edges if data.get("tier") == HOST and data.get("item")), _UNNAMED)


_UNNAMED = "infiniband-ndr"
_DOUBLINGS = 6
"""Times that the accelerators of a model that does not fit are doubled in search of a number that holds it."""
