"""Requests to a service: what a client asks for, and where the request stands in its life."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol


class RequestState(IntEnum):
    """Where a request is in its life; from ``FINISHED`` on all are final."""

    PENDING = 0
    ROUTED = 1
    """Sent to a replica, and not ended."""
    FINISHED = 2
    REJECTED = 3
    TIMEOUT = 4
    UNFINISHED = 5


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    """One request. Lengths in tokens, times in seconds since the start of the run.

    The first block is what the client says. The second is kept by the engine and is read-only for policies.
    """

    id: str
    arrival: float
    """When it is sent; of a request that waits for another, the earliest time."""
    input: int
    output: int
    """Tokens that it will generate; engines and policies do not know it before."""
    limit: int = 0
    """Most tokens that it may generate, as the client says (``max_tokens``); 0: nothing is said."""
    row: int = -1
    """Row of the log, counted from 1 after the header; -1 when there is none."""
    tenant: str = ""
    category: str = ""
    """Class of service that it belongs to, as "interactive"."""
    priority: float = 0.0
    """Higher goes first, where the engine's order looks at it."""
    session: str = ""
    adapter: str = ""
    """LoRA adapter that it needs; empty for the model alone."""
    hashes: Sequence[int] = ()
    """Names of the leading blocks of its prompt, ``hash_block`` tokens each, the last one perhaps shorter."""
    hash_block: int = 0
    delay: float = 0.0
    """Seconds from the end of the request that it waits for until it is sent (think time, a tool's answer)."""

    state: RequestState = field(default=RequestState.PENDING, init=False)
    reason: str = field(default="", init=False)
    """Why it was rejected."""
    replica: int = field(default=-1, init=False)
    """Number of the replica that it was sent to last."""
    attempts: int = field(default=0, init=False)
    start: float = field(default=math.nan, init=False)
    """When some of its prompt was computed for the first time."""
    first_token: float = field(default=math.nan, init=False)
    end: float = field(default=math.nan, init=False)
    prompt: int = field(default=0, init=False)
    """Tokens to compute before the next one is sampled: its input, and what it had generated when it was preempted."""
    computed: int = field(default=0, init=False)
    """Tokens of ``prompt`` whose keys and values are there."""
    generated: int = field(default=0, init=False)
    """Tokens generated; of a sequence that decodes, when it began to."""
    joined: int = field(default=0, init=False)
    """Iteration of its replica after which it began to decode."""
    cached: int = field(default=0, init=False)
    """Tokens of its input that were found in the prefix cache at its first start."""
    preemptions: int = field(default=0, init=False)
    recomputed: int = field(default=0, init=False)
    """Tokens whose keys and values were thrown away, to be computed again."""
    stopped: float = field(default=math.nan, init=False)
    """When it was preempted last, while it has not gone on."""
    stalled: float = field(default=0.0, init=False)
    """Seconds after its first token in which it had been preempted, or waited to go on."""
    transferred: float = field(default=0.0, init=False)
    """Seconds from its first token until its keys and values had arrived where it decodes."""
    blocks: int = field(default=0, init=False)
    """Blocks of the KV cache that it holds, as of the last change of its batch."""
    units: list[int] = field(default_factory=list, init=False)
    """Blocks of its prompt, by hash, that it shares with the prefix cache."""
    rank: int = field(default=0, init=False)
    """Data-parallel part of the replica that it is in."""


class Requests(Protocol):
    """The requests of one service."""

    def __iter__(self) -> Iterator[Request]:
        """Fresh requests that wait for no other, in order of arrival."""
        ...

    def __len__(self) -> int:
        """All requests, those that wait for others included."""
        ...

    def followers(self, request: Request) -> Sequence[Request]:
        """Fresh requests that wait for this one, in their order; empty for most."""
        ...
