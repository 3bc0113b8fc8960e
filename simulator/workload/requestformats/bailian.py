"""Qwen on Bailian (Alibaba Cloud Model Studio): conversations turn by turn, with the names of the blocks of prompts.

One JSON object a line: ``chat_id``, ``parent_chat_id`` (-1: the first turn), ``timestamp`` (s), ``input_length``,
``output_length``, ``type``, ``turn``, ``hash_ids`` (blocks of 16 tokens, the last one perhaps shorter). Source:
alibaba-edu/qwen-bailian-usagetraces-anon, README (Wang et al., "KVCache Cache in the Wild", USENIX ATC 2025).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulator.workload.jsonlines import JsonLines
from simulator.workload.requestformats import keyed, reader
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.requestrows import as_log, checked_block, hash_columns, tokens
from simulator.workload.rows import Book, Rows
from simulator.workload.trace import Columns

KEYS = ("chat_id", "parent_chat_id", "timestamp", "input_length", "output_length", "type", "turn", "hash_ids")
BLOCK = 16
_NONE = ("-1", "")
"""Parents of a first turn."""
_NO_PARENT = "requests whose parent_chat_id is not in the file, which wait for nobody: {n}"
_TWICE = "requests that repeat a chat_id; those that name it wait for the last one above them: {n}"


@reader("bailian", begins=keyed("chat_id", "parent_chat_id", "hash_ids"))
def read(path: str | Path, block: int = BLOCK, chains: bool = True) -> RequestLog:
    """Qwen on Bailian, JSON lines; options block (16 tokens), chains (yes: a turn waits for the one before).

    A turn is sent at its timestamp, or when the turn before has ended, if that is later. ``type`` becomes the class,
    the row of the first turn of a conversation its session, and ``turn`` stays a column of numbers.
    """
    block = checked_block(block)
    lines = JsonLines(path, "requests", required=KEYS)
    columns = lines.gather(lambda rows: _parse(rows, block))
    parents = _parents(columns.pop("chat").tolist(), columns.pop("before").tolist(), lines.book)
    columns["session"] = texts(map(str, _first(parents).tolist()))
    if chains:
        columns["parent"] = parents
    return as_log(lines.path, lines.book, columns, block)


def _parse(rows: Rows, block: int) -> Columns:
    input = tokens(rows, "input_length")
    return {
        "row": rows.row,
        "arrival": rows.numbers("timestamp"),
        "input": input,
        "output": tokens(rows, "output_length"),
        "category": rows.objects("type"),
        "turn": tokens(rows, "turn"),
        "chat": rows.objects("chat_id"),
        "before": rows.objects("parent_chat_id"),
    } | hash_columns(rows, "hash_ids", input, block)


def _parents(chats: list[str], before: list[str], book: Book) -> np.ndarray:
    """Return the place of the row that each waits for, -1 for none."""
    last = {chat: place for place, chat in enumerate(chats)}
    above: dict[str, int] = {}
    parents = []
    for place, (chat, parent) in enumerate(zip(chats, before, strict=True)):
        found = above.get(parent, last.get(parent, -1)) if parent not in _NONE else -1
        book.count(_NO_PARENT, found < 0 and parent not in _NONE)
        book.count(_TWICE, chat in above)
        above[chat] = place
        parents.append(found)
    return np.array(parents, dtype=np.int64)


def _first(parents: np.ndarray) -> np.ndarray:
    """Return the row number of the first turn of each request's conversation."""
    first = np.where(parents >= 0, parents, np.arange(len(parents)))
    for _ in range(len(parents).bit_length()):
        first = first[first]
    return first + 1
