"""Made-up logs of requests that behave like real ones, or like the textbook's: seeded, the same on every machine.

``generate_requests(name, requests=..., seed=...)`` returns a ``RequestLog``. A generator is a function
``(draws, requests, rate, ...) -> RequestLog`` in ``simulator.workload.requestgenerators``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.registry import Registry
from simulator.workload.options import checked_options, option_names
from simulator.workload.requestlog import RequestLog
from simulator.workload.sampling import Draws

RequestGenerator = Callable[..., RequestLog]

request_generators: Registry[RequestGenerator] = Registry("request generator", "simulator.workload.requestgenerators")
FIXED = ("draws",)
"""Parameters of a generator that the caller fills in; all others are options."""


def generate_requests(
    name: str, *, requests: int, seed: int = 0, replication: int = 0, prefix: str = "", **options: Any
) -> RequestLog:
    """Return a log of ``requests`` requests.

    ``options`` are those of the generator; all know ``rate``, in requests/s or as a text such as ``"5 /s"``. Times are
    seconds or texts such as ``"2 h"``. ``seed`` and ``replication`` choose the random numbers and ``prefix`` sets the
    streams of one service apart from those of another with the same seed. Raises ``InputError`` for what makes no
    sense.

    >>> log = generate_requests("poisson", requests=3, seed=1, rate="2 /s", input=100, output={"uniform": [1, 9]})
    >>> log.columns["output"].tolist()
    [4, 2, 5]
    """
    if not isinstance(requests, int | np.integer) or isinstance(requests, bool) or requests < 1:
        raise InputError(f"requests: {requests!r} is not a whole number of requests, 1 or more")
    make = request_generators.get(name)
    given = checked_options(f"request generator {name!r}", make, options, (*FIXED, "requests"))
    return make(Draws(seed, replication, prefix), requests=int(requests), **given)


def request_generator_options(name: str) -> list[str]:
    """Return the names of the options that a generator takes, beside ``requests``."""
    return option_names(request_generators.get(name), (*FIXED, "requests"))
