"""A scheduler put together from parts."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed

schedulers.register("composed")(Composed)
