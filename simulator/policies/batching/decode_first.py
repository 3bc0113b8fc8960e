"""Batches that nobody joins."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("decode-first")
class DecodeFirst:
    """FasterTransformer 5: a batch is let in as a whole, and nobody joins until all of it are through.

    Request-level batching, as ``FasterTransformerScheduler`` of microsoft/sarathi-serve (96f9911) rebuilds it: the
    whole sequences are reserved, whole prompts are computed together, and the number of sequences is the only other
    limit unless ``max_tokens`` bounds the prompt tokens of a batch. In the original, those who are through early keep
    their place, and their memory, to the end of the batch; here they leave.
    """

    imitates = "FasterTransformer 5"
    mixed = False
    chunked = False
    reserve = "all"

    def __init__(self, max_tokens: int = 1 << 30) -> None:
        self.max_tokens = tokens("max_tokens", max_tokens)

    def budget(self, decoding: int) -> int:
        """Return the prompt tokens of a batch; none while others decode."""
        return 0 if decoding else self.max_tokens

    def admits(self, running: int) -> bool:
        """Let a batch in when the last one is through."""
        return running == 0
