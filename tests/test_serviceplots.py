from __future__ import annotations

import numpy as np
import pytest

from simulator.experiment.results import Results
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.report import page, plots, serviceplots, servicewords, style, text, verdict
from tests.synthetic import manifest, results, table
from tests.synthetic_serving import NEVER, replica_job, request, service_record, service_results

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def shown() -> Results:
    return service_results(plain={"load": 0.8}, fast={"load": 0.8, "speed": 2.0})


def curve(figure, line=0):
    return (np.asarray(part) for part in figure.axes[0].lines[line].get_data())


def three() -> Results:
    """Two requests one after the other on a replica that goes at 8 s, and one that is never started."""
    rows = [
        request("a", 0.0, 1.0, 2.0, 4.0, 3, slo_ttft=2.5, **{"class": "fast"}),
        request("b", 1.0, 4.0, 5.0, 8.0, 3, slo_ttft=2.5, **{"class": "fast"}),
        request("c", 2.0, NEVER, NEVER, 6.0, 3, state="TIMEOUT", ttft=NEVER, queue=4.0, **{"class": "slow"}),
    ]
    iterations = [
        (1.0, "chat", 0, 1, 1.0, 0.0, 0, 60, 0, 0.0, 1, 0, 40),
        (2.0, "chat", 0, 2, 1.0, 0.0, 1, 0, 0, 0.0, 2, 0, 50),
    ]
    tables = {"requests": table("requests", rows), "iterations": table("iterations", iterations)}
    tables["jobs"] = table("jobs", [replica_job(0, 1.0, 8.0, 10.0)])
    service = {"accelerators": 2.0, "block": 16, "blocks": [100], "accelerator_seconds": 14.0}
    return Results({("a", 0): Record(tables, {"end": 10.0, "services": {"chat": service}})}, manifest())


@pytest.mark.parametrize("name", serviceplots.FIGURES)
def test_a_figure_is_drawn_the_same_every_time(shown, name):
    first = style.svg(serviceplots.FIGURES[name].draw(shown))
    assert first == style.svg(serviceplots.FIGURES[name].draw(shown))
    assert serviceplots.FIGURES[name].title in first
    assert style.svg(getattr(shown.plot, name)()) == first


def test_runs_without_services_have_no_such_figures():
    bare = results(jobs=20)
    assert [name for name in plots.draw_all(bare) if name in serviceplots.FIGURES] == []
    assert page.services(bare) is None
    assert page.classes(bare) is None
    for plot in serviceplots.FIGURES.values():
        plot.draw(bare)


def test_more_alternatives_than_fit_are_cut_and_said():
    many = service_results(**{f"design {i}": {"requests": 20} for i in range(style.SHOWN + 3)})
    for name, plot in serviceplots.FIGURES.items():
        assert f"first {style.SHOWN} of {style.SHOWN + 3} alternatives" in style.svg(plot.draw(many)), name


def test_bounds_stand_where_they_are_with_the_names_of_their_classes(shown):
    figure = serviceplots.ttft_cdf(shown)
    dashed = [line for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1]
    assert [line.get_xdata()[0] for line in dashed] == [1.0]
    assert "bound interactive" in style.svg(figure)
    figure = serviceplots.tpot_cdf(shown)
    assert 50.0 in [line.get_xdata()[0] for line in figure.axes[0].lines]
    assert figure.axes[0].get_xlabel() == "Time per output token (ms)"


def test_requests_are_counted_at_every_instant():
    x, y = curve(serviceplots.requests_waiting(three()))
    assert dict(zip(x.tolist(), y.tolist(), strict=True)) == {0.0: 1, 1.0: 1, 2.0: 2, 4.0: 1, 6.0: 0, 10.0: 0}
    x, y = curve(serviceplots.requests_running(three()))
    assert dict(zip(x.tolist(), y.tolist(), strict=True)) == {0.0: 0, 1.0: 1, 4.0: 1, 8.0: 0, 10.0: 0}


def test_the_kv_cache_is_that_of_the_replicas_that_are_there():
    x, y = curve(serviceplots.kv_cache(three()))
    found = dict(zip(x.tolist(), y.tolist(), strict=True))
    assert (found[1.0], found[2.0], found[4.0]) == (0.4, 0.5, 0.0)
    assert np.isnan(found[0.0])
    assert np.isnan(found[8.0])


def test_the_axis_of_the_kv_cache_shows_what_little_is_used(shown):
    assert serviceplots.kv_cache(shown).axes[0].get_ylim()[1] < 0.1
    run = service_record()
    run.tables["iterations"]["held"][:] = 600
    high = Results({("a", 0): run}, manifest())
    assert serviceplots.kv_cache(high).axes[0].get_ylim() == (0.0, 1.04)


