"""Free and used resources, against a plain model that keeps a list of what every job holds."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Server, Topology
from simulator.core.errors import InvariantError
from simulator.workload.jobs import BatchJob

SERVERS = (
    Server("big", 4, "h100", cores=8.0, memory=64.0),
    Server("small", 2, "l40s", cores=4.0, memory=16.0),
    Server("cpu", 0, cores=16.0, memory=32.0),
)
MILLI = 1000


class Model(RuleBasedStateMachine):
    """Jobs take and give back; the model counts devices one by one in exact fractions."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = Allocator(SERVERS)
        self.held: list[tuple[int, float, float, float, int]] = []
        self.up = [True] * len(SERVERS)

    def whole(self, server: int) -> int:
        return sum(int(taken) for where, taken, _, _, device in self.held if where == server and device < 0)

    def shares(self, server: int) -> dict[int, Fraction]:
        """What is taken of each accelerator that shares live on."""
        taken: dict[int, Fraction] = {}
        for where, share, _, _, device in self.held:
            if where == server and device >= 0:
                taken[device] = taken.get(device, Fraction(0)) + Fraction(round(share * MILLI), MILLI)
        return taken

    def free(self, server: int) -> int:
        return SERVERS[server].accelerators - self.whole(server) - len(self.shares(server))

    def cores(self, server: int) -> Fraction:
        return Fraction(SERVERS[server].cores) - sum(
            Fraction(round(c * MILLI), MILLI) for w, _, c, _, _ in self.held if w == server
        )

    def memory(self, server: int) -> float:
        return SERVERS[server].memory - sum(round(m) for where, _, _, m, _ in self.held if where == server)

    def room(self, server: int, accelerators: float, cores: float, memory: float) -> bool:
        if (
            not self.up[server]
            or round(cores * MILLI) > self.cores(server) * MILLI
            or round(memory) > self.memory(server)
        ):
            return False
        if not 0 < accelerators < 1:
            return accelerators <= self.free(server)
        share = Fraction(round(accelerators * MILLI), MILLI)
        return self.free(server) > 0 or any(1 - taken >= share for taken in self.shares(server).values())

    @rule(
        server=st.integers(0, 2),
        accelerators=st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.1, 0.25, 0.5, 1 / 3, 2 / 3, 0.7]),
        cores=st.sampled_from([0.0, 0.1, 0.3, 1.0, 1 / 3, 2.5]),
        memory=st.sampled_from([0.0, 1.0, 10 / 3, 7.0]),
    )
    def take(self, server: int, accelerators: float, cores: float, memory: float) -> None:
        fits = self.room(server, accelerators, cores, memory)
        assert bool(self.nodes.fits(accelerators, cores, memory)[server]) == fits
        if fits:
            device = self.nodes.take(server, accelerators, cores, memory)
            assert (device >= 0) == (0 < accelerators < 1)
            self.held.append((server, accelerators, cores, memory, device))
        else:
            before = self.state()
            with pytest.raises(ValueError, match=f"server '{SERVERS[server].name}'"):
                self.nodes.take(server, accelerators, cores, memory)
            assert self.state() == before

    @rule(server=st.integers(0, 1), share=st.sampled_from([0.1, 0.5, 0.7]), device=st.integers(0, 4))
    def take_of_one_accelerator(self, server: int, share: float, device: int) -> None:
        taken = self.shares(server).get(device, Fraction(0))
        there = device < SERVERS[server].accelerators and self.up[server]
        fits = there and 1 - taken >= Fraction(round(share * MILLI), MILLI) and (taken > 0 or self.free(server) > 0)
        if fits:
            assert self.nodes.take(server, share, device=device) == device
            self.held.append((server, share, 0.0, 0.0, device))
        else:
            before = self.state()
            with pytest.raises(ValueError, match=f"server '{SERVERS[server].name}'"):
                self.nodes.take(server, share, device=device)
            assert self.state() == before

    @rule(wanted=st.integers(1, 5))
    def tightest(self, wanted: int) -> None:
        fitting = [(self.free(i), i) for i in range(3) if self.up[i] and self.free(i) >= wanted]
        assert self.nodes.tightest(float(wanted)) == min(fitting, default=(0, None))[1]

    @rule()
    def look_at_accelerators(self) -> None:
        """What is free on each: what shares leave, and on the others 1,000 or nothing."""
        for server, row in enumerate(self.nodes.device_free.tolist()):
            left = {device: round((1 - taken) * MILLI) for device, taken in self.shares(server).items()}
            assert {device: row[device] for device in left} == left
            others = [row[i] for i in range(SERVERS[server].accelerators) if i not in left]
            assert others == [MILLI] * self.free(server) + [0] * self.whole(server)
            assert not any(row[SERVERS[server].accelerators :])
            assert self.nodes.free[server] * MILLI + self.nodes.beside[server] == sum(row)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        self.nodes.give(*self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @rule(server=st.integers(0, 2), up=st.booleans())
    def set_up(self, server: int, up: bool) -> None:
        self.nodes.set_up(server, up)
        self.up[server] = up

    def state(self) -> tuple:
        nodes = self.nodes
        return (
            nodes.free.tolist(), nodes.free_cores.tolist(), nodes.free_memory.tolist(), nodes.up.tolist(),
            nodes.largest_share.tolist(), list(nodes.jobs), nodes.used, nodes.free_total, nodes.capacity,
        )  # fmt: skip

    @invariant()
    def all_counts_agree(self) -> None:
        partial = [
            max((1 - taken for taken in self.shares(i).values() if taken < 1), default=Fraction(0)) for i in range(3)
        ]
        used = sum(Fraction(round(taken * MILLI), MILLI) for _, taken, _, _, _ in self.held)
        assert self.state() == (
            [self.free(i) for i in range(3)],
            [float(self.cores(i)) for i in range(3)],
            [self.memory(i) for i in range(3)],
            self.up,
            [float(room) for room in partial],
            [sum(where == i for where, *_ in self.held) for i in range(3)],
            float(used),
            sum(self.free(i) for i in range(3) if self.up[i]),
            sum(SERVERS[i].accelerators for i in range(3) if self.up[i]),
        )
        assert all(taken <= 1 for i in range(3) for taken in self.shares(i).values())

    def teardown(self) -> None:
        """Everything given back is exactly everything."""
        for held in self.held:
            self.nodes.give(*held)
        fresh = Allocator(SERVERS)
        assert self.nodes.free_cores.tolist() == fresh.free_cores.tolist()
        assert self.nodes.free_memory.tolist() == fresh.free_memory.tolist()
        assert self.nodes.free.tolist() == fresh.free.tolist()
        assert (self.nodes.used, self.nodes.jobs) == (0.0, [0, 0, 0])


TestModel = Model.TestCase


def test_ten_tenths_of_a_core_are_one_core() -> None:
    """In floats 1 - 10 x 0.1 goes below 0 or leaves crumbs: the tenth job, or the next big one, would wait for ever."""
    nodes = Allocator([Server("a", 0, cores=1.0, memory=1.0)])
    for _ in range(10):
        nodes.take(0, 0.0, 0.1, 0.0)
    with pytest.raises(ValueError, match=r"0\.001 cores wanted on server 'a', 0 free"):
        nodes.take(0, 0.0, 0.001, 0.0)
    for _ in range(10):
        nodes.give(0, 0.0, 0.1, 0.0)
    assert nodes.free_cores.tolist() == [1.0]


def test_three_thirds_fit_on_one_accelerator() -> None:
    nodes = Allocator([Server("a", 1)])
    devices = [nodes.take(0, share) for share in (2 / 3, 1 / 3)]
    assert devices == [0, 0]
    assert (nodes.share_room(0), nodes.used) == (0.0, 1.0)


def test_the_smallest_share_takes_something() -> None:
    """A share that rounds to nothing would take a whole accelerator each time, and give back one that others use."""
    nodes = Allocator([Server("a", 1)])
    assert [nodes.take(0, 1e-6), nodes.take(0, 1e-6)] == [0, 0]
    assert nodes.used == 0.002
    nodes.give(0, 1e-6, device=0)
    assert nodes.free.tolist() == [0]
    nodes.give(0, 1e-6, device=0)
    assert nodes.free.tolist() == [1]


def test_a_share_goes_beside_the_share_that_leaves_it_least_room() -> None:
    nodes = Allocator([Server("a", 3)])
    assert [nodes.take(0, 0.3), nodes.take(0, 0.8), nodes.take(0, 0.2)] == [0, 1, 1]
    assert nodes.share_room(0) == 1.0
    assert nodes.largest_share.tolist() == [0.7]
    nodes.take(0, 1.0)
    assert nodes.share_room(0) == 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5.0), "5 accelerators wanted on server 'big', 4 free"),
        ((0, 1.5), "1.5 accelerators are neither whole nor a share below 1"),
        ((0, -1.0), "-1 accelerators are neither whole nor a share below 1"),
        ((0, 1.0, 9.0), "9 cores wanted on server 'big', 8 free"),
        ((0, 1.0, -1.0), "-1 cores wanted on server 'big', 8 free"),
        ((0, 1.0, math.nan), "nan cores wanted on server 'big', 8 free"),
        ((0, 1.0, 1.0, 65.0), "65 bytes of memory wanted on server 'big', 64 free"),
        ((0, 1.0, 1.0, math.inf), "inf bytes of memory wanted on server 'big', 64 free"),
        ((2, 0.5), "0.5 accelerators wanted on server 'cpu', 0 free"),
        ((1, 1.0), "server 'small' is not up"),
        ((3, 1.0), "there is no server 3; servers are 0 to 2"),
        ((-1, 1.0), "there is no server -1; servers are 0 to 2"),
    ],
)
def test_what_cannot_be_taken_is_said(arguments: tuple, message: str) -> None:
    nodes = Allocator(SERVERS)
    nodes.set_up(1, False)
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        nodes.take(*arguments)


