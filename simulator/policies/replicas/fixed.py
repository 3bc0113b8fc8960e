"""As many replicas as are said."""

from __future__ import annotations

from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("fixed")
class Fixed:
    """As many replicas as are said, from the start to the end."""

    version = "Deployment of Kubernetes (apps/v1)"
    interval = 0.0

    def __init__(self, n: int = 1) -> None:
        if n < 0:
            raise ValueError(f"n is {n}; it must be 0 or more")
        self.n = n

    def step(self, now: float, observation: ServiceObservation) -> int:
        """Return the same number always."""
        return self.n
