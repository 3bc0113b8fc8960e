"""The keys of a scenario file, and what each of them may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationError, ValidationInfo, model_validator

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import parse
from simulator.scenario.failurekeys import FailureSection, failures
from simulator.scenario.groupkeys import Carbon, NodeGroupKeys, RegionKeys
from simulator.scenario.jobs import Name
from simulator.scenario.loader import is_file, read_text, shown
from simulator.scenario.network import NetworkKeys
from simulator.scenario.nodegroups import check as check_groups
from simulator.scenario.overrides import is_path, label
from simulator.scenario.plugins import SECTIONS, Context, Plugin, plugin
from simulator.scenario.quantities import EnergyPrice, Share, Time, Whole
from simulator.scenario.serverkeys import BookingKeys, Servers, WindowKeys
from simulator.scenario.shipped import shipped
from simulator.scenario.stores import StoreKeys
from simulator.scenario.validation import Strict, at, complaint, each, elsewhere, problems_of, show
from simulator.scenario.workloads import Work, work
from simulator.scenario.yamltext import parse as parse_yaml

FOUR_YEARS = 4 * 31557600.0
MAX_REPLICATIONS = 10_000
MAX_WORKERS = 256
_WORKLOAD_NAME = re.compile(r"[^\s./]+")
_ALTERNATIVE = re.compile(r"[^\s/](?:[^/\n]{0,58}[^\s/])?")


@dataclass(frozen=True, slots=True)
class TopologySource:
    """Where the cluster comes from: a builder (named here or in a file), or a topology made in Python."""

    file: Path | None = None
    build: Plugin | None = None
    ready: Any = None


class CloudKeys(Strict):
    """A row of the catalog's cloud prices."""

    provider: Name
    instance: Name | None = None
    accelerator: Name | None = None
    kind: Literal["on-demand", "spot", "1y", "3y"] = "on-demand"
    region: Name | None = None


def _capex(value: Any) -> Any:
    if isinstance(value, str) and not re.search(r"\d", value):
        if value not in ("catalog", "none"):
            raise complaint(f"{value!r} is not a capex", "write catalog, none, or an amount such as $2.5 M")
        return value
    return parse(value, "money")


def _cloud(value: Any) -> Any:
    return CloudKeys.model_validate(value) if isinstance(value, Mapping) else parse(value, "price")


class CostKeys(Strict):
    """What the cluster costs: bought (capex and electricity) or rented (cloud)."""

    capex: Annotated[Any, PlainValidator(_capex)] = Field(
        None, description="catalog (sum of the bill of materials), none, or an amount"
    )
    life: Annotated[Time, Field(gt=0)] = Field(FOUR_YEARS, description="capex is spread evenly over this time")
    electricity: EnergyPrice | None = Field(None, description="price of electricity")
    pue: Annotated[Share, Field(ge=1)] = Field(1.0, description="power usage effectiveness: site over IT energy")
    cloud: Annotated[Any, PlainValidator(_cloud)] = Field(
        None, description="price per accelerator-hour, or a row of the catalog: {provider, instance, kind, region}"
    )
    carbon: Carbon | None = Field(None, description="carbon intensity of power that is in no region")

    @model_validator(mode="after")
    def _bought_or_rented(self) -> CostKeys:
        owned = [key for key in ("capex", "electricity") if getattr(self, key) not in (None, "none")]
        if self.cloud is not None and owned:
            text = f"'cloud' and {owned[0]!r} count the same accelerators twice"
            raise at("cloud", complaint(text, "a cluster is rented (cloud) or bought (capex, electricity)"))
        return self


class RunKeys(Strict):
    """How long, how often, and on how many processes."""

    until: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="end of the simulated time; default: when all work is done"
    )
    warmup: Time = Field(0.0, description="jobs submitted before this are simulated but not measured")
    replications: Annotated[Whole, Field(ge=1, le=MAX_REPLICATIONS)] = Field(
        1, description="repetitions with independent random numbers"
    )
    workers: Annotated[Whole, Field(ge=1, le=MAX_WORKERS)] | None = Field(
        None, description="processes; they change no result"
    )
    restart: Time = Field(0.0, description="time lost whenever a preempted job resumes")
    explain: bool = Field(False, description="whether each placement and preemption is written down with its reasons")

    @model_validator(mode="after")
    def _measures_something(self) -> RunKeys:
        if self.until is not None and self.warmup >= self.until:
            text = f"a warm-up of {self.warmup:g} s leaves nothing to measure: the run ends at {self.until:g} s"
            raise at("warmup", complaint(text, "make warmup shorter than until"))
        return self


class _TopologyFile(Strict):
    name: str = Field("", description="title of the topology")
    description: str = ""