def test_replicas_have_a_figure_where_their_number_changes(shown):
    assert not serviceplots.FIGURES["replicas_ready"].has_data(shown)
    run = three().records["a", 0]
    first = [(0.0, "submit", "chat/0", 2.0), (0.0, "start", "chat/0", 2.0), (1.0, "replica-ready", "chat/0", 1.0)]
    run.tables["events"] = table("events", [*first, (8.0, "end", "chat/0", 2.0)])
    found = Results({("a", 0): run}, manifest())
    assert serviceplots.FIGURES["replicas_ready"].has_data(found)
    x, y = curve(serviceplots.replicas_ready(found))
    assert dict(zip(x.tolist(), y.tolist(), strict=True)) == {0.0: 0, 1.0: 1, 8.0: 0, 10.0: 0}
    run.tables["events"]["time"][:3] = 0.0
    assert not serviceplots.FIGURES["replicas_ready"].has_data(Results({("a", 0): run}, manifest()))


@pytest.mark.filterwarnings("error")
def test_a_warm_up_longer_than_the_run_is_drawn_without_a_word():
    run = service_record(warmup=1e6)
    html = Results({("a", 0): run}, manifest()).to_html()
    assert "400 requests arrived during the warm-up" in html


def test_outcomes_are_shares_of_all_requests():
    bars = serviceplots.request_outcomes(three()).axes[0].containers
    assert {bar.get_label(): round(bar[0].get_width(), 6) for bar in bars} == {
        "within bounds": round(100 / 3, 6),
        "late": round(100 / 3, 6),
        "given up": round(100 / 3, 6),
    }


def test_phases_add_up_to_the_mean_latency(shown):
    axes = serviceplots.request_phases(shown).axes[0]
    total = sum(bar[0].get_width() for bar in axes.containers)
    assert total == pytest.approx(shown.estimate("plain", "e2e.mean").interval.mean)


@pytest.mark.parametrize("count", [0, 3])
def test_a_service_that_answered_nothing_has_a_page(count):
    rows = [request(f"r-{i}", 1.0, NEVER, NEVER, 1.0, 5, state="REJECTED", reason="queue full") for i in range(count)]
    tables = {name: table(name, rows if name == "requests" else []) for name in ("jobs", "requests", "iterations")}
    service = {"accelerators": 2.0, "block": 16, "blocks": [], "accelerator_seconds": 0.0, "requests": count}
    record = Record(tables, {"end": 10.0, "services": {"chat": service}})
    check(record)
    found = Results({("a", 0): record}, manifest())
    html = found.to_html()
    assert "<h3>Services</h3>" in html
    assert ("What became of requests" in html) is (count > 0)
    assert text.summary(found)
    assert len(found.by("class")) == min(count, 1)


# -- the page and the verdict -----------------------------------------------------------------------------------------


def test_the_page_tells_of_services_and_classes(shown):
    html = shown.to_html()
    for said in ("<h3>Services</h3>", "Classes of service", "interactive", "SLO attainment", "1,000 of 16 tokens"):
        assert said in html, said
    grid = page.services(shown)
    assert [cell.text for cell in grid.rows[0]][:5] == ["plain", "chat", "2", "1,000 of 16 tokens", "1"]
    assert [cell.text for cell in grid.rows[0]][6:] == ["400", "10 rejected"]
    kinds = page.classes(shown)
    assert [row[1].text for row in kinds.rows] == ["batch", "interactive"] * 2
    assert kinds.rows[0][3].text == "–"


def test_a_bound_on_the_whole_latency_has_its_columns():
    assert "e2e.mean" not in page.classes(service_results(a={})).heads
    run = service_record()
    run.tables["requests"]["slo_e2e"][::2] = 5.0
    heads = page.classes(Results({("a", 0): run}, manifest())).heads
    assert heads[-2:] == ("e2e.mean", "e2e.p99")


def test_what_was_run_counts_jobs_requests_or_both(shown):
    def counted(found):
        return [head for head in page._runs(found).heads if "measured" in head]

    assert counted(shown) == ["requests measured, all runs"]
    assert page._runs(shown).rows[0][4].text == "400"
    assert counted(results(jobs=20)) == ["jobs measured, all runs"]
    run = service_record()
    run.tables["jobs"] = {
        name: np.concatenate([column, results(jobs=20).records["fifo", 0].tables["jobs"][name]])
        for name, column in run.tables["jobs"].items()
    }
    both = Results({("a", 0): run}, manifest())
    assert counted(both) == ["jobs measured, all runs", "requests measured, all runs"]


