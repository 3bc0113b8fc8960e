"""Requests that begin alike: conversations turn by turn, and system prompts that many requests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.core.units import PerSecond, Seconds
from simulator.workload.lengths import Length, drawn_lengths, length_law, seconds_law
from simulator.workload.prompts import BLOCK, LONGEST, Head, groups_of, grown, named_blocks, since_start
from simulator.workload.requestarrivals import arrival_times, checked_rate, rate_note
from simulator.workload.requestgenerators import generator
from simulator.workload.requestlabels import counted, zipf
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.sampling import Draws, choose
from simulator.workload.underway import (
    TOKEN,
    notes,
    numbered,
    seen,
    session_starts,
    token_time,
)


@generator("sessions")
def sessions(
    draws: Draws,
    requests: int,
    rate: PerSecond | None = None,
    arrivals: Mapping[str, Any] | None = None,
    turns: Length = {"exponential": {"mean": 4}},  # noqa: B006  # read, never changed
    system: int = 256,
    prompts: int = 1,
    question: Length = {"lognormal": {"mean": 100, "cv": 1.5}, "at_most": 4096},  # noqa: B006
    output: Length = {"lognormal": {"mean": 200, "cv": 0.8}, "at_most": 2048},  # noqa: B006
    think: Any = {"exponential": {"mean": "30 s"}},  # noqa: B006
    answer: Seconds = TOKEN,
    longest: int = LONGEST,
    block: int = BLOCK,
    skew: float = 1.0,
) -> RequestLog:
    """Conversations of several turns: each prompt holds all that was said before, and waits for the last answer.

    ``rate`` in requests/s, all turns together, from the first second to the last: some conversations have begun before
    time 0, and their later turns hold what was said until then. ``arrivals`` (as for ``profile``) is when conversations
    begin. ``turns`` of a conversation, ``question`` (what a turn adds) and ``output`` in tokens are laws as those of
    ``poisson``; ``think`` is the time from an answer to the next question: seconds, a text such as ``30 s``, or a law
    of such. ``answer`` is the time that a token of an answer is taken to need: a turn is sent when the answer before
    would be there and ``think`` has passed, or later, where the answer is. Every conversation begins with one of
    ``prompts`` system prompts of ``system`` tokens, their popularity by Zipf's law. One that would pass ``longest``
    tokens begins anew. Prompts are named in blocks of ``block`` tokens. The defaults are round numbers and not
    measured.
    """
    rate = checked_rate(rate)
    count = counted("prompts", prompts)
    sizes = length_law("turns", turns)(draws.stream("turns").random(requests))
    groups = groups_of(sizes, requests)
    number = int(groups[-1]) + 1
    starts = session_starts(draws, number, requests, rate, arrivals)
    laws = {"question": length_law("question", question), "output": length_law("output", output)}
    said, answers = (np.asarray(law(draws.stream(name).random(requests))) for name, law in laws.items())
    delays = np.asarray(seconds_law("think", think)(draws.stream("think").random(requests)))
    kinds = choose(draws.stream("prompts").random(number), zipf(count, skew))[groups]
    head = np.full(requests, counted("system", system, least=0))
    growth = grown(groups, head, said, answers, longest)
    steps = delays + token_time(answer) * np.append(0, answers[:-1])
    shown = seen(starts.times[groups] + since_start(groups, steps), groups, starts.window)
    later = np.append(False, shown.piece[1:] == shown.piece[:-1])
    columns = {
        "arrival": shown.arrival,
        "input": growth.prompts,
        "output": answers,
        "session": texts(f"session-{piece + 1}" for piece in shown.piece.tolist()),
        "parent": np.where(later, np.arange(requests) - 1, -1),
        "delay": np.where(later, delays, 0.0),
    }
    said_before = Head(numbered(growth.texts, shown.piece), growth.prompts)
    hashes = named_blocks(block, growth.prompts, Head(kinds, head), said_before)
    return RequestLog.sorted(f"sessions-{draws.seed}", columns, hashes, notes=notes(shown, answer))


@generator("shared-prompt")
def shared_prompt(
    draws: Draws,
    requests: int,
    rate: PerSecond | None = None,
    arrivals: Mapping[str, Any] | None = None,
    prompts: int = 4,
    prompt: Length = {"uniform": [1000, 4000]},  # noqa: B006  # read, never changed
    input: Length = {"lognormal": {"mean": 200, "cv": 1.0}},  # noqa: B006
    output: Length = {"lognormal": {"mean": 200, "cv": 0.8}},  # noqa: B006
    block: int = BLOCK,
    skew: float = 1.0,
) -> RequestLog:
    """A few long system prompts, each shared by many requests that are otherwise independent.

    ``rate`` in requests/s; ``arrivals`` as for ``profile``, Poisson unless given. There are ``prompts`` prompts of
    ``prompt`` tokens, their popularity by Zipf's law; ``input`` is what a request adds, ``output`` its answer, laws of
    tokens as those of ``poisson``. Prompts are named in blocks of ``block`` tokens. The defaults are round numbers and
    not measured.
    """
    rate = checked_rate(rate)
    count = counted("prompts", prompts)
    own = drawn_lengths(draws, requests, input, output)
    sizes = np.asarray(length_law("prompt", prompt)(draws.stream("prompt").random(count)))
    kinds = choose(draws.stream("prompts").random(requests), zipf(count, skew))
    lengths = sizes[kinds] + own["input"]
    times = arrival_times(draws, requests, rate, arrivals)
    columns = {"arrival": times, "input": lengths, "output": own["output"]}
    hashes = named_blocks(block, lengths, Head(kinds, sizes[kinds]))
    return RequestLog(f"shared-prompt-{draws.seed}", columns, hashes, notes=(rate_note(times),))
