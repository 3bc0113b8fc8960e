"""What tests of readers share: files written on the spot, and the text of a refusal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from simulator.core.errors import InputError
from simulator.workload.formats import read_trace


def written(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    """Write lines to a file, gzip-compressed if it is called ``.gz``."""
    path = folder / name
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def dumped(folder: Path, value: Any, name: str = "t.json") -> Path:
    """Write a value as JSON."""
    return written(folder, json.dumps(value), name=name)


def refused(path: Path, format: str, **options: Any) -> str:
    """The text of the error, the file being called FILE."""
    with pytest.raises(InputError) as wrong:
        read_trace(path, format, **options)
    return str(wrong.value).replace(str(path), "FILE")
