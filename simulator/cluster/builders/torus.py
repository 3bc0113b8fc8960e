"""The torus of chips."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import product

from simulator.cluster import catalog, records
from simulator.cluster.builders import builders
from simulator.cluster.parts import MOST_SERVERS, Plan, room, within
from simulator.cluster.topology import ICI, Topology
from simulator.core.errors import InputError

_CUBE = 4
"""Side of the block that the optical switches of a TPU v4 pod join: 64 chips, one rack."""
_FULL = 16
"""Side of a TPU v5e pod: the only one of its slices that wraps."""
Place = tuple[int, ...]


@builders.register("torus")
def torus(
    sides: list[int],
    node: str = "tpu-v5e-host",
    link: str | None = None,
    wrap: list[bool] | None = None,
    network: str = "ethernet-100g-tcp",
) -> Topology:
    """Chips wired to their neighbours in 2 or 3 dimensions, as TPU pods and slices are, ``sides`` chips long.

    Links of the kind ``link`` (default: the chip's own, as tpu-v5e-ici) join accelerators, each of which forwards for
    others; no link leads from a chip to its host. A host holds a block of neighbouring chips (2 x 4 on TPU v5e, 2 x 2 x
    1 on v4), and where the catalog knows cards of it, these lead to one data-centre switch, the provider's, by links of
    the kind ``network``. Servers are numbered so that the first half of them is the half of the torus with the fewest
    links to the other.

    ``wrap`` says for each side whether its ends are joined. By default, as Google builds them: in two dimensions a side
    of 16 (a whole TPU v5e pod is 16 x 16; smaller slices are meshes), in three one of a multiple of 4 (slices of v4 are
    made of cubes of 4 x 4 x 4, joined by optical switches). A side of 2 has no second link to the same neighbour.
    Sources: docs.cloud.google.com/tpu, jax-ml/scaling-book.
    """
    plan = Plan(node, network)
    chip = _chip(plan, sides)
    block = _block(plan, sides)
    wraps = _wraps(sides, wrap)
    wire = catalog.link(link or f"{chip.short}-ici")
    chips = math.prod(sides)
    room(2 * chips * len(sides))
    count = sum(2 if side > 2 else side - 1 for side in sides)
    places = _add_hosts(plan, sides, block, _order(sides, wraps), wire.goodput * count)
    for place, name in places.items():
        for dimension, side in enumerate(sides):
            last = place[dimension] + 1 == side
            if not last or (wraps[dimension] and side > 2):
                other = (*place[:dimension], (place[dimension] + 1) % side, *place[dimension + 1 :])
                plan.lay(name, places[other], wire.goodput, wire.latency or wire.end_latency, wire.id, tier=ICI)
    shape = " x ".join(f"{side}{'' if wrapped else ' open'}" for side, wrapped in zip(sides, wraps, strict=True))
    return Topology(plan.graph, f"torus {shape}, {chips} x {chip.short}, {wire.short}")


def _chip(plan: Plan, sides: Sequence[int]) -> records.Accelerator:
    """Return the chip, whose fabric must be a torus with as many dimensions as there are sides, and hold them all."""
    chip = plan.accelerator
    fabric = "" if chip is None else chip.scale_up
    found = re.search(r"(\d)D (torus|mesh)", fabric)
    if chip is None or found is None:
        have = f"accelerators with {fabric}" if fabric else "no accelerators with a fabric of their own"
        raise InputError(
            f"servers {plan.node.id!r} have {have}: a torus is made of hosts such as 'google/tpu-v5e-host' (2 sides) "
            "or 'google/tpu-v4-host' (3 sides)"
        )
    for number, side in enumerate(sides):
        if isinstance(side, bool) or not isinstance(side, int):
            raise InputError(f"sides[{number}] is {side!r}; it must be a whole number")
        within(f"sides[{number}]", side, 1, MOST_SERVERS)
    if len(sides) != int(found[1]):
        raise InputError(
            f"sides are {_shape(sides)}; {chip.id} is wired in {found[1]} dimensions: give {found[1]} sides"
        )
    if math.prod(sides) > chip.scale_up_domain:
        most = f"at most {chip.scale_up_domain:,} {chip.id} are joined"
        raise InputError(f"sides {_shape(sides)} are {math.prod(sides):,} chips; {most}")
    return chip


def _block(plan: Plan, sides: Sequence[int]) -> Place:
    """Return the shape of the chips of one host: of those that fill the torus the nearest to a cube."""
    chips = plan.node.accelerators
    shapes = [shape for shape in product(range(1, chips + 1), repeat=len(sides)) if math.prod(shape) == chips]
    shapes.sort(key=lambda shape: (sum(shape), shape[::-1]))
    for shape in shapes:
        if all(side % part == 0 for side, part in zip(sides, shape, strict=True)):
            return shape
    compact = [shape for shape in shapes if sum(shape) == sum(shapes[0])]
    filled = ([part * max(1, round(side / part)) for side, part in zip(sides, shape, strict=True)] for shape in compact)
    close = min(filled, key=lambda new: (sum(abs(a - b) for a, b in zip(new, sides, strict=True)), new))
    raise InputError(
        f"sides {_shape(sides)} are {math.prod(sides)} chips, which hosts {plan.node.id!r} with a block of {chips} "
        f"({_shape(shapes[0])}) do not fill; nearest: {_shape(close)}"
    )


def _wraps(sides: Sequence[int], wrap: Sequence[bool] | None) -> list[bool]:
    if wrap is None:
        return [side == _FULL if len(sides) == 2 else side % _CUBE == 0 for side in sides]
    if len(wrap) != len(sides) or not all(isinstance(each, bool) for each in wrap):
        raise InputError(f"wrap is {list(wrap)}; it must be true or false for each of the {len(sides)} sides")
    return list(wrap)


def _order(sides: Sequence[int], wraps: Sequence[bool]) -> list[int]:
    """Dimensions from the one with the fewest links across its middle to the one with the most."""
    cuts = [(2 if wrapped and side > 2 else 1) / side for side, wrapped in zip(sides, wraps, strict=True)]
    return sorted(range(len(sides)), key=lambda dimension: (cuts[dimension], dimension))


def _add_hosts(plan: Plan, sides: Sequence[int], block: Place, order: Sequence[int], nic: float) -> dict[Place, str]:
    """Add hosts and chips; return the name of the chip at each place."""
    places: dict[Place, str] = {}
    cubes = len(sides) == 3 and all(side % _CUBE == 0 for side in sides)
    for index, corner in enumerate(_corners(sides, block, order)):
        unit = {"unit": "cube-" + "-".join(str(x // _CUBE) for x in corner)} if cubes else {}
        plan.add_server(f"node-{index}", accelerators=False, nic=nic, **unit)
        for number, inner in enumerate(product(*map(range, block))):
            place = tuple(x + dx for x, dx in zip(corner, inner, strict=True))
            places[place] = f"node-{index}/{number}"
            plan.add_accelerator(places[place], position=",".join(map(str, place)))
    if plan.node.nics:
        hosts = len(places) // math.prod(block)
        plan.add_switch("dcn", 1, hosts * plan.wired().nics, rented=True)
        for index in range(hosts):
            plan.plug(f"node-{index}", "dcn", 0)
    return places


def _corners(sides: Sequence[int], block: Place, order: Sequence[int]) -> Iterator[Place]:
    """First places of the hosts; the first dimension of ``order`` varies slowest."""
    for corner in product(*(range(0, sides[dimension], block[dimension]) for dimension in order)):
        yield tuple(corner[order.index(dimension)] for dimension in range(len(sides)))


def _shape(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides)) or "none"
