"""The keys of ``network:``: how traffic finds its way and shares the links, and what happens to links."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simulator.core.errors import did_you_mean
from simulator.scenario.quantities import Bandwidth, Share, Time, Whole
from simulator.scenario.validation import Strict, at, complaint

MOST_SCALE = 1000
"""Times its own capacity that a link may have."""
MOST_FLAPS = 10_000
"""Times that one flapping link may go down."""


class CapacityEvent(Strict):
    """From ``time`` on, the link with this index has this capacity."""

    time: Time
    link: Annotated[Whole, Field(ge=0)]
    capacity: Bandwidth


class Flap(Strict):
    """A link that goes down and comes up again, over and over."""

    period: Annotated[Time, Field(gt=0)]
    down: Annotated[Time, Field(gt=0)]
    times: Annotated[Whole, Field(ge=1, le=MOST_FLAPS)] = 1

    @model_validator(mode="after")
    def _comes_up(self) -> Flap:
        if self.down >= self.period:
            text = f"down for {self.down:g} s of a period of {self.period:g} s, the link would never be up"
            raise at("down", complaint(text, "make down shorter than period"))
        return self


def _link(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
        raise complaint(f"{value!r} is not a link", "write its number, 'a -> b' for one direction or 'a -- b' for both")
    return value


class NetworkEvent(Strict):
    """What happens to a link, or to all links of a vertex, at a time."""

    time: Time
    link: Annotated[Any, AfterValidator(_link)] = Field(
        None, description="number of the link, 'a -> b' for one direction, 'a -- b' for both"
    )
    vertex: str | None = Field(None, description="a switch, server or accelerator: all its links")
    state: Literal["down", "up"] | None = Field(None, description="from then on the link is down, or up again")
    capacity: Bandwidth | None = Field(None, description="from then on it has this capacity")
    scale: Annotated[Share, Field(le=MOST_SCALE)] | None = Field(
        None, description="from then on it has this share of the capacity it was built with"
    )
    flap: Flap | None = Field(None, description="it goes down and comes up: {period, down, times}")

    @model_validator(mode="after")
    def _says_one_thing(self) -> NetworkEvent:
        for names, what in ((("link", "vertex"), "where it happens"), (("state", "capacity", "scale", "flap"), "what")):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) != 1:
                found = f"both {' and '.join(map(repr, given))}" if given else "none of them"
                raise complaint(f"an event says {what} with one of {', '.join(names)}; this one has {found}")
        return self


def _routing(value: Any) -> Any:
    from simulator.cluster.routing import modes

    known = [name for name in modes.names() if name != "explicit"]
    if value not in known:
        raise complaint(f"unknown routing {value!r}", did_you_mean(str(value), known))
    return value


def _fidelity(value: Any) -> Any:
    from simulator.runtime.motions import FIDELITIES

    if value not in FIDELITIES:
        raise complaint(f"unknown fidelity {value!r}", did_you_mean(str(value), FIDELITIES))
    return value


def _algorithm(value: Any) -> Any:
    from simulator.models.collectives import algorithms

    known = ["auto", *algorithms.names()]
    if value not in known:
        raise complaint(f"unknown algorithm {value!r}", did_you_mean(str(value), known))
    return value


class NetworkKeys(Strict):
    """How traffic shares the links."""

    contention: Literal["max-min", "none"] = Field(
        "max-min", description="max-min fair sharing of every link, or none: each flow as if it were alone"
    )
    fidelity: Annotated[str, BeforeValidator(_fidelity)] = Field(
        "fluid",
        description="how jobs that compute and communicate in turn share links: fluid (mean rates of interleaved "
        "phases), flow (every iteration on the clock) or steady (as if each were always communicating)",
    )
    routing: Annotated[str, BeforeValidator(_routing)] = Field(
        "ecmp", description="among equally short routes: ecmp (by hash), spray (all of them), adaptive (least loaded)"
    )
    flows: Annotated[Whole, Field(ge=1, le=1024)] = Field(
        1, description="flows (queue pairs) that each message is split into, each hashed by itself"
    )
    collectives: Annotated[str, BeforeValidator(_algorithm)] = Field(
        "auto", description="algorithm of all-reduces; auto: for each the quickest, as NCCL's cost model chooses"
    )
    record: Literal["nothing", "links"] = Field(
        "nothing", description="links: the load of every link over time, as the table of that name"
    )
    record_interval: Time = Field(
        0.0, description="loads of links as means over this time; 0: every change, averaged only if they are too many"
    )
    reroute: Time = Field(0.0, description="time until routing has noticed that a link is down, or up again")
    events: list[NetworkEvent] = Field(default_factory=list, description="what happens to links")
    capacity_events: list[CapacityEvent] = Field(default_factory=list, description="links that change their capacity")

    @model_validator(mode="after")
    def _records_something(self) -> NetworkKeys:
        if self.record_interval > 0 and self.record == "nothing":
            raise at("record_interval", complaint("nothing is recorded", "add record: links, or leave it out"))
        return self

    def remarks(self) -> list[str]:
        """Sentences on what the recorded loads of links are."""
        if self.record == "nothing":
            return []
        if self.contention == "none":
            return ["Link loads are those of transfers alone: without contention, jobs are on no link."]
        if self.fidelity == "steady":
            return ["Link loads of jobs are their rates while they communicate, as if they did so all the time."]
        return []
