"""ServeGen: the clients of twelve models of Alibaba Cloud Model Studio, as rates and laws of which requests are drawn.

A folder has, of each client, ``chunk-N-trace.csv``, without a header: ``start (s), rate (requests/s), variation of the
gaps, family, and its two parameters (shape, scale)`` for windows of 600 s, the family empty where the rate is 0; and
``chunk-N-dataset.json``: by the first second of a window, and by field, ``{length: probability}`` as a Python
dictionary in a text. The same is read from JSON lines with one client each: ``client``, ``trace`` (a list of such
rows) and ``dataset`` (objects instead of texts). Source: alibaba/ServeGen, data/, at commit f891d11 (Xiang et al., NSDI
2026).
"""

from __future__ import annotations

import ast
import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem
from simulator.core.units import PerSecond, Seconds
from simulator.workload.clients import (
    FAMILIES,
    Client,
    Pmf,
    Rate,
    Wanted,
    check_size,
    drawn_arrivals,
    drawn_lengths,
    mean_rate,
)
from simulator.workload.files import check_file, text_lines
from simulator.workload.jsonlines import json_objects
from simulator.workload.lengths import Length
from simulator.workload.requestformats import keyed, reader
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.trace import SetAside

_ROW = re.compile(r"\s*[\d.]+\s*,\s*[\d.eE+-]+\s*,[^,]*,\s*(Gamma|Weibull)?\s*,")
_TRACE = re.compile(r"chunk-(\d+)-trace\.csv")
_CELLS = 6
_NO_LENGTHS = "requests of clients whose lengths are not there; give input and output"
_NO_TOKENS = "0 tokens of prompt or answer"
_PER_ITEM = "tokens of an image, audio or video are taken to be those of one of them, times their number"
_packed = keyed("client", "trace")


def _begins(text: str) -> bool:
    return _packed(text) or bool(_ROW.match(text))


@reader("servegen", begins=_begins)
def read(
    path: str | Path,
    start: Seconds = 0.0,
    window: Seconds = 3600.0,
    scale: float | None = None,
    rate: PerSecond | None = None,
    input: Length | None = None,
    output: Length | None = None,
    seed: int = 0,
) -> RequestLog:
    """ServeGen clients, from which requests are drawn; options start, window (1 h), scale or rate, input, output, seed.

    ``path`` is JSON lines with a client each, a folder with ``chunk-N-trace.csv`` and ``chunk-N-dataset.json``, or one
    of its traces, which stands for all. Rates are multiplied by ``scale``, or so that all clients together make
    ``rate`` requests/s on average in the window. ``input`` and ``output`` are laws of tokens that take the place of
    those of the clients, which some do not have; without them the requests of these are set aside, and do not count for
    ``rate``. The client becomes the tenant. Gaps follow the fitted family and shape of each window; the number of
    requests of a window is what its rate says.
    """
    path = Path(path)
    for name, value, least in (("start", start, 0.0), ("window", window, 1e-9)):
        if not isinstance(value, int | float) or not least <= value < math.inf:
            raise InputError(f"{name}: {value!r} is not a time of {'0 or more' if not least else 'more than 0'}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed: {seed!r} is not a whole number of 0 or more")
    clients = list(_from_folder(path) if path.is_dir() or _TRACE.fullmatch(path.name) else _from_lines(path))
    if not clients:
        raise InputError(Problem("there is no client in it", file=str(path)))
    given = input is not None and output is not None
    natural = mean_rate([client for client in clients if client.lengths or given], start, window)
    wanted = Wanted(start, window, _scale(scale, rate, natural), seed)
    check_size(mean_rate(clients, start, window), wanted)
    return _drawn(path, clients, wanted, {"input": input, "output": output})


def _scale(scale: float | None, rate: float | None, natural: float) -> float:
    if scale is not None and rate is not None:
        raise InputError(f"scale {scale!r} and rate {rate!r} contradict each other: give one of them")
    for name, value in (("scale", scale), ("rate", rate)):
        if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise InputError(f"{name}: {value!r} is not a number above 0")
    if rate is not None:
        return rate / natural if natural else 1.0
    return 1.0 if scale is None else scale


def _drawn(path: Path, clients: Sequence[Client], wanted: Wanted, laws: Mapping[str, Length | None]) -> RequestLog:
    times = [drawn_arrivals(client, wanted) for client in clients]
    lengths = np.concatenate(
        [drawn_lengths(client, each, wanted, laws) for client, each in zip(clients, times, strict=True)], axis=1
    )
    arrival = np.concatenate(times)
    order = np.argsort(arrival, kind="stable")
    names = texts(client.name for client in clients)
    tenant = np.repeat(names, [len(each) for each in times])[order]
    arrival, (input, output) = arrival[order] - wanted.start, lengths[:, order]
    row = np.arange(1, len(arrival) + 1)
    unknown = (input < 0) | (output < 0)
    empty = ~unknown & ((input == 0) | (output == 0))
    aside = [
        SetAside.of(reason, row[out]) for reason, out in ((_NO_LENGTHS, unknown), (_NO_TOKENS, empty)) if out.any()
    ]
    keep = ~unknown & ~empty
    if not keep.any():
        told = "".join(f"\n    set aside {part.count:,}: {part.reason}" for part in aside)
        raise InputError(Problem(f"no request can be replayed{told}", file=str(path)))
    columns = {"row": row, "arrival": arrival, "input": input, "output": output, "tenant": tenant}
    notes = [f"drawn from {len(clients):,} clients, {wanted.window:g} s from {wanted.start:g} s on, seed {wanted.seed}"]
    if wanted.scale != 1:
        notes.append(f"rates of clients times {wanted.scale:.6g}")
    if any("text_tokens" in fields for client in clients for fields in client.lengths.values()):
        notes.append(_PER_ITEM)
    kept = {name: column[keep] for name, column in columns.items()}
    return RequestLog(path.name, kept, set_aside=tuple(aside), notes=tuple(notes))


