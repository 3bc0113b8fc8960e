"""Collectives of a layout on the links of a topology, all groups of an axis at once."""

from __future__ import annotations

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.models.training import Alone, Layout
from simulator.runtime.placed import PlacedNetwork
from simulator.runtime.router import Router

MEMBERS = [(server, device) for server in range(4) for device in range(8)]


def network(layout: Layout, oversubscription: float = 1.0) -> PlacedNetwork:
    topology = builders.get("leaf-spine")(
        nodes=4,
        node="dgx-h100",
        link="infiniband-ndr",
        nodes_per_leaf=2,
        spines=2,
        oversubscription=oversubscription,
    )
    return PlacedNetwork(topology, Router(topology), layout, MEMBERS)


def test_inside_a_server_it_is_the_time_on_parts() -> None:
    layout = Layout(accelerators=32, tp=8, global_batch=4, domain=8)
    alone = Alone(catalog.accelerator("h100-sxm"), catalog.link("infiniband-ndr"))
    for collective in ("all-gather", "all-reduce"):
        assert network(layout)("tp", collective, 1e8, (8, 1)) == pytest.approx(alone("tp", collective, 1e8, (8, 1)))


def test_groups_that_meet_on_a_link_share_it() -> None:
    one = Layout(accelerators=32, global_batch=32, domain=8)
    eight = Layout(accelerators=32, tp=8, global_batch=4, domain=8)
    size = 1e9
    thin = network(eight, oversubscription=4)("dp", "all-reduce", size, (1, 4))
    assert thin > 2 * network(eight)("dp", "all-reduce", size, (1, 4))
    assert network(eight)("dp", "all-reduce", size, (1, 4)) > network(one)("dp", "all-reduce", size, (8, 4))


def test_a_pipeline_sends_between_neighbours() -> None:
    layout = Layout(accelerators=32, tp=8, pp=4, global_batch=4, domain=8)
    assert network(layout)("pp", "send-recv", 1e8, (1, 2)) >= 1e8 / 50e9


def test_servers_and_trees() -> None:
    layout = Layout(accelerators=32, global_batch=32, domain=8)
    found = network(layout)
    assert found("dp", "parameter-server", 1e8, (32, 1)) > 4 * found("dp", "parameter-server", 1e8, (32, 8))
    assert found("dp", "tree-aggregate", 1e8, (32, 2)) > 0
