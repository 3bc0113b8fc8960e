"""A data-parallel part of a replica: what it computes next, by rules that are written down in their order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reference.serving_blocks import Ask, Cache
from simulator.models.serving.api import Batch, Chunk


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A service. ``seconds`` tells how long an iteration of these batches takes, one batch for each rank."""

    seconds: Callable[[list[Batch]], float]
    batching: Any
    """Has ``mixed``, ``chunked``, ``reserve``, ``budget(decoding)`` and ``admits(running)``."""
    lineup: Callable[[], Any]
    """Makes something with ``add``, ``put_back``, ``head``, ``remove``, ``victim``, length and iteration."""
    blocks: int
    block: int = 16
    max_batch: int = 256
    ranks: int = 1
    context: float = math.inf
    window: float = math.inf
    prefix_cache: bool = False
    swap: float = 0.0
    """Bytes/s to the host's memory; 0: preempted requests are computed again."""
    kv_bytes: float = 0.0
    advance: float = 1.0
    timeout: float = math.inf
    first_token_timeout: float = math.inf

    def longest(self, ask: Ask) -> int:
        """Tokens for which blocks are reserved where they are for all of a request."""
        return ask.input + max(ask.output, ask.limit)

    def refuses(self, ask: Ask) -> bool:
        """Whether a request can never run."""
        whole = self.batching.reserve == "all"  # then nobody is preempted, to compute what it generated again
        return (
            ask.input < 1
            or ask.output < 1
            or ask.input + ask.output > self.context
            or math.ceil((self.longest(ask) if whole else ask.input + ask.output) / self.block) > self.blocks
            or (not self.batching.chunked and ask.input + (0 if whole else ask.output - 1) > self.batching.budget(0))
        )