def test_replicas_of_two_sizes_are_both_counted_and_told():
    run = service_record()
    end = run.facts["end"]
    prompts = ("chat/prefill/1", *replica_job(1, 0.0, NEVER, end, accelerators=4.0)[1:])
    run.tables["jobs"] = table("jobs", [replica_job(0, 0.0, NEVER, end), prompts])
    run.facts["services"]["chat"]["accelerator_seconds"] = 6.0 * end
    row = page.services(Results({("a", 0): run}, manifest())).rows[0]
    assert [cell.text for cell in row][2:5] == ["2 or 4", "1,000 of 16 tokens", "2"]


def priced(**prices: float) -> Results:
    """The same service at several prices: cost of the run in dollars, by design."""
    records = {(name, 0): service_record(load=0.1, cost={"cloud": price}) for name, price in prices.items()}
    return Results(records, manifest(measures=["slo.attainment", "cost.total"]))


def test_of_designs_that_are_level_the_cheaper_one_comes_first():
    said = verdict.sentences(priced(dear=30.0, cheap=10.0, middling=20.0))
    assert said[0].startswith("cheap, middling and dear are practically equal on SLO attainment: ")
    assert said[0].endswith(". cheap costs less: total cost $10.00 against $20.00 of middling.")
    assert verdict.limits(priced(dear=30.0, cheap=10.0))[0].startswith("Where the mean end-to-end latency of cheap ")
    assert verdict.sentences(priced(one=10.0, two=10.0))[0].endswith(" They cost the same: total cost $10.00.")
    free = {name: service_record(load=0.1, cost={}) for name in ("one", "two")}
    found = Results({(name, 0): run for name, run in free.items()}, manifest(measures=["slo.attainment", "cost.total"]))
    assert verdict.sentences(found)[0].endswith("are practically equal on SLO attainment: 90 %.")


def test_a_design_that_attains_more_still_wins_whatever_it_costs():
    records = {
        ("slow", 0): service_record(load=0.8, cost={"cloud": 1.0}),
        ("fast", 0): service_record(load=0.8, speed=2.0, cost={"cloud": 9.0}),
    }
    found = Results(records, manifest(measures=["slo.attainment", "cost.total"]))
    assert verdict.sentences(found)[0].startswith("fast wins on SLO attainment: ")


def test_what_strangers_write_into_requests_is_text():
    run = service_record()
    run.facts["services"] = {EVIL: run.facts["services"]["chat"]}
    for name in ("requests", "iterations", "jobs"):
        run.tables[name]["workload"][:] = EVIL
    for name in ("class", "tenant", "reason"):
        run.tables["requests"][name][:200] = EVIL
    html = Results({(EVIL, 0): run}, manifest()).to_html()
    assert EVIL not in html
    assert "&lt;script&gt;" in html


def test_the_verdict_is_on_attainment_and_says_what_was_missed(shown):
    said = " ".join(verdict.sentences(shown))
    assert said.startswith("fast wins on SLO attainment: ")
    limits = verdict.limits(shown)
    assert limits[0].startswith("Where the mean end-to-end latency of fast goes: ")
    assert "% generating tokens" in limits[0]
    missed = shown["fast"].requests.query("`class` == 'interactive'")
    out = int(((missed["state"] == "REJECTED") | (missed["ttft"] > 1.0)).sum())
    assert limits[1].startswith(f"Requests that missed a bound: {out}, ")
    assert limits[1].endswith("rejected or given up.")


def test_a_replica_that_takes_one_at_a_time_is_limited_by_its_batch():
    slow = service_results(slow={"load": 3.0})
    said = " ".join(verdict.limits(slow))
    assert "The batch is a limit: " in said
    assert "No more than 1 got a token at once: a larger `max_batch`" in said
    assert "more replicas" not in said


def test_preemptions_are_laid_to_the_kv_cache():
    run = service_record()
    run.tables["requests"]["preemptions"][:100] = 1
    run.tables["iterations"]["held"][5] = 950
    said = servicewords.limits("a", list(Results({("a", 0): run}, manifest()).windows("a").values()))
    assert "The KV cache is a limit: 25 % of requests were preempted, and it was up to 95 % full." in said


def test_a_winner_that_answers_fewer_requests_is_told_apart():
    picky = service_record()
    late = np.asarray(picky.tables["requests"]["ttft"] > 1.0)
    for name, value in (("state", "REJECTED"), ("reason", "queue full")):
        picky.tables["requests"][name][late] = value
    both = Results({("plain", 0): service_record(), ("picky", 0): picky}, manifest(measures=["ttft.mean"]))
    said = " ".join(verdict.sentences(both))
    assert "But picky completed only" in said
    assert "of its 400 requests, plain 390 of 400: what never completes counts in no latency" in said
    assert "finished requests: plain 390 of 400, picky" in text.summary(both)
