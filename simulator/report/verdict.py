"""The answer in sentences: which alternative wins, by how much, how sure that is, and what limits it."""

from __future__ import annotations

import math

import numpy as np

from simulator.experiment.estimates import NO_DIFFERENCE, NO_INTERVAL, NO_VALUE, Difference
from simulator.experiment.results import Results
from simulator.metrics import measures
from simulator.metrics.display import scale, wide
from simulator.metrics.measure import Measure, ratio
from simulator.metrics.requests import LATENCIES
from simulator.metrics.window import Window
from simulator.report import elasticwords, servicewords

PARTS = {
    "wait": "waiting in the queue", "compute": "computing", "network": "exposed network", "overhead": "restarts",
    "rework": "work that was lost at stops", "checkpointing": "writing checkpoints",
    "hung": "hanging on failures that nobody had noticed",
}  # fmt: skip
"""Columns that a completed job's JCT is the sum of, and what a sentence calls them."""
WAITS = {
    "wait_capacity": "because too few accelerators were free",
    "wait_fragmentation": "because what was free lay scattered or was of another kind",
    "wait_order": "while the policy let others go first",
    "wait_policy": "for a quota, or what else the policy gave as its reason",
    "wait_held": "for the job's begin, its dependencies, or a place in its array",
}
"""Columns that the time in the queue is the sum of, and what a sentence says of them."""
NOTABLE = 0.1
"""Share of the mean JCT from which on a part is said to hold jobs back."""
EQUAL = 0.001
"""Relative difference below which two runs without an interval are called practically equal."""
UNEVEN = 0.01
"""Difference in the share of completed jobs from which on completion times are said not to compare."""
SCARCE = 0.9
"""Share of the accelerators allocated while jobs queue from which on accelerators are said to be scarce."""


def best(results: Results, measure: str) -> tuple[str, ...]:
    """The best alternative of a measure, then all that the runs do not tell apart from it.

    Empty when there is nothing to choose: one alternative, no value, or no better direction.
    """
    measured = measures.get(measure)
    means = {name: results.estimate(name, measure).interval.mean for name in results}
    known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    if len(known) < 2 or not measured.better:
        return ()
    winner = (min if measured.better == "lower" else max)(known, key=lambda name: known[name])
    same = [name for name in known if name != winner and _same(results.difference(name, winner, measure))]
    return (winner, *same)


def percent(value: float) -> str:
    """A share for a sentence.

    >>> percent(0.4153), percent(0.0041), percent(12.5)
    ('42 %', '0.41 %', '1,250 %')
    """
    return f"{value * 100:,.0f} %" if abs(value) >= 0.1 else f"{value * 100:.2g} %"


def sentences(results: Results) -> list[str]:
    """The verdict on the first measure of the summary that has a better direction, and what goes with it."""
    lead = _lead(results)
    if lead is None:
        return ["Nothing to judge: the measures that were asked for have no value, or are better neither high nor low."]
    if len(results) == 1:
        found = results.estimate(results.alternatives[0], lead.name)
        text = _interval(lead, found.interval.mean, found.interval.half_width)
        return [f"{results.alternatives[0]}: {lead.label} {text} ({found.basis})."]
    ranking = _ranking(results, lead)
    winner = ranking[0]
    return [
        *_headline(results, lead, ranking),
        *_flattered(results, winner, lead),
        *_elsewhere(
            results, lead, winner, results.alternatives[0] if winner != results.alternatives[0] else ranking[1]
        ),
    ]


def limits(results: Results) -> list[str]:
    """What holds back the requests and jobs of the best alternative (or the only one), from where their time went."""
    name = leader(results)
    windows = list(results.windows(name).values())
    of_requests = servicewords.limits(name, windows)
    alone = not any(window.services or window.record.facts.get("fleets") for window in windows)
    return [*of_requests, *_of_jobs(name, windows, alone)]