class Rank:
    """A queue, a batch and a KV cache."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.batching = setup, setup.batching
        self.lineup = setup.lineup()
        self.running: list[Ask] = []
        self.cache = Cache(setup.blocks, setup.block, setup.prefix_cache)
        self.chunks: list[tuple[Ask, int]] = []
        self.decodes: list[Ask] = []
        self.preempted = False
        self.swapping = 0.0

    def decoders(self) -> list[Ask]:
        return [ask for ask in self.running if ask.decoding]

    def budget(self) -> int:
        return self.batching.budget(len(self.decoders())) - sum(new for _, new in self.chunks)

    def form(self, now: float) -> None:
        """Put the next iteration together."""
        self.chunks, self.decodes, self.preempted, self.swapping = [], [], False, 0.0
        if self.batching.mixed:
            self.blocks_for_decoders()
            self.prompts_under_way()
            self.letting_in(now)
            self.decodes = self.decoders()
        else:
            self.prompts_under_way()
            self.letting_in(now)
            if not self.chunks:
                self.blocks_for_decoders()
                self.decodes = self.decoders()

    def blocks_for_decoders(self) -> None:
        """Part A: room for the next tokens of all who decode."""
        while True:
            needs = []
            for ask in self.decoders():
                tokens = min(ask.kv(self.setup.advance) + self.setup.advance, ask.input + ask.output)
                needs.append((ask, max(0, self.cache.blocks_for(tokens) - self.cache.held(ask))))
            if self.cache.fits(sum(need for _, need in needs)):
                break
            self.preempt(self.lineup.victim(self.running))
        for ask, need in needs:
            self.cache.take(ask, need)

    def prompts_under_way(self) -> None:
        """Part B: the next chunks of prompts that are not complete."""
        for ask in [ask for ask in self.running if not ask.decoding]:
            if ask not in self.running:  # it had to make room for one before it
                continue
            new = min(ask.prompt - ask.computed, self.budget())
            if new <= 0:
                continue
            need = 0
            if self.batching.reserve in ("chunk", "checked"):
                need = self.cache.blocks_for(ask.computed + new) - self.cache.held(ask)
                while ask in self.running and not self.cache.fits(need):
                    self.preempt(self.lineup.victim(self.running))
            if ask in self.running:
                self.cache.take(ask, need)
                self.compute(ask, new)

    def letting_in(self, now: float) -> None:
        """Part C: whoever waits and fits, in the order of the queue."""
        if self.preempted or not self.batching.admits(len(self.running)):
            return
        busy = bool(self.running)
        while len(self.lineup) and len(self.running) < self.setup.max_batch and self.budget() > 0:
            ask = self.lineup.head()
            if ask.not_before >= now and busy:
                break
            if not (self.swap_in(ask) if ask.swapped else self.let_in(ask, now)):
                break

    def let_in(self, ask: Ask, now: float) -> bool:
        """Start on the prompt of a request that waits, if it fits."""
        hits = self.cache.hits(ask)
        cached = min(ask.hash_block * len(hits), ask.input - 1)
        rest = ask.prompt - cached
        if not self.batching.chunked and rest > self.budget():
            return False
        new = min(rest, self.budget())
        tokens = {
            "chunk": cached + new,
            "checked": cached + new,
            "prompt": ask.prompt,
            "all": self.setup.longest(ask),
        }[self.batching.reserve]
        need = self.cache.blocks_for(tokens) - self.cache.weight(hits)
        if not self.cache.fits(need, hits):
            return False
        if self.batching.reserve == "checked":
            whole = self.cache.blocks_for(ask.prompt) - self.cache.weight(hits)
            if not self.cache.fits(whole, hits):
                return False
        self.lineup.remove(ask)
        self.running.append(ask)
        self.cache.hold(ask, hits)
        self.cache.take(ask, need)
        ask.computed = cached
        if math.isnan(ask.start):
            ask.start, ask.cached = now, cached
        self.compute(ask, new)
        return True

    def swap_in(self, ask: Ask) -> bool:
        """Bring a request back to the decoders, if it fits."""
        need = self.cache.blocks_for(min(ask.prompt + self.setup.advance, ask.input + ask.output))
        if not self.cache.fits(need):
            return False
        self.lineup.remove(ask)
        self.running.append(ask)
        self.cache.hold(ask, [])
        # where prompts go first, room for its next token is taken with everybody's, if they decode at all
        self.cache.take(ask, need if self.batching.mixed else self.cache.blocks_for(ask.prompt))
        ask.swapped, ask.decoding = False, True
        self.swapping += ask.prompt * self.setup.kv_bytes / self.setup.swap
        return True

    def compute(self, ask: Ask, new: int) -> None:
        self.chunks.append((ask, new))
        self.cache.register(ask, ask.computed + new)

    def preempt(self, ask: Ask) -> None:
        """Put a running request back into the queue."""
        kv = math.floor(ask.kv(self.setup.advance))
        ask.had = math.floor(ask.generated(self.setup.advance))
        self.preempted = True
        self.running.remove(ask)
        self.chunks = [chunk for chunk in self.chunks if chunk[0] is not ask]
        self.cache.give_back(ask)
        ask.preemptions += 1
        if self.setup.swap and ask.decoding:
            self.swapping += kv * self.setup.kv_bytes / self.setup.swap
            ask.swapped, ask.prompt = True, kv
        else:
            ask.recomputed += kv
            ask.prompt, ask.computed = ask.input + ask.had, 0
        ask.decoding, ask.steps = False, 0
        self.lineup.put_back(ask)

    def batch(self) -> Batch:
        """What it computes in this iteration."""
        kv = [ask.kv(self.setup.advance) for ask in self.decodes]
        return Batch(
            tuple(Chunk(new, ask.computed, ask.computed + new == ask.prompt) for ask, new in self.chunks),
            len(kv),
            math.fsum(kv),
            math.fsum(min(each, self.setup.window) for each in kv),
        )

    def finish(self, now: float) -> tuple[list[Ask], int]:
        """The end of the iteration. Returns who is through, and the whole tokens generated."""
        advance = self.setup.advance
        before = {ask: math.floor(ask.generated(advance)) for ask in self.running}
        for ask in self.decodes:
            ask.steps += 1
        for ask, new in self.chunks:
            ask.computed += new
            if ask.computed == ask.prompt:
                ask.had += 1
                ask.decoding = True
        self.chunks, self.decodes = [], []
        for unit in self.cache.units.values():
            unit.fresh = False
        through, tokens = [], 0
        for ask in list(self.running):
            more = math.floor(ask.generated(advance)) - before[ask]
            tokens += more
            if ask.state == "ROUTED":
                ask.tokens += [now] * more
                if more and math.isnan(ask.first_token):
                    ask.first_token = now
                if ask.through(advance):
                    ask.state, ask.end = "FINISHED", now
                    through.append(ask)
            if ask.state != "ROUTED":  # through, or its client has gone
                self.leave(ask)
        return through, tokens

    def leave(self, ask: Ask) -> None:
        """Take a request out, wherever it is."""
        if ask in self.running:
            self.running.remove(ask)
            self.cache.give_back(ask)
        else:
            self.lineup.remove(ask)
