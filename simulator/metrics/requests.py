"""Measures of requests: latencies as vLLM and MLPerf spell them, bounds met, what became of them.

Definitions. *TTFT*, time to first token: from the client's sending to the first token. *TPOT*, time per output token
after the first: (end - first token) / (output - 1), as in vLLM's benchmarks and MLPerf Inference ("LLM server"
scenarios, whose bounds are on the 99th percentiles of TTFT and TPOT); not defined for an output of one token. The
*inclusive* TPOT is end-to-end latency over output tokens, which Yu et al., "Orca" (OSDI 2022) and Kwon et al.,
"Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023) call normalized latency.
*E2E*: end - arrival. They are of finished requests. Times in a phase are those of vLLM's histograms
``vllm:request_queue_time_seconds``, ``_prefill_time_`` and ``_decode_time_``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.metrics.measure import Measure, ratio
from simulator.metrics.statistics import SMALLEST_BATCH, mean, quantile
from simulator.metrics.window import Requests

PERCENTILES = (50, 90, 95, 99)
LATENCIES = {
    "ttft": ("TTFT", "time to first token"),
    "tpot": ("TPOT", "time per output token after the first, (end - first_token) / (output - 1)"),
    "tpot_inclusive": ("inclusive TPOT", "end-to-end latency per output token, also called normalized latency"),
    "e2e": ("E2E latency", "end-to-end latency (end - arrival)"),
    "queue_time": ("queue time", "time until some of the prompt is computed"),
}
"""Label and meaning of each latency."""
PHASES = {
    "prefill": ("prefill time", "time from the first start to the first token"),
    "transfer": ("transfer time", "time until keys and values had come to where a request decodes"),
    "stalled": ("stalled time", "time in which a request was preempted after its first token"),
    "decode": ("decode time", "time generating tokens after the first"),
}
BOUNDS = ("ttft", "tpot", "e2e")
"""What a class of service may set a bound on."""


def latency(requests: Requests, name: str) -> np.ndarray:
    """Seconds of each finished request that has a value: a key of ``LATENCIES``."""
    done = requests["finished"]
    if name == "tpot_inclusive":
        values = requests["e2e"][done] / requests["output"][done]
    else:
        values = requests[{"queue_time": "queue"}.get(name, name)][done]
    return np.asarray(values[~np.isnan(values)])


def bounded(requests: Requests) -> np.ndarray:
    """Mask of the requests whose class sets a bound."""
    return _has(requests, BOUNDS)


def kept(requests: Requests, bounds: tuple[str, ...] = BOUNDS) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the requests that kept all of these bounds, and of those that did not.

    Only requests with such a bound are in either. A rejected request, or one whose client gave up, did not keep them.
    One unfinished at the end of the run did not if the time so far exceeds a bound; else it is in neither.
    """
    has = _has(requests, bounds)
    over = np.zeros(len(requests), dtype=bool)
    for name in bounds:
        over |= _at_least(requests, name) > requests[f"slo_{name}"]
    done, lost = requests["finished"], requests["rejected"] | requests["timeout"]
    return has & done & ~over, has & (lost | over)


def _has(requests: Requests, bounds: tuple[str, ...]) -> np.ndarray:
    return np.asarray(np.isfinite([requests[f"slo_{name}"] for name in bounds]).any(axis=0))


def _at_least(requests: Requests, name: str) -> np.ndarray:
    """The latency of each request, or what it has come to by the end of the run; 0 where nothing is known."""
    if name == "e2e":
        found = np.where(requests["finished"], requests["e2e"], requests["age"])
    elif name == "ttft":
        found = np.where(np.isnan(requests["first_token"]), requests["age"], requests["ttft"])
    else:
        so_far = requests["age"] - (requests["first_token"] - requests["arrival"])
        found = np.where(requests["finished"], requests["tpot"], so_far / np.maximum(requests["output"] - 1, 1))
        found = np.where(requests["output"] > 1, found, 0.0)
    return np.asarray(np.nan_to_num(found))


def _attained(*bounds: str) -> Callable[[Requests], float]:
    def share(requests: Requests) -> float:
        met, missed = kept(requests, bounds)
        return ratio(float(met.sum()), float(met.sum() + missed.sum()))

    return share


def _goodput(served: Requests) -> float:
    return float(kept(served)[0].sum()) if bounded(served).any() else math.nan


def _tokens(*columns: str) -> Callable[[Requests], float]:
    return lambda requests: float(sum(int(requests[column].sum()) for column in columns))


def _share_of_all(mask: Callable[[Requests], np.ndarray]) -> Callable[[Requests], float]:
    return lambda requests: ratio(float(mask(requests).sum()), float(len(requests)))


def _hit_rate(requests: Requests) -> float:
    started = ~np.isnan(requests["start"])
    return ratio(float(requests["cached"][started].sum()), float(requests["input"][started].sum()))


