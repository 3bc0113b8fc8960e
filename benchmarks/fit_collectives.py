"""How much the fitted constants of collectives owe to each measurement: fit without one series, predict that series.

``python benchmarks/fit_collectives.py``: leave-one-series-out cross validation on the measurements of ``simulator
validate network-rows``, several minutes. Constants start at what vendors and NCCL publish, not at what is shipped, and
are fitted by coordinate descent; one that no remaining series informs stays where it started. ``--full`` only fits
all series together and prints the constants beside the shipped ones.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from simulator.experiment.validation.network import _DATA, LARGE, _group
from simulator.models.collectives import Group, estimate

Constants = dict[str, float]
PUBLISHED: Constants = {
    "exits of NVL72": 72.0,  # all its cards; first, as what holds racks back must not be blamed on NVLink
    "ramp": 1.0,  # a pipeline is full after each step once
    "latency of InfiniBand (us)": 1.0,
    "latency of EFA (us)": 50.0,  # aws-ofi-nccl: 75 or 35, of which 15 are the wire's
    "latency of TCPXO (us)": 20.0,
    "launch of Blackwell (us)": 0.1,
    "NVLink3": 0.8,  # NCCL topo.h: 20 of 25, 20.6 of 25, 40.1 of 50 GB/s a link
    "NVLink4": 0.824,
    "NVLink5": 0.802,
    "in-switch NVLink4": 0.70,  # NCCL tuning.cc: 0.85 and 0.74 of these
    "in-switch NVLink5": 0.593,
    "in-switch NVL72": 0.593,
    "EFA v1": 0.9,
    "EFA v4": 0.9,
    "TCPXO": 0.9,
    "pair": 1.0,
}
SHARES = tuple(key for key, value in PUBLISHED.items() if value <= 1 and not key.startswith(("ramp", "la")))
NVLINK = {"a100": ("NVLink3", 300e9, ""), "h100": ("NVLink4", 450e9, "in-switch NVLink4")}
NVLINK |= {"h200": NVLINK["h100"], "b200": ("NVLink5", 900e9, "in-switch NVLink5")}
NVLINK |= {"gb200": ("NVLink5", 900e9, "in-switch NVL72")}
NETWORK = {
    "infiniband-ndr": ("latency of InfiniBand (us)", ""),
    "infiniband-hdr": ("latency of InfiniBand (us)", ""),
    "efa-v1": ("latency of EFA (us)", "EFA v1"),
    "efa-v4": ("latency of EFA (us)", "EFA v4"),
    "gpudirect-tcpxo": ("latency of TCPXO (us)", "TCPXO"),
}
GOODPUT = {"EFA v1": 0.845, "EFA v4": 0.955, "TCPXO": 0.943}
STEPS = (6.0, 1.6, 1.25, 1.08, 1.02)
Line = Mapping[str, str]


def with_constants(line: Line, shipped: Group, constants: Constants) -> Group:
    """The group of a measurement with constants in place of the shipped ones."""
    inside, outside = shipped.inside, shipped.outside
    device = line["device"].split("-")[0]
    if device in NVLINK:
        share, nominal, switch = NVLINK[device]
        more = constants["launch of Blackwell (us)"] * 1e-6 if device in ("b200", "gb200") else 0.0
        bases = {"LL": 6.6e-6, "LL128": 14e-6, "Simple": 8.4e-6}
        protocol = replace(
            inside.protocol,
            ramp=constants["ramp"],
            pair=constants["pair"],
            ring_base={mode: base + more for mode, base in bases.items()},
            tree_base={mode: base + more for mode, base in (bases | {"LL": 6.8e-6}).items()},
            switch_step=25e-6 + more,
        )
        inside = replace(
            inside,
            bandwidth=nominal * constants[share],
            reduction=nominal * constants[switch] if switch else 0.0,
            protocol=protocol,
            exits=round(constants["exits of NVL72"]) if device == "gb200" else None,
        )
    if outside is not None and line["link"] in NETWORK:
        latency, share = NETWORK[line["link"]]
        scale = constants[share] / GOODPUT[share] if share else 1.0
        protocol = replace(outside.protocol, latency=constants[latency] * 1e-6, ramp=constants["ramp"])
        outside = replace(outside, protocol=protocol, bandwidth=outside.bandwidth * scale, total=outside.total * scale)
    return replace(shipped, inside=inside, outside=outside)


def errors(lines: Sequence[tuple[Line, Group]], constants: Constants) -> list[float]:
    """Logarithm of simulated over measured time of each line."""
    return [
        math.log(
            estimate(
                line["collective"], float(line["bytes"]), with_constants(line, group, constants), line["algorithm"]
            ).time
            / (float(line["time_us"]) * 1e-6)
        )
        for line, group in lines
    ]


def loss(lines: Sequence[tuple[Line, Group]], constants: Constants) -> float:
    """Mean error, capped, with the root of a series' length as its weight; and a light pull to what is published."""
    series: dict[str, list[float]] = {}
    for (line, _), error in zip(lines, errors(lines, constants), strict=True):
        series.setdefault(line["series"], []).append(min(1.0, abs(error)))
    weight = {name: math.sqrt(len(values)) for name, values in series.items()}
    mean = sum(weight[name] * sum(values) / len(values) for name, values in series.items()) / sum(weight.values())
    return mean + 2e-4 * sum(abs(math.log(constants[key] / PUBLISHED[key])) for key in PUBLISHED)


def fit(lines: Sequence[tuple[Line, Group]], sweeps: int = 2) -> Constants:
    """Constants by coordinate descent from the published ones."""
    best, least = dict(PUBLISHED), loss(lines, PUBLISHED)
    for _ in range(sweeps):
        for key in PUBLISHED:
            for step in STEPS:
                moved = True
                while moved:
                    moved = False
                    for factor in (step, 1 / step):
                        tried = best | {key: best[key] * factor}
                        if (key in SHARES and tried[key] > 1) or not 1 <= tried["exits of NVL72"] <= 72:
                            continue
                        found = loss(lines, tried)
                        if found < least - 1e-7:
                            best, least, moved = tried, found, True
    return best


def percent(values: Sequence[float]) -> str:
    """Median of the absolute relative errors."""
    return f"{100 * median(values):.1f} %" if values else "-"


def main() -> None:
    """Print the cross validation, or the fit of all series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="fit all series together only")
    with (_DATA / "collectives.csv").open(encoding="utf-8", newline="") as file:
        lines: list[tuple[Line, Group]] = [(line, _group(line)) for line in csv.DictReader(file)]
    if parser.parse_args().full:
        for key, value in fit(lines, 3).items():
            print(f"{key:30} {value:8.3f}   published {PUBLISHED[key]:g}")
        return
    large, small = [], []
    for series in dict.fromkeys(line["series"] for line, _ in lines):
        constants = fit([each for each in lines if each[0]["series"] != series])
        left = [each for each in lines if each[0]["series"] == series]
        found = [abs(math.expm1(error)) for error in errors(left, constants)]
        parts = [
            [e for (line, _), e in zip(left, found, strict=True) if (float(line["bytes"]) >= LARGE) == big]
            for big in (True, False)
        ]
        large += parts[0]
        small += parts[1]
        print(f"{series:28} 64 MiB and more {percent(parts[0]):>8}   below {percent(parts[1]):>8}", flush=True)
    print(f"{'all':28} 64 MiB and more {percent(large):>8}   below {percent(small):>8}")


if __name__ == "__main__":
    main()
