from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from reference.serving_case import Case, ask, compared

from simulator.core.errors import InputError, InvariantError
from simulator.experiment.results import Results
from simulator.metrics import measures
from simulator.metrics.caveats import caveats
from simulator.metrics.invariants import INVARIANTS, check
from simulator.metrics.measures import measure
from simulator.metrics.recorder import Record
from simulator.metrics.requestchecks import REQUEST_INVARIANTS
from simulator.metrics.requests import REQUESTS
from simulator.metrics.saturation import load
from simulator.metrics.serving import SERVING, mean_replicas
from simulator.metrics.window import Window
from tests.synthetic import manifest, table
from tests.synthetic_serving import NEVER, replica_job, request, service_record, service_results

# -- arithmetic by hand -----------------------------------------------------------------------------------------------


def by_hand(**facts) -> Record:
    """Six requests on two replicas of two accelerators in 20 s: four finish, one is rejected, one still decodes."""
    inside = {"slo_ttft": 2.0, "slo_tpot": 1.0, "class": "interactive"}
    rows = [
        request("a", 0.0, 0.0, 1.0, 5.0, 5, cached=40, **inside),
        request("b", 1.0, 2.0, 4.0, 8.0, 3, preemptions=1, recomputed=30, stalled=1.0, decode=3.0, **inside),
        request("c", 2.0, 2.0, 3.0, 3.0, 1, replica=1),
        request("d", 4.0, 5.0, 6.0, 10.0, 11, replica=1, slo_e2e=6.5),
        request("e", 5.0, NEVER, NEVER, 5.0, 7, state="REJECTED", reason="queue full", ttft=NEVER, **inside),
        request("f", 8.0, 9.0, 12.0, NEVER, 50, state="UNFINISHED", generated=4, **inside),
    ]
    iterations = [
        (0.0, "chat", 0, 1, 1.0, 0.0, 0, 60, 0, 0.0, 1, 0, 7),
        (1.0, "chat", 0, 4, 1.0, 0.0, 1, 0, 0, 0.0, 4, 0, 10),
        (5.0, "chat", 0, 2, 1.0, 0.5, 3, 0, 2, 0.5, 6, 1, 20),
        (2.0, "chat", 1, 1, 1.0, 0.0, 0, 100, 0, 0.0, 1, 0, 50),
    ]
    service = {
        "accelerators": 2.0, "block": 16, "blocks": [100, 200], "accelerator_seconds": 60.0,
        "busy_accelerator_seconds": 24.0, "requests": 6,
    }  # fmt: skip
    known = {
        "end": 20.0, "warmup": 0.0, "cost": {"cloud": 3.0, "capex": 1.0}, "provisioned_seconds": 80.0,
        "power": {"idle": 100.0, "busy": 600.0}, "services": {"chat": service},
    }  # fmt: skip
    jobs = [replica_job(0, 0.0, NEVER, 20.0), replica_job(1, 2.0, 12.0, 20.0)]
    series = [(0.0, 0, 1, 2.0, 4.0, 4.0), (2.0, 0, 2, 4.0, 4.0, 4.0), (12.0, 0, 1, 2.0, 4.0, 4.0)]
    tables = {
        "series": table("series", series),
        "jobs": table("jobs", jobs),
        "requests": table("requests", rows),
        "iterations": table("iterations", iterations),
    }
    return Record(tables, known | facts)


