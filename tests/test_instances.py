"""Gangs of instances with a part of an accelerator each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.instances import Models, checked_fractions, gang_sizes
from simulator.workload.rows import Book, Rows

EACH = st.integers(0, 400).map(lambda percent: percent / 100)
GANGS = st.lists(st.tuples(EACH, st.integers(1, 50)), min_size=1, max_size=20)


def rows(models: list[str]) -> tuple[Book, Rows]:
    book = Book("t.csv")
    book.header = ["model"]
    places = np.arange(1, len(models) + 1)
    return book, Rows(book, [[model] for model in models], places + 1, places)


@given(GANGS, st.sampled_from(["pack", "round-up", "split"]))
def test_what_comes_out_is_a_gang_or_a_share(gangs: list[tuple[float, int]], rule: str) -> None:
    book, table = rows([""] * len(gangs))
    each, count = np.array(gangs, dtype=float).T
    sizes, copies = gang_sizes(table, each, count, rule)
    demand = each * count
    assert np.all((sizes < 1) | (sizes == np.floor(sizes)))
    assert np.all(sizes * copies >= demand - 1e-6)
    whole = (each == np.floor(each)) | (demand < 1) & (count == 1)
    assert np.all(sizes[whole] == demand[whole])
    if rule == "pack":
        assert np.all(copies == 1)
        assert np.all(sizes - demand < 1)
        assert np.all(sizes[demand < 1 - 1e-6] == demand[demand < 1 - 1e-6])
    elif rule == "round-up":
        assert np.all(copies == 1)
        assert np.all(sizes[count > 1] == (np.ceil(each) * count)[count > 1])
    else:
        assert np.all(copies[(each != np.floor(each))] == count[each != np.floor(each)])
        assert np.all(copies[each == np.floor(each)] == 1)
    bent = int(np.sum((each != np.floor(each)) & (count > 1)))
    assert sum(number for note, number in book.counts.items() if "a part of an accelerator each" in note) == bent


def test_sums_that_are_whole_but_for_rounding() -> None:
    _, table = rows(["", ""])
    sizes, _ = gang_sizes(table, np.array([0.1, 0.7]), np.array([10.0, 10.0]), "pack")
    assert sizes.tolist() == [1.0, 7.0]


def test_models_are_free_named_or_called_by_the_catalog() -> None:
    book, table = rows(["T4", "", "V100", "T4"])
    free = Models({"V100": "nvidia/v100"}, binding=False)
    assert free.wanted(table, "model").tolist() == [(), (), ("nvidia/v100",), ()]
    assert book.notes() == ["jobs on GPUs of model T4, which is not enforced (option types): 2"]
    bound = Models({"V100": "nvidia/v100"}, binding=True)
    assert bound.wanted(table, "model").tolist() == [("T4",), (), ("nvidia/v100",), ("T4",)]
    bound.check()
    strange = Models({"T44": "nvidia/t4"}, binding=False)
    strange.wanted(table, "model")
    with pytest.raises(InputError, match=r"^types: no job asks for 'T44'\. Did you mean 'T4'\? Known: T4, V100\.$"):
        strange.check()


def test_the_rules() -> None:
    assert checked_fractions("split") == "split"
    with pytest.raises(InputError, match=r"^fractions: 'pac' is not a choice\. Did you mean 'pack'\?"):
        checked_fractions("pac")
