"""What goes down with what: cards, cables, switches, racks, domains and stores."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster.builders.fleet import fleet
from simulator.cluster.builders.leaf_spine import leaf_spine
from simulator.cluster.stores import Attachment, attached
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.metrics.recorder import Record
from simulator.runtime.checkpoints import Checkpoints
from simulator.runtime.failures import Failures, LoggedFailure, LoggedSource, components
from simulator.runtime.failures.cuts import Cuts
from simulator.runtime.pulls import Store
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import TrainingJob
from simulator.workload.saving import Saving


def leaves(spines: int = 2) -> Topology:
    """Two leaves with two servers of 4 accelerators each, of two cards that are one link."""
    return leaf_spine(4, "l40s-4-pcie", "roce-100g", nodes_per_leaf=2, spines=spines)


def rails(*, cards: int = 2) -> Topology:
    """Two servers that hang, by a cable each, off several switches."""
    ends = [(f"server-{server}", f"rail-{rail}") for server in range(2) for rail in range(cards)]
    links = [{"src": a, "dst": b, "capacity": 1e9} for src, dst in ends for a, b in ((src, dst), (dst, src))]
    return Topology.from_links(links, {f"server-{index}": {"accelerators": 4} for index in range(2)})


def failing(topology: Topology, *events: tuple[float, str, str, float], **more: Any) -> tuple[Record, Any]:
    """Run a gang on all servers of a topology while something fails; return record and gang."""
    gang = job("gang", 0.0, 20.0, float(topology.accelerators))
    source = LoggedSource("log", tuple(LoggedFailure(*event) for event in events), more.pop("detection", None))
    return replay([gang], topology=topology, parts=[Failures([source])], **more), gang


def happened(record: Record, *kinds: str) -> list[tuple[float, str]]:
    table = record.tables["events"]
    return [
        (time, kind)
        for time, kind in zip(table["time"].tolist(), table["event"].tolist(), strict=True)
        if kind in kinds
    ]


# -- components -----------------------------------------------------------------------------------------------------


def test_components_of_a_network() -> None:
    topology = leaves()
    assert [each.name for each in components(topology, "switch")] == ["spine-0", "spine-1", "leaf-0", "leaf-1"]
    assert [each.servers for each in components(topology, "rack")] == [(0, 1), (2, 3)]
    assert [(each.servers, each.weight) for each in components(topology, "accelerator")] == [
        ((index,), 4.0) for index in range(4)
    ]
    cards = components(topology, "nic")
    assert [each.name for each in cards] == [f"node-{index} - leaf-{index // 2}" for index in range(4)]
    assert {each.weight for each in cards} == {2.0}
    names = [each.name for each in components(topology, "link")]
    assert len(names) == 4 + 4
    assert [each.servers for each in components(topology, "domain")] == [(0,), (1,), (2,), (3,)]


def test_racks_by_label() -> None:
    groups = [{"count": 2, "accelerators": 1, "labels": {"rack": name}} for name in ("a", "b")]
    assert [(each.name, each.servers) for each in components(fleet(groups), "rack")] == [("a", (0, 1)), ("b", (2, 3))]


def test_components_of_some_servers() -> None:
    topology = leaves()
    assert [each.servers for each in components(topology, "node", (1, 2))] == [(1,), (2,)]
    assert [each.name for each in components(topology, "nic", (1,))] == ["node-1 - leaf-0"]
    assert [each.servers for each in components(topology, "rack", (3,))] == [(2, 3)]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("gpu", "component 'gpu' is unknown"),
        ("swich", "Did you mean 'switch'?"),
        ("switch", "component 'switch': the topology has none"),
        ("nic", "no link joins a server to a switch"),
        ("rack", "give servers a label rack"),
        ("store", "no vertex is of kind store"),
    ],
)
def test_what_a_pool_has_none_of(kind: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        components(servers(2, 4), kind)
    assert told in str(error.value)


def test_switches_belong_to_no_server() -> None:
    with pytest.raises(InputError, match="only means nothing for component 'switch'"):
        components(leaves(), "switch", (1,))


def test_who_is_left_without_a_link() -> None:
    cuts = Cuts(leaves(), lambda link, up: None, lambda link, capacity: None)
    found = {each.name: cuts.isolated_by(each) for each in components(leaves(), "switch")}
    assert found == {"spine-0": [], "spine-1": [], "leaf-0": [0, 1], "leaf-1": [2, 3]}
    assert [cuts.isolated_by(each) for each in components(leaves(), "nic")] == [[]] * 4


# -- in a run -------------------------------------------------------------------------------------------------------


def test_a_leaf_takes_its_servers_together() -> None:
    record, gang = failing(leaves(), (4.0, "switch", "leaf-1", 5.0))
    assert (gang.failures, gang.waited, gang.end) == (1, 5.0, 25.0)
    series = record.tables["series"]
    assert dict(zip(series["time"].tolist(), series["capacity"].tolist(), strict=True))[4.0] == 8.0


def test_a_spine_takes_nobody_while_another_is_left() -> None:
    record, gang = failing(leaves(), (4.0, "switch", "spine-1", 5.0))
    assert (gang.failures, gang.end) == (0, 20.0)
    assert len(happened(record, "link-down")) == len(happened(record, "link-up")) == 4
    assert happened(record, "failure", "repair") == [(4.0, "failure"), (9.0, "repair")]


def test_a_card_of_two_leaves_half_the_link() -> None:
    def run(*events: tuple[float, str, str, float]) -> float:
        one = TrainingJob(id="one", submit=0.0, accelerators=16.0, iterations=10, compute=0.1, gradient=1e10)
        source = [LoggedSource("log", tuple(LoggedFailure(*event) for event in events))] if events else []
        replay([one], topology=leaves(), parts=[Failures(source)])
        assert one.failures == 0
        return one.end

    whole, half = run(), run((0.0, "nic", "node-0 - leaf-0", 1e6))
    assert 1.5 < half / whole < 2.1


def test_the_last_card_takes_the_server() -> None:
    one, two = "server-0 - rail-0", "server-0 - rail-1"
    _, gang = failing(rails(), (4.0, "nic", one, 5.0))
    assert (gang.failures, gang.end) == (0, 20.0)
    _, gang = failing(rails(), (4.0, "nic", one, 5.0), (6.0, "nic", two, 5.0))
    # at 6 none is left, at 9 the first is back
    assert (gang.failures, gang.waited, gang.end) == (1, 3.0, 23.0)


def test_a_short_flap_holds_jobs_up_that_nobody_stops() -> None:
    record, gang = failing(rails(cards=1), (4.0, "nic", "server-0 - rail-0", 2.0), detection=30.0)
    assert (gang.failures, gang.hung, gang.end) == (0, 2.0, 22.0)
    assert happened(record, "detect", "preempt") == []


def test_a_node_that_is_whole_again_behind_a_dead_switch_stays_down() -> None:
    events = [(4.0, "node", "node-0", 5.0), (6.0, "switch", "leaf-0", 20.0)]
    _, gang = failing(leaves(), *events)
    assert (gang.failures, gang.waited) == (1, 26.0 - 4.0)


def test_a_switch_that_is_whole_again_does_not_mend_the_node_behind_it() -> None:
    events = [(4.0, "node", "node-0", 20.0), (6.0, "switch", "leaf-0", 5.0)]
    _, gang = failing(leaves(), *events)
    assert (gang.failures, gang.waited) == (1, 24.0 - 4.0)


def test_a_rack_fails_as_one() -> None:
    record, gang = failing(leaves(), (4.0, "rack", "leaf-0", 5.0))
    assert (gang.failures, gang.waited) == (1, 5.0)
    assert record.facts["failures"]["down_accelerator_seconds"] == 8 * 5.0


def test_a_store_that_is_down_holds_checkpoints_up_and_no_server() -> None:
    topology = attached(servers(2, 1), {"s3": Attachment(10.0, (), 10.0)})
    one = job("one", 0.0, 100.0, 2.0, saving=Saving(every=40.0, store="s3", size=50.0))
    source = LoggedSource("log", (LoggedFailure(42.0, "store", "s3", 10.0),))
    replay([one], topology=topology, stores={"s3": Store("s3")}, parts=[Failures([source]), Checkpoints()])
    assert one.failures == 0
    assert one.checkpointing == pytest.approx(15.0 + 5.0)
