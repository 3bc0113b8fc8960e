"""The keys of jobs that are given one by one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from simulator.core.units import UnitError, parse
from simulator.scenario.pace import read_pace
from simulator.scenario.quantities import LONGEST, Number, Share, Size, Time, Whole
from simulator.scenario.savingkeys import Checkpoint
from simulator.scenario.validation import Strict, at, complaint


def text(value: Any) -> Any:
    """Take a whole number for text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _moment(value: str) -> str:
    """Check one end of a window of a trace: a time since its start, or a date of its own clock."""
    try:
        parse(value, "time")
    except UnitError:
        try:
            datetime.fromisoformat(value.strip())
        except ValueError:
            what = f"{value!r} is neither a time since the start of the trace nor a date"
            raise complaint(what, "write for example '2 d' or '2017-10-03 08:00'") from None
    return value


def _below_one(value: float) -> float:
    if value >= 1:
        raise complaint(f"a share of {value:g} is not allowed: it must be at least 0 and less than 1")
    return value


def _whole_or_part(value: float) -> float:
    if value < 0 or (value > 1 and value != int(value)):
        raise complaint(f"{value:g} accelerators are not allowed: a whole number, or a part of one below 1")
    return value


Text = Annotated[str, BeforeValidator(text)]
"""Text, or a whole number taken as text."""
Name = Annotated[Text, Field(min_length=1)]
Names = Annotated[
    list[Name],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": "string"}}]}),
]
"""Names, or one of them alone."""
Moment = Annotated[str, BeforeValidator(text), AfterValidator(_moment)]
"""One end of a window of a trace."""
PartBelowOne = Annotated[Share, AfterValidator(_below_one)]
Accelerators = Annotated[Number, AfterValidator(_whole_or_part)]
Degree = Annotated[Whole, Field(ge=1)]


class JobKeys(Strict):
    """What every job says of itself."""

    id: Name | None = None
    submit: Time = 0.0
    accelerators: Accelerators
    tenant: Text = ""
    priority: Number = 0.0
    estimate: Time | None = None
    cores: Annotated[Number, Field(ge=0)] = 0.0
    memory: Size = 0.0
    accelerator_types: list[Name] = Field(default_factory=list)
    max_servers: Annotated[Whole, Field(ge=0)] = Field(0, description="most servers that it may span; 0: any number")
    user: Text = ""
    partition: Text = Field("", description="only servers of this partition")
    begin: Time = Field(0.0, description="earliest start, after the start of the run")
    deadline: Time | None = Field(None, description="when it should have ended, after the start of the run")
    limit: Annotated[Time, Field(gt=0)] | None = Field(None, description="running time after which it is killed")
    after: list[Name] = Field(
        default_factory=list, description="ids of jobs, or arrays, of this workload to complete before"
    )
    array: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(
        None, description="so many jobs alike, called ID[0], ID[1], ..."
    )
    array_limit: Annotated[Whole, Field(ge=0)] = Field(0, description="most of the array that run at a time; 0: any")
    preemptible: bool = Field(True, description="whether a policy may stop it")
    restart: Time | None = Field(None, description="time lost at each return after a stop; default: the run's")
    checkpoint: Checkpoint = Field(
        0.0, description="running time between checkpoints, 0: a stop loses nothing; or {every, write, ...}"
    )
    minimum: Accelerators | None = Field(None, description="fewest accelerators that an elastic job runs on")
    maximum: Accelerators | None = Field(None, description="most accelerators that an elastic job can use")
    selector: dict[str, Text] = Field(default_factory=dict, description="labels that its servers must have")
    tolerations: list[Name] = Field(default_factory=list, description="taints of servers that it bears")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> JobKeys:
        low = self.accelerators if self.minimum is None else self.minimum
        high = self.accelerators if self.maximum is None else self.maximum
        if self.minimum == 0 and self.accelerators:
            raise at("minimum", complaint("a job cannot run on 0 accelerators: minimum must be above 0"))
        if not low <= self.accelerators <= high:
            key = "minimum" if low > self.accelerators else "maximum"
            text = f"{self.accelerators:g} accelerators are not between minimum ({low:g}) and maximum ({high:g})"
            raise at(key, complaint(text))
        if self.array_limit and self.array is None:
            raise at("array_limit", complaint("'array_limit' means nothing without 'array'", at_key=True))
        return self


