"""What logs of requests are like, for ``simulator validate requests``: ``python benchmarks/fit_requests.py FOLDER``.

FOLDER holds the logs that the presets of ``simulator/workload/data/requests`` are fitted to. Prints
``simulator/experiment/validation/data/requests.yaml``: of each log its quantiles at 51 probabilities, nearly twice as
many as the presets are made of, dispersion, variation of gaps, means and medians.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fit_workloads import flow, wrapped

from simulator.workload.likeness import dispersion, gap_cv
from simulator.workload.requestformats import read_requests

LOGS = {
    "chat-like": "azure_llm_2023/AzureLLMInferenceTrace_conv.first40min.csv",
    "code-like": "azure_llm_2023/AzureLLMInferenceTrace_code.first40min.csv",
    "summarization-like": "arxiv_summarization_lengths/arxiv_summarization_lengths.first_half.csv",
}
SOURCES = {
    "chat-like": "AzureLLMInferenceTrace_conv.csv, first 2,400 s, Azure/AzurePublicDataset, commit b469a11",
    "code-like": "AzureLLMInferenceTrace_code.csv, first 2,299 s, Azure/AzurePublicDataset, commit b469a11",
    "summarization-like": "arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv, first half, microsoft/vidur",
}
STEPS = 51
HEAD = """\
# What logs of requests are like, for `simulator validate requests`, from the logs themselves, as `python
# benchmarks/fit_requests.py FOLDER` prints it. p, v: quantiles of tokens. figures: as in
# simulator.workload.requestsummary.describe."""


def main(folder: Path) -> None:
    """Print the reference of every preset whose log is in the folder."""
    print(HEAD)
    for name, file in LOGS.items():
        arrival, lengths = read(folder / file)
        row: dict[str, Any] = {"source": f'"{SOURCES[name]}"', "requests": len(lengths["input"])}
        probabilities = np.linspace(0, 1, STEPS)
        for column, values in lengths.items():
            row[column] = {"p": probabilities.round(3).tolist(), "v": np.quantile(values, probabilities).tolist()}
        figures = {f"{column}.mean": values.mean() for column, values in lengths.items()}
        figures |= {f"{column}.p50": np.median(values) for column, values in lengths.items()}
        if arrival is not None:
            figures["rate"] = (len(arrival) - 1) / (arrival[-1] - arrival[0])
            figures["gap.cv"] = gap_cv(arrival)
            figures |= {f"dispersion.{window:g} s": dispersion(arrival, window) for window in (1.0, 10.0)}
            figures["dispersion.1 min"] = dispersion(arrival, 60.0)
        row["figures"] = {key: float(f"{value:.5g}") for key, value in figures.items()}
        print(f"{name}:")
        for key, value in row.items():
            print(wrapped(f"  {key}: {flow(value)}", 6))


def read(path: Path) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Return arrivals (None where there are none) and the lengths of prompts and answers."""
    if "arxiv" in path.name:
        with path.open() as file:
            rows = np.array(list(csv.reader(file))[1:], dtype=float)
        return None, {"input": rows[:, 0], "output": rows[:, 1]}
    log = read_requests(path, "azure-llm")
    return log.columns["arrival"], {name: log.columns[name].astype(float) for name in ("input", "output")}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
