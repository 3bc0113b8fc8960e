"""Scenarios and topologies that come with the project, for ``simulator list``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def shipped_rows(kind: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return heads and rows: each scenario or topology that comes with the project, and what it calls itself."""
    from simulator.scenario.shipped import folder, names

    return (kind, "what it shows"), [(name, _headline(folder(kind) / f"{name}.yaml")) for name in names(kind)]


def _headline(path: Path) -> str:
    """The name that a file gives itself, else its first comment."""
    found = re.search(r"^(?:name: *|# *)(\S.*)$", path.read_text("utf-8"), re.MULTILINE)
    return found[1].strip() if found else ""
