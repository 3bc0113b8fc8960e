"""What an iteration of an inference engine is made of, and what whoever tells its time must know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Chunk(NamedTuple):
    """A piece of one prompt that an iteration computes; sizes in tokens."""

    new: int
    before: int
    """Tokens of the same sequence whose keys and values are there already, computed or found in the prefix cache."""
    last: bool = True
    """Whether the prompt is through with it, so that a token is sampled."""


class Batch(NamedTuple):
    """What one rank of a replica computes in one iteration."""

    chunks: tuple[Chunk, ...] = ()
    sequences: int = 0
    """Sequences that decode."""
    context: float = 0.0
    """Tokens whose keys and values these sequences have before the iteration, all together."""
    windowed: float = 0.0
    """The same, each sequence counted up to the window of the model only."""


class Decoding(NamedTuple):
    """Seconds of iterations that only decode, while the same sequences do.

    One takes ``base + max(context * S + windowed * W)`` over the ranks, S and W being ``Batch.context`` and
    ``Batch.windowed`` of a rank, as long as S of the rank that takes longest is at most ``until``.
    """

    base: float
    context: float = 0.0
    windowed: float = 0.0
    until: float = math.inf


class IterationTime(Protocol):
    """Tells how long the iterations of a replica take. Ranks are its data-parallel parts, in lockstep; mostly one."""

    window: float
    """Tokens that a sliding-window layer of the model sees; infinite when it has none, or nobody asks for it."""

    def seconds(self, ranks: Sequence[Batch]) -> float:
        """Seconds of one iteration."""
        ...

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        """Seconds of iterations in which each rank decodes so many sequences, from these sums of contexts on."""
        ...
