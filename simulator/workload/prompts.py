"""Prompts that begin alike: conversations that grow, and the names of the blocks that they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.requesthashes import Hashes, blocks_of

BLOCK = 64
"""Tokens of a hash block of generated prompts: four blocks of 16, which is what most engines count in."""
LONGEST = 32_768
"""Most tokens of prompt and answer of generated conversations."""
_MOST_BLOCKS = 1_000_000_000
"""Blocks whose names are drawn at most: 8 GB."""
_CHUNK = 8192
"""Prompts whose blocks are named at a time, so that the memory is that of the names."""


class Head(NamedTuple):
    """What some prompts begin with: of each request the number of a text, and how many tokens of it.

    Requests of one number begin alike, as far as both have tokens of it.
    """

    text: np.ndarray
    tokens: np.ndarray


def named_blocks(block: int, lengths: np.ndarray, *heads: Head) -> Hashes:
    """Return the names of the blocks of ``block`` tokens of prompts of ``lengths`` tokens.

    A block that lies whole within the first of ``heads`` has the name of that place in its text; else within the second
    one, and so on; what is left belongs to the request alone. Names are whole numbers from 0 on.
    """
    if not isinstance(block, int) or isinstance(block, bool) or block < 1:
        raise InputError(f"block: {block!r} is not a whole number of tokens, 1 or more")
    counts = blocks_of(lengths, block)
    offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
    if offsets[-1] > _MOST_BLOCKS:
        told = f"prompts have {offsets[-1]:,} blocks of {block:,} tokens, and no more than {_MOST_BLOCKS:,} are named"
        raise InputError(f"block: {told}: take fewer requests, or longer blocks")
    begins, first = [], 0
    for head in heads:
        sizes = np.zeros(int(head.text.max(initial=0)) + 1, dtype=np.int64)
        np.maximum.at(sizes, head.text, head.tokens // block)
        begins.append(first + np.append(0, np.cumsum(sizes)))
        first = int(begins[-1][-1])
    names = np.full(int(offsets[-1]), -1, dtype=np.int64)
    for low in range(0, len(lengths), _CHUNK):
        high = min(low + _CHUNK, len(lengths))
        row = np.repeat(np.arange(low, high), counts[low:high])
        place = np.arange(offsets[low], offsets[high]) - offsets[row]
        part = names[offsets[low] : offsets[high]]
        for head, begin in zip(heads, begins, strict=True):
            inside = (part < 0) & ((place + 1) * block <= head.tokens[row])
            part[inside] = begin[head.text[row[inside]]] + place[inside]
        own = part < 0
        part[own] = first + np.arange(int(own.sum()))
        first += int(own.sum())
    return Hashes(block, names, offsets)


class Growth(NamedTuple):
    """Prompts of requests that come one after the other, each with all that was said before."""

    prompts: np.ndarray
    texts: np.ndarray
    """The number of the text that each prompt is a beginning of; it changes where a conversation begins anew."""


def grown(
    groups: np.ndarray,
    system: np.ndarray,
    said: np.ndarray,
    answers: np.ndarray,
    longest: int,
    room: np.ndarray | None = None,
) -> Growth:
    """Return prompts that grow: ``system`` tokens, and what was said and answered until then.

    ``groups`` numbers the conversation of each request, in order; ``said`` is what comes before a request since the
    last answer, ``answers`` what it generates. A conversation that would pass ``longest`` tokens of prompt and ``room``
    (the answer, unless given) begins anew with that request. Raises ``InputError`` where one request alone is longer.
    """
    room = answers if room is None else room
    alone = system + said + room
    if len(alone) and alone.max() > longest:
        at = int(np.argmax(alone))
        parts = f"{system[at]:,} tokens before, {said[at]:,} of its own and {room[at]:,} behind it"
        raise InputError(f"longest: a request of {parts} is longer than {longest:,}; let lengths end below (at_most)")
    begins = np.append(True, groups[1:] != groups[:-1]) if len(groups) else np.zeros(0, dtype=bool)
    while True:
        texts = np.cumsum(begins) - 1
        starts = np.flatnonzero(begins)
        before = np.cumsum(said) + np.append(0, np.cumsum(answers)[:-1]) if len(said) else np.zeros(0, dtype=np.int64)
        origin = before[starts] - said[starts]
        prompts = system + before - origin[texts]
        over = np.flatnonzero(prompts + room > longest)
        if not len(over):
            return Growth(prompts, texts)
        begins[over[np.unique(texts[over], return_index=True)[1]]] = True


def groups_of(sizes: np.ndarray, requests: int) -> np.ndarray:
    """Return the group of each of ``requests`` requests, groups of these sizes coming one after the other."""
    count = int(np.searchsorted(np.cumsum(sizes), requests)) + 1
    return np.repeat(np.arange(count), sizes[:count])[:requests]


def since_start(groups: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the sum of ``steps`` within each group up to each request; the step of the first one does not count."""
    begins = np.append(True, groups[1:] != groups[:-1])
    total = np.cumsum(np.where(begins, 0.0, steps))
    since: np.ndarray = total - total[np.flatnonzero(begins)][groups]
    return since
