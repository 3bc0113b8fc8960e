"""``Scenario``: what a scenario file says, checked; frozen, copied by ``with_``, multiplied by ``alternatives``."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.core.errors import Problem
from simulator.scenario.checking import checked, chosen, without_comparison
from simulator.scenario.loader import read_source, with_includes
from simulator.scenario.locate import located
from simulator.scenario.network import NetworkKeys
from simulator.scenario.nodes import Node, from_python
from simulator.scenario.overrides import Override, apply, settings
from simulator.scenario.schema import CostKeys, PoolKeys, RunKeys, ScenarioKeys, TopologySource
from simulator.scenario.workloads import Work


@dataclass(frozen=True, eq=False, repr=False)
class Scenario:
    """One scenario, checked and immutable.

    Make it with ``Scenario.load`` or ``Scenario.from_dict``. ``text`` is the source as it was written and ``path`` its
    file, if any; ``changes`` are the overrides laid over it, in order. The sections are read through ``keys`` (all in
    SI) or the properties of the same names. An alternative knows its ``baseline``, whose cluster a generator's ``load``
    refers to, so that all alternatives get the same work.
    """

    root: Node
    text: str = ""
    path: str | None = None
    changes: tuple[str, ...] = ()
    allow_code: bool = False
    baseline: Node | None = None
    loaded: dict[tuple[str, str], Any] = field(default_factory=dict)
    keys: ScenarioKeys = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", checked(self.root, self.allow_code, self.loaded, []))

    @classmethod
    def load(
        cls, source: str | os.PathLike[str], overrides: Override | Iterable[Override] = (), *, allow_code: bool = False
    ) -> Scenario:
        """Read a scenario from a path, the name of a shipped scenario, or YAML text (told by a line break or ``{``).

        ``overrides`` are ``"key.path=value"`` texts or mappings of key paths to values. Code that the file names runs
        only with ``allow_code``. Raises ``InputError`` with all problems at once, each with file, line and column.
        """
        found = read_source(source)
        return cls._of(found.root, found.text, found.path, overrides, allow_code, found.problems)

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], overrides: Override | Iterable[Override] = (), *, allow_code: bool = False
    ) -> Scenario:
        """Make a scenario of plain data, as a notebook does.

        Where a file names a policy, a class, function or object may stand; ``topology`` may be a ``Topology``. Paths
        are relative to the current folder.
        """
        root = with_includes(from_python(data), [])
        return cls._of(root, "", None, overrides, allow_code, [])

    @classmethod
    def _of(
        cls,
        root: Node,
        text: str,
        path: str | None,
        overrides: Override | Iterable[Override],
        allow_code: bool,
        problems: list[Problem],
    ) -> Scenario:
        changes = settings(overrides)
        root = apply(root, changes, problems)
        if problems:
            checked(root, allow_code, {}, problems)
        shown = tuple((node.mark.source or "").removeprefix("--set ") for _, node in changes)
        return cls(root, text, path, shown, allow_code)

    def with_(self, changes: Mapping[str, Any] | None = None, **dotted: Any) -> Scenario:
        """Return a copy in which the values at these key paths are others.

        ``with_({"topology.link": "ethernet-100g-tcp"})``, ``with_(seed=3)``; in keywords ``__`` stands for a dot. None
        takes a key back to its default. Raises ``InputError`` for a path that does not exist (with the nearest) and
        for what the copy would do wrong.
        """
        given = {**(changes or {}), **{key.replace("__", "."): value for key, value in dotted.items()}}
        made = settings(given)
        shown = tuple(node.mark.source or "" for _, node in made)
        return replace(self, root=apply(self.root, made), changes=(*self.changes, *shown))

    def alternatives(self) -> dict[str, Scenario]:
        """Return the scenarios that ``compare:`` asks for, by name, the first being the baseline.

        Several axes make all combinations, their names joined with ``/``. Without ``compare:`` the only one is this
        scenario under its own name. Each is a complete scenario without ``compare`` and ``expect``.
        """
        axes = self.keys.compare
        if not axes:
            return {self.name: self}
        combinations = itertools.product(*axes.values())
        roots = {
            "/".join(names): without_comparison(chosen(self.root, dict(zip(axes, names, strict=True))))
            for names in combinations
        }
        baseline = next(iter(roots.values()))
        return {name: replace(self, root=root, baseline=baseline) for name, root in roots.items()}

    def variants(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Scenario]:
        """Return copies of one alternative, each with its own changes (see ``with_``), the first being the baseline."""
        made = {name: self.with_(change) for name, change in changes.items()}
        baseline = next(iter(made.values())).root if made else None
        return {name: replace(scenario, baseline=baseline) for name, scenario in made.items()}

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Give problems that arise inside, and do not know their place, the place of the key at ``path``."""
        with located(self.root, path):
            yield

    @property
    def name(self) -> str:
        """Title."""
        return self.keys.name

    @property
    def seed(self) -> int:
        """Root of all random numbers."""
        return self.keys.seed

    @property
    def topology(self) -> TopologySource:
        """Where the cluster comes from."""
        source: TopologySource = self.keys.topology
        return source

    @property
    def workload(self) -> dict[str, Work]:
        """Workloads by name."""
        works: dict[str, Work] = self.keys.workload
        return works

    @property
    def network(self) -> NetworkKeys:
        """How traffic shares the links."""
        return self.keys.network

    @property
    def pool(self) -> PoolKeys | None:
        """The pool of nodes that an autoscaler sizes; None for a fixed cluster."""
        pool: PoolKeys | None = self.keys.autoscaler
        return pool

    @property
    def cost(self) -> CostKeys | None:
        """What the cluster costs; None when nobody asks."""
        return self.keys.cost

    @property
    def run(self) -> RunKeys:
        """How long, how often, and on how many processes."""
        return self.keys.run

    @property
    def measure(self) -> tuple[str, ...]:
        """Measures to show; empty: the headline ones."""
        return tuple(self.keys.measure)

    @property
    def expect(self) -> tuple[str, ...]:
        """Lines that must hold."""
        return tuple(self.keys.expect)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Return the JSON schema of scenario files, with every plug-in that is installed."""
        from simulator.scenario.jsonschema import json_schema

        return json_schema()

    @property
    def data(self) -> dict[str, Any]:
        """All of it as plain data, includes and overrides applied: a copy, as it would stand in a file."""
        plain: dict[str, Any] = self.root.plain()
        return plain

    @property
    def resolved(self) -> str:
        """All of it as YAML text, includes and overrides applied; Python objects by their names."""
        import yaml

        return yaml.safe_dump(_named(self.data), sort_keys=False, allow_unicode=True, width=100)

    @property
    def digest(self) -> str:
        """SHA-256 of all keys, includes and overrides applied; layout, comments and places of files do not matter."""
        text = json.dumps(_named(self.data), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def __repr__(self) -> str:
        """Name, origin and alternatives."""
        origin = self.path or ("text" if self.text else "Python")
        axes = " x ".join(f"{len(names)} {axis}" for axis, names in self.keys.compare.items())
        return f"<Scenario {self.name!r} from {origin}{', comparing ' + axes if axes else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as what was written; code that a file names is loaded again where the copy arrives."""
        return Scenario, (self.root, self.text, self.path, self.changes, self.allow_code, self.baseline)


def _named(value: Any) -> Any:
    """Replace Python objects by their names, so that the data can be written and hashed anywhere the same."""
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    thing = value if hasattr(value, "__qualname__") else type(value)
    return f"<{thing.__module__}.{thing.__qualname__}>"
