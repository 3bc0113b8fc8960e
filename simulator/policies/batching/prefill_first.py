"""Whole prompts in iterations of their own, before anybody decodes."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("prefill-first")
class PrefillFirst:
    """vLLM 0.4 without chunked prefill: whole prompts in iterations of their own, while all that decode stand still.

    ``max_tokens`` is its ``max_num_batched_tokens``, which it sets to the model's context, or 2,048 if that is shorter
    (``vllm/config.py``, ``SchedulerConfig``); longer prompts are refused, so give your context where it is longer than
    the default. Not modelled: the ``watermark`` of 1 % of the blocks that stay free when somebody is let in.
    """

    imitates = "vLLM 0.4"
    mixed = False
    chunked = False
    reserve = "prompt"

    def __init__(self, max_tokens: int = 131072) -> None:
        self.max_tokens = tokens("max_tokens", max_tokens)

    def budget(self, decoding: int) -> int:
        """Return the tokens of an iteration; those who decode do not take part in it."""
        return self.max_tokens

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
