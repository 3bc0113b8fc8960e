"""Keys that every fleet of replicas has: how one starts, what its autoscaler is told, how one may be evicted."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.runtime.fleets.budget import Budget
from simulator.runtime.fleets.spec import Monitoring, Step
from simulator.scenario.jobs import Name
from simulator.scenario.quantities import Bandwidth, Size, Time, Whole
from simulator.scenario.validation import Strict, at, complaint, each, show

WEIGHTS = "weights"
"""Phase of a cold start whose bytes are those of the model."""
SHORTEST = 0.01
"""Seconds between two samples, at least: more often they are only run time."""
_PERCENT = re.compile(r"(\d+)\s*%")
_EXPONENT = re.compile(r"[0-9]+[eE][0-9]+")


class MonitoringKeys(Strict):
    """What lies between what is true and what an autoscaler is told."""

    scrape: Time = Field(0.0, description="time between two samples; 0: one whenever the autoscaler asks")
    window: Time = Field(0.0, description="an autoscaler sees means over this time; 0: the latest sample")
    lag: Time = Field(0.0, description="how old a sample is when it reaches the autoscaler")

    @model_validator(mode="after")
    def _samples(self) -> MonitoringKeys:
        if 0 < self.scrape < SHORTEST:
            raise at("scrape", complaint(f"a scrape every {self.scrape:g} s is too often: {SHORTEST:g} s or more"))
        if not self.scrape and (self.window or self.lag):
            key = "window" if self.window else "lag"
            hint = "write scrape: 15 s beside it, the time between two samples"
            raise at(key, complaint(f"{key!r} means nothing without samples", hint, at_key=True))
        return self

    def made(self) -> Monitoring:
        """Return what the run is told."""
        return Monitoring(self.scrape, self.window, self.lag)


def _amount(value: Any) -> Any:
    """Read a number of replicas, or a percentage of them as it is written."""
    if not isinstance(value, str) or _EXPONENT.fullmatch(value):
        return value
    match = _PERCENT.fullmatch(value.strip())
    if match is None or not 0 <= float(match[1]) <= 100:
        hint = "write 1, or a percentage from 0% to 100%"
        raise complaint(f"{value!r} is neither a number of replicas nor a percentage", hint)
    return f"{match[1]}%"


def _budget(amount: int | str, available: bool = False) -> Budget:
    if isinstance(amount, int):
        return Budget(amount, available=available)
    return Budget(float(amount.rstrip("%")) / 100, share=True, available=available)


Amount = Annotated[Annotated[Whole, Field(ge=0)] | str, BeforeValidator(_amount)]
"""A number of replicas or a percentage of them."""


class DisruptionKeys(Strict):
    """How replicas may be evicted from nodes that go."""

    spelled: ClassVar[Mapping[str, str]] = {
        "maxUnavailable": "max_unavailable",
        "minAvailable": "min_available",
        "terminationGracePeriodSeconds": "grace",
    }
    grace: Time = Field(
        30.0,
        description="time for what a replica is doing when it must leave its node "
        "(default: terminationGracePeriodSeconds of Kubernetes)",
    )
    max_unavailable: Amount | None = Field(
        None,
        description="most replicas that may be missing for one more to be evicted: a number, or a percentage of those "
        "wanted, rounded up; default: any number",
    )
    min_available: Amount | None = Field(
        None,
        description="fewest replicas that stay when one is evicted: a number, or a percentage of those wanted, "
        "rounded up; instead of max_unavailable",
    )

    @model_validator(mode="after")
    def _one_budget(self) -> DisruptionKeys:
        if self.max_unavailable is not None and self.min_available is not None:
            text = "a budget has 'min_available' or 'max_unavailable', not both"
            raise at("min_available", complaint(text, "leave one of them out", at_key=True))
        return self

    @property
    def budget(self) -> Budget | int | None:
        """Most replicas that may be missing for one more to be evicted; None: any number."""
        if self.min_available is not None:
            return _budget(self.min_available, available=True)
        given = self.max_unavailable
        return given if given is None or isinstance(given, int) else _budget(given)


class PhaseKeys(Strict):
    """One phase of a cold start that fetches something."""

    time: Time = Field(0.0, description="time that passes besides")
    size: Annotated[Size, Field(gt=0)] | None = Field(
        None, description="bytes that each server fetches; weights: those of the model"
    )
    from_: Name | None = Field(None, alias="from", description="store that they come from")
    limit: Annotated[Bandwidth, Field(gt=0)] | None = Field(
        None, description="most that one server takes, of its disk or its loader; default: any bandwidth"
    )
    threads: Annotated[Whole, Field(ge=1)] | None = Field(
        None, description="streams side by side; each gets the store's stream, or per_thread"
    )
    per_thread: Annotated[Bandwidth, Field(gt=0)] | None = Field(None, description="most that one of them gets")
    cache: Literal["none", "node"] = Field("none", description="whether a node keeps it for the next replica there")
    cached: Annotated[Bandwidth, Field(gt=0)] | None = Field(
        None, description="rate at which a node that kept it has it again; default: at once"
    )

    @model_validator(mode="after")
    def _fetches(self) -> PhaseKeys:
        if self.from_ is None:
            for key in ("size", "limit", "threads", "per_thread", "cached"):
                if getattr(self, key) is not None:
                    hint = "write from: NAME of a store beside it"
                    raise at(
                        key, complaint(f"{key!r} means nothing in a phase that fetches nothing", hint, at_key=True)
                    )
        if self.threads is not None and self.per_thread is None:
            raise at("threads", complaint("threads of what rate?", "write per_thread: 300 MB/s beside it", at_key=True))
        if self.cached is not None and self.cache == "none":
            raise at("cached", complaint("nothing is kept", "write cache: node beside it", at_key=True))
        return self

    @property
    def most(self) -> float:
        """Most bytes/s that one server takes: of its disk, and of its threads together."""
        threads = math.inf if self.per_thread is None else self.per_thread * (self.threads or 1)
        return min(math.inf if self.limit is None else self.limit, threads)


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a cold start: seconds, bytes/s at which the weights come in from nowhere in particular, or a fetch."""

    seconds: float = 0.0
    rate: float = 0.0
    fetch: PhaseKeys | None = None


