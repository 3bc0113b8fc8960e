"""Mooncake: requests to the chat service Kimi with the names of the blocks of their prompts.

One JSON object a line: ``timestamp`` (ms), ``input_length``, ``output_length``, ``hash_ids`` (blocks of 512 tokens, the
last one perhaps shorter). Many requests have one timestamp, since these are rounded to 3 s; they keep the order of the
file. Source: kvcache-ai/Mooncake, FAST25-release/traces at commit 3b5a594 (Qin et al., FAST 2025).
"""

from __future__ import annotations

from pathlib import Path

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
