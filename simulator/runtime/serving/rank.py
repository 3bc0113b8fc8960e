"""One data-parallel part of a replica: its queue, its batch, its KV cache; how it forms and ends an iteration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from simulator.models.serving.api import Batch, Chunk
from simulator.policies.serving import Batching, Lineup
from simulator.runtime.serving.blocks import BlockPool
from simulator.runtime.serving.decoders import Decoders
from simulator.runtime.serving.spec import Engine, ServiceSpec
from simulator.workload.requests import Request


class Parked(NamedTuple):
    """What a request left behind that went elsewhere to decode: blocks, and units of the prefix cache among them."""

    rank: Rank
    blocks: int
    units: list[int]


class Rank:
    """Forms iterations of the requests that are sent to it, at boundaries that its replica keeps.

    ``now`` tells the time, ``note(event, request)`` is told who is preempted (``evict``) and goes on (``resume``).
    """

    def __init__(
        self, spec: ServiceSpec, engine: Engine, now: Callable[[], float], note: Callable[[str, Request], None]
    ) -> None:
        self._spec, self._now, self._note = spec, now, note
        self.batching: Batching = spec.batching()
        self.lineup: Lineup = spec.lineup()
        self._charge = getattr(self.lineup, "charge", None)
        self._charged: dict[Request, int] = {}
        self._whole = self.batching.reserve == "all"
        self._by_chunk = self.batching.reserve in ("chunk", "checked")
        self.pool = BlockPool(engine.blocks, spec.block, spec.prefix_cache)
        self.decoders = Decoders(spec.block, engine.time.window, spec.advance, grows=not self._whole)
        self._swap = engine.swap if spec.swap else 0.0
        self._swapped: dict[Request, int] = {}
        """Requests that wait with their keys and values in the host's memory: tokens of these."""
        self.running: dict[Request, None] = {}
        """Requests in the batch, in the order in which they were let in."""
        self._prompts: dict[Request, None] = {}
        """Of them: whose prompt is under way."""
        self.landed: dict[Request, None] = {}
        """Requests whose keys and values came from another replica, and that will decode here."""
        self.leaving: dict[Request, None] = {}
        """Requests that their clients have given up while they were in the batch."""
        self.chunks: list[tuple[Request, int]] = []
        """What the iteration computes of prompts: how many tokens of which."""
        self.decodes = False
        """Whether the iteration gives tokens to the decoders."""
        self.extra = 0.0
        """Seconds that the iteration takes longer, for moving keys and values to the host and back."""
        self.evicted = False
        """Whether somebody had to go for the iteration: then nobody was let in, and may be for the next one."""
        self._early: dict[Request, float] = {}
        """Requests that came when the next iteration was made up already, and when that begins (s)."""
        self.again = False
        """Whether who is next in the queue may be let in one iteration on, though nothing else changes."""
        self.pending = 0
        """Prompt tokens that are not computed."""

    @property
    def outstanding(self) -> int:
        """Requests that are here."""
        return len(self.lineup) + len(self.running) + len(self.landed)

    @property
    def steady(self) -> int:
        """Blocks that sequences may take before somebody has to go, or a unit goes without which who waits may fit."""
        waits = self.batching.reserve == "chunk" and self.pool.caching and len(self.lineup) > 0
        return self.pool.free if waits else self.pool.available

    # -- coming and going -------------------------------------------------------------------------------------------

    def add(self, request: Request, after: float = -math.inf) -> bool:
        """Take a request that is let in after ``after`` (s); return whether it could be as soon as that."""
        request.prompt, request.computed = request.input, 0
        if after > -math.inf:
            self._early[request] = after
        self.pending += request.prompt
        self.lineup.add(request)
        room = len(self.running) < self._spec.max_batch and self.batching.admits(len(self.running))
        return room and self.lineup.head() is request

    def land(self, request: Request) -> None:
        """Take a request that decodes from now on; its blocks were reserved."""
        self.landed[request] = None

    def reserve(self, request: Request) -> bool:
        """Reserve blocks for a request that will land here, if they can be had."""
        need = self._blocks(self._lasting(request) if self._whole else request.prompt)
        if need > self.pool.available:
            return False
        self.pool.take(need, self._now())
        request.blocks = need
        return True

    def withdraw(self, request: Request) -> None:
        """Take a request out that is not in the batch."""
        if request in self.landed:
            del self.landed[request]
            self.pool.give(request.blocks)
            request.blocks = 0
        else:
            self.lineup.remove(request)
            self._early.pop(request, None)
            self._swapped.pop(request, None)
            self.pending -= request.prompt - request.computed

    def release(self, request: Request) -> None:
        """Take a request out of the batch, and its blocks back."""
        if self._charge is not None:
            self._settle(request)
        del self.running[request]
        if request in self.decoders.ends:
            held = self.decoders.leave(request)
        else:
            held = request.blocks
            if request in self._prompts:
                del self._prompts[request]
                self.pending -= request.prompt - request.computed
        self._give_back(request, held)

    def dismiss(self) -> None:
        """Take those out of the batch whose clients have given up."""
        for request in self.leaving:
            self.release(request)
        self.leaving.clear()

    def park(self, request: Request) -> Parked:
        """Take a request out of the batch, whose keys and values stay until ``unpark``."""
        if self._charge is not None:
            self._settle(request)
        del self.running[request]
        parked = Parked(self, request.blocks, request.units)
        request.blocks, request.units = 0, []
        return parked

    def unpark(self, blocks: int, units: list[int]) -> None:
        """Take the blocks of a parked request back."""
        self.pool.give(blocks - self.pool.leave(units))

    def unreserve(self, request: Request) -> None:
        """Take back the blocks that were reserved for a request that does not come."""
        self.pool.give(request.blocks)
        request.blocks = 0

    def _give_back(self, request: Request, held: int) -> None:
        if request.units:
            held -= self.pool.leave(request.units)
            request.units.clear()
        self.pool.give(held)
        request.blocks = 0

    # -- forming an iteration ---------------------------------------------------------------------------------------

    def form(self) -> None:
        """Put the next iteration together: ``chunks``, ``decodes``, ``extra``."""
        self.chunks.clear()
        self.extra, self.evicted, self.again = 0.0, False, False
        self.decoders.ahead = 0  # not so when the last time nobody was there to decode
        self._let_land()
        if self.batching.mixed:
            self._secure()
            self._compute()
        else:
            self._compute()
            if not self.chunks:
                self._secure()
        while self.landed and not self.running:  # who was there has had to go
            self.decoders.ahead = 0
            self._let_land()
            self._secure()
        self.decodes = len(self.decoders.ends) > 0 and (self.batching.mixed or not self.chunks)

    def _let_land(self) -> None:
        for request in tuple(self.landed):
            if len(self.running) >= self._spec.max_batch:
                break
            del self.landed[request]
            self.running[request] = None
            self.decoders.join(request)

    def _secure(self) -> None:
        """Take the blocks that the decoders need for one more iteration; while there are too few somebody has to go."""
        decoders, pool = self.decoders, self.pool
        need = decoders.need()
        while need > pool.available:
            self._preempt()
            need = decoders.need()
        if need:
            pool.take(need, self._now())
        decoders.ahead = 1

    def _compute(self) -> None:
        """Choose the pieces of prompts that the iteration computes, and let requests in for it."""
        if not self._prompts and (self.evicted or not len(self.lineup)):
            return
        for request in tuple(self._prompts):
            new = min(request.prompt - request.computed, self._left())
            if request not in self._prompts or new <= 0:  # it had to make room for one before it, or nothing is left
                continue
            if not self._by_chunk or self._grow(request, request.computed + new):
                self._schedule(request, new)
        if not self.evicted and len(self.lineup) and self.batching.admits(len(self.running)):
            self._let_in(self._left())

    def _left(self) -> int:
        """Prompt tokens that the iteration may compute yet."""
        return self.batching.budget(len(self.decoders.ends)) - sum([new for _, new in self.chunks])

    def _grow(self, request: Request, length: int) -> bool:
        """Take the blocks for the first ``length`` tokens of a prompt under way; False if it had to go instead."""
        need = self._blocks(length) - request.blocks
        while need > self.pool.available:
            if self._preempt() is request:
                return False
        self.pool.take(need, self._now())
        request.blocks += need
        return True

    def _let_in(self, budget: int) -> None:
        lineup, batching, pool = self.lineup, self.batching, self.pool
        busy = len(self.running) > 0
        if self._charge is not None:
            for running in self.running:
                self._settle(running)
        while budget > 0 and len(lineup) and len(self.running) < self._spec.max_batch:
            request = lineup.head()
            if busy and self._early.get(request, -1.0) >= self._now():
                self.again = True
                break
            if request in self._swapped:
                before = batching.budget(len(self.decoders.ends))
                if not self._swap_in(request):
                    break
                budget -= before - batching.budget(len(self.decoders.ends))
                continue
            hits = pool.hits(request.hashes) if pool.caching and request.hashes else 0
            cached = min(request.hash_block * hits, request.input - 1) if hits else 0
            new = min(request.prompt - cached, budget)
            if not batching.chunked and new < request.prompt - cached:
                break
            weight, idle = pool.weigh(request.hashes, hits) if hits else (0, 0)
            whole = max(self._blocks(self._lasting(request) if self._whole else request.prompt), weight)
            blocks = max(self._blocks(cached + new), weight) if self._by_chunk else whole
            if (blocks if batching.reserve == "chunk" else whole) - weight > pool.available - idle:
                break
            lineup.remove(request)
            if hits:
                request.units.extend(pool.hold(request.hashes, hits))
            pool.take(blocks - weight, self._now())
            request.blocks = blocks
            self._begin(request, cached, new)
            budget -= new

    def _begin(self, request: Request, cached: int, new: int) -> None:
        """Put a request that was let in into the batch."""
        if request.start != request.start:
            request.start = self._now()
            request.cached = cached
        request.computed = cached
        self.pending -= cached
        self._early.pop(request, None)
        self.running[request] = None
        self._prompts[request] = None
        self._schedule(request, new)

    def _schedule(self, request: Request, new: int) -> None:
        self.chunks.append((request, new))
        if self._charge is not None:
            self._charge(request, new, 0)
        if self.pool.caching and request.hashes:
            self.pool.know(request, request.computed + new)

    # -- who has to go ------------------------------------------------------------------------------------------------

    def _preempt(self) -> Request:
        """Put the request that the lineup names back into the queue; return it."""
        request = self.lineup.victim(tuple(self.running))
        length = self.decoders.length(request) if request in self.decoders.ends else request.computed
        swapped = self._swap > 0 and request in self.decoders.ends
        self.release(request)
        self.chunks = [chunk for chunk in self.chunks if chunk[0] is not request]
        request.preemptions += 1
        self.evicted = True
        self._note("evict", request)
        if request.first_token == request.first_token:
            request.stopped = self._now()
        if swapped:
            self._swapped[request] = length
            self.extra += length * self._spec.kv_bytes / self._swap
            request.computed = request.prompt = length
        else:
            request.recomputed += length
            request.prompt, request.computed = request.input + request.generated, 0
            self.pending += request.prompt
        self.lineup.put_back(request)
        return request

    def _swap_in(self, request: Request) -> bool:
        """Bring a request back from the host's memory, if there is room for it, to decode at once."""
        length = self._swapped[request]
        grown = min(length + self._spec.advance, request.input + request.output)
        need = self._blocks(self._lasting(request) if self._whole else math.ceil(grown))
        if need > self.pool.available:
            return False
        self.lineup.remove(request)
        del self._swapped[request]
        if not self.decoders.ahead and not self._whole:
            need = self._blocks(length)  # those for its next token are taken with everybody's
        self.pool.take(need, self._now())
        self.extra += length * self._spec.kv_bytes / self._swap
        self.running[request] = None
        self.decoders.join(request)
        request.blocks = need
        self.resumed(request, self._now())
        return True

    def resumed(self, request: Request, now: float) -> None:
        """A request that was preempted after its first token goes on at ``now`` (s)."""
        if request.stopped == request.stopped:
            request.stalled += now - request.stopped
            request.stopped = math.nan
            self._note("resume", request)

    # -- time and its end ---------------------------------------------------------------------------------------------

    def batch(self) -> Batch:
        """What the iteration computes, for whoever tells how long that takes."""
        chunks = tuple([
            Chunk(new, request.computed, request.computed + new >= request.prompt) for request, new in self.chunks
        ])  # fmt: skip
        decoders = self.decoders
        if not self.decodes:
            return Batch(chunks)
        return Batch(chunks, len(decoders.ends), decoders.context, decoders.windowed)

    def grow(self, iterations: int) -> None:
        """Take the blocks that the decoders need for so many iterations from the first one that is not over."""
        decoders = self.decoders
        if iterations > decoders.ahead:
            need = decoders.need(iterations)
            if need:
                self.pool.take(need, self._now())
            decoders.ahead = iterations

    def end(self, iterations: int) -> list[Request]:
        """End so many iterations like the one that was formed; return requests that have all they asked for.

        Their blocks are still held. Of more than one iteration, none has chunks.
        """
        decoders = self.decoders
        through: list[Request] = []
        if self.decodes:
            self.grow(iterations)
            decoders.pass_by(iterations)
            through = decoders.through()
        for request, new in self.chunks:
            request.computed += new
            self.pending -= new
            if request.computed >= request.prompt:
                del self._prompts[request]
                request.generated += 1
                through.append(request)
        self.chunks.clear()
        decoders.ahead = 0
        return through

    def _settle(self, request: Request) -> None:
        """Tell a lineup that goes by service what a sequence was given since it was last told."""
        assert self._charge is not None
        generated = self.decoders.generated(request) if request in self.decoders.ends else request.generated
        before = self._charged.get(request, 0)
        if generated > before:
            self._charge(request, 0, generated - before)
            self._charged[request] = generated

    def forget(self, request: Request) -> None:
        """A request has ended."""
        self._charged.pop(request, None)

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._spec.block)

    def most(self, request: Request) -> int:
        """Blocks that a request needs here at most."""
        return self._blocks(self._lasting(request) if self._whole else request.input + request.output)

    def _lasting(self, request: Request) -> int:
        return request.input + max(request.output, request.limit)
