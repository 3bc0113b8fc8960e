"""What ``simulator trace`` says of a log of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.common import table

_SHOWN = 10
"""Names of a list that are shown: tenants, classes, adapters, models."""


def text(reader: str, facts: Mapping[str, Any]) -> str:
    """Return the facts of ``workload.requestsummary.summary`` as tables."""
    return "\n\n".join([table(_headline(reader, facts)), _lengths(facts), table(_arrivals(facts) + _shared(facts))])


def _headline(reader: str, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    from simulator.core.units import format_quantity as write

    since = "" if facts["origin"] is None else f", from {facts['origin']}"
    rows = [
        ("format", reader),
        ("requests", f"{facts['requests']:,.0f} over {write(facts['span'], 'time')}{since}"),
        ("rate", _rate(facts["rate"], facts["tokens"])),
    ]
    for what in ("tenants", "classes", "adapters", "models"):
        if facts[what]:
            rows.append((what, _listed(facts[what])))
    if facts["sessions"]:
        rows.append(("sessions", f"{facts['sessions']:,}"))
    if facts["limits"]:
        rows.append(("limits", f"requests that say how many tokens they may generate: {facts['limits']:,}"))
    return rows


def _rate(requests: float, tokens: float) -> str:
    if requests != requests:  # NaN: all at one time
        return "all at one time: too short to tell"
    return f"{requests:.4g} requests/s, {tokens:,.4g} tokens/s of prompts and answers"


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f", and {more:,} more" if more else "")


def _lengths(facts: Mapping[str, Any]) -> str:
    names = list(facts["inputs"])
    rows = [
        (what, *(f"{facts[key][name]:,.0f}" for name in names))
        for what, key in (("prompt", "inputs"), ("answer", "outputs"))
    ]
    return table(rows, ("tokens", *names), numbers=range(1, len(names) + 1))


def _arrivals(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How unevenly requests come: both figures are 1 for Poisson arrivals."""
    swings = {name.removeprefix("dispersion."): value for name, value in facts.items() if name.startswith("dispersion")}
    told = ", ".join(f"{value:.3g} in {name}" for name, value in swings.items() if value == value)
    gaps = facts["gap.cv"]
    return [
        ("variation of gaps", f"{gaps:.3g}" if gaps == gaps else "too few to tell"),
        ("dispersion of arrivals", told or "too few to tell"),
    ]


def _shared(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    reuse, chains = facts["reuse"], facts["chains"]
    if reuse is not None:
        part = f"{reuse['reused']:,} of {reuse['blocks']:,} blocks of {reuse['block']:,} tokens"
        rows.append(("prefix reuse", f"{100 * reuse['share']:.2f} %: {part}, if nothing were ever thrown away"))
    if chains is not None:
        told = f"requests that wait for another: {chains['waiting']:,}, in chains: {chains['roots']:,}; the longest has"
        rows.append(("chains", f"{told} {chains['longest']:,}, at most {chains['widest']:,} wait for the same one"))
    return rows
