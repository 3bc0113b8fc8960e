"""``simulator new``: a commented scenario to start from."""

from __future__ import annotations

from pathlib import Path

import click

from simulator.cli.common import debug_option

STARTER = """\
name: {name}
description: What this scenario is to find out.
seed: 1                                   # root of all random numbers: same seed, same results to the last byte

# The cluster. Other builders and what they take: simulator list builders. Hardware: simulator list servers, links.
topology:
  build: leaf-spine
  nodes: 16
  node: dgx-h100
  nodes_per_leaf: 4
  spines: 2
  oversubscription: 2
  link: infiniband-ndr

# The work. Your own trace: {{trace: FILE, format: NAME}} (simulator list formats). Several workloads may run together.
workload:
  research:
    generate: philly-like                 # simulator list generators
    jobs: 3000
    accelerators: 128
    load: 0.95                            # of these accelerators, if nothing waited
    max_duration: 12 h
    communication: 20 %                   # of the run time of jobs of more than one accelerator

# Who runs next, and where: simulator list policies.
scheduler: {{kind: fifo}}
placement: {{kind: pack}}

# What it costs: bought, as here, or rented: {{cloud: $2.50/h}}.
cost: {{capex: catalog, life: 4 y, electricity: $0.11/kWh, pue: 1.25}}

run:
  replications: 3                         # with independent random numbers; every number then has an interval

# What is compared, by name: sections, or sets of overrides such as {{topology.link: ethernet-100g-tcp}}.
compare:
  scheduler:
    fifo: {{kind: fifo}}
    easy-backfill: {{kind: easy-backfill}}

measure: [jct.mean, jct.p99, wait.mean, utilization, cost.total]   # simulator list measures

# Claims that 'simulator run' checks; exit code 3 when one is false.
expect:
  - easy-backfill.wait.mean <= fifo.wait.mean
"""


@click.command()
@click.argument("name")
@debug_option
def new(name: str) -> None:
    """Write NAME.yaml, a commented scenario to start from. Never replaces a file."""
    from simulator.core.errors import InputError, Problem

    if not name.strip() or not name.isprintable():
        raise InputError(Problem(f"{name!r} is not a name for a file", hint="write letters, digits and dashes"))
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not path.parent.is_dir():
        raise InputError(Problem(f"there is no folder {str(path.parent)!r}", file=str(path)))
    title = path.stem.replace("-", " ").replace("_", " ").replace('"', "'").replace("\\", "/")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=f'"{title}"'))
    except FileExistsError:
        raise InputError(Problem("exists already", file=str(path), hint="choose another name")) from None
    click.echo(f"Wrote {path}. Next: simulator check {path}, then simulator run {path}")
