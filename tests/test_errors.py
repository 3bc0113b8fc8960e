"""Problems: how they read, where the caret stands, what is nearest."""

from __future__ import annotations

import pickle

from simulator.core.errors import InputError, Problem, SimulatorError, did_you_mean, nearest


def test_all_parts_of_a_problem() -> None:
    hint = "Did you mean 'link'?"
    problem = Problem("unknown key 'lnk'", "a.yaml", 3, 12, "topology.lnk", "topology: {lnk: x}", hint)
    assert str(problem) == (
        "a.yaml:3:12 topology.lnk: unknown key 'lnk'\n"
        "    topology: {lnk: x}\n"
        "               ^\n"
        "    Did you mean 'link'?"
    )


def test_parts_that_are_missing_leave_no_gaps() -> None:
    assert str(Problem("the file is empty")) == "the file is empty"
    assert str(Problem("the file is empty", file="a.yaml")) == "a.yaml: the file is empty"
    assert str(Problem("is missing", path="run.until")) == "run.until: is missing"
    assert str(Problem("bad", source="--set x=1")) == "bad\n    --set x=1"


def test_a_tab_does_not_move_the_caret() -> None:
    assert str(Problem("bad", "f", 1, 2, source="\tx")) == "f:1:2: bad\n     x\n     ^"


def test_long_lines_are_cut_around_the_caret() -> None:
    for column in (1, 50, 500, 999, 1000):
        source = "a" * (column - 1) + "X" + "b" * (1000 - column)
        shown = str(Problem("bad", "f", 1, column, source=source)).splitlines()
        assert len(shown[1]) <= 4 + 100 + 6
        assert shown[1][shown[2].index("^")] == "X"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(Problem("bad", "f", 1, 1, source="\x1b[31mred"))


def test_an_input_error_says_everything_and_survives_a_process_border() -> None:
    error = InputError(Problem("one", file="a"), "two")
    assert str(error) == "a: one\ntwo"
    assert isinstance(error, SimulatorError)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.problems == error.problems == (Problem("one", file="a"), Problem("two"))


def test_nearest() -> None:
    assert nearest("FIFO", ["fifo", "las"]) == "fifo"
    assert nearest("easy-bakfill", ["fifo", "easy-backfill"]) == "easy-backfill"
    assert nearest("xyz", ["fifo", "las"]) is None
    assert nearest("a", []) is None


def test_did_you_mean() -> None:
    assert did_you_mean("fif0", ["las", "fifo"]) == "Did you mean 'fifo'? Known: fifo, las."
    assert did_you_mean("q", ["las", "fifo"]) == "Known: fifo, las."
    assert did_you_mean("q", []) == "Known: none."
    assert did_you_mean("q", map(str, range(20)), limit=2) == "Known: 0, 1, ... (20 in all)."
