"""First come, first served."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from simulator.policies.serving import lineups
from simulator.workload.requests import Request


@lineups.register("fcfs")
class Fcfs:
    """First come, first served; who was let in last is preempted first, and goes back to the front.

    As vLLM 0.19 does it: ``FCFSRequestQueue`` in ``vllm/v1/core/sched/request_queue.py``, and ``self.running.pop()`` in
    ``scheduler.py``. Every operation takes constant time.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[Request, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._waiting)

    def add(self, request: Request) -> None:
        """Take a request that came, at the end."""
        self._waiting[request] = None

    def put_back(self, request: Request) -> None:
        """Take a request that was preempted, at the front."""
        self._waiting[request] = None
        self._waiting.move_to_end(request, last=False)

    def head(self) -> Request:
        """Return who came first."""
        return next(iter(self._waiting))

    def remove(self, request: Request) -> None:
        """Take a request out."""
        del self._waiting[request]

    def victim(self, running: Sequence[Request]) -> Request:
        """Return who was let in last."""
        return running[-1]