def cold_start(value: Any) -> dict[str, Phase]:
    """Read the phases of a cold start, in order."""
    if not isinstance(value, Mapping):
        hint = "write {image: 30 s, engine: 20 s, weights: 5 GB/s}"
        raise complaint(f"{show(value)} is not a mapping of phases", hint)

    def phase(name: str, given: Any) -> Phase:
        if isinstance(given, Mapping):
            keys = PhaseKeys.model_validate(given)
            if keys.from_ is not None and keys.size is None and name != WEIGHTS:
                raise complaint(f"how much is fetched in the phase {name!r}?", "write size: 8 GB beside from")
            return Phase(seconds=keys.time, fetch=None if keys.from_ is None else keys)
        try:
            if name == WEIGHTS and isinstance(given, str) and given.rstrip().endswith(("/s", "bps")):
                rate = parse(given, "bandwidth")
                if rate <= 0:
                    raise complaint(f"{given!r} loads no weights: it must be above 0")
                return Phase(rate=rate)
            return Phase(seconds=parse(given, "time"))
        except UnitError as error:
            raise complaint(str(error), "weights may be a bandwidth, as 5 GB/s" if name == WEIGHTS else "") from None

    return dict(zip(value, each(value.items(), phase), strict=True))


def steps(phases: Mapping[str, Phase], weights: float = 0.0) -> tuple[Step, ...]:
    """Return the steps of a start, ``weights`` (bytes) being those of the model."""
    return tuple(_step(name, phase, weights) for name, phase in phases.items())


def _step(name: str, phase: Phase, weights: float) -> Step:
    keys = phase.fetch
    if keys is None:
        return Step(name, phase.seconds + (weights / phase.rate if phase.rate else 0.0))
    size = weights if keys.size is None else keys.size
    kept = 0.0 if keys.cache == "none" else math.inf if keys.cached is None else keys.cached
    return Step(name, phase.seconds, size, keys.from_ or "", keys.most, kept)


def check_stores(phases: Mapping[str, Phase], known: Mapping[str, object]) -> None:
    """Raise ``InputError`` for a phase that fetches from a store that the scenario does not have."""
    for name, phase in phases.items():
        store = None if phase.fetch is None else phase.fetch.from_
        if store is not None and store not in known:
            hint = did_you_mean(store, known) if known else "describe it: stores: {NAME: {bandwidth: 25 Gb/s}}"
            raise InputError(Problem(f"the phase {name!r} fetches from {store!r}, which is no store", hint=hint))
