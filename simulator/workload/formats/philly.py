"""Microsoft Philly, as the job extract of the Pollux and Sia papers has it.

Columns ``timestamp,duration,num_gpus,gpu_time,cluster``: time of submission on a clock without zone, seconds of run,
GPUs of the gang, their product, and the virtual cluster. Source: siasosp23/artifacts, sia-simulator/traces/philly.csv,
an extract of msr-fiddle/philly-traces (Jeon et al., USENIX ATC 2019).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = ("timestamp", "duration", "num_gpus", "gpu_time", "cluster")
_NO_PRODUCT = "rows with a gpu_time other than duration x num_gpus, duration is taken: {n}"


@reader("philly", header=COLUMNS)
def read(path: str | Path) -> Trace:
    """Microsoft Philly job extract: timestamp,duration,num_gpus,gpu_time,cluster."""
    trace = Table(path, "philly", required=COLUMNS, known=COLUMNS).trace(_parse)
    repeated = _repeated(trace.columns)
    if not repeated:
        return trace
    return replace(trace, notes=(*trace.notes, f"rows that repeat another row exactly, kept: {repeated:,}"))


def _parse(rows: Rows) -> Columns:
    duration = rows.numbers("duration")
    gpus = rows.gangs("num_gpus", rows.numbers("num_gpus"))
    product = rows.numbers("gpu_time")
    rows.count(_NO_PRODUCT, np.sum(np.abs(product - duration * gpus) > 1e-6 * np.maximum(product, 1.0)))
    return {
        "row": rows.row,
        "submit": rows.times("timestamp"),
        "duration": duration,
        "accelerators": gpus,
        "tenant": rows.objects("cluster"),
    }


def _repeated(columns: Columns) -> int:
    keys = zip(*(columns[name].tolist() for name in ("submit", "duration", "accelerators", "tenant")), strict=True)
    return len(columns["submit"]) - len(set(keys))


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace as Philly CSV, dates to the microsecond; ``InputError`` without an origin.

    What the format cannot hold (ids, estimates, cores, memory) is left out.
    """
    if trace.origin is None:
        raise InputError(f"trace {trace.name!r} has no dates, and the philly format needs them: give it an origin")
    tenants = trace.columns["tenant"].tolist() if "tenant" in trace.columns else [""] * len(trace)
    numbers = (trace.columns[name].tolist() for name in ("submit", "duration", "accelerators"))
    write_rows(
        path,
        COLUMNS,
        (
            (_timestamp(trace.origin, submit), _plain(duration), _plain(gpus), _plain(duration * gpus), tenant)
            for submit, duration, gpus, tenant in zip(*numbers, tenants, strict=True)
        ),
    )


def _timestamp(origin: datetime, submit: float) -> str:
    return str(origin + timedelta(seconds=submit))


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
