"""Sharing an accelerator: measured pairs, MPS, turns, and the geometry of MIG."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.policies.api import interferences
from simulator.policies.sharing.mig import Mig
from simulator.policies.sharing.mps import Mps
from simulator.policies.sharing.table import InterferenceTable, measured
from simulator.policies.sharing.time_slicing import TimeSlicing
from simulator.policies.slices import geometry
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.jobs import BatchJob

LM, SMALL, LARGE = "LM (batch size 20)", "ResNet-18 (batch size 16)", "ResNet-50 (batch size 64)"


def job(name: str = "j", accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=0.0, duration=100.0, accelerators=accelerators, **more)


# -- measured pairs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["gavel-v100", "gavel-p100"])
def test_the_tables_are_square_and_within_bounds(table: str) -> None:
    paces = measured(table)
    models = list(dict.fromkeys(model for model, _ in paces))
    assert len(models) == 26
    assert set(paces) == set(product(models, models))
    assert all(0 <= pace <= 1 for pace in paces.values())
    # a pair that does not fit together does so from both sides
    assert all((pace == 0) == (paces[other, model] == 0) for (model, other), pace in paces.items())


def test_a_pair_is_paced_as_gavel_measured_it() -> None:
    """24.798 steps/s of the language model beside ResNet-50, 64.7 alone; 3.021 of 4.395 the other way round."""
    rule = InterferenceTable()
    assert rule.of_pair(LM, LARGE) == pytest.approx(0.383)
    assert rule.of_pair(LARGE, LM) == pytest.approx(3.0214759821669617 / 4.394774823323071, abs=5e-4)


def test_several_neighbours_slow_by_the_product_and_unknown_ones_as_usual() -> None:
    rule = InterferenceTable("", {"a": {"b": 0.8, "c": 0.5}}, usual=0.6)
    beside = [(job(model="b"), 0.3), (job(model="c"), 0.3)]
    assert rule.pace(job(model="a"), 0.3, beside) == pytest.approx(0.4)
    assert rule.pace(job(model="a"), 0.5, []) == 1.0
    assert rule.pace(job(model="x"), 0.5, beside[:1]) == 0.6


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"table": "gavel-v10"}, r"^table is 'gavel-v10'\. Did you mean 'gavel-v100'\?"),
        ({"usual": 0}, r"^usual is 0; it must be a pace above 0, at most 1"),
        ({"pairs": {"a": {"b": 1.5}}}, r"^pairs of 'a' with 'b' are 1\.5; they must be a pace, 0 to 1"),
        ({"pairs": {"a": 0.5}}, r"^pairs of 'a' are 0\.5; they must map neighbours to paces"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        InterferenceTable(**parameters)


# -- MPS and turns --------------------------------------------------------------------------------------------------


def test_mps_costs_nothing_until_threads_or_bandwidth_run_short() -> None:
    small, large = job(model="small"), job(model="large")
    rule = Mps({"small": 0.3, "large": 0.6})
    assert rule.pace(small, 0.5, [(large, 0.5)]) == 1.0
    assert rule.pace(large, 0.5, [(large, 0.5)]) == pytest.approx(1 / 1.2)
    hungry = Mps({"small": 0.3}, {"small": 0.8})
    assert hungry.pace(small, 0.5, [(small, 0.5)]) == pytest.approx(1 / 1.6)


def test_mps_with_limits_gives_no_more_threads_than_the_share() -> None:
    rule = Mps({"small": 0.3, "large": 1.0}, limited=True)
    large, small = job(model="large"), job(model="small")
    assert rule.pace(large, 0.5, []) == 0.5
    assert rule.pace(large, 0.7, [(small, 0.3)]) == pytest.approx(0.7)
    assert rule.pace(small, 0.3, [(large, 0.7)]) == 1.0
    assert rule.pace(job(accelerators=0.5, model="large"), 0.5, [(large, 0.5)]) == 1.0


def test_what_is_wrong_with_mps_is_said() -> None:
    with pytest.raises(InputError, match=r"^compute of 'a' is 2; it must be a part of the accelerator, 0 to 1"):
        Mps({"a": 2})


def test_turns_are_equal_and_what_one_does_not_need_goes_to_the_rest() -> None:
    rule = TimeSlicing()
    whole, part = job(), job(accelerators=0.2)
    assert rule.pace(whole, 0.5, [(whole, 0.5)]) == 0.5
    assert rule.pace(part, 0.2, [(whole, 0.5)]) == 1.0
    assert rule.pace(whole, 0.5, [(part, 0.2)]) == pytest.approx(0.8)
    assert rule.pace(whole, 0.3, [(whole, 0.3), (whole, 0.3), (part, 0.1)]) == pytest.approx(0.8 / 3)
    assert TimeSlicing(overhead=0.1).pace(whole, 0.5, [(whole, 0.5)]) == pytest.approx(0.45)
    with pytest.raises(InputError, match=r"^overhead is 1"):
        TimeSlicing(overhead=1.0)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=6))
def test_turns_use_all_of_the_accelerator_and_no_more(needs: list[int]) -> None:
    jobs = [job(str(index), need / 1000) for index, need in enumerate(needs)]
    rule = TimeSlicing()
    used = [
        rule.pace(each, each.accelerators, [(other, other.accelerators) for other in jobs if other is not each])
        * each.accelerators
        for each in jobs
    ]
    assert sum(used) == pytest.approx(min(1.0, sum(needs) / 1000))
    assert all(mine <= each.accelerators + 1e-12 for mine, each in zip(used, jobs, strict=True))


# -- MIG ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (["7g"], True),
        (["1g"] * 7, True),
        (["1g"] * 8, False),
        (["4g", "3g"], True),
        (["4g", "2g", "1g"], True),
        (["4g", "2g", "2g"], False),
        (["3g", "3g"], True),
        (["3g", "3g", "1g"], False),
        (["3g", "2g", "2g"], True),
        (["2g", "2g", "2g", "1g"], True),
        (["4g", "4g"], False),
        (["1g.20gb"] * 4, True),
        (["1g.20gb"] * 5, False),
        (["7g", "1g"], False),
    ],
)
def test_which_instances_fit_on_an_h100(names: list[str], fits: bool) -> None:
    """Known combinations of the user guide: two 3g use all memory, so the seventh compute slice is lost."""
    assert geometry("h100-80gb").valid(names) is fits


def test_partitions_that_are_full() -> None:
    """Partitions of an A100, by compute slices, to which nothing can be added."""
    gpu = geometry("a100-40gb")
    sizes = ["1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"]
    valid = {c for n in range(1, 8) for c in combinations_with_replacement(sizes, n) if gpu.valid(c)}
    maximal = [c for c in valid if not any(tuple(sorted((*c, s))) in valid for s in sizes)]
    shown = sorted("".join(name[0] for name in reversed(c)) for c in maximal)
    assert shown == ["1111111", "211111", "22111", "2221", "31111", "3211", "322", "33", "4111", "421", "43", "7"]


@given(st.lists(st.sampled_from(["1g", "1g.20gb", "2g", "3g", "4g", "7g"]), max_size=5))
def test_a_placement_has_allowed_starts_and_no_overlap(names: list[str]) -> None:
    gpu = geometry("a100-80gb")
    starts = gpu.place(names)
    if starts is None:
        every = product(*(gpu.profile(name).starts for name in names))
        sizes = [gpu.profile(name).memory for name in names]
        assert sum(gpu.profile(name).compute for name in names) > 7 or all(overlaps(sizes, tried) for tried in every)
        return
    assert not overlaps([gpu.profile(name).memory for name in names], starts)
    assert all(start in gpu.profile(name).starts for name, start in zip(names, starts, strict=True))


def overlaps(sizes: list[int], starts: tuple[int, ...]) -> bool:
    """Whether two of these ranges of memory slices overlap, or one goes beyond the eight."""
    taken = [index for size, start in zip(sizes, starts, strict=True) for index in range(start, start + size)]
    return len(taken) > len(set(taken)) or any(index > 7 for index in taken)


def test_shares_are_rounded_up_to_profiles() -> None:
    gpu = geometry("h100-80gb")
    assert [gpu.holding(share).name for share in (0.1, 0.143, 0.25, 0.429, 0.5, 1.0)] == [
        "1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb",
    ]  # fmt: skip
    assert gpu.admits([0.429, 0.571])
    assert not gpu.admits([0.5, 0.5])
    assert geometry("a30").admits([0.5, 0.25, 0.25])


def test_a_slice_does_not_feel_its_neighbours() -> None:
    rule, other = Mig(), job("other")
    assert rule.pace(job(accelerators=0.429), 0.429, [(other, 0.571)]) == 1.0
    assert rule.pace(job(), 0.429, [(other, 0.571)]) == pytest.approx(3 / 7)
    assert rule.pace(job(), 0.5, []) == pytest.approx(3 / 7)
    assert rule.pace(job(), 1.0, []) == 1.0


def test_what_is_wrong_with_mig_is_said() -> None:
    with pytest.raises(InputError, match=r"^device is 'h100'\. Did you mean 'h100-80gb'\?"):
        Mig("h100")
    with pytest.raises(InputError, match=r"h100-80gb has no profile '5g'"):
        geometry("h100-80gb").profile("5g")
    with pytest.raises(InputError, match=r"a share of 1\.2 is more than one h100-80gb"):
        geometry("h100-80gb").holding(1.2)


# -- in the engine --------------------------------------------------------------------------------------------------


def test_shares_of_one_accelerator_slow_each_other_in_a_run() -> None:
    """Two jobs at half pace until one has ended: 100 s of work each, the second comes after 50 s."""
    jobs = [
        BatchJob(id="a", submit=0, duration=100, accelerators=0.5, model="m"),
        BatchJob(id="b", submit=50, duration=100, accelerators=0.5, model="m"),
    ]
    rule = InterferenceTable("", {"m": {"m": 0.5}})
    replay(jobs, "fifo", topology=servers(1, 1), interference=rule)
    assert [each.end for each in jobs] == [150.0, 200.0]


def test_every_rule_can_be_made_without_parameters() -> None:
    assert {"table", "mps", "mig", "time-slicing"} <= set(interferences.names())
    for name in interferences.names():
        pace = interferences.get(name)().pace(job(accelerators=0.5), 0.5, [(job("b", 0.5), 0.5)])
        assert 0 < pace <= 1
