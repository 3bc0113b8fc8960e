"""Replicas of an LLM service, iteration by iteration: plain lists, every sum anew, no events and nothing of the engine.

How replicas batch, preempt, swap and reuse prefixes is written down here once more, as naively as it goes, so that the
engine can be checked against it request by request. Times in seconds, lengths in tokens. Two things are shared with the
engine: what an iteration is made of (``Chunk``, ``Batch``), and the names of the rules of a batching and a lineup.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference.serving_blocks import Ask
from reference.serving_rank import Rank, Setup

Router = Callable[[Ask, Sequence["Replica"]], "Replica"]
"""Chooses one of the replicas, which it sees as they are."""


@dataclass
class Step:
    """One iteration of a replica, as it was."""

    replica: int
    start: float
    seconds: float
    sequences: int
    prompt: int
    tokens: int
    waiting: int
    held: int


class Replica:
    """Ranks in lockstep. Its properties mean what ``ReplicaView`` says."""

    def __init__(self, number: int, setup: Setup) -> None:
        self.number, self.setup = number, setup
        self.ranks = [Rank(setup) for _ in range(setup.ranks)]
        self.sent: list[Ask] = []
        self.ends = math.inf
        """When the iteration under way is over; infinite when there is none."""
        self.steps: list[Step] = []

    @property
    def outstanding(self) -> int:
        return sum(ask.state == "ROUTED" for ask in self.sent)

    @property
    def queued(self) -> int:
        return sum(len(rank.lineup) for rank in self.ranks)

    @property
    def running(self) -> int:
        return sum(len(rank.running) for rank in self.ranks)

    @property
    def held(self) -> int:
        """Blocks that requests hold."""
        return sum(self.setup.blocks - rank.cache.available() for rank in self.ranks)

    @property
    def kv(self) -> float:
        return self.held / (self.setup.blocks * len(self.ranks))

    @property
    def pending(self) -> int:
        asks = [ask for rank in self.ranks for ask in (*rank.lineup, *rank.running)]
        return sum(ask.prompt - ask.computed for ask in asks if not ask.decoding and not ask.swapped)

    def prefix(self, ask: Ask) -> int:
        def leading(rank: Rank) -> int:
            hits = rank.cache.hits(ask)
            fresh = [place for place, name in enumerate(hits) if rank.cache.units[name].fresh]
            return fresh[0] if fresh else len(hits)

        return max(leading(rank) for rank in self.ranks)

    def take(self, ask: Ask) -> None:
        """Queue a request at the rank with the fewest requests, the first one of several."""
        loads = [len(rank.lineup) + len(rank.running) for rank in self.ranks]
        ask.state, ask.replica, ask.rank = "ROUTED", self.number, loads.index(min(loads))
        ask.prompt = ask.input
        if getattr(self.setup.batching, "ahead", False) and self.ends < math.inf:
            ask.not_before = self.ends  # the next iteration is made up already
        self.sent.append(ask)
        self.ranks[ask.rank].lineup.add(ask)

    def give_up(self, ask: Ask, now: float) -> None:
        """The client has gone: out of the queue at once, out of a batch when its iteration is over."""
        ask.state, ask.end = "TIMEOUT", now
        rank = self.ranks[ask.rank]
        if ask not in rank.running or self.ends == math.inf:
            rank.leave(ask)

    def form(self, now: float) -> None:
        """Begin the next iteration, if there is anything to do."""
        for rank in self.ranks:
            rank.form(now)
        batches = [rank.batch() for rank in self.ranks]
        if any(batch.chunks or batch.sequences for batch in batches):
            seconds = self.setup.seconds(batches) + max(rank.swapping for rank in self.ranks)
            self.ends = now + seconds
            sequences = sum(batch.sequences for batch in batches)
            prompt = sum(chunk.new for batch in batches for chunk in batch.chunks)
            self.steps.append(Step(self.number, now, seconds, sequences, prompt, 0, self.queued, self.held))
        else:
            assert not any(rank.preempted for rank in self.ranks), "everybody was preempted"

    def finish(self) -> list[Ask]:
        """The end of an iteration. Returns who is through."""
        now, self.ends = self.ends, math.inf
        through = []
        for rank in self.ranks:
            over, tokens = rank.finish(now)
            through += over
            self.steps[-1].tokens += tokens
        return through


class Service:
    """Replicas and the requests that are sent to them."""

    def __init__(self, setup: Setup, asks: Sequence[Ask], route: Router, replicas: int) -> None:
        self.setup, self.asks, self.route = setup, asks, route
        self.replicas = [Replica(number, setup) for number in range(replicas)]
        self.coming = [ask for ask in asks if ask.after is None]

    def patience(self, ask: Ask) -> float:
        """When the client of a request that runs or waits gives up."""
        first = self.setup.first_token_timeout if math.isnan(ask.first_token) else math.inf
        return ask.arrival + min(first, self.setup.timeout)

    def next_instant(self) -> float:
        """When something happens next; infinite: never."""
        arrivals = [ask.arrival for ask in self.coming]
        ends = [replica.ends for replica in self.replicas]
        patience = [self.patience(ask) for ask in self.asks if ask.state == "ROUTED"]
        return min(arrivals + ends + patience, default=math.inf)

    def instant(self, now: float) -> None:
        """All that happens at one instant: ends of iterations, clients that give up, arrivals, new iterations."""
        for replica in self.replicas:
            if replica.ends == now:
                for ask in replica.finish():
                    self.ended(ask)
        for ask in self.asks:
            if ask.state == "ROUTED" and self.patience(ask) <= now:
                self.replicas[ask.replica].give_up(ask, now)
                self.ended(ask)
        while arrived := [ask for ask in self.coming if ask.arrival <= now]:
            self.arrive(min(arrived, key=lambda ask: ask.arrival), now)
        for replica in self.replicas:
            if replica.ends == math.inf:
                replica.form(now)

    def arrive(self, ask: Ask, now: float) -> None:
        self.coming.remove(ask)
        if self.setup.refuses(ask):
            self.refuse(ask, now)
        else:
            self.route(ask, self.replicas).take(ask)

    def refuse(self, ask: Ask, now: float) -> None:
        """Reject a request, and all who wait for it."""
        ask.state, ask.end = "REJECTED", now
        self.ended(ask)

    def ended(self, ask: Ask) -> None:
        """Send those who waited for the end of this request; if it was not finished they never are."""
        for each in self.asks:
            if each.after is ask and ask.state == "FINISHED":
                each.arrival = max(each.arrival, ask.end + each.delay)
                self.coming.append(each)
            elif each.after is ask:
                self.refuse(each, ask.end)


def simulate(setup: Setup, asks: Sequence[Ask], route: Router, replicas: int = 1) -> list[Replica]:
    """Run until nobody can go on. The requests keep what became of them, the replicas their iterations."""
    service = Service(setup, asks, route, replicas)
    while (now := service.next_instant()) < math.inf:
        service.instant(now)
    return service.replicas
