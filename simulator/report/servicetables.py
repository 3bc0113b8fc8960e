"""Tables of services on the page: what each ran on, and how each class of service fared."""

from __future__ import annotations

import numpy as np

from simulator.experiment.breakdown import OF_REQUESTS
from simulator.experiment.results import Results
from simulator.metrics import measures, serving
from simulator.metrics.display import scale
from simulator.metrics.measure import ratio
from simulator.metrics.statistics import mean
from simulator.metrics.window import Window, number
from simulator.report.text import Cell, Grid

MOST_CLASSES = 20
"""Classes of service that the page has a table for."""
WHOLE = ("e2e.mean", "e2e.p99")
"""What is shown of classes beside the usual when one of them bounds the end-to-end latency."""


def services(results: Results) -> Grid | None:
    """What each service ran on, and how full that was; None without services."""
    rows = []
    for alternative in results:
        windows = list(results.windows(alternative).values())
        for name in dict.fromkeys(name for window in windows for name in window.services):
            rows.append(tuple(Cell(cell) for cell in (alternative, name, *_service(windows, name))))
    heads = (
        "alternative", "service", "accelerators each", "KV blocks each", "replicas, mean", "computing", "requests",
        "not finished",
    )  # fmt: skip
    return Grid(heads, tuple(rows)) if rows else None


def _service(windows: list[Window], name: str) -> list[str]:
    facts = [window.services[name] for window in windows if name in window.services]
    held, busy = (
        sum(number(fact.get(key), 0.0) for fact in facts) for key in ("accelerator_seconds", "busy_accelerator_seconds")
    )
    replicas = mean([serving.mean_replicas(window, name) for window in windows])
    requests = [window.requests.where(window.requests["workload"] == name) for window in windows]
    words = {"rejected": "rejected", "timeout": "given up", "unfinished": "unfinished"}
    counts = {word: sum(int(part[state].sum()) for part in requests) for state, word in words.items()}
    lost = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    blocks = _some(sorted({int(size) for fact in facts for size in fact.get("blocks") or () if size}))
    each = _some(_sizes(windows, name)) or f"{number(facts[0].get('accelerators')):g}"
    return [
        each, f"{blocks} of {number(facts[0].get('block')):g} tokens" if blocks else "–",
        scale([replicas], "count").text(replicas), scale([0.0], "ratio").text(ratio(busy, held)),
        f"{sum(map(len, requests)):,}", lost or "0",
    ]  # fmt: skip


def _sizes(windows: list[Window], name: str) -> list[int]:
    """Accelerators of a replica of a service, every size once; prompts and decoding apart may have two."""
    sizes = [
        window.replicas["accelerators"][np.asarray(window.replicas["workload"] == name, dtype=bool)]
        for window in windows
    ]
    return [int(size) for size in np.unique(np.concatenate(sizes)).tolist()]


def _some(sizes: list[int]) -> str:
    return " or ".join(f"{size:,}" for size in sizes[:2]) + (" ..." if len(sizes) > 2 else "")


def classes(results: Results) -> Grid | None:
    """How each class of service fared, by alternative; None when there are not several."""
    windows = [window for name in results for window in results.windows(name).values()]
    kinds = {str(kind) for window in windows for kind in window.requests["class"]}
    if not 1 < len(kinds) <= MOST_CLASSES:
        return None
    whole = any(np.isfinite(window.requests["slo_e2e"]).any() for window in windows)
    asked = (*OF_REQUESTS, *(WHOLE if whole else ()))
    frame = results.by("class", asked)
    shown = [name for name in asked if frame[name].notna().any()]
    scales = {name: measures.get(name).scale(frame[name]) for name in shown}
    rows = [
        tuple(
            Cell(cell)
            for cell in (
                str(row["alternative"]), str(row["class"]), f"{row['requests']:,.0f}",
                *(scales[name].text(row[name] * measures.get(name).si) for name in shown),
            )
        )
        for _, row in frame.iterrows()
    ]  # fmt: skip
    return Grid(("alternative", "class", "requests", *shown), tuple(rows))
