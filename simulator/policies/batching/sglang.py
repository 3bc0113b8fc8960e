"""Chunks of prompts in iterations of their own."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("sglang")
class Sglang:
    """SGLang 0.5: prompts in chunks, in iterations of their own, while all that decode stand still.

    ``chunk`` is its ``chunked_prefill_size``, whose default is 8,192 on GPUs with 60 to 160 GB and 2,048 below 25 GB
    (``python/sglang/srt/server_args.py``); ``mixed`` is ``enable_mixed_chunk`` (off). SGLang lets in as many as it
    expects to finish, from a share of their limits that it adapts; here the prompt is reserved, so who makes room is
    preempted more often under pressure. Its order of the queue (longest cached prefix) is a matter of the lineup.
    """

    imitates = "SGLang 0.5"
    chunked = True
    reserve = "prompt"

    def __init__(self, chunk: int = 8192, mixed: bool = False) -> None:
        self.chunk = tokens("chunk", chunk)
        self.mixed = mixed

    def budget(self, decoding: int) -> int:
        """Return the tokens of a chunk, less those who decode in the same iteration."""
        return self.chunk - decoding if self.mixed else self.chunk

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