def test_giving_back_too_much_is_noticed() -> None:
    for held in ((0, 1.0), (0, 0.0, 1.0), (0, 0.0, 0.0, 1.0)):
        with pytest.raises(InvariantError, match="server 'big' got back more"):
            Allocator(SERVERS).give(*held)
    nodes = Allocator(SERVERS)
    device = nodes.take(0, 0.5)
    with pytest.raises(InvariantError, match="server 'big' got back more of a share than it gave"):
        nodes.give(0, 0.7, device=device)


def test_a_server_that_is_down_gets_back_but_does_not_take() -> None:
    nodes = Allocator(SERVERS)
    nodes.take(0, 3.0)
    nodes.set_up(0, False)
    nodes.set_up(0, False)
    assert (nodes.free_total, nodes.capacity, nodes.fits(1.0).tolist()) == (2, 2, [False, True, False])
    nodes.give(0, 3.0)
    assert (nodes.free_total, nodes.free.tolist()) == (2, [4, 2, 0])
    nodes.set_up(0, True)
    assert (nodes.free_total, nodes.capacity) == (6, 6)


def test_types_must_match() -> None:
    nodes = Allocator(SERVERS)
    assert nodes.fits(1.0, types=("l40s",)).tolist() == [False, True, False]
    assert nodes.fits(1.0, types=("l40s", "h100")).tolist() == [True, True, False]
    assert nodes.eligible(types=("a100",)).tolist() == [False] * 3


