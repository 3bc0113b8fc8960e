"""Cluster Autoscaler in the situations of its own test suites: numbers of kubernetes/autoscaler, cluster-autoscaler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from node_world import DRAINING, READY, Node, World, runs, waits

from simulator.policies.nodes.backoff import Backoff
from simulator.policies.nodes.census import utilisation
from simulator.policies.scaling.cluster_autoscaler import ClusterAutoscaler
from simulator.policies.supply import GroupView, Grow, Remove, Resident, Unplaced

OTHER = 1e8
"""Millicores that make a node too well used to be looked at, beside the room that it has."""


def group(name: str, millicores: float, **more: Any) -> GroupView:
    return GroupView(name, cores=millicores / 1000, maximum=200, **more)


def pod(name: str, millicores: float, **more: Any) -> Resident:
    return runs(name, cores=millicores / 1000, **more)


# -- which nodes are unneeded ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "pods", "going", "eligible", "unneeded"),
    [
        pytest.param([1000] * 3, [], {}, [0, 1, 2], [0, 1, 2], id="all empty"),
        pytest.param([1000] * 3, [], {}, [0, 1], [0, 1], id="empty, some eligible"),
        pytest.param([1000] * 3, [], {}, [], [], id="empty, none eligible"),
        pytest.param([1000] * 2, [(499, 0), (499, 0)], {1: []}, [0], [], id="not onto a node that goes"),
        pytest.param([1000] * 2, [(499, 0), (499, 0)], {}, [0], [0], id="onto a node that is not eligible"),
        pytest.param([2000, 1000, 500], [(999, 0), (999, 0), (999, 1)], {}, [0, 1], [], id="nowhere"),
        pytest.param([1000, 1000, 2000], [(499, 0), (499, 0), (499, 1), (499, 1)], {}, [0, 1], [0, 1], id="all of two"),
        pytest.param([2000, 1000, 1000], [(999, 0), (999, 0), (499, 1), (499, 1)], {}, [0, 1], [1], id="those of one"),
        pytest.param([1000, 1000, 500], [(499, 0), (499, 0), (499, 1), (499, 1)], {}, [0, 1], [], id="those of none"),
        pytest.param([1000, 2000], [], {1: [500]}, [0], [], id="evicted of late"),
        pytest.param([1000] * 3, [], {2: [500]}, [0], [0], id="evicted, onto one that is not eligible"),
        pytest.param([1000] * 3, [], {2: [500]}, [0, 1], [0], id="evicted, onto one that is eligible"),
        pytest.param([1000, 1000, 2000], [], {2: [2000]}, [0, 1], [0, 1], id="evicted, too large for any"),
        pytest.param([1000, 1000, 2000], [], {2: [1000]}, [0, 1], [0], id="one of two evicted ones is back"),
        pytest.param([1000, 1000, 2000], [], {2: [1000, 1000]}, [0, 1], [], id="no evicted one is back"),
        pytest.param([1000] * 3 + [2000], [(250, 0)], {3: [250, 250]}, [0, 1], [0, 1], id="all elsewhere"),
        pytest.param([1000] * 3 + [2000], [(999, 0)], {3: [1000, 1000]}, [0, 1], [], id="all room is taken"),
    ],
)
def test_unneeded_nodes(
    sizes: Sequence[float],
    pods: Sequence[tuple[float, int]],
    going: Mapping[int, Sequence[float]],
    eligible: Sequence[int],
    unneeded: Sequence[int],
) -> None:
    """core/scaledown/planner/planner_test.go, ``TestUpdateClusterState``."""
    known = [at in eligible or at in going for at in range(len(sizes))]
    groups = [group(f"g{at}", size + (0 if known[at] else OTHER)) for at, size in enumerate(sizes)]
    nodes = []
    for at in range(len(sizes)):
        held = [pod(f"p{place}", size) for place, (size, where) in enumerate(pods) if where == at]
        held += [pod(f"e{place}", size) for place, size in enumerate(going.get(at, ()))]
        held += [] if known[at] else [pod("other", OTHER, movable=False)]
        nodes.append(Node(at, at, DRAINING if at in going else READY, tuple(held)))
    scaler = ClusterAutoscaler(
        scale_down_utilization_threshold=0.9995, scale_down_unneeded_time=0.0, max_drain_parallelism=10
    )
    scaler.step(0.0, World(groups, nodes).seen())
    gone: list[int] = []
    for action in scaler.step(1.0, World(groups, nodes).seen()):
        assert isinstance(action, Remove)
        gone += action.servers
    assert sorted(gone) == unneeded


@pytest.mark.parametrize(
    ("had", "interval", "unneeded_time", "unneeded"),
    [(0, 10, 60, 20), (3, 10, 60, 23), (70, 10, 60, 70), (0, 10, 0, 20), (13, 1, 60, 33), (13, 30, 60, 30)],
)
def test_not_all_unneeded_nodes_are_looked_for(had: int, interval: float, unneeded_time: float, unneeded: int) -> None:
    """core/scaledown/planner/planner_test.go, ``TestUpdateClusterStatUnneededNodesLimit``."""
    idle = World([group("ng", 1000, minimum=100)], [Node(at, 0, READY) for at in range(100)])
    busy = World(idle.groups, [replace(node, residents=(pod("p", 900),)) for node in idle.nodes])
    scaler = ClusterAutoscaler(interval=interval, scale_down_unneeded_time=unneeded_time)
    for wanted in range(7, had + 7, 7):
        few = [*idle.nodes[: min(wanted, had)], *busy.nodes[min(wanted, had) :]]
        scaler.step(0.0, World(idle.groups, few).seen())
    scaler.step(1.0, idle.seen())
    assert sum(not scaler.explain(server).startswith("not looked at") for server in range(100)) == unneeded


@pytest.mark.parametrize(
    ("empty", "loaded", "target", "gone"),
    [
        pytest.param(3, 2, 10, (3, 2), id="the minimum is far"),
        pytest.param(3, 5, 10, (3, 4), id="it is reached by those with pods"),
        pytest.param(3, 0, 5, (2, 0), id="it is reached by empty ones"),
    ],
)
def test_removable_nodes(empty: int, loaded: int, target: int, gone: tuple[int, int]) -> None:
    """core/scaledown/unneeded/nodes_test.go, ``TestRemovableAt``: two of the nodes of the group go already."""
    nodes = _nodes(empty, loaded, 0, 2)
    nodes += [Node(300 + at, 0, READY, (pod(f"f{at}", 900),)) for at in range(target - len(nodes))]
    world = World([group("ng", 1000, minimum=1)], nodes)
    assert _removed(world, max_drain_parallelism=100, max_scale_down_parallelism=100) == gone


def _nodes(empty: int, loaded: int, going: int, drained: int) -> list[Node]:
    return [
        *[Node(at, 0, READY) for at in range(empty)],
        *[Node(100 + at, 0, READY, (pod(f"p{at}", 1),)) for at in range(loaded)],
        *[Node(200 + at, 0, DRAINING) for at in range(going)],
        *[Node(250 + at, 0, DRAINING, (pod(f"q{at}", 1),)) for at in range(drained)],
    ]


def _removed(world: World, **more: Any) -> tuple[int, int]:
    """Empty nodes that go at a time, and others, when all of them have been unneeded for long."""
    scaler = ClusterAutoscaler(scale_down_unneeded_time=50.0, **more)
    actions: list[Any] = []
    for now in range(0, 70, 10):
        actions = actions or scaler.step(float(now), world.seen())
    counts = [sum(len(one.servers) for one in actions if (one.rule == "empty") == empty) for empty in (True, False)]
    return counts[0], counts[1]


@pytest.mark.parametrize(
    ("going", "drained", "empty", "loaded", "gone"),
    [
        (0, 0, 0, 0, (0, 0)), (0, 0, 10, 0, (10, 0)), (0, 0, 11, 0, (10, 0)), (1, 1, 8, 0, (8, 0)),
        (1, 1, 10, 0, (8, 0)), (5, 5, 10, 0, (0, 0)), (50, 50, 10, 0, (0, 0)), (0, 0, 0, 5, (0, 5)),
        (0, 0, 0, 6, (0, 5)), (1, 2, 0, 3, (0, 3)), (1, 2, 0, 5, (0, 3)), (1, 5, 0, 5, (0, 0)), (1, 50, 0, 5, (0, 0)),
        (7, 1, 0, 4, (0, 2)), (10, 0, 0, 4, (0, 0)), (50, 0, 0, 4, (0, 0)), (0, 0, 5, 5, (5, 5)), (0, 0, 8, 8, (8, 2)),
        (0, 0, 2, 8, (2, 5)), (10, 0, 5, 5, (0, 0)), (50, 0, 5, 5, (0, 0)), (0, 5, 5, 5, (5, 0)), (0, 9, 5, 5, (1, 0)),
        (5, 3, 5, 2, (2, 0)), (5, 3, 1, 2, (1, 1)), (1, 3, 4, 5, (4, 2)),
    ],
)  # fmt: skip
def test_how_many_go_at_a_time(going: int, drained: int, empty: int, loaded: int, gone: tuple[int, int]) -> None:
    """core/scaledown/budgets/budgets_test.go, ``TestCropNodesToBudgets``, without groups that go as a whole."""
    nodes = _nodes(empty, loaded, going, drained)
    nodes += [Node(400 + at, 0, READY, (pod(f"f{at}", 600),)) for at in range(3)]
    world = World([group("ng", 1000)], nodes)
    assert _removed(world, max_drain_parallelism=5, max_scale_down_parallelism=10) == gone


# -- how many are bought, and of which group -------------------------------------------------------------------------


def bought(groups: Sequence[GroupView], pending: Sequence[Unplaced], nodes: Sequence[Node] = (), **more: Any) -> Any:
    (action,) = ClusterAutoscaler(**more).step(0.0, World(groups, list(nodes), pending).seen())
    assert isinstance(action, Grow)
    return groups[action.group].name, action.count, int(action.inputs["jobs"])


def pods(count: int, millicores: float, memory: float = 0.0) -> list[Unplaced]:
    return [waits(f"j{millicores}-{at}", cores=millicores / 1000, memory=memory) for at in range(count)]


@pytest.mark.parametrize(
    ("millicores", "memory", "pending", "most", "nodes"),
    [
        (1000, 2000.0, pods(10, 350, 1000.0), 1000, (5, 10)),
        (1000, 5000.0, pods(20, 500, 1000.0), 5, (5, 10)),
        (1000, 5000.0, [*pods(10, 50, 1000.0), *pods(10, 500, 1000.0)], 5, (5, 10)),  # the large ones go first
    ],
)
def test_estimates(millicores: float, memory: float, pending: Any, most: int, nodes: tuple[int, int]) -> None:
    """estimator/binpacking_estimator_test.go, ``TestBinpackingEstimate``, as far as it is about cores and memory."""
    assert bought([group("t", millicores, memory=memory)], pending, max_nodes_per_scaleup=most)[1:] == nodes


MEMORY = 1000.0 * 2**20
BALANCED, HIGH, LOW = (
    GroupView("balanced", cores=8.0, memory=16 * MEMORY, maximum=2),
    GroupView("highmem", cores=8.0, memory=32 * MEMORY, maximum=2),
    GroupView("lowcpu", cores=4.0, memory=16 * MEMORY, maximum=2),
)
MICRO, LARGE2, LARGE3, XLARGE = (
    GroupView(f"my-asg.{name}", cores=8.0, memory=1e12) for name in ("t2.micro", "t2.large", "t3.large", "m4.4xlarge")
)
WANTED = ("*m4.4xlarge*", "*t[23].large*", "*t2.micro*")


@pytest.mark.parametrize(
    ("groups", "more", "names"),
    [
        ([BALANCED], {}, ["balanced"]),
        ([BALANCED, HIGH], {}, ["balanced"]),
        ([BALANCED, HIGH, LOW], {}, ["lowcpu"]),
        ([LARGE2], {"priorities": WANTED}, [LARGE2.name]),
        ([LARGE2, XLARGE], {"priorities": WANTED}, [XLARGE.name]),
        ([LARGE2, MICRO], {"priorities": ["*t2.large*", "*"]}, [LARGE2.name]),
        ([LARGE2, LARGE3, MICRO], {"priorities": WANTED}, [LARGE2.name, LARGE3.name]),
        ([LARGE2, LARGE3], {"priorities": ["*t4*"]}, [LARGE2.name, LARGE3.name]),
        ([LARGE2, LARGE3, XLARGE], {"priorities": ["*t2.large*"]}, [LARGE2.name]),
    ],
)
def test_expanders(groups: list[GroupView], more: dict[str, Any], names: list[str]) -> None:
    """expander/waste/waste_test.go and expander/priority/priority_test.go; ties are broken at random."""
    pending = pods(1, 500, MEMORY)
    expander = "priority" if more else "least-waste"
    got = {bought(groups, pending, expander=expander, seed=seed, **more)[0] for seed in range(20)}
    assert sorted(got) == sorted(names)


def test_pods_that_fit_no_group_do_not_hold_up_others() -> None:
    """core/scaleup/orchestrator/orchestrator_test.go, ``TestScaleUpOK`` and ``TestMixedScaleUp``."""
    small, large = group("ng1", 100, memory=1000.0), group("ng2", 1000, memory=100.0)
    nodes = [Node(0, 0, READY, (pod("p1", 80),)), Node(1, 1, READY, (pod("p2", 800),))]
    assert bought([small, large], pods(1, 500), nodes) == ("ng2", 1, 1)
    pending = [*pods(1, 900), *pods(1, 2000), waits("a", memory=200.0)]
    assert bought([small, large], pending, nodes, expander="priority", priorities=["ng2"]) == ("ng2", 1, 1)


def test_pauses_of_groups() -> None:
    """utils/backoff/exponential_backoff_test.go, ``TestBackoffTwoKeys`` and ``TestMaxBackoff``."""
    pauses = Backoff(600.0, 3600.0, 10800.0)
    pauses.fail("1", 60.0)
    assert [pauses.until("1") > 120.0, pauses.until("2") > 0.0, pauses.until("1") > 660.0] == [True, False, False]
    pauses = Backoff(60.0, 180.0, 10800.0)
    for failed, over in ((0.0, 60.0), (60.0, 180.0), (180.0, 360.0)):
        pauses.fail("1", failed)
        assert failed < pauses.until("1") <= over


@pytest.mark.parametrize(("accelerators", "held", "share"), [(0.0, 0.0, 0.2), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)])
def test_utilisation(accelerators: float, held: float, share: float) -> None:
    """simulator/utilization/info_test.go, ``TestCalculate``: where there are accelerators they alone count."""
    size = GroupView("n", accelerators=accelerators, cores=2.0, memory=2e6)
    held_by = (pod("a", 100, memory=2e5), pod("b", 100, memory=2e5), runs("g", held))
    nodes = World([size], [Node(0, 0, READY, held_by)]).seen().nodes
    assert nodes is not None
    assert float(utilisation(nodes, np.array([accelerators > 0]))[0]) == pytest.approx(share)
