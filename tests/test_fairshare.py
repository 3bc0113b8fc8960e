"""Max-min rates: against linear programs, exact rationals, the definition, and cases known by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.core.rng import stream
from simulator.models.fairshare.solve import LIMIT, _by_heap, _by_rounds, fill, max_min
from tests.reference.rates import by_linear_programs, by_rationals


@dataclass(frozen=True)
class Flows:
    """A class of flows as the solver takes it."""

    links: tuple[int, ...]
    usage: tuple[float, ...]
    count: float = 1.0
    limit: float = math.inf


def flows(*route: int, count: float = 1.0, limit: float = math.inf) -> Flows:
    crossings = Counter(route)
    return Flows(tuple(crossings), tuple(map(float, crossings.values())), count, limit)


@st.composite
def networks(
    draw: st.DrawFn, most: int = 9, capacities: Sequence[float] = (0.0, 1.0, 2.0, 3.0, 7.5, 10.0, 1e-3, 1e9)
) -> tuple[list[Flows], list[float]]:
    links = draw(st.integers(1, 6))
    capacity = draw(st.lists(st.sampled_from(capacities), min_size=links, max_size=links))
    route = st.lists(st.integers(0, links - 1), min_size=1, max_size=5)
    limit = st.sampled_from([math.inf, math.inf, 0.5, 1.0, 4.0])
    made = st.builds(lambda r, n, m: flows(*r, count=float(n), limit=m), route, st.integers(1, 4), limit)
    return draw(st.lists(made, min_size=1, max_size=most)), capacity


def singles(classes: Sequence[Flows]) -> tuple[list[list[int]], list[float]]:
    """One route and limit for each flow of each class."""
    routes = [[link for link, n in zip(c.links, c.usage, strict=True) for _ in range(int(n))] for c in classes]
    repeated = [(r, c.limit) for r, c in zip(routes, classes, strict=True) for _ in range(int(c.count))]
    return [r for r, _ in repeated], [limit for _, limit in repeated]


def expanded(classes: Sequence[Flows], rates: Sequence[float]) -> list[float]:
    return [rate for c, rate in zip(classes, rates, strict=True) for _ in range(int(c.count))]


def random_routes(count: int, k: int = 4, seed: int = 1) -> tuple[list[Flows], list[float]]:
    """Distinct routes between random servers of a fat-tree, with 1 to 4 flows each."""
    tree = builders.get("fat-tree")(k=k)
    draw = stream(seed, "routes")
    found: dict[tuple[int, ...], Flows] = {}
    label = 0
    while len(found) < count:
        src, dst = draw.choice(len(tree.servers), 2, replace=False)
        route = tree.path(f"node-{src}", f"node-{dst}", label)
        found.setdefault(route, flows(*route, count=float(draw.integers(1, 5))))
        label += 1
    return list(found.values()), tree.capacity.tolist()


METHODS = pytest.mark.parametrize("solve", [_by_heap, _by_rounds], ids=["heap", "rounds"])


@METHODS
def test_equal_flows_share_a_link_equally(solve) -> None:
    rates, held = solve([flows(0), flows(0)], [10.0])
    assert (rates, held) == ([5.0, 5.0], [0, 0])


@METHODS
def test_a_class_counts_its_flows(solve) -> None:
    assert solve([flows(0, count=1.0), flows(0, count=4.0)], [10.0])[0] == [2.0, 2.0]


@METHODS
def test_parking_lot(solve) -> None:
    """The long flow is held by the most crowded link; the rest of every link goes to its short flows."""
    capacity = [10.0, 6.0, 10.0]
    rates, held = solve([flows(0, 1, 2), flows(0), flows(1), flows(1), flows(2)], capacity)
    assert rates == pytest.approx([2.0, 8.0, 2.0, 2.0, 8.0], rel=1e-15)
    assert held == [1, 0, 1, 1, 2]


@METHODS
def test_a_limit_leaves_the_rest_to_others(solve) -> None:
    assert solve([flows(0, limit=1.0), flows(0)], [10.0]) == ([1.0, 9.0], [LIMIT, 0])


@METHODS
def test_a_collective_that_crosses_a_link_twice_weighs_twice(solve) -> None:
    assert solve([flows(0, 0), flows(0)], [9.0])[0] == [3.0, 3.0]


@METHODS
def test_no_links_means_the_limit(solve) -> None:
    assert solve([flows(limit=3.0), flows(), flows(0)], [1.0]) == ([3.0, math.inf, 1.0], [LIMIT, LIMIT, 0])


@METHODS
def test_nothing_moves_over_a_dead_link(solve) -> None:
    assert solve([flows(0, 1), flows(1)], [0.0, 4.0]) == ([0.0, 4.0], [0, 1])


@METHODS
def test_no_classes_no_rates(solve) -> None:
    assert solve([], [1.0]) == ([], [])


def test_three_levels() -> None:
    """Unit links with three flows, two flows (one of them slow elsewhere), and one."""
    rates = max_min([flows(0), flows(0), flows(0, 1), flows(1), flows(2)], [1.0, 1.0, 1.0])
    assert rates == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3, 1.0], rel=1e-15)


@given(networks())
@example(([flows(0, 1, count=3.0), flows(1, limit=0.5)], [1.0, 1e9]))
def test_both_methods_give_the_exact_rates(network: tuple[list[Flows], list[float]]) -> None:
    classes, capacity = network
    exact = [float(rate) for rate in by_rationals(*_swap(classes, capacity))]
    for solve in (_by_heap, _by_rounds):
        assert expanded(classes, solve(classes, capacity)[0]) == pytest.approx(exact, rel=1e-12, abs=1e-300)


def _swap(classes: Sequence[Flows], capacity: Sequence[float]) -> tuple[list[list[int]], Sequence[float], list[float]]:
    routes, limits = singles(classes)
    return routes, capacity, limits


@given(networks(most=5, capacities=(1.0, 2.0, 3.0, 7.5, 10.0)))
def test_linear_programs_give_the_same_rates(network: tuple[list[Flows], list[float]]) -> None:
    classes, capacity = network
    reference = by_linear_programs(*_swap(classes, capacity))
    assert expanded(classes, max_min(classes, capacity)) == pytest.approx(reference, rel=1e-9)


@given(networks())
def test_every_flow_has_a_bottleneck_and_no_link_overflows(network: tuple[list[Flows], list[float]]) -> None:
    classes, capacity = network
    for solve in (_by_heap, _by_rounds):
        check_definition(classes, capacity, *solve(classes, capacity))


@pytest.mark.parametrize("count", [30, 200, 600])
def test_definition_holds_on_a_fat_tree(count: int) -> None:
    classes, capacity = random_routes(count, k=8)
    for solve in (_by_heap, _by_rounds):
        check_definition(classes, capacity, *solve(classes, capacity))


def check_definition(
    classes: Sequence[Flows], capacity: Sequence[float], rates: Sequence[float], held: Sequence[int]
) -> None:
    """Every class is at its limit or at its bottleneck: a full link that it uses and across which nobody is faster."""
    load, fastest = [0.0] * len(capacity), [0.0] * len(capacity)
    for c, rate in zip(classes, rates, strict=True):
        for link, usage in zip(c.links, c.usage, strict=True):
            load[link] += usage * c.count * rate
            fastest[link] = max(fastest[link], rate)
    assert all(there <= room * (1 + 1e-12) for there, room in zip(load, capacity, strict=True))
    for c, rate, link in zip(classes, rates, held, strict=True):
        if link == LIMIT:
            assert rate == c.limit
        else:
            assert link in c.links
            assert load[link] >= capacity[link] * (1 - 1e-9)
            assert rate >= fastest[link] * (1 - 1e-9)
            assert rate <= c.limit


@given(networks(), st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
def test_scaling_all_capacities_scales_all_rates(network: tuple[list[Flows], list[float]], factor: float) -> None:
    classes, capacity = network
    scaled = [Flows(c.links, c.usage, c.count, c.limit * factor) for c in classes]
    rates = max_min(scaled, [room * factor for room in capacity])
    assert rates == [rate * factor for rate in max_min(classes, capacity)]


@given(networks(), st.randoms(use_true_random=False))
def test_order_and_numbering_do_not_matter(network: tuple[list[Flows], list[float]], random) -> None:
    classes, capacity = network
    order, names = list(range(len(classes))), list(range(len(capacity)))
    random.shuffle(order)
    random.shuffle(names)
    renamed = [Flows(tuple(names[link] for link in classes[i].links), classes[i].usage, classes[i].count,
                     classes[i].limit) for i in order]  # fmt: skip
    moved = [0.0] * len(capacity)
    for old, new in enumerate(names):
        moved[new] = capacity[old]
    before = max_min(classes, capacity)
    assert max_min(renamed, moved) == pytest.approx([before[i] for i in order], rel=1e-12)


@pytest.mark.parametrize(("k", "count"), [(4, 10), (4, 100), (8, 100), (8, 1000)])
def test_methods_agree_on_a_fat_tree(k: int, count: int) -> None:
    classes, capacity = random_routes(count, k)
    (heap, _), (rounds, _) = _by_heap(classes, capacity), _by_rounds(classes, capacity)
    assert heap == pytest.approx(rounds, rel=1e-12)


def test_the_number_of_classes_picks_the_method_and_not_the_rates() -> None:
    few = [flows(0, 1), *[flows(link % 2) for link in range(10)]]
    many = [*few, *[flows(2 + link) for link in range(200)]]
    capacity = [10.0, 20.0, *[1.0] * 200]
    assert fill(many, capacity)[0][: len(few)] == pytest.approx(fill(few, capacity)[0], rel=1e-12)
    assert fill(many, dict(enumerate(capacity))) == fill(many, np.array(capacity).tolist())


def test_many_equal_levels_do_not_confuse_rounding() -> None:
    """Links whose shares differ in the last bits only are one level: nobody gets a rate above a full link."""
    third = 1.0 / 3.0
    classes = [flows(link, link + 1) for link in range(300)]
    capacity = [third * (1 + (link % 3) * 1e-16) for link in range(301)]
    for solve in (_by_heap, _by_rounds):
        rates, held = solve(classes, capacity)
        check_definition(classes, capacity, rates, held)