ROOMS = (
    Server("a", 8, "h100", partition="gpu, debug", labels={"zone": "x", "disk": "ssd"}),  # type: ignore[arg-type]
    Server("b", 8, "h100", partition="gpu", labels="zone=y", taints="spot, maintenance"),  # type: ignore[arg-type]
    Server("c", 4, "l40s", partition="debug", taints=("spot",)),
    Server("d", 0),
)


def asks(accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, **more)


@pytest.mark.parametrize(
    ("wants", "servers"),
    [
        ({}, "a"),
        ({"tolerations": ("spot",)}, "ac"),
        ({"tolerations": ("spot", "maintenance")}, "abc"),
        ({"tolerations": ("*",)}, "abc"),
        ({"tolerations": ("*",), "partition": "debug"}, "ac"),
        ({"tolerations": ("*",), "partition": "none"}, ""),
        ({"tolerations": ("*",), "accelerator_types": ("l40s", "a100")}, "c"),
        ({"tolerations": ("*",), "selector": (("zone", "y"),)}, "b"),
        ({"selector": (("disk", "ssd"), ("zone", "x"))}, "a"),
        ({"selector": (("disk", "ssd"), ("zone", "y"))}, ""),
        ({"accelerators": 0.0}, "ad"),
        ({"accelerators": 5.0, "tolerations": ("*",)}, "ab"),
        ({"cores": 1.0}, "a"),
    ],
)
def test_partitions_labels_and_taints_say_who_may_go_where(wants: dict[str, Any], servers: str) -> None:
    nodes, job = Allocator(ROOMS), asks(**wants)
    fitting = "".join(ROOMS[i].name for i in np.flatnonzero(nodes.fits_for(job)))
    assert fitting == servers
    assert nodes.could_hold_for(job) is bool(servers)
    for index in np.flatnonzero(~nodes.allowed(job)):
        assert f"server '{ROOMS[index].name}'" in nodes.constraints.refusal(int(index), job)
    assert all(nodes.constraints.refusal(int(index), job) == "" for index in np.flatnonzero(nodes.allowed(job)))


