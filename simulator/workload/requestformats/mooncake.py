"""Mooncake: requests to the chat service Kimi with the names of the blocks of their prompts.

One JSON object a line: ``timestamp`` (ms), ``input_length``, ``output_length``, ``hash_ids`` (blocks of 512 tokens, the
last one perhaps shorter). Many requests have one timestamp, since these are rounded to 3 s; they keep the order of the
file. Source: kvcache-ai/Mooncake, FAST25-release/traces at commit 3b5a594 (Qin et al., FAST 2025).
"""

from __future__ import annotations

import json
from pathlib import Path

from simulator.core.errors import InputError
from simulator.workload.files import new_file
from simulator.workload.jsonlines import JsonLines
from simulator.workload.requestformats import keyed, reader
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestrows import as_log, checked_block, hash_columns, tokens
from simulator.workload.rows import Rows
from simulator.workload.trace import Columns

KEYS = ("timestamp", "input_length", "output_length", "hash_ids")
BLOCK = 512
_MILLI = 1e-3


@reader("mooncake", begins=keyed(*KEYS, without=("chat_id",)))
def read(path: str | Path, block: int = BLOCK) -> RequestLog:
    """Mooncake JSON lines: timestamp (ms), input_length, output_length, hash_ids; option block (512 tokens)."""
    block = checked_block(block)
    lines = JsonLines(path, "requests", required=KEYS)
    return as_log(lines.path, lines.book, lines.gather(lambda rows: _parse(rows, block)), block)


def _parse(rows: Rows, block: int) -> Columns:
    input = tokens(rows, "input_length")
    return {
        "row": rows.row,
        "arrival": rows.numbers("timestamp", scale=_MILLI),
        "input": input,
        "output": tokens(rows, "output_length"),
    } | hash_columns(rows, "hash_ids", input, block)


def write(log: RequestLog, path: str | Path) -> None:
    """Write a log as Mooncake's, times to the millisecond; it holds neither chains nor names.

    Raises ``InputError`` for a log without hashes of 512 tokens a block, which the format needs.
    """
    if log.hashes is None or log.hashes.block != BLOCK:
        found = "no hashes" if log.hashes is None else f"hashes of {log.hashes.block:,} tokens a block"
        raise InputError(f"log {log.name!r} has {found}, and the mooncake format needs those of {BLOCK} tokens")
    times = [round(second / _MILLI) for second in log.columns["arrival"].tolist()]
    lengths = (log.columns[name].tolist() for name in ("input", "output"))
    with new_file(path) as file:
        for row, values in enumerate(zip(times, *lengths, strict=True)):
            record = dict(zip(KEYS, (*values, log.hashes.of(row)), strict=True))
            file.write(json.dumps(record) + "\n")
