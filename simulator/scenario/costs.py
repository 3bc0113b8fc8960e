"""From ``cost:`` and a topology's bill of materials to what the meter of a run needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.cluster import catalog
from simulator.cluster.topology import BillLine, Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.models.cost import bill_total
from simulator.models.energy import idle_power
from simulator.runtime.accounting import Costs
from simulator.scenario.schema import CloudKeys, CostKeys


def costs(
    keys: CostKeys | None, topology: Topology, rented: bool = False, carbon: bool = False
) -> tuple[Costs, list[str]]:
    """Return what the cluster costs and draws, and sentences on what that leaves out.

    Without ``cost:`` only power is known. ``rented``: node groups have prices, and nothing is bought; ``carbon``: they
    have carbon intensities. The price of a cluster counts the lines of its bill that have a price; power counts servers
    at their rated maximum when busy, and switches all the time.
    """
    bill = topology.bill()
    notes: list[str] = []
    idle, busy = _server_power(bill, bool(topology.accelerators))
    network = sum(line.count * line.power for line in bill if line.kind.endswith("switch") and line.power is not None)
    power = Costs(idle_power=idle, busy_power=busy, network_power=float(network))
    lost = ["electricity"] if keys is not None and keys.electricity is not None else []
    lost += ["carbon"] if carbon or (keys is not None and keys.carbon is not None) else []
    if busy is None and lost:
        unknown = _named([line for line in bill if line.kind == "server" and line.power is None])
        verb = "are" if len(lost) > 1 else "is"
        notes.append(
            f"The power of {unknown} is not known, so {' and '.join(lost)} {verb} not counted; "
            "a node of the catalog in the topology (node: dgx-h100) has one, and groups of a fleet take power: 10 kW."
        )
    if keys is None:
        return power, notes
    capex, cloud = None if rented else _capex(keys, bill, notes), _cloud(keys.cloud)
    paid = replace(
        power, capex=capex, life=keys.life, electricity=keys.electricity, pue=keys.pue, cloud=cloud, carbon=keys.carbon
    )
    return paid, notes


def _capex(keys: CostKeys, bill: Sequence[BillLine], notes: list[str]) -> float | None:
    chosen = keys.capex if keys.capex is not None or keys.cloud is not None else "catalog"
    if chosen in (None, "none"):
        return None
    if chosen != "catalog":
        return float(chosen)
    total = bill_total(bill)
    if total.missing:
        left = "capex leaves them out" if len(total.missing) < len(bill) else "capex is not counted"
        notes.append(
            f"The catalog has no price for {_named(total.missing)}, so {left}; "
            "name a node of the catalog in the topology (node: dgx-h100), give groups of a fleet a price: $250k, "
            "or write capex: $3M."
        )
    return total.dollars if len(total.missing) < len(bill) else None


def _named(lines: Sequence[BillLine]) -> str:
    """Name lines of a bill; what has no record is not counted, so that alternatives of many sizes say the same."""
    plural = {"switch": "switches"}
    return ", ".join(
        f"{line.count:,} x {line.item}"
        if line.item
        else f"{plural.get(line.kind, line.kind + 's')} that name no record of the catalog"
        for line in lines
    )


def _server_power(bill: Sequence[BillLine], accelerated: bool) -> tuple[float | None, float | None]:
    """Watts of all servers together, idle and busy; None when that of any of them is not known."""
    idle = busy = 0.0
    for line in bill:
        if line.kind != "server":
            continue
        if line.power is None:
            return None, None
        busy += line.count * line.power
        if not line.item:
            idle += line.count * idle_power(line.power, kind="gpu" if accelerated else "cpu")
            continue
        record = catalog.server(line.item)
        kind = "gpu" if record.accelerator is None else catalog.accelerator(record.accelerator).kind
        known = record.idle_power if line.power == record.power else None
        idle += line.count * idle_power(line.power, known, kind)
    return (idle, busy) if busy else (None, None)


def _cloud(cloud: CloudKeys | float | None) -> float | None:
    """Return dollars per accelerator-second; of several dates the newest."""
    if not isinstance(cloud, CloudKeys):
        return cloud
    rows = catalog.prices(cloud.accelerator, cloud.provider)
    for key in ("instance", "region"):
        wanted = getattr(cloud, key)
        if wanted is None:
            continue
        known = [getattr(row, key) for row in rows]
        if wanted not in known:
            raise InputError(f"{cloud.provider} has no {key} {wanted!r} in the catalog. {did_you_mean(wanted, known)}")
        rows = tuple(row for row in rows if getattr(row, key) == wanted)
    if len({(row.instance, row.region) for row in rows}) != 1:
        found = ", ".join(f"{row.instance} ({row.region})" for row in rows[:12])
        text = f"the catalog has {len(rows)} such prices: {found}" if rows else "the catalog has no such price"
        raise InputError(Problem(text, hint="say which with instance, accelerator or region"))
    return max(rows, key=lambda row: row.date).rate(cloud.kind)