@pytest.mark.parametrize(
    ("server", "wants", "said"),
    [
        (2, {"accelerator_types": ("h100", "a100")}, "server 'c' has accelerators 'l40s', it wants 'h100' or 'a100'"),
        (1, {"partition": "debug"}, "server 'b' is in partition 'gpu', it wants 'debug'"),
        (1, {"selector": (("zone", "x"),)}, "server 'b' has no label 'zone=x'"),
        (1, {"tolerations": ("spot",)}, "server 'b' has the taint 'maintenance', which it does not tolerate"),
        (0, {"tenant": "blue"}, "server 'a' is reserved for 'red', it is of 'blue'"),
        (0, {"tenant": "red"}, ""),
    ],
)
def test_who_may_not_go_somewhere_is_told_why(server: int, wants: dict[str, Any], said: str) -> None:
    nodes = Allocator(ROOMS)
    nodes.reserve([0], "red")
    assert nodes.constraints.refusal(server, asks(**wants)) == said


def test_a_cluster_without_partitions_or_labels_takes_jobs_that_name_some() -> None:
    nodes = Allocator([Server("a", 8), Server("b", 4, taints=("spot",))])
    job = asks(partition="gpu", selector=(("zone", "x"),))
    assert nodes.fits_for(job).tolist() == [True, False]
    assert nodes.could_hold_for(job)
    assert Allocator([Server("a", 8)]).open_to(job)


def test_a_reserved_server_takes_the_jobs_of_its_tenant_only() -> None:
    nodes = Allocator([Server(name, 8) for name in "abc"])
    nodes.reserve([0, 1], "red")
    nodes.reserve([1], "blue")
    assert nodes.fits_for(asks(tenant="red")).tolist() == [True, False, True]
    assert nodes.fits_for(asks(tenant="blue")).tolist() == [False, True, True]
    assert nodes.fits_for(asks()).tolist() == [False, False, True]
    assert nodes.could_hold_for(asks(24.0)), "a booking does not last"
    assert not nodes.open_to(asks())
    nodes.release_reserve([0, 1, 2])
    assert nodes.fits_for(asks()).tolist() == [True, True, True]
    assert nodes.reserved.tolist() == [-1, -1, -1]
    assert nodes.open_to(asks())


def test_could_hold_another_number_with_what_goes_with_it() -> None:
    nodes = Allocator([Server("a", 8, cores=8.0)])
    elastic = asks(8.0, cores=16.0)
    assert not nodes.could_hold_for(elastic)
    assert nodes.could_hold_for(elastic, 4.0)
    assert not nodes.could_hold_for(elastic, 5.0)


