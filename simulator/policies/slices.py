"""Slices of a GPU: which instances of Multi-Instance GPU fit beside each other, and where.

Source: NVIDIA Multi-Instance GPU User Guide (r580), "Partitioning" and "Supported MIG Profiles".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simulator.core.errors import InputError, did_you_mean

ROUNDING = 0.0005
"""Shares of an accelerator are counted in thousandths, so 3/7 is 0.429."""
DATA = Path(__file__).parent / "sharing" / "data" / "mig.yaml"


@dataclass(frozen=True, slots=True)
class Profile:
    """A size of instance: ``compute`` and ``memory`` slices, and the memory slices at which it may begin."""

    name: str
    compute: int
    memory: int
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a GPU can be partitioned: its slices, and the profiles from the smallest to the largest."""

    device: str
    compute: int
    memory: int
    profiles: tuple[Profile, ...]

    def profile(self, name: str) -> Profile:
        """Return a profile by name, as ``3g.40gb``, or by its compute slices, as ``3g``.

        >>> geometry("h100-80gb").profile("3g").name
        '3g.40gb'
        """
        for each in self.profiles:
            if name in (each.name, each.name.partition(".")[0]):
                return each
        known = [each.name for each in self.profiles]
        raise InputError(f"{self.device} has no profile {name!r}. {did_you_mean(name, known)}")

    def holding(self, share: float) -> Profile:
        """Return the smallest profile with at least this share of the compute slices (0 to 1, in thousandths)."""
        for each in self.profiles:
            if each.compute >= (share - ROUNDING) * self.compute:
                return each
        raise InputError(f"a share of {share:g} is more than one {self.device}")

    def place(self, names: Sequence[str]) -> tuple[int, ...] | None:
        """Return the memory slice at which each of these instances begins; None when they do not fit together.

        >>> geometry("a100-40gb").place(["3g", "2g", "2g"]), geometry("a100-40gb").place(["4g", "2g", "2g"])
        ((4, 2, 0), None)
        """
        profiles = [self.profile(name) for name in names]
        if sum(each.compute for each in profiles) > self.compute:
            return None
        order = sorted(range(len(profiles)), key=lambda index: (len(profiles[index].starts), index))
        starts = _fill([profiles[index] for index in order], 0)
        if starts is None:
            return None
        found = dict(zip(order, starts, strict=True))
        return tuple(found[index] for index in range(len(profiles)))

    def valid(self, names: Sequence[str]) -> bool:
        """Whether these instances fit on one GPU."""
        return self.place(names) is not None

    def admits(self, shares: Sequence[float]) -> bool:
        """Whether jobs that ask for these shares of a GPU (0 to 1) can each have an instance that holds its share."""
        return all(share <= 1 for share in shares) and self.valid([self.holding(share).name for share in shares])


def _fill(profiles: Sequence[Profile], taken: int) -> tuple[int, ...] | None:
    """Find starts for all profiles beside the memory slices that are ``taken`` (bits), later ones first."""
    if not profiles:
        return ()
    first, rest = profiles[0], profiles[1:]
    slices = (1 << first.memory) - 1
    for start in reversed(first.starts):
        if not taken & slices << start:
            others = _fill(rest, taken | slices << start)
            if others is not None:
                return (start, *others)
    return None


@cache
def _file() -> dict[str, Any]:
    import yaml

    with DATA.open(encoding="utf-8") as file:
        content: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return content


@cache
def geometry(device: str) -> Geometry:
    """Return the geometry of a device such as ``h100-80gb``; ``InputError`` with the nearest name when unknown."""
    content = _file()
    if device not in content["devices"]:
        raise InputError(f"device is {device!r}. {did_you_mean(device, content['devices'])}")
    entry = content["devices"][device]
    slices = content["geometries"][entry["geometry"]]
    profiles = tuple(
        Profile(entry["names"][name], compute, memory, tuple(starts))
        for name, (compute, memory, starts) in slices["profiles"].items()
    )
    return Geometry(device, slices["compute"], slices["memory"], profiles)
