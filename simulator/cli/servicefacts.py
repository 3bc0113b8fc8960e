"""What ``simulator check`` says of a service: model, requests, replicas, memory, and how long an iteration takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.runtime.serving.spec import Engine
    from simulator.scenario.plugins import Plugin
    from simulator.scenario.replicas import Replicas
    from simulator.scenario.servicebuild import Service
    from simulator.scenario.serviceparts import Scaling
    from simulator.scenario.services import ServiceWork
    from simulator.workload.requestlog import RequestLog

_DEGREES = ("tp", "pp", "dp", "ep")
Facts = dict[str, "str | dict[str, str]"]
"""Sentences by what they are about, or the parts of one: in these alternatives may differ one by one."""


def service_facts(service: Service, work: ServiceWork) -> Facts:
    """Return what a service is made of, the name of the service before each fact."""
    keys, name = work.keys, service.name
    batching, order = _kind(keys.engine.batching, service.batching), _kind(keys.engine.order, "fcfs")
    facts: Facts = {
        f"service {name}": {"": keys.service.id, "weights": f"{service.weights / 1e9:,.4g} GB in {service.precision}"},
        f"{name} requests": _requests(service.log),
        f"{name} replicas": _replicas(service.decode, keys.replicas),
        f"{name} engine": {"": service.engine, "batching": batching, "order": order},
        f"{name} router": _kind(keys.router),
    }
    for kind, engine in service.decode.engines.items():
        on = f" on {_short(kind)}" if len(service.decode.engines) > 1 else ""
        facts[f"{name} KV cache{on}"] = _cache(service, service.decode, kind)
        facts[f"{name} iteration{on}"] = _iteration(service, engine)
    if service.prefill is not None and keys.prefill is not None:
        facts[f"{name} prefill"] = _replicas(service.prefill, keys.prefill.replicas)
        for kind in service.prefill.engines:
            on = f" on {_short(kind)}" if len(service.prefill.engines) > 1 else ""
            facts[f"{name} prefill KV cache{on}"] = _cache(service, service.prefill, kind)
    return facts


def _short(kind: str) -> str:
    return kind.rpartition("/")[2] or "unnamed accelerators"


def _kind(plugin: Plugin | None, otherwise: str = "") -> str:
    if plugin is None:
        return otherwise
    values = {key: f"{value:g}" if isinstance(value, float) else value for key, value in plugin.arguments.items()}
    told = ", ".join(f"{key} {value}" for key, value in values.items())
    return f"{plugin.kind} ({told})" if told else plugin.kind


def _requests(log: RequestLog) -> str:
    from simulator.core.units import format_quantity

    count, aside = len(log), log.rows_read - len(log)
    text = f"{count:,} of {log.name}" + (f" ({aside:,} of {log.rows_read:,} rows set aside)" if aside else "")
    if log.span:
        text += f" over {format_quantity(log.span, 'time', 3)}, {count / log.span:,.3g} a second"
    means = (float(log.columns[name].mean()) for name in ("input", "output"))
    return "{}, {:,.0f} tokens in and {:,.0f} out on average".format(text, *means)


def _replicas(made: Replicas, scaling: Scaling) -> dict[str, str]:
    pool, shape = made.pool, made.shape
    if scaling.fixed is not None:
        number = f"{scaling.fixed:,}"
    else:
        most = "any number" if scaling.maximum is None else f"{scaling.maximum:,}"
        number = f"{scaling.minimum:,} to {most} by {_kind(scaling.scaler)}"
    kinds = " or ".join(kind or "accelerators" for kind in made.engines)
    degrees = {name: str(getattr(shape, name)) for name in _DEGREES if getattr(shape, name) > 1}
    return {"": number, "each": f"{pool.accelerators:,} x {kinds}", **degrees, "room for": f"{made.most:,}"}


def _cache(service: Service, made: Replicas, kind: str) -> dict[str, str]:
    """Memory of one rank on accelerators of one type."""
    engine, block = made.engines[kind], service.spec.block
    said = {"": f"{engine.blocks:,} blocks of {block}", "tokens": f"{engine.blocks * block:,}"}
    if kind in made.fits:
        said["weights"] = f"{made.fits[kind].weights / 1e9:,.3g} GB an accelerator"
    return said


def _iteration(service: Service, engine: Engine) -> dict[str, str]:
    """Seconds of an iteration in which as many sequences of mean length decode as a rank holds."""
    from simulator.core.units import format_quantity

    columns, spec, ranks = service.log.columns, service.spec, service.decode.shape.dp
    context = float(columns["input"].mean() + columns["output"].mean() / 2)
    count = max(1, min(spec.max_batch, int(engine.blocks * spec.block // context)))
    found = engine.time.decoding((count,) * ranks, (count * context,) * ranks)
    seconds = found.base + count * (found.context * context + found.windowed * min(context, engine.time.window))
    return {"": format_quantity(seconds, "time", 3), "decoding": f"{count:,}", "context": f"{context:,.0f} tokens each"}
