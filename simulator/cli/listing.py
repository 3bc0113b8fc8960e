"""``simulator list``: what a scenario file may name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, table, write_json
from simulator.cli.shippedlist import shipped_rows

if TYPE_CHECKING:
    from simulator.core.registry import Registry

Rows = tuple[tuple[str, ...], list[tuple[Any, ...]]]
"""Column heads, and a row for each thing, its name first."""


def _plugins(registry: Registry[Any]) -> Rows:
    return ("name", "what it does"), [(name, registry.summary(name)) for name in registry.names()]


POLICIES = {
    "scheduler": "api:schedulers",
    "order": "orders:orders",
    "backfill": "backfill:backfills",
    "placement": "api:placers",
    "autoscaler": "supply:autoscalers",
    "interference": "api:interferences",
    "objective": "heterogeneity.objectives:objectives",
    "score": "kube:scores",
    "router": "serving:routers",
    "batching": "serving:batchings",
    "lineup": "serving:lineups",
    "replica autoscaler": "serving:replica_scalers",
}
"""Kinds of policies, and where in ``simulator.policies`` their registries are."""


def _registry(kind: str) -> Registry[Any]:
    from importlib import import_module

    module, _, name = POLICIES[kind].partition(":")
    found: Registry[Any] = getattr(import_module(f"simulator.policies.{module}"), name)
    return found


def _of_kind(kind: str) -> Rows:
    return _plugins(_registry(kind))


def _imitating(kind: str) -> Rows:
    """Policies that follow products, with the product and its version."""
    registry = _registry(kind)
    rows = [(name, str(getattr(registry.get(name), "version", "") or "ours"), line) for name, line in _of_kind(kind)[1]]
    return ("name", "after", "what it does"), rows


def _boots() -> Rows:
    from simulator.cli.bootlist import boots

    return boots()


def _policies() -> Rows:
    rows = [(name, kind, line) for kind in POLICIES for name, line in _of_kind(kind)[1]]
    return ("name", "kind", "what it does"), rows


def _formats() -> Rows:
    from simulator.workload.formats import formats

    return _plugins(formats)


def _generators() -> Rows:
    from simulator.workload.generate import generators

    return _plugins(generators)


def _request_formats() -> Rows:
    from simulator.workload.requestformats import request_formats

    return _plugins(request_formats)


def _request_generators() -> Rows:
    from simulator.workload.requestgenerators import request_generators

    return _plugins(request_generators)


def _load_shapes() -> Rows:
    from simulator.workload.loadshapes import load_shapes

    return _plugins(load_shapes)


def _builders() -> Rows:
    from simulator.cluster.builders import builders

    return _plugins(builders)


def _quantity(value: float | None, dimension: str) -> str:
    from simulator.core.units import format_quantity

    if value is None:
        return "-"
    return f"${value:,.0f}" if dimension == "money" else format_quantity(value, dimension, 3)


def _records(kind: str, columns: dict[str, Callable[[Any], object]]) -> Rows:
    from simulator.cluster import catalog

    rows = [(record.id, *(show(record) for show in columns.values())) for record in catalog.records(kind)]
    return (kind, *columns), rows


def _accelerators() -> Rows:
    return _records(
        "accelerator",
        {
            "kind": lambda r: r.kind,
            "year": lambda r: r.year,
            "bf16": lambda r: _quantity(r.flops.get("bf16"), "compute"),
            "memory": lambda r: _quantity(r.memory, "bytes"),
            "memory bandwidth": lambda r: f"{r.memory_bandwidth / 1e12:.3g} TB/s",
            "power": lambda r: _quantity(r.power, "power"),
            "price": lambda r: _quantity(r.price, "money"),
            "source": lambda r: r.confidence,
        },
    )


def _servers() -> Rows:
    return _records(
        "server",
        {
            "accelerators": lambda r: f"{r.accelerators} x {r.accelerator}" if r.accelerators else "-",
            "network": lambda r: f"{r.nics} x {_quantity(r.nic_bandwidth, 'bandwidth')}" if r.nics else "-",
            "cores": lambda r: r.cores,
            "memory": lambda r: _quantity(r.memory, "bytes"),
            "power": lambda r: _quantity(r.power, "power"),
            "price": lambda r: _quantity(r.price, "money"),
            "source": lambda r: r.confidence,
        },
    )


def _links() -> Rows:
    return _records(
        "link",
        {
            "family": lambda r: r.family,
            "bandwidth": lambda r: _quantity(r.bandwidth, "bandwidth"),
            "goodput": lambda r: _quantity(r.goodput, "bandwidth"),
            "per hop": lambda r: _quantity(r.latency, "time"),
            "end to end": lambda r: _quantity(r.end_latency, "time"),
            "also called": lambda r: ", ".join(r.aliases),
            "source": lambda r: r.confidence,
        },
    )


def _switches() -> Rows:
    return _records(
        "switch",
        {
            "family": lambda r: r.family,
            "ports": lambda r: f"{r.ports} x {_quantity(r.port_bandwidth, 'bandwidth')}",
            "latency": lambda r: _quantity(r.latency, "time"),
            "power": lambda r: _quantity(r.power, "power"),
            "price": lambda r: _quantity(r.price, "money"),
            "source": lambda r: r.confidence,
        },
    )


def _protocols() -> Rows:
    return _records(
        "protocol",
        {
            "name": lambda r: r.name,
            "joins": lambda r: "accelerators" if r.reach == "scale-up" else "servers",
            "added to a step": lambda r: _quantity(r.latency, "time") if r.latency else "-",
            "GPUDirect": lambda r: "yes" if r.gpudirect else "no",
            "source": lambda r: r.confidence,
        },
    )


def _algorithms() -> Rows:
    from simulator.models.collectives import algorithms

    return _plugins(algorithms)


def _routing() -> Rows:
    from simulator.cluster.routing import modes

    return ("name", "what it does"), [row for row in _plugins(modes)[1] if row[0] != "explicit"]


def _billions(count: float) -> str:
    return f"{count / 1e9:,.0f} B" if count >= 100e9 else f"{count / 1e9:.3g} B"


def _models() -> Rows:
    from simulator.models.training import parameters

    return _records(
        "model",
        {
            "parameters": lambda r: _billions(parameters(r)),
            "active": lambda r: _billions(parameters(r, active=True)),
            "layers": lambda r: r.layers or "-",
            "hidden": lambda r: r.hidden or "-",
            "experts": lambda r: f"{r.active_experts} of {r.experts}" if r.experts else "-",
            "sequence": lambda r: r.sequence or "-",
            "source": lambda r: r.confidence,
        },
    )


def _frameworks() -> Rows:
    return _records(
        "framework",
        {
            "product": lambda r: r.framework,
            "release": lambda r: r.release,
            "gradients by": lambda r: r.scheme,
            "sharding": lambda r: r.sharding,
            "source": lambda r: r.confidence,
        },
    )


def _engines() -> Rows:
    return _records(
        "engine",
        {
            "product": lambda r: r.engine,
            "release": lambda r: r.release,
            "step": lambda r: _quantity(r.step, "time"),
            "sequence": lambda r: _quantity(r.sequence, "time"),
            "batching": lambda r: r.batching,
            "source": lambda r: r.confidence,
        },
    )


def _prices() -> Rows:
    return _records(
        "price",
        {
            "accelerator": lambda r: f"{r.accelerators} x {r.accelerator}" if r.accelerator else "-",
            "region": lambda r: r.region,
            "each": lambda r: ", ".join(f"{kind} {_quantity(rate, 'price')}" for kind, rate in r.prices.items()),
            "date": lambda r: r.date,
        },
    )


def _failures() -> Rows:
    return _records(
        "failure",
        {
            "what": lambda r: r.what,
            "of": lambda r: r.component,
            "mtbf": lambda r: f"{1 / r.rate / 3600:,.0f} h",
            "a year": lambda r: _quantity(-math.expm1(-r.rate * _YEAR), "ratio"),
            "counted": lambda r: f"{r.events:,}" if r.events is not None else "-",
            "source": lambda r: r.confidence,
        },
    )


_YEAR = 8766 * 3600.0
"""Seconds of a mean year (365.25 days), in which a share of the units fails at least once."""


def _measures() -> Rows:
    from simulator.metrics import measures

    rows = [measures.get(name) for name in measures.names()]
    return ("measure", "unit", "better", "what it is"), [(m.name, m.unit, m.better, m.meaning) for m in rows]


KINDS: dict[str, tuple[Callable[[], Rows], str]] = {
    "policies": (_policies, "all the kinds of policies that follow, together"),
    "schedulers": (partial(_of_kind, "scheduler"), "which job runs next:  scheduler: {kind: NAME}"),
    "orders": (partial(_of_kind, "order"), "who goes first:  scheduler: {order: NAME}"),
    "backfills": (partial(_of_kind, "backfill"), "who may pass:  scheduler: {order: NAME, backfill: NAME}"),
    "placements": (partial(_of_kind, "placement"), "where a job runs:  placement: {kind: NAME}"),
    "autoscalers": (partial(_imitating, "autoscaler"), "how many nodes a pool has:  autoscaler: {kind: NAME}"),
    "interferences": (partial(_of_kind, "interference"), "jobs on one accelerator:  interference: {kind: NAME}"),
    "objectives": (partial(_of_kind, "objective"), "what gavel is after:  scheduler: {kind: gavel, objective: NAME}"),
    "scores": (partial(_of_kind, "score"), "what kube goes by:  placement: {kind: kube, scores: {NAME: 1}}"),
    "routers": (partial(_of_kind, "router"), "which replica a request goes to:  router: {kind: NAME}"),
    "batchings": (partial(_of_kind, "batching"), "what an iteration computes:  engine: {batching: {kind: NAME}}"),
    "lineups": (partial(_of_kind, "lineup"), "who is let in next:  engine: {order: {kind: NAME}}"),
    "replica-autoscalers": (partial(_imitating, "replica autoscaler"), "how many replicas:  replicas: {kind: NAME}"),
    "formats": (_formats, "traces that can be read:  workload: {jobs: {trace: FILE, format: NAME}}"),
    "generators": (_generators, "workloads made up on the spot:  workload: {jobs: {generate: NAME, jobs: 1000}}"),
    "request-formats": (_request_formats, "logs of requests to a service:  requests: {trace: FILE, format: NAME}"),
    "request-generators": (_request_generators, "requests made up:  requests: {generate: NAME, requests: 1000}"),
    "load-shapes": (_load_shapes, "demands over time:  load: {kind: NAME}"),
    "builders": (_builders, "topologies from a few numbers:  topology: {build: NAME}"),
    "accelerators": (_accelerators, "GPUs, TPUs, ASICs, FPGAs and CPUs of the catalog"),
    "servers": (_servers, "servers of the catalog"),
    "links": (_links, "kinds of link of the catalog"),
    "protocols": (_protocols, "what carries messages over a kind of link"),
    "algorithms": (_algorithms, "how collectives run:  network: {collectives: NAME}"),
    "routing": (_routing, "how messages find their way:  network: {routing: NAME}"),
    "switches": (_switches, "switches of the catalog"),
    "models": (_models, "models to train or serve:  simulator train-step NAME, service: NAME"),
    "frameworks": (_frameworks, "what runs the training:  framework: NAME of a job"),
    "engines": (_engines, "what serves a model:  engine: NAME of a service"),
    "failures": (_failures, "how often components fail:  failures: {NAME: {component: accelerator, catalog: ROW}}"),
    "boots": (_boots, "how nodes come up:  node_groups: {NAME: {boot: NAME}}"),
    "prices": (_prices, "what clouds ask for an accelerator"),
    "measures": (_measures, "what runs are judged by:  measure: [NAME, ...]"),
    "scenarios": (partial(shipped_rows, "scenarios"), "scenarios that come with the project:  simulator run NAME"),
    "topologies": (
        partial(shipped_rows, "topologies"),
        "topologies that come with the project:  topology: {file: NAME}",
    ),
}


HARDWARE = {
    "accelerators": "accelerator",
    "servers": "server",
    "links": "link",
    "protocols": "protocol",
    "switches": "switch",
    "models": "model",
    "frameworks": "framework",
    "engines": "engine",
    "prices": "price",
    "failures": "failure",
}
"""The lists that show records of the catalog, and the kind of record."""


def _overview() -> Rows:
    return ("list", "what"), [(name, text) for name, (_, text) in KINDS.items()]


def _si_records(kind: str) -> list[dict[str, Any]]:
    """All that is known of each record of the catalog, in SI units."""
    from dataclasses import asdict

    from simulator.cluster import catalog

    return [asdict(record) for record in catalog.records(kind)]


def _kind(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Take the name of a list, or of one of its things: ``scheduler`` for ``schedulers``."""
    from simulator.core.errors import did_you_mean

    if value is None or value in KINDS:
        return value
    if f"{value}s" in KINDS:
        return f"{value}s"
    raise click.BadParameter(f"there is no list {value!r}. {did_you_mean(value, list(KINDS))}")


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]", callback=_kind)
@json_option
@debug_option
def list_(kind: str | None, as_json: bool) -> None:
    """List what a scenario file may name.

    Without KIND: the lists that there are.
    """
    if as_json and kind in HARDWARE:
        write_json(_si_records(HARDWARE[kind]))
        return
    found = KINDS[kind][0]() if kind else _overview()
    if as_json:
        write_json([dict(zip(found[0], row, strict=True)) for row in found[1]])
    else:
        click.echo(table(found[1], found[0]) if found[1] else "none")