GAPS = [1.0] * 4 + [1.0, 1.5, 1.5] + [1.5] * 3
"""Of the second row; of the third: one sequence that ran on, two that stood still, and all three once more."""
TOKENS = 5 + 3 + 1 + 11 + 4
BUSY = 1.0 + 4.0 + 2.5 + 1.0
HELD = 20.0 + 10.0
BY_HAND = {
    "ttft.mean": (1.0 + 3.0 + 1.0 + 2.0) / 4,
    "ttft.p50": 1.5,
    "tpot.mean": (1.0 + 2.0 + 0.4) / 3,
    "tpot.p50": 1.0,
    "tpot_inclusive.mean": (5 / 5 + 7 / 3 + 1 / 1 + 6 / 11) / 4,
    "e2e.mean": (5.0 + 7.0 + 1.0 + 6.0) / 4,
    "e2e.p50": 5.5,
    "queue_time.mean": (0.0 + 1.0 + 0.0 + 1.0) / 4,
    "prefill_time.mean": (1.0 + 2.0 + 1.0 + 1.0) / 4,
    "transfer_time.mean": 0.0,
    "stalled_time.mean": 0.25,
    "decode_time.mean": (4.0 + 3.0 + 0.0 + 4.0) / 4,
    "slo.attainment": 2 / 5,
    "slo.ttft": 1 / 4,
    "slo.tpot": 1 / 3,
    "slo.e2e": 1.0,
    "goodput": 2 / 20.0,
    "requests.per_s": 4 / 20.0,
    "tokens.per_s": 20 / 20.0,
    "tokens.total_per_s": 420 / 20.0,
    "requests.finished": 4.0,
    "requests.rejected": 1.0,
    "requests.timeout": 0.0,
    "requests.unfinished": 1.0,
    "rejected.share": 1 / 6,
    "timeout.share": 0.0,
    "preempted.share": 1 / 6,
    "recomputed.share": 30 / (5 * 100 - 40 + TOKENS + 30),
    "prefix.hit_rate": 40 / 500,
    "itl.mean": sum(GAPS) / len(GAPS),
    "itl.p50": float(np.quantile(GAPS, 0.5)),
    "itl.p90": float(np.quantile(GAPS, 0.9)),
    "itl.max": 1.5,
    "batch.mean": (4 * 1 + 2 * 3) / 6,
    "kv.occupancy": (1 * (7 + 1 / 32) + 4 * (10 + 4 / 32) + 2.5 * (20 + 6 / 32) + 1 * (50 + 1 / 32))
    / (100 * 20 + 200 * 10),
    "kv.peak": 0.25,
    "replicas.mean": HELD / 20.0,
    "replicas.busy": 0.4,
    "cost.per_million_tokens": 4.0 * 60 / 80 / (TOKENS / 1e6),
    "cost.per_million_total_tokens": 4.0 * 60 / 80 / ((TOKENS + 500) / 1e6),
    "joules.per_token": (60 * 100.0 + 24 * 500.0) / TOKENS,
    "utilization.busy": 0.75 * 0.4,
    "utilization.useful": 0.75 * 0.4,
    "jct.mean": NEVER,
    "wait.mean": NEVER,
    "jobs.unfinished": 0.0,
}


@pytest.mark.parametrize(("name", "expected"), BY_HAND.items())
def test_each_measure_equals_arithmetic_by_hand(name, expected):
    assert measure(by_hand(), name) == pytest.approx(expected, nan_ok=True)


def test_every_measure_is_tested_by_hand():
    others = {row.name for row in (*REQUESTS, *SERVING)} - set(BY_HAND)
    assert {name for name in others if not name.endswith((".p50", ".p90", ".p95", ".p99"))} == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ttft.mean", (1.0 + 2.0) / 2),
        ("requests.finished", 2.0),
        ("requests.per_s", 4 / 18.0),
        ("tokens.per_s", 20 / 18.0),
        ("itl.mean", (1.0 + 5 * 1.5) / 6),
        ("replicas.mean", (18.0 + 10.0) / 18.0),
        ("cost.per_million_tokens", 4.0 * 60 / 80 / (TOKENS / 1e6)),
    ],
)
def test_the_warm_up_is_cut_by_arrival_but_not_from_money(name, expected):
    assert measure(by_hand(warmup=2.0), name) == pytest.approx(expected)


def test_replicas_are_counted_over_the_time_of_service_only():
    run = by_hand(end=200.0)
    gone = run.tables["requests"]["state"] == "UNFINISHED"
    run.tables["requests"]["state"][gone] = "TIMEOUT"
    run.tables["requests"]["end"][gone] = 16.0
    run.tables["jobs"] = table("jobs", [replica_job(0, 0.0, 16.0, 200.0), replica_job(1, 2.0, 12.0, 200.0)])
    assert measure(run, "replicas.mean") == pytest.approx((16.0 + 10.0) / 16.0)
    assert mean_replicas(Window(run), "chat") == pytest.approx((16.0 + 10.0) / 16.0)
    run.tables["jobs"] = table("jobs", [replica_job(0, 0.0, NEVER, 200.0)])
    assert measure(run, "replicas.mean") == pytest.approx(1.0)
    assert math.isnan(mean_replicas(Window(run), "another"))


