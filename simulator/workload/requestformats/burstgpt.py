"""BurstGPT: requests to ChatGPT and GPT-4 from one campus, 2022 to 2024.

Columns ``Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type``; newer files have ``Session ID`` and
``Elapsed time`` behind the first. ``Timestamp`` is seconds from midnight of the first day. A request with 0 response
tokens failed. Source: HPMLL/BurstGPT, README (Wang et al., "BurstGPT: A Real-World Workload Dataset to Optimize LLM
Serving Systems", KDD 2025).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulator.workload.requestformats import headed, reader
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestrows import as_log, tokens
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns

COLUMNS = ("Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Log Type")
NEWER = ("Session ID", "Elapsed time")
_FAILED = "0 response tokens: the request failed"
_KEPT = "failed requests (0 response tokens) that are kept, to generate 1 token: {n}"
_TOTAL = "rows whose Total tokens are not Request tokens + Response tokens, which are taken: {n}"


@reader("burstgpt", begins=headed(*COLUMNS))
def read(path: str | Path, keep_failed: bool = False) -> RequestLog:
    """BurstGPT csv files, older and newer; option keep_failed (failed requests generate 1 token; else set aside).

    ``Model`` becomes ``model``, ``Log Type`` the class (``where(category="API log")``), ``Session ID`` the session, and
    ``Elapsed time`` stays a column of numbers, ``elapsed`` (s): what the service took, not what one will take here.
    """
    table = Table(path, "burstgpt", required=COLUMNS, known=(*COLUMNS, *NEWER))
    columns = table.gather(lambda rows: _parse(rows, table.header, keep_failed))
    return as_log(table.path, table.book, columns, no_output=_FAILED)


def _parse(rows: Rows, header: list[str], keep_failed: bool) -> Columns:
    asked, given = tokens(rows, "Request tokens"), tokens(rows, "Response tokens")
    rows.count(_TOTAL, np.sum(asked + given != tokens(rows, "Total tokens")))
    if keep_failed:
        rows.count(_KEPT, np.sum(given == 0))
        given = np.maximum(given, 1)
    found: Columns = {
        "row": rows.row,
        "arrival": rows.numbers("Timestamp"),
        "input": asked,
        "output": given,
        "model": rows.objects("Model"),
        "category": rows.objects("Log Type"),
    }
    if "Session ID" in header:
        found["session"] = rows.objects("Session ID")
    if "Elapsed time" in header:
        found["elapsed"] = rows.numbers("Elapsed time", empty=np.nan)
    return found
