"""Topologies as YAML files."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import yaml

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_topology(path: Path) -> Topology:
    """Read ``build: NAME`` with the parameters of that builder; ``name`` and ``description`` are for the reader.

    Raises ``InputError`` when the file is missing or not YAML, the builder unknown, or a parameter wrong.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(Problem(f"cannot read the topology: {error}", file=str(path))) from None
    if not isinstance(data, dict) or not isinstance(data.get("build"), str):
        raise InputError(Problem("a topology file is a mapping with a key build", file=str(path)))
    parameters = {key: value for key, value in data.items() if key not in ("build", "name", "description")}
    return build_topology(data["build"], parameters, str(path))


def build_topology(name: str, parameters: dict[str, Any], file: str | None = None) -> Topology:
    """Call the builder ``name``; unknown and missing parameters become one ``InputError`` each."""
    builder = builders.get(name)
    known = inspect.signature(builder).parameters
    unknown = [key for key in parameters if key not in known]
    missing = [key for key, p in known.items() if p.default is p.empty and key not in parameters]
    problems = [Problem(f"unknown key {key!r}. {did_you_mean(key, known)}", file=file, path=key) for key in unknown]
    problems += [Problem(f"builder {name!r} needs {key!r}", file=file, path=key) for key in missing]
    if problems:
        raise InputError(*problems)
    return builder(**parameters)
