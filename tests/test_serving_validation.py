from simulator.experiment.validate import rows
from simulator.experiment.validation.serving_times import BOUNDS, facts


def test_iteration_times_are_within_what_the_page_claims():
    found = [row for row in rows("serving") if row["source"] == "see serving-rows"]
    assert len(found) == 2 * len(BOUNDS)
    assert all(row["ok"] for row in found), [row for row in found if not row["ok"]]


def test_no_single_fact_is_far_off():
    found = rows("serving-rows")
    assert len(found) > 0.98 * len(facts())
    assert all(row["ok"] for row in found), [row for row in found if not row["ok"]]


def test_every_fact_has_its_source():
    assert all(fact.source and fact.value > 0 for fact in facts())


def test_the_shipped_facts_are_those_of_the_collection(shared):
    import csv

    with (shared / "calibration" / "llm_iteration_times.csv").open(encoding="utf-8", newline="") as file:
        collected = [float(line["value"]) for line in csv.DictReader(file)]
    known = {f"{value:.6g}" for value in collected} | {f"{value * 1e-3:.6g}" for value in collected}
    assert all(f"{fact.value:.6g}" in known for fact in facts())
