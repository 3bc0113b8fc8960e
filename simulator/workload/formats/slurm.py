"""Slurm accounting: what ``sacct --parsable2`` prints, columns separated by ``|``.

``sacct -a -P -X -S DATE -E DATE -o FIELDS`` gives all that is used here, with the fields
JobID,User,Account,Partition,State,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,ReqTRES.

Names of fields: SchedMD/slurm, src/sacct/sacct.c; states, and special values of times and limits: doc/man/man1/sacct.1
and src/sacct/print.c (read at commits 042ace2, 02ff923 and 0284c6b). Times are on the local clock, without zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.formats import reader
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

HEADER = ("JobID", "Submit", "State")
FIELDS = (
    "Account", "AdminComment", "AllocCPUS", "AllocGRES", "AllocNodes", "AllocTRES", "AssocID", "AveCPU",
    "AveCPUFreq", "AveDiskRead", "AveDiskWrite", "AvePages", "AveRSS", "AveVMSize", "BlockID", "Cluster", "Comment",
    "Constraints", "ConsumedEnergy", "ConsumedEnergyRaw", "Container", "CPUTime", "CPUTimeRAW", "DBIndex",
    "DerivedExitCode", "Elapsed", "ElapsedRaw", "Eligible", "End", "ExitCode", "Extra", "FailedNode", "Flags",
    "GID", "Group", "JobID", "JobIDRaw", "JobName", "Layout", "Licenses", "MaxDiskRead", "MaxDiskReadNode",
    "MaxDiskReadTask", "MaxDiskWrite", "MaxDiskWriteNode", "MaxDiskWriteTask", "MaxPages", "MaxPagesNode",
    "MaxPagesTask", "MaxRSS", "MaxRSSNode", "MaxRSSTask", "MaxVMSize", "MaxVMSizeNode", "MaxVMSizeTask", "McsLabel",
    "MinCPU", "MinCPUNode", "MinCPUTask", "NCPUS", "NNodes", "NodeList", "NTasks", "Partition", "Planned",
    "PlannedCPU", "PlannedCPURAW", "Priority", "QOS", "QOSRAW", "QOSREQ", "Reason", "ReqCPUFreq", "ReqCPUFreqGov",
    "ReqCPUFreqMax", "ReqCPUFreqMin", "ReqCPUS", "ReqGRES", "ReqMem", "ReqNodes", "ReqReservation", "ReqTRES",
    "Reservation", "ReservationId", "Reserved", "Restarts", "ResvCPU", "ResvCPURAW", "SegmentSize", "SLUID",
    "Start", "State", "StdErr", "StdIn", "StdOut", "Submit", "SubmitLine", "Suspended", "SystemComment",
    "SystemCPU", "Timelimit", "TimelimitRaw", "TotalCPU", "TRESUsageInAve", "TRESUsageInMax", "TRESUsageInMaxNode",
    "TRESUsageInMaxTask", "TRESUsageInMin", "TRESUsageInMinNode", "TRESUsageInMinTask", "TRESUsageInTot",
    "TRESUsageOutAve", "TRESUsageOutMax", "TRESUsageOutMaxNode", "TRESUsageOutMaxTask", "TRESUsageOutMin",
    "TRESUsageOutMinNode", "TRESUsageOutMinTask", "TRESUsageOutTot", "UID", "User", "UserCPU", "WCKey", "WCKeyID",
    "WorkDir",
)  # fmt: skip
ENDED = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REQUEUED", "REVOKED", "TIMEOUT",
)  # fmt: skip
WAITING = ("PENDING",)
ACTIVE = ("RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED")
_NO_TIME = ("", "None", "Unknown")
_NO_LIMIT = ("", "UNLIMITED", "Partition_Limit", "INVALID")
_YEAR = 365 * 86400.0
_PREFIX = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "P": 2.0**50}
_CLOCK = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)[Bcn]?")
_RUNNING = ("set aside", "keep")
_TIME_HINT = "Unset SLURM_TIME_FORMAT before sacct."

_STEP = "a step of a job (JobID with a dot); sacct -X leaves these out"
_NEVER = "never started"
_ACTIVE = "still running when sacct was called: how long it would have run is not known"
_AGAIN = "repeats an earlier row (same JobID, Submit and Start)"
_CENSORED = "jobs still running when sacct was called, kept with the seconds they had run so far: {n}"
_UNLIMITED = "jobs without a time limit, the scheduler is told 365 d as Slurm's sched/backfill takes it: {n}"
_HETEROGENEOUS = "components of heterogeneous jobs (JobID with +), each a job of its own: {n}"


class Tres(NamedTuple):
    """What a TRES text says: GPUs, their type where one is named, CPUs, and memory in bytes."""

    gpus: float = 0.0
    type: str = ""
    cpus: float = 0.0
    memory: float = 0.0


@reader("slurm", header=HEADER)
def read(
    path: str | Path, delimiter: str = "|", tenant_column: str | None = None,
    running: Literal["set aside", "keep"] = "set aside", types: Mapping[str, str] | None = None,
) -> Trace:  # fmt: skip
    """Slurm sacct -P output; options: delimiter, tenant_column, running (set aside | keep), types (gres: catalog id).

    Needs JobID, Submit, State; ElapsedRaw, Elapsed or Start and End; AllocTRES or ReqTRES. ``tenant_column`` names the
    tenant: Account, else User. ``types`` maps GPU types of the cluster to catalog ids, for example
    ``{"h100": "nvidia/h100-sxm"}``; types without an entry are not enforced. ``where(partition="gpu")`` works.
    """
    keep = one_of("running", running, _RUNNING) == "keep"
    table = Table(path, "slurm", required=HEADER, known=FIELDS, delimiter=delimiter, quoting=False)
    _check_columns(table)
    seen: set[tuple[str, str, str]] = set()
    found: set[str] = set()
    owner = _owner(table, tenant_column)
    trace = table.trace(lambda rows: _parse(rows, table.header, owner, keep, types or {}, seen, found))
    strange = [name for name in types or {} if name not in found]
    if strange:
        raise InputError(*(f"types: no job asks for {name!r}. {did_you_mean(name, found)}" for name in strange))
    return trace


def _check_columns(table: Table) -> None:
    header = table.header
    if not ({"ElapsedRaw", "Elapsed"} & set(header) or {"Start", "End"} <= set(header)):
        table.book.problems.add("no column says how long a job ran", 1, hint="Add ElapsedRaw to the -o list of sacct.")
    if not {"AllocTRES", "ReqTRES"} & set(header):
        table.book.problems.add(
            "no column says how many GPUs a job had", 1, hint="Add AllocTRES to the -o list of sacct."
        )
    table.book.problems.check()


def _owner(table: Table, column: str | None) -> str | None:
    if column is not None and column not in table.header:
        told = f"tenant_column: there is no column {column!r}"
        raise InputError(Problem(told, file=str(table.path), line=1, hint=did_you_mean(column, table.header)))
    return column or next((name for name in ("Account", "User") if name in table.header), None)


def _parse(
    rows: Rows, header: list[str], owner: str | None, keep: bool, types: Mapping[str, str],
    seen: set[tuple[str, str, str]], found: set[str],
) -> Columns:  # fmt: skip
    rows = rows.without(("." in name for name in rows.texts("JobID")), _STEP)
    rows = rows.without(_never_started(rows, header), _NEVER)
    rows = rows.without(_repeats(rows, header, seen), _AGAIN)
    active = np.array([state in ACTIVE for state in _first_words(rows)], dtype=bool)
    if keep:
        rows.count(_CENSORED, active.sum())
    else:
        rows = rows.without(active, _ACTIVE)
    rows.count(_HETEROGENEOUS, sum("+" in name for name in rows.texts("JobID")))
    tres = _resources(rows, header)
    found.update(part.type for part in tres if part.type)
    _count_types(rows, tres, types)
    columns = {
        "row": rows.row,
        "id": rows.objects("JobID"),
        "submit": rows.times("Submit", _TIME_HINT),
        "duration": _elapsed(rows, header),
        "accelerators": np.array([part.gpus for part in tres]),
        "accelerator_types": as_objects((types[part.type],) if part.type in types else () for part in tres),
        "cores": np.array([part.cpus for part in tres]),
        "memory": np.array([part.memory for part in tres]),
        "state": as_objects(_states(rows)),
    }
    columns |= {name: rows.objects(source) for name, source in _labels(header, owner)}
    limits = next((name for name in ("TimelimitRaw", "Timelimit") if name in header), None)
    return columns | ({"estimate": _limits(rows, limits)} if limits else {})


def _labels(header: list[str], owner: str | None) -> list[tuple[str, str]]:
    labels = [("partition", "Partition")] if "Partition" in header else []
    return labels + ([("tenant", owner)] if owner else [])


def _states(rows: Rows) -> list[str]:
    """Return the first word of each state ("CANCELLED by 1000" is CANCELLED); others than Slurm's are problems."""
    known = (*ENDED, *WAITING, *ACTIVE)
    states = _first_words(rows)
    for index, state in enumerate(states):
        if state not in known:
            rows.problem(index, "State", f"{state!r} is not a state of a Slurm job", did_you_mean(state, known))
    return states


