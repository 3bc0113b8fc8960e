"""Requests of many clients, each described by rates, by the variation of its gaps, and by laws of its lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.workload.lengths import Length, length_law

WINDOW = 600.0
"""Seconds of a window of rates."""
FAMILIES = ("Gamma", "Weibull")
_MOST = 50_000_000
"""Requests that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One window of a client: its begin (s), its rate (requests/s), and the family and shape of the gaps in it."""

    start: float
    rate: float
    family: str
    shape: float


@dataclass(frozen=True, slots=True)
class Pmf:
    """Probabilities of whole numbers."""

    values: np.ndarray
    edges: np.ndarray
    """The probabilities, summed up, the last one 1."""

    @classmethod
    def of(cls, shares: Mapping[int, float]) -> Pmf:
        """Return the law with these weights; ``ValueError`` unless they are 0 or more, and not all 0."""
        values = np.array(list(shares), dtype=np.int64)
        weights = np.array(list(shares.values()), dtype=np.float64)
        if not len(weights) or not np.all(weights >= 0) or not 0 < weights.sum() < np.inf or values.min() < 0:
            raise ValueError("lengths and weights of 0 or more are wanted, the weights not all 0")
        edges = np.cumsum(weights)
        return cls(values, edges / edges[-1])

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Return values drawn with these probabilities."""
        places = np.searchsorted(self.edges, generator.random(count), side="right")
        found: np.ndarray = self.values[np.minimum(places, len(self.values) - 1)]
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its windows in order, and the laws of its lengths by their first second and by name."""

    name: str
    rates: Sequence[Rate]
    lengths: Mapping[float, Mapping[str, Pmf]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part is drawn: from ``start``, ``window`` seconds long; rates times ``scale``; the seed."""

    start: float
    window: float
    scale: float
    seed: int


def mean_rate(clients: Sequence[Client], start: float, window: float) -> float:
    """Return the requests/s of all clients from ``start`` on, on average over ``window`` seconds."""
    end = start + window
    requests = sum(
        each.rate * max(min(each.start + WINDOW, end) - max(each.start, start), 0.0)
        for client in clients
        for each in client.rates
    )
    return requests / window


def check_size(rate: float, wanted: Wanted) -> None:
    """Raise ``InputError`` unless there is something to draw, and not too much."""
    count = rate * wanted.scale * wanted.window
    if count < 1:
        raise InputError(f"in the {wanted.window:g} s from {wanted.start:g} s on there come {count:.2g} requests")
    if count > _MOST:
        told = f"{count:,.0f} requests are more than {_MOST:,}"
        raise InputError(f"{told}: take a shorter window, a lower rate or a smaller scale")


def drawn_arrivals(client: Client, wanted: Wanted) -> np.ndarray:
    """Return the times (s) of the requests of a client, from ``wanted.start`` on.

    A window has rate x scale x 600 requests, rounded at random to a whole number, and gaps of its family and shape that
    are stretched to fill it, so that the rates are met however uneven the gaps are.
    """
    generator = stream(wanted.seed, f"clients/{client.name}/arrivals")
    end = wanted.start + wanted.window
    parts = []
    for each in client.rates:
        if each.start + WINDOW <= wanted.start or each.start >= end:
            continue
        count = int(each.rate * wanted.scale * WINDOW + generator.random())
        if count:
            edges = np.cumsum(_gaps(generator, each, count + 1))
            parts.append(each.start + WINDOW * edges[:-1] / edges[-1])
    times = np.concatenate(parts) if parts else np.zeros(0)
    found: np.ndarray = times[(times >= wanted.start) & (times < end)]
    return found


def _gaps(generator: np.random.Generator, each: Rate, count: int) -> np.ndarray:
    gaps = (
        generator.standard_gamma(each.shape, count) if each.family == "Gamma" else generator.weibull(each.shape, count)
    )
    return gaps if gaps.sum() > 0 else np.ones(count)


def drawn_lengths(client: Client, times: np.ndarray, wanted: Wanted, laws: Mapping[str, Length | None]) -> np.ndarray:
    """Return prompts and answers (tokens) of the requests of a client that come at these times; shape (2, requests).

    The law of a time is the last one that begins before it, or else the first one. ``laws`` has the laws of ``input``
    and ``output`` that take their place, where given. -1 where there is neither.
    """
    found = np.full((2, len(times)), -1, dtype=np.int64)
    starts = sorted(client.lengths)
    if starts:
        which = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
        generator = stream(wanted.seed, f"clients/{client.name}/lengths")
        for place in np.unique(which).tolist():
            of = which == place
            fields = client.lengths[starts[place]]
            found[0, of], found[1, of] = _input(generator, fields, int(of.sum())), _of(generator, fields, int(of.sum()))
    for row, name in enumerate(("input", "output")):
        law = laws.get(name)
        if law is not None:
            uniform = stream(wanted.seed, f"clients/{client.name}/{name}").random(len(times))
            found[row] = length_law(name, law)(uniform)
    return found


def _of(generator: np.random.Generator, fields: Mapping[str, Pmf], count: int) -> np.ndarray:
    return fields["output_tokens"].draw(generator, count)


KINDS = ("image", "audio", "video")


def _input(generator: np.random.Generator, fields: Mapping[str, Pmf], count: int) -> np.ndarray:
    """Tokens of the prompt: of its text, and for each kind of medium the number of items times tokens of an item."""
    if "input_tokens" in fields:
        return fields["input_tokens"].draw(generator, count)
    total = fields["text_tokens"].draw(generator, count)
    for kind in KINDS:
        if f"{kind}_tokens" in fields and f"{kind}_count" in fields:
            items = fields[f"{kind}_count"].draw(generator, count)
            total = total + items * fields[f"{kind}_tokens"].draw(generator, count)
    whole: np.ndarray = total
    return whole