def test_an_unfinished_request_misses_a_bound_only_when_it_must():
    def attained(**more):
        row = request("f", 0.0, 1.0, 2.0, NEVER, 11, state="UNFINISHED", **more)
        return measure(Record({"requests": table("requests", [row])}, {"end": 12.0}), "slo.attainment")

    assert math.isnan(attained(slo_ttft=2.0))
    assert attained(slo_ttft=1.9) == 0.0
    assert math.isnan(attained(slo_tpot=1.0))
    assert attained(slo_tpot=0.99) == 0.0
    assert math.isnan(attained(slo_e2e=12.0))
    assert attained(slo_e2e=11.9) == 0.0
    never = request("f", 0.0, NEVER, NEVER, NEVER, 11, state="UNFINISHED", slo_ttft=11.0)
    assert measure(Record({"requests": table("requests", [never])}, {"end": 12.0}), "slo.attainment") == 0.0


def test_without_bounds_there_is_no_goodput_and_no_attainment():
    run = Record({"requests": table("requests", [request("a", 0.0, 0.0, 1.0, 2.0, 3)])}, {"end": 9.0})
    assert math.isnan(measure(run, "goodput"))
    assert math.isnan(measure(run, "slo.attainment"))
    assert measure(run, "requests.per_s") == 0.5


def test_rates_stop_with_the_last_request_while_the_cluster_goes_on():
    rows = [request("a", 10.0, 10.0, 11.0, 12.0, 3), request("b", 13.0, 13.0, 14.0, 15.0, 3)]
    run = Record({"requests": table("requests", rows)}, {"end": 1e6})
    assert measure(run, "requests.per_s") == 2 / 5.0


# -- intervals --------------------------------------------------------------------------------------------------------


def test_batches_are_the_measure_on_consecutive_requests():
    window, measured = Window(service_record(requests=1000)), measures.get("e2e.mean")
    e2e = window.requests["e2e"].reshape(10, 100)
    assert measured.batches(window) == pytest.approx(np.nanmean(e2e, axis=1).tolist())
    assert measures.get("ttft.p99").batches(Window(service_record(requests=999))) == []
    for name in ("goodput", "requests.finished", "itl.p50"):
        assert measures.get(name).batches(window) == []


def test_one_run_each_is_compared_by_the_same_requests():
    found = service_results(plain={"requests": 1000}, fast={"requests": 1000, "speed": 2.0})
    row = found.diff(measures="tpot.mean").iloc[0]
    assert row["difference"] == pytest.approx(-0.01)
    assert row["basis"] == "10 batches of 100 paired requests"
    other = service_results(plain={"requests": 1000}, fast={"requests": 1000, "seed": 8})
    assert other.diff(measures="ttft.mean").iloc[0]["basis"] == "one run of other requests: not paired"
    few = service_results(plain={"requests": 100})
    assert few.estimate("plain", "ttft.mean").basis == "one run of 100 requests, too few for batches (200 needed)"


def test_requests_of_a_session_may_come_later_and_are_still_the_same():
    ours, theirs = (service_record(requests=300) for _ in range(2))
    theirs.tables["requests"]["arrival"][7] += 1e-3
    assert not Window(ours).same_requests(Window(theirs))
    for record in (ours, theirs):
        record.tables["requests"]["session"][7] = "talk"
    assert Window(ours).same_requests(Window(theirs))
    theirs.tables["requests"]["input"][7] += 1
    assert not Window(ours).same_requests(Window(theirs))


@pytest.mark.parametrize("line", ["plain.goodput > 0.1/s", "plain.goodput > 0.1 requests/s", "plain.goodput > 0.1"])
def test_rates_are_compared_with_or_without_their_unit(line):
    assert service_results().evaluate(line)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plain.tokens.per_s > 20 jobs/s", "does not fit tokens.per_s: '20 jobs/s' is not a number"),
        ("plain.joules.per_token < 20 s", "does not fit joules.per_token"),
        ("plain.goodput > plain.tokens.per_s", "compares a request rate with a token rate"),
        ("plain.ttft.p98 < 1 s", "unknown measure 'ttft.p98'. Did you mean 'ttft.p9"),
    ],
)
def test_lines_that_do_not_fit_are_told(line, text):
    with pytest.raises(InputError) as error:
        service_results().evaluate(line)
    assert text in str(error.value)


def test_a_summary_shows_the_measures_of_services_first():
    found = service_results()
    assert found.measures[:3] == ("slo.attainment", "goodput", "ttft.mean")
    assert "jct.mean" not in found.measures
    assert found.evaluate("fast.goodput >= 0.1 requests/s")
    assert found.evaluate("fast.joules.per_token <= 1 kJ")
    assert found.evaluate("fast.tokens.per_s > 20")


