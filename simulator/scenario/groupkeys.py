"""Keys of node groups and of regions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from simulator.core.units import parse
from simulator.scenario.jobs import Name
from simulator.scenario.quantities import Number, Share, Time, Whole
from simulator.scenario.serverkeys import Servers
from simulator.scenario.validation import Strict, at, complaint, each, show

_FILE = re.compile(r".+\.(csv|txt|tsv|gz)", re.IGNORECASE)
_BOOT_NAME = re.compile(r"[A-Za-z][\w-]*")
_STRING = {"type": "string"}


def _text(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], "examples": list(examples)})


_COUNT = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {**_STRING, "examples": ["spot.csv"]}]})
_TAKEN = WithJsonSchema(
    {"anyOf": [{**_STRING, "examples": ["spot.csv"]}, {"type": "object", "properties": {"mean": _STRING}}]}
)
_INTENSITY = WithJsonSchema(
    {
        "anyOf": [
            {**_STRING, "examples": ["400 g/kWh", "grid.csv"]},
            {"type": "object", "properties": {"file": _STRING, "column": _STRING}, "required": ["file"]},
        ]
    }
)
_PHASES = WithJsonSchema(
    {
        "anyOf": [
            {**_STRING, "examples": ["ec2", "210 s"]},
            {"type": "object", "additionalProperties": {"anyOf": [_STRING, {"type": "object"}, {"const": 0}]}},
        ]
    }
)


class LawKeys(Strict):
    """A time that is drawn anew for each node."""

    kind: Literal["fixed", "exponential", "lognormal", "uniform"] = Field(description="law")
    mean: Time | None = Field(None, description="mean; not of uniform")
    sigma: Annotated[Number, Field(ge=0)] | None = Field(None, description="of the logarithm, lognormal only")
    low: Time | None = Field(None, description="shortest, uniform only")
    high: Time | None = Field(None, description="longest, uniform only")

    @model_validator(mode="after")
    def _complete(self) -> LawKeys:
        wanted = {"uniform": ("low", "high"), "lognormal": ("mean", "sigma")}.get(self.kind, ("mean",))
        for key in ("mean", "sigma", "low", "high"):
            given = getattr(self, key) is not None
            if given != (key in wanted):
                text = f"{self.kind!r} takes {' and '.join(wanted)}"
                raise at(
                    key, complaint(f"{text}, not {key!r}" if given else f"{text}; {key!r} is missing", at_key=True)
                )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise at("high", complaint(f"high ({self.high:g} s) is below low ({self.low:g} s)"))
        return self


def _phase(name: str, value: Any) -> LawKeys:
    if isinstance(value, Mapping):
        return LawKeys.model_validate(value)
    try:
        parse(value, "time")
    except ValueError as error:
        raise complaint(str(error)) from None
    return LawKeys.model_validate({"kind": "fixed", "mean": value})


def boot_of(value: Any) -> str | dict[str, LawKeys]:
    """Return the phases that a boot is written as, or the name of a preset; raise pydantic errors for what is none."""
    if isinstance(value, Mapping):
        if not value:
            raise complaint("a boot without phases", "write for example boot: {request: 5 s, boot: 20 s}")
        phases = dict(zip(value, each(value.items(), _phase), strict=True))
        if "accelerators" in phases and list(phases)[-1] != "accelerators":
            text = "the phase 'accelerators' is not the last one"
            raise at("accelerators", complaint(text, "nothing follows it: the node takes work then", at_key=True))
        return phases
    if isinstance(value, str) and _BOOT_NAME.fullmatch(value.strip()):
        return value.strip()
    return {"provision": _phase("provision", value)}


def _file_or(dimension: str, noun: str) -> Any:
    def check(value: Any) -> str | float:
        if isinstance(value, str) and _FILE.fullmatch(value.strip()):
            return value.strip()
        try:
            return parse(value, dimension)
        except ValueError as error:
            raise complaint(str(error), f"or name a file with {noun} over time, such as {noun}.csv") from None

    return check


def _capacity(value: Any) -> str | int:
    if isinstance(value, str) and _FILE.fullmatch(value.strip()):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    hint = "write how many nodes the provider has, or a file with their number over time, such as spot.csv"
    raise complaint(f"{show(value)} is not a number of nodes, 0 or more", hint)


class InterruptionKeys(Strict):
    """How long it takes in the mean until a node is taken back."""

    mean: Annotated[Time, Field(gt=0)] = Field(description="of an exponential time, drawn for each node")


def _interruptions(value: Any) -> str | InterruptionKeys:
    if isinstance(value, Mapping):
        return InterruptionKeys.model_validate(value)
    if isinstance(value, str) and _FILE.fullmatch(value.strip()):
        return value.strip()
    raise complaint(f"{show(value)} says nothing of interruptions", "write {mean: 4 h}, or a file such as spot.csv")


class WarmKeys(Strict):
    """Nodes that wait prepared."""

    nodes: Annotated[Whole, Field(ge=1)] = Field(description="how many wait; one that is taken is replaced")
    state: Literal["running", "stopped"] = Field("stopped", description="whether they wait switched on")
    start: Time | None = Field(None, description="until one takes work; default 1.866 s running, 21.178 s stopped")
    price: Annotated[Share, Field(ge=0)] | None = Field(
        None, description="of the price of the group, while one waits; default 1 running, 0 stopped"
    )


class NodeGroupKeys(Strict):
    """Alike nodes that one provider rents out."""

    servers: Servers = Field(description="which servers of the topology are its nodes")
    min: Annotated[Whole, Field(ge=0)] = Field(0, description="fewest nodes")
    max: Annotated[Whole, Field(ge=0)] | None = Field(None, description="most nodes; default: all of its servers")
    initial: Annotated[Whole, Field(ge=0)] | None = Field(None, description="nodes at the start; default: min")
    quota: Annotated[Whole, Field(ge=1)] | None = Field(
        None, description="most nodes at all, those that drain and the warm ones included"
    )
    price: Annotated[Any, PlainValidator(_file_or("price", "price")), _text("$98/h", "price.csv")] = Field(
        None, description="$/h of a node, or a file with prices over time"
    )
    market: Literal["on-demand", "spot"] = Field("on-demand", description="what controllers are told of it")
    boot: Annotated[Any, PlainValidator(boot_of), _PHASES] = Field(
        None, description="phases of the start: a time, a preset, or times by name; default: 210 s"
    )
    warm: WarmKeys | None = Field(None, description="nodes that wait prepared")
    region: Name | None = Field(None, description="one of regions")
    capacity: Annotated[Any, PlainValidator(_capacity), _COUNT] = Field(
        None, description="nodes that the provider has: a number, or a file with their number over time"
    )
    interruptions: Annotated[Any, PlainValidator(_interruptions), _TAKEN] = Field(
        None, description="how the provider takes nodes back: {mean: time}, or a file"
    )
    notice: Time = Field(120.0, description="between the notice of an interruption and the end of the node")
    grace: Time = Field(600.0, description="for a job that is evicted, at most")

    @model_validator(mode="after")
    def _in_order(self) -> NodeGroupKeys:
        initial = self.min if self.initial is None else self.initial
        if self.max is not None and self.max < self.min:
            raise at("max", complaint(f"max ({self.max}) is below min ({self.min})"))
        if not self.min <= initial <= (self.max or initial):
            raise at("initial", complaint(f"initial ({initial}) is not between min ({self.min}) and max ({self.max})"))
        if self.quota is not None and self.quota < max(self.min, initial):
            least = "min" if self.quota < self.min else "initial"
            text = f"quota ({self.quota}) is below {least} ({self.min if least == 'min' else initial})"
            raise at("quota", complaint(text))
        if isinstance(self.capacity, str) and isinstance(self.interruptions, str):
            text = "'capacity' and 'interruptions' are both files: which nodes are taken back, and when, is told twice"
            raise at("interruptions", complaint(text, "leave out one of them; capacity interrupts by itself"))
        return self


class CarbonFile(Strict):
    """A file of carbon intensities over time."""

    file: Name = Field(description="table with a header; the first column is the time")
    column: Name | None = Field(None, description="g/kWh; default: carbon, or the second of two")


def _carbon(value: Any) -> float | CarbonFile:
    if isinstance(value, Mapping):
        return CarbonFile.model_validate(value)
    if isinstance(value, str) and _FILE.fullmatch(value.strip()):
        return CarbonFile(file=value.strip())
    try:
        return parse(value, "carbon")
    except ValueError as error:
        raise complaint(str(error), "or write {file: grid.csv, column: ...}") from None


class RegionKeys(Strict):
    """Where nodes are: what their power emits, and what they cost beside elsewhere."""

    carbon: Annotated[Any, PlainValidator(_carbon), _INTENSITY] = Field(
        None, description="carbon intensity: g/kWh, or a file of it over time"
    )
    price: Annotated[Number, Field(ge=0)] = Field(1.0, description="factor on the prices of its groups")


Carbon = Annotated[
    float,
    BeforeValidator(lambda value: parse(value, "carbon")),
    WithJsonSchema({"type": "string", "examples": ["400 g/kWh"]}),
]
"""A constant carbon intensity in kgCO2e per joule."""
