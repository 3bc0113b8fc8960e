"""Collectives alone, parameter servers and trees."""

from __future__ import annotations

import pytest

from simulator.cluster import catalog
from simulator.models.collectives import Group, estimate
from simulator.models.training.network import Alone, fan_in

H100 = catalog.accelerator("h100-sxm")
NDR = catalog.link("infiniband-ndr")
ALONE = Alone(H100, NDR)


@pytest.mark.parametrize("collective", ["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-recv"])
def test_times_are_those_of_the_collectives_module(collective: str) -> None:
    group = Group.of("h100-sxm", "infiniband-ndr", ranks=16, ranks_per_node=8)
    assert ALONE("dp", collective, 1e9, (8, 2)) == pytest.approx(estimate(collective, 1e9, group).time)


def test_one_rank_takes_no_time_and_a_call_is_remembered() -> None:
    assert ALONE("tp", "all-reduce", 1e9, (1, 1)) == 0.0
    assert ALONE("dp", "all-reduce", 1e8, (8, 4)) == ALONE("dp", "all-reduce", 1e8, (8, 4))


def test_leaving_the_domain_costs() -> None:
    assert ALONE("tp", "all-gather", 1e8, (8, 1)) < ALONE("tp", "all-gather", 1e8, (1, 8))
    assert Alone(H100, NDR, cards=1)("dp", "all-reduce", 1e9, (8, 4)) > ALONE("dp", "all-reduce", 1e9, (8, 4))


def test_servers_take_in_what_all_workers_push() -> None:
    one, eight, many = (ALONE("dp", "parameter-server", 1e9, (8, servers)) for servers in (1, 8, 64))
    assert one == pytest.approx(2 * 8 * 1e9 / NDR.goodput, rel=0.05)
    assert eight == pytest.approx(2e9 / NDR.goodput, rel=0.05)
    assert many == pytest.approx(eight, rel=0.05)
    tcp = Alone(H100, catalog.link("ethernet-100g-tcp"))
    assert tcp("dp", "parameter-server", 1e9, (64, 1)) > 2 * 64 * 1e9 / catalog.link("ethernet-100g-tcp").goodput


def test_a_deeper_tree_has_fewer_senders_to_one_receiver() -> None:
    assert [fan_in(100, levels) for levels in (1, 2)] == [100, 10]
    flat, deep = (ALONE("dp", "tree-aggregate", 1e8, (100, levels)) for levels in (1, 2))
    assert deep < flat / 3
