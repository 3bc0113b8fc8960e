"""Iteration times that a Python function tells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simulator.core.errors import InputError
from simulator.models.serving.api import Batch, Decoding

Told = Callable[[int, int, float], float]
"""``f(prefill_tokens, decode_sequences, context_tokens) -> seconds``."""


class CalledTime:
    """Asks ``function`` for every iteration of every rank; the slowest rank counts.

    ``prefill_tokens`` are those that chunks of prompts compute, ``context_tokens`` those whose keys and values are
    there: of the sequences that decode, all together, and before the chunks. Raises ``InputError`` when it returns
    something other than a positive finite number.
    """

    window = math.inf

    def __init__(self, function: Told, name: str = "") -> None:
        self._function = function
        self._name = name or getattr(function, "__name__", "iteration_time")

    def seconds(self, ranks: Sequence[Batch]) -> float:
        """Seconds of one iteration."""
        return max(
            self._ask(
                sum(chunk.new for chunk in rank.chunks),
                rank.sequences,
                rank.context + sum(chunk.before for chunk in rank.chunks),
            )
            for rank in ranks
            if rank.chunks or rank.sequences
        )

    def decoding(self, sequences: Sequence[int], context: Sequence[float]) -> Decoding:
        """Seconds of the next iteration only: nobody knows how the function goes on."""
        busy = [(count, tokens) for count, tokens in zip(sequences, context, strict=True) if count]
        return Decoding(max(self._ask(0, count, tokens) for count, tokens in busy), until=min(each[1] for each in busy))

    def _ask(self, prefill: int, sequences: int, context: float) -> float:
        found = self._function(prefill, sequences, context)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
            raise InputError(
                f"{self._name}({prefill}, {sequences}, {context:g}) returned {found!r}: "
                "an iteration time is a positive finite number of seconds"
            )
        return float(found)
