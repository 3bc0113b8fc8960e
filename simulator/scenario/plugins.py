"""What a section such as ``scheduler:`` means: a built-in or installed name, code beside the scenario, or an object."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from simulator.core.errors import InputError, did_you_mean
from simulator.core.registry import Registry, load_from_file
from simulator.scenario.arguments import chosen, model_of, parameters
from simulator.scenario.loader import in_the_way, is_file, nearby
from simulator.scenario.nodes import Node
from simulator.scenario.validation import Strict, at, complaint, each, show
from simulator.scenario.validation import keys as keys_of

CODE = re.compile(r".+\.py:\w+")
"""Code that a file may name: what stands under a name in a Python file."""
_PARTS = ("order", "backfill", "scheduler")
"""Parameters of policies that are policies, or parts of them, themselves."""


@dataclass(frozen=True, slots=True)
class Context:
    """What validation must know besides the values: where they stand, and what the user allows."""

    root: Node
    allow_code: bool = False
    loaded: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Code that was loaded already, by folder and reference."""

    def base(self, *path: str) -> str:
        """Return the folder that a relative path written at ``path`` starts from."""
        node = self.root.find(path) or self.root.find(path[:-1]) or self.root
        return node.mark.base


@dataclass(frozen=True, slots=True)
class Section:
    """A section that names one plug-in.

    ``key`` is the key of the name; ``method`` what an object must have to serve; ``given`` the parameters that the
    engine passes to a policy that is a plain function; ``noun`` what messages call one, where that is not ``name``.
    """

    name: str
    key: str
    method: str
    given: tuple[str, ...] = ()
    noun: str = ""

    def registry(self) -> Registry[Any]:
        """Return the registry of what may be named here."""
        from simulator.cluster.builders import builders
        from simulator.policies.api import interferences, placers, schedulers
        from simulator.policies.serving import batchings, lineups, replica_scalers, routers
        from simulator.policies.supply import autoscalers

        policies: dict[str, Registry[Any]] = {
            "scheduler": schedulers, "placement": placers, "autoscaler": autoscalers, "interference": interferences,
            "router": routers, "batching": batchings, "order": lineups, "replicas": replica_scalers,
        }  # fmt: skip
        return policies.get(self.name, builders)


PARTS = ("order", "backfill", "preempt")
"""Keys of a scheduler that is put together, as ``{order: las, backfill: easy, preempt: true}``."""
SECTIONS = {
    section.name: section
    for section in (
        Section("scheduler", "kind", "schedule", ("view",)),
        Section("placement", "kind", "place", ("job", "nodes", "topology")),
        Section("autoscaler", "kind", "step", ("now", "observation")),
        Section("interference", "kind", "pace", ("job", "share", "neighbours")),
        Section("topology", "build", "graph"),
    )
}
ROUTER = Section("router", "kind", "route", ("request", "view"))
BATCHING = Section("batching", "kind", "budget", ("decoding",))
LINEUP = Section("order", "kind", "victim", ("running",), "lineup")
REPLICAS = Section("replicas", "kind", "step", ("now", "observation"), "replica autoscaler")
"""What a service names besides: who chooses a replica, what an iteration computes, who is next, how many there are."""

_INTERVALS = {"autoscaler": 60.0, "replicas": 15.0}
"""Seconds between two calls of a plain function that scales nodes (ours) or replicas (the sync period of the Kubernetes
horizontal pod autoscaler)."""


class FunctionPolicy:
    """A policy that is a plain function, dressed as the object that the engine asks.

    One that scales is asked every ``interval`` seconds.
    """

    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any], interval: float = 0.0) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self.schedule = self.place = self.pace = self.route = self.step = (
            functools.partial(function, **arguments) if arguments else function
        )
        if interval:
            self.interval, self.kind = interval, self.name


@dataclass(frozen=True, slots=True)
class Plugin:
    """One named plug-in with its parameters in SI, ready to be made.

    ``thing`` is a class or factory to call, or, when ``made``, an object or function to use as it is.
    """

    section: Section
    kind: str
    arguments: Mapping[str, Any]
    thing: Any
    made: bool = False

    def make(self) -> Any:
        """Return a fresh object; raise what its constructor raises."""
        if not self.made:
            return self.thing(**self.arguments)
        if hasattr(self.thing, self.section.method):
            return copy.deepcopy(self.thing)
        return FunctionPolicy(self.thing, self.arguments, _INTERVALS.get(self.section.name, 0.0))


