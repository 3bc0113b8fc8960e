"""Results on disk: a manifest, a summary, one CSV file a table, and the page. Exact, reproducible, all or nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem
from simulator.experiment.manifest import misshapen
from simulator.experiment.results import Results
from simulator.metrics.recorder import DECLARED, TABLES, Column, Record

FORMAT = 1
MANIFEST, SUMMARY, PAGE = "manifest.json", "summary.json", "report.html"
FILES = (MANIFEST, SUMMARY, PAGE, *(f"{table}.csv" for table in DECLARED))
_CHUNK = 50_000
_KEYS = ("alternative", "replication")
_AGAIN = "run the scenario again"
_SPECIAL = re.compile(r'[",\r\n]').search
_DTYPES = {"str": "object"}


def save(results: Results, directory: Path, force: bool = False, report: bool = True) -> Path:
    """Write ``results`` into ``directory`` and return it.

    Everything is written into a directory beside it, which then takes its name, so an interrupted save leaves nothing
    half-written. Equal results give equal bytes: no clock time is stored, floats are written as Python's shortest exact
    text. Raises ``InputError`` when the directory holds results and not ``force``, or holds anything else; with
    ``force`` files that are not ours stay. ``report`` writes the page too.
    """
    directory = directory.resolve()
    refuse(directory, force)
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(directory)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _write(results, partial, report)
        _put_in_place(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return directory


def load(directory: Path) -> Results:
    """Read what ``save`` wrote, exactly.

    Raises ``InputError`` naming the file when one is missing, truncated, changed since, or not ours.
    """
    about = _manifest(directory)
    runs, files, _ = (about.pop(key) for key in ("runs", "files", "format"))
    tables = {name: columns for name, columns in DECLARED.items() if name in TABLES or f"{name}.csv" in files}
    for table in tables:
        _verify(directory / f"{table}.csv", files)
    try:
        return Results(_records(directory, runs, tables), about)
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
        text = f"is damaged: {type(error).__name__}: {error}"
        raise InputError(Problem(text, file=str(directory / MANIFEST), hint=_AGAIN)) from None


def holds_results(directory: Path) -> bool:
    """Whether ``directory`` is one that ``save`` wrote."""
    return (directory / MANIFEST).is_file()


def refuse(directory: Path, force: bool = False) -> None:
    """Raise ``InputError`` when ``save`` would not write into ``directory``; to be asked before a long run."""
    _try_to_write(directory)
    if not directory.exists():
        return
    if holds_results(directory):
        if not force:
            hint = "name another directory, or say --force (force=True) to replace them"
            raise InputError(Problem("already holds results", file=str(directory), hint=hint))
    elif any(directory.iterdir()):
        hint = "name a new or an empty directory"
        raise InputError(Problem("is not empty and holds no results", file=str(directory), hint=hint))


def _try_to_write(directory: Path) -> None:
    """Raise ``InputError`` when ``directory`` is a file, or cannot be made: make what ``save`` makes first."""
    hint = "name another directory"
    try:
        path = directory.resolve()
        if path.exists() and not path.is_dir():
            raise InputError(Problem("is a file, not a directory", file=str(directory), hint=hint))
        probe = next((parent for parent in path.parents if parent.exists()), path) / _partial(path).name
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(Problem(f"results cannot be written there: {why}", file=str(directory), hint=hint)) from None


def _partial(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.{os.getpid()}.partial")


def _write(results: Results, directory: Path, report: bool) -> None:
    files: dict[str, dict[str, Any]] = {}
    there = {name for record in results.records.values() for name in record.tables}
    for table in (name for name in DECLARED if name in TABLES or name in there):
        path = directory / f"{table}.csv"
        rows = _write_table(path, results, table)
        files[path.name] = {"rows": rows, "sha256": _digest(path)}
    runs = [
        {
            "alternative": alternative,
            "replication": replication,
            "rows": {table: len(next(iter(columns.values()))) for table, columns in record.tables.items()},
            "facts": record.facts,
        }
        for (alternative, replication), record in results.records.items()
    ]
    _write_json(directory / SUMMARY, results.to_dict())
    if report:
        results.to_html(directory / PAGE)
    _write_json(directory / MANIFEST, {**results.manifest, "format": FORMAT, "files": files, "runs": runs})


def _put_in_place(partial: Path, directory: Path) -> None:
    aside = partial.with_suffix(".replaced")
    if directory.exists():
        for kept in directory.iterdir():
            if kept.name not in FILES:
                _copy(kept, partial / kept.name)
        directory.rename(aside)
    try:
        partial.rename(directory)
    except BaseException:
        if aside.exists() and not directory.exists():
            aside.rename(directory)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _copy(kept: Path, to: Path) -> None:
    """Copy a file or folder that is not ours; a symbolic link stays one."""
    if kept.is_dir() and not kept.is_symlink():
        shutil.copytree(kept, to, symlinks=True)
    else:
        shutil.copy2(kept, to, follow_symlinks=False)


def _records(
    directory: Path, runs: list[dict[str, Any]], tables: dict[str, tuple[Column, ...]]
) -> dict[tuple[str, int], Record]:
    keys = [(str(run["alternative"]), int(run["replication"])) for run in runs]
    records = {key: Record({}, run["facts"]) for key, run in zip(keys, runs, strict=True)}
    for table, columns in tables.items():
        lengths = [run["rows"].get(table) for run in runs]
        parts = _read(directory / f"{table}.csv", columns, [length or 0 for length in lengths])
        for key, length, arrays in zip(keys, lengths, parts, strict=True):
            if length is not None:
                records[key].tables[table] = arrays
    return records


def _write_table(path: Path, results: Results, table: str) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join([*_KEYS, *(column.name for column in DECLARED[table])]) + "\n")
        for (alternative, replication), record in results.records.items():
            columns = record.tables.get(table, {})
            length = len(next(iter(columns.values()))) if columns else 0
            start = f"{_quoted(alternative)},{replication}"
            for first in range(0, length, _CHUNK):
                cells = [_cells(columns[column.name][first : first + _CHUNK]) for column in DECLARED[table]]
                file.writelines(f"{start},{line}\n" for line in map(",".join, zip(*cells, strict=True)))
            count += length
    return count


def _cells(values: np.ndarray) -> list[str]:
    """Text of each value: exact for floats (empty for NaN), quoted for strings that need it."""
    plain: list[Any] = values.tolist()
    if values.dtype.kind == "O":
        return [_quoted(value) if _SPECIAL(value) else value for value in plain]
    texts = list(map(repr, plain))
    return ["" if text == "nan" else text for text in texts] if values.dtype.kind == "f" else texts


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _SPECIAL(text) else text


def _read(path: Path, columns: tuple[Column, ...], lengths: list[int]) -> Iterator[dict[str, np.ndarray]]:
    import pandas as pd

    wanted = [*_KEYS, *(column.name for column in columns)]
    with path.open(encoding="utf-8", newline="") as file:
        head = next(csv.reader(file), [])
    if head != wanted:
        hint = f"its columns must be {', '.join(wanted)}"
        raise InputError(Problem(f"columns are {', '.join(head)}", file=str(path), line=1, hint=hint))
    frame = pd.read_csv(
        path,
        encoding="utf-8",
        usecols=[column.name for column in columns],
        dtype={column.name: _DTYPES.get(column.dtype, column.dtype) for column in columns},
        keep_default_na=False,
        na_values={column.name: [""] for column in columns if column.dtype == "float64"},
        **_exact_floats(pd.__version__),
    )
    if len(frame) != sum(lengths):
        raise ValueError(f"{path.name} has {len(frame):,} rows, the runs have {sum(lengths):,}")
    arrays = {column.name: frame[column.name].to_numpy(_DTYPES.get(column.dtype, column.dtype)) for column in columns}
    first = 0
    for length in lengths:
        yield {name: values[first : first + length] for name, values in arrays.items()}
        first += length


def _exact_floats(version: str) -> dict[str, Any]:
    """Arguments with which this version of pandas reads floats to the last bit (from 3.1 on it always does)."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    if not directory.is_dir():
        text = "is a file, not a directory" if directory.exists() else "there is no such directory"
        raise InputError(Problem(text, file=str(directory)))
    if not path.is_file():
        hint = "results are directories that 'simulator run FILE --out DIR' or Results.save(DIR) wrote"
        raise InputError(
            Problem(f"holds no {MANIFEST}, so it is no directory of results", file=str(directory), hint=hint)
        )
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(Problem(f"is not JSON, or truncated: {error}", file=str(path))) from None
    if not isinstance(about, dict) or not {"format", "files", "runs"} <= about.keys():
        raise InputError(Problem("is not a manifest of results: it lacks format, files or runs", file=str(path)))
    if about["format"] != FORMAT:
        text = f"has format {about['format']!r}, this version reads format {FORMAT}"
        raise InputError(Problem(text, file=str(path), hint="read it with the version that wrote it"))
    wrong = misshapen(about)
    if wrong:
        raise InputError(Problem(f"is damaged: {wrong}", file=str(path), hint=_AGAIN))
    return about


def _verify(path: Path, files: dict[str, Any]) -> None:
    listed = files.get(path.name)
    if not isinstance(listed, dict):
        raise InputError(Problem(f"does not list {path.name}", file=str(path.parent / MANIFEST), hint=_AGAIN))
    expected = f"{MANIFEST} lists it with {listed.get('rows')} rows"
    if not path.is_file():
        raise InputError(Problem("is missing", file=str(path), hint=f"{expected}; {_AGAIN}"))
    if _digest(path) != listed.get("sha256"):
        hint = f"{expected} and another checksum; {_AGAIN}"
        raise InputError(Problem("is truncated or was changed after it was saved", file=str(path), hint=hint))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(_jsonable(content), file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def _jsonable(value: Any) -> Any:
    """``value`` as plain data: numpy numbers and arrays unwrapped, keys as text, what is not finite as None."""
    if isinstance(value, dict):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_jsonable(part) for part in value]
    if isinstance(value, np.generic):
        return _jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