def leader(results: Results) -> str:
    """The best alternative by the verdict, or the only one."""
    lead = _lead(results)
    return _ranking(results, lead)[0] if lead else results.alternatives[0]


def _of_jobs(name: str, windows: list[Window], alone: bool) -> list[str]:
    """The sentences on jobs; only where they are ``alone`` in the cluster it is they who say that nothing is scarce."""
    shares = breakdown(windows)
    if not shares:
        return []
    told = ", ".join(f"{percent(share)} {PARTS[part]}" for part, share in shares.items() if share >= 0.005)
    why = _waiting(windows) if shares["wait"] >= NOTABLE else []
    found = _diagnosis(shares, _held_while_queueing(windows), why)
    free = [_all_computing(windows)] if alone and not found else []
    return [f"Where the mean JCT of {name} goes: {told}.", *(found or free)]


def _all_computing(windows: list[Window]) -> str:
    """Whether nothing is scarce; not said where stops cost something, or something is wrong with the scaling."""
    computing = "jobs spend nearly all of their time computing"
    if not elasticwords.amiss(windows):
        return f"Nothing is scarce: {computing}."
    return f"{computing[:1].upper()}{computing[1:]}; what scaling and failures cost is told apart."


def completions(results: Results, subject: str = "jobs") -> dict[str, tuple[int, int]]:
    """Jobs (or requests) that completed and all of them, by alternative; empty when the same share did everywhere."""
    state = "completed" if subject == "jobs" else "finished"
    counts = {}
    for name in results:
        rows = [window.jobs if subject == "jobs" else window.requests for window in results.windows(name).values()]
        counts[name] = (sum(int(each[state].sum()) for each in rows), sum(map(len, rows)))
    shares = {ratio(done, count) for done, count in counts.values() if count}
    return counts if len(shares) > 1 else {}


def breakdown(windows: list[Window], seconds: bool = False) -> dict[str, float]:
    """Shares of the JCT of completed jobs (or their mean ``seconds``) that fall on each of ``PARTS``; maybe empty."""
    totals = dict.fromkeys(PARTS, 0.0)
    count = 0
    for window in windows:
        done = window.jobs["completed"]
        count += int(done.sum())
        for part in PARTS:
            totals[part] += float(np.nansum(window.jobs[part][done]))
    whole = count if seconds else math.fsum(totals.values())
    return {part: total / whole for part, total in totals.items()} if whole > 0 else {}


def _same(found: Difference) -> bool:
    return found.verdict == NO_DIFFERENCE or (found.verdict == NO_INTERVAL and abs(found.relative) < EQUAL)


def _lead(results: Results) -> Measure | None:
    for name in results.chosen():
        measured = measures.get(name)
        if measured.better and any(not math.isnan(results.estimate(a, name).interval.mean) for a in results):
            return measured
    return None


def _ranking(results: Results, lead: Measure) -> list[str]:
    means = {name: results.estimate(name, lead.name).interval.mean for name in results}
    worst = math.inf if lead.better == "lower" else -math.inf
    signed = {name: worst if math.isnan(mean) else mean for name, mean in means.items()}
    ranking = sorted(signed, key=lambda name: signed[name], reverse=lead.better == "higher")
    price = _price(results, lead)
    if price is None:
        return ranking
    level = [name for name in ranking if _level(signed[name], signed[ranking[0]])]
    cost = {name: results.estimate(name, price.name).interval.mean for name in level}
    level.sort(key=lambda name: math.inf if math.isnan(cost[name]) else cost[name])
    return [*level, *(name for name in ranking if name not in level)]


def _price(results: Results, lead: Measure) -> Measure | None:
    """The cost by which designs are ranked that are practically equal in the share of requests within their bounds."""
    costs = [name for name in results.chosen() if name.startswith("cost.")]
    return measures.get(costs[0]) if costs and lead.dimension == "ratio" and lead.better == "higher" else None


