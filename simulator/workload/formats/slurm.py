"""Slurm accounting: what ``sacct --parsable2`` prints, columns separated by ``|``.

``sacct -a -P -X -S DATE -E DATE -o FIELDS`` gives all that is used here, with the fields
JobID,User,Account,Partition,State,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocTRES,ReqTRES.

Names of fields: SchedMD/slurm, src/sacct/sacct.c; states, and special values of times and limits: doc/man/man1/sacct.1
and src/sacct/print.c (read at commits 042ace2, 02ff923 and 0284c6b). Times are on the local clock, without zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.dependencies import known_dependencies
from simulator.workload.formats import reader
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects
from simulator.workload.submitline import array_limit, dependencies, has_begin, pending_limit, task
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace
from simulator.workload.tres import Tres, read_tres

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
_CLOCK = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_PART = re.compile(r"[_+]")
_RUNNING = ("set aside", "keep")
_TIME_HINT = "Unset SLURM_TIME_FORMAT before sacct."

_STEP = "a step of a job (JobID with a dot); sacct -X leaves these out"
_NEVER = "never started"
_ACTIVE = "still running when sacct was called: how long it would have run is not known"
_AGAIN = "repeats an earlier row (same JobID, Submit and Start)"
_CENSORED = "jobs still running when sacct was called, kept with the seconds they had run so far: {n}"
_UNLIMITED = "jobs without a time limit, the scheduler is told 365 d as Slurm's sched/backfill takes it: {n}"
_OVERRAN = "jobs that ran longer than their time limit, which may run that long again: {n}"
_REQUEUED = "jobs that were requeued, of which the row has the last stretch only (sacct -D lists them all): {n}"
_OTHER = "dependencies of kind {kind}, which are not modelled: {{n}}"
_HETEROGENEOUS = "components of heterogeneous jobs (JobID with +), each a job of its own: {n}"


@reader("slurm", header=HEADER)
def read(
    path: str | Path, delimiter: str = "|", tenant_column: str | None = None,
    running: Literal["set aside", "keep"] = "set aside", types: Mapping[str, str] | None = None,
) -> Trace:  # fmt: skip
    """Slurm sacct -P output; options: delimiter, tenant_column, running (set aside | keep), types (gres: catalog id).

    Needs JobID, Submit, State; ElapsedRaw, Elapsed or Start and End; AllocTRES or ReqTRES. ``tenant_column`` names the
    tenant: Account, else User. ``types`` maps GPU types of the cluster to catalog ids, for example
    ``{"h100": "nvidia/h100-sxm"}``; types without an entry are not enforced. ``where(partition="gpu")`` works. The time
    limit is the ``estimate``, and the ``limit``, which is never below the recorded run. Array tasks know their array;
    with SubmitLine jobs know what they wait for (``after``, ``begin``) and how many tasks may run at a time.
    """
    keep = one_of("running", running, _RUNNING) == "keep"
    table = Table(path, "slurm", required=HEADER, known=FIELDS, delimiter=delimiter, quoting=False)
    _check_columns(table)
    seen: set[tuple[str, str, str]] = set()
    found: set[str] = set()
    throttles: dict[str, int] = {}
    owner = _owner(table, tenant_column)

    def parse(rows: Rows) -> Columns:
        throttles.update(limit for limit in map(pending_limit, rows.texts("JobID")) if limit[1])
        return _parse(rows, table.header, owner, keep, types or {}, seen, found)

    trace = known_dependencies(table.finish(_bound(table.gather(parse), throttles)))
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
    if "Restarts" in header:
        rows.count(_REQUEUED, int(np.sum(rows.numbers("Restarts", empty=0.0) > 0)))
    if "SubmitLine" in header:
        columns |= _submitted(rows, header, columns["submit"])
    return columns | _time_limits(rows, header, columns["duration"])


def _labels(header: list[str], owner: str | None) -> list[tuple[str, str]]:
    known = (("partition", "Partition"), ("user", "User"))
    return [(name, source) for name, source in known if source in header] + ([("tenant", owner)] if owner else [])


def _submitted(rows: Rows, header: list[str], submit: np.ndarray) -> Columns:
    """What the command lines say: raw dependencies, limits of arrays, and the time from which on a job could start."""
    lines = rows.texts("SubmitLine")
    found = [dependencies(line) for line in lines]
    for kind in (kind for each in found for kind in each.other):
        rows.count(_OTHER.format(kind=kind), 1)
    columns = {"dependencies": as_objects(found), "array_limit": np.array([array_limit(line) for line in lines])}
    if "Eligible" in header:
        eligible = rows.times("Eligible", _TIME_HINT, empty=True)
        later = np.array([has_begin(line) for line in lines], dtype=bool) & (eligible > submit)
        columns["begin"] = np.where(later, eligible, 0.0)
    return columns


def _bound(columns: Columns, throttles: Mapping[str, int]) -> Columns:
    """Say which array each job is a task of, how many of it may run at a time, and which jobs it comes after."""
    names = columns["id"].tolist()
    tasks = [task(name) for name in names]
    bound = {name: column for name, column in columns.items() if name not in ("dependencies", "array_limit")}
    if any(array for array, _ in tasks):
        said = columns.get("array_limit", np.zeros(len(names), dtype=np.int64)).tolist()
        limits = [throttles.get(array, limit) if array else 0 for (array, _), limit in zip(tasks, said, strict=True)]
        bound |= {"array": as_objects(array for array, _ in tasks), "array_limit": np.array(limits)}
    if "dependencies" in columns:
        found = columns["dependencies"].tolist()
        asked = [
            (*each.after, *(f"{array}_{number}" for array in each.each))
            for each, (_, number) in zip(found, tasks, strict=True)
        ]
        bound["after"] = as_objects(_parts(names, asked))
    return bound


def _parts(names: list[str], asked: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the jobs that are meant: the number of an array, or of a heterogeneous job, stands for all its parts."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(_PART.split(name)[0], []).append(name)
    known = set(names)
    for wanted in asked:
        yield tuple(part for name in wanted for part in ([name] if name in known else parts.get(name, [name])))


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


def _time_limits(rows: Rows, header: list[str], run: np.ndarray) -> Columns:
    """What the scheduler is told, and when the job is killed; nothing where no column says."""
    column = next((name for name in ("TimelimitRaw", "Timelimit") if name in header), None)
    if column is None:
        return {}
    unlimited = np.array([cell in _NO_LIMIT for cell in rows.texts(column)], dtype=bool)
    rows.count(_UNLIMITED, unlimited.sum())
    read = _minutes if column == "TimelimitRaw" else clock_seconds
    asked = _converted(rows, column, lambda cell: _YEAR if cell in _NO_LIMIT else read(cell), "a time limit")
    rows.count(_OVERRAN, int(np.sum(~unlimited & (run > asked))))
    return {"estimate": asked, "limit": np.where(unlimited, np.inf, np.maximum(asked, run))}


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


def _count_types(rows: Rows, tres: list[Tres], types: Mapping[str, str]) -> None:
    for part in tres:
        if part.type and part.type not in types:
            rows.count(f"jobs on GPUs of type {part.type}, which is not enforced (option types): {{n}}", 1)
