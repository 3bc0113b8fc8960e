"""Groups that call together: their bytes add up on the links, and the slowest of them counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.models.training.network import parameter_server, tree_aggregate
from simulator.runtime.communicator import Communicator, LostWay
from simulator.runtime.ensemble import Ensemble
from simulator.runtime.router import Router

RAILS = builders.get("rail-optimised")(nodes=4, node="dgx-h100")
TRUNKS = builders.get("leaf-spine")(nodes=4, node="dgx-h100", nodes_per_leaf=2, spines=2)
Group = tuple[tuple[int, int], ...]
SERVERS: tuple[Group, ...] = tuple(tuple((server, device) for device in range(8)) for server in range(4))
RINGS: tuple[Group, ...] = tuple(tuple((server, device) for server in range(4)) for device in range(8))


def ensemble(topology: Topology, groups: tuple[Group, ...], share: float = 1.0) -> Ensemble:
    return Ensemble(topology, Router(topology), groups, share)


@given(
    st.lists(st.sampled_from(RINGS), min_size=1, max_size=8, unique=True).map(tuple),
    st.sampled_from(["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-recv"]),
    st.floats(1.0, 1e10),
)
def test_bytes_of_groups_add_up(groups: tuple[Group, ...], collective: str, size: float) -> None:
    call = ensemble(TRUNKS, groups).call(collective, size)
    sent: dict[int, float] = {}
    for group in groups:
        plan = Communicator(TRUNKS, group).plan(collective, size)
        for link, usage in zip(plan.links, plan.usage, strict=True):
            sent[link] = sent.get(link, 0.0) + usage * size
    assert dict(zip(call.links, call.usage, strict=True)) == pytest.approx(sent)


@given(st.sampled_from([1e3, 1e6, 1e9]), st.integers(1, 50), st.floats(0.0, 1.0))
def test_many_calls_are_one_burst(size: float, calls: int, hidden: float) -> None:
    call = ensemble(RAILS, RINGS).call("all-reduce", size)
    burst = call.burst("dp", calls, hidden)
    assert burst.usage == pytest.approx([volume * calls for volume in call.usage])
    assert burst.latency + burst.alone == pytest.approx(calls * call.time)
    assert burst.exposed() == pytest.approx(max(0.0, calls * call.time - hidden))
    assert call.without_latency().time == call.alone


def test_one_group_takes_what_its_plan_takes() -> None:
    for topology in (RAILS, TRUNKS):
        group = RINGS[0]
        plan = Communicator(topology, group).plan("all-reduce", 1e9)
        call = ensemble(topology, (group,)).call("all-reduce", 1e9)
        assert call.time == pytest.approx(plan.time(topology.capacity), rel=1e-9)


def test_groups_on_rails_of_their_own_do_not_meet() -> None:
    one, all_of_them = (ensemble(RAILS, groups).call("all-reduce", 1e9).time for groups in (RINGS[:1], RINGS))
    assert all_of_them == pytest.approx(one, rel=1e-9)


def test_inside_a_server_nothing_meets_a_link() -> None:
    call = ensemble(RAILS, SERVERS).call("all-reduce", 1e9)
    assert (call.links, call.usage) == ((), ())
    assert call.time == Communicator(RAILS, SERVERS[0]).plan("all-reduce", 1e9).time(RAILS.capacity)


def test_the_slowest_group_counts() -> None:
    """One group of two servers and one of four: a longer ring takes longer."""
    pair, four = RINGS[0][:2], RINGS[1]
    times = [
        ensemble(RAILS, groups).call("all-reduce", 1e9, "ring").time for groups in ((pair,), (four,), (pair, four))
    ]
    assert times[2] == pytest.approx(max(times[:2]), rel=1e-9)
    assert times[0] < times[1]


def test_half_of_the_bytes_take_the_time_of_the_card_all_the_same() -> None:
    """Two neighbours that send to each other in turn: a message takes its time, and the links carry half each way."""
    pair = (RINGS[0][:2],)
    whole, half = (ensemble(RAILS, pair, share).call("send-recv", 1e9) for share in (1.0, 0.5))
    assert half.usage == pytest.approx([volume / 2 for volume in whole.usage])
    assert (half.own, half.flow, half.latency) == (whole.own, whole.flow, whole.latency)
    assert half.time <= whole.time


@pytest.mark.parametrize("servers", [1, 2, 4])
def test_parameter_servers_take_turns_in_nothing(servers: int) -> None:
    """Every worker pushes its part to each server and pulls it: n - 1 workers are elsewhere (Li et al., OSDI 2014)."""
    call = ensemble(RAILS, RINGS[:1]).call("parameter-server", 1e9, servers=servers)
    volume = {RAILS.ends[link]: sent for link, sent in zip(call.links, call.usage, strict=True)}
    for server in range(4):
        serves = 3 / servers if server < servers else 0.0
        works = (servers - (server < servers)) / servers
        for pair in ((f"node-{server}/0", "leaf-0-0"), ("leaf-0-0", f"node-{server}/0")):
            assert volume[pair] == pytest.approx((serves + works) * 1e9)
    group = Communicator(RAILS, RINGS[0]).group
    assert call.time == pytest.approx(parameter_server(1e9, 4, servers, group.network), rel=1e-9)


def test_a_tree_of_two_levels() -> None:
    """16 workers, 4 to a head, 4 heads to the root: no card takes in more than 3 + 3 sums and the copy."""
    workers = tuple((server, device) for server in range(4) for device in range(4))
    call = ensemble(RAILS, (workers,)).call("tree-aggregate", 1e9, servers=2)
    volume = {RAILS.ends[link]: sent for link, sent in zip(call.links, call.usage, strict=True)}
    into = {f"node-{server}/0": volume.get(("leaf-0-0", f"node-{server}/0"), 0.0) for server in range(4)}
    assert into["node-0/0"] == pytest.approx(3e9)  # the heads of the other servers
    level = Communicator(RAILS, workers).group.network
    assert call.time == pytest.approx(tree_aggregate(1e9, 16, 2, level), rel=1e-9)


def test_on_servers_without_a_network_nothing_meets_a_link() -> None:
    loose = builders.get("servers")(nodes=4, node="dgx-h100")
    for collective in ("all-reduce", "send-recv", "parameter-server", "tree-aggregate"):
        call = ensemble(loose, RINGS[:1]).call(collective, 1e9)
        assert call.links == ()


def test_links_that_are_down_leave_no_way() -> None:
    router = Router(RAILS)
    groups = Ensemble(RAILS, router, RINGS[:1])
    for link, ends in enumerate(RAILS.ends):
        if "node-3/0" in ends:
            router.set_up(link, False)
    for collective in ("all-reduce", "parameter-server"):
        with pytest.raises(LostWay, match="links are down"):
            Ensemble(RAILS, router, RINGS[:1]).call(collective, 1e9)
    assert groups is not None


def test_an_unknown_algorithm_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown collective algorithm 'rings'"):
        ensemble(RAILS, RINGS).call("all-reduce", 1e9, "rings")