def _level(value: float, best: float) -> bool:
    return abs(value - best) <= EQUAL * abs(best)


def _interval(measured: Measure, mean: float, half_width: float) -> str:
    return measured.scale([wide(mean, half_width)]).interval(mean * measured.si, half_width * measured.si)


def _headline(results: Results, lead: Measure, ranking: list[str]) -> list[str]:
    winner, second, baseline = ranking[0], ranking[1], results.alternatives[0]
    value = lead.text(results.estimate(winner, lead.name).interval.mean)
    found = results.difference(winner, second, lead.name)
    most = "lowest" if lead.better == "lower" else "highest"
    price = _price(results, lead)
    if price is not None and _level(found.value, found.baseline) and not math.isnan(found.value):
        said = [_cheaper(results, lead, price, ranking)]
    elif found.verdict == "better":
        next_best = ", the next best" if len(ranking) > 2 else ""
        said = [
            f"{winner} wins on {lead.label}: {value}, {_how_much(found)} than {second}{next_best} ({_sure(found)})."
        ]
    elif found.verdict == NO_VALUE:
        said = [f"{winner} has the {most} {lead.label}, {value}; {second} has no value to compare."]
    elif _same(found) and abs(found.relative) < EQUAL:
        said = [f"{winner} and {second} are practically equal on {lead.label}: {value}."]
    elif found.verdict == NO_INTERVAL:
        advice = "nothing in it is random" if results.repeated(winner) else "ask for replications"
        said = [
            f"{winner} has the {most} {lead.label}: {value}, {_how_much(found)} than {second}. How sure that is cannot "
            f"be said from {found.basis}; {advice}."
        ]
    else:
        said = [
            f"{winner} has the {most} {lead.label}: {value}, {_how_much(found)} than {second}. The interval covers 0: "
            f"no difference is shown beyond these runs ({_sure(found)})."
        ]
    if baseline not in (winner, second):
        against = results.difference(winner, baseline, lead.name)
        if against.verdict == "better":
            said.append(f"Against the baseline {baseline} it is {_how_much(against)} ({_sure(against)}).")
    return said


def _cheaper(results: Results, lead: Measure, price: Measure, ranking: list[str]) -> str:
    """The headline where the best are practically equal: the one that costs least of them comes first."""
    top = results.estimate(ranking[0], lead.name).interval.mean
    level = [name for name in ranking if _level(results.estimate(name, lead.name).interval.mean, top)]
    cost = [results.estimate(name, price.name).interval.mean for name in level[:2]]
    text = [price.text(each) for each in cost]
    head = f"{', '.join(level[:-1])} and {level[-1]} are practically equal on {lead.label}: {lead.text(top)}."
    if math.isnan(cost[0]):
        return head
    if math.isnan(cost[1]):
        return f"{head} What {level[0]} costs is known ({price.label} {text[0]}), what {level[1]} costs is not."
    if _level(*cost):
        return f"{head} They cost the same: {price.label} {text[0]}."
    return f"{head} {level[0]} costs less: {price.label} {text[0]} against {text[1]} of {level[1]}."


def _flattered(results: Results, winner: str, lead: Measure) -> list[str]:
    """Say it when the winner completed fewer of its jobs or requests than another, whose hard ones count."""
    subject = "requests" if lead.name.partition(".")[0] in LATENCIES else "jobs"
    counts = completions(results, subject)
    if not counts:
        return []
    share = {name: ratio(done, jobs) for name, (done, jobs) in counts.items()}
    fullest = max(share, key=lambda name: share[name])
    if share[fullest] - share[winner] < UNEVEN:
        return []
    done, count = counts[winner]
    others, among = counts[fullest]
    noun = "latency" if subject == "requests" else "completion time"
    return [
        f"But {winner} completed only {done:,} of its {count:,} {subject}, {fullest} {others:,} of {among:,}: what "
        f"never completes counts in no {noun}, so the comparison flatters {winner}."
    ]


