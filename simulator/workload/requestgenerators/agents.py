"""Agents: tasks that take several requests, each waiting for the one before and what a tool answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond, Seconds
from simulator.workload.lengths import Length, length_law, seconds_law
from simulator.workload.prompts import BLOCK, LONGEST, Head, groups_of, grown, named_blocks, since_start
from simulator.workload.requestarrivals import checked_rate
from simulator.workload.requestgenerators import MOST, generator
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


@generator("agents")
def agents(
    draws: Draws,
    requests: int,
    rate: PerSecond | None = None,
    arrivals: Mapping[str, Any] | None = None,
    steps: Length = {"exponential": {"mean": 6}},  # noqa: B006  # read, never changed
    fan_out: int = 0,
    system: int = 2048,
    prompts: int = 1,
    task: Length = {"lognormal": {"mean": 500, "cv": 1.0}, "at_most": 8192},  # noqa: B006
    result: Length = {"lognormal": {"mean": 800, "cv": 1.5}, "at_most": 8192},  # noqa: B006
    output: Length = {"lognormal": {"mean": 150, "cv": 1.0}, "at_most": 2048},  # noqa: B006
    tool: Any = {"exponential": {"mean": "2 s"}},  # noqa: B006
    answer: Seconds = TOKEN,
    longest: int = LONGEST,
    block: int = BLOCK,
    skew: float = 1.0,
) -> RequestLog:
    """Agents: chains of requests with calls of tools in between, perhaps with branches side by side.

    ``rate`` in requests/s, all of a task together, from the first second to the last: some tasks have begun before
    time 0, and their later requests hold what came until then. ``arrivals`` (as for ``profile``) is when tasks begin. A
    task has ``steps`` requests. The first holds the system prompt (``system`` tokens; one of ``prompts``, by Zipf's
    law) and the ``task``; each later one all that came before, the last answer and a tool's ``result``, and comes
    ``tool`` (seconds, a text such as ``2 s``, or a law of such) after the answer. With ``fan_out`` every step but the
    last one calls so many branches at once instead: each has the prompt of the step and a task of its own, and the next
    step holds their answers and waits for the longest one. ``answer``, ``longest``, ``block`` and laws as for
    ``sessions``. The defaults are round numbers and not measured.
    """
    rate = checked_rate(rate)
    draw = _Draw(draws, requests)
    sizes = length_law("steps", steps)(draws.stream("steps").random(requests))
    groups = groups_of(sizes, requests)
    _check_size(requests, counted("fan_out", fan_out, least=0))
    branches = np.asarray(draw.lengths("output", output, fan_out))
    answers = draw.lengths("output", output)
    brought = branches.sum(axis=1) if fan_out else draw.lengths("result", result)
    begins = np.append(True, groups[1:] != groups[:-1])
    said = np.where(begins, draw.lengths("task", task), np.append(0, brought[:-1]))
    head = np.full(requests, counted("system", system, least=0))
    asked = draw.lengths("task", task, fan_out)
    room = np.maximum(answers, (asked + branches).max(axis=1, initial=0))
    growth = grown(groups, head, said, answers, longest, room)
    delays = np.where(begins, 0.0, seconds_law("tool", tool)(draws.stream("tool").random(requests)))
    tree = _tree(begins, branches, requests)
    count = int(groups[tree.step[-1]]) + 1
    starts = session_starts(draws, count, requests, rate, arrivals)
    kinds = choose(draws.stream("prompts").random(count), zipf(counted("prompts", prompts), skew))
    step, main = tree.step, tree.branch < 0
    task_of = groups[step]
    token = token_time(answer)
    steps_take = delays + token * np.append(0, (answers + branches.max(axis=1, initial=0))[:-1])
    times = starts.times[task_of] + since_start(groups, steps_take)[step] + np.where(main, 0.0, token * answers[step])
    shown = seen(times, task_of, starts.window)
    waits = (tree.parent >= 0) & (shown.piece[tree.parent] == shown.piece)
    columns = {
        "arrival": shown.arrival,
        "input": growth.prompts[step] + np.where(main, 0, asked[step, tree.branch] if fan_out else 0),
        "output": np.where(main, answers[step], branches[step, tree.branch] if fan_out else 0),
        "session": texts(f"task-{piece + 1}" for piece in shown.piece.tolist()),
        "parent": np.where(waits, tree.parent, -1),
        "delay": np.where(main & waits, delays[step], 0.0),
    }
    text = Head(numbered(growth.texts[step], shown.piece), growth.prompts[step])
    hashes = named_blocks(block, columns["input"], Head(kinds[task_of], head[step]), text)
    return RequestLog.sorted(f"agents-{draws.seed}", columns, hashes, notes=notes(shown, answer))


def _check_size(requests: int, branches: int) -> None:
    """Raise ``InputError`` where more branches would be drawn than any log may have requests."""
    if requests * branches > MOST:
        raise InputError(
            f"fan_out: {branches:,} branches for each of {requests:,} steps are more than {MOST:,}: take fewer"
        )


class _Draw:
    """Draws for each step of a workload, a stream for each kind."""

    def __init__(self, draws: Draws, steps: int) -> None:
        self._draws = draws
        self._steps = steps

    def lengths(self, name: str, law: Length, branches: int | None = None) -> np.ndarray:
        """Tokens for each step, or for each branch of each step: then one row a step."""
        stream = self._draws.stream(name if branches is None else f"branch-{name}")
        uniform = stream.random(self._steps if branches is None else (self._steps, branches))
        return np.asarray(length_law(name, law)(uniform.ravel())).reshape(uniform.shape)


class _Tree(NamedTuple):
    """Who waits for whom: of each request its step, the number of the branch (-1: none), and the place it waits for."""

    step: np.ndarray
    branch: np.ndarray
    parent: np.ndarray


def _tree(begins: np.ndarray, branches: np.ndarray, requests: int) -> _Tree:
    """Lay out steps and their branches one after the other, the first ``requests`` of them.

    A step waits for the branch of the step before with the longest answer, or for that step where it has none; the last
    step of a task has none.
    """
    count, width = branches.shape
    there = np.ones((count, 1 + width), dtype=bool)
    there[:, 1:] = ~np.append(begins[1:], True)[:, None]
    step, number = np.nonzero(there)
    place = np.cumsum(there).reshape(there.shape) - 1
    slowest = 1 + np.argmax(branches, axis=1) if width else np.zeros(count, dtype=np.int64)
    waits = np.append(-1, place[np.arange(count), slowest][:-1])
    parent = np.where(number > 0, place[step, 0], np.where(begins[step], -1, waits[step]))
    return _Tree(step[:requests], number[:requests] - 1, parent[:requests])
