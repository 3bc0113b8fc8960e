"""Transfers whose links die: they fail over, stand still, wait and return; no byte is lost or sent twice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.routing import way_of
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.experiment.transfers import flapping, simulate_transfers
from simulator.runtime.bundles import Message, Transfers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.workload.jobs import Transfer


def two_ways(detour: float = 5.0, latency: float = 0.0) -> Topology:
    """From a to b over x at 10 bytes/s, or over y and z at ``detour``."""
    pairs = [("a", "x", 10.0), ("x", "b", 10.0), ("a", "y", detour), ("y", "z", detour), ("z", "b", detour)]
    return Topology.from_links([{"src": s, "dst": d, "capacity": c, "latency": latency} for s, d, c in pairs])


def ends(topology: Topology, moves: list[Transfer], **more) -> list[float]:
    return simulate_transfers(topology, moves, **more)["end"].tolist()


def test_a_transfer_fails_over_with_the_bytes_it_has_left() -> None:
    """20 of 100 bytes in 2 s, 1 s of standing still, the rest at 5 bytes/s."""
    found = ends(two_ways(), [Transfer("a", "b", 100.0)], link_events=[(2.0, 1, False)], reroute=1.0)
    assert found == [2.0 + 1.0 + 80.0 / 5.0]


def test_and_returns_when_the_link_is_back() -> None:
    events = [(2.0, 1, False), (5.0, 1, True)]
    # 20 bytes, nothing for 1 s, 3 s at 5 bytes/s until the return is noticed at 6 s
    assert ends(two_ways(), [Transfer("a", "b", 100.0)], link_events=events, reroute=1.0) == [6.0 + 65.0 / 10.0]


def test_an_adaptive_transfer_stays_where_it_went() -> None:
    events = [(2.0, 1, False), (5.0, 1, True)]
    found = ends(two_ways(), [Transfer("a", "b", 100.0)], link_events=events, routing="adaptive")
    assert found == [2.0 + 80.0 / 5.0]


def test_a_link_that_is_back_before_routing_has_noticed_goes_on() -> None:
    events = [(2.0, 1, False), (2.5, 1, True)]
    assert ends(two_ways(), [Transfer("a", "b", 100.0)], link_events=events, reroute=1.0) == [10.5]


def test_without_another_way_a_transfer_stands_still() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 10.0}])
    moves = [Transfer("a", "b", 100.0), Transfer("a", "b", 10.0, start=4.0)]
    assert ends(line, moves, link_events=[(2.0, 0, False), (7.0, 0, True)]) == [7.0 + 9.0, 7.0 + 2.0]


def test_a_route_that_was_given_is_kept() -> None:
    moves = [Transfer("a", "b", 100.0, route=[0, 1])]
    assert ends(two_ways(), moves, link_events=[(2.0, 1, False), (7.0, 1, True)]) == [15.0]


def test_who_starts_after_the_failure_takes_the_other_way_at_once() -> None:
    events = [(2.0, 1, False)]
    moves = [Transfer("a", "b", 10.0, start=at) for at in (2.5, 4.0)]
    found = ends(two_ways(latency=0.125), moves, link_events=events, reroute=1.0)
    # the first sets out by the dead link and waits there until 3 s; the second is there at 4.375 s
    assert found == [4.375 + 3.125 / 2.5, 5.625 + 6.875 / 5.0]


def test_a_first_byte_that_is_under_way_when_routing_notices_turns_too() -> None:
    found = ends(two_ways(latency=1.0), [Transfer("a", "b", 10.0)], link_events=[(0.5, 1, False)])
    assert found == [2.0 + 10 / 5]


def test_a_sprayed_transfer_leaves_the_dead_part_only() -> None:
    """Two of four equal ways of 10 bytes/s die: 40 bytes/s, then 20, then 40 again."""
    star = [(a, b, 10.0) for way in "wxyz" for a, b in (("a", way), (way, "b"))]
    built = Topology.from_links([{"src": s, "dst": d, "capacity": c} for s, d, c in star])
    events = [(1.0, 0, False), (1.0, 3, False), (3.0, 0, True), (3.0, 3, True)]
    assert ends(built, [Transfer("a", "b", 160.0)], link_events=events, routing="spray") == pytest.approx([5.0])


def test_the_flows_of_a_message_keep_pace_and_count_as_flows() -> None:
    """Four flows of one message and one of another on a link: four fifths and one fifth."""
    built = Topology.from_links([{"src": "a", "dst": "b", "capacity": 10.0}])
    clock, done = Clock(), []
    fabric = Fabric(clock, built.capacity)
    transfers = Transfers(fabric, Crowd(clock, fabric))
    for name, flows in (("split", 4), ("whole", 1)):
        way = way_of([(0,)] * flows, [0.0])
        clock.at(0.0, lambda n=name, w=way: transfers.begin(Message(w, 80.0, lambda: done.append((n, clock.now)))))
    clock.run()
    assert done == [("split", pytest.approx(10.0)), ("whole", pytest.approx(16.0))]


def test_what_can_never_end_is_said() -> None:
    built = two_ways()
    moves = [Transfer("a", "b", 100.0), Transfer("a", "x", 10.0), Transfer("y", "z", 10.0)]
    table = simulate_transfers(built, moves, link_events=[(0.5, 0, False)])
    # the first has sent 2.5 bytes when it turns, and shares with the third until that ends
    assert table["end"].tolist() == pytest.approx([3.5 + 90.0 / 5.0, math.nan, 0.5 + 7.5 / 2.5], nan_ok=True)
    assert table.attrs["notes"] == [
        "1 transfer can never end: links of its way carry nothing any more (the first is 1, from 'a' to 'x')."
    ]
    table = simulate_transfers(built, moves[:1] * 3, link_events=[(0.5, 0, False), (0.5, 2, False)])
    assert table["end"].isna().all()
    assert table.attrs["notes"][0] == (
        "3 transfers can never end: links of their ways carry nothing any more (the first is 0, from 'a' to 'b')."
    )


def test_a_run_that_is_cut_says_nothing_of_the_sort() -> None:
    table = simulate_transfers(two_ways(), [Transfer("a", "b", 100.0)], until=3.0)
    assert table["end"].isna().all()
    assert not any("never" in note for note in table.attrs["notes"])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000), st.sampled_from(["ecmp", "spray", "adaptive"]), st.sampled_from([1, 3]),
    st.sampled_from([0.0, 0.07]),
)  # fmt: skip
def test_every_byte_arrives_once(seed: int, routing: str, flows: int, reroute: float) -> None:
    """What the last links into servers carry is what was sent, whatever dies under way and comes back."""
    tree = builders.get("leaf-spine")(nodes=6, nodes_per_leaf=2, spines=3, oversubscription=2)
    draw = stream(seed, "bytes")
    moves, events = [], []
    for _ in range(15):
        src, dst = draw.choice(6, 2, replace=False).tolist()
        size = float(draw.integers(1, 9)) * 1e10
        moves.append(Transfer(f"node-{src}", f"node-{dst}", size, float(draw.random()) / 4))
    fabric_links = [i for i, pair in enumerate(tree.ends) if "spine" in pair[0] + pair[1]]
    for link in draw.choice(fabric_links, 4, replace=False).tolist():
        at = float(draw.random()) / 4
        events += [(at, link, False), (at + 0.1 + float(draw.random()), link, True)]
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation

    record = Simulation(
        topology=tree, scheduler=schedulers.get("fifo")(), placer=placers.get("pack")(), transfers=moves,
        link_events=events, reroute=reroute, routing=routing, flows=flows, record_links=True,
    ).run()  # fmt: skip
    assert not any(math.isnan(end) for end in record.tables["flows"]["end"])
    rows = record.tables["links"]
    for server in sorted({move.dst for move in moves}):
        carried = 0.0
        for link, (src, dst) in enumerate(tree.ends):
            if dst == server and src.startswith("leaf"):
                there = rows["link"] == link
                spans = np.diff(rows["time"][there], append=float(record.facts["end"]))
                carried += float(spans @ rows["load"][there])
        assert carried == pytest.approx(sum(m.bytes for m in moves if m.dst == server), rel=1e-9)


def test_flapping_costs_the_time_that_the_link_is_down() -> None:
    line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 10.0}])
    events = flapping([0], start=1.0, period=2.0, duty=0.25, count=5)
    assert ends(line, [Transfer("a", "b", 100.0)], link_events=events) == pytest.approx([10.0 + 5 * 0.5])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.0, 0.0, 0.5, 1), "flapping: start 0.0, period 0.0, duty 0.5; duty lies between 0 and 1"),
        ((0.0, 1.0, 1.0, 1), "flapping: start 0.0, period 1.0, duty 1.0; duty lies between 0 and 1"),
        ((0.0, 1.0, 0.5, -1), "flapping: count is -1; it must be a whole number from 0 to 100,000"),
    ],
)
def test_flapping_that_makes_no_sense_is_refused(arguments: tuple, text: str) -> None:
    with pytest.raises(InputError) as caught:
        flapping([0], *arguments)
    assert str(caught.value) == text
