"""Made-up logs of requests that behave like real ones, or like the textbook's: seeded, the same on every machine.

``generate_requests(name, requests=..., seed=...)`` returns a ``RequestLog``. A generator is a function
``(draws, requests, rate, ...) -> RequestLog`` in a file of this folder, under ``@request_generators.register(name)``.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.registry import Registry
from simulator.workload.options import checked_options, option_names
from simulator.workload.requestlabels import labelled
from simulator.workload.requestlog import RequestLog
from simulator.workload.sampling import Draws

RequestGenerator = Callable[..., RequestLog]

request_generators: Registry[RequestGenerator] = Registry("request generator", "simulator.workload.requestgenerators")
MOST = 100_000_000
"""Requests of a log that is drawn, at most: 24 bytes each, and more for names and prompts."""
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
    [7, 6, 4]
    """
    if not isinstance(requests, int | np.integer) or isinstance(requests, bool) or requests < 1:
        raise InputError(f"requests: {requests!r} is not a whole number of requests, 1 or more")
    if requests > MOST:
        raise InputError(f"requests: {requests:,} are more than {MOST:,}, the most that are drawn")
    make = request_generators.get(name)
    given = checked_options(f"request generator {name!r}", make, options, (*FIXED, "requests"))
    return make(Draws(seed, replication, prefix), requests=int(requests), **given)


def request_generator_options(name: str) -> list[str]:
    """Return the names of the options that a generator takes, beside ``requests``."""
    return option_names(request_generators.get(name), (*FIXED, "requests"))


def generator(name: str) -> Callable[[RequestGenerator], RequestGenerator]:
    """Register a function ``(draws, requests, ...) -> RequestLog`` as a generator that knows who sends requests too.

    It gets four more options: ``tenants``, ``classes``, ``adapters`` and ``skew`` (see ``_WHO``).
    """

    def mark(function: RequestGenerator) -> RequestGenerator:
        parameters = inspect.signature(function).parameters

        def make(
            draws: Draws,
            requests: int,
            *,
            tenants: int | Mapping[str, float] | None = None,
            classes: Mapping[str, float] | None = None,
            adapters: int | Mapping[str, float] | None = None,
            skew: float = 1.0,
            **own: Any,
        ) -> RequestLog:
            own |= {"skew": skew} if "skew" in parameters else {}
            return labelled(function(draws, requests=requests, **own), draws, tenants, classes, adapters, skew)

        more = {name: each for name, each in inspect.signature(make).parameters.items() if name in _WHO_OPTIONS}
        named = {name: each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, each in parameters.items()}
        make.__signature__ = inspect.Signature([*(named | more).values()])  # type: ignore[attr-defined]
        hints = typing.get_type_hints(make, include_extras=True) | typing.get_type_hints(function, include_extras=True)
        make.__annotations__ = {name: hints[name] for name in (*(named | more), "return")}
        for each in ("__name__", "__qualname__", "__module__"):
            setattr(make, each, getattr(function, each))
        make.__doc__ = f"{(function.__doc__ or '').rstrip()}\n\n    {_WHO}\n    "
        request_generators.register(name)(make)
        return make

    return mark


_WHO_OPTIONS = ("tenants", "classes", "adapters", "skew")
_WHO = """``tenants`` and ``adapters``: a number of them, their popularity by Zipf's law with exponent ``skew``, or
    weights by name; ``classes``: weights of classes of service by name. They are drawn for whole sessions."""