class BatchKeys(JobKeys):
    """One job that holds accelerators for a time."""

    kind: Literal["batch"] = "batch"
    duration: Time
    communication: PartBelowOne = 0.0
    model: Text = Field("", description="what it trains, as tables of throughputs call it")
    pace: Annotated[Any, PlainValidator(read_pace)] = Field(
        None, description="pace by type {v100: 1, k80: 0.2} or by number of accelerators {1: 1, 2: 1.9}"
    )


class LayoutKeys(Strict):
    """How a model is laid out over the accelerators of a job: see ``models.training.Layout``."""

    tp: Degree = Field(1, description="tensor-parallel degree")
    pp: Degree = Field(1, description="pipeline-parallel degree")
    cp: Degree = Field(1, description="context-parallel degree")
    ep: Degree = Field(1, description="expert-parallel degree")
    vp: Degree = Field(1, description="model chunks of a pipeline rank (interleaved schedule)")
    micro_batch: Degree = Field(1, description="sequences of one micro-batch")
    global_batch: Degree = Field(description="sequences of one optimizer step")
    sequence: Degree | None = Field(None, description="tokens of a sequence; default: the model's own")
    precision: str = "bf16"
    sharding: str | None = Field(None, description="none, zero1, zero2, zero3 or hybrid; default: the framework's")
    recompute: str = Field("none", description="none, selective or full")
    sequence_parallel: bool | None = Field(None, description="default: with tensor parallelism")
    slowdown: Annotated[Number, Field(ge=1)] = Field(
        1.0, description="compute time of the slowest node over the others'"
    )
    expert_imbalance: Annotated[Number, Field(ge=1)] = 1.0
    noise: Share | None = Field(None, description="spread of compute times over the mean; default: the framework's")
    input_rate: Annotated[Number, Field(gt=0)] | None = Field(None, description="sequences/s fed to one accelerator")
    overlap: bool = Field(True, description="whether communication hides behind compute")
    trains: str = Field("all", description="all weights, or adapters (LoRA)")


class TrainingKeys(JobKeys):
    """One synchronous training job: of a model with a layout, or plain data parallelism of known compute time."""

    kind: Literal["training"] = "training"
    iterations: Degree
    compute: Time | None = None
    gradient: Size | None = None
    overlap: Annotated[Share, Field(le=1)] = 0.0
    model: Name | None = Field(None, description="a model of the catalog")
    framework: Name | None = Field(None, description="a framework of the catalog")
    layout: LayoutKeys | None = None
    ignore_memory: bool = Field(False, description="run it even where the model does not fit the accelerators")

    @model_validator(mode="after")
    def _says_what_it_trains(self) -> TrainingKeys:
        if self.model is None:
            missing = [key for key in ("compute", "gradient") if getattr(self, key) is None]
            if missing:
                hint = "a training job has compute and gradient, or a model and its layout"
                raise complaint(f"{missing[0]!r} is missing", hint)
            extra: list[str] = [key for key in ("framework", "layout", "ignore_memory") if key in self.model_fields_set]
            if extra:
                raise at(extra[0], complaint(f"{extra[0]!r} means nothing without a model", at_key=True))
            if self.compute and self.iterations * self.compute > LONGEST:
                text = f"{self.iterations:,} iterations of {self.compute:g} s are too long to simulate"
                hint = f"at most {LONGEST:g} s (30,000 years): {int(LONGEST / self.compute):,} iterations"
                raise at("iterations", complaint(text, hint))
            return self
        extra = [key for key in ("compute", "gradient", "overlap") if key in self.model_fields_set]
        if extra:
            raise at(extra[0], complaint(f"{extra[0]!r} follows from the model: leave it out", at_key=True))
        if self.layout is None:
            raise complaint("'layout' is missing", "write layout: {tp: 8, pp: 4, global_batch: 1024}")
        return self
