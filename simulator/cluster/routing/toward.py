"""Hops to a vertex of a host: by way of the switches that lead to it, whose distances all hosts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Toward:
    """Distances to one vertex; a mapping as far as ``get`` and ``in`` go.

    ``inside`` gives those of the vertices of its own host. From elsewhere the last step into the host is from one of
    its ``entries``: a switch's (distances to it, hops from it to the vertex).
    """

    __slots__ = ("_entries", "_known", "inside")

    def __init__(self, inside: dict[str, int], entries: Sequence[tuple[Mapping[str, int], int]]) -> None:
        self.inside, self._entries = inside, entries
        self._known: dict[str, int | None] = {}

    def get(self, vertex: str, default: int | None = None) -> int | None:
        """Hops from ``vertex``; ``default`` when there is no way, or it belongs to another host."""
        found = self.inside.get(vertex)
        if found is None:
            if vertex not in self._known:
                ways = [hops[vertex] + more for hops, more in self._entries if vertex in hops]
                self._known[vertex] = min(ways, default=None)
            found = self._known[vertex]
        return default if found is None else found

    def __contains__(self, vertex: str) -> bool:
        """Whether there is a way from ``vertex``."""
        return self.get(vertex) is not None