def _never_started(rows: Rows, header: list[str]) -> list[bool]:
    starts = rows.texts("Start") if "Start" in header else ["?"] * len(rows)
    name = "ElapsedRaw" if "ElapsedRaw" in header else "Elapsed"
    ran = rows.texts(name) if name in header else ["?"] * len(rows)
    return [
        state in WAITING or start in _NO_TIME or (state in ("CANCELLED", "REVOKED") and not elapsed.strip("0:"))
        for state, start, elapsed in zip(_first_words(rows), starts, ran, strict=True)
    ]


def _first_words(rows: Rows) -> list[str]:
    return [cell.partition(" ")[0].rstrip("+") for cell in rows.texts("State")]


def _repeats(rows: Rows, header: list[str], seen: set[tuple[str, str, str]]) -> list[bool]:
    starts = rows.texts("Start") if "Start" in header else [""] * len(rows)
    repeats = []
    for key in zip(rows.texts("JobID"), rows.texts("Submit"), starts, strict=True):
        repeats.append(key in seen)
        seen.add(key)
    return repeats


def _elapsed(rows: Rows, header: list[str]) -> np.ndarray:
    if "ElapsedRaw" in header:
        return rows.numbers("ElapsedRaw")
    if "Elapsed" in header:
        return _converted(rows, "Elapsed", clock_seconds, "an elapsed time such as 1-02:03:04")
    run: np.ndarray = rows.times("End", _TIME_HINT) - rows.times("Start", _TIME_HINT)
    for index in np.flatnonzero(run < 0):
        rows.problem(index, "End", f"{rows.texts('End')[index]!r} lies before the start")
    return run


