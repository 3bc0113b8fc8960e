"""In-flight batching that never preempts."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("no-evict")
class NoEvict:
    """TensorRT-LLM 1.1, GUARANTEED_NO_EVICT: whoever is let in has the blocks for its longest output reserved.

    ``max_tokens`` is ``max_num_tokens`` (8,192) and ``chunked`` is ``enable_chunked_prefill`` (off), with the defaults
    of ``TorchLlmArgs``; without chunks longer prompts are refused. Sequences that decode count against the tokens
    first. Requests that set no limit count with their true output, which the product cannot know: give a limit to
    compare. Orca (OSDI 2022) reserves alike.
    """

    imitates = "TensorRT-LLM 1.1"
    mixed = True
    reserve = "all"

    def __init__(self, max_tokens: int = 8192, chunked: bool = False) -> None:
        self.max_tokens = tokens("max_tokens", max_tokens)
        self.chunked = chunked

    def budget(self, decoding: int) -> int:
        """Return the tokens that decodes leave of the budget."""
        return self.max_tokens - decoding

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
