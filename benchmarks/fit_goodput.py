"""How the parameters of the goodput models were fitted to the published measurements of Pollux and Sia.

``python benchmarks/fit_goodput.py POLLUX SIA`` prints ``simulator/workload/data/goodput/pollux.yaml``, and how good the
fit is on the error stream. POLLUX is the folder ``simulator/traces`` of petuum/adaptdl, branch osdi21-artifact (for
each model ``placements.csv`` and ``scalability.csv``: seconds of an iteration and of its synchronisation by placement
and local batch; ``validation-<batch>.csv``: progress, iterations, gradient square and variance by epoch). SIA is
``sia-simulator/traces`` of siasosp23/artifacts (the same timings for other accelerators).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

EPOCHS = {"ncf": 10, "cifar10": 100, "deepspeech2": 80, "bert": 2, "yolov3": 50, "imagenet": 90}
"""Epochs to the target (applications.py of the artifact)."""
LARGEST_LOCAL = {"yolov3": 8}
"""Largest local batch where it is not the largest that was measured (applications.py of the artifact)."""
SHARE = {"ncf": 0.3914, "cifar10": 0.3914, "deepspeech2": 0.0762, "bert": 0.0762, "yolov3": 0.0460, "imagenet": 0.0187}
"""Shares of jobs: Philly's jobs of at least 60 s and below 1000 GPU-h that come from 02:00 to 10:00, below 1 GPU-h (two
models), 10 (two models), 100 and 1000 (workload.py of the artifact; counted in its philly.csv)."""
RESTART = {"ncf": 15, "cifar10": 50, "deepspeech2": 25, "bert": 120, "yolov3": 80, "imagenet": 250}
"""Seconds of a restart, measured on Sia's cluster (sia-simulator/applications.py)."""
TYPES = {
    "nvidia/t4": "aws",
    "nvidia/rtx-2080-ti": "rtx",
    "nvidia/quadro-rtx-6000": "quad",
    "nvidia/a100-sxm-40": "dgx-ext",
}
PHASES = 6
ALONE, COMPACT, LARGE = 25.0, 5.0, 2.0
"""Weights of one accelerator, of gangs that are not spread further than they must (other gangs have 1), and of local
batches above half of the largest."""
HEAD = """# Goodput models of the six training jobs of Pollux: how long an iteration takes, and what a batch is worth.
# Fitted by benchmarks/fit_goodput.py to the measurements published with A. Qiao et al., "Pollux" (OSDI 2021;
# petuum/adaptdl, branch osdi21-artifact, simulator/traces: AWS g4dn.12xlarge, 4 x T4) and with S. Jayaram Subramanya et
# al., "Sia" (SOSP 2023; siasosp23/artifacts, sia-simulator/traces: 8 x RTX 2080 Ti, 4 x Quadro RTX 6000, 8 x A100).
# batch: smallest (the initial batch, M0) and largest; iterations: at the initial batch, until the target; share: of the
# jobs of the workload; restart: seconds (Sia); phases: where they end, as shares of the work; noise: gradient noise
# scale (examples) by batch and phase; timing: local batches (smallest, largest), seconds as in the paper, and pair: how
# much longer synchronisation takes over exactly two servers than over more (measured, and not in the paper's formula).
version: "2026.1"
models:"""
LIMITLESS = 1e9
"""Noise scale from which on efficiency is 1 for every batch that is allowed."""


def timings(folder: Path, suffix: str, beyond: bool) -> pd.DataFrame:
    """Read iterations by servers, accelerators and local batch: seconds of computing and in all."""
    placed = pd.read_csv(folder / f"placements{suffix}.csv", dtype={"placement": str})
    placed["num_nodes"] = placed.placement.str.len()
    placed["num_replicas"] = placed.placement.map(lambda text: sum(map(int, text)))
    frames = [placed]
    if beyond:
        frames.append(pd.read_csv(folder / f"scalability{suffix}.csv"))
    table = pd.concat(frames)[["num_nodes", "num_replicas", "local_bsz", "step_time", "sync_time"]]
    table = table.groupby(["num_nodes", "num_replicas", "local_bsz"]).mean().reset_index()
    return table.assign(compute=table.step_time - table.sync_time)


