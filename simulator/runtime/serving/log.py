"""The tables of requests and iterations while they grow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.metrics.recorder import ITERATIONS, REQUESTS, Table
from simulator.runtime.serving.spec import Slo
from simulator.runtime.serving.stretch import Stretch
from simulator.workload.requests import Request, RequestState

_PACK_EVERY = 2048
_NAMES = tuple(state.name for state in RequestState)
_NAN = math.nan


class ServingLog:
    """Rows of requests that have ended, and of iterations that are over.

    ``told`` is called now and then with the time (s) and the number of requests that have ended.
    """

    def __init__(self, told: Callable[[float, int], None] | None = None) -> None:
        self._told = told
        self._requests, self._iterations = Table(REQUESTS), Table(ITERATIONS)
        self.ended = 0
        self._stretches = 0

    def request(self, request: Request, service: str, slo: Slo, now: float) -> None:
        """Write the row of a request in its final state."""
        finished = request.state is RequestState.FINISHED
        start, first = request.start, request.first_token
        end = request.end if request.state is not RequestState.UNFINISHED else now
        e2e = end - request.arrival if finished else _NAN
        queue = (start if start == start else end) - request.arrival
        prefill = (first if first == first else end) - start if start == start else 0.0
        stalled = request.stalled
        if request.stopped == request.stopped:
            stalled += end - request.stopped
        decode = max(0.0, end - first - request.transferred - stalled) if first == first else 0.0
        output = request.output
        self._requests.add((
            request.id, service, request.tenant, request.category, request.adapter, request.session, request.row,
            request.replica, request.input, output, request.generated, request.cached, request.recomputed,
            request.preemptions, request.attempts, request.arrival, start, first, request.end,
            first - request.arrival, (end - first) / (output - 1) if finished and output > 1 else _NAN, e2e, queue,
            prefill, request.transferred, stalled, decode, slo.ttft, slo.tpot, slo.e2e, _NAMES[request.state],
            request.reason,
        ))  # fmt: skip
        self.ended += 1
        if self.ended % _PACK_EVERY == 0:
            self._requests.pack()
            if self._told is not None:
                self._told(now, self.ended)

    def iterations(self, service: str, replica: int, stretch: Stretch) -> None:
        """Write the row of iterations in a row."""
        self._iterations.add((
            stretch.start, service, replica, stretch.count, stretch.first, stretch.growth, stretch.sequences,
            stretch.prompt, stretch.stalled, stretch.stall, stretch.tokens, stretch.waiting, stretch.held,
        ))  # fmt: skip
        self._stretches += 1
        if self._stretches % _PACK_EVERY == 0:
            self._iterations.pack()

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Both tables as arrays."""
        return {"requests": self._requests.arrays(), "iterations": self._iterations.arrays()}
