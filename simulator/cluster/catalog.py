"""Dated, sourced records of hardware and prices, read from YAML: one row of ``cluster/data/*.yaml`` is one record.

What the numbers mean: FLOP/s (and int8 operations/s) are dense peaks; bandwidth is one direction, per device or per
port; prices are US dollars of ``date``; everything is SI. ``confidence`` says how a row was found: ``datasheet`` (the
vendor's or author's own text), ``secondary`` (someone else's table), ``memory-unverified`` (no source: check it first).

>>> get("h100-sxm").id, accelerator("nvidia/h100-sxm").memory
('nvidia/h100-sxm', 80000000000.0)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from simulator.cluster.records import (
    HARDWARE,
    KINDS,
    PRECISIONS,
    PRICE_KINDS,
    Accelerator,
    Carbon,
    CloudPrice,
    Electricity,
    Engine,
    Failure,
    Framework,
    Link,
    Model,
    Protocol,
    Pue,
    Record,
    Server,
    Switch,
)
from simulator.cluster.rows import Rows, read_rows
from simulator.core.errors import InputError, Problem, did_you_mean, nearest

__all__ = [
    "HARDWARE",
    "KINDS",
    "PRECISIONS",
    "PRICE_KINDS",
    "Accelerator",
    "Carbon",
    "Catalog",
    "CloudPrice",
    "Electricity",
    "Engine",
    "Failure",
    "Framework",
    "Link",
    "Model",
    "Protocol",
    "Pue",
    "Record",
    "Server",
    "Switch",
]
R = TypeVar("R", bound=Record)
_DATA = Path(__file__).parent / "data"


@cache
def _shipped(file: str) -> Rows:
    return read_rows(_DATA / file)


class Catalog:
    """The shipped records, and those of files that were added. Records are read when they are first asked for.

    A record is found by its id (``nvidia/h100-sxm``), or by its short name (``h100-sxm``) or an alias when only one
    record goes by it. What is not found raises ``InputError`` with the nearest name.
    """

    def __init__(self, extra: Rows | None = None) -> None:
        self._extra = Rows() if extra is None else extra
        self._tables: dict[type[Record], dict[str, Record]] = {}
        self._names: dict[type[Record], dict[str, list[str]]] = {}

    def get(self, kind_or_id: str, name: str | None = None) -> Record:
        """Return the record ``get("server", "dgx-h100")``, or search all hardware: ``get("dgx-h100")``."""
        if name is not None:
            return self._one(_kind(kind_or_id), kind_or_id, name)
        for kind in HARDWARE:
            record = self._find(KINDS[kind], kind, kind_or_id)
            if record is not None:
                return record
        names = [known for kind in HARDWARE for known in self._index(KINDS[kind])]
        close = nearest(kind_or_id, names)
        hint = f"Did you mean {close!r}? " if close else ""
        raise InputError(f"unknown hardware {kind_or_id!r}. {hint}The catalog has " + ", ".join(_counts(self)) + ".")

    def accelerator(self, name: str) -> Accelerator:
        """Return a GPU, TPU, ASIC, FPGA or CPU."""
        return self._one(Accelerator, "accelerator", name)

    def server(self, name: str) -> Server:
        """Return a server."""
        return self._one(Server, "server", name)

    def link(self, name: str) -> Link:
        """Return a kind of link."""
        return self._one(Link, "link", name)

    def switch(self, name: str) -> Switch:
        """Return a switch."""
        return self._one(Switch, "switch", name)

    def price(self, name: str) -> CloudPrice:
        """Return what a cloud instance costs."""
        return self._one(CloudPrice, "price", name)

    def pue(self, name: str) -> Pue:
        """Return a power usage effectiveness."""
        return self._one(Pue, "pue", name)

    def electricity(self, name: str) -> Electricity:
        """Return a price of electricity."""
        return self._one(Electricity, "electricity", name)

    def carbon(self, name: str) -> Carbon:
        """Return the carbon intensity of a grid."""
        return self._one(Carbon, "carbon", name)

    def model(self, name: str) -> Model:
        """Return a model that can be trained or served."""
        return self._one(Model, "model", name)

    def framework(self, name: str) -> Framework:
        """Return a training framework."""
        return self._one(Framework, "framework", name)

    def engine(self, name: str) -> Engine:
        """Return a version of an inference engine."""
        return self._one(Engine, "engine", name)

    def protocol(self, name: str) -> Protocol:
        """Return what carries messages over a kind of link."""
        return self._one(Protocol, "protocol", name)

    def failure(self, name: str) -> Failure:
        """Return how often components of a kind fail."""
        return self._one(Failure, "failure", name)

    def prices(self, accelerator: str | None = None, provider: str | None = None) -> tuple[CloudPrice, ...]:
        """Return all cloud prices, or those of one accelerator or one provider, in the order of their ids."""
        wanted = None if accelerator is None else self.accelerator(accelerator).id
        rows = [cast(CloudPrice, record) for record in self.records("price")]
        providers = {row.provider.lower(): row.provider for row in rows}
        if provider is not None and provider.lower() not in providers:
            raise InputError(f"unknown provider {provider!r}. {did_you_mean(provider, providers.values())}")
        return tuple(
            row
            for row in rows
            if wanted in (None, row.accelerator) and (provider is None or row.provider.lower() == provider.lower())
        )

    def records(self, kind: str) -> tuple[Record, ...]:
        """Return all records of a kind (one of ``KINDS``), in the order of their ids."""
        table = self._table(_kind(kind))
        return tuple(table[name] for name in sorted(table))

    def names(self, kind: str) -> list[str]:
        """Return the ids of all records of a kind, sorted."""
        return sorted(self._table(_kind(kind)))

    def with_file(self, path: str | Path) -> Catalog:
        """Return a catalog that also has the records of a YAML file.

        The file looks like the shipped ones (see ``docs/catalog.md``) and may hold records of every kind. Raises
        ``InputError`` with all problems: bad rows, an id that is taken, a reference to nothing.
        """
        added = read_rows(Path(path))
        merged = Catalog(self._extra.joined(added))
        problems = list(_clashes(self, added, str(path)))
        problems += [] if problems else _dangling(merged, added, str(path))
        if problems:
            raise InputError(*problems)
        return Catalog(self._extra.joined(added.changed(lambda record: replace(record, **_resolved(merged, record)))))

    def _table(self, cls: type[R]) -> dict[str, R]:
        if cls not in self._tables:
            rows = _shipped(cls.file).of(cls) + self._extra.of(cls)
            self._tables[cls] = {record.id: record for record in rows}
        return cast("dict[str, R]", self._tables[cls])

    def _index(self, cls: type[Record]) -> dict[str, list[str]]:
        """Every accepted name -> ids of the records that go by it; a full id stands for its own record alone."""
        if cls not in self._names:
            names: dict[str, list[str]] = {}
            for record in self._table(cls).values():
                for name in dict.fromkeys((record.short, *record.aliases)):
                    names.setdefault(name, []).append(record.id)
            self._names[cls] = names | {id: [id] for id in self._table(cls)}
        return self._names[cls]

    def _find(self, cls: type[R], kind: str, name: str) -> R | None:
        ids = self._index(cls).get(name, [])
        if len(ids) > 1:
            raise InputError(f"{kind} {name!r} may be {' or '.join(map(repr, ids))}: write one of them in full")
        return self._table(cls)[ids[0]] if ids else None

    def _one(self, cls: type[R], kind: str, name: str) -> R:
        record = self._find(cls, kind, name)
        if record is None:
            close = nearest(name, self._index(cls))
            known = did_you_mean(self._index(cls)[close][0] if close else name, self._table(cls))
            raise InputError(f"unknown {kind} {name!r}. {known}")
        return record


def _kind(kind: str) -> type[Record]:
    if kind not in KINDS:
        raise InputError(f"unknown kind of record {kind!r}. {did_you_mean(kind, KINDS)}")
    return KINDS[kind]


def _counts(catalog: Catalog) -> list[str]:
    return [f"{len(catalog.names(kind))} {KINDS[kind].section}" for kind in HARDWARE]


def _clashes(catalog: Catalog, added: Rows, file: str) -> Iterator[Problem]:
    for kind, cls in KINDS.items():
        for record in added.of(cls):
            taken = catalog._index(cls).get(record.id)
            if taken:
                text = f"{kind} {record.id!r} already stands for {', '.join(taken)}"
                yield Problem(text, file, added.line(record), hint=f"choose another id, as 'mine/{record.short}'")


def _dangling(catalog: Catalog, added: Rows, file: str) -> list[Problem]:
    problems = []
    for record in added.all():
        try:
            _resolved(catalog, record)
        except InputError as error:
            problems.append(Problem(str(error), file, added.line(record), path=record.id))
    return problems


def _resolved(catalog: Catalog, record: Record) -> dict[str, Any]:
    """Full ids of what the record refers to, by field."""
    named = {key: (kind, getattr(record, key)) for key, kind in record.references.items()}
    return {key: catalog.get(kind, name).id for key, (kind, name) in named.items() if name is not None}


_DEFAULT = Catalog()
get = _DEFAULT.get
accelerator = _DEFAULT.accelerator
server = _DEFAULT.server
link = _DEFAULT.link
switch = _DEFAULT.switch
price = _DEFAULT.price
prices = _DEFAULT.prices
pue = _DEFAULT.pue
electricity = _DEFAULT.electricity
carbon = _DEFAULT.carbon
model = _DEFAULT.model
framework = _DEFAULT.framework
engine = _DEFAULT.engine
protocol = _DEFAULT.protocol
failure = _DEFAULT.failure
records = _DEFAULT.records
names = _DEFAULT.names
load = _DEFAULT.with_file
