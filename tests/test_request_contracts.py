"""The contracts of readers and generators of requests notice what they are there to notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.testing import check_request_format, check_request_generator
from simulator.workload.requestgenerators import generate_requests
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestrows import as_log, tokens
from simulator.workload.sampling import Draws
from simulator.workload.table import Table

TEXT = "at,in,out\n0,5,1\n3,4,0\n1,2,16\n"


def read(path: Path) -> RequestLog:
    """A good reader."""
    table = Table(path, "mine", required=("at", "in", "out"), known=("at", "in", "out"))
    columns = table.gather(
        lambda rows: {
            "row": rows.row,
            "arrival": rows.numbers("at"),
            "input": tokens(rows, "in"),
            "output": tokens(rows, "out"),
        }
    )
    return as_log(table.path, table.book, columns)


def drops(path: Path) -> RequestLog:
    log = read(path)
    return RequestLog(log.name, log.columns)


def moves(path: Path) -> RequestLog:
    path.write_text(TEXT + "9,9,9\n", "utf-8")
    return read(path)


def tolerant(path: Path) -> RequestLog:
    try:
        return read(path)
    except InputError:
        return RequestLog("t", {"arrival": np.zeros(1), "input": np.ones(1, int), "output": np.ones(1, int)})


def test_a_good_reader_passes() -> None:
    check_request_format(read, TEXT, rows=3)


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (drops, "2 requests kept and {} set aside are not the 3 rows of the file"),
        (moves, "reading changes the file"),
        (tolerant, "it takes a file with the text '' without a word"),
    ],
)
def test_a_bad_reader_is_told(reader: Callable[..., RequestLog], told: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_request_format(reader, TEXT, rows=3)
    assert told in str(error.value)


def good(draws: Draws, requests: int, rate: float = 1.0) -> RequestLog:
    return generate_requests("poisson", requests=requests, seed=draws.seed, replication=draws.replication, rate=rate)


def too_few(draws: Draws, requests: int, rate: float = 1.0) -> RequestLog:
    return good(draws, max(requests - 1, 1), rate)


def deaf(draws: Draws, requests: int, rate: float = 1.0) -> RequestLog:
    return good(draws, requests)


def seedless(draws: Draws, requests: int, rate: float = 1.0) -> RequestLog:
    return good(Draws(), requests, rate)


def hasty(draws: Draws, requests: int, rate: float = 1.0) -> RequestLog:
    log = good(draws, requests, rate)
    lengths = draws.stream("lengths")
    columns: dict[str, Any] = {name: lengths.integers(1, 99, requests) for name in ("input", "output")}
    return RequestLog("hasty", log.columns | columns)


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        (too_few, "59 requests, 60 were asked for"),
        (deaf, "at twice the rate requests come 1.00 times as often, not twice"),
        (seedless, "another seed or replication gives the same log"),
        (hasty, "output of a longer log begins otherwise than of a shorter one"),
    ],
)
def test_a_bad_generator_is_told(generator: Callable[..., RequestLog], told: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_request_generator(generator)
    assert told in str(error.value)


def test_a_good_generator_passes() -> None:
    check_request_generator(good)