def test_accelerators_are_counted_by_type() -> None:
    nodes = Allocator(ROOMS)
    assert nodes.capacity_by_type == {"h100": 16, "l40s": 4, "": 0}
    nodes.set_up(0, False)
    nodes.set_up(2, False)
    assert nodes.capacity_by_type == {"h100": 8, "l40s": 0, "": 0}


def test_a_share_may_choose_its_accelerator() -> None:
    nodes = Allocator([Server("a", 3)])
    assert [nodes.take(0, 0.5, device=2), nodes.take(0, 0.5), nodes.take(0, 0.2, device=0)] == [2, 2, 0]
    assert nodes.device_free.tolist() == [[800, 1000, 0]]
    nodes.take(0, 1.0)
    assert nodes.device_free.tolist() == [[800, 0, 0]]
    for device, said in (
        (3, "server 'a' has no accelerator 3, it has 3"),
        (1, "of accelerator 1 of server 'a', 0 free"),
    ):
        with pytest.raises(ValueError, match=said):
            nodes.take(0, 0.3, device=device)
    nodes.give(0, 0.2, device=0)
    assert nodes.device_free.tolist() == [[1000, 0, 0]]


def test_servers_with_labels_can_be_hashed_and_pickled() -> None:
    assert len({*ROOMS, *pickle.loads(pickle.dumps(ROOMS))}) == 4
    assert ROOMS[0].labels == (("disk", "ssd"), ("zone", "x"))
    assert ROOMS[1].taints == ("spot", "maintenance")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("zone", "label 'zone' is not name=value"),
        ("a=1, a=2", "label 'a' stands there twice"),
        ([("a", "b", "c")], r"labels \[\('a', 'b', 'c'\)\] are not names with values"),
        (7, "labels 7 are not names with values"),
    ],
)
def test_what_is_wrong_with_labels_is_said(labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Server("a", 1, labels=labels)


def test_labels_of_a_graph_survive() -> None:
    fields = {"accelerators": 8, "labels": {"zone": "x"}, "taints": ["spot"], "partition": "gpu"}
    topology = Topology.from_links([], {"a": fields})
    assert topology.servers[0] == Server("a", 8, labels=(("zone", "x"),), taints=("spot",), partition="gpu")
    again = Topology.from_networkx(topology.graph)
    assert again.servers == topology.servers


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ((6, 0, 0), True),
        ((7, 0, 0), False),
        ((6, 12, 0), True),  # two cores with each accelerator: 4 on the big server, 2 on the small one
        ((6, 13, 0), False),
        ((6, 0, 48), True),
        ((6, 0, 50), False),
        ((4, 0, 0, ("l40s",)), False),
        ((2, 0, 0, ("l40s",)), True),
        ((6, 0, 0, (), 1), False),
        ((6, 0, 0, (), 2), True),
        ((4, 8, 64, (), 1), True),
        ((0.5, 0, 0), True),
        ((0.5, 9, 0), False),
        ((0, 16, 32), True),
        ((0, 17, 0), False),
        ((3, 0.3, 0), True),
    ],
)
def test_what_empty_servers_could_hold(wanted: tuple, holds: bool) -> None:
    nodes = Allocator(SERVERS)
    nodes.take(0, 4.0)
    nodes.set_up(1, False)
    assert nodes.could_hold(*wanted) is holds


def test_plain_is_when_only_accelerators_count() -> None:
    assert Allocator([Server("a", 8)]).plain
    assert not Allocator(SERVERS).plain
    assert len(Allocator(SERVERS)) == 3


def test_arrays_have_one_entry_a_server() -> None:
    nodes = Allocator(SERVERS)
    for array in (
        nodes.total,
        nodes.free,
        nodes.free_cores,
        nodes.free_memory,
        nodes.up,
        nodes.largest_share,
        nodes.types,
    ):
        assert array.shape == (3,)
    assert nodes.fits(1.0).dtype == np.bool_