@dataclass(frozen=True, slots=True)
class PoolKeys:
    """A pool of nodes and the policy that sizes it; counts are nodes, ``provision`` seconds."""

    autoscaler: Plugin
    minimum: int = 0
    maximum: int | None = None
    initial: int | None = None
    provision: float = 210.0
    given: tuple[str, ...] = ()
    """Which of these numbers the scenario says."""


class _PoolKeys(Strict):
    min: Annotated[Whole, Field(ge=0)] = Field(0, description="nodes that are always up")
    max: Annotated[Whole, Field(ge=1)] | None = Field(None, description="most nodes; default: all of the topology")
    initial: Annotated[Whole, Field(ge=0)] | None = Field(None, description="nodes up at the start; default: min")
    provision: Time = Field(
        210.0,
        description="from asking for a node until it takes jobs (default: 3 to 4 minutes on GCE, Kubernetes "
        "cluster-autoscaler FAQ)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> _PoolKeys:
        if self.max is not None and self.max < self.min:
            raise at("max", complaint(f"max ({self.max}) is below min ({self.min})"))
        if self.initial is not None and not self.min <= self.initial <= (self.max or self.initial):
            text = f"initial ({self.initial}) is not between min ({self.min}) and max ({self.max})"
            raise at("initial", complaint(text))
        return self


def _context(info: ValidationInfo) -> Context:
    assert isinstance(info.context, Context)
    return info.context


def _section(value: Any, info: ValidationInfo) -> Plugin:
    assert info.field_name is not None
    return plugin(SECTIONS[info.field_name], value, _context(info))[0]


def _topology(value: Any, info: ValidationInfo) -> TopologySource:
    context = _context(info)
    if isinstance(value, str):
        return _topology_file(value, context, "topology")
    if isinstance(value, Mapping) and "file" in value and value.get("build") != "graph":
        extra = next((key for key in value if key != "file"), None)
        if extra is not None:
            text = f"{extra!r} means nothing beside 'file'"
            raise at(extra, complaint(text, "change the topology file, or write build: instead", at_key=True))
        if not isinstance(value["file"], str):
            raise at("file", complaint(f"{show(value['file'])} is not a file name"), value["file"])
        return _topology_file(value["file"], context, "topology", "file")
    if isinstance(value, Mapping):
        return TopologySource(build=plugin(SECTIONS["topology"], value, context)[0])
    if hasattr(value, "graph") and hasattr(value, "servers"):
        return TopologySource(ready=value)
    raise complaint(f"{show(value)} is not a topology", "write a file name or {build: NAME, ...}")


def _topology_file(name: str, context: Context, *path: str) -> TopologySource:
    """Read a topology file, or a graph: beside the file that names it, or a shipped one."""
    from simulator.cluster.graphs import READERS

    beside = Path(context.base(*path)) / name
    try:
        file = beside if is_file(beside) else shipped("topologies", name)
    except InputError as error:
        problem = complaint(error.problems[0].text, error.problems[0].hint or "")
        raise (at("file", problem, name) if len(path) > 1 else problem) from None
    node = context.root.find(path)
    try:
        if file.suffix.lower() in READERS:
            return TopologySource(build=plugin(SECTIONS["topology"], {"build": "graph", "file": str(file)}, context)[0])
        return read_topology(file, shown(node.mark, name) if node is not None and file is beside else None)
    except InputError as error:
        raise elsewhere(error.problems) from None


def read_topology(file: Path, name: str | None = None) -> TopologySource:
    """Read a topology file: ``build: NAME`` and the parameters of that builder, ``name``, ``description``.

    ``name`` is what messages call the file. Raises ``InputError`` with every problem, each with file, line and column.
    """
    problems: list[Problem] = []
    root = parse_yaml(read_text(file), name or str(file), str(file.resolve().parent), problems)
    value = root.plain()
    if not isinstance(value, Mapping):
        raise InputError(*problems, root.problem((), "a topology file is a mapping", "start with build: NAME"))
    try:
        built, _ = plugin(SECTIONS["topology"], value, Context(root), _TopologyFile)
    except ValidationError as error:
        raise InputError(*problems, *problems_of(error, root)) from None
    if problems:
        raise InputError(*problems)
    return TopologySource(file=file, build=built)


def _pool(value: Any, info: ValidationInfo) -> PoolKeys | None:
    if value is None or value == "none":
        return None
    scaler, keys = plugin(SECTIONS["autoscaler"], value, _context(info), _PoolKeys)
    assert isinstance(keys, _PoolKeys)
    given = tuple(key for key in _PoolKeys.model_fields if key in keys.model_fields_set)
    return PoolKeys(scaler, keys.min, keys.max, keys.initial, keys.provision, given)


def _interference(value: Any, info: ValidationInfo) -> Plugin | None:
    if value is None or value == "none":
        return None
    return plugin(SECTIONS["interference"], value, _context(info))[0]


def _failures(value: Any, info: ValidationInfo) -> FailureSection | None:
    return failures(value, _context(info))


def _workloads(value: Any, info: ValidationInfo) -> dict[str, Work]:
    if not isinstance(value, Mapping) or not value:
        hint = "write workload: {NAME: {trace: ..., format: ...}}"
        raise complaint(f"{show(value)} is not a mapping of workloads", hint)
    context = _context(info)

    def one(name: str, item: Any) -> Work:
        if not _WORKLOAD_NAME.fullmatch(name):
            raise complaint(f"{name!r} is not a name for a workload", "no spaces, dots or slashes", at_key=True)
        return work(name, item, context)

    return dict(zip(value, each(value.items(), one), strict=True))


def _measures(value: list[str]) -> list[str]:
    from simulator.metrics import measures

    known = measures.names()

    def one(index: int, name: str) -> str:
        if name not in known:
            raise complaint(f"unknown measure {name!r}", did_you_mean(name, known, limit=40))
        if value.index(name) < index:
            raise complaint(f"the measure {name!r} is repeated", "name each measure once")
        return name

    return each(enumerate(value), one)


def _alternatives(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping):
        hint = "write compare: {scheduler: {NAME: {kind: ...}, ...}}"
        raise complaint(f"{show(value)} is not a mapping of axes", hint)
    return dict(zip(value, each(value.items(), _axis), strict=True))


def _axis(axis: str, value: Any) -> dict[str, Any]:
    if is_path(axis) and not all(axis.split(".")):
        raise complaint(f"{axis!r} is not a key path", "write for example topology.link", at_key=True)
    plain = str if axis in SECTIONS else str | int | float if is_path(axis) else None
    if isinstance(value, list) and plain is not None and all(isinstance(item, plain) for item in value):
        names = [label(axis, item) for item in value]
        twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if twice is not None:
            raise complaint(f"the alternative {twice!r} is repeated", f"write {axis}: {{NAME: ..., NAME: ...}}")
        value = dict(zip(names, value, strict=True))
    if value in ({}, []):
        raise complaint("there is not a single alternative", f"write {axis}: {{NAME: ..., NAME: ...}}")
    if not isinstance(value, Mapping):
        raise complaint(f"{show(value)} is not a mapping of alternatives", f"write {axis}: {{NAME: ..., NAME: ...}}")
    for name in value:
        if not _ALTERNATIVE.fullmatch(name):
            text = f"{name!r} is not a name for an alternative"
            raise at(name, complaint(text, "1 to 60 characters, no slash", at_key=True))
    return dict(value)


class ScenarioKeys(Strict):
    """All keys of a scenario, checked and in SI."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="title of the scenario")
    description: str = Field("", description="what it is about, for the report")
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = Field(0, description="root of all random numbers")
    topology: Annotated[Any, PlainValidator(_topology)]
    workload: Annotated[Any, PlainValidator(_workloads)]
    scheduler: Annotated[Any, PlainValidator(_section)] = Field("fifo", validate_default=True)
    placement: Annotated[Any, PlainValidator(_section)] = Field("pack", validate_default=True)
    network: NetworkKeys = Field(default_factory=NetworkKeys)
    partitions: dict[Name, Servers] = Field(default_factory=dict, description="servers by partition")
    maintenance: list[WindowKeys] = Field(default_factory=list, description="windows in which servers are down")
    bookings: list[BookingKeys] = Field(default_factory=list, description="servers kept for a tenant for a time")
    interference: Annotated[Any, PlainValidator(_interference)] = None
    stores: dict[Name, StoreKeys] = Field(
        default_factory=dict, description="registries, object stores and file systems on the network"
    )
    failures: Annotated[Any, PlainValidator(_failures)] = None
    autoscaler: Annotated[Any, PlainValidator(_pool)] = None
    node_groups: dict[Name, NodeGroupKeys] = Field(default_factory=dict, description="nodes that come and go, by group")
    regions: dict[Name, RegionKeys] = Field(default_factory=dict, description="where nodes are")
    cost: CostKeys | None = None
    run: RunKeys = Field(default_factory=RunKeys)
    compare: Annotated[Any, PlainValidator(_alternatives)] = Field(default_factory=dict)
    measure: Annotated[list[Name], AfterValidator(_measures)] = Field(default_factory=list)
    expect: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _groups_go_together(self) -> ScenarioKeys:
        check_groups(self.node_groups, self.regions, self.autoscaler, self.cost)
        return self
