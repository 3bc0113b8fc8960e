"""Links that change on the clock: what traffic does until routing has noticed, and after."""

from __future__ import annotations

import math

import pytest

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.testing import replay
from simulator.workload.jobs import TrainingJob
from tests.test_batch import Placed


def two_ways(detour: float = 5.0) -> Topology:
    """Servers a and b, joined by a cable of 10 bytes/s, or by a switch more with ``detour``."""
    pairs = [("a", "left", 100.0), ("b", "right", 100.0), ("left", "right", 10.0), ("left", "far", detour)]
    pairs.append(("far", "right", detour))
    links = [{"src": s, "dst": d, "capacity": c} for a, b, c in pairs for s, d in ((a, b), (b, a))]
    return Topology.from_links(links, {name: {"accelerators": 1} for name in "ab"})


def cable(topology: Topology, *ends: str) -> list[int]:
    return [index for index, pair in enumerate(topology.ends) if set(pair) == set(ends)]


def trained(topology: Topology, *, iterations: int = 20, **more) -> TrainingJob:
    """One job of 1 s of computing and 10 bytes each way: 2 s an iteration on the short way, 3 s by the detour."""
    job = TrainingJob(id="x", submit=0.0, accelerators=2.0, iterations=iterations, compute=1.0, gradient=10.0)
    replay([job], Placed({"x": (0, 1)}), topology=topology, **more)
    return job


def down(topology: Topology, at: float, until: float = math.inf) -> list[tuple[float, int, bool]]:
    links = cable(topology, "left", "right")
    return [(at, link, False) for link in links] + [(until, link, True) for link in links if until < math.inf]


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
def test_traffic_takes_another_way(fidelity: str) -> None:
    """Ten iterations until 20 s, then ten by the detour."""
    topology = two_ways()
    job = trained(topology, link_events=down(topology, 20.0), fidelity=fidelity)
    assert job.end == pytest.approx(20.0 + 10 * 3.0)
    assert job.work == pytest.approx(40.0)


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
def test_and_stands_still_until_routing_has_noticed(fidelity: str) -> None:
    """The eleventh iteration computes for 1 s of the 7 s, then waits; at mean rates all of it stands still."""
    topology = two_ways()
    job = trained(topology, link_events=down(topology, 20.0), reroute=7.0, fidelity=fidelity)
    waited = 6.0 if fidelity == "flow" else 7.0
    assert job.end == pytest.approx(20.0 + waited + 10 * 3.0)


@pytest.mark.parametrize("fidelity", ["fluid", "flow"])
def test_a_link_that_comes_back_is_used_again(fidelity: str) -> None:
    topology = two_ways()
    job = trained(topology, link_events=down(topology, 20.0, until=50.0), fidelity=fidelity)
    assert job.end == pytest.approx(20.0 + 30.0)  # the ten by the detour end as the link comes back
    job = trained(topology, link_events=down(topology, 20.0, until=35.0), fidelity=fidelity)
    assert job.end == pytest.approx(20.0 + 15.0 + 5 * 2.0)


@pytest.mark.parametrize("fidelity", ["fluid", "flow"])
def test_without_another_way_a_job_waits(fidelity: str) -> None:
    pairs = [("a", "s"), ("b", "s")]
    links = [{"src": s, "dst": d, "capacity": 10.0} for a, b in pairs for s, d in ((a, b), (b, a))]
    topology = Topology.from_links(links, {name: {"accelerators": 1} for name in "ab"})
    events = [(20.0, 0, False), (100.0, 0, True)]
    job = trained(topology, link_events=events, fidelity=fidelity)
    assert job.end == pytest.approx(40.0 + (80.0 if fidelity == "fluid" else 79.0))


def test_capacity_of_a_link_that_is_down_holds_when_it_is_up() -> None:
    topology = two_ways(detour=1e-9)
    links = cable(topology, "left", "right")
    job = trained(topology, link_events=down(topology, 0.0, until=10.0), capacity_events=[(5.0, k, 5.0) for k in links])
    assert job.end == pytest.approx(10.0 + 20 * 3.0, rel=0.02)


def test_a_rank_without_its_card_does_not_use_the_cards_of_others() -> None:
    """On rails a rank whose only link is down waits; with two top-of-rack switches it goes on by the other one."""
    single = builders.get("hpn")(hosts=2, segments=1, dual_tor=False)
    dual = builders.get("hpn")(hosts=2, segments=1, dual_tor=True)
    ends = {}
    for name, topology in (("single", single), ("dual", dual)):
        out = [i for i, (src, _) in enumerate(topology.ends) if src == topology.endpoint(0, 3)]
        wires = [i for i in out if topology.tiers[i] == "host"]
        job = TrainingJob(id="x", submit=0.0, accelerators=16.0, iterations=100, compute=0.1, gradient=4e9)
        events = [(1.0, wires[0], False), (200.0, wires[0], True)]
        if name == "single":
            events += [(1.0, wire, False) for wire in wires[1:]] + [(200.0, wire, True) for wire in wires[1:]]
        replay([job], Placed({"x": (0, 1)}), topology=topology, link_events=events, flows=16)
        ends[name] = job.end
    assert ends["single"] > 200.0
    assert ends["dual"] < 100.0


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((1.0, 10, True), "link event at 1 s: there is no link 10; links are 0 to 9"),
        ((-1.0, 0, True), "link event (-1.0 s, link 0): the time must be 0 or more"),
    ],
)
def test_bad_events(event: tuple[float, int, bool], message: str) -> None:
    with pytest.raises(InputError) as caught:
        replay([], topology=two_ways(), link_events=[event])
    assert str(caught.value) == message


def test_changes_that_come_after_the_end_are_said() -> None:
    """One job of 10 s and its link taken down in time, and up again when nobody is there."""
    topology = Topology.from_links(
        [{"src": a, "dst": b, "capacity": 1e9} for a, b in (("a", "b"), ("b", "a"))],
        {"a": {"accelerators": 1}, "b": {"accelerators": 1}},
    )
    for times, late in (((1.0, 2.0), 0), ((1.0, 5000.0), 1), ((5000.0, 6000.0), 2)):
        job = TrainingJob(id="j", submit=0.0, accelerators=1.0, iterations=10, compute=1.0, gradient=0.0)
        changes = [(times[0], 0, 0.5e9), (times[1], 0, 1e9)]
        simulation = Simulation(
            topology=topology,
            jobs=[job],
            scheduler=schedulers.get("fifo")(),
            placer=placers.get("pack")(),
            capacity_events=changes,
        )
        said = [f"{late} changes of links came after the end of the run and changed nothing."] if late else []
        assert [note for note in simulation.run().facts["notes"] if "changes of links" in note] == said


def test_changes_of_links_that_nobody_uses_are_said() -> None:
    topology = two_ways()
    links = cable(topology, "left", "far")
    job = TrainingJob(id="x", submit=0.0, accelerators=2.0, iterations=3, compute=1.0, gradient=10.0)
    record = replay([job], Placed({"x": (0, 1)}), topology=topology, link_events=[(2.0, link, False) for link in links])
    assert record.facts["notes"] == [
        "What happened to 2 links changed nothing: nothing was ever sent there (the first is left -> far)."
    ]
