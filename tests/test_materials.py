"""Bills of materials, counted by hand."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import BillLine, Topology


def bill(name: str, **parameters: Any) -> dict[tuple[str, str], BillLine]:
    lines = builders.get(name)(**parameters).bill()
    found = {(line.kind, line.item): line for line in lines}
    assert len(found) == len(lines)
    return found


def counts(lines: dict[tuple[str, str], BillLine]) -> dict[tuple[str, str], int]:
    return {key: line.count for key, line in lines.items()}


@pytest.mark.parametrize(
    ("k", "ratio", "switches", "cables"),
    [
        # a switch of this graph stands for 8 planes: k ports in each, 8k in all, of boxes with 64 ports
        (4, 1.0, 20, 8 * 3 * 16),
        (8, 1.0, 80, 8 * 3 * 128),
        (16, 1.0, 2 * 320, 8 * 3 * 1024),
        # at 2:1 the uplinks need half as many cables
        (8, 2.0, 80, 8 * 128 + 2 * 4 * 128),
        # at 3:1 one uplink carries 8/3 of a card: 3 cables
        (8, 3.0, 80, 8 * 128 + 2 * 3 * 128),
    ],
)
def test_bill_of_a_fat_tree(k: int, ratio: float, switches: int, cables: int) -> None:
    assert counts(bill("fat-tree", k=k, oversubscription=ratio)) == {
        ("server", "nvidia/dgx-h100"): k**3 // 4,
        ("switch", "nvidia/qm9700"): switches,
        ("cable", "infiniband-ndr"): cables,
    }


def test_bill_of_a_leaf_spine() -> None:
    """16 servers with 8 cards, 4:1: a leaf has 32 ports down and 4 x 2 up, a spine 4 x 2."""
    assert counts(bill("leaf-spine", nodes=16, oversubscription=4.0)) == {
        ("server", "nvidia/dgx-h100"): 16,
        ("switch", "nvidia/qm9700"): 4 + 4,
        ("cable", "infiniband-ndr"): 128 + 4 * 4 * 2,
    }


def test_a_switch_with_more_ports_than_a_box_is_several_boxes() -> None:
    lines = bill("single-switch", nodes=20)
    assert lines["switch", "nvidia/qm9700"].count == 3  # 160 ports of 64


def test_prices_and_power_come_from_the_catalog() -> None:
    lines = bill("leaf-spine", nodes=16)
    server, switch, link = catalog.server("dgx-h100"), catalog.switch("qm9700"), catalog.link("infiniband-ndr")
    assert (lines["server", server.id].unit_price, lines["server", server.id].power) == (server.price, server.power)
    assert (lines["switch", switch.id].unit_price, lines["switch", switch.id].power) == (switch.price, switch.power)
    assert (lines["cable", link.id].unit_price, lines["cable", link.id].power) == (link.cable_price, 0.0)
    assert [line.source for line in lines.values()] == [server.source, switch.source, link.source]


def test_what_has_no_price_stays_a_line() -> None:
    """A link of the catalog that names no switch: the boxes are counted, one for each, and have no price."""
    lines = bill("single-switch", nodes=2, link="ethernet-10g-tcp")
    assert (lines["switch", ""].count, lines["switch", ""].unit_price, lines["switch", ""].power) == (1, None, None)
    assert lines["cable", "ethernet-10g-tcp"].unit_price is None


def test_a_pool_is_a_server_that_nobody_has_priced() -> None:
    assert builders.get("pool")(accelerators=8).bill() == [BillLine("server", "", 1, None, None, "")]


def test_explicit_links_have_switches_but_no_cables() -> None:
    links = [{"src": "a", "dst": "s", "capacity": 1.0}, {"src": "s", "dst": "a", "capacity": 1.0}]
    made = Topology.from_links(links, {"a": {"accelerators": 8, "record": "nvidia/dgx-h100"}})
    assert [(line.kind, line.item, line.count) for line in made.bill()] == [
        ("server", "nvidia/dgx-h100", 1), ("switch", "", 1)
    ]  # fmt: skip


def test_cables_of_a_graph_need_no_record() -> None:
    graph = nx.DiGraph([("a", "b", {"capacity": 1.0, "cables": 3})])
    assert BillLine("cable", "", 3, None, 0.0, "") in Topology(graph).bill()


def test_links_inside_servers_are_no_cables() -> None:
    assert [line.kind for line in builders.get("servers")(nodes=2, node="dgx-h100").bill()] == ["server"]
    assert bill("single-switch", nodes=1)["cable", "infiniband-ndr"].count == 8


def test_what_is_rented_is_not_bought_and_extras_come_last() -> None:
    graph = nx.DiGraph([("a", "b", {"capacity": 1.0})])
    graph.nodes["a"]["rented"] = True
    rack = BillLine("rack", "", 2, None, None, "counted")
    assert Topology(graph, extras=[rack]).bill() == [BillLine("switch", "", 1, None, None, ""), rack]


def test_links_of_accelerators_are_cables_too() -> None:
    """Eight cards a server to the leaves, and as many again from the leaves to the spines."""
    assert counts(bill("rail-optimised", nodes=32)) == {
        ("server", "nvidia/dgx-h100"): 32,
        ("switch", "nvidia/qm9700"): 8 + 4,
        ("cable", "infiniband-ndr"): 256 + 256,
    }
