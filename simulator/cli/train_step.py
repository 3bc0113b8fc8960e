"""``simulator train-step``: what one optimizer step takes, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, table, write_json

if TYPE_CHECKING:
    from simulator.models.training import Layout, Step

_DEGREES = (
    click.option("--tp", type=int, default=1, show_default=True, help="Tensor parallel ranks."),
    click.option("--pp", type=int, default=1, show_default=True, help="Pipeline stages."),
    click.option("--cp", type=int, default=1, show_default=True, help="Context parallel ranks."),
    click.option("--ep", type=int, default=1, show_default=True, help="Expert parallel ranks."),
    click.option("--vp", type=int, default=1, show_default=True, help="Model chunks a stage (interleaved pipeline)."),
    click.option("--micro-batch", type=int, default=1, show_default=True, help="Sequences of one micro-batch."),
    click.option("--global-batch", type=int, help="Sequences of one step; 8 micro-batches a stage unless said."),
    click.option("--sequence", type=int, help="Tokens of a sequence; the model's own unless said."),
    click.option("--precision", default="bf16", show_default=True, help="fp32 tf32 fp16 bf16 fp8 mxfp8 nvfp4."),
    click.option("--sharding", help="none zero1 zero2 zero3 hybrid; the framework's unless said."),
    click.option("--recompute", default="none", show_default=True, help="none selective full."),
    click.option("--sequence-parallel/--no-sequence-parallel", default=None, help="Norms split over tp; on if tp > 1."),
    click.option("--trains", default="all", show_default=True, help="all, or adapters on frozen weights (LoRA)."),
    click.option("--slowdown", type=float, default=1.0, help="Compute time of the slowest node over a healthy one's."),
    click.option("--expert-imbalance", type=float, default=1.0, help="Tokens of the fullest expert rank over mean."),
    click.option("--noise", type=float, help="Deviation of a rank's compute time over its mean; the framework's."),
    click.option("--overlap/--no-overlap", default=True, help="Whether communication hides behind compute at all."),
    click.option("--input-rate", type=float, help="Sequences/s that the input pipeline feeds to one accelerator."),
)
_PLACE = (
    click.option("--accelerator", metavar="ID", help="Of the catalog; the topology's unless said."),
    click.option("--accelerators", type=int, metavar="N", help="How many; all of the topology unless said."),
    click.option("--link", metavar="ID", default="infiniband-ndr", show_default=True, help="Between servers."),
    click.option("--cards", type=int, default=8, show_default=True, help="Network cards for 8 accelerators."),
    click.option("--topology", metavar="FILE", help="Topology file, or the name of a shipped one, instead of --link."),
    click.option("--framework", metavar="ID", default="megatron-core", show_default=True, help="See: list frameworks."),
    click.option("--servers", type=int, help="Parameter servers, for a framework that has them."),
    click.option("--params", "parameters", type=float, metavar="N", help="Instead of MODEL, with --layers, --hidden."),
    click.option("--layers", type=int, help="Of a model of so many parameters."),
    click.option("--hidden", type=int, help="Its width."),
    click.option("--vocab", type=int, help="Its vocabulary."),
)


def _options(command: Any) -> Any:
    for option in reversed(_PLACE + _DEGREES):
        command = option(command)
    return command


@click.command("train-step")
@click.argument("model", required=False)
@_options
@click.option("--layouts", "search", is_flag=True, help="The fastest layouts that fit, instead of one step.")
@click.option("--most", type=click.IntRange(min=1, max=100), default=10, show_default=True, help="Layouts shown.")
@click.option("--ignore-memory", is_flag=True, help="Time a step even if it does not fit.")
@json_option
@debug_option
def train_step(model: str | None, search: bool, most: int, ignore_memory: bool, as_json: bool, **keys: Any) -> None:
    """Show the time of one training step by parts, MFU and memory.

    MODEL is a name of the catalog (see: simulator list models), or --params, --layers and --hidden make one.

    \b
    simulator train-step llama-3-70b --accelerator h100-sxm --accelerators 64 --tp 4 --pp 8 --vp 5 --precision fp8
    simulator train-step --params 7e9 --layers 32 --hidden 4096 --accelerator a100-sxm-80 --accelerators 64
    """  # noqa: D301 (click reads the backspace)
    from simulator.core.errors import InputError
    from simulator.experiment.train_step import advice, layouts, misfit, prepare
    from simulator.models.training import Layout

    setup = prepare(model, **keys)
    if search:
        found = layouts(setup, most)
        if not found:
            count = setup.common["accelerators"]
            raise InputError(f"no layout of {setup.model.short} on {count} x {setup.accelerator.short} fits")
        write_json([_facts(each) for each in found]) if as_json else click.echo(_ranking(found))
        return
    step = setup.step(Layout(**setup.common))
    if step.memory.missing and not ignore_memory:
        raise InputError(f"{misfit(setup, step)} --ignore-memory times it all the same.")
    if as_json:
        write_json(_facts(step))
        return
    click.echo(f"{_headline(step)}\n\n{_breakdown(step)}\n\n{_summary(step)}\n\n{advice(step)}")


def _headline(step: Step) -> str:
    layout = step.layout
    batch = f"{layout.global_batch} x {layout.sequence or step.model.sequence} tokens"
    where = f"{layout.accelerators} x {step.accelerator.short}"
    return f"{step.model.short}, {batch}, {layout.precision}, {step.framework.id}, on {where}: {_degrees(layout)}"


def _degrees(layout: Layout) -> str:
    names = ("tp", "pp", "cp", "ep", "dp", "vp", "micro_batch")
    shown = [f"{name.replace('_', '-')} {getattr(layout, name)}" for name in names if getattr(layout, name) > 1]
    extra = [f"recompute {layout.recompute}"] * (layout.recompute != "none")
    return ", ".join(shown + extra) or "one rank"


def _breakdown(step: Step) -> str:
    rows = [
        (name, f"{seconds:.4g}", f"{100 * seconds / step.time:.1f} %")
        for name, seconds in step.breakdown.items()
        if seconds
    ]
    rows.append(("step", f"{step.time:.4g}", "100.0 %"))
    return table(rows, ("part", "seconds", "share"), numbers=(1, 2))


def _summary(step: Step) -> str:
    room = step.memory
    held = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in room.parts().items() if size >= 5e7)
    unit = "samples" if step.model.kind == "cnn" else "tokens"
    rows = [
        (f"{unit}/s per accelerator", f"{step.tokens_per_second:,.0f}"),
        ("model TFLOP/s per accelerator", f"{step.flops_per_second / 1e12:.0f}"),
        ("MFU", f"{100 * step.mfu:.1f} %"),
        ("memory per accelerator", f"{room.total / 1e9:.1f} of {room.capacity / 1e9:.1f} GB ({held})"),
    ]
    return table(rows)


def _ranking(found: list[Step]) -> str:
    rows = [
        (
            f"{each.time:.4g}",
            f"{100 * each.mfu:.1f} %",
            f"{each.memory.total / 1e9:.0f} GB",
            _degrees(each.layout),
        )
        for each in found
    ]
    return table(rows, ("step (s)", "MFU", "memory", "layout"), numbers=(0, 1, 2))


def _facts(step: Step) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": step.model.id,
        "accelerator": step.accelerator.id,
        "framework": step.framework.id,
        "layout": asdict(step.layout) | {"dp": step.layout.dp, "micro_batches": step.layout.micro_batches},
        "time": step.time,
        "breakdown": step.breakdown,
        "tokens_per_second": step.tokens_per_second,
        "flops_per_second": step.flops_per_second,
        "mfu": step.mfu,
        "memory": step.memory.parts() | {"total": step.memory.total, "capacity": step.memory.capacity},
        "communications": [asdict(call) | {"exposed": call.exposed} for call in step.communications],
    }