def _how_much(found: Difference) -> str:
    direction = "lower" if found.interval.mean < 0 else "higher"
    if math.isnan(found.relative):
        return f"{measures.get(found.measure).text(abs(found.interval.mean))} {direction}"
    return f"{percent(abs(found.relative))} {direction}"


def _sure(found: Difference) -> str:
    low, high = found.interval.low, found.interval.high
    if found.baseline:
        ends = sorted((low / abs(found.baseline), high / abs(found.baseline)))
        span = " to ".join(f"{'+' if end > 0 else ''}{percent(end)}" for end in ends)
    else:
        measured = measures.get(found.measure)
        chosen = scale([abs(low * measured.si), abs(high * measured.si)], measured.dimension)
        span = " to ".join(chosen.text(end * measured.si, signed=True) for end in (low, high))
    return f"95 % interval {span}; {found.basis}"


def _elsewhere(results: Results, lead: Measure, winner: str, other: str) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in results.chosen():
        measured = measures.get(name)
        if name == lead.name:
            continue
        found = results.difference(winner, other, name)
        text = measured.label
        if found.verdict not in (NO_DIFFERENCE, NO_VALUE):
            text += f" ({_how_much(found)})"
        groups.setdefault(found.verdict, []).append(text)
    order = {
        "better": "better on ", "worse": "worse on ", "higher": "higher ", "lower": "lower ",
        NO_INTERVAL: "in this one run, without an interval: ", NO_DIFFERENCE: "no difference shown on ",
    }  # fmt: skip
    told = [phrase + ", ".join(groups[verdict]) for verdict, phrase in order.items() if verdict in groups]
    return [f"Beyond that, {winner} against {other}: {'; '.join(told)}."] if told else []


def _held_while_queueing(windows: list[Window]) -> float:
    held = up = 0.0
    for window in windows:
        time = window.column("series", "time")
        if time.size and window.end > window.warmup:
            steps = np.diff(np.append(np.clip(time, window.warmup, window.end), window.end))
            queued = window.column("series", "queued") > 0
            held += float((window.column("series", "allocated") * steps)[queued].sum())
            up += float((window.column("series", "capacity") * steps)[queued].sum())
    return ratio(held, up)


def _waiting(windows: list[Window]) -> list[str]:
    """Say what completed jobs waited for, the largest part first."""
    parts = {name: sum(float(each.jobs[name][each.jobs["completed"]].sum()) for each in windows) for name in WAITS}
    whole = math.fsum(parts.values())
    ranked = sorted(parts, key=lambda name: -parts[name])
    told = [f"{percent(parts[name] / whole)} {WAITS[name]}" for name in ranked if parts[name] >= 0.05 * whole > 0]
    return [f"Of the waiting, {'; '.join(told)}."] if told else []


def _diagnosis(shares: dict[str, float], held: float, why: list[str]) -> list[str]:
    said = []
    if shares["wait"] >= NOTABLE and not math.isnan(held):
        if held >= SCARCE:
            said.append(
                f"Accelerators are the limit: while any job waits, {percent(held)} of those that are up are allocated."
            )
        else:
            said.append(
                f"Jobs wait although accelerators are free: while any job waits, {percent(held)} of those that are up "
                "are allocated."
                + (
                    ""
                    if why
                    else " The sizes of the gangs, fragmentation or the order of the queue keep the rest idle."
                )
            )
        said += why
    if shares["network"] >= NOTABLE:
        said.append("The network is a limit: jobs spend that share of their time in communication that nothing hides.")
    if shares["overhead"] >= NOTABLE:
        said.append("Restarts are a limit: preemptions cost more than they should.")
    lost = sum(shares[part] for part in ("rework", "checkpointing", "hung"))
    if lost >= NOTABLE:
        said.append(
            f"Stops are a limit: work that was lost, checkpoints and undetected failures take {percent(lost)} of the "
            "time."
        )
    return said
