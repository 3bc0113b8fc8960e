"""Stall-free batching."""

from __future__ import annotations

from simulator.policies.batching import tokens
from simulator.policies.serving import batchings


@batchings.register("sarathi")
class Sarathi:
    """Sarathi-Serve: iterations of at most a chunk of tokens, decodes included; the whole prompt reserved.

    Agrawal et al., Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve (OSDI 2024), and its code
    (microsoft/sarathi-serve at 96f9911, January 2026, ``sarathi/core/scheduler/sarathi_scheduler.py``), whose default
    ``chunk_size`` is 512, also the paper's for strict bounds; 2,048 for relaxed ones. Not modelled: the watermark of 1
    % of the blocks, and chunks that shrink along a prompt.
    """

    imitates = "Sarathi-Serve (OSDI 2024)"
    mixed = True
    chunked = True
    reserve = "prompt"

    def __init__(self, chunk: int = 512) -> None:
        self.chunk = tokens("chunk", chunk)

    def budget(self, decoding: int) -> int:
        """Return the tokens that decodes leave of the chunk."""
        return self.chunk - decoding

    def admits(self, running: int) -> bool:
        """Let in whoever fits."""
        return True