def plugin(
    section: Section, value: Any, context: Context, base: type[Strict] = Strict, where: tuple[str, ...] = ()
) -> tuple[Plugin, Strict]:
    """Return what a section says; raise pydantic errors placed at its keys.

    ``base`` declares keys of the section that are not parameters of the plug-in; the second result holds their values.
    ``where`` are the keys that lead to the section, unless it stands at the top under its own name.
    """
    where = where or (section.name,)
    mapping, named = dict(value) if isinstance(value, Mapping) else {}, value
    if isinstance(value, Mapping):
        if section.key not in mapping:
            raise at(section.key, complaint(f"{section.key!r} is missing", _choices(section)))
        named = mapping.pop(section.key)
    try:
        kind, thing, ready = _find(section, named, context, where)
    except PydanticCustomError as error:
        raise (at(section.key, error, named) if isinstance(value, Mapping) else error) from None
    known = _parameters(section, thing, ready, base)
    stray = [key for key in PARTS if section.name == "scheduler" and key in mapping and key not in keys_of(known)]
    if stray and known.model_config.get("extra") == "forbid":
        hint = "a scheduler that is put together from order, backfill and preempt has no kind: leave it out"
        raise at(stray[0], complaint(f"{kind!r} takes no {stray[0]!r}", hint, at_key=True))
    keys = known.model_validate(mapping)
    result = Plugin(section, kind, _placed(_checked_parts(kind, chosen(keys)), section, context, where), thing, ready)
    if section.given:
        _try(result)
    return result, keys