def _limits(rows: Rows, column: str) -> np.ndarray:
    unlimited = np.array([cell in _NO_LIMIT for cell in rows.texts(column)], dtype=bool)
    rows.count(_UNLIMITED, unlimited.sum())
    read = _minutes if column == "TimelimitRaw" else clock_seconds
    return _converted(rows, column, lambda cell: _YEAR if cell in _NO_LIMIT else read(cell), "a time limit")


def _converted(rows: Rows, column: str, convert: Callable[[str], float | None], what: str) -> np.ndarray:
    values = [convert(cell) for cell in rows.texts(column)]
    for index, value in enumerate(values):
        if value is None or value == np.inf:
            rows.problem(index, column, f"{rows.texts(column)[index]!r} is not {what}")
    return np.array([0.0 if value is None else value for value in values])


def clock_seconds(text: str) -> float | None:
    """Return the seconds in ``[days-][hours:]minutes:seconds``, or None.

    >>> clock_seconds("1-02:03:04"), clock_seconds("05:30"), clock_seconds("soon")
    (93784.0, 330.0, None)
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _minutes(text: str) -> float | None:
    return float(text) * 60.0 if text.isdecimal() else None


def _resources(rows: Rows, header: list[str]) -> list[Tres]:
    """Return what each job was allocated, or asked for where nothing is said about an allocation."""
    columns = [rows.texts(name) for name in ("AllocTRES", "ReqTRES") if name in header]
    cells = columns[0] if len(columns) == 1 else [had or asked for had, asked in zip(*columns, strict=True)]
    parts = [read_tres(cell) for cell in cells]
    for index, part in enumerate(parts):
        if part is None:
            rows.problem(index, "AllocTRES", f"{cells[index]!r} is not a list such as cpu=64,gres/gpu=8,mem=500G")
    return [part or Tres() for part in parts]


@lru_cache(maxsize=65536)
def read_tres(text: str) -> Tres | None:
    """Read a TRES list; None when it makes no sense. An untyped GPU count is the sum of the typed ones.

    >>> read_tres("billing=64,cpu=64,gres/gpu:h100=8,gres/gpu=8,mem=500G,node=1")
    Tres(gpus=8.0, type='h100', cpus=64.0, memory=536870912000.0)
    """
    sizes: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        match = _SIZE.fullmatch(value)
        size = float(match[1]) * _PREFIX[match[2]] if match else np.nan
        if not equals or (name in ("cpu", "mem", "gres/gpu") and not size < np.inf):
            return None
        if match is not None:
            sizes[name] = size
    typed = {name.partition(":")[2]: count for name, count in sizes.items() if name.startswith("gres/gpu:")}
    gpus = sizes.get("gres/gpu", sum(typed.values()))
    return Tres(gpus, next(iter(typed)) if len(typed) == 1 else "", sizes.get("cpu", 0.0), sizes.get("mem", 0.0))


def _count_types(rows: Rows, tres: list[Tres], types: Mapping[str, str]) -> None:
    for part in tres:
        if part.type and part.type not in types:
            rows.count(f"jobs on GPUs of type {part.type}, which is not enforced (option types): {{n}}", 1)
