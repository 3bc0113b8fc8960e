"""``simulator check``: whether a scenario file is right, and what it would run."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.common import debug_option, json_option, override_options, overrides, table, write_json
from simulator.cli.elasticfacts import autoscaler_facts, group_facts, start_facts, store_facts
from simulator.cli.failurefacts import failure_facts
from simulator.cli.fleetfacts import fleet_facts
from simulator.cli.plans import plans
from simulator.cli.servicefacts import service_facts

if TYPE_CHECKING:
    from simulator.scenario.build import Plan
    from simulator.scenario.spec import Scenario
    from simulator.scenario.workloads import JobsWork
    from simulator.workload.trace import Trace

Facts = dict[str, "str | dict[str, str]"]
"""What an alternative is made of: a sentence, or a section as it stands in the file."""
_JOBS = "workload "
_DIMENSIONS = {
    "submit": "time", "duration": "time", "compute": "time", "estimate": "time", "gradient": "bytes", "memory": "bytes"
}  # fmt: skip
_NARROWEST = 40
"""Characters that the text of a line has at least."""
_SHOWN = 8
"""Listed jobs of a workload that are shown one by one."""


@click.command()
@click.argument("file", metavar="FILE")
@override_options
@click.option("--allow-code", is_flag=True, help="Load Python files that the scenario names. Read them first.")
@json_option
@debug_option
def check(
    file: str,
    seed: int | None,
    until: str | None,
    replications: int | None,
    settings: tuple[str, ...],
    allow_code: bool,
    as_json: bool,
) -> None:
    """Check FILE, and say what it would run.

    Everything that it names is checked with it: traces are read, topologies built, nothing is run. All problems are
    shown at once, each with its line.
    """
    from simulator.scenario.build import build_costs
    from simulator.scenario.spec import Scenario

    scenario = Scenario.load(file, overrides(settings, seed, until, replications), allow_code=allow_code)
    made = plans(scenario)
    facts = {name: _facts(alternative, plan) for name, (alternative, plan) in made.items()}
    notes = list(
        dict.fromkeys(
            note
            for alternative, plan in made.values()
            for note in (*plan.notes, *build_costs(alternative, plan.topology)[1])
        )
    )
    if as_json:
        plain = {name: {key: _named(value) for key, value in fact.items()} for name, fact in facts.items()}
        write_json({"name": scenario.name, **_experiment(scenario, len(facts)), "alternatives": plain, "notes": notes})
        return
    click.echo(f"{file} is fine: {scenario.name}\n")
    _print(_experiment(scenario, len(facts)), facts)
    for note in notes:
        click.echo(f"note: {note}")


def _experiment(scenario: Scenario, alternatives: int) -> dict[str, str]:
    """What holds for the experiment as a whole."""
    from simulator.core.units import format_quantity

    run = scenario.run
    count = f"{alternatives} alternative{'s' * (alternatives > 1)} x {run.replications} replication"
    lines = {
        "runs": f"{alternatives * run.replications} = {count}{'s' * (run.replications > 1)}, seed {scenario.seed}",
        "until": "all work is done" if run.until is None else format_quantity(run.until, "time"),
    }
    if run.warmup:
        lines["warm-up"] = f"{format_quantity(run.warmup, 'time')}, simulated but not measured"
    lines["measure"] = ", ".join(scenario.measure) or "the headline measures"
    if scenario.expect:
        lines["expect"] = "; ".join(scenario.expect)
    return lines


def _facts(scenario: Scenario, plan: Plan) -> Facts:
    """What one alternative is made of, in words; sections as they stand in the file."""
    from simulator.scenario.services import ServiceWork
    from simulator.scenario.workloads import JobsWork

    counts = plan.topology.summary()
    data = scenario.data
    facts: Facts = {
        "topology": _section(data["topology"], "build"),
        "cluster": ", ".join(f"{counts[key]:,} {key}" for key in ("servers", "accelerators", "switches", "links")),
    }
    for stream in plan.streams:
        work = scenario.workload[stream.name]
        if stream.trace is None:
            assert isinstance(work, JobsWork)
            facts[f"{_JOBS}{stream.name}"] = _listed(work)
        else:
            facts[f"{_JOBS}{stream.name}"] = _work(len(stream), stream.trace, plan.topology.accelerators)
    for service in plan.services:
        work = scenario.workload[service.name]
        assert isinstance(work, ServiceWork)
        facts |= service_facts(service, work) | start_facts(service.name, work.keys, service.weights)
    for fleet in plan.fleets:
        facts |= fleet_facts(fleet)
        facts |= start_facts(fleet.name, getattr(scenario.workload[fleet.name], "keys", None))
    if plan.transfers:
        facts["transfers"] = f"{len(plan.transfers):,}, {sum(t.bytes for t in plan.transfers) / 1e9:,.4g} GB in all"
    scheduler, placement = data.get("scheduler", "fifo"), data.get("placement", "pack")
    if isinstance(scheduler, dict):
        placement = scheduler.pop("placement", None) or placement
    facts["scheduler"] = _section(scheduler or "fifo", "kind")
    facts["placement"] = _section(placement, "kind")
    facts["network"] = _section(data.get("network", {"contention": "max-min"}))
    if scenario.pool is not None:
        facts["autoscaler"] = autoscaler_facts(scenario, _section(data["autoscaler"], "kind"))
    facts |= group_facts(scenario, plan.topology) | store_facts(scenario) | failure_facts(scenario, plan)
    facts["cost"] = _cost(scenario, plan)
    return facts


def _section(section: Any, head: str = "") -> dict[str, str]:
    """A section as it stands in the file, the name of the plug-in (key ``head``) under the empty key."""
    if not isinstance(section, Mapping):
        return {"": str(section)}
    return {"" if key == head else key: _short(value) for key, value in section.items()}


def _named(value: str | dict[str, str]) -> str | dict[str, str]:
    return value if isinstance(value, str) else {key or "kind": text for key, text in value.items()}


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "kind" in value:
        rest = ", ".join(f"{key} {_short(each)}" for key, each in value.items() if key != "kind")
        return f"{value['kind']} ({rest})" if rest else str(value["kind"])
    return f"({len(value)})" if isinstance(value, Mapping | list) else str(value)


def _listed(work: JobsWork) -> dict[str, str]:
    """How many jobs are listed, and what the first ones say of themselves, key by key."""
    count = len(work.jobs)
    words = {"": f"{count:,} job{'s' * (count != 1)}, listed in the file"}
    for number, keys in enumerate(work.jobs[:_SHOWN], 1):
        said = keys.model_dump(exclude_defaults=True, exclude={"id", "kind"})
        said |= said.pop("layout", None) or {}
        if isinstance(said.get("checkpoint"), Mapping):
            del said["checkpoint"]  # what it comes to is told of the workload
        words |= {f"{keys.id or number}.{key}": _quantity(key, value) for key, value in said.items()}
    return words


def _quantity(key: str, value: Any) -> str:
    from simulator.core.units import format_quantity

    if key in _DIMENSIONS:
        return format_quantity(value, _DIMENSIONS[key])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _work(jobs: int, trace: Trace, accelerators: int) -> str:
    from simulator.core.units import format_quantity

    aside = trace.rows_read - len(trace)
    text = f"{jobs:,} jobs of {trace.name}" + (f" ({aside:,} of {trace.rows_read:,} rows set aside)" if aside else "")
    if not trace.span or not accelerators:
        return text
    busy = trace.accelerator_seconds / trace.span
    return f"{text} over {format_quantity(trace.span, 'time', 3)}, enough to keep {busy:,.3g} accelerators busy"


def _cost(scenario: Scenario, plan: Plan) -> dict[str, str]:
    from simulator.core.units import format_quantity as write
    from simulator.scenario.build import build_costs
    from simulator.scenario.nodegroups import priced

    rented = priced(scenario.keys.node_groups)
    if scenario.cost is None and not rented:
        return {"": "not asked for"}
    paid, _ = build_costs(scenario, plan.topology)
    parts = {"rent": "by node group"} if rented else {}
    if paid.capex is not None:
        parts["purchase"] = f"${paid.capex:,.0f}"
        parts["life"] = f"{paid.life / 31557600:.3g} y"
    if paid.electricity is not None:
        parts["electricity"] = write(paid.electricity, "energy price")
        parts["pue"] = f"{paid.pue:g}"
    if paid.cloud is not None:
        parts["rent"] = f"{write(paid.cloud, 'price')} an accelerator"
    return parts or {"": "nothing that is known"}


def _wrapped(lines: Mapping[str, str]) -> str:
    """Lines as a table; on a terminal what is longer than it goes on below, under where it began."""
    if not sys.stdout.isatty():
        return table(list(lines.items()))
    indent = max(map(len, lines)) + 2
    width = max(shutil.get_terminal_size().columns - indent, _NARROWEST)
    rows: list[tuple[str, str]] = []
    for name, text in lines.items():
        parts = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
        rows += [(name, parts[0]), *(("", part) for part in parts[1:])]
    return table(rows)


def _print(experiment: Mapping[str, str], facts: Mapping[str, Facts]) -> None:
    """What all alternatives share as lines, what they differ in as a table."""
    shared: dict[str, str] = {}
    columns: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for fact in facts.values() for key in fact):
        values = [fact.get(key, "-") for fact in facts.values()]
        parts = [value if isinstance(value, dict) else {"": value} for value in values]
        common = {k: v for k, v in parts[0].items() if all(part.get(k) == v for part in parts)}
        listed = key.startswith(_JOBS)  # jobs are told apart where alternatives do so, and counted where not
        if common:
            shared[key] = ", ".join(f"{k} {v}".strip() for k, v in common.items() if not (k and listed))
        for k in dict.fromkeys(k for part in parts for k in part if k not in common):
            name = key.removeprefix(_JOBS)
            columns[f"{name}.{k}" if k else name] = [part.get(k, "-") for part in parts]
    click.echo(_wrapped({**experiment, **shared}))
    if columns:
        rows = [(name, *cells) for name, *cells in zip(facts, *columns.values(), strict=True)]
        click.echo("\n" + table(rows, ("alternative", *columns)))
