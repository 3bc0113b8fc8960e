from dataclasses import replace

import pytest

from simulator.cluster import catalog
from simulator.models.serving import Interconnect

MB = 1e6
NET = Interconnect(
    inside=100e9, inside_latency=0.0, inside_step=1e-6, outside=10e9, outside_latency=5e-6, domain=8
)  # fmt: skip


def test_one_rank_says_nothing():
    assert NET.all_reduce(MB, 1) == NET.scatter(MB, 8, 1) == 0.0


def test_an_all_reduce_moves_the_volume_of_a_ring():
    assert NET.all_reduce(MB, 4) == pytest.approx(4e-6 + 2 * 3 / 4 * MB / 100e9)


def test_an_all_reduce_over_servers_moves_shards_between_them():
    inside = 8e-6 + 2 * 7 / 8 * MB / 100e9
    assert NET.all_reduce(MB, 16) == pytest.approx(inside + 2 * 5e-6 + 2 / 2 * MB / 8 / 10e9)


def test_a_row_crosses_the_network_once_for_each_domain():
    # of two domains the other one is chosen by at least one of many copies: once, not 32 times
    wide = replace(NET, inside=1e15)
    assert wide.scatter(MB, 32, 16) == pytest.approx(5e-6 + MB * (1 - 0.5**32) / 10e9)
    assert wide.scatter(MB, 1, 16) == pytest.approx(5e-6 + MB / 2 / 10e9)
    assert NET.scatter(MB, 2, 8) == pytest.approx(8e-6 + MB * 2 * 7 / 8 / 100e9)


def test_a_stage_hands_on_inside_while_its_domain_has_room():
    assert NET.hop(MB, 4) < NET.hop(MB, 8)


def test_pcie_is_slower_than_nvlink_and_servers_bound_a_domain():
    nvlink = Interconnect.of(catalog.accelerator("h100-sxm"))
    bus = Interconnect.of(catalog.accelerator("h100-pcie"))
    assert bus.all_reduce(10e3, 2) > 2 * nvlink.all_reduce(10e3, 2)
    assert bus.all_reduce(100 * MB, 4) > 4 * nvlink.all_reduce(100 * MB, 4)
    assert Interconnect.of(catalog.accelerator("gb200"), domain=4).domain == 4
    assert Interconnect.of(catalog.accelerator("gb200")).domain == 72
    ndr = Interconnect.of(catalog.accelerator("h100-sxm"), catalog.link("infiniband-ndr"))
    assert ndr.outside == pytest.approx(50e9 * 0.95)
    assert ndr.outside_latency == pytest.approx(nvlink.outside_latency + 1.2e-6)
