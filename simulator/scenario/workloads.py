"""The kinds of ``workload:``: a trace, a generator, jobs or transfers one by one, a service, a load, data jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, ValidationError, model_validator

from simulator.core.errors import did_you_mean, nearest
from simulator.scenario.arguments import chosen, model_of
from simulator.scenario.jobs import BatchKeys, Moment, Name, Names, PartBelowOne, TrainingKeys
from simulator.scenario.loader import is_file
from simulator.scenario.loads import LoadWork, load
from simulator.scenario.pace import read_pace
from simulator.scenario.plugins import Context, no_file
from simulator.scenario.quantities import Number, Size, Time, Whole
from simulator.scenario.savingkeys import Checkpoint
from simulator.scenario.services import ServiceWork, service
from simulator.scenario.taskjobs import TaskWork, task_jobs
from simulator.scenario.validation import Strict, at, complaint, each, show, under

KINDS = ("trace", "generate", "jobs", "transfers", "service", "load", "stages")


class Common(Strict):
    """Keys that every source of jobs has."""

    oversize: Literal["reject", "keep", "error"] = Field(
        "reject",
        description="a job that can never run here is rejected and counted, waits to the end, or stops everything",
    )


class Cut(Common):
    """Keys that every stream of jobs has, read or generated."""

    communication: PartBelowOne | None = Field(
        None, description="share of the run time of jobs of more than one accelerator that is exposed network time"
    )
    estimates: Literal["trace", "exact", "limit"] = Field(
        "trace",
        description="what schedulers are told: the trace's own estimates where it has them, the truth, or the limit",
    )
    walltime: Literal["ignore", "enforce"] = Field(
        "ignore", description="whether jobs are killed at the limit that the trace states"
    )
    restart: Time | None = Field(None, description="time lost at each return after a stop; default: the run's")
    checkpoint: Checkpoint | None = Field(
        None, description="running time between checkpoints, or {every, write, ...}; default: a stop loses nothing"
    )
    preemptible: bool | None = Field(None, description="whether policies may stop its jobs")
    partition: Name | None = Field(None, description="only servers of this partition")
    pace: Annotated[Any, PlainValidator(read_pace)] = Field(
        None, description="how fast its jobs run on each type: {v100: 1, k80: 0.2}, roofline, or a table of models"
    )
    scale_arrivals: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="divide submission times by this: above 1 the jobs come closer together"
    )
    limit: Annotated[Whole, Field(ge=1)] | None = Field(None, description="only the first so many jobs")


class TraceKeys(Cut):
    """A trace file, read by one of the formats; the options of that format stand beside these keys."""

    trace: Annotated[str, Field(min_length=1, description="path, relative to the file that names it")]
    format: Annotated[str, Field(description="name of the reader")]
    tenant: Names | None = Field(None, description="only jobs of this tenant, or of these")
    from_: Moment | None = Field(None, alias="from", description="leave out what was submitted before")
    until: Moment | None = Field(None, description="leave out what was submitted at this time or later")
    resample: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="put each replication together at random from blocks of this length of the trace"
    )


class GenerateKeys(Cut):
    """A generator; its own parameters stand beside these keys."""

    generate: Annotated[str, Field(description="name of the preset")]


class TransferKeys(Strict):
    """One transfer; ``route`` names links by index and makes ``src`` and ``dst`` unnecessary."""

    id: Name | None = None
    src: Name | None = None
    dst: Name | None = None
    bytes: Size
    start: Time = 0.0
    route: Annotated[list[Annotated[Whole, Field(ge=0)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _has_ends(self) -> TransferKeys:
        if self.route is None and (self.src is None or self.dst is None):
            missing = "src" if self.src is None else "dst"
            raise complaint(f"{missing!r} is missing", "a transfer has src and dst, or a route of link indices")
        return self


@dataclass(frozen=True, slots=True)
class TraceWork:
    """A trace to read: file, reader, options of the reader in SI, and what to cut from it."""

    keys: TraceKeys
    path: Path
    read: Callable[..., Any]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GeneratedWork:
    """A generator to run: its name and its parameters in SI."""

    keys: GenerateKeys
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobsWork:
    """Jobs given one by one."""

    keys: Common
    jobs: tuple[BatchKeys | TrainingKeys, ...]


@dataclass(frozen=True, slots=True)
class TransfersWork:
    """Transfers given one by one."""

    transfers: tuple[TransferKeys, ...]


Work = TraceWork | GeneratedWork | JobsWork | TransfersWork | ServiceWork | LoadWork | TaskWork


def work(name: str, value: Any, context: Context) -> Work:
    """Return what one entry of ``workload:`` means; raise pydantic errors placed at its keys."""
    if not isinstance(value, Mapping):
        raise complaint(f"{show(value)} is not a workload", f"a workload is a mapping with one of: {', '.join(KINDS)}")
    kinds = [kind for kind in KINDS if kind in value and not (kind in ("jobs", "load") and "generate" in value)]
    if len(kinds) != 1:
        found = f"both {' and '.join(map(repr, kinds))}" if kinds else "neither of them"
        close = next((f"Did you mean {near!r}?" for key in value if (near := nearest(str(key), KINDS))), "")
        hint = "" if kinds else close
        raise complaint(f"a workload has exactly one of {', '.join(KINDS)}; this one has {found}", hint)
    return _READERS[kinds[0]](name, value, context)


def _trace(name: str, value: Mapping[str, Any], context: Context) -> TraceWork:
    from simulator.workload.formats import formats

    known = value.get("format")
    if not isinstance(known, str) or known not in formats.names():
        if known is None:
            raise at("format", complaint("'format' is missing", f"one of: {', '.join(formats.names())}"))
        raise at("format", complaint(f"unknown format {show(known)}", did_you_mean(str(known), formats.names())), known)
    read = formats.get(known)
    keys = model_of(read, ("path",), TraceKeys).model_validate(value)
    assert isinstance(keys, TraceKeys)
    path = Path(context.base("workload", name, "trace")) / keys.trace
    if not is_file(path):
        raise at("trace", no_file(path, keys.trace), keys.trace)
    return TraceWork(keys, path, read, chosen(keys))


def _generated(name: str, value: Mapping[str, Any], context: Context) -> GeneratedWork:
    from simulator.workload.generate import FIXED, generators

    known = value["generate"]
    if not isinstance(known, str) or known not in generators.names():
        text = f"unknown generator {show(known)}"
        raise at("generate", complaint(text, did_you_mean(str(known), generators.names())), known)
    keys = model_of(generators.get(known), FIXED, GenerateKeys).model_validate(value)
    assert isinstance(keys, GenerateKeys)
    return GeneratedWork(keys, chosen(keys))


class _JobsKeys(Common):
    jobs: Annotated[list[Any], Field(min_length=1)]


def _jobs(name: str, value: Mapping[str, Any], context: Context) -> JobsWork:
    keys = _JobsKeys.model_validate(value)
    try:
        jobs = each(enumerate(keys.jobs), _job)
        _distinct([job.id for job in jobs])
        each(enumerate(jobs), partial(_follows, _ids(name, jobs)))
    except ValidationError as error:
        raise under("jobs", error) from None
    return JobsWork(keys, tuple(jobs))


def _distinct(ids: list[str | None]) -> None:
    first: dict[str, int] = {}
    for index, id in enumerate(ids):
        if id is not None and first.setdefault(id, index) != index:
            raise at(index, complaint(f"the id {id!r} is taken: item {first[id]} has it already"), id)


def _ids(workload: str, jobs: Sequence[BatchKeys | TrainingKeys]) -> dict[str, int | None]:
    """Return the ids of the jobs of a list, and how many each stands for where it is an array."""
    return {job.id or f"{workload}-{number}": job.array for number, job in enumerate(jobs, 1)}


def _follows(ids: Mapping[str, int | None], index: int, job: BatchKeys | TrainingKeys) -> None:
    """Check that the jobs that one waits for are there, and that it does not wait for too many of them."""

    def known(place: int, id: str) -> int:
        array, _, member = id.removesuffix("]").rpartition("[")
        size = ids.get(array) if id.endswith("]") and member.isdecimal() else None
        if id not in ids and (size is None or int(member) >= size):
            hint = f"the array {array!r} has {array}[0] to {array}[{size - 1}]" if size else did_you_mean(id, list(ids))
            raise complaint(f"there is no job {id!r} in this workload", hint)
        return ids.get(id) or 1

    try:
        count = sum(each(enumerate(job.after), known))
    except ValidationError as error:
        raise under("after", error) from None
    if count * (job.array or 1) > _MOST_DEPENDENCIES:
        text = f"{job.array or 1:,} jobs that wait for {count:,} each are more than {_MOST_DEPENDENCIES:,} dependencies"
        raise at("after", complaint(text, "let one job of no length wait for them, and the others for that one"))


_MOST_DEPENDENCIES = 1_000_000
"""What one item of a list may ask for: an array that waits for another is the product of both."""


def _job(index: int, value: Any) -> BatchKeys | TrainingKeys:
    if not isinstance(value, Mapping):
        raise complaint(f"{show(value)} is not a job", "write {accelerators: 8, duration: 2 h}")
    trains = "iterations" in value or "layout" in value or ("model" in value and "duration" not in value)
    kind = value.get("kind", "training" if trains else "batch")
    if kind == "training":
        return TrainingKeys.model_validate(value)
    if kind == "batch":
        return BatchKeys.model_validate(value)
    problem = complaint(f"unknown kind of job {show(kind)}", did_you_mean(str(kind), ("batch", "training")))
    raise at("kind", problem, kind)


class _TransfersKeys(Strict):
    transfers: Annotated[list[Any], Field(min_length=1)]


def _transfers(name: str, value: Mapping[str, Any], context: Context) -> TransfersWork:
    keys = _TransfersKeys.model_validate(value)
    try:
        transfers = each(enumerate(keys.transfers), lambda index, item: TransferKeys.model_validate(item))
        _distinct([transfer.id for transfer in transfers])
    except ValidationError as error:
        raise under("transfers", error) from None
    return TransfersWork(tuple(transfers))


_READERS: dict[str, Callable[[str, Mapping[str, Any], Context], Work]] = {
    "trace": _trace,
    "generate": _generated,
    "jobs": _jobs,
    "transfers": _transfers,
    "service": service,
    "load": load,
    "stages": task_jobs,
}
