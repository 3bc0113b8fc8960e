"""Which servers take work: each is down while anybody wants it down, and kept while anybody keeps it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from simulator.cluster.allocation import Allocator


class Availability:
    """Lets maintenance, failures and the supply of nodes share one switch for each server.

    ``who`` stands for what wants a server down or kept, and takes that back with the same ``who``.
    """

    def __init__(self, nodes: Allocator) -> None:
        self._nodes = nodes
        self._down: dict[int, dict[Hashable, None]] = {}
        self._keepers: dict[int, dict[Hashable, str]] = {}
        """Who keeps each server, and for which tenant; the latest has it."""

    def down(self, server: int, who: Hashable) -> bool:
        """Take a server down; return whether it was up."""
        wanting = self._down.setdefault(server, {})
        wanting[who] = None
        if len(wanting) == 1:
            self._nodes.set_up(server, False)
        return len(wanting) == 1

    def up(self, server: int, who: Hashable) -> bool:
        """Take the wish back; return whether the server is up now and was not."""
        wanting = self._down.get(server)
        if wanting is None or who not in wanting:
            return False
        del wanting[who]
        if wanting:
            return False
        del self._down[server]
        self._nodes.set_up(server, True)
        return True

    def wanted_down(self, server: int) -> tuple[Hashable, ...]:
        """Who wants a server down."""
        return tuple(self._down.get(server, ()))

    def keep(self, servers: Iterable[int], tenant: str, who: Hashable) -> None:
        """Let only jobs of ``tenant`` start on servers from now on; who runs there runs on."""
        chosen = list(dict.fromkeys(servers))
        self._nodes.reserve(chosen, tenant)
        for server in chosen:
            keepers = self._keepers.setdefault(server, {})
            keepers.pop(who, None)
            keepers[who] = tenant

    def release(self, servers: Iterable[int], who: Hashable) -> None:
        """End what ``who`` keeps; another that keeps the same server has it then."""
        for server in dict.fromkeys(servers):
            keepers = self._keepers.get(server)
            if keepers is None or who not in keepers:
                continue
            del keepers[who]
            if keepers:
                self._nodes.reserve((server,), next(reversed(keepers.values())))
            else:
                del self._keepers[server]
                self._nodes.release_reserve((server,))
