"""Azure LLM inference traces of 2023, 2024 and 2025: when requests came, and how many tokens they had.

Columns ``TIMESTAMP,ContextTokens,GeneratedTokens``, in 2025 ``NumImages`` too. Times have up to seven digits behind the
point, of which six are kept, and no zone in 2023. Each file is one service whose first request is at an instant of its
own: cut windows by date where several are replayed together. Source: Azure/AzurePublicDataset at
commit b469a11 (Patel et al., ISCA 2024; Stojkovic et al., HPCA 2025; Qiu et al., SoCC 2025).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from simulator.core.errors import InputError
from simulator.workload.files import write_rows
from simulator.workload.requestformats import headed, reader
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestrows import as_log, tokens
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
IMAGES = "NumImages"


@reader("azure-llm", begins=headed(*COLUMNS))
def read(path: str | Path) -> RequestLog:
    """Azure LLM inference traces 2023 to 2025: TIMESTAMP, ContextTokens, GeneratedTokens, maybe NumImages; no options.

    ``NumImages`` stays a column of numbers called ``images``; their tokens are part of ``ContextTokens``, or the trace
    does not tell them.
    """
    table = Table(path, "azure-llm", required=COLUMNS, known=(*COLUMNS, IMAGES))
    columns = table.gather(lambda rows: _parse(rows, IMAGES in table.header))
    return as_log(table.path, table.book, columns)


def _parse(rows: Rows, images: bool) -> Columns:
    found: Columns = {
        "row": rows.row,
        "arrival": rows.times("TIMESTAMP"),
        "input": tokens(rows, "ContextTokens"),
        "output": tokens(rows, "GeneratedTokens"),
    }
    if images:
        found["images"] = tokens(rows, IMAGES, empty=0.0)
    return found


def write(log: RequestLog, path: str | Path) -> None:
    """Write a log as the file of 2023, or with ``images`` that of 2025; it holds nothing else.

    Times are kept to the microsecond. Raises ``InputError`` for a log without dates, which the format needs.
    """
    if log.origin is None:
        raise InputError(f"log {log.name!r} has no dates, and the azure-llm format needs them: give it an origin")
    origin = log.origin
    stamps = [_stamp(origin + timedelta(seconds=second)) for second in log.columns["arrival"].tolist()]
    columns = {COLUMNS[0]: stamps}
    if "images" in log.columns:
        columns[IMAGES] = log.columns["images"].tolist()
    columns |= {COLUMNS[1]: log.columns["input"].tolist(), COLUMNS[2]: log.columns["output"].tolist()}
    write_rows(path, list(columns), zip(*columns.values(), strict=True))


def _stamp(moment: datetime) -> str:
    """Write a time with seven digits behind the point, and its zone where it has one."""
    zone = "" if moment.tzinfo is None else moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}{'' if zone else '0'}{zone[:3]}{':' * bool(zone)}{zone[3:]}"
