"""How long requests that come at random wait though there are enough servers."""

from __future__ import annotations

import math


def erlang_c(servers: int, offered: float) -> float:
    """Probability that a request which comes at random must wait, in M/M/c.

    ``offered`` is the arrival rate over the rate of one server, below ``servers``. Source: A. K. Erlang (1917), by the
    recursion over Erlang's B (L. Kleinrock, "Queueing Systems" I, 1975, ch. 3).

    >>> round(erlang_c(1, 0.8), 12), round(erlang_c(2, 1.0), 12)
    (0.8, 0.333333333333)
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def waits(servers: int, demand: float, capacity: float) -> tuple[float, float]:
    """Share of requests that wait, and mean seconds that those do, in the long run of M/M/c.

    ``servers`` serve ``capacity`` together (1/s) and requests come at ``demand`` (1/s). Used instant by instant while
    the demand changes: the pointwise stationary approximation (L. Green and P. Kolesar, "The pointwise stationary
    approximation for queues with nonstationary arrivals", Management Science 37, 1991). (0, 0) where nobody comes, or
    where there is no long run.

    >>> waits(1, 0.8, 1.0)
    (0.8, 5.000000000000001)
    """
    if not 0 < demand < capacity or servers < 1:
        return 0.0, 0.0
    share = erlang_c(servers, demand * servers / capacity)
    return (share, 1.0 / (capacity - demand)) if math.isfinite(share) else (0.0, 0.0)
