"""What every log of requests must be, wherever it comes from."""

from __future__ import annotations

import math

from simulator.workload.requestlog import RequestLog
from simulator.workload.requests import Request


def check_log(log: RequestLog) -> None:
    """Assert that an engine can be fed with a log: all its requests come, each once, none before it can.

    Those that wait for no other come in order of arrival, the others with the one that they wait for.
    """
    source = log.requests("service")
    roots = list(source)
    arrivals = [each.arrival for each in roots]
    assert arrivals == sorted(arrivals), "requests that wait for no other do not come in order of arrival"
    everybody: list[Request] = []
    waiting = roots
    while waiting:
        everybody += waiting
        assert len(everybody) <= len(source), "a request comes more than once"
        waiting = [each for request in waiting for each in source.followers(request)]
    assert len(everybody) == len(source), (
        f"{len(everybody)} requests come, {len(source)} are announced: some wait for one that never comes"
    )
    names = [each.id for each in everybody]
    assert len({*names}) == len(names), "two requests have one name"
    for each in everybody:
        wrong = _fault(each)
        assert not wrong, f"request {each.id!r} of row {each.row}: {wrong}"


def _fault(request: Request) -> str:
    """Say what is wrong with a request; empty when nothing is."""
    if not 0 <= request.arrival < math.inf:
        return f"arrival {request.arrival!r} is not a time of 0 or more"
    if request.input < 1 or request.output < 1:
        return f"{request.input} tokens in, {request.output} out; set such rows aside"
    if {type(request.input), type(request.output)} != {int}:
        return "tokens are no whole numbers of Python"
    if not 0 <= request.delay < math.inf:
        return f"delay {request.delay!r} is not a time of 0 or more"
    if request.hashes and len(request.hashes) != -(-request.input // request.hash_block):
        return f"{len(request.hashes)} hashes of {request.hash_block} tokens for {request.input} tokens"
    return ""
