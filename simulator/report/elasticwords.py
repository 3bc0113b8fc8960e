"""What sentences say of elasticity and failures: what is wrong, what it cost, and where the money went."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.experiment import findings
from simulator.experiment.results import Results
from simulator.experiment.story import many
from simulator.metrics import optimum, scaling, waste
from simulator.metrics.display import scale
from simulator.metrics.measure import ratio
from simulator.metrics.window import RUNNING, Window, number
from simulator.report import panels

MOST = 3
"""Findings, and parts of a sum, that are told one by one (ours); the command ``explain`` has all."""
SPARSE = 8
"""Sentences that several alternatives have together in a terminal."""
SHARE = 0.005
"""Share of what jobs held, or of all costs, from which on something is told (ours)."""
NEAR = 1.01
"""Factor over the least that would have done from which on it is told (ours)."""
AMISS = 0.02
"""Share of what jobs held that stops and checkpoints take, from which on not all is well (ours)."""
UNREST = ("oscillation", "unplaced", "never-started", "waiting", "thrash", "churn", "waste")
"""Kinds of findings that contradict that nothing is scarce."""
KINDS = ("unplaced", "never-started", "oscillation", "waiting", "thrash", "churn", "over-provisioning")
"""Kinds of findings, the gravest first; waste has a sentence of its own."""
LOST = {
    "rework": "work that was done again", "hung": "hanging until somebody noticed", "overhead": "restarts",
}  # fmt: skip
"""Columns of jobs that stops cost, and what a sentence says of them."""


def sections(results: Results) -> list[tuple[str, list[str]]]:
    """What there is to say of elasticity and failures, by alternative; those of which there is nothing are left out.

    Of one alternative it is all; of several the gravest of each kind.
    """
    most = None if len(results) == 1 else 1
    told = [(name, [line for part in _parts(panels.first(results, name)) for line in part[:most]]) for name in results]
    return [(name, lines) for name, lines in told if lines]


def brief(results: Results, best: str) -> list[str]:
    """The same for a terminal: all of it of one alternative; of several the gravest of each, with its name.

    Of many alternatives (more than four) only those of the ``best`` are told.
    """
    if len(results) == 1:
        return [line for _, lines in sections(results) for line in lines]
    shown = [best] if len(results) > MOST + 1 else list(results)
    most = SPARSE // len(shown)
    told = [(name, lines) for name, lines in sections(results) if name in shown]
    return [f"{name}: {line}" for name, lines in told for line in lines[:most]]


def _parts(window: Window) -> list[list[str]]:
    """What there is to say of one run, part by part, the gravest first in each."""
    found = findings.of_run(window)
    grave = [text for kind in KINDS for of, _, text, _ in found if of == kind]
    told = [subject for kind, subject, _, _ in found if kind == "over-provisioning"]
    return [
        grave[:MOST], _backlog(window), _failed(window), _wasted(window), _over(window, told), _accounts(window),
    ]  # fmt: skip


def amiss(windows: Sequence[Window]) -> bool:
    """Whether a finding, or what stops and checkpoints cost jobs, contradicts that all is well.

    To have more than would have done contradicts nothing; to pay much for what nobody used does.
    """
    for window in windows:
        lost, held = _lost(window)
        if math.fsum(lost.values()) >= AMISS * held > 0:
            return True
        if any(kind in UNREST for kind, _, _, _ in findings.of_run(window)):
            return True
    return False


def _lost(window: Window) -> tuple[dict[str, float], float]:
    """Accelerator-seconds that jobs held for each of ``LOST`` and for checkpoints, and all that they held; whole run.

    What a job held is taken to be even over the time for which it ran.
    """
    jobs = window.submitted
    ran = np.sum([np.nan_to_num(jobs[name]) for name in RUNNING], axis=0)
    held = np.nan_to_num(jobs["service"])
    per = np.divide(held, ran, out=np.zeros(len(jobs)), where=ran > 0)
    return {name: float(per @ np.nan_to_num(jobs[name])) for name in (*LOST, "checkpointing")}, float(held.sum())


def _backlog(window: Window) -> list[str]:
    """When most of the demand of each load waited, and how many of its replicas were ready then."""
    names = ("time", "backlog", "ready", "wanted")
    said = []
    for load in dict.fromkeys(window.column("loads", "workload").tolist()):
        rows = np.asarray(window.column("loads", "workload") == load, dtype=bool)
        time, backlog, ready, wanted = (window.column("loads", name)[rows] for name in names)
        worst = int(np.argmax(backlog))
        if backlog[worst] >= 1.0:
            when = scale([float(time[worst])], "time").text(float(time[worst]))
            said.append(
                f"The backlog of {load} was largest, {_count(float(backlog[worst]))} requests, {when} into the run, "
                f"when {ready[worst]:,} of {many(int(wanted[worst]), 'wanted replica')} were ready."
            )
    return said[:MOST]


def _failed(window: Window) -> list[str]:
    """How many failures and stops there were, and what they cost."""
    event, time = window.column("events", "event"), window.column("events", "time")
    failures = int(np.count_nonzero(event == "failure"))
    jobs = window.submitted
    stops, by_failure = int(np.nansum(jobs["preemptions"])), int(np.nansum(jobs["failures"]))
    said = []
    if failures:
        every = scale([window.end / failures], "time").text(window.end / failures)
        silent = _silence(event, window.column("events", "subject"), time)
        notice = f", noticed after {scale([silent], 'time').text(silent)} on average" if silent > 0 else ""
        stopped = f"they stopped running jobs {_times(by_failure)}" if by_failure else "they stopped no job"
        spares = int(number((window.record.facts.get("failures") or {}).get("spares_used"), 0.0))
        stood = f"; up to {many(spares, 'spare server')} stood in" if spares else ""
        often = f"{failures:,} failures, one every {every}" if failures > 1 else f"1 failure in {every}"
        said.append(f"{often}{notice}; {stopped}{stood}.")
    lost, held = _lost(window)
    parts = {LOST[name]: lost[name] for name in LOST if lost[name] >= SHARE * held > 0}
    if parts:
        who = "failures" if by_failure and stops == by_failure else f"{many(stops, 'stop')} of jobs"
        total = math.fsum(lost[name] for name in LOST)
        each = [f"{_percent(part / held)} {name}" for name, part in parts.items()]
        tail = f": {_and(each)}" if len(parts) > 1 else f", for {next(iter(parts))}"
        said.append(f"{_capital(who)} cost {_hours(window, total)}, {_percent(total / held)} of what jobs held{tail}.")
    if lost["checkpointing"] >= SHARE * held > 0:
        said.append(
            f"Checkpoints cost {_hours(window, lost['checkpointing'])}, {_percent(lost['checkpointing'] / held)} of "
            "what jobs held."
        )
    return said


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _silence(event: np.ndarray, subject: np.ndarray, time: np.ndarray) -> float:
    """Mean seconds from failures to their detection, of those that were noticed later; NaN without any."""
    since: dict[str, float] = {}
    waits = []
    for row in np.flatnonzero(np.asarray((event == "failure") | (event == "detect"), dtype=bool)).tolist():
        if event[row] == "failure":
            since[str(subject[row])] = float(time[row])
        elif str(subject[row]) in since:
            waits.append(float(time[row]) - since.pop(str(subject[row])))
    return float(np.mean(waits)) if waits else math.nan


def _hours(window: Window, seconds: float) -> str:
    """Accelerator-hours, and dollars at the mean price of what was paid for where it is known."""
    price = ratio(_spent(window), window.fact("provisioned_seconds"))
    dollars = f" ({_money(seconds * price)})" if price > 0 else ""
    return f"{_count(seconds / 3600.0)} accelerator-hours{dollars}"


def _count(value: float) -> str:
    """A number of three digits, written out.

    >>> _count(15234.5), _count(2.3456)
    ('15,200', '2.35')
    """
    rounded = float(f"{value:.3g}")
    return scale([rounded], "count").text(rounded)


def _wasted(window: Window) -> list[str]:
    """What was paid for and not used, and its largest parts; what stops cost jobs is in another sentence."""
    parts, spent = waste.dollars(window), _spent(window)
    total = math.fsum(parts.values())
    if not total >= SHARE * spent > 0:
        return []
    largest = sorted((cause for cause in parts if parts[cause] >= SHARE * spent), key=lambda cause: -parts[cause])
    told = [f"{_money(parts[cause])} for {waste.CAUSES[cause]}" for cause in largest[:MOST]]
    first = f", most of it {told[0]}" if len(told) > 1 and parts[largest[0]] > 0.5 * total else ""
    rest = _and(told[1:] if first else told)
    tail = f"; {rest}" if first and rest else f": {rest}" if rest else ""
    return [f"{_money(total)} of {_money(spent)} ({_percent(total / spent)}) was paid for and not used{first}{tail}."]


def _over(window: Window, told: Sequence[str]) -> list[str]:
    """How far replicas and nodes are from the least that would have done, but for those that a finding tells of."""
    parts = []
    for name in optimum.scaled(window):
        used, least = optimum.service_seconds(window, name)
        if name not in told and used >= NEAR * least > 0:
            parts.append(f"replicas of {name} {used / least:.3g} times")
    used, least = optimum.node_seconds(window)
    if "nodes" not in told and used >= NEAR * least > 0:
        parts.append(f"nodes {used / least:.3g} times")
    if not parts:
        return []
    return [f"Against instant scaling by one who knows the load: {', '.join(parts)} what would have done at the least."]


def _accounts(window: Window) -> list[str]:
    """Who got the money, group by group, and how often the provider took nodes back or had none."""
    told = scaling.groups(window)
    paid = {name: number(group.get("paid"), 0.0) for name, group in told.items()}
    total = math.fsum(paid.values())
    paid = {name: part for name, part in paid.items() if part > 0 or number(told[name].get("missing"), 0.0) > 0}
    if not total > 0:
        return []
    parts = []
    for name in paid:
        group = told[name]
        back, none = (number(group.get(key), 0.0) for key in ("interrupted", "missing"))
        facts = [_percent(paid[name] / total)] if len(paid) > 1 else []
        facts += [f"{number(group.get('nodes_mean'), 0.0):.3g} nodes on average"]
        facts += [f"{many(int(back), 'node')} taken back"] if back else []
        facts += [f"{many(int(none), 'node')} not to be had"] if none else []
        parts.append(f"{name} {_money(paid[name])} ({', '.join(facts)})")
    return [f"Money by group: {', '.join(parts)}."]


def _spent(window: Window) -> float:
    """US dollars of the whole run; NaN where no cost is known."""
    parts = [number(value) for value in (window.record.facts.get("cost") or {}).values()]
    known = [value for value in parts if not math.isnan(value)]
    return math.fsum(known) if known else math.nan


def _money(dollars: float) -> str:
    return scale([dollars], "money").text(dollars)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 or not share else f"{share * 100:.2g} %"


def _and(parts: Sequence[str]) -> str:
    """Parts of a sentence in a row.

    >>> _and(["a", "b", "c"]), _and(["a"]), _and([])
    ('a, b and c', 'a', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
