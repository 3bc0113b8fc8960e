"""Names of the leading blocks of prompts, as logs of requests give them, and how much of the prompts they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulator.core.errors import InputError

if TYPE_CHECKING:
    from simulator.workload.requestlog import RequestLog

_CHUNK = 8192
"""Requests whose hashes are moved at a time, so that no second copy of all is needed meanwhile."""


@dataclass(frozen=True, eq=False, slots=True)
class Hashes:
    """The names of the blocks of all prompts of a log, in one array: those of a request follow each other.

    ``block`` is the tokens of a block, ``flat`` the names (int64), ``offsets`` where those of each request begin, and
    the end of the last; it has one number more than there are requests. Equal names at the head of two prompts mean
    that these begin alike. A request has none, or a name for each of its ceil(input / block) blocks.
    """

    block: int
    flat: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of_counts(cls, block: int, flat: np.ndarray, counts: np.ndarray) -> Hashes:
        """Return the hashes of requests that have so many each."""
        return cls(block, np.asarray(flat, dtype=np.int64), np.append(0, np.cumsum(counts)).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> np.ndarray:
        """How many each request has."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> Hashes:
        """Return those of some requests, in the order of ``rows``."""
        counts = self.counts[rows]
        offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
        flat = np.empty(int(offsets[-1]), dtype=np.int64)
        for low in range(0, len(rows), _CHUNK):
            part = slice(low, low + _CHUNK)
            begin, end = offsets[low], offsets[min(low + _CHUNK, len(rows))]
            shift = np.repeat(self.offsets[rows[part]] - offsets[:-1][part], counts[part])
            flat[begin:end] = self.flat[shift + np.arange(begin, end)]
        return Hashes(self.block, flat, offsets)

    def of(self, row: int) -> list[int]:
        """Return those of one request."""
        names: list[int] = self.flat[self.offsets[row] : self.offsets[row + 1]].tolist()
        return names

    def check(self, name: str, lengths: np.ndarray, rows: np.ndarray) -> None:
        """Raise ``InputError`` unless every request has none or ceil(input / block); ``rows`` are its row numbers."""
        if not 1 <= self.block < math.inf or int(self.block) != self.block:
            raise InputError(f"{name}: hash blocks of {self.block!r} tokens; a whole number of 1 or more is wanted")
        counts, wanted = self.counts, blocks_of(lengths, self.block)
        wrong = np.flatnonzero((counts != 0) & (counts != wanted))
        if len(wrong):
            at = wrong[0]
            raise InputError(f"{name}, row {rows[at]}: {mismatch(counts[at], lengths[at], self.block)}")


def blocks_of(lengths: np.ndarray, block: int) -> np.ndarray:
    """Return ceil(length / block) of each length."""
    return -(-np.asarray(lengths, dtype=np.int64) // block)


def mismatch(count: int, length: int, block: int) -> str:
    """Say that a number of hashes does not fit the length of a prompt."""
    wanted = -(-int(length) // block)
    return f"{count:,} hashes, but {length:,} tokens are {wanted:,} blocks of {block:,}"


class Reuse(NamedTuple):
    """How much of the prompts of a log was there before, had nothing ever been thrown away."""

    blocks: int
    reused: int
    """Blocks in the longest leading run of a prompt whose names had all been seen in earlier prompts."""
    tokens: int
    """Tokens of the prompts with hashes."""
    reused_tokens: int
    """Tokens of the reused blocks; the last block of a prompt may be shorter than the others."""
    requests: int
    """Requests with at least one reused block."""
    distinct: int
    """Different names."""

    @property
    def share(self) -> float:
        """Reused blocks over all blocks; NaN without any."""
        return self.reused / self.blocks if self.blocks else math.nan


def prefix_reuse(log: RequestLog) -> Reuse | None:
    """Return the reuse that an unbounded prefix cache would see; None without hashes.

    Requests are taken in order of arrival. Only a leading run counts: an equal name further back is no hit. Each finds
    the blocks of all that came before it, whether or not these would have been computed by then: an upper bound.
    """
    hashes = log.hashes
    if hashes is None:
        return None
    seen: set[int] = set()
    reused = tokens = requests = 0
    lengths = log.columns["input"].tolist()
    for row, length in enumerate(lengths):
        names = hashes.of(row)
        run = 0
        for name in names:
            if name not in seen:
                break
            run += 1
        seen.update(names[run:])
        reused += run
        tokens += min(length, run * hashes.block)
        requests += run > 0
    whole = int(log.columns["input"][hashes.counts > 0].sum())
    return Reuse(len(hashes.flat), reused, whole, tokens, requests, len(seen))
