"""Chunked prefill beside decoding, as in vLLM's V1 engine."""

from __future__ import annotations

from simulator.policies.serving import batchings


@batchings.register("vllm")
class Vllm:
    """vLLM 0.19, V1 engine: decodes first, prompts in chunks with what is left of a token budget.

    ``max_tokens`` is its ``max_num_batched_tokens``.
    """

    imitates = "vLLM 0.19"
    mixed = True
    chunked = True
    reserve = "chunk"

    def __init__(self, max_tokens: int = 8192) -> None:
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}; it must be 1 or more")
        self.max_tokens = max_tokens

    def budget(self, decoding: int) -> int:
        """Return the tokens that decodes leave of the budget."""
        return self.max_tokens - decoding

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