def _from_lines(path: Path) -> Iterator[Client]:
    check_file(path, json=True)
    for line, record in json_objects(path, "clients"):
        for key in ("client", "trace"):
            if key not in record:
                raise InputError(Problem(f"there is no key {key!r}", file=str(path), line=line))
        trace, dataset = record["trace"], record.get("dataset") or {}
        if not isinstance(trace, list) or not isinstance(dataset, dict):
            text = "'trace' is a list of windows, and 'dataset' an object"
            raise InputError(Problem(text, file=str(path), line=line))
        rates = [_rate(row, path, line) for row in trace]
        yield Client(f"client-{record['client']}", _told(rates), _lengths(dataset, path, line))


def _from_folder(path: Path) -> Iterator[Client]:
    folder = path if path.is_dir() else path.parent
    found = {int(match[1]): each for each in folder.iterdir() if (match := _TRACE.fullmatch(each.name))}
    if not found:
        raise InputError(Problem("there is no chunk-N-trace.csv in this folder", file=str(folder)))
    for number in sorted(found):
        check_file(found[number])
        with closing(text_lines(found[number])) as lines:
            rates = [_rate(row, found[number], line) for line, row in enumerate(csv.reader(lines), 1) if row]
        yield Client(f"client-{number}", _told(rates), _dataset(folder / f"chunk-{number}-dataset.json"))


def _told(rates: Sequence[Rate]) -> list[Rate]:
    return sorted((each for each in rates if each.rate), key=lambda each: each.start)


def _rate(row: Any, path: Path, line: int) -> Rate:
    if not isinstance(row, list) or len(row) != _CELLS:
        text = f"{row!r} is not a window: start, rate, variation, family and two parameters"
        raise InputError(Problem(text, file=str(path), line=line))
    start, rate, cv = (_number(cell, path, line) for cell in row[:3])
    family = str(row[3]).strip()
    if rate and family not in FAMILIES:
        raise InputError(Problem(f"{family!r} is no family of gaps; Gamma or Weibull", file=str(path), line=line))
    shape = _number(row[4], path, line) if rate else 1.0
    if rate and not shape > 0:
        raise InputError(Problem(f"a shape of {shape:g} (variation {cv:g}) is not above 0", file=str(path), line=line))
    return Rate(start, rate, family, shape)


def _number(cell: Any, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise InputError(Problem(f"{cell!r} is not a number of 0 or more", file=str(path), line=line))
    return value


def _dataset(path: Path) -> dict[float, dict[str, Pmf]]:
    """Read the laws of one client; none where there is no such file, as the largest of them may be left out."""
    if not path.is_file():
        return {}
    check_file(path, json=True)
    try:
        found = json.loads("".join(text_lines(path, pieces=True)))
    except (ValueError, RecursionError):
        raise InputError(Problem("this is not JSON", file=str(path))) from None
    if not isinstance(found, dict):
        raise InputError(Problem("this is not a JSON object of windows", file=str(path)))
    return _lengths(found, path, None)


def _lengths(dataset: Mapping[str, Any], path: Path, line: int | None) -> dict[float, dict[str, Pmf]]:
    found: dict[float, dict[str, Pmf]] = {}
    for start, fields in dataset.items():
        place = f"dataset.{start}"
        try:
            laws = {name: _pmf(law) for name, law in fields.items() if name.endswith(("_tokens", "_count"))}
            found[float(start)] = laws
        except (ValueError, TypeError, AttributeError, SyntaxError, RecursionError, MemoryError):
            text = "this is not as {field: {length: probability}}"
            raise InputError(Problem(text, file=str(path), line=line, path=place)) from None
        if "output_tokens" not in laws or not {"input_tokens", "text_tokens"} & set(laws):
            text = f"there are {', '.join(laws) or 'no laws'}, but not input_tokens (or text_tokens) and output_tokens"
            raise InputError(Problem(text, file=str(path), line=line, path=place))
    return found


def _pmf(law: Any) -> Pmf:
    """Return a law written as an object, or as a Python dictionary in a text, of which nothing but numbers is taken."""
    shares = ast.literal_eval(law) if isinstance(law, str) else law
    return Pmf.of({int(length): float(share) for length, share in shares.items()})