def _recomputed(requests: Requests) -> float:
    started = ~np.isnan(requests["start"])
    again = float(requests["recomputed"].sum())
    once = float((requests["input"] - requests["cached"])[started].sum()) + float(requests["generated"].sum())
    return ratio(again, once + again)


def _spread(name: str) -> list[Measure]:
    label, meaning = LATENCIES[name]
    text = f"{meaning}, of finished requests"
    rows = [
        Measure(f"{name}.mean", f"mean {label}", "time", "lower", f"mean {text}",
                of_requests=lambda requests: mean(latency(requests, name)))
    ]  # fmt: skip
    for percent in PERCENTILES:
        smallest = max(SMALLEST_BATCH, 100 // (100 - percent))
        head, said = (f"p{percent}", f"{percent}th percentile of") if percent != 50 else ("median", "median")
        estimate = _at(name, percent / 100)
        rows.append(
            Measure(f"{name}.p{percent}", f"{head} {label}", "time", "lower", f"{said} {text}",
                    of_requests=estimate, smallest=smallest)
        )  # fmt: skip
    return rows


def _at(name: str, probability: float) -> Callable[[Requests], float]:
    return lambda requests: quantile(latency(requests, name), probability)


def _phase(name: str) -> Measure:
    label, meaning = PHASES[name]
    return Measure(
        f"{name}_time.mean", f"mean {label}", "time", "lower", f"mean {meaning}, of finished requests",
        of_requests=lambda requests: mean(requests[name][requests["finished"]]),
    )  # fmt: skip


def _counted(state: str, better: str, meaning: str) -> Measure:
    return Measure(
        f"requests.{state}", f"{state} requests", "count", better, meaning,
        of_requests=lambda requests: float(requests[state].sum()), smallest=0,
    )  # fmt: skip


def _bounds() -> list[Measure]:
    rows = [
        Measure(
            "slo.attainment", "SLO attainment", "ratio", "higher",
            "share of requests with a bound that met every bound of their class; rejected ones and those whose client "
            "gave up did not", of_requests=_attained(*BOUNDS),
        )
    ]  # fmt: skip
    for name in BOUNDS:
        label = LATENCIES[name][0]
        rows.append(
            Measure(
                f"slo.{name}", f"{label} bounds met", "ratio", "higher",
                f"share of requests with a bound on {label} that met it; rejected ones and those whose client gave up "
                "did not", of_requests=_attained(name),
            )
        )  # fmt: skip
    return rows


def _rates() -> list[Measure]:
    return [
        Measure(
            "goodput", "goodput", "request rate", "higher",
            "requests finished within every bound of their class, per second; of requests with a bound",
            per_second=_goodput, smallest=0,
        ),
        Measure(
            "requests.per_s", "request throughput", "request rate", "higher", "requests finished per second",
            per_second=lambda served: float(len(served)), smallest=0,
        ),
        Measure(
            "tokens.per_s", "output token throughput", "token rate", "higher",
            "output tokens of finished requests per second", per_second=_tokens("generated"), smallest=0,
        ),
        Measure(
            "tokens.total_per_s", "total token throughput", "token rate", "higher",
            "input and output tokens of finished requests per second", per_second=_tokens("input", "generated"),
            smallest=0,
        ),
    ]  # fmt: skip


def _fates() -> list[Measure]:
    return [
        _counted("finished", "higher", "requests that got all of their tokens"),
        _counted("rejected", "lower", "requests turned away"),
        _counted("timeout", "lower", "requests whose client gave up"),
        _counted("unfinished", "lower", "requests still waiting or running at the end of the run"),
        Measure(
            "rejected.share", "rejected requests", "ratio", "lower", "share of requests that were rejected",
            of_requests=_share_of_all(lambda requests: requests["rejected"]),
        ),
        Measure(
            "timeout.share", "requests given up", "ratio", "lower", "share of requests whose client gave up",
            of_requests=_share_of_all(lambda requests: requests["timeout"]),
        ),
        Measure(
            "preempted.share", "preempted requests", "ratio", "lower",
            "share of requests that had to leave a batch at least once",
            of_requests=_share_of_all(lambda requests: requests["preemptions"] > 0),
        ),
        Measure(
            "recomputed.share", "recomputed tokens", "ratio", "lower",
            "tokens whose keys and values were thrown away at preemptions, over all that were computed",
            of_requests=_recomputed,
        ),
        Measure(
            "prefix.hit_rate", "prefix cache hit rate", "ratio", "higher",
            "input tokens found in the prefix cache over input tokens, of requests that were started",
            of_requests=_hit_rate,
        ),
    ]  # fmt: skip


REQUESTS: list[Measure] = [
    *(row for name in LATENCIES for row in _spread(name)),
    *(_phase(name) for name in PHASES),
    *_bounds(),
    *_rates(),
    *_fates(),
]
"""Measures of requests, in the order in which tables show them."""
