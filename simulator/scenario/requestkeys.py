"""The keys of ``requests:`` of a service: a trace, a generator, or requests one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from simulator.core.errors import did_you_mean
from simulator.scenario.arguments import chosen, model_of
from simulator.scenario.jobs import Degree, Moment, Name, Names, Text
from simulator.scenario.loader import is_file
from simulator.scenario.plugins import Context, no_file
from simulator.scenario.quantities import Number, Time, Whole
from simulator.scenario.validation import Strict, at, complaint, each, show

SOURCES = ("trace", "generate")


class RequestCut(Strict):
    """Keys that every stream of requests has, read or generated."""

    limit: Degree | None = Field(None, description="only the first so many requests")
    scale_arrivals: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="divide arrival times by this: above 1 the requests come closer together"
    )
    class_: Name | None = Field(None, alias="class", description="class of service of all of them, as in slo")
    priority: Number | None = Field(None, description="priority of all of them")
    adapter: Name | None = Field(None, description="LoRA adapter that all of them need")
    max_tokens: Degree | None = Field(None, description="most tokens that any of them may generate, as clients say")


class RequestTraceKeys(RequestCut):
    """A log of requests, read by one of the formats; the options of that format stand beside these keys."""

    trace: Annotated[str, Field(min_length=1, description="path, relative to the file that names it")]
    format: Annotated[str, Field(description="name of the reader")]
    tenant: Names | None = Field(None, description="only requests of this tenant, or of these")
    where: dict[str, Names] = Field(
        default_factory=dict, description="only requests with this value, or these, in a column: {model: GPT-4}"
    )
    from_: Moment | None = Field(None, alias="from", description="leave out what arrived before")
    until: Moment | None = Field(None, description="leave out what arrived at this time or later")
    resample: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="put each replication together at random from blocks of this length of the log"
    )


class RequestGenerateKeys(RequestCut):
    """A generator of requests; its own parameters stand beside these keys."""

    generate: Annotated[str, Field(description="name of the generator")]


class RequestKeys(Strict):
    """One request of a list."""

    id: Name | None = Field(None, description="name; default: that of the service and the position")
    at: Time = Field(0.0, description="when it is sent; of one that waits for another, the earliest time")
    input: Degree = Field(description="tokens of its prompt")
    output: Degree = Field(description="tokens that it will generate")
    max_tokens: Degree | None = Field(None, description="most tokens that it may generate, as its client says")
    tenant: Text = Field("", description="user or team")
    class_: Text = Field("", alias="class", description="class of service, as in slo")
    priority: Number = Field(0.0, description="higher goes first, where the engine's order looks at it")
    session: Text = Field("", description="conversation that it belongs to")
    adapter: Text = Field("", description="LoRA adapter that it needs")
    after: Name | None = Field(None, description="id of a request of this list that must be through before")
    delay: Time = Field(0.0, description="from the end of that request until it is sent")
    hashes: list[Whole] = Field(default_factory=list, description="names of the leading blocks of its prompt")

    @model_validator(mode="after")
    def _makes_sense(self) -> RequestKeys:
        if self.max_tokens is not None and self.output > self.max_tokens:
            text = f"{self.output:,} tokens of output are more than its client allows (max_tokens: {self.max_tokens:,})"
            raise at("output", complaint(text))
        if self.delay and self.after is None:
            raise at("delay", complaint("'delay' means nothing without 'after'", at_key=True))
        return self


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """A log to read: file, reader, options of the reader in SI, and what to cut from it."""

    keys: RequestTraceKeys
    path: Path
    read: Callable[..., Any]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GeneratedRequests:
    """A generator to run: its name and its parameters in SI."""

    keys: RequestGenerateKeys
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ListedRequests:
    """Requests given one by one."""

    requests: tuple[RequestKeys, ...]


RequestWork = RequestTrace | GeneratedRequests | ListedRequests


def request_work(value: Any, context: Context, where: tuple[str, ...]) -> RequestWork:
    """Return what ``requests:`` says, which stands at ``where``; raise pydantic errors placed at its keys."""
    if isinstance(value, list):
        return _listed_requests(value)
    hint = "write {trace: FILE, format: NAME}, {generate: NAME, ...}, or a list as [{at: 1 s, input: 100, output: 20}]"
    if not isinstance(value, Mapping):
        raise complaint(f"{show(value)} does not say where requests come from", hint)
    given = [source for source in SOURCES if source in value]
    if len(given) != 1:
        found = "both" if given else "neither of them"
        raise complaint(f"requests have exactly one of {', '.join(SOURCES)}; these have {found}", hint)
    return _trace(value, context, where) if given == ["trace"] else _generated(value)


def _trace(value: Mapping[str, Any], context: Context, where: tuple[str, ...]) -> RequestTrace:
    from simulator.workload.requestformats import FIXED, request_formats

    known, names = value.get("format"), request_formats.names()
    if not isinstance(known, str) or known not in names:
        if known is None:
            raise at("format", complaint("'format' is missing", f"one of: {', '.join(names)}"))
        raise at("format", complaint(f"unknown format {show(known)}", did_you_mean(str(known), names)), known)
    read = request_formats.get(known)
    keys = model_of(read, FIXED, RequestTraceKeys).model_validate(value)
    assert isinstance(keys, RequestTraceKeys)
    path = Path(context.base(*where, "trace")) / keys.trace
    if not is_file(path):
        raise at("trace", no_file(path, keys.trace), keys.trace)
    return RequestTrace(keys, path, read, chosen(keys))


def _generated(value: Mapping[str, Any]) -> GeneratedRequests:
    from simulator.workload.requestgenerators import FIXED, request_generators

    known, names = value["generate"], request_generators.names()
    if not isinstance(known, str) or known not in names:
        text = f"unknown generator of requests {show(known)}"
        raise at("generate", complaint(text, did_you_mean(str(known), names)), known)
    keys = model_of(request_generators.get(known), FIXED, RequestGenerateKeys).model_validate(value)
    assert isinstance(keys, RequestGenerateKeys)
    return GeneratedRequests(keys, chosen(keys))


def _listed_requests(value: list[Any]) -> ListedRequests:
    if not value:
        raise complaint("there is not a single request", "write for example [{at: 1 s, input: 100, output: 20}]")
    found = each(enumerate(value), lambda _, item: RequestKeys.model_validate(item))
    ids = {keys.id: index for index, keys in reversed(list(enumerate(found))) if keys.id is not None}
    each(enumerate(found), lambda index, keys: _follows(ids, index, keys))
    return ListedRequests(tuple(found))


def _follows(ids: Mapping[str, int], index: int, keys: RequestKeys) -> None:
    """Check that the id of a request is its own, and that the one that it waits for comes before it in the list."""
    if keys.id is not None and ids[keys.id] != index:
        raise at("id", complaint(f"the id {keys.id!r} is taken: item {ids[keys.id]} has it already"), keys.id)
    if keys.after is None:
        return
    if keys.after not in ids:
        raise at("after", complaint(f"there is no request {keys.after!r} in this list", did_you_mean(keys.after, ids)))
    if ids[keys.after] >= index:
        raise at("after", complaint(f"the request {keys.after!r} does not come before this one in the list"))
