"""Why a request is rejected: what can never run, and what befell it."""

from __future__ import annotations

from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import ServiceSpec
from simulator.workload.requests import Request

NOWHERE = "no replica of the service can be placed"
PARENT = "the request that it waited for was not finished"
LOST = "its replica was lost"
FULL = "the queue of its replica was full"


def nonsense(request: Request, spec: ServiceSpec) -> str:
    """Why a request can run on no replica of a service; empty when it can on some."""
    if request.input < 1:
        return "it has no prompt"
    if request.output < 1:
        return "it asks for no tokens"
    if request.input + request.output > spec.context:
        return f"longer than the context of {spec.context:,} tokens"
    return ""


def unfit(request: Request, replica: Replica, block: int, prompt_only: bool) -> str:
    """Why a request can never run on a replica like this one, perhaps its prompt alone; empty when it can."""
    batching = replica.ranks[0].batching
    need = replica.ranks[0].most(request)
    if prompt_only and batching.reserve != "all":
        need = -(-request.input // block)
    if need > replica.engine.blocks:
        return f"more than the {replica.engine.blocks:,} KV blocks of a replica"
    most = batching.budget(0)
    if not batching.chunked and request.input > most:
        return f"a prompt longer than the {most:,} tokens of an iteration"
    if not batching.chunked and batching.reserve != "all" and request.input + request.output - 1 > most:
        return f"longer than the {most:,} tokens of an iteration when all is computed again after a preemption"
    return ""
