"""What links carry, written down as it changes: exact rows, or means over equal intervals, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.units import format_quantity
from simulator.runtime.fabric import Fabric, Stream

MOST_ROWS = 1_000_000
"""Rows of one run beyond which loads are averaged over longer intervals; 32 bytes each while the run goes on."""
_CHUNK = 65_536
"""Rows that are gathered before they are packed."""
_ROUNDING = 1e-9
"""Share of the capacity that a link was built with by which a load may change unseen."""
_TIME, _LINK, _LOAD, _CAPACITY = range(4)


class LinkLog:
    """The loads and capacities (bytes/s) of the links of a topology over time.

    A row is written for each link at time 0, and whenever its load or capacity has changed by the end of an instant.
    With ``interval`` (s), what changes within one of these intervals becomes its time-weighted mean, so that load x
    time is still what was carried. When there are more than ``most`` rows, the interval is made longer until there are
    half as many, and ``notes`` says so.
    """

    def __init__(self, clock: Clock, topology: Topology, interval: float = 0.0, most: int = MOST_ROWS) -> None:
        self._clock, self._topology = clock, topology
        self._asked = self._interval = interval
        count = len(topology.capacity)
        self._least = topology.capacity * _ROUNDING
        self._now = np.zeros((count, 2))
        self._now[:, 1] = topology.capacity
        self._written = np.full((count, 2), np.nan)
        self._users = np.zeros(count, dtype=np.int64)
        self._pending = np.ones(count, dtype=bool)
        self._most = max(most, 8 * count)
        self._instant = 0.0
        self._late: list[np.ndarray] = []
        self._fresh, self._chunk = 0, min(_CHUNK, self._most)
        self._kept = np.empty((0, 4))

    def set_capacity(self, link: int, capacity: float) -> None:
        """From now on ``link`` can carry ``capacity`` bytes/s."""
        self._move_on()
        self._now[link, 1] = capacity
        self._pending[link] = True

    def add(self, links: np.ndarray, loads: np.ndarray, users: int = 0) -> None:
        """From now on ``links`` carry so many bytes/s more, for so many users more; the end of an instant counts.

        A link without users carries nothing, whatever the rounding of sums says.
        """
        self._move_on()
        np.add.at(self._now[:, 0], links, loads)
        if users:
            np.add.at(self._users, links, users)
            self._now[links[self._users[links] <= 0], 0] = 0.0
        self._pending[links] = True

    @property
    def notes(self) -> list[str]:
        """What a reader of the table must know."""
        if self._interval == self._asked:
            return []
        span = format_quantity(self._interval, "time")
        return [f"Link loads are means over {span} each: shorter intervals would take more than {self._most:,} rows."]

    def table(self, end: float) -> dict[str, np.ndarray]:
        """The columns of ``recorder.LINKS``, rows by time and link; ``end`` (s) is when the run stopped."""
        self._flush()
        self._gather()
        if self._interval > 0:
            self._kept = averaged(self._kept, self._interval, end)
        while len(self._kept) > self._most:
            self._lengthen()
            self._kept = averaged(self._kept, self._interval, end)
        rows, self._kept = self._kept, np.empty((0, 4))
        rows = rows[(rows[:, _TIME] < end) | (rows[:, _TIME] == 0)]
        links = rows[:, _LINK].astype(np.int64)
        names = [*zip(*self._topology.ends, strict=True)] if self._topology.ends else [(), ()]
        src, dst, tier = (_texts(column)[links] for column in (*names, self._topology.tiers))
        numbers = {"load": rows[:, _LOAD].copy(), "capacity": rows[:, _CAPACITY].copy()}
        return {"time": rows[:, _TIME].copy(), "link": links, "src": src, "dst": dst, "tier": tier} | numbers

    def _move_on(self) -> None:
        now = self._clock.now
        if now > self._instant:
            self._flush()
            self._instant = now

    def _flush(self) -> None:
        """Write down what has changed by the end of the last instant."""
        links = np.flatnonzero(self._pending)
        self._pending[links] = False
        now, before, least = self._now[links], self._written[links], self._least[links]
        now[:, 0][now[:, 0] < least] = 0.0
        same = (np.abs(now[:, 0] - before[:, 0]) <= least) & (now[:, 1] == before[:, 1])
        links, now = links[~same], now[~same]
        if len(links):
            self._written[links] = now
            rows = np.empty((len(links), 4))
            rows[:, _TIME], rows[:, _LINK], rows[:, _LOAD:] = self._instant, links, now
            self._late.append(rows)
            self._fresh += len(rows)
            if self._fresh >= self._chunk:
                self._pack()

    def _pack(self) -> None:
        """Gather rows, and average when they are too many or meant to be few."""
        self._gather()
        if self._interval > 0 or len(self._kept) > self._most:
            self._shorten()

    def _gather(self) -> None:
        """Put all rows into one array."""
        self._kept = np.concatenate([self._kept, *self._late])
        self._late.clear()
        self._fresh = 0

    def _shorten(self) -> None:
        """Average over what is past, by longer intervals if need be; the one under way is averaged again later."""
        if self._interval > 0:
            self._kept = averaged(self._kept, self._interval, self._instant)
        while len(self._kept) > self._most // 2:
            self._lengthen()
            self._kept = averaged(self._kept, self._interval, self._instant)

    def _lengthen(self) -> None:
        if self._interval > 0:
            self._interval *= 2.0
        else:
            used = len(np.unique(self._kept[self._kept[:, _LOAD] > 0, _LINK]))
            fits = self._instant * max(1, used) / (self._most / 4)
            self._interval = 2.0 ** math.ceil(math.log2(fits))


class WatchedFabric(Fabric):
    """A fabric that tells a log what its links carry after each solve."""

    def __init__(self, clock: Clock, capacity: Iterable[float], log: LinkLog) -> None:
        super().__init__(clock, capacity)
        self._log = log
        self._on: dict[Stream, tuple[np.ndarray, np.ndarray, float]] = {}
        self._dirty: dict[Stream, None] = {}

    def join(self, stream: Stream) -> None:
        """Add a stream, which is told of its rates: the fabric passes over those who do not ask."""
        if stream.changed is None:
            stream.changed = _nothing
        super().join(stream)
        links = np.array(stream.links, dtype=np.int64)
        usage = np.array(stream.usage, dtype=float)
        self._log.add(links, 0.0 * usage, users=1)
        self._on[stream] = (links, usage, 0.0)
        self._dirty[stream] = None

    def leave(self, stream: Stream) -> None:
        """Take a stream off."""
        super().leave(stream)
        self._dirty.pop(stream, None)
        links, usage, rate = self._on.pop(stream)
        self._log.add(links, -rate * usage, users=-1)

    def resize(self, stream: Stream, count: float, limit: float | None = None) -> None:
        """Change the number of flows of a stream, and the limit of each if one is given."""
        super().resize(stream, count, limit)
        self._dirty[stream] = None

    def _settle(self) -> None:
        super()._settle()
        dirty, self._dirty = self._dirty, {}
        for stream in dirty:
            links, usage, before = self._on[stream]
            rate = stream.count * stream.rate
            if rate != before:
                self._on[stream] = (links, usage, rate)
                self._log.add(links, (rate - before) * usage)

    def _sweep(self, slots: list[int], new: int, touched: list[int]) -> list[Stream]:
        moved = super()._sweep(slots, new, touched)
        self._dirty.update(dict.fromkeys(moved))
        return moved


def fabric(clock: Clock, capacity: Iterable[float], log: LinkLog | None) -> Fabric:
    """A fabric over links of these capacities (bytes/s), watched if there is a log."""
    return Fabric(clock, capacity) if log is None else WatchedFabric(clock, capacity, log)


def _nothing() -> None:
    """What a stream does about a new rate when the log alone wants to know."""


def averaged(rows: np.ndarray, interval: float, until: float) -> np.ndarray:
    """Return step functions with their means in place of what changes within an interval, up to ``until`` (s).

    ``rows`` (n x 4) are time, link, load and capacity by time; each link has one at time 0. Intervals are those from
    k x ``interval`` to (k + 1) x ``interval``, the last one cut off at ``until``; later rows stay as they are. Values x
    time stay the same over each interval, to rounding. Rows come back by time and link.
    """
    early = rows[:, _TIME] < until
    late, rows = rows[~early], rows[early]
    if not len(rows):
        return late
    rows = _last(rows)
    time, link = rows[:, _TIME], rows[:, _LINK]
    last = np.append(link[1:] != link[:-1], True)
    after = np.where(last, until, np.append(time[1:], until))
    place = _intervals(time, interval)
    first = np.flatnonzero(np.append(True, last[:-1] | (place[1:] != place[:-1])))
    final = np.append(first[1:], len(rows)) - 1
    start, end = place[first] * interval, np.minimum((place[first] + 1) * interval, until)
    area = np.add.reduceat(rows[:, _LOAD:] * (np.minimum(after, _spread(end, first, len(rows))) - time)[:, None], first)
    area += rows[first - 1, _LOAD:] * (time[first] - start)[:, None]
    mixed = time[final] > start
    means = np.where(mixed[:, None], area / (end - start)[:, None], rows[first, _LOAD:])
    made = np.column_stack([start, link[first], means])
    on = np.column_stack([end, link[first], rows[final, _LOAD:]])[mixed]
    return _changes(np.concatenate([on, made, late]))


def _intervals(time: np.ndarray, interval: float) -> np.ndarray:
    """Which interval each time lies in, whatever the division rounds to."""
    place = np.floor(time / interval)
    place -= place * interval > time
    place += (place + 1) * interval <= time
    return place


def _spread(values: np.ndarray, first: np.ndarray, length: int) -> np.ndarray:
    return np.repeat(values, np.diff(np.append(first, length)))


def _last(rows: np.ndarray) -> np.ndarray:
    """Rows by link and time; of one link at one time only the last."""
    rows = rows[np.lexsort((rows[:, _TIME], rows[:, _LINK]))]  # stable: what came later stays later
    kept: np.ndarray = rows[np.append((rows[1:, :_LOAD] != rows[:-1, :_LOAD]).any(axis=1), True)[: len(rows)]]
    return kept


def _changes(rows: np.ndarray) -> np.ndarray:
    """Rows by time and link, only where a value changes."""
    rows = _last(rows)
    same = rows[1:, _LINK] == rows[:-1, _LINK]
    rows = rows[~np.append(False, same & (rows[1:, _LOAD:] == rows[:-1, _LOAD:]).all(axis=1))]
    ordered: np.ndarray = rows[np.lexsort((rows[:, _LINK], rows[:, _TIME]))]
    return ordered


def _texts(values: Sequence[str]) -> np.ndarray:
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    return texts
