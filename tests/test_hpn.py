"""Alibaba HPN 7.0: the counts of the paper (Qian et al., SIGCOMM 2024), and what dual ToR is worth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import networkx as nx
import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import SWITCH, Topology
from simulator.core.errors import InputError

PORT, UPLINK = catalog.link("roce-200g"), catalog.link("roce-400g")


def hpn(**parameters: Any) -> Topology:
    return builders.get("hpn")(**parameters)


def message(**parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        hpn(**parameters)
    return str(caught.value)


def tiers(made: Topology) -> dict[int, int]:
    return dict(Counter(data["tier"] for _, data in made.graph.nodes(data=True) if data["kind"] == SWITCH))


def sums(made: Topology, switch: str) -> tuple[float, float]:
    """Capacity of a switch towards lower and higher tiers."""
    tier = made.graph.nodes[switch]["tier"]
    down = up = 0.0
    for _, other, data in made.graph.out_edges(switch, data=True):
        higher = made.graph.nodes[other].get("tier", 0) > tier
        up += data["capacity"] * higher
        down += data["capacity"] * (not higher)
    return down, up


def test_a_full_pod() -> None:
    """15 segments of 128 hosts and 16 ToRs: 15,360 accelerators, two planes of 60 aggregation switches."""
    made = hpn(segments=15)
    assert (len(made.servers), made.accelerators) == (1920, 15_360)
    assert tiers(made) == {1: 15 * 16, 2: 120}
    cables: Counter[str] = Counter()
    for _, _, data in made.graph.edges(data=True):
        cables[data["tier"]] += data["cables"]
    assert (cables["host"], cables["leaf-spine"]) == (2 * 15_360, 240 * 60)
    assert {line.item: line.count for line in made.bill() if line.kind == "switch"} == {"generic/51.2t": 360}


def test_a_tor_is_1_067_to_1_and_the_core_15_to_1() -> None:
    made = hpn(segments=15, hosts=128, pods=1)
    ports = {data["tier"]: data["ports"] for _, data in made.graph.nodes(data=True) if data["kind"] == SWITCH}
    assert ports == {1: 62, 2: 60}  # of 64 at 800 Gb/s: 128 x 200 + 60 x 400, and 120 x 400
    nominal = 128 * PORT.bandwidth / (60 * UPLINK.bandwidth)
    assert nominal == pytest.approx(1.067, abs=1e-3)
    down, up = sums(made, "tor-0-0-0")
    assert (down, up) == pytest.approx((128 * PORT.goodput, 60 * UPLINK.goodput))
    two = hpn(segments=15, hosts=8, pods=2, aggregation=4)
    down, up = sums(two, "aggregation-0-0-0")
    assert down == pytest.approx(120 * UPLINK.goodput)
    assert down / up == pytest.approx(15)
    assert two.graph.out_degree("aggregation-0-0-0") == 120 + 8


def test_both_ports_of_a_card_lead_to_the_next_server_in_one_hop() -> None:
    made = hpn(segments=2, hosts=8)
    taken = {made.ends[made.path("node-0/3", "node-1/3", label)[0]][1] for label in range(16)}
    assert taken == {"tor-0-3-0", "tor-0-3-1"}
    assert made.hops(0, 1) == 2
    assert made.servers[0].nic == pytest.approx(2 * PORT.goodput)


def test_planes_never_meet() -> None:
    made = hpn(segments=2, hosts=8)
    switches = made.graph.subgraph([v for v, data in made.graph.nodes(data=True) if data["kind"] == SWITCH])
    planes = list(nx.weakly_connected_components(switches))
    assert len(planes) == 2
    assert all(len({vertex.split("-")[-1 if "tor" in vertex else 2] for vertex in plane}) == 1 for plane in planes)


def test_only_a_single_tor_takes_servers_with_it() -> None:
    for dual in (True, False):
        made = hpn(segments=2, hosts=4, dual_tor=dual)
        left = made.graph.copy()
        left.remove_node("tor-0-3-0")
        left.remove_nodes_from([f"node-{n}" for n in range(8)])  # not through the inside of a server
        assert nx.has_path(left, "node-0/3", "node-7/3") == dual


def test_single_and_dual_tor_have_the_same_tors_and_cables() -> None:
    one, two = hpn(segments=2, hosts=32, dual_tor=False), hpn(segments=2, hosts=32)
    assert tiers(one)[1] == tiers(two)[1] == 32
    cables = [{line.item: line.count for line in made.bill() if line.kind == "cable"} for made in (one, two)]
    assert cables[0] == cables[1] == {"roce-200g": 1024, "roce-400g": 32 * 15}
    assert one.bisection() == pytest.approx(two.bisection(), rel=1e-12)
    assert [one.neighbourhood(f"node-{n}") for n in (0, 15, 16, 32)] == [
        "segment-0-0", "segment-0-0", "segment-0-1", "segment-1-0"
    ]  # fmt: skip
    assert [two.neighbourhood(f"node-{n}") for n in (0, 31, 32)] == ["segment-0", "segment-0", "segment-1"]


@pytest.mark.parametrize("hosts", [1, 3, 16, 32, 64, 128])
def test_small_ones_keep_the_ratio(hosts: int) -> None:
    down, up = sums(hpn(segments=1, hosts=hosts), "tor-0-0-0")
    assert 0.5 <= down / up <= 1.07 * PORT.efficiency / UPLINK.efficiency


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"segments": 0}, "segments is 0; it must be at least 1"),
        ({"segments": 1, "hosts": 129}, "hosts is 129; it must be at most 128"),
        ({"segments": 1, "planes": 3}, "planes is 3; a card has two ports, so there are 1 or 2"),
        (
            {"segments": 16},
            "segments is 16; an aggregation switch takes 120 ToRs, so a pod of 2 planes has at most 15 segments: "
            "use pods for more",
        ),
        (
            {"segments": 8, "planes": 1},
            "segments is 8; an aggregation switch takes 120 ToRs, so a pod of 1 plane has at most 7 segments: "
            "use pods for more",
        ),
        (
            {"segments": 2, "dual_tor": False, "planes": 2},
            "planes is 2 and dual_tor is false: with both ports of a card on one ToR, the hosts of one plane could not "
            "reach those of the other; use planes: 1",
        ),
        ({"segments": 1, "core_oversubscription": 0.0}, "core_oversubscription is 0; it must be at least 0.01"),
        (
            {"segments": 15, "pods": 50_000},
            "this network would have 6,144,000,000 links; it may have at most 1,000,000: make it smaller",
        ),
    ],
)
def test_what_is_wrong_is_said(parameters: dict[str, Any], expected: str) -> None:
    assert message(**parameters) == expected
