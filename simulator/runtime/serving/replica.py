"""A replica on the clock: iteration after iteration, or many alike at one stroke."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simulator.core.clock import Clock, Phase, Soon
from simulator.core.timer import Timer
from simulator.models.serving.api import Decoding
from simulator.runtime.serving.ledger import Ledger
from simulator.runtime.serving.rank import Parked, Rank
from simulator.runtime.serving.spec import Engine, ServiceSpec
from simulator.runtime.serving.stretch import Stretch, overtaken
from simulator.workload.requests import Request, RequestState

_MOST = 1 << 40
_TIMEOUT = RequestState.TIMEOUT


class Replica:
    """Runs the batches of its ranks, which are in lockstep.

    While no prompt is computed and nobody can join, all iterations until the next change are one event: they last
    ``first + growth * j`` seconds, j = 0, 1, ... An arrival that could be let in cuts them at the next boundary.
    ``elsewhere``: requests go elsewhere to decode. ``idle`` is called when the last one has left a replica that takes
    no more.
    """

    def __init__(
        self,
        number: int,
        spec: ServiceSpec,
        engine: Engine,
        ranks: int,
        clock: Clock,
        ledger: Ledger,
        elsewhere: bool = False,
        idle: Callable[[Replica], None] = lambda replica: None,
    ) -> None:
        self._elsewhere, self._idle = elsewhere, idle
        self.number, self._clock, self._ledger = number, clock, ledger
        self._advance = spec.advance
        self._time, self.engine = engine.time, engine
        self.ranks = [Rank(spec, engine, lambda: clock.now, ledger.noted) for _ in range(ranks)]
        self._only = self.ranks[0] if ranks == 1 else None
        self._max_batch = spec.max_batch
        self._ahead = bool(getattr(self.ranks[0].batching, "ahead", False))
        self._timer = Timer(clock, self._boundary, Phase.ENDS)
        self._soon = Soon(clock, self._form, Phase.PASS)
        self._stretch: Stretch | None = None
        self._still: list[tuple[float, int]] = []
        """Of sequences that stand still while prompts are computed: since when, and how many."""
        self.outstanding = 0
        """Requests that were sent here and have not ended."""
        self.busy = 0.0
        """Seconds of all iterations that are over."""
        self.taking = False
        """Whether requests are sent here."""
        self.down = False
        self.adapters: dict[str, float] = {}
        """LoRA adapters in memory, and since when each is there (s)."""

    # -- what routers see -----------------------------------------------------------------------------------------

    @property
    def computing(self) -> bool:
        """Whether an iteration goes on."""
        return self._stretch is not None

    @property
    def queued(self) -> int:
        """Requests that wait here."""
        return sum([len(rank.lineup) + len(rank.landed) for rank in self.ranks])

    @property
    def open(self) -> bool:
        """Whether nobody waits here, and a request that comes can be let in at the next boundary."""
        return not self.queued and any(len(rank.running) < self._max_batch for rank in self.ranks)

    @property
    def running(self) -> int:
        """Requests in the batch."""
        return sum([len(rank.running) for rank in self.ranks])

    @property
    def pending(self) -> int:
        """Prompt tokens that are not computed."""
        return sum([rank.pending for rank in self.ranks])

    @property
    def held(self) -> int:
        """KV blocks that requests hold now."""
        self._catch_up()
        return sum([rank.pool.held for rank in self.ranks])

    def _catch_up(self) -> None:
        """Take the blocks of the iterations that have begun; the pool would be told of them when all are over."""
        stretch = self._stretch
        if stretch is not None and stretch.count > 1:
            begun = min(stretch.count, stretch.boundary(self._clock.now))
            for rank in self.ranks:
                if rank.decodes:
                    rank.grow(begun)

    @property
    def kv(self) -> float:
        """Share of the KV blocks that requests hold."""
        return self.held / (self.engine.blocks * len(self.ranks))

    def prefix(self, request: Request) -> int:
        """Leading units of a request's prompt in the prefix cache."""
        return self.prefix_at(request, self._clock.now)

    def prefix_at(self, request: Request, time: float) -> int:
        """The same, as it was at ``time`` (s): now, or when the state was last published."""
        hashes = request.hashes
        if not hashes:
            return 0
        self._catch_up()
        return max([rank.pool.seen(hashes, time) for rank in self.ranks])

    def adapted(self, adapter: str) -> bool:
        """Whether an adapter is in memory."""
        return not adapter or self.adapters.get(adapter, math.inf) <= self._clock.now

    # -- coming and going -----------------------------------------------------------------------------------------

    def left(self) -> None:
        """One of the requests that were sent here has ended, or is elsewhere."""
        self.outstanding -= 1
        if not self.taking and not self.outstanding:
            self._idle(self)

    def add(self, request: Request) -> None:
        """Take a request into the queue."""
        rank = self._only or self._shortest()
        request.rank = 0 if self._only else self.ranks.index(rank)
        stretch, now = self._stretch, self._clock.now
        if stretch is None or not self._ahead or not rank.running:
            if rank.add(request):
                self._cut()
            return
        begun = stretch.boundary(now)
        following = stretch.moment(begun)
        if following <= now:
            if rank.add(request):
                self._cut()
        elif rank.add(request, after=following):
            self._cut(begun + 1)

    def _shortest(self) -> Rank:
        return min(self.ranks, key=lambda rank: rank.outstanding)

    def reserve(self, request: Request) -> bool:
        """Reserve blocks for a request that will come with its keys and values; False if there are not enough now."""
        self._catch_up()
        for index, rank in sorted(enumerate(self.ranks), key=lambda item: item[1].outstanding):
            if rank.reserve(request):
                request.rank = index
                self._cut()
                return True
        return False

    def land(self, request: Request) -> None:
        """Let a request decode whose keys and values have come."""
        rank = self.ranks[request.rank]
        rank.land(request)
        if len(rank.running) < self._max_batch:
            self._cut()

    def unreserve(self, request: Request) -> None:
        """Take back the blocks that were reserved for a request that does not come."""
        self.ranks[request.rank].unreserve(request)
        self._cut()

    def unpark(self, parked: Parked) -> None:
        """Take back the blocks of a request that has gone elsewhere with its keys and values."""
        parked.rank.unpark(parked.blocks, parked.units)
        self._cut()

    def give_up(self, request: Request) -> None:
        """Take out a request whose client does not wait any more: at once, or out of the batch at the next boundary."""
        rank = self.ranks[request.rank]
        if request in rank.running:
            request.generated = self.generated(request)
            rank.leaving[request] = None
            self._cut()
        else:
            rank.withdraw(request)
            self._cut()

    def generated(self, request: Request) -> int:
        """Tokens that a request here has got by now."""
        rank = self.ranks[request.rank]
        if request not in rank.decoders.ends:
            return request.generated
        stretch = self._stretch
        over = stretch.over(self._clock.now) if stretch is not None and rank.decodes else 0
        return rank.decoders.generated(request, over)

    def _cut(self, count: int = 0) -> None:
        """Something has changed: form anew after ``count`` iterations, or at the next boundary: now if nothing runs."""
        stretch = self._stretch
        if stretch is None:
            self._soon()
        elif stretch.count > 1:
            count = count or stretch.boundary(self._clock.now)
            if count < stretch.count:
                stretch.count = count
                self._timer.set(max(stretch.moment(count), self._clock.now))

    def stop(self) -> list[Request]:
        """End at once, in the middle of an iteration; return the requests that were here."""
        busy = self.busy_until(self._clock.now)
        self.down, self.taking = True, False
        self._timer.set(math.inf)
        stretch, self._stretch = self._stretch, None
        over = 0
        if stretch is not None and not stretch.prompt:
            over = stretch.count = stretch.over(self._clock.now)
        if stretch is not None and over:
            stretch.tokens = self._given(stretch)
            self._note(stretch)
        for rank in self.ranks:
            for request in rank.running:
                if request in rank.decoders.ends:
                    request.generated = rank.decoders.generated(request, over)
        self.busy = busy
        lost: dict[Request, None] = {}
        for rank in self.ranks:
            lost.update(dict.fromkeys((*rank.running, *rank.lineup, *rank.landed)))
        return [request for request in lost if request.state is not _TIMEOUT]

    # -- iterations -----------------------------------------------------------------------------------------------

    def _form(self) -> None:
        """Begin the next iteration, or iterations, if there is anything to do."""
        if self._stretch is not None or self.down:
            return
        rank = self._only
        if rank is not None:
            if rank.leaving:
                self._dismiss()
            rank.form()
            if rank.chunks:
                self._once(self._time.seconds((rank.batch(),)) + rank.extra)
            elif rank.decodes:
                self._leap((rank,))
            return
        if any(rank.leaving for rank in self.ranks):
            self._dismiss()
        for rank in self.ranks:
            rank.form()
        if any(rank.chunks for rank in self.ranks):
            extra = max(rank.extra for rank in self.ranks)
            self._once(self._time.seconds([rank.batch() for rank in self.ranks]) + extra)
        elif any(rank.decodes for rank in self.ranks):
            self._leap([rank for rank in self.ranks if rank.decodes])

    def _dismiss(self) -> None:
        """Let those leave whose clients have gone."""
        for rank in self.ranks:
            rank.dismiss()
        self._ledger.freed(self)

    def _once(self, seconds: float) -> None:
        """Begin one iteration that computes prompts, perhaps beside others that decode."""
        now = self._clock.now
        stretch = self._stretch = Stretch(now, 1, seconds, 0.0)
        for rank in self.ranks:
            if rank.decodes:
                stretch.sequences += len(rank.decoders.ends)
            elif rank.chunks and len(rank.decoders.ends) and not self._still:
                self._still.append((now, len(rank.decoders.ends)))
            for request, new in rank.chunks:
                stretch.prompt += new
                stretch.tokens += request.computed + new >= request.prompt
            if rank.pool.caching:
                rank.pool.computed(now + seconds)
        self._set_out(stretch)

    def _leap(self, ranks: Sequence[Rank]) -> None:
        """Begin all iterations up to the next change of the batch."""
        rank = self._only
        if rank is not None:
            size = len(rank.decoders.ends)
            decoding = self._time.decoding((size,), (rank.decoders.context,))
            seconds, growth = self._line(rank, decoding)
            extra, count = rank.extra, 1 if rank.evicted or rank.again else _MOST
        else:
            sizes = [len(each.decoders.ends) if each.decodes else 0 for each in self.ranks]
            decoding = self._time.decoding(sizes, [each.decoders.context for each in self.ranks])
            size, lines = sum(sizes), [self._line(each, decoding) for each in ranks]
            seconds, growth = max(lines)
            count = min([_MOST, *(overtaken(seconds - s, g - growth) for s, g in lines if g > growth)])
            extra = max(each.extra for each in self.ranks)
            if any(each.evicted or each.again for each in self.ranks):
                count = 1
        if extra:
            count = 1
        for each in ranks:
            count = self._bounded(count, each, decoding.until)
        stretch = self._stretch = Stretch(self._clock.now, count, decoding.base + seconds + extra, growth)
        stretch.sequences = size
        self._set_out(stretch)

    def _bounded(self, count: int, rank: Rank, until: float) -> int:
        """Iterations, at most ``count``, in which a rank's sequences stay the same and times linear."""
        decoders = rank.decoders
        if until < math.inf:  # whichever rank takes longest: of a flat line all do
            grows = self._advance * len(decoders.ends)
            count = min(count, max(1, math.floor((until - decoders.context) / grows + 1e-9) + 1))
        count = min(count, decoders.next_end())
        if decoders.below:
            count = min(count, int(decoders.next_crossing()))
        return decoders.runway(rank.steady, count)

    def _line(self, rank: Rank, decoding: Decoding) -> tuple[float, float]:
        """Seconds of the next iteration that go by what a rank's sequences hold, and how they grow."""
        decoders = rank.decoders
        seconds = decoding.context * decoders.context
        growth = decoding.context * self._advance * len(decoders.ends)
        if decoding.windowed:
            seconds += decoding.windowed * decoders.windowed
            growth += decoding.windowed * self._advance * decoders.below
        return seconds, growth

    def _set_out(self, stretch: Stretch) -> None:
        self._ledger.begun(self)
        for rank in self.ranks:
            stretch.waiting += len(rank.lineup) + len(rank.landed)
            stretch.held += rank.pool.held
        if self._still and stretch.sequences:
            counted = [(stretch.start - since, count) for since, count in self._still if since < stretch.start]
            stretch.stalled = min(stretch.sequences, sum(count for _, count in counted))
            stretch.stall = sum(span * count for span, count in counted) / max(1, sum(count for _, count in counted))
            self._still.clear()
        self._timer.set(stretch.moment(stretch.count))

    def _boundary(self) -> None:
        """The iterations are over: hand out tokens, and form the next ones."""
        stretch = self._stretch
        assert stretch is not None
        self._stretch = None
        now, ledger = self._clock.now, self._ledger
        freed = False
        stretch.tokens += self._given(stretch)
        self._note(stretch)
        for rank in self.ranks:
            through = rank.end(stretch.count)
            for request in through:
                if request in rank.decoders.ends:
                    rank.release(request)
                    freed = True
                    if request.state is not _TIMEOUT:
                        ledger.through(self, request)
                    else:
                        rank.leaving.pop(request, None)
                else:
                    freed |= self._prompted(rank, request, now)
        if freed:
            ledger.freed(self)
        if not self.down:
            self._soon.finish()

    def _prompted(self, rank: Rank, request: Request, now: float) -> bool:
        """A prompt is complete, and its first token, or the next one, is there; True if blocks are free."""
        if request.state is _TIMEOUT:
            return False  # it leaves when the next iteration is formed
        if request.first_token != request.first_token:
            request.first_token = now
        else:
            rank.resumed(request, now)
        if request.generated >= request.output:
            rank.release(request)
            self._ledger.through(self, request)
            return True
        if self._elsewhere:
            self._ledger.prompted(self, request, rank.park(request))
            return False
        rank.decoders.join(request)
        if not rank.batching.mixed:
            self._still.append((now, 1))
        return False

    def _given(self, stretch: Stretch) -> int:
        """Tokens that the sequences that decode get in all the iterations."""
        if self._advance == 1.0:
            return stretch.count * stretch.sequences
        return sum([rank.decoders.given(stretch.count) for rank in self.ranks if rank.decodes])

    def busy_until(self, now: float) -> float:
        """Seconds of iterations up to ``now`` (s), the one that goes on included as far as it has gone."""
        return self.busy + (max(0.0, now - self._stretch.start) if self._stretch is not None else 0.0)

    def _note(self, stretch: Stretch) -> None:
        self.busy += stretch.moment(stretch.count) - stretch.start
        self._ledger.iterations(self, stretch)
