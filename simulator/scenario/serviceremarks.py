"""What a reader must know of services as they are planned: said, not silently taken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem
from simulator.core.units import format_quantity
from simulator.models.serving.api import Batch, Chunk
from simulator.scenario.replicas import Replicas
from simulator.scenario.services import EVERY_CLASS, ServiceKeys
from simulator.workload.requestlog import RequestLog

_SHOWN = 5
"""Names that a note lists."""


def service_remarks(keys: ServiceKeys, log: RequestLog, decode: Replicas, prefill: Replicas | None) -> list[str]:
    """Return what must be known of one service, in parts of sentences."""
    pools = [decode] if prefill is None else [decode, prefill]
    notes = [note for pool in pools for note in (*pool.notes, *_crowded(pool))]
    if prefill is not None:
        notes += [*_starved(decode, prefill), *_instant(decode, prefill)]
    notes += [*_bounds(keys, log), *_unreachable(keys, decode, prefill or decode)]
    notes += [*_shares(keys, log), *_adapters(keys, log)]
    return list(dict.fromkeys(notes))


def _unreachable(keys: ServiceKeys, decode: Replicas, first: Replicas) -> Iterator[str]:
    """Say when a bound is below what an empty replica needs for a prompt of one token, or for one token more."""
    if keys.iteration_time is not None:
        return  # it may be a user's function, which is asked for nothing but its work
    prompt = _least(first, Batch((Chunk(1, 0),)))
    token = _least(decode, Batch((), 1, 1.0, 1.0)) if keys.engine.speculative is None else 0.0
    for name, bound in keys.slo.items():
        of = f" of class {name}" if name else ""
        for what, promised, least in (("ttft", bound.ttft, prompt), ("tpot", bound.tpot, token)):
            if promised is not None and promised < least:
                text = f"{what} of {_time(promised)}{of} is out of reach: an empty replica needs {_time(least)}"
                yield f"{text} at the least; take a larger bound, a faster accelerator or a larger tp"


def _least(made: Replicas, batch: Batch) -> float:
    """Seconds of one iteration on the fastest accelerators that may hold a replica."""
    idle = (Batch(),) * (made.pool.ranks - 1)
    return min(engine.time.seconds((batch, *idle)) for engine in made.engines.values())


def _time(seconds: float) -> str:
    return format_quantity(seconds, "time", 3)


def together(pools: Sequence[Replicas], topology: Topology) -> list[str]:
    """Say when each pool of replicas would fit, but not all of them at once."""
    wanted = sum(pool.wanted * pool.pool.accelerators for pool in pools)
    if wanted <= topology.accelerators or any(pool.wanted > pool.most for pool in pools):
        return []
    text = f"All replicas together want {wanted:,} accelerators, and the cluster has {topology.accelerators:,}"
    return [f"{text}: some wait until others are gone."]


def check_one_of_each(decode: Replicas, prefill: Replicas) -> None:
    """Raise ``InputError`` when no replica for prompts can stand beside one that decodes."""
    size, room = decode.pool.accelerators + prefill.pool.accelerators, _room(decode, prefill)
    if size > room:
        text = f"one replica for prompts and one that decodes take {size:,} accelerators; the cluster has {room:,}"
        hint = "take smaller degrees, or a larger cluster"
        raise InputError(Problem(f"{text} for them: no request could finish", hint=hint))


def _room(*pools: Replicas) -> int:
    """Accelerators on which replicas of any of these pools may run."""
    return sum({server.name: server.accelerators for pool in pools for server in pool.servers}.values())


def _crowded(made: Replicas) -> Iterator[str]:
    """Say when more replicas are wanted, or may be, than can ever be placed."""
    size = made.pool.accelerators
    each = "one accelerator" if size == 1 else f"{size:,} accelerators"
    room = f"the cluster has room for {made.most:,} while nothing else runs: no more are asked for"
    if made.wanted > made.most:
        yield f"{made.wanted:,} replicas of {each} are wanted, and {room}"
    elif made.allowed is not None and made.allowed > made.most:
        yield f"up to {made.allowed:,} replicas of {each} are allowed, and {room}"


def _starved(decode: Replicas, prefill: Replicas) -> Iterator[str]:
    """Say when the replicas for prompts, which are asked for first, leave nothing to those that decode."""
    taken = min(prefill.wanted, prefill.most) * prefill.pool.accelerators
    room, size = _room(decode, prefill), decode.pool.accelerators
    if room - taken < size and decode.wanted:
        left = "none is" if taken == room else f"{room - taken:,} are"
        text = f"{taken:,} of {room:,} accelerators go to prefill; {left} left for a replica that decodes"
        yield f"{text}, which takes {size:,}: no request can finish"


def _instant(decode: Replicas, prefill: Replicas) -> Iterator[str]:
    """Say when keys and values can go from replica to replica in no time."""
    if any(math.isinf(server.scale_up) and server.accelerators > 1 for server in (*decode.servers, *prefill.servers)):
        yield "keys and values move between replicas in one server in no time: nobody says how fast it is inside"


def _bounds(keys: ServiceKeys, log: RequestLog) -> Iterator[str]:
    """Say which classes have bounds and no requests, and which have requests and no bounds."""
    counts = _counts(log, "category")
    named = [name for name in keys.slo if name]
    if absent := [name for name in named if name not in counts]:
        has = f"their classes are {_names(counts)}" if any(counts) else "they have no classes"
        yield f"slo has bounds for {_names(absent)}, and no request is of {_such(absent, 'class')}: {has}"
    if named and "" not in keys.slo:
        free = {name: count for name, count in counts.items() if name not in keys.slo}
        if free:
            what = f"of {_names(free)}" if any(free) else "of no class"
            text = f"{sum(free.values()):,} of {len(log):,} requests have no bounds in slo"
            yield f"{text}: they are {what}; {EVERY_CLASS!r} is for all that are not named"


def _shares(keys: ServiceKeys, log: RequestLog) -> Iterator[str]:
    """Say which tenants have a share in the order and no requests."""
    shares = {} if keys.engine.order is None else keys.engine.order.arguments.get("shares")
    counts = _counts(log, "tenant")
    absent = [name for name in shares if name not in counts] if isinstance(shares, Mapping) else []
    if absent:
        has = f"their tenants are {_names(counts)}" if any(counts) else "they have no tenants"
        yield f"order has shares for {_names(absent)}, and no request is of {_such(absent, 'tenant')}: {has}"


def _adapters(keys: ServiceKeys, log: RequestLog) -> Iterator[str]:
    """Say when room is kept for adapters that no request needs."""
    if keys.adapters is not None and not any(_counts(log, "adapter")):
        yield "adapters has no effect: no request needs one"


def _counts(log: RequestLog, column: str) -> dict[str, int]:
    """Requests by what stands in a column, in order of the names; "" where nothing does."""
    values = log.columns.get(column)
    if values is None:
        return {"": len(log)}
    found, counts = np.unique(values.astype(str), return_counts=True)
    return dict(zip(map(str, found), map(int, counts), strict=True))


def _such(names: Sequence[str], noun: str) -> str:
    return f"that {noun}" if len(names) == 1 else f"those {noun}{'es' if noun.endswith('s') else 's'}"


def _names(names: Iterable[str]) -> str:
    known = [repr(name) for name in names if name]
    more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
