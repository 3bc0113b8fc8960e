"""The samples of the GAIA project: 100,000 jobs each of Alibaba PAI, Azure virtual machines and LANL Mustang.

Columns ``arrival_time,length,cpus``, both times in hours. Lengths were cut (5 minutes to 72 h, Mustang 16 h), and the
arrivals stretched or drawn anew over a year: they are good for the laws of lengths and sizes, not of arrivals. Source:
umassos/GAIA, src/cluster_traces, commit 62a5efc (Hanafy et al., ASPLOS 2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.options import one_of
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = ("arrival_time", "length", "cpus")
_HOUR = 3600.0
_CPUS = ("cores", "accelerators")


@reader("gaia", header=COLUMNS)
def read(path: str | Path, cpus: Literal["cores", "accelerators"] = "cores") -> Trace:
    """GAIA samples of PAI, Azure and Mustang: arrival_time,length (hours),cpus; option: cpus (cores | accelerators).

    The files know nothing of GPUs: ``cpus`` are cores of a job without an accelerator. ``cpus="accelerators"`` takes
    each for an accelerator instead, for studies of queues in which only the number of slots counts.
    """
    slots = one_of("cpus", cpus, _CPUS) == "accelerators"
    return Table(path, "gaia", required=COLUMNS, known=COLUMNS).trace(lambda rows: _parse(rows, slots))


def _parse(rows: Rows, slots: bool) -> Columns:
    counts = rows.numbers("cpus")
    return {
        "row": rows.row,
        "submit": rows.numbers("arrival_time", scale=_HOUR),
        "duration": rows.numbers("length", scale=_HOUR),
        "accelerators": rows.gangs("cpus", counts) if slots else np.zeros(len(rows)),
    } | ({} if slots else {"cores": counts})


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace as a GAIA sample: times in hours from second 0; ``cpus`` are cores, or accelerators without any."""
    zeros = np.zeros(len(trace))
    cores = trace.columns.get("cores", zeros)
    cpus = np.where(cores > 0, cores, trace.columns["accelerators"])
    hours = (trace.columns[name] / _HOUR for name in ("submit", "duration"))
    write_rows(path, COLUMNS, zip(*(column.tolist() for column in (*hours, cpus)), strict=True))