def _checked_parts(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check the parts of a policy that are named, each with its parameters; quantities come back in SI."""
    registries = {(owner, name): registry for owner, name, registry in _part_registries()}

    def check(name: str, value: Any) -> Any:
        registry = registries.get((kind, name))
        named = value.get("kind") if isinstance(value, Mapping) else value
        if registry is None or not isinstance(named, str) or CODE.fullmatch(named):
            return value
        if named not in registry.names():
            problem = complaint(f"unknown {registry.kind} {named!r}", did_you_mean(named, registry.names()))
            raise at("kind", problem, named) if isinstance(value, Mapping) else problem
        if not isinstance(value, Mapping):
            return value
        rest = {key: each for key, each in value.items() if key != "kind"}
        return {"kind": named, **chosen(model_of(registry.get(named)).model_validate(rest))}

    return dict(zip(given, each(given.items(), check), strict=True))


def _part_registries() -> Iterator[tuple[str, str, Registry[Any]]]:
    """Yield the schedulers that have parts, the parameter, and where its names are from."""
    from simulator.policies.backfill import backfills
    from simulator.policies.orders import orders

    yield "composed", "order", orders
    yield "composed", "backfill", backfills
    yield from ((owner, "scheduler", SECTIONS["scheduler"].registry()) for owner in ("quota", "defragment"))


def _placed(given: Mapping[str, Any], section: Section, context: Context, where: tuple[str, ...]) -> dict[str, Any]:
    """Take paths relative to the file that they stand in, and load code that stands for parts of a policy.

    A path that is no file, and code that may not run, are errors at their keys.
    """
    placed = dict(given)
    for name, value in given.items():
        if section.given and name in _PARTS:
            placed[name] = _part(section, name, value, context, where)
        elif isinstance(value, Path):
            placed[name] = Path(context.base(*where, name)) / value
            if not is_file(placed[name]):
                raise at(name, no_file(placed[name], str(value)), str(value))
    return placed


def _part(section: Section, name: str, value: Any, context: Context, where: tuple[str, ...]) -> Any:
    """Return a part of a policy, with the code that it names loaded."""
    try:
        if isinstance(value, str) and CODE.fullmatch(value):
            return load_code(value, context, (*where, name))
        if isinstance(value, Mapping) and isinstance(value.get("kind"), str) and CODE.fullmatch(value["kind"]):
            return {**value, "kind": load_code(value["kind"], context, (*where, name))}
    except PydanticCustomError as error:
        raise at(name, error, value) from None
    return value


def no_file(path: Path, written: str) -> PydanticCustomError:
    """Complain that there is no regular file at ``path``, which the scenario calls ``written``."""
    what = in_the_way(path)
    if what:
        return complaint(f"{written!r} is {what}", "name a regular file")
    return complaint(f"there is no file {written!r}", nearby(path))


def _parameters(section: Section, thing: Any, ready: bool, base: type[Strict]) -> type[Strict]:
    """Return the model of the keys that may stand beside the name."""
    if ready and not _is_function(thing):
        return model_of(_takes_nothing, (), base)
    given = tuple(parameters(thing))[: len(section.given)] if ready else ()
    return model_of(thing, given, base)


def _try(candidate: Plugin) -> None:
    """Make a policy once, so that what its constructor refuses is reported with the rest of the file."""
    try:
        made = candidate.make()
    except Exception as error:
        text = str(error) if isinstance(error, ValueError | InputError) else f"{type(error).__name__}: {error}"
        problem = complaint(f"{candidate.kind!r} cannot be made: {text}")
        culprit = _culprit(text, candidate.arguments)
        raise (at(culprit, problem) if culprit in candidate.arguments else problem) from None
    section = candidate.section
    if not callable(getattr(made, section.method, None)):
        noun = section.noun or section.name
        raise complaint(f"{candidate.kind!r} is not {indefinite(noun)}: it has no method {section.method!r}")


def _culprit(text: str, arguments: Mapping[str, Any]) -> str:
    """Return the parameter that a message begins with, by its name, or the name of the file that it is."""
    files = (key for key, value in arguments.items() if isinstance(value, Path) and text.startswith(value.name))
    return next(files, text.partition(" ")[0].strip(":'"))


def _find(section: Section, named: Any, context: Context, where: tuple[str, ...]) -> tuple[str, Any, bool]:
    """Return name, thing, and whether the thing is a finished policy rather than something that makes one."""
    if not isinstance(named, str):
        return _given_object(section, named)
    if CODE.fullmatch(named):
        thing = load_code(named, context, (*where, section.key))
        return named, thing, not inspect.isclass(thing)
    registry = section.registry()
    try:
        thing = registry.get(named)
    except InputError:
        hint = did_you_mean(named, registry.names()) + _code_hint(section)
        raise complaint(f"unknown {registry.kind} {named!r}", hint) from None
    first = next(iter(parameters(thing)), None)
    return named, thing, _is_function(thing) and bool(section.given) and first == section.given[0]


def _given_object(section: Section, thing: Any) -> tuple[str, Any, bool]:
    """Take a class, function or object that was given from Python."""
    name = getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__)
    if inspect.isclass(thing):
        return str(name), thing, False
    if hasattr(thing, section.method) or (callable(thing) and section.given):
        return str(name), thing, True
    raise complaint(f"{show(thing)} is not {indefinite(section.noun or section.name)}", _choices(section))


def indefinite(noun: str) -> str:
    """Put the article before a noun.

    >>> indefinite("autoscaler"), indefinite("router")
    ('an autoscaler', 'a router')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def load_code(reference: str, context: Context, where: tuple[str, ...]) -> Any:
    """Return what code names, which stands at ``where``; complain where it may not run, or fails."""
    if not context.allow_code:
        raise complaint(
            f"{reference!r} is code, and a scenario file may not run code by itself",
            "read that file first; then pass --allow-code, or allow_code=True from Python",
        )
    base = context.base(*where)
    if (base, reference) not in context.loaded:
        try:
            context.loaded[base, reference] = load_from_file(reference, Path(base or os.getcwd()))
        except InputError as error:
            raise complaint(str(error.problems[0].text), error.problems[0].hint or "") from None
    return context.loaded[base, reference]


def _choices(section: Section) -> str:
    names = section.registry().names()
    return f"write {section.name}: {{{section.key}: NAME}}, NAME one of: {', '.join(names) or 'none'}"


def _code_hint(section: Section) -> str:
    return " Your own code is written policies/mine.py:Name." if section.key == "kind" else ""


def _is_function(thing: Any) -> bool:
    return inspect.isroutine(thing) or isinstance(thing, functools.partial)


def _takes_nothing() -> None:
    """Stand for a finished object: it has no parameters left to set."""
