"""The key ``checkpoint:`` of jobs: a time between free checkpoints, or how ones that cost something are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from simulator.core.units import parse
from simulator.scenario.quantities import LONGEST, Size, Time
from simulator.scenario.validation import Strict, at, complaint
from simulator.workload.saving import RULES, Saving


def _every(value: Any) -> float | str:
    """Read a time, or the name of a rule."""
    if isinstance(value, str) and value in RULES:
        return value
    if isinstance(value, str) and not any(sign.isdigit() for sign in value):
        raise complaint(f"{value!r} is neither a time nor one of {', '.join(RULES)}")
    seconds = parse(value, "time")
    if not 0 < seconds <= LONGEST:
        text = f"checkpoints every {seconds:g} s are not allowed: above 0 and at most {LONGEST:g} s"
        raise complaint(text, "leave checkpoint out for jobs that never lose anything")
    return seconds


class SavingKeys(Strict):
    """Checkpoints that cost something."""

    every: Annotated[Any, PlainValidator(_every)] = Field(
        description="work between the beginnings of two checkpoints: a time, young, daly or adaptive"
    )
    write: Time | None = Field(None, description="time until a checkpoint is written")
    size: Size | None = Field(None, description="bytes of a checkpoint; default: state of the model that is trained")
    to: str | None = Field(None, min_length=1, description="store that the bytes flow to, and back after a stop")
    mode: Literal["synchronous", "asynchronous"] = Field(
        "synchronous", description="whether the job stands still for all of a write, or for the snapshot only"
    )
    snapshot: Time = Field(0.0, description="time that a job stands still for an asynchronous checkpoint")
    load: Time = Field(0.0, description="time to come back from a checkpoint, besides the restart")

    @model_validator(mode="after")
    def _suits(self) -> SavingKeys:
        if (self.write is None) == (self.to is None):
            found = "both" if self.write is not None else "neither"
            raise complaint(f"a checkpoint has write, as a time, or a store that it goes to; this one has {found}")
        if self.size is not None and self.to is None:
            raise at("size", complaint("'size' means nothing without a store to write it to", at_key=True))
        if self.size == 0:
            raise at("size", complaint("a checkpoint of 0 bytes is not allowed: leave size out, or give write: 0 s"))
        try:
            self.saving(1.0)
        except ValueError as error:
            key = str(error).partition(" ")[0]
            raise (at(key, complaint(str(error))) if key in self.model_fields_set else complaint(str(error))) from None
        return self

    def saving(self, state: float = 0.0) -> Saving:
        """Return the checkpoints of a job; ``state`` is the size (bytes) where none is given.

        Raises ``ValueError`` for a store and no size.
        """
        size = 0.0 if self.to is None else state if self.size is None else self.size
        return Saving(
            every=self.every,
            write=self.write or 0.0,
            size=size,
            store=self.to or "",
            mode=self.mode,
            snapshot=self.snapshot,
            load=self.load,
        )


def _checkpoint(value: Any) -> float | SavingKeys:
    if isinstance(value, Mapping):
        return SavingKeys.model_validate(value)
    seconds = parse(value, "time")
    if seconds > LONGEST:
        raise complaint(f"{value!r} is too long: at most {LONGEST:g} s (30,000 years) can be simulated")
    return seconds


Checkpoint = Annotated[
    Any,
    PlainValidator(_checkpoint),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["30 min"]}, {"const": 0}, {"type": "object"}]}),
]
"""A time between free checkpoints, or ``SavingKeys``."""
