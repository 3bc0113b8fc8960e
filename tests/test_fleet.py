"""Fleets of several kinds of servers: what groups say, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster.builders.fleet import fleet
from simulator.core.errors import InputError
from simulator.testing import replay
from simulator.testing.situations import job


def test_groups_become_servers_in_order() -> None:
    topology = fleet(
        [
            {"count": 2, "accelerators": 4, "accelerator": "v100", "cores": 32, "memory": "256 GiB", "partition": "p"},
            {"name": "old", "accelerators": 8, "accelerator": "k80", "labels": {"zone": "b"}, "taints": ["spot"]},
            {"node": "dgx-h100"},
            {"name": "plain", "accelerators": 0, "memory": 1e9},
        ]
    )
    assert [server.name for server in topology.servers] == ["group-1-0", "group-1-1", "old-0", "group-3-0", "plain-0"]
    first, _, old, dgx, plain = topology.servers
    assert (first.accelerators, first.accelerator, first.cores, first.memory) == (4, "v100", 32.0, 256 * 2.0**30)
    assert (first.partition, old.labels, old.taints) == ("p", (("zone", "b"),), ("spot",))
    assert (dgx.accelerators, dgx.accelerator) == (8, "nvidia/h100-sxm")
    assert (plain.accelerators, plain.memory) == (0, 1e9)
    assert topology.accelerators == 24
    assert topology.name == "fleet of 5 servers, 3 kinds of accelerators"


def test_a_group_says_more_than_the_node_that_it_names() -> None:
    (server,) = fleet([{"node": "dgx-h100", "accelerators": 4, "accelerator": "mine", "cores": 2}]).servers
    assert (server.accelerators, server.accelerator, server.cores) == (4, "mine", 2.0)


def test_jobs_go_where_they_may() -> None:
    kinds = fleet([{"accelerators": 2, "accelerator": name} for name in ("a", "b")])
    jobs = [job("any", 0.0, 1.0, 2.0), job("b", 0.0, 1.0, 2.0, accelerator_types=("b",))]
    replay(jobs, topology=kinds)
    assert jobs[1].placement == ((1, 2.0),)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], "groups: name at least one group of servers, as {count: 4, node: dgx-h100}"),
        ([{"count": 3}], "groups, number 1: say how many accelerators a server has, or which node it is"),
        ([{"acelerators": 3}], "groups, number 1: unknown key 'acelerators'. Did you mean 'accelerators'?"),
        ([7], "groups, number 1: 7 is not a mapping such as {count: 4, node: dgx-h100}"),
        ([{"accelerators": 1, "count": 0}], "groups, number 1: count is 0; it must be a whole number, 1 or more"),
        ([{"accelerators": -1}], "groups, number 1: accelerators is -1; it must be a whole number, 0 or more"),
        ([{"accelerators": 1.5}], "groups, number 1: accelerators is 1.5; it must be a whole number, 0 or more"),
        ([{"accelerators": True}], "groups, number 1: accelerators is True; it must be a whole number, 0 or more"),
        ([{"accelerators": 1, "memory": "2 apples"}], "groups, number 1: memory: '2 apples' has "),
        ([{"node": "dgx-h10"}], "groups, number 1: "),
        (
            [{"accelerators": 1, "name": "x"}, {"accelerators": 1, "name": "x"}],
            "groups, number 2: there is a server 'x-0' already: give the group another name",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_number_of_the_group(groups: list[Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet(groups)
    assert str(caught.value).startswith(message)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        fleet([{"accelerators": 1, "count": 0}, {"accelerators": 1}, {"cores": 3}])
    assert [problem.text.partition(":")[0] for problem in caught.value.problems] == [
        "groups, number 1", "groups, number 3",
    ]  # fmt: skip
