"""Lists of the servers that a trace was recorded on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.trace import Columns, ServerRow


def named_servers(path: str | Path, columns: Columns, types: Mapping[str, str] | None = None) -> tuple[ServerRow, ...]:
    """Return one server for each row of ``columns``: name, accelerators, model, cores, memory (bytes) if known.

    ``types`` says how models are called here. Raises ``InputError`` for a name that stands in the file twice.
    """
    names = columns["name"].tolist()
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{path}: server {name!r} stands there twice")
        seen.add(name)
    memory = columns.get("memory", np.zeros(len(names)))
    fields = (columns["accelerators"], columns["model"], columns["cores"], memory)
    rows = zip(names, *(column.tolist() for column in fields), strict=True)
    called = types or {}
    return tuple(
        ServerRow(name, gpus, called.get(model, model), cores, held) for name, gpus, model, cores, held in rows
    )
