"""Bytes from and to stores: rates by hand, sharing, caches, links that fail."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.cluster.builders import builders
from simulator.cluster.stores import Attachment, attached
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.errors import InputError
from simulator.metrics.recorder import FLOWS, Table
from simulator.runtime.network import Network
from simulator.runtime.pulls import Pulls, Store

GB = 1e9


def switch(servers: int = 3, card: float = 10 * GB) -> Topology:
    """Servers with one card each on a switch that never blocks."""
    links = [
        {"src": src, "dst": dst, "capacity": card}
        for index in range(servers)
        for src, dst in ((f"n{index}", "sw"), ("sw", f"n{index}"))
    ]
    return Topology.from_links(links, {f"n{index}": {"accelerators": 8} for index in range(servers)})


class World:
    def __init__(self, topology: Topology, stores: dict[str, Attachment], alone: bool = False, **kinds: Any) -> None:
        self.clock = Clock()
        self.topology = attached(topology, stores)
        self.table = Table(FLOWS)
        self.network = Network(self.clock, self.topology, self.table, (), ((), ()), lambda *event: None)
        known = {name: Store(name, **kinds.get(name, {})) for name in stores}
        self.pulls = Pulls(self.clock, self.topology, self.network, self.table, known, alone)
        self.ends: dict[str, float] = {}

    def done(self, name: str) -> Any:
        return lambda: self.ends.update({name: self.clock.now})

    def fetch(self, at: float, name: str, servers: list[int], size: float, store: str = "reg", **more: Any) -> None:
        self.clock.at(at, lambda: self.pulls.fetch(servers, store, size, self.done(name), name=(name, "w"), **more))

    def run(self) -> dict[str, float]:
        self.network.begin()
        self.clock.run()
        return self.ends


def test_one_server_gets_what_store_card_and_loader_allow() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)}, reg={"latency": 0.5})
    world.fetch(0.0, "whole", [0], 8 * GB)
    assert world.run() == {"whole": pytest.approx(4.5)}
    world = World(switch(), {"reg": Attachment(20 * GB)})
    world.fetch(0.0, "card", [0], 8 * GB)
    world.fetch(10.0, "loader", [0], 8 * GB, limit=1 * GB)
    assert world.run() == {"card": pytest.approx(0.8), "loader": pytest.approx(18.0)}


def test_a_burst_slows_itself() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)})
    for server in range(3):
        world.fetch(0.0, f"s{server}", [server], 2 * GB)
    assert list(world.run().values()) == pytest.approx([3.0] * 3)
    table = world.table.arrays()
    assert table["src"].tolist() == ["reg"] * 3
    assert sorted(table["dst"].tolist()) == ["n0", "n1", "n2"]
    assert table["bytes"].sum() == 6 * GB


def test_alone_nobody_shares_anything() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)}, alone=True)
    for server in range(3):
        world.fetch(0.0, f"s{server}", [server], 2 * GB)
    assert set(world.run().values()) == {1.0}


def test_a_replica_over_several_servers_starts_when_all_have_it() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)})
    world.fetch(0.0, "both", [0, 1], 2 * GB)
    assert world.run() == {"both": pytest.approx(2.0)}


def test_a_node_keeps_what_it_may_keep() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)})
    world.fetch(0.0, "first", [0], 8 * GB, cached=math.inf)
    world.fetch(1.0, "beside", [0], 8 * GB, cached=math.inf)  # waits for the first
    world.fetch(10.0, "again", [0], 8 * GB, cached=4 * GB)
    world.fetch(20.0, "elsewhere", [1], 8 * GB, cached=math.inf)
    world.clock.at(30.0, world.pulls.forget, 0)
    world.fetch(31.0, "forgotten", [0], 8 * GB, cached=math.inf)
    assert world.run() == {
        "first": pytest.approx(4.0), "beside": pytest.approx(4.0), "again": 12.0, "elsewhere": pytest.approx(24.0),
        "forgotten": pytest.approx(35.0),
    }  # fmt: skip
    assert len(world.table.arrays()["id"]) == 3


def test_what_is_not_kept_is_fetched_by_each_for_itself() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)})
    world.fetch(0.0, "one", [0], 2 * GB)
    world.fetch(0.0, "two", [0], 2 * GB)
    assert world.run() == {"one": pytest.approx(2.0), "two": pytest.approx(2.0)}


def test_a_checkpoint_goes_out_from_all_servers_together() -> None:
    world = World(switch(), {"fs": Attachment(40 * GB)})
    world.clock.at(0.0, lambda: world.pulls.push([0, 1, 2], "fs", 60 * GB, world.done("saved")))
    assert world.run() == {"saved": pytest.approx(2.0)}  # 20 GB each at 10 GB/s
    world = World(switch(), {"fs": Attachment(10 * GB)})
    world.clock.at(0.0, lambda: world.pulls.push([0, 1, 2], "fs", 60 * GB, world.done("saved")))
    assert world.run() == {"saved": pytest.approx(6.0)}


def test_servers_whose_accelerators_have_cards_of_their_own_use_all_of_them() -> None:
    rails = builders.get("rail-optimised")(nodes=4)
    assert rails.wired
    card = float(rails.capacity[rails.path(rails.endpoint(0, 0), rails.endpoint(1, 0))[0]])
    world = World(rails, {"reg": Attachment(1e15)})
    world.fetch(0.0, "all", [0], 8 * card)
    assert world.run()["all"] == pytest.approx(1.0, rel=1e-3)


def test_a_topology_without_a_network_gets_a_way_to_the_store() -> None:
    world = World(builders.get("servers")(nodes=2, node="dgx-h100"), {"reg": Attachment(1 * GB, server=0.5 * GB)})
    world.fetch(0.0, "slow", [0], 1 * GB)
    assert world.run() == {"slow": pytest.approx(2.0)}


def test_links_keep_their_numbers_and_stores_come_after() -> None:
    plain = switch()
    made = attached(plain, {"reg": Attachment(1 * GB)})
    assert made.ends[: len(plain.ends)] == plain.ends
    assert made.servers == plain.servers
    assert [made.graph.nodes[name].get("store", False) for name in ("reg", "sw")] == [True, False]
    assert attached(plain, {}) is plain


def test_stores_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="has a vertex 'sw' already"):
        attached(switch(), {"sw": Attachment(1.0)})
    with pytest.raises(InputError, match=r"no switch 'ws'\. Known: sw"):
        attached(switch(), {"reg": Attachment(1.0, at=["ws"])})
    with pytest.raises(InputError, match=r"no store 'rge'\. Did you mean 'reg'"):
        World(switch(), {"reg": Attachment(1.0)}).pulls.store("rge")


def test_a_fetch_waits_for_a_link_that_is_down() -> None:
    world = World(switch(), {"reg": Attachment(2 * GB)})
    down = [link for link, ends in enumerate(world.topology.ends) if "n0" in ends]
    for link in down:
        world.clock.at(1.0, world.network.router.set_up, link, False)
        world.clock.at(6.0, world.network.router.set_up, link, True)
    world.fetch(2.0, "late", [0], 4 * GB)
    assert world.run() == {"late": pytest.approx(8.0)}
