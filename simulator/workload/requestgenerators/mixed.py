"""Several kinds of requests to one service at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond
from simulator.workload.classes import counts
from simulator.workload.generate import weights
from simulator.workload.options import checked_options
from simulator.workload.requestarrivals import checked_rate, rate_note
from simulator.workload.requestgenerators import FIXED, generator, request_generators
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestmerge import merged
from simulator.workload.sampling import Draws

_OWN = ("generate", "share")
_GIVEN = ("requests", "rate")


@generator("mixed")
def mixed(
    draws: Draws,
    requests: int,
    rate: PerSecond | None = None,
    parts: Mapping[str, Mapping[str, Any]] | None = None,
) -> RequestLog:
    """Several generators at once, each with a share of the requests; the name of a part becomes their class.

    ``parts={"chat": {"generate": "chat-like", "share": 3}, "code": {"generate": "code-like"}}``: ``share`` is a weight,
    1 unless given, of the requests and of ``rate`` (requests/s, all together); what else stands there are options of
    the part's generator. Prompts of different parts never begin alike.
    """
    rate = checked_rate(rate)
    if not isinstance(parts, Mapping) or not parts:
        raise InputError("parts: which requests are mixed? Write {chat: {generate: chat-like, share: 3}, ...}")
    for name, part in parts.items():
        if not isinstance(part, Mapping) or "generate" not in part:
            raise InputError(f"parts, {name}: {part!r} is not as {{generate: chat-like, share: 3}}")
    shares = weights("parts, share", {name: part.get("share", 1.0) for name, part in parts.items()})
    total = sum(shares.values())
    logs = {
        name: _drawn(draws, name, parts[name], count, rate * shares[name] / total)
        for name, count in counts(shares, requests).items()
        if count
    }
    together = np.concatenate([log.columns["arrival"] for log in logs.values()])
    return merged(f"mixed-{draws.seed}", logs, notes=(rate_note(together),))


def _drawn(draws: Draws, name: str, part: Mapping[str, Any], count: int, rate: float) -> RequestLog:
    what = f"parts, {name}"
    for key in _GIVEN:
        if key in part:
            raise InputError(f"{what}: {key} is that of all parts together; write share")
    make = request_generators.get(str(part["generate"]))
    given = {key: value for key, value in part.items() if key not in _OWN}
    options = checked_options(what, make, given, (*FIXED, *_GIVEN))
    try:
        log: RequestLog = make(replace(draws, prefix=f"{draws.prefix}{name}/"), requests=count, rate=rate, **options)
    except InputError as error:
        raise InputError(*(replace(each, text=f"{what}, {each.text}") for each in error.problems)) from None
    return log
