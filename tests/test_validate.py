"""The models against theory, as ``simulator validate`` shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import main
from simulator.core.errors import InputError
from simulator.experiment.validate import areas, row, rows
from simulator.experiment.validation.theory import erlang_c

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
TOO_LONG = ("network-rows", "training-rows", "serving-rows")
"""Areas that the page does not show row by row."""


@pytest.mark.parametrize("area", areas.names())
def test_every_row_is_within_its_bound_and_the_page_shows_it(area: str) -> None:
    result = CliRunner().invoke(main, ["validate", area])
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) > 2
    if area not in TOO_LONG:
        assert result.stdout.strip() in PAGE.read_text("utf-8")


def test_erlang_c_is_the_textbooks() -> None:
    assert erlang_c(1, 0.3) == pytest.approx(0.3)
    # Kleinrock, Queueing Systems I, p. 103: M/M/2 waits with probability 2 rho^2 / (1 + rho)
    assert erlang_c(2, 1.6) == pytest.approx(2 * 0.8**2 / 1.8)


def test_errors_are_relative_and_absolute_where_the_reference_is_zero() -> None:
    assert row("a", "c", "m", "s", 4.0, "", 5.0, 0.3).error == pytest.approx(0.25)
    assert row("a", "c", "m", "s", 0.0, "", 0.2, 0.1).ok is False


def test_an_unknown_area_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown validation area 'theroy'. Did you mean 'theory'\?"):
        rows("theroy")
