"""Where requests are handed to replicas: a fleet, its router, and what that sees."""

from __future__ import annotations

from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.serving import Router
from simulator.runtime.serving.fleet import Fleet
from simulator.runtime.serving.outlook import Outlook
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Desk:
    """A fleet, its router, and what the router sees."""

    def __init__(self, fleet: Fleet, router: Router, outlook: Outlook) -> None:
        self.fleet, self.router, self.outlook = fleet, router, outlook
        self.on_end = getattr(router, "on_end", None)

    def choose(self, request: Request) -> Replica:
        """Ask the router; at least one replica takes requests."""
        name = getattr(self.router, "name", "") or type(self.router).__name__
        try:
            chosen = self.router.route(request, self.outlook)
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            text = f"router {name} at {self.outlook.now:g} s: {type(error).__name__}: {error}"
            raise PolicyError(text) from error
        replica = self.outlook.member(chosen)
        if replica is None:
            raise PolicyError(
                f"router {name} at {self.outlook.now:g} s, request {request.id!r}: it returned {chosen!r}, which is "
                "none of view.replicas"
            )
        return replica