def test_rows_in_any_order_give_the_same():
    original = service_record()
    order = np.random.default_rng(1).permutation(400)
    requests = {name: values[order] for name, values in original.tables["requests"].items()}
    shuffled = Record(original.tables | {"requests": requests}, original.facts)
    for name in ("ttft.p99", "slo.attainment", "goodput"):
        measured = measures.get(name)
        assert measured.batches(Window(shuffled)) == measured.batches(Window(original))
        assert measured.value(Window(shuffled)) == measured.value(Window(original))


# -- theory -----------------------------------------------------------------------------------------------------------


def test_the_queue_is_that_of_theory():
    """The mean wait in M/G/1 is load / (1 - load) x (mean of the squared service time) / (2 x its mean)."""
    run = service_record(requests=50_000, load=0.5)
    requests = Window(run).requests
    served = requests.where(requests["finished"])
    service = served["prefill"] + served["decode"]
    lam = len(service) / Window(run).serving
    expected = lam * np.mean(service**2) / (2 * (1 - lam * service.mean()))
    assert measure(run, "queue_time.mean") == pytest.approx(expected, rel=0.05)


# -- invariants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("utilization", [0.2, 0.9, 1.5])
def test_a_consistent_run_passes(utilization):
    statements = [statement for statement, _ in (*INVARIANTS, *REQUEST_INVARIANTS)]
    assert check(service_record(load=utilization)) == statements


@pytest.mark.parametrize(
    ("name", "column", "row", "value", "message"),
    [
        ("requests", "state", 3, "LOST", "request 'r-3' ended as 'LOST', not as one of FINISHED, REJECTED"),
        ("requests", "state", 3, "UNFINISHED", "request 'r-3': UNFINISHED, its end is"),
        ("requests", "reason", 39, "", "request 'r-39' was rejected, and no reason is given"),
        ("requests", "arrival", 3, math.nan, "request 'r-3': arrival nan"),
        ("requests", "start", 3, -1.0, "arrival <= start <= first token <= end"),
        ("requests", "first_token", 3, 1e9, "arrival <= start <= first token <= end"),
        ("requests", "e2e", 3, 1.0, "= e2e = end - arrival for every finished request: request 'r-3': queue"),
        ("requests", "queue", 3, -4.0, "sum to"),
        ("requests", "ttft", 3, 77.0, "request 'r-3': ttft 77.0, first token after"),
        ("requests", "tpot", 3, 77.0, "request 'r-3': tpot 77.0,"),
        ("requests", "generated", 3, 0, "request 'r-3' (FINISHED): 0 of"),
        ("requests", "cached", 3, 999, "999 of"),
        ("iterations", "tokens", 0, 5, "tokens generated in iterations,"),
        ("iterations", "held", 0, 1001, "chat, replica 0 at"),
        ("iterations", "held", 0, -1, "-1 blocks held of 1000.0"),
        ("iterations", "first", 0, 100.0, "chat, replica 0: an iteration begins at"),
        ("iterations", "count", 0, 0, "0 iterations that last 0.0 s"),
    ],
)
def test_each_contradiction_is_found_and_told_with_its_numbers(name, column, row, value, message):
    run = service_record()
    run.tables[name][column][row] = value
    with pytest.raises(InvariantError) as error:
        check(run)
    assert message in str(error.value)


def test_tokens_may_be_lost_only_where_requests_were_sent_again():
    run = service_record()
    run.tables["iterations"]["tokens"][0] += 5
    run.tables["requests"]["attempts"][7] = 2
    check(run)
    run.tables["iterations"]["tokens"][0] -= 6
    with pytest.raises(InvariantError, match="tokens generated in iterations"):
        check(run)


def test_requests_that_are_in_no_row_are_missed():
    run = service_record()
    run.facts["services"]["chat"] |= {"requests": 401, "came": 401}
    with pytest.raises(InvariantError, match="service 'chat': 401 of 401 requests came, 400 are in the table"):
        check(run)


# -- caveats ----------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_said():
    said = " ".join(caveats([Window(by_hand(warmup=1.0))]))
    assert "1 requests arrived during the warm-up; request measures leave them out." in said
    assert "1 of 5 requests were unfinished at the end of the run: latencies leave them out" in said
    assert "1 of 5 requests were rejected (1: queue full): latencies leave them out" in said
    assert "1 of 5 requests were preempted" in said
    assert "jobs" not in said


