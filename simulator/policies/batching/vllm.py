"""Chunked prefill beside decoding, as in vLLM's V1 engine."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("vllm")
class Vllm:
    """vLLM 0.19, V1 engine: decodes first, prompts in chunks with what is left of a token budget.

    ``max_tokens`` is its ``max_num_batched_tokens``. The default is that of its OpenAI server on GPUs with 70 GiB or
    more that are no A100; on others it is 2,048 (``vllm/engine/arg_utils.py``, ``get_batch_defaults``). The order
    within an iteration is that of ``vllm/v1/core/sched/scheduler.py``: what runs, in the order in which it was let in,
    then who waits, unless somebody was preempted. Prompts under way come behind all that decode there too, because at
    most the last one of the batch is cut.

    ``whole_prompt`` is ``scheduler_reserve_full_isl``, on in 0.19 (vllm pull request 37307, March 2026): nobody is let
    in whose whole prompt does not fit, though its blocks are taken chunk by chunk. False: its first chunk has to fit,
    as before. ``async_scheduling`` is on in 0.19, too: an iteration is made up while the one before it runs, so who
    comes meanwhile starts one later (``vllm/v1/engine/core.py``, ``step_with_batch_queue``). Not modelled:
    ``long_prefill_token_threshold``, tokens of speculative decoding in the budget, what docs/serving-policies.md lists.
    """

    imitates = "vLLM 0.19"
    mixed = True
    chunked = True

    def __init__(self, max_tokens: int = 8192, whole_prompt: bool = True, async_scheduling: bool = True) -> None:
        self.max_tokens = tokens("max_tokens", max_tokens)
        self.ahead = bool(async_scheduling)
        self.reserve = "checked" if whole_prompt else "chunk"

    def budget(self, decoding: int) -> int:
        """Return the tokens that decodes leave of the budget."""
        return self.max_tokens - decoding

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
