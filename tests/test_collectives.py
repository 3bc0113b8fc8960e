"""Collectives: formulas, order, limits, volumes; and what cannot run says why."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.collectives import (
    COLLECTIVES,
    Group,
    Level,
    algorithms,
    alternatives,
    bus_factor,
    estimate,
    traffic,
)
from simulator.models.collectives.trees import binary_tree, busiest, double_tree

GIB = 2.0**30
PLAIN = replace(
    catalog.protocol("pcie-p2p"),
    ring_base={"Simple": 0.0}, tree_base={"Simple": 0.0}, ring_step={"Simple": 2e-6}, tree_step={"Simple": 2e-6},
    share={"Simple": 1.0}, ramp=0.0,
)  # fmt: skip
WIRE = replace(PLAIN, reach="network", ring_step={"Simple": 10e-6}, tree_step={"Simple": 10e-6})
INSIDE, OUTSIDE = Level(100e9, 0.0, PLAIN), Level(10e9, 0.0, WIRE)
H100 = Group.of("h100-sxm", "infiniband-ndr", 16, 8)

shapes = st.lists(st.integers(1, 8), min_size=1, max_size=6).map(tuple)
sizes = st.floats(1.0, 2.0**36)
names = st.sampled_from(COLLECTIVES)


def able(collective: str, group: Group) -> list[str]:
    return [name for name in algorithms.names() if algorithms.get(name)().fault(collective, group) is None]


# the textbook


@pytest.mark.parametrize("n", [2, 3, 8, 72])
def test_a_ring_takes_what_the_formula_says(n: int) -> None:
    group = Group((n,), INSIDE)
    found = estimate("all-reduce", GIB, group, "ring")
    assert found.time == pytest.approx(2 * (n - 1) * 2e-6 + 2 * (n - 1) / n * GIB / 100e9)
    for half in ("all-gather", "reduce-scatter"):
        assert estimate(half, GIB, group, "ring").time == pytest.approx(found.time / 2)
    assert found.latency == pytest.approx(2 * (n - 1) * 2e-6)


def test_halving_and_doubling_takes_log_steps() -> None:
    found = estimate("all-reduce", GIB, Group((8,), INSIDE), "halving-doubling")
    assert found.time == pytest.approx(2 * 3 * 2e-6 + 2 * 7 / 8 * GIB / 100e9)


def test_broadcast_sends_everything_once() -> None:
    found = estimate("broadcast", GIB, Group((8,), INSIDE), "ring")
    assert found.time == pytest.approx(7 * 2e-6 + GIB / 100e9)
    assert found.busbw == found.algbw


def test_rings_between_domains_use_a_card_for_each_channel() -> None:
    for width in (1, 2, 8):
        found = estimate("all-gather", GIB, Group((width, width), INSIDE, OUTSIDE), "ring")
        moving = (2 * width - 1) / (2 * width) * GIB / min(100e9 if width > 1 else math.inf, width * 10e9)
        assert found.time - found.latency == pytest.approx(moving)


def test_two_domains_of_a_double_tree_send_the_data_once() -> None:
    """Bus bandwidth above the cards' total is right for two nodes (NCCL's special case)."""
    found = estimate("all-reduce", GIB, Group((8, 8), replace(INSIDE, bandwidth=1e12), OUTSIDE), "double-tree")
    assert found.time - found.latency == pytest.approx(GIB / 80e9)
    assert found.busbw > 80e9
    four = estimate("all-reduce", GIB, Group((8,) * 4, replace(INSIDE, bandwidth=1e12), OUTSIDE), "double-tree")
    assert four.time - four.latency == pytest.approx(2 * GIB / 80e9)


def test_hierarchical_is_halfway_between_overlapped_and_serial() -> None:
    group = Group((8,) * 4, INSIDE, OUTSIDE)
    inner, outer = 2 * 7 / 8 * GIB / 100e9, 2 * 3 / 4 * GIB / 80e9
    found = estimate("all-reduce", GIB, group, "hierarchical")
    assert found.time - found.latency == pytest.approx((max(inner, outer) + inner + outer) / 2)


def test_in_switch_reduction_moves_one_copy_and_an_nth() -> None:
    group = Group((8,), replace(INSIDE, reduction=300e9, protocol=replace(PLAIN, switch_step=25e-6)))
    found = estimate("all-reduce", GIB, group, "nvls")
    assert found.time == pytest.approx(25e-6 + 9 / 8 * GIB / 300e9)


def test_collnet_time_does_not_grow_with_domains() -> None:
    few, many = (Group.of("h100-sxm", "infiniband-ndr", 8 * k, 8) for k in (4, 64))
    assert estimate("all-reduce", GIB, many, "collnet").time == estimate("all-reduce", GIB, few, "collnet").time


def test_a_torus_uses_all_links_and_its_bisection() -> None:
    pod = Group.of("tpu-v5e", None, 256)
    assert pod.inside.torus == (16, 16)
    found = estimate("all-reduce", 64 * GIB, pod)
    assert found.algorithm == "torus"
    assert found.busbw == pytest.approx(4 * 50e9 * 0.9, rel=0.02)
    exchanged = estimate("all-to-all", GIB, pod)
    assert GIB / (exchanged.time - exchanged.latency) == pytest.approx(8 * 45e9 / 16, rel=0.02)


def test_the_ramp_costs_a_pipeline_and_no_more() -> None:
    """t = a + x + T (1 - exp(-x / T)): a long message pays the filling time T once, a short one double its own."""
    filled = Group((8,), replace(INSIDE, protocol=replace(PLAIN, ramp=2.0)))
    bare = Group((8,), INSIDE)
    fill = 2.0 * 8 * 2e-6
    gap = estimate("all-gather", 64 * GIB, filled, "ring").time - estimate("all-gather", 64 * GIB, bare, "ring").time
    assert gap == pytest.approx(fill)
    short, none = (estimate("all-gather", 1e3, group, "ring") for group in (filled, bare))
    assert short.time - short.latency == pytest.approx(2 * (none.time - none.latency), rel=0.01)


# what must always hold


@given(names, shapes, sizes, st.floats(1.0, 4.0))
def test_longer_messages_take_longer(name: str, shape: tuple[int, ...], size: float, factor: float) -> None:
    group = Group(shape, H100.inside, H100.outside)
    assert estimate(name, size * factor, group).time >= estimate(name, size, group).time


@given(names, shapes, sizes)
def test_nothing_is_faster_than_the_fabric(name: str, shape: tuple[int, ...], size: float) -> None:
    """Algorithm bandwidth: no rank gets S bytes faster than its ports, and no domain faster than its cards."""
    group = Group(shape, H100.inside, H100.outside)
    if group.ranks == 1:
        return
    for algorithm in able(name, group):
        found = estimate(name, size, group, algorithm)
        least = bus_factor(name, group.ranks) / 2 if name == "all-reduce" else (group.ranks - 1) / group.ranks / 2
        fastest = max(group.inside.bandwidth, group.inside.reduction) if group.width > 1 else group.exit
        assert found.algbw * least <= fastest * (1 + 1e-9), algorithm
        assert 0 <= found.latency <= found.time
        assert found.time == pytest.approx(found.latency + size / found.rate)


@pytest.mark.parametrize("name", COLLECTIVES)
def test_cost_never_vanishes_as_ranks_grow(name: str) -> None:
    """No cliff above which communication is free; more domains never make it cheaper than two."""
    times = [estimate(name, 2.0**24, Group.of("h100-sxm", "infiniband-ndr", 8 * k, 8)).time for k in range(2, 300, 7)]
    assert min(times) == times[0] or min(times) >= 0.95 * times[0]
    assert max(times) < 1.0


@given(st.sampled_from([1, 2, 3, 5, 12, 20, 80, 81, 82, 200]))
def test_all_reduce_grows_with_domains(domains: int) -> None:
    here, more = (Group.of("h100-sxm", "infiniband-ndr", 8 * k, 8) for k in (domains, 2 * domains))
    assert estimate("all-reduce", GIB, more).time >= estimate("all-reduce", GIB, here).time


def test_every_input_changes_the_time() -> None:
    """Sensitivity: bandwidth, latency, protocol, ramp, goodput and shape all count."""
    base = estimate("all-reduce", GIB, H100, "ring").time
    inside, outside = H100.inside, H100.network
    other = [
        replace(H100, inside=replace(inside, bandwidth=inside.bandwidth / 2)),
        replace(H100, outside=replace(outside, bandwidth=outside.bandwidth / 4)),
        replace(H100, outside=replace(outside, total=outside.total / 4)),
        replace(H100, outside=replace(outside, latency=1e-3)),
        replace(H100, outside=replace(outside, protocol=catalog.protocol("efa-srd"))),
        replace(H100, inside=replace(inside, protocol=replace(inside.protocol, ramp=20.0))),
        replace(H100, inside=replace(inside, exits=2)),
        replace(H100, shape=(8, 8, 8)),
    ]
    times = [estimate("all-reduce", GIB, group, "ring").time for group in other]
    assert all(time > base * 1.001 for time in times), times


@given(st.integers(2, 8), st.integers(2, 9), names)
def test_traffic_adds_up_to_the_textbooks_volume(width: int, domains: int, name: str) -> None:
    group = Group((width,) * domains, INSIDE, OUTSIDE)
    n, k = group.ranks, domains
    volumes = {
        ("all-reduce", "ring"): k * 2 * (n - 1) / n,
        ("all-gather", "ring"): k * (n - 1) / n,
        ("reduce-scatter", "ring"): k * (n - 1) / n,
        ("broadcast", "ring"): k - 1,
        ("reduce", "ring"): k - 1,
        ("all-reduce", "tree"): 2 * (k - 1),
        ("broadcast", "tree"): k - 1,
        ("reduce", "tree"): k - 1,
        ("all-reduce", "double-tree"): 2 * (k - 1),
        ("all-reduce", "hierarchical"): 2 * (k - 1),
        ("all-gather", "hierarchical"): k - 1,
        ("reduce-scatter", "hierarchical"): k - 1,
        ("all-reduce", "halving-doubling"): 2 * (k - 1),
        ("all-gather", "halving-doubling"): k - 1,
        ("reduce-scatter", "halving-doubling"): k - 1,
        ("all-to-all", "direct"): k * width * (n - width) / n,
        ("send-recv", "direct"): k,
    }
    home = [rank // width for rank in range(n)]
    for algorithm in able(name, group):
        edges = traffic(name, group, algorithm)
        assert all(home[a] != home[b] for a, b, _ in edges), algorithm
        assert sum(share for *_, share in edges) == pytest.approx(volumes[name, algorithm]), algorithm


@given(st.integers(2, 6), st.integers(2, 6), st.sampled_from(["ring", "double-tree", "hierarchical"]))
def test_estimates_and_traffic_agree_on_the_busiest_domain(width: int, domains: int, algorithm: str) -> None:
    """Over slow cards the time is what the busiest domain sends, by ``traffic``, over its cards."""
    group = Group((width,) * domains, replace(INSIDE, bandwidth=1e15), OUTSIDE)
    sent: Counter[int] = Counter()
    for a, _, share in traffic("all-reduce", group, algorithm):
        sent[a // width] += share  # type: ignore[assignment]
    found = estimate("all-reduce", GIB, group, algorithm)
    assert found.time - found.latency == pytest.approx(max(sent.values()) * GIB / (width * 10e9), rel=1e-3)


def test_channel_c_enters_and_leaves_at_local_rank_c() -> None:
    edges = traffic("all-reduce", Group((4, 4, 2), INSIDE, OUTSIDE), "ring")
    assert [(a, b) for a, b, _ in edges] == [(0, 4), (1, 5), (4, 8), (5, 9), (8, 0), (9, 1)]


@given(st.integers(2, 200))
def test_double_trees_reach_everybody_with_few_children(count: int) -> None:
    for tree in double_tree(count):
        children = [child for child, _ in tree]
        assert len(set(children)) == count - 1 == len(children)
        assert max(Counter(parent for _, parent in tree).values()) <= 2
    assert busiest(count) <= 2
    assert dict(binary_tree(count)).keys() == set(range(1, count))


# choice


def test_nvls_starts_where_it_was_measured_to() -> None:
    """H200 uses NVLS from 5 GPUs, B200 from 6 (stas00/ml-engineering)."""
    for device, first in (("h200-sxm", 5), ("b200-sxm", 6)):
        chosen = [estimate("all-reduce", 8 * GIB, Group.of(device, None, n)).algorithm for n in range(2, 9)]
        assert chosen == ["ring"] * (first - 2) + ["nvls"] * (9 - first)


def test_short_messages_go_by_tree_and_long_ones_in_the_switch() -> None:
    assert [estimate("all-reduce", size, H100).algorithm for size in (1024, GIB)] == ["double-tree", "nvls-tree"]
    assert [estimate("all-reduce", size, H100).protocol for size in (1024, GIB)] == ["LL", "Simple"]


@given(names, sizes)
def test_auto_is_the_quickest_of_those_that_nccl_has(name: str, size: float) -> None:
    each = {key: value for key, value in alternatives(name, size, H100).items() if not isinstance(value, str)}
    best = min((value for key, value in each.items() if algorithms.get(key).auto), key=lambda found: found.time)
    assert estimate(name, size, H100) == best


# what cannot be


def test_one_rank_takes_no_time_and_says_so() -> None:
    found = estimate("all-reduce", GIB, Group((1,), INSIDE))
    assert (found.time, found.algbw, found.busbw) == (0.0, 0.0, 0.0)
    assert found.note == "one rank: all-reduce has nothing to exchange, and no input changes its time"


def test_a_message_of_nothing_takes_its_latency() -> None:
    found = estimate("all-reduce", 0, H100, "ring")
    assert found.time == found.latency > 0
    assert 0 < found.rate < math.inf


@pytest.mark.parametrize(
    ("collective", "size", "algorithm", "text"),
    [
        ("allreduse", 1, "auto", r"unknown collective 'allreduse'. Did you mean 'all-reduce'\?"),
        ("all-reduce", 1, "rnig", r"unknown collective algorithm 'rnig'. Did you mean 'ring'\?"),
        ("all-reduce", -1, "auto", "a collective of -1 bytes: the size must be finite and 0 or more"),
        ("all-reduce", math.nan, "auto", "a collective of nan bytes"),
        (
            "all-reduce", 1, "nvls",
            r"algorithm 'nvls' cannot run all-reduce on 16 ranks \(2 x 8\): it needs one scale-up domain; "
            r"over several there is nvls-tree. These can: collnet, double-tree, halving-doubling, hierarchical, "
            r"nvls-tree, ring, tree.",
        ),
        ("all-gather", 1, "double-tree", "it runs all-reduce only. These can: halving-doubling, hierarchical, ring."),
        ("all-reduce", 1, "torus", "NVLink is no torus here"),
    ],
)  # fmt: skip
def test_what_cannot_run_says_why_and_what_can(collective: str, size: float, algorithm: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        estimate(collective, size, H100, algorithm)


def test_powers_of_two_only() -> None:
    text = "it needs equal domains and 2, 4, 8"
    with pytest.raises(InputError, match=text):
        estimate("all-reduce", 1, Group((6,), INSIDE), "halving-doubling")


def test_spellings_of_nccl_will_do() -> None:
    assert estimate("all_reduce", GIB, H100) == estimate("AllReduce", GIB, H100) == estimate("all-reduce", GIB, H100)


@pytest.mark.parametrize(
    ("shape", "outside", "text"),
    [
        ((), None, r"a group of shape \(\) has no ranks"),
        ((8, 0), OUTSIDE, "every domain needs 1 or more"),
        ((8, 8), None, "16 ranks in 2 domains need a link between them: name one"),
        ((10**7,), None, "a group of 10,000,000 ranks is too large; at most 1,000,000"),
    ],
)
def test_impossible_groups_are_refused(shape: tuple[int, ...], outside: Level | None, text: str) -> None:
    with pytest.raises(InputError, match=text):
        Group(shape, INSIDE, outside)


# from the catalog


def test_groups_are_made_of_catalog_records() -> None:
    assert H100.shape == (8, 8)
    assert H100.network.bandwidth == pytest.approx(47.5e9)
    assert Group.of("dgx-h100", "infiniband-ndr", 16) == H100
    assert Group.of("gb200", "infiniband-ndr", 1440, 4).shape == (72,) * 20
    assert Group.of("gb200-nvl72", "infiniband-ndr", 144).shape == (72, 72)
    assert Group.of("h100-sxm", "infiniband-ndr", 10, 4).shape == (4, 4, 2)


def test_few_cards_are_shared_and_one_can_be_filled_alone() -> None:
    p4de = Group.of("a100-sxm-80", "efa-v1", 16, 8, nics=4)
    assert p4de.network.bandwidth == pytest.approx(12.5e9 * 0.845)
    assert p4de.exit == p4de.network.total == pytest.approx(4 * 12.5e9 * 0.845)


def test_cards_without_gpudirect_are_held_at_the_copy_to_the_host() -> None:
    link = replace(catalog.link("ethernet-400g-tcp"), efficiency=1.0)
    assert Group.of("h100-sxm", link, 2, 1).network.bandwidth == pytest.approx(20e9)


def test_a_mesh_is_as_fast_as_the_pairs_in_use() -> None:
    pair = 64e9 * catalog.link("xgmi-mi300x").efficiency
    rates = [Group.of("mi300x", None, n).fabric / pair for n in (2, 4, 8)]
    assert rates == pytest.approx([1, 3, 7])


@pytest.mark.parametrize(
    ("device", "ranks", "per_node", "text"),
    [
        ("h100-sxn", 8, 8, r"unknown hardware 'h100-sxn'. Did you mean 'h100-sxm'\?"),
        ("h100-sxm", 0, 8, "0 ranks with 8 on each server: both must be 1 or more"),
        ("h100-sxm", 16, 16, "16 ranks do not fit a server of 8 x h100-sxm"),
        ("infiniband-ndr", 8, 8, "'infiniband-ndr' is neither a server nor an accelerator"),
    ],
)
def test_what_is_no_group_is_refused(device: str, ranks: int, per_node: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        Group.of(device, "infiniband-ndr", ranks, per_node)


def test_protocols_can_be_replaced() -> None:
    slow = Group.of("h100-sxm", "infiniband-ndr", 16, 8, protocol="efa-srd")
    assert estimate("all-reduce", 1024, slow).time > estimate("all-reduce", 1024, H100).time + 100e-6
