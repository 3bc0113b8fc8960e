"""What must hold of the requests and iterations of every service."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.core.errors import InvariantError
from simulator.metrics.checking import CLOCK, RELATIVE, Check, require
from simulator.metrics.serving import blocks_of
from simulator.metrics.window import Window, number

STATES = ("FINISHED", "REJECTED", "TIMEOUT", "UNFINISHED")
PARTS = ("queue", "prefill", "transfer", "stalled", "decode")
"""Columns that the end-to-end latency of a finished request is the sum of."""


def _slack(window: Window) -> float:
    return CLOCK * max(abs(window.end), 1.0) if np.isfinite(window.end) else 0.0


def _one_end(window: Window) -> None:
    names, state, reason, end = (window.column("requests", name) for name in ("id", "state", "reason", "end"))
    known = np.zeros(len(state), dtype=bool)
    for final in STATES:
        known |= np.asarray(state == final, dtype=bool)
    require(known, lambda row: f"request {names[row]!r} ended as {state[row]!r}, not as one of {', '.join(STATES)}")
    ended = np.asarray(state != "UNFINISHED", dtype=bool)
    require(ended == ~np.isnan(end), lambda row: f"request {names[row]!r}: {state[row]}, its end is {end[row]} s")
    told = np.asarray(reason != "", dtype=bool) | np.asarray(state != "REJECTED", dtype=bool)
    require(told, lambda row: f"request {names[row]!r} was rejected, and no reason is given")
    for name, facts in window.services.items():
        rows = int(np.count_nonzero(window.column("requests", "workload") == name))
        came, most = number(facts.get("came"), rows), number(facts.get("requests"), rows)
        if not came <= rows <= most:
            raise InvariantError(
                f"service {name!r}: {came:,.0f} of {most:,.0f} requests came, {rows:,} are in the table"
            )


def _causal(window: Window) -> None:
    names, state = window.column("requests", "id"), window.column("requests", "state")
    arrival, start, first, end = (window.column("requests", c) for c in ("arrival", "start", "first_token", "end"))
    done = np.asarray(state == "FINISHED", dtype=bool)
    slack = _slack(window)

    def tell(row: int) -> str:
        return (
            f"request {names[row]!r}: arrival {arrival[row]}, start {start[row]}, first token {first[row]}, "
            f"end {end[row]} s ({state[row]}), the run ended at {window.end}"
        )

    require(np.isfinite(arrival), tell)
    require(~done | (np.isfinite(start) & np.isfinite(first) & np.isfinite(end)), tell)
    require(np.isnan(first) | np.isfinite(start), tell)
    for before, after in ((arrival, start), (start, first), (first, end), (start, end), (arrival, end)):
        require(~(after < before - slack), tell)
    if np.isfinite(window.end):
        require(~(np.fmax(start, end) > window.end + slack), tell)


def _attributed(window: Window) -> None:
    names, e2e = window.column("requests", "id"), window.column("requests", "e2e")
    arrival, first, end = (window.column("requests", name) for name in ("arrival", "first_token", "end"))
    parts = {name: window.column("requests", name) for name in PARTS}
    total = np.sum(list(parts.values()), axis=0)
    done = np.asarray(window.column("requests", "state") == "FINISHED", dtype=bool)
    slack = RELATIVE * np.abs(e2e) + CLOCK * np.abs(end)

    def tell(row: int) -> str:
        told = ", ".join(f"{name} {values[row]}" for name, values in parts.items())
        return f"request {names[row]!r}: {told} s sum to {total[row]}; e2e {e2e[row]}, sojourn {(end - arrival)[row]} s"

    require(~done | (np.abs(end - arrival - e2e) <= slack), tell)
    require(~done | (np.abs(total - e2e) <= slack), tell)
    for values in parts.values():
        require(~done | (values >= -slack), tell)
    ttft, tpot, output = (window.column("requests", name) for name in ("ttft", "tpot", "output"))
    require(
        ~done | (np.abs(first - arrival - ttft) <= slack),
        lambda row: f"request {names[row]!r}: ttft {ttft[row]}, first token after {(first - arrival)[row]} s",
    )
    require(
        ~done | (output < 2) | (np.abs(end - first - tpot * (output - 1)) <= slack),
        lambda row: f"request {names[row]!r}: tpot {tpot[row]}, {(end - first)[row]} s for {output[row] - 1} tokens",
    )


def _tokens(window: Window) -> None:
    names, state = window.column("requests", "id"), window.column("requests", "state")
    given, output, cached, read = (
        window.column("requests", name) for name in ("generated", "output", "cached", "input")
    )
    done = np.asarray(state == "FINISHED", dtype=bool)

    def tell(row: int) -> str:
        return (
            f"request {names[row]!r} ({state[row]}): {given[row]} of {output[row]} tokens generated, {cached[row]} of "
            f"{read[row]} found in the prefix cache"
        )

    require(~done | (given == output), tell)
    require((given >= 0) & (given <= np.maximum(output, 0)), tell)
    require((cached >= 0) & (cached <= np.maximum(read, 0)), tell)


def _by_service(window: Window) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name of each service, and which rows of requests and of iterations are its own."""
    of_requests, of_iterations = window.column("requests", "workload"), window.column("iterations", "workload")
    for name in window.services:
        yield name, np.asarray(of_requests == name, dtype=bool), np.asarray(of_iterations == name, dtype=bool)


