"""How full links were: totals over a run, and means over spans of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.cluster.topology import TIERS
from simulator.core.errors import InputError, did_you_mean
from simulator.metrics.window import Window

if TYPE_CHECKING:
    import pandas as pd

    from simulator.experiment.results import Results

BY = ("tier", "link")


@dataclass(frozen=True, slots=True)
class LinkUse:
    """The links of one run, by number: names, and arrays of what they carried from the warm-up to the end.

    ``carried`` and ``possible`` are bytes: the load and the capacity over time. ``peak`` is the highest load over
    capacity.
    """

    src: list[str]
    dst: list[str]
    tier: list[str]
    carried: np.ndarray
    possible: np.ndarray
    peak: np.ndarray

    def __len__(self) -> int:
        return len(self.src)

    @property
    def utilization(self) -> np.ndarray:
        """Bytes carried over bytes that could have been, by link; NaN for a link that was down all the time."""
        return over(self.carried, self.possible)


def link_use(window: Window) -> LinkUse:
    """The links of a run; none when their loads were not recorded."""
    rows = _Rows(window)
    since, until = np.clip(rows.time, window.warmup, None), np.clip(rows.after, window.warmup, None)
    seconds = until - since
    count = int(rows.link[-1]) + 1 if rows.link.size else 0
    share = np.where(seconds > 0, over(rows.load, rows.capacity), np.nan)
    peak = np.zeros(count)
    np.fmax.at(peak, rows.link, share)
    first = np.flatnonzero(np.diff(rows.link, prepend=-1))
    src, dst, tier = (window.column("links", name)[rows.order[first]].tolist() for name in ("src", "dst", "tier"))
    carried, possible = (np.bincount(rows.link, v * seconds, count) for v in (rows.load, rows.capacity))
    return LinkUse(src, dst, tier, carried, possible, peak)


def link_spans(window: Window, links: list[int], edges: np.ndarray) -> np.ndarray:
    """Load over capacity of each of ``links`` between neighbouring ``edges`` (s), links x spans; NaN while down."""
    rows = _Rows(window)
    borders = np.searchsorted(rows.link, np.arange(max(links, default=0) + 2))
    shares = np.empty((len(links), edges.size - 1))
    for place, link in enumerate(links):
        own = slice(borders[link], borders[link + 1])
        knots = np.append(rows.time[own], rows.after[own][-1:])
        load, capacity = (_integral(values[own], knots, edges) for values in (rows.load, rows.capacity))
        shares[place] = over(load, capacity)
    return shares


def changes(window: Window, links: list[int]) -> np.ndarray:
    """The times (s) at which any of ``links`` changes its load or capacity, each once."""
    chosen = np.isin(window.column("links", "link"), links)
    return np.unique(window.column("links", "time")[chosen])


def tier_order(tier: str) -> tuple[int, str]:
    """A key that sorts tiers from the server to the core; those that the project does not name come last."""
    known = list(TIERS)
    return (known.index(tier) if tier in known else len(known), tier)


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts ``leaf-10`` after ``leaf-2``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def link_utilization(results: Results, by: str = "tier") -> pd.DataFrame:
    """See ``Results.link_utilization``."""
    import pandas as pd

    if by not in BY:
        raise InputError(f"links are grouped by tier or by link, not by {by!r}. {did_you_mean(str(by), BY)}")
    frames = [pd.DataFrame(_by_link(results, name)) for name in results]
    frame = pd.concat(frames, ignore_index=True)
    if by == "link":
        return frame.drop(columns="possible")
    rows = []
    for name in results:
        own = frame[frame["alternative"] == name]
        for tier in sorted(own["tier"].unique(), key=tier_order):
            part = own[own["tier"] == tier]
            whole = float(over(part["bytes"].sum(), part["possible"].sum()))
            rows.append((name, tier, len(part), whole, part["utilization"].max(), part["peak"].max()))
    return pd.DataFrame(rows, columns=["alternative", "tier", "links", "utilization", "busiest", "peak"])


def _by_link(results: Results, alternative: str) -> dict[str, object]:
    """The columns of one alternative, mean over its replications, which share their links."""
    runs = [link_use(window) for window in results.windows(alternative).values()]
    one = runs[0]
    carried, possible, peak = (
        np.mean([getattr(run, name) for run in runs], axis=0) for name in ("carried", "possible", "peak")
    )
    return {
        "alternative": [alternative] * len(one), "link": np.arange(len(one)), "src": one.src, "dst": one.dst,
        "tier": one.tier, "utilization": over(carried, possible), "peak": peak, "bytes": carried, "possible": possible,
    }  # fmt: skip


def over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """One over the other; NaN where the other is 0."""
    top, bottom = np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    share: np.ndarray = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return share


def _integral(values: np.ndarray, knots: np.ndarray, edges: np.ndarray) -> np.ndarray:
    area = np.append(0.0, np.cumsum(values * np.diff(knots)))
    return np.asarray(np.diff(np.interp(edges, knots, area)))


class _Rows:
    """The rows of the table of links by link and time, and until when (s) each holds."""

    def __init__(self, window: Window) -> None:
        link, time = window.column("links", "link"), window.column("links", "time")
        self.order = np.lexsort((time, link))
        self.link, self.time = link[self.order], time[self.order]
        self.load, self.capacity = (window.column("links", name)[self.order] for name in ("load", "capacity"))
        end = max(window.end, float(time.max())) if time.size else window.end
        last = np.append(self.link[1:] != self.link[:-1], True)[: time.size]
        self.after = np.where(last, end, np.append(self.time[1:], end)[: time.size])
