"""Shortest prompt first."""

from __future__ import annotations

from simulator.policies.lineups import Ranked
from simulator.policies.serving import lineups
from simulator.workload.requests import Request


def _rank(request: Request) -> tuple[int, float]:
    return request.input, request.arrival


@lineups.register("shortest-prompt")
class ShortestPrompt(Ranked):
    """The shortest prompt first, then the earliest arrival; the longest of those who run is preempted first.

    Shortest job first as far as a client tells how long its request is; outputs are not known. Ours. Long prompts wait
    as long as shorter ones come; who was preempted keeps the rank of its own prompt, whatever it had generated.
    """

    def __init__(self) -> None:
        super().__init__(_rank)
