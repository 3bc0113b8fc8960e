"""What every placement policy must do."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies.api import Placer, placers
from simulator.runtime.checks import checked
from simulator.testing.running import made, run, run_all, told
from simulator.testing.situations import clusters, crowd, job, placements
from simulator.workload.jobs import BatchJob, Placement


def check_placer(placer: Any) -> None:
    """Put a placement policy (a name, an object or a class) through everything that ``PlacerContract`` promises.

    >>> check_placer("pack")
    """

    class Given(PlacerContract):
        def make(self) -> Any:
            return placer

    run_all(Given())


class PlacerContract:
    """What every placement policy must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the placement policy: a name, an object or a class."""
        raise NotImplementedError("return your placement policy from make()")

    def test_places_only_where_there_is_room(self) -> None:
        """Every placement adds up to the job, on servers that are up, of a right type, and have what it takes."""
        for topology in clusters():
            for each, nodes in placements(topology):
                placement = _placed(self._placer(), each, nodes, topology)
                refusal = next(
                    (said for server, _ in placement or () if (said := nodes.constraints.refusal(server, each))), ""
                )
                assert not refusal, (
                    f"{_shown(each)} is placed on {placement!r}: {refusal}. Most likely nodes.fits is asked, which "
                    "knows types only; nodes.fits_for(job) and policies.gang.room_for count partitions, labels, "
                    "taints and bookings too"
                )

    def test_finds_the_room_that_there_is(self) -> None:
        """None means that the job does not fit: one server that could take all of it is always found."""
        for topology in clusters():
            for each, nodes in placements(topology):
                if _placed(self._placer(), each, nodes, topology) is None:
                    room = np.flatnonzero(nodes.fits_for(each))
                    assert not len(room), (
                        f"no place for {_shown(each)}, though server {int(room[0])} alone could take it. Most likely a "
                        "comparison is off by one, or a server that is partly used is passed over"
                    )

    def test_chooses_accelerators_that_are_there(self) -> None:
        """``device``, if there is one, names an accelerator of the server, or -1 for any; asking changes nothing."""
        for topology in clusters():
            for each, nodes in placements(topology):
                placer = _begun(self._placer())
                placement = placer.place(each, nodes, topology)
                if not placement or not 0 < each.accelerators < 1:
                    continue
                server, before = placement[0][0], _state(nodes)
                device = _chosen(placer, each, server, nodes)
                whole = hasattr(device, "__index__") and not isinstance(device, bool)
                assert whole and -1 <= device < nodes.total[server], (  # noqa: PT018
                    f"device is {device!r} on a server of {nodes.total[server]} accelerators; it must be -1 for any, "
                    "or the number of one, from 0"
                )
                assert before == _state(nodes), "device changed the servers; the engine takes what it names"

    def test_fills_an_empty_cluster(self) -> None:
        """A job as large as the cluster finds its place in it."""
        for topology in clusters():
            nodes = Allocator(topology.servers)
            everything = job("all", 0.0, 1.0, float(nodes.capacity), tolerations=("*",))
            assert _placed(self._placer(), everything, nodes, topology) is not None, (
                f"no place for a job of all {nodes.capacity} accelerators of an empty cluster. Most likely a gang is "
                "never split over servers"
            )

    def test_gives_the_same_place_again(self) -> None:
        """The same situation leads to the same placement, whatever was asked before."""
        used = self._placer()
        for topology in clusters():
            for each, nodes in placements(topology):
                first, again = (_placed(_begun(placer), each, nodes, topology) for placer in (used, self._placer()))
                assert first == again, (
                    f"{_shown(each)} is placed on {first} by an object that was used before, on {again} by a fresh "
                    "one. Most likely it remembers earlier jobs, or another topology, or draws random numbers from "
                    "elsewhere than the generator given to reset(rng)"
                )

    def test_changes_nothing(self) -> None:
        """Looking for a place takes nothing."""
        for topology in clusters():
            for each, nodes in placements(topology):
                before = _state(nodes)
                self._placer().place(each, nodes, topology)
                assert before == _state(nodes), "place changed the servers; the engine takes what a placement names"

    def test_carries_a_whole_run(self) -> None:
        """Under a strict scheduler all jobs find their place in time."""
        for topology in clusters():
            jobs = crowd(40, largest=6)
            told(partial(run, jobs, "fifo", topology, self.make()))
            left = [each.id for each in jobs if math.isnan(each.end)]
            assert not left, f"{len(left)} jobs that fit into the empty cluster were never placed, {left[0]!r} for one"

    def _placer(self) -> Placer:
        placer: Placer = made(self.make(), placers)
        return placer


def _placed(placer: Placer, each: BatchJob, nodes: Allocator, topology: Topology) -> Placement | None:
    """Ask for a place, and see that it is one."""
    placement = placer.place(each, nodes, topology)
    if placement is None:
        return None
    taken: list[tuple[int, float, float, float, int]] = []
    try:
        for server, part in checked(each, placement, nodes):
            share = part / each.accelerators if each.accelerators else 1.0
            wanted = (server, part, each.cores * share, each.memory * share)
            taken.append((*wanted, nodes.take(*wanted, _chosen(placer, each, server, nodes))))
    except ValueError as error:
        raise AssertionError(
            f"{_shown(each)} is placed on {placement!r}: {error}. Most likely nodes.free is not looked at, or not "
            "nodes.up, cores, memory, types, labels, taints or bookings; nodes.fits_for(job) and "
            "policies.gang.room_for count them all"
        ) from error
    for part_taken in taken:
        nodes.give(*part_taken)
    return placement


def _begun(placer: Placer) -> Placer:
    """Begin a run with a placement policy, as the engine does."""
    reset = getattr(placer, "reset", None)
    if callable(reset):
        reset(stream(0, "placement"))
    return placer


def _chosen(placer: Placer, each: BatchJob, server: int, nodes: Allocator) -> int:
    """Accelerator that the policy chooses for a share; -1 where it does not choose."""
    device = getattr(placer, "device", None)
    return device(each, server, nodes) if callable(device) and 0 < each.accelerators < 1 else -1


def _state(nodes: Allocator) -> tuple[Any, ...]:
    arrays = (nodes.free, nodes.free_cores, nodes.free_memory, nodes.up, nodes.largest_share, nodes.reserved)
    return (*(array.tolist() for array in arrays), nodes.used)


def _shown(each: BatchJob) -> str:
    wants = f"{each.accelerators:g} accelerators, {each.cores:g} cores, {each.memory:g} B"
    types = f", of type {'/'.join(each.accelerator_types)}" * bool(each.accelerator_types)
    return f"a job of {wants}{types}{f', on at most {each.max_servers} servers' * bool(each.max_servers)}"