def predicted(logs: np.ndarray, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of computing and of an iteration, for logarithms of the parameters (gamma: of gamma - 1)."""
    fixed, each, far, far_more, near, near_more = np.exp(logs[:6])
    gamma, pair = 1 + np.exp(logs[6]), np.exp(logs[7])
    nodes, replicas = table.num_nodes.to_numpy(), table.num_replicas.to_numpy()
    compute = fixed + each * table.local_bsz.to_numpy()
    more = np.maximum(replicas - 2, 0)
    sync = np.where(
        nodes > 1,
        (far + far_more * more) * np.where(nodes == 2, pair, 1.0),
        np.where(replicas > 1, near + near_more * more, 0.0),
    )
    return compute, np.exp(np.logaddexp(gamma * np.log(compute), gamma * np.log(sync + 1e-12)) / gamma)


def fit(table: pd.DataFrame, largest: int) -> tuple[list[float], float]:
    """Fit the parameters to logarithms of the times; return them and the root mean square error of the step.

    What schedulers use counts most: gangs on as few servers as hold them, and local batches near the largest.
    """
    per_server = int((table.num_replicas / table.num_nodes).max())
    compact = table.num_nodes == np.ceil(table.num_replicas / per_server)
    of_gang = np.where(table.num_replicas == 1, ALONE, np.where(compact, COMPACT, 1.0))
    weight = np.sqrt(of_gang * np.where(table.local_bsz > largest / 2, LARGE, 1.0))

    def error(logs: np.ndarray) -> np.ndarray:
        compute, step = predicted(logs, table)
        return np.concatenate([weight * np.log(compute / table.compute), 2 * weight * np.log(step / table.step_time)])

    each = float((table.compute / table.local_bsz).median())
    low, high = [-18.0] * 6 + [-6.0, -0.7], [3.0] * 6 + [np.log(9.0), 1.5]
    runs = []
    for gamma in (0.1, 1.0, 4.0):
        start = np.log([each * 5, each, 0.1, 1e-3, 0.02, 1e-3, gamma, 1.0])
        runs.append(least_squares(error, np.clip(start, low, high), bounds=(low, high)))
    best = min(runs, key=lambda run: run.cost)
    values = [*np.exp(best.x[:6]), 1 + np.exp(best.x[6]), np.exp(best.x[7])]
    if not (
        table.num_nodes > 1
    ).any():  # nothing was measured across servers: a little worse than within, as Pollux has it
        values[2:4], values[7] = [1.1 * values[4], 1.1 * values[5]], 1.0
    elif not (table.num_nodes > 2).any():
        values[2:4], values[7] = [values[2] * values[7], values[3] * values[7]], 1.0
    step = predicted(best.x, table)[1]
    error_used = np.log(step / table.step_time)[compact]
    return [float(f"{value:.5g}") for value in values], float(np.sqrt(np.mean(error_used**2)))


def noise(folder: Path, epochs: int) -> tuple[list[int], float, list[float], dict[int, list[float]]]:
    """Read the batches, the iterations at the smallest, the ends of phases and the noise scale by batch and phase.

    Within a phase the noise scale is what gives the measured iterations: gain = progress / iterations = efficiency x
    batch / initial batch.
    """
    runs = {int(path.stem.split("-")[1]): pd.read_csv(path).iloc[:epochs] for path in folder.glob("validation-*.csv")}
    runs = dict(sorted(runs.items()))
    initial = min(runs)
    progress = np.append(0.0, np.min([run.progress for run in runs.values()], axis=0))
    ratio = np.mean([np.log(np.clip(_scale(run), 1.0, LIMITLESS)) for run in runs.values()], axis=0)
    cuts = [int(cut) for cut in segments(ratio, np.diff(progress), min(PHASES, epochs))]
    table: dict[int, list[float]] = {}
    for batch, run in runs.items():
        own = np.append(0.0, run.progress)
        gain = 1 + (batch / initial - 1) * (lambda phi: phi / (phi + batch))(_scale(run) * initial)
        steps = np.append(0.0, np.cumsum(np.diff(own) / gain))
        row = []
        for low, high in zip([0, *cuts[:-1]], cuts, strict=True):
            mean = (own[high] - own[low]) / (steps[high] - steps[low])
            efficiency = mean * initial / batch
            free = LIMITLESS if batch == initial else (efficiency * batch - initial) / max(1 - efficiency, 1e-12)
            row.append(float(f"{min(LIMITLESS, free):.4g}"))
        table[batch] = row
    table[initial] = table[list(runs)[1]]
    ends = [round(float(progress[cut] / progress[-1]), 6) for cut in cuts]
    return list(runs), float(progress[-1]), ends, table


def _scale(run: pd.DataFrame) -> np.ndarray:
    return np.where(run.grad_sqr > 0, run.grad_var / run.grad_sqr.where(run.grad_sqr > 0, 1.0), LIMITLESS)


def segments(values: np.ndarray, weights: np.ndarray, count: int) -> list[int]:
    """Ends of ``count`` runs of neighbours with the least weighted square error."""
    size = len(values)
    w, s, q = (np.append(0.0, np.cumsum(weights * values**power)) for power in (0, 1, 2))
    cost = np.array([[q[j] - q[i] - (s[j] - s[i]) ** 2 / (w[j] - w[i]) if j > i else np.inf for j in range(size + 1)]
                     for i in range(size + 1)])  # fmt: skip
    best = [cost[0]]
    for _ in range(count - 1):
        best.append(np.min(best[-1][:, None] + cost, axis=0))
    ends = [size]
    for level in range(count - 2, -1, -1):
        ends.append(int(np.argmin(best[level][: ends[-1]] + cost[: ends[-1], ends[-1]])))
    return ends[::-1]


def main(pollux: Path, sia: Path) -> None:
    """Print the parameters of all models."""
    print(HEAD)
    for model, epochs in EPOCHS.items():
        batches, iterations, ends, table = noise(pollux / model, epochs)
        print(f"  {model}:\n    batch: [{batches[0]}, {batches[-1]}]\n    iterations: {iterations:.0f}")
        print(f"    share: {SHARE[model]}\n    restart: {RESTART[model]}\n    phases: {ends}\n    noise:")
        for batch, row in table.items():
            print(f"      {batch}: [{', '.join(f'{value:.4g}'.replace('e+0', 'e+') for value in row)}]")
        print("    timing:")
        for name, suffix in TYPES.items():
            folder, tail = (pollux, "") if suffix == "aws" else (sia, f"-{suffix}")
            data = timings(folder / model, tail, suffix == "aws")
            local = [int(data.local_bsz.min()), LARGEST_LOCAL.get(model, int(data.local_bsz.max()))]
            values, error = fit(data[data.local_bsz <= local[1]], local[1])
            keys = ("alpha_c", "beta_c", "alpha_n", "beta_n", "alpha_r", "beta_r", "gamma", "pair")
            pairs = ", ".join(f"{key}: {value:.5g}" for key, value in zip(keys, values, strict=True))
            print(f"      {name}: {{local: {local}, {pairs}}}")
            print(
                f"{model} on {name}: step time of compact gangs within {error:.1%} (rms of logarithms)", file=sys.stderr
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
