"""What the benchmarks share: CPU time in fresh processes, the price of a bare SimPy timeout, tables.

Seconds tell of the machine; the ratio to a bare timeout, measured in the same process, tells of the code.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import simpy

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Idle threads of a linear algebra library spin, and their CPU time would count."""


def bare_timeout(count: int = 200_000) -> float:
    """CPU seconds of one SimPy timeout with one callback, in a chain: the yardstick of every ratio."""
    environment = simpy.Environment()
    left = count

    def again(event: simpy.Event) -> None:
        nonlocal left
        left -= 1
        if left:
            environment.timeout(1.0).callbacks.append(again)

    environment.timeout(1.0).callbacks.append(again)
    start = time.process_time()
    environment.run()
    return (time.process_time() - start) / count


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """CPU seconds of ``work`` with what it returns, and a bare timeout before and after it."""
    before = bare_timeout()
    start = time.process_time()
    facts = work()
    seconds = time.process_time() - start
    return facts | {"seconds": seconds, "bare": (before + bare_timeout()) / 2}


def in_fresh_processes(script: str, arguments: list[str], repeats: int) -> dict[str, float]:
    """Run ``script --one ARGUMENTS`` a few times, each in its own process; return the median of each figure."""
    command = [sys.executable, script, "--one", *arguments]
    rows = []
    for _ in range(repeats):
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | _ONE_THREAD)
        rows.append(json.loads(done.stdout))
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Align rows under a head."""
    texts = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