def _balanced(window: Window) -> None:
    tokens, given = window.column("iterations", "tokens"), window.column("requests", "generated")
    state, attempts = window.column("requests", "state"), window.column("requests", "attempts")
    lost = (state == "UNFINISHED") & (attempts == 1) & np.isnan(window.column("requests", "start"))  # perhaps
    unused = (attempts > 1) | (state == "TIMEOUT") | lost
    for name, requests, iterations in _by_service(window):
        if not iterations.any():
            continue
        made, got = int(tokens[iterations].sum()), int(given[requests].sum())
        if made < got or (made > got and not unused[requests].any()):
            raise InvariantError(f"service {name!r}: {made:,} tokens generated in iterations, {got:,} by requests")


def _in_blocks(window: Window) -> None:
    names = ("workload", "held", "time", "replica")
    service, held, time, replica = (window.column("iterations", name) for name in names)
    blocks = blocks_of(window, service, replica)
    require(
        (held >= 0) & ~(held > blocks),
        lambda row: (
            f"{service[row]}, replica {replica[row]} at {time[row]} s: {held[row]} blocks held of {blocks[row]}"
        ),
    )


def _one_at_a_time(window: Window) -> None:
    columns = ("time", "replica", "count", "first", "growth")
    time, replica, count, first, growth = (window.column("iterations", name) for name in columns)
    lasts = count * first + growth * (count * (count - 1) / 2.0)
    require(
        (count >= 1) & (lasts >= 0),
        lambda row: f"replica {replica[row]} at {time[row]} s: {count[row]} iterations that last {lasts[row]} s",
    )
    for name, _, rows in _by_service(window):
        own = np.flatnonzero(rows)
        order = own[np.lexsort((time[own], replica[own]))]
        until = (time + lasts)[order][:-1]
        late = (np.diff(replica[order]) != 0) | (
            time[order][1:] >= until - RELATIVE * lasts[order][:-1] - CLOCK * np.abs(until)
        )

        def tell(row: int, name: str = name, order: np.ndarray = order, until: np.ndarray = until) -> str:
            return (
                f"{name}, replica {replica[order[row]]}: an iteration begins at {time[order[row + 1]]} s, "
                f"the one before it ends at {until[row]} s"
            )

        require(late, tell)


REQUEST_INVARIANTS: tuple[tuple[str, Check], ...] = (
    ("every request ends in exactly one state, and every rejection has a reason", _one_end),
    ("arrival <= start <= first token <= end for every request, within the run", _causal),
    ("queue + prefill + transfer + stalled + decode = e2e = end - arrival for every finished request", _attributed),
    ("finished requests got the tokens that they were to get, and no request more", _tokens),
    ("tokens generated in iterations = tokens that requests got, unless some were sent again or given up", _balanced),
    ("0 <= KV blocks held <= blocks of the replica, whenever its batch changes", _in_blocks),
    ("a replica computes one iteration at a time", _one_at_a_time),
)
"""Statement and test of each; of records that have requests."""