@pytest.mark.parametrize(("utilization", "said"), [(0.2, False), (1.5, True)])
def test_saturation_is_said_with_its_numbers(utilization, said):
    window = Window(service_record(load=utilization))
    found = load([window], "chat")
    assert found is not None
    assert found.saturated is said
    text = " ".join(caveats([window]))
    assert ("chat ran near saturation or beyond it: 100 % of TTFT is queue time" in text) is said
    assert ("TTFT here is a property of the queue and not predictable" in text) is said


def test_of_few_requests_saturation_is_not_said():
    assert load([Window(service_record(requests=59, load=5.0))], "chat") is None


# -- tables, disk -----------------------------------------------------------------------------------------------------


def test_requests_and_iterations_are_frames_and_come_back_exactly(tmp_path):
    found = service_results(replications=2)
    again = Results.load(found.save(tmp_path / "served", report=False))
    assert len(again.requests) == 1600
    assert again.requests.equals(found.requests)
    assert again.iterations.equals(found.iterations)
    assert again.summary("all").equals(found.summary("all"))
    assert {"requests.csv", "iterations.csv"} <= {path.name for path in (tmp_path / "served").iterdir()}


def test_runs_without_services_have_empty_frames_and_no_files(tmp_path):
    found = Results({("a", 0): Record({}, {"end": 1.0})}, manifest())
    assert len(found.requests) == len(found.iterations) == 0
    assert "state" in found.requests.columns
    assert not (found.save(tmp_path / "jobs", report=False) / "requests.csv").exists()


# -- against the twin that goes one by one ----------------------------------------------------------------------------


def crowd(count: int, gap: float) -> Case:
    draw = np.random.default_rng(3)
    now = np.cumsum(draw.exponential(gap, count)).tolist()
    asks = [ask(at, int(draw.integers(4, 120)), int(draw.integers(1, 90))) for at in now]
    return Case(asks=tuple(asks), blocks=4000, max_batch=16, batching=("vllm", {"max_tokens": 64}))


def test_times_between_tokens_are_those_of_every_single_token():
    asks, _, record = compared(crowd(120, 0.4))
    gaps = np.concatenate([np.diff(each.tokens) for each in asks])
    window = Window(record)
    assert len(window.gaps) == len(gaps)
    assert measure(record, "itl.mean") == pytest.approx(gaps.mean(), rel=1e-9)
    for percent in (50, 90, 95, 99):
        expected = np.quantile(gaps, percent / 100)
        assert measure(record, f"itl.p{percent}") == pytest.approx(expected, rel=1e-9)
    assert measure(record, "itl.max") == pytest.approx(gaps.max(), rel=1e-9)
    tpot = [np.diff(each.tokens).mean() for each in asks if len(each.tokens) > 1]
    assert measure(record, "tpot.mean") == pytest.approx(np.mean(tpot), rel=1e-9)
    assert measure(record, "ttft.p99") == pytest.approx(
        np.quantile([each.tokens[0] - each.arrival for each in asks], 0.99), rel=1e-9
    )


def test_where_whole_prompts_go_first_the_pause_is_in_the_gap_after_it():
    asks, _, record = compared(replace(crowd(60, 0.4), batching=("prefill-first", {"max_tokens": 512})))
    gaps = np.concatenate([np.diff(each.tokens) for each in asks])
    assert len(Window(record).gaps) == len(gaps)
    assert measure(record, "itl.mean") == pytest.approx(gaps.mean(), rel=1e-9)
    assert measure(record, "itl.p50") == pytest.approx(np.quantile(gaps, 0.5), rel=0.02)
    assert (record.tables["iterations"]["stall"] > 0).any()


def test_the_batch_and_the_cache_are_those_of_every_single_iteration():
    _, (replica,), record = compared(crowd(120, 0.4))
    steps = [step for step in replica.steps if step.sequences]
    assert measure(record, "batch.mean") == pytest.approx(np.mean([step.sequences for step in steps]))
    seconds = np.array([step.seconds for step in replica.steps])
    held = np.array([step.held for step in replica.steps])
    expected = float(held @ seconds) / (4000 * record.facts["end"])
    assert measure(record, "kv.occupancy") == pytest.approx(expected, rel=0.02)
    assert measure(record, "replicas.busy") == pytest.approx(seconds.sum() / record.facts["end"], rel=1e-9)
