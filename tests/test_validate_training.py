"""Published training runs against the model: what ``simulator validate training`` claims."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from simulator.experiment.validation.training import changes, order, runs
from simulator.metrics.statistics import quantile


def test_units_of_published_figures_agree() -> None:
    """Two ways to write one run: 728 model TFLOP/s and 1621 tokens/s per GPU (Megatron-Bridge, Llama 3 70B)."""
    run = next(run for run in runs() if run.series == "megatron-bridge" and run.rate(run.reference) == 1621)
    assert run.step.model_flops / run.reference / 64 / 1e12 == pytest.approx(728, rel=0.002)


def test_changes_and_order_compare_runs_of_one_series() -> None:
    some = [run for run in runs() if run.series == "mosaic-llmfoundry" and run.step.model.short == "mpt-30b"]
    assert len(changes(some)) < len(some) * (len(some) - 1) / 2
    exact = [run._replace(reference=run.step.time) for run in some]
    assert changes(exact) == pytest.approx([0.0] * len(changes(exact)))
    assert all(order(exact))


def test_no_series_is_far_off_as_a_whole() -> None:
    for series in dict.fromkeys(run.series for run in runs()):
        errors = [run.error for run in runs() if run.series == series]
        assert abs(median(errors)) < 0.06


def test_all_but_a_few_single_runs_are_near() -> None:
    assert quantile([abs(run.error) for run in runs()], 0.95) < 0.12


def test_the_page_shows_what_the_command_prints() -> None:
    from click.testing import CliRunner

    from simulator.cli import main

    page = (Path(__file__).parents[1] / "docs" / "validation.md").read_text("utf-8")
    assert CliRunner().invoke(main, ["validate", "training"]).output.strip() in page
