"""The scenarios and topologies that come with the project, in a checkout or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path

from simulator.core.errors import InputError, Problem, did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(kind: str) -> Path:
    """Return the folder of the shipped ``kind`` ("scenarios" or "topologies"); it may not exist in a broken install."""
    packaged = _PACKAGE / "_shipped" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind


def names(kind: str) -> list[str]:
    """Names of the shipped files of one kind, sorted, without ``.yaml``."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def shipped(kind: str, name: str) -> Path:
    """Return the path of the shipped file called ``name``, with or without ``.yaml``.

    Raises ``InputError`` with the nearest name when there is none.
    """
    stem = name.removesuffix(".yaml")
    if stem not in names(kind):
        singular = {"scenarios": "scenario", "topologies": "topology"}.get(kind, kind)
        text = f"there is no {singular} file or shipped {singular} {name!r}"
        raise InputError(Problem(text, hint=did_you_mean(stem, names(kind))))
    return folder(kind) / f"{stem}.yaml"
