"""The models against theory, as ``simulator validate`` shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.core.errors import InputError
from simulator.experiment.validate import areas, row, rows
from simulator.experiment.validation.theory import erlang_c


@pytest.mark.parametrize("area", areas.names())
def test_every_row_is_within_its_bound(area: str) -> None:
    found = rows(area)
    assert [
        f"{r['case']}: {r['measure']} {r['simulated']} against {r['reference']}" for r in found if not r["ok"]
    ] == []
    assert found


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


def test_the_page_shows_what_the_command_prints() -> None:
    from click.testing import CliRunner

    from simulator.cli import main

    page = (Path(__file__).parents[1] / "docs" / "validation.md").read_text("utf-8")
    printed = CliRunner().invoke(main, ["validate", "theory"]).output.strip()
    assert printed in page
